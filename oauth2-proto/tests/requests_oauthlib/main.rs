//! What people rely on in requests-oauthlib, row by row, and its defects, which are not here.
//!
//! The table is `docs/requests_oauthlib.md`. A comment above each test says which of its rows it
//! is for; the tests in this file see to it that page and tests agree.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[cfg(feature = "agent")]
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../agent_support/mod.rs"]
mod agent_support;
mod authorization_url;
mod callback;
mod errors;
mod hooks;
mod refresh;
mod resource;
mod session;
#[expect(dead_code, reason = "other tests use the rest of it")]
#[path = "../support/mod.rs"]
mod support;
mod token_answer;
mod token_request;
