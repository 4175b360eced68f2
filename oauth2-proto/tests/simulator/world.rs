//! Several processes, one store, one server; what happens, and what a process does by itself.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::rc::Rc;

use oauth2_proto::{Client, Server as Endpoints};

use super::clock::Clock;
use super::dice::Dice;
use super::history::{Did, Input, Memory, Outcome, Process, Said, Wish};
use super::oracle::{Oracle, Violation, violated};
use super::record::Record;
use super::server::{Manners, Reply, Server};
use super::store::{Store, Swap};
use super::worker::{Caller, Doing, Flight, Heard, Worker};

/// Milliseconds: so long somebody waits for a store that is down.
const SETTLING: u64 = 100_000;

/// How a world is made.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) manners: Manners,
    /// Of each worker: which login it works for, how fast its clocks go (1,000 is exact), by how
    /// many seconds its time of day is off, and how many callers come.
    pub(crate) workers: Vec<(usize, u64, i64, u32)>,
    /// Milliseconds that callers wait.
    pub(crate) patience: u64,
    pub(crate) seed: u64,
    pub(crate) versions_come_back: bool,
    pub(crate) hosts_ignore_time_outs: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct World {
    /// Milliseconds.
    pub(crate) now: u64,
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) workers: Vec<Worker>,
    pub(crate) flights: Vec<Flight>,
    pub(crate) ghosts: Vec<Swap>,
    pub(crate) oracle: Oracle,
    /// Which login is which of the server's.
    pub(crate) families: Vec<String>,
    pub(crate) leases: u32,
    pub(crate) seeds: Dice,
    patience: u64,
    pub(crate) hosts_ignore_time_outs: bool,
    /// What happened, one line each, where somebody wants to read it.
    pub(crate) trace: Option<Vec<String>>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let Self { now, server, store, workers, flights, ghosts, oracle, leases, .. } = self;
        (now, server, store, workers, flights, ghosts, oracle, leases).hash(hasher);
    }
}

pub(crate) fn client(lease: u64) -> Client {
    let endpoints = Endpoints::token_only("https://as.example/token")
        .and_then(|server| server.with_revocation("https://as.example/revoke"));
    let Ok(endpoints) = endpoints else { panic!("the endpoints are https") };
    Client::new("simulated", endpoints).with_lease(Duration::from_secs(lease))
}

impl World {
    pub(crate) fn new(setting: &Setting, memory: &Memory) -> Self {
        let keys = setting.workers.iter().map(|(key, ..)| key + 1).max().unwrap_or(0);
        let mut seeds = Dice::new(setting.seed);
        let mut store = Store::new(keys, seeds.next());
        store.versions_come_back = setting.versions_come_back;
        let workers = setting.workers.iter().map(|(key, rate, offset, callers)| {
            Worker::new(*key, seeds.next(), Clock::new(*rate, *offset), *callers)
        });
        let mut world = Self {
            now: 0,
            server: Server::new(setting.manners),
            store,
            workers: workers.collect(),
            flights: Vec::new(),
            ghosts: Vec::new(),
            oracle: Oracle::default(),
            families: Vec::new(),
            leases: 0,
            seeds,
            patience: setting.patience,
            hosts_ignore_time_outs: setting.hosts_ignore_time_outs,
            trace: None,
        };
        for key in 0..keys {
            let record = world.consent(&Clock::new(1000, 0), memory);
            world.store.put(key, record);
        }
        world
    }

    /// A person logs in: the first tokens, asked for just now by this clock.
    pub(crate) fn consent(&mut self, clock: &Clock, memory: &Memory) -> Rc<Record> {
        let (access, refresh) = self.server.consent();
        let now = clock.moment().time();
        let lifetime = self.server.manners.lifetime;
        let asked = memory.client.jwt_bearer("assertion").begin(&mut self.seeds, now);
        let reply = Reply::Tokens { access, refresh: Some(refresh), lifetime }.response();
        let login =
            asked.ok().and_then(|(_, state)| state.receive(&memory.client, &reply, now).ok());
        let Some(login) = login else { panic!("an honest answer") };
        let record = Rc::new(Record::of(&login.into()));
        self.oracle.begins(&record);
        self.families.push(record.login.clone());
        self.oracle.issues(access, clock.seconds() + lifetime);
        record
    }

