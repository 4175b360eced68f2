//! A coordinator, effect by effect, over a store in memory that fails when it is told to. Every
//! loop is bounded: a coordinator that goes in circles fails its test.
#![expect(
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail loudly, and show whatever they did not expect"
)]

mod scenario;

use core::ops::RangeInclusive;
use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response};
use oauth2_proto::{
    Ask, Authorizing, Body, Challenged, Coordinator, Effect, Error, Expired, Generation, Given,
    Lost, Misuse, Outage, Purpose, Reason, Seed, State, Swapped, Timestamp, Unknown, Version,
};
use scenario::{
    Fate, Fault, Outcome, Scenario, Store, at, form, invalid_token, refresh_token, refusal, reload,
    reply, stranger,
};

/// What one poll came to. What needs the store has been done and reported already.
#[expect(clippy::large_enum_variant, reason = "it is looked at, and dropped")]
#[derive(Debug)]
enum Did {
    Load,
    /// What was to be stored.
    Swap(&'static str, Result<Swapped, Unknown>),
    /// And for how long it may be on its way.
    Send(Request<Body>, Duration),
    Wait(Duration),
    Busy(Duration),
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

const MINUTE: Duration = Duration::from_secs(60);

/// Seconds after which the lease of another one is taken over: 30, a sixth of that, and up to one so
/// that not all who wait do it at the same moment. (The time of day is cut to whole seconds.)
const TAKEN_OVER: RangeInclusive<u64> = 35..=37;

/// One process of several.
struct Process {
    coordinator: Coordinator,
}

impl Process {
    fn new(world: &mut Scenario) -> Self {
        let mut seed = Seed::new(&mut world.rng).expect("there is always randomness");
        Self { coordinator: Coordinator::new(Arc::clone(&world.client), &mut seed) }
    }

    fn token(&self, world: &Scenario, seconds: u64) -> Ask {
        self.coordinator.token(Duration::from_secs(seconds), world.moment())
    }

    fn poll(&mut self, ask: &Ask, store: &mut Store, world: &Scenario) -> Did {
        let now = world.moment();
        match self.coordinator.poll(ask, now) {
            Effect::Load => {
                self.coordinator.loaded(store.load(), now);
                Did::Load
            }
            Effect::Swap(expected, state, _) => {
                let (name, swapped) = (name(state), store.swap(expected, state));
                self.coordinator.swapped(swapped, now);
                Did::Swap(name, swapped)
            }
            Effect::Send(request, time_out) => {
                assert!(!time_out.is_zero(), "a request leaves with time to be answered");
                Did::Send(request, time_out)
            }
            Effect::Wait(pause) => {
                assert!(!pause.is_zero(), "a wake-up at once is a hot loop");
                Did::Wait(pause)
            }
            Effect::Busy(pause) => Did::Busy(pause),
            Effect::Give(Ok(Given::Token(token))) => Did::Token(token.expose().into()),
            Effect::Give(Ok(Given::Settled)) => Did::Settled,
            Effect::Give(Err(error)) => Did::Refused(error),
            other => panic!("{other:?} is an effect that these tests do not know"),
        }
    }

    /// Polls until something is given, or a request is to be sent; sleeps when told to.
    fn until_sent(&mut self, ask: &Ask, store: &mut Store, world: &mut Scenario) -> Did {
        for _ in 0..400 {
            match self.poll(ask, store, world) {
                Did::Load | Did::Swap(..) => {}
                Did::Wait(pause) => world.wait(pause),
                last @ (Did::Send(..)
                | Did::Busy(_)
                | Did::Token(_)
                | Did::Settled
                | Did::Refused(_)) => return last,
            }
        }
        panic!("this coordinator goes in circles")
    }

    /// Polls until a request is to be sent.
    fn sends(&mut self, ask: &Ask, store: &mut Store, world: &mut Scenario) -> Request<Body> {
        match self.until_sent(ask, store, world) {
            Did::Send(request, _) => request,
            other => panic!("{other:?}, not Send"),
        }
    }

    /// Polls until something is given; every request meets its fate at the server.
    fn run(&mut self, ask: &Ask, store: &mut Store, world: &mut Scenario) -> Did {
        for _ in 0..200 {
            match self.until_sent(ask, store, world) {
                Did::Send(request, _) => match world.server.serve(&request, world.now) {
                    Outcome::Answer { response, seconds } => {
                        world.pass(seconds);
                        self.coordinator.received(&response, world.moment());
                    }
                    Outcome::Lost(how) => self.coordinator.lost(how, world.moment()),
                },
                last => return last,
            }
        }
        panic!("this coordinator goes in circles")
    }

    fn gets_token(&mut self, store: &mut Store, world: &mut Scenario) -> String {
        let ask = self.token(world, 60);
        match self.run(&ask, store, world) {
            Did::Token(token) => token,
            other => panic!("{other:?}, not a token"),
        }
    }

    fn is_refused(&mut self, store: &mut Store, world: &mut Scenario) -> Error {
        let ask = self.token(world, 60);
        match self.run(&ask, store, world) {
            Did::Refused(error) => error,
            other => panic!("{other:?}, not an error"),
        }
    }

    fn settles(&mut self, store: &mut Store, world: &mut Scenario) {
        let ask = self.coordinator.settled(MINUTE, world.moment());
        let did = self.run(&ask, store, world);
        assert!(matches!(did, Did::Settled), "{did:?}");
    }

    fn generation(&mut self, store: &mut Store, world: &Scenario) -> Generation {
        let (ask, now) = (self.token(world, 0), world.moment());
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
    let late_ask = late.token(&world, 600);
    late.sends(&late_ask, &mut store, &mut world);
    let mut other = Process::new(&mut world);
    let ask = other.token(&world, 600);
    other.sends(&ask, &mut store, &mut world);
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
fn revoked(process: &mut Process, store: &mut Store, world: &mut Scenario) -> Vec<String> {
    let ask = process.coordinator.settled(10 * MINUTE, world.moment());
    let mut tokens = Vec::new();
    for _ in 0..20 {
        match process.until_sent(&ask, store, world) {
            Did::Send(request, _) => {
                assert_eq!(request.uri().path(), "/revoke");
                tokens.push(form(&request).remove("token").unwrap_or_default());
                process.coordinator.received(&reply(200, ""), world.moment());
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
    let ask = process.token(&world, 30);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let Did::Swap("Refreshing", Ok(Swapped::Stored(_))) = process.poll(&ask, &mut store, &world)
    else {
        panic!("the lease is stored before the request leaves")
    };
    let Did::Send(request, time_out) = process.poll(&ask, &mut store, &world) else {
        panic!("the lease is held")
    };
    assert_eq!(refresh_token(&request), "refresh-2");
    assert_eq!(time_out, Duration::from_secs(25));
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    let Did::Swap("Authorized", Ok(Swapped::Stored(_))) = process.poll(&ask, &mut store, &world)
    else {
        panic!("new tokens are saved before they are used")
    };
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn a_fresh_token_is_loaded_once_and_given() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    let ask = process.token(&world, 0);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    for _ in 0..100 {
        let ask = process.token(&world, 0);
        let did = process.poll(&ask, &mut store, &world);
        assert!(matches!(did, Did::Token(token) if token == "access-3"));
        world.pass(1);
    }
}

#[test]
fn in_the_refresh_window_others_get_the_old_token_meanwhile() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    world.pass(3550);
    let ask = process.token(&world, 30);
    process.sends(&ask, &mut store, &mut world);
    for _ in 0..1000 {
        let ask = process.token(&world, 30);
        let did = process.poll(&ask, &mut store, &world);
        assert!(matches!(did, Did::Token(token) if token == "access-3"));
    }
}

#[test]
fn a_thousand_callers_over_an_expired_token_cause_one_request() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    let asks: Vec<Ask> = (0..1000).map(|_| process.token(&world, 30)).collect();
    for ask in &asks {
        assert!(matches!(process.poll(ask, &mut store, &world), Did::Busy(_)));
    }
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    for ask in &asks {
        let did = process.run(ask, &mut store, &mut world);
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
    let ask = crashed.token(&world, 30);
    crashed.sends(&ask, &mut store, &mut world);
    drop(crashed);
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-1");
    let waited = world.elapsed.as_secs();
    assert!(TAKEN_OVER.contains(&waited), "{waited} s, and not the lease of the one that crashed");
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
    let (ask, other) = (first.token(&world, 30), second.token(&world, 30));
    first.sends(&ask, &mut store, &mut world);
    let did = second.poll(&other, &mut store, &world);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Conflict))), "{did:?}");
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Load));
    let did = second.poll(&other, &mut store, &world);
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
    let (ask, other) = (first.token(&world, 60), second.token(&world, 60));
    let request = first.sends(&ask, &mut store, &mut world);
    let did = second.poll(&other, &mut store, &world);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Conflict))), "{did:?}");
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Load));
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Wait(_)));
    world.pass(1);
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Load));
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Wait(_)));
    let answer = world.answer(&request);
    first.coordinator.received(&answer, world.moment());
    let did = first.run(&ask, &mut store, &mut world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    world.pass(1);
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Load));
    let did = second.poll(&other, &mut store, &world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    assert_eq!(world.server.arrived.len(), 2, "the code, and one refresh");
}

