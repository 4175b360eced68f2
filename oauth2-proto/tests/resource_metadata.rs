//! Discovery of a protected resource: from its URL or its challenge to the authorization server
//! (RFC 9728), with nothing sent to an origin that nobody accepted.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use http::{Method, Response};
use oauth2_proto::{
    Challenge, Discovery, Error, Misuse, Origins, Problem, ResourceDiscovery, ResourceMetadata,
};
use proptest::prelude::*;
use support::{answer, body};

/// RFC 9728 §3.2, byte for byte.
const RFC9728_3_2: &str = r#"{
   "resource":
     "https://resource.example.com",
   "authorization_servers":
     ["https://as1.example.com",
      "https://as2.example.net"],
   "bearer_methods_supported":
     ["header", "body"],
   "scopes_supported":
     ["profile", "email", "phone"],
   "resource_documentation":
     "https://resource.example.com/resource_documentation.html"
  }"#;

const RESOURCE: &str = "https://api.example/notes";

fn receive(response: &Response<Vec<u8>>) -> Result<ResourceMetadata, Error> {
    ResourceDiscovery::new(RESOURCE).unwrap().receive(response)
}

fn read(members: &str) -> Result<ResourceMetadata, Error> {
    receive(&answer(200, format!(r#"{{"resource":"{RESOURCE}"{members}}}"#)))
}

#[track_caller]
fn problem(error: &Error) -> &Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem()
}

/// A URL to which nothing may be sent: its member, and why.
#[track_caller]
fn unusable(error: &Error) -> (&str, &str) {
    let Problem::Url(url) = problem(error) else { panic!("{error:?} is about no URL") };
    (url.member, url.why)
}

/// What a resource answers to a request without a token.
fn challenges(field: &str) -> Vec<Challenge> {
    let mut response = answer(401, "");
    let field = HeaderValue::from_bytes(field.as_bytes()).unwrap();
    response.headers_mut().insert(WWW_AUTHENTICATE, field);
    Challenge::from_response(&response)
}

fn challenged(resource: &str, field: &str) -> Result<ResourceDiscovery, Error> {
    ResourceDiscovery::challenged(resource, &challenges(field))
}

fn place(search: &ResourceDiscovery) -> String {
    search.request().uri().to_string()
}

// Where it asks

#[test]
fn the_well_known_path_is_inserted_before_path_and_query() {
    // RFC 9728 §3.1.
    for (resource, place) in [
        (
            "https://resource.example.com",
            "https://resource.example.com/.well-known/oauth-protected-resource",
        ),
        (
            "https://resource.example.com/",
            "https://resource.example.com/.well-known/oauth-protected-resource",
        ),
        (
            "https://resource.example.com/resource1",
            "https://resource.example.com/.well-known/oauth-protected-resource/resource1",
        ),
        (
            "https://resource.example.com/a/?k=v&l",
            "https://resource.example.com/.well-known/oauth-protected-resource/a/?k=v&l",
        ),
        (
            "https://resource.example.com?k=v",
            "https://resource.example.com/.well-known/oauth-protected-resource?k=v",
        ),
    ] {
        assert_eq!(self::place(&ResourceDiscovery::new(resource).unwrap()), place);
    }
}

#[test]
fn the_request_asks_for_json_and_carries_nothing() {
    let search = ResourceDiscovery::new(RESOURCE).unwrap();
    let request = search.request();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.headers().get(ACCEPT).unwrap(), "application/json");
    assert_eq!(request.headers().get(AUTHORIZATION), None);
    assert_eq!(body(&request), "");
    assert_eq!(search.resource(), RESOURCE);
}

#[test]
fn a_resource_is_https_without_fragment() {
    // RFC 9728 §1.2.
    for (resource, why) in [
        ("api.example", "is not an absolute URL"),
        ("http://api.example", "must be https (plain http: this machine only)"),
        ("https://api.example#a", "must not have a fragment"),
        ("https://me@api.example", "must not have a user name or password"),
    ] {
        let misuse = ResourceDiscovery::new(resource).unwrap_err();
        assert_eq!(misuse, Misuse::Url("resource", why), "{resource}");
        let error = challenged(resource, "Bearer").unwrap_err();
        assert_eq!(error, Error::Misuse(misuse));
    }
}

#[test]
fn a_challenge_says_where_the_metadata_is() {
    // RFC 9728 §5.1.
    let search = challenged(
        "https://resource.example.com/",
        r#"Bearer resource_metadata="https://resource.example.com/.well-known/oauth-protected-resource""#,
    );
    assert_eq!(
        place(&search.unwrap()),
        "https://resource.example.com/.well-known/oauth-protected-resource"
    );
    // Any scheme may carry it, such as DPoP, and any of several challenges.
    let search = challenged(
        RESOURCE,
        r#"Basic realm="a", DPoP algs="ES256", resource_metadata="https://api.example/here""#,
    );
    assert_eq!(place(&search.unwrap()), "https://api.example/here");
}

#[test]
fn a_challenge_that_says_nothing_leaves_the_well_known_place() {
    for field in [
        "Bearer",
        r#"Basic realm="a""#,
        r#"Bearer resource_metadata="https://api.example/a", resource_metadata="https://api.example/b""#,
    ] {
        let search = challenged(RESOURCE, field).unwrap();
        assert_eq!(place(&search), place(&ResourceDiscovery::new(RESOURCE).unwrap()));
    }
}

#[test]
fn a_challenge_leads_to_accepted_origins_only() {
    let field = r#"Bearer resource_metadata="https://evil.example/metadata""#;
    let error = challenged(RESOURCE, field).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the challenge's resource_metadata is on https://evil.example, which the \
         program has not accepted; name that origin if it is right"
    );
    let within = |origin| {
        let origins = Origins::new([origin]).unwrap();
        ResourceDiscovery::challenged_within(RESOURCE, &challenges(field), &origins)
    };
    assert_eq!(within("https://other.example").unwrap_err(), error);
    let search = within("https://evil.example").unwrap();
    assert_eq!(place(&search), "https://evil.example/metadata");
}

