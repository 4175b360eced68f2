//! Rows 44a to 52: the answer of the token endpoint.

use http::StatusCode;
use oauth2_proto::{Authorized, Error, Outage, Problem};
use serde_json::json;

use crate::support::{NOW, SCOPE, TOKENS, after, answer, authorized, client, receive, redeem};

/// Why this answer brings no token.
#[track_caller]
fn refused(status: u16, body: &str) -> Error {
    receive(&client(), &answer(status, body)).expect_err("there is no token in it").error
}

#[track_caller]
fn problem(error: &Error) -> &Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem()
}

/// A login whose answer has these members besides the token.
fn granted(members: &str) -> Authorized {
    authorized(&client(), &format!(r#"{{"access_token":"a","token_type":"Bearer"{members}}}"#))
}

// Row 44a
#[test]
fn the_status_is_read() {
    for body in [TOKENS, "<html>oops</html>"] {
        let error = refused(500, body);
        let Error::Unavailable(unavailable) = &error else { panic!("{error:?}") };
        assert_eq!(unavailable.cause(), Outage::Status(StatusCode::INTERNAL_SERVER_ERROR));
        assert!(error.is_retryable());
    }
    for status in [201, 400, 404] {
        let expected = Problem::Status(StatusCode::from_u16(status).unwrap());
        assert_eq!(*problem(&refused(status, TOKENS)), expected);
    }
}

// Row 44b
#[test]
fn the_content_type_is_not_asked_about() {
    let client = client();
    for content_type in ["text/html", "text/plain; charset=utf-8", "application/json"] {
        let mut response = answer(200, TOKENS);
        response.headers_mut().insert("content-type", content_type.parse().unwrap());
        assert!(receive(&client, &response).is_ok(), "{content_type}");
    }
}

/// What a client with this dialect makes of an answer.
#[track_caller]
fn heard(dialect: serde_json::Value, body: &str) -> Authorized {
    let client = client().with_dialect(serde_json::from_value(dialect).expect("a dialect"));
    receive(&client, &answer(200, body)).expect("its dialect accepts it")
}

// Row 44c
#[test]
fn a_form_is_read_where_the_server_is_known_for_it() {
    let form = "access_token=a&token_type=bearer&expires_in=60&scope=read+write";
    assert_eq!(*problem(&refused(200, form)), Problem::Json);
    let login = heard(json!({ "answer_format": "any" }), form);
    assert_eq!(login.token(NOW).unwrap().expose(), "a");
    assert_eq!(login.expires_at(), Some(after(60)));
    assert_eq!(login.scope().as_str(), "read write");
}

// Row 44d
#[test]
fn json_that_is_no_object_is_an_error_like_any_other() {
    for body in ["[]", "\"access_token\"", "null", "1", "true", "[{\"access_token\":\"a\"}]", ""] {
        assert_eq!(*problem(&refused(200, body)), Problem::Json, "{body}");
    }
}

// Row 44e
#[test]
fn a_redirect_is_refused_by_name_and_the_code_goes_nowhere_else() {
    for status in [301, 302, 303, 307, 308] {
        let mut response = answer(status, "");
        response.headers_mut().insert("location", "https://evil.example/token".parse().unwrap());
        let failed = receive(&client(), &response).unwrap_err();
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(*problem(&failed.error), Problem::Redirected(status));
        assert!(failed.needs_login(), "the code is spent");
    }
}

// Row 44f
#[test]
fn an_answer_has_a_size_limit() {
    let long = format!(r#"{{"access_token":"{}","token_type":"Bearer"}}"#, "a".repeat(1 << 20));
    assert_eq!(*problem(&refused(200, &long)), Problem::TooLarge(1 << 20));
    let generous = client().with_body_limit(2 << 20);
    assert!(receive(&generous, &answer(200, long)).is_ok());
}

// Row 45
#[test]
fn a_scope_is_a_text_and_a_list_or_commas_where_the_server_is_known_for_it() {
    assert_eq!(granted(r#","scope":"a b""#).scope().as_str(), "a b");
    assert_eq!(granted(r#","scope":null"#).scope().as_str(), SCOPE);
    assert_eq!(granted(r#","scope":"a,b""#).scope().iter().count(), 1);
    let commas = r#"{"access_token":"a","token_type":"Bearer","scope":"a,b"}"#;
    let login = heard(json!({ "granted_scope": { "separated": "," } }), commas);
    assert_eq!(login.scope().as_str(), "a b");
    let list = r#"{"access_token":"a","token_type":"Bearer","scope":["a","b"]}"#;
    assert_eq!(*problem(&refused(200, list)), Problem::Member("scope"));
    assert_eq!(heard(json!({ "granted_scope": "array" }), list).scope().as_str(), "a b");
}

// Row 46
#[test]
fn a_lifetime_is_read_in_every_spelling_of_its_number() {
    for spelling in ["3600", "3600.0", "\"3600\"", "\"3600.0\"", "3.6e3"] {
        let login = granted(&format!(r#","expires_in":{spelling}"#));
        assert_eq!(login.expires_at(), Some(after(3600)), "{spelling}");
    }
    assert_eq!(granted(r#","expires_in":null"#).expires_at(), None);
    // A fraction is cut off where the server is known for it.
    let fraction = r#"{"access_token":"a","token_type":"Bearer","expires_in":3600.9}"#;
    assert_eq!(*problem(&refused(200, fraction)), Problem::Member("expires_in"));
    let seconds = json!({ "lifetime_members": [{ "name": "expires_in", "unit": "seconds" }] });
    assert_eq!(heard(seconds, fraction).expires_at(), Some(after(3600)));
    // RFC 6749 §5.1: zero seconds are zero seconds. The token that does not expire is the
    // provider's own idea, and said of that provider.
    let none = granted(r#","expires_in":0"#);
    assert_eq!(none.expires_at(), Some(NOW));
    assert!(none.token(NOW).is_none());
    let zero = r#"{"access_token":"a","token_type":"Bearer","expires_in":0}"#;
    let never = heard(json!({ "zero_lifetime": "never" }), zero);
    assert!(never.token(after(1_000_000)).is_some());
}

// Row 47
#[test]
fn a_lifetime_counts_from_the_moment_of_sending() {
    let client = client();
    let (_, awaiting) = redeem(&client);
    // The answer took ten seconds, and the token is ten seconds old.
    let login = awaiting.receive(&client, &answer(200, TOKENS), after(10)).unwrap();
    assert_eq!(login.expires_at(), Some(after(3600)));
    // What the server says besides is there to be read, and nothing depends on it.
    let login = granted(r#","expires_in":60,"expires_at":1900000000"#);
    assert_eq!(login.expires_at(), Some(after(60)));
    assert_eq!(login.extra::<u64>("expires_at"), Some(1_900_000_000));
    // Unless the server is known for it.
    let moment = json!({ "lifetime_members": [{ "name": "expires_at", "unit": "unix_seconds" }] });
    let body =
        r#"{"access_token":"a","token_type":"Bearer","expires_in":60,"expires_at":1700000500}"#;
    assert_eq!(heard(moment, body).expires_at(), Some(after(500)));
}

// Row 48, E7
#[test]
fn an_access_token_is_there_and_is_not_empty() {
    let error = refused(200, r#"{"token_type":"Bearer"}"#);
    assert_eq!(*problem(&error), Problem::MemberMissing("access_token"));
    assert!(
        error.to_string().starts_with("the token endpoint's answer lacks the member access_token")
    );
    let error = refused(200, r#"{"access_token":"","token_type":"Bearer"}"#);
    assert_eq!(*problem(&error), Problem::Member("access_token"));
}

// Row 50, E4
#[test]
fn another_scope_is_news_and_no_error() {
    let login = granted(r#","scope":"read admin","refresh_token":"r""#);
    assert_eq!(login.scope().as_str(), "read admin");
    assert_eq!(login.token(NOW).unwrap().expose(), "a");
    assert!(login.is_renewable(), "the login keeps all of its tokens");
    // The order says nothing, an empty scope says nothing, a comma is part of a token.
    assert_eq!(granted(r#","scope":"write read""#).missing_scope().as_str(), "");
    assert_eq!(granted(r#","scope":"""#).scope().as_str(), SCOPE);
    assert_eq!(granted(r#","scope":"read,write""#).missing_scope().as_str(), SCOPE);
}

// Row 51
#[test]
fn what_is_missing_and_what_was_added_can_be_asked() {
    let login = granted(r#","scope":"read admin""#);
    assert_eq!(login.missing_scope().as_str(), "write");
    assert_eq!(login.additional_scope().as_str(), "admin");
    assert_eq!(granted("").missing_scope().as_str(), "");
}

// Row 52
#[test]
fn members_without_a_meaning_are_kept() {
    let login = granted(r#","instance_url":"https://x.example","athlete":{"id":12345678901234}"#);
    assert_eq!(login.extra::<String>("instance_url").as_deref(), Some("https://x.example"));
    let athlete: serde_json::Value = login.extra("athlete").unwrap();
    assert_eq!(athlete["id"], 12_345_678_901_234_u64);
    let id_token = granted(r#","id_token":"e30.e30.x""#);
    assert_eq!(id_token.id_token().unwrap().expose(), "e30.e30.x");
}
