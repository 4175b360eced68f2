//! Errors in a server's own words, as those of RFC 6749 §5.2.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::Dialect;
use super::members::{Members, Object, at, says_something, scalar};

/// How a server says that something went wrong, whatever the status.
///
/// Places are JSON pointers (RFC 6901), such as `/errors/0/errorType`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ErrorDetector {
    /// The place of the member that gives an error away. An answer without it is no such error.
    pub pointer: String,
    /// What stands there when all is well, such as `0` or `true`; with none, whatever stands there
    /// is an error.
    #[serde(default)]
    pub success: Vec<String>,
    /// Only an answer without a token is an error: for members that a success may have, too.
    #[serde(default)]
    pub without_token: bool,
    /// The places of the error code, the first of which that says something counts; without any,
    /// it is what gave the error away.
    #[serde(default)]
    pub code: Vec<String>,
    /// The places of the explanation.
    #[serde(default)]
    pub description: Vec<String>,
}

impl ErrorDetector {
    /// Whatever stands in this place is an error.
    #[must_use]
    pub fn present(pointer: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            success: Vec::new(),
            without_token: false,
            code: Vec::new(),
            description: Vec::new(),
        }
    }

    /// What stands in this place is an error, unless it is this.
    #[must_use]
    pub fn unless(pointer: impl Into<String>, success: impl Into<String>) -> Self {
        Self { success: [success.into()].into(), ..Self::present(pointer) }
    }

    /// Only where there is no token.
    #[must_use]
    pub fn without_token(self) -> Self {
        Self { without_token: true, ..self }
    }

    /// The error code stands in this place; may be repeated.
    #[must_use]
    pub fn code(mut self, pointer: impl Into<String>) -> Self {
        self.code.push(pointer.into());
        self
    }

    /// The explanation stands in this place; may be repeated.
    #[must_use]
    pub fn description(mut self, pointer: impl Into<String>) -> Self {
        self.description.push(pointer.into());
        self
    }

    /// What gives the error away, if it is one.
    fn detect<'a>(&self, root: &'a RawValue, has_token: bool) -> Option<&'a RawValue> {
        if self.without_token && has_token {
            return None;
        }
        let sign = at(root, &self.pointer).filter(|sign| says_something(sign))?;
        let is_success =
            scalar(sign).is_some_and(|text| self.success.iter().any(|own| **own == *text));
        (!is_success).then_some(sign)
    }

    /// Whether this is about the member `error` itself.
    fn is_about_error(&self) -> bool {
        self.pointer == "/error" || self.pointer.starts_with("/error/")
    }
}

/// When an error is there but no code for it: RFC 6749 §5.2, a request that is otherwise malformed.
const UNNAMED: &str = "invalid_request";

impl Dialect {
    /// The error that an answer consists of, in the words of RFC 6749 §5.2.
    pub(super) fn refusal(
        &self,
        root: &RawValue,
        members: &Members<'_>,
        has_token: bool,
    ) -> Option<Zeroizing<String>> {
        let text = |pointer: &String| scalar(at(root, pointer).filter(|it| says_something(it))?);
        for detector in &self.error_detectors {
            let Some(sign) = detector.detect(root, has_token) else { continue };
            let code = detector.code.iter().find_map(text).or_else(|| scalar(sign));
            let description = detector.description.iter().find_map(text);
            let description = description.as_deref();
            return Some(self.refused(code.as_deref().unwrap_or(UNNAMED), description, None));
        }
        // Only a text is an error in the words of the RFC; anything else is left to its reader.
        let error = members.said("error").filter(|error| error.get().starts_with('"'))?;
        let text = |name| members.said(name).and_then(scalar);
        let (description, uri) = (text("error_description"), text("error_uri"));
        Some(self.refused(&scalar(error)?, description.as_deref(), uri.as_deref()))
    }

    /// Whether `error` was looked at, and is none.
    pub(super) fn knows_error_member(&self) -> bool {
        self.error_detectors.iter().any(ErrorDetector::is_about_error)
    }

    fn refused(&self, code: &str, text: Option<&str>, uri: Option<&str>) -> Zeroizing<String> {
        let mut answer = Object::with_capacity(128);
        let description = match self.error_aliases.get(code) {
            Some(alias) => {
                answer.text("error", alias);
                Some(text.map_or_else(|| code.into(), |text| format!("{code}: {text}")))
            }
            None => {
                answer.text("error", code);
                text.map(Into::into)
            }
        };
        // It may repeat the token that it refuses.
        if let Some(description) = description.map(Zeroizing::new) {
            answer.text("error_description", &description);
        }
        if let Some(uri) = uri {
            answer.text("error_uri", uri);
        }
        answer.finish()
    }
}
