//! Floor 5: executes the coordinator's effects for async programs, over any HTTP client, any
//! database and any runtime.
//!
//! An [`Agent`] holds one login. Give it a [`Host`], which sends requests, sleeps and tells the
//! time, and a [`Store`], which loads and compares-and-swaps; [`MemoryStore`] is one. Then call
//! [`Agent::token`] before every protected request. Many tasks may, at once: they share one
//! refresh.

mod changes;
mod crowd;
mod host;
mod memory;
mod running;
mod store;
mod turn;

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::task::Waker;
use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use changes::{Change, Changes};
use crowd::Crowd;
pub use host::Host;
use http::{HeaderMap, Request, StatusCode};
pub use memory::MemoryStore;
use running::Inner;
pub use store::Store;
use turn::Turn;

pub use crate::value::Origins;

use crate::client::Client;
use crate::coordinator::{Ask, Coordinator};
use crate::error::{Error, Expired, Misuse};
use crate::machine::{Failed, State};
use crate::session::Challenged;
use crate::value::{AccessToken, Generation, Seed};
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
    host: H,
    store: S,
    key: String,
    inner: Mutex<Inner<H, S>>,
    crowd: Arc<Crowd>,
    /// Wakes the crowd.
    waker: Waker,
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
        Ok(Self::with(coordinator, host, MemoryStore::new(), String::new()))
    }
}

impl<H: Host, S: Store> Agent<H, S> {
    /// The login that is, or will be, stored under this key. It is loaded when first needed.
    #[must_use]
    pub fn open(
        client: Arc<Client>,
        host: H,
        seed: &mut Seed,
        store: S,
        key: impl Into<String>,
    ) -> Self {
        Self::with(Coordinator::new(client, seed), host, store, key.into())
    }

    fn with(coordinator: Coordinator, host: H, store: S, key: String) -> Self {
        let inner = Mutex::new(Inner::new(coordinator));
        let crowd = Arc::<Crowd>::default();
        let waker = Waker::from(Arc::clone(&crowd));
        let shared = Arc::new(Shared { host, store, key, inner, crowd, waker });
        Self { shared, origins: Arc::default(), patience: PATIENCE }
    }

    /// Names the origins whose requests may carry the token; without any, none may. It holds for
    /// this handle and the clones that are made of it from now on.
    #[must_use]
    pub fn with_origins(self, origins: Origins) -> Self {
        Self { origins: Arc::new(origins), ..self }
    }

    /// Makes callers wait this long for a token (30 s unless told) before they get an error.
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
        let ask = self.shared.lock().coordinator.token(self.until());
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
        let ask = self.shared.lock().coordinator.token_for(resource, self.until())?;
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
        let until = self.until();
        let ask = self.shared.lock().coordinator.refresh(until)?;
        self.given(ask).await
    }

    /// Ends the login: saves that, and revokes its tokens where the server can.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the store does not answer; call again.
    pub async fn sign_out(&self) -> Result<(), Error> {
        self.shared.lock().coordinator.reload();
        self.settle().await?;
        let now = self.shared.host.now();
        self.shared.lock().coordinator.sign_out(now);
        self.settle().await
    }

    /// Puts a new login in place of the old one, and saves it.
    ///
    /// # Errors
    /// As [`Agent::new`], and [`Error::Unavailable`] when the store does not answer: the login is
    /// used and saved later.
    pub async fn log_in(&self, state: impl Into<State>) -> Result<(), Error> {
        self.shared.lock().coordinator.log_in(state)?;
        self.settle().await
    }

    /// Loads what is stored, saves what is not, and sends what is still to be sent. Worth calling
    /// before a program ends, or goes idle: nothing reads an answer that arrives while no caller
    /// waits, and when the lease is over another process asks again.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the store does not answer.
    pub async fn settle(&self) -> Result<(), Error> {
        let ask = self.shared.lock().coordinator.settled(self.until());
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
        let client = Arc::clone(self.shared.lock().coordinator.client());
        client.attach(&token, request)?;
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
        let now = self.shared.host.now();
        self.shared.lock().coordinator.challenged(generation, challenge, now)
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
        &self.shared.host
    }

    async fn given(&self, ask: Ask) -> Result<AccessToken, Error> {
        // An ask for a token is never answered with "settled".
        self.turn(&ask).await?.ok_or(Error::Expired(Expired::Token))
    }

    async fn turn(&self, ask: &Ask) -> Result<Option<AccessToken>, Error> {
        let mut turn = Turn::new(&self.shared);
        core::future::poll_fn(|context| turn.poll(ask, context)).await
    }

    fn until(&self) -> crate::Timestamp {
        self.shared.host.now().after(self.patience)
    }
}

/// How long a caller waits for a token.
const PATIENCE: Duration = Duration::from_secs(30);

impl<H: Host, S: Store> Shared<H, S> {
    /// Never held across an await. A panic elsewhere leaves nothing half-done in here.
    fn lock(&self) -> MutexGuard<'_, Inner<H, S>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
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
        f.debug_struct("Agent")
            .field("key", &self.shared.key)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}
