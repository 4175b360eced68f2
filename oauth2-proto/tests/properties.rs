//! Random interleavings of callers, answers, losses and clocks that jump, beside a reference model
//! that shares no code with the crate. `PROPTEST_CASES` says how many, 4,096 unless told; a failure
//! prints its smallest input and its seed.
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail loudly, and show whatever they did not expect"
)]

mod scenario;

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use http::{Request, Response};
use oauth2_proto::{
    Authorizing, Body, Challenged, Coordinator, Effect, Error, Expired, Generation, Given, Lost,
    Moment, Purpose, Reason, Received, Seed, Session, State, Step, Swapped, Ticket, Timestamp,
    Version,
};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use scenario::{
    Fate, Fault, Outcome, START, Scenario, Store, challenge, invalid_token, json, refresh_token,
    reload,
};
use serde::Deserialize;

fn config() -> ProptestConfig {
    let asked = ProptestConfig::default();
    ProptestConfig {
        // 256 is proptest's own default: nobody has asked for another number.
        cases: if asked.cases == 256 { 4096 } else { asked.cases },
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        max_shrink_iters: 20_000,
        ..asked
    }
}

// The world of both models

/// Who has logged in, and how the server treats it.
#[derive(Clone, Copy, Debug)]
struct Setting {
    login: Login,
    lifetime: Option<u64>,
    rotates: bool,
    grace: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Person,
    PersonWithoutRefreshToken,
    Program,
}

fn settings() -> impl Strategy<Value = Setting> {
    let login = prop_oneof![
        6 => Just(Login::Person),
        1 => Just(Login::PersonWithoutRefreshToken),
        3 => Just(Login::Program),
    ];
    let lifetime = prop_oneof![
        6 => Just(Some(3600)),
        2 => Just(Some(100)),
        2 => Just(Some(12)),
        1 => Just(Some(2)),
        1 => Just(Some(0)),
        1 => Just(None),
    ];
    let grace = prop_oneof![3 => Just(0), 1 => Just(40)];
    (login, lifetime, prop::bool::weighted(0.7), grace)
        .prop_map(|(login, lifetime, rotates, grace)| Setting { login, lifetime, rotates, grace })
}

impl Setting {
    fn world(self) -> (Scenario, State) {
        let mut world = Scenario::new();
        world.server.lifetime = self.lifetime;
        world.server.rotates = self.rotates;
        world.server.grace = self.grace;
        world.server.refreshable = self.login != Login::PersonWithoutRefreshToken;
        let state = match self.login {
            Login::Person | Login::PersonWithoutRefreshToken => world.authorized().into(),
            Login::Program => world.service().into(),
        };
        (world, state)
    }
}

/// What the server makes of a request.
fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Served),
        2 => Just(Fate::AnswerLost),
        1 => Just(Fate::RequestLost),
        1 => Just(Fate::NeverLeft),
        1 => Just(Fate::Turned(503, None)),
        1 => Just(Fate::Turned(429, Some(100))),
        1 => Just(Fate::Gateway),
        1 => Just(Fate::Html),
        1 => Just(Fate::HalfJson),
        1 => Just(Fate::Redirected),
        1 => Just(Fate::Refused("invalid_client")),
        1 => Just(Fate::Refused("access_denied")),
        1 => Just(Fate::Refused("slow_down")),
    ]
}

/// Seconds that pass.
fn spans() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0..4_u64,
        4 => 4..40_u64,
        2 => Just(30),
        2 => Just(3600),
        1 => 40..10_000_u64,
    ]
}

/// Seconds that somebody turns the clock by.
fn jumps() -> impl Strategy<Value = i64> {
    prop_oneof![-40..40_i64, -10_000..10_000_i64, Just(-100_000_000), Just(100_000_000)]
}

/// Two clocks: the time of day, and what really passes.
struct Clock {
    now: Timestamp,
    elapsed: Duration,
}

impl Clock {
    const fn new() -> Self {
        Self { now: Timestamp::from_unix_seconds(START), elapsed: Duration::ZERO }
    }

    fn pass(&mut self, span: Duration) {
        let before = self.elapsed.as_secs();
        self.elapsed += span;
        // The time of day is in whole seconds.
        self.now = self.now.after(Duration::from_secs(self.elapsed.as_secs() - before));
    }

    /// Somebody sets the time of day.
    fn jump(&mut self, seconds: i64) {
        self.now = shifted(self.now, seconds);
    }

    fn servers(&self) -> Timestamp {
        Timestamp::from_unix_seconds(START).after(self.elapsed)
    }
}

fn shifted(time: Timestamp, seconds: i64) -> Timestamp {
    let span = Duration::from_secs(seconds.unsigned_abs());
    if seconds < 0 { time.before(span) } else { time.after(span) }
}

/// What an answer says, read by other means than the crate's.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Tokens { access: String, refresh: Option<String>, lifetime: Option<u64> },
    Error(String),
    Down { retry_after: u64 },
    Nothing,
}

#[derive(Deserialize)]
struct Members {
    access_token: Option<String>,
    refresh_token: Option<String>,
    expires_in: Option<u64>,
    error: Option<String>,
}

fn said(response: &Response<Vec<u8>>) -> Said {
    if response.status().is_server_error() || response.status() == 429 {
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after = header.and_then(|text| text.parse().ok()).unwrap_or(0);
        return Said::Down { retry_after };
    }
    let Ok(members) = serde_json::from_slice::<Members>(response.body()) else {
        return Said::Nothing;
    };
    match (members.access_token, members.error) {
        // These two belong to another grant.
        (_, Some(error)) if error == "slow_down" => Said::Nothing,
        (_, Some(error)) => Said::Error(error),
        (Some(access), None) => {
            Said::Tokens { access, refresh: members.refresh_token, lifetime: members.expires_in }
        }
        (None, None) => Said::Nothing,
    }
}

// One session

