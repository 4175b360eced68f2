//! Floor 5: executes the coordinator's effects for async programs, over any HTTP client, any
//! database and any runtime.
//!
//! An [`Agent`] holds one login. Give it a [`Host`], which sends requests, sleeps and tells the
//! time, and a [`Store`], which loads and compares-and-swaps; [`MemoryStore`] is one. Then call
//! [`Agent::token`] before every protected request. Many tasks may, at once: they share one
//! refresh.
//!
//! With the feature `tracing` an agent tells what it does: [every span, event and
//! field](crate::guide::tracing).

mod changes;
mod common;
mod crowd;
mod host;
mod logins;
mod memory;
mod record;
mod rest;
mod running;
mod store;
mod trace;
mod turn;

use alloc::sync::{Arc, Weak};
use core::fmt;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

use changes::vacant;
pub use changes::{Change, Changes};
use common::Common;
use crowd::Crowd;
pub use host::{Deadline, Host};
use http::{HeaderMap, Request, StatusCode};
pub use logins::Logins;
use logins::Open;
pub use memory::MemoryStore;
pub use record::{Record, Unreadable};
pub use rest::Rest;
use running::Inner;
pub use store::{Store, StoredLogin};
use turn::Turn;

pub use crate::value::Origins;

use crate::client::Client;
use crate::coordinator::{Ask, Coordinator};
use crate::error::{Error, Expired, Misuse};
use crate::machine::{Failed, State};
use crate::session::Challenged;
use crate::value::{AccessToken, Generation, Seed, Timestamp};
use crate::wire::Challenge;

/// One login, shared by the tasks of an async program.
///
/// Clones share it. A request that is on its way belongs to the agent, not to the caller who
/// started it: a caller can be dropped at any moment, and another one finishes its work.
pub struct Agent<H: Host, S: Store = MemoryStore> {
    shared: Arc<Shared<H, S>>,
    origins: Arc<Origins>,
    patience: Duration,
}

struct Shared<H: Host, S: Store> {
    common: Arc<Common<H, S>>,
    key: Arc<str>,
    inner: Mutex<Inner<H, S>>,
    crowd: Arc<Crowd>,
    /// Where it is found by its key, if it is.
    home: Weak<Mutex<Open<H, S>>>,
}

impl<H: Host> Agent<H> {
    /// A login that lives as long as the program.
    ///
    /// # Errors
    /// As [`Session::new`](crate::Session::new): another client's state, or one that a browser has
    /// yet to finish.
    pub fn new(
        client: Arc<Client>,
        host: H,
        seed: &mut Seed,
        state: impl Into<State>,
    ) -> Result<Self, Failed> {
        let mut coordinator = Coordinator::new(client, seed);
        coordinator.log_in(state)?;
        // Nobody shares it.
        let coordinator = coordinator.with_clock_skew(Duration::ZERO);
        Ok(Self::with(coordinator, host, MemoryStore::new().login("")))
    }
}

impl<H: Host, S: Store> Agent<H, S> {
    /// A login that is, or will be, in a store; see [`Store::login`]. It is loaded when first
    /// needed.
    #[must_use]
    pub fn open(client: Arc<Client>, host: H, seed: &mut Seed, login: StoredLogin<S>) -> Self {
        Self::with(Coordinator::new(client, seed), host, login)
    }

    fn with(coordinator: Coordinator, host: H, login: StoredLogin<S>) -> Self {
        let StoredLogin { store, key } = login;
        let common = Common::new(Arc::clone(coordinator.client()), host, store);
        let shared = Shared::new(coordinator, Arc::new(common), key.into(), Weak::new());
        Self { shared, origins: Arc::default(), patience: PATIENCE }
    }

    /// Hands what is still to be done to the program's runtime, as a task of its own. Do so wherever
    /// a caller can be cancelled, as a web server does when its client hangs up: a refresh has then
    /// been sent, the server has replaced the refresh token, and if nobody reads the answer, the
    /// login is lost. It also spares callers the wait for a refresh while their token is good.
    ///
    /// It holds for all handles of this login, and the first one stays.
    ///
    /// ```
    /// # use oauth2_proto::agent::{Agent, Host};
    /// # fn spawn(_: impl Future<Output = ()>) {}
    /// # fn f<H: Host>(agent: Agent<H>) {
    /// let agent = agent.with_spawn(|rest| spawn(rest)); // tokio::spawn, for example
    /// # }
    /// ```
    #[must_use]
    pub fn with_spawn(self, spawn: impl Fn(Rest<H, S>) + Send + Sync + 'static) -> Self {
        self.shared.common.spawn_with(spawn);
        self
    }

