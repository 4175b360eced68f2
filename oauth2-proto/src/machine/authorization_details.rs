//! Authorization details (RFC 9396) as a token answer grants them.

use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::Authorized;
use crate::value::AUTHORIZATION_DETAILS;

impl Authorized {
    /// What the server granted beyond the scope, which may be less, more or other than what was
    /// asked for; `None` when the latest token answer did not say, or an element is not a `T`.
    ///
    /// `T` can be a type of one's own, or `Box<serde_json::value::RawValue>` for the JSON as it
    /// came.
    ///
    /// See [RFC 9396 §7](https://www.rfc-editor.org/rfc/rfc9396#section-7).
    #[must_use]
    pub fn authorization_details<T: DeserializeOwned>(&self) -> Option<Vec<T>> {
        self.extra(AUTHORIZATION_DETAILS)
    }
}
