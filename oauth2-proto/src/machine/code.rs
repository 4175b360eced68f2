//! An authorization code that has passed every check: a proof, not a string.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::Request;

use super::awaiting_token::{AwaitingToken, Grant};
use super::token_request::{is_no_secret, is_token_parameter};
use super::{Attempt, Failed, Login, Setbacks};
use crate::client::{Client, Params, RequestKind};
use crate::error::{Denied, Error, Misuse};
use crate::value::{Body, RandomText, Scope, Secret, Timestamp};

/// A checked authorization code, together with the verifier and redirect URI that belong to it.
///
/// It comes only out of [`AwaitingCallback::accept`](crate::AwaitingCallback::accept), so it can
/// not be redeemed by another login. It can neither be stored nor cloned: a code works once.
pub struct Code {
    pub(super) login: Login,
    pub(super) code: Secret,
    pub(super) verifier: RandomText,
    pub(super) nonce: Option<Box<RandomText>>,
    pub(super) id_token: Option<Secret>,
    pub(super) kept: Vec<(String, String)>,
    pub(super) redirect_uri: String,
    pub(super) scope: Scope,
    pub(super) added: Vec<Added>,
}

/// What the token request has beside the code.
pub(super) enum Added {
    /// Where the token will be used, which was checked when the login began.
    Resource(String),
    /// A parameter of the provider's own, in memory only.
    Param(String, Secret),
}

impl Code {
    /// Adds a parameter of the provider's own to the token request.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.added.push(Added::Param(name.into(), Secret::from(value)));
        self
    }

    /// Builds the token request: send it once, then hand the answer to what comes with it.
    ///
    /// The pending login must be out of its store by now.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`](crate::Misuse::WrongClient);
    /// [`Misuse::Parameter`](crate::Misuse::Parameter) when a [parameter](Self::param) is the
    /// protocol's, or there twice; what [`Authenticate`](crate::Authenticate) says. The state that is
    /// left still has the code: [`retry`](AwaitingToken::retry) sends it.
    ///
    /// See [RFC 6749 §4.1.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.1.3) and
    /// [RFC 7636 §4.5](https://www.rfc-editor.org/rfc/rfc7636#section-4.5).
    pub fn redeem(
        self,
        client: &Client,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingToken), Failed> {
        let mut setbacks = Setbacks::default();
        let attempt = Attempt::new(&mut setbacks, client.policy().lease(None), now);
        let mut awaiting = AwaitingToken {
            login: self.login,
            first: None,
            attempt,
            setbacks,
            grant: Grant::Code(self),
        };
        let request = awaiting.login.check(client).map_err(Error::from);
        match request.and_then(|()| awaiting.request(client, now)) {
            Ok(request) => Ok((request, awaiting)),
            Err(error) => {
                awaiting.attempt.on_its_way = false;
                Err(Failed::new(error, awaiting))
            }
        }
    }

    /// Asks for a token for one of the login's resources only; all of them stay reachable with
    /// [`refresh_for`](crate::Authorized::refresh_for). For servers that give no token for several.
    ///
    /// # Errors
    /// [`Misuse::Url`] when the login was not begun with this resource.
    ///
    /// See [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2).
    pub fn narrow_to(&mut self, resource: &str) -> Result<(), Misuse> {
        let is_other = |added: &Added| matches!(added, Added::Resource(own) if own != resource);
        let is_it = |added: &Added| matches!(added, Added::Resource(own) if own == resource);
        if !self.added.iter().any(is_it) {
            return Err(Misuse::Url("resource", "is not one that the login was begun with"));
        }
        self.added.retain(|added| !is_other(added));
        Ok(())
    }

    /// A parameter that the provider added to the callback, where it was asked to be
    /// [kept](crate::AuthorizationRequest::keep), or the dialect keeps it.
    #[must_use]
    pub fn kept(&self, name: &str) -> Option<&str> {
        self.kept.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// The raw ID token that came beside the code in a [hybrid](crate::AuthorizationRequest::hybrid)
    /// login. **Its signature has not been checked.**
    #[must_use]
    pub const fn id_token(&self) -> Option<&Secret> {
        self.id_token.as_ref()
    }

    pub(super) fn request(&self, client: &Client, now: Timestamp) -> Result<Request<Body>, Error> {
        let params = Params { pairs: self.params().collect(), resources: Vec::new() };
        params.check(|name| match name {
            // RFC 6749 §4.1.3 knows no scope here; a server that does wants it as its own.
            "scope" => false,
            "code" | "redirect_uri" | "code_verifier" => true,
            other => is_token_parameter(other),
        })?;
        let lengths = self.code.expose().len().saturating_add(self.redirect_uri.len());
        let mut form =
            client.form("authorization_code", lengths.saturating_mul(2).saturating_add(160));
        form.pair("code", self.code.expose());
        form.pair("redirect_uri", &self.redirect_uri);
        form.pair("code_verifier", self.verifier.as_str());
        // RFC 8707 §2.2: resource may be repeated at the token endpoint.
        for added in &self.added {
            if let Added::Resource(resource) = added {
                form.pair("resource", resource);
            }
        }
        params.iter().for_each(|(name, value)| form.own_pair(name, value));
        client.post(RequestKind::Token, form, now)
    }

    /// A denial without the texts that repeat what was sent.
    pub(super) fn silenced(&self, denied: Denied) -> Denied {
        let denied = denied.without(self.code.expose()).without(self.verifier.as_str());
        let params = self.params();
        let params = params.filter(|(name, value)| !is_no_secret(name) && !value.is_empty());
        params.fold(denied, |denied, (_, value)| denied.without(value))
    }

    fn params(&self) -> impl Iterator<Item = (&str, &str)> {
        self.added.iter().filter_map(|added| match added {
            Added::Param(name, value) => Some((name.as_str(), value.expose())),
            Added::Resource(_) => None,
        })
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("login", &self.login).finish_non_exhaustive()
    }
}
