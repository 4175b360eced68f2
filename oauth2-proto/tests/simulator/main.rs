//! Several processes over one store, one hostile authorization server, crashes and bad clocks, in a
//! world that is deterministic: every order of events within bounds, and random ones beyond them.
//!
//! `SIMULATOR_RUNS` says how many random runs there are, `SIMULATOR_SEED` repeats one;
//! `SIMULATOR_FAULTS` and `SIMULATOR_LEASES` are how many of these the explorations have.
#![expect(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "a simulator fails loudly, says how long it took, and is told how far to go"
)]

mod apply;
mod clock;
mod dice;
mod event;
mod explore;
mod history;
mod mutants;
mod oracle;
mod random;
mod record;
mod recovery;
mod server;
mod store;
mod worker;
mod world;

use std::time::Instant;

use explore::{Budget, Deeds, Found, explore};
use random::Breach;
use server::Manners;
use world::Setting;

/// Two processes find a token that is about to expire, and each has one caller.
fn setting() -> Setting {
    Setting {
        manners: Manners { lifetime: 100, rotates: true, detects_reuse: true, grace: 0 },
        workers: vec![(0, 1000, 200, 1), (0, 1000, 200, 1)],
        patience: 7000,
        seed: 1,
        versions_come_back: false,
        hosts_ignore_time_outs: false,
    }
}

const BUDGET: Budget =
    Budget { faults: 1, leases: 3, deeds: Deeds::none(), lease: 3, few_kinds: false, outages: &[] };

fn fails(found: &Found, after: &str) -> ! {
    println!("{}", found.trace.join("\n"));
    let violation = &found.violation;
    panic!("violated: {}, {after} ({})", violation.rule, violation.how)
}

fn keeps_the_rules(setting: &Setting, budget: Budget) {
    let faults = number("SIMULATOR_FAULTS").and_then(|faults| u32::try_from(faults).ok());
    let leases = number("SIMULATOR_LEASES").and_then(|leases| u32::try_from(leases).ok());
    let budget = Budget {
        faults: faults.unwrap_or(budget.faults),
        leases: leases.unwrap_or(budget.leases),
        ..budget
    };
    let start = Instant::now();
    match explore(setting, budget) {
        Ok(seen) => println!("{budget:?}: {seen:?} in {:?}", start.elapsed()),
        Err((found, seen)) => fails(&found, &format!("after {} states", seen.states)),
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn every_order_of_events_with_one_fault_keep_the_rules() {
    keeps_the_rules(&setting(), BUDGET);
}

#[test]
fn every_order_of_events_with_two_faults_keep_the_rules() {
    keeps_the_rules(&setting(), Budget { faults: 2, few_kinds: true, ..BUDGET });
}

#[test]
fn every_order_of_events_with_a_grace_period_keep_the_rules() {
    let manners = Manners { grace: 60_000, ..setting().manners };
    keeps_the_rules(&Setting { manners, ..setting() }, Budget { few_kinds: true, ..BUDGET });
}

#[test]
fn every_order_of_events_on_clocks_that_differ_keep_the_rules() {
    let workers = vec![(0, 1120, 200, 1), (0, 880, 230, 1)];
    // Where a second use does not end the login, late tokens are good.
    let manners = Manners { detects_reuse: false, ..setting().manners };
    let setting = Setting { workers, manners, ..setting() };
    keeps_the_rules(&setting, Budget { leases: 2, ..BUDGET });
}

#[test]
fn every_order_of_events_around_an_outage_keep_the_rules() {
    let setting = Setting { patience: 30_000, ..setting() };
    keeps_the_rules(
        &setting,
        Budget { outages: &[3000, 4000, 5000, 6000, 7000, 8000, 9000], ..BUDGET },
    );
}

#[test]
fn every_order_of_events_around_a_sign_out_keep_the_rules() {
    let deeds = Deeds { signs_out: true, ..Deeds::none() };
    keeps_the_rules(&setting(), Budget { deeds, leases: 1, few_kinds: true, ..BUDGET });
}

#[test]
fn every_order_of_events_around_a_login_that_is_made_anew_keep_the_rules() {
    let deeds = Deeds { logs_in: true, deletes: true, ..Deeds::none() };
    keeps_the_rules(&setting(), Budget { deeds, leases: 1, few_kinds: true, ..BUDGET });
}

#[test]
fn every_order_of_events_around_a_rejected_token_keep_the_rules() {
    let deeds = Deeds { challenges: true, refreshes: true, ..Deeds::none() };
    let workers = vec![(0, 1000, 40, 1), (0, 1000, 40, 1)];
    let setting = Setting { workers, ..setting() };
    keeps_the_rules(&setting, Budget { deeds, ..BUDGET });
}

#[test]
fn random_orders_of_events_keep_the_rules() {
    let first = number("SIMULATOR_SEED");
    let runs = number("SIMULATOR_RUNS").unwrap_or_else(|| if first.is_some() { 1 } else { 500 });
    let start = Instant::now();
    for (run, seed) in (first.unwrap_or(1)..).zip(0..runs).map(|(seed, run)| (run, seed)) {
        if let Err(found) = random::run(seed, Breach::default()) {
            fails(&found, &format!("after {run} runs, with SIMULATOR_SEED={seed}"));
        }
    }
    println!("{runs} runs in {:?}", start.elapsed());
}
