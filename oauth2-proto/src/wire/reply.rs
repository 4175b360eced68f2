//! An answer of any of the server's endpoints, before its members are looked at. It refuses
//! redirects by name, what is too long, and what says that the server is down for now.

use alloc::borrow::Cow;
use core::time::Duration;

use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::Challenge;
use crate::error::{Denied, Diagnostics, Error, Malformed, Outage, Problem, Unavailable};
use crate::value::Secret;

/// An answer that is neither a redirect nor an outage, and short enough to be read.
#[derive(Clone, Copy)]
pub(crate) struct Reply<'a> {
    endpoint: &'static str,
    status: StatusCode,
    headers: &'a HeaderMap,
    body: &'a [u8],
    /// What no error may repeat.
    secret: Option<&'a Secret>,
}

/// A server can't keep a client waiting for longer than this, in seconds.
pub(crate) const LONGEST_RETRY_AFTER: u64 = 3600;

impl<'a> Reply<'a> {
    /// Takes an answer of at most `limit` bytes; `endpoint` is what its errors speak of.
    #[inline]
    pub(crate) fn new(
        endpoint: &'static str,
        status: StatusCode,
        headers: &'a HeaderMap,
        body: &'a [u8],
        limit: usize,
    ) -> Result<Self, Error> {
        let reply = Self { endpoint, status, headers, body, secret: None };
        if status.is_redirection() {
            return Err(reply.malformed(Problem::Redirected(status)));
        }
        if status.is_server_error()
            || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
        {
            return Err(reply.unavailable());
        }
        if body.len() > limit {
            return Err(reply.malformed(Problem::TooLarge(limit)));
        }
        Ok(reply)
    }

    /// Its errors leave texts out that repeat this.
    pub(crate) const fn without(self, secret: Option<&'a Secret>) -> Self {
        Self { secret, ..self }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) const fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The members of the one JSON object that comes with this status; every other answer is an
    /// error: the server's own (RFC 6749 §5.2), or one that nobody can read.
    pub(crate) fn object<T: Deserialize<'a>>(&self, expected: StatusCode) -> Result<T, Error> {
        if self.status == expected {
            // Or the elements of an array would pass for the members of an object.
            if !self.body.trim_ascii_start().starts_with(b"{") {
                return Err(self.malformed(Problem::Json));
            }
            // RFC 8259 §8.1: JSON text MUST be encoded using UTF-8, what nobody reads included.
            let text = self.text().ok_or_else(|| self.malformed(Problem::Json))?;
            return serde_json::from_str(text).map_err(|error| {
                // A well-formed object whose members are not as they should be.
                self.malformed(if error.is_data() { Problem::Members } else { Problem::Json })
            });
        }
        Err(self.refusal())
    }

    /// What an answer with an unexpected status says.
    pub(crate) fn refusal(&self) -> Error {
        match self.text().map(serde_json::from_str::<ErrorMembers<'_>>) {
            Some(Ok(members)) if !members.error.is_empty() => self.denied(
                &members.error,
                members.error_description.as_deref(),
                members.error_uri.as_deref(),
            ),
            Some(Ok(_) | Err(_)) | None => self.challenge_refusal(),
        }
    }

    fn text(&self) -> Option<&'a str> {
        core::str::from_utf8(self.body).ok()
    }

    /// RFC 6750 §3: where a bearer token was presented, a challenge explains what the body does not.
    fn challenge_refusal(&self) -> Error {
        let challenges = Challenge::from_headers(self.headers);
        let explained = challenges.iter().find_map(|it| Some((it, it.error()?)));
        match explained {
            Some((challenge, error)) if !error.is_empty() => {
                self.denied(error, challenge.error_description(), challenge.error_uri())
            }
            Some(_) | None => self.malformed(Problem::Status(self.status)),
        }
    }

    /// The server's own error; some of them say that it is down for now.
    pub(crate) fn denied(
        &self,
        error: &str,
        description: Option<&str>,
        uri: Option<&str>,
    ) -> Error {
        if matches!(error, "temporarily_unavailable" | "server_error") {
            return self.unavailable();
        }
        let denied = Denied::new(error, description, uri);
        Error::Denied(match self.secret {
            Some(secret) => denied.without(secret.expose()),
            None => denied,
        })
    }

    pub(crate) fn malformed(&self, problem: Problem) -> Error {
        let content_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let diagnostics = Diagnostics::new(self.status, content_type, self.body);
        let malformed = Malformed::new(problem).of(self.endpoint).with_diagnostics(diagnostics);
        Error::Malformed(malformed)
    }

    fn unavailable(&self) -> Error {
        let outage = Outage::Status(self.status);
        Error::Unavailable(Unavailable::new(outage, self.retry_after()).of(self.endpoint))
    }

    /// `Retry-After` in seconds (RFC 9110 §10.2.3), at most an hour. A date is ignored: the usual
    /// back-off applies.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let seconds: u64 = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds.min(LONGEST_RETRY_AFTER)))
    }
}

/// RFC 6749 §5.2.
#[derive(Deserialize)]
struct ErrorMembers<'a> {
    #[serde(borrow)]
    error: Cow<'a, str>,
    #[serde(borrow, default)]
    error_description: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    error_uri: Option<Cow<'a, str>>,
}
