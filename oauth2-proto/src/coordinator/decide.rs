//! What to do next for a caller: the store first, then what is on its way, then the session's step.

use alloc::boxed::Box;
use core::time::Duration;

use http::Request;

use super::effect::Want;
use super::{Ask, Coordinator, Phase};
use crate::error::{Error, Expired, Outage, Reason, Unavailable};
use crate::machine::State;
use crate::session::{Lost, Step, Ticket};
use crate::value::{Body, Timestamp};

/// What to do, decided without borrowing what is given.
pub(super) enum Next {
    Load,
    Save,
    Lease,
    Send(Ticket, Request<Body>),
    Revoke(Request<Body>),
    Wait(Timestamp),
    Busy,
    Give,
    Settled,
    Refuse(Error),
}

/// How often a caller that waits for another process looks whether it is done.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

impl Coordinator {
    pub(super) fn decide(&mut self, ask: &Ask, now: Timestamp) -> Next {
        if !matches!(self.phase, Phase::Idle) {
            return match self.satisfies(ask, now) {
                true => Next::Give,
                false if now <= ask.until => Next::Busy,
                false => Next::Refuse(Error::Unavailable(Unavailable::new(Outage::Waiting, None))),
            };
        }
        // The store first: whatever is not known or not saved there.
        let unknown = self.stored.is_unknown();
        if unknown || self.stored.unsaved.state {
            if let Some(retry_at) = self.stored.pause(now) {
                // A store that is down never stops a caller whose token is good.
                return if self.satisfies(ask, now) {
                    Next::Give
                } else {
                    self.wait(ask, retry_at, Outage::Store, now)
                };
            }
            return if unknown { Next::Load } else { Next::Save };
        }
        if let Some(leased) = self.leased.take() {
            let (ticket, request) = *leased;
            if ticket.is_timely(now) {
                return Next::Send(ticket, request);
            }
            // The store took so long, or the clock was set back so far, that an answer could come
            // after the lease.
            let resource = ticket.resource().map(Into::into);
            if let Some(session) = &mut self.session {
                session.lost(ticket, Lost::Unsent, now);
            }
            let error = Error::Unavailable(Unavailable::new(Outage::Unsent, None));
            self.attempt_failed(error, resource);
            return Next::Save;
        }
        if let Some(request) = self.revocations.pop_front() {
            return Next::Revoke(request);
        }
        if ask.want == Want::Settled {
            return self.refused.clone().map_or(Next::Settled, Next::Refuse);
        }
        if let Some(error) = self.own_failure(ask) {
            let over = ask.want != Want::Token || !error.is_retryable();
            if over && !self.satisfies(ask, now) {
                return Next::Refuse(self.explained(error));
            }
        }
        self.step(ask, now)
    }

    fn step(&mut self, ask: &Ask, now: Timestamp) -> Next {
        let stale = self.stored.is_older_than(LOOK_AGAIN, now);
        let Some(session) = &mut self.session else {
            if stale {
                return Next::Load;
            }
            let nobody = Error::Expired(Expired::Login(Reason::NotStarted));
            return Next::Refuse(self.refused.clone().unwrap_or(nobody));
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
        if let Err(misuse) = session.check_room(ask.resource.as_deref(), now) {
            return if stale { Next::Load } else { Next::Refuse(misuse.into()) };
        }
        let (due, reason) = match session.step_toward(ask.resource.as_deref(), now) {
            Step::Send(ticket, request) => {
                let holder = self.seed.holder();
                session.hold(holder);
                self.holder = Some(holder);
                self.leased = Some(Box::new((ticket, request)));
                return Next::Lease;
            }
            // Where a newer token was asked for, a back-off is pending.
            Step::Use(_) => (now.after(LOOK_AGAIN), None),
            Step::Wait(until) => (until, None),
            Step::Login(reason) => (now, Some(reason.clone())),
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
        // An answer can come long before its lease is over; a back-off is over when it says so.
        let answer_due = self.state().and_then(State::attempt).is_some_and(|it| it.on_its_way);
        let due = if answer_due { due.min(now.after(LOOK_AGAIN)) } else { due };
        self.wait(ask, due, Outage::Waiting, now)
    }

    /// Waits for this moment if the caller does, and looks now and then what others have done.
    fn wait(&self, ask: &Ask, until: Timestamp, cause: Outage, now: Timestamp) -> Next {
        if until <= ask.until {
            return Next::Wait(until.min(now.after(LOOK_AGAIN)));
        }
        Next::Refuse(
            self.own_failure(ask).cloned().unwrap_or_else(|| {
                Error::Unavailable(Unavailable::new(cause, Some(until.since(now))))
            }),
        )
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
        let (error, resource) = self.last_error.as_ref()?;
        (self.failures > ask.failures && *resource == ask.resource).then_some(error)
    }

    fn satisfies(&self, ask: &Ask, now: Timestamp) -> bool {
        match ask.want {
            Want::Token => self.usable(ask, now).is_some(),
            Want::Newer(held) => self.usable(ask, now).is_some() && self.generation() != held,
            Want::Settled => false,
        }
    }
}
