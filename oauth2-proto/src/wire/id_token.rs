//! The issuer that an ID token names (OpenID Connect Core §2), **unchecked**: beside a code or token
//! in a callback it says no less than the parameter `iss` does, and no more.

use alloc::string::String;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

#[derive(Deserialize)]
struct Claims {
    iss: String,
}

/// The claim `iss` of a signed ID token; `None` for one that is encrypted, or is none.
pub(crate) fn unchecked_issuer(id_token: &str) -> Option<String> {
    let mut parts = id_token.split('.');
    let (_, claims, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let Claims { iss } = serde_json::from_str(&claims).ok()?;
    Some(iss)
}
