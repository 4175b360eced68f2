//! What all logins of a program have in common: who sends, where they are kept, and who hears of
//! them.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::panic::AssertUnwindSafe;
use std::panic::catch_unwind;
use std::sync::OnceLock;

use super::trace::hook_panics;
use super::{Host, Rest, Store};
use crate::client::Client;
use crate::machine::State;

pub(super) struct Common<H: Host, S: Store> {
    pub(super) client: Arc<Client>,
    pub(super) host: H,
    pub(super) store: S,
    spawn: OnceLock<Box<Spawn<H, S>>>,
    hook: OnceLock<Box<Hook>>,
}

type Spawn<H, S> = dyn Fn(Rest<H, S>) + Send + Sync;
type Hook = dyn Fn(&str, &State) + Send + Sync;

impl<H: Host, S: Store> Common<H, S> {
    pub(super) const fn new(client: Arc<Client>, host: H, store: S) -> Self {
        Self { client, host, store, spawn: OnceLock::new(), hook: OnceLock::new() }
    }

    pub(super) fn spawn_with(&self, spawn: impl Fn(Rest<H, S>) + Send + Sync + 'static) {
        // The first one stays: others may rely on it.
        drop(self.spawn.set(Box::new(spawn)));
    }

    pub(super) fn hook_with(&self, hook: impl Fn(&str, &State) + Send + Sync + 'static) {
        drop(self.hook.set(Box::new(hook)));
    }

    pub(super) fn spawn(&self) -> Option<&Spawn<H, S>> {
        self.spawn.get().map(|spawn| &**spawn)
    }

    /// Tells the hook of a change. What it panics about is its own: the panic has been printed, and
    /// new tokens are still to be saved.
    pub(super) fn tell(&self, key: &str, state: &State) {
        if let Some(hook) = self.hook.get()
            && catch_unwind(AssertUnwindSafe(|| hook(key, state))).is_err()
        {
            hook_panics();
        }
    }
}
