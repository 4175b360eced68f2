//! Discovery of an authorization server (RFC 8414 §3, OpenID Connect Discovery §4): a machine of its
//! own, because the document can be in three places. It refuses redirects, documents of another
//! issuer, and issuers whose origin nobody has accepted.

use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::{Request, Response, Uri};
use url::Url;

use crate::error::{Error, Misuse, Problem};
use crate::value::{Body, EndpointUrl, LearntUrl, Origins};
use crate::wire::{LONGEST_DOCUMENT, METADATA, Reply, ServerMetadata, fetch};

/// A search for the metadata of one issuer, at the place where it asks next.
///
/// ```
/// use http::{Request, Response};
/// use oauth2_proto::{Body, Client, Discovery};
///
/// fn discover(
///     send: fn(Request<Body>) -> Response<Vec<u8>>, // your HTTP client
/// ) -> Result<Client, oauth2_proto::Error> {
///     let mut discovery = Discovery::new("https://as.example")?;
///     let metadata = loop {
///         match discovery.receive(&send(discovery.request())) {
///             Ok(metadata) => break metadata,
///             Err(undiscovered) => discovery = undiscovered.next()?,
///         }
///     };
///     let authentication = metadata.authentication("from a safe place")?;
///     Ok(Client::new("my-app", metadata.server()?).with_authentication(authentication))
/// }
/// ```
///
/// The places, in order, for the issuer `https://as.example/tenant`:
///
/// 1. `https://as.example/.well-known/oauth-authorization-server/tenant`
/// 2. `https://as.example/.well-known/openid-configuration/tenant`
/// 3. `https://as.example/tenant/.well-known/openid-configuration`
///
/// It changes nothing and nothing changes it: a request whose answer was lost can be sent again, and
/// a document that was kept can be read again by a new search for the same issuer.
///
/// See [RFC 8414 §3](https://www.rfc-editor.org/rfc/rfc8414#section-3) and
/// [§5](https://www.rfc-editor.org/rfc/rfc8414#section-5).
#[derive(Clone)]
pub struct Discovery {
    issuer: String,
    source: Url,
    /// Never empty; the first is where it asks.
    places: Places,
    /// What was wrong at the earlier places: what says most.
    earlier: Option<Box<Error>>,
}

#[derive(Clone)]
struct Places {
    first: Uri,
    /// The last one is the next.
    rest: Vec<Uri>,
}

impl Discovery {
    /// The longest document that is read, in bytes: what an HTTP client should stop reading at.
    pub const BODY_LIMIT: usize = LONGEST_DOCUMENT;

    /// Looks for the metadata of an issuer that the host knows.
    ///
    /// The document has to repeat this text, so write it exactly as the server does: with or
    /// without a slash at its end.
    ///
    /// # Errors
    /// [`Misuse::Url`] when it is not an absolute https URL (plain http: this machine only), or has
    /// a query, a fragment or user information.
    ///
    /// See [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2).
    pub fn new(issuer: &str) -> Result<Self, Misuse> {
        let EndpointUrl { url, .. } = EndpointUrl::new("issuer", issuer)?;
        // RFC 8414 §2: a URL that uses the "https" scheme and has no query or fragment components.
        if url.query().is_some() {
            return Err(Misuse::Url("issuer", "must not have a query"));
        }
        Self::search(issuer, &url).map_err(|why| Misuse::Url("issuer", why))
    }

    /// Looks for the metadata of an issuer that was learnt, when it is on one of these origins.
    ///
    /// # Errors
    /// [`Problem::Origin`] when it is on another one; nothing has been sent there then.
    ///
    /// See [RFC 9728 §7.6](https://www.rfc-editor.org/rfc/rfc9728#section-7.6).
    pub fn learnt(issuer: &LearntUrl, origins: &Origins) -> Result<Self, Error> {
        let (url, _) = issuer.accepted(origins)?;
        if issuer.has_query() {
            return Err(issuer.refused(Problem::url("issuer", "must not have a query")));
        }
        Self::search(issuer.as_str(), url)
            .map_err(|why| issuer.refused(Problem::url("issuer", why)))
    }

