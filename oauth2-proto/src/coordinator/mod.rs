//! Floor 4: drives a login in a store that several tasks and processes share, as pure effects. Who
//! holds the lease, and what is stored?

mod decide;
mod effect;
mod reconcile;
mod stored;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use core::time::Duration;

use decide::Next;
use effect::Want;
pub use effect::{Ask, Effect, Given, Swapped, Unknown, Version};
use http::{Request, Response};
use reconcile::Verdict;
use stored::{Stored, Unsaved};

use crate::client::{Client, check_resource};
use crate::error::{Error, Expired, Outage, Reason, Unavailable};
use crate::machine::{Failed, State};
use crate::session::{Challenged, Lost, Received, Session, Ticket};
use crate::value::{AccessToken, Body, Generation, HolderId, Seed, Timestamp};
use crate::wire::Challenge;

/// One login in a shared store, driven by effects: ask what to do for a caller, do it, report.
///
/// The protocol: *load*, decide, *swap* `Authorized` for `Refreshing` (the lease), *send*, *swap*
/// in what the answer makes of it, *give* the token. It opens nothing and waits for nothing: the
/// [`Agent`](crate::agent::Agent) executes the effects for async programs, and a test or simulator
/// executes them one by one.
///
/// One effect is out at a time. Any number of callers may [`poll`](Self::poll), each with an
/// [`Ask`] of its own; whoever gets an effect executes it for all.
#[derive(Debug)]
pub struct Coordinator {
    client: Arc<Client>,
    seed: Seed,
    session: Option<Session>,
    /// The generation whose token a resource server refused last: whoever else holds the login may
    /// not know.
    rejected: Option<Generation>,
    /// Why what is stored is no login for this coordinator.
    refused: Option<Error>,
    stored: Stored,
    phase: Phase,
    /// A request that may be sent once its lease is known to be stored.
    leased: Option<Box<(Ticket, Request<Body>)>>,
    /// Whose lease this coordinator took last.
    holder: Option<HolderId>,
    /// Requests that revoke tokens nobody wants any more.
    revocations: VecDeque<Request<Body>>,
    /// Counts the attempts that failed, so that a caller can tell its own from earlier ones.
    failures: u64,
    /// The latest of them, and for which resource a token was asked for.
    last_error: Option<(Error, Option<String>)>,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Loading,
    Leasing,
    Sending(Ticket),
    Saving,
    Revoking,
}

/// How long a revocation may take. Nobody waits for its outcome.
const REVOCATION: Duration = Duration::from_secs(10);

impl Coordinator {
    /// Begins to coordinate one login; nothing is loaded yet.
    #[must_use]
    pub fn new(client: Arc<Client>, seed: &mut Seed) -> Self {
        Self {
            client,
            seed: seed.split(),
            session: None,
            rejected: None,
            refused: None,
            stored: Stored::default(),
            phase: Phase::Idle,
            leased: None,
            holder: None,
            revocations: VecDeque::new(),
            failures: 0,
            last_error: None,
        }
    }

    /// Asks for a token that is good now. A caller does not wait beyond `until`.
    #[must_use]
    pub const fn token(&self, until: Timestamp) -> Ask {
        self.ask(Want::Token, until)
    }

    /// Asks for a token for this resource, beside the one of the login itself.
    ///
    /// # Errors
    /// [`Misuse::Url`](crate::Misuse::Url) when the resource is no absolute URI, or has a fragment.
    ///
    /// See [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2).
    pub fn token_for(&self, resource: &str, until: Timestamp) -> Result<Ask, Error> {
        check_resource(resource)?;
        Ok(Ask { resource: Some(resource.into()), ..self.token(until) })
    }

    /// Asks that the login is loaded, everything is saved, and every request has been sent.
    #[must_use]
    pub const fn settled(&self, until: Timestamp) -> Ask {
        self.ask(Want::Settled, until)
    }

