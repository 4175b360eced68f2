//! The adapter over real sockets on the loopback interface, with peers that behave and peers that
//! do not.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

mod host;
mod protected;
#[path = "../../examples/login/server.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod server;
mod support;
mod workflow;
