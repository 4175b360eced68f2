//! A coordinator, effect by effect, over a store in memory that fails when it is told to. Every
//! loop is bounded: a coordinator that goes in circles fails its test.
#![expect(
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail loudly, and show whatever they did not expect"
)]

mod scenario;

use std::sync::Arc;

use http::{Request, Response};
use oauth2_proto::{
    Ask, Authorizing, Body, Challenged, Coordinator, Effect, Error, Expired, Generation, Given,
    Lost, Misuse, Outage, Reason, Seed, State, Swapped, Timestamp, Unknown,
};
use scenario::{
    AuthorizationServer, Fate, Fault, Outcome, START, Scenario, Store, at, form, invalid_token,
    refresh_token, refusal, reply, stranger,
};

/// What one poll came to. What needs the store has been done and reported already.
#[derive(Debug)]
enum Did {
    Load,
    /// What was to be stored.
    Swap(&'static str, Result<Swapped, Unknown>),
    Send(Request<Body>, Timestamp),
    /// Seconds.
    Wait(u64),
    Busy,
    Token(String),
    Settled,
    Refused(Error),
}

const fn name(state: &State) -> &'static str {
    match state {
        State::Unauthorized(_) => "Unauthorized",
        State::Authorizing(Authorizing::AwaitingCallback(_)) => "AwaitingCallback",
        State::Authorizing(Authorizing::AwaitingFragment(_)) => "AwaitingFragment",
        State::Authorizing(Authorizing::Polling(_)) => "Polling",
        State::Authorizing(Authorizing::AwaitingToken(_)) => "AwaitingToken",
        State::Authorized(_) => "Authorized",
        State::Refreshing(_) => "Refreshing",
    }
}

/// One process of several.
struct Process {
    coordinator: Coordinator,
}

impl Process {
    fn new(world: &mut Scenario) -> Self {
        let mut seed = Seed::new(&mut world.rng).expect("there is always randomness");
        Self { coordinator: Coordinator::new(Arc::clone(&world.client), &mut seed) }
    }

    fn token(&self, now: Timestamp, seconds: u64) -> Ask {
        self.coordinator.token(now.after(core::time::Duration::from_secs(seconds)))
    }

    fn poll(&mut self, ask: &Ask, store: &mut Store, now: Timestamp) -> Did {
        match self.coordinator.poll(ask, now) {
            Effect::Load => {
                self.coordinator.loaded(store.load(), now);
                Did::Load
            }
            Effect::Swap(expected, state) => {
                let (name, swapped) = (name(state), store.swap(expected, state));
                self.coordinator.swapped(swapped, now);
                Did::Swap(name, swapped)
            }
            Effect::Send(request, deadline) => {
                assert!(now < deadline, "a request leaves with time to be answered");
                Did::Send(request, deadline)
            }
            Effect::Wait(until) => {
                assert!(until > now, "a wake-up in the past is a hot loop");
                Did::Wait(until.since(now).as_secs())
            }
            Effect::Busy => Did::Busy,
            Effect::Give(Ok(Given::Token(token))) => Did::Token(token.expose().into()),
            Effect::Give(Ok(Given::Settled)) => Did::Settled,
            Effect::Give(Err(error)) => Did::Refused(error),
            other => panic!("{other:?} is an effect that these tests do not know"),
        }
    }

    /// Polls until something is given, or a request is to be sent; sleeps when told to.
    fn until_sent(&mut self, ask: &Ask, store: &mut Store, now: &mut Timestamp) -> Did {
        for _ in 0..200 {
            match self.poll(ask, store, *now) {
                Did::Load | Did::Swap(..) => {}
                Did::Wait(seconds) => *now = now.after(core::time::Duration::from_secs(seconds)),
                last @ (Did::Send(..)
                | Did::Busy
                | Did::Token(_)
                | Did::Settled
                | Did::Refused(_)) => return last,
            }
        }
        panic!("this coordinator goes in circles")
    }

    /// Polls until a request is to be sent.
    fn sends(&mut self, ask: &Ask, store: &mut Store, now: &mut Timestamp) -> Request<Body> {
        match self.until_sent(ask, store, now) {
            Did::Send(request, _) => request,
            other => panic!("{other:?}, not Send"),
        }
    }

    /// Polls until something is given; every request meets its fate at the server.
    fn run(
        &mut self,
        ask: &Ask,
        store: &mut Store,
        server: &mut AuthorizationServer,
        now: &mut Timestamp,
    ) -> Did {
        for _ in 0..200 {
            match self.until_sent(ask, store, now) {
                Did::Send(request, _) => match server.serve(&request, *now) {
                    Outcome::Answer { response, seconds } => {
                        *now = now.after(core::time::Duration::from_secs(seconds));
                        self.coordinator.received(&response, *now);
                    }
                    Outcome::Lost(how) => self.coordinator.lost(how, *now),
                },
                last => return last,
            }
        }
        panic!("this coordinator goes in circles")
    }

    fn gets_token(&mut self, store: &mut Store, world: &mut Scenario) -> String {
        let ask = self.token(world.now, 60);
        match self.run(&ask, store, &mut world.server, &mut world.now) {
            Did::Token(token) => token,
            other => panic!("{other:?}, not a token"),
        }
    }

    fn is_refused(&mut self, store: &mut Store, world: &mut Scenario) -> Error {
        let ask = self.token(world.now, 60);
        match self.run(&ask, store, &mut world.server, &mut world.now) {
            Did::Refused(error) => error,
            other => panic!("{other:?}, not an error"),
        }
    }

    fn settles(&mut self, store: &mut Store, world: &mut Scenario) {
        let ask = self.coordinator.settled(world.now.after(core::time::Duration::from_secs(60)));
        let did = self.run(&ask, store, &mut world.server, &mut world.now);
        assert!(matches!(did, Did::Settled), "{did:?}");
    }

    fn generation(&mut self, store: &mut Store, now: Timestamp) -> Generation {
        let ask = self.token(now, 0);
        for _ in 0..3 {
            match self.coordinator.poll(&ask, now) {
                Effect::Load => self.coordinator.loaded(store.load(), now),
                Effect::Give(Ok(Given::Token(token))) => return token.generation(),
                other => panic!("{other:?}, not a token"),
            }
        }
        panic!("there is a token")
    }
}

