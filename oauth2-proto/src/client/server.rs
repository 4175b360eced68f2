//! Whom we talk to: the endpoints of one authorization server, checked in one place.

use alloc::string::String;

use http::Uri;
use url::Url;

use super::RequestKind;
use super::authorization_request::ResponseType;
use crate::error::Misuse;
use crate::value::{EndpointUrl, endpoint_url};

/// The endpoints of an authorization server.
///
/// Endpoints are https, except on this machine. When a program talks to several servers, an
/// attacker who controls one of them can try to be sent a code of another (a *mix-up*). Two things
/// stop that: name the server's issuer with [`with_issuer`](Self::with_issuer) where it sends `iss`
/// in its callbacks (RFC 9207), or give each server a redirect URI of its own.
#[derive(Clone, Debug)]
pub struct Server {
    authorization: Option<Url>,
    /// The authorization endpoint with the parameters that are the same for every login.
    authorization_for_code: Option<Url>,
    /// `None` where a known server's URL could not be read, which a test rules out.
    token: Option<EndpointUrl>,
    device_authorization: Option<EndpointUrl>,
    pushed_authorization: Option<EndpointUrl>,
    revocation: Option<EndpointUrl>,
    introspection: Option<EndpointUrl>,
    issuer: Option<String>,
    issuer_required: bool,
}

impl Server {
    /// A server where people log in: its authorization and its token endpoint.
    ///
    /// # Errors
    /// [`Misuse::Url`] when one of them is not an absolute https URL (plain http is for this
    /// machine only), has a fragment or user information, or the authorization endpoint's query
    /// already has a parameter that the protocol sets.
    ///
    /// See [RFC 6749 §3](https://www.rfc-editor.org/rfc/rfc6749#section-3).
    pub fn new(authorization: &str, token: &str) -> Result<Self, Misuse> {
        let name = "authorization endpoint";
        let authorization = endpoint_url(name, authorization)?;
        if authorization.query_pairs().any(|(name, _)| is_machine_parameter(&name)) {
            return Err(Misuse::Url(name, "already has a parameter that the protocol sets"));
        }
        Ok(Self { authorization: Some(authorization), ..Self::token_only(token)? })
    }

    /// A server where only programs get tokens: its token endpoint.
    ///
    /// # Errors
    /// [`Misuse::Url`], as in [`new`](Self::new).
    pub fn token_only(token: &str) -> Result<Self, Misuse> {
        Ok(Self {
            authorization: None,
            authorization_for_code: None,
            token: Some(EndpointUrl::new("token endpoint", token)?),
            device_authorization: None,
            pushed_authorization: None,
            revocation: None,
            introspection: None,
            issuer: None,
            issuer_required: false,
        })
    }

    /// A server whose endpoints stand in this crate: what could not be read would be
    /// [`Misuse::NoEndpoint`] when it is needed.
    #[cfg(feature = "providers")]
    pub(crate) fn known(authorization: &str, token: &str) -> Self {
        Self {
            authorization: endpoint_url("authorization endpoint", authorization).ok(),
            token: EndpointUrl::new("token endpoint", token).ok(),
            device_authorization: None,
            pushed_authorization: None,
            revocation: None,
            introspection: None,
            issuer: None,
            issuer_required: false,
            authorization_for_code: None,
        }
    }

    /// Adds endpoints that stand in this crate: for revocation and, if there is one, for devices.
    #[cfg(feature = "providers")]
    pub(crate) fn known_besides(self, revocation: &str, device_authorization: &str) -> Self {
        let known = |name, text| EndpointUrl::new(name, text).ok();
        Self {
            revocation: known("revocation endpoint", revocation),
            device_authorization: known("device authorization endpoint", device_authorization),
            ..self
        }
    }

    /// Adds the revocation endpoint, which signing out then uses.
    ///
    /// # Errors
    /// [`Misuse::Url`], as in [`new`](Self::new).
    ///
    /// See [RFC 7009 §2](https://www.rfc-editor.org/rfc/rfc7009#section-2).
    pub fn with_revocation(self, revocation: &str) -> Result<Self, Misuse> {
        let revocation = EndpointUrl::new("revocation endpoint", revocation)?;
        Ok(Self { revocation: Some(revocation), ..self })
    }

    /// Adds the device authorization endpoint, for logins without a browser on this device.
    ///
    /// # Errors
    /// [`Misuse::Url`], as in [`new`](Self::new).
    ///
    /// See [RFC 8628 §3.1](https://www.rfc-editor.org/rfc/rfc8628#section-3.1).
    pub fn with_device_authorization(self, url: &str) -> Result<Self, Misuse> {
        let endpoint = EndpointUrl::new("device authorization endpoint", url)?;
        Ok(Self { device_authorization: Some(endpoint), ..self })
    }

