//! The device authorization request (RFC 8628 §3.1): how a device without a browser begins.

use core::fmt;

use http::{Request, Response};
use rand::TryCryptoRng;

use super::pending::no_randomness;
use super::token_request::is_token_parameter;
use super::{Login, Polling};
use crate::client::{Client, Params, RequestKind, asks_for};
use crate::error::Error;
use crate::value::{Body, LoginId, Scope, Timestamp};
use crate::wire::{DeviceAnswer, Form};

/// A login on a device without a browser that is about to begin.
///
/// Made by [`Client::device_authorization`].
pub struct DeviceAuthorizationRequest<'a> {
    client: &'a Client,
    scope: &'a str,
    params: Params<'a>,
}

impl Client {
    /// Prepares a login on a device without a browser: the person opens a page elsewhere and enters
    /// a code.
    ///
    /// ```
    /// # use http::{Request, Response};
    /// # use oauth2_proto::{Authorized, Body, Client, Polled, Timestamp};
    /// # fn log_in(
    /// #     client: &Client,
    /// #     send: fn(Request<Body>) -> Response<Vec<u8>>,
    /// #     sleep_until: fn(Timestamp),
    /// #     now: fn() -> Timestamp,
    /// # ) -> Result<Authorized, Box<dyn std::error::Error>> {
    /// let (request, awaiting) =
    ///     client.device_authorization().scope("profile").begin(&mut rand::rng(), now())?;
    /// let mut polling = awaiting.receive(client, &send(request), now())?;
    /// println!("Open {} and enter {}", polling.verification_uri(), polling.user_code());
    /// loop {
    ///     sleep_until(polling.next_poll());
    ///     let (request, polled) = polling.poll(client, now())?;
    ///     polling = match polled.receive(client, &send(request), now())? {
    ///         Polled::Authorized(login) => return Ok(login),
    ///         Polled::Pending(polling) => polling,
    ///     };
    /// }
    /// # }
    /// ```
    ///
    /// See [RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1).
    #[must_use]
    pub fn device_authorization(&self) -> DeviceAuthorizationRequest<'_> {
        DeviceAuthorizationRequest { client: self, scope: "", params: Params::default() }
    }
}

asks_for!(
    DeviceAuthorizationRequest,
    scope: "Asks for this scope: tokens separated by spaces.",
    param: "Adds a parameter of the provider's own."
);

impl DeviceAuthorizationRequest<'_> {
    /// Begins the login: send the request, hand its answer in.
    ///
    /// # Errors
    /// [`Error::Misuse`] when the scope or a parameter is not usable, or the server was made without
    /// a device authorization endpoint; [`Error::Unavailable`] when a fallible source of randomness
    /// fails; what [`Authenticate`](crate::Authenticate) says.
    pub fn begin<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingUserCode), Error> {
        self.params.check(is_token_parameter)?;
        let scope = Scope::new(self.scope)?;
        let login = LoginId::random(rng).map_err(|_| no_randomness())?;
        let mut form = Form::with_capacity(256);
        if !scope.is_empty() {
            form.pair("scope", scope.as_str());
        }
        self.params.iter().for_each(|(name, value)| form.own_pair(name, value));
        let request = self.client.post(RequestKind::DeviceAuthorization, form, now)?;
        let login = Login::begin(login, self.client);
        Ok((request, AwaitingUserCode { login, scope, sent_at: now }))
    }
}

impl fmt::Debug for DeviceAuthorizationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAuthorizationRequest")
            .field("client_id", &self.client.id())
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// The codes have been asked for. Not worth storing: where the answer is lost, begin again.
#[derive(Debug)]
pub struct AwaitingUserCode {
    login: Login,
    scope: Scope,
    sent_at: Timestamp,
}

impl AwaitingUserCode {
    /// Reads the answer: what comes back has the code to show to the person, and
    /// [polls](Polling::poll) for the token.
    ///
    /// # Errors
    /// Why there are no codes. Nothing is lost: begin again.
    ///
    /// See [RFC 8628 §3.2](https://www.rfc-editor.org/rfc/rfc8628#section-3.2).
    pub fn receive<B: AsRef<[u8]>>(
        self,
        client: &Client,
        response: &Response<B>,
        now: Timestamp,
    ) -> Result<Polling, Error> {
        self.login.check(client)?;
        let heard = client.hear(RequestKind::DeviceAuthorization, None, self.sent_at, response);
        let reply = heard.reply("device authorization endpoint")?;
        let answer = DeviceAnswer::read(&reply)?;
        Ok(Polling::new(self.login, self.scope, &answer, self.sent_at, now))
    }
}
