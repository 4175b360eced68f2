//! How tokens are stored.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::super::tokens::MOST_RESOURCES;
use super::super::{
    Asked, Attempt, Authorized, ForResource, Login, Rare, Refreshing, Renewal, Setbacks, Tokens,
};
use super::browser::nonce;
use super::check::{attempt, extras, login, params, resource, scope, secret};
use super::{ClientCredentialsV1, Invalid, V1};
use crate::value::{AccessToken, Generation, Timestamp};

#[derive(Serialize, Deserialize)]
pub(super) struct AuthorizedV1<'a> {
    login: Login,
    tokens: TokensV1<'a>,
    others: Vec<ForResourceV1<'a>>,
    renewal: Option<RenewalV1<'a>>,
    full_scope: Option<Cow<'a, str>>,
    nonce: Option<Cow<'a, str>>,
    kept: Cow<'a, str>,
    setbacks: Setbacks,
}

#[derive(Serialize, Deserialize)]
struct TokensV1<'a> {
    /// Which answer of the login brought them.
    number: u64,
    access_token: Cow<'a, str>,
    token_type: Cow<'a, str>,
    id_token: Option<Cow<'a, str>>,
    requested_scope: Cow<'a, str>,
    scope: Cow<'a, str>,
    extras: Cow<'a, str>,
    sent_at: Timestamp,
    refresh_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    rejected: bool,
}

#[derive(Serialize, Deserialize)]
struct ForResourceV1<'a> {
    resource: Cow<'a, str>,
    tokens: TokensV1<'a>,
}

#[derive(Serialize, Deserialize)]
enum RenewalV1<'a> {
    RefreshToken(Cow<'a, str>),
    ClientCredentials(ClientCredentialsV1<'a>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct RefreshingV1<'a> {
    held: AuthorizedV1<'a>,
    asked: AskedV1<'a>,
    attempt: Attempt,
}

#[derive(Serialize, Deserialize)]
struct AskedV1<'a> {
    scope: Option<Cow<'a, str>>,
    params: Cow<'a, str>,
    resource: Option<Cow<'a, str>>,
}

impl<'a> From<&'a Tokens> for TokensV1<'a> {
    fn from(tokens: &'a Tokens) -> Self {
        Self {
            number: tokens.access.generation().number(),
            access_token: tokens.access.expose().into(),
            token_type: tokens.access.token_type().into(),
            id_token: tokens.id_token.as_ref().map(|token| token.expose().into()),
            requested_scope: tokens.requested.as_str().into(),
            scope: tokens.granted.as_str().into(),
            extras: tokens.extras.expose().into(),
            sent_at: tokens.sent_at,
            refresh_at: tokens.refresh_at,
            expires_at: tokens.expires_at,
            rejected: tokens.rejected,
        }
    }
}

impl TokensV1<'_> {
    fn load(self, login: Login) -> Result<Tokens, Invalid> {
        if self.number > login.number {
            return Err("tokens of an answer that is yet to come");
        }
        let generation = Generation::new(login.id, self.number);
        Ok(Tokens {
            access: self.access_token(generation).ok_or("an access token of wrong form")?,
            id_token: self.id_token.map(secret).transpose()?,
            requested: scope(&self.requested_scope)?,
            granted: scope(&self.scope)?,
            extras: extras(self.extras)?,
            sent_at: self.sent_at,
            refresh_at: self.refresh_at,
            expires_at: self.expires_at,
            rejected: self.rejected,
        })
    }

    fn access_token(&self, generation: Generation) -> Option<AccessToken> {
        if self.is_absent() {
            return Some(AccessToken::absent(generation));
        }
        AccessToken::new(&self.access_token, &self.token_type, generation)
            .filter(|_| !self.token_type.is_empty())
    }

    /// A record from elsewhere had only a refresh token.
    fn is_absent(&self) -> bool {
        self.access_token.is_empty()
            && self.token_type == "Bearer"
            && self.expires_at == Some(AccessToken::ABSENT_SINCE)
    }
}

