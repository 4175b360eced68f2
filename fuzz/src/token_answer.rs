//! The answer of the token endpoint, read by every state that may wait for one.

use std::collections::BTreeMap;

use http::{Response, StatusCode};
use oauth2_proto::{Authorized, Authorizing, Error, Failed, State};
use serde_json::value::RawValue;

use super::scenario::{
    NOW, assert_showable, awaiting_token, client, refreshing, reloaded, response, service, stored,
};

/// Reads `status LF (name: value LF)* LF body` as the answer to a code, to client credentials and
/// to a refresh token.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let Some(response) = response(data) else { return };
    let client = client();
    let code = awaiting_token(&client).receive(&client, &response, NOW);
    let (_, own) = service(&client).renew(&client, NOW).expect("nothing has failed yet");
    let own = own.receive(&client, &response, NOW);
    let refresh = refreshing(&client).receive(&client, &response, NOW);

    assert_eq!(code.is_ok(), refresh.is_ok(), "what is a token depends on who reads it");
    assert_eq!(code.is_ok(), own.is_ok(), "what is a token depends on who reads it");
    if let Err(failed) = &code {
        assert!(is_left_of_code(&failed.state), "{} leaves {:?}", failed.error, failed.state);
    }
    if let Err(failed) = &own {
        assert!(is_left_of_service(failed), "{} leaves {:?}", failed.error, failed.state);
    }
    if let Err(failed) = &refresh {
        assert!(is_left_of_refresh(failed), "{} leaves {:?}", failed.error, failed.state);
    }
    for received in [code, own, refresh] {
        let state = match received {
            Ok(tokens) => {
                assert_granted(&response, &tokens);
                tokens.into()
            }
            Err(Failed { error, state, .. }) => {
                assert_showable(&error);
                *state
            }
        };
        assert_eq!(stored(&reloaded(&state)), stored(&state));
    }
}

/// RFC 6749 §5.1, read once more by a parser that knows nothing of OAuth.
fn assert_granted(response: &Response<&[u8]>, tokens: &Authorized) {
    assert_eq!(response.status(), StatusCode::OK);
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(response.body()).expect("a token came in one JSON object");
    let text = |name| {
        let text: String = serde_json::from_str(members.get(name)?.get()).ok()?;
        (!text.is_empty()).then_some(text)
    };
    assert_eq!(text("error"), None, "an error beside a token is an error");
    let token_type = text("token_type").expect("token_type is required");
    if let Some(token) = tokens.token(NOW) {
        assert_eq!(text("access_token").as_deref(), Some(token.expose()));
        // What cannot be printed is shown as a question mark, and no more than 512 of it all.
        let shown = token.token_type();
        let shows = |(shown, sent): (char, char)| shown == '?' || shown.eq_ignore_ascii_case(&sent);
        assert!(shown.chars().zip(token_type.chars()).all(shows), "{shown:?} for {token_type:?}");
        assert_eq!(shown.chars().count(), token_type.chars().count().min(512));
    }
    assert_eq!(tokens.expires_at().is_some(), tokens.refresh_at().is_some());
    assert!(tokens.refresh_at() <= tokens.expires_at(), "refreshed after it has expired");
    assert!(tokens.missing_scope().iter().all(|scope| !tokens.scope().contains(scope)));
    assert!(tokens.additional_scope().iter().all(|scope| tokens.scope().contains(scope)));
}

/// A code works once: whatever goes wrong, the login is over.
fn is_left_of_code(state: &State) -> bool {
    matches!(state, State::Unauthorized(state) if !state.is_renewable())
}

/// A program can always ask again.
fn is_left_of_service(Failed { error, state, .. }: &Failed) -> bool {
    match &**state {
        State::Unauthorized(state) => state.is_renewable() && matches!(error, Error::Denied(_)),
        State::Authorizing(Authorizing::AwaitingToken(_)) => !matches!(error, Error::Denied(_)),
        State::Authorizing(
            Authorizing::AwaitingCallback(_)
            | Authorizing::AwaitingFragment(_)
            | Authorizing::Polling(_),
        )
        | State::Authorized(_)
        | State::Refreshing(_) => false,
    }
}

/// Only `invalid_grant` ends a login; everything else leaves the tokens that were held.
fn is_left_of_refresh(Failed { error, state, .. }: &Failed) -> bool {
    let denied = if let Error::Denied(denied) = error { Some(denied.error()) } else { None };
    match &**state {
        State::Unauthorized(_) => denied == Some("invalid_grant"),
        State::Authorized(tokens) => {
            tokens.token(NOW).is_some() && denied.is_some_and(|error| error != "invalid_grant")
        }
        State::Refreshing(state) => state.token(NOW).is_some() && denied.is_none(),
        State::Authorizing(_) => false,
    }
}
