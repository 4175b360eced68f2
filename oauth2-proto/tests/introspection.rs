//! Introspection (RFC 7662): the request, the answer, and what is not an answer.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;

use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::{Request, Response};
use oauth2_proto::{
    AccessToken, Authentication, Body, Client, Error, Introspection, Malformed, Misuse, Outage,
    Problem, Timestamp,
};
use proptest::prelude::*;
use support::{NOW, TOKENS, answer, authorized, body, form, other_client, server};

const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

/// RFC 7662 §2.2, byte for byte.
const ACTIVE: &str = r#"{
      "active": true,
      "client_id": "l238j323ds-23ij4",
      "username": "jdoe",
      "scope": "read write dolphin",
      "sub": "Z5O3upPC88QrAjx00dis",
      "aud": "https://protected.example.net/resource",
      "iss": "https://server.example.com/",
      "exp": 1419356238,
      "iat": 1419350238,
      "extension_field": "twenty-seven"
     }"#;

/// RFC 7662 §2.2, byte for byte.
const INACTIVE: &str = r#"{
      "active": false
     }"#;

fn client() -> Client {
    let server = server().with_introspection("https://server.example.com/introspect").unwrap();
    Client::new("s6BhdRkqt3", server).with_secret("gX1fBat3bV")
}

fn ask() -> (Request<Body>, oauth2_proto::AwaitingIntrospection) {
    client().introspection(TOKEN, None, NOW).expect("there is an endpoint")
}

fn receive(response: &Response<Vec<u8>>) -> Result<Introspection, Error> {
    ask().1.receive(&client(), response)
}

#[track_caller]
fn told(json: &str) -> Introspection {
    receive(&answer(200, json)).expect("a good answer")
}

#[track_caller]
fn malformed(status: u16, body: &str) -> Malformed {
    match receive(&answer(status, body)) {
        Err(Error::Malformed(malformed)) => malformed,
        other => panic!("{other:?} is not malformed"),
    }
}

/// A token of the resource server's own.
fn own_token() -> AccessToken {
    let client = support::client();
    authorized(&client, &TOKENS.replace(TOKEN, "23410913-abewfq.123483"))
        .token(NOW)
        .unwrap()
        .clone()
}

// The request