    fn search(issuer: &str, source: &Url) -> Result<Self, &'static str> {
        // RFC 8414 §3.1, OpenID Connect Discovery §4.1: any terminating "/" MUST be removed.
        let path = source.path();
        let path = path.strip_suffix('/').unwrap_or(path);
        let at = |path: &str| {
            let mut url = source.clone();
            url.set_path(path);
            Uri::try_from(url.as_str()).map_err(|_| "is not a URI")
        };
        let first = at(&format!("/.well-known/oauth-authorization-server{path}"))?;
        let inserted = at(&format!("/.well-known/openid-configuration{path}"))?;
        let appended = at(&format!("{path}/.well-known/openid-configuration"))?;
        let rest = if inserted == appended {
            Vec::from([inserted])
        } else {
            Vec::from([appended, inserted])
        };
        let places = Places { first, rest };
        Ok(Self { issuer: issuer.into(), source: source.clone(), places, earlier: None })
    }

    /// The issuer that is looked for.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Asks for the document. Send it without following redirects, hand the answer to
    /// [`receive`](Self::receive).
    #[must_use]
    pub fn request(&self) -> Request<Body> {
        fetch(&self.places.first)
    }

    /// Reads the answer; it holds the metadata, or leads on.
    ///
    /// # Errors
    /// [`Undiscovered`], from which [`next`](Undiscovered::next) goes on.
    ///
    /// See [RFC 8414 §3.3](https://www.rfc-editor.org/rfc/rfc8414#section-3.3).
    pub fn receive<B: AsRef<[u8]>>(
        &self,
        response: &Response<B>,
    ) -> Result<ServerMetadata, Undiscovered> {
        let reply = Reply::document(METADATA, response);
        reply
            .and_then(|reply| ServerMetadata::read(&reply, &self.issuer, &self.source))
            .map_err(|error| self.undiscovered(error))
    }

    /// Goes on at the next place without an answer from this one: for a server that answers with
    /// an error of its own, again and again, where it has no document. `None` at the last place.
    #[must_use]
    pub fn skip(&self) -> Option<Self> {
        let mut next = self.clone();
        next.places.first = next.places.rest.pop()?;
        Some(next)
    }

    fn undiscovered(&self, error: Error) -> Undiscovered {
        if error.is_retryable() {
            return Undiscovered { error: Box::new(error), next: None };
        }
        let error = match self.earlier.clone() {
            Some(earlier) if weight(&earlier) >= weight(&error) => earlier,
            Some(_) | None => Box::new(error),
        };
        let next = self.skip().map(|next| Self { earlier: Some(error.clone()), ..next });
        Undiscovered { error, next: next.map(Box::new) }
    }
}

/// How much an error says: that there is a wrong document more than that there is none.
const fn weight(error: &Error) -> u8 {
    let Error::Malformed(malformed) = error else { return 0 };
    let problem = malformed.problem();
    if matches!(problem, Problem::Status(_)) {
        0
    } else if matches!(problem, Problem::Redirected(_) | Problem::Json | Problem::TooLarge(_)) {
        1
    } else {
        2
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("issuer", &self.issuer)
            .field("place", &self.places.first)
            .finish_non_exhaustive()
    }
}

/// No metadata from one place.
#[derive(Clone, Debug)]
pub struct Undiscovered {
    error: Box<Error>,
    next: Option<Box<Discovery>>,
}

impl Undiscovered {
    /// Why; when there were earlier places, what says most about all of them.
    #[must_use]
    pub const fn error(&self) -> &Error {
        &self.error
    }

    /// The search, at the next place.
    ///
    /// # Errors
    /// Why nothing was found, when this was the last place; [`Error::Unavailable`] when the same
    /// request may be answered later: keep the [`Discovery`], and send it again then.
    pub fn next(self) -> Result<Discovery, Error> {
        match self.next {
            Some(next) => Ok(*next),
            None => Err(*self.error),
        }
    }
}

impl From<Undiscovered> for Error {
    fn from(undiscovered: Undiscovered) -> Self {
        *undiscovered.error
    }
}

impl fmt::Display for Undiscovered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl core::error::Error for Undiscovered {}