#[test]
fn a_caller_with_less_patience_than_the_lease_waits_for_another_process_all_the_same() {
    let (mut world, mut first, mut store) = expired();
    let ask = first.token(&world, 60);
    let request = first.sends(&ask, &mut store, &mut world);
    let mut second = Process::new(&mut world);
    let other = second.token(&world, 10);
    assert!(matches!(second.poll(&other, &mut store, &world), Did::Load));
    let did = second.poll(&other, &mut store, &world);
    assert!(matches!(did, Did::Wait(_)), "{did:?}");
    let answer = world.answer(&request);
    first.coordinator.received(&answer, world.moment());
    first.run(&ask, &mut store, &mut world);
    let did = second.run(&other, &mut store, &mut world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn a_caller_hears_when_its_patience_is_over() {
    let (mut world, mut first, mut store) = expired();
    let ask = first.token(&world, 60);
    first.sends(&ask, &mut store, &mut world);
    let begun = world.elapsed;
    let mut second = Process::new(&mut world);
    let other = second.token(&world, 10);
    let did = second.until_sent(&other, &mut store, &mut world);
    assert!(matches!(&did, Did::Refused(error) if is_outage(error, Outage::Waiting)), "{did:?}");
    assert!(world.elapsed - begun <= Duration::from_secs(10));
}

#[test]
fn a_caller_whose_patience_is_over_is_not_told_to_be_busy() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 60);
    process.sends(&ask, &mut store, &mut world);
    let impatient = process.token(&world, 5);
    world.pass(4);
    let did = process.poll(&impatient, &mut store, &world);
    assert!(matches!(did, Did::Busy(left) if left == Duration::from_secs(1)), "{did:?}");
    world.pass(1);
    let did = process.poll(&impatient, &mut store, &world);
    assert!(matches!(&did, Did::Refused(error) if is_outage(error, Outage::Waiting)), "{did:?}");
}

#[test]
fn the_lease_of_a_process_that_died_is_taken_over_when_it_has_been_watched_to_its_end() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    drop(died);
    // However old its time-stamp is: whoever has just come has seen nothing.
    world.pass(20);
    let begun = world.now;
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    let waited = world.now.since(begun).as_secs();
    assert!(TAKEN_OVER.contains(&waited), "{waited} s");
}

#[test]
fn the_lease_of_a_process_whose_clock_is_ahead_is_taken_over_as_well() {
    let (mut world, mut died, mut store) = expired();
    world.set_clock(1_000_000);
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    world.set_clock(-1_000_000);
    let begun = world.now;
    let mut process = Process::new(&mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    let waited = world.now.since(begun).as_secs();
    assert!(TAKEN_OVER.contains(&waited), "{waited} s");
}

// Leases, by a clock that only goes on

/// A process that has sent a refresh and is not heard of any more, and another one that has seen its
/// lease.
fn watching() -> (Scenario, Store, Process, Ask) {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    let mut process = Process::new(&mut world);
    let ask = process.token(&world, 600);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Wait(_)));
    (world, store, process, ask)
}

/// Polls until a swap is to be done.
fn until_swap(
    world: &mut Scenario,
    store: &mut Store,
    process: &mut Process,
    ask: &Ask,
) -> (Option<Version>, State, Purpose) {
    for _ in 0..200 {
        match process.coordinator.poll(ask, world.moment()) {
            Effect::Load => process.coordinator.loaded(store.load(), world.moment()),
            Effect::Wait(pause) => world.wait(pause),
            Effect::Swap(expected, state, purpose) => return (expected, reload(state), purpose),
            other => panic!("{other:?}, neither Load nor Wait nor Swap"),
        }
    }
    panic!("this coordinator goes in circles")
}

/// Takes the lease over, and says after how many seconds.
fn taken_over(world: &mut Scenario, store: &mut Store, process: &mut Process, ask: &Ask) -> u64 {
    let begun = world.elapsed;
    process.sends(ask, store, world);
    (world.elapsed - begun).as_secs()
}

#[test]
fn a_process_whose_clock_is_set_forward_takes_no_lease_over_early() {
    let (mut world, mut store, mut process, ask) = watching();
    world.pass(10);
    world.set_clock(3600);
    let waited = 10 + taken_over(&mut world, &mut store, &mut process, &ask);
    assert!(TAKEN_OVER.contains(&waited), "{waited} s");
}

