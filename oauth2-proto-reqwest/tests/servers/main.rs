//! What this crate does at authorization servers that others wrote, feature by feature.
//!
//! The servers run on free loopback ports, in versions that are pinned beside this file and that
//! `.ci/servers.sh` installs. `feature::rows` lists what is tried, `server` starts the servers and
//! says what each of them is like. The run ends in the table of `oauth2-proto/docs/servers.md`.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

mod browser;
mod certificate;
mod chromium;
mod feature;
#[path = "../../examples/login/server.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod in_process;
mod jwt;
mod page;
mod process;
mod registered;
mod server;
mod table;
mod world;

use core::time::Duration;
use std::time::Instant;

use table::{Cell, Table};
use tokio::task::JoinSet;
use world::World;

/// No feature takes longer than this.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_is_served_as_the_table_says() {
    if !chromium::is_installed() {
        println!("\nskipped: Chromium is not installed: run .ci/servers.sh");
    }
    let mut columns = JoinSet::new();
    for name in server::NAMES {
        columns.spawn(async move { (name, column(name).await) });
    }
    let mut table = Table::read();
    for (name, cells) in columns.join_all().await {
        if let Some(cells) = cells {
            table.put(name, cells);
        }
    }
    table.finish();
}

/// Tries everything at one server; nothing, where it is not installed.
async fn column(name: &'static str) -> Option<Vec<(&'static str, Cell)>> {
    let begin = Instant::now();
    let Some(world) = World::start(name).await else {
        println!("\nskipped: {name} is not installed: run .ci/servers.sh");
        return None;
    };
    println!("{name}: listens after {:.1} s", begin.elapsed().as_secs_f32());
    let mut cells = Vec::new();
    let chromium = chromium::is_installed();
    for row in feature::rows().into_iter().filter(|row| chromium || !row.needs_chromium) {
        let begin = Instant::now();
        // In a task of its own, which may panic.
        let trial = tokio::spawn(tokio::time::timeout(LIMIT, (row.run)(world.clone())));
        let cell = match trial.await {
            Ok(Ok(outcome)) => Cell::Outcome(outcome),
            Ok(Err(_)) => Cell::Failed("took too long".to_owned()),
            Err(panic) => Cell::Failed(reason(panic)),
        };
        println!("{name}: {}: {cell:?} ({:.1} s)", row.name, begin.elapsed().as_secs_f32());
        cells.push((row.name, cell));
    }
    Some(cells)
}

/// What a test that panicked says.
fn reason(error: tokio::task::JoinError) -> String {
    let panic = error.into_panic();
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panicked").to_owned()
}
