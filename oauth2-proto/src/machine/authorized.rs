//! There are tokens: what they are good for, and until when.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use http::Request;
use serde::de::DeserializeOwned;

use super::{
    Asked, Attempt, ClientCredentials, Failed, ForResource, Login, Refresh, Refreshing, Setbacks,
    Tokens, Unauthorized,
};
use crate::client::{Client, RequestKind};
use crate::error::{Error, Expired, Misuse, Reason};
use crate::value::{AccessToken, Body, Generation, LoginId, RandomText, Scope, Secret, Timestamp};
use crate::wire::extra;

/// There are tokens.
///
/// Ask for the [token](Self::token) each time it is used. From [`refresh_at`](Self::refresh_at) on,
/// [refresh](Self::refresh): save the `Refreshing` that comes back, send the request, save what the
/// answer makes of it. [`Session`](crate::Session) does all that in place.
///
/// Whoever can read a stored `Authorized` can act as the person who logged in: store it like a
/// password.
#[derive(Debug)]
pub struct Authorized {
    pub(crate) login: Login,
    pub(crate) tokens: Tokens,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) setbacks: Setbacks,
}

/// What few logins have.
#[derive(Debug)]
pub(crate) struct Rare {
    /// Access tokens for one resource each, beside that of the login itself (RFC 8707 §2.2).
    pub(crate) others: Vec<ForResource>,
    /// What was granted to the login, where its tokens were asked for less.
    pub(crate) full_scope: Option<Scope>,
    /// OpenID Connect: what the ID token has to repeat.
    pub(crate) nonce: Option<Box<RandomText>>,
    /// Callback parameters of the provider's own, as the text of a JSON object.
    pub(crate) kept: Secret,
}

impl Rare {
    /// All of it; nothing where there is none.
    pub(crate) fn new(
        others: Vec<ForResource>,
        full_scope: Option<Scope>,
        nonce: Option<Box<RandomText>>,
        kept: Secret,
    ) -> Option<Box<Self>> {
        let nothing = others.is_empty()
            && full_scope.is_none()
            && nonce.is_none()
            && kept.expose().is_empty();
        (!nothing).then(|| Box::new(Self { others, full_scope, nonce, kept }))
    }
}

impl Default for Rare {
    fn default() -> Self {
        let kept = Secret::new(String::new());
        Self { others: Vec::new(), full_scope: None, nonce: None, kept }
    }
}

/// What new tokens are asked for with.
#[derive(Clone, Debug)]
pub(crate) enum Renewal {
    RefreshToken(Secret),
    ClientCredentials(Box<ClientCredentials>),
}

impl Renewal {
    pub(super) fn refresh_token(token: &str) -> Self {
        Self::RefreshToken(Secret::from(token))
    }
}

impl Authorized {
    /// The access token, unless it has expired or a resource server has rejected it. Refresh then.
    #[must_use]
    pub fn token(&self, now: Timestamp) -> Option<&AccessToken> {
        self.tokens.usable(now)
    }

    /// The access token for one resource, which [`refresh_for`](Self::refresh_for) has asked for;
    /// `None` too when it has expired or was rejected.
    #[must_use]
    pub fn token_for(&self, resource: &str, now: Timestamp) -> Option<&AccessToken> {
        self.held_for(Some(resource))?.usable(now)
    }

    /// Puts the token on a request.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Expired::Token`] when there is no usable token; else as
    /// [`AccessToken::attach`].
    pub fn attach<B>(
        &self,
        client: &Client,
        request: &mut Request<B>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.login.check(client)?;
        client.attach(self.token(now).ok_or(Error::Expired(Expired::Token))?, request)
    }

