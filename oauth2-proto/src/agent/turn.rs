//! One caller's way to what it asked for: it polls the effect that is out, begins the next one, or
//! waits.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;

use super::common::Common;
use super::crowd::Visitor;
use super::running::{Effect, Running, STORE_TIME_OUT};
use super::trace::Trace;
use super::{Host, Record, Rest, Shared, Store};
use crate::coordinator::{Ask, Effect as Wanted, Given, Unknown};
use crate::error::Error;
use crate::session::Lost;
use crate::value::{AccessToken, Moment};

/// A caller. When it is dropped, an effect that it began stays with the agent.
///
/// Every caller that waits polls that effect when there is something to poll, so nobody depends on
/// one that is gone, or that is kept and not polled any more.
pub(super) struct Turn<H: Host, S: Store> {
    shared: Arc<Shared<H, S>>,
    id: Visitor,
    /// Whether it has joined the crowd since it was last polled.
    joined: bool,
    /// Whether it may still be there.
    entered: bool,
    /// Until when, by the time that has elapsed.
    sleeping: Option<(Duration, Pin<Box<H::Sleeping>>)>,
}

/// What a caller does next.
enum Next {
    Return(Result<Option<AccessToken>, Error>),
    LookAgain,
    Sleep(Duration),
}

impl<H: Host, S: Store> Turn<H, S> {
    pub(super) fn new(shared: &Arc<Shared<H, S>>) -> Self {
        Self::of(shared, shared.lock().visitor())
    }

    fn of(shared: &Arc<Shared<H, S>>, id: Visitor) -> Self {
        Self { shared: Arc::clone(shared), id, joined: false, entered: false, sleeping: None }
    }

