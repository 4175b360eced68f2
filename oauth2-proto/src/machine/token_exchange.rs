//! Token exchange (RFC 8693): one token in exchange for another, such as one for a service behind.

use core::fmt;

use http::Request;
use rand::TryCryptoRng;

use super::{AwaitingToken, TokenRequest};
use crate::client::Client;
use crate::error::{Error, Misuse};
use crate::value::{Body, Timestamp};

/// An exchange of tokens that is about to begin.
///
/// Its answer is a login of its own. What kind of token was issued says
/// [`Authorized::issued_token_type`](crate::Authorized::issued_token_type); one that is no access
/// token has the type `N_A`: take it with [`AccessToken::expose`](crate::AccessToken::expose), it
/// refuses to be attached.
///
/// ```
/// # use oauth2_proto::{Client, Timestamp};
/// # fn exchange(client: &Client, token: &str, now: Timestamp) -> Result<(), oauth2_proto::Error> {
/// let (request, awaiting) = client
///     .token_exchange(token, "urn:ietf:params:oauth:token-type:access_token")
///     .audience("billing")
///     .resource("https://billing.example/api")
///     .begin(&mut rand::rng(), now)?;
/// # Ok(()) }
/// ```
#[must_use = "`begin` builds the request"]
pub struct TokenExchange<'a>(TokenRequest<'a>);

impl Client {
    /// Prepares an exchange of this token, of the given type (a URI of RFC 8693 §3).
    ///
    /// See [RFC 8693 §2.1](https://www.rfc-editor.org/rfc/rfc8693#section-2.1).
    pub fn token_exchange(
        &self,
        subject_token: &str,
        subject_token_type: &str,
    ) -> TokenExchange<'_> {
        let request = TokenRequest::new(self, "urn:ietf:params:oauth:grant-type:token-exchange");
        let request = request.showing("subject_token", subject_token);
        TokenExchange(request.showing("subject_token_type", subject_token_type))
    }
}

impl<'a> TokenExchange<'a> {
    /// Names who acts for the subject, by a token of the given type.
    pub fn actor(self, actor_token: &str, actor_token_type: &str) -> Self {
        let request = self.0.showing("actor_token", actor_token);
        // RFC 8693 §2.1: actor_token_type is REQUIRED when the actor_token is present.
        Self(request.showing("actor_token_type", actor_token_type))
    }

    /// Asks for a token of this type.
    pub fn requested_token_type(self, token_type: &str) -> Self {
        Self(self.0.showing("requested_token_type", token_type))
    }

    /// Names the service the token is for, as the authorization server knows it; may be repeated.
    pub fn audience(self, audience: &str) -> Self {
        Self(self.0.showing_also("audience", audience))
    }

    /// Says where the token will be used; may be repeated.
    pub fn resource(self, resource: &'a str) -> Self {
        Self(self.0.resource(resource))
    }

    /// Asks for this scope: tokens separated by spaces.
    pub fn scope(self, scope: &'a str) -> Self {
        Self(self.0.scope(scope))
    }

    /// Adds a parameter of the provider's own.
    pub fn param(self, name: &'a str, value: &'a str) -> Self {
        Self(self.0.param(name, value))
    }

    /// Begins the exchange: send the request, hand its answer in.
    ///
    /// # Errors
    /// As [`TokenRequest::begin`]; [`Misuse::Parameter`] for an `actor_token` or its type that did not
    /// come through [`actor`](Self::actor).
    pub fn begin<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingToken), Error> {
        // RFC 8693 §2.1: actor_token_type MUST NOT be included without an actor_token.
        for name in ["actor_token", "actor_token_type"] {
            if self.0.has_param(name) {
                return Err(Misuse::Parameter(name.into()).into());
            }
        }
        self.0.begin(rng, now)
    }
}

impl fmt::Debug for TokenExchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
