//! A moment by both clocks of a host: the one that people set, and the one that only goes on.

use core::time::Duration;

use super::Timestamp;

/// A moment by two clocks: the time of day, which others understand and somebody may set, and the
/// time that has passed on a clock that only goes on.
///
/// Where logins are shared, the time of day is not enough: a lease that is measured by it is over
/// too early when the clock is set forward, and too late when it is set back.
///
/// ```
/// use std::time::{Instant, UNIX_EPOCH};
///
/// use oauth2_proto::{Moment, Timestamp};
///
/// let start = Instant::now(); // once per process
/// let now = Moment::new(Timestamp::from_unix(UNIX_EPOCH.elapsed()?), start.elapsed());
/// # assert!(now.time().unix_seconds() > 0);
/// # Ok::<(), std::time::SystemTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    time: Timestamp,
    elapsed: Duration,
}

impl Moment {
    /// A moment at which it is this time of day, and so much time has passed since whichever moment
    /// the host counts from.
    #[must_use]
    pub const fn new(time: Timestamp, elapsed: Duration) -> Self {
        Self { time, elapsed }
    }

    /// The time of day.
    #[must_use]
    pub const fn time(self) -> Timestamp {
        self.time
    }

    /// What has passed since whichever moment the host counts from.
    #[must_use]
    pub const fn elapsed(self) -> Duration {
        self.elapsed
    }

    /// How long ago `earlier` was by the clock that says more: the one may have been set back, and
    /// the other may have stood still while the machine slept.
    pub(crate) fn longest_since(self, earlier: Self) -> Duration {
        let by_elapsed = self.elapsed.saturating_sub(earlier.elapsed);
        let by_time = self.time.since(earlier.time);
        // The time of day is cut to whole seconds: by less than that they always differ.
        let agree = by_time <= by_elapsed.saturating_add(Duration::from_secs(1));
        if agree { by_elapsed } else { by_time }
    }
}
