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

    /// Leaves texts out that repeat what the request held: some servers echo the token that they
    /// refuse. The texts were filtered and cut off, so the token in them may be, too.
    pub(crate) fn without(mut self, secret: &str) -> Self {
        let filtered = |c| if is_printable(c) { c } else { '?' };
        let secret: String = secret.chars().map(filtered).collect();
        let secret = secret.as_bytes();
        let echoes = |text: &[u8]| {
            let whole = text.windows(secret.len().max(1)).any(|part| part == secret);
            let tails =
                (0..text.len().saturating_sub(SHORTEST_ECHO)).filter_map(|at| text.get(at..));
            whole || (text.len() == PRINTABLE && tails.into_iter().any(|it| secret.starts_with(it)))
        };
        // A dialect may have found its error code in the midst of a sentence.
        if secret.len() >= SHORTEST_SECRET && !is_code(&self.error) && echoes(self.error.as_bytes())
        {
            self.error = LEFT_OUT.into();
        }
        for text in [&mut self.description, &mut self.uri] {
            if text.as_ref().is_some_and(|text| echoes(text.as_bytes())) {
                *text = None;
            }
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

/// So much of a secret, at the end of a text that was cut off, is no coincidence.
const SHORTEST_ECHO: usize = 4;

/// What is shorter than this is part of many an error code.
const SHORTEST_SECRET: usize = 8;

/// Stands for an error code that repeats what the request held.
const LEFT_OUT: &str = "(an error that repeats a secret)";

/// Whether a text is a word such as those of RFC 6749 §5.2.
fn is_code(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
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
            // RFC 7591 §3.2.2.
            "invalid_redirect_uri" => f.write_str("; check the redirect URIs of the registration"),
            "invalid_client_metadata" => f.write_str("; check the members of the registration"),
            "invalid_software_statement" | "unapproved_software_statement" => {
                f.write_str("; ask who issued the software statement")
            }
            "invalid_scope" => f.write_str("; check the scope that is asked for"),
            _ => Ok(()),
        }
    }
}
