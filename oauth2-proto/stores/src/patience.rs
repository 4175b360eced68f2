//! How long another process is waited for.

use core::time::Duration;
use std::time::Instant;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    since: Instant,
    lasts: Duration,
}

/// How long it lasts unless told.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

impl Patience {
    /// From now on.
    pub(crate) fn new(lasts: Duration) -> Self {
        Self { since: Instant::now(), lasts }
    }

    pub(crate) fn left(self) -> Duration {
        self.lasts.saturating_sub(self.since.elapsed())
    }
}
