//! The effect that is out, and what came of it.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use http::Response;
use zeroize::Zeroizing;

use super::changes::Known;
use super::crowd::Visitor;
use super::trace::{Trace, Watch, effect_panics};
use super::{Change, Host, Record, Store, Unreadable};
use crate::coordinator::{Coordinator, Swapped, Unknown, Version};
use crate::session::Lost;
use crate::value::{LoginId, Moment, Timestamp};

/// What the callers of an agent share, behind its lock.
pub(super) struct Inner<H: Host, S: Store> {
    pub(super) coordinator: Coordinator,
    pub(super) effect: Effect<H, S>,
    /// Who stays until the effect that is out has come to its end. All others poll it, too, while
    /// they wait; but they leave when they have what they want.
    driver: Option<Visitor>,
    /// The task that finishes what callers may leave behind, if there is one.
    rest: Option<Visitor>,
    /// Names for those who wait.
    visitors: u64,
    known: Known,
    /// Which login has changed, until everybody has been told.
    pub(super) news: Option<Box<LoginId>>,
    pub(super) change: Option<Box<Change>>,
    pub(super) changes: u64,
    watch: Watch,
}

/// The effect that is out.
pub(super) enum Effect<H: Host, S: Store> {
    None,
    /// Somebody is just polling it, without the lock.
    Taken,
    Out(Box<Running<H, S>>),
}

/// A store that has not answered after this long has failed, whatever it does later.
pub(super) const STORE_TIME_OUT: Duration = Duration::from_secs(15);

/// An effect's future, since when it is out, and the span that it is polled in.
pub(super) struct Running<H: Host, S: Store> {
    work: Work<H, S>,
    since: Duration,
    pub(super) trace: Trace,
}

enum Work<H: Host, S: Store> {
    Load(Pin<Box<S::Loading>>),
    Swap(Pin<Box<S::Swapping>>),
    Send(Pin<Box<H::Sending>>),
}

/// What came of an effect.
pub(super) enum Outcome {
    Loaded(Result<Option<(Version, Record)>, Unknown>),
    Swapped(Result<Swapped, Unknown>),
    Sent(Result<Response<Vec<u8>>, Lost>),
}

impl<H: Host, S: Store> Running<H, S> {
    pub(super) fn load(since: Duration, trace: Trace, begin: impl FnOnce() -> S::Loading) -> Self {
        Self { work: Work::Load(Box::pin(trace.within(begin))), since, trace }
    }

    pub(super) fn swap(since: Duration, trace: Trace, begin: impl FnOnce() -> S::Swapping) -> Self {
        Self { work: Work::Swap(Box::pin(trace.within(begin))), since, trace }
    }

    pub(super) fn send(since: Duration, trace: Trace, begin: impl FnOnce() -> H::Sending) -> Self {
        Self { work: Work::Send(Box::pin(trace.within(begin))), since, trace }
    }

    /// Whether it may be left to others: what is read has changed nothing.
    pub(super) const fn leaves_something(&self) -> bool {
        !matches!(self.work, Work::Load(_))
    }

    /// What is left when it is given up.
    pub(super) const fn given_up(&self) -> Outcome {
        match self.work {
            Work::Load(_) => Outcome::Loaded(Err(Unknown)),
            Work::Swap(_) => Outcome::Swapped(Err(Unknown)),
            Work::Send(_) => Outcome::Sent(Err(Lost::Unanswered)),
        }
    }

    /// Whether the store has been asked so long ago that its answer is not worth waiting for.
    pub(super) fn is_overdue(&self, now: Moment) -> bool {
        let since = now.elapsed().saturating_sub(self.since);
        !matches!(self.work, Work::Send(_)) && since >= STORE_TIME_OUT
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        let Self { work, trace, .. } = self;
        trace.within(|| match work {
            Work::Load(future) => future.as_mut().poll(context).map(Outcome::Loaded),
            Work::Swap(future) => future.as_mut().poll(context).map(Outcome::Swapped),
            Work::Send(future) => future.as_mut().poll(context).map(Outcome::Sent),
        })
    }
}

impl<H: Host, S: Store> Inner<H, S> {
    pub(super) fn new(coordinator: Coordinator) -> Self {
        let known = match coordinator.state() {
            None => Known::Nothing,
            state => Known::of(state),
        };
        Self {
            coordinator,
            effect: Effect::None,
            driver: None,
            rest: None,
            visitors: 0,
            known,
            news: None,
            change: None,
            changes: 0,
            watch: Watch::new(),
        }
    }

