//! What the body of an answer may look like besides JSON: a form, or JSON inside of a function call.

use alloc::vec::Vec;

use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::members::Object;
use crate::client::translate::Answer;

/// How the body of an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AnswerFormat {
    /// As one JSON object, which RFC 6749 §5.1 demands; the `Content-Type` is not asked about.
    #[default]
    Json,
    /// As JSON, as a form (`access_token=…&expires_in=…`), or as JSONP (`callback({…});`): what
    /// the `Content-Type` says is tried first, then the others, because servers send each of them
    /// as `text/html`.
    Any,
}

/// A body that is one JSON object, as it came or rewritten.
pub(super) enum Decoded<'a> {
    Json(&'a str),
    Rewritten(Zeroizing<alloc::string::String>),
}

impl Decoded<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Json(text) => text,
            Self::Rewritten(text) => text,
        }
    }
}

impl AnswerFormat {
    pub(super) fn decode(self, answer: &Answer) -> Option<Decoded<'_>> {
        let body = core::str::from_utf8(answer.body()).ok()?;
        match self {
            Self::Json => json(body),
            Self::Any => {
                let content_type = answer.headers().get(CONTENT_TYPE);
                let content_type = content_type.and_then(|value| value.to_str().ok());
                let content_type = content_type.unwrap_or_default();
                let mut decoders = [json, form, jsonp];
                if content_type.contains("form") {
                    decoders = [form, json, jsonp];
                } else if content_type.contains("javascript") {
                    decoders = [jsonp, json, form];
                }
                decoders.into_iter().find_map(|decode| decode(body))
            }
        }
    }
}

fn json(body: &str) -> Option<Decoded<'_>> {
    let value: &RawValue = serde_json::from_str(body).ok()?;
    value.get().starts_with('{').then(|| Decoded::Json(value.get()))
}

/// `name({…});`
fn jsonp(body: &str) -> Option<Decoded<'_>> {
    let (name, rest) = body.trim().split_once('(')?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.' | ' ');
    let call = rest.trim_end_matches(';').trim_end().strip_suffix(')')?;
    if name.chars().all(is_name) { json(call) } else { None }
}

/// Pairs whose names are plain words: neither a page nor a sentence passes for one.
fn form(body: &str) -> Option<Decoded<'_>> {
    let body = body.trim();
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '[' | ']');
    let is_pair = |pair: &str| {
        let name = pair.split_once('=').map(|(name, _)| name);
        name.is_some_and(|name| !name.is_empty() && name.chars().all(is_name))
    };
    if !body.split('&').all(is_pair) || !body.bytes().all(|byte| matches!(byte, 0x21..=0x7E)) {
        return None;
    }
    let mut object = Object::with_capacity(body.len().saturating_mul(2));
    let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes())
        .map(|(name, value)| (name, Zeroizing::new(value.into_owned())))
        .collect();
    for (name, value) in &pairs {
        object.text(name, value);
    }
    Some(Decoded::Rewritten(object.finish()))
}
