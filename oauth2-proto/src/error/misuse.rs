//! What the calling program did wrong.

use alloc::boxed::Box;
use core::fmt;

use super::Error;
use crate::value::Timestamp;

/// What the calling program did wrong. No peer can cause any of these.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// An endpoint or redirect URI is not usable: its name and why.
    Url(&'static str, &'static str),
    /// A scope token has a character outside the grammar of RFC 6749 §3.3, or there are too many.
    Scope,
    /// A parameter that the machine sets itself was given by the caller, or one was given twice.
    Parameter(Box<str>),
    /// Authorization details are not what RFC 9396 §2 wants.
    AuthorizationDetails,
    /// A member of a registration is the server's to set, contradicts another one, or has a value
    /// that cannot be sent.
    Member(Box<str>),
    /// The state belongs to another client.
    WrongClient,
    /// What is stored is no login that this program can read.
    StoredLogin,
    /// This server was made without the endpoint that the call needs.
    NoEndpoint(&'static str),
    /// There is neither a refresh token nor a grant that can be repeated.
    NotRenewable,
    /// An attempt is still on its way until this moment, or the next is not due before it.
    TooEarly(Timestamp),
    /// The state is a login in a browser: finish it by hand, then hand the result in.
    UnfinishedLogin,
    /// An answer was handed in that nothing asked for.
    NoRequest,
    /// The token would be sent in the clear: use https.
    PlainHttp,
    /// A token can't be presented in this way, for this reason (RFC 6750 §2).
    Presentation(&'static str),
    /// The request has so many header fields that no other fits in.
    TooManyHeaders,
    /// The request goes to an origin that the token was not allowed for.
    Origin,
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl core::error::Error for Misuse {}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong use of oauth2-proto: ")?;
        match self {
            Self::Url(name, why) => write!(f, "the {name} {why}"),
            Self::Scope => f.write_str(
                "a scope has a character other than printable ASCII without quotes and backslashes, \
                 or more than 1,000 tokens",
            ),
            Self::Parameter(name) => {
                write!(
                    f,
                    "the parameter {name:?} is set already, by the protocol or twice; leave it out"
                )
            }
            Self::AuthorizationDetails => f.write_str(
                "authorization_details is not a JSON array of objects that each have a type, a string",
            ),
            Self::Member(name) => write!(
                f,
                "{name} cannot be part of a registration: it is the server's to set, contradicts \
                 another member, or has a value that cannot be sent"
            ),
            Self::WrongClient => {
                f.write_str("the state belongs to another client_id or authorization server")
            }
            Self::StoredLogin => f.write_str(
                "what is stored is no login that this program can read: it is sealed with another \
                 key, damaged, or of a newer version; read it with what wrote it, or replace it by a \
                 new login",
            ),
            Self::NoEndpoint(name) => write!(f, "the server was made without its {name}"),
            Self::NotRenewable => f.write_str(
                "there is no refresh token and no grant to repeat; begin a new login instead",
            ),
            Self::TooEarly(due) => write!(
                f,
                "an attempt is on its way or the next is not due; retry at Unix time {}",
                due.unix_seconds()
            ),
            Self::UnfinishedLogin => {
                f.write_str("a login in a browser is finished by hand, then handed in")
            }
            Self::NoRequest => f.write_str("this answer belongs to no request of this login"),
            Self::PlainHttp => f.write_str(
                "a token is sent to absolute https URIs only (plain http: this machine only)",
            ),
            Self::Presentation(why) => write!(f, "the token can't go there: {why}"),
            Self::TooManyHeaders => {
                f.write_str("the request has too many header fields to take the token as well")
            }
            Self::Origin => f.write_str(
                "the request goes to an origin that is not among those which may see the token",
            ),
        }
    }
}
