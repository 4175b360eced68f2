//! The implicit grant (RFC 6749 §4.2): what is asked, and what a fragment is believed.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;

use oauth2_proto::{
    AccessToken, Authorized, AwaitingFragment, Callback, Client, Error, Expired, Forged, Misuse,
    Problem, Reason, Server, Session, State, Step,
};
use support::{NOW, REDIRECT_URI, after, client, other_client, parameter, rng, server};

/// What [`rng`] makes of a login's first 32 bytes.
const STATE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

fn pending(client: &Client) -> AwaitingFragment {
    let request = client.legacy_implicit(REDIRECT_URI).scope("read write");
    request.begin(&mut rng(), NOW).expect("a usable login").1
}

fn url(fragment: &str) -> String {
    format!("{REDIRECT_URI}#{fragment}")
}

/// A fragment with our `state` and a token, and whatever else.
fn good(more: &str) -> String {
    format!("access_token=2YotnFZFEjr1zCsicMWpAA&state={STATE}&token_type=bearer{more}")
}

fn accept(callback: &str) -> Result<Authorized, Error> {
    let client = client();
    pending(&client).accept(&client, Callback::url(callback), NOW)
}

#[track_caller]
fn stored(pending: &AwaitingFragment) -> String {
    serde_json::to_string(pending).expect("a state can be stored")
}

/// What a callback is refused for; the login is still pending, byte for byte.
#[track_caller]
fn refused(callback: &str) -> Error {
    let client = client();
    let pending = pending(&client);
    let before = stored(&pending);
    let error = pending.accept(&client, Callback::url(callback), NOW).expect_err("to be refused");
    assert_eq!(stored(&pending), before);
    error
}

fn problem(error: &Error) -> &Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?}, not malformed") };
    malformed.problem()
}

#[test]
fn the_request_of_rfc_6749_section_4_2_1() {
    let server =
        Server::new("https://server.example.com/authorize", "https://server.example.com/t");
    let client = Client::new("s6BhdRkqt3", server.expect("https"));
    let request = client.legacy_implicit("https://client.example.com/cb");
    let (url, _) = request.begin(&mut rng(), NOW).expect("a usable login");
    // The example, where `state` comes before the redirect URI and is `xyz`.
    assert_eq!(
        url.as_str(),
        format!(
            "https://server.example.com/authorize?response_type=token&client_id=s6BhdRkqt3\
             &redirect_uri=https%3A%2F%2Fclient.example.com%2Fcb&state={STATE}"
        )
    );
}