#[test]
fn a_process_whose_clock_is_set_back_takes_a_lease_over_all_the_same() {
    let (mut world, mut store, mut process, ask) = watching();
    world.pass(10);
    world.set_clock(-300);
    let waited = 10 + taken_over(&mut world, &mut store, &mut process, &ask);
    assert!(TAKEN_OVER.contains(&waited), "{waited} s");
}

#[test]
fn a_process_whose_clock_is_turned_all_the_time_takes_a_lease_over_in_time() {
    let (mut world, mut store, mut process, ask) = watching();
    let begun = world.elapsed;
    for turn in (0..400).cycle() {
        match process.poll(&ask, &mut store, &world) {
            Did::Load => {}
            Did::Wait(_) => {
                world.wait(Duration::from_millis(250));
                world.set_clock((turn * 37) % 101 - 50);
            }
            Did::Swap("Refreshing", Ok(Swapped::Stored(_))) => break,
            other => panic!("{other:?}"),
        }
    }
    let waited = (world.elapsed - begun).as_secs();
    assert!(TAKEN_OVER.contains(&waited), "{waited} s");
}

/// A process that has stored its lease, and has not sent yet.
fn leased() -> (Scenario, Store, Process, Ask) {
    let (world, mut process, mut store) = expired();
    let ask = process.token(&world, 600);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Stored(_)))), "{did:?}");
    (world, store, process, ask)
}

#[test]
fn a_sender_whose_clock_was_set_back_since_its_lease_has_what_is_left_of_it_and_no_more() {
    let (mut world, mut store, mut process, ask) = leased();
    world.pass(10);
    world.set_clock(-3600);
    let did = process.poll(&ask, &mut store, &world);
    let Did::Send(_, time_out) = did else { panic!("{did:?}, not Send") };
    assert_eq!(time_out.as_secs(), 15);
}

#[test]
fn a_sender_whose_clock_was_set_back_since_its_lease_does_not_send_when_that_is_over() {
    for passed in [25, 3600] {
        let (mut world, mut store, mut process, ask) = leased();
        world.pass(passed);
        world.set_clock(-3600);
        let did = process.poll(&ask, &mut store, &world);
        assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Stored(_)))), "{did:?}");
    }
}

#[test]
fn a_machine_that_slept_since_its_lease_has_what_is_left_of_it_by_the_time_of_day() {
    let (mut world, mut store, mut process, ask) = leased();
    // What has elapsed stands still meanwhile.
    world.set_clock(10);
    let did = process.poll(&ask, &mut store, &world);
    let Did::Send(_, time_out) = did else { panic!("{did:?}, not Send") };
    assert_eq!(time_out.as_secs(), 15);
}

#[test]
fn a_machine_that_slept_through_its_lease_does_not_send() {
    for slept in [26, 3600] {
        let (mut world, mut store, mut process, ask) = leased();
        world.set_clock(slept);
        let did = process.poll(&ask, &mut store, &world);
        assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Stored(_)))), "{did:?}");
        assert_eq!(world.server.arrived.len(), 1, "the code, and no refresh");
    }
}

#[test]
fn while_the_store_fails_no_time_counts_against_a_lease() {
    let (mut world, mut store, mut process, ask) = watching();
    // Its holder may have new tokens, which it cannot save just now.
    world.pass(30);
    store.down = true;
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    world.pass(60);
    store.down = false;
    let waited = taken_over(&mut world, &mut store, &mut process, &ask);
    assert!((10..13).contains(&waited), "{waited} s since the store was heard of again");
}

#[test]
fn whoever_is_about_to_take_a_lease_over_and_finds_the_store_down_takes_it_when_it_is_back() {
    let (mut world, mut store, mut process, ask) = watching();
    until_swap(&mut world, &mut store, &mut process, &ask);
    process.coordinator.swapped(Err(Unknown), world.moment());
    let waited = taken_over(&mut world, &mut store, &mut process, &ask);
    assert!(waited < 3, "{waited} s since the store was heard of again");
}

#[test]
fn another_version_is_watched_from_its_own_beginning() {
    let (mut world, mut store, mut process, ask) = watching();
    world.pass(30);
    let lease = store.state().expect("a lease");
    store.put(&lease);
    let waited = taken_over(&mut world, &mut store, &mut process, &ask);
    assert!(TAKEN_OVER.contains(&waited), "{waited} s since there is another version");
}

/// A caller whose token is good asks every second, and one of these times the lease is taken over.
fn takes_over_in_the_window(
    process: &mut Process,
    ask: &Ask,
    store: &mut Store,
    world: &mut Scenario,
) {
    let begun = world.elapsed;
    for _ in 0..60 {
        match process.until_sent(ask, store, world) {
            Did::Token(_) => world.pass(1),
            Did::Send(..) => {
                let waited = (world.elapsed - begun).as_secs();
                assert!((35..49).contains(&waited), "{waited} s");
                return;
            }
            other => panic!("{other:?}, neither a token nor Send"),
        };
    }
    panic!("nobody takes it over")
}

#[test]
fn a_lease_is_taken_over_while_the_token_is_still_good_if_somebody_asks_for_it() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    world.pass(3541);
    let (mut died, mut process) = (Process::new(&mut world), Process::new(&mut world));
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-3", "it has seen the lease");
    let ask = process.token(&world, 600);
    takes_over_in_the_window(&mut process, &ask, &mut store, &mut world);
}

#[test]
fn an_outage_that_nobody_saw_leaves_a_holder_time_to_save() {
    let (mut world, mut store, mut holder, mut store_ask) = holding_unsaved();
    let mut process = Process::new(&mut world);
    let ask = process.token(&world, 600);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    // Nobody asks it meanwhile, so it does not see that the store is down.
    store.down = true;
    for _ in 0..60 {
        world.pass(1);
        holder.poll(&store_ask, &mut store, &world);
    }
    store.down = false;
    // The holder needs up to four seconds to notice that the store is back.
    let ask = process.token(&world, 600);
    for _ in 0..20 {
        match process.poll(&ask, &mut store, &world) {
            Did::Load => {}
            Did::Wait(pause) => world.wait(pause),
            Did::Token(token) => return assert_eq!(token, "access-5"),
            other => panic!("{other:?}: the holder has had no time to save"),
        }
        store_ask = holder.token(&world, 60);
        holder.poll(&store_ask, &mut store, &world);
    }
    panic!("the holder has not saved")
}

/// A process that has got new tokens, and has not saved them yet.
fn holding_unsaved() -> (Scenario, Store, Process, Ask) {
    let (mut world, mut holder, mut store) = expired();
    let ask = holder.token(&world, 600);
    let request = holder.sends(&ask, &mut store, &mut world);
    let answer = world.answer(&request);
    holder.coordinator.received(&answer, world.moment());
    (world, store, holder, ask)
}

