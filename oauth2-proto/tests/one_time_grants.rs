//! Grants of one request that shows something: a password (RFC 6749 §4.3), an assertion (RFC 7521,
//! 7522, 7523), a token (RFC 8693), or whatever an extension asks for (RFC 6749 §4.5).
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::sync::Arc;

use http::Request;
use oauth2_proto::{
    AccessToken, Authorized, Authorizing, AwaitingToken, Body, Client, Error, Failed, Misuse,
    Outage, Problem, Reason, Server, Session, State, TokenRequest,
};
use support::{NOW, TOKENS, after, answer, body, client, form, other_client, rng};

fn begin(request: TokenRequest<'_>) -> (Request<Body>, AwaitingToken) {
    request.begin(&mut rng(), NOW).expect("a usable login")
}

fn text(request: TokenRequest<'_>) -> String {
    body(&begin(request).0).into()
}

fn confidential() -> Client {
    client().with_secret("gX1fBat3bV")
}

fn shown(request: &Request<Body>, name: &str) -> Vec<String> {
    form(request).into_iter().filter(|(own, _)| own == name).map(|(_, value)| value).collect()
}

fn authorization(request: &Request<Body>) -> &str {
    let header = request.headers().get("authorization").expect("it authenticates");
    header.to_str().expect("ASCII")
}

/// Every one of these grants, each with a secret that is called `sEcReT`.
fn every(client: &Client) -> [(Request<Body>, AwaitingToken); 5] {
    [
        begin(client.legacy_password("johndoe", "sEcReT").scope("read")),
        begin(client.jwt_bearer("sEcReT").scope("read")),
        begin(client.saml2_bearer(b"sEcReT").scope("read")),
        begin(client.extension_grant("urn:example:grant").param("key", "sEcReT").scope("read")),
        client
            .token_exchange("sEcReT", "urn:ietf:params:oauth:token-type:jwt")
            .scope("read")
            .begin(&mut rng(), NOW)
            .expect("a usable exchange"),
    ]
}

fn ended(received: Result<Authorized, Failed>) -> (Reason, Error) {
    let failed = received.expect_err("there is no token");
    let State::Unauthorized(ended) = &*failed.state else { panic!("{failed:?}, not over") };
    assert_eq!(ended.requested_scope().as_str(), "read");
    assert!(!ended.is_renewable());
    (ended.reason().clone(), failed.error)
}

// The password grant

#[test]
fn the_request_of_rfc_6749_section_4_3_2() {
    let client = confidential();
    let (request, _) = begin(client.legacy_password("johndoe", "A3ddj3w"));
    assert_eq!(authorization(&request), "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert_eq!(body(&request), "grant_type=password&username=johndoe&password=A3ddj3w");
}

#[test]
fn the_answer_of_rfc_6749_section_4_3_3() {
    let example = r#"{
       "access_token":"2YotnFZFEjr1zCsicMWpAA",
       "token_type":"example",
       "expires_in":3600,
       "refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA",
       "example_parameter":"example_value"
     }"#;
    let client = confidential();
    let (_, awaiting) = begin(client.legacy_password("johndoe", "A3ddj3w").scope("read"));
    let tokens = awaiting.receive(&client, &answer(200, example), NOW).expect("the example");
    assert_eq!(tokens.extra::<String>("example_parameter").as_deref(), Some("example_value"));
    assert_eq!(tokens.scope().as_str(), "read");
    // The login is renewed with its refresh token, the password is gone.
    let (request, _) = tokens.refresh(&client, NOW).expect("there is a refresh token");
    assert_eq!(body(&request), "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA");
}

#[test]
fn an_awkward_password_arrives_as_it_was() {
    for password in ["", " ", "a&b=c%+", "pässwörd", "\u{1f511}", "a\r\nb\0"] {
        let client = client();
        let (request, _) = begin(client.legacy_password("jöhn doe", password));
        assert_eq!(shown(&request, "password"), [password]);
        assert_eq!(shown(&request, "username"), ["jöhn doe"]);
    }
}

