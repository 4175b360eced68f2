//! What it costs to ask an agent for a token that is good: nothing from the allocator, with the feature
//! `tracing` and without.

mod small_world;

use core::pin::pin;
use std::alloc::System;

use small_world::{World, poll_once};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The only test of this program: the allocator counts for all threads.
#[test]
fn a_token_that_is_good_is_given_without_a_block_of_memory() {
    let world = World::new();
    let agent = world.agent();
    world.run(agent.token()).unwrap();
    let allocations = |_| {
        let region = Region::new(ALLOCATOR);
        assert!(poll_once(pin!(agent.token())).is_ready());
        let change = region.change();
        change.allocations + change.reallocations
    };
    // The least of some runs: the threads of the test harness may allocate, too.
    assert_eq!((0..5).map(allocations).min(), Some(0));
}
