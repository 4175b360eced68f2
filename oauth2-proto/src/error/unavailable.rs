//! What is down for now, and for how long.

use core::fmt;
use core::time::Duration;

use http::StatusCode;

use super::TOKEN_ENDPOINT;

/// The server, or the way to it, is down for now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable {
    endpoint: &'static str,
    retry_after: Option<Duration>,
    cause: Outage,
}

impl Unavailable {
    pub(crate) const fn new(cause: Outage, retry_after: Option<Duration>) -> Self {
        Self { endpoint: TOKEN_ENDPOINT, retry_after, cause }
    }

    /// Says which endpoint it was, where it was not the token endpoint.
    pub(crate) const fn of(mut self, endpoint: &'static str) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// How long to wait, where the server or a stored back-off says so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What is unavailable.
    #[must_use]
    pub const fn cause(&self) -> Outage {
        self.cause
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint;
        match self.cause {
            Outage::Status(status) => {
                write!(f, "the {endpoint} is unavailable for now ({status})")
            }
            Outage::Unanswered => write!(f, "the {endpoint} did not answer"),
            Outage::Unsent => write!(f, "the {endpoint} could not be reached"),
            Outage::Waiting => f.write_str("the next attempt to get a token is not due yet"),
            Outage::NextRequest => {
                write!(f, "the {endpoint} wants one more request, which is made already")
            }
            Outage::Store => f.write_str("the store of logins did not answer"),
            Outage::Randomness => f.write_str("the source of randomness has none to give"),
        }?;
        match self.retry_after {
            None if self.cause == Outage::NextRequest => f.write_str("; send it"),
            Some(wait) => write!(f, "; try again in {} seconds", wait.as_secs()),
            None => f.write_str("; try again"),
        }
    }
}

/// What is unavailable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outage {
    /// The token endpoint answered 408, 429 or 5xx, or said that it is overloaded.
    Status(StatusCode),
    /// A request was sent and no answer came: whether the server acted on it is unknown.
    Unanswered,
    /// The request never left.
    Unsent,
    /// Somebody else is refreshing, or an earlier attempt failed and the next is not due yet.
    Waiting,
    /// The server wants one more request before it gives a token:
    /// [`Failed::next`](crate::Failed::next).
    NextRequest,
    /// The store of logins failed.
    Store,
    /// The host's source of randomness failed.
    Randomness,
}