#[test]
fn what_is_not_saved_yet_outlasts_a_record_that_cannot_be_read() {
    let (mut world, mut store, mut holder, ask) = holding_unsaved();
    let (version, lease) = (Version::new(1000), store.state().expect("a lease"));
    holder.coordinator.reload();
    assert!(matches!(holder.coordinator.poll(&ask, world.moment()), Effect::Load));
    holder.coordinator.unreadable(version, world.moment());
    assert_eq!(holder.gets_token(&mut store, &mut world), "access-5", "it is used meanwhile");
    // It can be read again.
    store.put(&lease);
    world.pass(5);
    holder.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn a_version_that_changed_unseen_conflicts_when_its_lease_is_taken_over() {
    let (mut world, mut store, mut process, ask) = watching();
    // Nobody asks meanwhile, so nobody looks.
    world.pass(60);
    let lease = store.state().expect("a lease");
    store.put(&lease);
    let waited = taken_over(&mut world, &mut store, &mut process, &ask);
    assert!(TAKEN_OVER.contains(&waited), "{waited} s since there is another version");
}

#[test]
fn where_clocks_agree_a_lease_is_over_when_its_time_stamp_says_so() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    world.pass(20);
    let mut process = Process::new(&mut world);
    process.coordinator = process.coordinator.with_clock_skew(Duration::from_secs(2));
    let ask = process.token(&world, 600);
    let waited = taken_over(&mut world, &mut store, &mut process, &ask);
    assert_eq!(waited, 12, "the rest of its lease, and the skew");
}

#[test]
fn where_clocks_agree_a_lease_from_the_future_is_watched_to_its_end() {
    for ahead in [1, 100, 1_000_000] {
        let (mut world, mut died, mut store) = expired();
        world.set_clock(ahead);
        let ask = died.token(&world, 60);
        died.sends(&ask, &mut store, &mut world);
        world.set_clock(-ahead);
        let mut process = Process::new(&mut world);
        process.coordinator = process.coordinator.with_clock_skew(Duration::from_secs(5));
        let ask = process.token(&world, 600);
        let waited = taken_over(&mut world, &mut store, &mut process, &ask);
        assert!((35..=37).contains(&waited), "{waited} s");
    }
}

#[test]
fn processes_that_wait_for_the_same_look_at_different_moments() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    let mut pauses = [Vec::new(), Vec::new()];
    for pauses in &mut pauses {
        let mut process = Process::new(&mut world);
        let ask = process.token(&world, 600);
        while pauses.len() < 10 {
            match process.poll(&ask, &mut store, &world) {
                Did::Load => {}
                Did::Wait(pause) => {
                    pauses.push(pause);
                    world.wait(pause);
                }
                other => panic!("{other:?}"),
            }
        }
        let longest = [32, 64, 128, 256, 512, 1000, 1000].map(Duration::from_millis);
        for (pause, longest) in pauses.iter().zip(longest) {
            assert!((longest / 2..longest).contains(pause), "{pause:?}, not up to {longest:?}");
        }
    }
    let [first, second] = pauses;
    assert!(first.iter().zip(&second).all(|(first, second)| first != second), "{first:?}");
}

#[test]
fn processes_that_wait_for_the_same_lease_take_it_over_at_different_moments() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    let mut moments = Vec::new();
    for _ in 0..5 {
        let (begun, time) = (world.elapsed, world.now);
        let mut process = Process::new(&mut world);
        let ask = process.token(&world, 600);
        // As if each of them had a store of its own.
        let mut store = Store::holding(store.state().expect("a lease"));
        process.sends(&ask, &mut store, &mut world);
        moments.push(world.elapsed - begun);
        (world.elapsed, world.now) = (begun, time);
    }
    moments.sort();
    assert!(moments.iter().all(|moment| TAKEN_OVER.contains(&moment.as_secs())), "{moments:?}");
    assert!(moments.windows(2).all(|pair| pair[0] < pair[1]), "{moments:?}");
}

#[test]
fn a_swap_says_what_it_is_for() {
    let (world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.poll(&ask, &mut store, &world);
    let effect = died.coordinator.poll(&ask, world.moment());
    assert!(matches!(effect, Effect::Swap(_, _, Purpose::Lease)), "{effect:?}");

    let (mut world, mut store, mut process, ask) = watching();
    let (expected, state, purpose) = until_swap(&mut world, &mut store, &mut process, &ask);
    assert_eq!(purpose, Purpose::TakeOver);
    process.coordinator.swapped(store.swap(expected, &state), world.moment());
    let request = process.sends(&ask, &mut store, &mut world);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    let effect = process.coordinator.poll(&ask, world.moment());
    assert!(matches!(effect, Effect::Swap(_, _, Purpose::Save)), "{effect:?}");
}

#[test]
fn at_the_end_of_time_nothing_overflows() {
    let (mut world, mut store, mut process, ask) = watching();
    (world.elapsed, store.down) = (Duration::MAX, true);
    for _ in 0..5 {
        process.poll(&ask, &mut store, &world);
        store.down = false;
        let ask = process.coordinator.token(Duration::MAX, world.moment());
        process.poll(&ask, &mut store, &world);
    }
}

// A conflict while a success is being saved

#[test]
fn a_late_success_wins_over_the_lease_of_another_process() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    late.coordinator.received(&good("late"), world.moment());
    let did = late.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Conflict))), "{did:?}");
    assert!(matches!(late.poll(&ask, &mut store, &world), Did::Load));
    let did = late.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Stored(_)))), "{did:?}");
    let did = late.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Token(token) if token == "late"));
    // The other one showed a refresh token that had been replaced by then.
    other.coordinator.received(&refusal("invalid_grant"), world.moment());
    let did = other.until_sent(&other_ask, &mut store, &mut world);
    assert!(matches!(&did, Did::Token(token) if token == "late"), "{did:?}");
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("late"));
}

#[test]
fn a_late_success_wins_over_a_login_that_another_process_gave_up_in_doubt() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    other.coordinator.received(&refusal("invalid_grant"), world.moment());
    let did = other.until_sent(&other_ask, &mut store, &mut world);
    assert!(matches!(did, Did::Refused(error) if error.needs_login()));
    assert_eq!(stored_reason(&store), Some(Reason::AnswerLost));
    late.coordinator.received(&good("late"), world.moment());
    let did = late.until_sent(&ask, &mut store, &mut world);
    assert!(matches!(&did, Did::Token(token) if token == "late"), "{did:?}");
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("late"));
    world.pass(1);
    assert_eq!(other.gets_token(&mut store, &mut world), "late");
}

