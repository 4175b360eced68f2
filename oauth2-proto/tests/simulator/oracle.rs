//! The rules, checked at every step.

use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use super::history::{Did, Wish};
use super::record::Record;
use super::server::Cause;
use super::worker::{Caller, Doing};
use super::world::World;

/// A rule that was broken, and how.
#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) how: String,
}

pub(crate) fn violated<T>(rule: &'static str, how: impl Into<String>) -> Result<T, Violation> {
    Err(Violation { rule, how: how.into() })
}

/// What has to be known about the past.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Oracle {
    pub(crate) logins: BTreeMap<String, Facts>,
    /// Refresh tokens of which a fault explains that nobody knows whether they were used.
    doubts: BTreeSet<u32>,
    /// Who has read which refresh token: worker and start.
    pub(crate) reads: BTreeSet<(u32, usize, u64)>,
    /// When access tokens expire, in seconds of the clock of whoever asked for them.
    expiries: BTreeMap<u32, u64>,
    /// How many answers to each refresh token nobody could read.
    unreadable: BTreeMap<u32, u32>,
    /// Refresh tokens whose revocation did not reach the server.
    unrevoked: BTreeSet<u32>,
}

/// About one login.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Facts {
    pub(crate) signed_out: bool,
    /// Replaced, deleted or given up: its tokens may be thrown away.
    pub(crate) given_up: bool,
}

impl Oracle {
    pub(crate) fn begins(&mut self, record: &Record) {
        self.logins.insert(record.login.clone(), Facts::default());
    }

    pub(crate) fn issues(&mut self, access: u32, expires_at: u64) {
        self.expiries.insert(access, expires_at);
    }

    pub(crate) fn doubts(&mut self, refresh: u32) {
        self.doubts.insert(refresh);
    }

    pub(crate) fn cannot_read(&mut self, refresh: u32) {
        self.doubts.insert(refresh);
        *self.unreadable.entry(refresh).or_default() += 1;
    }

    pub(crate) fn forgets_to_revoke(&mut self, refresh: u32) {
        self.unrevoked.insert(refresh);
    }

    pub(crate) fn reads(&mut self, refresh: u32, who: usize, starts: u64) {
        self.reads.insert((refresh, who, starts));
    }

    pub(crate) fn forgets(&mut self, who: usize, starts: u64) {
        self.reads.retain(|(_, reader, start)| (*reader, *start) != (who, starts));
    }

    pub(crate) fn facts(&mut self, login: &str) -> &mut Facts {
        self.logins.entry(login.into()).or_default()
    }
}

impl World {
    /// The worker reads the store.
    pub(crate) fn looks(&mut self, who: usize, record: Option<&Record>) {
        let worker = &mut self.workers[who];
        let over = record.is_none_or(|record| record.is_over(worker.clock.seconds()));
        worker.looked = Some((worker.clock.elapsed, over));
        let Some(record) = record else { return };
        worker.logging_in.remove(&record.login);
        worker.saw_own_lease = record.on_its_way && record.holder == worker.holder;
        worker.rejected.extend(record.access.filter(|_| record.rejected));
        record.refresh.into_iter().for_each(|it| self.oracle.reads(it, who, worker.starts));
    }

    /// The worker knows what is stored, as it has just stored it.
    pub(crate) fn knows(&mut self, who: usize, record: &Record) {
        let worker = &mut self.workers[who];
        worker.looked = Some((worker.clock.elapsed, record.is_over(worker.clock.seconds())));
    }

    /// Nobody waits for nothing, nor longer than its patience.
    pub(crate) fn check_pause(
        &self,
        who: usize,
        caller: Caller,
        pause: Duration,
    ) -> Result<(), Violation> {
        let worker = &self.workers[who];
        if pause.is_zero() {
            return violated("no wake-up is due at once", format!("worker {who}"));
        }
        let left = caller.until.saturating_sub(worker.clock.elapsed);
        if pause.as_micros() > u128::from(left) {
            return violated(
                "nobody waits longer than its patience",
                format!("worker {who} waits {pause:?} and has {left} µs left"),
            );
        }
        if worker.saw_own_lease && matches!(worker.doing, Doing::Nothing) {
            return violated("nobody waits for its own lease", format!("worker {who}"));
        }
        Ok(())
    }

