//! What is wrong with what a peer said about itself or about others.

use alloc::boxed::Box;

use super::{Problem, printable};

/// A member that names somebody else than who was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mismatch {
    /// The member, such as `issuer`.
    pub member: &'static str,
    /// What it would have to be.
    pub expected: Box<str>,
    /// What it is; characters that are not printable are replaced by `?`.
    pub found: Box<str>,
}

/// A member that is a URL to which nothing may be sent.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnusableUrl {
    /// The member, such as `token_endpoint`.
    pub member: &'static str,
    /// What is wrong with it.
    pub why: &'static str,
}

/// A member that is a URL on an origin which the program has not accepted.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct UnacceptedOrigin {
    /// The member, such as `token_endpoint`.
    pub member: &'static str,
    /// Scheme, host and port: what [`Origins::new`](crate::Origins::new) takes, should it be right.
    pub origin: Box<str>,
}

impl Problem {
    /// What is wrong with a member, unless it is just this text.
    pub(crate) fn unless_same(
        member: &'static str,
        expected: &str,
        found: &str,
    ) -> Result<(), Self> {
        if expected == found {
            return Ok(());
        }
        let (expected, found) = (printable(expected), printable(found));
        Err(Self::Mismatch(Box::new(Mismatch { member, expected, found })))
    }

    pub(crate) fn url(member: &'static str, why: &'static str) -> Self {
        Self::Url(Box::new(UnusableUrl { member, why }))
    }

    pub(crate) fn origin(member: &'static str, origin: &str) -> Self {
        Self::Origin(Box::new(UnacceptedOrigin { member, origin: printable(origin) }))
    }
}
