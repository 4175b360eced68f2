//! All logins of a store, as far as this process uses them.

use alloc::collections::BTreeMap;
use alloc::sync::{Arc, Weak};
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, PoisonError};

use super::{Agent, Common, Host, Origins, PATIENCE, Rest, Shared, Store};
use crate::client::Client;
use crate::coordinator::Coordinator;
use crate::machine::State;
use crate::value::Seed;

/// All logins of a store: for a program with many of them, such as a web application with one per
/// user.
///
/// [`login`](Self::login) gives the [`Agent`] of one. As long as one is used anywhere in the process,
/// all who ask for it share it, and so share one refresh. Clones share all of them.
///
/// ```
/// # use std::sync::Arc;
/// # use oauth2_proto::agent::{Agent, Host, Logins, MemoryStore, Origins};
/// # use oauth2_proto::{Client, Error, Seed};
/// # fn spawn(_: impl Future<Output = ()>) {}
/// # async fn f<H: Host>(client: Client, host: H, seed: Seed) -> Result<(), Error> {
/// let logins = Logins::new(Arc::new(client), host, seed, MemoryStore::new())
///     .with_origins(Origins::new(["https://api.example"])?)
///     .with_spawn(|rest| spawn(rest)); // tokio::spawn, for example
///
/// let token = logins.login("alice").token().await?;
/// # Ok(())
/// # }
/// ```
pub struct Logins<H: Host, S: Store> {
    common: Arc<Common<H, S>>,
    open: Arc<Mutex<Open<H, S>>>,
    origins: Arc<Origins>,
    patience: Duration,
}

/// The logins that are used somewhere in the process.
pub(super) struct Open<H: Host, S: Store> {
    seed: Seed,
    agents: BTreeMap<Arc<str>, Weak<Shared<H, S>>>,
}

impl<H: Host, S: Store> Logins<H, S> {
    /// The logins of this client in this store.
    #[must_use]
    pub fn new(client: Arc<Client>, host: H, seed: Seed, store: S) -> Self {
        let open = Open { seed, agents: BTreeMap::new() };
        Self {
            common: Arc::new(Common::new(client, host, store)),
            open: Arc::new(Mutex::new(open)),
            origins: Arc::default(),
            patience: PATIENCE,
        }
    }

    /// As [`Agent::with_origins`], for every agent.
    #[must_use]
    pub fn with_origins(self, origins: Origins) -> Self {
        Self { origins: Arc::new(origins), ..self }
    }

    /// As [`Agent::with_patience`], for every agent.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// As [`Agent::with_spawn`], for every agent.
    #[must_use]
    pub fn with_spawn(self, spawn: impl Fn(Rest<H, S>) + Send + Sync + 'static) -> Self {
        self.common.spawn_with(spawn);
        self
    }

    /// As [`Agent::with_change_hook`], for every agent; the text is the key of the login.
    #[must_use]
    pub fn with_change_hook(self, hook: impl Fn(&str, &State) + Send + Sync + 'static) -> Self {
        self.common.hook_with(hook);
        self
    }

    /// The login that is, or will be, stored under this key. It is loaded when first needed.
    #[must_use]
    pub fn login(&self, key: &str) -> Agent<H, S> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = open.agents.get(key).and_then(Weak::upgrade).unwrap_or_else(|| {
            let coordinator = Coordinator::new(Arc::clone(&self.common.client), &mut open.seed);
            let (common, home) = (Arc::clone(&self.common), Arc::downgrade(&self.open));
            let shared = Shared::new(coordinator, common, key.into(), home);
            open.agents.insert(Arc::clone(&shared.key), Arc::downgrade(&shared));
            shared
        });
        drop(open);
        Agent { shared, origins: Arc::clone(&self.origins), patience: self.patience }
    }

    /// The client whose logins these are.
    #[must_use]
    pub fn client(&self) -> &Arc<Client> {
        &self.common.client
    }

    /// The host that executes requests.
    #[must_use]
    pub fn host(&self) -> &H {
        &self.common.host
    }

    /// The store that keeps the logins.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.common.store
    }
}

impl<H: Host, S: Store> Open<H, S> {
    /// Forgets a login that nobody uses any more, unless somebody has asked for it meanwhile.
    pub(super) fn forget(&mut self, key: &str) {
        if self.agents.get(key).is_some_and(|agent| agent.strong_count() == 0) {
            self.agents.remove(key);
        }
    }
}

impl<H: Host, S: Store> Clone for Logins<H, S> {
    fn clone(&self) -> Self {
        let (common, open) = (Arc::clone(&self.common), Arc::clone(&self.open));
        Self { common, open, origins: Arc::clone(&self.origins), patience: self.patience }
    }
}

impl<H: Host, S: Store> fmt::Debug for Logins<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner).agents.len();
        f.debug_struct("Logins")
            .field("open", &open)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
