//! Executes oauth2-proto with reqwest.
