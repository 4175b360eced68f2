//! What an unreadable answer looked like, without its secrets.

use alloc::boxed::Box;
use alloc::string::String;

use http::StatusCode;

use super::{PRINTABLE, printable};

/// What an unreadable answer looked like: for a developer, on request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostics {
    status: StatusCode,
    content_type: Option<Box<str>>,
    length: usize,
    excerpt: Box<str>,
}

impl Diagnostics {
    pub(crate) fn new(status: StatusCode, content_type: Option<&str>, body: &[u8]) -> Self {
        Self {
            status,
            content_type: content_type.map(printable),
            length: body.len(),
            excerpt: excerpt(body),
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The length of its body in bytes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The words at its beginning. Whatever could be a value (what stands in quotes or behind an
    /// equals sign or colon, and every word that is not a short plain one) is replaced by `…`.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

/// The plain words at the beginning of an unreadable body; see [`Diagnostics::excerpt`].
fn excerpt(body: &[u8]) -> Box<str> {
    let head = body.get(..PRINTABLE).unwrap_or(body);
    let mut out = String::new();
    let mut quoted = false;
    let mut value_follows = false;
    for piece in head.split_inclusive(|byte| !is_word(*byte)) {
        let (word, mark) = match piece.split_last() {
            Some((last, word)) if !is_word(*last) => (word, Some(*last)),
            Some(_) | None => (piece, None),
        };
        if !word.is_empty() {
            if !quoted && !value_follows && is_plain(word) {
                out.push_str(core::str::from_utf8(word).unwrap_or_default());
            } else {
                out.push('…');
            }
            value_follows = false;
        }
        match mark {
            Some(b'"' | b'\'') => quoted = !quoted,
            Some(b'=' | b':') => value_follows = true,
            Some(_) | None => {}
        }
        if let Some(mark) = mark {
            out.push(if matches!(mark, 0x20..=0x7E) { char::from(mark) } else { ' ' });
        }
    }
    out.into()
}

/// The characters that tokens are made of (RFC 6750 §2.1, `b64token`), and other alphabets.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'|' | b'%' | 0x80..=0xFF)
}

/// A word of a person's language, or a status code: too short and plain to be a secret.
fn is_plain(word: &[u8]) -> bool {
    let word = word.strip_suffix(b".").unwrap_or(word);
    (word.len() <= 14 && word.iter().all(u8::is_ascii_alphabetic))
        || (word.len() <= 3 && word.iter().all(u8::is_ascii_digit))
}
