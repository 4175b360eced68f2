//! States as they come out of a store: whatever loads is a state that works.

use std::sync::Arc;

use http::{Response, StatusCode};
use oauth2_proto::{Client, Error, Misuse, Session, State, Step};

use super::scenario::{NOW, assert_showable, client, reloaded, stored};

/// Reads the bytes as JSON, and as the binary format.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let states = [serde_json::from_slice(data).ok(), postcard::from_bytes(data).ok()];
    for state in states.into_iter().flatten() {
        let again = reloaded(&state);
        assert_eq!(stored(&again), stored(&state), "it is another one after it has been stored");
        drive(&Arc::new(client()), state);
    }
}

/// Takes a few steps from this state. It may be nonsense, but it causes no panic and no loop.
fn drive(client: &Arc<Client>, state: State) {
    let before = stored(&state);
    let mut session = match Session::new(Arc::clone(client), state) {
        Ok(session) => session,
        Err(failed) => {
            let refused = matches!(
                failed.error,
                Error::Misuse(Misuse::WrongClient | Misuse::UnfinishedLogin)
            );
            assert!(refused, "{}", failed.error);
            assert_eq!(stored(&*failed.state), before, "a refusal has changed the state");
            return;
        }
    };
    let mut now = NOW;
    for body in
        ["<html>", r#"{"error":"invalid_client"}"#, r#"{"access_token":"a","token_type":"b"}"#]
    {
        let ticket = match session.step(now) {
            Step::Send(ticket, request) => {
                assert_eq!(request.uri(), "https://as.example/token", "no endpoint is stored");
                assert!(now < ticket.deadline(), "it is over before it is sent");
                ticket
            }
            Step::Wait(until) => {
                assert!(now < until, "a wake-up in the past");
                now = until;
                continue;
            }
            Step::Use(token) => {
                assert!(!token.expose().is_empty());
                drop(session.refresh_now());
                continue;
            }
            Step::Login(_) => break,
        };
        assert!(!matches!(session.step(now), Step::Send(..)), "two requests at once");
        let mut response = Response::new(body);
        if body.starts_with(r#"{"error""#) {
            *response.status_mut() = StatusCode::BAD_REQUEST;
        }
        if let Err(error) = session.receive(ticket, &response, now) {
            assert_showable(&error);
        }
    }
    assert_eq!(stored(&reloaded(session.state())), stored(session.state()));
    drop(session.sign_out(now));
    assert!(matches!(session.step(now), Step::Login(_)), "signed out, and it goes on");
}
