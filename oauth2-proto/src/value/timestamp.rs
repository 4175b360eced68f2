//! A moment in Unix seconds: the only notion of time in this crate, always handed in by the host.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

/// A moment, in whole seconds since the Unix epoch.
///
/// It can be stored and compared between processes, which a monotonic clock reading cannot. All
/// arithmetic saturates: a hostile lifetime moves a deadline to the end of time, not into a panic.
///
/// ```
/// use oauth2_proto::Timestamp;
/// let now = Timestamp::from_unix(std::time::UNIX_EPOCH.elapsed()?);
/// # Ok::<(), std::time::SystemTimeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies this long after the Unix epoch; fractions of a second are cut off.
    #[must_use]
    pub const fn from_unix(since_epoch: Duration) -> Self {
        Self(since_epoch.as_secs())
    }

    /// The moment that lies this many seconds after the Unix epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: u64) -> Self {
        Self(seconds)
    }

    /// Seconds since the Unix epoch.
    #[must_use]
    pub const fn unix_seconds(self) -> u64 {
        self.0
    }

    /// The moment `span` later, in whole seconds.
    #[must_use]
    pub const fn after(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span.as_secs()))
    }

    /// The moment `span` earlier, in whole seconds; never before the epoch.
    #[must_use]
    pub const fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(span.as_secs()))
    }

    /// How long after `earlier` this is; zero when it is not later at all.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_secs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Timestamp({})", self.0)
    }
}
