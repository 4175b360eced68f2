//! The client credentials grant (RFC 6749 §4.4): a login that a program can repeat by itself.

use alloc::string::String;
use core::fmt;

use http::Request;
use rand::TryCryptoRng;

use super::pending::no_randomness;
use super::token_request::is_token_parameter;
use super::{AwaitingToken, Login, Setbacks, Unauthorized};
use crate::client::{Client, Params, RequestKind, asks_for};
use crate::error::{Error, Reason};
use crate::value::{Body, LoginId, Scope, Timestamp};

/// What a client credentials request asks for; kept, so that it can be asked for again.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClientCredentials {
    pub(crate) scope: Scope,
    /// The caller's own parameters, encoded.
    pub(crate) params: String,
}

impl ClientCredentials {
    pub(super) fn request(
        &self,
        client: &Client,
        kind: RequestKind,
        now: Timestamp,
    ) -> Result<Request<Body>, Error> {
        let capacity = self.scope.as_str().len().saturating_mul(2);
        let capacity = capacity.saturating_add(self.params.len()).saturating_add(64);
        let mut form = client.form("client_credentials", capacity);
        if !self.scope.is_empty() {
            form.pair("scope", self.scope.as_str());
        }
        form.encoded_pairs(&self.params);
        client.post(kind, form, now)
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// A login of the program itself that is about to begin.
///
/// Made by [`Client::client_credentials`]. A service hands [`ready`](Self::ready) to a
/// [`Session`](crate::Session), which asks for tokens for as long as it runs;
/// [`begin`](Self::begin) is for doing it by hand.
pub struct ClientCredentialsRequest<'a> {
    client: &'a Client,
    scope: &'a str,
    params: Params<'a>,
}

impl Client {
    /// Prepares a login of the program itself, without a person.
    ///
    /// See [RFC 6749 §4.4](https://www.rfc-editor.org/rfc/rfc6749#section-4.4).
    #[must_use]
    pub fn client_credentials(&self) -> ClientCredentialsRequest<'_> {
        ClientCredentialsRequest { client: self, scope: "", params: Params::default() }
    }
}

asks_for!(
    ClientCredentialsRequest,
    scope: "Asks for this scope: tokens separated by spaces.",
    param: "Adds a parameter of the provider's own, such as `audience`. It is stored with the login: no secrets here."
);

impl ClientCredentialsRequest<'_> {
    /// A login that has not been sent yet: hand it to a [`Session`](crate::Session), or
    /// [renew](Unauthorized::renew) it when the first token is needed.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the scope or a parameter is not usable; [`Error::Unavailable`] when
    /// a fallible source of randomness fails.
    pub fn ready<R: TryCryptoRng>(self, rng: &mut R) -> Result<Unauthorized, Error> {
        self.params.check(is_token_parameter)?;
        let scope = Scope::new(self.scope)?;
        let login = LoginId::random(rng).map_err(|_| no_randomness())?;
        Ok(Unauthorized {
            login: Login::begin(login, self.client),
            reason: Reason::NotStarted,
            requested: scope.clone(),
            renewal: Some(ClientCredentials { scope, params: self.params.encoded() }),
            setbacks: Setbacks::default(),
        })
    }

    /// Begins the login: send the request, hand its answer in.
    ///
    /// # Errors
    /// As [`ready`](Self::ready).
    pub fn begin<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingToken), Error> {
        let client = self.client;
        Ok(self.ready(rng)?.renew(client, now)?)
    }
}

impl fmt::Debug for ClientCredentialsRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentialsRequest")
            .field("client_id", &self.client.id())
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}
