//! The authorization response (RFC 6749 §4.1.2): what the browser brings back to the redirect URI.
//!
//! This file finds the parameters and refuses those that appear twice. It trusts none of them:
//! [`AwaitingCallback::accept`](crate::AwaitingCallback::accept) checks them in their order.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use core::fmt;

use url::{Url, form_urlencoded};

use crate::error::{Error, Forged, Malformed, Problem};

/// A callback as the host received it; nothing in it has been checked yet.
///
/// Give the full URL where you have it: then its origin and path are compared with the redirect
/// URI of the login, too. Its parameters are read from where this login's flow returns them: the
/// query, or the fragment.
///
/// ```
/// use oauth2_proto::Callback;
///
/// let pasted = Callback::url("https://app.example/callback?code=c&state=s");
/// let seen_by_a_web_server = Callback::query("code=c&state=s");
/// let posted = Callback::form_post(b"code=c&state=s");
/// let request = http::Request::get("/callback?code=c&state=s").body(())?;
/// let from_its_request = Callback::from(request.uri());
/// # Ok::<(), http::Error>(())
/// ```
#[derive(Clone)]
pub struct Callback<'a>(Source<'a>);

#[derive(Clone)]
enum Source<'a> {
    Url(Cow<'a, str>),
    /// Parameters without a URL: a query, a fragment, or a form that was posted.
    Parameters(&'a [u8]),
}

impl<'a> Callback<'a> {
    /// The full URL that the browser requested, such as a person pastes it; or a path with its
    /// query, which says nothing about the origin.
    #[must_use]
    pub fn url(url: &'a str) -> Self {
        Self(Source::Url(Cow::Borrowed(url.trim())))
    }

    /// The query or fragment alone, with or without its mark: for web servers that see no origin.
    #[must_use]
    pub fn query(query: &'a str) -> Self {
        Self(Source::Parameters(query.strip_prefix(['?', '#']).unwrap_or(query).as_bytes()))
    }

    /// The body that the browser posted: `response_mode=form_post`.
    ///
    /// A cookie that finds the pending login comes with a cross-site POST only if it is
    /// `SameSite=None; Secure`.
    ///
    /// See [OAuth 2.0 Form Post Response Mode](https://openid.net/specs/oauth-v2-form-post-response-mode-1_0.html).
    #[must_use]
    pub const fn form_post(body: &'a [u8]) -> Self {
        Self(Source::Parameters(body))
    }

    /// The parameters of a callback, each at most once, and the URL they came in. `known_as` gives
    /// the RFC's name of a parameter; of those that no RFC names, the `wanted` ones are kept.
    pub(crate) fn parameters(
        &self,
        returned_in: ReturnedIn,
        known_as: impl Fn(&str) -> &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<CallbackParameters<'_>, Error> {
        let mut parameters = CallbackParameters::default();
        let encoded = match &self.0 {
            Source::Parameters(encoded) => *encoded,
            Source::Url(text) => {
                // A path says nothing about the origin.
                parameters.url = Some(&**text).filter(|text| !text.starts_with('/'));
                let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
                match returned_in {
                    ReturnedIn::Fragment => fragment,
                    ReturnedIn::Query => before.split_once('?').map_or("", |(_, query)| query),
                }
                .as_bytes()
            }
        };
        for (name, value) in form_urlencoded::parse(encoded) {
            let (known, parameter) = match known_as(&name) {
                "state" => ("state", &mut parameters.state),
                "code" => ("code", &mut parameters.code),
                "id_token" => ("id_token", &mut parameters.id_token),
                "iss" => ("iss", &mut parameters.iss),
                "error" => ("error", &mut parameters.error),
                "error_description" => ("error_description", &mut parameters.error_description),
                "error_uri" => ("error_uri", &mut parameters.error_uri),
                other => {
                    if wanted(other) && parameters.others.insert(other.into(), value).is_some() {
                        let name = "of the provider's own";
                        return Err(Error::Forged(Forged::DuplicateParameter(name)));
                    }
                    continue;
                }
            };
            // RFC 6749 §3.1: parameters MUST NOT be included more than once.
            if parameter.replace(value).is_some() {
                return Err(Error::Forged(Forged::DuplicateParameter(known)));
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

impl<'a, B: AsRef<[u8]>> From<&'a http::Request<B>> for Callback<'a> {
    /// The request to the redirect endpoint: its form where one was posted, else its URI.
    fn from(request: &'a http::Request<B>) -> Self {
        let content_type = request.headers().get(http::header::CONTENT_TYPE);
        let is_form = content_type.and_then(|value| value.to_str().ok()).is_some_and(|value| {
            let media_type = value.split(';').next().unwrap_or_default().trim();
            media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if request.method() == http::Method::POST && is_form {
            Self::form_post(request.body().as_ref())
        } else {
            Self::from(request.uri())
        }
    }
}

impl fmt::Debug for Callback<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback(..)")
    }
}

/// Which part of the URL the parameters come back in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ReturnedIn {
    Query,
    Fragment,
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
    /// OpenID Connect Core §3.3.2.5: a hybrid flow returns it beside the code.
    pub(crate) id_token: Option<Cow<'a, str>>,
    pub(crate) iss: Option<Cow<'a, str>>,
    pub(crate) error: Option<Cow<'a, str>>,
    pub(crate) error_description: Option<Cow<'a, str>>,
    pub(crate) error_uri: Option<Cow<'a, str>>,
    /// The other ones that were asked for. A form can have any number of them: none is looked for
    /// among all others.
    pub(crate) others: BTreeMap<String, Cow<'a, str>>,
}
