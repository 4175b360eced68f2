//! Authorization server metadata (RFC 8414 §2, OpenID Connect Discovery §3) with what RFC 8628, 8705,
//! 9126, 9207, 9396, 9449 and 9728 add. It refuses a document of another issuer, and one that names
//! a URL to which nothing may be sent.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde::de::DeserializeOwned;
use url::Url;

use super::Reply;
use super::document::{Document, Known, Names, members};
use crate::error::{Error, Malformed, Problem};
use crate::value::LearntUrl;

/// What errors speak of.
pub(crate) const METADATA: &str = "metadata endpoint";

/// What an authorization server says about itself.
///
/// [`Discovery`](crate::Discovery) fetches it; [`server`](Self::server) makes a
/// [`Server`](crate::Server) of it. The issuer has been checked; everything else is the server's
/// word, and each URL a [`LearntUrl`] that nobody has accepted yet. `signed_metadata` is not
/// evaluated: TLS says who speaks. A list that is absent is empty, a flag that is absent `false`.
///
/// See [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerMetadata {
    issuer: String,
    source: Url,
    known: Known,
}

impl ServerMetadata {
    /// Reads the document of this issuer, whose URL is `source`.
    pub(crate) fn read(reply: &Reply<'_>, issuer: &str, source: &Url) -> Result<Self, Error> {
        let mut document = Document::of_metadata(reply)?;
        let read = || {
            // RFC 8414 §3.3: the issuer value returned MUST be identical to the one into which the
            // well-known URI was inserted; if not, the data MUST NOT be used.
            Problem::unless_same("issuer", issuer, &document.required("issuer")?)?;
            let known = document.known(&NAMES, source)?;
            Ok(Self { issuer: issuer.to_owned(), source: source.clone(), known })
        };
        read().map_err(|problem| reply.malformed(problem))
    }

    /// The issuer: the text that was asked for, which the document repeats.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A member that has no getter here, such as `claims_supported`; `None` when it is absent or of
    /// another type. Text in it can hold anything.
    #[must_use]
    pub fn extra<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        self.known.extras.member(name)
    }

    /// A URL that has no getter here, such as `end_session_endpoint`.
    ///
    /// # Errors
    /// [`Problem::Member`] when it is no text, [`Problem::Url`] when nothing may be sent there.
    pub fn extra_url(&self, name: &'static str) -> Result<Option<LearntUrl>, Error> {
        let read = || match self.extra::<Option<String>>(name) {
            Some(Some(text)) => LearntUrl::new(METADATA, name, &text, &self.source).map(Some),
            Some(None) => Ok(None),
            None if self.known.extras.contains(name) => Err(Problem::Member(name)),
            None => Ok(None),
        };
        read().map_err(|problem| Error::Malformed(Malformed::new(problem).of(METADATA)))
    }

    /// How clients authenticate at the token endpoint: `client_secret_basic`, unless the document
    /// says otherwise.
    ///
    /// See [RFC 8414 §2](https://www.rfc-editor.org/rfc/rfc8414#section-2).
    pub fn authentication_methods(&self) -> impl Iterator<Item = &str> {
        let named = self.token_endpoint_auth_methods_supported();
        let usual = named.is_empty().then_some("client_secret_basic");
        named.iter().map(String::as_str).chain(usual)
    }
}

members! {
    ServerMetadata of METADATA;
    urls -> Option<&LearntUrl>, url {
        /// Where a person logs in (RFC 6749 §3.1).
        authorization_endpoint
        /// Where tokens come from (RFC 6749 §3.2).
        token_endpoint
        /// The server's public keys (RFC 7517).
        jwks_uri
        /// Where clients [register](crate::ClientRegistration) (RFC 7591 §3).
        registration_endpoint
        /// Where tokens are revoked (RFC 7009 §2).
        revocation_endpoint
        /// Where tokens are looked up (RFC 7662 §2).
        introspection_endpoint
        /// Where a login without a browser begins (RFC 8628 §4).
        device_authorization_endpoint
        /// Where authorization requests are pushed to (RFC 9126 §5).
        pushed_authorization_request_endpoint
        /// Who logged in (OpenID Connect Discovery §3).
        userinfo_endpoint
    }
    lists -> &[String], list {
        /// Scope tokens that the server knows; it may know more.
        scopes_supported
        /// The response types that it supports.
        response_types_supported
        /// How an authorization response may come back.
        response_modes_supported
        /// The grant types that it supports; absent means `authorization_code` and `implicit`.
        grant_types_supported
        /// How clients authenticate, as the document says; see
        /// [`authentication_methods`](Self::authentication_methods).
        token_endpoint_auth_methods_supported
        /// With which algorithms they sign, where they do.
        token_endpoint_auth_signing_alg_values_supported
        /// The languages of its pages (BCP 47).
        ui_locales_supported
        /// How clients authenticate to the revocation endpoint; absent means
        /// `client_secret_basic`.
        revocation_endpoint_auth_methods_supported
        /// With which algorithms they sign there.
        revocation_endpoint_auth_signing_alg_values_supported
        /// How clients authenticate to the introspection endpoint.
        introspection_endpoint_auth_methods_supported
        /// With which algorithms they sign there.
        introspection_endpoint_auth_signing_alg_values_supported
        /// The PKCE methods that it supports (RFC 7636). A login of this crate always has `S256`;
        /// when the list lacks it, the server may ignore it.
        code_challenge_methods_supported
        /// The types of `authorization_details` (RFC 9396 §10).
        authorization_details_types_supported
        /// The algorithms of `DPoP` proofs (RFC 9449 §5.1).
        dpop_signing_alg_values_supported
        /// Resources that it issues tokens for (RFC 9728 §4).
        protected_resources
    }
    flags -> bool, flag {
        /// Whether it puts `iss` into every callback (RFC 9207 §3);
        /// [`server`](Self::server) then demands it.
        authorization_response_iss_parameter_supported
        /// Whether it takes authorization requests only when they were pushed (RFC 9126 §5).
        require_pushed_authorization_requests
        /// Whether it binds tokens to the client's certificate (RFC 8705 §3.3).
        tls_client_certificate_bound_access_tokens
    }
    links -> Option<&str>, link {
        /// A page for developers, http or https.
        service_documentation
        /// A page about what the client may do with the data, http or https.
        op_policy_uri
        /// A page with the terms of service, http or https.
        op_tos_uri
    }
}
