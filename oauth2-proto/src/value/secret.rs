//! Text that must not leak: redacted in `Debug`, without `Display`, wiped when dropped.

use alloc::string::String;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A secret text: a client secret, a refresh token, an ID token.
///
/// `Debug` shows nothing of it, there is no `Display`, equality takes the same time whatever
/// differs, and the memory is overwritten when it is dropped. [`expose`](Self::expose) is the only
/// way to the text: search for it to audit a program.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Takes the text over, without copying it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself. What is copied from here is no longer wiped or redacted.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}

impl Drop for Secret {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites all that a text occupies. Emptied first, because `zeroize` overwrites spare capacity
/// at once, but the bytes in use one by one.
pub(crate) fn wipe(text: &mut String) {
    text.clear();
    text.zeroize();
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
