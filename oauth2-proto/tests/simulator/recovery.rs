//! What is left when the faults stop: everybody gets a token or a reason, in bounded time.

use super::event::{Event, Fate, Luck};
use super::history::{Did, Memory, Wish};
use super::oracle::{Violation, violated};
use super::worker::Doing;
use super::world::World;

/// Milliseconds: a clock that was set back makes a back-off last up to an hour.
const LONGEST: u64 = 2 * 3600 * 1000;

impl World {
    /// Lets everything that is on its way come to its end, then asks every worker for a token.
    pub(crate) fn recover(&mut self, memory: &mut Memory) -> Result<(), Violation> {
        self.note(|_| "the faults stop".into());
        self.store.down_until = self.now;
        for who in 0..self.workers.len() {
            if self.workers[who].stopped {
                self.apply(Event::Continue(who, true), memory)?;
            }
        }
        self.run_until_quiet(memory)?;
        let now = self.now;
        for wish in [Wish::Settled, Wish::Token] {
            for who in 0..self.workers.len() {
                self.workers[who].answer = None;
                self.ask(who, wish, Some(LONGEST), memory)?;
                self.run_until_quiet(memory)?;
            }
        }
        for who in 0..self.workers.len() {
            match &self.workers[who].answer {
                Some(Did::Token(_) | Did::Refused(_, true)) => {}
                other => {
                    let waited = self.now - now;
                    return violated(
                        "everybody gets a token or a reason",
                        format!("worker {who} got {other:?} after {waited} ms"),
                    );
                }
            }
        }
        self.check_revoked()
    }

    /// Without faults, as long as a caller waits or an effect is out.
    fn run_until_quiet(&mut self, memory: &mut Memory) -> Result<(), Violation> {
        for _ in 0..40_000 {
            let Some(event) = self.next_honest_event() else { return Ok(()) };
            self.apply(event, memory)?;
        }
        violated("everybody gets a token or a reason", "forty thousand events are not enough")
    }

    pub(crate) fn next_honest_event(&self) -> Option<Event> {
        let doing = |who: usize| match self.workers[who].doing {
            Doing::Load | Doing::Swap { .. } => Some(Event::Store(who, Luck::Well)),
            Doing::Flight(flight) => Some(match self.flights[flight].came {
                Some(_) => Event::Return(flight),
                None => Event::Exchange(flight, Fate::Served),
            }),
            Doing::Nothing | Doing::Heard(_) => None,
        };
        let mut work = (0..self.workers.len()).filter_map(doing);
        let waits = self.workers.iter().any(|worker| worker.caller.is_some());
        work.next().or_else(|| (waits && self.next_moment().is_some()).then_some(Event::Advance))
    }
}