#[test]
fn the_callback_of_rfc_6749_section_4_2_2() {
    let server =
        Server::new("https://server.example.com/authorize", "https://server.example.com/t");
    let client = Client::new("s6BhdRkqt3", server.expect("https"));
    let request = client.legacy_implicit("http://localhost/cb").scope("read");
    let (_, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    // The example, with our own `state`, and on this machine: its redirect URI is plain http.
    let callback = format!(
        "http://localhost/cb#access_token=2YotnFZFEjr1zCsicMWpAA&state={STATE}&token_type=example&expires_in=3600"
    );
    let tokens = pending.accept(&client, Callback::url(&callback), NOW).expect("the example");
    let token = tokens.token(NOW).expect("it is fresh");
    assert_eq!((token.expose(), token.token_type()), ("2YotnFZFEjr1zCsicMWpAA", "example"));
    assert_eq!(tokens.expires_at(), Some(after(3600)));
    // RFC 6749 §4.2.2: scope is OPTIONAL, if identical to the scope requested.
    assert_eq!(tokens.scope().as_str(), "read");
}

#[test]
fn the_error_of_rfc_6749_section_4_2_2_1() {
    let error = accept(&url(&format!("error=access_denied&state={STATE}"))).expect_err("denied");
    let Error::Denied(denied) = &error else { panic!("{error:?}, not denied") };
    assert_eq!(denied.error(), "access_denied");
    let State::Unauthorized(ended) = pending(&client()).after(&error) else { panic!("it is over") };
    assert_eq!(*ended.reason(), Reason::Denied("access_denied".into()));
    assert_eq!(ended.requested_scope().as_str(), "read write");
}

#[test]
fn no_pkce_is_asked_for_and_parameters_of_the_provider_are() {
    let client = client();
    let request = client.legacy_implicit(REDIRECT_URI).scope("read").param("display", "popup");
    let (url, _) = request.begin(&mut rng(), NOW).expect("a usable login");
    assert!(!url.as_str().contains("code_challenge"), "{url}");
    assert_eq!(parameter(&url, "display"), "popup");
    assert_eq!(parameter(&url, "scope"), "read");
}

#[test]
fn with_openid_a_nonce_is_sent_and_kept() {
    let client = client();
    let request = client.legacy_implicit(REDIRECT_URI).scope("openid");
    let (url, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    let nonce = parameter(&url, "nonce");
    let callback = format!("{REDIRECT_URI}#{}", good("&id_token=a.b.c"));
    let tokens = pending.accept(&client, Callback::url(&callback), NOW).expect("good");
    assert_eq!(tokens.nonce(), Some(nonce.as_str()));
    assert_eq!(tokens.id_token().map(|it| it.expose()), Some("a.b.c"));
    let request = client.legacy_implicit(REDIRECT_URI).scope("openid").param("nonce", "mine");
    let error = request.begin(&mut rng(), NOW).expect_err("the machine's own");
    assert_eq!(error, Error::Misuse(Misuse::Parameter("nonce".into())));
}

#[test]
fn a_server_without_an_authorization_endpoint_has_no_implicit_grant() {
    let client = Client::new("id", Server::token_only("https://as.example/t").expect("https"));
    let error = client.legacy_implicit(REDIRECT_URI).begin(&mut rng(), NOW).expect_err("none");
    assert_eq!(error, Error::Misuse(Misuse::NoEndpoint("authorization endpoint")));
}

#[test]
fn a_refresh_token_in_the_browser_is_not_taken() {
    // RFC 6749 §4.2.2: the authorization server MUST NOT issue a refresh token.
    let tokens = accept(&url(&good("&refresh_token=stolen&expires_in=60"))).expect("a token");
    assert!(!tokens.is_renewable());
    assert_eq!(tokens.login_due_at(), Some(after(60)));
    assert!(!serde_json::to_string(&tokens).expect("a state").contains("stolen"));
}

#[test]
fn parameters_without_a_meaning_are_extras_and_kept_ones_stay() {
    let client = client();
    let request = client.legacy_implicit(REDIRECT_URI).keep("realmId");
    let (_, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    let callback = url(&good("&realmId=42&instance_url=https%3A%2F%2Feu.example"));
    let tokens = pending.accept(&client, Callback::url(&callback), NOW).expect("a token");
    assert_eq!(tokens.extra::<String>("instance_url").as_deref(), Some("https://eu.example"));
    assert_eq!(tokens.kept("realmId").as_deref(), Some("42"));
    assert_eq!(tokens.kept("instance_url"), None);
}

#[test]
fn a_token_in_the_query_is_not_believed() {
    assert_eq!(refused(&format!("{REDIRECT_URI}?{}", good(""))), Error::Forged(Forged::State));
    // What stands in the query beside our fragment is ignored.
    let callback = format!("{REDIRECT_URI}?access_token=evil#{}", good(""));
    let tokens = accept(&callback).expect("the fragment counts");
    assert_eq!(tokens.token(NOW).map(AccessToken::expose), Some("2YotnFZFEjr1zCsicMWpAA"));
}

#[test]
fn a_fragment_that_a_page_hands_over_is_read_with_and_without_its_mark() {
    let client = client();
    for fragment in [good(""), format!("#{}", good(""))] {
        assert!(pending(&client).accept(&client, Callback::query(&fragment), NOW).is_ok());
    }
}

#[test]
fn no_parameter_may_be_repeated() {
    // RFC 6749 §3.1: parameters MUST NOT be included more than once.
    let own = Forged::DuplicateParameter("of the provider's own");
    for more in ["&access_token=evil", "&token_type=mac", "&x=1&x=2", "&scope=a&scope=b"] {
        assert_eq!(refused(&url(&good(more))), Error::Forged(own), "{more}");
    }
    let error = refused(&url(&good(&format!("&state={STATE}"))));
    assert_eq!(error, Error::Forged(Forged::DuplicateParameter("state")));
}

#[test]
fn a_forged_fragment_leaves_the_login_pending() {
    let forged = good("").replace(STATE, "another");
    assert_eq!(refused(&url(&forged)), Error::Forged(Forged::State));
    assert_eq!(refused(&url("access_token=evil&token_type=Bearer")), Error::Forged(Forged::State));
    let elsewhere = format!("https://evil.example/callback#{}", good(""));
    assert_eq!(refused(&elsewhere), Error::Forged(Forged::RedirectUri));
    let client = client();
    let forged = Error::Forged(Forged::State);
    let kept = pending(&client).after(&forged);
    assert!(matches!(kept, State::Authorizing(oauth2_proto::Authorizing::AwaitingFragment(_))));
}

#[test]
fn the_issuer_is_checked_in_the_fragment_too() {
    let client = Client::new("s6BhdRkqt3", server().with_issuer_in_callback("https://as.example"));
    let accept = |more: &str| {
        let callback = url(&good(more));
        pending(&client).accept(&client, Callback::url(&callback), NOW).map(|_| ())
    };
    assert_eq!(accept(""), Err(Error::Forged(Forged::IssuerMissing)));
    assert_eq!(accept("&iss=https%3A%2F%2Fevil.example"), Err(Error::Forged(Forged::Issuer)));
    assert_eq!(accept("&iss=https%3A%2F%2Fas.example"), Ok(()));
}

#[test]
fn a_fragment_without_a_usable_token_is_malformed_and_says_where_it_came_from() {
    let state = format!("state={STATE}");
    for (fragment, expected, message) in [
        (
            format!("{state}&token_type=Bearer"),
            Problem::MemberMissing("access_token"),
            "the authorization endpoint's answer lacks the member access_token",
        ),
        (
            format!("{state}&access_token=a"),
            Problem::MemberMissing("token_type"),
            "the authorization endpoint's answer lacks the member token_type",
        ),
        (
            format!("{state}&token_type=Bearer&access_token="),
            Problem::Member("access_token"),
            "the authorization endpoint's answer has a member access_token of a wrong type or with wrong characters",
        ),
        (
            format!("{state}&token_type=Bearer&access_token=a%0D%0Ab"),
            Problem::Member("access_token"),
            "the authorization endpoint's answer has a member access_token of a wrong type or with wrong characters",
        ),
        (
            good("&expires_in=soon"),
            Problem::Member("expires_in"),
            "the authorization endpoint's answer has a member expires_in of a wrong type or with wrong characters",
        ),
    ] {
        let error = refused(&url(&fragment));
        assert_eq!(*problem(&error), expected, "{fragment}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_lifetime_beyond_all_time_does_not_overflow() {
    let tokens = accept(&url(&good("&expires_in=99999999999999999999"))).expect("a number");
    assert!(tokens.expires_at() > Some(NOW));
}

#[test]
fn a_fragment_may_have_any_number_of_parameters() {
    // Looking for each among all others would take minutes.
    let mut many = good("");
    (0..50_000).for_each(|number| many.extend(["&p", &number.to_string(), "="]));
    assert!(accept(&url(&many)).is_ok());
    (50_000..100_000).for_each(|number| many.extend(["&p", &number.to_string(), "="]));
    assert_eq!(*problem(&refused(&url(&many))), Problem::TooLarge(1024 * 1024));
}

#[test]
fn the_deadline_is_that_of_every_login_in_a_browser() {
    let client = client();
    let request = client.legacy_implicit(REDIRECT_URI).within(Duration::from_secs(60));
    let (_, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    assert_eq!(pending.deadline(), after(60));
    let callback = url(&good(""));
    assert!(pending.accept(&client, Callback::url(&callback), after(60)).is_ok());
    let error = pending.accept(&client, Callback::url(&callback), after(61)).expect_err("late");
    assert_eq!(error, Error::Expired(Expired::Callback));
    let State::Unauthorized(ended) = pending.after(&error) else { panic!("it is over") };
    assert_eq!(*ended.reason(), Reason::Deadline);
}

#[test]
fn another_client_is_refused_before_the_callback_is_read() {
    let pending = pending(&client());
    let error = pending.accept(&other_client(), Callback::query("%"), NOW).expect_err("another");
    assert_eq!(error, Error::Misuse(Misuse::WrongClient));
}

#[test]
fn a_stored_login_accepts_the_same_callback() {
    let client = client();
    let stored = stored(&pending(&client));
    let loaded: AwaitingFragment = serde_json::from_str(&stored).expect("it can be loaded");
    let callback = url(&good(""));
    let tokens = loaded.accept(&client, Callback::url(&callback), NOW).expect("ours");
    assert_eq!(tokens.login(), loaded.login());
}

#[test]
fn when_the_token_expires_a_person_has_to_log_in() {
    let tokens = accept(&url(&good("&expires_in=60"))).expect("a token");
    let mut session = Session::new(std::sync::Arc::new(client()), tokens).expect("no browser");
    assert!(matches!(session.step(after(59)), Step::Use(_)));
    assert!(matches!(session.step(after(60)), Step::Login(Reason::TokenExpired)));
}

/// OpenID Connect Core §3.2.2.1: `nonce` is REQUIRED.
#[test]
fn an_id_token_can_be_asked_for_beside_the_token() {
    let client = client();
    let request = client.legacy_implicit(REDIRECT_URI).scope("openid").with_id_token();
    let (url, pending) = request.begin(&mut rng(), NOW).expect("a login");
    assert_eq!(parameter(&url, "response_type"), "id_token token");
    let state = parameter(&url, "state");
    let callback =
        format!("{REDIRECT_URI}#access_token=a&token_type=bearer&id_token=e30.e30.&state={state}");
    let tokens = pending.accept(&client, Callback::url(&callback), NOW).expect("tokens");
    assert_eq!(tokens.id_token().map(oauth2_proto::Secret::expose), Some("e30.e30."));
    assert_eq!(tokens.nonce(), Some(&*parameter(&url, "nonce")));
}
