//! When to refresh, how long an attempt may take, how much of an answer is read.

use core::time::Duration;

/// The numbers that a host may change, on [`Client`](super::Client).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Policy {
    pub(super) window: Duration,
    pub(super) lease: Duration,
    pub(super) body_limit: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            window: Duration::from_secs(60),
            lease: Duration::from_secs(30),
            body_limit: 1024 * 1024,
        }
    }
}

impl Policy {
    /// How long before its expiry a token with this lifetime is refreshed.
    pub(crate) fn window(&self, lifetime: Duration) -> Duration {
        self.window.min(lifetime / 4)
    }

    /// How long a refresh may hold everybody else off: less than the window, so that it ends while
    /// the old token still works, where the lifetime allows for a real network.
    pub(crate) fn lease(&self, lifetime: Option<Duration>) -> Duration {
        let longest = self.lease.clamp(SHORTEST_LEASE, LONGEST_LEASE);
        let Some(lifetime) = lifetime else { return longest };
        let fits = self.window(lifetime).saturating_sub(Duration::from_secs(1));
        longest.min(fits.max(REASONABLE_LEASE))
    }
}

/// Below this the margin of a lease would vanish: times are whole seconds.
pub(crate) const SHORTEST_LEASE: Duration = Duration::from_secs(3);

/// Nobody waits longer than this for a holder that is gone.
pub(crate) const LONGEST_LEASE: Duration = Duration::from_secs(3600);

/// What a token request may need over a slow network, even where the token lives shorter.
const REASONABLE_LEASE: Duration = Duration::from_secs(10);
