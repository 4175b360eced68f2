//! Floor 4: drives one login in place, for a client that lives long. Who sends now?

mod plan;
mod step;

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use http::{Request, Response};
use plan::Plan;
pub use step::{Challenged, Lost, Received, Step, Ticket};

use crate::client::{Client, check_resource};
use crate::error::{Error, Misuse, Reason};
use crate::machine::{
    Authorizing, AwaitingToken, Failed, Grant, Late, Login, Polled, Refreshing, State, Unauthorized,
};
use crate::value::{Body, Generation, HolderId, Timestamp};
use crate::wire::Challenge;

/// One login, driven in place: ask it for the next [`step`](Self::step), do that, tell it the
/// outcome.
///
/// It is not shared between processes; save [`state`](Self::state) *before* sending what a step
/// asks to send, and after each outcome. For logins in a store that several processes share there
/// is the [`Coordinator`](crate::Coordinator).
///
/// ```
/// # use oauth2_proto::{AccessToken, Lost, Received, Session, State, Step, Timestamp};
/// # fn send(_: http::Request<oauth2_proto::Body>) -> Option<http::Response<Vec<u8>>> { None }
/// # fn save(_: &State) {}
/// # fn token(session: &mut Session, now: Timestamp) -> Option<AccessToken> {
/// loop {
///     let (ticket, request) = match session.step(now) {
///         Step::Use(token) => return Some(token.clone()), // attach it to a request
///         Step::Send(ticket, request) => (ticket, request),
///         Step::Wait(_) => return None,  // come back then
///         Step::Login(_) => return None, // a person has to log in
///     };
///     save(session.state());
///     match send(request) {
///         Some(response) => match session.receive(ticket, &response, now) {
///             Ok(Received::Late(requests)) => requests.into_iter().map(send).for_each(drop),
///             Ok(_) | Err(_) => {} // the next step goes on from what is left
///         },
///         None => session.lost(ticket, Lost::Unanswered, now),
///     }
///     save(session.state());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Session {
    client: Arc<Client>,
    state: State,
    /// The host asked for new tokens, whatever the clock says.
    refresh_wanted: bool,
    /// When an attempt that seems to have been sent in the future was first seen: some clock has
    /// been set back, and its lease is counted from here.
    first_seen: Option<Timestamp>,
    /// Why the request of the latest step could not be built.
    obstacle: Option<Box<Error>>,
}

/// A token is not given up for a challenge before it is this old (seconds): a resource server that
/// rejects every token must not cause a refresh per call.
const TOO_YOUNG: u64 = 30;

