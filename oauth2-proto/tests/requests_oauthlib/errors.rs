//! Rows 53 to 58 and the exceptions: who is to blame, and in which words.

use http::{HeaderMap, Request};
use oauth2_proto::{
    Challenge, Client, Error, Expired, Failed, Insufficient, Misuse, Outage, Problem, Server,
    StepUp,
};
use serde_json::json;

use crate::support::{
    NOW, REDIRECT_URI, TOKENS, after, answer, authorized, client, receive, refreshing, rng,
};

/// What a login makes of this refusal of its code.
#[track_caller]
fn failed(status: u16, body: &str) -> Failed {
    receive(&client(), &answer(status, body)).expect_err("it is refused")
}

#[track_caller]
fn denied(status: u16, body: &str) -> oauth2_proto::Denied {
    let error = failed(status, body).error;
    let Error::Denied(denied) = error else { panic!("{error:?} is not Denied") };
    denied
}

#[track_caller]
fn problem(error: &Error) -> &Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem()
}

/// What RFC 6749, RFC 6750, RFC 7009, RFC 8628 and OpenID Connect have names for, besides those
/// that mean that the server is down for now.
const CODES: [&str; 21] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "unsupported_response_type",
    "unsupported_token_type",
    "invalid_token",
    "insufficient_scope",
    "interaction_required",
    "login_required",
    "account_selection_required",
    "consent_required",
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
    "invalid_client_metadata",
];

// Row 53, E1
#[test]
fn an_error_names_the_guilty_and_says_what_the_server_said() {
    let body = r#"{"error":"invalid_scope","error_description":"no \"x\"\nroot: logged in",
        "error_uri":"https://as.example/why"}"#;
    let denied = denied(400, body);
    assert_eq!(denied.error(), "invalid_scope");
    // What would forge a line of a log is filtered.
    assert_eq!(denied.description(), Some("no ?x??root: logged in"));
    assert_eq!(denied.uri(), Some("https://as.example/why"));
    assert_eq!(
        denied.to_string(),
        "the authorization server refused: invalid_scope (no ?x??root: logged in); check the \
         scope that is asked for"
    );
    // And the failure says what is left of the login.
    assert!(failed(400, body).needs_login());
    let (_, refreshing) = refreshing(&client());
    let failed = refreshing.receive(&client(), &answer(400, body), NOW).unwrap_err();
    assert!(!failed.needs_login(), "the old tokens are still there");
}