    /// Adds the pushed authorization request endpoint.
    ///
    /// # Errors
    /// [`Misuse::Url`], as in [`new`](Self::new).
    ///
    /// See [RFC 9126 §2](https://www.rfc-editor.org/rfc/rfc9126#section-2).
    pub fn with_pushed_authorization(self, url: &str) -> Result<Self, Misuse> {
        let endpoint = EndpointUrl::new("pushed authorization request endpoint", url)?;
        Ok(Self { pushed_authorization: Some(endpoint), ..self })
    }

    /// Adds the introspection endpoint, which tells what a token is worth.
    ///
    /// # Errors
    /// [`Misuse::Url`], as in [`new`](Self::new).
    ///
    /// See [RFC 7662 §2](https://www.rfc-editor.org/rfc/rfc7662#section-2).
    pub fn with_introspection(self, url: &str) -> Result<Self, Misuse> {
        let endpoint = EndpointUrl::new("introspection endpoint", url)?;
        Ok(Self { introspection: Some(endpoint), ..self })
    }

    /// Names the issuer: a callback whose `iss` is another one is refused.
    ///
    /// Compared as plain strings, so write it exactly as the server does. It becomes the identity
    /// of this server: stored states belong to client_id and issuer.
    ///
    /// See [RFC 9207 §2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4).
    #[must_use]
    pub fn with_issuer(self, issuer: impl Into<String>) -> Self {
        Self { issuer: Some(issuer.into()), ..self }
    }

    /// Refuses callbacks without `iss`, too: for servers whose metadata says
    /// `authorization_response_iss_parameter_supported`.
    ///
    /// See [RFC 9207 §2.4](https://www.rfc-editor.org/rfc/rfc9207#section-2.4).
    #[must_use]
    pub fn with_issuer_in_callback(self, issuer: impl Into<String>) -> Self {
        Self { issuer_required: true, ..self.with_issuer(issuer) }
    }

    /// The issuer, where it was named.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    pub(crate) const fn issuer_required(&self) -> bool {
        self.issuer_required
    }

    /// What tells this server from others: its issuer, else its token endpoint.
    pub(super) fn identity(&self) -> [&str; 2] {
        match &self.issuer {
            Some(issuer) => ["issuer", issuer],
            None => {
                let token = self.token.as_ref();
                ["token endpoint", token.map_or("", |endpoint| endpoint.url.as_str())]
            }
        }
    }

    /// Where a request of this kind goes.
    pub(crate) fn endpoint(&self, kind: RequestKind) -> Result<&Uri, Misuse> {
        let (name, endpoint) = match kind {
            RequestKind::Authorization => ("authorization endpoint", None),
            RequestKind::Token | RequestKind::Refresh | RequestKind::DevicePoll => {
                ("token endpoint", self.token.as_ref())
            }
            RequestKind::DeviceAuthorization => {
                ("device authorization endpoint", self.device_authorization.as_ref())
            }
            RequestKind::PushedAuthorization => {
                ("pushed authorization request endpoint", self.pushed_authorization.as_ref())
            }
            RequestKind::Revocation => ("revocation endpoint", self.revocation.as_ref()),
            RequestKind::Introspection => ("introspection endpoint", self.introspection.as_ref()),
        };
        endpoint.map(|endpoint| &endpoint.uri).ok_or(Misuse::NoEndpoint(name))
    }

    pub(super) fn authorization(&self) -> Result<&Url, Misuse> {
        self.authorization.as_ref().ok_or(Misuse::NoEndpoint("authorization endpoint"))
    }

    /// The authorization endpoint, asked by this client for this.
    pub(super) fn authorization_url(
        &self,
        response_type: ResponseType,
        client_id: &str,
    ) -> Result<Url, Misuse> {
        match &self.authorization_for_code {
            Some(url) if response_type == ResponseType::Code => Ok(url.clone()),
            Some(_) | None => Ok(asking(self.authorization()?, response_type, client_id)),
        }
    }

    pub(super) fn with_client_id(mut self, id: &str) -> Self {
        self.authorization_for_code =
            self.authorization.as_ref().map(|url| asking(url, ResponseType::Code, id));
        self
    }
}

/// The parameters of an authorization request that are the machine's own.
pub(super) fn is_machine_parameter(name: &str) -> bool {
    matches!(
        name,
        "response_type"
            | "client_id"
            | "redirect_uri"
            | "scope"
            | "state"
            | "code_challenge"
            | "code_challenge_method"
    )
}

fn asking(authorization: &Url, response_type: ResponseType, client_id: &str) -> Url {
    let mut url = authorization.clone();
    url.query_pairs_mut()
        .append_pair("response_type", response_type.as_str())
        .append_pair("client_id", client_id);
    url
}
