//! A process with one coordinator, the machine that it runs on, and what it is waiting for.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::clock::{Clock, Reading};
use super::history::{Did, Outcome, Process, Wish};
use super::record::Record;
use super::server::{Cause, Reply};

#[derive(Clone, Debug, Hash)]
pub(crate) enum Doing {
    Nothing,
    Load,
    Swap {
        expected: Option<u128>,
        record: Rc<Record>,
        lease: bool,
    },
    Flight(usize),
    /// What the store has said to a process that was stopped.
    Heard(Heard),
}

#[derive(Clone, Debug, Hash)]
pub(crate) enum Heard {
    Loaded(Option<Option<(u128, Rc<Record>)>>),
    Swapped(Outcome),
}

/// A caller that waits.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Caller {
    pub(crate) wish: Wish,
    /// Until when, in microseconds that have elapsed.
    pub(crate) until: u64,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Worker {
    pub(crate) key: usize,
    pub(crate) process: Process,
    pub(crate) clock: Clock,
    pub(crate) doing: Doing,
    pub(crate) caller: Option<Caller>,
    /// When it polls again, in microseconds that have elapsed.
    pub(crate) wake: Option<u64>,
    pub(crate) stopped: bool,
    /// Since when, in milliseconds.
    pub(crate) stopped_at: u64,
    /// How often it has been started.
    pub(crate) starts: u64,
    /// How many more callers come.
    pub(crate) callers: u32,
    /// It has heard what it has not saved yet.
    pub(crate) unsettled: bool,
    /// What its own callers know: the latest token, and those that were rejected.
    pub(crate) gave: Option<u32>,
    pub(crate) rejected: BTreeSet<u32>,
    /// It has just read a lease of its own.
    pub(crate) saw_own_lease: bool,
    /// What its latest caller was told.
    pub(crate) answer: Option<Did>,
    /// When it called the store last.
    pub(crate) called: u64,
    /// How often, without that time has passed.
    pub(crate) calls: u32,
    /// What it read last: when, and whether a person has to log in.
    pub(crate) looked: Option<(u64, bool)>,
    /// What was the time of day when it decided on its lease, in seconds, and as a reading.
    pub(crate) leased_at: Option<(u64, Reading)>,
    /// The holder that its latest lease was stored with.
    pub(crate) holder: Option<String>,
    /// The logins that its user has begun, until they are stored.
    pub(crate) logging_in: BTreeSet<String>,
    /// The login that its user ends, until that is stored.
    pub(crate) signing_out: Option<String>,
    /// What the server refused last, and why.
    pub(crate) refusal: Option<(u32, Cause)>,
    /// It was set back or has slept since its lease: nobody can tell how long that is ago.
    pub(crate) set_back: bool,
    pub(crate) slept: bool,
}

/// A request on its way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Flight {
    pub(crate) worker: usize,
    pub(crate) starts: u64,
    pub(crate) token: u32,
    /// Of which generation of its login that token was.
    pub(crate) number: u64,
    /// Whether a refresh or an access token is revoked, where that is what it is for.
    pub(crate) revokes: Option<bool>,
    pub(crate) sent: Reading,
    /// Microseconds, on its sender's clocks.
    pub(crate) time_out: u64,
    /// The second that lifetimes count from.
    pub(crate) leased_at: u64,
    pub(crate) came: Option<(Reply, Option<Cause>)>,
    /// The sender has heard of its outcome, or is gone.
    pub(crate) is_over: bool,
    /// The sender heard of its outcome.
    pub(crate) reported: bool,
}

impl Worker {
    pub(crate) fn new(key: usize, seed: u64, clock: Clock, callers: u32) -> Self {
        Self {
            key,
            process: Process::new(seed),
            clock,
            doing: Doing::Nothing,
            caller: None,
            wake: None,
            stopped: false,
            stopped_at: 0,
            starts: 0,
            callers,
            unsettled: false,
            gave: None,
            saw_own_lease: false,
            answer: None,
            rejected: BTreeSet::new(),
            called: 0,
            calls: 0,
            looked: None,
            leased_at: None,
            holder: None,
            logging_in: BTreeSet::new(),
            signing_out: None,
            refusal: None,
            set_back: false,
            slept: false,
        }
    }

    /// Whether it does anything.
    pub(crate) const fn is_awake(&self) -> bool {
        !self.stopped
    }

    /// Starts anew on the same machine.
    pub(crate) fn restart(&mut self, seed: u64) {
        let (clock, callers) = (self.clock.clone(), self.callers);
        *self = Self { starts: self.starts + 1, ..Self::new(self.key, seed, clock, callers) };
        // A process is started by somebody who wants something.
        self.callers += 1;
    }

    /// Whether the time of a request of this machine is over, on its own clocks.
    pub(crate) fn is_timed_out(&self, flight: &Flight) -> bool {
        self.clock.longest_since(flight.sent) >= flight.time_out
    }
}
