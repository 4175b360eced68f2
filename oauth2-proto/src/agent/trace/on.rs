//! Spans and events, by the names that `docs/tracing.md` lists.

use core::time::Duration;

use tracing::field::{Empty, display};
use tracing::{Level, Span, debug, error, info, span, warn};

use crate::agent::Change;
use crate::agent::running::Outcome;
use crate::client::RequestKind;
use crate::coordinator::{Coordinator, Exchange, Purpose, Swapped};
use crate::error::Reason;
use crate::machine::State;
use crate::session::{Challenged, Lost};
use crate::value::{Generation, LoginId, Timestamp};

const TARGET: &str = "oauth2_proto::agent";

/// The span of one effect: from where it begins, whoever polls it, until its outcome is heard.
pub(in crate::agent) struct Trace {
    span: Span,
    work: Work,
}

/// What it is that is on its way.
#[derive(Clone, Copy)]
enum Work {
    Load,
    Swap { purpose: Purpose, login: LoginId, attempt: Option<u32> },
    Exchange,
}

impl Trace {
    pub(in crate::agent) fn load(coordinator: &Coordinator) -> Self {
        let login = coordinator.state().map(|state| display(state.login()));
        let span = span!(
            target: TARGET, Level::DEBUG, "store",
            operation = "load", login, outcome = Empty, elapsed_ms = Empty,
        );
        Self { span, work: Work::Load }
    }

    pub(in crate::agent) fn swap(state: &State, purpose: Purpose) -> Self {
        let (login, attempt) = (state.login(), state.attempt().map(|attempt| attempt.number));
        let span = span!(
            target: TARGET, Level::DEBUG, "store",
            operation = "swap", purpose = name_of(purpose), login = %login,
            outcome = Empty, elapsed_ms = Empty,
        );
        Self { span, work: Work::Swap { purpose, login, attempt } }
    }

    pub(in crate::agent) fn send(coordinator: &Coordinator) -> Self {
        let exchange = coordinator.exchange();
        let (login, generation, attempt) = names_of(exchange);
        let span = span!(
            target: TARGET, Level::INFO, "exchange",
            kind = exchange.map(|exchange| kind_of(exchange.kind)),
            login = login.map(display), generation, attempt,
            outcome = Empty, status = Empty, elapsed_ms = Empty,
        );
        Self { span, work: Work::Exchange }
    }

    pub(in crate::agent) fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        self.span.in_scope(act)
    }

    fn ends(&self, ending: Ending, elapsed: Duration) {
        self.span.record("outcome", ending.name());
        self.span.record("status", ending.status());
        self.span.record("elapsed_ms", u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX));
    }
}

/// An outcome without what it holds.
#[derive(Clone, Copy)]
enum Ending {
    Found,
    NotFound,
    Stored,
    Conflict,
    Unknown,
    Answered(u16),
    Lost(Lost),
}

impl Ending {
    fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Loaded(Ok(Some(_))) => Self::Found,
            Outcome::Loaded(Ok(None)) => Self::NotFound,
            Outcome::Swapped(Ok(Swapped::Stored(_))) => Self::Stored,
            Outcome::Swapped(Ok(Swapped::Conflict)) => Self::Conflict,
            Outcome::Loaded(Err(_)) | Outcome::Swapped(Err(_)) => Self::Unknown,
            Outcome::Sent(Ok(response)) => Self::Answered(response.status().as_u16()),
            Outcome::Sent(Err(lost)) => Self::Lost(*lost),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Stored => "stored",
            Self::Conflict => "conflict",
            Self::Unknown => "unknown",
            Self::Answered(_) => "answered",
            Self::Lost(Lost::Unsent) => "unsent",
            Self::Lost(Lost::Unanswered) => "unanswered",
        }
    }

    const fn status(self) -> Option<u16> {
        if let Self::Answered(status) = self { Some(status) } else { None }
    }
}

/// Tells what comes of effects.
pub(in crate::agent) struct Watch {
    /// So many failures have been told.
    failures: u64,
    /// What is just being heard.
    hearing: Option<Hearing>,
}

