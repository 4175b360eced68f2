//! Where logins are kept: load, and compare-and-swap.

use crate::coordinator::{Swapped, Unknown, Version};
use crate::machine::State;

/// Keeps logins by key.
///
/// A swap is the lease between processes, so it has to be atomic in the database itself. What is
/// stored is as confidential as a password.
pub trait Store {
    /// Reading a login.
    type Loading: Future<Output = Result<Option<(Version, State)>, Unknown>>;
    /// Replacing a login.
    type Swapping: Future<Output = Result<Swapped, Unknown>>;

    /// Reads the login under a key, and its version; `None` when there is none.
    ///
    /// # Errors
    /// [`Unknown`] when the database fails, or holds something that is no login; log why.
    fn load(&self, key: &str) -> Self::Loading;

    /// Writes `new` (`None` deletes) if the version under the key is still `expected` (`None`: if
    /// there is no login), under a version that this key has never had.
    ///
    /// # Errors
    /// [`Unknown`] when it is not certain whether it was written: a time-out is one. The caller
    /// reads and finds out.
    fn swap(&self, key: &str, expected: Option<Version>, new: Option<&State>) -> Self::Swapping;
}
