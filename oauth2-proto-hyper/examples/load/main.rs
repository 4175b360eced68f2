//! A load test of shared logins: 100,000 of them in Redis, of which 500 are used by 64 callers in
//! four processes, with tokens that live for five seconds; first at a server without faults, then at
//! one that loses requests and answers, while processes are killed.
//!
//! It starts everything itself, on this machine, and takes a minute. It prints what it has measured,
//! and fails where a promise is broken: a refresh token used twice or a login lost without an
//! injected fault, a token given that is unknown or has expired, a caller that waits for too long, a
//! second request for one expiry. `docs/performance.md` has its numbers.

mod arguments;
mod crew;
mod families;
mod faults;
mod filling;
mod keeper;
mod latencies;
mod mint;
mod phase;
#[path = "../../../oauth2-proto/stores/tests/engines/redis.rs"]
#[expect(
    dead_code,
    clippy::panic,
    clippy::unwrap_used,
    reason = "it was made for tests, which do more with it and fail otherwise"
)]
mod redis;
mod redis_load;
mod server;
mod test;
mod worker;

use std::alloc::System;
use std::process::ExitCode;

use arguments::{Arguments, Part, Role};
use clap::Parser;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

/// Counts for all threads, in every process.
#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The client_id of all logins.
const CLIENT: &str = "load";

type Failure = Box<dyn core::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = match runtime.worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(start()) {
        Ok(code) => code,
        Err(error) => failed(&error),
    }
}

/// The test itself, or one of the processes that it starts.
async fn start() -> Result<ExitCode, Failure> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some("--role") {
        let role: Role = serde_json::from_str(&arguments.next().ok_or("which role?")?)?;
        match role.part {
            Part::Worker => worker::run(role).await?,
            Part::Keeper => keeper::run(role).await?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    test::run(Arguments::parse()).await
}

fn failed(error: &Failure) -> ExitCode {
    eprintln!("Error: {error}");
    ExitCode::FAILURE
}
