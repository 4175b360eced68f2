//! The authorization response (RFC 6749 §4.1.2): what the browser brings back to the redirect URI.
//!
//! This file finds the parameters and refuses those that appear twice. It trusts none of them:
//! [`AwaitingCallback::accept`](crate::AwaitingCallback::accept) checks them in their order.

use alloc::borrow::Cow;
use alloc::string::ToString;
use core::fmt;

use url::{Url, form_urlencoded};

use crate::error::{Error, Forged, Malformed, Problem};

/// A callback as the host received it; nothing in it has been checked yet.
///
/// Give the full URL where you have it: then its origin and path are compared with the redirect
/// URI of the login, too.
#[derive(Clone)]
pub struct Callback<'a>(Source<'a>);

#[derive(Clone)]
enum Source<'a> {
    Url(Cow<'a, str>),
    Query(&'a str),
}

impl<'a> Callback<'a> {
    /// The full URL that the browser requested, such as a person pastes it.
    #[must_use]
    pub fn url(url: &'a str) -> Self {
        Self(Source::Url(Cow::Borrowed(url.trim())))
    }

    /// The query alone, with or without its question mark: for web servers that see no origin.
    #[must_use]
    pub fn query(query: &'a str) -> Self {
        Self(Source::Query(query.strip_prefix('?').unwrap_or(query)))
    }

    /// The parameters that a client reads, each at most once, and the URL they came in. `known_as`
    /// gives the RFC's name of a parameter.
    pub(crate) fn parameters(
        &self,
        known_as: impl Fn(&str) -> &str,
    ) -> Result<CallbackParameters<'_>, Error> {
        let mut parameters = CallbackParameters::default();
        let query = match &self.0 {
            Source::Query(query) => *query,
            Source::Url(text) => {
                parameters.url = Some(text);
                let text = text.split_once('#').map_or(&**text, |(before, _)| before);
                text.split_once('?').map_or("", |(_, query)| query)
            }
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let (name, parameter) = match known_as(&name) {
                "state" => ("state", &mut parameters.state),
                "code" => ("code", &mut parameters.code),
                "iss" => ("iss", &mut parameters.iss),
                "error" => ("error", &mut parameters.error),
                "error_description" => ("error_description", &mut parameters.error_description),
                "error_uri" => ("error_uri", &mut parameters.error_uri),
                _ => continue,
            };
            // RFC 6749 §3.1: parameters MUST NOT be included more than once.
            if parameter.replace(value).is_some() {
                return Err(Error::Forged(Forged::DuplicateParameter(name)));
            }
        }
        Ok(parameters)
    }
}

impl<'a> From<&'a Url> for Callback<'a> {
    fn from(url: &'a Url) -> Self {
        Self::url(url.as_str())
    }
}

impl<'a> From<&'a http::Uri> for Callback<'a> {
    /// The URI of a request to the redirect endpoint: a full URL, or a path with its query. Behind
    /// a proxy that ends TLS a full URL can name another origin than the browser saw: use
    /// [`query`](Self::query) there.
    fn from(uri: &'a http::Uri) -> Self {
        if uri.authority().is_some() {
            Self(Source::Url(Cow::Owned(uri.to_string())))
        } else {
            Self::query(uri.query().unwrap_or_default())
        }
    }
}

impl fmt::Debug for Callback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}

/// Whether a callback came to this redirect URI: its scheme, authority, path, and query if it has
/// one, to which the server adds its parameters.
pub(crate) fn came_to(redirect_uri: &str, callback: &str) -> Result<bool, Error> {
    // What is left of an empty query says nothing.
    let redirect_uri = redirect_uri.strip_suffix(['?', '&']).unwrap_or(redirect_uri);
    let added = if redirect_uri.contains('?') { ['&', '#'] } else { ['?', '#'] };
    let as_sent = callback.strip_prefix(redirect_uri);
    if as_sent.is_some_and(|rest| rest.is_empty() || rest.starts_with(added)) {
        return Ok(true);
    }
    // A browser may have normalised it.
    let parse = |text| Url::parse(text).map_err(|_| Malformed::new(Problem::CallbackUrl));
    let callback = parse(callback).map_err(Error::Malformed)?;
    let redirect_uri = parse(redirect_uri).map_err(Error::Malformed)?;
    let same_query = redirect_uri.query().is_none_or(|own| {
        let rest = callback.query().and_then(|query| query.strip_prefix(own));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('&'))
    });
    Ok(callback.scheme() == redirect_uri.scheme()
        && callback.authority() == redirect_uri.authority()
        && callback.path() == redirect_uri.path()
        && same_query)
}

/// The parameters of a callback, decoded and unchecked.
#[derive(Default)]
pub(crate) struct CallbackParameters<'a> {
    pub(crate) url: Option<&'a str>,
    pub(crate) state: Option<Cow<'a, str>>,
    pub(crate) code: Option<Cow<'a, str>>,
    pub(crate) iss: Option<Cow<'a, str>>,
    pub(crate) error: Option<Cow<'a, str>>,
    pub(crate) error_description: Option<Cow<'a, str>>,
    pub(crate) error_uri: Option<Cow<'a, str>>,
}
