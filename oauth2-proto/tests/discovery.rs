//! Discovery of an authorization server: where it asks, what it refuses, and what a client takes
//! from the metadata (RFC 8414, OpenID Connect Discovery 1.0, RFC 9207).
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, LOCATION, RETRY_AFTER};
use http::{Method, Response, Uri};
use oauth2_proto::{
    Authentication, Callback, Client, Discovery, Error, Forged, LearntUrl, Misuse, Origins,
    Problem, Server, ServerMetadata, Undiscovered,
};
use proptest::prelude::*;
use support::{NOW, REDIRECT_URI, answer, body, parameter, rng};

/// RFC 8414 §3.2, byte for byte.
const RFC8414_3_2: &str = r#"{
      "issuer":
        "https://server.example.com",
      "authorization_endpoint":
        "https://server.example.com/authorize",
      "token_endpoint":
        "https://server.example.com/token",
      "token_endpoint_auth_methods_supported":
        ["client_secret_basic", "private_key_jwt"],
      "token_endpoint_auth_signing_alg_values_supported":
        ["RS256", "ES256"],
      "userinfo_endpoint":
        "https://server.example.com/userinfo",
      "jwks_uri":
        "https://server.example.com/jwks.json",
      "registration_endpoint":
        "https://server.example.com/register",
      "scopes_supported":
        ["openid", "profile", "email", "address",
         "phone", "offline_access"],
      "response_types_supported":
        ["code", "code token"],
      "service_documentation":
        "http://server.example.com/service_documentation.html",
      "ui_locales_supported":
        ["en-US", "en-GB", "en-CA", "fr-FR", "fr-CA"]
     }"#;

const ISSUER: &str = "https://as.example";

/// A small document of [`ISSUER`] with these members in addition.
fn document(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(
        r#"{{"issuer":"{ISSUER}","authorization_endpoint":"{ISSUER}/authorize","token_endpoint":"{ISSUER}/token"{comma}{members}}}"#
    )
}

fn receive(response: &Response<Vec<u8>>) -> Result<ServerMetadata, Undiscovered> {
    Discovery::new(ISSUER).unwrap().receive(response)
}

#[track_caller]
fn metadata(members: &str) -> ServerMetadata {
    receive(&answer(200, document(members))).expect("a good document")
}