    pub(crate) fn note(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line =
                format!("{:>9.3}  {}", Duration::from_millis(self.now).as_secs_f64(), what(self));
            self.trace.get_or_insert_default().push(line);
        }
    }

    pub(crate) fn tell(&mut self, who: usize, input: Input, memory: &mut Memory) -> Rc<Said> {
        let worker = &mut self.workers[who];
        let now = worker.clock.moment();
        worker.process.tell(input, now, memory)
    }

    /// A caller comes to a worker whose latest one is gone.
    pub(crate) fn ask(
        &mut self,
        who: usize,
        wish: Wish,
        patience: Option<u64>,
        memory: &mut Memory,
    ) -> Result<(), Violation> {
        let patience = patience.unwrap_or(self.patience);
        self.note(|_| format!("worker {who}: a caller wants {wish:?} within {patience} ms"));
        self.tell(who, Input::Ask(wish, patience), memory);
        let worker = &mut self.workers[who];
        let until = worker.clock.elapsed + patience * 1000;
        worker.caller = Some(Caller { wish, until });
        worker.wake = None;
        self.settle(who, memory)
    }

    /// The worker hears something.
    pub(crate) fn hear(
        &mut self,
        who: usize,
        input: Input,
        memory: &mut Memory,
    ) -> Result<(), Violation> {
        self.workers[who].doing = Doing::Nothing;
        self.workers[who].saw_own_lease &= matches!(input, Input::Loaded(Some(_)));
        self.tell(who, input, memory);
        self.workers[who].wake = None;
        match self.workers[who].caller {
            Some(_) => self.settle(who, memory),
            // Nobody dawdles with what it has heard.
            None => self.ask(who, Wish::Settled, Some(SETTLING), memory),
        }
    }

    /// What the worker does by itself until it needs somebody else, or time.
    pub(crate) fn settle(&mut self, who: usize, memory: &mut Memory) -> Result<(), Violation> {
        for _ in 0..20 {
            let worker = &self.workers[who];
            let Some(caller) = worker.caller.filter(|_| worker.is_awake()) else { return Ok(()) };
            let busy = match worker.doing {
                Doing::Nothing => false,
                Doing::Flight(_) => true,
                Doing::Load | Doing::Swap { .. } | Doing::Heard(_) => return Ok(()),
            };
            let elapsed = worker.clock.elapsed;
            if worker.wake.is_some_and(|wake| elapsed < wake) {
                return Ok(());
            }
            let said = self.tell(who, Input::Poll, memory);
            match &said.did {
                Did::Wait(pause) | Did::Busy(pause) => {
                    if busy != matches!(said.did, Did::Busy(_)) {
                        return violated("one effect at a time", format!("{:?}", said.did));
                    }
                    self.check_pause(who, caller, *pause)?;
                    let pause = u64::try_from(pause.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
                    self.workers[who].wake = Some(elapsed.saturating_add(pause));
                }
                Did::Token(_) | Did::Settled | Did::Refused(..) => {
                    self.give(who, caller, &said.did)?;
                    self.workers[who].caller = None;
                    self.workers[who].wake = None;
                    let worker = &self.workers[who];
                    // Whoever has not saved what it has heard goes on.
                    if !busy && worker.unsettled && !matches!(said.did, Did::Settled) {
                        return self.ask(who, Wish::Settled, Some(SETTLING), memory);
                    }
                    self.workers[who].unsettled &= busy;
                }
                effect => {
                    if busy {
                        return violated("one effect at a time", format!("{effect:?}"));
                    }
                    self.begin(who, effect)?;
                }
            }
        }
        violated("nobody goes in circles", format!("worker {who} has polled twenty times"))
    }

    fn begin(&mut self, who: usize, effect: &Did) -> Result<(), Violation> {
        let doing = match effect {
            Did::Load => Doing::Load,
            Did::Swap { expected, record, lease } => {
                let worker = &mut self.workers[who];
                if *lease {
                    worker.leased_at = Some((worker.clock.seconds(), worker.clock.reading()));
                    (worker.set_back, worker.slept) = (false, false);
                }
                Doing::Swap { expected: *expected, record: Rc::clone(record), lease: *lease }
            }
            Did::Refresh { token, time_out } => {
                self.check_send(who, *token, *time_out)?;
                self.send(who, *token, None, *time_out)
            }
            Did::Revoke { token, is_refresh } => {
                self.send(who, *token, Some(*is_refresh), Duration::from_secs(10))
            }
            other => panic!("{other:?} is no effect"),
        };
        self.workers[who].doing = doing;
        Ok(())
    }

    fn send(&mut self, who: usize, token: u32, revokes: Option<bool>, within: Duration) -> Doing {
        let flight = self.flights.len();
        self.note(|_| match revokes {
            None => format!("worker {who} asks with r{token} (flight {flight}) within {within:?}"),
            Some(_) => format!("worker {who} revokes {token} (flight {flight})"),
        });
        let worker = &self.workers[who];
        self.flights.push(Flight {
            worker: who,
            starts: worker.starts,
            token,
            number: worker.process.state.as_ref().map_or(0, |state| state.number),
            revokes,
            sent: worker.clock.reading(),
            time_out: u64::try_from(within.as_micros()).unwrap_or(u64::MAX),
            leased_at: worker.leased_at.map_or(0, |(seconds, _)| seconds),
            came: None,
            is_over: false,
            reported: false,
        });
        Doing::Flight(flight)
    }

    /// The worker's call does its work in the store.
    pub(crate) fn act(&mut self, who: usize, done: bool) -> Result<Heard, Violation> {
        let worker = &self.workers[who];
        let key = worker.key;
        let (expected, record, lease) = match worker.doing.clone() {
            Doing::Load => {
                let entry = self.store.entries[key].clone();
                self.looks(who, entry.as_ref().map(|entry| &*entry.record));
                return Ok(Heard::Loaded(Some(entry.map(|entry| (entry.version, entry.record)))));
            }
            Doing::Swap { expected, record, lease } => (expected, record, lease),
            other => panic!("{other:?} is no call to the store"),
        };
        if !done || self.store.version(key) != expected {
            return Ok(Heard::Swapped(Outcome::Conflict));
        }
        self.check_write(who, key, &record)?;
        if lease {
            self.leases += 1;
            self.workers[who].holder.clone_from(&record.holder);
        }
        self.knows(who, &record);
        let version = self.store.put(key, record);
        Ok(Heard::Swapped(Outcome::Stored(version)))
    }

    /// The server acts on a request.
    pub(crate) fn serve(&mut self, flight: usize) -> Reply {
        let Flight { token, revokes, leased_at, .. } = self.flights[flight];
        let (reply, cause) = match revokes {
            Some(is_refresh) => {
                self.server.revoke(token, is_refresh);
                (Reply::Done, None)
            }
            None => self.server.refresh(token, self.now),
        };
        if let Reply::Tokens { access, lifetime, .. } = reply {
            self.oracle.issues(access, leased_at + lifetime);
        }
        self.flights[flight].came = Some((reply, cause));
        self.note(|_| format!("server: flight {flight} gets {reply:?} {cause:?}"));
        reply
    }

    /// Time goes on.
    pub(crate) fn pass(&mut self, milliseconds: u64, memory: &mut Memory) -> Result<(), Violation> {
        self.now += milliseconds;
        self.workers.iter_mut().for_each(|worker| worker.clock.pass(milliseconds));
        for who in 0..self.workers.len() {
            self.look_at_the_clock(who, memory)?;
        }
        Ok(())
    }

    /// The worker notices what is due.
    pub(crate) fn look_at_the_clock(
        &mut self,
        who: usize,
        memory: &mut Memory,
    ) -> Result<(), Violation> {
        let worker = &self.workers[who];
        if !worker.is_awake() {
            return Ok(());
        }
        if let Doing::Flight(flight) = worker.doing
            && worker.is_timed_out(&self.flights[flight])
            && !self.hosts_ignore_time_outs
        {
            self.gives_up(flight, false, memory)?;
        }
        self.settle(who, memory)?;
        self.check_patience(who)
    }

    /// The host reports that a request brought no answer.
    pub(crate) fn gives_up(
        &mut self,
        flight: usize,
        unsent: bool,
        memory: &mut Memory,
    ) -> Result<(), Violation> {
        let Flight { worker: who, token, revokes, .. } = self.flights[flight];
        (self.flights[flight].is_over, self.flights[flight].reported) = (true, true);
        self.note(|_| format!("worker {who} gives flight {flight} up (unsent: {unsent})"));
        if unsent {
            self.flights[flight].came = Some((Reply::Down, None));
        }
        match revokes {
            None if !unsent => self.oracle.doubts(token),
            None => {}
            Some(_) => self.oracle.forgets_to_revoke(token),
        }
        self.workers[who].unsettled = true;
        self.hear(who, Input::Lost(unsent), memory)
    }

    /// The next moment at which something is due, in milliseconds from now.
    pub(crate) fn next_moment(&self) -> Option<u64> {
        let due = self.workers.iter().filter(|worker| worker.is_awake()).flat_map(|worker| {
            let wake = worker.wake.filter(|_| worker.caller.is_some());
            let over = match worker.doing {
                Doing::Flight(flight) if !self.hosts_ignore_time_outs => {
                    let flight = &self.flights[flight];
                    Some(flight.sent.elapsed + flight.time_out)
                }
                _ => None,
            };
            [wake, over].into_iter().flatten().map(|at| worker.clock.until(at)).collect::<Vec<_>>()
        });
        due.min().map(|due| due.max(1))
    }

    /// The process starts anew, with nothing but what is stored.
    pub(crate) fn restart(&mut self, who: usize) {
        // Whoever was about to revoke what was signed out does not do so any more.
        let read = self.oracle.reads.iter().filter(|(_, reader, _)| *reader == who);
        let tokens: Vec<u32> = read.map(|(refresh, ..)| *refresh).collect();
        for refresh in tokens {
            if self.is_given_up(self.server.family(refresh)) {
                self.oracle.forgets_to_revoke(refresh);
            }
        }
        let worker = &self.workers[who];
        self.oracle.forgets(who, worker.starts);
        if let Doing::Flight(flight) = worker.doing {
            self.flights[flight].is_over = true;
        }
        let seed = self.seeds.next();
        self.workers[who].restart(seed);
    }

    pub(crate) fn processes(&self) -> impl Iterator<Item = &Process> {
        self.workers.iter().map(|worker| &worker.process)
    }
}
