//! Spans and events, by the names of the core's guide.

use core::fmt::{self, Write};
use std::time::Instant;

use http::{Request, Response, Uri};
use oauth2_proto::{Error, Generation, Lost};
use tracing::field::Empty;
use tracing::{Instrument, Level, Span, debug, info, span, warn};

const TARGET: &str = "oauth2_proto_hyper";

/// A token request on its way.
pub(crate) struct Http {
    span: Span,
    since: Instant,
}

impl Http {
    pub(crate) fn begins<B>(request: &Request<B>) -> Self {
        let span = span!(
            target: TARGET, Level::DEBUG, "http",
            method = %request.method(), endpoint = %Place::endpoint(request.uri()),
            status = Empty, elapsed_ms = Empty,
        );
        Self { span, since: Instant::now() }
    }

    pub(crate) fn within<T>(
        self,
        exchange: impl Future<Output = Result<Response<T>, Lost>>,
    ) -> impl Future<Output = Result<Response<T>, Lost>> {
        let Self { span, since } = self;
        let ended = span.clone();
        let told = async move {
            let outcome = exchange.await;
            let elapsed = since.elapsed().as_millis();
            ended.record("elapsed_ms", u64::try_from(elapsed).unwrap_or(u64::MAX));
            if let Ok(response) = &outcome {
                let status = response.status().as_u16();
                ended.record("status", status);
                debug!(target: TARGET, status, "answered");
            }
            outcome
        };
        told.instrument(span)
    }
}

/// The client has failed to send the request, or to read the answer.
pub(crate) fn failed(error: &dyn core::error::Error) {
    warn!(target: TARGET, error = %Causes(error), "not answered");
}

/// The deadline came before the answer.
pub(crate) fn timed_out() {
    warn!(target: TARGET, "time-out");
}

/// A protected request.
pub(crate) struct Call(Uri);

impl Call {
    pub(crate) fn of(uri: &Uri) -> Self {
        Self(uri.clone())
    }

    fn origin(&self) -> Place<'_> {
        Place::origin(&self.0)
    }

    /// It goes where the token must not, without it.
    pub(crate) fn passes(&self) {
        debug!(target: TARGET, origin = %self.origin(), "origin refused");
    }

    pub(crate) fn attached(&self, generation: Generation) {
        let (login, generation) = (generation.login(), generation.number());
        debug!(target: TARGET, %login, generation, origin = %self.origin(), "attached");
    }

    pub(crate) fn has_no_token(&self, error: &Error) {
        warn!(target: TARGET, origin = %self.origin(), %error, "no token");
    }

    pub(crate) fn repeated(&self, generation: Generation) {
        let (login, generation) = (generation.login(), generation.number());
        info!(target: TARGET, %login, generation, origin = %self.origin(), "repeated after 401");
    }

    pub(crate) fn not_repeated(&self, generation: Generation) {
        let (login, generation) = (generation.login(), generation.number());
        info!(target: TARGET, %login, generation, origin = %self.origin(), "refused with 401");
    }
}

/// Where a request goes, without what may be a secret: userinfo, query, and in an origin the path.
struct Place<'u> {
    uri: &'u Uri,
    path: &'u str,
}

impl<'u> Place<'u> {
    fn endpoint(uri: &'u Uri) -> Self {
        Self { uri, path: uri.path() }
    }

    const fn origin(uri: &'u Uri) -> Self {
        Self { uri, path: "" }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uri, path } = self;
        uri.scheme_str().map_or(Ok(()), |scheme| write!(f, "{scheme}://"))?;
        f.write_str(uri.host().unwrap_or_default())?;
        uri.port().map_or(Ok(()), |port| write!(f, ":{port}"))?;
        f.write_str(path)
    }
}

/// An error and its causes, on one line.
struct Causes<'e>(&'e dyn core::error::Error);

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = Line(f);
        write!(line, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(line, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Writes no control characters: some of what a client says comes from a peer, such as the names in a
/// certificate.
struct Line<'f, 'b>(&'f mut fmt::Formatter<'b>);

impl Write for Line<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| self.0.write_char(if c.is_control() { '?' } else { c }))
    }
}