/// A process, and a store with tokens that have expired.
fn expired() -> (Scenario, Process, Store) {
    let mut world = Scenario::new();
    let store = Store::holding(world.authorized());
    world.pass(4000);
    let process = Process::new(&mut world);
    (world, process, store)
}

/// A process that has sent a refresh whose lease is over, and another one that has sent its own.
fn overtaken() -> (Scenario, Store, (Process, Ask), (Process, Ask)) {
    let (mut world, mut late, mut store) = expired();
    let late_ask = late.token(world.now, 600);
    late.sends(&late_ask, &mut store, &mut world.now);
    world.pass(30);
    let mut other = Process::new(&mut world);
    let ask = other.token(world.now, 600);
    other.sends(&ask, &mut store, &mut world.now);
    (world, store, (late, late_ask), (other, ask))
}

fn good(access_token: &str) -> Response<Vec<u8>> {
    reply(
        200,
        format!(
            r#"{{"access_token":"{access_token}","token_type":"Bearer","expires_in":3600,"refresh_token":"{access_token}-refresh"}}"#
        ),
    )
}

fn stored_token(store: &Store, now: Timestamp) -> Option<String> {
    let state = store.state()?;
    let token = match &state {
        State::Authorized(state) => state.token(now),
        State::Refreshing(state) => state.token(now),
        State::Unauthorized(_) | State::Authorizing(_) => None,
    };
    token.map(|token| token.expose().into())
}

fn stored_reason(store: &Store) -> Option<Reason> {
    let State::Unauthorized(state) = store.state()? else { return None };
    Some(state.reason().clone())
}

fn is_login(error: &Error, reason: &Reason) -> bool {
    matches!(error, Error::Expired(Expired::Login(why)) if why == reason)
}

fn is_outage(error: &Error, cause: Outage) -> bool {
    matches!(error, Error::Unavailable(outage) if outage.cause() == cause)
}

/// The tokens that a process revokes until it is settled.
fn revoked(process: &mut Process, store: &mut Store, now: &mut Timestamp) -> Vec<String> {
    let ask = process.coordinator.settled(now.after(core::time::Duration::from_secs(600)));
    let mut tokens = Vec::new();
    for _ in 0..20 {
        match process.until_sent(&ask, store, now) {
            Did::Send(request, _) => {
                assert_eq!(request.uri().path(), "/revoke");
                tokens.push(form(&request).remove("token").unwrap_or_default());
                process.coordinator.received(&reply(200, ""), *now);
            }
            Did::Settled => return tokens,
            other => panic!("{other:?}, neither a revocation nor the end"),
        }
    }
    panic!("this coordinator goes in circles")
}

// The order of effects

#[test]
fn a_refresh_loads_leases_sends_saves_and_gives_in_this_order() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let Did::Swap("Refreshing", Ok(Swapped::Stored(_))) = process.poll(&ask, &mut store, world.now)
    else {
        panic!("the lease is stored before the request leaves")
    };
    let Did::Send(request, deadline) = process.poll(&ask, &mut store, world.now) else {
        panic!("the lease is held")
    };
    assert_eq!(refresh_token(&request), "refresh-2");
    assert_eq!(deadline.since(world.now).as_secs(), 25);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    let Did::Swap("Authorized", Ok(Swapped::Stored(_))) = process.poll(&ask, &mut store, world.now)
    else {
        panic!("new tokens are saved before they are used")
    };
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn a_fresh_token_is_loaded_once_and_given() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    let ask = process.token(world.now, 0);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    for second in 0..100 {
        let ask = process.token(at(second), 0);
        let did = process.poll(&ask, &mut store, at(second));
        assert!(matches!(did, Did::Token(token) if token == "access-3"));
    }
}

#[test]
fn in_the_refresh_window_others_get_the_old_token_meanwhile() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    world.pass(3550);
    let ask = process.token(world.now, 30);
    process.sends(&ask, &mut store, &mut world.now);
    for _ in 0..1000 {
        let ask = process.token(world.now, 30);
        let did = process.poll(&ask, &mut store, world.now);
        assert!(matches!(did, Did::Token(token) if token == "access-3"));
    }
}

#[test]
fn a_thousand_callers_over_an_expired_token_cause_one_request() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    let request = process.sends(&ask, &mut store, &mut world.now);
    let asks: Vec<Ask> = (0..1000).map(|_| process.token(world.now, 30)).collect();
    for ask in &asks {
        assert!(matches!(process.poll(ask, &mut store, world.now), Did::Busy));
    }
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    for ask in &asks {
        let did = process.run(ask, &mut store, &mut world.server, &mut world.now);
        assert!(matches!(did, Did::Token(token) if token == "access-5"));
    }
    assert_eq!(world.server.arrived.len(), 2, "the code, and one refresh");
}

#[test]
fn a_program_logs_in_by_itself() {
    let mut world = Scenario::new();
    let mut store = Store::default();
    let mut process = Process::new(&mut world);
    let ready = world.service();
    process.coordinator.log_in(ready).expect("it needs no browser");
    process.settles(&mut store, &mut world);
    assert_eq!(stored_reason(&store), Some(Reason::NotStarted));
    assert_eq!(process.gets_token(&mut store, &mut world), "access-1");
    world.pass(3600);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-2");
}

#[test]
fn a_program_takes_over_the_first_request_that_a_crash_left() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.service());
    let mut crashed = Process::new(&mut world);
    let ask = crashed.token(world.now, 30);
    crashed.sends(&ask, &mut store, &mut world.now);
    drop(crashed);
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-1");
    assert_eq!(world.now, at(30), "after the lease of the one that crashed");
}

#[test]
fn a_login_that_nothing_renews_ends_when_its_token_expires() {
    let mut world = Scenario::without_refresh_tokens();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-2");
    world.pass(3600);
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::TokenExpired), "{error:?}");
    assert!(error.needs_login());
}

#[test]
fn where_nobody_has_logged_in_the_error_says_so() {
    let mut world = Scenario::new();
    let mut process = Process::new(&mut world);
    let error = process.is_refused(&mut Store::default(), &mut world);
    assert!(is_login(&error, &Reason::NotStarted), "{error:?}");
}

