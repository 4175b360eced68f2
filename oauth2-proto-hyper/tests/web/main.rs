//! The web application of the examples as its users meet it: processes, real browsers, a real
//! authorization server, and a real Redis.
//!
//! `plain` looks at what goes over the wire, `browser` at what a person sees. `.ci/servers.sh` installs
//! what is needed for the latter.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

mod browser;
mod chromium;
mod instance;
mod plain;
#[path = "../../../oauth2-proto-reqwest/tests/servers/process.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod process;
mod provider;
#[path = "../../../oauth2-proto/stores/tests/engines/redis.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod redis;
mod silent;
mod wire;
