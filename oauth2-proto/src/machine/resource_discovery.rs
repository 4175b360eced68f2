//! Discovery of a protected resource (RFC 9728 §3 and §5): one request, from the resource's URL or
//! from the challenge with which it answered. It refuses documents of another resource, and a
//! challenge that points to an origin which nobody has accepted.

use alloc::format;
use alloc::string::String;
use core::fmt;

use http::{Request, Response, Uri};
use url::Url;

use crate::error::{Error, Malformed, Misuse};
use crate::value::{Body, EndpointUrl, LearntUrl, Origins};
use crate::wire::{Challenge, LONGEST_DOCUMENT, RESOURCE_METADATA, Reply, ResourceMetadata, fetch};

/// A search for the metadata of one protected resource, above all for who issues its tokens.
///
/// ```
/// use http::{Request, Response};
/// use oauth2_proto::{Body, Challenge, Discovery, Origins, ResourceDiscovery};
///
/// fn who_issues_tokens(
///     answer: &Response<Vec<u8>>,                   // 401, to a request without a token
///     send: fn(Request<Body>) -> Response<Vec<u8>>, // your HTTP client
/// ) -> Result<Discovery, Box<dyn std::error::Error>> {
///     let challenges = Challenge::from_response(answer);
///     let search = ResourceDiscovery::challenged("https://api.example/notes", &challenges)?;
///     let metadata = search.receive(&send(search.request()))?;
///
///     // The resource says which servers issue its tokens; the program says which it trusts.
///     let trusted = Origins::new(["https://as.example"])?;
///     let mut issuers = metadata.authorization_servers().iter();
///     let issuer = issuers.find(|issuer| issuer.within(&trusted).is_ok());
///     Ok(Discovery::learnt(issuer.ok_or("no server that we trust")?, &trusted)?)
/// }
/// ```
///
/// It changes nothing and nothing changes it: a request whose answer was lost can be sent again.
///
/// See [RFC 9728 §3](https://www.rfc-editor.org/rfc/rfc9728#section-3) and
/// [§5](https://www.rfc-editor.org/rfc/rfc9728#section-5).
#[derive(Clone)]
pub struct ResourceDiscovery {
    resource: String,
    source: Url,
    place: Uri,
}

/// What errors about a challenge speak of.
const CHALLENGE: &str = "challenge";

impl ResourceDiscovery {
    /// The longest document that is read, in bytes: what an HTTP client should stop reading at.
    pub const BODY_LIMIT: usize = LONGEST_DOCUMENT;

    /// Looks where a resource's metadata is by its URL.
    ///
    /// The document has to repeat this text, so write it exactly as the resource does.
    ///
    /// # Errors
    /// [`Misuse::Url`] when it is not an absolute https URL (plain http: this machine only), or has
    /// a fragment or user information.
    ///
    /// See [RFC 9728 §3.1](https://www.rfc-editor.org/rfc/rfc9728#section-3.1).
    pub fn new(resource: &str) -> Result<Self, Misuse> {
        let EndpointUrl { url, .. } = EndpointUrl::new("resource", resource)?;
        // RFC 9728 §3.1: between host and path or query; any terminating slash following the host
        // MUST be removed.
        let path = if url.path() == "/" { "" } else { url.path() };
        let mut place = url.clone();
        place.set_path(&format!("/.well-known/oauth-protected-resource{path}"));
        let place = Uri::try_from(place.as_str());
        let place = place.map_err(|_| Misuse::Url("resource", "is not a URI"))?;
        Ok(Self { resource: resource.into(), source: url, place })
    }

    /// Looks where the resource's challenge points to, on the resource's own origin; when the
    /// challenge says nothing, by its URL.
    ///
    /// `resource` is the URL that the request was made to, and the document has to repeat it.
    ///
    /// # Errors
    /// [`Problem::Origin`](crate::Problem::Origin) when the challenge points to another origin: if that is right, name it to
    /// [`challenged_within`](Self::challenged_within). [`Problem::Url`](crate::Problem::Url) when nothing may be sent
    /// there. [`Misuse::Url`] as in [`new`](Self::new).
    ///
    /// See [RFC 9728 §5.1](https://www.rfc-editor.org/rfc/rfc9728#section-5.1).
    pub fn challenged<'c>(
        resource: &str,
        challenges: impl IntoIterator<Item = &'c Challenge>,
    ) -> Result<Self, Error> {
        Self::challenged_within(resource, challenges, &Origins::default())
    }

    /// As [`challenged`](Self::challenged), for resources whose metadata may be on these origins as
    /// well.
    ///
    /// # Errors
    /// As [`challenged`](Self::challenged).
    pub fn challenged_within<'c>(
        resource: &str,
        challenges: impl IntoIterator<Item = &'c Challenge>,
        origins: &Origins,
    ) -> Result<Self, Error> {
        let name = "resource_metadata";
        let search = Self::new(resource)?;
        let mut named = challenges.into_iter().filter_map(|challenge| challenge.parameter(name));
        let Some(text) = named.next() else { return Ok(search) };
        let url = LearntUrl::new(CHALLENGE, name, text, &search.source)
            .map_err(|problem| Error::Malformed(Malformed::new(problem).of(CHALLENGE)))?;
        let (_, place) = url.accepted(origins)?;
        Ok(Self { place: place.clone(), ..search })
    }

    /// The resource whose metadata is looked for.
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// Asks for the document. Send it without following redirects, hand the answer to
    /// [`receive`](Self::receive).
    #[must_use]
    pub fn request(&self) -> Request<Body> {
        fetch(&self.place)
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no metadata of this resource, [`Error::Unavailable`] when it
    /// may be asked for again.
    ///
    /// See [RFC 9728 §3.3](https://www.rfc-editor.org/rfc/rfc9728#section-3.3).
    pub fn receive<B: AsRef<[u8]>>(
        &self,
        response: &Response<B>,
    ) -> Result<ResourceMetadata, Error> {
        let reply = Reply::document(RESOURCE_METADATA, response)?;
        ResourceMetadata::read(&reply, &self.resource, &self.source)
    }
}

impl fmt::Debug for ResourceDiscovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceDiscovery")
            .field("resource", &self.resource)
            .field("place", &self.place)
            .finish()
    }
}
