//! What a hostile reading has found, once each: stores whose outcomes are unknown, stored states
//! that were edited, servers that echo and exaggerate.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail loudly, and show whatever they did not expect"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;
use std::sync::Arc;

use http::header::RETRY_AFTER;
use http::{HeaderName, HeaderValue, Request};
use oauth2_proto::{
    Ask, Authorized, Callback, Client, Coordinator, Effect, Error, Given, Misuse, Moment, Outage,
    Reason, Seed, State, Swapped, Unknown, Version,
};
use support::{
    Counting, NOW, TOKENS, answer, authorized, client, form, moment, other_client, parameter,
    refreshing, rng, server, service,
};

const REFRESH_TOKEN: &str = "tGzv3JOkF0XG5Qx2TlKWIA";

fn revoking_client() -> Arc<Client> {
    let server = server().with_revocation("https://as.example/revoke").unwrap();
    Arc::new(Client::new("s6BhdRkqt3", server))
}

fn tokens(name: &str) -> String {
    format!(
        r#"{{"access_token":"access-{name}","token_type":"Bearer","expires_in":3600,"refresh_token":"refresh-{name}"}}"#
    )
}

fn json(state: impl Into<State>) -> String {
    serde_json::to_string(&state.into()).unwrap()
}

/// How long callers wait.
const PATIENCE: Duration = Duration::from_secs(600);

/// A login with an id of its own.
fn login(client: &Client, name: &str) -> Authorized {
    let mut random = Counting(name.bytes().fold(0, |sum, byte| sum ^ byte));
    let request = client.authorize(support::REDIRECT_URI);
    let (url, pending) = request.begin(&mut random, NOW).unwrap();
    let query = format!("code=abc&state={}", parameter(&url, "state"));
    let code = pending.accept(client, Callback::query(&query), NOW).unwrap();
    let (_, awaiting) = code.redeem(client, NOW).unwrap();
    awaiting.receive(client, &answer(200, tokens(name)), NOW).unwrap()
}

/// The store that all processes share, and the requests that have left them.
#[derive(Default)]
struct World {
    version: u128,
    stored: Option<String>,
    /// The next swap is done, but nobody hears of it.
    unheard: bool,
    /// The tokens that were revoked, and the grant types of other requests.
    sent: Vec<String>,
}

impl World {
    fn state(&self) -> State {
        serde_json::from_str(self.stored.as_ref().unwrap()).unwrap()
    }

    fn put(&mut self, state: impl Into<State>) {
        self.version += 1;
        self.stored = Some(json(state));
    }

    fn load(&self) -> Option<(Version, State)> {
        self.stored.as_ref().map(|_| (Version::new(self.version), self.state()))
    }

    fn swap(&mut self, expected: Option<Version>, state: &str) -> Result<Swapped, Unknown> {
        if self.load().map(|(version, _)| version) != expected {
            return Ok(Swapped::Conflict);
        }
        self.put(serde_json::from_str::<State>(state).unwrap());
        match core::mem::take(&mut self.unheard) {
            true => Err(Unknown),
            false => Ok(Swapped::Stored(Version::new(self.version))),
        }
    }
}

/// One process, with clocks that it waits by.
struct Process {
    coordinator: Coordinator,
    now: Moment,
}

impl Process {
    fn new(client: &Arc<Client>, first: u8) -> Self {
        let mut seed = Seed::new(&mut Counting(first)).unwrap();
        Self { coordinator: Coordinator::new(Arc::clone(client), &mut seed), now: moment(0) }
    }

