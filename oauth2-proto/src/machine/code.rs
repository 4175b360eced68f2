//! An authorization code that has passed every check: a proof, not a string.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::Request;

use super::awaiting_token::{AwaitingToken, Grant};
use super::{Attempt, Failed, Login, Setbacks};
use crate::client::{Client, RequestKind};
use crate::error::{Error, Misuse};
use crate::value::{Body, RandomText, Scope, Secret, Timestamp};

/// A checked authorization code, together with the verifier and redirect URI that belong to it.
///
/// It comes only out of [`AwaitingCallback::accept`](crate::AwaitingCallback::accept), so it can
/// not be redeemed by another login. It can neither be stored nor cloned: a code works once.
pub struct Code {
    pub(super) login: Login,
    pub(super) code: Secret,
    pub(super) verifier: RandomText,
    pub(super) nonce: Option<RandomText>,
    pub(super) id_token: Option<Secret>,
    pub(super) kept: Vec<(String, String)>,
    pub(super) redirect_uri: String,
    pub(super) scope: Scope,
    pub(super) resources: Vec<String>,
}

impl Code {
    /// Builds the token request: send it once, then hand the answer to what comes with it.
    ///
    /// The pending login must be out of its store by now.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`](crate::Misuse::WrongClient); what
    /// [`Authenticate`](crate::Authenticate) says. The state that is left still has the code:
    /// [`retry`](AwaitingToken::retry) sends it.
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
        if !self.resources.iter().any(|own| own == resource) {
            return Err(Misuse::Url("resource", "is not one that the login was begun with"));
        }
        self.resources.retain(|own| own == resource);
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
        let lengths = self.code.expose().len().saturating_add(self.redirect_uri.len());
        let mut form =
            client.form("authorization_code", lengths.saturating_mul(2).saturating_add(160));
        form.pair("code", self.code.expose());
        form.pair("redirect_uri", &self.redirect_uri);
        form.pair("code_verifier", self.verifier.as_str());
        // RFC 8707 §2.2: resource may be repeated at the token endpoint.
        for resource in &self.resources {
            form.pair("resource", resource);
        }
        client.post(RequestKind::Token, form, now)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code").field("login", &self.login).finish_non_exhaustive()
    }
}