    /// Tells `hook` of every change, once and in order: of the first tokens, of those of each refresh
    /// (for whichever resource), of what another process has stored meanwhile, of a new login in place
    /// of the old one, and of the end of the login. What is there when the agent is made, or first
    /// loads the login, is no change.
    ///
    /// It gets the key and the new state, which need not be saved yet: a login that somebody deleted
    /// from the store is [`Unauthorized`](crate::Unauthorized), for
    /// [`Reason::NotStarted`](crate::Reason::NotStarted). The agent is locked meanwhile: the hook must
    /// not call it, and all who use the login wait for the hook. A panic of it stays without
    /// consequences for the agent.
    ///
    /// It holds for all handles of this login, and the first one stays. To wait for changes, there is
    /// [`changes`](Self::changes).
    #[must_use]
    pub fn with_change_hook(self, hook: impl Fn(&str, &State) + Send + Sync + 'static) -> Self {
        self.shared.common.hook_with(hook);
        self
    }

    /// For a program that runs once: relies on the time-stamps of leases; see
    /// [`Coordinator::with_clock_skew`].
    #[must_use]
    pub fn with_clock_skew(self, skew: Duration) -> Self {
        self.shared.lock().coordinator.rely_on_clocks(skew);
        self
    }

    /// Names the origins whose requests may carry the token; without any, none may. It holds for
    /// this handle and the clones that are made of it from now on.
    #[must_use]
    pub fn with_origins(self, origins: Origins) -> Self {
        Self { origins: Arc::new(origins), ..self }
    }

    /// Makes callers wait this long for a token (40 s unless told) before they get an error.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// A token that is good now. Refreshes when it is time, once for all callers.
    ///
    /// # Errors
    /// Why there is none: [`Error::needs_login`] tells whether a person has to log in;
    /// [`Error::Unavailable`] when the server or the store has not answered in time.
    pub async fn token(&self) -> Result<AccessToken, Error> {
        let now = self.shared.common.host.now();
        let ask = self.shared.lock().coordinator.token(self.patience, now);
        self.given(ask).await
    }

    /// A token that is good now for this resource, beside the one of the login itself: one refresh
    /// token brings access tokens for several resources.
    ///
    /// # Errors
    /// As [`token`](Self::token), and [`Misuse::Url`] when the resource is no absolute URI.
    ///
    /// See [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2).
    pub async fn token_for(&self, resource: &str) -> Result<AccessToken, Error> {
        let now = self.shared.common.host.now();
        let ask = self.shared.lock().coordinator.token_for(resource, self.patience, now)?;
        self.given(ask).await
    }

    /// A newer token than the current one, whatever the clock says.
    ///
    /// # Errors
    /// As [`token`](Self::token), and [`Misuse::NotRenewable`].
    pub async fn refresh(&self) -> Result<AccessToken, Error> {
        // What is current is what was when it was called, not when others have refreshed meanwhile.
        if self.with_state(|state| state.is_none()) {
            self.settle().await?;
        }
        let now = self.shared.common.host.now();
        let ask = self.shared.lock().coordinator.refresh(self.patience, now)?;
        self.given(ask).await
    }

