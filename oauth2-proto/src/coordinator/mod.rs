//! Floor 4: drives a login in a store that several tasks and processes share, as pure effects. Who
//! holds the lease, and what is stored?

mod decide;
mod effect;
#[cfg(feature = "tracing")]
mod insight;
mod reconcile;
mod stored;

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::num::NonZero;
use core::time::Duration;

use decide::Next;
use effect::Want;
pub use effect::{Ask, Effect, Given, Purpose, Swapped, Unknown, Version};
use http::{Request, Response};
#[cfg(feature = "tracing")]
pub(crate) use insight::Exchange;
use reconcile::Verdict;
use stored::{Stored, Unsaved};

use crate::client::{Client, check_resource};
use crate::error::{Error, Expired, Misuse, Outage, Reason, Unavailable};
use crate::machine::{Failed, State};
use crate::session::{Challenged, Lost, Received, Session, Ticket};
use crate::value::{AccessToken, Body, Generation, Moment, Seed, Timestamp};
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
    rejected: Option<Box<Generation>>,
    /// Why what is stored is no login for this coordinator.
    refused: Option<Box<Error>>,
    stored: Stored,
    phase: Phase,
    /// A request that may be sent once its lease is known to be stored.
    leased: Option<Box<Leased>>,
    /// Whose lease this coordinator took last, by the count of its seed.
    holder: Option<NonZero<u64>>,
    revocations: Option<Box<Revocations>>,
    /// Counts the attempts that failed, so that a caller can tell its own from earlier ones.
    failures: u64,
    /// The latest of them, and for which resource a token was asked for.
    last_error: Option<Box<(Error, Option<String>)>>,
    /// Where the time-stamps of leases are relied on: by how much clocks may differ.
    clock_skew: Option<Box<Duration>>,
}

/// Requests that revoke tokens nobody wants any more.
#[derive(Debug)]
struct Revocations(VecDeque<Request<Body>>);

#[derive(Debug)]
struct Leased {
    ticket: Ticket,
    request: Request<Body>,
    /// Before it was stored, so nobody saw it earlier.
    since: Moment,
}

