//! One request on its way under a lease, and what the attempts before it left behind.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::client::SHORTEST_LEASE;
use crate::value::{HolderId, Timestamp};
use crate::wire::LONGEST_RETRY_AFTER;

/// A token request that was handed to the host.
///
/// Nobody else sends one before the lease is over, and the sender gives up a margin earlier: the
/// time-out of the request is part of the lease.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Attempt {
    /// Which request for these tokens this is, from 1.
    pub(crate) number: u32,
    pub(crate) sent_at: Timestamp,
    /// Seconds.
    pub(crate) lease: u64,
    pub(crate) holder: Option<HolderId>,
    /// No outcome has been reported yet.
    pub(crate) on_its_way: bool,
}

impl Attempt {
    pub(crate) const fn new(setbacks: &mut Setbacks, lease: Duration, now: Timestamp) -> Self {
        setbacks.attempts = setbacks.attempts.saturating_add(1);
        Self {
            number: setbacks.attempts,
            sent_at: now,
            lease: lease.as_secs(),
            holder: None,
            on_its_way: true,
        }
    }

    /// Nothing has been sent yet.
    pub(crate) const fn none(now: Timestamp) -> Self {
        let lease = SHORTEST_LEASE.as_secs();
        Self { number: 0, sent_at: now, lease, holder: None, on_its_way: false }
    }

    /// Another attempt for the same tokens.
    pub(crate) const fn again(&self, setbacks: &mut Setbacks, now: Timestamp) -> Self {
        Self::new(setbacks, Duration::from_secs(self.lease), now)
    }

    /// When the host must have given the request up.
    pub(crate) const fn deadline(&self) -> Timestamp {
        self.sent_at.after(Duration::from_secs(self.lease).saturating_sub(self.margin()))
    }

    /// By how much a sender gives up before its lease is over, and by how much others wait longer:
    /// what two clocks may differ by meanwhile.
    pub(crate) const fn margin(&self) -> Duration {
        Duration::from_secs(self.lease.div_ceil(6))
    }

    /// When the next attempt may be sent: when the lease of this one is over, counted from `start`
    /// (the moment of sending, or when an observer with another clock first saw it); or, when its
    /// outcome is known, after the back-off.
    pub(crate) fn next_due(
        &self,
        setbacks: &Setbacks,
        start: Timestamp,
        now: Timestamp,
    ) -> Timestamp {
        if self.on_its_way {
            start.after(Duration::from_secs(self.lease))
        } else {
            setbacks.pending(now).unwrap_or(now)
        }
    }
}

/// What earlier attempts for the same tokens left behind. A success clears it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Setbacks {
    /// Requests that were made for these tokens.
    pub(crate) attempts: u32,
    /// Attempts in a row that brought no token: they make the back-off grow.
    pub(crate) failures: u32,
    pub(crate) not_before: Option<Timestamp>,
    /// Attempts of which nobody knows whether the server acted on them.
    pub(crate) in_doubt: u32,
    /// Answers that nobody could read.
    pub(crate) unexplained: u32,
}

/// After so many unreadable answers the login is given up (DESIGN: law 6).
const MOST_UNEXPLAINED: u32 = 3;

/// Longest back-off that grows by itself.
const LONGEST_BACK_OFF: u64 = 60;

impl Setbacks {
    /// Notes a failure: the next attempt waits 1, 2, 4 … 60 seconds, or longer if the server says.
    pub(crate) fn back_off(&mut self, retry_after: Option<Duration>, now: Timestamp) {
        let own =
            1_u64.checked_shl(self.failures).unwrap_or(LONGEST_BACK_OFF).min(LONGEST_BACK_OFF);
        let asked = retry_after.map_or(0, |wait| wait.as_secs().min(LONGEST_RETRY_AFTER));
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(now.after(Duration::from_secs(own.max(asked))));
    }

    pub(crate) fn doubt(&mut self) {
        self.in_doubt = self.in_doubt.saturating_add(1);
    }

    /// Notes an answer that nobody can read; says whether the login has to be given up.
    pub(crate) fn unexplained(&mut self) -> bool {
        self.doubt();
        self.unexplained = self.unexplained.saturating_add(1);
        self.unexplained >= MOST_UNEXPLAINED
    }

    /// Until when the next attempt has to wait; `None` when it need not.
    pub(crate) fn pending(&self, now: Timestamp) -> Option<Timestamp> {
        // A moment further away than any back-off means that the clock has been set back.
        let longest = now.after(Duration::from_secs(LONGEST_RETRY_AFTER));
        self.not_before.filter(|due| now < *due && *due <= longest)
    }
}
