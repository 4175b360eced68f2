//! A device login in a session under random interleavings of polls, answers, losses, restarts and
//! clocks that jump, beside a model that knows only RFC 8628. `PROPTEST_CASES` says how many, 4,096
//! unless told.
#![expect(clippy::panic, reason = "helpers of tests fail loudly")]

mod scenario;

use core::time::Duration;

use oauth2_proto::{Lost, Reason, Received, Session, State, Step, Ticket, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use scenario::{Fate, Outcome, START, Scenario, json, reload};

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

#[derive(Clone, Debug)]
enum Event {
    Step,
    /// Sleeps until the moment that the last step named.
    Sleep,
    Pass(u64),
    Jump(i64),
    /// The latest request arrives and its outcome comes back at once.
    Exchange(Fate),
    /// The one before it does.
    ExchangeOlder(Fate),
    /// The caller that has sent the latest request is gone.
    Drop,
    Decide(bool),
    Reload,
}

fn fates() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Served),
        3 => Just(Fate::Refused("slow_down")),
        2 => Just(Fate::AnswerLost),
        2 => Just(Fate::RequestLost),
        1 => Just(Fate::NeverLeft),
        1 => Just(Fate::Turned(503, None)),
        1 => Just(Fate::Turned(429, Some(100))),
        1 => Just(Fate::Gateway),
        1 => Just(Fate::Html),
        1 => Just(Fate::HalfJson),
    ]
}

fn events() -> impl Strategy<Value = Event> {
    prop_oneof![
        10 => Just(Event::Step),
        10 => Just(Event::Sleep),
        3 => (0..40_u64).prop_map(Event::Pass),
        1 => (40..2000_u64).prop_map(Event::Pass),
        1 => (-4000..0_i64).prop_map(Event::Jump),
        1 => (0..4000_i64).prop_map(Event::Jump),
        10 => fates().prop_map(Event::Exchange),
        2 => fates().prop_map(Event::ExchangeOlder),
        2 => Just(Event::Drop),
        1 => prop::bool::weighted(0.8).prop_map(Event::Decide),
        2 => Just(Event::Reload),
    ]
}

/// A request whose outcome nobody has reported.
struct Flight {
    number: u32,
    ticket: Option<Ticket>,
    request: http::Request<oauth2_proto::Body>,
    /// When it has to be given up, by the clock that nobody turns.
    over_at: u64,
}

struct Play {
    world: Scenario,
    session: Session,
    now: Timestamp,
    /// What really has passed, in seconds.
    elapsed: u64,
    /// The interval that the server has asked for, in seconds.
    interval: u64,
    /// When the latest poll, or its answer, or that of the codes, was.
    quiet_since: u64,
    /// The clock has been set back since.
    is_guess: bool,
    /// The clock has been turned at all since the latest request.
    is_turned: bool,
    expires_at: Timestamp,
    flights: Vec<Flight>,
    /// How many requests there were.
    sent: u32,
    wake: Option<Timestamp>,
    unreadable: u32,
    /// The server has given tokens away that have not arrived.
    is_spent: bool,
    is_denied: bool,
}

impl Play {
    fn new(interval: u64, lifetime: u64) -> Self {
        let mut world = Scenario::new();
        world.server.interval = interval;
        world.server.device_lifetime = lifetime;
        let polling = world.polling();
        let expires_at = polling.expires_at();
        let session = world.session(polling);
        Self {
            now: world.now,
            world,
            session,
            elapsed: 0,
            interval: interval.max(1),
            quiet_since: 0,
            is_guess: false,
            is_turned: false,
            expires_at,
            flights: Vec::new(),
            sent: 0,
            wake: None,
            unreadable: 0,
            is_spent: false,
            is_denied: false,
        }
    }

    /// The server's clock is the one that nobody turns.
    const fn servers(&self) -> Timestamp {
        Timestamp::from_unix_seconds(START + self.elapsed)
    }

    fn is_over(&self) -> bool {
        !matches!(self.session.state(), State::Authorizing(_))
    }

    fn happen(&mut self, event: &Event) {
        let wake = self.wake.take();
        match event {
            Event::Step => self.step(),
            Event::Sleep => {
                if let Some(wake) = wake {
                    self.pass(wake.since(self.now).as_secs());
                    let is_guess = self.is_guess;
                    self.step();
                    assert!(self.wake.is_none() || is_guess, "woken up for nothing");
                }
            }
            Event::Pass(seconds) => self.pass(*seconds),
            Event::Jump(seconds) => {
                self.is_turned = true;
                match u64::try_from(*seconds) {
                    Ok(forward) => self.now = self.now.after(Duration::from_secs(forward)),
                    Err(_) => {
                        self.now = self.now.before(Duration::from_secs(seconds.unsigned_abs()));
                        self.is_guess = true;
                    }
                }
            }
            Event::Exchange(fate) => self.exchange(1, *fate),
            Event::ExchangeOlder(fate) => self.exchange(2, *fate),
            Event::Drop => {
                if let Some(flight) = self.flights.last_mut() {
                    flight.ticket = None;
                }
            }
            Event::Decide(agreed) => self.world.server.decided = Some(*agreed),
            Event::Reload => self.session = self.world.session(reload(self.session.state())),
        }
        let stored = json(self.session.state());
        assert_eq!(json(&reload(self.session.state())), stored);
    }

    fn pass(&mut self, seconds: u64) {
        self.now = self.now.after(Duration::from_secs(seconds));
        self.elapsed += seconds;
    }