#[derive(Debug)]
enum Phase {
    Idle,
    Loading,
    Leasing,
    Sending(Box<Ticket>),
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
            revocations: None,
            failures: 0,
            last_error: None,
            clock_skew: None,
        }
    }

    /// Relies on the time-stamps of leases, too: for a program that runs once and is done before it
    /// could have watched another one's lease to its end. `skew` is what the clocks of all that share
    /// the store may differ by; where they differ by more, a refresh token can be used twice.
    #[must_use]
    pub fn with_clock_skew(self, skew: Duration) -> Self {
        Self { clock_skew: Some(Box::new(skew)), ..self }
    }

    #[cfg(feature = "agent")]
    pub(crate) fn rely_on_clocks(&mut self, skew: Duration) {
        self.clock_skew = Some(Box::new(skew));
    }

    /// Whether the store does not have all that is known here.
    #[cfg(feature = "agent")]
    pub(crate) const fn is_unsaved(&self) -> bool {
        self.stored.unsaved.state
    }

    /// Asks for a token that is good now. The caller waits this long for it.
    #[must_use]
    pub const fn token(&self, patience: Duration, now: Moment) -> Ask {
        self.ask(Want::Token, patience, now)
    }

    /// Asks for a token for this resource, beside the one of the login itself.
    ///
    /// # Errors
    /// [`Misuse::Url`](crate::Misuse::Url) when the resource is no absolute URI, or has a fragment.
    ///
    /// See [RFC 8707 §2.2](https://www.rfc-editor.org/rfc/rfc8707#section-2.2).
    pub fn token_for(&self, resource: &str, patience: Duration, now: Moment) -> Result<Ask, Error> {
        check_resource(resource)?;
        Ok(Ask { resource: Some(resource.into()), ..self.token(patience, now) })
    }

    /// Asks that the login is loaded, everything is saved, and every request has been sent.
    #[must_use]
    pub const fn settled(&self, patience: Duration, now: Moment) -> Ask {
        self.ask(Want::Settled, patience, now)
    }

    /// Asks for a newer token than the current one. Load before, with [`settled`](Self::settled).
    ///
    /// # Errors
    /// [`Misuse::NotRenewable`](crate::Misuse::NotRenewable) when there is nothing to ask with.
    pub fn refresh(&mut self, patience: Duration, now: Moment) -> Result<Ask, Error> {
        if let Some(session) = &mut self.session
            && let Err(error) = session.refresh_now()
            && session.state().tokens().is_some()
        {
            return Err(error);
        }
        Ok(self.ask(Want::Newer(self.generation()), patience, now))
    }

    /// Makes the next poll read the store first: for what must not be decided on old knowledge.
    pub const fn reload(&mut self) {
        self.stored.reload();
    }

    /// Ends the login; [`settled`](Self::settled) says when that is saved and the tokens are
    /// revoked. [Reload](Self::reload) before: what is not known can't be revoked.
    pub fn sign_out(&mut self, now: Timestamp) {
        if let Some(session) = &mut self.session {
            let requests = session.sign_out(now);
            self.revoke(requests);
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
            self.rejected = Some(Box::new(generation));
        }
        if challenged == Challenged::Rejected && !known {
            self.stored.unsaved.state = true;
        }
        challenged
    }

    /// What to do next for this caller.
    pub fn poll(&mut self, ask: &Ask, now: Moment) -> Effect<'_> {
        match self.decide(ask, now) {
            Next::Load => {
                self.phase = Phase::Loading;
                Effect::Load
            }
            Next::Save => self.swap(Phase::Saving, Purpose::Save),
            Next::Lease(purpose) => self.swap(Phase::Leasing, purpose),
            Next::Send(ticket, request, time_out) => {
                self.phase = Phase::Sending(Box::new(ticket));
                Effect::Send(request, time_out)
            }
            Next::Revoke(request) => {
                self.phase = Phase::Revoking;
                Effect::Send(request, REVOCATION)
            }
            Next::Wait(pause) => Effect::Wait(pause),
            Next::Busy(pause) => Effect::Busy(pause),
            Next::Settled => Effect::Give(Ok(Given::Settled)),
            Next::Refuse(error) => Effect::Give(Err(error)),
            Next::Give => Effect::Give(
                self.usable(ask, now.time())
                    .map(Given::Token)
                    .ok_or(Error::Expired(Expired::Token)),
            ),
        }
    }

    /// Hears what is stored.
    pub fn loaded(&mut self, loaded: Result<Option<(Version, State)>, Unknown>, now: Moment) {
        self.phase = Phase::Idle;
        let Ok(loaded) = loaded else { return self.stored.failed(&mut self.seed, now) };
        let (version, theirs) = match loaded {
            Some((version, state)) => (Some(version), Some(state)),
            None => (None, None),
        };
        self.stored.loaded(version, &mut self.seed, now);
        match self.reconcile(theirs.as_ref(), now.time()) {
            Verdict::Mine => self.heed(theirs.as_ref()),
            Verdict::Same => self.stored.unsaved = Unsaved::default(),
            Verdict::Theirs => self.adopt(theirs),
        }
    }

    /// Hears that what is stored, under this version, is no login that can be read. A new login
    /// replaces it.
    pub fn unreadable(&mut self, version: Version, now: Moment) {
        self.phase = Phase::Idle;
        if self.stored.unsaved.tokens {
            // Nobody knows whether they may replace it. It may be readable again before they expire.
            return self.stored.failed(&mut self.seed, now);
        }
        self.stored.loaded(Some(version), &mut self.seed, now);
        if !self.stored.unsaved.forced {
            self.adopt(None);
            self.refused = Some(Box::new(Misuse::StoredLogin.into()));
        }
    }

    /// Hears what became of a swap.
    pub fn swapped(&mut self, swapped: Result<Swapped, Unknown>, now: Moment) {
        let leasing = matches!(self.phase, Phase::Leasing);
        self.phase = Phase::Idle;
        if leasing && swapped == Ok(Swapped::Conflict) {
            // Somebody was faster. The request is dropped unsent.
            self.leased = None;
        }
        self.stored.swapped(swapped, leasing, &mut self.seed, now);
    }

    /// Hears the answer to a request.
    pub fn received<B: AsRef<[u8]>>(&mut self, response: &Response<B>, now: Moment) {
        let Some((session, ticket)) = self.landed() else { return };
        let resource = ticket.resource().map(Into::into);
        match session.receive(ticket, response, now.time()) {
            Ok(Received::Applied) => {
                self.last_error = None;
                self.stored.unsaved = Unsaved::NEW_TOKENS;
            }
            Ok(Received::Pending) => {
                self.last_error = None;
                self.stored.unsaved.state = true;
            }
            Ok(Received::Late(requests)) => self.revoke(requests),
            Err(error) => self.attempt_failed(error, resource),
        }
    }

    /// Hears that a request brought no answer.
    pub fn lost(&mut self, how: Lost, now: Moment) {
        let Some((session, ticket)) = self.landed() else { return };
        let resource = ticket.resource().map(Into::into);
        session.lost(ticket, how, now.time());
        let cause = match how {
            Lost::Unsent => Outage::Unsent,
            Lost::Unanswered => Outage::Unanswered,
        };
        self.attempt_failed(Error::Unavailable(Unavailable::new(cause, None)), resource);
    }

    /// Hears that whoever executed an effect is gone, and that its outcome will never be known.
    pub fn abandoned(&mut self, now: Moment) {
        match self.phase {
            Phase::Idle => {}
            Phase::Loading => self.loaded(Err(Unknown), now),
            Phase::Leasing | Phase::Saving => self.swapped(Err(Unknown), now),
            Phase::Sending(_) | Phase::Revoking => self.lost(Lost::Unanswered, now),
        }
    }

    const fn ask(&self, want: Want, patience: Duration, now: Moment) -> Ask {
        let until = now.elapsed().saturating_add(patience);
        Ask { want, resource: None, until, failures: self.failures }
    }

    fn generation(&self) -> Option<Generation> {
        Some(self.state()?.tokens()?.tokens.access.generation())
    }

    fn usable(&self, ask: &Ask, now: Timestamp) -> Option<&AccessToken> {
        self.state()?.tokens()?.held_for(ask.resource.as_deref())?.usable(now)
    }

    fn swap(&mut self, phase: Phase, purpose: Purpose) -> Effect<'_> {
        match &self.session {
            Some(session) => {
                self.phase = phase;
                self.stored.begin_swap();
                Effect::Swap(self.stored.version, session.state(), purpose)
            }
            // Nothing is held, so there is nothing to save.
            None => Effect::Give(Err(Error::Expired(Expired::Login(Reason::NotStarted)))),
        }
    }

    /// The request that was on its way, and the session that awaits its outcome.
    fn landed(&mut self) -> Option<(&mut Session, Ticket)> {
        match core::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Sending(ticket) => Some((self.session.as_mut()?, *ticket)),
            // The answer to a revocation changes nothing.
            Phase::Revoking => None,
            other @ (Phase::Idle | Phase::Loading | Phase::Leasing | Phase::Saving) => {
                self.phase = other;
                None
            }
        }
    }

    fn revoke(&mut self, requests: Vec<Request<Body>>) {
        if requests.is_empty() {
            return;
        }
        match &mut self.revocations {
            Some(others) => others.0.extend(requests),
            None => self.revocations = Some(Box::new(Revocations(requests.into()))),
        }
    }

    fn next_revocation(&mut self) -> Option<Request<Body>> {
        let mut revocations = self.revocations.take()?;
        let next = revocations.0.pop_front();
        self.revocations = Some(revocations).filter(|left| !left.0.is_empty());
        next
    }

    fn attempt_failed(&mut self, error: Error, resource: Option<String>) {
        self.failures = self.failures.wrapping_add(1);
        self.last_error = Some(Box::new((error, resource)));
        self.stored.unsaved.state = true;
    }

    fn overrule(&mut self) {
        self.leased = None;
        self.stored.unsaved = Unsaved::OVERRULED;
    }
}
