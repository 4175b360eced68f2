//! The requests to the token endpoint, byte for byte (RFC 6749 §2.3.1, §4.1.3, §4.4.2, §6).
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request};
use oauth2_proto::{
    Authentication, Body, Callback, Client, ClientCredentialsRequest, Error, Misuse, Server, State,
};
use proptest::prelude::*;
use support::{
    CODE, NOW, REDIRECT_URI, TOKENS, authorized, body, client, form, parameter, redeem, refreshing,
    rng, server,
};

const VERIFIER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";

fn basic() -> Client {
    client().with_secret("gX1fBat3bV")
}

fn post() -> Client {
    client().with_authentication(Authentication::Post("7Fjfp0ZBr1KtDRbnfVdmIw".into()))
}

fn service(request: ClientCredentialsRequest<'_>) -> Request<Body> {
    request.begin(&mut rng(), NOW).expect("a usable request").0
}

/// The requests of every kind that this client makes.
fn every_request(client: &Client) -> [Request<Body>; 3] {
    [redeem(client).0, refreshing(client).0, service(client.client_credentials().scope("a"))]
}

fn authorization(request: &Request<Body>) -> Option<&str> {
    Some(request.headers().get(AUTHORIZATION)?.to_str().expect("visible ASCII"))
}

/// What a server makes of a Basic header: id and secret.
fn decoded(header: &str) -> (String, String) {
    let encoded = header.strip_prefix("Basic ").expect("Basic");
    let pair = String::from_utf8(STANDARD.decode(encoded).expect("base64")).expect("UTF-8");
    let (id, secret) = pair.split_once(':').expect("a colon");
    (unescape(id), unescape(secret))
}

/// `application/x-www-form-urlencoded`, read by hand.
fn unescape(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                u8::from_str_radix(core::str::from_utf8(&digits).unwrap(), 16).unwrap()
            }
            plain => plain,
        });
    }
    String::from_utf8(out).expect("UTF-8")
}

// The line and the header fields

#[test]
fn every_request_posts_a_form_to_the_token_endpoint() {
    for client in [client(), basic(), post()] {
        for request in every_request(&client) {
            assert_eq!(request.method(), Method::POST);
            assert_eq!(request.uri(), "https://as.example/token");
            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
            assert_eq!(request.headers()[ACCEPT], "application/json");
        }
    }
}

#[test]
fn the_query_of_the_token_endpoint_stays() {
    let server = Server::token_only("https://as.example/token?tenant=a%2fb&x").unwrap();
    let client = Client::new("id", server).with_secret("secret");
    let request = service(client.client_credentials());
    assert_eq!(request.uri(), "https://as.example/token?tenant=a%2fb&x");
}

#[test]
fn no_secret_code_or_token_is_in_the_uri() {
    for client in [client(), basic(), post()] {
        for request in every_request(&client) {
            assert_eq!(request.uri().query(), None);
        }
    }
}

#[test]
fn only_basic_authentication_makes_an_authorization_header() {
    for request in every_request(&basic()) {
        let headers: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
        assert_eq!(headers.len(), 1);
        assert!(headers[0].is_sensitive());
        assert_eq!(request.headers().len(), 3);
    }
    for client in [client(), post()] {
        for request in every_request(&client) {
            assert_eq!(authorization(&request), None);
            assert_eq!(request.headers().len(), 2);
        }
    }
}

// Bodies

#[test]
fn a_public_client_redeems_its_code_with_this_body() {
    assert_eq!(
        body(&redeem(&client()).0),
        format!(
            "grant_type=authorization_code&code={CODE}\
             &redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&code_verifier={VERIFIER}\
             &client_id=s6BhdRkqt3"
        )
    );
}

