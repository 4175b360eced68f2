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
    Reason, Received, Seed, Session, State, Step, Swapped, Ticket, Timestamp, Unknown, Version,
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

/// Two clocks: what everybody reads, and what really passes.
struct Clock {
    now: Timestamp,
    elapsed: u64,
}

impl Clock {
    const fn new() -> Self {
        Self { now: Timestamp::from_unix_seconds(START), elapsed: 0 }
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.elapsed += seconds;
    }

    /// A clock that is set forward is like a machine that slept: time-outs have run out.
    fn jump(&mut self, seconds: i64) {
        match u64::try_from(seconds) {
            Ok(forward) => self.pass(forward),
            Err(_) => self.now = self.now.before(Duration::from_secs(seconds.unsigned_abs())),
        }
    }

    const fn servers(&self) -> Timestamp {
        Timestamp::from_unix_seconds(START + self.elapsed)
    }
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
    over_at: u64,
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
        let own = [1, 2, 4, 8, 16, 32].get(self.failures as usize).copied().unwrap_or(60_u64);
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
            Event::Pass(seconds) => self.clock.pass(*seconds),
            Event::Jump(seconds) => self.clock.jump(*seconds),
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
                    over_at: self.clock.elapsed + timeout,
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
        let requests = self.session.sign_out();
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
            State::Authorizing(Authorizing::AwaitingCallback(_)) => panic!("nobody has begun"),
            State::Authorizing(Authorizing::AwaitingToken(_)) => Shape::Asking,
            State::Authorized(_) => Shape::Holding,
            State::Refreshing(_) => Shape::Renewing,
        };
        assert_eq!(shape, self.model.shape);
        let stored = json(state);
        assert_eq!(json(&reload(state)), stored, "what is stored is what is loaded");
        // What the server still honours is still held, unless it was given up by law.
        let given_up = self.model.signed_out || self.model.reason == Reason::Unexplained;
        if let Some(refresh) = self.model.held.as_ref().and_then(|held| held.refresh.as_ref()) {
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
}
