//! How a client proves who it is to the token endpoint (RFC 6749 §2.3).

use alloc::format;
use alloc::string::String;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::value::Secret;
use crate::wire::encode;

/// How a client authenticates.
///
/// See [RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Authentication {
    /// Not at all: `client_id` in the body. For public clients.
    None,
    /// `client_secret_basic`: id and secret in an `Authorization` header, each form-encoded before
    /// they are joined, as RFC 6749 §2.3.1 demands.
    Basic(Secret),
    /// `client_secret_post`: id and secret in the body. For servers that insist on it.
    Post(Secret),
}

/// An [`Authentication`] as it goes over the wire, computed once.
#[derive(Clone)]
pub(super) enum Credentials {
    Header(HeaderValue),
    Pairs(Secret),
}

impl Credentials {
    pub(super) fn new(id: &str, authentication: &Authentication) -> Self {
        match authentication {
            Authentication::None => Self::Pairs(Secret::new(format!("client_id={}", encode(id)))),
            Authentication::Post(secret) => {
                let secret = Zeroizing::new(encode(secret.expose()));
                Self::Pairs(Secret::new(format!(
                    "client_id={}&client_secret={}",
                    encode(id),
                    *secret
                )))
            }
            Authentication::Basic(secret) => basic(id, secret),
        }
    }

    pub(super) fn form_length(&self) -> usize {
        match self {
            Self::Header(_) => 0,
            Self::Pairs(pairs) => pairs.expose().len().saturating_add(1),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(_) => f.write_str("Header(..)"),
            Self::Pairs(_) => f.write_str("Pairs(..)"),
        }
    }
}

fn basic(id: &str, secret: &Secret) -> Credentials {
    // RFC 6749 §2.3.1: both are encoded using the application/x-www-form-urlencoded algorithm.
    let secret = Zeroizing::new(encode(secret.expose()));
    let pair = Zeroizing::new(format!("{}:{}", encode(id), *secret));
    let mut header = String::from("Basic ");
    STANDARD.encode_string(pair.as_bytes(), &mut header);
    // Base64 is visible ASCII, so this never takes the second branch.
    let mut header =
        HeaderValue::try_from(header).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
    header.set_sensitive(true);
    Credentials::Header(header)
}
