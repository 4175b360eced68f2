//! The compliance hooks, and what was built with them.

use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request, Response};
use oauth2_proto::{Body, Client, Hook, RequestKind};

use crate::support::{NOW, TOKENS, answer, authorized, body, client, receive, redeem, refreshing};

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

    fn answer(&self, kind: RequestKind, answer: &mut Response<zeroize::Zeroizing<Vec<u8>>>) {
        self.seen.lock().unwrap().push(Call(self.name, Message::Answer, kind));
        // `token_type` is missing from what this server says.
        let text = core::str::from_utf8(answer.body()).unwrap();
        let text = text.replace("{\"t\":", "{\"token_type\":\"Bearer\",\"access_token\":");
        *answer.body_mut() = zeroize::Zeroizing::new(text.into_bytes());
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
