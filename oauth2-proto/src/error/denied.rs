//! What the authorization server refuses, in OAuth's words (RFC 6749 §4.1.2.1 and §5.2).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::{PRINTABLE, is_printable, printable};

/// An error in OAuth's words.
///
/// See [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    error: Box<str>,
    description: Option<Box<str>>,
    uri: Option<Box<str>>,
}

impl Denied {
    pub(crate) fn new(error: &str, description: Option<&str>, uri: Option<&str>) -> Self {
        Self {
            error: printable(error),
            description: description.map(printable),
            // A link for people: http(s) only, and nothing that would have to be changed.
            uri: uri
                .filter(|uri| uri.starts_with("https://") || uri.starts_with("http://"))
                .map(|uri| (uri, printable(uri)))
                .filter(|(uri, kept)| **uri == **kept)
                .map(|(_, kept)| kept),
        }
    }

    /// Takes out what the request held: some servers repeat the token that they refuse. The texts
    /// were filtered and cut off, so the token in them may be, too.
    pub(crate) fn without(mut self, secret: &str) -> Self {
        // Not `printable`: that would cut it off.
        let secret: String =
            secret.chars().map(|c| if is_printable(c) { c } else { '?' }).collect();
        if secret.is_empty() {
            return self;
        }
        for text in [&mut self.description, &mut self.uri].into_iter().flatten() {
            let tail = text.char_indices().filter(|_| text.chars().count() == PRINTABLE);
            let tail = tail.filter_map(|(at, _)| text.get(at..)).find(|it| secret.starts_with(it));
            let whole = tail.and_then(|tail| text.strip_suffix(tail));
            let cut = if whole.is_some() { "…" } else { "" };
            *text = (whole.unwrap_or(text).replace(&secret, "…") + cut).into();
        }
        self
    }

    /// The error code, such as `invalid_grant`.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The server's explanation for developers.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// A page with more, `http` or `https`.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// Whether the grant itself was refused, rather than the client or the request.
    pub(crate) fn ends_login(&self) -> bool {
        matches!(&*self.error, INVALID_GRANT | ACCESS_DENIED | EXPIRED_TOKEN)
    }
}

/// RFC 6749 §5.2: the grant or refresh token is invalid, expired or revoked.
pub(crate) const INVALID_GRANT: &str = "invalid_grant";
/// RFC 6749 §4.1.2.1: the resource owner or the server denied the request.
pub(crate) const ACCESS_DENIED: &str = "access_denied";
/// RFC 8628 §3.5: the device code has expired.
pub(crate) const EXPIRED_TOKEN: &str = "expired_token";

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the authorization server refused: {}", self.error)?;
        if let Some(description) = &self.description {
            write!(f, " ({description})")?;
        }
        match &*self.error {
            INVALID_GRANT => f.write_str("; the grant is no longer valid, begin a new login"),
            ACCESS_DENIED => f.write_str("; the person or the server said no"),
            EXPIRED_TOKEN => f.write_str("; the code has expired, begin a new login"),
            "invalid_client" | "unauthorized_client" => {
                f.write_str("; check client_id, secret and the kind of client authentication")
            }
            "invalid_scope" => f.write_str("; check the scope that is asked for"),
            _ => Ok(()),
        }
    }
}
