//! What a coordinator knows about its store, and what the store does not have yet.

use core::num::NonZero;
use core::time::Duration;

use super::{Swapped, Unknown, Version};
use crate::value::{Moment, Seed};

/// What is known about the store.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) version: Option<Version>,
    /// Since when this version is known to be there.
    seen_since: Option<Elapsed>,
    /// Since when the store has answered again and again, without a long silence.
    steady_since: Option<Elapsed>,
    /// When it has answered last.
    answered_at: Option<Elapsed>,
    /// How many milliseconds longer than others this one waits before it takes a lease over.
    patience: u16,
    /// When it is worth another look; nothing is known before the first one.
    look_at: Option<Elapsed>,
    /// How often in a row it was read without news, which makes the next look wait.
    looks: u8,
    /// What has changed since the last swap began.
    pub(super) unsaved: Unsaved,
    /// What the swap on its way saves, if it succeeds.
    swapping: Unsaved,
    /// The outcome of the last swap or load is not known, or was a conflict: read before the next
    /// swap.
    uncertain: bool,
    /// The last swap was a conflict: another version than the one that is known has to be there.
    conflicted: bool,
    /// The store failed so many times in a row, and is asked again at `retry_at`.
    failures: u8,
    retry_at: Option<Elapsed>,
}

/// A moment on the clock that only goes on, in milliseconds and one: a login is kept in memory by the
/// hundred thousand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Elapsed(NonZero<u64>);

impl Elapsed {
    fn after(pause: Duration, now: Moment) -> Self {
        let at = now.elapsed().saturating_add(pause).as_millis();
        Self(NonZero::<u64>::MIN.saturating_add(u64::try_from(at).unwrap_or(u64::MAX)))
    }

    fn now(now: Moment) -> Self {
        Self::after(Duration::ZERO, now)
    }

    /// How long ago it was; zero when it is yet to come.
    fn passed(self, now: Moment) -> Duration {
        Duration::from_millis(Self::now(now).0.get().saturating_sub(self.0.get()))
    }

    /// How long it is until then; zero when it is over.
    fn left(self, now: Moment) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(Self::now(now).0.get()))
    }
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

/// A caller that waits for another process looks whether it is done after this, then after twice
/// this, and so on up to the longest.
const FIRST_LOOK: Duration = Duration::from_millis(32);
const LONGEST_LOOK: Duration = Duration::from_secs(1);

/// So far apart are those who could take a lease over at the same moment.
const SPREAD: Duration = Duration::from_secs(1);

/// After a silence of this length the store may have failed meanwhile, and whoever holds a lease may
/// be unable to save what it has got for it until now. Once the store answers, it has saved it long
/// before the other is over.
const LONGEST_GAP: Duration = Duration::from_secs(3);
const STEADY: Duration = Duration::from_secs(10);

/// Pauses between two calls to a store that fails: the first, and the longest. Who has new tokens
/// to save is the first to be there when it answers again, before others take its lease over.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(32);
const LONGEST_PAUSE_WITH_TOKENS: Duration = Duration::from_secs(2);

impl Stored {
    /// Whether the store has to be read before it can be written.
    pub(super) const fn is_unknown(&self) -> bool {
        self.look_at.is_none() || self.uncertain
    }

    pub(super) const fn reload(&mut self) {
        self.uncertain = true;
    }

    /// How long it is until the store is worth another look; zero when it is.
    pub(super) fn next_look(&self, now: Moment) -> Duration {
        self.look_at.map_or(Duration::ZERO, |at| at.left(now))
    }

    /// For how long the version has been there, as far as this process has seen.
    pub(super) fn unchanged_for(&self, now: Moment) -> Duration {
        self.seen_since.map_or(Duration::ZERO, |since| since.passed(now))
    }

    /// For how much longer the store has to be watched until it is certain that whoever holds a lease
    /// that lasts so long could have saved what it has got for it.
    pub(super) fn unsteady_for(&self, lease: Duration, now: Moment) -> Duration {
        let since = self.steady_since.filter(|_| !self.has_looked_away(now));
        let steady = since.map_or(Duration::ZERO, |since| since.passed(now));
        STEADY.min(lease).saturating_sub(steady)
    }

    /// How much longer than others this one waits before it takes a lease over.
    pub(super) fn patience(&self) -> Duration {
        Duration::from_millis(self.patience.into())
    }

    fn has_looked_away(&self, now: Moment) -> bool {
        self.answered_at.is_none_or(|at| at.passed(now) > LONGEST_GAP)
    }

    /// How long a store that has failed is still left alone.
    pub(super) fn pause(&self, now: Moment) -> Option<Duration> {
        let left = self.retry_at?.left(now);
        (!left.is_zero()).then_some(left)
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
        seed: &mut Seed,
        now: Moment,
    ) {
        let swapping = core::mem::take(&mut self.swapping);
        match swapped {
            Ok(Swapped::Stored(version)) => {
                self.answered();
                self.sees(Some(version), seed, now);
            }
            Ok(Swapped::Conflict) => {
                self.answered();
                self.uncertain = true;
                self.conflicted = true;
                if !leasing {
                    self.unsaved = self.unsaved.and(swapping);
                }
            }
            Err(Unknown) => {
                self.unsaved = self.unsaved.and(swapping);
                self.failed(seed, now);
            }
        }
    }

    pub(super) fn loaded(&mut self, version: Option<Version>, seed: &mut Seed, now: Moment) {
        self.answered();
        // A store that reads from a replica can be behind what it compares with. To swap again at once
        // would be a conflict again, and so on.
        if core::mem::take(&mut self.conflicted) && self.version == version {
            return self.failed(seed, now);
        }
        self.sees(version, seed, now);
        self.uncertain = false;
        let pause = FIRST_LOOK.saturating_mul(1 << self.looks.min(5)).min(LONGEST_LOOK);
        let pause = pause / 2 + seed.jitter(pause / 2);
        self.look_at = Some(Elapsed::after(pause, now));
        self.looks = self.looks.saturating_add(1);
    }

    pub(super) fn failed(&mut self, seed: &mut Seed, now: Moment) {
        // What was known is too old to go by: nothing is decided before it has been read again.
        self.uncertain = true;
        let longest = match self.unsaved.tokens {
            true => LONGEST_PAUSE_WITH_TOKENS,
            false => LONGEST_PAUSE,
        };
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(6)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let pause = pause / 2 + seed.jitter(pause / 2);
        self.retry_at = Some(Elapsed::after(pause, now));
    }

    fn sees(&mut self, version: Option<Version>, seed: &mut Seed, now: Moment) {
        if self.version != version {
            self.version = version;
            self.seen_since = None;
            self.looks = 0;
        }
        if self.has_looked_away(now) {
            self.steady_since = None;
        }
        let now = Elapsed::now(now);
        self.steady_since.get_or_insert(now);
        self.answered_at = Some(now);
        if self.seen_since.is_none() {
            self.seen_since = Some(now);
            self.patience = u16::try_from(seed.jitter(SPREAD).as_millis()).unwrap_or(u16::MAX);
        }
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
