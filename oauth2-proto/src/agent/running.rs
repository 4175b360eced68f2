//! The effect that is out, and who waits for it.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use http::Response;

use super::{Change, Host, Store};
use crate::coordinator::{Coordinator, Swapped, Unknown, Version};
use crate::machine::State;
use crate::session::Lost;
use crate::value::Timestamp;

/// What the callers of an agent share, behind its lock.
pub(super) struct Inner<H: Host, S: Store> {
    pub(super) coordinator: Coordinator,
    pub(super) effect: Effect<H, S>,
    /// Somebody polls the effect, and goes on to the next one.
    pub(super) driven: bool,
    pub(super) waiting: BTreeMap<u64, Waker>,
    /// Names for those who wait.
    pub(super) visitors: u64,
    pub(super) change: Option<Change>,
    pub(super) changes: u64,
}

/// The effect that is out.
pub(super) enum Effect<H: Host, S: Store> {
    None,
    /// Its future has been taken to be polled, without the lock.
    Polled,
    Out(Box<Running<H, S>>),
}

/// An effect's future.
pub(super) enum Running<H: Host, S: Store> {
    Load(Pin<Box<S::Loading>>),
    Swap(Pin<Box<S::Swapping>>),
    Send(Pin<Box<H::Sending>>),
}

/// What came of an effect.
#[expect(clippy::large_enum_variant, reason = "it is handed on at once")]
pub(super) enum Outcome {
    Loaded(Result<Option<(Version, State)>, Unknown>),
    Swapped(Result<Swapped, Unknown>),
    Sent(Result<Response<Vec<u8>>, Lost>),
}

impl<H: Host, S: Store> Running<H, S> {
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        match self {
            Self::Load(future) => future.as_mut().poll(context).map(Outcome::Loaded),
            Self::Swap(future) => future.as_mut().poll(context).map(Outcome::Swapped),
            Self::Send(future) => future.as_mut().poll(context).map(Outcome::Sent),
        }
    }
}

impl<H: Host, S: Store> Inner<H, S> {
    pub(super) const fn new(coordinator: Coordinator) -> Self {
        Self {
            coordinator,
            effect: Effect::None,
            driven: false,
            waiting: BTreeMap::new(),
            visitors: 0,
            change: None,
            changes: 0,
        }
    }

    pub(super) const fn visitor(&mut self) -> u64 {
        self.visitors = self.visitors.wrapping_add(1);
        self.visitors
    }

    pub(super) fn report(&mut self, outcome: Outcome, now: Timestamp) {
        match outcome {
            Outcome::Loaded(loaded) => self.coordinator.loaded(loaded, now),
            Outcome::Swapped(swapped) => self.coordinator.swapped(swapped, now),
            Outcome::Sent(Ok(response)) => self.coordinator.received(&response, now),
            Outcome::Sent(Err(lost)) => self.coordinator.lost(lost, now),
        }
        self.effect = Effect::None;
        let change = self.coordinator.state().and_then(Change::of);
        if change.is_some() && change != self.change {
            self.change = change;
            self.changes = self.changes.wrapping_add(1);
        }
    }

    /// Whether an effect is out that nobody drives.
    pub(super) const fn is_orphaned(&self) -> bool {
        !self.driven && matches!(self.effect, Effect::Out(_))
    }

    /// An effect whose driver is gone in the middle of polling it has panicked.
    pub(super) fn recover(&mut self, now: Timestamp) {
        if matches!(self.effect, Effect::Polled) {
            self.effect = Effect::None;
            self.coordinator.abandoned(now);
        }
    }

    /// Whom to wake when the lock is released.
    #[must_use]
    pub(super) fn everybody(&mut self) -> BTreeMap<u64, Waker> {
        core::mem::take(&mut self.waiting)
    }
}
