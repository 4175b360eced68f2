//! The URL that a login begins with (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 8707 §2.1).
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::convert::Infallible;
use core::fmt;
use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2_proto::{AuthorizationRequest, Callback, Client, Error, Misuse, Outage, Server};
use rand::rngs::{StdRng, SysRng};
use rand::{SeedableRng, TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};
use support::{NOW, REDIRECT_URI, begin, client, code, form, parameter, rng};
use url::Url;

const TOKEN: &str = "https://as.example/token";

fn url(request: AuthorizationRequest<'_>) -> Url {
    request.begin(&mut rng(), NOW).expect("a usable login").0
}

#[track_caller]
fn misuse(request: AuthorizationRequest<'_>) -> Misuse {
    let error = request.begin(&mut rng(), NOW).expect_err("this login is refused");
    let Error::Misuse(misuse) = error else { panic!("{error:?} is not Misuse") };
    misuse
}

/// The names of the parameters in their order.
fn names(url: &Url) -> Vec<String> {
    url.query_pairs().map(|(name, _)| name.into_owned()).collect()
}

/// A client of a server with this authorization endpoint.
fn client_of(authorization: &str) -> Client {
    Client::new("id", Server::new(authorization, TOKEN).expect("a usable endpoint"))
}

// What is in it

#[test]
fn the_url_of_a_login_is_this() {
    let (url, _) = begin(&client());
    assert_eq!(
        url.as_str(),
        "https://as.example/authorize?response_type=code&client_id=s6BhdRkqt3\
         &redirect_uri=https%3A%2F%2Fapp.example%2Fcallback&scope=read+write\
         &state=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\
         &code_challenge=zwkx4Wi0nph1A8rxivb-JTtrPYKoEAjD6OHuZ8fI3FU\
         &code_challenge_method=S256"
    );
}

#[test]
fn the_parameters_stand_in_a_fixed_order() {
    let client = client();
    let url = url(client
        .authorize(REDIRECT_URI)
        .param("prompt", "consent")
        .resource("https://b.example/")
        .scope("read")
        .param("access_type", "offline")
        .resource("https://a.example/"));
    assert_eq!(
        names(&url),
        [
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
            "resource",
            "resource",
            "prompt",
            "access_type",
        ]
    );
    let resources: Vec<_> = url.query_pairs().filter(|(name, _)| name == "resource").collect();
    assert_eq!(resources[0].1, "https://b.example/");
    assert_eq!(resources[1].1, "https://a.example/");
}

#[test]
fn each_parameter_of_the_protocol_stands_there_once() {
    let url = url(client().authorize(REDIRECT_URI).scope("read write"));
    assert_eq!(parameter(&url, "response_type"), "code");
    assert_eq!(parameter(&url, "client_id"), "s6BhdRkqt3");
    assert_eq!(parameter(&url, "redirect_uri"), REDIRECT_URI);
    assert_eq!(parameter(&url, "scope"), "read write");
    assert_eq!(parameter(&url, "code_challenge_method"), "S256");
    assert_eq!(parameter(&url, "state").len(), 43);
    assert_eq!(parameter(&url, "code_challenge").len(), 43);
}

#[test]
fn without_a_scope_there_is_no_such_parameter() {
    for scope in ["", " "] {
        let url = url(client().authorize(REDIRECT_URI).scope(scope));
        assert!(!names(&url).contains(&"scope".to_owned()));
    }
}

#[test]
fn awkward_values_arrive_as_they_were_given() {
    let awkward = "ä &=+%#?/\\\"'<>\u{0}\r\n日本";
    let client = Client::new(awkward, support::server());
    let url = url(client.authorize(REDIRECT_URI).param(awkward, awkward));
    assert_eq!(parameter(&url, "client_id"), awkward);
    assert_eq!(parameter(&url, awkward), awkward);
    assert_eq!(url.fragment(), None);
}

#[test]
fn the_redirect_uri_is_sent_as_it_was_given() {
    for redirect_uri in [
        "https://App.Example:443/a/../Callback?b=%7e&c=d+e",
        "https://app.example",
        "http://localhost:8080/callback",
        "http://127.0.0.1/",
        "http://127.8.9.1:1/",
        "http://[::1]:49152/callback",
        "com.example.app:/oauth2redirect/provider",
        "com.example.app:callback",
        "msal1b2c://auth",
        "urn:ietf:wg:oauth:2.0:oob",
    ] {
        let client = client();
        assert_eq!(parameter(&url(client.authorize(redirect_uri)), "redirect_uri"), redirect_uri);
    }
}