impl Session {
    /// Takes a login over that needs no browser (any more).
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Misuse::UnfinishedLogin`] for a login in a browser: finish it by
    /// hand first. The state comes back as it was.
    pub fn new(client: Arc<Client>, state: impl Into<State>) -> Result<Self, Failed> {
        let state = state.into();
        if let Err(misuse) = state.identity().check(&client) {
            return Err(Failed::new(misuse, state));
        }
        match &state {
            State::Authorizing(
                Authorizing::AwaitingCallback(_)
                | Authorizing::AwaitingFragment(_)
                | Authorizing::AwaitingToken(AwaitingToken {
                    grant: Grant::Code(_) | Grant::OneTime(_),
                    ..
                }),
            ) => Err(Failed::new(Misuse::UnfinishedLogin, state)),
            State::Unauthorized(_)
            | State::Authorizing(Authorizing::AwaitingToken(_) | Authorizing::Polling(_))
            | State::Authorized(_)
            | State::Refreshing(_) => {
                Ok(Self { client, state, refresh_wanted: false, first_seen: None, obstacle: None })
            }
        }
    }

    /// The state, to be saved.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The state, for a program that goes on by hand.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// Why the latest step could not build the request that it was time for: what
    /// [`Authenticate`](crate::Authenticate) says. The next attempt waits.
    #[must_use]
    pub fn obstacle(&self) -> Option<&Error> {
        self.obstacle.as_deref()
    }

    /// What to do now.
    pub fn step(&mut self, now: Timestamp) -> Step<'_> {
        self.step_toward(None, None, now)
    }

    /// What to do now for an access token for this resource, beside the one of the login itself.
    ///
    /// # Errors
    /// [`Misuse::Url`] when the resource is no absolute URI, has a fragment, or is one too many
    /// (32); [`Misuse::NotRenewable`] when there is no refresh token to ask with.
    ///
    /// See [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2).
    pub fn step_for(&mut self, resource: &str, now: Timestamp) -> Result<Step<'_>, Error> {
        check_resource(resource)?;
        self.check_room(Some(resource), now)?;
        Ok(self.step_toward(Some(resource), None, now))
    }

    /// Whether the login that is held can have a token for this resource.
    pub(crate) fn check_room(&self, resource: Option<&str>, now: Timestamp) -> Result<(), Misuse> {
        match (self.state.tokens(), resource) {
            (Some(held), Some(resource)) => held.check_room(resource, now),
            (Some(_) | None, Some(_) | None) => Ok(()),
        }
    }

    /// What to do now; `lease_start` is from when the lease of the attempt on its way counts, where
    /// that is not what its own time-stamp says.
    pub(crate) fn step_toward(
        &mut self,
        resource: Option<&str>,
        lease_start: Option<Timestamp>,
        now: Timestamp,
    ) -> Step<'_> {
        self.obstacle = None;
        let mut plan = self.plan(resource, lease_start, now);
        if let Plan::Send(due) = plan {
            match self.send(resource, due, now) {
                Ok((ticket, request)) => return Step::Send(ticket, request),
                Err(error) => self.obstacle = Some(Box::new(error)),
            }
            self.state.set_back(now);
            plan = self.plan(resource, lease_start, now);
        }
        match plan {
            Plan::Expire => self.expire(),
            Plan::Wait(until) => return Step::Wait(until),
            Plan::Use | Plan::Login | Plan::Send(_) => {}
        }
        match &self.state {
            State::Unauthorized(state) => Step::Login(state.reason()),
            State::Authorized(state) | State::Refreshing(Refreshing { held: state, .. }) => {
                match state.held_for(resource) {
                    Some(tokens) if tokens.rejected => Step::Login(&Reason::TokenRejected),
                    Some(tokens) => {
                        tokens.usable(now).map_or(Step::Login(&Reason::TokenExpired), Step::Use)
                    }
                    None => Step::Login(&Reason::TokenExpired),
                }
            }
            State::Authorizing(_) => Step::Login(&Reason::NotStarted),
        }
    }

    /// Reads the answer to the request that the ticket came with. Save the state afterwards.
    ///
    /// A success is taken even when it comes late: whoever holds the lease now, newer tokens are
    /// better than older ones.
    ///
    /// # Errors
    /// Why there are no new tokens. The state is what is left, and the next step goes on from it.
    pub fn receive<B: AsRef<[u8]>>(
        &mut self,
        ticket: Ticket,
        response: &Response<B>,
        now: Timestamp,
    ) -> Result<Received, Error> {
        self.first_seen = None;
        if !self.is_current(&ticket) {
            return Ok(self.receive_late(&ticket, response, now));
        }
        let of_resource = ticket.resource().is_some();
        let (client, state) = self.take();
        let received = match state {
            State::Refreshing(state) => state.receive(&client, response, now),
            State::Authorizing(Authorizing::AwaitingToken(state)) => {
                state.receive(&client, response, now)
            }
            State::Authorizing(Authorizing::Polling(state)) => {
                match state.receive(&client, response, now) {
                    Ok(Polled::Authorized(authorized)) => Ok(authorized),
                    Ok(Polled::Pending(polling)) => {
                        self.state = polling.into();
                        return Ok(Received::Pending);
                    }
                    Err(failed) => Err(failed),
                }
            }
            State::Unauthorized(_)
            | State::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            )
            | State::Authorized(_) => Err(Failed::new(Misuse::NoRequest, state)),
        };
        match received {
            Ok(authorized) => {
                self.refresh_wanted &= of_resource;
                self.state = authorized.into();
                Ok(Received::Applied)
            }
            Err(Failed { error, state, next }) => {
                self.state = *state;
                if next.is_none() {
                    return Err(error);
                }
                // The next step makes that request, under a lease of its own.
                if let Some(attempt) = self.state.attempt_mut() {
                    attempt.on_its_way = false;
                }
                Ok(Received::Pending)
            }
        }
    }

    /// Notes that the request brought no answer. Save the state afterwards.
    pub fn lost(&mut self, ticket: Ticket, how: Lost, now: Timestamp) {
        if !self.is_current(&ticket) {
            return;
        }
        let (_, state) = self.take();
        self.state = match (state, how) {
            (State::Refreshing(state), Lost::Unsent) => state.unsent(now),
            (State::Refreshing(state), Lost::Unanswered) => state.unanswered(now).into(),
            (State::Authorizing(Authorizing::AwaitingToken(state)), Lost::Unsent) => {
                state.unsent(now).into()
            }
            (State::Authorizing(Authorizing::AwaitingToken(state)), Lost::Unanswered) => {
                state.unanswered(now)
            }
            (State::Authorizing(Authorizing::Polling(state)), Lost::Unsent) => {
                state.unsent(now).into()
            }
            (State::Authorizing(Authorizing::Polling(state)), Lost::Unanswered) => {
                state.unanswered(now).into()
            }
            (
                state @ (State::Unauthorized(_) | State::Authorizing(_) | State::Authorized(_)),
                _,
            ) => state,
        };
    }

    /// Hears that a resource server refused a token, by the generation of that token.
    ///
    /// A resource server never ends a login: what it says only makes the next step ask for another
    /// token. Save the state after [`Challenged::Rejected`].
    ///
    /// See [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1).
    pub fn challenged(
        &mut self,
        generation: Generation,
        challenge: &Challenge,
        now: Timestamp,
    ) -> Challenged {
        if !challenge.is_invalid_token() {
            return Challenged::Unrelated;
        }
        let current = generation == self.state.identity().generation();
        let Some(tokens) = self.state.tokens_mut() else {
            return if current { Challenged::Rejected } else { Challenged::Superseded };
        };
        let Some(tokens) = tokens.held_of(generation) else { return Challenged::Superseded };
        let born = tokens.sent_at;
        if !tokens.rejected && now >= born && now.since(born).as_secs() < TOO_YOUNG {
            return Challenged::TooYoung;
        }
        tokens.rejected = true;
        Challenged::Rejected
    }

    /// Makes the next step ask for new tokens, even though the old ones are good.
    ///
    /// # Errors
    /// [`Misuse::NotRenewable`] when there is nothing to ask with.
    pub fn refresh_now(&mut self) -> Result<(), Error> {
        let renewable = match &self.state {
            State::Unauthorized(state) => state.is_renewable(),
            State::Authorized(state) => state.is_renewable(),
            State::Authorizing(_) | State::Refreshing(_) => true,
        };
        if !renewable {
            return Err(Misuse::NotRenewable.into());
        }
        self.refresh_wanted = true;
        Ok(())
    }

    /// Ends the login. Save the state, then send the requests: they revoke its tokens, and their
    /// answers change nothing any more.
    #[must_use = "these requests revoke the tokens"]
    pub fn sign_out(&mut self, now: Timestamp) -> Vec<Request<Body>> {
        let (client, state) = self.take();
        match state.sign_out(&client, now) {
            Ok((ended, requests)) => {
                self.refresh_wanted = false;
                self.state = ended.into();
                requests
            }
            Err(Failed { state, .. }) => {
                self.state = *state;
                Vec::new()
            }
        }
    }

    pub(crate) fn is_current(&self, ticket: &Ticket) -> bool {
        self.state.identity().generation() == ticket.question.asked_for
            && self
                .state
                .attempt()
                .is_some_and(|attempt| attempt.on_its_way && attempt.number == ticket.attempt)
    }

    fn receive_late<B: AsRef<[u8]>>(
        &mut self,
        ticket: &Ticket,
        response: &Response<B>,
        now: Timestamp,
    ) -> Received {
        let (client, state) = self.take();
        let late = state.receive_late(&client, &ticket.question, response, now);
        let (state, received) = match late {
            Late::Wins(authorized) => {
                self.refresh_wanted &= ticket.resource().is_some();
                (authorized.into(), Received::Applied)
            }
            Late::Yields(state) => (state, Received::Late(Vec::new())),
            Late::Unwanted(state, tokens) => {
                (state, Received::Late(tokens.revocations(&client, now)))
            }
        };
        self.state = state;
        received
    }

    /// Leaves the tokens that have expired behind.
    fn expire(&mut self) {
        let (_, state) = self.take();
        self.state = match state {
            State::Authorized(state) => state.end(Reason::TokenExpired).into(),
            State::Authorizing(Authorizing::Polling(state)) => state.end(Reason::Deadline).into(),
            other @ (State::Unauthorized(_) | State::Authorizing(_) | State::Refreshing(_)) => {
                other
            }
        };
    }

    /// The state to be changed; the caller puts its successor in place.
    fn take(&mut self) -> (Arc<Client>, State) {
        let login: Login = *self.state.identity();
        let vacant = Unauthorized::ended(login, Reason::NotStarted, crate::Scope::default());
        (Arc::clone(&self.client), core::mem::replace(&mut self.state, vacant.into()))
    }

    /// A resource server has refused the tokens of this generation, as others have heard.
    pub(crate) fn reject(&mut self, generation: Generation) {
        if let Some(tokens) = self.state.tokens_mut().and_then(|held| held.held_of(generation)) {
            tokens.rejected = true;
        }
    }

    pub(crate) fn hold(&mut self, holder: HolderId) {
        if let Some(attempt) = self.state.attempt_mut() {
            attempt.holder = Some(holder);
        }
    }
}
