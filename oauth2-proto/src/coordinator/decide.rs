//! What to do next for a caller: the store first, then what is on its way, then the session's step.

use alloc::boxed::Box;
use core::time::Duration;

use http::Request;

use super::effect::Want;
use super::{Ask, Coordinator, Leased, Phase, Purpose};
use crate::error::{Error, Expired, Outage, Reason, Unavailable};
use crate::machine::State;
use crate::session::{Lost, Step, Ticket};
use crate::value::{Body, Moment, Timestamp};

/// What to do, decided without borrowing what is given.
pub(super) enum Next {
    Load,
    Save,
    Lease(Purpose),
    Send(Ticket, Request<Body>, Duration),
    Revoke(Request<Body>),
    Wait(Duration),
    Busy(Duration),
    Give,
    Settled,
    Refuse(Error),
}

/// A request that has less time than this is not worth a doubt about its refresh token.
const SHORTEST_TIME_OUT: Duration = Duration::from_secs(1);

/// Rounds up to whole seconds.
const ALMOST_A_SECOND: Duration = Duration::from_nanos(999_999_999);

/// The longest pause after which a caller asks again, whatever it waits for.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

impl Coordinator {
    pub(super) fn decide(&mut self, ask: &Ask, now: Moment) -> Next {
        if !matches!(self.phase, Phase::Idle) {
            if self.satisfies(ask, now) {
                return Next::Give;
            }
            let left = ask.patience(now);
            return match left.is_zero() {
                false => Next::Busy(left.min(LONGEST_PAUSE)),
                true => Next::Refuse(Error::Unavailable(Unavailable::new(Outage::Waiting, None))),
            };
        }
        // The store first: whatever is not known or not saved there.
        let unknown = self.stored.is_unknown();
        if unknown || self.stored.unsaved.state {
            if let Some(pause) = self.stored.pause(now) {
                // A store that is down never stops a caller whose token is good.
                return if self.satisfies(ask, now) {
                    Next::Give
                } else {
                    self.wait(ask, pause, Outage::Store, now)
                };
            }
            return if unknown { Next::Load } else { Next::Save };
        }
        if let Some(leased) = self.leased.take() {
            let Leased { ticket, request, since } = *leased;
            // Law 6: no request leaves, and none stays on its way, after its lease.
            let time_out = ticket.time_out().saturating_sub(now.longest_since(since));
            if time_out >= SHORTEST_TIME_OUT {
                return Next::Send(ticket, request, time_out);
            }
            // The store took so long that an answer could come after the lease.
            let resource = ticket.resource().map(Into::into);
            if let Some(session) = &mut self.session {
                session.lost(ticket, Lost::Unsent, now.time());
            }
            let error = Error::Unavailable(Unavailable::new(Outage::Unsent, None));
            self.attempt_failed(error, resource);
            return Next::Save;
        }
        if let Some(request) = self.next_revocation() {
            return Next::Revoke(request);
        }
        if ask.want == Want::Settled {
            return self.refused.as_deref().cloned().map_or(Next::Settled, Next::Refuse);
        }
        if let Some(error) = self.own_failure(ask) {
            let over = ask.want != Want::Token || !error.is_retryable();
            if over && !self.satisfies(ask, now) {
                return Next::Refuse(self.explained(error));
            }
        }
        self.step(ask, now)
    }

    fn step(&mut self, ask: &Ask, now: Moment) -> Next {
        let (time, next_look) = (now.time(), self.stored.next_look(now));
        let stale = next_look.is_zero();
        let on_its_way = self.attempt_on_its_way();
        let lease_start = self.lease_start(now);
        let worth_a_look = self.is_nearly_over(now);
        let Some(session) = &mut self.session else {
            if stale {
                return Next::Load;
            }
            let nobody = Error::Expired(Expired::Login(Reason::NotStarted));
            return Next::Refuse(self.refused.as_deref().cloned().unwrap_or(nobody));
        };
        if let Want::Newer(held) = ask.want
            && session
                .state()
                .tokens()
                .is_some_and(|own| Some(own.tokens.access.generation()) == held)
        {
            // What was adopted from the store since the caller asked does not know of its wish.
            drop(session.refresh_now());
        }
        if worth_a_look && stale {
            return Next::Load;
        }
        if let Err(misuse) = session.check_room(ask.resource.as_deref(), time) {
            return if stale { Next::Load } else { Next::Refuse(misuse.into()) };
        }
        let (pause, reason) = match session.step_toward(ask.resource.as_deref(), lease_start, time)
        {
            Step::Send(ticket, request) => {
                let (holder, count) = self.seed.holder();
                session.hold(holder);
                self.holder = count;
                self.leased = Some(Box::new(Leased { ticket, request, since: now }));
                let purpose = if on_its_way { Purpose::TakeOver } else { Purpose::Lease };
                return Next::Lease(purpose);
            }
            // Where a newer token was asked for, a back-off is pending.
            Step::Use(_) => (next_look, None),
            Step::Wait(until) => (until.since(time), None),
            Step::Login(reason) => (Duration::ZERO, Some(reason.clone())),
        };
        if let Some(error) = session.obstacle().cloned() {
            self.attempt_failed(error, ask.resource.clone());
        }
        if self.satisfies(ask, now) {
            return Next::Give;
        }
        // The back-off is to be saved.
        if self.stored.unsaved.state {
            return Next::Save;
        }
        // Somebody else may have logged in, or be done, meanwhile.
        if stale {
            return Next::Load;
        }
        if let Some(reason) = reason {
            return Next::Refuse(
                self.own_failure(ask).cloned().unwrap_or(Error::Expired(Expired::Login(reason))),
            );
        }
        // An answer can come long before its lease is over; a back-off is over when it says so. But
        // others may be done meanwhile.
        if self.attempt_on_its_way() || now.elapsed().saturating_add(pause) <= ask.until {
            return self.wait(ask, pause.min(next_look), Outage::Waiting, now);
        }
        self.wait(ask, pause, Outage::Waiting, now)
    }

