//! Rows 28 to 44: the requests to the token endpoint.
//!
//! The RFCs leave the order of a form open. Ours is one for all grants: the grant, what it shows,
//! what the caller adds, and last who the client is.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use oauth2_proto::{
    Authenticate, Authentication, Body, Client, ClientRequest, Error, Hook, Misuse, Refresh,
    RequestKind, Timestamp,
};
use serde_json::json;

use crate::support::{
    CODE, NOW, TOKENS, after, answer, authorized, body, client, code, form, redeem, refreshing,
    rng, server,
};

const VERIFIER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";
const REDIRECT: &str = "redirect_uri=https%3A%2F%2Fapp.example%2Fcallback";

fn basic() -> Client {
    client().with_secret("gX1fBat3bV")
}

fn post(secret: &str) -> Client {
    client().with_authentication(Authentication::Post(secret.into()))
}

fn service(client: &Client) -> Request<Body> {
    client.client_credentials().begin(&mut rng(), NOW).expect("a usable request").0
}

/// A request of each grant.
fn every_request(client: &Client) -> [Request<Body>; 4] {
    let password = client.legacy_password("u", "p").begin(&mut rng(), NOW);
    [redeem(client).0, refreshing(client).0, service(client), password.expect("a usable request").0]
}

fn authorization(request: &Request<Body>) -> Option<&str> {
    Some(request.headers().get(AUTHORIZATION)?.to_str().expect("visible ASCII"))
}

/// User name and password as they stand in a Basic header.
fn pair(request: &Request<Body>) -> String {
    let header = authorization(request).expect("a header");
    let encoded = header.strip_prefix("Basic ").expect("Basic");
    String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("UTF-8")
}

fn value(request: &Request<Body>, name: &str) -> Option<String> {
    form(request).into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

// Row 28
#[test]
fn the_code_exchange_has_these_parameters() {
    let expected = format!(
        "grant_type=authorization_code&code={CODE}&{REDIRECT}&code_verifier={VERIFIER}\
         &client_id=s6BhdRkqt3"
    );
    assert_eq!(body(&redeem(&client()).0), expected);
    // A secret that is empty is sent all the same, as it is there.
    assert_eq!(body(&redeem(&post("")).0), expected.clone() + "&client_secret=");
    assert_eq!(body(&redeem(&post("s")).0), expected + "&client_secret=s");
    // The verifier can't be missing: it is part of the code that came out of the callback.
    assert_eq!(value(&redeem(&basic()).0, "code_verifier").as_deref(), Some(VERIFIER));
}

// Row 29
#[test]
fn the_password_grant_has_these_parameters() {
    let client = basic();
    let request = client.legacy_password("u", "p").scope("a b").begin(&mut rng(), NOW).unwrap().0;
    assert_eq!(body(&request), "grant_type=password&username=u&password=p&scope=a+b");
    // Neither of them can be forgotten; both may be empty.
    let request = client.legacy_password("", "").begin(&mut rng(), NOW).unwrap().0;
    assert_eq!(body(&request), "grant_type=password&username=&password=");
}

// Row 30
#[test]
fn client_credentials_have_these_parameters() {
    let client = basic();
    let request = client.client_credentials().scope("a b").begin(&mut rng(), NOW).unwrap().0;
    assert_eq!(body(&request), "grant_type=client_credentials&scope=a+b");
    assert_eq!(body(&service(&client)), "grant_type=client_credentials");
}

// Row 31
#[test]
fn a_signed_statement_is_the_programs_own_and_its_request_is_the_same() {
    let jwt = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.e30.c2ln";
    let client = client();
    let request = client.jwt_bearer(jwt).scope("a").begin(&mut rng(), NOW).unwrap().0;
    assert_eq!(
        body(&request),
        format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={jwt}\
             &scope=a&client_id=s6BhdRkqt3"
        )
    );
}

// Row 32
#[test]
fn a_device_login_keeps_its_secret_out_of_urls_and_polls_for_its_token() {
    let client = post("7Fjfp0ZBr1KtDRbnfVdmIw");
    let begun = client.device_authorization().scope("a").begin(&mut rng(), NOW);
    let (request, awaiting) = begun.unwrap();
    assert_eq!(request.uri(), "https://as.example/device");
    assert_eq!(body(&request), "scope=a&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw");
    let codes = r#"{"device_code":"GmRh","user_code":"WDJB-MJHT","expires_in":1800,
        "verification_uri":"https://as.example/device","interval":5}"#;
    let polling = awaiting.receive(&client, &answer(200, codes), NOW).unwrap();
    assert_eq!(polling.user_code(), "WDJB-MJHT");
    let (request, polling) = polling.poll(&client, after(5)).unwrap();
    assert_eq!(request.uri().query(), None);
    assert_eq!(
        body(&request),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code&device_code=GmRh\
         &client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
    );
    // Its answers are read, which is all left to the program there.
    let pending = answer(400, r#"{"error":"authorization_pending"}"#);
    let polled = polling.receive(&client, &pending, after(5)).unwrap();
    let oauth2_proto::Polled::Pending(polling) = polled else { panic!("nobody has decided") };
    assert_eq!(polling.next_poll(), after(10));
}

