//! What an unreadable answer looked like, without its secrets.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

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
    let mut excerpt = Excerpt { text: String::new(), word: Vec::new(), reading: Reading::Words };
    body.iter().take(PRINTABLE).for_each(|byte| excerpt.read(*byte));
    excerpt.end_word();
    excerpt.text.into()
}

/// An excerpt that is being made.
struct Excerpt {
    text: String,
    word: Vec<u8>,
    reading: Reading,
}

#[derive(Clone, Copy)]
enum Reading {
    Words,
    /// Behind an equals sign or a colon, and the spaces that follow it.
    ValueDue,
    Value,
    Quoted {
        by: u8,
        escaped: bool,
    },
}

impl Excerpt {
    fn read(&mut self, byte: u8) {
        self.reading = match self.reading {
            Reading::Quoted { escaped: false, by } if byte == by => {
                self.text.push(char::from(byte));
                Reading::Words
            }
            Reading::Quoted { escaped, by } => {
                Reading::Quoted { by, escaped: byte == b'\\' && !escaped }
            }
            Reading::Value if !ends_value(byte) => Reading::Value,
            Reading::ValueDue if byte.is_ascii_whitespace() => {
                self.mark(byte);
                Reading::ValueDue
            }
            Reading::ValueDue if matches!(byte, b'"' | b'\'') => self.quote(byte),
            Reading::ValueDue if !ends_value(byte) => {
                self.text.push('…');
                Reading::Value
            }
            Reading::Words | Reading::Value | Reading::ValueDue => self.read_word(byte),
        };
    }

    fn read_word(&mut self, byte: u8) -> Reading {
        if is_word(byte) {
            self.word.push(byte);
            return Reading::Words;
        }
        self.end_word();
        match byte {
            b'"' => self.quote(byte),
            // An apostrophe opens a value only where one can stand.
            b'\'' if self.text.ends_with(['{', '[', ',']) => self.quote(byte),
            b'=' | b':' => {
                self.mark(byte);
                Reading::ValueDue
            }
            _ => {
                self.mark(byte);
                Reading::Words
            }
        }
    }

    fn quote(&mut self, by: u8) -> Reading {
        self.mark(by);
        self.text.push('…');
        Reading::Quoted { by, escaped: false }
    }

    fn mark(&mut self, byte: u8) {
        self.text.push(if matches!(byte, 0x20..=0x7E) { char::from(byte) } else { ' ' });
    }

    fn end_word(&mut self) {
        let word = core::mem::take(&mut self.word);
        match core::str::from_utf8(&word) {
            Ok(word) if is_plain(word) => self.text.push_str(word),
            Ok(_) | Err(_) => self.text.push('…'),
        }
    }
}

const fn ends_value(byte: u8) -> bool {
    byte.is_ascii_whitespace()
        || matches!(byte, b'&' | b';' | b',' | b'<' | b'>' | b')' | b']' | b'}')
}

/// The characters that tokens are made of (RFC 6750 §2.1, `b64token`), and other alphabets.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'|' | b'%' | 0x80..=0xFF)
}

/// A word of a person's language, or a status code: too short and plain to be a secret.
fn is_plain(word: &str) -> bool {
    let word = word.strip_suffix('.').unwrap_or(word);
    (word.len() <= 14 && word.bytes().all(|byte| byte.is_ascii_alphabetic()))
        || (word.len() <= 3 && word.bytes().all(|byte| byte.is_ascii_digit()))
}
