//! Those who wait: woken all at once, so that whoever is polled next can go on.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::task::Wake;
use core::num::NonZero;
use core::task::Waker;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The name of somebody who waits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Visitor(NonZero<u64>);

impl Visitor {
    pub(super) const fn new(number: u64) -> Self {
        match NonZero::new(number) {
            Some(number) => Self(number),
            // It has been counted once around: after centuries.
            None => Self(NonZero::<u64>::MAX),
        }
    }
}

/// Callers and watchers that wait, by name.
///
/// It is the waker of the effect that is out: a future which any of them may poll has to wake all
/// of them, because each may be gone, or may not be polled any more, by then. Wakers are cloned,
/// woken and dropped without a lock: they are code of others.
#[derive(Default)]
pub(super) struct Crowd(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    wakers: BTreeMap<Visitor, Waker>,
    /// Counts how often the effect has called.
    calls: u64,
}

impl Crowd {
    /// Waits from now on. Look once more *after* joining: what was missed before is not repeated.
    pub(super) fn join(&self, name: Visitor, waker: &Waker) {
        let waker = waker.clone();
        let former = self.lock().wakers.insert(name, waker);
        drop(former);
    }

    pub(super) fn leave(&self, name: Visitor) {
        let waker = self.lock().wakers.remove(&name);
        drop(waker);
    }

    pub(super) fn wake_all(&self) {
        let wakers = core::mem::take(&mut self.lock().wakers);
        wakers.into_values().for_each(Waker::wake);
    }

    pub(super) fn calls(&self) -> u64 {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut waiting = self.lock();
        waiting.calls = waiting.calls.wrapping_add(1);
        drop(waiting);
        self.wake_all();
    }
}
