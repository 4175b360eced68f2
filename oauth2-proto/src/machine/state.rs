//! The enum of the four states, and what a failed transition leaves.

use alloc::boxed::Box;
use core::fmt;

use super::{Authorized, AwaitingCallback, AwaitingToken, Login, Refreshing, Unauthorized};
use crate::error::Error;
use crate::value::LoginId;

/// A login in one of its four states: what a program keeps, and what a store stores.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller's match should break when a state is added")]
#[expect(clippy::large_enum_variant, reason = "almost every login is Authorized, the largest")]
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
    /// A token request has been made, and its answer is awaited.
    AwaitingToken(AwaitingToken),
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
            Self::Authorizing(Authorizing::AwaitingCallback(state)) => &state.login,
            Self::Authorizing(Authorizing::AwaitingToken(state)) => &state.login,
            Self::Authorized(state) => &state.login,
            Self::Refreshing(state) => &state.held.login,
        }
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
#[derive(Debug)]
#[non_exhaustive]
pub struct Failed {
    /// Why.
    pub error: Error,
    /// The state that the login is in now.
    pub state: Box<State>,
}

impl Failed {
    pub(crate) fn new(error: impl Into<Error>, state: impl Into<State>) -> Self {
        Self { error: error.into(), state: Box::new(state.into()) }
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