    fn step(&mut self) {
        match self.session.step(self.now) {
            Step::Use(_) => panic!("there are no tokens"),
            Step::Wait(until) => {
                assert!(self.now < until, "a wake-up in the past");
                assert!(until.since(self.now).as_secs() <= 7200, "a wait without end");
                self.wake = Some(until);
            }
            Step::Send(ticket, request) => {
                let is_alive = |flight: &Flight| self.elapsed < flight.over_at;
                // A clock that is set forward is taken for the time that it shows.
                assert!(self.now < self.expires_at, "polled with codes that have expired");
                if !self.is_guess && !self.is_turned && self.now == self.servers() {
                    assert!(!self.flights.iter().any(is_alive), "two at once");
                    let quiet = self.elapsed - self.quiet_since;
                    assert!(self.interval <= quiet, "polled after {quiet} s");
                }
                let timeout = ticket.deadline().since(self.now).as_secs();
                let over_at = self.elapsed + timeout;
                self.sent += 1;
                let (number, ticket) = (self.sent, Some(ticket));
                self.flights.push(Flight { number, ticket, request, over_at });
                self.quiet_since = self.elapsed;
                // From here on everything is counted by the clock as it is now.
                self.is_guess = false;
                self.is_turned = false;
            }
            Step::Login(reason) => {
                let reason = reason.clone();
                self.assert_ended(&reason);
            }
        }
    }

    fn exchange(&mut self, back: usize, fate: Fate) {
        let Some(index) = self.flights.len().checked_sub(back) else { return };
        let flight = self.flights.remove(index);
        let had_agreed = self.world.server.decided == Some(true);
        let came = self.world.server.meet(fate, &flight.request, self.servers());
        let acted = !matches!(
            fate,
            Fate::Refused(_) | Fate::RequestLost | Fate::NeverLeft | Fate::Turned(..) | Fate::Html
        );
        let Some(ticket) = flight.ticket else {
            self.is_spent |= acted && had_agreed;
            return;
        };
        let is_latest = flight.number == self.sent;
        match came {
            Outcome::Lost(how) => {
                self.is_spent |= acted && had_agreed;
                self.session.lost(ticket, how, self.now);
                if is_latest && how == Lost::Unsent {
                    self.quiet_since = self.elapsed;
                }
            }
            Outcome::Answer { response, .. } => {
                let body = String::from_utf8_lossy(response.body()).into_owned();
                let has_tokens = body.contains("access_token") && fate == Fate::Served;
                self.is_spent |= acted && had_agreed && !has_tokens;
                match self.session.receive(ticket, &response, self.now) {
                    Ok(Received::Applied) => assert!(has_tokens, "tokens out of nothing"),
                    Ok(Received::Pending) => {
                        assert!(
                            body.contains("authorization_pending") || body.contains("slow_down")
                        );
                        self.interval += if body.contains("slow_down") { 5 } else { 0 };
                        self.unreadable = 0;
                        self.quiet_since = self.elapsed;
                    }
                    Ok(_) => assert!(!has_tokens || self.is_over(), "tokens are thrown away"),
                    Err(_) => {
                        assert!(!has_tokens, "tokens are refused");
                        self.is_denied |= body.contains("error");
                        self.unreadable += u32::from(matches!(fate, Fate::Html | Fate::HalfJson));
                    }
                }
            }
        }
        if let State::Unauthorized(ended) = self.session.state() {
            let reason = ended.reason().clone();
            self.assert_ended(&reason);
        }
    }

    /// A login ends because its codes have expired, the server said so, or nobody can read it.
    fn assert_ended(&self, reason: &Reason) {
        match reason {
            Reason::Deadline => assert!(self.expires_at <= self.now || self.is_over()),
            Reason::Denied(_) => assert!(self.is_denied),
            Reason::AnswerLost => assert!(self.is_denied && self.is_spent),
            Reason::Unexplained => assert!(self.unreadable >= 3),
            other @ (Reason::NotStarted
            | Reason::TokenExpired
            | Reason::TokenRejected
            | Reason::CodeSpent
            | Reason::SignedOut
            | _) => panic!("the login has ended: {other}"),
        }
    }

    /// With an honest server, a good clock and a person who agrees, it has tokens in time.
    fn recover(mut self) {
        self.world.server.decided = Some(true);
        if self.is_spent || self.is_over() || self.now != self.servers() {
            return;
        }
        let mut rounds = 0;
        while !self.is_over() {
            rounds += 1;
            assert!(rounds < 50, "it goes in circles");
            self.step();
            match self.wake.take() {
                Some(wake) => self.pass(wake.since(self.now).as_secs()),
                None if self.is_over() => {}
                None => self.exchange(1, Fate::Served),
            }
        }
        match self.session.state() {
            State::Authorized(tokens) => assert!(tokens.is_renewable()),
            State::Unauthorized(ended) => {
                assert!(matches!(ended.reason(), Reason::Deadline | Reason::Denied(_)));
                assert!(self.expires_at <= self.now);
            }
            other @ (State::Authorizing(_) | State::Refreshing(_)) => panic!("{other:?}"),
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_device_login_keeps_its_promises(
        interval in prop_oneof![3 => Just(5_u64), 1 => 0..10_u64, 1 => 10..120_u64],
        lifetime in prop_oneof![3 => Just(1800_u64), 1 => 1..100_u64],
        events in prop::collection::vec(events(), 0..60),
    ) {
        let mut play = Play::new(interval, lifetime);
        for event in &events {
            if play.is_over() {
                break;
            }
            play.happen(event);
        }
        play.recover();
    }
}