#[test]
fn a_login_that_another_process_stores_is_noticed_within_a_second() {
    let mut world = Scenario::new();
    let mut store = Store::default();
    let mut process = Process::new(&mut world);
    process.is_refused(&mut store, &mut world);
    store.put(&world.authorized().into());
    world.pass(1);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-3");
}

// A lost race for the lease

#[test]
fn who_loses_the_race_for_the_lease_uses_the_old_token_while_it_is_good() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut first, mut second) = (Process::new(&mut world), Process::new(&mut world));
    // Both know the store as it was.
    first.gets_token(&mut store, &mut world);
    second.gets_token(&mut store, &mut world);
    world.pass(3550);
    let (ask, other) = (first.token(world.now, 30), second.token(world.now, 30));
    first.sends(&ask, &mut store, &mut world.now);
    let did = second.poll(&other, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Conflict))), "{did:?}");
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Load));
    let did = second.poll(&other, &mut store, world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-3"));
}

#[test]
fn who_loses_the_race_for_the_lease_waits_when_the_token_has_expired() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut first, mut second) = (Process::new(&mut world), Process::new(&mut world));
    first.gets_token(&mut store, &mut world);
    second.gets_token(&mut store, &mut world);
    world.pass(4000);
    let (ask, other) = (first.token(world.now, 60), second.token(world.now, 60));
    let request = first.sends(&ask, &mut store, &mut world.now);
    let did = second.poll(&other, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Conflict))), "{did:?}");
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Load));
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Wait(1)));
    world.pass(1);
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Load));
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Wait(1)));
    let answer = world.answer(&request);
    first.coordinator.received(&answer, world.now);
    let did = first.run(&ask, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    world.pass(1);
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Load));
    let did = second.poll(&other, &mut store, world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    assert_eq!(world.server.arrived.len(), 2, "the code, and one refresh");
}

#[test]
fn a_caller_with_less_patience_than_the_lease_waits_for_another_process_all_the_same() {
    let (mut world, mut first, mut store) = expired();
    let ask = first.token(world.now, 60);
    let request = first.sends(&ask, &mut store, &mut world.now);
    let mut second = Process::new(&mut world);
    let other = second.token(world.now, 10);
    assert!(matches!(second.poll(&other, &mut store, world.now), Did::Load));
    let did = second.poll(&other, &mut store, world.now);
    assert!(matches!(did, Did::Wait(1)), "{did:?}");
    let answer = world.answer(&request);
    first.coordinator.received(&answer, world.now);
    first.run(&ask, &mut store, &mut world.server, &mut world.now);
    let did = second.run(&other, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn a_caller_hears_when_its_patience_is_over() {
    let (mut world, mut first, mut store) = expired();
    let ask = first.token(world.now, 60);
    first.sends(&ask, &mut store, &mut world.now);
    let begun = world.now;
    let mut second = Process::new(&mut world);
    let other = second.token(world.now, 10);
    let did = second.until_sent(&other, &mut store, &mut world.now);
    assert!(matches!(&did, Did::Refused(error) if is_outage(error, Outage::Waiting)), "{did:?}");
    assert!(world.now.since(begun).as_secs() <= 10);
}

#[test]
fn a_caller_whose_patience_is_over_is_not_told_to_be_busy() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 60);
    process.sends(&ask, &mut store, &mut world.now);
    let impatient = process.token(world.now, 5);
    world.pass(5);
    assert!(matches!(process.poll(&impatient, &mut store, world.now), Did::Busy));
    world.pass(1);
    let did = process.poll(&impatient, &mut store, world.now);
    assert!(matches!(&did, Did::Refused(error) if is_outage(error, Outage::Waiting)), "{did:?}");
}

#[test]
fn the_lease_of_a_process_that_died_is_taken_over_once_it_is_over() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(world.now, 60);
    died.sends(&ask, &mut store, &mut world.now);
    drop(died);
    let begun = world.now;
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    assert_eq!(world.now.since(begun).as_secs(), 30);
}

#[test]
fn the_lease_of_a_process_whose_clock_is_ahead_is_taken_over_as_well() {
    let (mut world, mut died, mut store) = expired();
    let mut ahead = world.now.after(core::time::Duration::from_secs(1_000_000));
    let ask = died.token(ahead, 60);
    died.sends(&ask, &mut store, &mut ahead);
    let begun = world.now;
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    assert!(world.now.since(begun).as_secs() <= 31);
}

// A conflict while a success is being saved

#[test]
fn a_late_success_wins_over_the_lease_of_another_process() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    late.coordinator.received(&good("late"), world.now);
    let did = late.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Conflict))), "{did:?}");
    assert!(matches!(late.poll(&ask, &mut store, world.now), Did::Load));
    let did = late.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Stored(_)))), "{did:?}");
    let did = late.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Token(token) if token == "late"));
    // The other one showed a refresh token that had been replaced by then.
    other.coordinator.received(&refusal("invalid_grant"), world.now);
    let did = other.until_sent(&other_ask, &mut store, &mut world.now);
    assert!(matches!(&did, Did::Token(token) if token == "late"), "{did:?}");
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("late"));
}

#[test]
fn a_late_success_wins_over_a_login_that_another_process_gave_up_in_doubt() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    other.coordinator.received(&refusal("invalid_grant"), world.now);
    let did = other.until_sent(&other_ask, &mut store, &mut world.now);
    assert!(matches!(did, Did::Refused(error) if error.needs_login()));
    assert_eq!(stored_reason(&store), Some(Reason::AnswerLost));
    late.coordinator.received(&good("late"), world.now);
    let did = late.until_sent(&ask, &mut store, &mut world.now);
    assert!(matches!(&did, Did::Token(token) if token == "late"), "{did:?}");
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("late"));
    world.pass(1);
    assert_eq!(other.gets_token(&mut store, &mut world), "late");
}

#[test]
fn a_late_success_yields_to_newer_tokens() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    other.coordinator.received(&good("newer"), world.now);
    other.until_sent(&other_ask, &mut store, &mut world.now);
    late.coordinator.received(&good("late"), world.now);
    let did = late.until_sent(&ask, &mut store, &mut world.now);
    assert!(matches!(&did, Did::Token(token) if token == "newer"), "{did:?}");
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("newer"));
}

