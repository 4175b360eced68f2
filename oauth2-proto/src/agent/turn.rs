//! One caller's way to what it asked for: it polls the effect that is out, begins the next one, or
//! waits.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::running::{Effect, Running};
use super::{Host, Shared, Store};
use crate::coordinator::{Ask, Effect as Wanted, Given};
use crate::error::Error;
use crate::value::{AccessToken, Timestamp};

/// A caller. When it is dropped, an effect that it began stays with the agent.
///
/// Every caller that waits polls that effect when there is something to poll, so nobody depends on
/// one that is gone, or that is kept and not polled any more.
pub(super) struct Turn<'s, H: Host, S: Store> {
    shared: &'s Shared<H, S>,
    id: u64,
    /// Whether it is in the crowd, unless it has been woken meanwhile.
    joined: bool,
    sleeping: Option<(Timestamp, Pin<Box<H::Sleeping>>)>,
}

/// What a caller does next.
enum Next {
    Return(Result<Option<AccessToken>, Error>),
    LookAgain,
    Sleep(Timestamp),
}

impl<'s, H: Host, S: Store> Turn<'s, H, S> {
    pub(super) fn new(shared: &'s Shared<H, S>) -> Self {
        let id = shared.lock().visitor();
        Self { shared, id, joined: false, sleeping: None }
    }

    pub(super) fn poll(
        &mut self,
        ask: &Ask,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<AccessToken>, Error>> {
        self.joined = false;
        loop {
            let now = self.shared.host.now();
            if self.drive(now, context) {
                continue;
            }
            match self.decide(ask, now) {
                Next::Return(given) => return Poll::Ready(given),
                Next::LookAgain => {}
                // It looks once more: what happened before has woken nobody here.
                Next::Sleep(_) if !self.joined => self.join(context),
                Next::Sleep(until) => {
                    if self.sleep(until, context).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }

    /// Polls the effect that is out; says whether there is an outcome.
    fn drive(&mut self, now: Timestamp, context: &Context<'_>) -> bool {
        let shared = self.shared;
        let Some(mut running) = shared.lock().take_effect(self.id) else { return false };
        let mut panicking = Panicking { shared, now, armed: true };
        if !self.joined {
            self.join(context);
        }
        let calls = shared.crowd.calls();
        let polled = running.poll(&mut Context::from_waker(&shared.waker));
        panicking.armed = false;
        match polled {
            Poll::Pending => {
                shared.lock().effect = Effect::Out(running);
                // Those whom it called meanwhile have found it taken.
                if shared.crowd.calls() != calls {
                    shared.crowd.wake_all();
                }
                false
            }
            Poll::Ready(outcome) => {
                shared.lock().report(outcome, now);
                shared.crowd.wake_all();
                true
            }
        }
    }

    /// Asks the coordinator what to do, and begins it.
    fn decide(&self, ask: &Ask, now: Timestamp) -> Next {
        let shared = self.shared;
        let mut panicking = Panicking { shared, now, armed: true };
        // Released before that is dropped.
        let mut inner = shared.lock();
        let impatient_at = ask.until().after(Duration::from_secs(1));
        let next = if inner.is_driven_by(self.id) && now < impatient_at {
            Ok(Next::Sleep(impatient_at))
        } else {
            match inner.coordinator.poll(ask, now) {
                Wanted::Load => Err(Running::Load(Box::pin(shared.store.load(&shared.key)))),
                Wanted::Swap(expected, state) => {
                    let swapping = shared.store.swap(&shared.key, expected, Some(state));
                    Err(Running::Swap(Box::pin(swapping)))
                }
                Wanted::Send(request, deadline) => {
                    Err(Running::Send(Box::pin(shared.host.send(request, deadline))))
                }
                Wanted::Wait(until) => Ok(Next::Sleep(until)),
                Wanted::Busy => Ok(Next::Sleep(impatient_at)),
                Wanted::Give(Ok(Given::Token(token))) => Ok(Next::Return(Ok(Some(token.clone())))),
                Wanted::Give(Ok(Given::Settled)) => Ok(Next::Return(Ok(None))),
                Wanted::Give(Err(error)) => Ok(Next::Return(Err(error))),
            }
        };
        panicking.armed = false;
        let next = next.unwrap_or_else(|running| {
            inner.begin(running);
            Next::LookAgain
        });
        let news = inner.notice_change();
        drop(inner);
        if news {
            shared.crowd.wake_all();
        }
        next
    }

    fn join(&mut self, context: &Context<'_>) {
        self.shared.crowd.join(self.id, context.waker());
        self.joined = true;
    }

    fn sleep(&mut self, until: Timestamp, context: &mut Context<'_>) -> Poll<()> {
        let host = &self.shared.host;
        let (_, sleeping) = match self.sleeping.take().filter(|(at, _)| *at == until) {
            Some(sleeping) => self.sleeping.insert(sleeping),
            None => self.sleeping.insert((until, Box::pin(host.sleep_until(until)))),
        };
        let slept = sleeping.as_mut().poll(context);
        if slept.is_ready() {
            self.sleeping = None;
        }
        slept
    }
}

impl<H: Host, S: Store> Drop for Turn<'_, H, S> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.leave(self.id);
        drop(inner);
        if self.joined {
            self.shared.crowd.leave(self.id);
        }
    }
}

/// Notices when the code of others panics while it makes or polls the effect.
struct Panicking<'s, H: Host, S: Store> {
    shared: &'s Shared<H, S>,
    now: Timestamp,
    armed: bool,
}

impl<H: Host, S: Store> Drop for Panicking<'_, H, S> {
    fn drop(&mut self) {
        if self.armed {
            self.shared.lock().abandon(self.now);
            self.shared.crowd.wake_all();
        }
    }
}
