//! Stored states are a format: this file is it, with `Login`, `Attempt` and `Setbacks`, which are
//! written as they are.
//!
//! Outermost stands the version. Every field is always written, extras are JSON text, nothing is
//! flattened or untagged, so that binary formats work as well as JSON. What breaks an invariant is
//! refused; a state that cannot be resumed loads as `Unauthorized` with the reason.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use url::form_urlencoded;

use super::client_credentials::is_token_parameter;
use super::{
    Attempt, Authorized, Authorizing, AwaitingCallback, AwaitingToken, ClientCredentials, Grant,
    Login, Refreshing, Renewal, Setbacks, State, Tokens, Unauthorized,
};
use crate::client::{LONGEST_LEASE, Params, SHORTEST_LEASE, check_redirect_uri, check_resource};
use crate::error::{Reason, printable};
use crate::value::{AccessToken, RandomText, Scope, Secret, Timestamp};

#[derive(Serialize, Deserialize)]
enum Stored<'a> {
    V1(V1<'a>),
}

#[derive(Serialize, Deserialize)]
enum V1<'a> {
    Unauthorized(UnauthorizedV1<'a>),
    AwaitingCallback(AwaitingCallbackV1<'a>),
    AwaitingToken(AwaitingTokenV1<'a>),
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

#[derive(Serialize, Deserialize)]
struct AwaitingCallbackV1<'a> {
    login: Login,
    state: Cow<'a, str>,
    verifier: Cow<'a, str>,
    redirect_uri: Cow<'a, str>,
    scope: Cow<'a, str>,
    resources: Vec<Cow<'a, str>>,
    deadline: Timestamp,
}

/// Without a grant, a code has been sent: it is spent, and not stored.
#[derive(Serialize, Deserialize)]
struct AwaitingTokenV1<'a> {
    login: Login,
    requested_scope: Cow<'a, str>,
    grant: Option<ClientCredentialsV1<'a>>,
    attempt: Attempt,
    setbacks: Setbacks,
}

#[derive(Serialize, Deserialize)]
struct AuthorizedV1<'a> {
    login: Login,
    access_token: Cow<'a, str>,
    token_type: Cow<'a, str>,
    id_token: Option<Cow<'a, str>>,
    requested_scope: Cow<'a, str>,
    scope: Cow<'a, str>,
    extras: Cow<'a, str>,
    sent_at: Timestamp,
    refresh_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    renewal: Option<RenewalV1<'a>>,
    rejected: bool,
    setbacks: Setbacks,
}

#[derive(Serialize, Deserialize)]
enum RenewalV1<'a> {
    RefreshToken(Cow<'a, str>),
    ClientCredentials(ClientCredentialsV1<'a>),
}

#[derive(Serialize, Deserialize)]
struct RefreshingV1<'a> {
    held: AuthorizedV1<'a>,
    attempt: Attempt,
}

/// What is wrong with a stored state.
type Invalid = &'static str;

impl<'a> From<&'a State> for V1<'a> {
    fn from(state: &'a State) -> Self {
        match state {
            State::Unauthorized(state) => state.into(),
            State::Authorizing(Authorizing::AwaitingCallback(state)) => state.into(),
            State::Authorizing(Authorizing::AwaitingToken(state)) => state.into(),
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
            V1::AwaitingToken(stored) => match stored.grant {
                Some(grant) => AwaitingToken {
                    login: login(stored.login)?,
                    grant: Grant::ClientCredentials(grant.try_into()?),
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
            V1::Refreshing(stored) => {
                let held = Authorized::try_from(stored.held)?;
                if held.renewal.is_none() {
                    return Err("a refresh without anything to refresh with");
                }
                Refreshing { held, attempt: attempt(stored.attempt)? }.into()
            }
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

impl<'a> From<&'a AwaitingCallback> for V1<'a> {
    fn from(state: &'a AwaitingCallback) -> Self {
        Self::AwaitingCallback(AwaitingCallbackV1 {
            login: state.login,
            state: state.state.as_str().into(),
            verifier: state.verifier.as_str().into(),
            redirect_uri: state.redirect_uri.as_str().into(),
            scope: state.scope.as_str().into(),
            resources: state.resources.iter().map(|text| text.as_str().into()).collect(),
            deadline: state.deadline,
        })
    }
}

impl TryFrom<AwaitingCallbackV1<'_>> for AwaitingCallback {
    type Error = Invalid;

    fn try_from(stored: AwaitingCallbackV1<'_>) -> Result<Self, Invalid> {
        let random = |text| RandomText::parse(text).ok_or("a state or verifier of wrong form");
        Ok(Self {
            login: login(stored.login)?,
            state: random(&stored.state)?,
            verifier: random(&stored.verifier)?,
            redirect_uri: redirect_uri(stored.redirect_uri)?,
            scope: scope(&stored.scope)?,
            resources: stored.resources.into_iter().map(resource).collect::<Result<_, _>>()?,
            deadline: stored.deadline,
        })
    }
}

impl<'a> From<&'a AwaitingToken> for V1<'a> {
    fn from(state: &'a AwaitingToken) -> Self {
        Self::AwaitingToken(AwaitingTokenV1 {
            login: state.login,
            requested_scope: state.requested_scope().as_str().into(),
            grant: match &state.grant {
                Grant::Code(_) => None,
                Grant::ClientCredentials(grant) => Some(grant.into()),
            },
            attempt: state.attempt,
            setbacks: state.setbacks,
        })
    }
}

impl<'a> From<&'a Authorized> for AuthorizedV1<'a> {
    fn from(state: &'a Authorized) -> Self {
        let Tokens {
            access,
            id_token,
            requested,
            granted,
            extras,
            sent_at,
            refresh_at,
            expires_at,
        } = &state.tokens;
        Self {
            login: state.login,
            access_token: access.expose().into(),
            token_type: access.token_type().into(),
            id_token: id_token.as_ref().map(|token| token.expose().into()),
            requested_scope: requested.as_str().into(),
            scope: granted.as_str().into(),
            extras: extras.expose().into(),
            sent_at: *sent_at,
            refresh_at: *refresh_at,
            expires_at: *expires_at,
            renewal: state.renewal.as_ref().map(|renewal| match renewal {
                Renewal::RefreshToken(token) => RenewalV1::RefreshToken(token.expose().into()),
                Renewal::ClientCredentials(grant) => RenewalV1::ClientCredentials(grant.into()),
            }),
            rejected: state.rejected,
            setbacks: state.setbacks,
        }
    }
}

