//! What an event does.

use std::rc::Rc;

use super::event::{Event, Fate, Luck};
use super::history::{Did, Input, Memory, Outcome, Wish};
use super::oracle::{Violation, violated};
use super::server::{Cause, Reply};
use super::store::Swap;
use super::worker::{Doing, Flight, Heard};
use super::world::World;

impl World {
    /// One event, and what every process then does by itself.
    pub(crate) fn apply(&mut self, event: Event, memory: &mut Memory) -> Result<(), Violation> {
        match event {
            Event::Store(who, luck) => self.call(who, luck, memory)?,
            Event::Ghost(index) => self.haunt(index)?,
            Event::Arrive(flight, fate) => self.arrive(flight, fate),
            Event::Return(flight) => self.come_back(flight, memory)?,
            Event::Exchange(flight, fate) => {
                self.arrive(flight, fate);
                self.come_back(flight, memory)?;
            }
            Event::Break(flight) => self.gives_up(flight, false, memory)?,
            Event::ServedThenBreak(flight) => {
                self.arrive(flight, Fate::Served);
                self.gives_up(flight, false, memory)?;
            }
            Event::NeverLeft(flight) => self.gives_up(flight, true, memory)?,
            Event::Advance | Event::TooLate => {
                let moment = self.next_moment().unwrap_or(1000);
                self.pass(moment, memory)?;
            }
            Event::Pass(milliseconds) => self.pass(milliseconds, memory)?,
            Event::Ask(who) => {
                self.workers[who].callers = self.workers[who].callers.saturating_sub(1);
                self.ask(who, Wish::Token, None, memory)?;
            }
            Event::Refresh(who) => self.ask(who, Wish::Newer, None, memory)?,
            Event::Crash(who) => self.crash(who, memory)?,
            Event::ServedThenCrash(who) => {
                if let Doing::Flight(flight) = self.workers[who].doing {
                    self.arrive(flight, Fate::Served);
                }
                self.crash(who, memory)?;
            }
            Event::Stop(who) | Event::ServedThenStop(who) | Event::Sleep(who) => {
                self.interrupts(who);
                if let (Event::ServedThenStop(_), Doing::Flight(flight)) =
                    (event, &self.workers[who].doing)
                {
                    self.arrive(*flight, Fate::Served);
                }
                self.stop(who, matches!(event, Event::Sleep(_)));
            }
            Event::Continue(who, heard) => self.go_on(who, heard, memory)?,
            Event::Jump(who, seconds) => {
                self.note(|_| format!("worker {who}: the time of day is set by {seconds} s"));
                self.workers[who].clock.jump(seconds);
                self.workers[who].set_back |= seconds < 0;
                self.look_at_the_clock(who, memory)?;
            }
            Event::SignOut(who) => {
                let login = self.workers[who].process.state.as_ref().map(|it| it.login.clone());
                self.note(|_| format!("worker {who}: its user signs out"));
                self.gives_login_up(who);
                self.workers[who].signing_out = login;
                self.tell(who, Input::SignOut, memory);
                self.workers[who].unsettled = true;
                self.ask(who, Wish::Settled, None, memory)?;
            }
            Event::LogIn(who) => {
                let clock = self.workers[who].clock.clone();
                let record = self.consent(&clock, memory);
                self.note(|_| format!("worker {who}: its user logs in: {}", record.summary()));
                self.gives_login_up(who);
                let starts = self.workers[who].starts;
                record.refresh.into_iter().for_each(|it| self.oracle.reads(it, who, starts));
                self.workers[who].logging_in.insert(record.login.clone());
                self.tell(who, Input::LogIn(record), memory);
                self.workers[who].unsettled = true;
                self.ask(who, Wish::Settled, None, memory)?;
            }
            Event::Challenge(who) => self.challenge(who, memory)?,
            Event::Delete(key) => {
                self.note(|_| format!("somebody deletes login {key}"));
                if let Some(entry) = self.store.entries[key].take() {
                    self.oracle.facts(&entry.record.login).given_up = true;
                }
            }
            Event::End(key) => {
                self.note(|_| format!("the server ends login {key}"));
                let stored = self.store.entries[key].as_ref().map(|entry| &entry.record);
                if let Some(refresh) = stored.and_then(|record| record.refresh) {
                    self.server.end(refresh);
                }
            }
            Event::Outage(milliseconds) => {
                self.note(|_| format!("the store is down for {milliseconds} ms"));
                self.store.down_until = self.now + milliseconds;
            }
        }
        // A version that is gone never comes back, so these are never done.
        if !self.store.versions_come_back {
            self.ghosts.retain(|swap| self.store.takes(swap));
        }
        self.check_tokens()
    }

