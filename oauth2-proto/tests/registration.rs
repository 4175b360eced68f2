//! Dynamic registration (RFC 7591) and its management (RFC 7592): what is sent, what is refused, who
//! sees which token, and what shows nowhere.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::fmt::Debug;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Request, Response, StatusCode};
use oauth2_proto::{
    Body, Client, ClientRegistration, Error, Misuse, Origins, Problem, RegisteredClient, Secret,
    Server, Timestamp,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{NOW, answer, body, form, rng};

const ENDPOINT: &str = "https://server.example.com/register";

/// The request of RFC 7591 §3.1, byte for byte.
const RFC7591_3_1: &str = r#"{
      "redirect_uris": [
        "https://client.example.org/callback",
        "https://client.example.org/callback2"],
      "client_name": "My Example Client",
      "client_name#ja-Jpan-JP":
         "\u30AF\u30E9\u30A4\u30A2\u30F3\u30C8\u540D",
      "token_endpoint_auth_method": "client_secret_basic",
      "logo_uri": "https://client.example.org/logo.png",
      "jwks_uri": "https://client.example.org/my_public_keys.jwks",
      "example_extension_parameter": "example_value"
     }"#;

/// The answer of RFC 7591 §3.2.1, byte for byte.
const RFC7591_3_2_1: &str = r#"{
      "client_id": "s6BhdRkqt3",
      "client_secret": "cf136dc3c1fc93f31185e5885805d",
      "client_id_issued_at": 2893256800,
      "client_secret_expires_at": 2893276800,
      "redirect_uris": [
        "https://client.example.org/callback",
        "https://client.example.org/callback2"],
      "grant_types": ["authorization_code", "refresh_token"],
      "client_name": "My Example Client",
      "client_name#ja-Jpan-JP":
         "\u30AF\u30E9\u30A4\u30A2\u30F3\u30C8\u540D",
      "token_endpoint_auth_method": "client_secret_basic",
      "logo_uri": "https://client.example.org/logo.png",
      "jwks_uri": "https://client.example.org/my_public_keys.jwks",
      "example_extension_parameter": "example_value"
     }"#;

/// A client that can be managed, as RFC 7592 §3 has it.
const MANAGED: &str = r#"{
      "registration_access_token": "this.is.an.access.token.value.ffx83",
      "registration_client_uri": "https://server.example.com/register/s6BhdRkqt3",
      "client_id": "s6BhdRkqt3",
      "client_secret": "cf136dc3c1fc93f31185e5885805d",
      "client_id_issued_at": 2893256800,
      "client_secret_expires_at": 2893276800,
      "client_name": "My Example Client",
      "client_name#ja-Jpan-JP": "\u30AF\u30E9\u30A4\u30A2\u30F3\u30C8\u540D",
      "redirect_uris": [
        "https://client.example.org/callback",
        "https://client.example.org/callback2"],
      "grant_types": ["authorization_code", "refresh_token"],
      "token_endpoint_auth_method": "client_secret_basic",
      "logo_uri": "https://client.example.org/logo.png",
      "jwks_uri": "https://client.example.org/my_public_keys.jwks"
     }"#;

const TOKEN: &str = "this.is.an.access.token.value.ffx83";

/// The registration of RFC 7591 §3.1.
fn example() -> ClientRegistration {
    ClientRegistration::new()
        .redirect_uris([
            "https://client.example.org/callback",
            "https://client.example.org/callback2",
        ])
        .client_name("My Example Client")
        .member("client_name#ja-Jpan-JP", &"クライアント名")
        .and_then(|registration| {
            registration
                .token_endpoint_auth_method("client_secret_basic")
                .logo_uri("https://client.example.org/logo.png")
                .jwks_uri("https://client.example.org/my_public_keys.jwks")
                .member("example_extension_parameter", &"example_value")
        })
        .expect("these members are the client's")
}

/// What a registration makes of this answer.
fn receive_at(endpoint: &str, response: &Response<Vec<u8>>) -> Result<RegisteredClient, Error> {
    let (_, registering) = example().register(endpoint, None).expect("a good registration");
    registering.receive(response)
}

