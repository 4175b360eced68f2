//! A URL that the network named (metadata, a challenge, a registration): nothing is sent there
//! before the host has accepted its origin.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use http::Uri;
use url::Url;

use super::Origins;
use super::endpoint_url::{is_this_machine, parse, uri};
use crate::error::{Error, Malformed, Problem};

/// A URL that came from the network, and that nobody has vouched for yet.
///
/// Whoever can write a metadata document or a challenge chooses what stands here. So it is https,
/// has neither user information nor fragment, and points to this machine only when the URL it was
/// learnt from does (then plain http is fine, too). Nothing in this crate fetches it or sends
/// credentials there; [`same_origin`](Self::same_origin) and [`within`](Self::within) give the text
/// from which requests can be made, once its origin is known to be right.
///
/// What this cannot see is where a host name resolves to. A program on a server that must not reach
/// into its own network makes its HTTP client refuse private addresses.
#[derive(Clone, PartialEq, Eq)]
pub struct LearntUrl {
    /// Who named it, for errors.
    teacher: &'static str,
    /// The member that it came in.
    member: &'static str,
    text: Box<str>,
    url: Url,
    uri: Uri,
    is_same_origin: bool,
}

impl LearntUrl {
    /// Reads a URL that was learnt from `source`, or says what is wrong with it.
    pub(crate) fn new(
        teacher: &'static str,
        member: &'static str,
        text: &str,
        source: &Url,
    ) -> Result<Self, Problem> {
        let problem = |why| Problem::url(member, why);
        // Readers disagree about these: what one takes for the host, another takes for the path.
        if !text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') {
            return Err(problem("has characters that no URL has"));
        }
        let url = parse(text).map_err(problem)?;
        if is_this_machine(&url) && !is_this_machine(source) {
            return Err(problem("points to this machine, and the URL it was learnt from does not"));
        }
        // Such as `https:as.example`, `https:///as.example`, `https://%61s.example`, `https://10.1`.
        if !is_this_machine(&url) && !is_read_alike(text, &url) {
            return Err(problem("is not the same URL for all who read it"));
        }
        let uri = uri(&url).map_err(problem)?;
        let is_same_origin = url.origin() == source.origin();
        Ok(Self { teacher, member, text: text.into(), url, uri, is_same_origin })
    }

    /// The URL, when it is on the origin that the host itself named: that of the issuer, of the
    /// resource, or of the registration endpoint.
    ///
    /// # Errors
    /// [`Problem::Origin`] when it is on another one. Ask whoever runs the program, or name the
    /// origins that are right for this server and use [`within`](Self::within).
    pub fn same_origin(&self) -> Result<&str, Error> {
        self.within(&Origins::default())
    }

    /// The URL, when it is on one of these origins, or on the one that the host itself named.
    ///
    /// # Errors
    /// [`Problem::Origin`] when it is on another one.
    pub fn within(&self, origins: &Origins) -> Result<&str, Error> {
        if self.is_same_origin || origins.contain(&self.uri) {
            return Ok(&self.text);
        }
        Err(self.refused(Problem::origin(self.member, &self.origin())))
    }

    /// What is wrong with it, said of who named it.
    pub(crate) fn refused(&self, problem: Problem) -> Error {
        Error::Malformed(Malformed::new(problem).of(self.teacher))
    }

    /// The text, to be stored.
    pub(crate) const fn as_str(&self) -> &str {
        &self.text
    }

    /// Where a request to it goes, as far as it may.
    pub(crate) fn accepted(&self, origins: &Origins) -> Result<(&Url, &Uri), Error> {
        self.within(origins).map(|_| (&self.url, &self.uri))
    }

    /// Scheme, host and port, to be shown or compared: `https://as.example`.
    #[must_use]
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }

    /// Whether it has a query.
    pub(crate) fn has_query(&self) -> bool {
        self.url.query().is_some()
    }
}

impl fmt::Display for LearntUrl {
    /// The URL as it was written: visible ASCII without user information, so it can be shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for LearntUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LearntUrl({})", self.text)
    }
}

/// Whether the text names the same host by RFC 3986 as it does for browsers: it is given out as it
/// was written, and whoever gets it may read it either way.
fn is_read_alike(text: &str, url: &Url) -> bool {
    let Ok(uri) = Uri::try_from(text) else { return false };
    let host = uri.host().zip(url.host_str());
    // There are many spellings of an IPv6 address, and one reading.
    host.is_some_and(|(own, other)| own.starts_with('[') || own.eq_ignore_ascii_case(other))
}