#[test]
fn a_late_success_for_a_login_that_was_signed_out_elsewhere_is_revoked() {
    let (mut world, mut store, (mut late, _), (mut other, _)) = overtaken();
    other.coordinator.sign_out(world.now);
    other.coordinator.lost(Lost::Unanswered, world.now);
    other.settles(&mut store, &mut world);
    late.coordinator.received(&good("late"), world.now);
    let tokens = revoked(&mut late, &mut store, &mut world.now);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
    let error = late.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::SignedOut), "{error:?}");
}

#[test]
fn a_late_success_for_a_login_that_was_refreshed_and_signed_out_elsewhere_is_revoked() {
    let (mut world, mut store, (mut late, _), (mut other, other_ask)) = overtaken();
    other.coordinator.received(&good("newer"), world.now);
    other.until_sent(&other_ask, &mut store, &mut world.now);
    other.coordinator.sign_out(world.now);
    other.settles(&mut store, &mut world);
    late.coordinator.received(&good("late"), world.now);
    let tokens = revoked(&mut late, &mut store, &mut world.now);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
}

#[test]
fn a_late_success_for_a_login_that_the_server_has_ended_is_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 60);
    process.sends(&ask, &mut store, &mut world.now);
    let State::Refreshing(refreshing) = store.state().expect("a login") else {
        panic!("it is leased")
    };
    let ended = refreshing
        .receive(&world.client, &refusal("invalid_grant"), world.now)
        .expect_err("a refusal");
    store.put(&ended.state);
    process.coordinator.received(&good("late"), world.now);
    let tokens = revoked(&mut process, &mut store, &mut world.now);
    assert_eq!(tokens, ["late-refresh", "late"]);
}

#[test]
fn a_late_success_for_a_login_that_was_deleted_is_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 60);
    process.sends(&ask, &mut store, &mut world.now);
    store.stored = None;
    process.coordinator.received(&good("late"), world.now);
    let tokens = revoked(&mut process, &mut store, &mut world.now);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert!(store.stored.is_none(), "what was deleted stays deleted");
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::NotStarted), "{error:?}");
}

#[test]
fn a_late_success_for_a_login_that_was_replaced_is_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 60);
    process.sends(&ask, &mut store, &mut world.now);
    store.put(&world.authorized().into());
    process.coordinator.received(&good("late"), world.now);
    let tokens = revoked(&mut process, &mut store, &mut world.now);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-6");
}

#[test]
fn a_failure_never_overwrites_what_another_process_has_stored() {
    let failures =
        [refusal("invalid_grant"), refusal("invalid_client"), reply(503, ""), reply(200, "<html>")];
    for failure in failures {
        let (mut world, mut store, (mut late, _), (mut other, other_ask)) = overtaken();
        other.coordinator.received(&good("newer"), world.now);
        other.until_sent(&other_ask, &mut store, &mut world.now);
        late.coordinator.received(&failure, world.now);
        assert_eq!(late.gets_token(&mut store, &mut world), "newer");
        assert_eq!(stored_token(&store, world.now).as_deref(), Some("newer"));
    }
}

// Swaps whose outcome is not known

#[test]
fn a_lease_that_may_have_been_stored_and_was_is_used() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    store.faults.push_back(Fault::Done);
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Refreshing", Err(Unknown))), "{did:?}");
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Wait(1)));
    world.pass(1);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let did = process.poll(&ask, &mut store, world.now);
    let Did::Send(request, deadline) = did else { panic!("{did:?}, the lease is its own") };
    assert_eq!(deadline.since(world.now).as_secs(), 24, "the lease counts from its beginning");
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    let did = process.run(&ask, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn a_lease_that_may_have_been_stored_and_was_not_is_taken_anew() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    store.faults.push_back(Fault::Undone);
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Refreshing", Err(Unknown))), "{did:?}");
    world.pass(1);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Stored(_)))), "{did:?}");
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Send(..)));
}

#[test]
fn a_lease_that_may_have_been_stored_but_is_anothers_is_not_used() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    store.faults.push_back(Fault::Undone);
    process.poll(&ask, &mut store, world.now);
    // Another process decides the same in the same second: but for its holder, an equal state.
    let mut other = Process::new(&mut world);
    let other_ask = other.token(world.now, 30);
    other.sends(&other_ask, &mut store, &mut world.now);
    world.pass(1);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Wait(1)), "{did:?}");
}

#[test]
fn tokens_that_may_have_been_saved_and_were_are_saved_once() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    let request = process.sends(&ask, &mut store, &mut world.now);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    store.faults.push_back(Fault::Done);
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Authorized", Err(Unknown))), "{did:?}");
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"), "a token is good at once");
    let versions = store.versions;
    process.settles(&mut store, &mut world);
    assert_eq!(store.versions, versions);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn tokens_that_may_have_been_saved_and_were_not_are_saved_again() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    let request = process.sends(&ask, &mut store, &mut world.now);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    store.faults.push_back(Fault::Undone);
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Authorized", Err(Unknown))), "{did:?}");
    process.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn a_failure_that_may_have_been_saved_is_saved_either_way() {
    for fault in [Fault::Done, Fault::Undone] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(world.now, 30);
        process.sends(&ask, &mut store, &mut world.now);
        process.coordinator.received(&refusal("invalid_grant"), world.now);
        store.faults.push_back(fault);
        process.settles(&mut store, &mut world);
        assert_eq!(stored_reason(&store), Some(Reason::Denied("invalid_grant".into())));
    }
}

#[test]
fn a_back_off_that_may_have_been_saved_is_saved_either_way() {
    for fault in [Fault::Done, Fault::Undone] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(world.now, 30);
        process.sends(&ask, &mut store, &mut world.now);
        process.coordinator.received(&scenario::busy(503, "9"), world.now);
        store.faults.push_back(fault);
        process.settles(&mut store, &mut world);
        let mut other = Process::new(&mut world);
        assert_eq!(other.gets_token(&mut store, &mut world), "access-5");
        assert_eq!(world.now, at(4000 + 9), "the lease is over, and the back-off is stored");
    }
}

#[test]
fn a_sign_out_that_may_have_been_saved_is_saved_either_way() {
    for fault in [Fault::Done, Fault::Undone] {
        let mut world = Scenario::new();
        let mut store = Store::holding(world.authorized());
        let mut process = Process::new(&mut world);
        process.settles(&mut store, &mut world);
        process.coordinator.sign_out(world.now);
        store.faults.push_back(fault);
        process.settles(&mut store, &mut world);
        assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
        assert!(!world.server.accepts("access-3"));
    }
}

