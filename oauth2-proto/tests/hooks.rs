//! Hooks: the last resort for a server that deviates. What they see, in which order, and that
//! without one nothing is touched.
#![expect(clippy::expect_used, reason = "helpers of tests fail loudly")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::fmt;
use std::sync::{Arc, Mutex};

use http::{HeaderValue, Request, Response, StatusCode};
use oauth2_proto::{
    AccessToken, Body, Callback, Client, Error, Hook, Polled, Problem, RequestKind, Session, State,
    Step,
};
use support::{
    NOW, REDIRECT_URI, TOKENS, after, answer, authorized, body, client, parameter, rng, server,
};

const SECRET: &str = "sEcReTcAnArY";
const DEVICE: &str = r#"{"device_code":"sEcReTcAnArY","user_code":"u","verification_uri":"https://a.example/","expires_in":1800}"#;

type Heard = Arc<Mutex<Vec<(&'static str, &'static str, RequestKind)>>>;

/// Notes what it is asked, and puts its name into the form and into the answer.
struct Notes(&'static str, Heard);

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Hook for Notes {
    fn request(&self, kind: RequestKind, request: &mut Request<Body>) {
        self.1.lock().expect("no panic").push((self.0, "request", kind));
        let form = core::str::from_utf8(request.body().as_ref()).expect("ASCII").to_owned();
        *request.body_mut() = Body::from(format!("{form}&hook={}", self.0));
    }

    fn answer(&self, kind: RequestKind, answer: &mut Response<Body>) {
        self.1.lock().expect("no panic").push((self.0, "answer", kind));
        answer.headers_mut().append("x-hook", HeaderValue::from_static(self.0));
    }
}

fn noted() -> (Client, Heard) {
    let heard = Heard::default();
    let hook = |name| Arc::new(Notes(name, Arc::clone(&heard)));
    let server = server().with_revocation("https://as.example/revoke").expect("https");
    (Client::new("id", server).with_hook(hook("first")).with_hook(hook("second")), heard)
}

fn kinds(heard: &Heard) -> Vec<(&'static str, RequestKind)> {
    let mut heard = heard.lock().expect("no panic");
    heard
        .drain(..)
        .filter(|(name, ..)| *name == "first")
        .map(|(_, what, kind)| (what, kind))
        .collect()
}

#[test]
fn hooks_run_in_the_order_in_which_they_were_added() {
    let (client, heard) = noted();
    let (request, awaiting) =
        client.jwt_bearer("a").begin(&mut rng(), NOW).expect("a usable login");
    assert!(body(&request).ends_with("&hook=first&hook=second"), "{}", body(&request));
    awaiting.receive(&client, &answer(200, TOKENS), NOW).expect("tokens");
    let token = RequestKind::Token;
    assert_eq!(
        *heard.lock().expect("no panic"),
        [
            ("first", "request", token),
            ("second", "request", token),
            ("first", "answer", token),
            ("second", "answer", token),
        ]
    );
}

#[test]
fn a_hook_hears_of_every_request_and_answer_by_its_kind() {
    let (client, heard) = noted();
    let both = |kind| [("request", kind), ("answer", kind)];
    let login = authorized(&client, TOKENS);
    assert_eq!(kinds(&heard), both(RequestKind::Token));
    let (_, refreshing) = login.refresh(&client, NOW).expect("there is a refresh token");
    let login = refreshing.receive(&client, &answer(200, TOKENS), NOW).expect("tokens");
    assert_eq!(kinds(&heard), both(RequestKind::Refresh));
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let polling = awaiting.receive(&client, &answer(200, DEVICE), NOW).expect("codes");
    assert_eq!(kinds(&heard), both(RequestKind::DeviceAuthorization));
    let (_, polling) = polling.poll(&client, after(5)).expect("it is due");
    drop(polling.receive(&client, &answer(200, TOKENS), after(5)).expect("tokens"));
    assert_eq!(kinds(&heard), both(RequestKind::DevicePoll));
    drop(State::from(login).sign_out(&client, NOW).expect("its client"));
    assert_eq!(kinds(&heard), [("request", RequestKind::Revocation); 2]);
    let (url, pending) = client.legacy_implicit(REDIRECT_URI).begin(&mut rng(), NOW).expect("ok");
    let state = parameter(&url, "state");
    let callback = format!("access_token=a&token_type=Bearer&state={state}");
    pending.accept(&client, Callback::query(&callback), NOW).expect("a token");
    assert_eq!(kinds(&heard), [("answer", RequestKind::Authorization)]);
}

#[test]
fn a_hook_hears_of_a_late_answer_by_the_kind_of_its_request() {
    let (client, heard) = noted();
    let client = Arc::new(client);
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let polling = awaiting.receive(&client, &answer(200, DEVICE), NOW).expect("codes");
    let mut session = Session::new(Arc::clone(&client), polling).expect("no browser here");
    let Step::Send(late, _) = session.step(after(5)) else { panic!("it is due") };
    let Step::Send(ticket, _) = session.step(after(35)) else { panic!("its lease is over") };
    kinds(&heard);
    drop(session.receive(late, &answer(200, TOKENS), after(36)).expect("a late success"));
    assert_eq!(kinds(&heard), [("answer", RequestKind::DevicePoll)]);
    // Whatever has become of the login meanwhile.
    drop(session.sign_out(after(36)));
    kinds(&heard);
    drop(session.receive(ticket, &answer(200, TOKENS), after(37)).expect("nothing to do"));
    assert_eq!(kinds(&heard).first(), Some(&("answer", RequestKind::DevicePoll)));
}

/// Makes of every answer what it is told to.
#[derive(Debug)]
struct Says(u16, &'static str);

impl Hook for Says {
    fn answer(&self, _: RequestKind, answer: &mut Response<Body>) {
        *answer.status_mut() = StatusCode::from_u16(self.0).expect("a status");
        *answer.body_mut() = self.1.to_owned().into();
    }
}

#[test]
fn what_a_hook_makes_of_an_answer_is_read_strictly() {
    let redeem = |hook: Says| {
        let client = client().with_hook(Arc::new(hook));
        support::receive(&client, &answer(200, "access_token=a"))
    };
    let tokens = redeem(Says(200, TOKENS)).expect("an answer of the RFC");
    assert_eq!(tokens.token(NOW).map(AccessToken::expose), Some("2YotnFZFEjr1zCsicMWpAA"));
    let malformed = |hook| {
        let error = redeem(hook).expect_err("unreadable").error;
        let Error::Malformed(malformed) = error else { panic!("{error:?}, not malformed") };
        malformed.problem().clone()
    };
    assert_eq!(malformed(Says(302, "")), Problem::Redirected(StatusCode::FOUND));
    assert_eq!(malformed(Says(200, "<html>")), Problem::Json);
    let down = redeem(Says(503, "")).expect_err("down").error;
    assert!(matches!(down, Error::Unavailable(_)));
}

#[test]
fn a_hook_does_not_see_an_answer_that_is_too_long_and_cannot_make_one() {
    let (client, heard) = noted();
    let client = client.with_body_limit(TOKENS.len());
    let failed = support::receive(&client, &answer(200, format!("{TOKENS} ")));
    let too_large = Problem::TooLarge(TOKENS.len());
    let is_too_large = |error: &Error| matches!(error, Error::Malformed(malformed) if *malformed.problem() == too_large);
    assert!(is_too_large(&failed.expect_err("too long").error));
    assert_eq!(kinds(&heard), [("request", RequestKind::Token)]);
    const LONG: &str = "                                                                                                                                                                                                        ";
    let client = client.with_hook(Arc::new(Says(200, LONG)));
    let failed = support::receive(&client, &answer(200, TOKENS)).expect_err("too long");
    assert!(is_too_large(&failed.error));
}

#[test]
fn a_poll_that_a_hook_reads_as_pending_goes_on() {
    let client = client();
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let polling = awaiting.receive(&client, &answer(200, DEVICE), NOW).expect("codes");
    let pending = Says(200, r#"{"error":"authorization_pending"}"#);
    let client = client.with_hook(Arc::new(pending));
    let (_, polling) = polling.poll(&client, after(5)).expect("it is due");
    let polled = polling.receive(&client, &answer(403, "not yet"), after(5));
    assert!(matches!(polled, Ok(Polled::Pending(_))));
}

#[test]
fn without_a_hook_requests_are_the_same_byte_for_byte() {
    #[derive(Debug)]
    struct Idle;
    impl Hook for Idle {}

    let (plain, hooked) = (client(), client().with_hook(Arc::new(Idle)));
    let requests = |client: &Client| {
        let login = authorized(client, TOKENS);
        let (refresh, _) = login.refresh(client, NOW).expect("there is a refresh token");
        let (device, _) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
        let (code, _) = support::redeem(client);
        [refresh, device, code]
            .map(|it| (it.uri().clone(), it.headers().clone(), body(&it).to_owned()))
    };
    assert_eq!(requests(&plain), requests(&hooked));
    let stored = |client: &Client| serde_json::to_string(&authorized(client, TOKENS)).expect("ok");
    assert_eq!(stored(&plain), stored(&hooked));
}

#[test]
fn a_client_with_hooks_shows_no_secret() {
    let (client, _) = noted();
    let client = client.with_secret(SECRET);
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let polling = awaiting.receive(&client, &answer(200, DEVICE), NOW).expect("codes");
    assert!(!format!("{client:?} {polling:?}").contains(SECRET));
}