    pub(super) const fn visitor(&mut self) -> Visitor {
        self.visitors = self.visitors.wrapping_add(1);
        Visitor::new(self.visitors)
    }

    pub(super) fn begin(&mut self, running: Running<H, S>) {
        self.effect = Effect::Out(Box::new(running));
        self.driver = self.rest;
    }

    /// Names the task that finishes what is still to be done, unless there is one.
    pub(super) const fn begin_rest(&mut self) -> Option<Visitor> {
        if self.rest.is_some() {
            return None;
        }
        let visitor = self.visitor();
        self.rest = Some(visitor);
        if !matches!(self.effect, Effect::None) {
            self.driver = Some(visitor);
        }
        Some(visitor)
    }

    /// Takes the effect that is out, unless somebody is just polling it.
    pub(super) fn take_effect(&mut self, visitor: Visitor) -> Option<Box<Running<H, S>>> {
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
    pub(super) fn is_driven_by(&self, visitor: Visitor) -> bool {
        self.driver == Some(visitor)
    }

    pub(super) fn leave(&mut self, visitor: Visitor) {
        self.driver = self.driver.filter(|driver| *driver != visitor);
        self.rest = self.rest.filter(|rest| *rest != visitor);
    }

    /// Hears an outcome.
    pub(super) fn report(&mut self, running: &Running<H, S>, outcome: Outcome, now: Moment) {
        self.effect = Effect::None;
        self.driver = None;
        let Running { since, trace, .. } = running;
        let elapsed = now.elapsed().saturating_sub(*since);
        trace.within(|| {
            self.watch.hears(trace, &outcome, &self.coordinator, elapsed);
            self.hear(outcome, now);
            self.notice(now.time());
            self.watch.has_heard(&self.coordinator);
        });
    }

    fn hear(&mut self, outcome: Outcome, now: Moment) {
        match outcome {
            Outcome::Loaded(Err(Unknown)) => self.coordinator.loaded(Err(Unknown), now),
            Outcome::Loaded(Ok(found)) => {
                let exists = found.is_some();
                match found.map(|(version, record)| (version, record.state())) {
                    None => self.coordinator.loaded(Ok(None), now),
                    Some((version, Ok(state))) => {
                        self.coordinator.loaded(Ok(Some((version, state))), now);
                    }
                    Some((version, Err(Unreadable))) => self.coordinator.unreadable(version, now),
                }
                self.notice_loaded(exists, now.time());
            }
            Outcome::Swapped(swapped) => self.coordinator.swapped(swapped, now),
            // The answer holds tokens; it is wiped when it has been read.
            Outcome::Sent(Ok(response)) => {
                self.coordinator.received(&response.map(Zeroizing::new), now);
            }
            Outcome::Sent(Err(lost)) => self.coordinator.lost(lost, now),
        }
    }

    /// Nobody will ever know what became of the effect.
    pub(super) fn abandon(&mut self, now: Moment) {
        self.effect = Effect::None;
        self.driver = None;
        effect_panics(&self.coordinator);
        self.coordinator.abandoned(now);
        self.notice(now.time());
    }

    /// Looks whether there is news for those who watch.
    pub(super) fn notice(&mut self, now: Timestamp) {
        self.watch.failures(&self.coordinator);
        if let state @ Some(_) = self.coordinator.state() {
            let newer = Known::of(state);
            self.learn(newer, now);
        }
    }

    /// Looks at what was loaded. The first time that is no news.
    fn notice_loaded(&mut self, exists: bool, now: Timestamp) {
        let state = self.coordinator.state();
        if exists && state.is_none() {
            // Whoever asks for a token hears why nothing can be done with it.
            return;
        }
        let newer = Known::of(state);
        match self.known {
            Known::Nothing => self.known = newer,
            Known::Nobody | Known::Login(..) => self.learn(newer, now),
        }
    }

    fn learn(&mut self, newer: Known, now: Timestamp) {
        if let Some((login, change)) = self.known.learn(newer) {
            self.watch.news(login, &change, self.coordinator.state(), now);
            self.news = Some(Box::new(login));
            self.change = Some(Box::new(change));
            self.changes = self.changes.wrapping_add(1);
        }
    }
}
