//! Why a login was not kept, or not found.

use core::error::Error as StdError;
use core::fmt;

use oauth2_proto::Error;

use crate::seal::SealError;

/// Why a pending login was not put into a cookie.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BeginError {
    /// The way back is no path of this site. Where it comes from a request, use another one.
    ReturnTo(&'static str),
    /// Browsers need not keep a cookie of more than 4096 bytes: shorten the scope, the resources, the
    /// way back.
    TooLong,
    /// The login's time is over already.
    Expired,
    /// It could not be sealed.
    Seal(SealError),
}

impl fmt::Display for BeginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReturnTo(why) => {
                write!(f, "the way back has to be a path of this site, but it {why}")
            }
            Self::TooLong => f.write_str(
                "this pending login makes a cookie of more than 4096 bytes, which browsers need not \
                 keep: ask for less, or keep it on the server",
            ),
            Self::Expired => f.write_str("this pending login is over already: give it more time"),
            Self::Seal(error) => write!(f, "this pending login could not be sealed: {error}"),
        }
    }
}

impl StdError for BeginError {}

/// Why no login was found that the callback answers. The person can always log in again.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TakeError {
    /// The browser has brought no cookie of a pending login: it keeps none, it is another browser
    /// than the one in which the login began, or the login has taken too long or is over. Also what
    /// a victim's browser gets who was sent an attacker's callback.
    NoCookie,
    /// All its pending logins are those of other clients: either the callback came to another
    /// client's address, or as for [`NoCookie`](Self::NoCookie).
    OtherClient,
    /// The callback answers none of its pending logins: it is forged, or its login is over.
    OtherLogin,
    /// The login has taken too long.
    Expired,
    /// A cookie does not open: somebody changed it, or its key is not among the keys. Look at the
    /// keys if it happens often.
    Seal(SealError),
    /// A cookie was sealed with one of the keys, by a newer version of this program.
    Unreadable,
    /// The callback can't be read.
    Callback(Error),
}

impl TakeError {
    /// Of two cookies, what says most about why there is no login.
    pub(super) fn or(self, other: Self) -> Self {
        let rank = |error: &Self| match error {
            Self::NoCookie => 0,
            Self::OtherClient => 1,
            Self::OtherLogin => 2,
            Self::Seal(_) => 3,
            Self::Unreadable => 4,
            Self::Expired | Self::Callback(_) => 5,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

impl fmt::Display for TakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCookie => f.write_str(
                "this browser has brought no pending login: it keeps no cookies, or the login began \
                 in another browser, took too long, or is over; log in again",
            ),
            Self::OtherClient => f.write_str(
                "this browser's pending logins are those of other clients: log in again, and check \
                 that each client has its own redirect URI",
            ),
            Self::OtherLogin => f.write_str(
                "the callback answers none of this browser's pending logins: it is forged, or its \
                 login is over; log in again",
            ),
            Self::Expired => f.write_str("the login has taken too long: log in again"),
            Self::Seal(error) => {
                write!(f, "a cookie of a pending login does not open, log in again: {error}")
            }
            Self::Unreadable => f.write_str(
                "a cookie of a pending login is of a newer version of this program: log in again",
            ),
            Self::Callback(error) => write!(f, "the callback cannot be read: {error}"),
        }
    }
}

impl StdError for TakeError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Callback(error) => error.source(),
            Self::NoCookie
            | Self::OtherClient
            | Self::OtherLogin
            | Self::Expired
            | Self::Seal(_)
            | Self::Unreadable => None,
        }
    }
}
