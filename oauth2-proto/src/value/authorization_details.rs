//! Authorization details (RFC 9396): what a scope is too coarse for, as JSON.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde_json::value::RawValue;

use crate::error::Misuse;

/// The request parameter and the member of a token answer.
pub(crate) const AUTHORIZATION_DETAILS: &str = "authorization_details";

/// RFC 9396 §2: an array of objects, each of which MUST have a `type`, a string. What else they
/// have is between the caller and the server.
pub(crate) fn check_authorization_details(json: &str) -> Result<(), Misuse> {
    let details: Vec<BTreeMap<Cow<'_, str>, &RawValue>> =
        serde_json::from_str(json).map_err(|_| Misuse::AuthorizationDetails)?;
    let is_typed = |detail: &BTreeMap<Cow<'_, str>, &RawValue>| {
        detail
            .get("type")
            .is_some_and(|name| serde_json::from_str::<Cow<'_, str>>(name.get()).is_ok())
    };
    if details.iter().all(is_typed) { Ok(()) } else { Err(Misuse::AuthorizationDetails) }
}