    pub(crate) fn check_patience(&self, who: usize) -> Result<(), Violation> {
        let worker = &self.workers[who];
        let late = worker.caller.is_some_and(|caller| worker.clock.elapsed > caller.until + 2000);
        let calls = matches!(worker.doing, Doing::Load | Doing::Swap { .. } | Doing::Heard(_));
        if late && !calls {
            return violated("nobody waits longer than its patience", format!("worker {who}"));
        }
        Ok(())
    }

    /// A request with a refresh token is about to leave.
    pub(crate) fn check_send(
        &self,
        who: usize,
        token: u32,
        time_out: Duration,
    ) -> Result<(), Violation> {
        let worker = &self.workers[who];
        let state = worker.process.state.as_ref();
        if state.is_none_or(|state| state.holder.is_none() || state.holder != worker.holder) {
            return violated("a request leaves only when its lease is stored", format!("r{token}"));
        }
        if time_out < Duration::from_secs(1) {
            return violated("a request leaves with time to be answered", format!("{time_out:?}"));
        }
        let rival = self.flights.iter().position(|flight| {
            let sender = &self.workers[flight.worker];
            // A server that does not rotate leaves the token as it was after a late success. Who
            // asked for its predecessors is old news.
            let same = flight.token == token
                && state.is_some_and(|state| state.number == flight.number)
                && flight.revokes.is_none()
                && !flight.reported;
            // Whoever was set back and slept under one lease can't tell how long it was.
            let undated = sender.set_back && sender.slept;
            let over = sender.is_timed_out(flight) && !self.hosts_ignore_time_outs;
            same && !undated && !over
        });
        match rival {
            Some(rival) => violated(
                "no two requests with one refresh token are in flight",
                format!("worker {who} asks with r{token} beside flight {rival}"),
            ),
            None => Ok(()),
        }
    }

    /// Something is about to be stored.
    pub(crate) fn check_write(
        &mut self,
        who: usize,
        key: usize,
        new: &Record,
    ) -> Result<(), Violation> {
        let old = self.store.entries[key].as_ref().map(|entry| std::rc::Rc::clone(&entry.record));
        let worker = &mut self.workers[who];
        let logs_in = worker.logging_in.contains(&new.login);
        let how = |old: &Record| format!("worker {who}: {} over {}", new.summary(), old.summary());
        let Some(old) = old else {
            // A sign-out leaves its mark, without tokens, also where nothing is stored any more.
            let signs_out = worker.signing_out.as_ref() == Some(&new.login);
            return match logs_in || (signs_out && new.is_signed_out()) {
                true => Ok(()),
                false => violated("what was deleted is not stored again", new.summary()),
            };
        };
        if old.login != new.login {
            self.oracle.facts(&old.login).given_up = true;
            return match logs_in {
                true => Ok(()),
                false => violated("another login is never overwritten by an old holder", how(&old)),
            };
        }
        if old.is_signed_out() && !new.is_signed_out() {
            return violated("a sign-out is never undone", how(&old));
        }
        if new.is_signed_out() {
            if worker.signing_out.as_ref() != Some(&new.login) && !old.is_signed_out() {
                return violated("a login ends only by law", how(&old));
            }
            self.oracle.facts(&new.login).signed_out = true;
            return Ok(());
        }
        let older = new.access.zip(old.access).is_some_and(|(new, old)| new < old);
        if new.number < old.number || older {
            return violated("newer tokens are never overwritten by older ones", how(&old));
        }
        if old.reason.is_none() { self.check_end(who, new) } else { Ok(()) }
    }

