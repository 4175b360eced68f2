//! Pushed authorization requests (RFC 9126).
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;
use std::sync::Arc;

use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response};
use oauth2_proto::{
    Authenticate, Authentication, AuthorizationRequest, AwaitingCallback, AwaitingRequestUri, Body,
    Callback, Client, ClientRequest, Error, Expired, Misuse, Problem, Server, Timestamp,
};
use proptest::prelude::*;
use support::{NOW, after, answer, body, form, other_client, parameter, rng};
use url::Url;

/// RFC 9126 §2.2, byte for byte.
const PUSHED: &str = r#"{
      "request_uri":
        "urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c",
      "expires_in": 60
     }"#;

/// What [`support::rng`] makes of its first 32 bytes.
const STATE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn server() -> Server {
    Server::new("https://as.example.com/authorize", "https://as.example.com/token")
        .and_then(|server| server.with_pushed_authorization("https://as.example.com/as/par"))
        .expect("the endpoints are https")
}

fn client() -> Client {
    Client::new("s6BhdRkqt3", server()).with_secret("7Fjfp0ZBr1KtDRbnfVdmIw")
}

fn asked(client: &Client) -> AuthorizationRequest<'_> {
    client.authorize("https://client.example.org/cb").scope("account-information")
}

fn push(client: &Client) -> (Request<Body>, AwaitingRequestUri) {
    asked(client).push(&mut rng(), NOW).expect("a usable login")
}

fn receive(response: &Response<Vec<u8>>) -> Result<(Url, AwaitingCallback), Error> {
    let client = client();
    push(&client).1.receive(&client, response, NOW)
}

#[track_caller]
fn problem(status: u16, body: &str) -> Problem {
    match receive(&answer(status, body)) {
        Err(Error::Malformed(malformed)) => malformed.problem().clone(),
        other => panic!("{other:?} is not malformed"),
    }
}

/// The values of a parameter in a request's form.
fn all(request: &Request<Body>, name: &str) -> Vec<String> {
    form(request).into_iter().filter(|(own, _)| own == name).map(|(_, value)| value).collect()
}

// The request

/// RFC 9126 §2.1: all that would be in the URL, with the client's authentication.
#[test]
fn the_whole_authorization_request_is_pushed() {
    let client = client();
    let (request, _) = push(&client);
    assert_eq!(request.method(), http::Method::POST);
    assert_eq!(request.uri(), "https://as.example.com/as/par");
    assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    // The header of RFC 9126 §2.1.
    assert_eq!(
        request.headers()[AUTHORIZATION],
        "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"
    );
    let (url, _) = asked(&client).begin(&mut rng(), NOW).unwrap();
    assert_eq!(body(&request), url.query().unwrap());
    assert_eq!(
        body(&request),
        format!(
            "response_type=code&client_id=s6BhdRkqt3\
             &redirect_uri=https%3A%2F%2Fclient.example.org%2Fcb&scope=account-information\
             &state={STATE}&code_challenge=zwkx4Wi0nph1A8rxivb-JTtrPYKoEAjD6OHuZ8fI3FU\
             &code_challenge_method=S256"
        )
    );
}

/// RFC 6749 §3.1: parameters MUST NOT be included more than once.
#[test]
fn the_client_names_itself_once_however_it_authenticates() {
    #[derive(Debug)]
    struct Signature;

    impl Authenticate for Signature {
        fn authenticate(&self, on: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
            assert!(on.form().contains("client_id=s6BhdRkqt3"), "{}", on.form());
            on.param("client_id", "s6BhdRkqt3");
            on.param("client_assertion", "signed");
            Ok(())
        }
    }

    for authentication in [
        Authentication::None,
        Authentication::Basic("secret".into()),
        Authentication::Post("secret".into()),
        Authentication::DangerousRawBasic("secret".into()),
        Authentication::Custom(Arc::new(Signature)),
    ] {
        let client = client().with_authentication(authentication);
        let (request, _) = push(&client);
        assert_eq!(all(&request, "client_id"), ["s6BhdRkqt3"]);
        let names: Vec<String> = form(&request).into_iter().map(|(name, _)| name).collect();
        assert!(names.iter().all(|name| names.iter().filter(|own| *own == name).count() == 1));
    }
}