// A store that is down or slow

#[test]
fn a_store_that_is_down_does_not_stop_a_caller_whose_token_is_good() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    let request = process.sends(&ask, &mut store, &mut world.now);
    let answer = world.answer(&request);
    store.down = true;
    process.coordinator.received(&answer, world.now);
    for _ in 0..100 {
        assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
        world.pass(10);
    }
    store.down = false;
    process.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn a_store_that_is_down_is_an_error_in_time_when_the_token_has_expired() {
    let (mut world, mut process, mut store) = expired();
    store.down = true;
    let begun = world.now;
    let ask = process.token(world.now, 20);
    let did = process.until_sent(&ask, &mut store, &mut world.now);
    assert!(matches!(&did, Did::Refused(error) if is_outage(error, Outage::Store)), "{did:?}");
    assert!(world.now.since(begun).as_secs() <= 20);
    assert!(world.server.arrived.len() == 1, "nothing is sent without a lease");
    store.down = false;
    world.pass(32);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_store_that_is_down_is_asked_less_and_less_often() {
    let (mut world, mut process, mut store) = expired();
    store.down = true;
    let ask = process.token(world.now, 1000);
    let mut loads = Vec::new();
    for _ in 0..1000 {
        match process.poll(&ask, &mut store, world.now) {
            Did::Load => loads.push(world.now),
            Did::Wait(seconds) => {
                world.pass(seconds);
            }
            Did::Refused(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let pauses: Vec<u64> = loads.windows(2).map(|pair| pair[1].since(pair[0]).as_secs()).collect();
    assert_eq!(&pauses[..7], [1, 2, 4, 8, 16, 32, 32]);
}

#[test]
fn a_request_is_not_sent_when_its_lease_was_stored_too_late() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 600);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
        panic!("a lease is taken first")
    };
    let swapped = store.swap(expected, state);
    // The store takes its time.
    world.pass(25);
    process.coordinator.swapped(swapped, world.now);
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Stored(_)))), "{did:?}");
    assert_eq!(world.server.arrived.len(), 1, "the code, and no refresh");
    let did = process.run(&ask, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn a_request_is_still_sent_when_its_lease_was_stored_in_time() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 600);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
        panic!("a lease is taken first")
    };
    let swapped = store.swap(expected, state);
    world.pass(24);
    process.coordinator.swapped(swapped, world.now);
    let did = process.poll(&ask, &mut store, world.now);
    let Did::Send(_, deadline) = did else { panic!("{did:?}, not Send") };
    assert_eq!(deadline.since(world.now).as_secs(), 1);
}

#[test]
fn a_request_is_not_sent_when_the_clock_was_set_back_since_its_lease() {
    let (world, mut process, mut store) = expired();
    let ask = process.token(world.now, 600);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let did = process.poll(&ask, &mut store, world.now);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Stored(_)))), "{did:?}");
    // Others count the lease from the moment at which they first see it.
    let earlier = Timestamp::from_unix_seconds(START - 1_000_000);
    if let Did::Send(_, deadline) = process.poll(&ask, &mut store, earlier) {
        let left = deadline.since(earlier).as_secs();
        assert!(left <= 25, "the request may be on its way for {left} s, the lease is 30 s");
    }
}

// Several processes over one store

#[test]
fn processes_that_share_a_store_refresh_once_per_expiry() {
    let mut world = Scenario::living(600);
    let mut store = Store::holding(world.authorized());
    let mut processes: Vec<Process> = (0..3).map(|_| Process::new(&mut world)).collect();
    let mut flying: Vec<Option<(Request<Body>, Timestamp)>> = vec![None, None, None];
    // Every process asks once a second, whether or not the others are done; answers take 3 s.
    for second in 0..6000 {
        let now = at(second);
        for (process, flying) in processes.iter_mut().zip(&mut flying) {
            if let Some((request, _)) = flying.take_if(|(_, due)| *due <= now) {
                let Outcome::Answer { response, .. } = world.server.serve(&request, now) else {
                    panic!("nothing is lost here")
                };
                process.coordinator.received(&response, now);
            }
            let ask = process.token(now, 0);
            for step in 0.. {
                assert!(step < 20, "this coordinator goes in circles");
                match process.poll(&ask, &mut store, now) {
                    Did::Load | Did::Swap(..) => {}
                    Did::Send(request, _) => *flying = Some((request, at(second + 3))),
                    Did::Token(token) => {
                        assert!(world.server.accepts(&token));
                        break;
                    }
                    Did::Busy => break,
                    other => panic!("{other:?} although the window is long enough"),
                }
            }
        }
    }
    assert_eq!(world.server.reuses, 0);
    // 60 s before the end of 600 s, and 3 s on the way.
    let refreshes = world.server.arrived.len() - 1;
    assert!((10..=12).contains(&refreshes), "{refreshes} refreshes in 6000 s");
}

// Signing out

#[test]
fn signing_out_saves_and_revokes_the_refresh_token_first() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    process.coordinator.sign_out(world.now);
    let tokens = revoked(&mut process, &mut store, &mut world.now);
    assert_eq!(tokens, ["refresh-2", "access-3"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::SignedOut), "{error:?}");
}

#[test]
fn signing_out_of_nothing_is_nothing() {
    let mut world = Scenario::new();
    let mut store = Store::default();
    let mut process = Process::new(&mut world);
    process.coordinator.sign_out(world.now);
    process.settles(&mut store, &mut world);
    process.coordinator.sign_out(world.now);
    process.settles(&mut store, &mut world);
    assert!(store.stored.is_none());
}

#[test]
fn signing_out_while_a_lease_is_being_stored_is_saved() {
    for fault in [None, Some(Fault::Done), Some(Fault::Undone)] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(world.now, 30);
        assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
        let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
            panic!("a lease is taken first")
        };
        store.faults.extend(fault);
        let swapped = store.swap(expected, state);
        process.coordinator.sign_out(world.now);
        process.coordinator.swapped(swapped, world.now);
        let tokens = revoked(&mut process, &mut store, &mut world.now);
        assert_eq!(tokens, ["refresh-2", "access-3"]);
        assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
        world.pass(5);
        let error = process.is_refused(&mut store, &mut world);
        assert!(is_login(&error, &Reason::SignedOut), "{error:?}");
        assert_eq!(world.server.arrived.len(), 1, "the leased request is dropped");
    }
}