    /// Does what is to be done for a caller: the token, or nothing when all is settled. Stops
    /// without an answer where an outcome stays unknown.
    fn drive(&mut self, ask: &Ask, world: &mut World) -> Option<Result<String, Error>> {
        for _ in 0..50 {
            match self.coordinator.poll(ask, self.now) {
                Effect::Load => self.coordinator.loaded(Ok(world.load()), self.now),
                Effect::Swap(expected, state, _) => {
                    let state = serde_json::to_string(state).unwrap();
                    let swapped = world.swap(expected, &state);
                    self.coordinator.swapped(swapped, self.now);
                    if swapped.is_err() {
                        return None;
                    }
                }
                Effect::Send(request, _) => {
                    let form = form(&request);
                    let (_, value) =
                        form.iter().find(|(name, _)| name == "token" || name == "grant_type")?;
                    world.sent.push(value.clone());
                    let fresh = tokens(&format!("fresh-{}", world.sent.len()));
                    self.coordinator.received(&answer(200, fresh), self.now);
                }
                Effect::Wait(pause) => {
                    let elapsed = self.now.elapsed() + pause;
                    self.now = Moment::new(NOW.after(elapsed), elapsed);
                }
                Effect::Give(Ok(Given::Token(token))) => return Some(Ok(token.expose().into())),
                Effect::Give(Ok(Given::Settled)) => return Some(Ok(String::new())),
                Effect::Give(Err(error)) => return Some(Err(error)),
                other => panic!("{other:?} was not expected"),
            }
        }
        panic!("it goes in circles")
    }

    fn settle(&mut self, world: &mut World) -> Option<Result<String, Error>> {
        let ask = self.coordinator.settled(PATIENCE, self.now);
        self.drive(&ask, world)
    }

    fn token(&mut self, world: &mut World) -> Option<Result<String, Error>> {
        let ask = self.coordinator.token(PATIENCE, self.now);
        self.drive(&ask, world)
    }

    fn refresh(&mut self, world: &mut World) -> Option<Result<String, Error>> {
        let ask = self.coordinator.refresh(PATIENCE, self.now).unwrap();
        self.drive(&ask, world)
    }
}

// Several processes, one store

#[test]
fn a_login_that_was_saved_unheard_does_not_undo_the_refresh_of_another_process() {
    let (client, mut world) = (revoking_client(), World { unheard: true, ..World::default() });
    let (mut a, mut b) = (Process::new(&client, 1), Process::new(&client, 101));
    a.coordinator.log_in(login(&client, "1")).unwrap();
    assert_eq!(a.settle(&mut world), None);
    b.settle(&mut world).unwrap().unwrap();
    assert_eq!(b.refresh(&mut world), Some(Ok("access-fresh-1".into())));
    let refreshed = world.stored.clone();
    a.settle(&mut world).unwrap().unwrap();
    assert_eq!((&world.stored, &*world.sent), (&refreshed, &["refresh_token".to_owned()][..]));
    assert_eq!(a.token(&mut world), Some(Ok("access-fresh-1".into())));
}

#[test]
fn a_login_that_was_saved_unheard_does_not_undo_the_lease_of_another_process() {
    let (client, mut world) = (revoking_client(), World { unheard: true, ..World::default() });
    let mut a = Process::new(&client, 1);
    a.coordinator.log_in(login(&client, "1")).unwrap();
    assert_eq!(a.settle(&mut world), None);
    let State::Authorized(stored) = world.state() else { panic!("it was saved") };
    world.put(stored.refresh(&client, NOW).unwrap().1);
    let lease = world.stored.clone();
    a.settle(&mut world).unwrap().unwrap();
    assert_eq!(world.stored, lease);
}

#[test]
fn a_service_that_was_saved_unheard_does_not_revoke_the_token_of_another_process() {
    let (client, mut world) = (revoking_client(), World { unheard: true, ..World::default() });
    let (mut a, mut b) = (Process::new(&client, 1), Process::new(&client, 101));
    a.coordinator.log_in(service(&client)).unwrap();
    assert_eq!(a.settle(&mut world), None);
    assert_eq!(b.token(&mut world), Some(Ok("access-fresh-1".into())));
    a.settle(&mut world).unwrap().unwrap();
    assert_eq!(world.sent, ["client_credentials"]);
    assert!(matches!(world.state(), State::Authorized(_)), "{:?}", world.stored);
}