#[test]
fn the_callers_parameters_and_resources_are_pushed() {
    let client = client();
    let login = asked(&client)
        .param("prompt", "consent & more")
        .resource("https://a.example/")
        .resource("https://b.example/");
    let (request, _) = login.push(&mut rng(), NOW).unwrap();
    assert_eq!(all(&request, "prompt"), ["consent & more"]);
    assert_eq!(all(&request, "resource"), ["https://a.example/", "https://b.example/"]);
}

/// RFC 9126 §2.1: the request_uri parameter MUST NOT be provided.
#[test]
fn a_reference_is_not_pushed() {
    let client = client();
    for name in
        ["request_uri", "client_secret", "client_assertion", "client_assertion_type", "state"]
    {
        let error = asked(&client).param(name, "x").push(&mut rng(), NOW).unwrap_err();
        assert_eq!(error, Misuse::Parameter(name.into()).into());
    }
}

#[test]
fn what_begin_refuses_is_not_pushed() {
    let client = client();
    let error = client.authorize("no URI").push(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Misuse::Url("redirect URI", "is not an absolute URI").into());
    let error = asked(&client).scope("\"").push(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Misuse::Scope.into());
    let client = Client::new("id", support::server());
    let error = asked(&client).push(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Misuse::NoEndpoint("pushed authorization request endpoint").into());
    let server = Server::token_only("https://as.example/token").unwrap();
    let client =
        Client::new("id", server.with_pushed_authorization("https://as.example/par").unwrap());
    let error = asked(&client).push(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Misuse::NoEndpoint("authorization endpoint").into());
}

// The answer

/// RFC 9126 §4, the example's URL, byte for byte.
#[test]
fn the_url_has_client_id_and_request_uri_only() {
    let (url, _) = receive(&answer(201, PUSHED)).unwrap();
    assert_eq!(
        url.as_str(),
        "https://as.example.com/authorize?client_id=s6BhdRkqt3&request_uri=urn%3Aietf%3Aparams\
         %3Aoauth%3Arequest_uri%3A6esc_11ACC5bwc014ltc14eY22c"
    );
}