fn receive(status: u16, body: &str) -> Result<RegisteredClient, Error> {
    receive_at(ENDPOINT, &answer(status, body))
}

fn managed() -> RegisteredClient {
    receive(201, MANAGED).expect("a good answer")
}

fn with(answer: &str, name: &str, value: Value) -> String {
    let mut members: serde_json::Map<String, Value> = serde_json::from_str(answer).unwrap();
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.into(), value);
    }
    serde_json::to_string(&members).unwrap()
}

#[track_caller]
fn problem(error: Error) -> Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem().clone()
}

fn sent(request: &Request<Body>) -> Value {
    serde_json::from_str(body(request)).expect("a JSON object")
}

fn server() -> Server {
    Server::new("https://server.example.com/authorize", "https://server.example.com/token").unwrap()
}

/// How a client authenticates: its header field, and its form.
fn authenticates(client: &Client) -> (Option<String>, Vec<(String, String)>) {
    let (request, _) = client.client_credentials().begin(&mut rng(), NOW).unwrap();
    let field = request.headers().get(AUTHORIZATION).map(|it| it.to_str().unwrap().to_owned());
    (field, form(&request))
}

// The request

#[test]
fn the_request_of_rfc_7591_is_sent() {
    let (request, _) = example().register(ENDPOINT, None).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.uri(), ENDPOINT);
    assert_eq!(request.headers().get(CONTENT_TYPE).unwrap(), "application/json");
    assert_eq!(request.headers().get(ACCEPT).unwrap(), "application/json");
    assert_eq!(request.headers().get(AUTHORIZATION), None);
    assert_eq!(sent(&request), serde_json::from_str::<Value>(RFC7591_3_1).unwrap());
    // In the caller's order, nothing added.
    assert!(
        body(&request).starts_with(r#"{"redirect_uris":["https://client.example.org/callback","#)
    );
    assert!(body(&request).ends_with(r#","example_extension_parameter":"example_value"}"#));
}

#[test]
fn every_member_of_rfc_7591_has_a_setter() {
    let registration = ClientRegistration::new()
        .redirect_uris(["com.example.app:/callback", "http://127.0.0.1/callback"])
        .token_endpoint_auth_method("none")
        .grant_types(["authorization_code"])
        .response_types(["code"])
        .client_name("a \"name\"")
        .client_uri("https://client.example.org")
        .logo_uri("https://client.example.org/logo.png")
        .scope("read write")
        .contacts(["admin@client.example.org"])
        .tos_uri("https://client.example.org/tos")
        .policy_uri("https://client.example.org/policy")
        .software_id("4NRB1-0XZABZI9E6-5SM3R")
        .software_version("2.0")
        .software_statement("e30.e30.e30")
        .member("jwks", &json!({"keys": []}))
        .unwrap();
    let (request, _) = registration.register(ENDPOINT, None).unwrap();
    assert_eq!(
        sent(&request),
        json!({
            "redirect_uris": ["com.example.app:/callback", "http://127.0.0.1/callback"],
            "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code"],
            "response_types": ["code"],
            "client_name": "a \"name\"",
            "client_uri": "https://client.example.org",
            "logo_uri": "https://client.example.org/logo.png",
            "scope": "read write",
            "contacts": ["admin@client.example.org"],
            "tos_uri": "https://client.example.org/tos",
            "policy_uri": "https://client.example.org/policy",
            "software_id": "4NRB1-0XZABZI9E6-5SM3R",
            "software_version": "2.0",
            "software_statement": "e30.e30.e30",
            "jwks": {"keys": []},
        })
    );
}

#[test]
fn a_member_that_is_set_again_replaces_the_one_before() {
    let registration = ClientRegistration::new().scope("a").client_name("b").scope("c");
    let (request, _) = registration.register(ENDPOINT, None).unwrap();
    assert_eq!(body(&request), r#"{"scope":"c","client_name":"b"}"#);
    let (request, _) = ClientRegistration::new().register(ENDPOINT, None).unwrap();
    assert_eq!(body(&request), "{}");
}

#[test]
fn an_initial_access_token_is_a_sensitive_bearer_token() {
    // RFC 7591 §3.1.
    let token = Secret::new("ey23f2.adfj230.af32-developer321");
    let (request, _) = example().register(ENDPOINT, Some(&token)).unwrap();
    let field = request.headers().get(AUTHORIZATION).unwrap();
    assert_eq!(field, "Bearer ey23f2.adfj230.af32-developer321");
    assert!(field.is_sensitive());
    for token in ["", "a b", "a\nb", "ä"] {
        let misuse = example().register(ENDPOINT, Some(&Secret::new(token))).unwrap_err();
        assert_eq!(misuse, Misuse::Member("the initial access token".into()));
    }
}

#[test]
fn what_the_server_sets_cannot_be_asked_for() {
    // RFC 7591 §3.2.1, RFC 7592 §2.2.
    for name in [
        "client_id",
        "client_secret",
        "client_id_issued_at",
        "client_secret_expires_at",
        "registration_access_token",
        "registration_client_uri",
    ] {
        let misuse = ClientRegistration::new().member(name, &"mine").unwrap_err();
        assert_eq!(
            misuse.to_string(),
            format!(
                "wrong use of oauth2-proto: {name} cannot be part of a registration: it is the \
                 server's to set, contradicts another member, or has a value that cannot be sent"
            )
        );
    }
    let unsayable = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
    let misuse = ClientRegistration::new().member("own", &unsayable).unwrap_err();
    assert_eq!(misuse, Misuse::Member("own".into()));
}

#[test]
fn keys_are_given_in_one_way() {
    // RFC 7591 §2: "jwks_uri" and "jwks" MUST NOT both be present.
    let both = example().member("jwks", &json!({"keys": []})).unwrap();
    assert_eq!(both.register(ENDPOINT, None).unwrap_err(), Misuse::Member("jwks".into()));
}

#[test]
fn only_redirect_uris_that_a_login_may_use_are_registered() {
    // RFC 7591 §5.
    for uri in ["http://client.example.org/", "https://a.example/#f", "/callback", "javascript:a"] {
        let misuse = ClientRegistration::new().redirect_uris([uri]).register(ENDPOINT, None);
        assert!(matches!(misuse, Err(Misuse::Url("redirect URI", _))), "{uri}");
    }
    let wrong = ClientRegistration::new().member("redirect_uris", &1).unwrap();
    assert_eq!(wrong.register(ENDPOINT, None).unwrap_err(), Misuse::Member("redirect_uris".into()));
}

#[test]
fn the_endpoint_is_https() {
    // RFC 7591 §5: the endpoint MUST be protected by a transport-layer security mechanism.
    for endpoint in ["http://server.example.com/register", "register", "https://a@b.example/"] {
        let misuse = example().register(endpoint, None).unwrap_err();
        assert!(matches!(misuse, Misuse::Url("registration endpoint", _)), "{endpoint}");
    }
    assert!(example().register("http://localhost:8080/register", None).is_ok());
}

// The answer

#[test]
fn the_answer_of_rfc_7591_is_read() {
    let registered = receive(201, RFC7591_3_2_1).unwrap();
    assert_eq!(registered.client_id(), "s6BhdRkqt3");
    assert_eq!(registered.client_secret(), Some(&Secret::new("cf136dc3c1fc93f31185e5885805d")));
    let time = |seconds| Some(Timestamp::from_unix_seconds(seconds));
    assert_eq!(registered.client_id_issued_at(), time(2_893_256_800));
    assert_eq!(registered.client_secret_expires_at(), time(2_893_276_800));
    let grants: Vec<String> = registered.member("grant_types").unwrap();
    assert_eq!(grants, ["authorization_code", "refresh_token"]);
    let name: String = registered.member("client_name#ja-Jpan-JP").unwrap();
    assert_eq!(name, "クライアント名");
    assert_eq!(registered.member::<u8>("client_name"), None);
    assert_eq!(registered.member::<String>("client_secret"), None);
    assert!(registered.registration_client_uri().is_none());
}

#[test]
fn a_registered_client_logs_in_as_it_was_registered() {
    // RFC 7591 §2: if omitted, the default is "client_secret_basic".
    let basic = "Basic czZCaGRSa3F0MzpjZjEzNmRjM2MxZmM5M2YzMTE4NWU1ODg1ODA1ZA==";
    for (method, secret, header, in_body) in [
        (json!("client_secret_basic"), true, Some(basic), false),
        (Value::Null, true, Some(basic), false),
        (json!("client_secret_post"), true, None, true),
        (json!("none"), true, None, false),
        (json!("none"), false, None, false),
        (Value::Null, false, None, false),
    ] {
        let mut document = with(RFC7591_3_2_1, "token_endpoint_auth_method", method);
        if !secret {
            document = with(&document, "client_secret", Value::Null);
        }
        let client = receive(201, &document).unwrap().client(server()).unwrap();
        assert_eq!(client.id(), "s6BhdRkqt3");
        let (field, form) = authenticates(&client);
        assert_eq!(field.as_deref(), header, "{document}");
        assert_eq!(form.iter().any(|(name, _)| name == "client_secret"), in_body, "{document}");
    }
}

#[test]
fn a_method_that_needs_more_than_a_secret_is_left_to_the_host() {
    let document = with(RFC7591_3_2_1, "token_endpoint_auth_method", json!("private_key_jwt"));
    let error = receive(201, &document).unwrap().client(server()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registration endpoint names only private_key_jwt to authenticate clients, which a \
         client secret cannot do; configure the client for one of them"
    );
}

#[test]
fn a_secret_that_was_promised_has_to_come() {
    let document = with(RFC7591_3_2_1, "client_secret", Value::Null);
    let error = receive(201, &document).unwrap().client(server()).unwrap_err();
    assert_eq!(problem(error), Problem::MemberMissing("client_secret"));
}

#[test]
fn zero_and_silence_mean_that_a_secret_does_not_expire() {
    // RFC 7591 §3.2.1: 0 if it will not expire. It is required with a secret; its absence is harmless.
    for (value, expected) in
        [(json!(0), None), (Value::Null, None), (json!("7"), Some(7)), (json!(7), Some(7))]
    {
        let document = with(RFC7591_3_2_1, "client_secret_expires_at", value);
        let registered = receive(201, &document).unwrap();
        let expected = expected.map(Timestamp::from_unix_seconds);
        assert_eq!(registered.client_secret_expires_at(), expected);
    }
}

#[test]
fn an_answer_that_breaks_the_rfc_is_refused() {
    for (name, value, expected) in [
        ("client_id", Value::Null, Problem::MemberMissing("client_id")),
        ("client_id", json!(""), Problem::MemberMissing("client_id")),
        ("client_id", json!(1), Problem::Member("client_id")),
        ("client_id", json!("a\nb"), Problem::Member("client_id")),
        ("client_secret", json!(1), Problem::Member("client_secret")),
        ("client_secret_expires_at", json!(-1), Problem::Member("client_secret_expires_at")),
        ("client_secret_expires_at", json!(1.5), Problem::Member("client_secret_expires_at")),
        ("client_secret_expires_at", json!([]), Problem::Member("client_secret_expires_at")),
        ("client_id_issued_at", json!("now"), Problem::Member("client_id_issued_at")),
        ("token_endpoint_auth_method", json!(1), Problem::Member("token_endpoint_auth_method")),
        ("registration_access_token", json!("a b"), Problem::Member("registration_access_token")),
    ] {
        let error = receive(201, &with(MANAGED, name, value)).unwrap_err();
        assert_eq!(problem(error), expected);
    }
    for (uri, why) in [
        ("http://server.example.com/a", "must be https (plain http: this machine only)"),
        ("https://localhost/a", "points to this machine, and the URL it was learnt from does not"),
    ] {
        let name = "registration_client_uri";
        let error = receive(201, &with(MANAGED, name, json!(uri))).unwrap_err();
        let Problem::Url(url) = problem(error) else { panic!("{uri} is usable") };
        assert_eq!((url.member, url.why), (name, why));
    }
    for (document, expected) in [
        ("", Problem::Json),
        ("[]", Problem::Json),
        (r#"{"client_id":"a","client_id":"b"}"#, Problem::Members),
        (r#"{"client_id":"a","own":1,"own":1}"#, Problem::Members),
    ] {
        assert_eq!(problem(receive(201, document).unwrap_err()), expected);
    }
}

#[test]
fn an_answer_comes_with_201() {
    // RFC 7591 §3.2.1.
    let error = receive(200, RFC7591_3_2_1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registration endpoint answered 200 OK, where the RFC has it answer 201 Created"
    );
    let (_, registering) = example().register(ENDPOINT, None).unwrap();
    let answer = answer(200, RFC7591_3_2_1);
    assert!(registering.with_status(StatusCode::OK).receive(&answer).is_ok());
    for (status, expected) in [
        (302, Problem::Redirected(StatusCode::FOUND)),
        (404, Problem::Status(StatusCode::NOT_FOUND)),
    ] {
        assert_eq!(problem(receive(status, "").unwrap_err()), expected);
    }
    assert!(receive(503, "").unwrap_err().is_retryable());
}

#[test]
fn every_error_of_rfc_7591_is_denied_in_its_words() {
    // RFC 7591 §3.2.2.
    for (error, advice) in [
        ("invalid_redirect_uri", "; check the redirect URIs of the registration"),
        ("invalid_client_metadata", "; check the members of the registration"),
        ("invalid_software_statement", "; ask who issued the software statement"),
        ("unapproved_software_statement", "; ask who issued the software statement"),
    ] {
        let body = format!(r#"{{"error":"{error}","error_description":"Not this one."}}"#);
        let refused = receive(400, &body).unwrap_err();
        let Error::Denied(denied) = &refused else { panic!("{refused:?}") };
        assert_eq!((denied.error(), denied.description()), (error, Some("Not this one.")));
        assert_eq!(
            refused.to_string(),
            format!("the authorization server refused: {error} (Not this one.){advice}")
        );
    }
}

#[test]
fn a_token_that_is_not_good_enough_is_denied_in_the_words_of_the_challenge() {
    // RFC 7591 §3, RFC 7592 §2.1: 401 as in RFC 6750 §3.
    let mut response = answer(401, "");
    response.headers_mut().insert(
        WWW_AUTHENTICATE,
        HeaderValue::from_static(
            r#"Bearer error="invalid_token", error_description="this.is.an.access.token.value.ffx83 is old""#,
        ),
    );
    let token = Secret::new(TOKEN);
    let (_, registering) = example().register(ENDPOINT, Some(&token)).unwrap();
    let registered = managed();
    let management = registered.manage().unwrap();
    let (_, managing) = management.read();
    let (_, deleting) = management.delete();
    for error in [
        registering.receive(&response).unwrap_err(),
        managing.receive(&response).unwrap_err(),
        deleting.receive(&response).unwrap_err(),
    ] {
        let Error::Denied(denied) = &error else { panic!("{error:?}") };
        // The server repeats the token; the error does not.
        assert_eq!((denied.error(), denied.description()), ("invalid_token", None));
    }
}

// Management

#[test]
fn a_registration_is_read_with_its_token() {
    // RFC 7592 §2.1.
    let registered = managed();
    let (request, managing) = registered.manage().unwrap().read();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri(), "https://server.example.com/register/s6BhdRkqt3");
    assert_eq!(request.headers().get(ACCEPT).unwrap(), "application/json");
    assert_eq!(request.headers().get(CONTENT_TYPE), None);
    let field = request.headers().get(AUTHORIZATION).unwrap();
    assert_eq!(field, &format!("Bearer {TOKEN}"));
    assert!(field.is_sensitive());
    assert_eq!(body(&request), "");
    assert_eq!(managing.receive(&answer(200, MANAGED)), Ok(registered));
}

#[test]
fn an_update_says_everything_again_but_what_the_server_sets() {
    // RFC 7592 §2.2.
    let registered = managed();
    let changed = registered.registration().client_name("My New Example");
    let (request, _) = registered.manage().unwrap().update(&changed).unwrap();
    assert_eq!(request.method(), Method::PUT);
    assert_eq!(request.uri(), "https://server.example.com/register/s6BhdRkqt3");
    assert_eq!(request.headers().get(CONTENT_TYPE).unwrap(), "application/json");
    assert_eq!(
        sent(&request),
        json!({
            "client_id": "s6BhdRkqt3",
            "client_secret": "cf136dc3c1fc93f31185e5885805d",
            "redirect_uris": [
                "https://client.example.org/callback",
                "https://client.example.org/callback2"
            ],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "client_secret_basic",
            "jwks_uri": "https://client.example.org/my_public_keys.jwks",
            "client_name": "My New Example",
            "client_name#ja-Jpan-JP": "クライアント名",
            "logo_uri": "https://client.example.org/logo.png"
        })
    );
    let wrong = changed.redirect_uris(["http://a.example/"]);
    assert!(registered.manage().unwrap().update(&wrong).is_err());
}

#[test]
fn new_secrets_replace_the_old_and_silence_keeps_them() {
    // RFC 7592 §2.1 and §2.2: the client MUST discard the previous ones.
    let registered = managed();
    let receive = |document: &str| {
        let changed = registered.registration();
        let (_, managing) = registered.manage().unwrap().update(&changed).unwrap();
        managing.receive(&answer(200, document)).unwrap()
    };
    let new = with(MANAGED, "client_secret", json!("new"));
    let new = with(&new, "registration_access_token", json!("newer"));
    let renewed = receive(&with(&new, "client_secret_expires_at", json!(0)));
    assert_eq!(renewed.client_secret(), Some(&Secret::new("new")));
    assert_eq!(renewed.client_secret_expires_at(), None);
    let (request, _) = renewed.manage().unwrap().read();
    assert_eq!(request.headers().get(AUTHORIZATION).unwrap(), "Bearer newer");

    let kept = receive(r#"{"client_id":"s6BhdRkqt3","client_name":"My New Example"}"#);
    assert_eq!(kept.client_secret(), registered.client_secret());
    assert_eq!(kept.client_secret_expires_at(), registered.client_secret_expires_at());
    assert_eq!(kept.client_id_issued_at(), registered.client_id_issued_at());
    assert_eq!(kept.member::<Value>("redirect_uris"), None);
    let (request, _) = kept.manage().unwrap().read();
    assert_eq!(request.headers().get(AUTHORIZATION).unwrap(), &format!("Bearer {TOKEN}"));
}

#[test]
fn an_answer_about_another_client_is_refused() {
    // RFC 7592 §2.2: client_id MUST be the same.
    let registered = managed();
    let (_, managing) = registered.manage().unwrap().read();
    let error = managing.receive(&answer(200, r#"{"client_id":"another"}"#)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the client configuration endpoint's answer has the client_id \"another\" and was asked for \
         \"s6BhdRkqt3\", so it must not be used; both have to be the same text"
    );
}

#[test]
fn a_registration_is_deleted_with_204() {
    // RFC 7592 §2.3.
    let registered = managed();
    let delete = || {
        let (request, deleting) = registered.manage().unwrap().delete();
        assert_eq!(request.method(), Method::DELETE);
        assert_eq!(request.uri(), "https://server.example.com/register/s6BhdRkqt3");
        assert_eq!(request.headers().get(AUTHORIZATION).unwrap(), &format!("Bearer {TOKEN}"));
        assert_eq!(body(&request), "");
        deleting
    };
    assert_eq!(delete().receive(&answer(204, "")), Ok(()));
    let error = delete().receive(&answer(200, "")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the client configuration endpoint answered 200 OK, where the RFC has it answer 204 No \
         Content"
    );
    let error = delete().receive(&answer(405, "")).unwrap_err();
    assert_eq!(problem(error), Problem::Status(StatusCode::METHOD_NOT_ALLOWED));
}

#[test]
fn the_token_goes_to_accepted_origins_only() {
    let uri = json!("https://elsewhere.example/register/1");
    let registered = receive(201, &with(MANAGED, "registration_client_uri", uri)).unwrap();
    let error = registered.manage().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the registration endpoint's registration_client_uri is on https://elsewhere.example, which \
         the program has not accepted; name that origin if it is right"
    );
    let other = Origins::new(["https://other.example"]).unwrap();
    assert_eq!(registered.manage_within(&other).unwrap_err(), error);
    let right = Origins::new(["https://elsewhere.example"]).unwrap();
    let (request, managing) = registered.manage_within(&right).unwrap().read();
    assert_eq!(request.uri().host(), Some("elsewhere.example"));
    // An answer cannot move it either.
    let moved = managing.receive(&answer(
        200,
        r#"{"client_id":"s6BhdRkqt3","registration_client_uri":"https://evil.example/"}"#,
    ));
    assert!(moved.unwrap().manage_within(&right).is_err());
}

#[test]
fn a_registration_without_a_place_of_management_is_not_managed() {
    for name in ["registration_client_uri", "registration_access_token"] {
        let registered = receive(201, &with(MANAGED, name, Value::Null)).unwrap();
        assert_eq!(problem(registered.manage().unwrap_err()), Problem::MemberMissing(name));
    }
}

// Stored

/// Written by the first version; every later one loads it.
const GOLDEN: &str = r#"{"V1":{"registration_endpoint":"https://server.example.com/register","client_id":"s6BhdRkqt3","client_secret":"cf136dc3c1fc93f31185e5885805d","client_id_issued_at":2893256800,"client_secret_expires_at":2893276800,"registration_access_token":"this.is.an.access.token.value.ffx83","registration_client_uri":"https://server.example.com/register/s6BhdRkqt3","metadata":"{\"client_name\":\"My Example Client\",\"client_name#ja-Jpan-JP\":\"\\u30AF\\u30E9\\u30A4\\u30A2\\u30F3\\u30C8\\u540D\",\"grant_types\":[\"authorization_code\", \"refresh_token\"],\"jwks_uri\":\"https://client.example.org/my_public_keys.jwks\",\"logo_uri\":\"https://client.example.org/logo.png\",\"redirect_uris\":[\n        \"https://client.example.org/callback\",\n        \"https://client.example.org/callback2\"],\"token_endpoint_auth_method\":\"client_secret_basic\"}"}}"#;

#[test]
fn a_registration_is_stored_and_loads() {
    assert_eq!(serde_json::to_string(&managed()).unwrap(), GOLDEN);
    assert_eq!(serde_json::from_str::<RegisteredClient>(GOLDEN).unwrap(), managed());
    for registered in [managed(), receive(201, r#"{"client_id":"a"}"#).unwrap()] {
        let binary = postcard::to_allocvec(&registered).unwrap();
        assert_eq!(postcard::from_bytes::<RegisteredClient>(&binary).unwrap(), registered);
    }
}

#[test]
fn a_stored_registration_that_breaks_an_invariant_is_refused() {
    let stored = serde_json::to_value(managed()).unwrap();
    for (name, value, says) in [
        ("registration_endpoint", "http://a.example", "an unusable registration endpoint"),
        ("registration_client_uri", "https://localhost/", "an unusable registration_client_uri"),
        ("registration_access_token", "a\nb", "a registration access token of wrong form"),
        ("client_id", "", "a client_id of wrong form"),
        ("client_id", "\n", "a client_id of wrong form"),
        ("metadata", "[]", "metadata that is no JSON object"),
        ("metadata", "{\"a\":1,\"a\":1}", "metadata that is no JSON object"),
    ] {
        let mut stored = stored.clone();
        *stored.pointer_mut(&format!("/V1/{name}")).unwrap() = value.into();
        let error = serde_json::from_value::<RegisteredClient>(stored).unwrap_err();
        assert_eq!(error.to_string(), format!("this stored registration has {says}"));
    }
}

// Secrets

#[track_caller]
fn assert_silent(value: &dyn Debug) {
    for text in [format!("{value:?}"), format!("{value:#?}")] {
        let one_line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for secret in ["cf136dc3c1fc93f31185e5885805d", TOKEN, "iNiTiAlAcCeSsToKeN", "pRiVaTeKeY"] {
            let some = &secret.as_bytes().get(..8).unwrap();
            let list = some.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
            for spelling in [secret.get(..10).unwrap(), &list] {
                assert!(!one_line.contains(spelling), "{text} shows {spelling}");
            }
        }
    }
}

#[test]
fn no_secret_shows() {
    let initial = Secret::new("iNiTiAlAcCeSsToKeN");
    let registration = example().member("own", &json!({"d": "pRiVaTeKeY"})).unwrap();
    assert_silent(&registration);
    let (request, registering) = registration.register(ENDPOINT, Some(&initial)).unwrap();
    assert_silent(&request);
    assert_silent(&registering);
    let registered = managed();
    assert_silent(&registered);
    let management = registered.manage().unwrap();
    assert_silent(&management);
    assert_silent(&management.read());
    assert_silent(&management.update(&registered.registration()).unwrap());
    assert_silent(&management.delete());
    assert_silent(&registered.client(server()).unwrap());
    // Nor in the errors that answers with secrets cause.
    for document in [
        with(MANAGED, "client_id", Value::Null),
        with(MANAGED, "client_secret_expires_at", json!("cf136dc3c1fc93f31185e5885805d")),
        MANAGED.replace("\"client_id\"", "\"client_secret\""),
        MANAGED.get(..300).unwrap().to_owned(),
    ] {
        for status in [200, 201, 400] {
            let error = receive(status, &document).unwrap_err();
            assert_silent(&error);
            assert_silent(&error.to_string());
            let Error::Malformed(malformed) = &error else { panic!("{error:?}") };
            assert_silent(&malformed.diagnostics());
        }
    }
}

// Hostile servers

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<u64>().prop_map(Value::from),
        "[ -~]{0,12}".prop_map(Value::from),
        "https?://(server\\.example\\.com|evil\\.example|localhost)[/@:?#\\\\a-z0-9]{0,8}"
            .prop_map(Value::from),
        prop::collection::vec(".{0,4}", 0..3).prop_map(Value::from),
    ]
}

const NAMES: [&str; 8] = [
    "client_id",
    "client_secret",
    "client_id_issued_at",
    "client_secret_expires_at",
    "registration_access_token",
    "registration_client_uri",
    "token_endpoint_auth_method",
    "own",
];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Law 10: no credentials to an origin that was not given or accepted.
    #[test]
    fn no_answer_leads_to_an_origin_that_was_not_accepted(
        members in prop::collection::btree_map(prop::sample::select(&NAMES[..]), value(), 0..8),
        is_usable in any::<bool>(),
    ) {
        let mut members = members;
        if is_usable {
            members.insert("client_id", "a".into());
            members.insert("registration_access_token", TOKEN.into());
        }
        let document = serde_json::to_string(&members).unwrap();
        let Ok(registered) = receive(201, &document) else { return Ok(()) };
        let stored = serde_json::to_string(&registered).unwrap();
        prop_assert_eq!(&serde_json::from_str::<RegisteredClient>(&stored).unwrap(), &registered);
        let _client = registered.client(server());
        let Ok(management) = registered.manage() else { return Ok(()) };
        let (reading, _) = management.read();
        let (deleting, _) = management.delete();
        let updating = management.update(&registered.registration()).ok();
        for request in [Some(reading), Some(deleting), updating.map(|(request, _)| request)] {
            let Some(request) = request else { continue };
            prop_assert_eq!(request.uri().scheme_str(), Some("https"));
            prop_assert_eq!(request.uri().host(), Some("server.example.com"));
            prop_assert_eq!(request.uri().port_u16().unwrap_or(443), 443);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(status in 100_u16..600, bytes in any::<Vec<u8>>()) {
        let _registered = receive_at(ENDPOINT, &answer(status, bytes));
    }
}
