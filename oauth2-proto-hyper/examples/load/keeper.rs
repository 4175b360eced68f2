//! A process that holds logins and does nothing with them, to see what that costs: what its
//! allocator has handed out, and what the system says that it occupies.

use core::time::Duration;
use std::fs;
use std::time::Instant;

use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use stats_alloc::{Region, Stats};

use crate::arguments::{Role, key};
use crate::worker::users;
use crate::{ALLOCATOR, Failure};

/// What logins occupy, in bytes each.
#[derive(Serialize, Deserialize, Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// As long as somebody holds the agent.
    pub(crate) held: f64,
    /// In so many blocks.
    pub(crate) blocks: f64,
    /// By what the system says: with what the allocator adds to each block.
    pub(crate) resident: f64,
    /// When nobody holds it any more.
    pub(crate) left: f64,
    /// How long it took to load one.
    pub(crate) loading: Duration,
}

/// Holds them, and prints what they occupy.
pub(crate) async fn run(role: Role) -> Result<(), Failure> {
    let users = users(&role)?;
    // What is made once: the connection, and the code that is linked when it is first called.
    users.login(&key(role.logins * role.stride)).settle().await?;

    let count = role.logins;
    let each = |bytes: usize| small(bytes) / f64::from(count);
    // Users come in no order.
    let mut order: Vec<u32> = (0..count).collect();
    order.shuffle(&mut StdRng::seed_from_u64(role.seed));
    let (region, resident) = (Region::new(ALLOCATOR), resident()?);
    let begun = Instant::now();
    let mut agents = Vec::with_capacity(usize::try_from(count)?);
    for index in order {
        let agent = users.login(&key(index * role.stride));
        agent.settle().await?;
        if agent.with_state(|state| state.is_none()) {
            return Err(format!("login {index} is not stored").into());
        }
        agents.push(agent);
    }
    let loading = begun.elapsed() / count.max(1);
    let held = region.change();
    let resident = self::resident()?.saturating_sub(resident);
    drop(agents);
    let left = in_use(&region.change());
    let memory = Memory {
        held: each(in_use(&held)),
        blocks: each(held.allocations.saturating_sub(held.deallocations)),
        resident: each(resident),
        left: each(left),
        loading,
    };
    println!("{}", serde_json::to_string(&memory)?);
    Ok(())
}

fn in_use(change: &Stats) -> usize {
    change.bytes_allocated.saturating_sub(change.bytes_deallocated)
}

/// Nothing here has more than 4 GiB.
fn small(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// What this process occupies, in bytes.
fn resident() -> Result<usize, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(kilobytes.ok_or("no VmRSS")?.parse::<usize>()? * 1024)
}