#[test]
fn a_late_success_yields_to_newer_tokens() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    other.coordinator.received(&good("newer"), world.moment());
    other.until_sent(&other_ask, &mut store, &mut world);
    late.coordinator.received(&good("late"), world.moment());
    let did = late.until_sent(&ask, &mut store, &mut world);
    assert!(matches!(&did, Did::Token(token) if token == "newer"), "{did:?}");
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("newer"));
}

#[test]
fn a_late_success_for_a_login_that_was_signed_out_elsewhere_is_revoked() {
    let (mut world, mut store, (mut late, _), (mut other, _)) = overtaken();
    other.coordinator.sign_out(world.now);
    other.coordinator.lost(Lost::Unanswered, world.moment());
    other.settles(&mut store, &mut world);
    late.coordinator.received(&good("late"), world.moment());
    let tokens = revoked(&mut late, &mut store, &mut world);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
    let error = late.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::SignedOut), "{error:?}");
}

#[test]
fn a_late_success_for_a_login_that_was_refreshed_and_signed_out_elsewhere_is_revoked() {
    let (mut world, mut store, (mut late, _), (mut other, other_ask)) = overtaken();
    other.coordinator.received(&good("newer"), world.moment());
    other.until_sent(&other_ask, &mut store, &mut world);
    other.coordinator.sign_out(world.now);
    other.settles(&mut store, &mut world);
    late.coordinator.received(&good("late"), world.moment());
    let tokens = revoked(&mut late, &mut store, &mut world);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
}

#[test]
fn a_late_success_for_a_login_that_the_server_has_ended_is_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 60);
    process.sends(&ask, &mut store, &mut world);
    let State::Refreshing(refreshing) = store.state().expect("a login") else {
        panic!("it is leased")
    };
    let ended = refreshing
        .receive(&world.client, &refusal("invalid_grant"), world.now)
        .expect_err("a refusal");
    store.put(&ended.state);
    process.coordinator.received(&good("late"), world.moment());
    let tokens = revoked(&mut process, &mut store, &mut world);
    assert_eq!(tokens, ["late-refresh", "late"]);
}

#[test]
fn a_late_success_for_a_login_that_was_deleted_is_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 60);
    process.sends(&ask, &mut store, &mut world);
    store.stored = None;
    process.coordinator.received(&good("late"), world.moment());
    let tokens = revoked(&mut process, &mut store, &mut world);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert!(store.stored.is_none(), "what was deleted stays deleted");
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::NotStarted), "{error:?}");
}

#[test]
fn a_late_success_for_a_login_that_was_replaced_is_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 60);
    process.sends(&ask, &mut store, &mut world);
    store.put(&world.authorized().into());
    process.coordinator.received(&good("late"), world.moment());
    let tokens = revoked(&mut process, &mut store, &mut world);
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-6");
}

#[test]
fn a_late_refusal_is_no_callers_error_while_another_process_tries() {
    let (mut world, mut store, (mut late, ask), (mut other, other_ask)) = overtaken();
    late.coordinator.received(&refusal("invalid_grant"), world.moment());
    let begun = world.elapsed;
    while world.elapsed - begun < Duration::from_secs(5) {
        match late.poll(&ask, &mut store, &world) {
            Did::Load | Did::Swap(..) => {}
            Did::Wait(pause) => world.wait(pause),
            other => panic!("{other:?} although another attempt is on its way"),
        }
    }
    other.coordinator.received(&good("newer"), world.moment());
    other.until_sent(&other_ask, &mut store, &mut world);
    let did = late.until_sent(&ask, &mut store, &mut world);
    assert!(matches!(&did, Did::Token(token) if token == "newer"), "{did:?}");
}

#[test]
fn a_failure_never_overwrites_what_another_process_has_stored() {
    let failures =
        [refusal("invalid_grant"), refusal("invalid_client"), reply(503, ""), reply(200, "<html>")];
    for failure in failures {
        let (mut world, mut store, (mut late, _), (mut other, other_ask)) = overtaken();
        other.coordinator.received(&good("newer"), world.moment());
        other.until_sent(&other_ask, &mut store, &mut world);
        late.coordinator.received(&failure, world.moment());
        assert_eq!(late.gets_token(&mut store, &mut world), "newer");
        assert_eq!(stored_token(&store, world.now).as_deref(), Some("newer"));
    }
}

// Swaps whose outcome is not known

#[test]
fn a_lease_that_may_have_been_stored_and_was_is_used() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    store.faults.push_back(Fault::Done);
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Refreshing", Err(Unknown))), "{did:?}");
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Wait(_)));
    world.pass(1);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let did = process.poll(&ask, &mut store, &world);
    let Did::Send(request, time_out) = did else { panic!("{did:?}, the lease is its own") };
    assert_eq!(time_out.as_secs(), 24, "the lease counts from its beginning");
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    let did = process.run(&ask, &mut store, &mut world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn a_lease_that_may_have_been_stored_and_was_not_is_taken_anew() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    store.faults.push_back(Fault::Undone);
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Refreshing", Err(Unknown))), "{did:?}");
    world.pass(1);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Refreshing", Ok(Swapped::Stored(_)))), "{did:?}");
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Send(..)));
}

#[test]
fn a_lease_that_may_have_been_stored_but_is_anothers_is_not_used() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    store.faults.push_back(Fault::Undone);
    process.poll(&ask, &mut store, &world);
    // Another process decides the same in the same second: but for its holder, an equal state.
    let mut other = Process::new(&mut world);
    let other_ask = other.token(&world, 30);
    other.sends(&other_ask, &mut store, &mut world);
    world.pass(1);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Wait(_)), "{did:?}");
}

#[test]
fn tokens_that_may_have_been_saved_and_were_are_saved_once() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    store.faults.push_back(Fault::Done);
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Authorized", Err(Unknown))), "{did:?}");
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"), "a token is good at once");
    let versions = store.versions;
    process.settles(&mut store, &mut world);
    assert_eq!(store.versions, versions);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn tokens_that_may_have_been_saved_and_were_not_are_saved_again() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    store.faults.push_back(Fault::Undone);
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Authorized", Err(Unknown))), "{did:?}");
    process.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-5"));
}

#[test]
fn a_failure_that_may_have_been_saved_is_saved_either_way() {
    for fault in [Fault::Done, Fault::Undone] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(&world, 30);
        process.sends(&ask, &mut store, &mut world);
        process.coordinator.received(&refusal("invalid_grant"), world.moment());
        store.faults.push_back(fault);
        process.settles(&mut store, &mut world);
        assert_eq!(stored_reason(&store), Some(Reason::Denied("invalid_grant".into())));
    }
}