// Assertions

#[test]
fn the_request_of_rfc_7523_section_2_1() {
    // Its example (§4), shortened there as here, and without the line breaks of the page.
    let client = client();
    assert_eq!(
        text(client.jwt_bearer("eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJpc3Mi.J9l-ZhwP")),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer\
         &assertion=eyJhbGciOiJFUzI1NiIsImtpZCI6IjE2In0.eyJpc3Mi.J9l-ZhwP\
         &client_id=s6BhdRkqt3"
    );
}

#[test]
fn the_request_of_rfc_7522_section_2_1() {
    // The example of RFC 7521 §4.1 and RFC 6749 §4.5 is base64url of what begins and ends so.
    let client = client();
    assert_eq!(
        text(client.saml2_bearer(b"<saml:Assertion></saml:Assertion>")),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer\
         &assertion=PHNhbWw6QXNzZXJ0aW9uPjwvc2FtbDpBc3NlcnRpb24-\
         &client_id=s6BhdRkqt3"
    );
}

#[test]
fn a_saml_assertion_is_base64url_without_padding_or_line_breaks() {
    // RFC 7522 §2.1: MUST be encoded using base64url, SHOULD NOT include "=" padding characters.
    for length in 0..300_usize {
        let assertion: Vec<u8> =
            (0..length).map(|at| u8::try_from(at % 256).expect("ok")).collect();
        let client = client();
        let (request, _) = begin(client.saml2_bearer(&assertion));
        let [encoded] = &*shown(&request, "assertion") else { panic!("one assertion") };
        assert!(encoded.bytes().all(|it| it.is_ascii_alphanumeric() || matches!(it, b'-' | b'_')));
    }
}

#[test]
fn an_assertion_authenticates_nobody_and_goes_beside_the_clients_own_authentication() {
    // RFC 7521 §4.1: authentication of the client is optional, and orthogonal to the assertion.
    let client = confidential();
    let (request, _) = begin(client.jwt_bearer("a.b.c"));
    assert_eq!(authorization(&request), "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert!(shown(&request, "client_id").is_empty());
}

#[test]
fn a_refused_assertion_ends_the_login() {
    // RFC 7521 §4.1.1: the error code MUST be invalid_grant.
    let example = r#"{
        "error":"invalid_grant",
        "error_description":"Audience validation failed"
      }"#;
    let client = client();
    let (_, awaiting) = begin(client.jwt_bearer("a.b.c").scope("read"));
    let (reason, error) = ended(awaiting.receive(&client, &answer(400, example), NOW));
    assert_eq!(reason, Reason::Denied("invalid_grant".into()));
    let Error::Denied(denied) = error else { panic!("{error:?}") };
    assert_eq!(denied.description(), Some("Audience validation failed"));
}

// Token exchange

#[test]
fn the_exchange_of_rfc_8693_section_2_3() {
    // Figure 2. Its `resource` stands in front; the order of parameters means nothing.
    let server = Server::token_only("https://as.example.com/as/token.oauth2").expect("https");
    let client = Client::new("rs08", server).with_secret("long-secure-random-secret");
    let (request, awaiting) = client
        .token_exchange(
            "accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC",
            "urn:ietf:params:oauth:token-type:access_token",
        )
        .resource("https://backend.example.com/api")
        .begin(&mut rng(), NOW)
        .expect("the example");
    assert_eq!(authorization(&request), "Basic cnMwODpsb25nLXNlY3VyZS1yYW5kb20tc2VjcmV0");
    let ours: Vec<&str> = body(&request).split('&').collect();
    assert_eq!(
        ours,
        [
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
            "subject_token=accVkjcJyb4BWCxGsndESCJQbdFMogUC5PbRDqceLTC",
            "subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token",
            "resource=https%3A%2F%2Fbackend.example.com%2Fapi",
        ]
    );
    // Figure 3, its access token shortened.
    let example = r#"{
     "access_token":"eyJhbGciOiJFUzI1NiIsImtpZCI6IjllciJ9.eyJhdWQiOiJo",
     "issued_token_type":
         "urn:ietf:params:oauth:token-type:access_token",
     "token_type":"Bearer",
     "expires_in":60
    }"#;
    let tokens = awaiting.receive(&client, &answer(200, example), NOW).expect("the example");
    let issued = tokens.issued_token_type();
    assert_eq!(issued.as_deref(), Some("urn:ietf:params:oauth:token-type:access_token"));
    assert_eq!(tokens.login_due_at(), Some(after(60)));
}

