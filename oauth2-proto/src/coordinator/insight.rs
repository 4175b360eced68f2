//! What a coordinator knows besides its state, for those who watch it. It tells nobody by itself.

use super::{Coordinator, Phase};
use crate::client::RequestKind;
use crate::error::Error;
use crate::machine::State;
use crate::value::{Generation, LoginId};

/// A request that is on its way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exchange {
    pub(crate) kind: RequestKind,
    pub(crate) login: Option<LoginId>,
    /// The tokens that were held when it was made, and which request for newer ones it is.
    pub(crate) attempt: Option<(Generation, u32)>,
    /// The login has moved on since.
    pub(crate) is_late: bool,
}

impl Coordinator {
    /// The request that is on its way.
    pub(crate) fn exchange(&self) -> Option<Exchange> {
        match &self.phase {
            Phase::Sending(ticket) => {
                let asked_for = ticket.question.asked_for;
                let session = self.session.as_ref();
                Some(Exchange {
                    kind: ticket.question.kind,
                    login: Some(asked_for.login()),
                    attempt: Some((asked_for, ticket.attempt)),
                    is_late: session.is_some_and(|session| !session.is_current(ticket)),
                })
            }
            Phase::Revoking => Some(Exchange {
                kind: RequestKind::Revocation,
                login: self.state().map(State::login),
                attempt: None,
                is_late: false,
            }),
            Phase::Idle | Phase::Loading | Phase::Leasing | Phase::Saving => None,
        }
    }

    /// How many attempts have failed, and why the latest one did, unless that has been overtaken.
    pub(crate) fn failures(&self) -> (u64, Option<&Error>) {
        (self.failures, self.last_error.as_deref().map(|(error, _)| error))
    }

    /// Whether it holds new tokens that are not stored.
    pub(crate) const fn has_unsaved_tokens(&self) -> bool {
        self.stored.unsaved.tokens
    }

    /// Why what is stored is no login for it.
    pub(crate) fn refused(&self) -> Option<&Error> {
        self.refused.as_deref()
    }
}
