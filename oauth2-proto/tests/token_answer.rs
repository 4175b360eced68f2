//! How the answer of the token endpoint is read (RFC 6749 §5.1, §5.2): strictly.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;
use std::collections::BTreeMap;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use oauth2_proto::{
    Authorized, Denied, Error, Failed, Outage, Problem, Reason, Scope, State, Unavailable,
};
use proptest::prelude::*;
use support::{NOW, TOKENS, after, answer, authorized, client, receive};

/// What the answer to a code comes to.
fn read(status: u16, body: impl Into<Vec<u8>>) -> Result<Authorized, Failed> {
    receive(&client(), &answer(status, body))
}

#[track_caller]
fn granted(body: &str) -> Authorized {
    match read(200, body) {
        Ok(tokens) => tokens,
        Err(failed) => panic!("{body} was refused: {failed}"),
    }
}

#[track_caller]
fn refused(status: u16, body: impl Into<Vec<u8>>) -> Error {
    read(status, body).expect_err("this answer is no token").error
}

#[track_caller]
fn problem_of(error: &Error) -> Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem().clone()
}

#[track_caller]
fn problem(status: u16, body: impl Into<Vec<u8>>) -> Problem {
    problem_of(&refused(status, body))
}

#[track_caller]
fn denied(status: u16, body: impl Into<Vec<u8>>) -> Denied {
    let error = refused(status, body);
    let Error::Denied(denied) = error else { panic!("{error:?} is not Denied") };
    denied
}

#[track_caller]
fn unavailable(response: &Response<Vec<u8>>) -> Unavailable {
    let error = receive(&client(), response).expect_err("this answer is no token").error;
    let Error::Unavailable(unavailable) = error else { panic!("{error:?} is not Unavailable") };
    unavailable
}

/// A token answer with these members besides the required ones.
fn with(members: &str) -> String {
    format!(r#"{{"access_token":"a","token_type":"Bearer",{members}}}"#)
}

fn status(code: u16) -> StatusCode {
    StatusCode::from_u16(code).expect("a status")
}

#[track_caller]
fn token(tokens: &Authorized) -> &str {
    tokens.token(NOW).expect("a fresh token").expose()
}

// Status

#[test]
fn a_token_comes_with_status_200() {
    assert_eq!(token(&granted(TOKENS)), "2YotnFZFEjr1zCsicMWpAA");
}

#[test]
fn a_token_with_another_success_status_is_refused() {
    for code in [201, 202, 203, 204, 206] {
        assert_eq!(problem(code, TOKENS), Problem::Status(status(code)));
    }
}

#[test]
fn a_redirect_is_refused_by_name_and_not_followed() {
    for code in [300, 301, 302, 303, 304, 307, 308] {
        let mut response = answer(code, TOKENS);
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("https://evil.example/"));
        let failed = receive(&client(), &response).unwrap_err();
        assert_eq!(problem_of(&failed.error), Problem::Redirected(status(code)));
        let State::Unauthorized(over) = *failed.state else { panic!("the code is spent") };
        assert_eq!(over.reason(), &Reason::CodeSpent);
    }
}

#[test]
fn a_token_with_an_error_status_is_refused() {
    for code in [400, 401, 403, 404, 418] {
        assert_eq!(problem(code, TOKENS), Problem::Status(status(code)));
    }
}

#[test]
fn an_informational_status_is_refused() {
    assert_eq!(problem(101, TOKENS), Problem::Status(status(101)));
}

// Body: one JSON object and nothing else