    /// Asks for a newer token than the current one. Load before, with [`settled`](Self::settled).
    ///
    /// # Errors
    /// [`Misuse::NotRenewable`](crate::Misuse::NotRenewable) when there is nothing to ask with.
    pub fn refresh(&mut self, until: Timestamp) -> Result<Ask, Error> {
        if let Some(session) = &mut self.session
            && let Err(error) = session.refresh_now()
            && session.state().tokens().is_some()
        {
            return Err(error);
        }
        Ok(self.ask(Want::Newer(self.generation()), until))
    }

    /// Makes the next poll read the store first: for what must not be decided on old knowledge.
    pub const fn reload(&mut self) {
        self.stored.reload();
    }

    /// Ends the login; [`settled`](Self::settled) says when that is saved and the tokens are
    /// revoked. [Reload](Self::reload) before: what is not known can't be revoked.
    pub fn sign_out(&mut self, now: Timestamp) {
        if let Some(session) = &mut self.session {
            self.revocations.extend(session.sign_out(now));
            self.overrule();
        }
    }

    /// Puts a new login in place of whatever is stored; [`settled`](Self::settled) says when that
    /// is saved.
    ///
    /// # Errors
    /// As [`Session::new`]; nothing has been changed.
    pub fn log_in(&mut self, state: impl Into<State>) -> Result<(), Failed> {
        self.session = Some(Session::new(Arc::clone(&self.client), state)?);
        self.refused = None;
        self.overrule();
        Ok(())
    }

    /// The state, as far as it is known.
    #[must_use]
    pub fn state(&self) -> Option<&State> {
        self.session.as_ref().map(Session::state)
    }

    /// The client whose login this is.
    #[must_use]
    pub const fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Hears that a resource server refused a token; see [`Session::challenged`].
    pub fn challenged(
        &mut self,
        generation: Generation,
        challenge: &Challenge,
        now: Timestamp,
    ) -> Challenged {
        let Some(session) = &mut self.session else { return Challenged::Superseded };
        let known = session.state().tokens().is_none_or(|held| held.is_rejected(generation));
        let challenged = session.challenged(generation, challenge, now);
        if challenged == Challenged::Rejected {
            self.rejected = Some(generation);
        }
        if challenged == Challenged::Rejected && !known {
            self.stored.unsaved.state = true;
        }
        challenged
    }

