//! Answers in a server's own words, as those of RFC 6749 §5.
//!
//! What comes out is read by the strict reader. Whatever cannot be made sense of is left as it came,
//! so that its errors speak of what the server really sent. Nothing here makes a success of what is
//! none: the token, or the sign that the old one lives on, has to be there.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Dialect;
use super::body::Decoded;
use super::lifetime::Lifetime;
use super::members::{Members, Object, at, says_something, scalar};
use crate::client::RequestKind;
use crate::client::translate::Answer;
use crate::value::{AccessToken, Timestamp};
use crate::wire::Text;

/// How the scope of an answer is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GrantedScope {
    /// As tokens with spaces between them (RFC 6749 §3.3).
    #[default]
    Spaces,
    /// As tokens with this character, or spaces, between them.
    Separated(char),
    /// As an array of tokens, or as tokens with spaces between them.
    Array,
}

/// A refresh is answered by a sign that the same access token lives on, instead of by a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeepAlive {
    /// Where the sign stands: a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What stands there when the token lives on.
    pub success: String,
}

impl KeepAlive {
    /// The token lives on when this stands in that place.
    #[must_use]
    pub fn new(pointer: impl Into<String>, success: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), success: success.into() }
    }

    fn is_there(&self, root: &RawValue) -> bool {
        let sign = at(root, &self.pointer).and_then(scalar);
        sign.is_some_and(|sign| *sign == *self.success)
    }
}

/// What the RFCs give a meaning to: none of it is taken from beside the token.
const MEANINGFUL: [&str; 9] = [
    "access_token",
    "token_type",
    "expires_in",
    "refresh_token",
    "scope",
    "id_token",
    "error",
    "error_description",
    "error_uri",
];

impl Dialect {
    pub(super) fn translate(
        &self,
        kind: RequestKind,
        held: Option<&AccessToken>,
        sent_at: Timestamp,
        mut answer: Answer,
    ) -> Answer {
        let status = answer.status();
        // Redirects, outages and requests to slow down say what they say in any dialect.
        let is_readable = (status.is_success() || status.is_client_error())
            && !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        let Some(decoded) = is_readable.then(|| self.answer_format.decode(&answer)).flatten()
        else {
            return answer;
        };
        let told = self.told(kind, held, sent_at, status, &decoded);
        drop(decoded);
        if let Some((status, body)) = told {
            *answer.status_mut() = status;
            // The text that was there is overwritten.
            *answer.body_mut() = Zeroizing::new(core::mem::take(&mut *{ body }).into_bytes());
        }
        answer
    }

    /// The status and body that the strict reader understands, where there is something to tell.
    fn told(
        &self,
        kind: RequestKind,
        held: Option<&AccessToken>,
        sent_at: Timestamp,
        status: StatusCode,
        decoded: &Decoded<'_>,
    ) -> Option<(StatusCode, Zeroizing<String>)> {
        let root: &RawValue = serde_json::from_str(decoded.text()).ok()?;
        let beside = Members::of(root)?;
        let token = if kind.brings_token() { self.token(root) } else { None };
        if let Some(error) = self.refusal(root, &beside, token.is_some()) {
            return Some((StatusCode::BAD_REQUEST, error));
        }
        if !kind.brings_token() {
            let is_plain = matches!(decoded, Decoded::Json(_))
                && self.member_aliases.is_empty()
                && !self.camel_case_members;
            return if is_plain { None } else { Some((status, self.plain(root)?)) };
        }
        // RFC 6749 §5.1: 200 (OK) is the only status that carries a token.
        if status != StatusCode::OK && !(self.any_success_status && status.is_success()) {
            return None;
        }
        let body = match (token, held, &self.keep_alive) {
            (Some((pointer, token)), _, _) => {
                self.granted(root, &beside, pointer, token, sent_at, decoded.text().len())
            }
            (None, Some(held), Some(sign))
                if kind == RequestKind::Refresh && sign.is_there(root) =>
            {
                self.kept_alive(held, &beside, sent_at)
            }
            (None, _, _) => return None,
        };
        Some((StatusCode::OK, body))
    }

    /// The first place where there is an access token, and the members there by the RFC's names.
    fn token<'s, 'a>(&'s self, root: &'a RawValue) -> Option<(&'s str, Members<'a>)> {
        let root_alone = self.token_locations.is_empty().then_some("");
        let places = self.token_locations.iter().map(String::as_str).chain(root_alone);
        let mut found = places
            .filter_map(|pointer| Some((pointer, self.renamed(Members::of(at(root, pointer)?)?))));
        found.find(|(_, members)| {
            members.said("access_token").is_some_and(|token| token.get().starts_with('"'))
        })
    }