#[test]
fn signing_out_while_tokens_are_being_saved_is_saved() {
    for fault in [None, Some(Fault::Done), Some(Fault::Undone)] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(world.now, 30);
        let request = process.sends(&ask, &mut store, &mut world.now);
        let answer = world.answer(&request);
        process.coordinator.received(&answer, world.now);
        let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
            panic!("new tokens are saved")
        };
        store.faults.extend(fault);
        let swapped = store.swap(expected, state);
        process.coordinator.sign_out(world.now);
        process.coordinator.swapped(swapped, world.now);
        let tokens = revoked(&mut process, &mut store, &mut world.now);
        assert_eq!(tokens, ["refresh-4", "access-5"]);
        assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
    }
}

#[test]
fn signing_out_while_a_refresh_is_on_its_way_revokes_what_it_brings() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    let request = process.sends(&ask, &mut store, &mut world.now);
    process.coordinator.sign_out(world.now);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    let mut tokens = revoked(&mut process, &mut store, &mut world.now);
    tokens.sort();
    assert_eq!(tokens, ["access-3", "access-5", "refresh-2", "refresh-4"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
}

#[test]
fn signing_out_while_another_process_refreshes_revokes_its_tokens_as_well() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut first, mut second) = (Process::new(&mut world), Process::new(&mut world));
    first.gets_token(&mut store, &mut world);
    world.pass(4000);
    second.gets_token(&mut store, &mut world);
    first.coordinator.sign_out(world.now);
    let mut tokens = revoked(&mut first, &mut store, &mut world.now);
    tokens.sort();
    assert_eq!(tokens, ["access-3", "access-5", "refresh-2", "refresh-4"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
    let error = second.coordinator.state().map(name);
    assert_eq!(error, Some("Authorized"), "it has not looked yet");
}

// A new login

#[test]
fn a_new_login_replaces_whatever_is_stored() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.unauthorized());
    let mut process = Process::new(&mut world);
    let error = process.is_refused(&mut store, &mut world);
    assert!(error.needs_login());
    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    process.settles(&mut store, &mut world);
    let token = process.gets_token(&mut store, &mut world);
    assert!(world.server.accepts(&token));
    assert_eq!(stored_token(&store, world.now), Some(token));
}

#[test]
fn a_new_login_is_used_before_it_is_saved() {
    let mut world = Scenario::new();
    let mut store = Store { down: true, ..Store::default() };
    let mut process = Process::new(&mut world);
    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    assert_eq!(process.gets_token(&mut store, &mut world), "access-3");
    store.down = false;
    process.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-3"));
}

#[test]
fn a_new_login_while_a_swap_is_on_its_way_is_saved() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
    let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
        panic!("a lease is taken first")
    };
    let swapped = store.swap(expected, state);
    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    process.coordinator.swapped(swapped, world.now);
    process.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-6"));
}

#[test]
fn a_new_login_while_a_refresh_is_on_its_way_has_its_answer_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    process.sends(&ask, &mut store, &mut world.now);
    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    process.coordinator.received(&good("late"), world.now);
    let tokens = revoked(&mut process, &mut store, &mut world.now);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-6"));
}

#[test]
fn a_new_login_that_a_browser_has_yet_to_finish_is_refused_and_nothing_changes() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    let before = store.versions;
    let pending = world.awaiting_callback().0;
    let failed = process.coordinator.log_in(pending).expect_err("it needs a browser");
    assert_eq!(failed.error, Error::Misuse(Misuse::UnfinishedLogin));
    process.settles(&mut store, &mut world);
    assert_eq!(store.versions, before);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-3");
}

// An executor that is gone

#[test]
fn an_abandoned_load_is_done_again() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    assert!(matches!(process.coordinator.poll(&ask, world.now), Effect::Load));
    assert!(matches!(process.coordinator.poll(&ask, world.now), Effect::Busy));
    process.coordinator.abandoned(world.now);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn an_abandoned_lease_is_looked_up() {
    for stored in [true, false] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(world.now, 30);
        assert!(matches!(process.poll(&ask, &mut store, world.now), Did::Load));
        let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
            panic!("a lease is taken first")
        };
        if stored {
            assert!(store.swap(expected, state).is_ok());
        }
        process.coordinator.abandoned(world.now);
        assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
        assert_eq!(world.server.arrived.len(), 2);
    }
}

#[test]
fn an_abandoned_request_is_in_doubt() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    let request = process.sends(&ask, &mut store, &mut world.now);
    world.answer(&request);
    process.coordinator.abandoned(world.now);
    let did = process.run(&ask, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Refused(error) if error.needs_login()));
    assert_eq!(stored_reason(&store), Some(Reason::AnswerLost));
}

#[test]
fn an_abandoned_save_is_done_again() {
    for stored in [true, false] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(world.now, 30);
        let request = process.sends(&ask, &mut store, &mut world.now);
        let answer = world.answer(&request);
        process.coordinator.received(&answer, world.now);
        let Effect::Swap(expected, state) = process.coordinator.poll(&ask, world.now) else {
            panic!("new tokens are saved")
        };
        if stored {
            assert!(store.swap(expected, state).is_ok());
        }
        process.coordinator.abandoned(world.now);
        process.settles(&mut store, &mut world);
        assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
    }
}

#[test]
fn an_abandoned_revocation_is_not_waited_for() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    process.coordinator.sign_out(world.now);
    let ask = process.coordinator.settled(at(60));
    process.sends(&ask, &mut store, &mut world.now);
    process.coordinator.abandoned(world.now);
    process.settles(&mut store, &mut world);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
}

