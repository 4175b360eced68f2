//! The same comparison with every call to the allocator counted. Counting costs two locked
//! instructions per call, enough to distort times, so it has a program of its own, which `compare`
//! runs for its columns of allocations and bytes.

#[path = "main.rs"]
mod compare;

use std::alloc::System;

use compare::harness;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> harness::Outcome<()> {
    compare::main()
}
