//! What a coordinator was told, in order. It cannot be copied, so a branch tells a new one the same
//! again; and what it said is remembered, so that equal histories are told once.

use core::fmt::{self, Write};
use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::HashMap;
use std::hash::DefaultHasher;
use std::rc::Rc;
use std::sync::Arc;

use oauth2_proto::{
    Ask, Challenge, Challenged, Client, Coordinator, Effect, Given, Lost, Moment, Purpose, Seed,
    State, Swapped, Unknown, Version,
};

use super::dice::Dice;
use super::record::Record;
use super::server::Reply;
use super::store::version;

/// What a caller wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Wish {
    Token,
    Newer,
    Settled,
}

/// What a coordinator is told.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Input {
    /// A caller comes, and waits for so many milliseconds.
    Ask(Wish, u64),
    Poll,
    Loaded(Option<Option<(u128, Rc<Record>)>>),
    Swapped(Outcome),
    Received(Reply),
    /// Whether the request provably never left.
    Lost(bool),
    SignOut,
    LogIn(Rc<Record>),
    /// A resource server refuses the token that was given last.
    Challenged,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Outcome {
    Stored(u128),
    Conflict,
    Unknown,
}

/// What a coordinator says.
#[derive(Clone, Debug, Hash)]
pub(crate) enum Did {
    Nothing,
    Load,
    Swap {
        expected: Option<u128>,
        record: Rc<Record>,
        lease: bool,
    },
    Refresh {
        token: u32,
        time_out: Duration,
    },
    Revoke {
        token: u32,
        is_refresh: bool,
    },
    Wait(Duration),
    Busy(Duration),
    Token(u32),
    Settled,
    /// Why there is no token, and whether a person has to log in.
    Refused(String, bool),
    Rejected(bool),
}

/// What a coordinator said, and what can be seen of it afterwards.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) did: Did,
    print: u64,
    pub(crate) state: Option<Rc<Record>>,
}

#[derive(Debug)]
enum Node {
    Root(u64),
    Told { before: History, input: Input, now: Moment },
}

/// A history; a copy of it is cheap.
#[derive(Clone, Debug)]
pub(crate) struct History {
    node: Rc<Node>,
    print: u64,
}

/// A coordinator that has been told a history, and its caller.
#[derive(Debug)]
struct Live {
    coordinator: Coordinator,
    ask: Option<Ask>,
}

/// One process's coordinator.
#[derive(Debug)]
pub(crate) struct Process {
    history: History,
    live: Option<Box<Live>>,
    /// What it is, as far as can be seen.
    print: u64,
    pub(crate) state: Option<Rc<Record>>,
}

impl Clone for Process {
    /// The copy has no coordinator of its own before it needs one.
    fn clone(&self) -> Self {
        let (history, state) = (self.history.clone(), self.state.clone());
        Self { history, live: None, print: self.print, state }
    }
}

impl Hash for Process {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.print.hash(hasher);
    }
}

/// What all coordinators share, and what they have said.
#[derive(Debug)]
pub(crate) struct Memory {
    pub(crate) client: Arc<Client>,
    remembers: bool,
    said: HashMap<u64, Rc<Said>>,
    pub(crate) told: u64,
}

impl Memory {
    pub(crate) fn new(client: Client, remembers: bool) -> Self {
        Self { client: Arc::new(client), remembers, said: HashMap::new(), told: 0 }
    }
}

impl Process {
    pub(crate) fn new(seed: u64) -> Self {
        let history = History { node: Rc::new(Node::Root(seed)), print: digest(&seed) };
        Self { history, live: None, print: seed, state: None }
    }

    pub(crate) fn tell(&mut self, input: Input, now: Moment, memory: &mut Memory) -> Rc<Said> {
        let time = (now.time(), now.elapsed());
        let print = digest(&(self.history.print, &input, time));
        let known = memory.said.get(&print).cloned();
        let said = match &known {
            Some(said) => {
                // It is told when somebody has to know more.
                self.live = None;
                Rc::clone(said)
            }
            None => {
                let mut live = self.live.take().unwrap_or_else(|| self.history.relive(memory));
                memory.told += 1;
                let did = live.hear(&input, now);
                let state = live.coordinator.state().map(|state| Rc::new(Record::of(state)));
                let print = if memory.remembers { live.print(state.as_deref()) } else { 0 };
                self.live = Some(live);
                Rc::new(Said { did, print, state })
            }
        };
        if memory.remembers && known.is_none() {
            memory.said.insert(print, Rc::clone(&said));
        }
        (self.print, self.state) = (said.print, said.state.clone());
        // Who has nothing to branch off needs no history.
        if memory.remembers {
            let before = self.history.clone();
            self.history = History { node: Rc::new(Node::Told { before, input, now }), print };
        }
        said
    }
}

impl History {
    fn relive(&self, memory: &Memory) -> Box<Live> {
        let (mut inputs, mut node) = (Vec::new(), &self.node);
        let seed = loop {
            match &**node {
                Node::Root(seed) => break *seed,
                Node::Told { before, input, now } => {
                    inputs.push((input, *now));
                    node = &before.node;
                }
            }
        };
        let Ok(mut seed) = Seed::new(&mut Dice::new(seed));
        let coordinator = Coordinator::new(Arc::clone(&memory.client), &mut seed);
        let mut live = Box::new(Live { coordinator, ask: None });
        for (input, now) in inputs.into_iter().rev() {
            live.hear(input, now);
        }
        live
    }
}