#[derive(Clone, Debug)]
enum Event {
    /// A caller asks what to do.
    Step,
    Pass(u64),
    Jump(i64),
    /// The request that was sent so many requests ago reaches the server, or does not.
    Arrive(usize, Fate),
    /// Its outcome comes back.
    Return(usize),
    /// Arrives and returns at once.
    Exchange(Fate),
    /// The caller that has sent it is gone.
    Drop(usize),
    /// The server ends the login of its own accord.
    EndedByServer,
    /// A resource server refuses the token that was used so many tokens ago.
    Challenge(usize),
    Scolded,
    RefreshNow,
    SignOut,
    /// The program starts again from what it has stored.
    Reload,
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => Just(Event::Step),
        8 => spans().prop_map(Event::Pass),
        2 => jumps().prop_map(Event::Jump),
        3 => (0..3_usize, fates()).prop_map(|(back, fate)| Event::Arrive(back, fate)),
        4 => (0..3_usize).prop_map(Event::Return),
        8 => fates().prop_map(Event::Exchange),
        1 => (0..3_usize).prop_map(Event::Drop),
        1 => Just(Event::EndedByServer),
        2 => (0..2_usize).prop_map(Event::Challenge),
        1 => Just(Event::Scolded),
        1 => Just(Event::RefreshNow),
        1 => Just(Event::SignOut),
        2 => Just(Event::Reload),
    ]
}

/// A request on its way.
struct Flight {
    ticket: Option<Ticket>,
    request: Request<Body>,
    /// The tokens that were held when it was sent: how many answers had brought some.
    generation: u64,
    sent_at: Timestamp,
    /// When the host must have given it up, by the clock that nobody turns.
    over_at: Duration,
    came: Option<Outcome>,
    done: bool,
}

/// The tokens that the model believes in.
#[derive(Clone, Debug)]
struct Held {
    access: String,
    refresh: Option<String>,
    sent_at: Timestamp,
    expires_at: Option<Timestamp>,
    rejected: bool,
}

/// What the login is, in the model's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Nothing is held; a program may ask by itself, a person may not.
    Nobody,
    Asking,
    Holding,
    Renewing,
}

struct Model {
    setting: Setting,
    shape: Shape,
    held: Option<Held>,
    /// How many answers have brought tokens.
    generation: u64,
    /// The flight whose outcome counts.
    current: Option<usize>,
    doubts: u32,
    unreadable: u32,
    failures: u32,
    not_before: Option<Timestamp>,
    /// Why nobody is logged in.
    reason: Reason,
    forced: bool,
    signed_out: bool,
    /// The refresh token that was taken last, whatever has become of the login since.
    learned: Option<String>,
}

impl Model {
    fn new(setting: Setting, world: &Scenario) -> Self {
        let held = match setting.login {
            Login::Program => None,
            Login::Person | Login::PersonWithoutRefreshToken => {
                let refreshable = setting.login == Login::Person;
                Some(Held {
                    access: if refreshable { "access-3" } else { "access-2" }.into(),
                    refresh: refreshable.then(|| "refresh-2".into()),
                    sent_at: world.now,
                    expires_at: setting
                        .lifetime
                        .map(|lifetime| world.now.after(Duration::from_secs(lifetime))),
                    rejected: false,
                })
            }
        };
        let mut model = Self {
            setting,
            shape: if held.is_some() { Shape::Holding } else { Shape::Nobody },
            generation: u64::from(held.is_some()),
            held,
            current: None,
            doubts: 0,
            unreadable: 0,
            failures: 0,
            not_before: None,
            reason: Reason::NotStarted,
            forced: false,
            signed_out: false,
            learned: (setting.login == Login::Person).then(|| "refresh-2".into()),
        };
        if model.shape == Shape::Holding && setting.lifetime == Some(0) {
            model.failed(0, world.now);
        }
        model
    }

    const fn is_program(&self) -> bool {
        matches!(self.setting.login, Login::Program)
    }

    fn is_renewable(&self) -> bool {
        !self.signed_out
            && (self.is_program() || self.held.as_ref().is_some_and(|held| held.refresh.is_some()))
    }

    fn usable(&self, now: Timestamp) -> Option<&Held> {
        self.held.as_ref().filter(|held| {
            !held.rejected && held.expires_at.is_none_or(|expires_at| now < expires_at)
        })
    }

    /// Whether a back-off is pending; one that ends beyond the longest there is was set by a clock
    /// that has been set back since.
    fn is_backing_off(&self, now: Timestamp) -> bool {
        self.not_before.is_some_and(|due| now < due && due <= now.after(Duration::from_secs(3600)))
    }

    fn failed(&mut self, retry_after: u64, now: Timestamp) {
        let own = (1_u64 << self.failures.min(6)).min(60);
        self.failures += 1;
        self.not_before = Some(now.after(Duration::from_secs(own.max(retry_after.min(3600)))));
    }

    fn ended(&mut self, reason: Reason) {
        self.shape = Shape::Nobody;
        self.held = None;
        self.reason = reason;
        self.unreadable = 0;
    }

    fn sent(&mut self, flight: usize) {
        // Nobody knows what became of the one before.
        if self.current.replace(flight).is_some() {
            self.doubts += 1;
        }
        self.shape = if self.held.is_some() { Shape::Renewing } else { Shape::Asking };
        self.forced = false;
        self.not_before = None;
    }

    /// New tokens, whichever attempt brought them.
    fn obtained(&mut self, flight: &Flight, tokens: &Said, current: bool, now: Timestamp) {
        let Said::Tokens { access, refresh, lifetime } = tokens else { panic!("no tokens") };
        let expires_at =
            lifetime.map(|lifetime| flight.sent_at.after(Duration::from_secs(lifetime)));
        let refresh = match self.is_program() {
            true => None,
            false => {
                refresh.clone().or_else(|| self.held.as_ref().and_then(|held| held.refresh.clone()))
            }
        };
        self.learned.clone_from(&refresh);
        self.held = Some(Held {
            access: access.clone(),
            refresh,
            sent_at: flight.sent_at,
            expires_at,
            rejected: false,
        });
        self.generation += 1;
        self.shape = Shape::Holding;
        self.current = None;
        self.doubts = 0;
        self.unreadable = 0;
        self.not_before = None;
        self.forced = false;
        self.failures = if current { self.failures } else { 0 };
        if expires_at.is_some_and(|expires_at| now >= expires_at) {
            self.failed(0, now);
        } else {
            self.failures = 0;
        }
    }

