//! The answer of the token endpoint, heard through the dialect of every provider.

use std::sync::OnceLock;

use http::{Response, StatusCode};
use oauth2_proto::{Authorized, Authorizing, Client, Error, Failed, State, providers};

use super::scenario::{
    NOW, assert_showable, awaiting_token, refreshing, reloaded, response, stored,
};

/// Reads `status LF (name: value LF)* LF body` as the answer to a code and to a refresh token, for
/// each provider where people log in.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let Some(response) = response(data) else { return };
    for Speaking { name, plain, client } in clients() {
        let mut code = awaiting_token(client).receive(client, &response, NOW);
        if let Err(Failed { state, next: Some(_), .. }) = code {
            let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *state else {
                unreachable!("{name}: a second request waits for its answer")
            };
            code = awaiting.receive(client, &response, NOW);
            let asks_again = code.as_ref().is_err_and(|failed| failed.next.is_some());
            assert!(!asks_again, "{name}: a third request");
        }
        for received in [code.ok(), refreshed(plain, client, &response)].into_iter().flatten() {
            assert_granted(name, &response, &received);
            let state = State::from(received);
            assert_eq!(stored(&reloaded(&state)), stored(&state), "{name}");
        }
    }
}

/// The tokens that are held came in the words of the RFC: another kind of client of the same server.
fn refreshed(plain: &Client, client: &Client, response: &Response<&[u8]>) -> Option<Authorized> {
    match refreshing(plain).receive(client, response, NOW) {
        Ok(tokens) => Some(tokens),
        Err(Failed { error, state, .. }) => {
            assert_showable(&error);
            assert_eq!(stored(&reloaded(&state)), stored(&state));
            let denied = if let Error::Denied(denied) = &error { denied.error() } else { "" };
            assert!(
                denied == "invalid_grant" || !matches!(*state, State::Unauthorized(_)),
                "only a grant that is gone ends a login"
            );
            None
        }
    }
}

/// No dialect makes a token up.
fn assert_granted(name: &str, response: &Response<&[u8]>, tokens: &Authorized) {
    assert!(response.status().is_success(), "{name}: {}", response.status());
    let strict = response.status() == StatusCode::OK;
    assert!(strict || matches!(name, "qiita" | "sentry_integration"), "{name}");
    let Some(token) = tokens.token(NOW).map(|token| token.expose().as_bytes()) else { return };
    let body = *response.body();
    // Where nothing is escaped, the token stands there in full; or it is the one that lives on.
    let is_plain = body.iter().all(|byte| !matches!(byte, b'\\' | b'%' | b'+'));
    let is_there = body.windows(token.len()).any(|part| part == token);
    assert!(!is_plain || is_there || (name == "coros" && token == b"access"), "{name}");
}

/// A client of a provider, and one of the same server that knows nothing of its dialect.
struct Speaking {
    name: &'static str,
    plain: Client,
    client: Client,
}

/// Clients of every provider where people log in, with a secret.
fn clients() -> &'static [Speaking] {
    static CLIENTS: OnceLock<Vec<Speaking>> = OnceLock::new();
    CLIENTS.get_or_init(|| {
        let all = providers::all().into_iter();
        let with_people =
            all.filter(|(name, _)| !matches!(*name, "plentymarkets" | "sentry_integration"));
        with_people
            .map(|(name, provider)| {
                let plain = Client::new("fuzz", provider.server.clone());
                Speaking { name, plain, client: provider.client("fuzz").with_secret("s3cret") }
            })
            .collect()
    })
}