#[test]
fn what_is_not_one_json_object_is_refused() {
    let bodies = [
        "",
        " ",
        "null",
        "true",
        "42",
        "[]",
        r#""access_token""#,
        r#"[{"access_token":"a","token_type":"Bearer"}]"#,
        "<!DOCTYPE html><html><body>Please log in</body></html>",
        "access_token=a&token_type=bearer",
        r#"{"access_token":"a","token_type":"Bea"#,
        r#"{"access_token":"a","token_type":"Bearer""#,
        r#"{"access_token":"a" "token_type":"Bearer"}"#,
        r#"{access_token:"a",token_type:"Bearer"}"#,
        r#"{'access_token':'a','token_type':'Bearer'}"#,
        r#"{"access_token":"a","token_type":"Bearer",}"#,
        r#"{"access_token":"a","token_type":"Bearer"}}"#,
        r#"{"access_token":"a","token_type":"Bearer"}{}"#,
        r#"{"access_token":"a","token_type":"Bearer"} x"#,
        "{\"access_token\":\"a\",\"token_type\":\"Bearer\"}\0",
        "\u{feff}{\"access_token\":\"a\",\"token_type\":\"Bearer\"}",
        r#")]}'{"access_token":"a","token_type":"Bearer"}"#,
        "{\"access_token\":\"a\nb\",\"token_type\":\"Bearer\"}",
        r#"{"access_token":"\ud800","token_type":"Bearer"}"#,
        r#"{"access_token":"\x41","token_type":"Bearer"}"#,
    ];
    for body in bodies {
        assert_eq!(problem(200, body), Problem::Json, "{body}");
    }
}

#[test]
fn invalid_utf8_is_refused_wherever_it_stands() {
    let places: [&[u8]; 3] = [
        b"{\"access_token\":\"a\xFF\",\"token_type\":\"Bearer\"}",
        b"{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"note\":\"\xC3\x28\"}",
        b"{\"access_token\":\"a\",\"token_type\":\"Bearer\",\"\xE2\x82\":1}",
    ];
    for body in places {
        assert_eq!(problem(200, body), Problem::Json);
    }
}

#[test]
fn white_space_around_the_object_is_accepted() {
    assert_eq!(
        token(&granted("\r\n\t {\"access_token\":\"a\",\"token_type\":\"Bearer\"} \n")),
        "a"
    );
}

#[test]
fn the_content_type_is_not_asked_about() {
    for content_type in ["text/html", "text/javascript;charset=UTF-8", "x", ""] {
        let mut response = answer(200, TOKENS);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        assert!(receive(&client(), &response).is_ok(), "{content_type}");
    }
}

