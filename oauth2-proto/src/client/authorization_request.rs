//! The authorization request (RFC 6749 §4.1.1) with PKCE (RFC 7636 §4.3): the URL to visit.

use core::fmt;
use core::time::Duration;

use url::Url;

use super::server::is_machine_parameter;
use super::{Client, Params};
use crate::error::Misuse;
use crate::value::{Scope, is_loopback};

/// A login that is about to begin: what to ask for, and for how long to wait for the callback.
///
/// Made by [`Client::authorize`]; [`begin`](Self::begin) turns it into the URL to visit and the
/// state that waits for the callback. PKCE with S256 and `state` are always part of it.
pub struct AuthorizationRequest<'a> {
    pub(crate) client: &'a Client,
    pub(crate) redirect_uri: &'a str,
    pub(crate) within: Duration,
    pub(crate) params: Params<'a>,
    scope: &'a str,
}

impl Client {
    /// Prepares a login in the person's browser: authorization code with PKCE.
    ///
    /// The redirect URI is sent exactly as given, because servers compare it as text. It is https,
    /// http on this machine, or has a scheme that belongs to the app.
    ///
    /// See [RFC 6749 §4.1](https://www.rfc-editor.org/rfc/rfc6749#section-4.1).
    #[must_use]
    pub fn authorize<'a>(&'a self, redirect_uri: &'a str) -> AuthorizationRequest<'a> {
        AuthorizationRequest {
            client: self,
            redirect_uri,
            within: Duration::from_secs(600),
            params: Params::default(),
            scope: "",
        }
    }
}

impl<'a> AuthorizationRequest<'a> {
    /// Asks for this scope: tokens separated by spaces.
    #[must_use]
    pub const fn scope(mut self, scope: &'a str) -> Self {
        self.scope = scope;
        self
    }

    /// Adds a parameter of the provider's own, such as `access_type=offline`.
    #[must_use]
    pub fn param(mut self, name: &'a str, value: &'a str) -> Self {
        self.params.pairs.push((name, value));
        self
    }

    /// Says where the token will be used; may be repeated.
    ///
    /// See [RFC 8707 §2.1](https://www.rfc-editor.org/rfc/rfc8707#section-2.1).
    #[must_use]
    pub fn resource(mut self, resource: &'a str) -> Self {
        self.params.resources.push(resource);
        self
    }

    /// Waits this long for the callback (10 minutes unless told).
    #[must_use]
    pub const fn within(mut self, duration: Duration) -> Self {
        self.within = duration;
        self
    }

    /// Checks what the caller gave; the scope that is asked for comes back.
    pub(crate) fn check(&self) -> Result<Scope, Misuse> {
        check_redirect_uri(self.redirect_uri)?;
        let endpoint = self.client.server.authorization()?;
        self.params.check(|name| {
            is_machine_parameter(name) || endpoint.query_pairs().any(|(own, _)| own == name)
        })?;
        Scope::new(self.scope)
    }

    /// The URL to visit. Whatever query the endpoint has stays as it is, in front.
    pub(crate) fn url(
        &self,
        scope: &Scope,
        state: &str,
        code_challenge: &str,
    ) -> Result<Url, Misuse> {
        let mut url = self.client.server.authorization()?.clone();
        let mut query = url.query_pairs_mut();
        query.append_pair("redirect_uri", self.redirect_uri);
        if !scope.is_empty() {
            query.append_pair("scope", scope.as_str());
        }
        query
            .append_pair("state", state)
            .append_pair("code_challenge", code_challenge)
            .append_pair("code_challenge_method", "S256");
        for (name, value) in self.params.iter() {
            query.append_pair(name, value);
        }
        drop(query);
        Ok(self.client.visited(url))
    }
}

impl fmt::Debug for AuthorizationRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client_id", &self.client.id())
            .field("redirect_uri", &self.redirect_uri)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// RFC 6749 §3.1.2: an absolute URI without a fragment.
pub(crate) fn check_redirect_uri(text: &str) -> Result<(), Misuse> {
    if is_plain_https(text) {
        return Ok(());
    }
    let name = "redirect URI";
    if text.contains('#') {
        return Err(Misuse::Url(name, "must not have a fragment"));
    }
    let url = Url::parse(text).map_err(|_| Misuse::Url(name, "is not an absolute URI"))?;
    match url.scheme() {
        "http" if !url.host_str().is_some_and(is_loopback) => {
            Err(Misuse::Url(name, "must be https (plain http: this machine only)"))
        }
        // Schemes that a browser executes or displays instead of handing them to an app.
        "javascript" | "data" | "file" | "about" | "blob" | "vbscript" => {
            Err(Misuse::Url(name, "has a scheme that belongs to no app"))
        }
        _ => Ok(()),
    }
}

/// What almost everyone has, and is not worth parsing at every login: https, a host name of plain
/// letters, no fragment, and no character that would have to be escaped.
fn is_plain_https(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://") else { return false };
    let mut host = rest.bytes().take_while(|byte| !matches!(byte, b'/' | b'?'));
    host.next().is_some_and(|first| first.is_ascii_alphabetic())
        && host.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
}
