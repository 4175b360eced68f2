//! The authorization request (RFC 6749 §4.1.1) with PKCE (RFC 7636 §4.3): the URL to visit.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use url::Url;

use super::params::asks_for;
use super::server::is_machine_parameter;
use super::{Client, Params};
use crate::error::Misuse;
use crate::value::{Scope, is_loopback};
use crate::wire::ReturnedIn;

/// A login that is about to begin: what to ask for, and for how long to wait for the callback.
///
/// Made by [`Client::authorize`]; [`begin`](Self::begin) turns it into the URL to visit and the
/// state that waits for the callback. PKCE with S256 and `state` are always part of it.
pub struct AuthorizationRequest<'a> {
    pub(crate) client: &'a Client,
    pub(crate) redirect_uri: &'a str,
    pub(crate) within: Duration,
    pub(crate) params: Params<'a>,
    /// The provider's own callback parameters that stay with the tokens.
    pub(crate) kept: Vec<&'a str>,
    scope: &'a str,
    response_type: ResponseType,
}

/// What the authorization endpoint is asked to return (RFC 6749 §3.1.1; OAuth 2.0 Multiple Response
/// Type Encoding Practices).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ResponseType {
    Code,
    CodeAndIdToken,
    Token,
    TokenAndIdToken,
}

impl ResponseType {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::CodeAndIdToken => "code id_token",
            Self::Token => "token",
            Self::TokenAndIdToken => "id_token token",
        }
    }
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
            kept: Vec::new(),
            scope: "",
            response_type: ResponseType::Code,
        }
    }
}

asks_for!(
    AuthorizationRequest,
    scope: "Asks for this scope: tokens separated by spaces.",
    param: "Adds a parameter of the provider's own, such as `access_type=offline`."
);

impl<'a> AuthorizationRequest<'a> {
    /// Keeps a parameter that the provider adds to the callback, such as `realmId`: read it with
    /// [`Code::kept`](crate::Code::kept) or [`Authorized::kept`](crate::Authorized::kept).
    ///
    /// It came through the browser, so the person can have changed it.
    #[must_use]
    pub fn keep(mut self, name: &'a str) -> Self {
        self.kept.push(name);
        self
    }

    /// Asks for an ID token beside the code, in the callback already: the hybrid flow. Read it with
    /// [`Code::id_token`](crate::Code::id_token); **its signature is not checked here**.
    ///
    /// The callback brings its parameters in the fragment, which a browser does not send to a
    /// server, unless `.param("response_mode", "form_post")` asks to post them.
    ///
    /// See [OpenID Connect Core §3.3](https://openid.net/specs/openid-connect-core-1_0.html#HybridFlowAuth).
    #[must_use]
    pub const fn hybrid(mut self) -> Self {
        self.response_type = ResponseType::CodeAndIdToken;
        self
    }

    /// Asks for the token itself, and for an ID token beside it.
    pub(crate) const fn implicit_with_id_token(mut self) -> Self {
        self.response_type = ResponseType::TokenAndIdToken;
        self
    }

    /// Asks for the token itself (RFC 6749 §4.2.1).
    pub(crate) const fn implicit(mut self) -> Self {
        self.response_type = ResponseType::Token;
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
        let scope = Scope::new(self.scope)?;
        let wants_id_token = self.wants_id_token(&scope);
        self.params.check(|name| {
            // RFC 6749 §2.3.1: a client_secret MUST NOT be included in the request URI.
            is_machine_parameter(name)
                || name == "client_secret"
                || (wants_id_token && name == "nonce")
                || endpoint.query_pairs().any(|(own, _)| own == name)
        })?;
        Ok(scope)
    }

    /// Whether an ID token will come, which a `nonce` binds to this login.
    pub(crate) fn wants_id_token(&self, scope: &Scope) -> bool {
        // OpenID Connect Core §3.1.2.1: OpenID Connect requests MUST contain the openid scope value.
        match self.response_type {
            ResponseType::CodeAndIdToken | ResponseType::TokenAndIdToken => true,
            ResponseType::Code | ResponseType::Token => scope.contains("openid"),
        }
    }

    /// Where the parameters of the callback will be.
    pub(crate) fn returned_in(&self) -> ReturnedIn {
        match self.params.pairs.iter().find(|(name, _)| *name == "response_mode") {
            Some((_, "fragment")) => ReturnedIn::Fragment,
            Some(_) => ReturnedIn::Query,
            None if self.response_type == ResponseType::Code => ReturnedIn::Query,
            None => ReturnedIn::Fragment,
        }
    }

    /// The URL to visit, in the words of the RFC. Whatever query the endpoint has stays as it is,
    /// in front.
    pub(crate) fn url(
        &self,
        scope: &Scope,
        state: &str,
        code_challenge: Option<&str>,
        nonce: Option<&str>,
    ) -> Result<Url, Misuse> {
        let mut url = self.client.server.authorization_url(self.response_type, &self.client.id)?;
        let mut query = url.query_pairs_mut();
        query.append_pair("redirect_uri", self.redirect_uri);
        if !scope.is_empty() {
            query.append_pair("scope", scope.as_str());
        }
        query.append_pair("state", state);
        if let Some(code_challenge) = code_challenge {
            query
                .append_pair("code_challenge", code_challenge)
                .append_pair("code_challenge_method", "S256");
        }
        if let Some(nonce) = nonce {
            query.append_pair("nonce", nonce);
        }
        for (name, value) in self.params.iter() {
            query.append_pair(name, value);
        }
        drop(query);
        Ok(url)
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
