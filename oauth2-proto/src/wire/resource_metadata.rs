//! Protected resource metadata (RFC 9728 §2). It refuses a document of another resource, and one
//! that names a URL to which nothing may be sent.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;
use url::Url;

use super::Reply;
use super::document::{Document, Known, Names, members};
use crate::error::{Error, Problem};
use crate::value::LearntUrl;

/// What errors speak of.
pub(crate) const RESOURCE_METADATA: &str = "resource metadata endpoint";

/// What a protected resource says about itself: above all, who issues tokens for it.
///
/// [`ResourceDiscovery`](crate::ResourceDiscovery) fetches it. Choose one of its
/// [authorization servers](Self::authorization_servers), accept its origin, and go on with
/// [`Discovery`](crate::Discovery). The resource has been checked; everything else is the resource's
/// word. `signed_metadata` is not evaluated: TLS says who speaks. A list that is absent is empty, a
/// flag that is absent `false`.
///
/// See [RFC 9728 §2](https://www.rfc-editor.org/rfc/rfc9728#section-2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResourceMetadata {
    resource: String,
    authorization_servers: Vec<LearntUrl>,
    known: Known,
}

impl ResourceMetadata {
    /// Reads the document of this resource, whose URL is `source`.
    pub(crate) fn read(reply: &Reply<'_>, resource: &str, source: &Url) -> Result<Self, Error> {
        let mut document = Document::of_metadata(reply)?;
        let read = || {
            // RFC 9728 §3.3: the resource value returned MUST be identical to the resource's
            // identifier, or to the URL that the request was made to; if not, the data MUST NOT be
            // used.
            Problem::unless_same("resource", resource, &document.required("resource")?)?;
            let name = "authorization_servers";
            let issuers = document.take::<Vec<String>>(name)?.unwrap_or_default();
            let issuer = |text: &String| {
                let issuer = LearntUrl::new(RESOURCE_METADATA, name, text, source)?;
                // RFC 8414 §2: an issuer has no query.
                if issuer.has_query() {
                    return Err(Problem::url(name, "must not have a query"));
                }
                Ok(issuer)
            };
            let authorization_servers = issuers.iter().map(issuer).collect::<Result<_, _>>()?;
            let known = document.known(&NAMES, source)?;
            Ok(Self { resource: resource.to_owned(), authorization_servers, known })
        };
        read().map_err(|problem| reply.malformed(problem))
    }

    /// The resource: the text that was asked for, which the document repeats. Name it when asking
    /// for a token, so that nobody else can use the token
    /// ([`AuthorizationRequest::resource`](crate::AuthorizationRequest::resource), RFC 8707).
    #[must_use]
    pub fn resource(&self) -> &str {
        &self.resource
    }

    /// The issuers that can issue tokens for this resource, in its own order.
    ///
    /// See [RFC 9728 §7.6](https://www.rfc-editor.org/rfc/rfc9728#section-7.6).
    #[must_use]
    pub fn authorization_servers(&self) -> &[LearntUrl] {
        &self.authorization_servers
    }

    /// The name for people, in the language that it is written in without saying which. Text of
    /// the resource: it can hold anything.
    #[must_use]
    pub fn resource_name(&self) -> Option<String> {
        self.extra("resource_name")
    }

    /// A member that has no getter here, such as `resource_name#de`; `None` when it is absent or of
    /// another type. Text in it can hold anything.
    #[must_use]
    pub fn extra<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.known.extras.member(name)
    }
}

members! {
    ResourceMetadata of RESOURCE_METADATA;
    urls -> Option<&LearntUrl>, url {
        /// The resource's public keys (RFC 7517).
        jwks_uri
    }
    lists -> &[String], list {
        /// Scope tokens that are used to get at this resource.
        scopes_supported
        /// How it takes bearer tokens: `header`, `body`, `query` (RFC 6750 §2).
        bearer_methods_supported
        /// With which algorithms it signs its answers.
        resource_signing_alg_values_supported
        /// The types of `authorization_details` (RFC 9396).
        authorization_details_types_supported
        /// The algorithms of `DPoP` proofs that it takes (RFC 9449).
        dpop_signing_alg_values_supported
    }
    flags -> bool, flag {
        /// Whether it takes only tokens that are bound to the client's certificate (RFC 8705).
        tls_client_certificate_bound_access_tokens
        /// Whether it takes only tokens that are bound to a `DPoP` key (RFC 9449).
        dpop_bound_access_tokens_required
    }
    links -> Option<&str>, link {
        /// A page for developers, http or https.
        resource_documentation
        /// A page about what the client may do with the data, http or https.
        resource_policy_uri
        /// A page with the terms of service, http or https.
        resource_tos_uri
    }
}