#[test]
fn a_challenge_with_an_unusable_url_is_refused() {
    for (url, why) in [
        ("http://api.example/m", "must be https (plain http: this machine only)"),
        ("/m", "is not an absolute URL"),
        ("https://api.example/m#f", "must not have a fragment"),
        ("https://a@api.example/m", "must not have a user name or password"),
        ("https://api.example/ m", "has characters that no URL has"),
        ("https://localhost/m", "points to this machine, and the URL it was learnt from does not"),
        ("https://127.0.0.1/m", "points to this machine, and the URL it was learnt from does not"),
    ] {
        let error = challenged(RESOURCE, &format!(r#"Bearer resource_metadata="{url}""#));
        assert_eq!(unusable(&error.unwrap_err()), ("resource_metadata", why), "{url}");
    }
    let field = r#"Bearer resource_metadata="http://localhost:8080/m""#;
    assert!(challenged("http://localhost:8080/notes", field).is_ok());
    assert!(challenged("http://localhost:8081/notes", field).is_err());
}

// The document

#[test]
fn the_example_of_rfc_9728_is_read() {
    let search = ResourceDiscovery::new("https://resource.example.com").unwrap();
    let metadata = search.receive(&answer(200, RFC9728_3_2)).unwrap();
    assert_eq!(metadata.resource(), "https://resource.example.com");
    let issuers = metadata.authorization_servers().iter().map(ToString::to_string);
    assert_eq!(issuers.collect::<Vec<_>>(), ["https://as1.example.com", "https://as2.example.net"]);
    assert_eq!(metadata.bearer_methods_supported(), ["header", "body"]);
    assert_eq!(metadata.scopes_supported(), ["profile", "email", "phone"]);
    assert_eq!(
        metadata.resource_documentation(),
        Some("https://resource.example.com/resource_documentation.html")
    );
    assert!(!metadata.tls_client_certificate_bound_access_tokens());
}

#[test]
fn every_member_of_rfc_9728_has_a_getter() {
    let metadata = read(
        r#","jwks_uri":"https://api.example/jwks","resource_signing_alg_values_supported":["ES256"],
        "resource_name":"Notes","resource_name#de":"Notizen","resource_policy_uri":"https://api.example/p",
        "resource_tos_uri":"https://api.example/t","tls_client_certificate_bound_access_tokens":true,
        "authorization_details_types_supported":["payment"],"dpop_signing_alg_values_supported":["EdDSA"],
        "dpop_bound_access_tokens_required":true,"signed_metadata":"e30.e30.","own":7"#,
    )
    .unwrap();
    assert_eq!(metadata.jwks_uri().unwrap().same_origin().unwrap(), "https://api.example/jwks");
    assert_eq!(metadata.resource_signing_alg_values_supported(), ["ES256"]);
    assert_eq!(metadata.resource_name().as_deref(), Some("Notes"));
    assert_eq!(metadata.extra::<String>("resource_name#de").as_deref(), Some("Notizen"));
    assert_eq!(metadata.resource_policy_uri(), Some("https://api.example/p"));
    assert_eq!(metadata.resource_tos_uri(), Some("https://api.example/t"));
    assert!(metadata.tls_client_certificate_bound_access_tokens());
    assert_eq!(metadata.authorization_details_types_supported(), ["payment"]);
    assert_eq!(metadata.dpop_signing_alg_values_supported(), ["EdDSA"]);
    assert!(metadata.dpop_bound_access_tokens_required());
    assert_eq!(metadata.extra::<u8>("own"), Some(7));
    assert!(metadata.authorization_servers().is_empty());
}

#[test]
fn the_resource_has_to_be_the_same_text() {
    // RFC 9728 §3.3 and §6: compared without normalization.
    for resource in [
        "https://api.example",
        "https://api.example/notes/",
        "https://api.example:443/notes",
        "https://evil.example/notes",
    ] {
        let error = receive(&answer(200, format!(r#"{{"resource":"{resource}"}}"#))).unwrap_err();
        let Problem::Mismatch(mismatch) = problem(&error) else { panic!("{error:?}") };
        assert_eq!((mismatch.member, &*mismatch.expected), ("resource", RESOURCE));
        assert_eq!(&*mismatch.found, resource);
    }
}

#[test]
fn behind_a_challenge_the_resource_is_the_url_that_was_requested() {
    // RFC 9728 §3.3.
    let field = r#"Bearer resource_metadata="https://api.example/m""#;
    let document = answer(200, r#"{"resource":"https://api.example/other"}"#);
    let receive = |resource| challenged(resource, field).unwrap().receive(&document);
    assert!(receive("https://api.example/other").is_ok());
    let error = receive(RESOURCE).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the resource metadata endpoint's answer has the resource \"https://api.example/other\" \
         and was asked for \"https://api.example/notes\", so it must not be used; both have to be \
         the same text"
    );
}

#[test]
fn what_is_no_document_is_refused() {
    for (status, document, expected) in [
        (404, "", Problem::Status(http::StatusCode::NOT_FOUND)),
        (400, r#"{"error":"invalid_request"}"#, Problem::Status(http::StatusCode::BAD_REQUEST)),
        (302, "", Problem::Redirected(http::StatusCode::FOUND)),
        (200, "<html>", Problem::Json),
        (200, "[]", Problem::Json),
        (200, "{}", Problem::MemberMissing("resource")),
        (200, r#"{"resource":1}"#, Problem::Member("resource")),
        (200, r#"{"resource":"a","resource":"a"}"#, Problem::Members),
    ] {
        let error = receive(&answer(status, document)).unwrap_err();
        assert_eq!(problem(&error), &expected, "{status} {document}");
    }
    let long = " ".repeat(ResourceDiscovery::BODY_LIMIT + 1);
    let error = receive(&answer(200, long)).unwrap_err();
    assert_eq!(problem(&error), &Problem::TooLarge(ResourceDiscovery::BODY_LIMIT));
    assert!(receive(&answer(503, "")).unwrap_err().is_retryable());
}

#[test]
fn an_authorization_server_is_an_issuer() {
    // RFC 8414 §2: https, without query and fragment.
    for (issuer, why) in [
        ("http://as.example", "must be https (plain http: this machine only)"),
        ("https://as.example?a", "must not have a query"),
        ("https://as.example#a", "must not have a fragment"),
        ("https://127.0.0.1", "points to this machine, and the URL it was learnt from does not"),
    ] {
        let error = read(&format!(r#","authorization_servers":["{issuer}"]"#)).unwrap_err();
        assert_eq!(unusable(&error), ("authorization_servers", why), "{issuer}");
    }
    let error = read(r#","authorization_servers":"https://as.example""#).unwrap_err();
    assert_eq!(problem(&error), &Problem::Member("authorization_servers"));
}

#[test]
fn an_authorization_server_is_asked_once_its_origin_is_accepted() {
    let metadata = read(r#","authorization_servers":["https://as.example/t"]"#).unwrap();
    let issuer = metadata.authorization_servers().first().unwrap();
    let error = Discovery::learnt(issuer, &Origins::default()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the resource metadata endpoint's authorization_servers is on https://as.example, which \
         the program has not accepted; name that origin if it is right"
    );
    let discovery = Discovery::learnt(issuer, &Origins::new(["https://as.example"]).unwrap());
    let discovery = discovery.unwrap();
    assert_eq!(discovery.issuer(), "https://as.example/t");
    assert_eq!(
        discovery.request().uri(),
        "https://as.example/.well-known/oauth-authorization-server/t"
    );
    let known = Discovery::new("https://as.example/t").unwrap();
    assert_eq!(known.request().uri(), discovery.request().uri());
}

#[test]
fn from_a_challenge_to_a_server() {
    let challenges =
        challenges(r#"Bearer error="invalid_token", resource_metadata="https://api.example/m""#);
    let search = ResourceDiscovery::challenged(RESOURCE, &challenges).unwrap();
    let document =
        format!(r#"{{"resource":"{RESOURCE}","authorization_servers":["https://as.example"]}}"#);
    let metadata = search.receive(&answer(200, document)).unwrap();
    let trusted = Origins::new(["https://as.example"]).unwrap();
    let issuer = metadata.authorization_servers().first().unwrap();
    let discovery = Discovery::learnt(issuer, &trusted).unwrap();
    let document = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token"}"#;
    let server = discovery.receive(&answer(200, document)).unwrap().server().unwrap();
    assert_eq!(server.issuer(), Some("https://as.example"));
}

// Hostile resources

fn url() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("https://api.example/m".to_owned()),
        "https?://(api|as)\\.(example|evil)[/@:?#\\\\a-z0-9]{0,8}",
        "https?://(localhost|127\\.0\\.0\\.1|\\[::1\\])(:[0-9]{1,4})?/?",
        "[ -~]{0,24}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Law 10: never to an origin that was not given or accepted.
    #[test]
    fn no_challenge_and_no_document_lead_to_an_origin_that_was_not_accepted(
        metadata in url(),
        issuers in prop::collection::vec(url(), 0..4),
    ) {
        let quoted = metadata.replace('\\', "\\\\").replace('"', "\\\"");
        let field = format!("Bearer resource_metadata=\"{quoted}\"");
        if let Ok(search) = challenged(RESOURCE, &field) {
            let request = search.request();
            prop_assert_eq!(request.uri().scheme_str(), Some("https"));
            prop_assert_eq!(request.uri().host(), Some("api.example"));
            prop_assert_eq!(request.uri().port_u16().unwrap_or(443), 443);
        }
        let members = format!(",\"authorization_servers\":{}", serde_json::to_string(&issuers).unwrap());
        let Ok(metadata) = read(&members) else { return Ok(()) };
        let trusted = Origins::new(["https://as.example"]).unwrap();
        for issuer in metadata.authorization_servers() {
            let Ok(discovery) = Discovery::learnt(issuer, &trusted) else { continue };
            let request = discovery.request();
            prop_assert!(matches!(request.uri().host(), Some("as.example" | "api.example")));
            prop_assert_eq!(request.uri().port_u16().unwrap_or(443), 443);
            prop_assert_eq!(request.uri().scheme_str(), Some("https"));
        }
    }

    #[test]
    fn no_bytes_make_it_panic(status in 100_u16..600, bytes in any::<Vec<u8>>()) {
        let _read = receive(&answer(status, bytes));
    }
}
