CREATE TABLE login (
    key TEXT NOT NULL PRIMARY KEY,
    version BLOB NOT NULL CHECK (length(version) = 16),
    record BLOB NOT NULL
) STRICT;
