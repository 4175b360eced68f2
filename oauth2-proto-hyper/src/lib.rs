//! Executes oauth2-proto with hyper.