/// What is wrong with this document.
#[track_caller]
fn refused(document: impl Into<Vec<u8>>) -> Error {
    receive(&answer(200, document)).expect_err("a bad document").into()
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

fn origins(origin: &str) -> Origins {
    Origins::new([origin]).unwrap()
}

/// Every place where a search asks when there is nothing anywhere.
fn places(issuer: &str) -> Vec<String> {
    let mut discovery = Discovery::new(issuer).unwrap();
    let mut places = Vec::new();
    loop {
        places.push(discovery.request().uri().to_string());
        let undiscovered = discovery.receive(&answer(404, "")).unwrap_err();
        match undiscovered.next() {
            Ok(next) => discovery = next,
            Err(_) => return places,
        }
    }
}

// Where it asks

#[test]
fn the_well_known_path_is_inserted_before_that_of_the_issuer() {
    // RFC 8414 §3.1 and §5, OpenID Connect Discovery §4.1.
    assert_eq!(
        places("https://example.com/issuer1"),
        [
            "https://example.com/.well-known/oauth-authorization-server/issuer1",
            "https://example.com/.well-known/openid-configuration/issuer1",
            "https://example.com/issuer1/.well-known/openid-configuration",
        ]
    );
}

#[test]
fn an_issuer_without_a_path_has_two_places() {
    for issuer in ["https://example.com", "https://example.com/"] {
        assert_eq!(
            places(issuer),
            [
                "https://example.com/.well-known/oauth-authorization-server",
                "https://example.com/.well-known/openid-configuration",
            ]
        );
    }
}

#[test]
fn a_slash_at_the_end_of_the_path_is_removed() {
    // RFC 8414 §3.1: any terminating "/" MUST be removed.
    assert_eq!(places("https://example.com/a/b/"), places("https://example.com/a/b"));
}

#[test]
fn the_request_asks_for_json_and_carries_nothing() {
    let request = Discovery::new("https://as.example:8443/t").unwrap().request();
    assert_eq!(request.method(), Method::GET);
    assert_eq!(request.uri().authority().unwrap(), "as.example:8443");
    assert_eq!(request.headers().get(ACCEPT).unwrap(), "application/json");
    assert_eq!(request.headers().get(AUTHORIZATION), None);
    assert_eq!(body(&request), "");
}

#[test]
fn an_issuer_is_https_without_query_and_fragment() {
    // RFC 8414 §2.
    for (issuer, why) in [
        ("as.example", "is not an absolute URL"),
        ("http://as.example", "must be https (plain http: this machine only)"),
        ("https://as.example?a=b", "must not have a query"),
        ("https://as.example?", "must not have a query"),
        ("https://as.example#a", "must not have a fragment"),
        ("https://me@as.example", "must not have a user name or password"),
    ] {
        assert_eq!(Discovery::new(issuer).unwrap_err(), Misuse::Url("issuer", why), "{issuer}");
    }
    assert!(Discovery::new("http://127.0.0.1:8080/realm").is_ok());
}

#[test]
fn a_document_is_found_at_any_place() {
    for found_at in 0..3 {
        let mut discovery = Discovery::new("https://as.example/t").unwrap();
        for _ in 0..found_at {
            let undiscovered = discovery.receive(&answer(404, "not found")).unwrap_err();
            discovery = undiscovered.next().expect("there is another place");
        }
        let found = discovery.receive(&answer(200, r#"{"issuer":"https://as.example/t"}"#));
        assert_eq!(found.unwrap().issuer(), "https://as.example/t");
    }
}

#[test]
fn whatever_is_no_document_leads_to_the_next_place() {
    let mut redirect = answer(302, "");
    redirect.headers_mut().insert(LOCATION, HeaderValue::from_static("https://evil.example/"));
    for response in [
        answer(400, ""),
        answer(401, r#"{"error":"invalid_token"}"#),
        answer(403, "<html>"),
        answer(404, ""),
        answer(204, ""),
        answer(200, "<!DOCTYPE html>"),
        answer(200, ""),
        answer(200, "[]"),
        answer(200, "{}"),
        answer(200, r#"{"issuer":"https://other.example"}"#),
        answer(200, [0xFF, 0xFE]),
        redirect,
    ] {
        let next = receive(&response).unwrap_err().next().expect("there is another place");
        let place = next.request().uri().to_string();
        assert_eq!(place, "https://as.example/.well-known/openid-configuration");
    }
}

#[test]
fn an_outage_can_be_retried_or_skipped() {
    let discovery = Discovery::new(ISSUER).unwrap();
    let mut response = answer(503, "");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let undiscovered = discovery.receive(&response).unwrap_err();
    assert!(undiscovered.error().is_retryable());
    assert_eq!(
        undiscovered.to_string(),
        "the metadata endpoint is unavailable for now (503 Service Unavailable); \
         try again in 7 seconds"
    );
    assert!(matches!(undiscovered.next(), Err(Error::Unavailable(_))));
    // The search is still where it was.
    assert!(discovery.receive(&answer(200, document(""))).is_ok());
    let next = discovery.skip().expect("there is another place");
    assert!(next.request().uri().path().ends_with("/openid-configuration"));
    assert!(next.skip().is_none());
}

#[test]
fn the_error_at_the_end_is_the_one_that_says_most() {
    let wrong = answer(200, r#"{"issuer":"https://as.example/"}"#);
    let absent = answer(404, "");
    let html = answer(200, "<html>");
    for (first, second, says) in [
        (&wrong, &absent, "so it must not be used"),
        (&absent, &wrong, "so it must not be used"),
        (&html, &absent, "is not a JSON object"),
        (&absent, &html, "is not a JSON object"),
        (&html, &wrong, "so it must not be used"),
        (&absent, &absent, "answered 404 Not Found"),
    ] {
        let next = receive(first).unwrap_err().next().unwrap();
        let error = next.receive(second).unwrap_err().next().unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
}

// The issuer

#[test]
fn the_issuer_has_to_be_the_same_text() {
    // RFC 8414 §3.3, RFC 8414 §4: compared as plain strings.
    for issuer in [
        "https://as.example/",
        "https://AS.example",
        "https://as.example:443",
        "HTTPS://as.example",
        "https://evil.example",
        "https://as.example/.",
        " https://as.example",
    ] {
        let error = refused(format!(r#"{{"issuer":"{issuer}"}}"#));
        let Problem::Mismatch(mismatch) = problem(&error) else { panic!("{error:?}") };
        assert_eq!((mismatch.member, &*mismatch.expected), ("issuer", ISSUER));
        assert_eq!(&*mismatch.found, issuer);
    }
}

#[test]
fn a_document_of_another_issuer_is_refused_by_both_names() {
    let error = refused(r#"{"issuer":"https://evil.example\u001b[31m\n"}"#);
    assert_eq!(
        error.to_string(),
        "the metadata endpoint's answer has the issuer \"https://evil.example?[31m?\" and was asked \
         for \"https://as.example\", so it must not be used; both have to be the same text"
    );
    assert!(!error.is_retryable() && !error.needs_login());
}

#[test]
fn a_document_without_an_issuer_is_refused() {
    for document in ["{}", r#"{"issuer":null}"#, r#"{"issuer":""}"#] {
        let error = refused(document);
        assert_eq!(problem(&error), &Problem::MemberMissing("issuer"));
        assert_eq!(error.to_string(), "the metadata endpoint's answer lacks the member issuer");
    }
    assert_eq!(problem(&refused(r#"{"issuer":1}"#)), &Problem::Member("issuer"));
}

// The document

#[test]
fn the_example_of_rfc_8414_is_read() {
    let discovery = Discovery::new("https://server.example.com").unwrap();
    let metadata = discovery.receive(&answer(200, RFC8414_3_2)).unwrap();
    assert_eq!(metadata.issuer(), "https://server.example.com");
    let text = |url: Option<&LearntUrl>| url.unwrap().same_origin().unwrap().to_owned();
    assert_eq!(text(metadata.authorization_endpoint()), "https://server.example.com/authorize");
    assert_eq!(text(metadata.token_endpoint()), "https://server.example.com/token");
    assert_eq!(text(metadata.userinfo_endpoint()), "https://server.example.com/userinfo");
    assert_eq!(text(metadata.jwks_uri()), "https://server.example.com/jwks.json");
    assert_eq!(text(metadata.registration_endpoint()), "https://server.example.com/register");
    assert_eq!(
        metadata.token_endpoint_auth_methods_supported(),
        ["client_secret_basic", "private_key_jwt"]
    );
    assert_eq!(metadata.token_endpoint_auth_signing_alg_values_supported(), ["RS256", "ES256"]);
    assert_eq!(
        metadata.scopes_supported(),
        ["openid", "profile", "email", "address", "phone", "offline_access"]
    );
    assert_eq!(metadata.response_types_supported(), ["code", "code token"]);
    assert_eq!(
        metadata.service_documentation(),
        Some("http://server.example.com/service_documentation.html")
    );
    assert_eq!(metadata.ui_locales_supported(), ["en-US", "en-GB", "en-CA", "fr-FR", "fr-CA"]);
    assert!(!metadata.authorization_response_iss_parameter_supported());
    assert!(metadata.revocation_endpoint().is_none());
    assert!(metadata.grant_types_supported().is_empty());
}

#[test]
fn what_has_no_getter_is_kept_as_it_came() {
    let metadata = metadata(
        r#""claims_supported":["sub"],"answer":{"n":12345678901234567890123},"end_session_endpoint":"https://as.example/bye""#,
    );
    assert_eq!(metadata.extra::<Vec<String>>("claims_supported").unwrap(), ["sub"]);
    let raw: Box<serde_json::value::RawValue> = metadata.extra("answer").unwrap();
    assert_eq!(raw.get(), r#"{"n":12345678901234567890123}"#);
    assert_eq!(metadata.extra::<u8>("absent"), None);
    assert_eq!(metadata.extra::<u8>("claims_supported"), None);
    let bye = metadata.extra_url("end_session_endpoint").unwrap().unwrap();
    assert_eq!(bye.same_origin().unwrap(), "https://as.example/bye");
    assert_eq!(metadata.extra_url("absent"), Ok(None));
    let error = metadata.extra_url("claims_supported").unwrap_err();
    assert_eq!(problem(&error), &Problem::Member("claims_supported"));
}

#[test]
fn a_member_that_appears_twice_is_refused_whatever_its_name() {
    for members in [
        r#""issuer":"https://as.example""#,
        r#""\u0069ssuer":"https://as.example""#,
        r#""token_endpoint":"https://as.example/token""#,
        r#""a":1,"a":1"#,
    ] {
        assert_eq!(problem(&refused(document(members))), &Problem::Members, "{members}");
    }
}

#[test]
fn a_member_of_a_wrong_type_is_refused_by_its_name() {
    for (members, name) in [
        (r#""jwks_uri":1"#, "jwks_uri"),
        (r#""scopes_supported":"openid""#, "scopes_supported"),
        (r#""scopes_supported":["openid",1]"#, "scopes_supported"),
        (r#""op_tos_uri":[]"#, "op_tos_uri"),
        (
            r#""authorization_response_iss_parameter_supported":"true""#,
            "authorization_response_iss_parameter_supported",
        ),
    ] {
        let error = refused(document(members));
        assert_eq!(problem(&error), &Problem::Member(name));
        assert_eq!(
            error.to_string(),
            format!(
                "the metadata endpoint's answer has a member {name} of a wrong type or with wrong \
                 characters"
            )
        );
    }
}

#[test]
fn null_stands_for_an_absent_member() {
    let metadata = metadata(r#""jwks_uri":null,"scopes_supported":null,"op_tos_uri":null"#);
    assert!(metadata.jwks_uri().is_none() && metadata.scopes_supported().is_empty());
    assert_eq!(metadata.op_tos_uri(), None);
}

#[test]
fn links_for_people_are_web_pages() {
    for link in ["javascript:alert(1)", "data:text/html,x", "/tos", "https://as.example/\u{1b}"] {
        let member = format!(r#""op_policy_uri":{}"#, serde_json::to_string(link).unwrap());
        assert_eq!(metadata(&member).op_policy_uri(), None);
    }
    let metadata = metadata(r#""op_policy_uri":"https://other.example/policy""#);
    assert_eq!(metadata.op_policy_uri(), Some("https://other.example/policy"));
}

#[test]
fn a_document_that_is_too_long_is_refused() {
    let long = document(&format!(r#""a":"{}""#, "a".repeat(Discovery::BODY_LIMIT)));
    assert_eq!(problem(&refused(long)), &Problem::TooLarge(Discovery::BODY_LIMIT));
    let longest = document("");
    let padding = " ".repeat(Discovery::BODY_LIMIT - longest.len());
    assert!(receive(&answer(200, longest + &padding)).is_ok());
}

// URLs that were learnt

#[test]
fn a_url_to_which_nothing_may_be_sent_refuses_the_document() {
    for (url, why) in [
        ("http://as.example/token", "must be https (plain http: this machine only)"),
        ("ftp://as.example/token", "must be https (plain http: this machine only)"),
        ("/token", "is not an absolute URL"),
        ("https://as.example/token#a", "must not have a fragment"),
        ("https://as.example@evil.example/", "must not have a user name or password"),
        ("https://as.example\\\\@evil.example/", "has characters that no URL has"),
        ("https://as.example/to ken", "has characters that no URL has"),
        ("https://as.ex\\tample/token", "has characters that no URL has"),
        ("https://äs.example/token", "has characters that no URL has"),
    ] {
        let name = "revocation_endpoint";
        let error = refused(document(&format!(r#""{name}":"{url}""#)));
        assert_eq!(unusable(&error), (name, why), "{url}");
        assert_eq!(error.to_string(), format!("the metadata endpoint's {name} {why}"));
    }
}

#[test]
fn only_an_issuer_on_this_machine_names_urls_on_this_machine() {
    for host in [
        "localhost",
        "localhost.",
        "LOCALHOST",
        "a.localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
    ] {
        for scheme in ["https", "http"] {
            let member = format!(r#""jwks_uri":"{scheme}://{host}/jwks""#);
            let error = refused(document(&member));
            assert_eq!(unusable(&error).0, "jwks_uri", "{error}");
        }
        let discovery = Discovery::new("http://localhost:8080").unwrap();
        let member = format!(r#""jwks_uri":"https://{host}/jwks""#);
        let local = document(&member).replace(ISSUER, "http://localhost:8080");
        let metadata = discovery.receive(&answer(200, local)).expect("this machine's own");
        assert!(metadata.server().is_ok());
        // Another port is another origin.
        assert!(metadata.jwks_uri().unwrap().same_origin().is_err());
    }
}

#[test]
fn a_learnt_url_names_one_host_to_all_who_read_it() {
    for url in [
        "https:as.example/jwks",
        "https:/as.example/jwks",
        "https:///as.example/jwks",
        "https:////as.example/jwks",
        "https://%61s.example/jwks",
        "https://10.1/jwks",
        "https://0xA.0.0.1/jwks",
    ] {
        let error = refused(document(&format!(r#""jwks_uri":"{url}""#)));
        let why = "is not the same URL for all who read it";
        assert_eq!(unusable(&error), ("jwks_uri", why), "{url}");
    }
    for url in ["https://AS.Example:0443/jwks", "https://[2001:DB8:0::1]/jwks"] {
        assert!(metadata(&format!(r#""jwks_uri":"{url}""#)).jwks_uri().is_some(), "{url}");
    }
}

#[test]
fn a_learnt_url_is_given_out_for_accepted_origins_only() {
    let metadata = metadata(r#""jwks_uri":"https://keys.example:8443/jwks?v=1""#);
    let url = metadata.jwks_uri().unwrap();
    assert_eq!(url.origin(), "https://keys.example:8443");
    assert_eq!(url.to_string(), "https://keys.example:8443/jwks?v=1");
    let error = url.same_origin().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metadata endpoint's jwks_uri is on https://keys.example:8443, which the program has \
         not accepted; name that origin if it is right"
    );
    for wrong in ["https://keys.example", "https://other.example:8443"] {
        assert_eq!(url.within(&origins(wrong)), Err(error.clone()));
    }
    let accepted = url.within(&origins("https://keys.example:8443"));
    assert_eq!(accepted.unwrap(), "https://keys.example:8443/jwks?v=1");
}

// What a client takes from it

#[test]
fn a_server_has_all_endpoints_of_the_document() {
    let metadata = metadata(
        r#""device_authorization_endpoint":"https://as.example/device","pushed_authorization_request_endpoint":"https://as.example/par","revocation_endpoint":"https://as.example/revoke","introspection_endpoint":"https://as.example/introspect""#,
    );
    let printed = format!("{:?}", metadata.server().unwrap());
    for path in ["authorize", "token", "device", "par", "revoke", "introspect"] {
        assert!(printed.contains(&format!("\"/{path}\"")), "{path} is not in {printed}");
    }
    assert_eq!(metadata.server().unwrap().issuer(), Some(ISSUER));
}

#[test]
fn a_server_without_a_place_to_log_in_is_for_programs() {
    let document = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token"}"#;
    let server = receive(&answer(200, document)).unwrap().server().unwrap();
    let client = Client::new("id", server);
    assert!(client.client_credentials().begin(&mut rng(), NOW).is_ok());
    let error = client.authorize(REDIRECT_URI).begin(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Error::Misuse(Misuse::NoEndpoint("authorization endpoint")));
}

#[test]
fn a_server_needs_a_token_endpoint() {
    let metadata = receive(&answer(200, r#"{"issuer":"https://as.example"}"#)).unwrap();
    let error = metadata.server().unwrap_err();
    assert_eq!(problem(&error), &Problem::MemberMissing("token_endpoint"));
}

#[test]
fn an_endpoint_elsewhere_needs_the_hosts_word() {
    for name in [
        "authorization_endpoint",
        "token_endpoint",
        "device_authorization_endpoint",
        "pushed_authorization_request_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
    ] {
        let document = document("").replace(
            &format!(r#""{name}":"https://as.example/"#),
            r#""moved":"https://as.example/"#,
        );
        let elsewhere = format!(r#","{name}":"https://elsewhere.example/e"}}"#);
        let document = format!("{}{elsewhere}", document.strip_suffix('}').unwrap());
        let metadata = receive(&answer(200, document)).unwrap();
        let error = metadata.server().unwrap_err();
        let origin = "https://elsewhere.example";
        let Problem::Origin(url) = problem(&error) else { panic!("{error:?}") };
        assert_eq!((url.member, &*url.origin), (name, origin));
        assert_eq!(metadata.server_within(&origins("https://other.example")).unwrap_err(), error);
        assert!(metadata.server_within(&origins(origin)).is_ok());
    }
}

#[test]
fn an_endpoint_with_a_parameter_of_the_protocol_is_the_servers_fault() {
    let document = document("").replace("/authorize", "/authorize?state=1");
    let error = receive(&answer(200, document)).unwrap().server().unwrap_err();
    let why = "already has a parameter that the protocol sets";
    assert_eq!(unusable(&error), ("authorization_endpoint", why));
}

#[test]
fn iss_is_mandatory_in_callbacks_when_the_metadata_says_so() {
    // RFC 9207 §2.4.
    for (members, demanded) in [
        (r#""authorization_response_iss_parameter_supported":true"#, true),
        (r#""authorization_response_iss_parameter_supported":false"#, false),
        ("", false),
    ] {
        let client = Client::new("id", metadata(members).server().unwrap());
        let accept = |added: &str| {
            let login = client.authorize(REDIRECT_URI).begin(&mut rng(), NOW);
            let (url, pending) = login.unwrap();
            let query = format!("code=a&state={}{added}", parameter(&url, "state"));
            pending.accept(&client, Callback::query(&query), NOW).map(|_| ())
        };
        assert_eq!(accept("&iss=https%3A%2F%2Fas.example"), Ok(()));
        assert!(matches!(accept("&iss=https%3A%2F%2Fevil.example"), Err(Error::Forged(_))));
        match accept("") {
            Ok(()) => assert!(!demanded),
            Err(error) => {
                assert!(demanded && matches!(error, Error::Forged(Forged::IssuerMissing)))
            }
        }
    }
}

#[test]
fn a_secret_is_presented_as_the_metadata_says() {
    // RFC 8414 §2: if omitted, the default is "client_secret_basic".
    for (members, basic) in [
        ("", true),
        (
            r#""token_endpoint_auth_methods_supported":["client_secret_post","client_secret_basic"]"#,
            true,
        ),
        (r#""token_endpoint_auth_methods_supported":["none","client_secret_post"]"#, false),
    ] {
        let authentication = metadata(members).authentication("secret").unwrap();
        assert_eq!(matches!(authentication, Authentication::Basic(_)), basic, "{members}");
        assert_eq!(matches!(authentication, Authentication::Post(_)), !basic, "{members}");
    }
}

#[test]
fn a_secret_that_cannot_be_presented_is_told_what_can() {
    let metadata = metadata(
        r#""token_endpoint_auth_methods_supported":["private_key_jwt","tls_client_auth\u001b"]"#,
    );
    let error = metadata.authentication("secret").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the metadata endpoint names only private_key_jwt, tls_client_auth? to authenticate \
         clients, which a client secret cannot do; configure the client for one of them"
    );
    assert_eq!(
        metadata.authentication_methods().collect::<Vec<_>>(),
        ["private_key_jwt", "tls_client_auth\u{1b}"]
    );
}

// Hostile documents

/// Texts that a hostile server may put where a URL belongs.
fn url() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("as.example".to_owned()),
        Just("as.example:443".to_owned()),
        Just("as.example.evil.example".to_owned()),
        Just("as.example@evil.example".to_owned()),
        Just("as.example\\@evil.example".to_owned()),
        Just("as.example%2eevil.example".to_owned()),
        Just("127.0.0.1".to_owned()),
        Just("localhost".to_owned()),
        Just("[::1]:443".to_owned()),
        Just("xn--s-zfa.example".to_owned()),
        "[a-zA-Z0-9.:@\\[\\]%/\\\\]{0,16}",
    ];
    let scheme =
        prop_oneof![Just("https://"), Just("HTTPS:"), Just("http://"), Just("//"), Just("")];
    (scheme, host, "[/?#a-z\\\\\t\n]{0,6}")
        .prop_map(|(scheme, host, path)| scheme.to_owned() + &host + &path)
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        url().prop_map(Into::into),
        Just(ISSUER.into()),
        ".{0,8}".prop_map(Into::into),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Into::into))
}

const NAMES: [&str; 10] = [
    "issuer",
    "authorization_endpoint",
    "token_endpoint",
    "revocation_endpoint",
    "introspection_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
    "registration_endpoint",
    "token_endpoint_auth_methods_supported",
    "authorization_response_iss_parameter_supported",
];

/// Every URI that a client of this server could send something to.
fn endpoints(server: Server) -> Vec<String> {
    let client = Client::new("id", server).with_secret("secret");
    let mut all = Vec::new();
    if let Ok((url, _)) = client.authorize(REDIRECT_URI).begin(&mut rng(), NOW) {
        all.push(url.to_string());
    }
    let (request, awaiting) = client.client_credentials().begin(&mut rng(), NOW).unwrap();
    all.push(request.uri().to_string());
    let state = awaiting.receive(&client, &answer(200, support::TOKENS), NOW).unwrap();
    let (_, requests) = oauth2_proto::State::from(state).sign_out(&client, NOW).unwrap();
    all.extend(requests.iter().map(|request| request.uri().to_string()));
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Law 10: never to an origin that was not given or accepted.
    #[test]
    fn no_document_leads_to_an_origin_that_was_not_accepted(
        members in prop::collection::btree_map(prop::sample::select(&NAMES[..]), json(), 0..8),
        is_own in prop::bool::weighted(0.9),
        status in prop_oneof![8 => Just(200_u16), 1 => 200_u16..600],
    ) {
        let mut members = members;
        if is_own {
            members.insert("issuer", ISSUER.into());
            members.entry("token_endpoint").or_insert_with(|| "https://as.example/token".into());
        }
        let response = answer(status, serde_json::to_vec(&members).unwrap());
        let metadata = match receive(&response) {
            Ok(metadata) => metadata,
            Err(undiscovered) => {
                let text = undiscovered.to_string();
                prop_assert!(text.len() < 4096 && !text.contains(char::is_control), "{text:?}");
                if let Ok(next) = undiscovered.next() {
                    let request = next.request();
                    prop_assert_eq!(request.uri().host(), Some("as.example"));
                }
                return Ok(());
            }
        };
        prop_assert_eq!(metadata.issuer(), ISSUER);
        if let Ok(server) = metadata.server() {
            for endpoint in endpoints(server) {
                let endpoint: Uri = endpoint.parse().unwrap();
                prop_assert_eq!(endpoint.scheme_str(), Some("https"));
                prop_assert_eq!(endpoint.host(), Some("as.example"));
                prop_assert_eq!(endpoint.port_u16().unwrap_or(443), 443);
            }
        }
        if let Some(url) = metadata.registration_endpoint()
            && let Ok(text) = url.same_origin()
        {
            let parsed = url::Url::parse(text).unwrap();
            prop_assert_eq!(parsed.origin().ascii_serialization(), ISSUER);
        }
    }

    #[test]
    fn no_bytes_make_it_panic(status in 100_u16..600, bytes in any::<Vec<u8>>()) {
        let _read = receive(&answer(status, bytes));
    }
}
