//! One phase of the test: what the processes report, what the server and Redis have counted
//! meanwhile, and whether all of it is as it must be.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use crate::families::{Counts, Families};
use crate::latencies::Latencies;
use crate::redis_load::RedisLoad;
use crate::worker::Report;

/// What has come of a phase.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    pub(crate) report: Report,
    pub(crate) counts: Counts,
    pub(crate) redis: RedisLoad,
}

impl Phase {
    /// Requests to the server for each set of tokens that came to its end.
    pub(crate) fn requests_per_expiry(&self) -> f64 {
        per(self.counts.requests, self.counts.expiries())
    }

    /// What must not happen, and has.
    pub(crate) fn violations(&self, families: &Families, faults: bool) -> Vec<String> {
        let mut violations = self.report.violations.clone();
        let Counts { requests, .. } = self.counts;
        let (expiries, excess) = (self.counts.expiries(), self.counts.excess());
        if requests != expiries + excess.values().sum::<u64>() {
            violations.push(format!("{requests} requests for {expiries} expiries and {excess:?}"));
        }
        if expiries == 0 {
            violations.push("no token has expired".into());
        }
        if !faults && requests != expiries {
            violations.push(format!("{requests} requests for {expiries} expiries, without faults"));
        }
        if !faults {
            let lost = self.report.lost.iter();
            violations.extend(lost.map(|(login, why)| format!("login {login} was lost: {why}")));
        }
        let ended = families.ended();
        for (login, why) in &self.report.lost {
            if why != "AnswerLost" || !ended.contains(login) {
                violations.push(format!("login {login} was lost, and not by the server: {why}"));
            }
        }
        if !self.report.errors.is_empty() {
            violations.push(format!("callers were refused: {:?}", self.report.errors));
        }
        for (serial, login) in &self.report.tokens {
            if !families.has_issued(*serial, *login) {
                violations.push(format!("token {serial} was never issued for login {login}"));
            }
        }
        violations
    }

    pub(crate) fn print(&self) {
        let Self { name, took, report, counts, redis } = self;
        let calls: u64 =
            [&report.fresh, &report.refresh, &report.first].iter().map(|it| it.len()).sum();
        println!("\n{name}, {:.1} s", took.as_secs_f64());
        let row = |what: &str, value: String| println!("  {what:<42}{value}");
        let rate = per(calls, 1) / took.as_secs_f64();
        row("calls", format!("{calls} ({rate:.0}/s)"));
        row("token requests", counts.requests.to_string());
        row("expiries", format!("{} ({} logins ended)", counts.expiries(), counts.ended));
        row("requests per expiry", format!("{:.4}", self.requests_per_expiry()));
        for (cause, count) in counts.excess().iter().filter(|(_, count)| **count > 0) {
            row("  beyond one", format!("{count} {cause}"));
        }
        if counts.forgiven + counts.slow > 0 {
            row(
                "forgiven second uses, slow answers",
                format!("{}, {}", counts.forgiven, counts.slow),
            );
        }
        let mut reasons = BTreeMap::<&str, BTreeSet<u32>>::new();
        for (login, why) in &report.lost {
            reasons.entry(why).or_default().insert(*login);
        }
        for (why, logins) in reasons {
            row("logins lost", format!("{} as {why}", logins.len()));
        }
        let trips = per(redis.loads + redis.swaps, counts.expiries());
        let (loads, swaps) = (redis.loads, redis.swaps);
        row(
            "Redis round trips per expiry",
            format!("{trips:.2} ({loads} GET, {swaps} EVALSHA, {} of which wrote)", redis.writes),
        );
        println!("  {:<30}{:>9}{:>12}{:>12}{:>12}", "token()", "calls", "p50", "p99", "max");
        latencies("fresh", &report.fresh);
        latencies("refresh path", &report.refresh);
        latencies("  of which had to wait", &report.waited);
        latencies("first call: loads the login", &report.first);
        if report.refused.len() > 0 {
            latencies("told that the login is lost", &report.refused);
        }
        latencies("(work left to with_spawn)", &report.rests);
    }
}

impl Report {
    /// What two processes have reported.
    pub(crate) fn merge(&mut self, other: Self) {
        self.fresh.merge(&other.fresh);
        self.refresh.merge(&other.refresh);
        self.waited.merge(&other.waited);
        self.first.merge(&other.first);
        self.refused.merge(&other.refused);
        self.rests.merge(&other.rests);
        self.tokens.extend(other.tokens);
        self.lost.extend(other.lost);
        for (error, count) in other.errors {
            *self.errors.entry(error).or_default() += count;
        }
        self.violations.extend(other.violations);
    }
}

fn latencies(what: &str, latencies: &Latencies) {
    let [p50, p99] = [50, 99].map(|percent| shown(latencies.percentile(percent)));
    let (calls, longest) = (latencies.len(), shown(latencies.longest()));
    println!("  {what:<30}{calls:>9}{p50:>12}{p99:>12}{longest:>12}");
}

/// Three digits.
fn shown(duration: Duration) -> String {
    let microseconds = duration.as_secs_f64() * 1e6;
    match microseconds {
        ..1e3 => format!("{microseconds:.1} µs"),
        1e3..1e6 => format!("{:.1} ms", microseconds / 1e3),
        _ => format!("{:.2} s", microseconds / 1e6),
    }
}

/// Nothing here is counted beyond 2^32.
pub(crate) fn per(count: u64, of: u64) -> f64 {
    let small = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
    small(count) / small(of).max(1.0)
}