    pub(super) fn poll(
        &mut self,
        ask: &Ask,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<AccessToken>, Error>> {
        self.joined = false;
        loop {
            let now = self.shared.common.host.now();
            if self.drive(now, context) {
                continue;
            }
            match self.decide(ask, now) {
                Next::Return(given) => return Poll::Ready(given),
                Next::LookAgain => {}
                // It looks once more: what happened before has woken nobody here.
                Next::Sleep(_) if !self.joined => self.join(context),
                Next::Sleep(pause) => {
                    if self.sleep(pause, now, context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Polls the effect that is out; says whether there is an outcome.
    fn drive(&mut self, now: Moment, context: &Context<'_>) -> bool {
        let Some(mut running) = self.shared.lock().take_effect(self.id) else { return false };
        if !self.joined {
            self.join(context);
        }
        let shared = &*self.shared;
        let mut panicking = Panicking { shared, now, armed: true };
        let calls = shared.crowd.calls();
        let waker = Waker::from(Arc::clone(&shared.crowd));
        let polled = running.poll(&mut Context::from_waker(&waker));
        panicking.armed = false;
        let outcome = match polled {
            Poll::Pending => {
                let mut inner = shared.lock();
                if !running.is_overdue(now) {
                    inner.effect = Effect::Out(running);
                    drop(inner);
                    // Those whom it called meanwhile have found it taken.
                    if shared.crowd.calls() != calls {
                        shared.crowd.wake_all();
                    }
                    return false;
                }
                running.given_up()
            }
            Poll::Ready(outcome) => outcome,
        };
        let mut inner = shared.lock();
        inner.report(&running, outcome, now);
        shared.publish(inner);
        shared.crowd.wake_all();
        true
    }

    /// Asks the coordinator what to do, and begins it.
    fn decide(&self, ask: &Ask, now: Moment) -> Next {
        let shared = &*self.shared;
        let mut panicking = Panicking { shared, now, armed: true };
        // Released before that is dropped.
        let mut inner = shared.lock();
        let patience = ask.patience(now);
        let next = if inner.is_driven_by(self.id) && !patience.is_zero() {
            Ok(Next::Sleep(patience.min(STORE_TIME_OUT)))
        } else {
            let (Common { store, host, .. }, key) = (&*shared.common, &shared.key);
            let since = now.elapsed();
            match inner.coordinator.poll(ask, now) {
                Wanted::Load => {
                    Err(Running::load(since, Trace::load(&inner.coordinator), || store.load(key)))
                }
                Wanted::Swap(expected, state, purpose) => match Record::of(state) {
                    Ok(record) => Err(Running::swap(since, Trace::swap(state, purpose), || {
                        store.swap(key, expected, Some(record))
                    })),
                    // It is tried again, like whatever a store does not do.
                    Err(_) => {
                        inner.coordinator.swapped(Err(Unknown), now);
                        Ok(Next::LookAgain)
                    }
                },
                Wanted::Send(request, time_out) => {
                    // Others may have held the lock for long, or the machine slept, since the clock was
                    // read; and the host counts from here on.
                    let time_out = time_out.saturating_sub(host.now().longest_since(now));
                    if time_out.is_zero() {
                        inner.coordinator.lost(Lost::Unsent, now);
                        Ok(Next::LookAgain)
                    } else {
                        let trace = Trace::send(&inner.coordinator);
                        Err(Running::send(since, trace, || host.send(request, time_out)))
                    }
                }
                Wanted::Wait(pause) => Ok(Next::Sleep(pause)),
                Wanted::Busy(pause) => Ok(Next::Sleep(pause.min(STORE_TIME_OUT))),
                Wanted::Give(Ok(Given::Token(token))) => Ok(Next::Return(Ok(Some(token.clone())))),
                Wanted::Give(Ok(Given::Settled)) => Ok(Next::Return(Ok(None))),
                Wanted::Give(Err(error)) => Ok(Next::Return(Err(error))),
            }
        };
        panicking.armed = false;
        // A new login waits for the load that comes before it is saved.
        let mut leaves_something = inner.coordinator.is_unsaved();
        let next = next.unwrap_or_else(|running| {
            leaves_something |= running.leaves_something();
            inner.begin(running);
            Next::LookAgain
        });
        let mut rest = None;
        if leaves_something && let Some(spawn) = shared.common.spawn() {
            rest = inner
                .begin_rest()
                .map(|id| (spawn, id, inner.coordinator.settled(Duration::MAX, now)));
        }
        if matches!(next, Next::Return(_)) {
            // From here on nobody counts on this one.
            inner.leave(self.id);
        }
        inner.notice(now.time());
        shared.publish(inner);
        if let Some((spawn, id, settled)) = rest {
            spawn(Rest::new(Self::of(&self.shared, id), settled));
        }
        next
    }

    fn join(&mut self, context: &Context<'_>) {
        self.shared.crowd.join(self.id, context.waker());
        (self.joined, self.entered) = (true, true);
    }

    fn sleep(&mut self, pause: Duration, now: Moment, context: &mut Context<'_>) -> Poll<()> {
        let host = &self.shared.common.host;
        let until = now.elapsed().saturating_add(pause);
        // One that wakes a little too early is as good: what there is to do is looked up anew.
        let (_, sleeping) = match self.sleeping.take().filter(|(at, _)| *at <= until) {
            Some(sleeping) => self.sleeping.insert(sleeping),
            None => self.sleeping.insert((until, Box::pin(host.sleep(pause)))),
        };
        let slept = sleeping.as_mut().poll(context);
        if slept.is_ready() {
            self.sleeping = None;
        }
        slept
    }
}

impl<H: Host, S: Store> Drop for Turn<H, S> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.leave(self.id);
        drop(inner);
        if self.entered {
            self.shared.crowd.leave(self.id);
        }
    }
}

/// Notices when the code of others panics while it makes or polls the effect.
struct Panicking<'s, H: Host, S: Store> {
    shared: &'s Shared<H, S>,
    now: Moment,
    armed: bool,
}

impl<H: Host, S: Store> Drop for Panicking<'_, H, S> {
    fn drop(&mut self) {
        if self.armed {
            let mut inner = self.shared.lock();
            inner.abandon(self.now);
            self.shared.publish(inner);
            self.shared.crowd.wake_all();
        }
    }
}