#[derive(Clone, Copy)]
struct Hearing {
    work: Work,
    ending: Ending,
    exchange: Option<Exchange>,
    /// There were new tokens to be saved.
    had_unsaved_tokens: bool,
    /// Something has been told of it that says it all.
    is_told: bool,
}

impl Watch {
    pub(in crate::agent) const fn new() -> Self {
        Self { failures: 0, hearing: None }
    }

    /// An outcome is about to be heard.
    pub(in crate::agent) fn hears(
        &mut self,
        trace: &Trace,
        outcome: &Outcome,
        coordinator: &Coordinator,
        elapsed: Duration,
    ) {
        let ending = Ending::of(outcome);
        trace.ends(ending, elapsed);
        self.hearing = Some(Hearing {
            work: trace.work,
            ending,
            exchange: coordinator.exchange(),
            had_unsaved_tokens: coordinator.has_unsaved_tokens(),
            is_told: false,
        });
    }

    /// The outcome has been heard.
    pub(in crate::agent) fn has_heard(&mut self, coordinator: &Coordinator) {
        let Some(hearing) = self.hearing.take() else { return };
        match hearing.work {
            Work::Load => hearing.load(coordinator),
            Work::Swap { purpose, login, attempt } => hearing.swap(purpose, login, attempt),
            Work::Exchange if hearing.is_told => {}
            Work::Exchange => hearing.answer(),
        }
    }

    /// The login has changed.
    pub(in crate::agent) fn news(
        &mut self,
        login: LoginId,
        change: &Change,
        state: Option<&State>,
        now: Timestamp,
    ) {
        let hearing = self.hearing.as_mut();
        let cause = hearing.as_ref().map(|hearing| hearing.work);
        let exchange = hearing.as_ref().and_then(|hearing| hearing.exchange);
        if let Some(hearing) = hearing {
            hearing.is_told = true;
        }
        match change {
            Change::Tokens(generation) => {
                let number = generation.number();
                let expires_at = state.and_then(State::tokens).and_then(|held| held.expires_at());
                let expires_in = expires_at.map(|at| at.since(now).as_secs());
                match cause {
                    Some(Work::Exchange) => {
                        let (_, _, attempt) = names_of(exchange);
                        let late = exchange.is_some_and(|exchange| exchange.is_late);
                        info!(
                            target: TARGET,
                            %login, generation = number, attempt, expires_in, late, "new tokens"
                        );
                    }
                    Some(Work::Load) => debug!(
                        target: TARGET,
                        %login, generation = number, expires_in, "newer tokens found in the store"
                    ),
                    Some(Work::Swap { .. }) | None => info!(
                        target: TARGET, %login, generation = number, expires_in, "logged in"
                    ),
                }
            }
            Change::Ended(Reason::SignedOut) => info!(target: TARGET, %login, "signed out"),
            Change::Ended(reason) => {
                let renewable =
                    matches!(state, Some(State::Unauthorized(state)) if state.is_renewable());
                warn!(target: TARGET, %login, %reason, renewable, "login ended");
            }
        }
    }

    /// Attempts may have failed.
    pub(in crate::agent) fn failures(&mut self, coordinator: &Coordinator) {
        let (failures, error) = coordinator.failures();
        if core::mem::replace(&mut self.failures, failures) == failures {
            return;
        }
        let (Some(error), Some(state)) = (error, coordinator.state()) else { return };
        let exchange = self.hearing.as_mut().and_then(|hearing| {
            hearing.is_told = true;
            hearing.exchange
        });
        let (_, _, attempt) = names_of(exchange);
        let (login, retryable) = (state.login(), error.is_retryable());
        let generation = state.identity().number;
        warn!(target: TARGET, %login, generation, attempt, %error, retryable, "exchange failed");
    }
}

