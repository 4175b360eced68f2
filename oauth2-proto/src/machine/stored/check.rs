//! What a stored state has to hold, whoever wrote it.

use alloc::borrow::Cow;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::value::RawValue;
use url::form_urlencoded;

use super::super::token_request::is_token_parameter;
use super::super::{Attempt, Login};
use super::Invalid;
use crate::client::{LONGEST_LEASE, Params, SHORTEST_LEASE, check_redirect_uri, check_resource};
use crate::error::{Reason, printable};
use crate::value::{RandomText, Scope, Secret};

/// A lease of no length would let everybody send at once, an endless one nobody ever again.
pub(super) fn attempt(stored: Attempt) -> Result<Attempt, Invalid> {
    let leases = SHORTEST_LEASE.as_secs()..=LONGEST_LEASE.as_secs();
    if leases.contains(&stored.lease) { Ok(stored) } else { Err("a lease of impossible length") }
}

/// No login lives to see so many tokens, and their numbers must not run out.
pub(super) fn login(stored: Login) -> Result<Login, Invalid> {
    if stored.number <= u64::from(u32::MAX) { Ok(stored) } else { Err("an impossible generation") }
}

pub(super) fn secret(stored: Cow<'_, str>) -> Result<Secret, Invalid> {
    if stored.is_empty() { Err("an empty token") } else { Ok(Secret::new(stored)) }
}

pub(super) fn extras(stored: Cow<'_, str>) -> Result<Secret, Invalid> {
    let is_object = |text| serde_json::from_str::<BTreeMap<Cow<'_, str>, &RawValue>>(text).is_ok();
    if stored.is_empty() || is_object(&stored) {
        Ok(Secret::new(stored))
    } else {
        Err("extras that are no JSON object")
    }
}

/// Filtered when it was made; it will be printed.
pub(super) fn reason(stored: Reason) -> Result<Reason, Invalid> {
    if let Reason::Denied(error) = &stored
        && *printable(error) != **error
    {
        return Err("an unprintable reason");
    }
    Ok(stored)
}

/// What is beyond is no longer what was stored, and refused as such.
const MOST_PARAMS: usize = 256;

pub(super) fn params(stored: Cow<'_, str>) -> Result<String, Invalid> {
    let pairs: Vec<_> = form_urlencoded::parse(stored.as_bytes()).take(MOST_PARAMS).collect();
    let (resources, pairs): (Vec<_>, Vec<_>) = pairs
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .partition(|(name, _)| *name == "resource");
    let resources = resources.into_iter().map(|(_, resource)| resource).collect();
    let params = Params { pairs, resources };
    params.check(is_token_parameter).map_err(|_| "parameters that it must not have")?;
    // Nothing that a caller could have given reads otherwise.
    let encoded = params.encoded();
    if encoded == *stored { Ok(encoded) } else { Err("parameters of wrong form") }
}

pub(super) fn redirect_uri(stored: Cow<'_, str>) -> Result<String, Invalid> {
    check_redirect_uri(&stored).map_err(|_| "an unusable redirect URI")?;
    Ok(stored.into_owned())
}

pub(super) fn resource(stored: Cow<'_, str>) -> Result<String, Invalid> {
    check_resource(&stored).map_err(|_| "an unusable resource")?;
    Ok(stored.into_owned())
}

pub(super) fn scope(text: &str) -> Result<Scope, Invalid> {
    Scope::new(text).map_err(|_| "a scope of wrong form")
}

pub(super) fn random(text: &str) -> Result<RandomText, Invalid> {
    RandomText::parse(text).ok_or("a state, nonce or verifier of wrong form")
}

/// A text that will be shown to a person.
pub(super) fn shown(stored: Cow<'_, str>) -> Result<Box<str>, Invalid> {
    if stored.is_empty() || *printable(&stored) != *stored {
        return Err("a text that cannot be shown");
    }
    Ok(stored.into())
}

/// A link for people: a web page.
pub(super) fn link(stored: Cow<'_, str>) -> Result<Box<str>, Invalid> {
    if stored.starts_with("https://") || stored.starts_with("http://") {
        shown(stored)
    } else {
        Err("a link that is no web page")
    }
}