// The endpoint's own query

#[test]
fn the_query_of_the_endpoint_stays_in_front_byte_for_byte() {
    for query in
        ["a=b", "p=B2C_1_signin", "a=%7e%2F%2f+%20&b&=&c==&&d=%C3%a4", "a=1&a=2", "a;b", "~"]
    {
        let client = client_of(&format!("https://as.example/authorize?{query}"));
        let url = url(client.authorize(REDIRECT_URI));
        let expected = format!("https://as.example/authorize?{query}&response_type=code&");
        assert!(url.as_str().starts_with(&expected), "{url}");
    }
}

#[test]
fn an_empty_query_of_the_endpoint_is_filled() {
    let url = url(client_of("https://as.example/authorize?").authorize(REDIRECT_URI));
    assert!(url.as_str().starts_with("https://as.example/authorize?response_type=code&"), "{url}");
}

#[test]
fn an_endpoint_that_sets_a_parameter_of_the_protocol_is_refused() {
    for name in [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
        "st%61te",
    ] {
        let endpoint = format!("https://as.example/authorize?a=b&{name}=x");
        assert_eq!(
            Server::new(&endpoint, TOKEN).unwrap_err(),
            Misuse::Url("authorization endpoint", "already has a parameter that the protocol sets"),
            "{name}"
        );
    }
}

// Endpoints

/// What is wrong with this URL, at whichever endpoint it is given.
fn refused(url: &str) -> &'static str {
    let why = |misuse| {
        let Misuse::Url(name, why) = misuse else { panic!("{misuse:?} is not about a URL") };
        (name, why)
    };
    let (name, reason) = why(Server::new(url, TOKEN).unwrap_err());
    assert_eq!(name, "authorization endpoint");
    let others = [
        ("token endpoint", Server::new("https://as.example/authorize", url)),
        ("token endpoint", Server::token_only(url)),
        ("revocation endpoint", support::server().with_revocation(url)),
    ];
    for (name, server) in others {
        assert_eq!(why(server.unwrap_err()), (name, reason));
    }
    reason
}

#[test]
fn an_endpoint_that_is_no_url_is_refused() {
    for url in
        ["", "as.example", "/authorize", "//as.example/authorize", "https://", "https://[::1"]
    {
        assert_eq!(refused(url), "is not an absolute URL", "{url}");
    }
}

#[test]
fn an_endpoint_without_encryption_is_refused() {
    for url in [
        "http://as.example/authorize",
        "HTTP://as.example/authorize",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "http://10.0.0.1/",
        "http://0.0.0.0/",
        "http://[::2]/",
        "ftp://as.example/",
        "file:///etc/passwd",
        "data:,x",
        "javascript:alert(1)",
        "com.example.app:/x",
    ] {
        assert_eq!(refused(url), "must be https (plain http: this machine only)", "{url}");
    }
}

#[test]
fn an_endpoint_on_this_machine_may_be_plain_http() {
    for url in [
        "http://localhost:8080/x",
        "http://LOCALHOST/x",
        "http://127.0.0.1/x",
        "http://127.1.2.3:1/x",
        "http://[::1]:9/x",
    ] {
        assert!(Server::new(url, url).is_ok_and(|server| server.with_revocation(url).is_ok()));
    }
}

#[test]
fn an_endpoint_with_a_fragment_is_refused() {
    for url in ["https://as.example/#a", "https://as.example/?a=b#", "http://localhost/#x"] {
        assert_eq!(refused(url), "must not have a fragment", "{url}");
    }
}

#[test]
fn an_endpoint_with_user_information_is_refused() {
    for url in
        ["https://user@as.example/", "https://user:pw@as.example/", "https://:pw@as.example/"]
    {
        assert_eq!(refused(url), "must not have a user name or password", "{url}");
    }
}

#[test]
fn a_server_without_an_authorization_endpoint_begins_no_login() {
    let client = Client::new("id", Server::token_only(TOKEN).unwrap());
    assert_eq!(
        misuse(client.authorize(REDIRECT_URI)),
        Misuse::NoEndpoint("authorization endpoint")
    );
}