    /// What to do next for this caller.
    pub fn poll(&mut self, ask: &Ask, now: Timestamp) -> Effect<'_> {
        match self.decide(ask, now) {
            Next::Load => {
                self.phase = Phase::Loading;
                Effect::Load
            }
            Next::Save => self.swap(Phase::Saving),
            Next::Lease => self.swap(Phase::Leasing),
            Next::Send(ticket, request) => {
                let deadline = ticket.deadline();
                self.phase = Phase::Sending(ticket);
                Effect::Send(request, deadline)
            }
            Next::Revoke(request) => {
                self.phase = Phase::Revoking;
                Effect::Send(request, now.after(REVOCATION))
            }
            Next::Wait(until) => Effect::Wait(until),
            Next::Busy => Effect::Busy,
            Next::Settled => Effect::Give(Ok(Given::Settled)),
            Next::Refuse(error) => Effect::Give(Err(error)),
            Next::Give => Effect::Give(
                self.usable(ask, now).map(Given::Token).ok_or(Error::Expired(Expired::Token)),
            ),
        }
    }

    /// Hears what is stored.
    pub fn loaded(&mut self, loaded: Result<Option<(Version, State)>, Unknown>, now: Timestamp) {
        self.phase = Phase::Idle;
        let Ok(loaded) = loaded else { return self.stored.failed(now) };
        let (version, theirs) = match loaded {
            Some((version, state)) => (Some(version), Some(state)),
            None => (None, None),
        };
        self.stored.loaded(version, now);
        match self.reconcile(theirs.as_ref(), now) {
            Verdict::Mine => {}
            Verdict::Same => self.stored.unsaved = Unsaved::default(),
            Verdict::Theirs => self.adopt(theirs),
        }
    }

    /// Hears what became of a swap.
    pub fn swapped(&mut self, swapped: Result<Swapped, Unknown>, now: Timestamp) {
        let leasing = matches!(self.phase, Phase::Leasing);
        self.phase = Phase::Idle;
        if leasing && swapped == Ok(Swapped::Conflict) {
            // Somebody was faster. The request is dropped unsent.
            self.leased = None;
        }
        self.stored.swapped(swapped, leasing, now);
    }

    /// Hears the answer to a request.
    pub fn received<B: AsRef<[u8]>>(&mut self, response: &Response<B>, now: Timestamp) {
        let Some((session, ticket)) = self.landed() else { return };
        let resource = ticket.resource().map(Into::into);
        match session.receive(ticket, response, now) {
            Ok(Received::Applied) => {
                self.last_error = None;
                self.stored.unsaved = Unsaved::NEW_TOKENS;
            }
            Ok(Received::Pending) => {
                self.last_error = None;
                self.stored.unsaved.state = true;
            }
            Ok(Received::Late(revocations)) => self.revocations.extend(revocations),
            Err(error) => self.attempt_failed(error, resource),
        }
    }

    /// Hears that a request brought no answer.
    pub fn lost(&mut self, how: Lost, now: Timestamp) {
        let Some((session, ticket)) = self.landed() else { return };
        let resource = ticket.resource().map(Into::into);
        session.lost(ticket, how, now);
        let cause = match how {
            Lost::Unsent => Outage::Unsent,
            Lost::Unanswered => Outage::Unanswered,
        };
        self.attempt_failed(Error::Unavailable(Unavailable::new(cause, None)), resource);
    }

    /// Hears that whoever executed an effect is gone, and that its outcome will never be known.
    pub fn abandoned(&mut self, now: Timestamp) {
        match self.phase {
            Phase::Idle => {}
            Phase::Loading => self.loaded(Err(Unknown), now),
            Phase::Leasing | Phase::Saving => self.swapped(Err(Unknown), now),
            Phase::Sending(_) | Phase::Revoking => self.lost(Lost::Unanswered, now),
        }
    }

    const fn ask(&self, want: Want, until: Timestamp) -> Ask {
        Ask { want, resource: None, until, failures: self.failures }
    }

    fn generation(&self) -> Option<Generation> {
        Some(self.state()?.tokens()?.tokens.access.generation())
    }

    fn usable(&self, ask: &Ask, now: Timestamp) -> Option<&AccessToken> {
        self.state()?.tokens()?.held_for(ask.resource.as_deref())?.usable(now)
    }

    fn swap(&mut self, phase: Phase) -> Effect<'_> {
        match &self.session {
            Some(session) => {
                self.phase = phase;
                self.stored.begin_swap();
                Effect::Swap(self.stored.version, session.state())
            }
            // Nothing is held, so there is nothing to save.
            None => Effect::Give(Err(Error::Expired(Expired::Login(Reason::NotStarted)))),
        }
    }

    /// The request that was on its way, and the session that awaits its outcome.
    fn landed(&mut self) -> Option<(&mut Session, Ticket)> {
        match core::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Sending(ticket) => Some((self.session.as_mut()?, ticket)),
            // The answer to a revocation changes nothing.
            Phase::Revoking => None,
            other @ (Phase::Idle | Phase::Loading | Phase::Leasing | Phase::Saving) => {
                self.phase = other;
                None
            }
        }
    }

    fn attempt_failed(&mut self, error: Error, resource: Option<String>) {
        self.failures = self.failures.wrapping_add(1);
        self.last_error = Some((error, resource));
        self.stored.unsaved.state = true;
    }

    fn overrule(&mut self) {
        self.leased = None;
        self.stored.unsaved = Unsaved::OVERRULED;
    }
}
