//! One client, one clock, and a login in any state in one line.
#![expect(clippy::expect_used, reason = "a test that cannot go on says why")]

use core::convert::Infallible;
use core::time::Duration;

use http::{Request, Response};
use oauth2_proto::{
    Authorized, AwaitingCallback, AwaitingToken, Body, Client, Code, Failed, Moment, Refreshing,
    Server, Timestamp, Unauthorized,
};
use rand::{TryCryptoRng, TryRng};
use url::Url;

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";
pub(crate) const SCOPE: &str = "read write";
pub(crate) const CODE: &str = "SplxlOBeZQQYbYS6WxSbIA";
/// A token answer that can be refreshed.
pub(crate) const TOKENS: &str = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA"}"#;

/// The moment that lies this many seconds after [`NOW`].
pub(crate) const fn after(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW.unix_seconds().saturating_add(seconds))
}

/// That moment, by both clocks of a host that counts from [`NOW`].
pub(crate) const fn moment(seconds: u64) -> Moment {
    Moment::new(after(seconds), Duration::from_secs(seconds))
}

/// Randomness that is none: 0, 1, 2 …, the same on every machine and with every version of `rand`.
#[derive(Default)]
pub(crate) struct Counting(pub(crate) u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for byte in dst {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

pub(crate) fn rng() -> Counting {
    Counting::default()
}

pub(crate) fn server() -> Server {
    Server::new("https://as.example/authorize", "https://as.example/token")
        .and_then(|server| server.with_device_authorization("https://as.example/device"))
        .expect("the endpoints are https")
}

/// A public client.
pub(crate) fn client() -> Client {
    Client::new("s6BhdRkqt3", server())
}

/// The same server, another client_id.
pub(crate) fn other_client() -> Client {
    Client::new("another", server())
}

pub(crate) fn begin(client: &Client) -> (Url, AwaitingCallback) {
    client.authorize(REDIRECT_URI).scope(SCOPE).begin(&mut rng(), NOW).expect("a usable login")
}

/// The value of the only parameter with this name.
pub(crate) fn parameter(url: &Url, name: &str) -> String {
    let mut values = url.query_pairs().filter(|(own, _)| own == name).map(|(_, value)| value);
    let value = values.next().expect("the parameter is there");
    assert_eq!(values.next(), None, "{name} is repeated in {url}");
    value.into_owned()
}

/// A login, and the query of the callback that an honest server answers with.
pub(crate) fn pending(client: &Client) -> (AwaitingCallback, String) {
    let (url, pending) = begin(client);
    (pending, format!("code={CODE}&state={}", parameter(&url, "state")))
}

pub(crate) fn code(client: &Client) -> Code {
    let (pending, query) = pending(client);
    pending.accept(client, oauth2_proto::Callback::query(&query), NOW).expect("an honest callback")
}

pub(crate) fn redeem(client: &Client) -> (Request<Body>, AwaitingToken) {
    code(client).redeem(client, NOW).expect("the same client")
}

pub(crate) fn answer(status: u16, body: impl Into<Vec<u8>>) -> Response<Vec<u8>> {
    let mut response = Response::new(body.into());
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    response
}

/// What a login makes of this answer to its code.
pub(crate) fn receive(client: &Client, response: &Response<Vec<u8>>) -> Result<Authorized, Failed> {
    redeem(client).1.receive(client, response, NOW)
}

pub(crate) fn authorized(client: &Client, body: &str) -> Authorized {
    receive(client, &answer(200, body)).expect("a good token answer")
}

pub(crate) fn refreshing(client: &Client) -> (Request<Body>, Refreshing) {
    authorized(client, TOKENS).refresh(client, NOW).expect("there is a refresh token")
}

/// A login of the program itself that has not been sent.
pub(crate) fn service(client: &Client) -> Unauthorized {
    client.client_credentials().scope(SCOPE).ready(&mut rng()).expect("a usable login")
}

/// The body of a request, as text.
pub(crate) fn body(request: &Request<Body>) -> &str {
    core::str::from_utf8(request.body().as_ref()).expect("a form is ASCII")
}

/// The parameters of a form, decoded by a library that the crate does not use for writing them.
pub(crate) fn form(request: &Request<Body>) -> Vec<(String, String)> {
    serde_urlencoded::from_bytes(request.body().as_ref()).expect("a form")
}