#[test]
fn the_token_goes_into_a_form_with_the_clients_authentication() {
    let (request, _) = ask();
    assert_eq!(request.method(), http::Method::POST);
    assert_eq!(request.uri(), "https://server.example.com/introspect");
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    assert_eq!(request.headers()[ACCEPT], "application/json");
    // The one of RFC 6749 §2.3.1: the same client_id and secret.
    assert_eq!(request.headers()[AUTHORIZATION], "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert_eq!(body(&request), "token=2YotnFZFEjr1zCsicMWpAA");
}

/// RFC 7662 §2.1, the example with a hint.
#[test]
fn a_hint_goes_behind_the_token() {
    let (request, _) =
        client().introspection("mF_9.B5f-4.1JqM", Some("access_token"), NOW).unwrap();
    assert_eq!(body(&request), "token=mF_9.B5f-4.1JqM&token_type_hint=access_token");
}

/// RFC 7662 §2.1: a token of any characters survives.
#[test]
fn a_token_is_encoded() {
    let (request, _) = client().introspection("a b+c/d=é&x", Some("new type"), NOW).unwrap();
    let pairs = form(&request);
    assert_eq!(pairs[0], ("token".into(), "a b+c/d=é&x".into()));
    assert_eq!(pairs[1], ("token_type_hint".into(), "new type".into()));
}

/// RFC 7662 §2.1, the example: a resource server with a bearer token of its own.
#[test]
fn a_resource_server_can_present_a_token_of_its_own() {
    for authentication in
        [Authentication::None, Authentication::Basic("s".into()), Authentication::Post("s".into())]
    {
        let client = client().with_authentication(authentication);
        let (request, awaiting) = client.introspection_with(&own_token(), TOKEN, None).unwrap();
        let values: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
        assert_eq!(values, ["Bearer 23410913-abewfq.123483"]);
        assert!(values[0].is_sensitive());
        assert_eq!(request.method(), http::Method::POST);
        assert_eq!(request.headers()[ACCEPT], "application/json");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
        assert_eq!(body(&request), "token=2YotnFZFEjr1zCsicMWpAA");
        assert!(awaiting.receive(&client, &answer(200, ACTIVE)).unwrap().is_active());
    }
}

#[test]
fn without_an_endpoint_there_is_nothing_to_ask() {
    let client = Client::new("id", server());
    let error = client.introspection(TOKEN, None, NOW).unwrap_err();
    assert_eq!(error, Misuse::NoEndpoint("introspection endpoint").into());
    let error = client.introspection_with(&own_token(), TOKEN, None).unwrap_err();
    assert_eq!(error, Misuse::NoEndpoint("introspection endpoint").into());
}

// The answer

#[test]
fn the_active_token_of_rfc_7662_is_read() {
    let token = told(ACTIVE);
    assert!(token.is_active());
    assert_eq!(token.client_id(), Some("l238j323ds-23ij4"));
    assert_eq!(token.username(), Some("jdoe"));
    assert_eq!(token.scope().as_str(), "read write dolphin");
    assert_eq!(token.subject(), Some("Z5O3upPC88QrAjx00dis"));
    assert_eq!(token.audience(), ["https://protected.example.net/resource"]);
    assert_eq!(token.issuer(), Some("https://server.example.com/"));
    assert_eq!(token.expires_at(), Some(Timestamp::from_unix_seconds(1_419_356_238)));
    assert_eq!(token.issued_at(), Some(Timestamp::from_unix_seconds(1_419_350_238)));
    assert_eq!(token.extra::<String>("extension_field").as_deref(), Some("twenty-seven"));
    assert_eq!((token.token_type(), token.not_before(), token.id()), (None, None, None));
    assert_eq!(token.extra::<String>("another"), None);
    assert_eq!(token.extra::<u64>("extension_field"), None);
}

#[test]
fn that_a_token_is_not_active_is_data() {
    let token = told(INACTIVE);
    assert!(!token.is_active());
    assert!(token.scope().is_empty() && token.audience().is_empty());
    assert_eq!(token.expires_at(), None);
}

#[test]
fn the_rest_of_the_members_is_read() {
    let token = told(
        r#"{"active":true,"token_type":"Bearer","nbf":"1419350238","jti":"id","exp":1.419356238e9,"aud":["a","b"],"scope":null}"#,
    );
    assert_eq!(token.token_type(), Some("Bearer"));
    assert_eq!(token.not_before(), Some(Timestamp::from_unix_seconds(1_419_350_238)));
    assert_eq!(token.expires_at(), Some(Timestamp::from_unix_seconds(1_419_356_238)));
    assert_eq!(token.id(), Some("id"));
    assert_eq!(token.audience(), ["a", "b"]);
    let token = told(r#"{"active":true,"exp":-5,"aud":null,"nbf":null}"#);
    assert_eq!(token.expires_at(), Some(Timestamp::from_unix_seconds(0)));
    assert_eq!(token.not_before(), None);
    assert!(token.audience().is_empty());
}

/// RFC 7662 §2.2: `active` is REQUIRED, a boolean.
#[test]
fn an_answer_without_active_is_malformed() {
    for body in [
        "{}",
        r#"{"active":null}"#,
        r#"{"active":"true"}"#,
        r#"{"active":1}"#,
        r#"{"active":false,"active":true}"#,
        r#"{"active":true,"scope":"a","scope":"b"}"#,
        r#"{"active":true,"sub":7}"#,
    ] {
        assert_eq!(malformed(200, body).problem(), &Problem::Members, "{body}");
    }
    assert_eq!(
        malformed(200, "{}").to_string(),
        "the introspection endpoint's answer lacks a required member, or has one twice or of a \
         wrong type; see the diagnostics of this error"
    );
}

#[test]
fn a_member_of_a_wrong_type_is_named() {
    for (body, name) in [
        (r#"{"active":true,"exp":"soon"}"#, "exp"),
        (r#"{"active":true,"iat":[]}"#, "iat"),
        (r#"{"active":true,"nbf":true}"#, "nbf"),
        (r#"{"active":true,"aud":7}"#, "aud"),
        (r#"{"active":true,"aud":["a",7]}"#, "aud"),
    ] {
        assert_eq!(malformed(200, body).problem(), &Problem::Member(name), "{body}");
    }
}

#[test]
fn what_is_no_json_object_is_malformed() {
    for body in ["", "[true]", "true", "{\"active\":true", "{\"active\":true}{}", "active=true"] {
        assert_eq!(malformed(200, body).problem(), &Problem::Json, "{body}");
    }
}

/// RFC 7662 §2.2: the answer has status 200, and no other one has an answer.
#[test]
fn another_status_is_no_answer() {
    for status in [201, 204, 400, 404] {
        let malformed = malformed(status, ACTIVE);
        assert_eq!(malformed.problem(), &Problem::Status(status.try_into().unwrap()));
    }
    let redirected = malformed(307, ACTIVE);
    assert_eq!(redirected.problem(), &Problem::Redirected(http::StatusCode::TEMPORARY_REDIRECT));
}

/// RFC 7662 §2.3: credentials of the client that are invalid (RFC 6749 §5.2).
#[test]
fn a_client_that_is_refused_is_denied() {
    let body = format!(r#"{{"error":"invalid_client","error_description":"no {TOKEN}"}}"#);
    let Err(Error::Denied(denied)) = receive(&answer(401, body)) else { panic!("not denied") };
    assert_eq!(denied.error(), "invalid_client");
    assert_eq!(denied.description(), None, "it repeats the token");
}

/// RFC 7662 §2.3: a bearer token that is invalid (RFC 6750 §3).
#[test]
fn a_bearer_token_that_is_refused_is_denied() {
    let mut response = answer(401, "<html>");
    let challenge = r#"Bearer realm="x", error="invalid_token", error_description="expired""#;
    response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response.headers_mut().append(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
    let (_, awaiting) = client().introspection_with(&own_token(), TOKEN, None).unwrap();
    let Err(Error::Denied(denied)) = awaiting.receive(&client(), &response) else {
        panic!("not denied")
    };
    assert_eq!((denied.error(), denied.description()), ("invalid_token", Some("expired")));
}

#[test]
fn an_overloaded_server_is_unavailable() {
    let mut response = answer(503, "");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let Err(Error::Unavailable(unavailable)) = receive(&response) else { panic!("available") };
    assert_eq!(unavailable.retry_after(), Some(Duration::from_secs(7)));
    assert_eq!(unavailable.cause(), Outage::Status(http::StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(
        unavailable.to_string(),
        "the introspection endpoint is unavailable for now (503 Service Unavailable); \
         try again in 7 seconds"
    );
}

#[test]
fn a_long_answer_is_not_read() {
    let client = client().with_body_limit(10);
    let (_, awaiting) = client.introspection(TOKEN, None, NOW).unwrap();
    let Err(Error::Malformed(malformed)) = awaiting.receive(&client, &answer(200, ACTIVE)) else {
        panic!("it was read")
    };
    assert_eq!(malformed.problem(), &Problem::TooLarge(10));
}

#[test]
fn an_answer_belongs_to_the_client_that_asked() {
    let error = ask().1.receive(&other_client(), &answer(200, ACTIVE)).unwrap_err();
    assert_eq!(error, Misuse::WrongClient.into());
}

// Secrets

#[test]
fn no_token_and_no_person_shows() {
    let (request, awaiting) = ask();
    let token = told(&ACTIVE.replace("twenty-seven", TOKEN));
    for text in [format!("{request:?}"), format!("{awaiting:?}"), format!("{token:?}")] {
        for secret in [TOKEN, "jdoe", "Z5O3", "gX1f", "czZCa"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in 200_u16..600, body in any::<Vec<u8>>()) {
        let _ = receive(&answer(status, body));
    }

    #[test]
    fn no_json_makes_it_panic(value in "(\\{\"active\":(true|false|1),\"(exp|aud|scope|x)\":[-0-9eE.\"\\[\\]a-z]{0,9}\\})") {
        if let Ok(token) = receive(&answer(200, value.clone())) {
            prop_assert_eq!(token.is_active(), value.contains("true,"));
        }
    }
}