    /// Ends the login: saves that, and revokes its tokens where the server can.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the store does not answer; call again.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.shared.lock().coordinator.reload();
        self.settle().await?;
        let now = self.shared.common.host.now().time();
        self.shared.overrule(now, |coordinator| coordinator.sign_out(now));
        self.settle().await
    }

    /// Puts a new login in place of the old one, and saves it.
    ///
    /// # Errors
    /// As [`Agent::new`], and [`Error::Unavailable`] when the store does not answer: the login is
    /// used and saved later.
    pub async fn log_in(&self, state: impl Into<State>) -> Result<(), Error> {
        let now = self.shared.common.host.now().time();
        self.shared.overrule(now, |coordinator| coordinator.log_in(state))?;
        self.settle().await
    }

    /// Loads what is stored, saves what is not, and sends what is still to be sent. Worth calling
    /// before a program ends, or goes idle: nothing reads an answer that arrives while no caller
    /// waits, and when the lease is over another process asks again.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the store does not answer.
    pub async fn settle(&self) -> Result<(), Error> {
        let now = self.shared.common.host.now();
        let ask = self.shared.lock().coordinator.settled(self.patience, now);
        self.turn(&ask).await.map(|_| ())
    }

    /// Puts a good token on a request to one of the [origins](Self::with_origins); says which
    /// generation it is of.
    ///
    /// # Errors
    /// [`Misuse::Origin`] for other origins; else as [`token`](Self::token) and
    /// [`AccessToken::attach`].
    pub async fn attach<B>(&self, request: &mut Request<B>) -> Result<Generation, Error> {
        if !self.origins.contain(request.uri()) {
            return Err(Misuse::Origin.into());
        }
        let token = self.token().await?;
        self.shared.common.client.attach(&token, request)?;
        Ok(token.generation())
    }

    /// Hears how a protected request fared; says whether it is worth sending once more, with a new
    /// token: it was refused with 401 and `invalid_token`, and the token was not brand-new.
    ///
    /// See [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    #[must_use]
    pub fn should_retry(
        &self,
        generation: Generation,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> bool {
        // RFC 6750 §3.1: invalid_token comes with 401, and the client MAY retry with a new token.
        status == StatusCode::UNAUTHORIZED
            && Challenge::from_headers(headers).iter().any(|challenge| {
                matches!(
                    self.challenged(generation, challenge),
                    Challenged::Rejected | Challenged::Superseded
                )
            })
    }

    /// Hears that a resource server refused a token; see
    /// [`Session::challenged`](crate::Session::challenged).
    #[must_use]
    pub fn challenged(&self, generation: Generation, challenge: &Challenge) -> Challenged {
        let now = self.shared.common.host.now().time();
        let challenged = self.shared.lock().coordinator.challenged(generation, challenge, now);
        trace::challenged(generation, challenged);
        challenged
    }

    /// Looks at the login as far as it is known here: its scope, its expiry, what the answer
    /// brought besides. `None` before it is loaded; [`settle`](Self::settle) loads it.
    ///
    /// The agent is locked meanwhile: `look` must not call it.
    pub fn with_state<T>(&self, look: impl FnOnce(Option<&State>) -> T) -> T {
        look(self.shared.lock().coordinator.state())
    }

    /// Watches this login: hears of every new set of tokens, and of its end.
    #[must_use]
    pub fn changes(&self) -> Changes<H, S> {
        Changes::new(self.clone())
    }

    /// The host that executes requests.
    #[must_use]
    pub fn host(&self) -> &H {
        &self.shared.common.host
    }

    async fn given(&self, ask: Ask) -> Result<AccessToken, Error> {
        // An ask for a token is never answered with "settled".
        self.turn(&ask).await?.ok_or(Error::Expired(Expired::Token))
    }

    async fn turn(&self, ask: &Ask) -> Result<Option<AccessToken>, Error> {
        let mut turn = Turn::new(&self.shared);
        core::future::poll_fn(|context| turn.poll(ask, context)).await
    }
}

/// How long a caller waits for a token: longer than it takes to take a lease over.
const PATIENCE: Duration = Duration::from_secs(40);

impl<H: Host, S: Store> Shared<H, S> {
    fn new(
        coordinator: Coordinator,
        common: Arc<Common<H, S>>,
        key: Arc<str>,
        home: Weak<Mutex<Open<H, S>>>,
    ) -> Arc<Self> {
        let inner = Mutex::new(Inner::new(coordinator));
        Arc::new(Self { common, key, inner, crowd: Arc::default(), home })
    }

    /// Changes the login as its user wishes.
    fn overrule<T>(&self, now: Timestamp, change: impl FnOnce(&mut Coordinator) -> T) -> T {
        let mut inner = self.lock();
        let changed = change(&mut inner.coordinator);
        inner.notice(now);
        self.publish(inner);
        changed
    }

    /// Tells everybody of the news that has been noticed, if there is any: the hook under the lock
    /// under which that was, so that it hears of every change once and in order.
    fn publish(&self, mut inner: MutexGuard<'_, Inner<H, S>>) {
        let Some(news) = inner.news.take() else { return };
        match inner.coordinator.state() {
            Some(state) => self.common.tell(&self.key, state),
            None => self.common.tell(&self.key, &vacant(*news, &self.common.client)),
        }
        drop(inner);
        self.crowd.wake_all();
    }

    /// Never held across an await. A panic elsewhere leaves nothing half-done in here.
    fn lock(&self) -> MutexGuard<'_, Inner<H, S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: Host, S: Store> Drop for Shared<H, S> {
    fn drop(&mut self) {
        if let Some(home) = self.home.upgrade() {
            home.lock().unwrap_or_else(PoisonError::into_inner).forget(&self.key);
        }
    }
}

impl<H: Host, S: Store> Clone for Agent<H, S> {
    fn clone(&self) -> Self {
        let (shared, origins) = (Arc::clone(&self.shared), Arc::clone(&self.origins));
        Self { shared, origins, patience: self.patience }
    }
}

impl<H: Host, S: Store> fmt::Debug for Agent<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Agent").field("origins", &self.origins).finish_non_exhaustive()
    }
}
