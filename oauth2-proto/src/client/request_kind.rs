//! What a request asks for: dialects and hooks treat each kind in its own way.

use serde::{Deserialize, Serialize};

/// What a request asks for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RequestKind {
    /// The URL that a person visits (RFC 6749 §4.1.1).
    Authorization,
    /// A first token: by code, password, client credentials, assertion or exchange.
    Token,
    /// A token that replaces another one (RFC 6749 §6).
    Refresh,
    /// A device code (RFC 8628 §3.1).
    DeviceAuthorization,
    /// A token by device code (RFC 8628 §3.4).
    DevicePoll,
    /// A `request_uri` for an authorization request (RFC 9126).
    PushedAuthorization,
    /// The end of a token (RFC 7009).
    Revocation,
    /// What a token is worth (RFC 7662).
    Introspection,
}
