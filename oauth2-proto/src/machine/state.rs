//! The enum of the four states, and what a failed transition leaves.

use alloc::boxed::Box;
use core::fmt;

use http::Request;

use super::{
    Attempt, Authorized, AwaitingCallback, AwaitingFragment, AwaitingToken, Login, Polling,
    Question, Refreshing, Unauthorized,
};
use crate::client::RequestKind;
use crate::error::{Error, Reason};
use crate::value::{Body, LoginId};

/// A login in one of its four states: what a program keeps, and what a store stores.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller's match should break when a state is added")]
pub enum State {
    /// Nobody is logged in; it knows why, and whether a program can help itself.
    Unauthorized(Unauthorized),
    /// A login is under way.
    Authorizing(Authorizing),
    /// There are tokens.
    Authorized(Authorized),
    /// There are tokens, and newer ones have been asked for.
    Refreshing(Refreshing),
}

/// A login that is under way.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller's match should break when a state is added")]
pub enum Authorizing {
    /// The browser is away, and its callback is awaited.
    AwaitingCallback(AwaitingCallback),
    /// The browser is away, and will bring the token itself (implicit grant).
    AwaitingFragment(AwaitingFragment),
    /// A token request has been made, and its answer is awaited.
    AwaitingToken(AwaitingToken),
    /// A person decides elsewhere, and the device asks from time to time.
    Polling(Polling),
}

impl State {
    /// The login that this is a state of.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.identity().id
    }

    pub(crate) const fn identity(&self) -> &Login {
        match self {
            Self::Unauthorized(state) => &state.login,
            Self::Authorizing(Authorizing::AwaitingCallback(state)) => &state.pending.login,
            Self::Authorizing(Authorizing::AwaitingFragment(state)) => &state.pending.login,
            Self::Authorizing(Authorizing::Polling(state)) => &state.login,
            Self::Authorizing(Authorizing::AwaitingToken(state)) => &state.login,
            Self::Authorized(state) => &state.login,
            Self::Refreshing(state) => &state.held.login,
        }
    }
}

impl State {
    /// Whether both are the same record of the same login: one may stand for the other.
    pub(crate) fn is_same_record(&self, other: &Self) -> bool {
        let same_token = match (self.tokens(), other.tokens()) {
            (Some(own), Some(others)) => {
                own.setbacks == others.setbacks
                    && own.tokens.is_same(&others.tokens)
                    && own.others().len() == others.others().len()
                    && own.others().iter().zip(others.others()).all(|(own, other)| {
                        own.resource == other.resource && own.tokens.is_same(&other.tokens)
                    })
            }
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        self.identity() == other.identity()
            && core::mem::discriminant(self) == core::mem::discriminant(other)
            && self.attempt() == other.attempt()
            && self.reason() == other.reason()
            && same_token
    }

    fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Unauthorized(state) => Some(state.reason()),
            Self::Authorizing(_) | Self::Authorized(_) | Self::Refreshing(_) => None,
        }
    }

    /// Whether this login was ended for good: by signing out, or by the server's refusal of an
    /// attempt that was not in doubt.
    pub(crate) fn was_ended(&self) -> bool {
        match self {
            Self::Unauthorized(state) => !state.is_renewable() && !state.reason.is_doubtful(),
            Self::Authorizing(_) | Self::Authorized(_) | Self::Refreshing(_) => false,
        }
    }

    /// The tokens that are held.
    pub(crate) const fn tokens(&self) -> Option<&Authorized> {
        match self {
            Self::Authorized(state) | Self::Refreshing(Refreshing { held: state, .. }) => {
                Some(state)
            }
            Self::Unauthorized(_) | Self::Authorizing(_) => None,
        }
    }

    pub(crate) const fn tokens_mut(&mut self) -> Option<&mut Authorized> {
        match self {
            Self::Authorized(state) | Self::Refreshing(Refreshing { held: state, .. }) => {
                Some(state)
            }
            Self::Unauthorized(_) | Self::Authorizing(_) => None,
        }
    }

    /// The latest token request, where its outcome is awaited or decides what comes next.
    pub(crate) const fn attempt(&self) -> Option<&Attempt> {
        match self {
            Self::Authorizing(Authorizing::AwaitingToken(state)) => Some(&state.attempt),
            Self::Authorizing(Authorizing::Polling(state)) => Some(&state.attempt),
            Self::Refreshing(state) => Some(&state.attempt),
            Self::Unauthorized(_)
            | Self::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            )
            | Self::Authorized(_) => None,
        }
    }

    pub(crate) const fn attempt_mut(&mut self) -> Option<&mut Attempt> {
        match self {
            Self::Authorizing(Authorizing::AwaitingToken(state)) => Some(&mut state.attempt),
            Self::Authorizing(Authorizing::Polling(state)) => Some(&mut state.attempt),
            Self::Refreshing(state) => Some(&mut state.attempt),
            Self::Unauthorized(_)
            | Self::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            )
            | Self::Authorized(_) => None,
        }
    }

    /// What the latest token request has asked for, where its outcome is awaited.
    pub(crate) fn question(&self) -> Option<Question> {
        let (kind, asked) = match self {
            Self::Authorizing(Authorizing::Polling(_)) => (RequestKind::DevicePoll, None),
            Self::Authorizing(_) => (RequestKind::Token, None),
            Self::Refreshing(state) => (RequestKind::Refresh, Some(state.asked.clone())),
            Self::Unauthorized(_) | Self::Authorized(_) => return None,
        };
        let is_first = match self {
            Self::Authorizing(Authorizing::AwaitingToken(state)) => state.first.is_none(),
            Self::Unauthorized(_)
            | Self::Authorizing(_)
            | Self::Authorized(_)
            | Self::Refreshing(_) => false,
        };
        Some(Question {
            is_first,
            asked_for: self.identity().generation(),
            kind,
            asked: asked.unwrap_or_default(),
            sent_at: self.attempt()?.sent_at,
        })
    }
}

