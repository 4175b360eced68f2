//! `application/x-www-form-urlencoded` (RFC 6749 Appendix B), written into a buffer that leaves no
//! copy of a secret behind when it grows.

use alloc::string::String;

use url::form_urlencoded::byte_serialize;

use crate::value::{Body, wipe};

/// A form that is being written.
pub(crate) struct Form(String);

impl Form {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(String::with_capacity(bytes))
    }

    /// The form that speaks of one token: RFC 7009 §2.1 and RFC 7662 §2.1 have the same.
    pub(crate) fn of_token(token: &str, token_type_hint: Option<&str>) -> Self {
        let mut form = Self::with_capacity(token.len().saturating_mul(2).saturating_add(128));
        form.pair("token", token);
        if let Some(hint) = token_type_hint {
            form.pair("token_type_hint", hint);
        }
        form
    }

    /// Appends a parameter of a specification: no name there needs encoding. Values are encoded.
    pub(crate) fn pair(&mut self, name: &'static str, value: &str) {
        self.separate();
        self.push(name);
        self.push("=");
        self.encoded(value);
    }

    /// Appends a caller's own parameter. Names and values are encoded.
    pub(crate) fn own_pair(&mut self, name: &str, value: &str) {
        self.separate();
        self.encoded(name);
        self.push("=");
        self.encoded(value);
    }

    /// Appends what [`encode`] has already encoded: `name=value&…`.
    pub(crate) fn encoded_pairs(&mut self, pairs: &str) {
        if !pairs.is_empty() {
            self.separate();
        }
        self.push(pairs);
    }

    fn separate(&mut self) {
        if !self.0.is_empty() {
            self.push("&");
        }
    }

    fn encoded(&mut self, text: &str) {
        if text.bytes().fold(true, |plain, byte| plain & is_plain(byte)) {
            self.push(text);
        } else {
            byte_serialize(text.as_bytes()).for_each(|piece| self.push(piece));
        }
    }

    fn push(&mut self, text: &str) {
        let needed = self.0.len().saturating_add(text.len());
        if needed > self.0.capacity() {
            let mut grown = String::with_capacity(needed.saturating_mul(2));
            grown.push_str(&self.0);
            wipe(&mut self.0);
            self.0 = grown;
        }
        self.0.push_str(text);
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, for parameters that are kept.
    pub(crate) fn into_text(self) -> String {
        self.0
    }

    pub(crate) fn into_body(self) -> Body {
        self.0.into()
    }
}

/// The characters that stand for themselves: all that names, codes and verifiers usually have.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_')
}

/// Encodes one name or value.
pub(crate) fn encode(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
