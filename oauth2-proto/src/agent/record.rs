//! A login as a store keeps it: bytes that a store neither reads nor shows.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use crate::machine::State;

/// A login as a store keeps it: the stored form of a [`State`], or that form sealed.
///
/// It is as confidential as a password: its bytes are never printed, and are wiped when it is
/// dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Record(Zeroizing<Vec<u8>>);

impl Record {
    /// What was read from a database.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The stored form of a login: JSON, in UTF-8.
    ///
    /// # Errors
    /// serde_json's own. No state is known that causes one.
    pub fn of(state: &State) -> Result<Self, serde_json::Error> {
        serde_json::to_vec(state).map(Self::new)
    }

    /// The login.
    ///
    /// # Errors
    /// [`Unreadable`] when it is sealed, damaged, or was written by a newer version of this crate.
    pub fn state(&self) -> Result<State, Unreadable> {
        // The parser's own error could quote a token.
        serde_json::from_slice(&self.0).map_err(|_| Unreadable)
    }

    /// Its bytes, for a database.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Record({} bytes)", self.0.len())
    }
}

/// What is stored is no login.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_structs, reason = "saying more would quote what is stored")]
pub struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is stored is no login: it is sealed, damaged, or of a newer version")
    }
}

impl core::error::Error for Unreadable {}
