//! Callbacks that are not an answer to the login at hand.

use core::fmt;

/// Which check a callback failed.
///
/// Whoever sent it is not the authorization server answering this login. Answer with an error page
/// and keep the login pending: the real callback may still come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Forged {
    /// A parameter that must appear once appears twice (RFC 6749 §3.1).
    DuplicateParameter(&'static str),
    /// The callback's URL is not the redirect URI of this login.
    RedirectUri,
    /// `iss` names another authorization server: a mix-up attack (RFC 9207).
    Issuer,
    /// `iss` is missing although this server is known to send it (RFC 9207 §2.4).
    IssuerMissing,
    /// `state` is not that of this login, or missing: a cross-site request forgery.
    State,
}

impl fmt::Display for Forged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this callback does not answer this login: ")?;
        match self {
            Self::DuplicateParameter(name) => write!(f, "it repeats the parameter {name}"),
            Self::RedirectUri => f.write_str("its URL is not the redirect URI"),
            Self::Issuer => f.write_str("iss names another authorization server"),
            Self::IssuerMissing => f.write_str("iss is missing, which this server always sends"),
            Self::State => f.write_str("state is missing or differs"),
        }?;
        f.write_str("; refuse it, the login is still pending")
    }
}