impl Hearing {
    fn load(self, coordinator: &Coordinator) {
        let state = coordinator.state();
        let login = state.map(|state| display(state.login()));
        let generation = state.map(|state| state.identity().number);
        if matches!(self.ending, Ending::Unknown) {
            warn!(target: TARGET, operation = "load", login, "the store did not answer");
        } else if let Some(error) = coordinator.refused() {
            warn!(target: TARGET, %error, "stored login refused");
        } else if !self.had_unsaved_tokens {
            let found = matches!(self.ending, Ending::Found);
            debug!(target: TARGET, found, login, generation, "loaded");
        } else if coordinator.has_unsaved_tokens() {
            warn!(target: TARGET, login, generation, "late tokens replace what is stored");
        } else {
            debug!(target: TARGET, login, generation, "the store has tokens that are as new");
        }
    }

    fn swap(self, purpose: Purpose, login: LoginId, attempt: Option<u32>) {
        let name = name_of(purpose);
        match (self.ending, purpose) {
            (Ending::Stored, Purpose::Lease) => {
                debug!(target: TARGET, %login, attempt, "lease taken");
            }
            (Ending::Stored, Purpose::TakeOver) => {
                warn!(target: TARGET, %login, attempt, "lease of another holder taken over");
            }
            (Ending::Stored, Purpose::Save) => debug!(target: TARGET, %login, "saved"),
            (Ending::Conflict, Purpose::Lease | Purpose::TakeOver) => {
                debug!(target: TARGET, %login, attempt, "lease lost to another holder");
            }
            (Ending::Conflict, Purpose::Save) => {
                debug!(target: TARGET, %login, "something else was stored meanwhile");
            }
            (_, Purpose::Lease | Purpose::TakeOver | Purpose::Save) => warn!(
                target: TARGET,
                operation = "swap", purpose = name, %login, "the store did not answer"
            ),
        }
    }

    /// An answer that brought neither tokens nor a failure.
    fn answer(self) {
        let Some(exchange) = self.exchange else { return };
        let (login, generation, attempt) = names_of(self.exchange);
        let login = login.map(display);
        let status = self.ending.status();
        match (exchange.kind == RequestKind::Revocation, exchange.is_late) {
            // RFC 7009 §2.2: the server responds with HTTP status code 200.
            (true, _) if status == Some(200) => debug!(target: TARGET, login, status, "revoked"),
            (true, _) => warn!(target: TARGET, login, status, "not revoked"),
            (false, true) => {
                warn!(target: TARGET, login, generation, attempt, status, "late answer");
            }
            (false, false) => {
                debug!(target: TARGET, login, generation, attempt, status, "no tokens yet");
            }
        }
    }
}

/// A resource server has refused a token.
pub(in crate::agent) fn challenged(generation: Generation, challenged: Challenged) {
    let outcome = match challenged {
        Challenged::Rejected => "rejected",
        Challenged::Superseded => "superseded",
        Challenged::TooYoung => "too_young",
        Challenged::Unrelated => "unrelated",
    };
    debug!(
        target: TARGET,
        login = %generation.login(), generation = generation.number(), outcome, "challenged"
    );
}

/// The code of others has panicked while it made or polled an effect.
pub(in crate::agent) fn effect_panics(coordinator: &Coordinator) {
    let login = coordinator.state().map(|state| display(state.login()));
    error!(target: TARGET, login, "host or store panicked");
}

/// The change hook has panicked.
pub(in crate::agent) fn hook_panics() {
    error!(target: TARGET, "change hook panicked");
}

const fn name_of(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Lease => "lease",
        Purpose::TakeOver => "take_over",
        Purpose::Save => "save",
    }
}

const fn kind_of(kind: RequestKind) -> &'static str {
    match kind {
        RequestKind::Authorization => "authorization",
        RequestKind::Token => "token",
        RequestKind::Refresh => "refresh",
        RequestKind::DeviceAuthorization => "device_authorization",
        RequestKind::DevicePoll => "device_poll",
        RequestKind::PushedAuthorization => "pushed_authorization",
        RequestKind::Revocation => "revocation",
        RequestKind::Introspection => "introspection",
    }
}

/// Login, generation of the tokens that were held, and number of the attempt.
fn names_of(exchange: Option<Exchange>) -> (Option<LoginId>, Option<u64>, Option<u32>) {
    let (generation, attempt) = exchange.and_then(|exchange| exchange.attempt).unzip();
    let login = exchange.and_then(|exchange| exchange.login);
    (login, generation.map(Generation::number), attempt)
}