impl TryFrom<AuthorizedV1<'_>> for Authorized {
    type Error = Invalid;

    fn try_from(stored: AuthorizedV1<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            login: login(stored.login)?,
            tokens: Tokens {
                access: access_token(&stored)?,
                id_token: stored.id_token.map(secret).transpose()?,
                requested: scope(&stored.requested_scope)?,
                granted: scope(&stored.scope)?,
                extras: extras(stored.extras)?,
                sent_at: stored.sent_at,
                refresh_at: stored.refresh_at,
                expires_at: stored.expires_at,
            },
            renewal: match stored.renewal {
                Some(RenewalV1::RefreshToken(token)) => Some(Renewal::RefreshToken(secret(token)?)),
                Some(RenewalV1::ClientCredentials(grant)) => {
                    Some(Renewal::ClientCredentials(grant.try_into()?))
                }
                None => None,
            },
            rejected: stored.rejected,
            setbacks: stored.setbacks,
        })
    }
}

impl<'a> From<&'a Authorized> for V1<'a> {
    fn from(state: &'a Authorized) -> Self {
        Self::Authorized(state.into())
    }
}

impl<'a> From<&'a Refreshing> for V1<'a> {
    fn from(state: &'a Refreshing) -> Self {
        Self::Refreshing(RefreshingV1 { held: (&state.held).into(), attempt: state.attempt })
    }
}

/// A lease of no length would let everybody send at once, an endless one nobody ever again.
fn attempt(stored: Attempt) -> Result<Attempt, Invalid> {
    let leases = SHORTEST_LEASE.as_secs()..=LONGEST_LEASE.as_secs();
    if leases.contains(&stored.lease) { Ok(stored) } else { Err("a lease of impossible length") }
}

/// No login lives to see so many tokens, and their numbers must not run out.
fn login(stored: Login) -> Result<Login, Invalid> {
    if stored.number <= u64::from(u32::MAX) { Ok(stored) } else { Err("an impossible generation") }
}

fn access_token(stored: &AuthorizedV1<'_>) -> Result<AccessToken, Invalid> {
    let AuthorizedV1 { access_token, token_type, .. } = stored;
    let generation = stored.login.generation();
    let is_absent = access_token.is_empty() && stored.expires_at == Some(AccessToken::ABSENT_SINCE);
    if is_absent && stored.renewal.is_some() && *token_type == "Bearer" {
        return Ok(AccessToken::absent(generation));
    }
    AccessToken::new(access_token, token_type, generation)
        .filter(|_| !token_type.is_empty())
        .ok_or("an access token of wrong form")
}

fn secret(stored: Cow<'_, str>) -> Result<Secret, Invalid> {
    if stored.is_empty() { Err("an empty token") } else { Ok(Secret::new(stored)) }
}

fn extras(stored: Cow<'_, str>) -> Result<Secret, Invalid> {
    let is_object = |text| serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text).is_ok();
    if stored.is_empty() || is_object(&stored) {
        Ok(Secret::new(stored))
    } else {
        Err("extras that are no JSON object")
    }
}

/// Filtered when it was made; it will be printed.
fn reason(stored: Reason) -> Result<Reason, Invalid> {
    if let Reason::Denied(error) = &stored
        && *printable(error) != **error
    {
        return Err("an unprintable reason");
    }
    Ok(stored)
}

/// What is beyond is no longer what was stored, and refused as such.
const MOST_PARAMS: usize = 256;

fn params(stored: Cow<'_, str>) -> Result<String, Invalid> {
    let pairs: Vec<_> = form_urlencoded::parse(stored.as_bytes()).take(MOST_PARAMS).collect();
    let (resources, pairs): (Vec<_>, Vec<_>) = pairs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .partition(|(name, _)| *name == "resource");
    let resources = resources.into_iter().map(|(_, resource)| resource).collect();
    let params = Params { pairs, resources };
    params.check(is_token_parameter).map_err(|_| "parameters that it must not have")?;
    // Nothing that a caller could have given reads otherwise.
    let encoded = params.encoded();
    if encoded == *stored { Ok(encoded) } else { Err("parameters of wrong form") }
}

fn redirect_uri(stored: Cow<'_, str>) -> Result<String, Invalid> {
    check_redirect_uri(&stored).map_err(|_| "an unusable redirect URI")?;
    Ok(stored.into_owned())
}

fn resource(stored: Cow<'_, str>) -> Result<String, Invalid> {
    check_resource(&stored).map_err(|_| "an unusable resource")?;
    Ok(stored.into_owned())
}

fn scope(text: &str) -> Result<Scope, Invalid> {
    Scope::new(text).map_err(|_| "a scope of wrong form")
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
    Authorized, State::Authorized(state) => state, "authorized";
    Refreshing, State::Refreshing(state) => state, "refreshing";
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Stored::V1(self.into()).serialize(to)
    }
}