#[test]
fn the_endpoints_own_query_stays_in_the_url() {
    let server = Server::new("https://as.example/authorize?tenant=a%20b&x", "https://as.example/t")
        .and_then(|server| server.with_pushed_authorization("https://as.example/par"))
        .unwrap();
    let client = Client::new("id", server);
    let (request, awaiting) = push(&client);
    assert!(!body(&request).contains("tenant"), "{}", body(&request));
    let pushed = answer(201, r#"{"request_uri":"urn:a&b","expires_in":"60"}"#);
    let (url, _) = awaiting.receive(&client, &pushed, NOW).unwrap();
    assert_eq!(
        url.as_str(),
        "https://as.example/authorize?tenant=a%20b&x&client_id=id&request_uri=urn%3Aa%26b"
    );
}

#[test]
fn the_login_goes_on_like_any_other() {
    let client = client();
    let (request, awaiting) = push(&client);
    let state = all(&request, "state");
    let (_, pending) = awaiting.receive(&client, &answer(201, PUSHED), after(5)).unwrap();
    assert_eq!(pending.deadline(), after(600));
    let forged = pending.accept(&client, Callback::query("code=x&state=y"), NOW).unwrap_err();
    assert!(matches!(forged, Error::Forged(_)));
    let query = format!("code=SplxlOBeZQQYbYS6WxSbIA&state={}", state[0]);
    let code = pending.accept(&client, Callback::query(&query), after(60)).unwrap();
    let (redeem, _) = code.redeem(&client, after(60)).unwrap();
    assert_eq!(all(&redeem, "redirect_uri"), ["https://client.example.org/cb"]);
    // The challenge that was pushed belongs to the verifier that is sent now.
    let (_, again) = asked(&client).begin(&mut rng(), NOW).unwrap();
    let query = format!("code=SplxlOBeZQQYbYS6WxSbIA&state={STATE}");
    let code = again.accept(&client, Callback::query(&query), NOW).unwrap();
    assert_eq!(
        all(&redeem, "code_verifier"),
        all(&code.redeem(&client, NOW).unwrap().0, "code_verifier")
    );
}

/// RFC 9126 §2.2: a 201 HTTP status code.
#[test]
fn another_status_is_no_answer() {
    for status in [200, 202, 204, 400, 404] {
        assert_eq!(problem(status, PUSHED), Problem::Status(status.try_into().unwrap()));
    }
    assert_eq!(problem(303, PUSHED), Problem::Redirected(http::StatusCode::SEE_OTHER));
}

/// RFC 9126 §2.2: `request_uri`, and `expires_in` as a positive integer.
#[test]
fn both_members_are_required() {
    for body in [
        "{}",
        r#"{"request_uri":"urn:x"}"#,
        r#"{"expires_in":60}"#,
        r#"{"request_uri":null,"expires_in":60}"#,
        r#"{"request_uri":1,"expires_in":60}"#,
        r#"{"request_uri":"urn:x","request_uri":"urn:y","expires_in":60}"#,
    ] {
        assert_eq!(problem(201, body), Problem::Members, "{body}");
    }
    for body in ["", "[\"urn:x\",60]", "urn:x"] {
        assert_eq!(problem(201, body), Problem::Json, "{body}");
    }
    for expires_in in ["0", "-1", "null", "true", "\"soon\"", "[60]"] {
        let body = format!(r#"{{"request_uri":"urn:x","expires_in":{expires_in}}}"#);
        assert_eq!(problem(201, &body), Problem::Member("expires_in"), "{body}");
    }
    let empty = problem(201, r#"{"request_uri":"","expires_in":60}"#);
    assert_eq!(empty, Problem::Member("request_uri"));
}

/// RFC 9126 §2.3, the example's answer, byte for byte.
#[test]
fn a_refusal_changes_nothing() {
    let body = r#"{
     "error": "invalid_request",
     "error_description":
       "The redirect_uri is not valid for the given client"
   }"#;
    let Err(Error::Denied(denied)) = receive(&answer(400, body)) else { panic!("not denied") };
    assert_eq!(denied.error(), "invalid_request");
    assert_eq!(denied.description(), Some("The redirect_uri is not valid for the given client"));
    assert!(receive(&answer(201, PUSHED)).is_ok(), "a new push can be tried");
}

#[test]
fn a_refusal_that_repeats_the_state_is_cut() {
    let body = format!(r#"{{"error":"invalid_request","error_description":"{STATE}"}}"#);
    let Err(Error::Denied(denied)) = receive(&answer(400, body)) else { panic!("not denied") };
    assert_eq!(denied.description(), None);
}

/// RFC 9126 §2.3: 429 and 503 among others.
#[test]
fn an_overloaded_server_is_unavailable() {
    let mut response = answer(429, "");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("3"));
    let Err(Error::Unavailable(unavailable)) = receive(&response) else { panic!("available") };
    assert_eq!(unavailable.retry_after(), Some(Duration::from_secs(3)));
    assert_eq!(
        unavailable.to_string(),
        "the pushed authorization request endpoint is unavailable for now \
         (429 Too Many Requests); try again in 3 seconds"
    );
}

#[test]
fn an_answer_that_comes_after_the_deadline_is_too_late() {
    let client = client();
    let late = push(&client).1.receive(&client, &answer(201, PUSHED), after(601));
    assert_eq!(late.unwrap_err(), Error::Expired(Expired::Callback));
}

#[test]
fn an_answer_belongs_to_the_client_that_asked() {
    let error = push(&client()).1.receive(&other_client(), &answer(201, PUSHED), NOW).unwrap_err();
    assert_eq!(error, Misuse::WrongClient.into());
}

#[test]
fn no_secret_shows() {
    let client = client();
    let (request, awaiting) = push(&client);
    for text in [format!("{request:?}"), format!("{awaiting:?}"), format!("{awaiting:#?}")] {
        for secret in [STATE, "ICEiIyQl", "7Fjfp0", "czZCa"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
    assert_eq!(parameter(&asked(&client).begin(&mut rng(), NOW).unwrap().0, "state"), STATE);
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in 100_u16..1000, body in any::<Vec<u8>>()) {
        let _ = receive(&answer(status, body));
    }

    #[test]
    fn any_reference_stays_in_its_parameter(request_uri in "\\PC{1,40}") {
        let json = serde_json::json!({ "request_uri": request_uri, "expires_in": 1 }).to_string();
        let (url, _) = receive(&answer(201, json)).unwrap();
        prop_assert_eq!(parameter(&url, "request_uri"), request_uri);
        prop_assert_eq!(parameter(&url, "client_id"), "s6BhdRkqt3");
        prop_assert_eq!(url.query_pairs().count(), 2);
        prop_assert_eq!(url.fragment(), None);
    }
}