impl<'a> From<&'a Authorized> for AuthorizedV1<'a> {
    fn from(state: &'a Authorized) -> Self {
        let rare = state.rare.as_deref();
        Self {
            login: state.login,
            tokens: (&state.tokens).into(),
            others: state.others().iter().map(Into::into).collect(),
            renewal: state.renewal.as_ref().map(|renewal| match renewal {
                Renewal::RefreshToken(token) => RenewalV1::RefreshToken(token.expose().into()),
                Renewal::ClientCredentials(grant) => {
                    RenewalV1::ClientCredentials((&**grant).into())
                }
            }),
            full_scope: rare
                .and_then(|rare| rare.full_scope.as_ref())
                .map(|scope| scope.as_str().into()),
            nonce: state.nonce().map(Into::into),
            kept: rare.map_or("", |rare| rare.kept.expose()).into(),
            setbacks: state.setbacks,
        }
    }
}

impl<'a> From<&'a ForResource> for ForResourceV1<'a> {
    fn from(other: &'a ForResource) -> Self {
        Self { resource: other.resource.as_str().into(), tokens: (&other.tokens).into() }
    }
}

impl TryFrom<AuthorizedV1<'_>> for Authorized {
    type Error = Invalid;

    fn try_from(stored: AuthorizedV1<'_>) -> Result<Self, Invalid> {
        let login = login(stored.login)?;
        if stored.others.len() > MOST_RESOURCES {
            return Err("tokens for too many resources");
        }
        if stored.tokens.is_absent() && stored.renewal.is_none() {
            return Err("neither an access token nor anything to get one with");
        }
        let mut others: Vec<ForResource> = Vec::new();
        for other in stored.others {
            let (resource, tokens) = (resource(other.resource)?, other.tokens.load(login)?);
            if others.iter().any(|known| known.resource == resource) {
                return Err("tokens for the same resource twice");
            }
            others.push(ForResource { resource, tokens });
        }
        let tokens = stored.tokens.load(login)?;
        let numbers = others.iter().map(|other| other.tokens.access.generation().number());
        let mut numbers: Vec<u64> = numbers.chain([tokens.access.generation().number()]).collect();
        numbers.sort_unstable();
        if !numbers.is_sorted_by(|earlier, later| earlier < later) {
            return Err("two tokens of the same answer");
        }
        Ok(Self {
            login,
            tokens,
            renewal: match stored.renewal {
                Some(RenewalV1::RefreshToken(token)) => Some(Renewal::RefreshToken(secret(token)?)),
                Some(RenewalV1::ClientCredentials(grant)) => {
                    Some(Renewal::ClientCredentials(Box::new(grant.try_into()?)))
                }
                None => None,
            },
            rare: Rare::new(
                others,
                stored.full_scope.map(|text| scope(&text)).transpose()?,
                nonce(stored.nonce)?.map(Box::new),
                extras(stored.kept)?,
            ),
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
        Self::Refreshing(RefreshingV1 {
            held: (&state.held).into(),
            asked: AskedV1 {
                scope: state.asked.scope().map(|scope| scope.as_str().into()),
                params: state.asked.params().into(),
                resource: state.asked.resource().map(Into::into),
            },
            attempt: state.attempt,
        })
    }
}

impl TryFrom<RefreshingV1<'_>> for Refreshing {
    type Error = Invalid;

    fn try_from(stored: RefreshingV1<'_>) -> Result<Self, Invalid> {
        let held = Authorized::try_from(stored.held)?;
        let asked = Asked::new(
            stored.asked.scope.map(|text| scope(&text)).transpose()?,
            params(stored.asked.params)?,
            stored.asked.resource.map(resource).transpose()?,
        );
        if let Some(resource) = asked.resource()
            && !form_urlencoded::parse(asked.params().as_bytes())
                .any(|(name, value)| name == "resource" && value == resource)
        {
            return Err("a refresh for a resource that it does not ask for");
        }
        match &held.renewal {
            None => return Err("a refresh without anything to refresh with"),
            Some(Renewal::ClientCredentials(_)) if asked != Asked::default() => {
                return Err("a refresh that asks for what it cannot get");
            }
            Some(_) => {}
        }
        Ok(Self { held, asked, attempt: attempt(stored.attempt)? })
    }
}