#[test]
fn a_back_off_that_may_have_been_saved_is_saved_either_way() {
    for fault in [Fault::Done, Fault::Undone] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(&world, 30);
        process.sends(&ask, &mut store, &mut world);
        process.coordinator.received(&scenario::busy(503, "9"), world.moment());
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
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    let answer = world.answer(&request);
    store.down = true;
    process.coordinator.received(&answer, world.moment());
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
    let ask = process.token(&world, 20);
    let did = process.until_sent(&ask, &mut store, &mut world);
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
    let ask = process.token(&world, 1000);
    let mut pauses = Vec::new();
    for _ in 0..1000 {
        match process.poll(&ask, &mut store, &world) {
            Did::Load => {}
            Did::Wait(pause) => {
                pauses.push(pause);
                world.wait(pause);
            }
            Did::Refused(_) => break,
            other => panic!("{other:?}"),
        }
    }
    let longest = [500, 1000, 2000, 4000, 8000, 16000, 32000, 32000].map(Duration::from_millis);
    for (pause, longest) in pauses.iter().zip(longest) {
        assert!((longest / 2..longest).contains(pause), "{pause:?}, not up to {longest:?}");
    }
    assert!(pauses.len() > longest.len());
}

#[test]
fn a_store_that_is_down_is_asked_often_by_who_has_new_tokens_to_save() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    store.down = true;
    let ask = process.coordinator.settled(10 * MINUTE, world.moment());
    let mut pauses = Vec::new();
    while pauses.len() < 10 {
        match process.poll(&ask, &mut store, &world) {
            Did::Load | Did::Swap(..) => {}
            Did::Wait(pause) => {
                pauses.push(pause);
                world.wait(pause);
            }
            other => panic!("{other:?}"),
        }
    }
    let longest = Duration::from_secs(2);
    assert!(pauses[4..].iter().all(|pause| (longest / 2..longest).contains(pause)), "{pauses:?}");
}

#[test]
fn a_request_is_not_sent_when_its_lease_was_stored_too_late() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 600);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment()) else {
        panic!("a lease is taken first")
    };
    let swapped = store.swap(expected, state);
    // The store takes its time.
    world.pass(25);
    process.coordinator.swapped(swapped, world.moment());
    let did = process.poll(&ask, &mut store, &world);
    assert!(matches!(did, Did::Swap("Authorized", Ok(Swapped::Stored(_)))), "{did:?}");
    assert_eq!(world.server.arrived.len(), 1, "the code, and no refresh");
    let did = process.run(&ask, &mut store, &mut world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn a_request_is_still_sent_when_its_lease_was_stored_in_time() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 600);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment()) else {
        panic!("a lease is taken first")
    };
    let swapped = store.swap(expected, state);
    world.pass(24);
    process.coordinator.swapped(swapped, world.moment());
    let did = process.poll(&ask, &mut store, &world);
    let Did::Send(_, time_out) = did else { panic!("{did:?}, not Send") };
    assert_eq!(time_out.as_secs(), 1);
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
        for (process, flying) in processes.iter_mut().zip(&mut flying) {
            if let Some((request, _)) = flying.take_if(|(_, due)| *due <= world.now) {
                let answer = world.answer(&request);
                process.coordinator.received(&answer, world.moment());
            }
            let ask = process.token(&world, 0);
            for step in 0.. {
                assert!(step < 20, "this coordinator goes in circles");
                match process.poll(&ask, &mut store, &world) {
                    Did::Load | Did::Swap(..) => {}
                    Did::Send(request, _) => *flying = Some((request, at(second + 3))),
                    Did::Token(token) => {
                        assert!(world.server.accepts(&token));
                        break;
                    }
                    Did::Busy(_) => break,
                    other => panic!("{other:?} although the window is long enough"),
                }
            }
        }
        world.pass(1);
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
    let tokens = revoked(&mut process, &mut store, &mut world);
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
        let ask = process.token(&world, 30);
        assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
        let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment())
        else {
            panic!("a lease is taken first")
        };
        store.faults.extend(fault);
        let swapped = store.swap(expected, state);
        process.coordinator.sign_out(world.now);
        process.coordinator.swapped(swapped, world.moment());
        let tokens = revoked(&mut process, &mut store, &mut world);
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
        let ask = process.token(&world, 30);
        let request = process.sends(&ask, &mut store, &mut world);
        let answer = world.answer(&request);
        process.coordinator.received(&answer, world.moment());
        let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment())
        else {
            panic!("new tokens are saved")
        };
        store.faults.extend(fault);
        let swapped = store.swap(expected, state);
        process.coordinator.sign_out(world.now);
        process.coordinator.swapped(swapped, world.moment());
        let tokens = revoked(&mut process, &mut store, &mut world);
        assert_eq!(tokens, ["refresh-4", "access-5"]);
        assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
    }
}

#[test]
fn signing_out_while_a_refresh_is_on_its_way_revokes_what_it_brings() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    process.coordinator.sign_out(world.now);
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    let mut tokens = revoked(&mut process, &mut store, &mut world);
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
    let mut tokens = revoked(&mut first, &mut store, &mut world);
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
    let ask = process.token(&world, 30);
    assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
    let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment()) else {
        panic!("a lease is taken first")
    };
    let swapped = store.swap(expected, state);
    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    process.coordinator.swapped(swapped, world.moment());
    process.settles(&mut store, &mut world);
    assert_eq!(stored_token(&store, world.now).as_deref(), Some("access-6"));
}

#[test]
fn a_new_login_while_a_refresh_is_on_its_way_has_its_answer_revoked() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    process.sends(&ask, &mut store, &mut world);
    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    process.coordinator.received(&good("late"), world.moment());
    let tokens = revoked(&mut process, &mut store, &mut world);
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

// A record that is no login

/// Has the store be read, in which nothing can be read.
fn reads_nothing(process: &mut Process, ask: &Ask, version: Version, world: &Scenario) {
    assert!(matches!(process.coordinator.poll(ask, world.moment()), Effect::Load));
    process.coordinator.unreadable(version, world.moment());
}

#[test]
fn a_record_that_cannot_be_read_is_an_error_and_no_loop() {
    let mut world = Scenario::new();
    let mut process = Process::new(&mut world);
    let stored = Misuse::StoredLogin.into();
    for _ in 0..3 {
        let ask = process.token(&world, 60);
        reads_nothing(&mut process, &ask, Version::new(7), &world);
        for _ in 0..3 {
            let effect = process.coordinator.poll(&ask, world.moment());
            assert!(matches!(&effect, Effect::Give(Err(error)) if *error == stored), "{effect:?}");
        }
        let settled = process.coordinator.settled(MINUTE, world.moment());
        let effect = process.coordinator.poll(&settled, world.moment());
        assert!(matches!(&effect, Effect::Give(Err(error)) if *error == stored), "{effect:?}");
        world.pass(1);
    }
    // Somebody has logged in meanwhile.
    let mut store = Store::holding(world.authorized());
    assert_eq!(process.gets_token(&mut store, &mut world), "access-3");
}