#[test]
fn an_exchange_carries_everything_that_rfc_8693_section_2_1_knows() {
    let client = client();
    let (request, _) = client
        .token_exchange("subject", "urn:ietf:params:oauth:token-type:jwt")
        .actor("actor", "urn:ietf:params:oauth:token-type:saml2")
        .requested_token_type("urn:ietf:params:oauth:token-type:refresh_token")
        .audience("billing")
        .audience("shipping")
        .resource("https://a.example/")
        .resource("https://b.example/")
        .scope("read")
        .param("x", "y")
        .begin(&mut rng(), NOW)
        .expect("a usable exchange");
    let names: Vec<_> = form(&request).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        [
            "grant_type",
            "subject_token",
            "subject_token_type",
            "actor_token",
            "actor_token_type",
            "requested_token_type",
            "audience",
            "audience",
            "scope",
            "resource",
            "resource",
            "x",
            "client_id",
        ]
    );
    assert_eq!(shown(&request, "audience"), ["billing", "shipping"]);
    assert_eq!(shown(&request, "actor_token"), ["actor"]);
}

#[test]
fn what_is_no_access_token_refuses_to_be_attached() {
    // RFC 8693 §2.2.1: token_type is N_A where the issued token is not an access token.
    let client = client();
    let exchange = client.token_exchange("t", "urn:ietf:params:oauth:token-type:access_token");
    let (_, awaiting) = exchange.begin(&mut rng(), NOW).expect("a usable exchange");
    let answer = answer(
        200,
        r#"{"access_token":"a.b.c","token_type":"N_A","issued_token_type":"urn:ietf:params:oauth:token-type:id_token"}"#,
    );
    let tokens = awaiting.receive(&client, &answer, NOW).expect("a token of another kind");
    let token = tokens.token(NOW).expect("it does not expire");
    assert_eq!(token.expose(), "a.b.c");
    let mut request = Request::get("https://api.example/").body(()).expect("a request");
    let error = token.attach(&mut request).expect_err("it is no access token");
    assert!(
        matches!(error, Error::Malformed(it) if *it.problem() == Problem::TokenType("N_A".into()))
    );
    assert!(request.headers().is_empty());
}

// Extension grants

#[test]
fn the_extension_grant_of_rfc_6749_section_4_5() {
    let client = client();
    let request = client.extension_grant("urn:ietf:params:oauth:grant-type:saml2-bearer").param(
        "assertion",
        "PEFzc2VydGlvbiBJc3N1ZUluc3RhbnQ9IjIwMTEtMDUaG5TdGF0ZW1lbnQ-PC9Bc3NlcnRpb24-",
    );
    assert_eq!(
        text(request),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Asaml2-bearer\
         &assertion=PEFzc2VydGlvbiBJc3N1ZUluc3RhbnQ9IjIwMTEtMDUaG5TdGF0ZW1lbnQ-PC9Bc3NlcnRpb24-\
         &client_id=s6BhdRkqt3"
    );
}

// All of them

