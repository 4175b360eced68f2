//! What a step comes to, and the request that it sends.

use http::Request;

use super::{Session, Ticket};
use crate::error::{Error, Misuse};
use crate::machine::{Authorizing, Failed, State};
use crate::value::{Body, Timestamp};

/// What a step comes to, decided without touching anything.
pub(super) enum Plan {
    Use,
    Send(Timestamp),
    Wait(Timestamp),
    Expire,
    Login,
}

impl Session {
    pub(super) fn plan(
        &mut self,
        resource: Option<&str>,
        lease_start: Option<Timestamp>,
        now: Timestamp,
    ) -> Plan {
        let forced = self.refresh_wanted && resource.is_none();
        let start = lease_start.unwrap_or_else(|| self.lease_start(now));
        match &self.state {
            State::Unauthorized(state) if state.renewal.is_none() => Plan::Login,
            State::Unauthorized(state) => {
                state.setbacks.pending(now).map_or(Plan::Send(now), Plan::Wait)
            }
            State::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            ) => Plan::Login,
            State::Authorizing(Authorizing::AwaitingToken(state)) => {
                let due = state.due(start, now);
                if due > now { Plan::Wait(due) } else { Plan::Send(due) }
            }
            State::Authorizing(Authorizing::Polling(state)) => {
                let due = state.due(start, now);
                match (due > now, state.is_expired(now)) {
                    (true, true) if state.attempt.on_its_way => Plan::Wait(due),
                    (_, true) => Plan::Expire,
                    (true, false) => Plan::Wait(due.min(state.given_up_at(start, now))),
                    (false, false) => Plan::Send(due),
                }
            }
            State::Authorized(state) => {
                let held = state.held_for(resource);
                let usable = held.is_some_and(|held| held.usable(now).is_some());
                let stale = held.is_some_and(|held| held.wants_refresh(now));
                let renewable = match resource {
                    Some(_) => state.is_refreshable(),
                    None => state.is_renewable(),
                };
                match (usable, renewable, state.setbacks.pending(now)) {
                    (true, true, None) if forced || stale => Plan::Send(now),
                    (true, _, _) => Plan::Use,
                    (false, true, None) => Plan::Send(now),
                    (false, true, Some(due)) => Plan::Wait(due),
                    (false, false, _) if resource.is_none() && state.tokens.is_expired(now) => {
                        Plan::Expire
                    }
                    (false, false, _) => Plan::Login,
                }
            }
            State::Refreshing(state) => {
                let due = state.due(start, now);
                let held = state.held.held_for(resource);
                let usable = held.is_some_and(|held| held.usable(now).is_some());
                let stale = held.is_some_and(|held| held.wants_refresh(now));
                match (usable, due > now) {
                    (true, false) if forced || stale => Plan::Send(due),
                    (true, _) => Plan::Use,
                    (false, false) => Plan::Send(due),
                    (false, true) => Plan::Wait(due),
                }
            }
        }
    }

    /// From when the lease of the attempt on its way is counted: by its own time-stamp, unless that
    /// lies in the future.
    fn lease_start(&mut self, now: Timestamp) -> Timestamp {
        let Some(attempt) = self.state.attempt() else { return now };
        if now < attempt.sent_at {
            self.first_seen = Some(self.first_seen.map_or(now, |seen| seen.min(now)));
        }
        self.first_seen.map_or(attempt.sent_at, |seen| seen.min(attempt.sent_at))
    }

    pub(super) fn send(
        &mut self,
        resource: Option<&str>,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(Ticket, Request<Body>), Error> {
        let (client, state) = self.take();
        let sent = match state {
            State::Unauthorized(state) => {
                state.renew(&client, now).map(|(request, state)| (request, state.into()))
            }
            State::Authorizing(Authorizing::AwaitingToken(state)) => {
                state.retry_due(&client, due, now).map(|(request, state)| (request, state.into()))
            }
            State::Authorizing(Authorizing::Polling(state)) => {
                state.poll_due(&client, due, now).map(|(request, state)| (request, state.into()))
            }
            State::Authorized(state) => match resource {
                Some(resource) => state.refresh_for(resource, &client, now),
                None => state.refresh(&client, now),
            }
            .map(|(request, state)| (request, state.into())),
            State::Refreshing(state) => state
                .asking_for(resource, now)
                .and_then(|state| state.retry_due(&client, due, now))
                .map(|(request, state)| (request, state.into())),
            State::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            ) => Err(Failed::new(Misuse::UnfinishedLogin, state)),
        };
        self.first_seen = None;
        match sent {
            Ok((request, state)) => {
                self.state = state;
                let ticket = self.ticket().ok_or(Misuse::NoRequest)?;
                self.refresh_wanted &= ticket.resource().is_some();
                Ok((ticket, request))
            }
            Err(Failed { error, state, .. }) => {
                self.state = *state;
                Err(error)
            }
        }
    }

    fn ticket(&self) -> Option<Ticket> {
        let (attempt, question) = (self.state.attempt()?, self.state.question()?);
        Some(Ticket { question, attempt: attempt.number, deadline: attempt.deadline() })
    }
}