#[test]
fn a_record_that_cannot_be_read_is_replaced_by_a_new_login_and_by_nothing_else() {
    let mut world = Scenario::new();
    let mut process = Process::new(&mut world);
    let ask = process.token(&world, 60);
    reads_nothing(&mut process, &ask, Version::new(7), &world);
    process.coordinator.sign_out(world.now);
    let settled = process.coordinator.settled(MINUTE, world.moment());
    let effect = process.coordinator.poll(&settled, world.moment());
    assert!(matches!(&effect, Effect::Give(Err(_))), "there is nothing to sign out: {effect:?}");

    let new = world.authorized();
    process.coordinator.log_in(new).expect("it needs no browser");
    let effect = process.coordinator.poll(&settled, world.moment());
    let Effect::Swap(Some(expected), State::Authorized(_), Purpose::Save) = effect else {
        panic!("{effect:?}, although there is a new login")
    };
    // It was overwritten meanwhile, by what can be read no better.
    assert_eq!(expected, Version::new(7));
    process.coordinator.swapped(Ok(Swapped::Conflict), world.moment());
    reads_nothing(&mut process, &settled, Version::new(8), &world);
    let effect = process.coordinator.poll(&settled, world.moment());
    assert!(
        matches!(effect, Effect::Swap(Some(expected), ..) if expected == Version::new(8)),
        "{effect:?}"
    );
    process.coordinator.swapped(Ok(Swapped::Stored(Version::new(9))), world.moment());
    let effect = process.coordinator.poll(&settled, world.moment());
    assert!(matches!(effect, Effect::Give(Ok(Given::Settled))), "{effect:?}");
    let ask = process.token(&world, 0);
    let effect = process.coordinator.poll(&ask, world.moment());
    assert!(matches!(effect, Effect::Give(Ok(Given::Token(_)))), "{effect:?}");
}

// A store that contradicts itself, or forgets

#[test]
fn a_store_that_reads_what_it_does_not_compare_with_is_an_error_in_time_and_no_loop() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 60);
    let mut swaps = 0;
    let last = loop {
        let now = world.moment();
        match process.coordinator.poll(&ask, now) {
            Effect::Load => process.coordinator.loaded(store.load(), now),
            // What is compared with is newer than what is read from a replica.
            Effect::Swap(..) => {
                swaps += 1;
                process.coordinator.swapped(Ok(Swapped::Conflict), now);
            }
            Effect::Wait(pause) => world.wait(pause),
            Effect::Give(Err(error)) => break error,
            other => panic!("{other:?}, although nothing can be leased"),
        }
        assert!(swaps < 300, "this coordinator goes in circles");
    };
    assert!(is_outage(&last, Outage::Store), "{last:?}");
    // The replica has caught up.
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn tokens_that_the_store_has_forgotten_are_stored_again() {
    let (mut world, mut process, mut store) = expired();
    let before = store.stored.clone();
    let token = process.gets_token(&mut store, &mut world);
    process.settles(&mut store, &mut world);
    // A replica takes over that has received nothing of it, and its refresh token is spent.
    store.stored = before;
    world.pass(4000);
    assert_ne!(process.gets_token(&mut store, &mut world), token);
    assert!(matches!(store.state(), Some(State::Authorized(_))));
}

#[test]
fn a_sign_out_wins_over_tokens_that_the_store_has_forgotten() {
    let (mut world, mut process, mut store) = expired();
    let before = store.stored.clone();
    process.gets_token(&mut store, &mut world);
    process.settles(&mut store, &mut world);
    store.stored = before;
    let mut other = Process::new(&mut world);
    other.settles(&mut store, &mut world);
    other.coordinator.sign_out(world.now);
    other.settles(&mut store, &mut world);
    // What the other one did not know of is revoked, too.
    process.coordinator.reload();
    let held = revoked(&mut process, &mut store, &mut world);
    assert!(held.contains(&"access-5".to_owned()), "{held:?}");
    let error = process.is_refused(&mut store, &mut world);
    assert!(is_login(&error, &Reason::SignedOut), "{error:?}");
}

// An executor that is gone

#[test]
fn an_abandoned_load_is_done_again() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    assert!(matches!(process.coordinator.poll(&ask, world.moment()), Effect::Load));
    assert!(matches!(process.coordinator.poll(&ask, world.moment()), Effect::Busy(_)));
    process.coordinator.abandoned(world.moment());
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn an_abandoned_lease_is_looked_up() {
    for stored in [true, false] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(&world, 30);
        assert!(matches!(process.poll(&ask, &mut store, &world), Did::Load));
        let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment())
        else {
            panic!("a lease is taken first")
        };
        if stored {
            assert!(store.swap(expected, state).is_ok());
        }
        process.coordinator.abandoned(world.moment());
        assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
        assert_eq!(world.server.arrived.len(), 2);
    }
}

#[test]
fn an_abandoned_request_is_in_doubt() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    let request = process.sends(&ask, &mut store, &mut world);
    world.answer(&request);
    process.coordinator.abandoned(world.moment());
    let did = process.run(&ask, &mut store, &mut world);
    assert!(matches!(did, Did::Refused(error) if error.needs_login()));
    assert_eq!(stored_reason(&store), Some(Reason::AnswerLost));
}

