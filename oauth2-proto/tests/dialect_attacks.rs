//! What a hostile reading of the dialects has found: files that weaken security without saying so,
//! and servers whose words end up where they must not.
#![expect(clippy::unwrap_used, reason = "what is not expected fails the test")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::sync::Arc;

use http::Request;
use oauth2_proto::dialect::Dialect;
use oauth2_proto::{
    Authentication, Authorizing, Callback, Client, Error, Forged, Misuse, Received, Server,
    Session, State, Step, Ticket,
};
use serde_json::{Value, json};
use support::{
    NOW, TOKENS, after, answer, authorized, begin, client, form, parameter, receive, redeem,
    refreshing, rng, service,
};

fn dialect(knobs: Value) -> Dialect {
    serde_json::from_value(knobs).unwrap()
}

fn speaking(knobs: Value) -> Client {
    client().with_dialect(dialect(knobs))
}

// What a dialect can do without a dangerous name

#[test]
fn a_dialect_does_not_hide_the_issuer_of_a_callback() {
    for name in ["error_uri", "error_description", "id_token"] {
        let knobs = json!({ "callback_parameters": { "iss": name } });
        let server = Server::new("https://as.example/authorize", "https://as.example/token");
        let server = server.unwrap().with_issuer("https://as.example");
        let client = Client::new("s6BhdRkqt3", server).with_dialect(dialect(knobs));
        let (url, pending) = begin(&client);
        let state = parameter(&url, "state");
        let query = format!("code=c&state={state}&iss=https%3A%2F%2Fevil.example");
        let refused = pending.accept(&client, Callback::query(&query), NOW).unwrap_err();
        assert_eq!(refused, Error::Forged(Forged::Issuer), "{name}");
    }
}

#[test]
fn a_dialect_sets_none_of_the_guards() {
    let guards = json!({
        "state": "fixed", "code_challenge": "fixed", "code_challenge_method": "plain",
        "code_verifier": "fixed",
    });
    let plain = begin(&client()).0;
    for field in ["authorization_request", "token_request", "every_request"] {
        let client = speaking(json!({ field: { "set": guards } }));
        let url = begin(&client).0;
        for name in ["state", "code_challenge", "code_challenge_method"] {
            assert_eq!(parameter(&url, name), parameter(&plain, name), "{field}");
        }
        assert!(!url.as_str().contains("fixed"), "{field}: {url}");
        let verifiers: Vec<String> = form(&redeem(&client).0)
            .into_iter()
            .filter(|(name, _)| name == "code_verifier")
            .map(|(_, value)| value)
            .collect();
        assert_eq!(verifiers.len(), 1, "{field}");
        assert!(verifiers.iter().all(|value| value != "fixed"), "{field}");
    }
}

#[test]
fn no_parameter_is_renamed_to_a_guard() {
    let client = speaking(json!({
        "every_request": { "rename": { "scope": "state", "redirect_uri": "code_verifier" } },
    }));
    let url = begin(&client).0;
    assert_eq!(parameter(&url, "state").len(), 43);
    let form = form(&redeem(&client).0);
    let verifiers = form.iter().filter(|(name, _)| name == "code_verifier");
    assert_eq!(verifiers.count(), 1);
}

#[test]
fn more_header_fields_than_a_request_holds_are_refused() {
    let fields: serde_json::Map<String, Value> =
        (0..40_000).map(|number| (format!("x-{number}"), json!("y"))).collect();
    let client = speaking(json!({ "every_request": { "headers": fields } }));
    let refused = client.client_credentials().begin(&mut rng(), NOW).unwrap_err();
    assert_eq!(refused, Error::Misuse(Misuse::TooManyHeaders));
}

// Tokens in a query

#[test]
fn a_token_in_a_query_takes_the_place_of_the_one_before() {
    let client = speaking(json!({ "token_presentation": { "dangerous_query": "access_token" } }));
    let login = authorized(&client, TOKENS);
    let mut request =
        Request::get("https://api.example/me?a=b%2Fc&access%5Ftoken=stale&access_token=old&d")
            .body(())
            .unwrap();
    login.attach(&client, &mut request, NOW).unwrap();
    login.attach(&client, &mut request, NOW).unwrap();
    assert_eq!(
        request.uri(),
        "https://api.example/me?a=b%2Fc&d&access_token=2YotnFZFEjr1zCsicMWpAA"
    );
}

// Second requests

fn exchanging() -> Client {
    speaking(json!({
        "second_request": {
            "endpoint": "https://as.example/exchange",
            "token_parameter": "access_token",
        },
    }))
}

fn sent(session: &mut Session, seconds: u64) -> (Ticket, String) {
    let Step::Send(ticket, request) = session.step(after(seconds)) else {
        unreachable!("nothing to send after {seconds} s")
    };
    (ticket, request.uri().path().into())
}