impl Live {
    fn hear(&mut self, input: &Input, now: Moment) -> Did {
        let coordinator = &mut self.coordinator;
        match input {
            Input::Ask(wish, patience) => {
                let patience = Duration::from_millis(*patience);
                let ask = match wish {
                    Wish::Token => Ok(coordinator.token(patience, now)),
                    Wish::Newer => coordinator.refresh(patience, now),
                    Wish::Settled => Ok(coordinator.settled(patience, now)),
                };
                self.ask = ask.ok();
            }
            Input::Poll => {
                let Some(ask) = &self.ask else { return Did::Settled };
                return said(coordinator.poll(ask, now));
            }
            Input::Loaded(None) => coordinator.loaded(Err(Unknown), now),
            Input::Loaded(Some(entry)) => {
                let load =
                    |(number, record): &(u128, Rc<Record>)| (version(*number), record.state());
                coordinator.loaded(Ok(entry.as_ref().map(load)), now);
            }
            Input::Swapped(outcome) => coordinator.swapped(
                match outcome {
                    Outcome::Stored(number) => Ok(Swapped::Stored(version(*number))),
                    Outcome::Conflict => Ok(Swapped::Conflict),
                    Outcome::Unknown => Err(Unknown),
                },
                now,
            ),
            Input::Received(reply) => coordinator.received(&reply.response(), now),
            Input::Lost(true) => coordinator.lost(Lost::Unsent, now),
            Input::Lost(false) => coordinator.lost(Lost::Unanswered, now),
            Input::SignOut => coordinator.sign_out(now.time()),
            Input::LogIn(record) => {
                assert!(coordinator.log_in(record.state()).is_ok(), "a login of this client");
            }
            Input::Challenged => {
                let generation = coordinator.state().and_then(generation);
                let heard = generation.map(|generation| {
                    let header = r#"Bearer realm="example", error="invalid_token""#;
                    let response = http::Response::builder().status(401);
                    let response = response.header("www-authenticate", header).body(());
                    let challenge = response.map(|it| Challenge::from_response(&it));
                    let Some(challenge) = challenge.ok().and_then(|mut all| all.pop()) else {
                        panic!("a challenge")
                    };
                    coordinator.challenged(generation, &challenge, now.time())
                });
                return Did::Rejected(heard == Some(Challenged::Rejected));
            }
        }
        Did::Nothing
    }

    /// Everything that can be seen of it. `Debug` leaves secrets out, the stored form does not.
    fn print(&self, state: Option<&Record>) -> u64 {
        let mut digest = Digest(DefaultHasher::new());
        if write!(digest, "{:?} {:?}", self.coordinator, self.ask).is_err() {
            panic!("hashing can't fail");
        }
        state.hash(&mut digest.0);
        digest.0.finish()
    }
}

fn generation(state: &State) -> Option<oauth2_proto::Generation> {
    let held = match state {
        State::Authorized(held) => held,
        State::Refreshing(refreshing) => refreshing.held(),
        State::Unauthorized(_) | State::Authorizing(_) => return None,
    };
    // Whether it has expired matters to nobody here.
    Some(held.token(oauth2_proto::Timestamp::from_unix_seconds(0))?.generation())
}

fn said(effect: Effect<'_>) -> Did {
    match effect {
        Effect::Load => Did::Load,
        Effect::Swap(expected, state, purpose) => Did::Swap {
            expected: expected.map(Version::number),
            record: Rc::new(Record::of(state)),
            lease: matches!(purpose, Purpose::Lease | Purpose::TakeOver),
        },
        Effect::Send(request, time_out) => {
            let body = core::str::from_utf8(request.body().as_ref()).unwrap_or_default();
            let value = |name: &str| {
                let (_, rest) = body.split_once(name)?;
                rest.split('&').next()?.get(1..)?.parse::<u32>().ok()
            };
            match value("refresh_token=") {
                Some(token) => Did::Refresh { token, time_out },
                None => Did::Revoke {
                    token: value("token=").unwrap_or(0),
                    is_refresh: body.contains("hint=refresh_token"),
                },
            }
        }
        Effect::Wait(pause) => Did::Wait(pause),
        Effect::Busy(pause) => Did::Busy(pause),
        Effect::Give(Ok(Given::Token(token))) => {
            Did::Token(token.expose().get(1..).and_then(|it| it.parse().ok()).unwrap_or(0))
        }
        Effect::Give(Ok(Given::Settled)) => Did::Settled,
        Effect::Give(Err(error)) => Did::Refused(error.to_string(), error.needs_login()),
        other => panic!("{other:?} is unknown to the simulator"),
    }
}

struct Digest(DefaultHasher);

impl Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.hash(&mut self.0);
        Ok(())
    }
}

pub(crate) fn digest<T: Hash>(value: &T) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}