    /// The outcome of the attempt that counts.
    fn outcome(&mut self, flight: &Flight, said: &Said, now: Timestamp) {
        self.current = None;
        match said {
            Said::Tokens { .. } => self.obtained(flight, said, true, now),
            Said::Error(error) if self.shape == Shape::Asking => {
                self.failed(0, now);
                self.shape = Shape::Nobody;
                self.reason = Reason::Denied(error.clone());
            }
            Said::Error(error) if error == "invalid_grant" && !self.is_program() => {
                let doubtful = self.doubts > 0;
                self.ended(match doubtful {
                    true => Reason::AnswerLost,
                    false => Reason::Denied(error.clone()),
                });
            }
            Said::Error(_) => {
                self.failed(0, now);
                self.shape = Shape::Holding;
            }
            Said::Down { retry_after } => {
                self.failed(*retry_after, now);
                self.doubts += 1;
            }
            Said::Nothing => {
                self.failed(0, now);
                self.doubts += 1;
                self.unreadable += 1;
                if self.unreadable >= 3 {
                    self.ended(Reason::Unexplained);
                }
            }
        }
    }

    fn lost(&mut self, how: Lost, now: Timestamp) {
        self.current = None;
        self.failed(0, now);
        match how {
            Lost::Unanswered => self.doubts += 1,
            Lost::Unsent if self.shape == Shape::Renewing && self.doubts == 0 => {
                self.shape = Shape::Holding;
            }
            Lost::Unsent => {}
        }
    }

    /// Whether a success that nobody waits for any more is taken.
    fn takes_late(&self, flight: &Flight) -> bool {
        flight.generation == self.generation
            && !self.signed_out
            && (self.shape != Shape::Nobody
                || self.is_program()
                || matches!(self.reason, Reason::AnswerLost | Reason::Unexplained))
    }
}

/// The session and its model in one world.
struct Play {
    world: Scenario,
    clock: Clock,
    session: Session,
    model: Model,
    flights: Vec<Flight>,
    used: Vec<(Generation, u64)>,
}

impl Play {
    fn new(setting: Setting) -> Self {
        let (world, state) = setting.world();
        let session = world.session(state);
        let model = Model::new(setting, &world);
        let (flights, used) = (Vec::new(), Vec::new());
        Self { world, clock: Clock::new(), session, model, flights, used }
    }

