//! How a peer broke the protocol.

use alloc::boxed::Box;
use core::fmt;

use http::StatusCode;

use super::{Diagnostics, Mismatch, TOKEN_ENDPOINT, UnacceptedOrigin, UnusableUrl};

/// How the peer broke the protocol.
#[derive(Clone, PartialEq, Eq)]
pub struct Malformed {
    endpoint: &'static str,
    problem: Problem,
    diagnostics: Option<Box<Diagnostics>>,
}

impl Malformed {
    pub(crate) const fn new(problem: Problem) -> Self {
        Self { endpoint: TOKEN_ENDPOINT, problem, diagnostics: None }
    }

    /// Says which endpoint it was, where it was not the token endpoint.
    pub(crate) const fn of(mut self, endpoint: &'static str) -> Self {
        self.endpoint = endpoint;
        self
    }

    pub(crate) fn with_diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = Some(Box::new(diagnostics));
        self
    }

    /// What is wrong with the message.
    #[must_use]
    pub const fn problem(&self) -> &Problem {
        &self.problem
    }

    /// What the message looked like, without its secrets, when it was an answer to a request.
    #[must_use]
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        self.diagnostics.as_deref()
    }
}

impl fmt::Debug for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The diagnostics are there on request only.
        f.debug_struct("Malformed").field("problem", &self.problem).finish_non_exhaustive()
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.describe(self.endpoint, f)
    }
}

