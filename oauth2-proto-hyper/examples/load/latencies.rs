//! How long calls took: counted in steps of a thirty-second, so that nothing has to be kept of each.

use core::time::Duration;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A histogram of durations.
#[derive(Serialize, Deserialize, Clone, Default, Debug)]
pub(crate) struct Latencies {
    /// By the largest duration of each step, in nanoseconds.
    counts: BTreeMap<u64, u64>,
    longest: u64,
}

impl Latencies {
    pub(crate) fn add(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        let step = (nanoseconds.next_power_of_two() >> 6).max(1);
        let until = nanoseconds.div_ceil(step).saturating_mul(step);
        *self.counts.entry(until).or_default() += 1;
        self.longest = self.longest.max(nanoseconds);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (until, count) in &other.counts {
            *self.counts.entry(*until).or_default() += count;
        }
        self.longest = self.longest.max(other.longest);
    }

    pub(crate) fn len(&self) -> u64 {
        self.counts.values().sum()
    }

    pub(crate) fn longest(&self) -> Duration {
        Duration::from_nanos(self.longest)
    }

    /// What so many of a hundred did not exceed.
    pub(crate) fn percentile(&self, percent: u64) -> Duration {
        let rank = (self.len() * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.counts.iter().find(|(_, count)| {
            seen += *count;
            seen >= rank
        });
        Duration::from_nanos(reached.map_or(0, |(until, _)| (*until).min(self.longest)))
    }
}
