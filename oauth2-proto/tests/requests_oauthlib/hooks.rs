//! The compliance hooks, and what was built with them.

use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
#[cfg(feature = "providers")]
use oauth2_proto::dialect::TokenPresentation;
#[cfg(feature = "providers")]
use oauth2_proto::providers::{self, Provider};
use oauth2_proto::{Body, Client, Hook, RequestKind};
#[cfg(feature = "providers")]
use oauth2_proto::{Error, Reason, State};
use serde_json::json;

use crate::support::{NOW, TOKENS, answer, authorized, body, client, receive, redeem, refreshing};
#[cfg(feature = "providers")]
use crate::support::{after, rng};

/// Writes down what it was called for, and leaves a mark on requests of one kind.
#[derive(Debug)]
struct Witness {
    name: &'static str,
    seen: Arc<Mutex<Vec<Call>>>,
}

/// Which hook was called, and for what.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Call(&'static str, Message, RequestKind);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Message {
    Request,
    Answer,
}

impl Hook for Witness {
    fn request(&self, kind: RequestKind, request: &mut Request<Body>) {
        self.seen.lock().unwrap().push(Call(self.name, Message::Request, kind));
        request.headers_mut().insert("x-hook", HeaderValue::from_static(self.name));
        let form = format!("{}&by={}", body(request), self.name);
        *request.body_mut() = Body::from(form);
    }

    fn answer(&self, kind: RequestKind, answer: &mut Response<Body>) {
        self.seen.lock().unwrap().push(Call(self.name, Message::Answer, kind));
        // `token_type` is missing from what this server says.
        let text = core::str::from_utf8(answer.body().as_ref()).unwrap();
        let text = text.replace("{\"t\":", "{\"token_type\":\"Bearer\",\"access_token\":");
        *answer.body_mut() = Body::from(text);
    }
}

