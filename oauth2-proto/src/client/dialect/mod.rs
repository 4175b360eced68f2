//! How a server deviates from the RFCs, as data: no provider is known by name here.
//!
//! A dialect stands at the border. Requests leave the machine in the words of the RFCs and are put
//! into the server's; answers are put into the words of the RFCs before they are read. What a
//! dialect does not mention stays as the RFCs have it.

mod answer;
mod body;
mod credentials;
mod date;
mod lifetime;
mod members;
mod presentation;
mod refusal;
mod request;
mod second;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

use http::{HeaderMap, Request, Uri};
use serde::{Deserialize, Serialize};
use url::Url;

pub use answer::{GrantedScope, KeepAlive};
pub use body::AnswerFormat;
pub use credentials::ClientAuthentication;
pub use lifetime::{LifetimeMember, LifetimeUnit, ZeroLifetime};
pub use presentation::{IssuerMatch, TokenPresentation};
pub use refusal::ErrorDetector;
pub use request::{RequestDialect, RequestFormat};
pub use second::SecondRequest;

use super::authentication::Credentials;
use super::translate::{Answer, Translate};
use super::{Client, RequestKind};
use crate::error::{Error, Misuse};
use crate::value::{AccessToken, Body, Secret, Timestamp};

/// How a server deviates from the RFCs.
///
/// The default is no deviation at all. Each field is a knob; give it to
/// [`Client::with_dialect`](crate::Client::with_dialect), and keep it wherever configuration is
/// kept: it is plain data, without secrets. A field that weakens security is spelled `dangerous_…`.
///
/// Three things need no knob. A refresh that brings no new refresh token keeps the old one. A scope
/// that is not the one asked for is never an error: see
/// [`Authorized::missing_scope`](crate::Authorized::missing_scope) and
/// [`additional_scope`](crate::Authorized::additional_scope). An empty scope is not sent.
///
/// What no knob describes, such as a signature over the request, is for a
/// [`Hook`](crate::Hook) or for [`Authentication::Custom`](crate::Authentication::Custom).
///
/// ```
/// use oauth2_proto::dialect::{ClientAuthentication, Dialect};
/// use oauth2_proto::{Client, Server};
///
/// let mut dialect = Dialect::default();
/// dialect.client_authentication = ClientAuthentication::Post;
/// dialect.scope_separator = ',';
/// dialect.default_token_type = Some("Bearer".into());
///
/// let server = Server::new("https://as.example/authorize", "https://as.example/token")?;
/// let client = Client::new("my-app", server).with_secret("s3cret").with_dialect(dialect);
/// # Ok::<(), oauth2_proto::Misuse>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Dialect {
    // Requests
    /// What stands between the tokens of a scope in requests: `,`, `;`, `|`. A space goes over the
    /// wire as `+`, and so does `+` itself.
    pub scope_separator: char,
    /// How [`Client::with_secret`](crate::Client::with_secret) authenticates.
    pub client_authentication: ClientAuthentication,
    /// What is said otherwise in every request; of the one to the authorization endpoint, only the
    /// parameters. What a single kind says counts more, except that the usual
    /// [format](RequestDialect::format) says nothing.
    pub every_request: RequestDialect,
    /// What is said otherwise in the URL that a person visits; only its parameters matter.
    pub authorization_request: RequestDialect,
    /// What stands behind the `#` of the URL that a person visits.
    pub authorization_fragment: Option<String>,
    /// What is said otherwise when a first token is asked for.
    pub token_request: RequestDialect,
    /// What is said otherwise when a token is refreshed: another endpoint, another `grant_type`.
    pub refresh_request: RequestDialect,
    /// Refreshes with the access token, where there is no refresh token: name its parameter with
    /// [`refresh_request`](Self::refresh_request).
    pub refresh_with_access_token: bool,
    /// What is said otherwise when a device code is asked for (RFC 8628 §3.1).
    pub device_authorization_request: RequestDialect,
    /// What is said otherwise when a device polls (RFC 8628 §3.4).
    pub device_poll: RequestDialect,
    /// What is said otherwise in pushed authorization requests (RFC 9126).
    pub pushed_authorization_request: RequestDialect,
    /// What is said otherwise when a token is revoked (RFC 7009).
    pub revocation_request: RequestDialect,
    /// What is said otherwise when a token is introspected (RFC 7662).
    pub introspection_request: RequestDialect,
    /// What has to be asked for after the first token, before there is the one that is used.
    pub second_request: Option<SecondRequest>,
    /// Leaves PKCE out, for servers that refuse its parameters. Whoever gets hold of a code can
    /// then redeem it, if they also have the client's secret; a public client has no protection.
    pub dangerous_without_pkce: bool,

    // Callbacks
    /// Callback parameters by other names: the server's name, the RFC's name. `state` and `iss`
    /// are always themselves.
    pub callback_parameters: BTreeMap<String, String>,
    /// Callback parameters of the server's own that are kept with the login, such as `realmId`: see
    /// [`Authorized::kept`](crate::Authorized::kept). They came through the browser.
    pub kept_callback_parameters: Vec<String>,
    /// How `iss` is compared (RFC 9207).
    pub issuer: IssuerMatch,

    // Answers
    /// How the body of an answer is written.
    pub answer_format: AnswerFormat,
    /// Accepts a token with any status of success, such as 201.
    pub any_success_status: bool,
    /// How errors are told, where they are not told as in RFC 6749 §5.2; the first that finds one
    /// counts. Errors in the words of the RFC are always understood.
    pub error_detectors: Vec<ErrorDetector>,
    /// The RFC's names for the server's own error codes: the server's name, the RFC's name. What
    /// is not `invalid_grant` here does not end a login when a refresh is refused with it.
    pub error_aliases: BTreeMap<String, String>,
    /// Where the token stands: JSON pointers (RFC 6901) of objects, such as `/data`, the first of
    /// which that has one counts. Without any, it is the answer itself, whose pointer is empty.
    pub token_locations: Vec<String>,
    /// Values that are to be found with [`Authorized::extra`](crate::Authorized::extra) by
    /// other names, too: that name, the JSON pointer.
    pub captured_members: BTreeMap<String, String>,
    /// Members by other names: the server's name, the RFC's name.
    pub member_aliases: BTreeMap<String, String>,
    /// Reads `accessToken` as `access_token`, and all other names alike.
    pub camel_case_members: bool,
    /// How the scope of an answer is written.
    pub granted_scope: GrantedScope,
    /// The token type of an answer that names none: `Bearer`.
    pub default_token_type: Option<String>,
    /// Other names for `Bearer` in `token_type`, in any case.
    pub bearer_token_types: Vec<String>,
    /// The members that say how long a token lives, the first of which that can be read counts.
    /// Without any, it is `expires_in`, in seconds.
    pub lifetime_members: Vec<LifetimeMember>,
    /// What a lifetime of zero says.
    pub zero_lifetime: ZeroLifetime,
    /// The lifetime, in seconds, of a token whose answer does not say it.
    pub default_lifetime: Option<u64>,
    /// The longest lifetime, in seconds, that is believed.
    pub longest_lifetime: Option<u64>,
    /// The sign in an answer to a refresh that the same access token lives on.
    pub keep_alive: Option<KeepAlive>,

    // Resources
    /// Where the token stands in requests to resources.
    pub token_presentation: TokenPresentation,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            scope_separator: ' ',
            client_authentication: ClientAuthentication::default(),
            every_request: RequestDialect::default(),
            authorization_request: RequestDialect::default(),
            authorization_fragment: None,
            token_request: RequestDialect::default(),
            refresh_request: RequestDialect::default(),
            refresh_with_access_token: false,
            device_authorization_request: RequestDialect::default(),
            device_poll: RequestDialect::default(),
            pushed_authorization_request: RequestDialect::default(),
            revocation_request: RequestDialect::default(),
            introspection_request: RequestDialect::default(),
            second_request: None,
            dangerous_without_pkce: false,
            callback_parameters: BTreeMap::new(),
            kept_callback_parameters: Vec::new(),
            issuer: IssuerMatch::default(),
            answer_format: AnswerFormat::default(),
            any_success_status: false,
            error_detectors: Vec::new(),
            error_aliases: BTreeMap::new(),
            token_locations: Vec::new(),
            captured_members: BTreeMap::new(),
            member_aliases: BTreeMap::new(),
            camel_case_members: false,
            granted_scope: GrantedScope::default(),
            default_token_type: None,
            bearer_token_types: Vec::new(),
            lifetime_members: Vec::new(),
            zero_lifetime: ZeroLifetime::default(),
            default_lifetime: None,
            longest_lifetime: None,
            keep_alive: None,
            token_presentation: TokenPresentation::default(),
        }
    }
}

