//! Where logins are kept: load, and compare-and-swap.

use alloc::string::String;
use core::fmt;

use super::Record;
use crate::coordinator::{Swapped, Unknown, Version};

/// Keeps logins by key.
///
/// A swap is the lease between processes, so it has to be atomic in the database itself. What is
/// stored is as confidential as a password.
pub trait Store {
    /// Reading a login.
    type Loading: Future<Output = Result<Option<(Version, Record)>, Unknown>>;
    /// Replacing a login.
    type Swapping: Future<Output = Result<Swapped, Unknown>>;

    /// Reads the login under a key, and its version; `None` when there is none.
    ///
    /// # Errors
    /// [`Unknown`] when the database fails; log why.
    fn load(&self, key: &str) -> Self::Loading;

    /// Writes `new` (`None` deletes) if the version under the key is still `expected` (`None`: if
    /// there is no login), under a version that this key has never had.
    ///
    /// # Errors
    /// [`Unknown`] when it is not certain whether it was written: a time-out is one. The caller
    /// reads and finds out.
    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping;

    /// The login under this key, whether there is one already or not: what
    /// [`Agent::open`](super::Agent::open) takes.
    #[must_use]
    fn login(&self, key: impl Into<String>) -> StoredLogin<Self>
    where
        Self: Clone + Sized,
    {
        StoredLogin { store: self.clone(), key: key.into() }
    }
}

/// One login in a store, made by [`Store::login`].
#[derive(Clone)]
pub struct StoredLogin<S> {
    pub(super) store: S,
    pub(super) key: String,
}

impl<S: fmt::Debug> fmt::Debug for StoredLogin<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key may be what somebody is known by, or the id of a session.
        f.debug_struct("StoredLogin").field("store", &self.store).finish_non_exhaustive()
    }
}