fn hooked(names: &[&'static str]) -> (Client, Arc<Mutex<Vec<Call>>>) {
    let seen = Arc::<Mutex<Vec<Call>>>::default();
    let hook = |&name| Arc::new(Witness { name, seen: Arc::clone(&seen) });
    let client = names.iter().map(hook).fold(client(), |client, hook| client.with_hook(hook));
    (client, seen)
}

// H1, H2
#[test]
fn a_hook_changes_the_code_exchange_and_its_answer() {
    let (client, seen) = hooked(&["one"]);
    let (request, awaiting) = redeem(&client);
    assert_eq!(request.headers()["x-hook"], "one");
    assert!(body(&request).ends_with("&client_id=s6BhdRkqt3&by=one"));
    let login = awaiting.receive(&client, &answer(200, r#"{"t":"a"}"#), NOW).unwrap();
    assert_eq!(login.token(NOW).unwrap().expose(), "a");
    assert_eq!(
        *seen.lock().unwrap(),
        [
            Call("one", Message::Request, RequestKind::Token),
            Call("one", Message::Answer, RequestKind::Token)
        ]
    );
}

// H3, H4
#[test]
fn a_hook_changes_a_refresh_and_its_answer() {
    let (client, seen) = hooked(&["one"]);
    let (request, refreshing) = authorized(&client, TOKENS).refresh(&client, NOW).unwrap();
    assert_eq!(request.headers()["x-hook"], "one");
    assert!(body(&request).starts_with("grant_type=refresh_token&"));
    assert!(body(&request).ends_with("&by=one"));
    let login = refreshing.receive(&client, &answer(200, r#"{"t":"b"}"#), NOW).unwrap();
    assert_eq!(login.token(NOW).unwrap().expose(), "b");
    assert_eq!(
        seen.lock().unwrap()[2..],
        [
            Call("one", Message::Request, RequestKind::Refresh),
            Call("one", Message::Answer, RequestKind::Refresh)
        ]
    );
}

// H5
#[test]
fn a_protected_call_is_the_programs_own_before_and_after_the_token() {
    let login = authorized(&client(), TOKENS);
    let mut call = Request::get("https://api.example/me").body(()).unwrap();
    call.headers_mut().insert("client-id", HeaderValue::from_static("s6BhdRkqt3"));
    login.attach(&client(), &mut call, NOW).unwrap();
    // Trovo, say, wants another word in front of it.
    let token = login.token(NOW).unwrap().expose();
    let mut own: HeaderValue = format!("OAuth {token}").parse().unwrap();
    own.set_sensitive(true);
    call.headers_mut().insert(AUTHORIZATION, own);
    assert_eq!(call.headers()[AUTHORIZATION], "OAuth 2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(call.headers()["client-id"], "s6BhdRkqt3");
}

// H6
#[test]
fn a_hook_that_does_nothing_changes_nothing_and_none_has_a_wrong_name() {
    #[derive(Debug)]
    struct Idle;
    impl Hook for Idle {}

    let idle = client().with_hook(Arc::new(Idle));
    assert_eq!(body(&redeem(&idle).0), body(&redeem(&client()).0));
    assert_eq!(body(&refreshing(&idle).0), body(&refreshing(&client()).0));
    assert!(receive(&idle, &answer(200, TOKENS)).is_ok());
}

// H7
#[test]
fn hooks_run_in_the_order_in_which_they_were_added() {
    for names in [["one", "two", "three"], ["three", "one", "two"]] {
        let (client, seen) = hooked(&names);
        let (request, awaiting) = redeem(&client);
        let [first, second, third] = names;
        assert!(body(&request).ends_with(&format!("&by={first}&by={second}&by={third}")));
        let _ = awaiting.receive(&client, &answer(200, TOKENS), NOW).unwrap();
        let order: Vec<_> = seen.lock().unwrap().iter().map(|Call(name, ..)| *name).collect();
        assert_eq!(order, [names, names].concat());
    }
}

/// A client of this provider.
#[cfg(feature = "providers")]
fn of(provider: Provider) -> Client {
    provider.client("s6BhdRkqt3").with_secret("gX1fBat3bV")
}

/// The token of a login at this server, on a request.
#[track_caller]
fn attached(client: &Client, tokens: &str, uri: &str) -> Request<()> {
    let mut call = Request::get(uri).body(()).expect("a request");
    authorized(client, tokens).attach(client, &mut call, NOW).expect("a bearer token");
    call
}

// H8
#[cfg(feature = "providers")]
#[test]
fn facebook_sends_a_form_with_another_name_for_the_lifetime() {
    let facebook = of(providers::facebook());
    let mut old = answer(200, "access_token=urlencoded&expires=5108");
    old.headers_mut().insert("content-type", HeaderValue::from_static("text/plain"));
    let login = receive(&facebook, &old).unwrap();
    assert_eq!(login.token(NOW).unwrap().expose(), "urlencoded");
    assert_eq!(login.expires_at(), Some(after(5108)));
    assert!(receive(&facebook, &answer(200, TOKENS)).is_ok(), "JSON is read as ever");
}

// H9
#[cfg(feature = "providers")]
#[test]
fn fitbit_has_a_list_of_errors() {
    let fitbit = of(providers::fitbit());
    let refusal = answer(401, r#"{"errors":[{"errorType":"invalid_grant"}]}"#);
    let failed = receive(&fitbit, &refusal).unwrap_err();
    let Error::Denied(denied) = &failed.error else { panic!("{failed:?}") };
    assert_eq!(denied.error(), "invalid_grant");
    // In a refresh it ends the login, as it should.
    let (_, refreshing) = refreshing(&fitbit);
    let failed = refreshing.receive(&fitbit, &refusal, NOW).unwrap_err();
    let State::Unauthorized(ended) = *failed.state else { panic!("it is over") };
    assert_eq!(*ended.reason(), Reason::Denied("invalid_grant".into()));
}

// H10
#[test]
fn slack_of_old_wants_its_token_in_the_query() {
    // The preset is the Slack of today, which reads the header.
    let slack = json!({
        "default_token_type": "Bearer",
        "token_presentation": { "dangerous_query": "token" },
    });
    let slack = client().with_dialect(serde_json::from_value(slack).unwrap());
    let tokens = r#"{"access_token":"xoxt-23984754863-2348975623103","scope":"read"}"#;
    let call = attached(&slack, tokens, "https://slack.com/api/users.list?limit=1");
    assert_eq!(
        call.uri(),
        "https://slack.com/api/users.list?limit=1&token=xoxt-23984754863-2348975623103"
    );
    assert!(call.headers().is_empty());
}

// H11
#[cfg(feature = "providers")]
#[test]
fn instagram_wants_its_token_in_the_query() {
    let mut instagram = providers::instagram();
    // Today it exchanges the first token for one that lives longer; there, it does not.
    instagram.dialect.second_request = None;
    let call =
        attached(&of(instagram), r#"{"access_token":"a b"}"#, "https://api.instagram.com/me");
    assert_eq!(call.uri(), "https://api.instagram.com/me?access_token=a+b");
}

// H12
#[cfg(feature = "providers")]
#[test]
fn mailchimp_says_zero_and_means_never() {
    let body = r#"{"access_token":"mailchimp","expires_in":0,"scope":null}"#;
    let login = receive(&of(providers::mailchimp()), &answer(200, body)).unwrap();
    // There it becomes an hour, and a call after that fails, for a token that is still good.
    assert_eq!(login.expires_at(), None);
    assert_eq!(login.missing_scope().as_str(), "");
}

// H13
#[cfg(feature = "providers")]
#[test]
fn weibo_leaves_the_type_out_and_wants_its_token_in_the_query() {
    let weibo = of(providers::weibo());
    let call = attached(&weibo, r#"{"access_token":"weibo"}"#, "https://api.weibo.com/2/x?y=1");
    assert_eq!(call.uri(), "https://api.weibo.com/2/x?y=1&access_token=weibo");
}

// H14
#[cfg(feature = "providers")]
#[test]
fn plentymarkets_writes_in_camel_case() {
    let plentymarkets = of(providers::plentymarkets("shop.example").unwrap());
    let login = plentymarkets.legacy_password("user", "secret");
    let (_, awaiting) = login.begin(&mut rng(), NOW).unwrap();
    let tokens = r#"{"accessToken":"ecUN1r8KhJewMCdLAmpHOdZ4O0ofXKB9zf6CXK61","tokenType":"Bearer",
        "expiresIn":86400,"refreshToken":"iG2kBGIjcXaRE4xmTVUnv7xwxX7XMcWCHqJmFaSX"}"#;
    let login = awaiting.receive(&plentymarkets, &answer(200, tokens), NOW).unwrap();
    assert_eq!(login.expires_at(), Some(after(86400)));
    let (request, _) = login.refresh(&plentymarkets, NOW).unwrap();
    let sent = "refresh_token=iG2kBGIjcXaRE4xmTVUnv7xwxX7XMcWCHqJmFaSX";
    assert!(body(&request).split('&').any(|own| own == sent));
}

// H15
#[cfg(feature = "providers")]
#[test]
fn ebay_calls_a_bearer_token_by_other_names() {
    let ebay = of(providers::ebay("An_App-AnApp-anapp-xyz"));
    for name in ["Application Access Token", "User Access Token"] {
        let body = format!(r#"{{"access_token":"a","expires_in":7200,"token_type":"{name}"}}"#);
        assert_eq!(
            attached(&ebay, &body, "https://api.ebay.com/x").headers()[AUTHORIZATION],
            "Bearer a"
        );
        let (_, refreshing) = refreshing(&ebay);
        let renewed = refreshing.receive(&ebay, &answer(200, body), NOW).unwrap();
        assert_eq!(renewed.token(NOW).unwrap().token_type(), "Bearer");
    }
}

// H16
#[cfg(feature = "providers")]
#[test]
fn douban_leaves_the_type_out_and_its_token_really_goes_into_the_query() {
    let mut douban = providers::douban();
    // The preset uses the header, as Douban documents it; there, the query is meant.
    douban.dialect.token_presentation = TokenPresentation::DangerousQuery("access_token".into());
    let url = "https://api.douban.com/v2/user/~me";
    let call = attached(&of(douban), r#"{"access_token":"a"}"#, url);
    assert_eq!(call.uri(), "https://api.douban.com/v2/user/~me?access_token=a");
}

// H17
#[cfg(feature = "providers")]
#[test]
fn linkedin_needs_nothing_but_a_token_type() {
    let tokens = r#"{"access_token":"a","expires_in":5184000}"#;
    let linkedin = of(providers::linkedin());
    let call = attached(&linkedin, tokens, "https://api.linkedin.com/v2/userinfo");
    assert_eq!(call.headers()[AUTHORIZATION], "Bearer a");
}
