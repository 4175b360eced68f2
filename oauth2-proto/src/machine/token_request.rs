//! A login that takes one token request and no browser, and that the program cannot repeat by
//! itself: the password grant, assertions, token exchange, extension grants. Each has a file of its
//! own, which says what it adds here.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::Request;
use rand::TryCryptoRng;
use url::form_urlencoded;

use super::pending::no_randomness;
use super::{Attempt, AwaitingToken, Grant, Login, Setbacks};
use crate::client::{Client, Params, RequestKind, asks_for};
use crate::error::{Denied, Error};
use crate::value::{Body, LoginId, Scope, Secret, Timestamp};
use crate::wire::Form;

/// A login that is about to begin with one token request.
///
/// [`begin`](Self::begin) builds the request and the state that awaits its answer. What it shows
/// the server (a password, an assertion, a token) is held until the answer is there, and never
/// stored: renew the login with the refresh token of the answer, or begin a new one.
pub struct TokenRequest<'a> {
    client: &'a Client,
    grant_type: &'a str,
    shown: Vec<(&'static str, Secret)>,
    scope: &'a str,
    params: Params<'a>,
}

asks_for!(
    TokenRequest,
    scope: "Asks for this scope: tokens separated by spaces.",
    param: "Adds a parameter of the provider's own."
);

impl<'a> TokenRequest<'a> {
    pub(super) const fn new(client: &'a Client, grant_type: &'a str) -> Self {
        let params = Params { pairs: Vec::new(), resources: Vec::new() };
        Self { client, grant_type, shown: Vec::new(), scope: "", params }
    }

    /// Adds a parameter of the grant itself, in place of an earlier one.
    pub(super) fn showing(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        // RFC 6749 §3.2: parameters MUST NOT be included more than once.
        self.shown.retain(|(own, _)| *own != name);
        self.showing_also(name, value)
    }

    /// Adds a parameter of the grant itself that may be repeated.
    pub(super) fn showing_also(mut self, name: &'static str, value: impl Into<Secret>) -> Self {
        self.shown.push((name, value.into()));
        self
    }

    /// Whether the caller has added a parameter of this name.
    pub(super) fn has_param(&self, name: &str) -> bool {
        self.params.pairs.iter().any(|(own, _)| *own == name)
    }

    /// Begins the login: send the request, hand its answer in.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the scope or a parameter is not usable; [`Error::Unavailable`] when
    /// a fallible source of randomness fails; what [`Authenticate`](crate::Authenticate) says.
    pub fn begin<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingToken), Error> {
        let is_shown = |name: &str| self.shown.iter().any(|(own, _)| *own == name);
        self.params.check(|name| is_token_parameter(name) || is_shown(name))?;
        let scope = Scope::new(self.scope)?;
        let login = LoginId::random(rng).map_err(|_| no_randomness())?;
        let mut form = Form::with_capacity(256);
        for (name, value) in &self.shown {
            form.pair(name, value.expose());
        }
        let params = self.params.iter();
        let scope_pair = (!scope.is_empty()).then_some(("scope", scope.as_str()));
        scope_pair.into_iter().chain(params).for_each(|(name, value)| form.own_pair(name, value));
        let pairs = Secret::new(form.into_text());
        let grant = OneTimeGrant { grant_type: self.grant_type.into(), pairs, scope };
        let request = grant.request(self.client, now)?;
        let mut setbacks = Setbacks::default();
        let attempt = Attempt::new(&mut setbacks, self.client.policy().lease(None), now);
        let login = Login::begin(login, self.client);
        let grant = Grant::OneTime(grant);
        Ok((request, AwaitingToken { login, grant, first: None, attempt, setbacks }))
    }
}

impl fmt::Debug for TokenRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("client_id", &self.client.id())
            .field("grant_type", &self.grant_type)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// What such a request showed the server: in memory only, so that a request which never left can be
/// built again.
pub(crate) struct OneTimeGrant {
    grant_type: String,
    /// Every parameter but the grant type, encoded.
    pairs: Secret,
    pub(crate) scope: Scope,
}

impl OneTimeGrant {
    pub(super) fn request(&self, client: &Client, now: Timestamp) -> Result<Request<Body>, Error> {
        let pairs = self.pairs.expose();
        let room = self.grant_type.len().saturating_mul(2).saturating_add(pairs.len());
        let mut form = client.form(&self.grant_type, room.saturating_add(64));
        form.encoded_pairs(pairs);
        client.post(RequestKind::Token, form, now)
    }

    /// A denial without the texts that repeat what was shown.
    pub(super) fn silenced(&self, denied: Denied) -> Denied {
        form_urlencoded::parse(self.pairs.expose().as_bytes())
            .filter(|(name, value)| !is_no_secret(name) && !value.is_empty())
            .fold(denied, |denied, (_, value)| denied.without(&value))
    }
}

impl fmt::Debug for OneTimeGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OneTimeGrant")
            .field("grant_type", &self.grant_type)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// Parameters that a server may well repeat when it explains itself.
pub(super) fn is_no_secret(name: &str) -> bool {
    matches!(name, "scope" | "resource" | "audience") || name.ends_with("_type")
}

/// The parameters of a token request that are the machine's own.
pub(super) fn is_token_parameter(name: &str) -> bool {
    matches!(name, "grant_type" | "scope" | "client_id" | "client_secret")
}
