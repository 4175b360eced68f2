//! Hearing of what becomes of a login.

use core::fmt;
use core::future::poll_fn;
use core::task::Poll;

use super::{Agent, Host, MemoryStore, Store};
use crate::error::Reason;
use crate::machine::State;
use crate::value::Generation;

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
    pub(super) fn of(state: &State) -> Option<Self> {
        match state {
            State::Unauthorized(state) => Some(Self::Ended(state.reason().clone())),
            State::Authorizing(_) => None,
            State::Authorized(_) | State::Refreshing(_) => {
                state.tokens().map(|tokens| Self::Tokens(tokens.login.generation()))
            }
        }
    }
}

/// A watch over a login, made by [`Agent::changes`].
///
/// It hears what this agent learns; it does not ask the store by itself.
pub struct Changes<H: Host, S: Store = MemoryStore> {
    agent: Agent<H, S>,
    id: u64,
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
            match inner.change.clone().filter(|_| inner.changes != self.seen) {
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