/// What is wrong with a message of the peer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// A parameter of the callback that is to be kept is longer than this many bytes.
    KeptTooLong(usize),
    /// The callback is no URL.
    CallbackUrl,
    /// The callback has our `state`, but neither `code` nor `error`.
    CodeMissing,
    /// The `code` has characters that RFC 6749 Appendix A.11 does not allow.
    Code,
    /// The token endpoint answered with a redirect. Following it would post secrets elsewhere.
    Redirected(StatusCode),
    /// The status is neither 200 nor an error that explains itself.
    Status(StatusCode),
    /// The status is a success, but not the one (the second) that this answer comes with.
    UnexpectedStatus(StatusCode, StatusCode),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The body is not one JSON object and nothing else.
    Json,
    /// A member that must be unique appears twice.
    DuplicateMember(&'static str),
    /// A member is missing, repeated or of a wrong type.
    Members,
    /// A required member is missing.
    MemberMissing(&'static str),
    /// A member has the wrong type or characters.
    Member(&'static str),
    /// The token's type is one that this crate cannot present; RFC 6749 §7.1 forbids to use it.
    TokenType(Box<str>),
    /// A record of tokens that another program stored is not usable: why.
    Record(Box<str>),
    /// An answer that belongs to another grant, such as `authorization_pending` to a refresh.
    OutOfPlace(&'static str),
    /// A member names somebody else than who was asked for, so nothing beside it may be used.
    Mismatch(Box<Mismatch>),
    /// A member is a URL to which nothing may be sent.
    Url(Box<UnusableUrl>),
    /// A member is a URL on an origin which the program has not accepted.
    Origin(Box<UnacceptedOrigin>),
    /// The server authenticates clients in these ways, and the client can do none of them.
    Authentication(Box<str>),
}

impl Problem {
    fn describe(&self, endpoint: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.name(endpoint, f)?;
        match self.accepted_by() {
            Some(fields) if endpoint == TOKEN_ENDPOINT => {
                write!(f, "; where this server means it so: {fields} of its Dialect")
            }
            Some(_) | None => Ok(()),
        }
    }

    /// The fields of [`Dialect`](crate::Dialect) that accept such a message.
    fn accepted_by(&self) -> Option<&'static str> {
        match self {
            Self::CodeMissing => Some("callback_parameters"),
            Self::Status(status) if status.is_success() => Some("any_success_status"),
            Self::Status(_) | Self::Member("error") => Some("error_detectors"),
            Self::Json => Some("answer_format"),
            Self::MemberMissing("token_type") => Some("default_token_type"),
            Self::MemberMissing("access_token") => Some(
                "error_detectors, token_locations, member_aliases, camel_case_members or keep_alive",
            ),
            Self::Member("access_token") => Some("token_locations"),
            Self::Member("scope") => Some("granted_scope"),
            Self::Member("expires_in") => Some("lifetime_members"),
            Self::TokenType(_) => Some("bearer_token_types"),
            Self::CallbackUrl
            | Self::KeptTooLong(_)
            | Self::Code
            | Self::Redirected(_)
            | Self::TooLarge(_)
            | Self::DuplicateMember(_)
            | Self::Members
            | Self::MemberMissing(_)
            | Self::Member(_)
            | Self::OutOfPlace(_)
            | Self::UnexpectedStatus(..)
            | Self::Record(_)
            | Self::Mismatch(_)
            | Self::Url(_)
            | Self::Origin(_)
            | Self::Authentication(_) => None,
        }
    }

    fn name(&self, endpoint: &'static str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallbackUrl => f.write_str("the callback is not a URL"),
            Self::KeptTooLong(limit) => write!(
                f,
                "the callback has a parameter that is to be kept and longer than {limit} bytes"
            ),
            Self::CodeMissing => {
                f.write_str("the authorization server sent a callback with neither code nor error")
            }
            Self::Code => f.write_str(
                "the authorization server sent a code with characters that RFC 6749 forbids",
            ),
            Self::Redirected(status) => write!(
                f,
                "the {endpoint} answered with the redirect {status}, which is never followed; \
                 check the {endpoint}'s URL"
            ),
            Self::Status(status) => write!(
                f,
                "the {endpoint} answered {status} without an OAuth error that explains it; \
                 see the diagnostics of this error"
            ),
            Self::UnexpectedStatus(status, expected) => write!(
                f,
                "the {endpoint} answered {status}, where the RFC has it answer {expected}"
            ),
            Self::TooLarge(limit) => {
                write!(f, "the {endpoint}'s answer is larger than {limit} bytes")
            }
            Self::Json => write!(
                f,
                "the {endpoint}'s answer is not a JSON object; see the diagnostics of this error"
            ),
            Self::DuplicateMember(name) => {
                write!(f, "the {endpoint}'s answer has the member {name} twice")
            }
            Self::Members => write!(
                f,
                "the {endpoint}'s answer lacks a required member, or has one twice or of a wrong \
                 type; see the diagnostics of this error"
            ),
            Self::MemberMissing(name) => {
                write!(f, "the {endpoint}'s answer lacks the member {name}")
            }
            Self::Member(name) => write!(
                f,
                "the {endpoint}'s answer has a member {name} of a wrong type or with wrong \
                 characters"
            ),
            Self::TokenType(token_type) => write!(
                f,
                "the authorization server issued a token of type {token_type}, and only bearer \
                 tokens can be attached"
            ),
            Self::Record(why) => write!(f, "the token record's {why}"),
            Self::OutOfPlace(error) => {
                write!(f, "the {endpoint} answered {error}, which belongs to the device grant")
            }
            Self::Mismatch(mismatch) => write!(
                f,
                "the {endpoint}'s answer has the {} {:?} and was asked for {:?}, so it must not be \
                 used; both have to be the same text",
                mismatch.member, mismatch.found, mismatch.expected
            ),
            Self::Url(url) => write!(f, "the {endpoint}'s {} {}", url.member, url.why),
            Self::Origin(url) => write!(
                f,
                "the {endpoint}'s {} is on {}, which the program has not accepted; name that \
                 origin if it is right",
                url.member, url.origin
            ),
            Self::Authentication(methods) => write!(
                f,
                "the {endpoint} names only {methods} to authenticate clients, which a client \
                 secret cannot do; configure the client for one of them"
            ),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.describe(TOKEN_ENDPOINT, f)
    }
}