// Row 33
#[test]
fn a_refresh_has_these_parameters() {
    let credentials = "&client_id=s6BhdRkqt3";
    assert_eq!(
        body(&refreshing(&client()).0),
        format!("grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA{credentials}")
    );
}

// Row 34
#[test]
fn a_public_client_sends_its_id_and_no_header() {
    for request in every_request(&client()) {
        assert_eq!(authorization(&request), None);
        assert_eq!(value(&request, "client_id").as_deref(), Some("s6BhdRkqt3"));
        assert_eq!(value(&request, "client_secret"), None);
    }
}

// Row 35
#[test]
fn id_and_secret_in_the_body_come_without_a_header() {
    for request in every_request(&post("7Fjfp0ZBr1KtDRbnfVdmIw")) {
        assert_eq!(authorization(&request), None);
        assert!(
            body(&request).ends_with("&client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw")
        );
    }
}

// Row 36
#[test]
fn a_secret_goes_into_the_header_unless_told_otherwise() {
    for request in every_request(&basic()) {
        assert_eq!(authorization(&request), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
        assert_eq!(value(&request, "client_id"), None);
        assert_eq!(request.method(), Method::POST);
        assert_eq!(request.headers()[ACCEPT], "application/json");
        assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
    }
}

/// `auth=("u", "p")`, with and without `include_client_id`.
#[derive(Debug)]
struct OtherPair {
    with_client_id: bool,
}

impl Authenticate for OtherPair {
    fn authenticate(&self, request: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
        if self.with_client_id {
            let id = request.client_id().to_owned();
            request.param("client_id", &id);
        }
        request.header("authorization", &format!("Basic {}", STANDARD.encode("u:p")))
    }
}

// Row 37
#[test]
fn another_pair_of_user_and_password_is_a_few_lines() {
    for with_client_id in [false, true] {
        let own = Authentication::Custom(Arc::new(OtherPair { with_client_id }));
        for request in every_request(&client().with_authentication(own)) {
            assert_eq!(authorization(&request), Some("Basic dTpw"));
            assert_eq!(value(&request, "client_id").is_some(), with_client_id);
        }
    }
}

#[derive(Debug)]
struct Nothing;

impl Authenticate for Nothing {
    fn authenticate(&self, _: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
        Ok(())
    }
}

// Row 38
#[test]
fn no_authentication_at_all_is_possible_where_somebody_else_sees_to_it() {
    let client = client().with_authentication(Authentication::Custom(Arc::new(Nothing)));
    assert_eq!(body(&service(&client)), "grant_type=client_credentials");
    assert_eq!(authorization(&service(&client)), None);
}

// Row 39
#[test]
fn id_and_secret_are_form_encoded_in_any_script() {
    let client = |secret: &str| Client::new("cid", server()).with_secret(secret);
    assert_eq!(pair(&service(&client("p:ä%+ /"))), "cid:p%3A%C3%A4%25%2B+%2F");
    assert_eq!(pair(&service(&client("тайна"))), "cid:%D1%82%D0%B0%D0%B9%D0%BD%D0%B0");
    // For servers that read what requests-oauthlib writes, byte for byte.
    let raw = Authentication::DangerousRawLatin1Basic("p:ä%+ /".into());
    let raw = Client::new("cid", server()).with_authentication(raw);
    assert_eq!(authorization(&service(&raw)), Some("Basic Y2lkOnA65CUrIC8="));
}

/// A client of a server that wants its token requests like this.
fn speaking(format: &str) -> Client {
    let dialect = json!({ "token_request": { "format": format } });
    post("s").with_dialect(serde_json::from_value(dialect).expect("a dialect"))
}

// Row 40
#[test]
fn a_server_that_wants_a_get_request_is_told_so_dangerously() {
    let request = service(&speaking("dangerous_get"));
    assert_eq!((request.method(), body(&request)), (&Method::GET, ""));
    assert_eq!(
        request.uri(),
        "https://as.example/token?grant_type=client_credentials&client_id=s6BhdRkqt3&client_secret=s"
    );
}

// Row 41
#[test]
fn a_server_that_wants_everything_in_the_query_is_told_so_dangerously() {
    let request = service(&speaking("dangerous_query"));
    assert_eq!((request.method(), body(&request)), (&Method::POST, ""));
    assert_eq!(
        request.uri(),
        "https://as.example/token?grant_type=client_credentials&client_id=s6BhdRkqt3&client_secret=s"
    );
}

// Row 42
#[test]
fn a_parameter_that_may_be_repeated_stays_repeated() {
    let client = basic();
    let request = client.client_credentials();
    let request = request.resource("https://a.example/").resource("https://b.example/");
    let request = request.param("x", "1").begin(&mut rng(), NOW).unwrap().0;
    assert_eq!(
        body(&request),
        "grant_type=client_credentials&resource=https%3A%2F%2Fa.example%2F\
         &resource=https%3A%2F%2Fb.example%2F&x=1"
    );
}

/// `headers={"X-Tenant": "blue"}`.
#[derive(Debug)]
struct Tenant;

impl Hook for Tenant {
    fn request(&self, _: RequestKind, request: &mut Request<Body>) {
        let blue = http::HeaderValue::from_static("blue");
        request.headers_mut().insert("x-tenant", blue);
    }
}

// Row 43
#[test]
fn time_limits_come_with_the_request_and_the_rest_is_the_http_clients() {
    // The program's own client knows proxies and certificates; how long it may take, it is told.
    let (_, awaiting) = redeem(&client());
    assert_eq!(awaiting.deadline(), after(25));
    let hooked = client().with_hook(Arc::new(Tenant));
    assert!(every_request(&hooked).iter().all(|request| request.headers()["x-tenant"] == "blue"));
    // RFC 8705 §2: with a client certificate it is the client_id alone that is sent.
    assert_eq!(body(&service(&client())), "grant_type=client_credentials&client_id=s6BhdRkqt3");
}

// Row 44
#[test]
fn every_grant_takes_parameters_of_the_providers_own() {
    let client = client();
    let mine = "&audience=a&x=+%26&client_id=s6BhdRkqt3";
    let password = client.legacy_password("u", "p").param("audience", "a").param("x", " &");
    let service = client.client_credentials().param("audience", "a").param("x", " &");
    let refresh = Refresh::default().param("audience", "a").param("x", " &");
    for (request, before) in [
        (
            code(&client).param("audience", "a").param("x", " &").redeem(&client, NOW).unwrap().0,
            format!("code_verifier={VERIFIER}"),
        ),
        (password.begin(&mut rng(), NOW).unwrap().0, "password=p".to_owned()),
        (service.begin(&mut rng(), NOW).unwrap().0, "grant_type=client_credentials".to_owned()),
        (
            authorized(&client, TOKENS).refresh_with(&refresh, &client, NOW).unwrap().0,
            "refresh_token=tGzv3JOkF0XG5Qx2TlKWIA".to_owned(),
        ),
    ] {
        assert!(body(&request).ends_with(&(before + mine)), "{}", body(&request));
    }
    // What the protocol says itself can't be said twice.
    for name in ["grant_type", "code", "redirect_uri", "code_verifier", "client_secret"] {
        let failed = code(&client).param(name, "x").redeem(&client, NOW).unwrap_err();
        assert_eq!(failed.error, Error::Misuse(Misuse::Parameter(name.into())));
    }
    let twice = code(&client).param("x", "1").param("x", "2");
    let failed = twice.redeem(&client, NOW).unwrap_err();
    assert_eq!(failed.error, Error::Misuse(Misuse::Parameter("x".into())));
}

/// A request that never left is the same again, and a server that repeats what it was sent is not
/// repeated.
#[test]
fn a_parameter_of_the_callers_own_is_sent_again_and_silenced() {
    let client = client();
    let code = code(&client).param("api_key", "canary-of-mine");
    let (first, awaiting) = code.redeem(&client, NOW).unwrap();
    assert!(!format!("{awaiting:?}").contains("canary"));
    let (again, awaiting) = awaiting.unsent(NOW).retry(&client, after(1)).unwrap();
    assert_eq!(body(&first), body(&again));
    let echo = r#"{"error":"invalid_request","error_description":"bad canary-of-mine"}"#;
    let failed = awaiting.receive(&client, &answer(400, echo), after(1)).unwrap_err();
    let Error::Denied(denied) = failed.error else { panic!("the server said no") };
    assert_eq!(denied.description(), None);
}