impl Client {
    /// Talks to a server that deviates from the RFCs in the way that it does.
    ///
    /// What the dialect names is checked when the first request is made, which is refused as
    /// [`Misuse`](crate::Misuse) where an endpoint or header field is none.
    #[must_use]
    pub fn with_dialect(mut self, dialect: Dialect) -> Self {
        let dialect = Arc::new(dialect);
        if let Some(secret) = self.secret.as_ref().filter(|_| !self.authentication_chosen) {
            let credentials = dialect.client_authentication.credentials(&self.id, secret);
            self.authenticate(credentials);
        }
        self.translation.dialect = Some(dialect);
        self
    }
}

impl Translate for Dialect {
    fn authorization_url(&self, url: Url) -> Url {
        self.visited(url)
    }

    fn request(&self, kind: RequestKind, request: Request<Body>) -> Result<Request<Body>, Misuse> {
        self.said(kind, request)
    }

    fn answer(
        &self,
        kind: RequestKind,
        held: Option<&AccessToken>,
        sent_at: Timestamp,
        answer: Answer,
    ) -> Answer {
        self.translate(kind, held, sent_at, answer)
    }

    fn callback_parameter<'n>(&self, name: &'n str) -> &'n str {
        // Whoever forges or mixes up a callback is told by these: no other name hides them.
        let is_guard = matches!(name, "state" | "iss");
        let known = self.callback_parameters.get(name).filter(|_| !is_guard);
        match known.map(String::as_str) {
            Some("code") => "code",
            Some("state") => "state",
            Some("iss") => "iss",
            Some("error") => "error",
            Some("error_description") => "error_description",
            Some("error_uri") => "error_uri",
            Some("id_token") => "id_token",
            Some(_) | None => name,
        }
    }

    fn kept_callback_parameters(&self) -> &[String] {
        &self.kept_callback_parameters
    }

    fn is_issuer(&self, issuer: &str, iss: &str) -> bool {
        self.issuer.is_issuer(issuer, iss)
    }

    fn credentials(&self, id: &str, secret: &Secret) -> Credentials {
        self.client_authentication.credentials(id, secret)
    }

    fn has_second_request(&self) -> bool {
        self.second_request.is_some()
    }

    fn second_request(
        &self,
        id: &str,
        secret: Option<&Secret>,
        first: &AccessToken,
    ) -> Result<Option<Request<Body>>, Misuse> {
        self.followed_by(id, secret, first)
    }

    fn attach(
        &self,
        token: &AccessToken,
        uri: &mut Uri,
        headers: &mut HeaderMap,
    ) -> Result<(), Error> {
        self.token_presentation.attach(token, uri, headers)
    }
}