    /// Members by the RFC's names.
    fn renamed<'a>(&self, mut members: Members<'a>) -> Members<'a> {
        if self.camel_case_members {
            for (name, _) in &mut members.0 {
                if let Some(folded) = snake_case(name) {
                    *name = Cow::Owned(folded);
                }
            }
        }
        for (own, name) in &self.member_aliases {
            members.rename(own, name);
        }
        members
    }

    /// An answer that brings no token: its members by the RFC's names.
    fn plain(&self, root: &RawValue) -> Option<Zeroizing<String>> {
        let members = self.renamed(Members::of(root)?);
        let mut object = Object::with_capacity(root.get().len().saturating_mul(2));
        members.0.iter().for_each(|(name, value)| object.raw(name, value.get()));
        Some(object.finish())
    }

    /// RFC 6749 §5.1.
    fn granted(
        &self,
        root: &RawValue,
        beside: &Members<'_>,
        pointer: &str,
        token: Members<'_>,
        sent_at: Timestamp,
        length: usize,
    ) -> Zeroizing<String> {
        let mut object = Object::with_capacity(length.saturating_mul(2).saturating_add(64));
        self.token_type(&token, &mut object);
        match self.lifetime(&token, sent_at) {
            Lifetime::Seconds(seconds) => object.raw("expires_in", &seconds.to_string()),
            Lifetime::AsItCame(own) => object.raw("expires_in", own.get()),
            Lifetime::Unknown => {}
        }
        if let Some(scope) = token.said("scope") {
            match self.granted_scope.read(scope) {
                Some(text) => object.text("scope", &text),
                None => object.raw("scope", scope.get()),
            }
        }
        if self.refresh_with_access_token
            && token.said("refresh_token").is_none()
            && let Some(own) = token.said("access_token")
        {
            object.raw("refresh_token", own.get());
        } else if let Some(own) = token.said("refresh_token") {
            object.raw("refresh_token", own.get());
        }
        let is_done = |name: &str| {
            matches!(name, "token_type" | "expires_in" | "scope" | "refresh_token")
                || (name == "error" && self.knows_error_member())
        };
        for (name, value) in token.0.iter().filter(|(name, _)| !is_done(name)) {
            object.raw(name, value.get());
        }
        self.beside(root, beside, pointer, &token, &mut object);
        object.finish()
    }

    fn token_type(&self, token: &Members<'_>, object: &mut Object) {
        match token.said("token_type") {
            Some(own) => {
                let text = scalar(own).unwrap_or_default();
                let is_bearer =
                    self.bearer_token_types.iter().any(|own| own.eq_ignore_ascii_case(&text));
                object.raw("token_type", if is_bearer { "\"Bearer\"" } else { own.get() });
            }
            None => {
                if let Some(usual) = &self.default_token_type {
                    object.text("token_type", usual);
                }
            }
        }
    }

    /// What stands beside the token, or is to be found under another name, too.
    fn beside(
        &self,
        root: &RawValue,
        beside: &Members<'_>,
        pointer: &str,
        token: &Members<'_>,
        object: &mut Object,
    ) {
        let is_free = |name: &str| !MEANINGFUL.contains(&name) && token.get(name).is_none();
        if !pointer.is_empty() {
            let way = pointer.split('/').nth(1).unwrap_or_default();
            for (name, value) in beside.0.iter().filter(|(name, _)| name != way && is_free(name)) {
                object.raw(name, value.get());
            }
        }
        for (name, pointer) in &self.captured_members {
            let is_free = is_free(name) && beside.get(name).is_none();
            if let Some(value) = at(root, pointer).filter(|it| is_free && says_something(it)) {
                object.raw(name, value.get());
            }
        }
    }

    /// The token that is held, once more.
    fn kept_alive(
        &self,
        held: &AccessToken,
        members: &Members<'_>,
        sent_at: Timestamp,
    ) -> Zeroizing<String> {
        let token = held.expose();
        let mut object = Object::with_capacity(token.len().saturating_mul(2).saturating_add(64));
        object.text("access_token", token);
        object.text("token_type", held.token_type());
        if let Lifetime::Seconds(seconds) = self.lifetime(members, sent_at) {
            object.raw("expires_in", &seconds.to_string());
        }
        object.finish()
    }
}

impl RequestKind {
    /// The authorization endpoint gives tokens in the implicit grant (RFC 6749 §4.2.2).
    const fn brings_token(self) -> bool {
        matches!(self, Self::Authorization | Self::Token | Self::Refresh | Self::DevicePoll)
    }
}

impl GrantedScope {
    /// The tokens with spaces between them; `None` when they stand there so already, or cannot be
    /// read.
    fn read(self, scope: &RawValue) -> Option<String> {
        match self {
            Self::Spaces => None,
            Self::Separated(separator) => Some(scalar(scope)?.replace(separator, " ")),
            Self::Array => {
                let tokens: Vec<Text<'_>> = serde_json::from_str(scope.get()).ok()?;
                let tokens: Vec<&str> = tokens.iter().map(|token| &*token.0).collect();
                Some(tokens.join(" "))
            }
        }
    }
}

/// `accessToken` as `access_token`; `None` where there is nothing to fold.
fn snake_case(name: &str) -> Option<String> {
    if !name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return None;
    }
    let mut folded = String::with_capacity(name.len().saturating_add(4));
    for (index, character) in name.chars().enumerate() {
        if character.is_ascii_uppercase() && index > 0 {
            folded.push('_');
        }
        folded.push(character.to_ascii_lowercase());
    }
    Some(folded)
}