#[test]
fn every_truncation_of_an_answer_is_refused() {
    for end in 0..TOKENS.len() {
        assert_eq!(problem(200, &TOKENS[..end]), Problem::Json, "{}", &TOKENS[..end]);
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(
        code in 100_u16..600,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let _ = read(code, body);
    }

    #[test]
    fn no_damaged_answer_makes_it_panic(
        at in 0..TOKENS.len(),
        byte in any::<u8>(),
    ) {
        let mut body = TOKENS.as_bytes().to_vec();
        body[at] = byte;
        let _ = read(200, body);
    }
}

// Members that appear twice

#[test]
fn a_repeated_member_is_refused_by_name() {
    let members: [(&str, &str); 9] = [
        ("access_token", r#""b""#),
        ("token_type", r#""Bearer""#),
        ("expires_in", "60"),
        ("refresh_token", r#""b""#),
        ("scope", r#""b""#),
        ("id_token", r#""b""#),
        ("error", r#""b""#),
        ("error_description", r#""b""#),
        ("error_uri", r#""b""#),
    ];
    for (name, value) in members {
        for (first, second) in [(value, value), ("null", value), (value, "null"), ("null", "null")]
        {
            let body = format!(r#"{{"{name}":{first},"x":1,"{name}":{second}}}"#);
            assert_eq!(problem(200, body), Problem::DuplicateMember(name), "{first}, {second}");
        }
    }
}

#[test]
fn a_member_repeated_under_an_escaped_name_is_refused() {
    let body = r#"{"access_token":"a","token_type":"Bearer","access\u005ftoken":"b"}"#;
    assert_eq!(problem(200, body), Problem::DuplicateMember("access_token"));
}

#[test]
fn a_repeated_error_is_refused_whatever_the_status() {
    let body = r#"{"error":"invalid_grant","error":"invalid_client"}"#;
    assert_eq!(problem(400, body), Problem::DuplicateMember("error"));
}

// Errors beside and instead of tokens

#[test]
fn an_error_beside_a_token_is_an_error() {
    let before = r#"{"error":"invalid_grant","access_token":"a","token_type":"Bearer"}"#;
    let behind = with(r#""error":"invalid_grant""#);
    for body in [before, &behind] {
        assert_eq!(denied(200, body).error(), "invalid_grant");
    }
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let denied = denied(200, r#"{"error":"bad_verification_code","error_description":"Expired."}"#);
    assert_eq!(denied.error(), "bad_verification_code");
    assert_eq!(denied.description(), Some("Expired."));
}

#[test]
fn an_error_that_is_null_or_empty_is_none() {
    for error in ["null", r#""""#] {
        assert_eq!(token(&granted(&with(&format!(r#""error":{error}"#)))), "a");
    }
}

#[test]
fn an_error_that_is_no_string_is_refused() {
    for error in [r#"{"code":1}"#, "[]", "true", "400"] {
        for code in [200, 400] {
            let body = format!(r#"{{"error":{error}}}"#);
            assert_eq!(problem(code, body), Problem::Member("error"), "{error}");
        }
    }
}

/// Every code of RFC 6749 §5.2, each with the status that a server sends it with.
#[test]
fn each_error_code_of_rfc_6749_is_read() {
    let errors = [
        (400, "invalid_request"),
        (401, "invalid_client"),
        (400, "invalid_client"),
        (400, "invalid_grant"),
        (400, "unauthorized_client"),
        (403, "unauthorized_client"),
        (400, "unsupported_grant_type"),
        (400, "invalid_scope"),
    ];
    for (code, error) in errors {
        let denied = denied(code, format!(r#"{{"error":"{error}"}}"#));
        assert_eq!((denied.error(), denied.description(), denied.uri()), (error, None, None));
    }
}

#[test]
fn an_overloaded_server_may_say_so_with_status_400() {
    for error in ["temporarily_unavailable", "server_error"] {
        let unavailable = unavailable(&answer(400, format!(r#"{{"error":"{error}"}}"#)));
        assert_eq!(unavailable.cause(), Outage::Status(StatusCode::BAD_REQUEST));
    }
}

#[test]
fn a_refusal_without_explanation_is_named_by_its_status() {
    let bodies = [
        (400, ""),
        (403, ""),
        (400, "{}"),
        (400, r#"{"message":"no"}"#),
        (400, r#"{"error":null}"#),
        (401, "<html><body><h1>401 Unauthorized</h1></body></html>"),
        (404, "not found"),
        (405, "[]"),
    ];
    for (code, body) in bodies {
        assert_eq!(problem(code, body), Problem::Status(status(code)), "{body}");
    }
}

// Outages

#[test]
fn an_outage_is_read_from_the_status_whatever_the_body_says() {
    let bodies = ["", "<html>", TOKENS, r#"{"error":"invalid_grant"}"#];
    for (code, body) in [408, 429, 500, 502, 503, 504, 599].into_iter().zip(bodies.iter().cycle()) {
        let unavailable = unavailable(&answer(code, *body));
        assert_eq!(unavailable.cause(), Outage::Status(status(code)));
        assert_eq!(unavailable.retry_after(), None);
    }
}

#[test]
fn retry_after_in_seconds_is_passed_on() {
    for code in [408, 429, 500, 503] {
        let mut response = answer(code, "");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(" 120 "));
        assert_eq!(unavailable(&response).retry_after(), Some(Duration::from_secs(120)));
    }
}

#[test]
fn retry_after_is_read_beside_an_error_that_says_overloaded() {
    let mut response = answer(400, r#"{"error":"temporarily_unavailable"}"#);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("7"));
    assert_eq!(unavailable(&response).retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn a_retry_after_that_is_no_number_of_seconds_is_ignored() {
    for text in ["Wed, 21 Oct 2015 07:28:00 GMT", "", "-1", "1.5", "soon", "1e3"] {
        let mut response = answer(503, "");
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(text));
        assert_eq!(unavailable(&response).retry_after(), None, "{text}");
    }
}

// access_token

#[test]
fn a_missing_access_token_is_refused() {
    assert_eq!(problem(200, r#"{"token_type":"Bearer"}"#), Problem::MemberMissing("access_token"));
    assert_eq!(problem(200, "{}"), Problem::MemberMissing("access_token"));
}

#[test]
fn an_access_token_of_a_wrong_form_is_refused() {
    let values = [
        "null",
        r#""""#,
        "1",
        "true",
        r#"["a"]"#,
        r#"{"a":"b"}"#,
        r#""a\nb""#,
        r#""a\r\nX-Injected: 1""#,
        r#""a\tb""#,
        r#""\u0000""#,
        r#""a\u007f""#,
        r#""ä""#,
        r#""токен""#,
    ];
    for value in values {
        let body = format!(r#"{{"access_token":{value},"token_type":"Bearer"}}"#);
        assert_eq!(problem(200, body), Problem::Member("access_token"), "{value}");
    }
}

/// RFC 6749 Appendix A.12: `access-token = 1*VSCHAR`, which is every printable ASCII character.
#[test]
fn an_access_token_of_any_printable_characters_is_kept_as_it_came() {
    let all: String = ('!'..='~').collect();
    let body = serde_json::json!({ "access_token": all, "token_type": "Bearer" }).to_string();
    let tokens = granted(&body);
    assert_eq!(token(&tokens), all);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    tokens.token(NOW).unwrap().attach(&mut request).unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], format!("Bearer {all}"));
}

#[test]
fn escapes_in_tokens_are_decoded() {
    let tokens = granted(
        r#"{"access_token":"\u0041b\/\u0063","token_type":"\u0042earer","refresh_token":"r\u0031"}"#,
    );
    assert_eq!(token(&tokens), "Ab/c");
    assert_eq!(tokens.token(NOW).unwrap().token_type(), "Bearer");
    let (request, _) = tokens.refresh(&client(), NOW).unwrap();
    assert!(support::body(&request).contains("refresh_token=r1&"), "{}", support::body(&request));
}

// token_type

#[test]
fn a_missing_token_type_is_refused() {
    for body in [
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"a","token_type":null}"#,
        r#"{"access_token":"a","token_type":""}"#,
    ] {
        assert_eq!(problem(200, body), Problem::MemberMissing("token_type"), "{body}");
    }
}

#[test]
fn a_token_type_of_a_wrong_json_type_is_refused() {
    for value in ["1", "true", r#"["Bearer"]"#, "{}"] {
        let body = format!(r#"{{"access_token":"a","token_type":{value}}}"#);
        assert_eq!(problem(200, body), Problem::Member("token_type"), "{value}");
    }
}

#[test]
fn bearer_is_understood_in_any_spelling() {
    for spelling in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let tokens = granted(&format!(r#"{{"access_token":"a","token_type":"{spelling}"}}"#));
        let token = tokens.token(NOW).unwrap();
        assert_eq!(token.token_type(), "Bearer");
        let mut request = Request::get("https://api.example/").body(()).unwrap();
        token.attach(&mut request).unwrap();
        assert_eq!(request.headers()[AUTHORIZATION], "Bearer a");
    }
}

#[test]
fn a_token_of_another_type_is_kept_and_refused_by_name_when_attached() {
    for token_type in ["example", "MAC", "DPoP", "N_A", "Bearer "] {
        let tokens = granted(&format!(r#"{{"access_token":"a","token_type":"{token_type}"}}"#));
        let token = tokens.token(NOW).unwrap();
        assert_eq!(token.token_type(), token_type);
        let mut request = Request::get("https://api.example/").body(()).unwrap();
        let error = token.attach(&mut request).unwrap_err();
        assert_eq!(problem_of(&error), Problem::TokenType(token_type.into()));
        assert!(request.headers().is_empty());
    }
}

// expires_in

#[test]
fn a_lifetime_is_read_in_every_json_spelling() {
    let spellings = [
        ("3600", 3600),
        ("3600.0", 3600),
        ("3.6e3", 3600),
        ("36E+2", 3600),
        (r#""3600""#, 3600),
        (r#""3600.0""#, 3600),
        ("0", 0),
        ("1", 1),
        ("2147483647", 0x7FFF_FFFF),
        ("2147483647.0", 0x7FFF_FFFF),
    ];
    for (spelling, seconds) in spellings {
        let tokens = granted(&with(&format!(r#""expires_in":{spelling}"#)));
        assert_eq!(tokens.expires_at(), Some(after(seconds)), "{spelling}");
    }
}

#[test]
fn a_token_without_a_lifetime_does_not_expire() {
    for body in [r#"{"access_token":"a","token_type":"Bearer"}"#, &with(r#""expires_in":null"#)] {
        let tokens = granted(body);
        assert_eq!((tokens.expires_at(), tokens.refresh_at()), (None, None));
        assert!(tokens.token(after(u64::MAX)).is_some());
    }
}

#[test]
fn an_absurd_lifetime_is_clamped() {
    for spelling in [
        "2147483648",
        "2147483648.0",
        "1e300",
        "1e400",
        "99999999999999999999",
        "18446744073709551615",
        r#""1e18""#,
    ] {
        let tokens = granted(&with(&format!(r#""expires_in":{spelling}"#)));
        assert_eq!(tokens.expires_at(), Some(after(0x7FFF_FFFF)), "{spelling}");
    }
}

#[test]
fn a_lifetime_that_counts_no_seconds_is_refused() {
    let spellings = [
        "-1",
        "-1e3",
        "3600.5",
        "0.1",
        "true",
        "false",
        "{}",
        "[]",
        "[3600]",
        r#""""#,
        r#"" ""#,
        r#""abc""#,
        r#""3600s""#,
        r#""-1""#,
        r#""3600.5""#,
        r#""inf""#,
        r#""infinity""#,
        r#""NaN""#,
        r#""0x10""#,
        r#""1_000""#,
        r#""٣""#,
    ];
    for spelling in spellings {
        let body = with(&format!(r#""expires_in":{spelling}"#));
        assert_eq!(problem(200, body), Problem::Member("expires_in"), "{spelling}");
    }
}

#[test]
fn a_lifetime_with_a_plus_sign_is_refused() {
    let body = with(r#""expires_in":"+5""#);
    assert_eq!(problem(200, body), Problem::Member("expires_in"));
}

// scope

#[test]
fn a_missing_scope_is_what_was_asked_for() {
    for body in [TOKENS, &with(r#""scope":null"#), &with(r#""scope":"""#)] {
        let tokens = granted(body);
        assert_eq!(tokens.scope().as_str(), support::SCOPE);
        assert!(tokens.missing_scope().is_empty() && tokens.additional_scope().is_empty());
    }
}

#[test]
fn a_scope_may_be_separated_by_more_than_one_space() {
    for text in ["read write", "read  write", " read write ", "   read   write   "] {
        let tokens = granted(&with(&format!(r#""scope":"{text}""#)));
        assert_eq!(tokens.scope().as_str(), "read write", "{text:?}");
    }
}

#[test]
fn a_narrowed_scope_is_data() {
    let tokens = granted(&with(r#""scope":"read""#));
    assert_eq!(tokens.scope().as_str(), "read");
    assert_eq!(tokens.missing_scope().as_str(), "write");
    assert!(tokens.additional_scope().is_empty());
}

#[test]
fn a_widened_scope_is_data() {
    let tokens = granted(&with(r#""scope":"admin read write""#));
    assert!(tokens.missing_scope().is_empty());
    assert_eq!(tokens.additional_scope().as_str(), "admin");
}

#[test]
fn a_reordered_scope_is_the_same() {
    let tokens = granted(&with(r#""scope":"write read""#));
    assert_eq!(tokens.scope(), &Scope::new(support::SCOPE).unwrap());
    assert!(tokens.missing_scope().is_empty() && tokens.additional_scope().is_empty());
}

#[test]
fn another_scope_is_both_missing_and_additional() {
    let tokens = granted(&with(r#""scope":"Read write""#));
    assert_eq!(tokens.missing_scope().as_str(), "read");
    assert_eq!(tokens.additional_scope().as_str(), "Read");
}

#[test]
fn odd_characters_in_a_scope_do_not_lose_the_token() {
    for text in [r"read w\u0000rite", r"read wr\nite", r"read \u0022q\u0022", r"read ä", r"read\t"]
    {
        let tokens = granted(&with(&format!(r#""scope":"{text}""#)));
        assert_eq!(token(&tokens), "a");
        assert!(!tokens.scope().contains("write"), "{text}");
    }
}

#[test]
fn a_scope_of_another_json_type_is_refused() {
    for value in [r#"["read","write"]"#, "1", "{}"] {
        let body = with(&format!(r#""scope":{value}"#));
        assert_eq!(problem(200, body), Problem::Member("scope"), "{value}");
    }
}

#[test]
fn a_repeated_scope_token_counts_once() {
    let tokens = granted(&with(r#""scope":"read read write""#));
    assert_eq!(tokens.scope().as_str(), "read write");
    assert_eq!(tokens.scope().iter().count(), 2);
}

// refresh_token and id_token

#[test]
fn a_refresh_token_that_is_null_or_empty_is_none() {
    for value in ["null", r#""""#] {
        let tokens = granted(&with(&format!(r#""refresh_token":{value}"#)));
        assert!(!tokens.is_renewable(), "{value}");
    }
    assert!(granted(&with(r#""refresh_token":"r""#)).is_renewable());
}

#[test]
fn a_refresh_token_of_another_json_type_is_refused() {
    for value in ["1", "false", r#"["r"]"#] {
        let body = with(&format!(r#""refresh_token":{value}"#));
        assert_eq!(problem(200, body), Problem::Member("refresh_token"), "{value}");
    }
}

#[test]
fn an_id_token_is_kept_as_it_came() {
    let tokens = granted(&with(r#""id_token":"eyJ.e30.c2ln""#));
    assert_eq!(tokens.id_token().unwrap().expose(), "eyJ.e30.c2ln");
    assert!(granted(&with(r#""id_token":null"#)).id_token().is_none());
}

// Extras

#[test]
fn unknown_members_are_kept() {
    let tokens = granted(&with(
        r#""instance_url":"https:\/\/eu.example","nested":{"a":[1,{"b":null}],"c":"\u00e4"},"count":7,"yes":true,"nothing":null"#,
    ));
    assert_eq!(tokens.extra::<String>("instance_url").as_deref(), Some("https://eu.example"));
    assert_eq!(
        tokens.extra::<serde_json::Value>("nested"),
        Some(serde_json::json!({ "a": [1, { "b": null }], "c": "ä" }))
    );
    assert_eq!(tokens.extra::<u8>("count"), Some(7));
    assert_eq!(tokens.extra::<bool>("yes"), Some(true));
    assert_eq!(tokens.extra::<Option<u8>>("nothing"), Some(None));
    assert_eq!(tokens.extra::<u8>("absent"), None);
}

#[test]
fn an_extra_of_another_type_than_asked_for_is_none() {
    let tokens = granted(&with(r#""count":"seven""#));
    assert_eq!(tokens.extra::<u8>("count"), None);
    assert_eq!(tokens.extra::<BTreeMap<String, u8>>("count"), None);
    assert_eq!(tokens.extra::<String>("count").as_deref(), Some("seven"));
}

#[test]
fn the_members_that_oauth_defines_are_no_extras() {
    let tokens = granted(TOKENS);
    for name in ["access_token", "token_type", "expires_in", "refresh_token", "scope", "id_token"] {
        assert_eq!(tokens.extra::<serde_json::Value>(name), None, "{name}");
    }
}

#[test]
fn extras_with_awkward_names_are_found() {
    let names = ["a\"b", "a\\b", "a\nb", "", "ä", "a b", "\u{7f}", "\u{2028}", "{", "a\":1,\"b"];
    let mut members = serde_json::Map::new();
    members.insert("access_token".into(), "a".into());
    members.insert("token_type".into(), "Bearer".into());
    for (number, name) in names.iter().enumerate() {
        members.insert((*name).into(), number.into());
    }
    let tokens = granted(&serde_json::Value::Object(members).to_string());
    for (number, name) in names.iter().enumerate() {
        assert_eq!(tokens.extra::<usize>(name), Some(number), "{name:?}");
    }
}

#[test]
fn a_member_whose_name_is_written_with_escapes_is_the_same_member() {
    let tokens = granted(r#"{"\u0061ccess_token":"a","token\u005ftype":"Bearer","e\u0078tra":1}"#);
    assert_eq!(token(&tokens), "a");
    assert_eq!(tokens.extra::<u8>("extra"), Some(1));
}

#[test]
fn extras_of_a_new_answer_replace_the_old_ones() {
    let client = client();
    let old = authorized(&client, &with(r#""refresh_token":"r","old":1,"both":1"#));
    let (_, refreshing) = old.refresh(&client, NOW).unwrap();
    let new = refreshing.receive(&client, &answer(200, with(r#""both":2"#)), NOW).unwrap();
    assert_eq!((new.extra::<u8>("old"), new.extra::<u8>("both")), (None, Some(2)));
}

// Limits

#[test]
fn an_answer_longer_than_1_mib_is_refused() {
    let limit = 1024 * 1024;
    assert_eq!(client().body_limit(), limit);
    let fitting = TOKENS.to_owned() + &" ".repeat(limit - TOKENS.len());
    assert_eq!(token(&granted(&fitting)), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(problem(200, format!("{fitting} ")), Problem::TooLarge(limit));
    assert_eq!(problem(400, format!("{fitting} ")), Problem::TooLarge(limit));
}

#[test]
fn the_limit_can_be_set() {
    let client = client().with_body_limit(TOKENS.len());
    assert_eq!(client.body_limit(), TOKENS.len());
    assert!(receive(&client, &answer(200, TOKENS)).is_ok());
    let error = receive(&client, &answer(200, format!("{TOKENS} "))).unwrap_err().error;
    assert_eq!(problem_of(&error), Problem::TooLarge(TOKENS.len()));
}

#[test]
fn deep_nesting_does_not_overflow_the_stack() {
    for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
        let deep = format!("{}1{}", open.repeat(100_000), close.repeat(100_000));
        let tokens = granted(&with(&format!(r#""deep":{deep}"#)));
        assert_eq!(tokens.extra::<serde_json::Value>("deep"), None);
        assert_eq!(problem(200, deep.clone()), missing_or_json(open));
        let body = format!(r#"{{"access_token":{deep},"token_type":"Bearer"}}"#);
        assert_eq!(problem(200, body), Problem::Member("access_token"));
        let body = with(&format!(r#""expires_in":{deep}"#));
        assert_eq!(problem(200, body), Problem::Member("expires_in"));
    }
}

/// An array is no answer at all; an object is one without a token.
fn missing_or_json(open: &str) -> Problem {
    if open == "[" { Problem::Json } else { Problem::MemberMissing("access_token") }
}

#[test]
fn an_extra_hidden_behind_a_deep_one_is_still_found() {
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let tokens = granted(&with(&format!(r#""deep":{deep},"shallow":1"#)));
    assert_eq!(tokens.extra::<u8>("shallow"), Some(1));
}

// The examples of RFC 6749, byte for byte

#[test]
fn the_answer_of_rfc_6749_section_5_1() {
    let body = r#"{
       "access_token":"2YotnFZFEjr1zCsicMWpAA",
       "token_type":"example",
       "expires_in":3600,
       "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA",
       "example_parameter":"example_value"
     }"#;
    let tokens = granted(body);
    assert_eq!(token(&tokens), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(tokens.token(NOW).unwrap().token_type(), "example");
    assert_eq!(tokens.expires_at(), Some(after(3600)));
    assert_eq!(tokens.extra::<String>("example_parameter").as_deref(), Some("example_value"));
    let (request, _) = tokens.refresh(&client(), NOW).unwrap();
    assert!(support::body(&request).contains("refresh_token=tGzv3JOkF0XG5Qx2TlKWIA"));
}

#[test]
fn the_answer_of_rfc_6749_section_4_4_3() {
    let client = client().with_secret("gX1fBat3bV");
    let body = r#"{
       "access_token":"2YotnFZFEjr1zCsicMWpAA",
       "token_type":"example",
       "expires_in":3600,
       "example_parameter":"example_value"
     }"#;
    let (_, awaiting) = client.client_credentials().begin(&mut support::rng(), NOW).unwrap();
    let tokens = awaiting.receive(&client, &answer(200, body), NOW).unwrap();
    assert_eq!(token(&tokens), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(tokens.expires_at(), Some(after(3600)));
    assert!(tokens.is_renewable(), "a program repeats its grant");
}

#[test]
fn the_error_of_rfc_6749_section_5_2() {
    let body = r#"{
       "error":"invalid_request"
     }"#;
    let denied = denied(400, body);
    assert_eq!((denied.error(), denied.description()), ("invalid_request", None));
}