    /// The worker's call to the store.
    fn call(&mut self, who: usize, luck: Luck, memory: &mut Memory) -> Result<(), Violation> {
        let luck = if self.now < self.store.down_until { Luck::Undone } else { luck };
        let (key, by) = (self.workers[who].key, (who, self.workers[who].starts));
        let (is_lease, swap) = match &self.workers[who].doing {
            Doing::Swap { expected, record, lease } => {
                let record = Rc::clone(record);
                (*lease, Some(Swap { by, key, expected: *expected, record, lease: *lease }))
            }
            _ => (false, None),
        };
        let heard = match luck {
            Luck::Well | Luck::DoneThenStopped | Luck::DoneThenSlept => self.act(who, true)?,
            Luck::Done => {
                self.act(who, true)?;
                Heard::Swapped(Outcome::Unknown)
            }
            Luck::Undone | Luck::Later => match &swap {
                None => Heard::Loaded(None),
                Some(_) => Heard::Swapped(Outcome::Unknown),
            },
        };
        let worker = &mut self.workers[who];
        worker.calls = if worker.called == worker.clock.elapsed { worker.calls + 1 } else { 0 };
        worker.called = worker.clock.elapsed;
        if worker.calls > 30 && !worker.clock.asleep {
            return violated("nobody goes in circles", format!("worker {who} calls the store"));
        }
        self.note(|_| match &swap {
            Some(swap) => {
                let expected = swap.expected.unwrap_or(0);
                let what = swap.record.summary();
                format!("worker {who} swaps {expected:x} for {what}: {luck:?}, {heard:?}")
            }
            None => match &heard {
                Heard::Loaded(Some(Some((version, record)))) => {
                    format!("worker {who} loads {version:x}: {}", record.summary())
                }
                other => format!("worker {who} loads: {other:?}"),
            },
        });
        // Somebody else's lease could end before the saving is tried again.
        let saves = swap.as_ref().filter(|_| !is_lease && luck != Luck::Well);
        if let Some(refresh) = saves.and_then(|_| self.previous(who))
            && self.now >= self.store.down_until
        {
            self.oracle.doubts(refresh);
        }
        if luck == Luck::Later {
            self.ghosts.extend(swap);
        }
        if matches!(luck, Luck::DoneThenStopped | Luck::DoneThenSlept) {
            self.interrupts(who);
            self.stop(who, luck == Luck::DoneThenSlept);
            self.workers[who].doing = Doing::Heard(heard);
            return Ok(());
        }
        self.listen(who, heard, memory)
    }

    /// The refresh token that is stored, where this worker has a newer one.
    fn previous(&self, who: usize) -> Option<u32> {
        let worker = &self.workers[who];
        let stored = self.store.entries[worker.key].as_ref().map(|entry| &entry.record)?;
        let own = worker.process.state.as_ref()?;
        (stored.login == own.login && stored.number < own.number).then_some(stored.refresh)?
    }

    fn listen(&mut self, who: usize, heard: Heard, memory: &mut Memory) -> Result<(), Violation> {
        match heard {
            Heard::Loaded(loaded) => self.hear(who, Input::Loaded(loaded), memory),
            Heard::Swapped(outcome) => {
                let done = matches!(outcome, Outcome::Stored(_));
                let worker = &mut self.workers[who];
                worker.unsettled &= !done;
                if let Doing::Swap { record, .. } = &worker.doing
                    && done
                {
                    worker.logging_in.remove(&record.login);
                }
                self.hear(who, Input::Swapped(outcome), memory)
            }
        }
    }

    /// A swap that everybody has given up is done.
    fn haunt(&mut self, index: usize) -> Result<(), Violation> {
        let swap = self.ghosts.remove(index);
        let done = self.store.takes(&swap);
        self.note(|_| format!("a swap is done late ({done}): {}", swap.record.summary()));
        if !done {
            return Ok(());
        }
        let (who, starts) = swap.by;
        let worker = &mut self.workers[who];
        let own = worker.process.state.as_ref().and_then(|state| state.holder.as_ref());
        if worker.starts == starts && own == swap.record.holder.as_ref() {
            if swap.lease {
                worker.holder.clone_from(&swap.record.holder);
            }
        } else {
            // Nobody sends what it is a lease for.
            swap.record.refresh.into_iter().for_each(|refresh| self.oracle.doubts(refresh));
        }
        let facts = self.oracle.facts(&swap.record.login);
        facts.signed_out |= swap.record.is_signed_out();
        if let Some(entry) = &self.store.entries[swap.key]
            && entry.record.login != swap.record.login
        {
            self.oracle.facts(&entry.record.login.clone()).given_up = true;
        }
        self.store.put(swap.key, swap.record);
        Ok(())
    }

