CREATE TABLE IF NOT EXISTS oauth2_proto_logins (
    -- The name of the login, in UTF-8, whatever the encoding of the database.
    key bytea PRIMARY KEY,
    -- Which write of this key it is: 16 bytes.
    version bytea NOT NULL,
    record bytea NOT NULL,
    -- For whoever wants to delete logins that nobody uses.
    stored_at timestamptz NOT NULL DEFAULT now()
)