// Redirect URIs

#[test]
fn a_redirect_uri_that_is_not_usable_is_refused() {
    for (redirect_uri, why) in [
        ("", "is not an absolute URI"),
        ("/callback", "is not an absolute URI"),
        ("app.example/callback", "is not an absolute URI"),
        ("https://app.example/#x", "must not have a fragment"),
        ("com.example.app:/#", "must not have a fragment"),
        ("http://app.example/", "must be https (plain http: this machine only)"),
        ("http://localhost.example/", "must be https (plain http: this machine only)"),
        ("javascript:alert(1)", "has a scheme that belongs to no app"),
        ("JavaScript:alert(1)", "has a scheme that belongs to no app"),
        ("data:text/html,x", "has a scheme that belongs to no app"),
        ("file:///tmp/x", "has a scheme that belongs to no app"),
        ("about:blank", "has a scheme that belongs to no app"),
        ("blob:https://app.example/1", "has a scheme that belongs to no app"),
        ("vbscript:x", "has a scheme that belongs to no app"),
    ] {
        assert_eq!(
            misuse(client().authorize(redirect_uri)),
            Misuse::Url("redirect URI", why),
            "{redirect_uri}"
        );
    }
}

/// Otherwise the first callback would be called malformed, for what the program did wrong.
#[test]
fn an_https_redirect_uri_that_is_no_url_is_refused() {
    for redirect_uri in [
        "https://",
        "https://?x",
        "https://[::1/callback",
        "https://app example/callback",
        "https://app.example:port/callback",
        "https://app.example:99999/callback",
    ] {
        assert!(
            client().authorize(redirect_uri).begin(&mut rng(), NOW).is_err(),
            "{redirect_uri} is taken for a URL"
        );
    }
}

// Extras

#[test]
fn extras_cannot_override_a_parameter_of_the_protocol() {
    for name in [
        "response_type",
        "client_id",
        "redirect_uri",
        "scope",
        "state",
        "code_challenge",
        "code_challenge_method",
        "resource",
    ] {
        assert_eq!(
            misuse(client().authorize(REDIRECT_URI).param(name, "x")),
            Misuse::Parameter(name.into())
        );
    }
}

/// RFC 6749 §2.3.1: it can only be transmitted in the request body.
#[test]
fn a_client_secret_is_refused_in_the_url() {
    let login = client();
    let login = login.authorize(REDIRECT_URI).param("client_secret", "gX1fBat3bV");
    assert_eq!(misuse(login), Misuse::Parameter("client_secret".into()));
}

#[test]
fn extras_cannot_be_repeated() {
    let client = client();
    let request =
        client.authorize(REDIRECT_URI).param("prompt", "a").param("x", "").param("prompt", "a");
    assert_eq!(misuse(request), Misuse::Parameter("prompt".into()));
}

#[test]
fn extras_cannot_repeat_a_parameter_of_the_endpoint() {
    let client = client_of("https://as.example/authorize?p=policy&prompt=login");
    let request = client.authorize(REDIRECT_URI).param("prompt", "none");
    assert_eq!(misuse(request), Misuse::Parameter("prompt".into()));
}

#[test]
fn a_resource_is_an_absolute_uri_without_a_fragment() {
    for resource in ["", "api", "/api", "https://api.example/#x", "https://["] {
        assert_eq!(
            misuse(client().authorize(REDIRECT_URI).resource(resource)),
            Misuse::Url("resource", "must be an absolute URI without a fragment"),
            "{resource}"
        );
    }
    let url = url(client().authorize(REDIRECT_URI).resource("urn:example:api"));
    assert_eq!(parameter(&url, "resource"), "urn:example:api");
}

#[test]
fn a_scope_that_breaks_the_grammar_is_refused() {
    for scope in ["a\"b", "a\\b", "ä", "a\tb", "a\nb", "a\u{7f}"] {
        assert_eq!(misuse(client().authorize(REDIRECT_URI).scope(scope)), Misuse::Scope);
    }
}

// Randomness