fn tokens(name: &str) -> String {
    format!(r#"{{"access_token":"{name}","token_type":"Bearer","expires_in":3600}}"#)
}

#[test]
fn a_late_first_token_is_not_the_one_that_is_used() {
    let client = Arc::new(exchanging());
    let mut session = Session::new(Arc::clone(&client), service(&client)).unwrap();
    let (early, _) = sent(&mut session, 0);
    let (late, _) = sent(&mut session, 40);
    let (last, _) = sent(&mut session, 80);
    let received = session.receive(late, &answer(200, tokens("first")), after(81)).unwrap();
    assert!(matches!(received, Received::Late(_)), "{received:?}");
    let received = session.receive(last, &answer(200, tokens("first")), after(82)).unwrap();
    assert!(matches!(received, Received::Pending), "{received:?}");
    let (second, path) = sent(&mut session, 83);
    assert_eq!(path, "/exchange");
    let received = session.receive(early, &answer(200, tokens("first")), after(84)).unwrap();
    assert!(matches!(received, Received::Late(_)), "{received:?}");
    let _ = session.receive(second, &answer(200, tokens("second")), after(85)).unwrap();
    let Step::Use(token) = session.step(after(86)) else { unreachable!("there is a token") };
    assert_eq!(token.expose(), "second");
}

#[test]
fn an_answer_to_the_first_request_is_none_to_the_second() {
    let client = Arc::new(exchanging());
    let mut session = Session::new(Arc::clone(&client), service(&client)).unwrap();
    let _lost = sent(&mut session, 0);
    let (slow, _) = sent(&mut session, 40);
    let (third, _) = sent(&mut session, 80);
    let _ = session.receive(third, &answer(200, tokens("first")), after(81)).unwrap();
    let (second, _) = sent(&mut session, 82);
    let received = session.receive(slow, &answer(200, tokens("first")), after(83)).unwrap();
    assert!(matches!(received, Received::Late(_)), "{received:?}");
    let _ = session.receive(second, &answer(200, tokens("second")), after(84)).unwrap();
    let Step::Use(token) = session.step(after(85)) else { unreachable!("there is a token") };
    assert_eq!(token.expose(), "second");
}

#[test]
fn a_first_token_too_long_to_be_exchanged_is_not_used() {
    let client = speaking(json!({
        "second_request": {
            "endpoint": "https://as.example/exchange",
            "format": "dangerous_get",
            "token_parameter": "access_token",
        },
    }));
    let long = answer(200, tokens(&"a".repeat(100_000)));
    let failed = receive(&client, &long).unwrap_err();
    assert!(matches!(failed.error, Error::Malformed(_)), "{:?}", failed.error);
    assert!(matches!(*failed.state, State::Unauthorized(_)));
}

// Echoes

#[test]
fn an_echoed_client_secret_is_taken_out_of_the_error() {
    let secret = "gX1fBat3bV-of-the-client";
    let body = format!(
        r#"{{"error":"invalid_client","error_description":"'{secret}' is wrong","error_uri":"https://as.example/{secret}"}}"#
    );
    let refusal = answer(401, body.clone());
    for client in [
        client().with_secret(secret),
        client().with_authentication(Authentication::Post(secret.into())),
    ] {
        let silent = |error: &Error| {
            assert!(matches!(error, Error::Denied(_)), "{error:?}");
            assert!(!format!("{error} {error:?}").contains(secret), "{error}");
        };
        silent(&receive(&client, &refusal).unwrap_err().error);
        silent(&refreshing(&client).1.receive(&client, &refusal, NOW).unwrap_err().error);
        let (_, awaiting) = client.client_credentials().begin(&mut rng(), NOW).unwrap();
        silent(&awaiting.receive(&client, &refusal, NOW).unwrap_err().error);
        let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).unwrap();
        silent(&awaiting.receive(&client, &refusal, NOW).unwrap_err());
    }
}

#[test]
fn an_error_code_that_echoes_a_token_is_taken_out_too() {
    let client = speaking(json!({ "error_detectors": [{ "pointer": "/message" }] }));
    let echo = r#"{"message":"Refresh token tGzv3JOkF0XG5Qx2TlKWIA is not valid"}"#;
    let failed = refreshing(&client).1.receive(&client, &answer(400, echo), NOW).unwrap_err();
    assert!(matches!(failed.error, Error::Denied(_)), "{:?}", failed.error);
    assert!(!format!("{failed} {failed:?}").contains("tGzv3JOkF0XG5Qx2TlKWIA"), "{failed}");
}

#[test]
fn an_echoed_first_token_is_taken_out_of_the_error() {
    let client = exchanging();
    let first = "first-token-of-two";
    let failed = redeem(&client).1.receive(&client, &answer(200, tokens(first)), NOW).unwrap_err();
    let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *failed.state else {
        unreachable!("a second request is due")
    };
    let echo = format!(r#"{{"error":"invalid_request","error_description":"what is {first}?"}}"#);
    let failed = awaiting.receive(&client, &answer(400, echo), NOW).unwrap_err();
    assert!(matches!(failed.error, Error::Denied(_)), "{:?}", failed.error);
    assert!(!format!("{failed} {failed:?}").contains(first), "{failed}");
}
