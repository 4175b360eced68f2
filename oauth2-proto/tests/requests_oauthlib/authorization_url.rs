//! Rows 9 to 17: the authorization URL.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Method;
use oauth2_proto::{AwaitingCallback, Callback, Client, Error, Misuse, Server};
use sha2::{Digest, Sha256};
use url::Url;

use crate::support::{CODE, NOW, REDIRECT_URI, after, begin, client, form, parameter, rng, server};

const TOKEN: &str = "https://as.test/token";

/// The client of the samples in the requests-oauthlib table.
fn sample(authorization: &str) -> Client {
    Client::new("cid", Server::new(authorization, TOKEN).expect("a usable endpoint"))
}

fn names(url: &Url) -> Vec<String> {
    url.query_pairs().map(|(name, _)| name.into_owned()).collect()
}

/// The verifier that goes with the code of this login.
fn verifier(client: &Client, url: &Url, pending: &AwaitingCallback) -> String {
    let callback = format!("code={CODE}&state={}", parameter(url, "state"));
    let code = pending.accept(client, Callback::query(&callback), NOW).expect("its own callback");
    let (request, _) = code.redeem(client, NOW).expect("the same client");
    let mut pairs = form(&request).into_iter().filter(|(name, _)| name == "code_verifier");
    pairs.next().expect("a verifier").1
}

fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

// Row 9
#[test]
fn what_comes_back_is_the_url_and_all_that_its_callback_needs() {
    let client = client();
    let (url, pending) = begin(&client);
    // There it is the state alone: verifier and redirect URI stay in an object that a web server
    // has to make anew.
    let stored = serde_json::to_string(&pending).unwrap();
    let loaded: AwaitingCallback = serde_json::from_str(&stored).unwrap();
    assert_eq!(loaded.redirect_uri(), REDIRECT_URI);
    assert_eq!(loaded.deadline(), after(600));
    assert_eq!(challenge_of(&verifier(&client, &url, &loaded)), parameter(&url, "code_challenge"));
}

// Row 10
#[test]
fn the_parameters_stand_in_the_order_that_they_have_there() {
    let client = sample("https://as.test/auth?x=1&y=%2f");
    let request = client.authorize(REDIRECT_URI).scope("a  b").param("prompt", "é /:~");
    let (url, _) = request.param("access_type", "offline").begin(&mut rng(), NOW).unwrap();
    assert_eq!(
        names(&url),
        [
            "x",
            "y",
            "response_type",
            "client_id",
            "redirect_uri",
            "scope",
            "state",
            "code_challenge",
            "code_challenge_method",
            "prompt",
            "access_type"
        ]
    );
    // Only the tilde is written otherwise: a form escapes it, and every reader takes it back.
    assert!(url.as_str().starts_with("https://as.test/auth?x=1&y=%2f&response_type=code&"));
    assert!(url.as_str().contains("&scope=a+b&"));
    assert!(url.as_str().ends_with("&prompt=%C3%A9+%2F%3A%7E&access_type=offline"), "{url}");
    // RFC 6749 §3.1: the endpoint URI MUST NOT include a fragment.
    assert_eq!(
        Server::new("https://as.test/auth#here", TOKEN).unwrap_err(),
        Misuse::Url("authorization endpoint", "must not have a fragment")
    );
}

// Row 11
#[test]
fn the_url_of_the_sample_has_the_same_parameters_in_the_same_order() {
    let client = sample("https://as.test/auth?x=1");
    let request = client.authorize("https://c.test/cb").scope("a b");
    let request = request.param("access_type", "offline").param("approval_prompt", "force");
    let (url, _) = request.begin(&mut rng(), NOW).unwrap();
    assert_eq!(
        url.as_str(),
        "https://as.test/auth?x=1&response_type=code&client_id=cid\
         &redirect_uri=https%3A%2F%2Fc.test%2Fcb&scope=a+b\
         &state=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\
         &code_challenge=zwkx4Wi0nph1A8rxivb-JTtrPYKoEAjD6OHuZ8fI3FU&code_challenge_method=S256\
         &access_type=offline&approval_prompt=force"
    );
}

// Row 12, E25
#[test]
fn plain_http_is_for_this_machine_and_no_switch_turns_that_off() {
    let why = "must be https (plain http: this machine only)";
    assert_eq!(
        Server::new("http://as.test/auth", TOKEN).unwrap_err(),
        Misuse::Url("authorization endpoint", why)
    );
    assert_eq!(
        Server::token_only("http://as.test/token").unwrap_err(),
        Misuse::Url("token endpoint", why)
    );
    for local in ["http://localhost:8080/auth", "http://127.0.0.1/auth", "http://[::1]:1/auth"] {
        assert!(Server::new(local, local).is_ok(), "{local}");
    }
}

// Row 13
#[test]
fn the_verifier_has_43_characters_of_its_alphabet() {
    let client = client();
    let (url, pending) = begin(&client);
    let verifier = verifier(&client, &url, &pending);
    assert_eq!(verifier.len(), 43);
    assert!(verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)));
}

// Row 14
#[test]
fn a_verifier_is_never_sent_without_the_challenge_that_it_answers() {
    let client = client();
    for hybrid in [false, true] {
        let request = client.authorize(REDIRECT_URI);
        let request =
            if hybrid { request.hybrid().param("response_mode", "form_post") } else { request };
        let (url, pending) = request.begin(&mut rng(), NOW).unwrap();
        let verifier = verifier(&client, &url, &pending);
        assert_eq!(parameter(&url, "code_challenge"), challenge_of(&verifier));
        assert_eq!(parameter(&url, "code_challenge_method"), "S256");
        assert!(!url.as_str().contains(&verifier));
    }
}

// Row 15
#[test]
fn an_implicit_login_has_no_challenge_that_nothing_answers() {
    let client = client();
    let request = client.legacy_implicit(REDIRECT_URI).scope("read");
    let (url, _) = request.begin(&mut rng(), NOW).unwrap();
    assert_eq!(names(&url), ["response_type", "client_id", "redirect_uri", "scope", "state"]);
    assert_eq!(parameter(&url, "response_type"), "token");
}

// Row 16
#[test]
fn a_url_is_all_that_a_browser_takes_and_a_pushed_request_is_a_request() {
    let server = server().with_pushed_authorization("https://as.example/par").unwrap();
    let client = Client::new("s6BhdRkqt3", server);
    let login = || client.authorize(REDIRECT_URI).scope("read");
    let (url, _) = login().begin(&mut rng(), NOW).unwrap();
    let (request, _) = login().push(&mut rng(), NOW).unwrap();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    for (name, value) in url.query_pairs() {
        let pair = (name.into_owned(), value.into_owned());
        assert_eq!(form(&request).into_iter().filter(|own| *own == pair).count(), 1, "{pair:?}");
    }
}

// Row 17
#[test]
fn a_challenge_of_the_callers_own_is_refused_because_nothing_could_answer_it() {
    for name in ["code_challenge", "code_challenge_method"] {
        let client = client();
        let request = client.authorize(REDIRECT_URI).param(name, "x");
        assert_eq!(
            request.begin(&mut rng(), NOW).unwrap_err(),
            Error::Misuse(Misuse::Parameter(name.into()))
        );
    }
}
