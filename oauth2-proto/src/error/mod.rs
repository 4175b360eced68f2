//! Floor 0: what went wrong, whose fault it is, and what to do next.

mod denied;
mod diagnostics;
mod expired;
mod forged;
mod learnt;
mod malformed;
mod misuse;
mod unavailable;

use alloc::boxed::Box;
use core::fmt;

pub use denied::Denied;
pub(crate) use denied::INVALID_GRANT;
pub use diagnostics::Diagnostics;
pub use expired::{Expired, Reason};
pub use forged::Forged;
pub use learnt::{Mismatch, UnacceptedOrigin, UnusableUrl};
pub use malformed::{Malformed, Problem};
pub use misuse::Misuse;
pub use unavailable::{Outage, Unavailable};

/// Why a call was refused or an exchange failed. Each kind names the guilty.
///
/// Text that came from the peer is filtered to printable characters and bounded, so an error can
/// be shown and logged. A text that repeats what the refused request held is left out.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The authorization server said no, in OAuth's words.
    Denied(Denied),
    /// A deadline passed, or a login is over.
    Expired(Expired),
    /// A callback that is not an answer to this login. Refuse the request; the login goes on.
    Forged(Forged),
    /// The peer broke the protocol.
    Malformed(Malformed),
    /// The calling program did; never caused by what a peer sent.
    Misuse(Misuse),
    /// The server, or the way to it, is down for now.
    Unavailable(Unavailable),
}

impl Error {
    /// Whether the same call may succeed later without anything being changed; as far as the error
    /// alone can tell. [`Failed`](crate::Failed) knows what is left.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether a login that ran into this cannot go on; as far as the error alone can tell.
    /// [`Failed`](crate::Failed) knows what is left.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        match self {
            Self::Denied(denied) => denied.ends_login(),
            Self::Expired(Expired::Callback | Expired::Login(_)) => true,
            Self::Expired(Expired::Token)
            | Self::Forged(_)
            | Self::Malformed(_)
            | Self::Misuse(_)
            | Self::Unavailable(_) => false,
        }
    }

    /// Leaves texts of the server out that repeat what the request held.
    pub(crate) fn without(self, secret: &str) -> Self {
        match self {
            Self::Denied(denied) => Self::Denied(denied.without(secret)),
            other @ (Self::Expired(_)
            | Self::Forged(_)
            | Self::Malformed(_)
            | Self::Misuse(_)
            | Self::Unavailable(_)) => other,
        }
    }

    /// Whether a login whose callback was refused with this still awaits the right one: answer with
    /// an error page and go on waiting.
    #[must_use]
    pub const fn keeps_login_pending(&self) -> bool {
        match self {
            Self::Forged(_) | Self::Malformed(_) | Self::Misuse(_) | Self::Unavailable(_) => true,
            Self::Denied(_) | Self::Expired(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(f),
            Self::Expired(expired) => expired.fmt(f),
            Self::Forged(forged) => forged.fmt(f),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// What an error speaks of unless it says otherwise.
pub(crate) const TOKEN_ENDPOINT: &str = "token endpoint";

/// Longest text of a peer that an error keeps, in bytes.
pub(crate) const PRINTABLE: usize = 512;

/// RFC 6749 §5.2: error and error_description consist of %x20-21 / %x23-5B / %x5D-7E. What a peer
/// sends besides becomes `?`, so that it cannot forge lines of a log or move a terminal's cursor.
pub(crate) fn printable(text: &str) -> Box<str> {
    text.chars().take(PRINTABLE).map(|c| if is_printable(c) { c } else { '?' }).collect()
}

const fn is_printable(c: char) -> bool {
    matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E')
}