    /// A login ends only by law 6.
    fn check_end(&mut self, who: usize, new: &Record) -> Result<(), Violation> {
        let worker = &self.workers[who];
        let Some(reason) = &new.reason else { return Ok(()) };
        let lawful = match (reason.as_str(), worker.refusal) {
            // Refused for the second use of a refresh token: the first one was in doubt.
            ("Denied:invalid_grant", Some((_, cause))) => cause == Cause::Ended,
            ("AnswerLost", Some((refresh, _))) => self.oracle.doubts.contains(&refresh),
            ("Unexplained", _) => {
                let most = self.oracle.unreadable.values().max();
                self.oracle.logins.entry(new.login.clone()).or_default().given_up = true;
                most.is_some_and(|most| *most >= 3)
            }
            ("TokenExpired", _) => !self.server.manners.rotates && new.refresh.is_none(),
            _ => false,
        };
        match lawful {
            true => Ok(()),
            false => violated(
                "a login ends only by law",
                format!("worker {who}: {} after {:?}", new.summary(), worker.refusal),
            ),
        }
    }

    /// A caller gets its answer.
    pub(crate) fn give(&mut self, who: usize, caller: Caller, did: &Did) -> Result<(), Violation> {
        self.note(|_| format!("worker {who} tells its caller: {did:?}"));
        let worker = &mut self.workers[who];
        let now = worker.clock.seconds();
        if caller.wish != Wish::Settled {
            worker.answer = Some(did.clone());
        }
        match did {
            Did::Token(access) => {
                worker.gave = Some(*access);
                let expires_at = self.oracle.expiries.get(access).copied().unwrap_or(0);
                if now >= expires_at {
                    return violated("an expired token is never given", format!("a{access}"));
                }
                if worker.rejected.contains(access) {
                    return violated("a rejected token is never given", format!("a{access}"));
                }
            }
            Did::Refused(error, true) if caller.wish != Wish::Settled => {
                let stored = self.store.entries[worker.key].as_ref();
                let over = stored.is_none_or(|entry| entry.record.is_over(now));
                let saw = worker
                    .looked
                    .is_some_and(|(at, over)| over && worker.clock.elapsed <= at + 1_002_000);
                if !over && !saw {
                    return violated(
                        "a person is only asked to log in when the stored login is over",
                        format!("worker {who}: {error}"),
                    );
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A refresh token that the server honours and that somebody has read is not thrown away.
    pub(crate) fn check_tokens(&self) -> Result<(), Violation> {
        let mut held: BTreeSet<u32> = BTreeSet::new();
        let stored = self.store.entries.iter().flatten().map(|entry| &entry.record);
        let states = self.processes().filter_map(|process| process.state.as_ref());
        held.extend(stored.chain(states).filter_map(|record| record.refresh));
        let families: BTreeSet<usize> = held
            .iter()
            .filter(|token| self.server.honours(**token))
            .map(|token| self.server.family(*token))
            .collect();
        for (refresh, who, _) in &self.oracle.reads {
            let family = self.server.family(*refresh);
            if !self.server.honours(*refresh) || held.contains(refresh) {
                continue;
            }
            // Within a grace period there are siblings, and one of them is enough.
            if families.contains(&family) || self.is_given_up(family) {
                continue;
            }
            return violated(
                "a refresh token that is honoured is never thrown away",
                format!("r{refresh}, which worker {who} has read"),
            );
        }
        Ok(())
    }

    /// Whether the tokens of the login that began so many logins ago may be thrown away.
    pub(crate) fn is_given_up(&self, family: usize) -> bool {
        self.families
            .get(family)
            .and_then(|login| self.oracle.logins.get(login))
            .is_none_or(|facts| facts.signed_out || facts.given_up)
    }

    /// What was signed out is revoked, as far as anybody knows it.
    pub(crate) fn check_revoked(&self) -> Result<(), Violation> {
        for (refresh, who, _) in &self.oracle.reads {
            let login = self.families.get(self.server.family(*refresh));
            let facts = login.and_then(|login| self.oracle.logins.get(login));
            let excused = self.oracle.unrevoked.contains(refresh);
            if facts.is_some_and(|facts| facts.signed_out)
                && self.server.honours(*refresh)
                && !excused
            {
                return violated(
                    "what was signed out is revoked",
                    format!("r{refresh}, which worker {who} has read, is honoured"),
                );
            }
        }
        Ok(())
    }
}