#[test]
fn an_abandonment_of_nothing_is_nothing() {
    let (mut world, mut process, mut store) = expired();
    process.coordinator.abandoned(world.now);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    process.coordinator.abandoned(world.now);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn outcomes_that_nothing_waits_for_change_nothing() {
    let (mut world, mut process, mut store) = expired();
    process.coordinator.received(&good("odd"), world.now);
    process.coordinator.lost(Lost::Unanswered, world.now);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    process.coordinator.received(&good("odd"), world.now);
    process.coordinator.lost(Lost::Unsent, world.now);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

// Errors

#[test]
fn the_servers_refusal_is_given_to_all_who_waited_for_it() {
    for code in ["invalid_client", "invalid_grant", "invalid_scope"] {
        let (mut world, mut process, mut store) = expired();
        let asks: Vec<Ask> = (0..10).map(|_| process.token(world.now, 30)).collect();
        process.sends(&asks[0], &mut store, &mut world.now);
        process.coordinator.received(&refusal(code), world.now);
        for ask in &asks {
            let did = process.until_sent(ask, &mut store, &mut world.now);
            let Did::Refused(Error::Denied(denied)) = did else { panic!("{did:?}, not Denied") };
            assert_eq!(denied.error(), code);
        }
    }
}

#[test]
fn an_unreadable_answer_is_given_to_all_who_waited_for_it() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    process.sends(&ask, &mut store, &mut world.now);
    process.coordinator.received(&reply(404, "<html>Not found</html>"), world.now);
    let did = process.until_sent(&ask, &mut store, &mut world.now);
    assert!(matches!(did, Did::Refused(Error::Malformed(_))));
}

#[test]
fn a_caller_that_comes_later_is_not_given_an_earlier_error() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    process.sends(&ask, &mut store, &mut world.now);
    process.coordinator.received(&refusal("invalid_client"), world.now);
    process.until_sent(&ask, &mut store, &mut world.now);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_login_that_is_over_says_why_to_a_caller_that_comes_later() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(world.now, 30);
    process.sends(&ask, &mut store, &mut world.now);
    process.coordinator.received(&refusal("invalid_grant"), world.now);
    process.until_sent(&ask, &mut store, &mut world.now);
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::Denied("invalid_grant".into())), "{error:?}");
}

#[test]
fn an_outage_is_waited_out_as_long_as_the_caller_does() {
    for fate in [Fate::Turned(503, None), Fate::RequestLost, Fate::NeverLeft] {
        let (mut world, mut process, mut store) = expired();
        world.server.fates.extend([fate, fate]);
        assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
        assert_eq!(world.now, at(4000 + 1 + 2));
    }
}

#[test]
fn an_outage_longer_than_the_callers_patience_is_an_error() {
    let (mut world, mut process, mut store) = expired();
    world.server.fates.extend([Fate::Turned(503, Some(300))]);
    let ask = process.token(world.now, 30);
    let did = process.run(&ask, &mut store, &mut world.server, &mut world.now);
    let Did::Refused(error) = did else { panic!("{did:?}, not an error") };
    assert!(matches!(&error, Error::Unavailable(_)), "{error:?}");
    assert!(world.now <= at(4030));
    world.pass(300);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_back_off_is_shared_through_the_store() {
    let (mut world, mut first, mut store) = expired();
    world.server.fates.extend([Fate::Turned(503, Some(20))]);
    let ask = first.token(world.now, 30);
    first.sends(&ask, &mut store, &mut world.now);
    first.coordinator.received(&scenario::busy(503, "20"), world.now);
    first.settles(&mut store, &mut world);
    world.server.fates.clear();
    let mut second = Process::new(&mut world);
    assert_eq!(second.gets_token(&mut store, &mut world), "access-5");
    assert_eq!(world.now, at(4020));
}

#[test]
fn a_stored_login_of_another_client_is_an_error_and_no_loop() {
    let mut world = Scenario::new();
    let (_, foreign) =
        stranger().client_credentials().begin(&mut world.rng, world.now).expect("a usable login");
    let mut store = Store::holding(foreign);
    let mut process = Process::new(&mut world);
    for _ in 0..3 {
        let error = process.is_refused(&mut store, &mut world);
        assert_eq!(error, Error::Misuse(Misuse::WrongClient));
    }
    world.pass(10);
    let error = process.is_refused(&mut store, &mut world);
    assert_eq!(error, Error::Misuse(Misuse::WrongClient));
    assert_eq!(store.versions, 1, "what is not ours is left alone");
}

#[test]
fn a_stored_login_that_a_browser_has_yet_to_finish_is_an_error_and_no_loop() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.awaiting_callback().0);
    let mut process = Process::new(&mut world);
    for _ in 0..3 {
        let error = process.is_refused(&mut store, &mut world);
        assert_eq!(error, Error::Misuse(Misuse::UnfinishedLogin));
    }
    store.put(&world.authorized().into());
    world.pass(1);
    let token = process.gets_token(&mut store, &mut world);
    assert!(world.server.accepts(&token));
}

#[test]
fn a_stored_code_on_its_way_is_a_login_to_begin_anew() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.awaiting_token().1);
    let mut process = Process::new(&mut world);
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::CodeSpent), "{error:?}");
}

// Challenges

#[test]
fn a_challenge_is_answered_with_a_new_token_once() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    let generation = process.generation(&mut store, world.now);
    world.pass(60);
    for _ in 0..1000 {
        let challenged = process.coordinator.challenged(generation, &invalid_token(), world.now);
        assert_eq!(challenged, Challenged::Rejected);
    }
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    let challenged = process.coordinator.challenged(generation, &invalid_token(), world.now);
    assert_eq!(challenged, Challenged::Superseded);
    assert_eq!(world.server.arrived.len(), 2);
}

#[test]
fn a_rejected_token_that_nothing_renews_is_never_given_again() {
    let mut world = Scenario::without_refresh_tokens();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    let generation = process.generation(&mut store, world.now);
    world.pass(60);
    process.coordinator.challenged(generation, &invalid_token(), world.now);
    for _ in 0..5 {
        let error = process.is_refused(&mut store, &mut world);
        assert!(is_login(&error, &Reason::TokenRejected), "{error:?}");
        world.pass(10);
    }
    let mut restarted = Process::new(&mut world);
    let error = restarted.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::TokenRejected), "the mark is stored: {error:?}");
}

#[test]
fn a_rejected_token_is_not_given_while_another_process_refreshes() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut first, mut second) = (Process::new(&mut world), Process::new(&mut world));
    let generation = second.generation(&mut store, world.now);
    world.pass(3550);
    let ask = first.token(world.now, 60);
    let request = first.sends(&ask, &mut store, &mut world.now);
    second.coordinator.challenged(generation, &invalid_token(), world.now);
    let other = second.token(world.now, 60);
    for _ in 0..10 {
        match second.poll(&other, &mut store, world.now) {
            Did::Load | Did::Swap(..) => {}
            Did::Wait(seconds) => {
                world.pass(seconds);
            }
            other => panic!("{other:?} although the token was rejected"),
        }
    }
    let answer = world.answer(&request);
    first.coordinator.received(&answer, world.now);
    first.run(&ask, &mut store, &mut world.server, &mut world.now);
    let did = second.run(&other, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    assert_eq!(world.server.reuses, 0);
}

