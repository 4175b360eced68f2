//! The effect that is out, and what came of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll};

use http::Response;
use zeroize::Zeroizing;

use super::{Change, Host, Store};
use crate::coordinator::{Coordinator, Swapped, Unknown, Version};
use crate::machine::State;
use crate::session::Lost;
use crate::value::Timestamp;

/// What the callers of an agent share, behind its lock.
pub(super) struct Inner<H: Host, S: Store> {
    pub(super) coordinator: Coordinator,
    pub(super) effect: Effect<H, S>,
    /// Who stays until the effect that is out has come to its end. All others poll it, too, while
    /// they wait; but they leave when they have what they want.
    driver: Option<u64>,
    /// Names for those who wait.
    visitors: u64,
    pub(super) change: Option<Change>,
    pub(super) changes: u64,
}

/// The effect that is out.
pub(super) enum Effect<H: Host, S: Store> {
    None,
    /// Somebody is just polling it, without the lock.
    Taken,
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
            driver: None,
            visitors: 0,
            change: None,
            changes: 0,
        }
    }

    pub(super) const fn visitor(&mut self) -> u64 {
        self.visitors = self.visitors.wrapping_add(1);
        self.visitors
    }

    pub(super) fn begin(&mut self, running: Running<H, S>) {
        self.effect = Effect::Out(Box::new(running));
    }

    /// Takes the effect that is out, unless somebody is just polling it.
    pub(super) fn take_effect(&mut self, visitor: u64) -> Option<Box<Running<H, S>>> {
        match core::mem::replace(&mut self.effect, Effect::Taken) {
            Effect::Out(running) => {
                self.driver.get_or_insert(visitor);
                Some(running)
            }
            other @ (Effect::None | Effect::Taken) => {
                self.effect = other;
                None
            }
        }
    }

    /// Whether an effect is out to whose end this caller stays.
    pub(super) fn is_driven_by(&self, visitor: u64) -> bool {
        self.driver == Some(visitor)
    }

    pub(super) fn leave(&mut self, visitor: u64) {
        self.driver = self.driver.filter(|driver| *driver != visitor);
    }

    pub(super) fn report(&mut self, outcome: Outcome, now: Timestamp) {
        self.effect = Effect::None;
        self.driver = None;
        match outcome {
            Outcome::Loaded(loaded) => self.coordinator.loaded(loaded, now),
            Outcome::Swapped(swapped) => self.coordinator.swapped(swapped, now),
            // The answer holds tokens; it is wiped when it has been read.
            Outcome::Sent(Ok(response)) => {
                self.coordinator.received(&response.map(Zeroizing::new), now);
            }
            Outcome::Sent(Err(lost)) => self.coordinator.lost(lost, now),
        }
        self.notice_change();
    }

    /// Nobody will ever know what became of the effect.
    pub(super) fn abandon(&mut self, now: Timestamp) {
        self.effect = Effect::None;
        self.driver = None;
        self.coordinator.abandoned(now);
        self.notice_change();
    }

    /// Whether there is news for those who watch.
    pub(super) fn notice_change(&mut self) -> bool {
        let change = self.coordinator.state().and_then(Change::of);
        let news = change.is_some() && change != self.change;
        if news {
            self.change = change;
            self.changes = self.changes.wrapping_add(1);
        }
        news
    }
}