    fn arrive(&mut self, flight: usize, fate: Fate) {
        match fate {
            Fate::Served => {
                self.serve(flight);
            }
            Fate::Gateway => {
                self.serve(flight);
                self.flights[flight].came = Some((Reply::Down, None));
            }
            Fate::Down => self.flights[flight].came = Some((Reply::Down, None)),
            Fate::Garbage => self.flights[flight].came = Some((Reply::Garbage, None)),
        }
    }

    fn come_back(&mut self, flight: usize, memory: &mut Memory) -> Result<(), Violation> {
        let Flight { worker: who, token, revokes, starts, came, .. } = self.flights[flight];
        let Some((reply, cause)) = came else { panic!("it has not arrived") };
        (self.flights[flight].is_over, self.flights[flight].reported) = (true, true);
        self.note(|_| format!("worker {who} hears from flight {flight}: {reply:?}"));
        match reply {
            Reply::Tokens { refresh: Some(refresh), .. } => self.oracle.reads(refresh, who, starts),
            Reply::Down if revokes.is_none() => self.oracle.doubts(token),
            Reply::Garbage if revokes.is_none() => self.oracle.cannot_read(token),
            Reply::Down | Reply::Garbage => self.oracle.forgets_to_revoke(token),
            Reply::Error(_) => {
                self.workers[who].refusal = Some((token, cause.unwrap_or(Cause::Ended)));
            }
            Reply::Tokens { refresh: None, .. } | Reply::Done => {}
        }
        self.workers[who].unsettled = true;
        self.hear(who, Input::Received(reply), memory)
    }

    fn crash(&mut self, who: usize, memory: &mut Memory) -> Result<(), Violation> {
        self.interrupts(who);
        self.note(|_| format!("worker {who} crashes, and starts anew"));
        if let Doing::Swap { expected, record, lease } = self.workers[who].doing.clone() {
            let by = (who, self.workers[who].starts);
            self.ghosts.push(Swap { by, key: self.workers[who].key, expected, record, lease });
        }
        self.restart(who);
        self.ask(who, Wish::Token, None, memory)
    }

    /// What a worker is about can't be told by others for a while: that excuses doubt.
    fn interrupts(&mut self, who: usize) {
        let own = self.workers[who].process.state.as_ref().and_then(|state| state.refresh);
        let stored = self.store.entries[self.workers[who].key].as_ref();
        let stored = stored.and_then(|entry| entry.record.refresh);
        own.into_iter().chain(stored).for_each(|refresh| self.oracle.doubts(refresh));
    }

    fn stop(&mut self, who: usize, asleep: bool) {
        self.note(|_| format!("worker {who} stops (asleep: {asleep})"));
        let worker = &mut self.workers[who];
        (worker.stopped, worker.stopped_at) = (true, self.now);
        worker.clock.asleep = asleep;
        worker.slept |= asleep;
    }

    fn go_on(&mut self, who: usize, heard: bool, memory: &mut Memory) -> Result<(), Violation> {
        self.note(|_| format!("worker {who} goes on"));
        let worker = &mut self.workers[who];
        (worker.stopped, worker.clock.asleep) = (false, false);
        match worker.doing.clone() {
            Doing::Heard(said) => return self.listen(who, said, memory),
            Doing::Flight(flight) => {
                let answered = self.flights[flight].came.is_some();
                if heard && answered {
                    return self.come_back(flight, memory);
                }
            }
            Doing::Nothing | Doing::Load | Doing::Swap { .. } => {}
        }
        self.look_at_the_clock(who, memory)
    }

    /// What a process holds of a login that its user ends or replaces may be thrown away.
    fn gives_login_up(&mut self, who: usize) {
        self.interrupts(who);
        self.workers[who].holder = None;
        if let Some(state) = &self.workers[who].process.state {
            self.oracle.facts(&state.login).given_up = true;
        }
    }

    fn challenge(&mut self, who: usize, memory: &mut Memory) -> Result<(), Violation> {
        let worker = &self.workers[who];
        let Some(access) = worker.gave else { return Ok(()) };
        // It has to be the one that the coordinator holds, which the simulator challenges.
        if worker.process.state.as_ref().and_then(|state| state.access) != Some(access) {
            return Ok(());
        }
        let said = self.tell(who, Input::Challenged, memory);
        if matches!(said.did, Did::Rejected(true)) {
            self.note(|_| format!("worker {who}: a resource server refuses a{access}"));
            self.workers[who].rejected.insert(access);
            return self.ask(who, Wish::Token, None, memory);
        }
        Ok(())
    }
}