#[test]
fn scope_resources_and_parameters_go_with_every_grant() {
    let client = client();
    let request =
        client.jwt_bearer("a").scope("b c").resource("https://d.example/").param("e", "f");
    assert_eq!(
        text(request),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a&scope=b+c\
         &resource=https%3A%2F%2Fd.example%2F&e=f&client_id=s6BhdRkqt3"
    );
}

#[test]
fn parameters_that_the_grant_sets_itself_are_refused() {
    let client = client();
    let refused = |request: TokenRequest<'_>| request.begin(&mut rng(), NOW).expect_err("taken");
    for name in ["grant_type", "scope", "client_id", "client_secret", "resource"] {
        let expected = Error::Misuse(Misuse::Parameter(name.into()));
        assert_eq!(refused(client.extension_grant("urn:x").param(name, "evil")), expected);
    }
    let password = || client.legacy_password("a", "b");
    for name in ["username", "password"] {
        let expected = Error::Misuse(Misuse::Parameter(name.into()));
        assert_eq!(refused(password().param(name, "evil")), expected);
    }
    let expected = Error::Misuse(Misuse::Parameter("assertion".into()));
    assert_eq!(refused(client.jwt_bearer("a").param("assertion", "evil")), expected);
    let expected = Error::Misuse(Misuse::Parameter("x".into()));
    assert_eq!(refused(password().param("x", "1").param("x", "2")), expected);
    assert_eq!(refused(password().scope("\"")), Error::Misuse(Misuse::Scope));
    assert!(matches!(
        refused(password().resource("relative")),
        Error::Misuse(Misuse::Url("resource", _))
    ));
    let exchange = client.token_exchange("t", "urn:t").param("subject_token", "evil");
    let error = exchange.begin(&mut rng(), NOW).expect_err("taken");
    assert_eq!(error, Error::Misuse(Misuse::Parameter("subject_token".into())));
}

