//! Stored states are a format: this folder is it, with `Login`, `Attempt` and `Setbacks`, which are
//! written as they are.
//!
//! Outermost stands the version. Every field is always written, extras are JSON text, nothing is
//! flattened or untagged, so that binary formats work as well as JSON. What breaks an invariant is
//! refused; a state that cannot be resumed loads as `Unauthorized` with the reason.

mod browser;
mod check;
mod device;
mod tokens;

use alloc::borrow::Cow;

use browser::{AwaitingCallbackV1, AwaitingFragmentV1};
use check::{attempt, login, params, reason, scope};
use device::PollingV1;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokens::{AuthorizedV1, RefreshingV1};

use super::{
    Attempt, Authorized, Authorizing, AwaitingCallback, AwaitingFragment, AwaitingToken,
    ClientCredentials, Grant, Login, Polling, Refreshing, Setbacks, State, Unauthorized,
};
use crate::error::Reason;

#[derive(Serialize, Deserialize)]
enum Stored<'a> {
    V1(V1<'a>),
}

#[derive(Serialize, Deserialize)]
enum V1<'a> {
    Unauthorized(UnauthorizedV1<'a>),
    AwaitingCallback(AwaitingCallbackV1<'a>),
    AwaitingFragment(AwaitingFragmentV1<'a>),
    AwaitingToken(AwaitingTokenV1<'a>),
    Polling(PollingV1<'a>),
    Authorized(AuthorizedV1<'a>),
    Refreshing(RefreshingV1<'a>),
}

#[derive(Serialize, Deserialize)]
struct UnauthorizedV1<'a> {
    login: Login,
    reason: Cow<'a, Reason>,
    requested_scope: Cow<'a, str>,
    renewal: Option<ClientCredentialsV1<'a>>,
    setbacks: Setbacks,
}

#[derive(Serialize, Deserialize)]
struct ClientCredentialsV1<'a> {
    scope: Cow<'a, str>,
    params: Cow<'a, str>,
}

/// Without a grant, something has been sent that works once: it is spent, and not stored.
#[derive(Serialize, Deserialize)]
struct AwaitingTokenV1<'a> {
    login: Login,
    requested_scope: Cow<'a, str>,
    grant: Option<ClientCredentialsV1<'a>>,
    attempt: Attempt,
    setbacks: Setbacks,
}

/// What is wrong with a stored state.
type Invalid = &'static str;

impl<'a> From<&'a State> for V1<'a> {
    fn from(state: &'a State) -> Self {
        match state {
            State::Unauthorized(state) => state.into(),
            State::Authorizing(Authorizing::AwaitingCallback(state)) => state.into(),
            State::Authorizing(Authorizing::AwaitingFragment(state)) => state.into(),
            State::Authorizing(Authorizing::AwaitingToken(state)) => state.into(),
            State::Authorizing(Authorizing::Polling(state)) => state.into(),
            State::Authorized(state) => state.into(),
            State::Refreshing(state) => state.into(),
        }
    }
}

impl TryFrom<V1<'_>> for State {
    type Error = Invalid;

    fn try_from(stored: V1<'_>) -> Result<Self, Invalid> {
        Ok(match stored {
            V1::Unauthorized(stored) => Self::Unauthorized(Unauthorized {
                login: login(stored.login)?,
                reason: reason(stored.reason.into_owned())?,
                requested: scope(&stored.requested_scope)?,
                renewal: stored.renewal.map(TryInto::try_into).transpose()?,
                setbacks: stored.setbacks,
            }),
            V1::AwaitingCallback(stored) => AwaitingCallback::try_from(stored)?.into(),
            V1::AwaitingFragment(stored) => AwaitingFragment::try_from(stored)?.into(),
            V1::Polling(stored) => Polling::try_from(stored)?.into(),
            V1::AwaitingToken(stored) => match stored.grant {
                Some(grant) => AwaitingToken {
                    login: login(stored.login)?,
                    grant: Grant::ClientCredentials(grant.try_into()?),
                    first: None,
                    attempt: attempt(stored.attempt)?,
                    setbacks: stored.setbacks,
                }
                .into(),
                None => {
                    let requested = scope(&stored.requested_scope)?;
                    Unauthorized::ended(login(stored.login)?, Reason::CodeSpent, requested).into()
                }
            },
            V1::Authorized(stored) => Authorized::try_from(stored)?.into(),
            V1::Refreshing(stored) => Refreshing::try_from(stored)?.into(),
        })
    }
}

impl<'a> From<&'a Unauthorized> for V1<'a> {
    fn from(state: &'a Unauthorized) -> Self {
        Self::Unauthorized(UnauthorizedV1 {
            login: state.login,
            reason: Cow::Borrowed(&state.reason),
            requested_scope: state.requested.as_str().into(),
            renewal: state.renewal.as_ref().map(Into::into),
            setbacks: state.setbacks,
        })
    }
}

impl<'a> From<&'a ClientCredentials> for ClientCredentialsV1<'a> {
    fn from(grant: &'a ClientCredentials) -> Self {
        Self { scope: grant.scope.as_str().into(), params: grant.params.as_str().into() }
    }
}

impl TryFrom<ClientCredentialsV1<'_>> for ClientCredentials {
    type Error = Invalid;

    fn try_from(stored: ClientCredentialsV1<'_>) -> Result<Self, Invalid> {
        Ok(Self { scope: scope(&stored.scope)?, params: params(stored.params)? })
    }
}

impl<'a> From<&'a AwaitingToken> for V1<'a> {
    fn from(state: &'a AwaitingToken) -> Self {
        Self::AwaitingToken(AwaitingTokenV1 {
            login: state.login,
            requested_scope: state.requested_scope().as_str().into(),
            grant: match &state.grant {
                Grant::Code(_) | Grant::OneTime(_) => None,
                Grant::ClientCredentials(grant) => Some(grant.into()),
            },
            attempt: state.attempt,
            setbacks: state.setbacks,
        })
    }
}

impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Stored::V1(stored) = Stored::deserialize(from)?;
        stored.try_into().map_err(|invalid: Invalid| {
            D::Error::custom(format_args!("this stored login has {invalid}"))
        })
    }
}

/// Each state is stored like the enum, and loads only from its own kind.
macro_rules! stored {
    ($($state:ty, $pattern:pat => $kept:ident, $name:literal;)*) => {$(
        impl Serialize for $state {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                Stored::V1(self.into()).serialize(to)
            }
        }

        impl<'de> Deserialize<'de> for $state {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                match State::deserialize(from)? {
                    $pattern => Ok($kept),
                    _ => Err(D::Error::custom(concat!("this stored login is not ", $name))),
                }
            }
        }
    )*};
}

stored! {
    Unauthorized, State::Unauthorized(state) => state, "unauthorized";
    AwaitingCallback, State::Authorizing(Authorizing::AwaitingCallback(state)) => state,
        "waiting for a callback";
    AwaitingFragment, State::Authorizing(Authorizing::AwaitingFragment(state)) => state,
        "waiting for a callback of the implicit grant";
    Polling, State::Authorizing(Authorizing::Polling(state)) => state, "polling";
    Authorized, State::Authorized(state) => state, "authorized";
    Refreshing, State::Refreshing(state) => state, "refreshing";
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Stored::V1(self.into()).serialize(to)
    }
}