    /// The scope that was granted, which may be less, more or other than what was asked for.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.tokens.granted
    }

    /// What was asked for and not granted.
    #[must_use]
    pub fn missing_scope(&self) -> Scope {
        self.tokens.requested.without(&self.tokens.granted)
    }

    /// What was granted without being asked for.
    #[must_use]
    pub fn additional_scope(&self) -> Scope {
        self.tokens.granted.without(&self.tokens.requested)
    }

    /// A member of the token answer that OAuth gives no meaning to, such as `instance_url`; `None`
    /// when it is not there or not a `T`.
    #[must_use]
    pub fn extra<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        extra(self.tokens.extras.expose(), name)
    }

    /// What kind of token an exchange brought, as a URI of RFC 8693 §3.
    ///
    /// See [RFC 8693 §2.2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.2.1).
    #[must_use]
    pub fn issued_token_type(&self) -> Option<String> {
        self.extra("issued_token_type")
    }

    /// A parameter that the provider added to the callback, where it was asked to be
    /// [kept](crate::AuthorizationRequest::keep), or the dialect keeps it. It stays through every
    /// refresh. It came through the browser, so the person can have changed it.
    #[must_use]
    pub fn kept(&self, name: &str) -> Option<String> {
        extra(self.rare.as_ref()?.kept.expose(), name)
    }

    /// The `nonce` that was sent where an ID token was asked for: the ID token of this login has to
    /// repeat it.
    ///
    /// See [OpenID Connect Core §3.1.3.7](https://openid.net/specs/openid-connect-core-1_0.html#IDTokenValidation).
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.rare.as_ref()?.nonce.as_deref().map(RandomText::as_str)
    }

    /// The raw ID token. **Its signature has not been checked.**
    #[must_use]
    pub const fn id_token(&self) -> Option<&Secret> {
        self.tokens.id_token.as_ref()
    }

    /// When to ask for a new token; `None` when this one does not say when it expires.
    #[must_use]
    pub const fn refresh_at(&self) -> Option<Timestamp> {
        self.tokens.refresh_at
    }

    /// When the access token expires; `None` when the server did not say.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.tokens.expires_at
    }

    /// When a person has to log in again: the token's expiry, if nothing can renew it.
    #[must_use]
    pub fn login_due_at(&self) -> Option<Timestamp> {
        if self.renewal.is_some() { None } else { self.tokens.expires_at }
    }

    /// Whether [`refresh`](Self::refresh) has something to ask with.
    #[must_use]
    pub const fn is_renewable(&self) -> bool {
        self.renewal.is_some()
    }

    /// The login that these tokens belong to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login.id
    }

    /// Asks for new tokens, with the refresh token or by repeating client credentials. Save the
    /// state that comes back, then send the request.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Misuse::NotRenewable`]; [`Misuse::TooEarly`] while a back-off is
    /// pending. The state stays the same.
    ///
    /// See [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6).
    pub fn refresh(
        self,
        client: &Client,
        now: Timestamp,
    ) -> Result<(Request<Body>, Refreshing), Failed> {
        self.refresh_asking(client, Asked::default(), now)
    }

    /// Asks for new tokens, and for what stands in `refresh`: less scope, a resource, parameters of
    /// the provider's own. Save the state that comes back, then send the request.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh); [`Misuse::Scope`] for a scope that was neither granted nor
    /// asked for, [`Misuse::Parameter`] and [`Misuse::Url`] for parameters that are not usable.
    ///
    /// See [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6).
    pub fn refresh_with(
        self,
        refresh: &Refresh<'_>,
        client: &Client,
        now: Timestamp,
    ) -> Result<(Request<Body>, Refreshing), Failed> {
        match refresh.checked(&self) {
            Ok(asked) => self.refresh_asking(client, asked, now),
            Err(misuse) => Err(Failed::new(misuse, self)),
        }
    }

    /// Asks for another access token of this login, for one resource: afterwards
    /// [`token_for`](Self::token_for) has it, beside the tokens that are held already. Save the state
    /// that comes back, then send the request.
    ///
    /// # Errors
    /// As [`refresh`](Self::refresh); [`Misuse::NotRenewable`] without a refresh token;
    /// [`Misuse::Url`] for a resource that is no absolute URI, or one too many (32).
    ///
    /// See [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2).
    pub fn refresh_for(
        self,
        resource: &str,
        client: &Client,
        now: Timestamp,
    ) -> Result<(Request<Body>, Refreshing), Failed> {
        match Refresh::for_resource(resource, &self, now) {
            Ok(asked) => self.refresh_asking(client, asked, now),
            Err(misuse) => Err(Failed::new(misuse, self)),
        }
    }

    fn refresh_asking(
        mut self,
        client: &Client,
        asked: Asked,
        now: Timestamp,
    ) -> Result<(Request<Body>, Refreshing), Failed> {
        if let Err(misuse) = self.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        if let Some(due) = self.setbacks.pending(now) {
            return Err(Failed::new(Misuse::TooEarly(due), self));
        }
        let request = match self.renewal_request(client, &asked, now) {
            Ok(request) => request,
            Err(error) => return Err(Failed::new(error, self)),
        };
        let lease = client.policy().lease(self.tokens.lifetime());
        let attempt = Attempt::new(&mut self.setbacks, lease, now);
        Ok((request, Refreshing { held: self, asked, attempt }))
    }

    /// Access tokens for one resource each, beside that of the login itself.
    pub(crate) fn others(&self) -> &[ForResource] {
        self.rare.as_ref().map_or(&[], |rare| &rare.others)
    }

    /// What was granted to the login, even where its tokens were asked for less.
    pub(crate) fn full_scope(&self) -> &Scope {
        let full = self.rare.as_ref().and_then(|rare| rare.full_scope.as_ref());
        full.unwrap_or(&self.tokens.granted)
    }

    /// The tokens for this resource; those of the login itself for none.
    pub(crate) fn held_for(&self, resource: Option<&str>) -> Option<&Tokens> {
        let Some(resource) = resource else { return Some(&self.tokens) };
        self.others().iter().find(|other| other.resource == resource).map(|other| &other.tokens)
    }

    /// The tokens of this generation.
    pub(crate) fn held_of(&mut self, generation: Generation) -> Option<&mut Tokens> {
        let others =
            self.rare.iter_mut().flat_map(|rare| &mut rare.others).map(|other| &mut other.tokens);
        core::iter::once(&mut self.tokens)
            .chain(others)
            .find(|tokens| tokens.access.generation() == generation)
    }

    /// The generations whose tokens resource servers have refused.
    pub(crate) fn rejected(&self) -> impl Iterator<Item = Generation> {
        let others = self.others().iter().map(|other| &other.tokens);
        let all = core::iter::once(&self.tokens).chain(others);
        all.filter(|tokens| tokens.rejected).map(|tokens| tokens.access.generation())
    }

    /// Whether the tokens of this generation are known to be rejected, or gone.
    pub(crate) fn is_rejected(&self, generation: Generation) -> bool {
        let others = self.others().iter().map(|other| &other.tokens);
        core::iter::once(&self.tokens)
            .chain(others)
            .all(|tokens| tokens.rejected || tokens.access.generation() != generation)
    }

    /// Whether another access token can be asked for, beside those that are held.
    pub(crate) const fn is_refreshable(&self) -> bool {
        matches!(self.renewal, Some(Renewal::RefreshToken(_)))
    }

    pub(super) fn renewal_request(
        &self,
        client: &Client,
        asked: &Asked,
        now: Timestamp,
    ) -> Result<Request<Body>, Error> {
        match self.renewal.as_ref().ok_or(Misuse::NotRenewable)? {
            Renewal::RefreshToken(token) => {
                let capacity = token.expose().len().saturating_add(asked.params().len());
                let capacity = capacity.saturating_mul(2).saturating_add(64);
                let mut form = client.form("refresh_token", capacity);
                form.pair("refresh_token", token.expose());
                if let Some(scope) = asked.scope() {
                    form.pair("scope", scope.as_str());
                }
                form.encoded_pairs(asked.params());
                client.post(RequestKind::Refresh, form, now)
            }
            Renewal::ClientCredentials(grant) => grant.request(client, RequestKind::Refresh, now),
        }
    }

    /// These tokens are of no use any more, and this is why.
    pub(crate) fn end(self, reason: Reason) -> Unauthorized {
        let renewal = match self.renewal {
            Some(Renewal::ClientCredentials(grant)) => Some(*grant),
            Some(Renewal::RefreshToken(_)) | None => None,
        };
        let requested = self.tokens.requested;
        Unauthorized { login: self.login, reason, requested, renewal, setbacks: self.setbacks }
    }
}
