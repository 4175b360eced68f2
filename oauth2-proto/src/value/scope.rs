//! Scope (RFC 6749 §3.3): a set of tokens that keeps the order in which it was written.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::error::Misuse;

/// A set of scope tokens, written on the wire in the order in which they were given.
///
/// Compared as a set: `a b` equals `b a`. A token is one or more of the characters `%x21`,
/// `%x23-5B` and `%x5D-7E`.
///
/// See [RFC 6749 §3.3](https://www.rfc-editor.org/rfc/rfc6749#section-3.3).
#[derive(Clone, Default)]
pub struct Scope(Box<str>);

impl Scope {
    /// Reads tokens separated by spaces; a repeated token counts once.
    ///
    /// # Errors
    /// [`Misuse::Scope`] when a token has a character that the grammar does not allow, or there are
    /// more than 1,000 tokens.
    pub fn new(text: &str) -> Result<Self, Misuse> {
        let well_formed = text.bytes().all(|byte| byte == b' ' || is_scope_character(byte));
        let spaces = text.bytes().filter(|byte| *byte == b' ').count();
        if well_formed && spaces < MOST_TOKENS {
            Ok(Self::granted(text))
        } else {
            Err(Misuse::Scope)
        }
    }

    /// What a server granted: its tokens, without those that break the grammar. A scope is
    /// information, and no reason to lose the tokens that came with it.
    pub(crate) fn granted(text: &str) -> Self {
        if Self::is_canonical(text) { Self(text.into()) } else { Self::from_tokens(text) }
    }

    /// Whether a text of not too many tokens is just what [`from_tokens`](Self::from_tokens) would
    /// make of it, which then need not be done.
    fn is_canonical(text: &str) -> bool {
        let tokens = || text.as_bytes().split(|byte| *byte == b' ');
        tokens().enumerate().all(|(index, token)| {
            index < 16
                && !token.is_empty()
                && token.iter().copied().all(is_scope_character)
                && tokens().take(index).all(|earlier| earlier != token)
        })
    }

    fn from_tokens(text: &str) -> Self {
        let mut tokens = Vec::new();
        for token in text.split(' ').filter(|token| !token.is_empty()).take(MOST_TOKENS) {
            if token.bytes().all(is_scope_character) && !tokens.contains(&token) {
                tokens.push(token);
            }
        }
        Self::join(tokens.into_iter())
    }

    /// The tokens joined by single spaces, as they go over the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tokens in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|token| !token.is_empty())
    }

    /// Whether there is no token at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `token` is in the set.
    #[must_use]
    pub fn contains(&self, token: &str) -> bool {
        let mut tokens = self.0.as_bytes().split(|byte| *byte == b' ');
        !token.is_empty() && tokens.any(|own| own == token.as_bytes())
    }

    /// The tokens of this set that `other` has not, in this set's order.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let theirs: BTreeSet<&str> = other.iter().collect();
        Self::join(self.iter().filter(|token| !theirs.contains(token)))
    }

    /// The tokens of both sets, this set's first.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let own: BTreeSet<&str> = self.iter().collect();
        Self::join(self.iter().chain(other.iter().filter(|token| !own.contains(token))))
    }

    /// Tokens of other sets, each of them once.
    fn join<'a>(tokens: impl Iterator<Item = &'a str>) -> Self {
        let mut joined = String::new();
        for token in tokens {
            if !joined.is_empty() {
                joined.push(' ');
            }
            joined.push_str(token);
        }
        Self(joined.into())
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
            || self.iter().collect::<BTreeSet<_>>() == other.iter().collect::<BTreeSet<_>>()
    }
}

impl Eq for Scope {}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Nobody asks for so many. What a hostile server grants beyond is ignored: telling repeated tokens
/// apart takes time that grows with the square of their number.
const MOST_TOKENS: usize = 1000;

/// RFC 6749 §3.3: `scope-token = 1*( %x21 / %x23-5B / %x5D-7E )`.
const fn is_scope_character(byte: u8) -> bool {
    matches!(byte, 0x21 | 0x23..=0x5B | 0x5D..=0x7E)
}
