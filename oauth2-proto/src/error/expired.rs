//! What ran out, and why a login is over.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

/// What ran out.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Expired {
    /// The callback came after the login's deadline.
    Callback,
    /// The access token has expired or was rejected; refresh it.
    Token,
    /// The login is over, for this reason.
    Login(Reason),
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback => {
                f.write_str("the callback came after the login's deadline; begin a new login")
            }
            Self::Token => f.write_str("the access token is expired or rejected; refresh it"),
            Self::Login(reason) => write!(f, "{reason}; begin a new login"),
        }
    }
}

/// Why a login is not, or no longer, authorized.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// Nobody has logged in yet.
    NotStarted,
    /// The authorization server refused, with this error code.
    Denied(String),
    /// The deadline of the login passed before its callback came.
    Deadline,
    /// The access token expired, and there is nothing to renew it with.
    TokenExpired,
    /// The resource server rejected the access token, and there is nothing to renew it with.
    TokenRejected,
    /// The answer to an earlier refresh never arrived, and the server has since refused the
    /// refresh token: that answer probably carried its successor.
    AnswerLost,
    /// The server's answers could not be read, too many times.
    Unexplained,
    /// The authorization code was sent, and no usable answer came; a code works only once.
    CodeSpent,
    /// The login was ended on purpose.
    SignedOut,
}

impl Reason {
    /// Whether only an unanswered or unreadable attempt ended the login: a late success of such an
    /// attempt takes the login up again.
    pub(crate) const fn is_doubtful(&self) -> bool {
        matches!(self, Self::AnswerLost | Self::Unexplained)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("nobody has logged in yet"),
            Self::Denied(error) => write!(f, "the authorization server refused ({error})"),
            Self::Deadline => f.write_str("the login was not completed before its deadline"),
            Self::TokenExpired => {
                f.write_str("the access token has expired and nothing can renew it")
            }
            Self::TokenRejected => {
                f.write_str("the access token was rejected and nothing can renew it")
            }
            Self::AnswerLost => f.write_str(
                "the answer to a refresh was lost and the server has replaced the refresh token",
            ),
            Self::Unexplained => f.write_str("the server's answers could not be read"),
            Self::CodeSpent => {
                f.write_str("the authorization code was sent and no usable answer came")
            }
            Self::SignedOut => f.write_str("the login was ended by signing out"),
        }
    }
}
