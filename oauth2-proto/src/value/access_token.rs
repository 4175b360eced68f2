//! The access token, ready to be attached to a request (RFC 6750 §2.1).

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::net::Ipv4Addr;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Uri};
use subtle::ConstantTimeEq;

use crate::error::{Error, Malformed, Misuse, Problem, printable};
use crate::value::{Generation, Timestamp};

const BEARER: &[u8] = b"Bearer ";

/// An access token with its prebuilt, sensitive `Authorization` header.
///
/// Cloning it counts a reference; [attaching](Self::attach) it allocates nothing. It does not know
/// when it expires: ask [`Authorized::token`](crate::Authorized::token) for one each time instead
/// of keeping it.
///
/// What can't be wiped: the bytes of the prebuilt header live in a reference-counted buffer of the
/// `http` crate, and whoever sends a request copies them.
#[derive(Clone)]
pub struct AccessToken {
    header: HeaderValue,
    /// A `token_type` other than `Bearer`, as the server wrote it, but printable.
    other_type: Option<Box<str>>,
    generation: Generation,
}

impl AccessToken {
    /// Refuses (`None`) what RFC 6749 Appendix A.12 does not allow: `access-token = 1*VSCHAR`.
    pub(crate) fn new(token: &str, token_type: &str, generation: Generation) -> Option<Self> {
        // Tokens are long. Without an early exit, many bytes are looked at together.
        let visible = token.bytes().fold(true, |ok, byte| ok & matches!(byte, 0x20..=0x7E));
        if token.is_empty() || !visible {
            return None;
        }
        // One spare byte makes the buffer reference-counted now, instead of at the first clone.
        let mut bytes =
            Vec::with_capacity(BEARER.len().saturating_add(token.len()).saturating_add(1));
        bytes.extend_from_slice(BEARER);
        bytes.extend_from_slice(token.as_bytes());
        let mut header = HeaderValue::try_from(bytes).ok()?;
        header.set_sensitive(true);
        // RFC 6749 §5.1: the value of token_type is case insensitive.
        let other_type =
            (!token_type.eq_ignore_ascii_case("bearer")).then(|| printable(token_type));
        Some(Self { header, other_type, generation })
    }

    /// When a token that is not there counts as expired.
    pub(crate) const ABSENT_SINCE: Timestamp = Timestamp::from_unix_seconds(0);

    /// Stands in where there is only a refresh token. It is empty, always expired (see
    /// [`ABSENT_SINCE`](Self::ABSENT_SINCE)), and so never given out.
    pub(crate) fn absent(generation: Generation) -> Self {
        Self { header: HeaderValue::from_static("Bearer "), other_type: None, generation }
    }

    /// Puts `Authorization: Bearer …` on a request, in place of whatever stood there.
    ///
    /// Check the origin before: this refuses plain http, but it cannot know whom you trust.
    ///
    /// # Errors
    /// [`Misuse::PlainHttp`] when the request would travel in the clear to another machine, or its
    /// URI does not say where it goes; [`Misuse::TooManyHeaders`]; [`Problem::TokenType`] when the token is no bearer token.
    ///
    /// See [RFC 6750 §2.1](https://www.rfc-editor.org/rfc/rfc6750#section-2.1).
    pub fn attach<B>(&self, request: &mut Request<B>) -> Result<(), Error> {
        self.check(request.uri())?;
        self.attach_header(request.headers_mut())
    }

    /// Puts the header field of a token that has been checked among others.
    pub(crate) fn attach_header(&self, headers: &mut HeaderMap) -> Result<(), Error> {
        match headers.try_insert(AUTHORIZATION, self.header.clone()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Misuse::TooManyHeaders.into()),
        }
    }

    /// Whether this token may go on a request to this URI.
    pub(crate) fn check(&self, uri: &Uri) -> Result<(), Error> {
        // RFC 6749 §7.1: the client MUST NOT use an access token whose type it does not understand.
        if let Some(token_type) = &self.other_type {
            let problem = Problem::TokenType(token_type.clone());
            return Err(Error::Malformed(Malformed::new(problem)));
        }
        // RFC 6750 §5.3: clients MUST always use TLS (https) or equivalent transport security.
        if is_protected(uri) { Ok(()) } else { Err(Misuse::PlainHttp.into()) }
    }

    /// The `token_type` of the answer that brought this token; `Bearer` in any spelling is
    /// `"Bearer"`.
    #[must_use]
    pub fn token_type(&self) -> &str {
        self.other_type.as_deref().unwrap_or("Bearer")
    }

    /// Which set of tokens this one belongs to.
    #[must_use]
    pub const fn generation(&self) -> Generation {
        self.generation
    }

    /// Whether both are the same token, in a time that does not depend on where they differ.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.header.as_bytes().ct_eq(other.header.as_bytes()).into()
    }

    /// The token itself. What is copied from here is no longer redacted.
    #[must_use]
    pub fn expose(&self) -> &str {
        let bytes = self.header.as_bytes().get(BEARER.len()..).unwrap_or_default();
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessToken")
            .field("token_type", &self.token_type())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// Whether a request to this URI is encrypted, or never leaves the machine.
fn is_protected(uri: &Uri) -> bool {
    match uri.scheme_str() {
        Some("https") => true,
        Some("http") => uri.host().is_some_and(is_loopback),
        Some(_) | None => false,
    }
}

/// Whether a host is this machine: `localhost`, `127.0.0.0/8` or `[::1]`.
pub(crate) fn is_loopback(host: &str) -> bool {
    if host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    host == "[::1]" || host.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}
