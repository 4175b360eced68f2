//! One client, one clock, and a login in any state: the same in every run, so that an input means
//! the same tomorrow.

use core::convert::Infallible;

use http::{HeaderName, HeaderValue, Response, StatusCode};
use oauth2_proto::{
    Authorized, AwaitingCallback, AwaitingToken, AwaitingUserCode, Callback, Client, Error,
    Polling, Refreshing, Server, State, Timestamp, Unauthorized,
};
use rand::{TryCryptoRng, TryRng};
use serde::Serialize;

pub(super) const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
pub(super) const REDIRECT_URI: &str = "https://app.example/callback";
pub(super) const ISSUER: &str = "https://as.example";
/// The `state` of every login: what [`Counting`] gives first.
pub(super) const STATE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
/// A token answer that can be refreshed.
const TOKENS: &str = r#"{"access_token":"access","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh"}"#;

/// Randomness that is none: 0, 1, 2 …
pub(super) struct Counting(pub(super) u8);

impl TryRng for Counting {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes).map(|()| u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes).map(|()| u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        for byte in to {
            *byte = self.0;
            self.0 = self.0.wrapping_add(1);
        }
        Ok(())
    }
}

impl TryCryptoRng for Counting {}

fn server() -> Server {
    Server::new("https://as.example/authorize", "https://as.example/token")
        .and_then(|server| server.with_revocation("https://as.example/revoke"))
        .and_then(|server| server.with_device_authorization("https://as.example/device"))
        .expect("the endpoints are https")
}

/// A public client of a server without a name.
pub(super) fn client() -> Client {
    Client::new("fuzz", server())
}

/// A client of a server that puts its issuer into every callback.
pub(super) fn client_with_issuer() -> Client {
    Client::new("fuzz", server().with_issuer_in_callback(ISSUER))
}

pub(super) fn pending(client: &Client) -> AwaitingCallback {
    let login = client.authorize(REDIRECT_URI).scope("read write");
    login.begin(&mut Counting(0), NOW).expect("a usable login").1
}

/// A code has been sent.
pub(super) fn awaiting_token(client: &Client) -> AwaitingToken {
    let query = format!("code=code&state={STATE}");
    let code = pending(client).accept(client, Callback::query(&query), NOW);
    code.expect("an honest callback").redeem(client, NOW).expect("the same client").1
}

/// A login of the program itself, before its first request.
pub(super) fn service(client: &Client) -> Unauthorized {
    client.client_credentials().scope("read").ready(&mut Counting(0)).expect("a usable login")
}

/// A device has asked for its codes.
pub(super) fn awaiting_user_code(client: &Client) -> AwaitingUserCode {
    let request = client.device_authorization().scope("read");
    request.begin(&mut Counting(0), NOW).expect("a usable login").1
}

/// A login on a device: its codes live for half an hour, and may be polled with every 5 seconds.
pub(super) fn polling(client: &Client) -> Polling {
    let codes = r#"{"device_code":"device","user_code":"user","verification_uri":"https://as.example/","expires_in":1800}"#;
    let response = Response::new(codes.to_owned());
    awaiting_user_code(client).receive(client, &response, NOW).expect("good codes")
}

/// What a login becomes with this token answer.
pub(super) fn authorized(client: &Client, answer: &str) -> Authorized {
    let response = Response::new(answer.to_owned());
    awaiting_token(client).receive(client, &response, NOW).expect("a good answer")
}

pub(super) fn refreshing(client: &Client) -> Refreshing {
    authorized(client, TOKENS).refresh(client, NOW).expect("there is a refresh token").1
}

/// Reads `status LF (name: value LF)* LF body`. Whatever is no header is skipped.
pub(super) fn response(data: &[u8]) -> Option<Response<&[u8]>> {
    let (status, mut rest) = line(data);
    let mut response = Response::new(&[][..]);
    *response.status_mut() = StatusCode::from_bytes(status).ok()?;
    while let (header, after) = line(rest)
        && !rest.is_empty()
    {
        rest = after;
        if header.is_empty() {
            break;
        }
        let Some(colon) = header.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = header.split_at(colon);
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii()),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    *response.body_mut() = rest;
    Some(response)
}

/// The first line, without its end, and the rest.
pub(super) fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (line, rest) = data.split_at(end);
    (line, rest.get(1..).unwrap_or_default())
}

/// A state as it is stored; equal text is an equal state.
pub(super) fn stored(state: &impl Serialize) -> String {
    serde_json::to_string(state).expect("every state can be stored")
}

/// The state as it comes back from a store, by way of JSON and of a binary format.
pub(super) fn reloaded(state: &State) -> State {
    let text = stored(state);
    let from_json: State = serde_json::from_str(&text).expect("what was stored loads");
    let bytes = postcard::to_allocvec(&from_json).expect("every state can be stored");
    let from_binary: State = postcard::from_bytes(&bytes).expect("what was stored loads");
    assert_eq!(stored(&from_binary), stored(&from_json), "the formats disagree");
    from_binary
}

/// An error is shown to people: one line, bounded, nothing that moves a cursor.
pub(super) fn assert_showable(error: &Error) {
    let text = error.to_string();
    assert!(text.len() < 4096, "an error of {} bytes", text.len());
    assert!(!text.contains(char::is_control), "a control character in {text:?}");
}
