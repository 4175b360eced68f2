//! A machine's two clocks: they go at a rate of their own, one of them is set by people, and the
//! other stands still while the machine sleeps.

use core::time::Duration;

use oauth2_proto::{Moment, Timestamp};

/// When every world begins, in Unix seconds.
const START: u64 = 1_700_000_000;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Clock {
    /// Microseconds that have elapsed.
    pub(crate) elapsed: u64,
    /// The time of day, in microseconds since the Unix epoch.
    time: u64,
    /// Microseconds that it counts per millisecond: 1,000 where it is exact.
    rate: u64,
    pub(crate) asleep: bool,
}

/// A moment on these clocks, in microseconds.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Reading {
    pub(crate) elapsed: u64,
    time: u64,
}

impl Clock {
    pub(crate) const fn new(rate: u64, offset_seconds: i64) -> Self {
        let seconds = START.saturating_add_signed(offset_seconds);
        Self { elapsed: 77_000_000, time: seconds * 1_000_000, rate, asleep: false }
    }

    pub(crate) const fn pass(&mut self, milliseconds: u64) {
        if !self.asleep {
            self.elapsed += milliseconds * self.rate;
        }
        self.time += milliseconds * self.rate;
    }

    pub(crate) const fn jump(&mut self, seconds: i64) {
        self.time = self.time.saturating_add_signed(seconds * 1_000_000);
    }

    pub(crate) const fn reading(&self) -> Reading {
        Reading { elapsed: self.elapsed, time: self.time }
    }

    pub(crate) const fn moment(&self) -> Moment {
        let time = Timestamp::from_unix(Duration::from_micros(self.time));
        Moment::new(time, Duration::from_micros(self.elapsed))
    }

    pub(crate) const fn seconds(&self) -> u64 {
        self.time / 1_000_000
    }

    /// How many milliseconds it takes until so much has elapsed.
    pub(crate) const fn until(&self, elapsed: u64) -> u64 {
        elapsed.saturating_sub(self.elapsed).div_ceil(self.rate)
    }

    /// How long ago that was by the clock that says more, as a host has to reckon.
    pub(crate) fn longest_since(&self, then: Reading) -> u64 {
        let by_time = self.time.saturating_sub(then.time).saturating_sub(1_000_000);
        self.elapsed.saturating_sub(then.elapsed).max(by_time)
    }
}
