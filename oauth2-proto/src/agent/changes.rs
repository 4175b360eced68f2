//! Hearing of what becomes of a login.

use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use super::crowd::Visitor;
use super::{Agent, Host, MemoryStore, Store};
use crate::client::Client;
use crate::error::Reason;
use crate::machine::{Login, State, Unauthorized};
use crate::value::{Generation, LoginId, Scope};

/// What became of a login.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Change {
    /// There are tokens of this generation.
    Tokens(Generation),
    /// Nobody is logged in any more.
    Ended(Reason),
}

impl Change {
    fn of(state: &State) -> Option<Self> {
        match state {
            State::Unauthorized(state) => Some(Self::Ended(state.reason().clone())),
            State::Authorizing(_) => None,
            State::Authorized(_) | State::Refreshing(_) => {
                state.tokens().map(|tokens| Self::Tokens(tokens.login.generation()))
            }
        }
    }
}

/// What a login was when it was last looked at: a change is what differs from that.
#[derive(PartialEq, Eq)]
pub(super) enum Known {
    /// It has not been looked at.
    Nothing,
    /// Nothing is stored.
    Nobody,
    /// This login, and what became of it last.
    Login(LoginId, Option<Change>),
}

impl Known {
    /// What is known of a login, where all is known that there is.
    pub(super) fn of(state: Option<&State>) -> Self {
        state.map_or(Self::Nobody, |state| Self::Login(state.login(), Change::of(state)))
    }

    /// Looks at the login once more; says what has changed, and of which login.
    ///
    /// That a login is under way is no change: the tokens that it brings are, or that it fails.
    pub(super) fn learn(&mut self, newer: Self) -> Option<(LoginId, Change)> {
        let news = match (&*self, &newer) {
            (Self::Login(login, _), Self::Login(other, None)) if login == other => return None,
            (_, Self::Login(login, Some(change))) if *self != newer => {
                Some((*login, change.clone()))
            }
            (Self::Login(login, Some(Change::Tokens(_))), Self::Nobody) => {
                Some((*login, Change::Ended(Reason::NotStarted)))
            }
            (_, Self::Nothing | Self::Nobody | Self::Login(..)) => None,
        };
        *self = newer;
        news
    }
}

/// What stands for a login that is not stored any more.
pub(super) fn vacant(login: LoginId, client: &Client) -> State {
    let login = Login::begin(login, client);
    Unauthorized::ended(login, Reason::NotStarted, Scope::default()).into()
}

/// A watch over a login, made by [`Agent::changes`].
///
/// It hears what this agent learns; it does not ask the store by itself. What is stored when the
/// login is first loaded is no change.
pub struct Changes<H: Host, S: Store = MemoryStore> {
    agent: Agent<H, S>,
    id: Visitor,
    seen: u64,
}

impl<H: Host, S: Store> Changes<H, S> {
    pub(super) fn new(agent: Agent<H, S>) -> Self {
        let mut inner = agent.shared.lock();
        let (id, seen) = (inner.visitor(), inner.changes);
        drop(inner);
        Self { agent, id, seen }
    }

    /// Completes at the next change, with the newest one if there were several. Never ends.
    pub async fn next(&mut self) -> Change {
        poll_fn(|context| {
            self.agent.shared.crowd.join(self.id, context.waker());
            let inner = self.agent.shared.lock();
            match inner.change.as_deref().filter(|_| inner.changes != self.seen).cloned() {
                Some(change) => {
                    self.seen = inner.changes;
                    Poll::Ready(change)
                }
                None => Poll::Pending,
            }
        })
        .await
    }
}

impl<H: Host, S: Store> Drop for Changes<H, S> {
    fn drop(&mut self) {
        self.agent.shared.crowd.leave(self.id);
    }
}

impl<H: Host, S: Store> fmt::Debug for Changes<H, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changes").field("seen", &self.seen).finish_non_exhaustive()
    }
}