#[test]
fn state_verifier_and_login_differ_from_login_to_login() {
    let client = client();
    let mut rng = StdRng::seed_from_u64(1);
    let mut seen = HashSet::new();
    for _ in 0..100 {
        let (url, pending) = client.authorize(REDIRECT_URI).begin(&mut rng, NOW).unwrap();
        let query = format!("code=a&state={}", parameter(&url, "state"));
        let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
        let (request, _) = code.redeem(&client, NOW).unwrap();
        let mut pairs = form(&request).into_iter();
        let verifier = pairs.find(|(name, _)| name == "code_verifier").unwrap().1;
        assert!(seen.insert(parameter(&url, "state")));
        assert!(seen.insert(parameter(&url, "code_challenge")));
        assert!(seen.insert(verifier));
        assert!(seen.insert(pending.login().to_string()));
    }
}

#[test]
fn the_challenge_is_the_s256_of_the_verifier_that_is_sent_with_the_code() {
    let client = client();
    let (url, _) = begin(&client);
    let (request, _) = code(&client).redeem(&client, NOW).unwrap();
    let mut pairs = form(&request).into_iter();
    let verifier = pairs.find(|(name, _)| name == "code_verifier").unwrap().1;
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&verifier));
    assert_eq!(parameter(&url, "code_challenge"), challenge);
    // RFC 7636 §4.1: 43 to 128 characters, unreserved.
    assert_eq!(verifier.len(), 43);
    assert!(verifier.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
}

/// The randomness of which RFC 7636 Appendix B makes its `code_verifier`.
struct AppendixB(usize);

impl TryRng for AppendixB {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(0)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(0)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        const OCTETS: [u8; 32] = [
            116, 24, 223, 180, 151, 153, 224, 37, 79, 250, 96, 125, 216, 173, 187, 186, 22, 212,
            37, 77, 105, 214, 191, 240, 91, 88, 5, 88, 83, 132, 141, 121,
        ];
        for (byte, octet) in dst.iter_mut().zip(OCTETS.iter().cycle()) {
            *byte = *octet;
        }
        self.0 += dst.len();
        Ok(())
    }
}

impl TryCryptoRng for AppendixB {}

#[test]
fn the_challenge_of_rfc_7636_appendix_b() {
    let client = client();
    let mut rng = AppendixB(0);
    let (url, _) = client.authorize(REDIRECT_URI).begin(&mut rng, NOW).unwrap();
    assert_eq!(parameter(&url, "code_challenge"), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    assert!(rng.0 >= 64, "state and verifier are 256 random bits each");
}

#[derive(Debug)]
struct Exhausted;

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no entropy")
    }
}

impl core::error::Error for Exhausted {}

/// A source that fails after so many calls.
struct Failing(u32);

impl Failing {
    fn call(&mut self) -> Result<(), Exhausted> {
        self.0 = self.0.checked_sub(1).ok_or(Exhausted)?;
        Ok(())
    }
}

impl TryRng for Failing {
    type Error = Exhausted;

    fn try_next_u32(&mut self) -> Result<u32, Exhausted> {
        self.call().map(|()| 1)
    }

    fn try_next_u64(&mut self) -> Result<u64, Exhausted> {
        self.call().map(|()| 1)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Exhausted> {
        dst.fill(1);
        self.call()
    }
}

impl TryCryptoRng for Failing {}

#[test]
fn a_source_without_randomness_is_an_outage() {
    let client = client();
    let mut calls = 0;
    loop {
        let begun = client.authorize(REDIRECT_URI).begin(&mut Failing(calls), NOW);
        let Err(error) = begun else { break };
        let Error::Unavailable(unavailable) = &error else { panic!("{error:?}") };
        assert_eq!(unavailable.cause(), Outage::Randomness);
        assert!(error.is_retryable() && !error.needs_login());
        calls += 1;
    }
    assert!(calls > 0, "a login needs randomness");
    let error = client.client_credentials().begin(&mut Failing(0), NOW).unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    let error = client.client_credentials().ready(&mut Failing(0)).unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
}

#[test]
fn the_system_is_a_source_of_randomness() {
    let client = client();
    let (one, _) = client.authorize(REDIRECT_URI).begin(&mut SysRng, NOW).unwrap();
    let (other, _) = client.authorize(REDIRECT_URI).begin(&mut SysRng, NOW).unwrap();
    assert_ne!(parameter(&one, "state"), parameter(&other, "state"));
}