/// RFC 8693 §2.1: with an actor token its type is required, without one it must not be there.
#[test]
fn an_actor_token_comes_with_its_type_and_both_come_once() {
    let client = client();
    let exchange = || client.token_exchange("t", "urn:t");
    for name in ["actor_token", "actor_token_type"] {
        let error = exchange().param(name, "urn:a").begin(&mut rng(), NOW).expect_err("alone");
        assert_eq!(error, Error::Misuse(Misuse::Parameter(name.into())));
    }
    let twice = exchange().actor("a", "urn:a").actor("b", "urn:b");
    let (request, _) = twice.begin(&mut rng(), NOW).expect("a usable exchange");
    let actors: Vec<_> =
        form(&request).into_iter().filter(|(name, _)| name.starts_with("actor")).collect();
    let expected = [("actor_token", "b"), ("actor_token_type", "urn:b")];
    assert_eq!(actors, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn whatever_was_shown_works_once() {
    let client = client();
    for status in [503, 429, 404, 200] {
        for (_, awaiting) in every(&client) {
            let (reason, _) = ended(awaiting.receive(&client, &answer(status, "<html>"), NOW));
            assert_eq!(reason, Reason::CodeSpent);
        }
    }
    for (_, awaiting) in every(&client) {
        let State::Unauthorized(state) = awaiting.unanswered(NOW) else { panic!("it is over") };
        assert_eq!(*state.reason(), Reason::CodeSpent);
    }
}

#[test]
fn what_never_left_may_be_sent_again_byte_for_byte() {
    let client = client();
    for (request, awaiting) in every(&client) {
        let first = body(&request).to_owned();
        let awaiting = awaiting.unsent(NOW);
        let failed = awaiting.retry(&client, NOW).expect_err("it waits a second");
        assert_eq!(failed.error, Error::Misuse(Misuse::TooEarly(after(1))));
        let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *failed.state else {
            panic!("it is still awaited")
        };
        let (request, awaiting) = awaiting.retry(&client, after(1)).expect("it is due");
        assert_eq!(body(&request), first);
        assert!(awaiting.receive(&client, &answer(200, TOKENS), after(1)).is_ok());
    }
}

#[test]
fn what_may_have_been_seen_is_not_sent_again() {
    let client = client();
    for (_, awaiting) in every(&client) {
        let failed = awaiting.retry(&client, after(30)).expect_err("nobody has heard of it");
        assert!(matches!(failed.error, Error::Unavailable(it) if it.cause() == Outage::Unanswered));
        let State::Unauthorized(state) = *failed.state else { panic!("it is over") };
        assert_eq!(*state.reason(), Reason::CodeSpent);
    }
}

#[test]
fn nothing_that_was_shown_is_stored() {
    let client = client();
    for (_, awaiting) in every(&client) {
        let stored = serde_json::to_string(&State::from(awaiting)).expect("a state");
        assert!(!stored.contains("sEcReT") && !stored.contains("c0VjUmVU"), "{stored}");
        let State::Unauthorized(loaded) = serde_json::from_str(&stored).expect("loads") else {
            panic!("what was sent is spent")
        };
        assert_eq!(*loaded.reason(), Reason::CodeSpent);
    }
}

#[test]
fn a_refusal_that_repeats_what_was_shown_is_told_without_it() {
    let client = client();
    // The third one is encoded before it is shown.
    for ((_, awaiting), echo) in
        every(&client).into_iter().zip(["sEcReT", "sEcReT", "c0VjUmVU", "sEcReT", "sEcReT"])
    {
        let refusal = format!(
            r#"{{"error":"invalid_grant","error_description":"bad: {echo}!","error_uri":"https://e.example/{echo}"}}"#
        );
        let (_, error) = ended(awaiting.receive(&client, &answer(400, refusal), NOW));
        let told = format!("{error} {error:?}");
        assert!(told.contains("invalid_grant") && !told.contains(echo), "{told}");
    }
}

#[test]
fn a_refusal_that_names_the_scope_is_told_with_it() {
    let client = client();
    let (_, awaiting) = begin(client.legacy_password("johndoe", "sEcReT").scope("read"));
    let refusal = r#"{"error":"invalid_scope","error_description":"no scope read here"}"#;
    let (_, error) = ended(awaiting.receive(&client, &answer(400, refusal), NOW));
    assert!(error.to_string().contains("no scope read here"), "{error}");
}

#[test]
fn answers_are_received_by_the_same_client() {
    let client = client();
    for (_, awaiting) in every(&client) {
        let failed = awaiting.receive(&other_client(), &answer(200, TOKENS), NOW);
        let failed = failed.expect_err("another client");
        assert_eq!(failed.error, Error::Misuse(Misuse::WrongClient));
        let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *failed.state else {
            panic!("it is still awaited")
        };
        assert!(awaiting.receive(&client, &answer(200, TOKENS), NOW).is_ok());
    }
}

#[test]
fn a_session_does_not_drive_what_works_once_but_goes_on_from_its_tokens() {
    let client = client();
    for (_, awaiting) in every(&client) {
        let failed = Session::new(Arc::new(client.clone()), awaiting).expect_err("by hand");
        assert_eq!(failed.error, Error::Misuse(Misuse::UnfinishedLogin));
        let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *failed.state else {
            panic!("it is still awaited")
        };
        let tokens = awaiting.receive(&client, &answer(200, TOKENS), NOW).expect("tokens");
        assert_eq!(tokens.token(NOW).map(AccessToken::expose), Some("2YotnFZFEjr1zCsicMWpAA"));
        assert!(Session::new(Arc::new(client.clone()), tokens).is_ok());
    }
}

#[test]
fn signing_out_of_what_is_on_its_way_ends_it() {
    let client = client();
    for (_, awaiting) in every(&client) {
        let (ended, requests) = State::from(awaiting).sign_out(&client, NOW).expect("its client");
        assert_eq!((ended.reason(), requests.len()), (&Reason::SignedOut, 0));
        assert_eq!(ended.requested_scope().as_str(), "read");
    }
}
