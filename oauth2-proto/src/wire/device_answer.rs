//! The device authorization response (RFC 8628 §3.2). It refuses links that are no web pages, and
//! codes that cannot be shown to a person.

use alloc::borrow::Cow;

use http::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Reply;
use super::token_answer::seconds;
use crate::error::{Error, Problem, printable};

/// What a device shows to the person, and polls with.
pub(crate) struct DeviceAnswer<'a> {
    pub(crate) device_code: Cow<'a, str>,
    pub(crate) user_code: Cow<'a, str>,
    pub(crate) verification_uri: Cow<'a, str>,
    pub(crate) verification_uri_complete: Option<Cow<'a, str>>,
    /// Seconds.
    pub(crate) expires_in: u64,
    /// Seconds, at least one.
    pub(crate) interval: u64,
}

/// RFC 8628 §3.2: if no value is provided, clients MUST use 5 as the default.
const INTERVAL: u64 = 5;

/// A server that wants to hear from a device less often than this (seconds) is mistaken.
pub(crate) const LONGEST_INTERVAL: u64 = 3600;

#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    device_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    user_code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    verification_uri: Option<Cow<'a, str>>,
    /// Google's name for it.
    #[serde(borrow)]
    verification_url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    verification_uri_complete: Option<Cow<'a, str>>,
    #[serde(borrow)]
    expires_in: Option<&'a RawValue>,
    #[serde(borrow)]
    interval: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_description: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error_uri: Option<Cow<'a, str>>,
}

impl<'a> DeviceAnswer<'a> {
    pub(crate) fn read(reply: &Reply<'a>) -> Result<Self, Error> {
        let members: Members<'a> = reply.object(StatusCode::OK)?;
        // GitHub: an error is one whatever the status.
        if let Some(error) = members.error.as_deref().filter(|error| !error.is_empty()) {
            let description = members.error_description.as_deref();
            return Err(reply.denied(error, description, members.error_uri.as_deref()));
        }
        Self::new(members).map_err(|problem| reply.malformed(problem))
    }

    fn new(members: Members<'a>) -> Result<Self, Problem> {
        let verification_uri = members.verification_uri.filter(|uri| !uri.is_empty());
        let verification_uri = verification_uri.or(members.verification_url);
        let expires_in = members.expires_in.and_then(|raw| seconds(raw.get()));
        let interval = match members.interval.map(|raw| seconds(raw.get())) {
            Some(None) => return Err(Problem::Member("interval")),
            Some(Some(interval)) => interval,
            None => None,
        };
        Ok(Self {
            device_code: shown("device_code", members.device_code)?,
            user_code: shown("user_code", members.user_code)?,
            verification_uri: link(
                "verification_uri",
                shown("verification_uri", verification_uri)?,
            )?,
            verification_uri_complete: members
                .verification_uri_complete
                .filter(|uri| !uri.is_empty())
                .map(|uri| link("verification_uri_complete", uri))
                .transpose()?,
            expires_in: match (expires_in, members.expires_in) {
                (Some(Some(seconds)), _) => seconds,
                (Some(None), _) | (None, None) => return Err(Problem::MemberMissing("expires_in")),
                (None, Some(_)) => return Err(Problem::Member("expires_in")),
            },
            interval: interval.unwrap_or(INTERVAL).clamp(1, LONGEST_INTERVAL),
        })
    }
}

/// A text that is there, and of which nothing would be lost on a screen.
fn shown<'a>(name: &'static str, text: Option<Cow<'a, str>>) -> Result<Cow<'a, str>, Problem> {
    let text = text.filter(|text| !text.is_empty()).ok_or(Problem::MemberMissing(name))?;
    if name == "device_code" || *printable(&text) == *text {
        Ok(text)
    } else {
        Err(Problem::Member(name))
    }
}

/// Links for people are web pages (law 10).
fn link<'a>(name: &'static str, uri: Cow<'a, str>) -> Result<Cow<'a, str>, Problem> {
    let is_web = uri.starts_with("https://") || uri.starts_with("http://");
    if is_web && *printable(&uri) == *uri { Ok(uri) } else { Err(Problem::Member(name)) }
}