// Row 54, E9
#[test]
fn an_invalid_request_keeps_its_name_and_its_description() {
    let denied =
        denied(400, r#"{"error":"invalid_request","error_description":"redirect_uri missing"}"#);
    assert_eq!(denied.error(), "invalid_request");
    assert_eq!(denied.description(), Some("redirect_uri missing"));
}

// Row 55, E10, E11, E12, E13, E14, E15, E16, E19, E20
#[test]
fn every_code_keeps_its_name() {
    for code in CODES {
        let body = format!(r#"{{"error":"{code}","error_description":"because"}}"#);
        let denied = denied(400, &body);
        assert_eq!((denied.error(), denied.description()), (code, Some("because")));
    }
}

// E21, E22
#[test]
fn a_code_that_nobody_knows_keeps_its_name_too() {
    for code in ["x_tenant_suspended", "invalid_redirect_uri", "missing_code_challenge"] {
        let body = format!(r#"{{"error":"{code}","error_description":"pay first"}}"#);
        let denied = denied(400, &body);
        assert_eq!((denied.error(), denied.description()), (code, Some("pay first")));
    }
}

// E17
#[test]
fn a_server_that_is_down_is_unavailable_in_whatever_words_it_says_so() {
    for code in ["server_error", "temporarily_unavailable"] {
        let failed = failed(400, &format!(r#"{{"error":"{code}"}}"#));
        assert!(matches!(failed.error, Error::Unavailable(_)), "{code}");
        assert!(failed.error.is_retryable());
    }
    let Error::Unavailable(unavailable) = failed(503, "").error else { panic!("it is down") };
    assert!(matches!(unavailable.cause(), Outage::Status(_)));
}

// Row 56
#[test]
fn an_error_that_is_an_object_is_named_where_the_server_is_known_for_it() {
    let body = r#"{"error":{"message":"Invalid verification code","type":"OAuthException",
        "code":100,"fbtrace_id":"x"}}"#;
    // Without knowing it, this is an answer that nobody can read.
    assert_eq!(*problem(&failed(400, body).error), Problem::Member("error"));
    let facebook = json!({ "error_detectors": [{
        "pointer": "/error", "code": ["/error/type"], "description": ["/error/message"],
    }] });
    let client = client().with_dialect(serde_json::from_value(facebook).unwrap());
    let failed = receive(&client, &answer(400, body)).unwrap_err();
    let Error::Denied(denied) = failed.error else { panic!("the server said no") };
    assert_eq!(denied.error(), "OAuthException");
    assert_eq!(denied.description(), Some("Invalid verification code"));
}

// Row 57
#[test]
fn each_local_exception_has_its_place() {
    // TokenExpiredError
    let login = authorized(&client(), TOKENS);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    assert_eq!(
        login.attach(&client(), &mut request, after(3600)).unwrap_err(),
        Error::Expired(Expired::Token)
    );
    // InsecureTransportError
    let mut clear = Request::get("http://api.example/").body(()).unwrap();
    assert_eq!(
        login.attach(&client(), &mut clear, NOW).unwrap_err(),
        Error::Misuse(Misuse::PlainHttp)
    );
    // MissingTokenError, MissingTokenTypeError
    for (body, member) in
        [(r#"{"token_type":"Bearer"}"#, "access_token"), (r#"{"access_token":"a"}"#, "token_type")]
    {
        assert_eq!(*problem(&failed(200, body).error), Problem::MemberMissing(member));
    }
    // MismatchingStateError and MissingCodeError are those of rows 22 and 24.
}

// E2
#[test]
fn an_expired_token_is_not_attached() {
    let login = authorized(&client(), TOKENS);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    let error = login.attach(&client(), &mut request, after(3600)).unwrap_err();
    assert_eq!(error.to_string(), "the access token is expired or rejected; refresh it");
    assert!(request.headers().is_empty());
}

// E8
#[test]
fn a_token_without_a_type_is_refused_by_name() {
    let error = failed(200, r#"{"access_token":"a"}"#).error;
    assert!(
        error.to_string().starts_with("the token endpoint's answer lacks the member token_type")
    );
}

// E18
#[test]
fn the_secret_is_looked_at_when_the_client_is_refused() {
    let denied = denied(401, r#"{"error":"invalid_client"}"#);
    assert_eq!(
        denied.to_string(),
        "the authorization server refused: invalid_client; check client_id, secret and the kind \
         of client authentication"
    );
}

fn challenge(text: &'static str) -> Challenge {
    let mut headers = HeaderMap::new();
    headers.insert("www-authenticate", http::HeaderValue::from_static(text));
    Challenge::from_headers(&headers).remove(0)
}

// E23
#[test]
fn what_a_resource_server_says_is_a_challenge_and_ends_no_login() {
    assert!(challenge(r#"Bearer error="invalid_token""#).is_invalid_token());
    let login = authorized(&client(), TOKENS);
    let more = challenge(r#"Bearer error="insufficient_scope", scope="admin""#);
    let step_up = StepUp::of(&more, &login).expect("it wants more");
    assert_eq!(step_up.insufficient(), Insufficient::Scope);
    assert_eq!(step_up.missing_scope().as_str(), "admin");
    assert!(login.token(NOW).is_some());
}

// E24
#[test]
fn what_the_program_does_wrong_is_misuse_and_mostly_does_not_compile() {
    let client = client();
    // `ValueError` and `AttributeError` there. Nothing of it can come from the network.
    for error in [
        client.authorize("/callback").begin(&mut rng(), NOW).unwrap_err(),
        client.client_credentials().scope("a\"").begin(&mut rng(), NOW).unwrap_err(),
        Server::token_only("").unwrap_err().into(),
        Client::new("id", Server::token_only("https://as.example/token").unwrap())
            .authorize(REDIRECT_URI)
            .begin(&mut rng(), NOW)
            .unwrap_err(),
    ] {
        assert!(matches!(error, Error::Misuse(_)), "{error:?}");
        assert!(!error.is_retryable());
        assert!(error.to_string().starts_with("wrong use of oauth2-proto: "));
    }
}

// Row 58
#[test]
fn an_error_is_one_whatever_the_status() {
    // GitHub.
    let body = r#"{"error":"bad_verification_code","error_description":"incorrect or expired",
        "error_uri":"https://docs.github.com/"}"#;
    assert_eq!(denied(200, body).error(), "bad_verification_code");
    // And whatever stands beside it.
    let both = r#"{"error":"invalid_grant","access_token":"a","token_type":"Bearer"}"#;
    assert_eq!(denied(200, both).error(), "invalid_grant");
}
