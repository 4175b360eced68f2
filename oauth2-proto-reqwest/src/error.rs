//! What can go wrong outside of OAuth.

use core::fmt;

/// Why no client could be made.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// The feature `rustls-no-provider` is on, and the program has not installed a crypto provider.
    NoCryptoProvider,
    /// reqwest could not make a client of this builder.
    Reqwest(reqwest::Error),
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoCryptoProvider => f.write_str(
                "rustls has no crypto provider; install one before making a client, such as with \
                 rustls::crypto::ring::default_provider().install_default()",
            ),
            // The cause is left to `source`.
            Self::Reqwest(_) => f.write_str("reqwest could not make a client of this builder"),
        }
    }
}

impl core::error::Error for BuildError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::NoCryptoProvider => None,
            Self::Reqwest(error) => Some(error),
        }
    }
}

/// Why a protected call brought no answer.
#[derive(Debug)]
#[non_exhaustive]
pub enum CallError {
    /// There is no token for this request; nothing was sent. [`needs_login`] tells whether a person
    /// has to log in.
    ///
    /// [`needs_login`]: oauth2_proto::Error::needs_login
    Token(oauth2_proto::Error),
    /// reqwest failed to send the request or to receive the answer.
    Reqwest(reqwest::Error),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Reqwest(_) => f.write_str("the protected resource could not be called"),
        }
    }
}

impl core::error::Error for CallError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Token(error) => error.source(),
            Self::Reqwest(error) => Some(error),
        }
    }
}

impl From<oauth2_proto::Error> for CallError {
    fn from(error: oauth2_proto::Error) -> Self {
        Self::Token(error)
    }
}

impl From<reqwest::Error> for CallError {
    fn from(error: reqwest::Error) -> Self {
        Self::Reqwest(crate::without_query(error))
    }
}