#[test]
fn a_confidential_client_names_itself_in_the_header_alone() {
    let (request, _) = redeem(&basic());
    assert_eq!(
        body(&request),
        format!(
            "grant_type=authorization_code&code={CODE}\
             &redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&code_verifier={VERIFIER}"
        )
    );
    assert_eq!(authorization(&request), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
}

#[test]
fn a_client_that_posts_its_secret_redeems_its_code_with_this_body() {
    assert_eq!(
        body(&redeem(&post()).0),
        format!(
            "grant_type=authorization_code&code={CODE}\
             &redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&code_verifier={VERIFIER}\
             &client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
        )
    );
}

#[test]
fn a_refresh_has_this_body() {
    assert_eq!(
        body(&refreshing(&client()).0),
        "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA&client_id=s6BhdRkqt3"
    );
}

/// The request of RFC 6749 §6.
#[test]
fn the_refresh_of_rfc_6749_section_6() {
    let (request, _) = refreshing(&basic());
    assert_eq!(body(&request), "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA");
    assert_eq!(authorization(&request), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
}

/// The request of RFC 6749 §2.3.1 with the credentials in its body.
#[test]
fn the_refresh_of_rfc_6749_section_2_3_1() {
    assert_eq!(
        body(&refreshing(&post()).0),
        "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA\
         &client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
    );
}

/// The request of RFC 6749 §4.4.2, and the header of §2.3.1.
#[test]
fn the_client_credentials_of_rfc_6749_section_4_4_2() {
    let request = service(basic().client_credentials());
    assert_eq!(body(&request), "grant_type=client_credentials");
    assert_eq!(authorization(&request), Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"));
}

#[test]
fn client_credentials_in_the_body_have_this_form() {
    assert_eq!(
        body(&service(post().client_credentials().scope("read write"))),
        "grant_type=client_credentials&scope=read+write\
         &client_id=s6BhdRkqt3&client_secret=7Fjfp0ZBr1KtDRbnfVdmIw"
    );
    assert_eq!(
        body(&service(client().client_credentials())),
        "grant_type=client_credentials&client_id=s6BhdRkqt3"
    );
}

#[test]
fn client_credentials_carry_the_resources_then_the_callers_parameters() {
    let client = basic();
    let request = service(
        client
            .client_credentials()
            .param("audience", "https://api.example/?a=b&c")
            .resource("https://b.example/")
            .scope("read  write")
            .resource("https://a.example/")
            .param("ä b", "+"),
    );
    let expected = [
        ("grant_type", "client_credentials"),
        ("scope", "read write"),
        ("resource", "https://b.example/"),
        ("resource", "https://a.example/"),
        ("audience", "https://api.example/?a=b&c"),
        ("ä b", "+"),
    ];
    let own: Vec<_> = form(&request);
    let own: Vec<_> = own.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(own, expected);
}

#[test]
fn client_credentials_refuse_the_parameters_of_the_protocol() {
    for name in ["grant_type", "scope", "client_id", "client_secret"] {
        let client = basic();
        let error = client.client_credentials().param(name, "x").ready(&mut rng()).unwrap_err();
        assert_eq!(error, Error::Misuse(Misuse::Parameter(name.into())));
    }
}

/// RFC 6749 §3.2: parameters MUST NOT be included more than once.
#[test]
fn client_credentials_refuse_a_repeated_parameter() {
    let client = basic();
    let request = client.client_credentials().param("audience", "a").param("audience", "b");
    let error = request.ready(&mut rng()).unwrap_err();
    assert_eq!(error, Error::Misuse(Misuse::Parameter("audience".into())));
}

/// RFC 8707 §2, as for a login in a browser.
#[test]
fn client_credentials_refuse_a_resource_that_is_no_absolute_uri() {
    for resource in ["", "api", "https://api.example/#x"] {
        let client = basic();
        let request = client.client_credentials().resource(resource);
        assert_eq!(
            request.ready(&mut rng()).unwrap_err(),
            Error::Misuse(Misuse::Url("resource", "must be an absolute URI without a fragment")),
            "{resource}"
        );
    }
}

#[test]
fn client_credentials_refuse_a_scope_that_breaks_the_grammar() {
    let client = basic();
    let error = client.client_credentials().scope("a\"").begin(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Error::Misuse(Misuse::Scope));
}

#[test]
fn the_resources_of_a_login_are_repeated_at_the_token_endpoint() {
    let client = client();
    let request = client
        .authorize(REDIRECT_URI)
        .resource("https://b.example/")
        .resource("https://a.example/")
        .param("prompt", "consent");
    let (url, pending) = request.begin(&mut rng(), NOW).unwrap();
    let query = format!("code={CODE}&state={}", parameter(&url, "state"));
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    let pairs = form(&code.redeem(&client, NOW).unwrap().0);
    let resources: Vec<_> = pairs.iter().filter(|(name, _)| name == "resource").collect();
    assert_eq!(resources.len(), 2);
    assert_eq!((&*resources[0].1, &*resources[1].1), ("https://b.example/", "https://a.example/"));
    assert!(pairs.iter().all(|(name, _)| name != "prompt"), "it was for the browser");
}

#[test]
fn an_awkward_redirect_uri_and_code_arrive_as_they_were() {
    let client = client();
    let redirect_uri = "https://app.example/ä?a=b&c=%2F+d";
    let (url, pending) = client.authorize(redirect_uri).begin(&mut rng(), NOW).unwrap();
    let query = format!("code=%2B%2F%3D%26%25+~&state={}", parameter(&url, "state"));
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    let pairs = form(&code.redeem(&client, NOW).unwrap().0);
    assert!(pairs.contains(&("redirect_uri".into(), redirect_uri.into())), "{pairs:?}");
    assert!(pairs.contains(&("code".into(), "+/=&% ~".into())), "{pairs:?}");
    assert_eq!(pairs.len(), 5);
}

#[test]
fn an_awkward_refresh_token_arrives_as_it_was() {
    let token = "a+b/c==&d%25 ~\"\\'";
    let answer = serde_json::json!({
        "access_token": "a", "token_type": "Bearer", "refresh_token": token
    });
    let client = client();
    let (request, _) = authorized(&client, &answer.to_string()).refresh(&client, NOW).unwrap();
    assert_eq!(form(&request)[1], ("refresh_token".into(), token.into()));
}

// Client authentication with awkward characters

const AWKWARD: [(&str, &str); 12] = [
    ("s6BhdRkqt3", "gX1fBat3bV"),
    ("a:b", "c:d:"),
    (":", ":"),
    ("100%", "%41%zz%"),
    ("a+b", "c+d+"),
    ("a b", " c d "),
    ("ä", "größe"),
    ("клиент", "тайна"),
    ("日本\u{1F511}", "秘密"),
    ("a&b=c", "d&client_id=e"),
    ("a\"b\\c", "\r\n\t\u{0}"),
    ("https://client.example/metadata", ""),
];

#[test]
fn id_and_secret_are_form_encoded_before_they_are_joined() {
    for (id, secret) in AWKWARD {
        let client = Client::new(id, server()).with_secret(secret);
        for request in every_request(&client) {
            let header = authorization(&request).expect("basic");
            assert_eq!(decoded(header), (id.into(), secret.into()));
        }
    }
}

#[test]
fn the_encoded_pair_has_one_colon_and_only_plain_characters() {
    let client = Client::new("a:b c", server()).with_secret("p%ä+:");
    let request = service(client.client_credentials());
    let encoded = authorization(&request).unwrap().strip_prefix("Basic ").unwrap();
    assert_eq!(STANDARD.decode(encoded).unwrap(), b"a%3Ab+c:p%25%C3%A4%2B%3A");
}

#[test]
fn id_and_secret_in_the_body_are_form_encoded() {
    for (id, secret) in AWKWARD {
        let client =
            Client::new(id, server()).with_authentication(Authentication::Post(secret.into()));
        for request in every_request(&client) {
            let mut last = form(&request).into_iter().rev();
            assert_eq!(last.next().unwrap(), ("client_secret".into(), secret.into()));
            assert_eq!(last.next().unwrap(), ("client_id".into(), id.into()));
        }
    }
}

#[test]
fn the_id_of_a_public_client_is_form_encoded() {
    for (id, _) in AWKWARD {
        for request in every_request(&Client::new(id, server())) {
            assert_eq!(form(&request).pop().unwrap(), ("client_id".into(), id.into()));
        }
    }
}

#[test]
fn the_last_authentication_that_was_set_counts() {
    let client = basic().with_authentication(Authentication::None);
    for request in every_request(&client) {
        assert_eq!(authorization(&request), None);
        assert_eq!(form(&request).pop().unwrap().0, "client_id");
    }
    let client = post().with_secret("other");
    for request in every_request(&client) {
        assert_eq!(
            decoded(authorization(&request).unwrap()),
            ("s6BhdRkqt3".into(), "other".into())
        );
        assert!(form(&request).iter().all(|(name, _)| !name.starts_with("client_")));
    }
}

// Revocation

/// The request of RFC 7009 §2.1, and one for the access token behind it.
#[test]
fn the_revocation_of_rfc_7009_section_2_1() {
    let server = server().with_revocation("https://as.example/revoke?a=b").unwrap();
    let answer =
        r#"{"access_token":"a+b","token_type":"Bearer","refresh_token":"45ghiukldjahdnhzdauz"}"#;
    for (client, credentials) in [
        (Client::new("s6BhdRkqt3", server.clone()).with_secret("gX1fBat3bV"), ""),
        (Client::new("s6BhdRkqt3", server), "&client_id=s6BhdRkqt3"),
    ] {
        let state = State::from(authorized(&client, answer));
        let (_, requests) = state.sign_out(&client, NOW).unwrap();
        let bodies: Vec<_> = requests.iter().map(body).collect();
        assert_eq!(
            bodies,
            [
                format!("token=45ghiukldjahdnhzdauz&token_type_hint=refresh_token{credentials}"),
                format!("token=a%2Bb&token_type_hint=access_token{credentials}"),
            ]
        );
        for request in &requests {
            assert_eq!((request.method(), request.uri().query()), (&Method::POST, Some("a=b")));
            assert_eq!(request.uri().path(), "/revoke");
            assert_eq!(request.headers()[CONTENT_TYPE], "application/x-www-form-urlencoded");
            let basic = credentials.is_empty().then_some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
            assert_eq!(authorization(request), basic);
        }
    }
}

#[test]
fn without_a_revocation_endpoint_nothing_is_sent() {
    let (_, requests) =
        State::from(authorized(&client(), TOKENS)).sign_out(&client(), NOW).unwrap();
    assert!(requests.is_empty());
}

// Repetition

#[test]
fn a_repeated_attempt_sends_the_same_request() {
    for client in [client(), basic(), post()] {
        let (first, awaiting) = redeem(&client);
        let (again, _) = awaiting.unsent(NOW).retry(&client, support::after(1)).unwrap();
        assert_eq!(body(&first), body(&again));
        assert_eq!(first.headers(), again.headers());
        let (first, refreshing) = refreshing(&client);
        let (again, _) = refreshing.unanswered(NOW).retry(&client, support::after(1)).unwrap();
        assert_eq!(body(&first), body(&again));
        let request = client.client_credentials().scope("a").param("b", "c");
        let (first, awaiting) = request.begin(&mut rng(), NOW).unwrap();
        let (again, _) = awaiting.unsent(NOW).retry(&client, support::after(1)).unwrap();
        assert_eq!(body(&first), body(&again));
    }
}

#[test]
fn a_body_is_handed_over_without_a_copy_or_change() {
    let (request, _) = redeem(&client());
    let expected = body(&request).to_owned();
    let body = request.into_body();
    assert_eq!((body.len(), body.is_empty()), (expected.len(), false));
    let (place, bytes) = (body.as_ref().as_ptr(), body.into_vec());
    assert_eq!(bytes, expected.as_bytes());
    assert_eq!(bytes.as_ptr(), place);
    assert!(Body::default().is_empty());
}

proptest! {
    #[test]
    fn any_id_and_secret_survive_basic_authentication(id: String, secret: String) {
        let client = Client::new(id.as_str(), server()).with_secret(secret.as_str());
        let request = service(client.client_credentials());
        prop_assert!(request.headers()[AUTHORIZATION].is_sensitive());
        prop_assert_eq!(decoded(authorization(&request).unwrap()), (id, secret));
    }

    #[test]
    fn any_parameter_survives_the_form(name: String, value: String) {
        prop_assume!(!matches!(&*name, "grant_type" | "scope" | "client_id" | "client_secret"));
        let client = client();
        let request = service(client.client_credentials().param(&name, &value));
        let pairs = form(&request);
        prop_assert_eq!(&pairs[1], &(name, value));
        prop_assert_eq!(pairs.len(), 3);
    }

    #[test]
    fn any_refresh_token_survives_the_form(token in "\\PC{1,40}") {
        let client = client();
        let answer = serde_json::json!({
            "access_token": "a", "token_type": "Bearer", "refresh_token": token
        });
        let (request, _) = authorized(&client, &answer.to_string()).refresh(&client, NOW).unwrap();
        let pairs = form(&request);
        prop_assert_eq!(&pairs[1].1, &token);
    }
}

#[test]
fn tokens_of_one_client_are_not_refreshed_by_another() {
    let tokens = authorized(&client(), TOKENS);
    let failed = tokens.refresh(&support::other_client(), NOW).unwrap_err();
    assert_eq!(failed.error, Error::Misuse(Misuse::WrongClient));
}

#[test]
fn a_code_can_be_redeemed_for_one_of_its_resources() {
    let client = client();
    let login = client.authorize(REDIRECT_URI).resource("https://a.example/");
    let login = login.resource("https://b.example/");
    let (url, pending) = login.begin(&mut rng(), NOW).unwrap();
    let callback = format!("code=c&state={}", parameter(&url, "state"));
    let mut code = pending.accept(&client, Callback::query(&callback), NOW).unwrap();
    let misuse = code.narrow_to("https://c.example/").unwrap_err();
    assert!(misuse.to_string().contains("begun with"), "{misuse}");
    code.narrow_to("https://b.example/").unwrap();
    let (request, _) = code.redeem(&client, NOW).unwrap();
    let resources: Vec<_> =
        form(&request).into_iter().filter(|(name, _)| name == "resource").collect();
    assert_eq!(resources, [("resource".into(), "https://b.example/".into())]);
}
