//! Floor 2: who we are and whom we talk to. Builds requests, knows no state.

mod authentication;
mod authorization_request;
pub(crate) mod dialect;
mod from_metadata;
mod introspection;
mod params;
mod policy;
mod pushed_authorization;
mod registration;
mod request_kind;
mod revocation;
mod server;
mod translate;

use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request};

use authentication::Credentials;
pub use authentication::{Authenticate, Authentication, ClientRequest};
pub use authorization_request::AuthorizationRequest;
pub(crate) use authorization_request::check_redirect_uri;
pub use dialect::Dialect;
pub use introspection::{AwaitingIntrospection, Introspection};
pub(crate) use params::{Params, asks_for, check_resource};
pub(crate) use policy::{LONGEST_LEASE, Policy, SHORTEST_LEASE};
pub use registration::{
    ClientRegistration, Deregistering, Management, Managing, RegisteredClient, Registering,
};
pub use request_kind::RequestKind;
pub use revocation::AwaitingRevocation;
pub use server::Server;
pub use translate::Hook;
use translate::Translation;

use crate::error::{Error, Misuse};
use crate::value::{Body, Fingerprint, Secret, Timestamp};
use crate::wire::Form;

/// Who we are to one authorization server: client_id, authentication and the server's endpoints.
///
/// Make it once and share it (`Arc<Client>`) between all logins. It holds no tokens.
///
/// ```
/// use oauth2_proto::{Client, Server};
///
/// let server = Server::new("https://as.example/authorize", "https://as.example/token")?;
/// let public = Client::new("my-app", server.clone());
/// let confidential = Client::new("my-service", server).with_secret("from a safe place");
/// # Ok::<(), oauth2_proto::Misuse>(())
/// ```
#[derive(Clone)]
pub struct Client {
    id: String,
    server: Server,
    fingerprint: Fingerprint,
    credentials: Credentials,
    /// Kept beside the credentials, for dialects that show it otherwise.
    secret: Option<Secret>,
    /// The caller chose how to authenticate; a dialect has no say in it.
    authentication_chosen: bool,
    /// The header fields of every token request, built once.
    headers: HeaderMap,
    policy: Policy,
    translation: Translation,
}

impl Client {
    /// A public client: it identifies itself with `client_id` and has no secret.
    #[must_use]
    pub fn new(id: impl Into<String>, server: Server) -> Self {
        let id = id.into();
        let server = server.with_client_id(&id);
        let fingerprint = Fingerprint::new(&id, server.identity());
        let mut client = Self {
            id,
            server,
            fingerprint,
            credentials: Credentials::Pairs(Secret::new(String::new())),
            secret: None,
            authentication_chosen: false,
            headers: HeaderMap::new(),
            policy: Policy::default(),
            translation: Translation::default(),
        };
        client.authenticate(Credentials::new(&client.id, &Authentication::None));
        client
    }

    /// Authenticates with `client_secret_basic`, which every server must support; or as the
    /// [`Dialect`] says.
    ///
    /// See [RFC 6749 §2.3.1](https://www.rfc-editor.org/rfc/rfc6749#section-2.3.1).
    #[must_use]
    pub fn with_secret(mut self, secret: impl Into<Secret>) -> Self {
        let secret = secret.into();
        let credentials = match &self.translation.dialect {
            Some(dialect) => dialect.credentials(&self.id, &secret),
            None => Credentials::new(&self.id, &Authentication::Basic(secret.clone())),
        };
        self.secret = Some(secret);
        self.authentication_chosen = false;
        self.authenticate(credentials);
        self
    }

    /// Authenticates in the given way, whatever the [`Dialect`] says.
    #[must_use]
    pub fn with_authentication(mut self, authentication: Authentication) -> Self {
        self.secret = authentication.secret().cloned();
        self.authentication_chosen = true;
        self.authenticate(Credentials::new(&self.id, &authentication));
        self
    }

    /// Lets this hook change requests and answers, after those that were added before.
    #[must_use]
    pub fn with_hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.translation.hooks.push(hook);
        self
    }

    /// Refreshes this long before expiry (60 s unless told), but never earlier than a quarter of
    /// the token's lifetime before it.
    #[must_use]
    pub const fn with_refresh_window(mut self, window: Duration) -> Self {
        self.policy.window = window;
        self
    }

    /// Gives a token request this long (30 s unless told; 3 s to an hour) before somebody else may
    /// send another one. The request itself has to end a sixth earlier.
    #[must_use]
    pub const fn with_lease(mut self, lease: Duration) -> Self {
        self.policy.lease = lease;
        self
    }

    /// Refuses answers that are longer than this many bytes (1 MiB unless told).
    #[must_use]
    pub const fn with_body_limit(mut self, bytes: usize) -> Self {
        self.policy.body_limit = bytes;
        self
    }

    /// The client_id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The authorization server.
    #[must_use]
    pub const fn server(&self) -> &Server {
        &self.server
    }

    /// The longest answer that is read, in bytes: what an HTTP client should stop reading at.
    #[must_use]
    pub const fn body_limit(&self) -> usize {
        self.policy.body_limit
    }

    pub(crate) const fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }

    /// Every method that takes a state asks this first.
    pub(crate) fn check(&self, fingerprint: Fingerprint) -> Result<(), Misuse> {
        if self.fingerprint == fingerprint { Ok(()) } else { Err(Misuse::WrongClient) }
    }

    /// Starts the form of a token request (RFC 6749 §4), with room for `capacity` bytes of parameters.
    pub(crate) fn form(&self, grant_type: &str, capacity: usize) -> Form {
        let mut form = Form::with_capacity(capacity.saturating_add(self.credentials.form_length()));
        form.pair("grant_type", grant_type);
        form
    }

    /// Authenticates a form and makes it a request to the endpoint for this kind.
    pub(crate) fn post(
        &self,
        kind: RequestKind,
        mut form: Form,
        now: Timestamp,
    ) -> Result<Request<Body>, Error> {
        let endpoint = self.server.endpoint(kind)?;
        let mut headers = self.headers.clone();
        let mut request = ClientRequest {
            client_id: &self.id,
            server: &self.server,
            endpoint,
            form: &mut form,
            headers: &mut headers,
        };
        self.credentials.apply(&mut request, now)?;
        let mut request = Request::new(form.into_body());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = endpoint.clone();
        *request.headers_mut() = headers;
        Ok(self.spoken(kind, request)?)
    }

    fn authenticate(&mut self, credentials: Credentials) {
        self.credentials = credentials;
        let mut headers = HeaderMap::with_capacity(3);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Credentials::Header(name, value) = &self.credentials {
            headers.insert(name, value.clone());
        }
        self.headers = headers;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("id", &self.id)
            .field("server", &self.server)
            .field("credentials", &self.credentials)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
