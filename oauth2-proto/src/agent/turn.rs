//! One caller's way to what it asked for: it drives the shared effect, or waits for who does.

use alloc::boxed::Box;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::running::{Effect, Running};
use super::{Host, Shared, Store};
use crate::coordinator::{Ask, Effect as Wanted, Given};
use crate::error::Error;
use crate::value::AccessToken;

/// A caller. When it is dropped, the effect that it drove stays with the agent, and another caller
/// goes on with it.
pub(super) struct Turn<'s, H: Host, S: Store> {
    shared: &'s Shared<H, S>,
    id: u64,
    driving: bool,
    sleeping: Option<Pin<Box<H::Sleeping>>>,
}

impl<'s, H: Host, S: Store> Turn<'s, H, S> {
    pub(super) fn new(shared: &'s Shared<H, S>) -> Self {
        let id = shared.lock().visitor();
        Self { shared, id, driving: false, sleeping: None }
    }

    pub(super) fn poll(
        &mut self,
        ask: &Ask,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<AccessToken>, Error>> {
        loop {
            if let Some(running) = self.take_effect() {
                if self.drive(running, context).is_pending() {
                    return Poll::Pending;
                }
                continue;
            }
            let now = self.shared.host.now();
            let mut inner = self.shared.lock();
            let wait_until = match inner.coordinator.poll(ask, now) {
                Wanted::Give(Ok(Given::Token(token))) => {
                    return Poll::Ready(Ok(Some(token.clone())));
                }
                Wanted::Give(Ok(Given::Settled)) => return Poll::Ready(Ok(None)),
                Wanted::Give(Err(error)) => return Poll::Ready(Err(error)),
                Wanted::Load => {
                    let loading = Box::pin(self.shared.store.load(&self.shared.key));
                    inner.effect = Effect::Out(Box::new(Running::Load(loading)));
                    continue;
                }
                Wanted::Swap(expected, state) => {
                    let swapping = self.shared.store.swap(&self.shared.key, expected, Some(state));
                    inner.effect = Effect::Out(Box::new(Running::Swap(Box::pin(swapping))));
                    continue;
                }
                Wanted::Send(request, deadline) => {
                    let sending = Box::pin(self.shared.host.send(request, deadline));
                    inner.effect = Effect::Out(Box::new(Running::Send(sending)));
                    continue;
                }
                Wanted::Wait(until) => Some(until),
                Wanted::Busy => None,
            };
            if inner.is_orphaned() {
                continue;
            }
            inner.waiting.insert(self.id, context.waker().clone());
            drop(inner);
            let Some(until) = wait_until else { return Poll::Pending };
            // Whoever waits for a moment does not keep others from doing something now.
            self.step_back();
            let host = &self.shared.host;
            let sleeping = self.sleeping.get_or_insert_with(|| Box::pin(host.sleep_until(until)));
            if sleeping.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            self.sleeping = None;
        }
    }

    /// Takes the effect that is out, if this caller is the one to drive it.
    fn take_effect(&mut self) -> Option<Box<Running<H, S>>> {
        let mut inner = self.shared.lock();
        if inner.driven && !self.driving {
            return None;
        }
        match core::mem::replace(&mut inner.effect, Effect::Polled) {
            Effect::Out(running) => {
                inner.driven = true;
                self.driving = true;
                // What was waited for before has been overtaken.
                self.sleeping = None;
                Some(running)
            }
            other @ (Effect::None | Effect::Polled) => {
                inner.effect = other;
                None
            }
        }
    }

    fn drive(&self, mut running: Box<Running<H, S>>, context: &mut Context<'_>) -> Poll<()> {
        let polled = running.poll(context);
        let now = self.shared.host.now();
        let mut inner = self.shared.lock();
        let Poll::Ready(outcome) = polled else {
            inner.effect = Effect::Out(running);
            return Poll::Pending;
        };
        inner.report(outcome, now);
        let everybody = inner.everybody();
        drop(inner);
        everybody.into_values().for_each(core::task::Waker::wake);
        Poll::Ready(())
    }

    /// Leaves the effects to others.
    fn step_back(&mut self) {
        if !core::mem::take(&mut self.driving) {
            return;
        }
        let now = self.shared.host.now();
        let mut inner = self.shared.lock();
        inner.driven = false;
        inner.recover(now);
        let everybody = inner.everybody();
        drop(inner);
        everybody.into_values().for_each(core::task::Waker::wake);
    }
}

impl<H: Host, S: Store> Drop for Turn<'_, H, S> {
    fn drop(&mut self) {
        self.shared.lock().waiting.remove(&self.id);
        self.step_back();
    }
}