#[test]
fn a_sign_out_that_was_saved_unheard_does_not_end_the_next_login() {
    let (client, mut world) = (revoking_client(), World::default());
    let (mut a, mut b) = (Process::new(&client, 1), Process::new(&client, 101));
    a.coordinator.log_in(login(&client, "1")).unwrap();
    a.settle(&mut world).unwrap().unwrap();
    a.coordinator.sign_out(a.now.time());
    world.unheard = true;
    assert_eq!(a.settle(&mut world), None);
    b.coordinator.log_in(login(&client, "2")).unwrap();
    b.settle(&mut world).unwrap().unwrap();
    a.settle(&mut world).unwrap().unwrap();
    assert_eq!(world.sent, ["refresh-1", "access-1"]);
    assert_eq!(a.token(&mut world), Some(Ok("access-2".into())));
}

#[test]
fn a_sign_out_after_a_reload_revokes_the_login_that_another_process_began() {
    let (client, mut world) = (revoking_client(), World::default());
    let (mut a, mut b) = (Process::new(&client, 1), Process::new(&client, 101));
    a.coordinator.log_in(login(&client, "1")).unwrap();
    a.settle(&mut world).unwrap().unwrap();
    b.coordinator.log_in(login(&client, "2")).unwrap();
    b.settle(&mut world).unwrap().unwrap();
    a.coordinator.reload();
    a.settle(&mut world).unwrap().unwrap();
    world.sent.clear();
    a.coordinator.sign_out(a.now.time());
    a.settle(&mut world).unwrap().unwrap();
    assert_eq!(world.sent, ["refresh-2", "access-2"]);
    let State::Unauthorized(ended) = world.state() else { panic!("{:?}", world.stored) };
    assert_eq!(*ended.reason(), Reason::SignedOut);
}

#[test]
fn a_refresh_finds_the_login_that_another_process_has_begun_since_ones_own_ended() {
    let (client, mut world) = (revoking_client(), World::default());
    let (mut a, mut b) = (Process::new(&client, 1), Process::new(&client, 101));
    a.coordinator.log_in(login(&client, "1")).unwrap();
    a.coordinator.sign_out(a.now.time());
    a.settle(&mut world).unwrap().unwrap();
    b.coordinator.log_in(login(&client, "2")).unwrap();
    b.settle(&mut world).unwrap().unwrap();
    a.now = moment(10);
    let token = a.refresh(&mut world).unwrap().unwrap();
    assert!(token == "access-2" || token.starts_with("access-fresh"), "{token}");
}

#[test]
fn a_login_of_another_client_is_not_settled_nor_signed_out() {
    let mut world = World::default();
    world.put(authorized(&other_client(), TOKENS));
    let before = world.stored.clone();
    let mut a = Process::new(&Arc::new(client()), 1);
    let refused = Some(Err(Error::Misuse(Misuse::WrongClient)));
    assert_eq!(a.settle(&mut world), refused);
    a.coordinator.sign_out(a.now.time());
    assert_eq!(a.settle(&mut world), refused);
    assert_eq!(world.stored, before);
}

// Stored states that were edited

