//! What a coordinator knows about its store, and what the store does not have yet.

use core::time::Duration;

use super::{Swapped, Unknown, Version};
use crate::value::Timestamp;

/// What is known about the store.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) version: Option<Version>,
    /// When it was last read; nothing is known before.
    pub(super) loaded_at: Option<Timestamp>,
    /// What has changed since the last swap began.
    pub(super) unsaved: Unsaved,
    /// What the swap on its way saves, if it succeeds.
    swapping: Unsaved,
    /// The outcome of the last swap is not known, or was a conflict: read before the next one.
    uncertain: bool,
    /// The store failed so many times in a row, and is asked again at `retry_at`.
    failures: u32,
    retry_at: Option<Timestamp>,
}

/// What the store does not have yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Unsaved {
    /// Anything at all.
    pub(super) state: bool,
    /// New tokens: they are never thrown away.
    pub(super) tokens: bool,
    /// What replaces whatever is stored: a new login, or a sign-out.
    pub(super) forced: bool,
}

/// Longest pause between two calls to a store that fails, as a power of two of seconds.
const LONGEST_PAUSE: u32 = 5;

impl Stored {
    /// Whether the store has to be read before it can be written.
    pub(super) const fn is_unknown(&self) -> bool {
        self.loaded_at.is_none() || self.uncertain
    }

    pub(super) const fn reload(&mut self) {
        self.uncertain = true;
    }

    /// Whether it was not read within this time.
    pub(super) fn is_older_than(&self, age: Duration, now: Timestamp) -> bool {
        self.loaded_at.is_none_or(|at| now < at || now >= at.after(age))
    }

    /// Until when a store that has failed is left alone.
    pub(super) fn pause(&self, now: Timestamp) -> Option<Timestamp> {
        let longest = now.after(Duration::from_secs(1 << LONGEST_PAUSE));
        self.retry_at.filter(|at| now < *at && *at <= longest)
    }

    pub(super) fn begin_swap(&mut self) {
        self.swapping = core::mem::take(&mut self.unsaved);
        self.swapping.state = true;
    }

    /// Notes the outcome of a swap. What is not saved stays to be saved, unless it was a lease that
    /// somebody else was faster to take.
    pub(super) fn swapped(
        &mut self,
        swapped: Result<Swapped, Unknown>,
        leasing: bool,
        now: Timestamp,
    ) {
        let swapping = core::mem::take(&mut self.swapping);
        match swapped {
            Ok(Swapped::Stored(version)) => {
                self.answered();
                self.version = Some(version);
            }
            Ok(Swapped::Conflict) => {
                self.answered();
                self.uncertain = true;
                if !leasing {
                    self.unsaved = self.unsaved.and(swapping);
                }
            }
            Err(Unknown) => {
                self.uncertain = true;
                self.unsaved = self.unsaved.and(swapping);
                self.failed(now);
            }
        }
    }

    pub(super) fn loaded(&mut self, version: Option<Version>, now: Timestamp) {
        self.answered();
        self.version = version;
        self.loaded_at = Some(now);
        self.uncertain = false;
    }

    pub(super) fn failed(&mut self, now: Timestamp) {
        let pause = 1_u64 << self.failures.min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now.after(Duration::from_secs(pause)));
    }

    const fn answered(&mut self) {
        self.failures = 0;
        self.retry_at = None;
    }
}

impl Unsaved {
    pub(super) const NEW_TOKENS: Self = Self { state: true, tokens: true, forced: false };
    pub(super) const OVERRULED: Self = Self { state: true, tokens: false, forced: true };

    const fn and(self, other: Self) -> Self {
        Self {
            state: self.state || other.state,
            tokens: self.tokens || other.tokens,
            forced: self.forced || other.forced,
        }
    }
}