#[test]
fn a_rejected_token_is_not_given_after_an_own_refusal_gave_way_to_another_process() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut late, mut other) = (Process::new(&mut world), Process::new(&mut world));
    let generation = late.generation(&mut store, world.now);
    world.pass(3541);
    let ask = late.token(world.now, 600);
    late.sends(&ask, &mut store, &mut world.now);
    world.pass(30);
    let other_ask = other.token(world.now, 600);
    other.sends(&other_ask, &mut store, &mut world.now);
    late.coordinator.challenged(generation, &invalid_token(), world.now);
    // By itself, it would be the end of the login: but the other one holds the lease.
    late.coordinator.received(&refusal("invalid_grant"), world.now);
    for _ in 0..10 {
        match late.poll(&ask, &mut store, world.now) {
            Did::Load | Did::Swap(..) => {}
            Did::Wait(_) | Did::Refused(_) => return,
            other => panic!("{other:?} although the token was rejected"),
        }
    }
    panic!("this coordinator goes in circles")
}

#[test]
fn a_rejected_token_that_another_process_has_replaced_is_not_refreshed_again() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut first, mut second) = (Process::new(&mut world), Process::new(&mut world));
    let generation = second.generation(&mut store, world.now);
    first.generation(&mut store, world.now);
    world.pass(60);
    first.coordinator.challenged(generation, &invalid_token(), world.now);
    assert_eq!(first.gets_token(&mut store, &mut world), "access-5");
    second.coordinator.challenged(generation, &invalid_token(), world.now);
    assert_eq!(second.gets_token(&mut store, &mut world), "access-5");
    assert_eq!(world.server.arrived.len(), 2, "the code, and one refresh");
}

#[test]
fn a_rejected_mark_survives_a_restart_while_a_back_off_is_pending() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    let generation = process.generation(&mut store, world.now);
    world.pass(60);
    process.coordinator.challenged(generation, &invalid_token(), world.now);
    let ask = process.token(world.now, 0);
    process.sends(&ask, &mut store, &mut world.now);
    process.coordinator.received(&refusal("invalid_client"), world.now);
    process.settles(&mut store, &mut world);
    let mut restarted = Process::new(&mut world);
    assert_eq!(restarted.gets_token(&mut store, &mut world), "access-5");
}

// Refreshing on demand

#[test]
fn a_forced_refresh_gives_a_newer_token() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    let ask = process.coordinator.refresh(at(60)).expect("renewable");
    let did = process.run(&ask, &mut store, &mut world.server, &mut world.now);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn forced_refreshes_at_the_same_time_are_one() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    let ask = process.coordinator.refresh(at(60)).expect("renewable");
    let request = process.sends(&ask, &mut store, &mut world.now);
    let asks: Vec<Ask> =
        (0..100).map(|_| process.coordinator.refresh(at(60)).expect("renewable")).collect();
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.now);
    for ask in &asks {
        let did = process.run(ask, &mut store, &mut world.server, &mut world.now);
        assert!(matches!(did, Did::Token(token) if token == "access-5"));
    }
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    assert_eq!(world.server.arrived.len(), 2);
}

#[test]
fn a_forced_refresh_that_fails_is_an_error_and_the_old_token_stays() {
    for answer in [refusal("invalid_client"), reply(503, ""), reply(200, "<html>")] {
        let mut world = Scenario::new();
        let mut store = Store::holding(world.authorized());
        let mut process = Process::new(&mut world);
        process.settles(&mut store, &mut world);
        let ask = process.coordinator.refresh(at(60)).expect("renewable");
        process.sends(&ask, &mut store, &mut world.now);
        process.coordinator.received(&answer, world.now);
        let did = process.until_sent(&ask, &mut store, &mut world.now);
        assert!(matches!(did, Did::Refused(_)), "{did:?}");
        assert_eq!(process.gets_token(&mut store, &mut world), "access-3");
    }
}

#[test]
fn a_forced_refresh_is_refused_where_nothing_renews_the_login() {
    let mut world = Scenario::without_refresh_tokens();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    let refused = process.coordinator.refresh(at(60)).expect_err("nothing to ask with");
    assert_eq!(refused, Error::Misuse(Misuse::NotRenewable));
}

// Clocks that jump

#[test]
fn a_clock_set_back_does_not_keep_a_process_from_looking_at_the_store() {
    let mut world = Scenario::new();
    let mut store = Store::default();
    let mut process = Process::new(&mut world);
    process.is_refused(&mut store, &mut world);
    store.put(&world.authorized().into());
    world.now = Timestamp::from_unix_seconds(START - 1_000_000);
    // A token from the future is refreshed.
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_clock_set_back_does_not_stretch_the_pause_of_a_store_that_was_down() {
    let (mut world, mut process, mut store) = expired();
    store.down = true;
    let ask = process.token(world.now, 5);
    process.until_sent(&ask, &mut store, &mut world.now);
    store.down = false;
    world.now = Timestamp::from_unix_seconds(START - 1_000_000);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_clock_set_back_while_another_process_refreshes_delays_by_one_lease_at_most() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(world.now, 60);
    died.sends(&ask, &mut store, &mut world.now);
    let mut process = Process::new(&mut world);
    let generation = match store.state() {
        Some(State::Refreshing(state)) => state.held().token(at(0)).map(|token| token.generation()),
        Some(State::Unauthorized(_) | State::Authorizing(_) | State::Authorized(_)) | None => None,
    };
    world.now = Timestamp::from_unix_seconds(START - 1_000_000);
    // By this clock the old token is good again, so a caller who needs another one rejects it.
    process.settles(&mut store, &mut world);
    let generation = generation.expect("there is an old token");
    process.coordinator.challenged(generation, &invalid_token(), world.now);
    let begun = world.now;
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    assert!(world.now.since(begun).as_secs() <= 31);
}