impl From<Unauthorized> for State {
    fn from(state: Unauthorized) -> Self {
        Self::Unauthorized(state)
    }
}

impl From<AwaitingCallback> for State {
    fn from(state: AwaitingCallback) -> Self {
        Self::Authorizing(Authorizing::AwaitingCallback(state))
    }
}

impl From<AwaitingFragment> for State {
    fn from(state: AwaitingFragment) -> Self {
        Self::Authorizing(Authorizing::AwaitingFragment(state))
    }
}

impl From<Polling> for State {
    fn from(state: Polling) -> Self {
        Self::Authorizing(Authorizing::Polling(state))
    }
}

impl From<AwaitingToken> for State {
    fn from(state: AwaitingToken) -> Self {
        Self::Authorizing(Authorizing::AwaitingToken(state))
    }
}

impl From<Authorized> for State {
    fn from(state: Authorized) -> Self {
        Self::Authorized(state)
    }
}

impl From<Refreshing> for State {
    fn from(state: Refreshing) -> Self {
        Self::Refreshing(state)
    }
}

/// A transition that did not succeed: why, and what is left.
///
/// Keep `state` in place of the one that the transition consumed: it says whether the login goes
/// on, and holds every token that is still good.
#[non_exhaustive]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// The state that the login is in now.
    pub state: Box<State>,
    /// What the server wants to be sent next, before it gives a token: where a dialect takes two
    /// requests. Send it, and hand its answer to [`state`](Self::state), which awaits it.
    pub next: Option<Box<Request<Body>>>,
}

impl Failed {
    pub(crate) fn new(error: impl Into<Error>, state: impl Into<State>) -> Self {
        Self { error: error.into(), state: Box::new(state.into()), next: None }
    }

    /// One more request takes the login on.
    pub(crate) fn with_next(self, next: Request<Body>) -> Self {
        Self { next: Some(Box::new(next)), ..self }
    }
}

impl Failed {
    /// Whether this login is over, and a person has to begin a new one.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        matches!(&*self.state, State::Unauthorized(state) if !state.is_renewable())
    }

    /// Whether what is left may succeed later without anything being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.error.is_retryable() && !self.needs_login()
    }
}

impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A request can have secrets in its URI.
        f.debug_struct("Failed")
            .field("error", &self.error)
            .field("state", &self.state)
            .field("has_next", &self.next.is_some())
            .finish()
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Failed {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.error)
    }
}

impl From<Failed> for Error {
    /// Forgets what is left. For programs that keep no state.
    fn from(failed: Failed) -> Self {
        failed.error
    }
}
