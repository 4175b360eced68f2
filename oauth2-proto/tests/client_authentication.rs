//! How a client proves who it is, beyond what RFC 6749 §2.3.1 names: the host's own way, and the
//! two spellings of `Basic` that other servers read. What can't be done now changes nothing.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use oauth2_proto::{
    Ask, Authenticate, Authentication, Authorizing, Body, Client, ClientRequest, Coordinator,
    Effect, Error, Failed, Misuse, Moment, Polled, Polling, Reason, Seed, Session, State, Step,
    Swapped, Timestamp, Version,
};
use support::{
    Counting, NOW, TOKENS, after, answer, authorized, body, code, form, moment, rng, server,
};

const DEVICE: &str = r#"{"device_code":"d","user_code":"u","verification_uri":"https://a.example/","expires_in":1800,"interval":5}"#;

/// What an authenticator was shown.
#[derive(Debug, PartialEq, Eq)]
struct Shown {
    client_id: String,
    endpoint: String,
    form: String,
    now: Timestamp,
}

/// Signs with a key that is out of reach from time to time.
#[derive(Default)]
struct Signer {
    is_out_of_reach: AtomicBool,
    shown: Mutex<Vec<Shown>>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Authenticate for Signer {
    fn authenticate(&self, request: &mut ClientRequest<'_>, now: Timestamp) -> Result<(), Error> {
        self.shown.lock().expect("no panic").push(Shown {
            client_id: request.client_id().into(),
            endpoint: request.endpoint().to_string(),
            form: request.form().into(),
            now,
        });
        // Even what it has done by then is undone.
        request.param("client_assertion", "a&b");
        if self.is_out_of_reach.load(Ordering::Relaxed) {
            return Err(out_of_reach());
        }
        request.header("x-signature", &format!("over {} bytes", request.form().len()))
    }
}

/// An error that a host has got hold of: there is no constructor for it.
fn out_of_reach() -> Error {
    let client = Client::new("id", server());
    let (_, awaiting) = code(&client).redeem(&client, NOW).expect("the same client");
    let down = awaiting.receive(&client, &answer(503, ""), NOW);
    down.expect_err("it is down").error
}

fn signing() -> (Client, Arc<Signer>) {
    let signer = Arc::<Signer>::default();
    let custom = Authentication::Custom(Arc::<Signer>::clone(&signer));
    (Client::new("s6BhdRkqt3", server()).with_authentication(custom), signer)
}

fn set(signer: &Signer, is_out_of_reach: bool) {
    signer.is_out_of_reach.store(is_out_of_reach, Ordering::Relaxed);
}

fn polling(client: &Client) -> Polling {
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    awaiting.receive(client, &answer(200, DEVICE), NOW).expect("codes")
}

fn json(state: &State) -> String {
    serde_json::to_string(state).expect("a state can be stored")
}

fn load<T: serde::de::DeserializeOwned>(stored: &str) -> T {
    serde_json::from_str(stored).expect("it can be loaded")
}

/// A call that could not build its request: the state is the same, byte for byte.
#[track_caller]
fn unbuilt<T>(result: Result<T, Failed>, before: &str) {
    let failed = result.err().expect("the key is out of reach");
    assert_eq!(failed.error, out_of_reach());
    assert_eq!(json(&failed.state), before);
    assert!(failed.is_retryable() && !failed.needs_login());
}

// The host's own way

#[test]
fn an_authenticator_sees_the_request_that_it_signs() {
    let (client, signer) = signing();
    let login = authorized(&client, TOKENS);
    let (request, _) = login.refresh(&client, after(9)).expect("there is a refresh token");
    let form = "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA";
    let shown = signer.shown.lock().expect("no panic").pop();
    assert_eq!(
        shown,
        Some(Shown {
            client_id: "s6BhdRkqt3".into(),
            endpoint: "https://as.example/token".into(),
            form: form.into(),
            now: after(9),
        })
    );
    assert_eq!(body(&request), format!("{form}&client_assertion=a%26b"));
    let signature = request.headers().get("x-signature").expect("it was added");
    assert!(signature.is_sensitive());
    assert_eq!(signature.to_str().expect("ASCII"), format!("over {} bytes", body(&request).len()));
    assert!(request.headers().get("authorization").is_none());
}

#[test]
fn every_request_is_authenticated_anew() {
    let server = server().with_revocation("https://as.example/revoke").expect("https");
    let signer = Arc::<Signer>::default();
    let custom = Authentication::Custom(Arc::<Signer>::clone(&signer));
    let client = Client::new("id", server).with_authentication(custom);
    let endpoints = || -> Vec<String> {
        let mut shown = signer.shown.lock().expect("no panic");
        shown.drain(..).map(|shown| shown.endpoint).collect()
    };
    drop(polling(&client).poll(&client, after(5)).expect("it is due"));
    assert_eq!(endpoints(), ["https://as.example/device", "https://as.example/token"]);
    drop(client.legacy_password("a", "b").begin(&mut rng(), NOW).expect("a login"));
    drop(client.client_credentials().begin(&mut rng(), NOW).expect("a login"));
    assert_eq!(endpoints(), ["https://as.example/token"; 2]);
    let login = authorized(&client, TOKENS);
    assert_eq!(endpoints(), ["https://as.example/token"]);
    let (_, requests) = State::from(login).sign_out(&client, NOW).expect("its client");
    assert_eq!(endpoints(), ["https://as.example/revoke"; 2]);
    assert!(requests.iter().all(|request| request.headers().contains_key("x-signature")));
}

#[test]
fn the_client_id_is_up_to_the_authenticator() {
    let (client, _) = signing();
    let (request, _) = code(&client).redeem(&client, NOW).expect("the same client");
    assert!(form(&request).iter().all(|(name, _)| name != "client_id"));
}

/// Adds what it is told to.
#[derive(Debug)]
struct Adds(&'static str, &'static str);

impl Authenticate for Adds {
    fn authenticate(&self, request: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
        request.header(self.0, self.1)
    }
}

#[derive(Debug)]
struct AddsMany;

impl Authenticate for AddsMany {
    fn authenticate(&self, request: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
        (0..40_000).try_for_each(|number| request.header(&format!("x-{number}"), "v"))
    }
}

fn with(custom: impl Authenticate + 'static) -> Result<Request<Body>, Error> {
    let custom = Authentication::Custom(Arc::new(custom));
    let client = Client::new("id", server()).with_authentication(custom);
    client.jwt_bearer("a").begin(&mut rng(), NOW).map(|(request, _)| request)
}

#[test]
fn a_header_field_replaces_the_one_that_stood_there() {
    let request = with(Adds("Accept", "application/jwt")).expect("a header field");
    assert_eq!(request.headers().get_all("accept").iter().count(), 1);
    assert_eq!(request.headers().get("accept").expect("it is there"), "application/jwt");
}

#[test]
fn what_no_header_field_can_have_is_refused() {
    for (name, value) in [("x y", "v"), ("", "v"), ("x", "a\r\nevil: b"), ("x", "\0")] {
        let error = with(Adds(name, value)).expect_err("no header field");
        assert_eq!(error, Error::Misuse(Misuse::Parameter(name.into())));
    }
    assert_eq!(with(AddsMany).expect_err("too many"), Error::Misuse(Misuse::TooManyHeaders));
}

// Law 4: a refused call changes nothing

#[test]
fn a_key_out_of_reach_begins_no_login() {
    let (client, signer) = signing();
    set(&signer, true);
    let begun = [
        client.device_authorization().begin(&mut rng(), NOW).map(drop),
        client.legacy_password("a", "b").begin(&mut rng(), NOW).map(drop),
        client.token_exchange("a", "b").begin(&mut rng(), NOW).map(drop),
        client.client_credentials().begin(&mut rng(), NOW).map(drop),
    ];
    assert!(begun.into_iter().all(|begun| begun == Err(out_of_reach())));
}

#[test]
fn a_key_out_of_reach_leaves_each_state_as_it_was() {
    let (client, signer) = signing();
    let held = json(&authorized(&client, TOKENS).into());
    let refreshing = authorized(&client, TOKENS).refresh(&client, NOW).expect("renewable").1;
    let refreshing = json(&refreshing.into());
    let service = client.client_credentials().ready(&mut rng()).expect("a login");
    let awaiting = service.renew(&client, NOW).expect("renewable").1;
    let awaiting = json(&awaiting.into());
    let service = client.client_credentials().ready(&mut rng()).expect("a login");
    let service = json(&service.into());
    let device = json(&polling(&client).into());
    let polled = json(&polling(&client).poll(&client, after(5)).expect("due").1.into());
    set(&signer, true);
    for _ in 0..3 {
        unbuilt(load::<oauth2_proto::Authorized>(&held).refresh(&client, NOW), &held);
        unbuilt(
            load::<oauth2_proto::Authorized>(&held).refresh_for("https://a.example/", &client, NOW),
            &held,
        );
        let again = load::<oauth2_proto::Refreshing>(&refreshing).retry(&client, after(30));
        unbuilt(again, &refreshing);
        unbuilt(load::<oauth2_proto::Unauthorized>(&service).renew(&client, NOW), &service);
        unbuilt(load::<Polling>(&device).poll(&client, after(5)), &device);
        unbuilt(load::<Polling>(&polled).poll(&client, after(35)), &polled);
        let State::Authorizing(Authorizing::AwaitingToken(again)) = load(&awaiting) else {
            panic!("it can be repeated")
        };
        unbuilt(again.retry(&client, after(30)), &awaiting);
    }
    set(&signer, false);
    assert!(load::<oauth2_proto::Authorized>(&held).refresh(&client, NOW).is_ok());
    assert!(load::<Polling>(&device).poll(&client, after(5)).is_ok());
}

#[test]
fn a_code_outlives_a_key_that_was_out_of_reach() {
    let (client, signer) = signing();
    let code = code(&client);
    set(&signer, true);
    let failed = code.redeem(&client, NOW).expect_err("the key is out of reach");
    assert_eq!(failed.error, out_of_reach());
    let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *failed.state else {
        panic!("it still has the code")
    };
    let failed = awaiting.retry(&client, NOW).expect_err("still out of reach");
    let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *failed.state else {
        panic!("it still has the code")
    };
    set(&signer, false);
    let (request, awaiting) = awaiting.retry(&client, NOW).expect("nothing has been sent");
    assert!(form(&request).contains(&("code".into(), support::CODE.into())));
    assert!(awaiting.receive(&client, &answer(200, TOKENS), NOW).is_ok());
}

#[test]
fn signing_out_ends_the_login_even_where_nothing_can_be_revoked() {
    let server = server().with_revocation("https://as.example/revoke").expect("https");
    let signer = Arc::<Signer>::default();
    let custom = Authentication::Custom(Arc::<Signer>::clone(&signer));
    let client = Client::new("id", server).with_authentication(custom);
    let login = authorized(&client, TOKENS);
    set(&signer, true);
    let (ended, requests) = State::from(login).sign_out(&client, NOW).expect("its client");
    assert_eq!((ended.reason(), requests.len()), (&Reason::SignedOut, 0));
}

// The drivers: nobody is told to log in because a key is out of reach

fn waits(session: &mut Session, now: Timestamp) -> u64 {
    match session.step(now) {
        Step::Wait(until) => {
            assert!(until > now, "a wake-up in the past");
            until.since(now).as_secs()
        }
        other @ (Step::Use(_) | Step::Send(..) | Step::Login(_)) => panic!("{other:?}, not Wait"),
    }
}

#[test]
fn a_session_backs_off_while_the_key_is_out_of_reach_and_says_why() {
    let (client, signer) = signing();
    let client = Arc::new(client);
    let service = client.client_credentials().ready(&mut rng()).expect("a login");
    let states: [(State, u64, [u64; 3]); 4] = [
        (service.into(), 0, [1, 2, 4]),
        (authorized(&client, TOKENS).into(), 4000, [1, 2, 4]),
        (polling(&client).into(), 5, [10, 20, 40]),
        (polling(&client).poll(&client, after(5)).expect("due").1.into(), 40, [10, 20, 40]),
    ];
    set(&signer, true);
    for (state, seconds, pauses) in states {
        let mut session = Session::new(Arc::clone(&client), state).expect("no browser");
        let mut now = after(seconds);
        for pause in pauses {
            assert_eq!(waits(&mut session, now), pause);
            assert_eq!(session.obstacle(), Some(&out_of_reach()));
            now = now.after(Duration::from_secs(pause - 1));
            assert_eq!(waits(&mut session, now), 1);
            assert_eq!(session.obstacle(), None, "nothing was tried");
            now = now.after(Duration::from_secs(1));
        }
        set(&signer, false);
        assert!(matches!(session.step(now), Step::Send(..)));
        set(&signer, true);
    }
}

#[test]
fn a_session_uses_the_old_token_while_the_key_is_out_of_reach() {
    let (client, signer) = signing();
    let login = authorized(&client, TOKENS);
    let mut session = Session::new(Arc::new(client), login).expect("no browser");
    set(&signer, true);
    assert!(matches!(session.step(after(3590)), Step::Use(_)));
    assert_eq!(session.obstacle(), Some(&out_of_reach()));
    set(&signer, false);
    assert!(matches!(session.step(after(3591)), Step::Send(..)));
}

#[test]
fn a_forced_refresh_outlives_a_key_that_was_out_of_reach() {
    let (client, signer) = signing();
    let login = authorized(&client, TOKENS);
    let mut session = Session::new(Arc::new(client), login).expect("no browser");
    set(&signer, true);
    session.refresh_now().expect("there is a refresh token");
    assert!(matches!(session.step(NOW), Step::Use(_)));
    set(&signer, false);
    assert!(matches!(session.step(after(1)), Step::Send(..)));
}

#[test]
fn a_request_of_which_nobody_heard_stays_in_doubt_while_the_key_is_out_of_reach() {
    let (client, signer) = signing();
    let refreshing = authorized(&client, TOKENS).refresh(&client, NOW).expect("renewable").1;
    let mut session = Session::new(Arc::new(client), refreshing).expect("no browser");
    set(&signer, true);
    assert!(matches!(session.step(after(3600)), Step::Wait(_)));
    set(&signer, false);
    let Step::Send(ticket, _) = session.step(after(3601)) else { panic!("it is due") };
    drop(session.receive(ticket, &answer(400, r#"{"error":"invalid_grant"}"#), after(3601)));
    assert!(matches!(session.step(after(3601)), Step::Login(Reason::AnswerLost)));
}

/// What a caller of a coordinator over a store that works comes to.
fn asked(coordinator: &mut Coordinator, ask: &Ask, now: Moment) -> Result<(), Error> {
    for number in 0..20 {
        match coordinator.poll(ask, now) {
            Effect::Load => coordinator.loaded(Ok(None), now),
            Effect::Swap(..) => {
                coordinator.swapped(Ok(Swapped::Stored(Version::new(number))), now);
            }
            Effect::Send(..) => return Ok(()),
            Effect::Give(given) => return given.map(drop),
            other @ (Effect::Wait(_) | Effect::Busy(_) | _) => panic!("{other:?}"),
        }
    }
    panic!("it goes in circles")
}

#[test]
fn a_caller_of_a_coordinator_hears_that_the_key_is_out_of_reach() {
    let (client, signer) = signing();
    let login = authorized(&client, TOKENS);
    let seed = &mut Seed::new(&mut Counting(1)).expect("randomness");
    let mut coordinator = Coordinator::new(Arc::new(client), seed);
    coordinator.log_in(login).expect("no browser");
    set(&signer, true);
    // It has no patience: the next attempt is a second away.
    let ask = coordinator.token(Duration::ZERO, moment(4000));
    assert_eq!(asked(&mut coordinator, &ask, moment(4000)), Err(out_of_reach()));
    let stored = json(coordinator.state().expect("a login"));
    assert!(stored.contains("\"failures\":1"), "the back-off is stored: {stored}");
    set(&signer, false);
    let ask = coordinator.token(Duration::ZERO, moment(4001));
    assert_eq!(asked(&mut coordinator, &ask, moment(4001)), Ok(()));
}

#[test]
fn a_header_field_that_cannot_be_is_a_callers_error_in_a_coordinator_too() {
    let custom = Authentication::Custom(Arc::new(Adds("x y", "v")));
    let client = Client::new("id", server()).with_authentication(custom);
    let login = client.client_credentials().ready(&mut rng()).expect("a login");
    let seed = &mut Seed::new(&mut Counting(1)).expect("randomness");
    let mut coordinator = Coordinator::new(Arc::new(client), seed);
    coordinator.log_in(login).expect("no browser");
    let ask = coordinator.token(Duration::from_secs(30), moment(0));
    let misuse = Error::Misuse(Misuse::Parameter("x y".into()));
    assert_eq!(asked(&mut coordinator, &ask, moment(0)), Err(misuse));
}

// Basic, as others read it

fn basic(authentication: Authentication, id: &str) -> Vec<u8> {
    let client = Client::new(id, server()).with_authentication(authentication);
    let (request, _) = client.jwt_bearer("a").begin(&mut rng(), NOW).expect("a login");
    assert!(form(&request).iter().all(|(name, _)| name != "client_id" && name != "client_secret"));
    let header = request.headers().get("authorization").expect("Basic");
    assert!(header.is_sensitive());
    let encoded = header.to_str().expect("ASCII").strip_prefix("Basic ").expect("Basic");
    STANDARD.decode(encoded).expect("base64")
}

#[test]
fn raw_basic_does_not_encode_what_it_joins() {
    let raw = |secret: &str| Authentication::DangerousRawBasic(secret.into());
    assert_eq!(basic(raw("s&c=r%t +"), "my app"), b"my app:s&c=r%t +");
    assert_eq!(basic(raw("gehüim:€"), "ä"), "ä:gehüim:€".as_bytes());
    let encoded = Authentication::Basic("s&c=r%t +".into());
    assert_eq!(basic(encoded, "my app"), b"my+app:s%26c%3Dr%25t+%2B");
}

#[test]
fn raw_latin_1_basic_is_iso_8859_1_and_marks_what_that_lacks() {
    let raw = |secret: &str| Authentication::DangerousRawLatin1Basic(secret.into());
    assert_eq!(basic(raw("geh\u{fc}im"), "\u{e4}"), b"\xe4:geh\xfcim");
    assert_eq!(basic(raw("a€b\u{1f511}"), "id"), b"id:a?b?");
    assert_eq!(basic(raw("\u{ff}\u{80}\u{100}"), "id"), b"id:\xff\x80?");
}

#[test]
fn a_device_login_goes_on_when_the_key_is_back() {
    let (client, signer) = signing();
    set(&signer, false);
    let stored = json(&polling(&client).into());
    set(&signer, true);
    let failed = load::<Polling>(&stored).poll(&client, after(5)).expect_err("out of reach");
    set(&signer, false);
    let State::Authorizing(Authorizing::Polling(polling)) = *failed.state else {
        panic!("nothing has changed")
    };
    let (_, polling) = polling.poll(&client, after(5)).expect("it is due");
    let polled = polling.receive(&client, &answer(200, TOKENS), after(5));
    assert!(matches!(polled, Ok(Polled::Authorized(_))));
}