#[test]
fn a_generation_that_leaves_none_for_its_successors_is_not_loaded() {
    let good = json(authorized(&client(), TOKENS));
    let last = good.replace(r#""number":1,"#, &format!(r#""number":{},"#, u64::MAX));
    assert_ne!(good, last);
    assert!(serde_json::from_str::<State>(&last).is_err());
}

#[test]
fn more_parameters_than_anybody_has_are_not_loaded() {
    let ready = client().client_credentials().param("zz", "1").ready(&mut rng()).unwrap();
    let ready = json(ready);
    let with = |count: u32| {
        let many: Vec<_> = (0..count).map(|name| format!("x{name}=")).collect();
        let stored = ready.replace("zz=1", &many.join("&"));
        serde_json::from_str::<State>(&stored)
    };
    assert!(with(100).is_ok());
    assert!(with(1000).is_err());
    assert!(with(100_000).is_err());
}

// Servers that echo and exaggerate

#[test]
fn the_type_of_a_token_is_printable_and_bounded() {
    let long = "x".repeat(10_000);
    let body = r#"{"access_token":"a","token_type":"Be\u001b]0;pwn\u0007\nLONG"}"#;
    let state = authorized(&client(), &body.replace("LONG", &long));
    let token = state.token(NOW).unwrap();
    let shown = token.token_type();
    assert!(shown.starts_with("Be?]0;pwn??x") && shown.len() < 1000, "{shown:?}");
    assert!(!shown.contains(char::is_control), "{shown:?}");
}

#[test]
fn an_echoed_refresh_token_is_taken_out_of_the_error() {
    let client = client();
    for error in ["invalid_grant", "invalid_client", "invalid_scope"] {
        let body = format!(
            r#"{{"error":"{error}","error_description":"Invalid refresh token: {REFRESH_TOKEN}","error_uri":"https://as.example/{REFRESH_TOKEN}"}}"#
        );
        let failed = refreshing(&client).1.receive(&client, &answer(400, body), NOW).unwrap_err();
        let shown = format!("{failed} {:?}", failed.error);
        assert!(shown.contains("refused: invalid_") && !shown.contains("Invalid"), "{shown}");
        assert!(!shown.contains(REFRESH_TOKEN), "{shown}");
    }
}

#[test]
fn an_echoed_code_is_taken_out_of_the_error() {
    let body = format!(
        r#"{{"error":"invalid_grant","error_description":"Invalid authorization code: {}"}}"#,
        support::CODE
    );
    let shown = support::receive(&client(), &answer(400, body)).unwrap_err().error.to_string();
    assert!(!shown.contains("code: ") && !shown.contains(support::CODE), "{shown}");
}

#[test]
fn no_server_asks_for_more_patience_than_an_hour() {
    let client = client();
    let mut busy = answer(503, "");
    busy.headers_mut().insert(RETRY_AFTER, HeaderValue::from(u64::MAX));
    let failed = refreshing(&client).1.receive(&client, &busy, NOW).unwrap_err();
    let Error::Unavailable(unavailable) = failed.error else { panic!("{failed}") };
    assert!(matches!(unavailable.cause(), Outage::Status(_)), "{unavailable}");
    assert_eq!(unavailable.retry_after().unwrap().as_secs(), 3600);
}

#[test]
fn a_lifetime_with_an_exponent_beyond_all_integers_is_clamped() {
    let lifetime = |seconds: &str| {
        let body = TOKENS.replace("3600", seconds);
        authorized(&client(), &body).expires_at().unwrap()
    };
    assert_eq!(lifetime("1e99999999999"), lifetime("1e30"));
    assert_eq!(lifetime("0e99999999999"), NOW);
}

#[test]
fn the_bound_of_a_scope_counts_repeated_tokens_too() {
    let scope = format!("{}last", "same ".repeat(10_000));
    let body = TOKENS.replace('}', &format!(r#","scope":"{scope}"}}"#));
    assert_eq!(authorized(&client(), &body).scope().as_str(), "same");
}

// Requests and redirects at the edge

#[test]
fn a_redirect_uri_with_an_empty_query_accepts_its_callback() {
    let client = client();
    for (redirect_uri, callback) in [
        ("https://app.example/cb?", "https://app.example/cb?"),
        ("https://app.example/cb?", "https://app.example/cb?&"),
        ("https://app.example/cb?a=1&", "https://app.example/cb?a=1&"),
    ] {
        let (url, pending) = client.authorize(redirect_uri).begin(&mut rng(), NOW).unwrap();
        let callback = format!("{callback}code=abc&state={}", parameter(&url, "state"));
        let accepted = pending.accept(&client, Callback::url(&callback), NOW);
        assert!(accepted.is_ok(), "{redirect_uri} {callback} {:?}", accepted.err());
    }
}

#[test]
fn a_request_whose_header_is_full_is_refused() {
    let state = authorized(&client(), TOKENS);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    let value = HeaderValue::from_static("");
    for nth in 0_u32.. {
        let name = HeaderName::try_from(format!("x-{nth}")).unwrap();
        if request.headers_mut().try_insert(name, value.clone()).is_err() {
            break;
        }
    }
    let fields = request.headers().len();
    let refused = state.token(NOW).unwrap().attach(&mut request);
    assert_eq!(refused, Err(Error::Misuse(Misuse::TooManyHeaders)));
    assert_eq!(request.headers().len(), fields);
}
#[test]
fn a_login_that_was_refreshed_by_hand_replaces_its_older_self() {
    let (client, mut world) = (revoking_client(), World::default());
    let mut a = Process::new(&client, 1);
    world.put(login(&client, "1"));
    let (_, r) = login(&client, "1").refresh(&client, NOW).unwrap();
    let newer = r.receive(&client, &answer(200, tokens("2")), NOW).unwrap();
    a.coordinator.log_in(newer).unwrap();
    a.settle(&mut world).unwrap().unwrap();
    assert_eq!(a.token(&mut world), Some(Ok("access-2".into())));
}
#[test]
fn a_login_replaces_the_callback_that_it_awaited() {
    let (client, mut world) = (revoking_client(), World::default());
    let mut a = Process::new(&client, 1);
    let (url, pending) = client.authorize(support::REDIRECT_URI).begin(&mut rng(), NOW).unwrap();
    world.put(pending);
    let State::Authorizing(oauth2_proto::Authorizing::AwaitingCallback(pending)) = world.state()
    else {
        panic!()
    };
    let query = format!("code=abc&state={}", parameter(&url, "state"));
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    let (_, awaiting) = code.redeem(&client, NOW).unwrap();
    let l = awaiting.receive(&client, &answer(200, tokens("1")), NOW).unwrap();
    a.coordinator.log_in(l).unwrap();
    assert_eq!(a.settle(&mut world), Some(Ok(String::new())));
    assert_eq!(a.token(&mut world), Some(Ok("access-1".into())));
}
#[test]
fn an_echo_that_was_cut_off_is_taken_out_too() {
    let client = client();
    let long: String = (0..150).map(|n| format!("{n:04}.")).collect();
    let l = authorized(&client, &TOKENS.replace(REFRESH_TOKEN, &long));
    let body = format!(
        r#"{{"error":"invalid_client","error_description":"Invalid refresh token: {long}"}}"#
    );
    let f =
        l.refresh(&client, NOW).unwrap().1.receive(&client, &answer(401, body), NOW).unwrap_err();
    assert!(!f.to_string().contains(&long[..40]), "{f}");
}
#[test]
fn an_echo_that_was_filtered_is_taken_out_too() {
    let client = client();
    let l = authorized(&client, &TOKENS.replace(REFRESH_TOKEN, "abcdefgh\\\"ijklmnop"));
    let body = r#"{"error":"invalid_client","error_description":"Invalid refresh token: abcdefgh\"ijklmnop"}"#;
    let f =
        l.refresh(&client, NOW).unwrap().1.receive(&client, &answer(401, body), NOW).unwrap_err();
    assert!(!f.to_string().contains("ijklmnop"), "{f}");
}
#[test]
fn a_login_replaces_the_answer_that_it_awaited() {
    let (client, mut world) = (revoking_client(), World::default());
    let mut a = Process::new(&client, 1);
    let awaiting = support::redeem(&client).1;
    world.put(awaiting);
    let l = support::redeem(&client).1.receive(&client, &answer(200, tokens("1")), NOW).unwrap();
    a.coordinator.log_in(l).unwrap();
    assert_eq!(a.settle(&mut world), Some(Ok(String::new())));
    assert_eq!(a.token(&mut world), Some(Ok("access-1".into())));
    assert!(world.sent.is_empty());
}
