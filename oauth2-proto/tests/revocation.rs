//! The revocation of one token by hand (RFC 7009).
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response};
use oauth2_proto::{AwaitingRevocation, Body, Client, Error, Misuse, Problem};
use proptest::prelude::*;
use support::{NOW, answer, body, other_client, server};

const TOKEN: &str = "45ghiukldjahdnhzdauz";

fn client() -> Client {
    let server = server().with_revocation("https://server.example.com/revoke").unwrap();
    Client::new("s6BhdRkqt3", server).with_secret("gX1fBat3bV")
}

fn ask() -> (Request<Body>, AwaitingRevocation) {
    client().revocation(TOKEN, Some("refresh_token"), NOW).expect("there is an endpoint")
}

fn receive(response: &Response<Vec<u8>>) -> Result<(), Error> {
    ask().1.receive(&client(), response)
}

// The request

/// RFC 7009 §2.1, the example, byte for byte.
#[test]
fn the_request_of_rfc_7009() {
    let (request, _) = ask();
    assert_eq!(request.method(), http::Method::POST);
    assert_eq!(request.uri(), "https://server.example.com/revoke");
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()[AUTHORIZATION], "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert_eq!(body(&request), "token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token");
}

#[test]
fn the_hint_is_optional() {
    let (request, _) = client().revocation(TOKEN, None, NOW).unwrap();
    assert_eq!(body(&request), "token=45ghiukldjahdnhzdauz");
}

/// RFC 7009 §2.1: a public client names itself.
#[test]
fn a_public_client_names_itself() {
    let client = Client::new("s6BhdRkqt3", client().server().clone());
    let (request, _) = client.revocation(TOKEN, None, NOW).unwrap();
    assert_eq!(body(&request), "token=45ghiukldjahdnhzdauz&client_id=s6BhdRkqt3");
}

#[test]
fn without_an_endpoint_nothing_can_be_revoked() {
    let error = support::client().revocation(TOKEN, None, NOW).unwrap_err();
    assert_eq!(error, Misuse::NoEndpoint("revocation endpoint").into());
}

// The answer

/// RFC 7009 §2.2: 200, also for an invalid token; the content of the body is ignored.
#[test]
fn a_200_is_a_success_whatever_it_says() {
    for body in
        ["", "{}", r#"{"error":"invalid_token"}"#, "<html>", "\u{0}", &"x".repeat(2_000_000)]
    {
        assert_eq!(receive(&answer(200, body)), Ok(()));
    }
    assert_eq!(receive(&answer(204, "")), Ok(()));
}

/// RFC 7009 §2.2.1.
#[test]
fn a_token_of_an_unsupported_type_is_denied() {
    let body = r#"{"error":"unsupported_token_type"}"#;
    let Err(Error::Denied(denied)) = receive(&answer(400, body)) else { panic!("not denied") };
    assert_eq!(denied.error(), "unsupported_token_type");
}

/// RFC 7009 §2.2.1: with 503 the client MUST assume that the token still exists, and may try again.
#[test]
fn a_server_that_is_down_has_not_revoked_anything() {
    let mut response = answer(503, "");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("120"));
    let Err(error @ Error::Unavailable(_)) = receive(&response) else { panic!("available") };
    assert!(error.is_retryable());
    let Error::Unavailable(unavailable) = error else { panic!("available") };
    assert_eq!(unavailable.retry_after(), Some(Duration::from_secs(120)));
    assert_eq!(
        unavailable.to_string(),
        "the revocation endpoint is unavailable for now (503 Service Unavailable); \
         try again in 120 seconds"
    );
}

#[test]
fn a_refusal_does_not_repeat_the_token() {
    let body = format!(r#"{{"error":"invalid_client","error_description":"{TOKEN}"}}"#);
    let Err(Error::Denied(denied)) = receive(&answer(401, body)) else { panic!("not denied") };
    assert_eq!((denied.error(), denied.description()), ("invalid_client", None));
}

#[test]
fn another_status_is_malformed() {
    for (status, problem) in [
        (201, Problem::Status(http::StatusCode::CREATED)),
        (302, Problem::Redirected(http::StatusCode::FOUND)),
        (404, Problem::Status(http::StatusCode::NOT_FOUND)),
    ] {
        let Err(Error::Malformed(malformed)) = receive(&answer(status, "<html>")) else {
            panic!("{status} is a success")
        };
        assert_eq!(malformed.problem(), &problem);
    }
}

#[test]
fn an_answer_belongs_to_the_client_that_asked() {
    let error = ask().1.receive(&other_client(), &answer(200, "")).unwrap_err();
    assert_eq!(error, Misuse::WrongClient.into());
}

#[test]
fn no_token_shows() {
    let (request, awaiting) = ask();
    for text in [format!("{request:?}"), format!("{awaiting:?}")] {
        assert!(!text.contains(TOKEN), "{text}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..1000, body in any::<Vec<u8>>()) {
        let received = receive(&answer(status, body));
        prop_assert_eq!(received.is_ok(), matches!(status, 200 | 204));
    }
}