    /// Waits if the caller does.
    fn wait(&self, ask: &Ask, pause: Duration, cause: Outage, now: Moment) -> Next {
        if now.elapsed().saturating_add(pause) <= ask.until {
            return Next::Wait(pause);
        }
        // Whether a login is over, the store says: others may have saved newer tokens there.
        let own = self.own_failure(ask).filter(|own| cause != Outage::Store || !own.needs_login());
        Next::Refuse(
            own.cloned()
                .unwrap_or_else(|| Error::Unavailable(Unavailable::new(cause, Some(pause)))),
        )
    }

    fn attempt_on_its_way(&self) -> bool {
        self.state().and_then(State::attempt).is_some_and(|attempt| attempt.on_its_way)
    }

    /// From when the lease of the attempt on its way counts: from when this process has first seen
    /// it, by a clock that nobody sets, and by as much later as its holder may be slower.
    fn lease_start(&self, now: Moment) -> Option<Timestamp> {
        let attempt = self.state()?.attempt()?;
        let longer = attempt.margin() + self.stored.patience();
        let lease = Duration::from_secs(attempt.lease);
        let unsteady = self.stored.unsteady_for(lease, now);
        let seen = match self.stored.unchanged_for(now) {
            seen if unsteady.is_zero() => seen,
            seen => seen.min((lease + longer).saturating_sub(unsteady)),
        };
        let watched = match seen.checked_sub(longer) {
            Some(past) => now.time().before(past),
            None => now.time().after(longer - seen + ALMOST_A_SECOND),
        };
        // A time-stamp in the future was made by a clock that differs by more than it may.
        let stamped = self.clock_skew.as_deref().copied().filter(|_| attempt.sent_at <= now.time());
        let stamped = stamped.map(|skew| attempt.sent_at.after(skew));
        Some(stamped.map_or(watched, |stamped| stamped.min(watched)))
    }

    /// Whether another holder's lease has lasted its time, and only a look at the store is missing:
    /// worth it even to a caller whose token is good, so that nobody has to wait when it expires.
    fn is_nearly_over(&self, now: Moment) -> bool {
        self.state().and_then(State::attempt).is_some_and(|attempt| {
            let lease = Duration::from_secs(attempt.lease);
            let seen = self.stored.unchanged_for(now);
            attempt.on_its_way
                && seen >= lease + attempt.margin() + self.stored.patience()
                && !self.stored.unsteady_for(lease, now).is_zero()
        })
    }

    /// What an error means for the login: where it is over, a person has to know.
    fn explained(&self, error: &Error) -> Error {
        match self.state() {
            Some(State::Unauthorized(state)) if !state.is_renewable() && !error.needs_login() => {
                Error::Expired(Expired::Login(state.reason().clone()))
            }
            Some(_) | None => error.clone(),
        }
    }

    /// The failure of an attempt that this caller has waited for. What goes wrong with another
    /// resource is not its own.
    fn own_failure(&self, ask: &Ask) -> Option<&Error> {
        let (error, resource) = self.last_error.as_deref()?;
        (self.failures > ask.failures && *resource == ask.resource).then_some(error)
    }

    fn satisfies(&self, ask: &Ask, now: Moment) -> bool {
        match ask.want {
            Want::Token => self.usable(ask, now.time()).is_some(),
            Want::Newer(held) => {
                self.usable(ask, now.time()).is_some() && self.generation() != held
            }
            Want::Settled => false,
        }
    }
}
