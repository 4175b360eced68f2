//! What can happen in the world.

/// How a call to the store ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Luck {
    Well,
    /// It did not happen, and nobody learns that.
    Undone,
    /// It happened, and nobody learns that.
    Done,
    /// Nobody learns of it, and it may happen later.
    Later,
    /// It happened, and the process stops before it learns that.
    DoneThenStopped,
    /// It happened, and the machine falls asleep before the process learns that.
    DoneThenSlept,
}

/// What the server makes of a request that arrives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Fate {
    Served,
    /// Turned away with 503.
    Down,
    /// Served, and then a gateway answers 503.
    Gateway,
    /// A page that nobody can read instead of the server.
    Garbage,
}

/// One event. Workers and flights go by their index.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(crate) enum Event {
    /// The worker's call reaches the store and comes back.
    Store(usize, Luck),
    /// A swap that nobody waits for any more is done after all.
    Ghost(usize),
    /// A request reaches the server.
    Arrive(usize, Fate),
    /// Its answer reaches the worker.
    Return(usize),
    /// Arrives and returns.
    Exchange(usize, Fate),
    /// The connection breaks; what has left may still arrive.
    Break(usize),
    /// Served, and the connection breaks before the answer is there.
    ServedThenBreak(usize),
    /// It provably never left.
    NeverLeft(usize),
    /// Until something is due.
    Advance,
    /// The same, and a request is given up meanwhile.
    TooLate,
    /// So many milliseconds.
    Pass(u64),
    /// A caller comes.
    Ask(usize),
    /// A caller wants a newer token.
    Refresh(usize),
    /// The process is gone and a new one starts; a swap on its way may still be done.
    Crash(usize),
    /// Served, and the process is gone before the answer is there.
    ServedThenCrash(usize),
    /// Served, and the machine stops before the answer is there.
    ServedThenStop(usize),
    /// The machine stops: its clocks go on.
    Stop(usize),
    /// The machine sleeps: what has elapsed does not go on, the time of day does.
    Sleep(usize),
    /// It goes on; whether an answer that came meanwhile is heard before its time-out.
    Continue(usize, bool),
    /// Somebody sets the time of day, by so many seconds.
    Jump(usize, i64),
    SignOut(usize),
    LogIn(usize),
    /// A resource server refuses the token that was given last.
    Challenge(usize),
    /// Somebody deletes what is stored under this key.
    Delete(usize),
    /// The server ends the login that is stored under this key.
    End(usize),
    /// The store answers nobody for so many milliseconds.
    Outage(u64),
}

impl Event {
    /// Whether it is a fault that the exploration has a budget for.
    pub(crate) const fn is_fault(self) -> bool {
        match self {
            Self::Store(_, Luck::Well)
            | Self::Arrive(_, Fate::Served)
            | Self::Exchange(_, Fate::Served)
            | Self::Return(_)
            | Self::Advance
            | Self::Pass(_)
            | Self::Ask(_)
            | Self::Refresh(_)
            | Self::Ghost(_)
            | Self::Continue(..)
            | Self::SignOut(_)
            | Self::LogIn(_)
            | Self::Challenge(_)
            | Self::Delete(_) => false,
            Self::Store(..)
            | Self::Arrive(..)
            | Self::Exchange(..)
            | Self::TooLate
            | Self::Break(_)
            | Self::ServedThenBreak(_)
            | Self::NeverLeft(_)
            | Self::Crash(_)
            | Self::ServedThenCrash(_)
            | Self::ServedThenStop(_)
            | Self::Stop(_)
            | Self::Sleep(_)
            | Self::Jump(..)
            | Self::End(_)
            | Self::Outage(_) => true,
        }
    }

    /// Whether a machine stops, or its clock is set.
    pub(crate) const fn is_of_the_machine(self) -> bool {
        matches!(
            self,
            Self::Stop(_)
                | Self::Sleep(_)
                | Self::ServedThenStop(_)
                | Self::Jump(..)
                | Self::Store(_, Luck::DoneThenStopped | Luck::DoneThenSlept)
        )
    }
}