    fn happen(&mut self, event: &Event) {
        match event {
            Event::Step => self.step(),
            Event::Pass(seconds) => self.clock.pass(Duration::from_secs(*seconds)),
            // Where one process holds the login, a clock that is set forward is like a machine that
            // slept: time-outs have run out.
            Event::Jump(seconds) => match u64::try_from(*seconds) {
                Ok(forward) => self.clock.pass(Duration::from_secs(forward)),
                Err(_) => self.clock.jump(*seconds),
            },
            Event::Arrive(back, fate) => {
                if let Some(index) = self.flight(*back) {
                    self.arrive(index, *fate);
                }
            }
            Event::Return(back) => {
                if let Some(index) = self.flight(*back) {
                    self.come_back(index);
                }
            }
            Event::Exchange(fate) => {
                if let Some(index) = self.flight(0) {
                    self.arrive(index, *fate);
                    self.come_back(index);
                }
            }
            Event::Drop(back) => {
                if let Some(index) = self.flight(*back) {
                    self.flights[index].ticket = None;
                }
            }
            Event::EndedByServer => {
                if let Some(held) = self.model.held.clone() {
                    self.world.server.end(&held.access);
                }
            }
            Event::Challenge(back) => self.challenge(*back),
            Event::Scolded => {
                let before = json(self.session.state());
                if let Some((generation, _)) = self.used.last() {
                    let scolding = challenge(r#"Bearer error="insufficient_scope""#);
                    let heard = self.session.challenged(*generation, &scolding, self.clock.now);
                    assert_eq!(heard, Challenged::Unrelated);
                }
                assert_eq!(json(self.session.state()), before);
            }
            Event::RefreshNow => {
                let accepted = self.session.refresh_now().is_ok();
                let asking = matches!(self.model.shape, Shape::Asking | Shape::Renewing);
                assert_eq!(accepted, self.model.is_renewable() || asking);
                self.model.forced |= accepted;
            }
            Event::SignOut => self.sign_out(),
            Event::Reload => {
                self.session = self.world.session(reload(self.session.state()));
                self.model.forced = false;
            }
        }
        self.compare();
    }

    fn flight(&self, back: usize) -> Option<usize> {
        self.flights.len().checked_sub(back + 1)
    }

    fn step(&mut self) {
        let now = self.clock.now;
        match self.session.step(now) {
            Step::Use(token) => {
                let held = self.model.usable(now);
                let held = held.unwrap_or_else(|| panic!("a token that is no good is used"));
                assert_eq!(token.expose(), held.access);
                assert_eq!(token.generation().number(), self.model.generation);
                let wanted = self.model.forced || now < held.sent_at;
                let possible = self.model.shape == Shape::Holding && self.model.is_renewable();
                assert!(
                    !wanted || !possible || self.model.is_backing_off(now),
                    "a refresh that is due is not made"
                );
                self.used.push((token.generation(), self.model.generation));
            }
            Step::Send(ticket, request) => {
                // What asks with tokens that a late success has replaced meanwhile is old news.
                let rivals = self.flights.iter().filter(|flight| !flight.done);
                for flight in rivals.filter(|flight| flight.generation == self.model.generation) {
                    let live = self.clock.elapsed < flight.over_at;
                    assert!(!live, "two requests are on their way at the same time");
                }
                assert!(self.model.is_renewable(), "there is nothing to ask with");
                assert!(!self.model.is_backing_off(now), "a back-off is pending");
                let held = self.model.held.as_ref();
                assert_eq!(
                    refresh_token(&request),
                    held.and_then(|held| held.refresh.clone()).unwrap_or_default()
                );
                if let Some(held) = self.model.usable(now) {
                    let lifetime = held.expires_at.map(|at| at.since(held.sent_at).as_secs());
                    let early = held.expires_at.is_none_or(|at| {
                        at.since(now).as_secs() > 60.min(lifetime.unwrap_or(0) / 4)
                    });
                    // A token that is born inside its window has the other half of its life.
                    assert!(
                        self.model.forced || now < held.sent_at || !early,
                        "a good token is refreshed long before it expires"
                    );
                }
                assert!(now < ticket.deadline());
                let timeout = ticket.deadline().since(now).as_secs();
                assert!((2..=25).contains(&timeout), "{timeout} s to answer");
                self.flights.push(Flight {
                    ticket: Some(ticket),
                    request,
                    generation: self.model.generation,
                    sent_at: now,
                    over_at: self.clock.elapsed + Duration::from_secs(timeout),
                    came: None,
                    done: false,
                });
                self.model.sent(self.flights.len() - 1);
            }
            Step::Wait(until) => {
                assert!(until > now, "a wake-up in the past is a hot loop");
                assert!(until.since(now).as_secs() <= 3600, "a wait without end");
                assert!(self.model.usable(now).is_none(), "there is a token to use");
                assert!(self.model.is_renewable(), "there is nothing to wait for");
            }
            Step::Login(reason) => {
                let rejected = self.model.held.as_ref().is_some_and(|held| held.rejected);
                let expired = self.model.held.is_some() && self.model.usable(now).is_none();
                match reason {
                    Reason::TokenRejected => assert!(rejected && !self.model.is_renewable()),
                    Reason::TokenExpired if expired => {
                        assert!(!self.model.is_renewable());
                        self.model.ended(Reason::TokenExpired);
                    }
                    reason => assert_eq!(*reason, self.model.reason),
                }
                assert!(self.model.usable(now).is_none(), "there is a token to use");
                assert!(!self.model.is_renewable(), "no person is needed");
            }
        }
    }

    fn arrive(&mut self, index: usize, fate: Fate) {
        let now = self.clock.servers();
        let flight = &mut self.flights[index];
        if flight.came.is_none() && !flight.done {
            flight.came = Some(self.world.server.meet(fate, &flight.request, now));
        }
    }

    fn come_back(&mut self, index: usize) {
        let now = self.clock.now;
        let mut flight = self.flights.remove(index);
        let (came, ticket) = (flight.came.take(), flight.ticket.take());
        let Some(came) = came else {
            flight.ticket = ticket;
            return self.flights.insert(index, flight);
        };
        flight.done = true;
        let current = self.model.current == Some(index);
        let before = json(self.session.state());
        match (came, ticket) {
            // Nobody is there to hear it.
            (_, None) => {}
            (Outcome::Lost(how), Some(ticket)) => {
                self.session.lost(ticket, how, now);
                if current {
                    self.model.lost(how, now);
                } else {
                    assert_eq!(json(self.session.state()), before, "old news change nothing");
                }
            }
            (Outcome::Answer { response, .. }, Some(ticket)) => {
                let said = said(&response);
                let late = !current
                    && matches!(said, Said::Tokens { .. })
                    && self.model.takes_late(&flight);
                match self.session.receive(ticket, &response, now) {
                    Ok(Received::Applied) => {
                        assert!(matches!(said, Said::Tokens { .. }) && (current || late));
                    }
                    Ok(Received::Late(revocations)) => {
                        assert!(!current && !late, "a success is thrown away");
                        assert_eq!(json(self.session.state()), before, "old news change nothing");
                        let over = self.model.shape == Shape::Nobody;
                        assert!(revocations.is_empty() || over, "the login goes on");
                        for request in &revocations {
                            self.world.server.meet(Fate::Served, request, now);
                        }
                    }
                    Ok(other) => panic!("{other:?} is unknown to the model"),
                    Err(error) => {
                        assert!(current && !matches!(said, Said::Tokens { .. }), "{error:?}");
                    }
                }
                if current {
                    self.model.outcome(&flight, &said, now);
                } else if late {
                    self.model.obtained(&flight, &said, false, now);
                }
            }
        }
        self.flights.insert(index, flight);
    }

    fn challenge(&mut self, back: usize) {
        let Some(index) = self.used.len().checked_sub(back + 1) else { return };
        let now = self.clock.now;
        let (generation, number) = self.used[index];
        let heard = self.session.challenged(generation, &invalid_token(), now);
        let expected = match &mut self.model.held {
            _ if number != self.model.generation => Challenged::Superseded,
            None => Challenged::Rejected,
            Some(held)
                if !held.rejected
                    && now >= held.sent_at
                    && now.since(held.sent_at).as_secs() < 30 =>
            {
                Challenged::TooYoung
            }
            Some(held) => {
                held.rejected = true;
                Challenged::Rejected
            }
        };
        assert_eq!(heard, expected);
    }

    fn sign_out(&mut self) {
        let held = self.model.held.take();
        let requests = self.session.sign_out(self.clock.now);
        let expected = held.as_ref().map_or(0, |held| 1 + usize::from(held.refresh.is_some()));
        assert_eq!(requests.len(), expected, "every token that is held is revoked");
        for request in &requests {
            self.world.server.meet(Fate::Served, request, self.clock.servers());
        }
        let model = &mut self.model;
        let over = model.shape == Shape::Nobody
            && !matches!(model.reason, Reason::AnswerLost | Reason::Unexplained)
            && !model.is_renewable();
        if !over {
            model.reason = Reason::SignedOut;
        }
        model.shape = Shape::Nobody;
        model.signed_out = true;
        model.current = None;
        model.forced = false;
    }

    /// What holds at every moment.
    fn compare(&self) {
        let state = self.session.state();
        let shape = match state {
            State::Unauthorized(ended) => {
                assert_eq!(*ended.reason(), self.model.reason);
                assert_eq!(ended.is_renewable(), self.model.is_renewable());
                Shape::Nobody
            }
            State::Authorizing(
                Authorizing::AwaitingCallback(_)
                | Authorizing::AwaitingFragment(_)
                | Authorizing::Polling(_),
            ) => panic!("nobody has begun"),
            State::Authorizing(Authorizing::AwaitingToken(_)) => Shape::Asking,
            State::Authorized(_) => Shape::Holding,
            State::Refreshing(_) => Shape::Renewing,
        };
        assert_eq!(shape, self.model.shape);
        let stored = json(state);
        assert_eq!(json(&reload(state)), stored, "what is stored is what is loaded");
        // What the server still honours is still held, unless it was given up by law.
        let given_up = self.model.signed_out || self.model.reason == Reason::Unexplained;
        if let Some(refresh) = &self.model.learned {
            let honoured = self.world.server.honours(refresh, self.clock.servers());
            assert!(given_up || !honoured || stored.contains(refresh.as_str()));
        }
    }

    /// With an honest server and a good clock, it has tokens soon or needs a person.
    fn recover(&mut self) {
        for _ in 0..40 {
            self.happen(&Event::Step);
            let now = self.clock.now;
            if self.model.usable(now).is_some() || !self.model.is_renewable() {
                return;
            }
            let answered = self.model.generation;
            match self.model.current.filter(|index| self.flights[*index].ticket.is_some()) {
                Some(index) => {
                    self.arrive(index, Fate::Served);
                    self.come_back(index);
                    self.compare();
                }
                None => match self.session.step(now) {
                    Step::Wait(until) => self.happen(&Event::Pass(until.since(now).as_secs())),
                    other => panic!("{other:?}, neither tokens nor a wait"),
                },
            }
            let dead_on_arrival = self.model.setting.lifetime == Some(0);
            if dead_on_arrival && self.model.generation > answered {
                return;
            }
        }
        panic!("forty steps and no token")
    }
}

// Several processes over one store

#[derive(Clone, Debug)]
enum Deed {
    /// A caller of this process asks; one effect is begun.
    Poll(usize, Wanted),
    /// A caller asks, and the store does its best until something else is needed.
    Work(usize, Wanted),
    /// The store comes back to this process.
    Answer(usize, Mood),
    /// The request of this process meets its fate at the server.
    Arrive(usize, Fate),
    /// It does, and its outcome comes back.
    Return(usize, Fate),
    /// Whoever executed an effect of this process is gone.
    Abandon(usize),
    /// A write that nobody waits for any more is done after all.
    Ghost,
    /// A request that nobody waits for any more arrives after all.
    Orphan,
    Pass(u64),
    /// Milliseconds.
    Linger(u64),
    /// Somebody sets the time of day of all.
    Jump(i64),
    /// Somebody sets that of one process.
    JumpAlone(usize, i64),
    Challenge(usize),
    SignOut(usize),
    Crash(usize),
    EndedByServer,
}

#[derive(Clone, Copy, Debug)]
enum Wanted {
    Token(u64),
    Newer,
    Settled,
}

/// How the store treats a call.
#[derive(Clone, Copy, Debug)]
enum Mood {
    Well,
    Fails(Fault),
    /// It fails, and is done later.
    Late,
}

fn deeds() -> impl Strategy<Value = Deed> {
    let who = || 0..3_usize;
    let wanted = || {
        prop_oneof![
            8 => (0..60_u64).prop_map(Wanted::Token),
            1 => Just(Wanted::Newer),
            1 => Just(Wanted::Settled),
        ]
    };
    let store = prop_oneof![
        6 => Just(Mood::Well),
        1 => Just(Mood::Fails(Fault::Done)),
        1 => Just(Mood::Fails(Fault::Undone)),
        1 => Just(Mood::Late),
    ];
    prop_oneof![
        6 => (who(), wanted()).prop_map(|(who, wanted)| Deed::Poll(who, wanted)),
        12 => (who(), wanted()).prop_map(|(who, wanted)| Deed::Work(who, wanted)),
        6 => (who(), store).prop_map(|(who, store)| Deed::Answer(who, store)),
        2 => (who(), fates()).prop_map(|(who, fate)| Deed::Arrive(who, fate)),
        10 => (who(), fates()).prop_map(|(who, fate)| Deed::Return(who, fate)),
        1 => who().prop_map(Deed::Abandon),
        1 => Just(Deed::Ghost),
        1 => Just(Deed::Orphan),
        8 => spans().prop_map(Deed::Pass),
        2 => (1..1000_u64).prop_map(Deed::Linger),
        1 => jumps().prop_map(Deed::Jump),
        1 => (who(), jumps()).prop_map(|(who, seconds)| Deed::JumpAlone(who, seconds)),
        2 => who().prop_map(Deed::Challenge),
        1 => who().prop_map(Deed::SignOut),
        1 => who().prop_map(Deed::Crash),
        1 => Just(Deed::EndedByServer),
    ]
}

/// What is left when everything works but the clocks, and whoever is slow.
fn deeds_under_bad_clocks() -> impl Strategy<Value = Deed> {
    let who = || 0..3_usize;
    let fate = prop_oneof![
        1 => Just(Fate::Served),
        2 => Just(Fate::Turned(503, None)),
        1 => Just(Fate::AnswerLost),
    ];
    prop_oneof![
        8 => (who(), 0..60_u64).prop_map(|(who, span)| Deed::Poll(who, Wanted::Token(span))),
        12 => (who(), 0..60_u64).prop_map(|(who, span)| Deed::Work(who, Wanted::Token(span))),
        8 => who().prop_map(|who| Deed::Answer(who, Mood::Well)),
        2 => (who(), fate).prop_map(|(who, fate)| Deed::Return(who, fate)),
        8 => (1..40_u64).prop_map(Deed::Pass),
        2 => (1..1000_u64).prop_map(Deed::Linger),
        3 => jumps().prop_map(Deed::Jump),
        3 => (who(), jumps()).prop_map(|(who, seconds)| Deed::JumpAlone(who, seconds)),
        1 => who().prop_map(Deed::Crash),
    ]
}

/// What a process is waiting for.
#[derive(Debug)]
enum Doing {
    Nothing,
    Loading,
    Swapping(Option<Version>, Box<State>),
    /// One of the requests on the wire.
    Sending(usize),
}

struct Peer {
    coordinator: Coordinator,
    /// From when on it counts what has elapsed.
    started: Duration,
    /// By how much its time of day is ahead.
    ahead: i64,
    /// When it wanted to send what it took its last lease for, by its time of day.
    leased_at: Timestamp,
    doing: Doing,
    /// The access tokens that were rejected in this process.
    rejected: BTreeSet<String>,
    used: Option<(Generation, String)>,
    /// It has heard something and not yet been asked to save it.
    unsettled: bool,
}

impl Peer {
    fn now(&self, clock: &Clock) -> Moment {
        Moment::new(shifted(clock.now, self.ahead), clock.elapsed - self.started)
    }
}

/// A request on the wire.
struct Letter {
    request: Request<Body>,
    /// Which tokens it asks with: how many answers had brought some.
    generation: Option<u64>,
    sent_at: Timestamp,
    /// When the host must have given it up, by the clock that nobody turns.
    over_at: Duration,
    came: Option<Outcome>,
    /// Its outcome has been reported, or will never be.
    done: bool,
}

/// Several processes, one store, one server.
struct Fleet {
    setting: Setting,
    world: Scenario,
    clock: Clock,
    store: Store,
    peers: Vec<Peer>,
    wire: Vec<Letter>,
    ghosts: Vec<(Option<Version>, Box<State>)>,
    /// When each access token expires.
    expiries: BTreeMap<String, Option<Timestamp>>,
    /// The refresh tokens that some process has taken, and that may not be lost.
    learned: BTreeSet<String>,
    /// Something has gone wrong that excuses doubt.
    disturbed: bool,
    unreadable: u32,
    errors: BTreeSet<String>,
    given_up: bool,
    /// A sign-out is stored.
    sealed: bool,
}

/// How many answers have brought tokens, as a stored state tells it.
fn generation(state: &State) -> u64 {
    let text = json(state);
    let number = text.split_once(r#""number":"#).map_or("", |(_, rest)| rest);
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_else(|_| panic!("{text} has no generation"))
}

impl Fleet {
    fn new(setting: Setting, peers: usize) -> Self {
        let (mut world, state) = setting.world();
        let expires_at = setting.lifetime.map(|lifetime| {
            Timestamp::from_unix_seconds(START).after(Duration::from_secs(lifetime))
        });
        let mut fleet = Self {
            setting,
            clock: Clock::new(),
            store: Store::holding(state),
            peers: Vec::new(),
            wire: Vec::new(),
            ghosts: Vec::new(),
            expiries: ["access-2", "access-3"].map(|token| (token.into(), expires_at)).into(),
            learned: BTreeSet::new(),
            disturbed: false,
            unreadable: 0,
            errors: BTreeSet::new(),
            given_up: false,
            sealed: false,
            world: {
                world.now = Timestamp::from_unix_seconds(START);
                world
            },
        };
        if setting.login == Login::Person {
            fleet.learned.insert("refresh-2".into());
        }
        for _ in 0..peers {
            let peer = fleet.peer(0);
            fleet.peers.push(peer);
        }
        fleet
    }

    fn peer(&mut self, ahead: i64) -> Peer {
        let Ok(mut seed) = Seed::new(&mut self.world.rng);
        Peer {
            coordinator: Coordinator::new(Arc::clone(&self.world.client), &mut seed),
            started: self.clock.elapsed,
            ahead,
            leased_at: self.clock.now,
            doing: Doing::Nothing,
            rejected: BTreeSet::new(),
            used: None,
            unsettled: false,
        }
    }

    fn happen(&mut self, deed: &Deed) {
        match *deed {
            Deed::Poll(who, wanted) => {
                let who = who % self.peers.len();
                self.poll(who, wanted);
            }
            Deed::Work(who, wanted) => {
                let who = who % self.peers.len();
                self.work(who, wanted);
            }
            Deed::Answer(who, how) => {
                let who = who % self.peers.len();
                self.disturbed |= !matches!(how, Mood::Well);
                self.store_answers(who, how);
            }
            Deed::Arrive(who, fate) => {
                if let Doing::Sending(letter) = self.peers[who % self.peers.len()].doing {
                    self.arrive(letter, fate);
                }
            }
            Deed::Return(who, fate) => {
                let who = who % self.peers.len();
                if let Doing::Sending(letter) = self.peers[who].doing {
                    self.arrive(letter, fate);
                    self.come_back(who, letter);
                }
            }
            Deed::Abandon(who) => self.abandon(who % self.peers.len()),
            Deed::Ghost => {
                if let Some((expected, state)) = self.ghosts.pop() {
                    assert!(self.store.swap(expected, &state).is_ok());
                }
            }
            Deed::Orphan => {
                if let Some(letter) = self.wire.iter().position(|letter| letter.came.is_none()) {
                    self.arrive(letter, Fate::Served);
                }
            }
            Deed::Pass(seconds) => {
                let busy = self
                    .peers
                    .iter()
                    .any(|peer| peer.unsettled || !matches!(peer.doing, Doing::Nothing));
                // A lease that is stored and whose request has not left is work, too.
                let leased = self.store.stored.as_ref();
                let leased = leased.is_some_and(|(_, text)| text.contains(r#""on_its_way":true"#));
                let left = self.wire.iter().any(|letter| !letter.done);
                self.disturbed |= (busy || (leased && !left)) && seconds >= 5;
                self.clock.pass(Duration::from_secs(seconds));
            }
            Deed::Linger(milliseconds) => self.clock.pass(Duration::from_millis(milliseconds)),
            Deed::Jump(seconds) => {
                self.disturbed = true;
                self.clock.jump(seconds);
            }
            Deed::JumpAlone(who, seconds) => {
                self.disturbed = true;
                let who = who % self.peers.len();
                self.peers[who].ahead = self.peers[who].ahead.saturating_add(seconds);
            }
            Deed::Challenge(who) => self.challenge(who % self.peers.len()),
            Deed::SignOut(who) => {
                let who = who % self.peers.len();
                let peer = &mut self.peers[who];
                self.given_up |= peer.coordinator.state().is_some();
                peer.coordinator.sign_out(peer.now(&self.clock).time());
            }
            Deed::Crash(who) => self.crash(who % self.peers.len()),
            Deed::EndedByServer => {
                for token in self.expiries.keys() {
                    self.world.server.end(token);
                }
            }
        }
        self.compare();
    }

    /// Polls once. Says whether the store has something to do.
    fn poll(&mut self, who: usize, wanted: Wanted) -> Option<Result<String, Error>> {
        let peer = &mut self.peers[who];
        let now = peer.now(&self.clock);
        let minute = Duration::from_secs(60);
        let ask = match wanted {
            Wanted::Token(seconds) => peer.coordinator.token(Duration::from_secs(seconds), now),
            Wanted::Newer => peer.coordinator.refresh(minute, now).ok()?,
            Wanted::Settled => peer.coordinator.settled(minute, now),
        };
        let busy = !matches!(peer.doing, Doing::Nothing);
        let (request, time_out) = match peer.coordinator.poll(&ask, now) {
            Effect::Load => {
                assert!(!busy, "one effect at a time");
                peer.doing = Doing::Loading;
                return None;
            }
            Effect::Swap(expected, state, purpose) => {
                assert!(!busy, "one effect at a time");
                if matches!(purpose, Purpose::Lease | Purpose::TakeOver) {
                    peer.leased_at = now.time();
                }
                peer.doing = Doing::Swapping(expected, Box::new(reload(state)));
                return None;
            }
            Effect::Send(request, time_out) => (request, time_out),
            Effect::Wait(pause) => {
                assert!(!busy && !pause.is_zero(), "a wake-up at once is a hot loop");
                return None;
            }
            Effect::Busy(pause) => {
                assert!(busy && !pause.is_zero(), "nobody is at work");
                return None;
            }
            Effect::Give(Ok(Given::Token(token))) => {
                let (access, generation) = (token.expose().to_owned(), token.generation());
                let expires_at = self.expiries.get(&access);
                let expires_at = expires_at.unwrap_or_else(|| panic!("nobody issued {access}"));
                assert!(expires_at.is_none_or(|at| now.time() < at), "an expired token is given");
                assert!(!peer.rejected.contains(&access), "a rejected token is given");
                peer.used = Some((generation, access.clone()));
                return Some(Ok(access));
            }
            Effect::Give(Ok(Given::Settled)) => return Some(Ok(String::new())),
            Effect::Give(Err(error)) => return Some(Err(error)),
            other => panic!("{other:?} is unknown to the model"),
        };
        let seconds = time_out.as_secs();
        assert!(!busy && (1..=25).contains(&seconds), "{time_out:?} to answer");
        let revocation = request.uri().path() == "/revoke";
        let generation = peer.coordinator.state().filter(|_| !revocation).map(generation);
        let over_at = self.clock.elapsed + time_out;
        if generation.is_some() {
            for rival in self.wire.iter().filter(|rival| rival.generation == generation) {
                // However the time of day jumps: not before all hosts have given it up.
                let live = !rival.done && self.clock.elapsed < rival.over_at;
                assert!(!live, "two requests are on their way at the same time");
                self.disturbed |= !rival.done;
            }
        }
        peer.doing = Doing::Sending(self.wire.len());
        self.wire.push(Letter {
            request,
            generation,
            sent_at: peer.leased_at,
            over_at,
            came: None,
            done: false,
        });
        None
    }

    /// Polls as long as only the store is asked.
    fn work(&mut self, who: usize, wanted: Wanted) -> Option<Result<String, Error>> {
        for _ in 0..12 {
            let given = self.poll(who, wanted);
            match self.peers[who].doing {
                Doing::Loading | Doing::Swapping(..) => self.store_answers(who, Mood::Well),
                Doing::Nothing | Doing::Sending(_) => return given,
            }
        }
        panic!("a dozen calls to the store and nothing else: it goes in circles")
    }

    fn store_answers(&mut self, who: usize, how: Mood) {
        let fault = match how {
            Mood::Well => None,
            Mood::Fails(fault) => Some(fault),
            Mood::Late => Some(Fault::Undone),
        };
        let peer = &mut self.peers[who];
        let now = peer.now(&self.clock);
        match core::mem::replace(&mut peer.doing, Doing::Nothing) {
            Doing::Loading => {
                self.store.faults.extend(fault);
                peer.coordinator.loaded(self.store.load(), now);
            }
            Doing::Swapping(expected, state) => {
                self.store.faults.extend(fault);
                let swapped = self.store.swap(expected, &state);
                peer.coordinator.swapped(swapped, now);
                peer.unsettled &= !matches!(swapped, Ok(Swapped::Stored(_)));
                if matches!(how, Mood::Late) {
                    self.ghosts.push((expected, state));
                }
            }
            other => peer.doing = other,
        }
    }

    fn arrive(&mut self, letter: usize, fate: Fate) {
        let now = self.clock.servers();
        let letter = &mut self.wire[letter];
        if letter.came.is_some() {
            return;
        }
        self.disturbed |= fate != Fate::Served;
        let came = self.world.server.meet(fate, &letter.request, now);
        if let Outcome::Answer { response, .. } = &came {
            match said(response) {
                Said::Tokens { access, lifetime, .. } => {
                    let expires_at =
                        lifetime.map(|seconds| letter.sent_at.after(Duration::from_secs(seconds)));
                    self.expiries.insert(access, expires_at);
                }
                Said::Error(error) => {
                    self.errors.insert(error);
                }
                Said::Nothing => self.unreadable += 1,
                Said::Down { .. } => {}
            }
        }
        letter.came = Some(came);
    }

    fn come_back(&mut self, who: usize, letter: usize) {
        let letter = &mut self.wire[letter];
        letter.done = true;
        let peer = &mut self.peers[who];
        let now = peer.now(&self.clock);
        peer.doing = Doing::Nothing;
        peer.unsettled = true;
        match letter.came.as_ref() {
            Some(Outcome::Answer { response, .. }) => {
                peer.coordinator.received(response, now);
                if let Said::Tokens { refresh: Some(refresh), .. } = said(response)
                    && peer.coordinator.state().is_some_and(|state| json(state).contains(&refresh))
                {
                    self.learned.insert(refresh);
                }
            }
            Some(Outcome::Lost(how)) => peer.coordinator.lost(*how, now),
            None => panic!("it has not arrived"),
        }
    }

    fn abandon(&mut self, who: usize) {
        let peer = &mut self.peers[who];
        self.disturbed = true;
        peer.coordinator.abandoned(peer.now(&self.clock));
        match core::mem::replace(&mut peer.doing, Doing::Nothing) {
            Doing::Nothing | Doing::Loading => {}
            Doing::Swapping(expected, state) => self.ghosts.push((expected, state)),
            // Its connection is closed, but what has left may still arrive.
            Doing::Sending(letter) => self.wire[letter].done = true,
        }
    }

    fn crash(&mut self, who: usize) {
        self.disturbed = true;
        let fresh = self.peer(self.peers[who].ahead);
        let crashed = core::mem::replace(&mut self.peers[who], fresh);
        // Nobody closes the connection: its lease has to keep the others off.
        if let Doing::Swapping(expected, state) = crashed.doing {
            self.ghosts.push((expected, state));
        }
        // What it had not saved is gone.
        let unsaved = |refresh: &String| !self.holds(refresh);
        let lost: Vec<String> = self.learned.iter().filter(|own| unsaved(own)).cloned().collect();
        lost.iter().for_each(|refresh| {
            self.learned.remove(refresh);
        });
    }

    fn challenge(&mut self, who: usize) {
        let peer = &mut self.peers[who];
        let Some((generation, access)) = peer.used.clone() else { return };
        let now = peer.now(&self.clock).time();
        let heard = peer.coordinator.challenged(generation, &invalid_token(), now);
        if heard == Challenged::Rejected {
            peer.rejected.insert(access);
        }
    }

    /// Whether anybody still has this refresh token.
    fn holds(&self, refresh: &str) -> bool {
        let has = |state: &State| json(state).contains(refresh);
        let stored = self.store.stored.as_ref().is_some_and(|(_, text)| text.contains(refresh));
        stored || self.peers.iter().any(|peer| peer.coordinator.state().is_some_and(has))
    }

    /// What holds at every moment.
    fn compare(&mut self) {
        if let Some(State::Unauthorized(ended)) = self.store.state() {
            let program = self.setting.login == Login::Program;
            let denied = self.errors.contains("invalid_grant");
            match ended.reason() {
                Reason::NotStarted => assert!(program),
                Reason::SignedOut => self.sealed = true,
                Reason::AnswerLost => assert!(self.disturbed && denied),
                Reason::Unexplained => {
                    assert!(self.unreadable >= 3);
                    self.given_up = true;
                }
                Reason::Denied(error) => {
                    assert!(self.errors.contains(error));
                    assert!(program || error == "invalid_grant");
                }
                Reason::TokenExpired => {
                    assert_eq!(self.setting.login, Login::PersonWithoutRefreshToken);
                }
                other => panic!("nothing can end a login for this reason: {other:?}"),
            }
            assert!(!self.sealed || !ended.is_renewable());
        } else {
            assert!(!self.sealed, "a login that was signed out is back");
        }
        assert!(self.disturbed || self.world.server.reuses == 0, "a refresh token is used twice");
        // Within a grace period two successors live, and only one of them is kept.
        if self.given_up || self.setting.grace > 0 {
            return;
        }
        let now = self.clock.servers();
        for refresh in &self.learned {
            let lost = self.world.server.honours(refresh, now) && !self.holds(refresh);
            assert!(!lost, "{refresh} is honoured, and nobody has it any more");
        }
    }

    /// With a store, a server and a clock that work, every process gets a token or knows why not.
    fn recover(&mut self) {
        // Nobody dawdles with what it has heard.
        for who in 0..self.peers.len() {
            self.finish(who, Wanted::Settled);
        }
        for who in 0..self.peers.len() {
            match self.finish(who, Wanted::Token(100_000)) {
                None => assert!(self.setting.lifetime.is_some_and(|seconds| seconds < 20)),
                Some(Ok(access)) => assert!(!access.is_empty()),
                Some(Err(Error::Expired(Expired::Login(_)))) => {
                    let program = self.setting.login == Login::Program;
                    assert!(!program || self.given_up, "a program recovers by itself");
                }
                Some(Err(error)) => {
                    assert!(error.needs_login(), "{error:?}");
                }
            }
            self.compare();
        }
    }

    fn finish(&mut self, who: usize, wanted: Wanted) -> Option<Result<String, Error>> {
        for turn in 0..200 {
            if let Doing::Sending(letter) = self.peers[who].doing {
                self.arrive(letter, Fate::Served);
                self.come_back(who, letter);
            }
            self.store_answers(who, Mood::Well);
            let given = self.work(who, wanted);
            self.compare();
            if given.is_some() {
                return given;
            }
            if matches!(self.peers[who].doing, Doing::Nothing) {
                // A clock that was set back makes a back-off last up to an hour.
                self.clock.pass(Duration::from_secs(if turn < 100 { 1 } else { 60 }));
            }
        }
        None
    }
}

/// It has happened while leases were measured by the time of day.
#[test]
fn a_clock_that_is_set_back_under_a_lease_does_not_let_two_requests_out() {
    let setting = Setting { login: Login::Program, lifetime: Some(3600), rotates: true, grace: 0 };
    let ask = |who| Deed::Work(who, Wanted::Token(0));
    let begin = Deed::Poll(0, Wanted::Token(0));
    // And with pauses that would be too long for a sender who goes by the time of day.
    for (back, dawdled, watched) in [(10, 10, 20), (100, 20, 17), (100, 24, 13)] {
        let mut fleet = Fleet::new(setting, 2);
        for deed in [
            ask(0),
            Deed::Return(2, Fate::Gateway),
            ask(0),
            Deed::Pass(1),
            begin.clone(),
            Deed::Answer(2, Mood::Well),
            Deed::Jump(-back),
            ask(1),
            Deed::Pass(dawdled),
            begin.clone(),
            Deed::Pass(watched),
            ask(1),
        ] {
            fleet.happen(&deed);
        }
        fleet.recover();
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_session_does_what_its_model_does(
        setting in settings(),
        events in prop::collection::vec(events(), 1..40),
    ) {
        let mut play = Play::new(setting);
        play.compare();
        for event in &events {
            play.happen(event);
        }
        play.recover();
    }

    #[test]
    fn however_the_time_of_day_jumps_only_one_request_is_on_its_way(
        login in prop_oneof![Just(Login::Person), Just(Login::Program)],
        peers in 2..4_usize,
        deeds in prop::collection::vec(deeds_under_bad_clocks(), 1..50),
    ) {
        let setting = Setting { login, lifetime: Some(12), rotates: true, grace: 0 };
        let mut fleet = Fleet::new(setting, peers);
        for deed in &deeds {
            fleet.happen(deed);
        }
        fleet.recover();
    }

    #[test]
    fn processes_that_share_a_store_keep_the_promises(
        setting in settings(),
        peers in 2..4_usize,
        deeds in prop::collection::vec(deeds(), 1..50),
    ) {
        let mut fleet = Fleet::new(setting, peers);
        for deed in &deeds {
            fleet.happen(deed);
        }
        fleet.recover();
    }
}
