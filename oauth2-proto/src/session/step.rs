//! What a session asks for, and what it is told.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use http::Request;

use crate::error::Reason;
use crate::machine::Question;
use crate::value::{AccessToken, Body, Timestamp};

/// What to do now.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller's match should break when a step is added")]
#[expect(clippy::large_enum_variant, reason = "it is matched at once")]
pub enum Step<'s> {
    /// Use this token.
    Use(&'s AccessToken),
    /// Save the state, send this request by the ticket's deadline, and hand the outcome in with
    /// the ticket.
    Send(Ticket, Request<Body>),
    /// Nothing can be done before this moment.
    Wait(Timestamp),
    /// A person has to log in, for this reason.
    Login(&'s Reason),
}

/// The right to report the outcome of one request. Not to be copied: a request has one outcome.
///
/// Dropping it is safe: when the lease is over, another step sends again.
#[derive(Debug)]
#[must_use = "hand it back with the outcome of the request"]
pub struct Ticket {
    pub(crate) question: Question,
    pub(crate) attempt: u32,
    pub(super) deadline: Timestamp,
}

impl Ticket {
    /// When the request must have been given up: what is still on its way then must be aborted.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.deadline
    }

    /// How long the request may take from its lease on.
    pub(crate) fn time_out(&self) -> Duration {
        self.deadline.since(self.question.sent_at)
    }

    /// The resource whose token was asked for, if not the login's own.
    pub(crate) fn resource(&self) -> Option<&str> {
        self.question.asked.resource()
    }
}

/// What became of a request that brought no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "there is no third possibility")]
pub enum Lost {
    /// It provably never left this machine: no name resolved, no connection established.
    Unsent,
    /// It left, or may have.
    Unanswered,
}

/// What an answer changed.
#[derive(Debug)]
#[must_use = "a late answer can bring requests to send"]
#[non_exhaustive]
pub enum Received {
    /// The login is in its new state: take the next step.
    Applied,
    /// No token yet, and no failure: nobody has decided on a device login, or the server wants one
    /// more request. Take the next step.
    Pending,
    /// The answer came too late to change anything. Where it brought tokens that nobody wants any
    /// more, these requests revoke them.
    Late(Vec<Request<Body>>),
}

/// What a challenge of a resource server changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Challenged {
    /// The token counts as rejected; the next step gets another one.
    Rejected,
    /// That token has been replaced meanwhile: use the current one.
    Superseded,
    /// The token is younger than 30 seconds: a new one would fare no better. The challenge is the
    /// caller's.
    TooYoung,
    /// The challenge does not say `invalid_token`. It is the caller's.
    Unrelated,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unsent => "the request never left",
            Self::Unanswered => "the request was not answered",
        })
    }
}

impl core::error::Error for Lost {}