#[test]
fn an_abandoned_save_is_done_again() {
    for stored in [true, false] {
        let (mut world, mut process, mut store) = expired();
        let ask = process.token(&world, 30);
        let request = process.sends(&ask, &mut store, &mut world);
        let answer = world.answer(&request);
        process.coordinator.received(&answer, world.moment());
        let Effect::Swap(expected, state, _) = process.coordinator.poll(&ask, world.moment())
        else {
            panic!("new tokens are saved")
        };
        if stored {
            assert!(store.swap(expected, state).is_ok());
        }
        process.coordinator.abandoned(world.moment());
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
    let ask = process.coordinator.settled(MINUTE, world.moment());
    process.sends(&ask, &mut store, &mut world);
    process.coordinator.abandoned(world.moment());
    process.settles(&mut store, &mut world);
    assert_eq!(stored_reason(&store), Some(Reason::SignedOut));
}

#[test]
fn an_abandonment_of_nothing_is_nothing() {
    let (mut world, mut process, mut store) = expired();
    process.coordinator.abandoned(world.moment());
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    process.coordinator.abandoned(world.moment());
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn outcomes_that_nothing_waits_for_change_nothing() {
    let (mut world, mut process, mut store) = expired();
    process.coordinator.received(&good("odd"), world.moment());
    process.coordinator.lost(Lost::Unanswered, world.moment());
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    process.coordinator.received(&good("odd"), world.moment());
    process.coordinator.lost(Lost::Unsent, world.moment());
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

// Errors

#[test]
fn the_servers_refusal_is_given_to_all_who_waited_for_it() {
    for code in ["invalid_client", "invalid_grant", "invalid_scope"] {
        let (mut world, mut process, mut store) = expired();
        let asks: Vec<Ask> = (0..10).map(|_| process.token(&world, 30)).collect();
        process.sends(&asks[0], &mut store, &mut world);
        process.coordinator.received(&refusal(code), world.moment());
        for ask in &asks {
            let did = process.until_sent(ask, &mut store, &mut world);
            let Did::Refused(Error::Denied(denied)) = did else { panic!("{did:?}, not Denied") };
            assert_eq!(denied.error(), code);
        }
    }
}

#[test]
fn an_unreadable_answer_is_given_to_all_who_waited_for_it() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    process.sends(&ask, &mut store, &mut world);
    process.coordinator.received(&reply(404, "<html>Not found</html>"), world.moment());
    let did = process.until_sent(&ask, &mut store, &mut world);
    assert!(matches!(did, Did::Refused(Error::Malformed(_))));
}

#[test]
fn a_caller_that_comes_later_is_not_given_an_earlier_error() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    process.sends(&ask, &mut store, &mut world);
    process.coordinator.received(&refusal("invalid_client"), world.moment());
    process.until_sent(&ask, &mut store, &mut world);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_login_that_is_over_says_why_to_a_caller_that_comes_later() {
    let (mut world, mut process, mut store) = expired();
    let ask = process.token(&world, 30);
    process.sends(&ask, &mut store, &mut world);
    process.coordinator.received(&refusal("invalid_grant"), world.moment());
    process.until_sent(&ask, &mut store, &mut world);
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
    let ask = process.token(&world, 30);
    let did = process.run(&ask, &mut store, &mut world);
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
    let ask = first.token(&world, 30);
    first.sends(&ask, &mut store, &mut world);
    first.coordinator.received(&scenario::busy(503, "20"), world.moment());
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
    let generation = process.generation(&mut store, &world);
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
    let generation = process.generation(&mut store, &world);
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
    let generation = second.generation(&mut store, &world);
    world.pass(3550);
    let ask = first.token(&world, 60);
    let request = first.sends(&ask, &mut store, &mut world);
    second.coordinator.challenged(generation, &invalid_token(), world.now);
    let other = second.token(&world, 60);
    for _ in 0..10 {
        match second.poll(&other, &mut store, &world) {
            Did::Load | Did::Swap(..) => {}
            Did::Wait(pause) => world.wait(pause),
            other => panic!("{other:?} although the token was rejected"),
        }
    }
    let answer = world.answer(&request);
    first.coordinator.received(&answer, world.moment());
    first.run(&ask, &mut store, &mut world);
    let did = second.run(&other, &mut store, &mut world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
    assert_eq!(world.server.reuses, 0);
}

#[test]
fn a_rejected_token_is_not_given_after_an_own_refusal_gave_way_to_another_process() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let (mut late, mut other) = (Process::new(&mut world), Process::new(&mut world));
    let generation = late.generation(&mut store, &world);
    world.pass(3541);
    let ask = late.token(&world, 600);
    late.sends(&ask, &mut store, &mut world);
    assert_eq!(other.gets_token(&mut store, &mut world), "access-3", "it has seen the lease");
    let other_ask = other.token(&world, 600);
    takes_over_in_the_window(&mut other, &other_ask, &mut store, &mut world);
    late.coordinator.challenged(generation, &invalid_token(), world.now);
    // By itself, it would be the end of the login: but the other one holds the lease.
    late.coordinator.received(&refusal("invalid_grant"), world.moment());
    for _ in 0..10 {
        match late.poll(&ask, &mut store, &world) {
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
    let generation = second.generation(&mut store, &world);
    first.generation(&mut store, &world);
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
    let generation = process.generation(&mut store, &world);
    world.pass(60);
    process.coordinator.challenged(generation, &invalid_token(), world.now);
    let ask = process.token(&world, 0);
    process.sends(&ask, &mut store, &mut world);
    process.coordinator.received(&refusal("invalid_client"), world.moment());
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
    let ask = process.coordinator.refresh(MINUTE, world.moment()).expect("renewable");
    let did = process.run(&ask, &mut store, &mut world);
    assert!(matches!(did, Did::Token(token) if token == "access-5"));
}

#[test]
fn forced_refreshes_at_the_same_time_are_one() {
    let mut world = Scenario::new();
    let mut store = Store::holding(world.authorized());
    let mut process = Process::new(&mut world);
    process.settles(&mut store, &mut world);
    let ask = process.coordinator.refresh(MINUTE, world.moment()).expect("renewable");
    let request = process.sends(&ask, &mut store, &mut world);
    let asks: Vec<Ask> = (0..100)
        .map(|_| process.coordinator.refresh(MINUTE, world.moment()).expect("renewable"))
        .collect();
    let answer = world.answer(&request);
    process.coordinator.received(&answer, world.moment());
    for ask in &asks {
        let did = process.run(ask, &mut store, &mut world);
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
        let ask = process.coordinator.refresh(MINUTE, world.moment()).expect("renewable");
        process.sends(&ask, &mut store, &mut world);
        process.coordinator.received(&answer, world.moment());
        let did = process.until_sent(&ask, &mut store, &mut world);
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
    let refused =
        process.coordinator.refresh(MINUTE, world.moment()).expect_err("nothing to ask with");
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
    world.set_clock(-1_000_000);
    world.pass(1);
    // A token from the future is refreshed.
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_clock_set_back_does_not_stretch_the_pause_of_a_store_that_was_down() {
    let (mut world, mut process, mut store) = expired();
    store.down = true;
    let ask = process.token(&world, 5);
    process.until_sent(&ask, &mut store, &mut world);
    store.down = false;
    world.set_clock(-1_000_000);
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
}

#[test]
fn a_clock_set_back_while_another_process_refreshes_delays_nobody() {
    let (mut world, mut died, mut store) = expired();
    let ask = died.token(&world, 60);
    died.sends(&ask, &mut store, &mut world);
    let mut process = Process::new(&mut world);
    let generation = match store.state() {
        Some(State::Refreshing(state)) => state.held().token(at(0)).map(|token| token.generation()),
        Some(State::Unauthorized(_) | State::Authorizing(_) | State::Authorized(_)) | None => None,
    };
    world.set_clock(-1_000_000);
    // By this clock the old token is good again, so a caller who needs another one rejects it.
    process.settles(&mut store, &mut world);
    let generation = generation.expect("there is an old token");
    process.coordinator.challenged(generation, &invalid_token(), world.now);
    let begun = world.now;
    assert_eq!(process.gets_token(&mut store, &mut world), "access-5");
    let waited = world.now.since(begun).as_secs();
    assert!(TAKEN_OVER.contains(&waited), "{waited} s");
}
