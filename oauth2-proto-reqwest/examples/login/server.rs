//! An authorization server and a resource it protects, both on a loopback port of this process.
//!
//! The protocol is [`oxide_auth`]'s, whose authors know nothing of the client that talks to it
//! here. This file adds what a server has to bring along: the registered clients, the consent
//! page, the choice of a flow by `grant_type`, and a few corrections, each explained at its place.
//! All state is in memory and gone with the [`AuthorizationServer`].
//!
//! It speaks plain HTTP, lets everyone act as its one user, and so belongs on a loopback address
//! only.

#[path = "server/clients.rs"]
mod clients;
#[path = "server/consent.rs"]
mod consent;
#[path = "server/revocation.rs"]
mod revocation;

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicUsize, Ordering};
use core::time::Duration;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use clients::Clients;
use consent::Decision;
use oxide_auth::endpoint::{
    AccessTokenFlow, AuthorizationFlow, OAuthError, OwnerConsent, QueryParameter, Solicitation,
};
use oxide_auth::frontends::simple::endpoint::{
    FnSolicitor, Generic, Vacant, client_credentials_flow, refresh_flow, resource_flow,
};
use oxide_auth::frontends::simple::extensions::{AddonList, Extended, Pkce};
use oxide_auth::primitives::authorizer::AuthMap;
use oxide_auth::primitives::generator::RandomGenerator;
use oxide_auth::primitives::grant::Grant;
use oxide_auth::primitives::issuer::{IssuedToken, Issuer, RefreshedToken, TokenMap};
use oxide_auth::primitives::scope::Scope;
use oxide_auth_axum::{OAuthRequest, OAuthResource, OAuthResponse, WebError};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// A client without a secret, such as an installed application.
pub(crate) const PUBLIC_CLIENT: &str = "desktop-app";
/// A client that proves who it is with [`CONFIDENTIAL_SECRET`].
pub(crate) const CONFIDENTIAL_CLIENT: &str = "nightly-report";
/// The secret of [`CONFIDENTIAL_CLIENT`].
pub(crate) const CONFIDENTIAL_SECRET: &str = "correct-horse-battery-staple";
/// A web application, whose one redirect URI is [told](AuthorizationServer::register) to the server.
pub(crate) const WEB_CLIENT: &str = "web-app";
/// The secret of [`WEB_CLIENT`].
pub(crate) const WEB_SECRET: &str = "a-secret-that-never-leaves-the-server";
/// Every scope a client may ask for, and what it gets when it asks for none.
pub(crate) const SCOPES: &str = "email profile";
/// The scope a token needs for the protected resource.
pub(crate) const RESOURCE_SCOPE: &str = "profile";
/// The user whom every visitor of the consent page is taken for.
pub(crate) const USER: &str = "alice";

/// How much longer a refresh token works than the access token it came with.
const REFRESH_EXTRA: Duration = Duration::from_secs(24 * 60 * 60);

/// What a test or an example may want different.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How long an access token works. `expires_in` is rounded down to whole seconds and the
    /// clock already runs, so that two seconds are announced as one.
    pub(crate) access_token_lifetime: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { access_token_lifetime: Duration::from_secs(60 * 60) }
    }
}

/// A running server, which stops when this is dropped.
pub(crate) struct AuthorizationServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    /// Nothing is ever sent: the server waits for the other end to notice that this is gone.
    _running: oneshot::Sender<()>,
}

impl AuthorizationServer {
    /// Listens on a free port of 127.0.0.1 and serves from a task of the current runtime.
    ///
    /// # Errors
    ///
    /// If no port can be opened, or if the lifetime is longer than the server can count.
    pub(crate) async fn start(settings: Settings) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(settings).map_err(io::Error::other)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/authorize", get(ask_user).post(ask_user))
            .route("/token", post(issue_token))
            .route("/revoke", post(revocation::revoke))
            .route("/resource", get(read_resource))
            .route("/userinfo", get(read_user))
            .with_state(Arc::clone(&shared));
        let (running, stopped) = oneshot::channel::<()>();
        tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { drop(stopped.await) })
                .await
        });
        Ok(Self { address, shared, _running: running })
    }

    /// Registers the redirect URI of [`WEB_CLIENT`]; the first one stays.
    ///
    /// # Errors
    ///
    /// If it is not a URL.
    pub(crate) fn register(&self, redirect_uri: &str) -> io::Result<()> {
        let redirect_uri = redirect_uri.parse().map_err(io::Error::other)?;
        self.shared.clients.web.get_or_init(|| redirect_uri);
        Ok(())
    }

    /// The authorization endpoint: the page that a user is sent to.
    pub(crate) fn authorization_url(&self) -> String {
        format!("http://{}/authorize", self.address)
    }

    /// The token endpoint, for codes, refresh tokens and client credentials.
    pub(crate) fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// The revocation endpoint, for access and refresh tokens.
    pub(crate) fn revocation_url(&self) -> String {
        format!("http://{}/revoke", self.address)
    }

    /// Says who the user is, in `sub`, as OpenID Connect's userinfo endpoint does.
    pub(crate) fn user_url(&self) -> String {
        format!("http://{}/userinfo", self.address)
    }

    /// The protected resource, which greets the user as JSON.
    pub(crate) fn resource_url(&self) -> String {
        format!("http://{}/resource", self.address)
    }

    /// How many requests the token endpoint got so far, whatever it answered.
    pub(crate) fn token_requests(&self) -> usize {
        self.shared.token_requests.load(Ordering::Relaxed)
    }
}

/// What the handlers share.
struct Shared {
    clients: Clients,
    resource_scopes: [Scope; 1],
    token_requests: AtomicUsize,
    issued: Mutex<Issued>,
}

/// The codes and tokens that are out.
struct Issued {
    codes: AuthMap<RandomGenerator>,
    tokens: Tokens,
}

impl Shared {
    fn new(settings: Settings) -> Result<Self, Box<dyn core::error::Error + Send + Sync>> {
        let mut tokens = TokenMap::new(RandomGenerator::new(24));
        tokens.valid_for(chrono::Duration::from_std(settings.access_token_lifetime)?);
        Ok(Self {
            clients: Clients { scopes: SCOPES.parse()?, web: OnceLock::new() },
            resource_scopes: [RESOURCE_SCOPE.parse()?],
            token_requests: AtomicUsize::default(),
            issued: Mutex::new(Issued {
                codes: AuthMap::new(RandomGenerator::new(24)),
                tokens: Tokens(tokens),
            }),
        })
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// oxide-auth's tokens in memory, with refresh tokens that are of use.
///
/// `TokenMap` keeps one expiry for an access token and its refresh token, so that by the time a
/// client has reason to refresh it would be too late.
struct Tokens(TokenMap<RandomGenerator>);

impl Issuer for Tokens {
    fn issue(&mut self, grant: Grant) -> Result<IssuedToken, ()> {
        self.0.issue(grant)
    }

    fn refresh(&mut self, refresh: &str, grant: Grant) -> Result<RefreshedToken, ()> {
        self.0.refresh(refresh, grant)
    }

    fn recover_token<'a>(&'a self, token: &'a str) -> Result<Option<Grant>, ()> {
        self.0.recover_token(token)
    }

    fn recover_refresh<'a>(&'a self, token: &'a str) -> Result<Option<Grant>, ()> {
        let mut grant = self.0.recover_refresh(token)?;
        if let Some(grant) = &mut grant {
            grant.until += REFRESH_EXTRA;
        }
        Ok(grant)
    }
}

/// `/authorize`: a `GET` shows the page, a `POST` with the same query is the user's answer to it.
///
/// A link alone must not give access to anything, which is why the method matters: axum reads the
/// "form" of a `GET` from the query.
async fn ask_user(
    State(shared): State<Arc<Shared>>,
    method: Method,
    request: Result<OAuthRequest, WebError>,
) -> Response {
    finish(request.and_then(|request| {
        let decision = match form_value(&request, "decision").as_deref() {
            Some("allow") if method == Method::POST => Decision::Allowed,
            Some("deny") if method == Method::POST => Decision::Denied,
            _ => Decision::Pending,
        };
        authorize(&shared, request, decision)
    }))
}

fn authorize(
    shared: &Shared,
    request: OAuthRequest,
    decision: Decision,
) -> Result<OAuthResponse, WebError> {
    let endpoint = Generic {
        registrar: &shared.clients,
        authorizer: &mut shared.issued().codes,
        issuer: Vacant,
        solicitor: decision,
        scopes: Vacant,
        response: Vacant,
    };
    let mut flow = AuthorizationFlow::prepare(Extended::extend_with(endpoint, pkce()))?;
    Ok(flow.execute(request)?)
}

/// `POST /token`.
async fn issue_token(
    State(shared): State<Arc<Shared>>,
    request: Result<OAuthRequest, WebError>,
) -> Response {
    shared.token_requests.fetch_add(1, Ordering::Relaxed);
    let answer = request.and_then(|request| token(&shared, request));
    let mut response = match answer {
        // The one request that oxide-auth drops here without an answer is that of a known client
        // for a scope it may not have. RFC 6749, section 5.2, has an answer.
        Err(WebError::Endpoint(OAuthError::DenySilently)) => {
            let error = BTreeMap::from([("error", "invalid_scope")]);
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
        answer => finish(answer),
    };
    // RFC 6749, section 5.1, wants this on every answer that carries a token.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn token(shared: &Shared, request: OAuthRequest) -> Result<OAuthResponse, WebError> {
    let Issued { codes, tokens } = &mut *shared.issued();
    match form_value(&request, "grant_type").as_deref() {
        Some("refresh_token") => Ok(refresh_flow(&shared.clients, tokens).execute(request)?),
        Some("client_credentials") => {
            let mut owner = FnSolicitor(|_: &mut OAuthRequest, asked: Solicitation<'_>| {
                OwnerConsent::Authorized(asked.pre_grant().client_id.clone())
            });
            let mut flow = client_credentials_flow(&shared.clients, tokens, &mut owner);
            Ok(flow.execute(request)?)
        }
        // Also answers for a grant type that is missing or unknown.
        _ => {
            let endpoint = Generic {
                registrar: &shared.clients,
                authorizer: codes,
                issuer: tokens,
                solicitor: Vacant,
                scopes: Vacant,
                response: Vacant,
            };
            let mut flow = AccessTokenFlow::prepare(Extended::extend_with(endpoint, pkce()))?;
            Ok(flow.execute(request)?)
        }
    }
}

/// `GET /resource`.
async fn read_resource(
    State(shared): State<Arc<Shared>>,
    request: Result<OAuthResource, WebError>,
) -> Response {
    read(&shared, request, "hello")
}

/// `GET /userinfo`.
async fn read_user(
    State(shared): State<Arc<Shared>>,
    request: Result<OAuthResource, WebError>,
) -> Response {
    read(&shared, request, "sub")
}

/// Names the user whose token it is.
fn read(
    shared: &Shared,
    request: Result<OAuthResource, WebError>,
    member: &'static str,
) -> Response {
    let request = match request {
        Ok(request) => OAuthRequest::from(request),
        Err(error) => return finish(Err(error)),
    };
    let Issued { tokens, .. } = &mut *shared.issued();
    match resource_flow(tokens, &shared.resource_scopes).execute(request) {
        Ok(grant) => Json(BTreeMap::from([(member, grant.owner_id)])).into_response(),
        Err(refusal) => bearer_challenge(finish(refusal.map_err(WebError::from))),
    }
}

/// Makes oxide-auth's refusal of a bearer token say what RFC 6750, section 3, has it say.
///
/// - For a token that it does not know oxide-auth names `invalid_request`, as if the request were
///   malformed; that gives a client no reason to get itself another token.
/// - A scope that does not suffice is answered with 401 instead of 403.
/// - A request without a token is challenged without any parameter, but one is required.
/// - Parameters are separated by a space instead of a comma.
fn bearer_challenge(mut response: Response) -> Response {
    let challenge = response.headers().get(header::WWW_AUTHENTICATE).and_then(|v| v.to_str().ok());
    let Some(parameters) = challenge.and_then(|challenge| challenge.strip_prefix("Bearer")) else {
        return response;
    };
    let insufficient = parameters.contains("insufficient_scope");
    let parameters = parameters.replace("invalid_request", "invalid_token").replace("\" ", "\", ");
    let separator = if parameters.is_empty() { "" } else { "," };
    let challenge = format!("Bearer realm=\"resource\"{separator}{parameters}");
    if let Ok(challenge) = challenge.parse() {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if insufficient {
        *response.status_mut() = StatusCode::FORBIDDEN;
    }
    response
}

/// RFC 7636 for every code. oxide-auth takes `S256` only unless told otherwise.
fn pkce() -> AddonList {
    let mut addons = AddonList::new();
    addons.push_code(Pkce::required());
    addons
}

fn form_value<'a>(request: &'a OAuthRequest, name: &str) -> Option<Cow<'a, str>> {
    request.body().and_then(|form| form.unique_value(name))
}

/// Turns the outcome of a flow into a response.
///
/// By itself oxide-auth's error would be a 500 in every case, also where the request is to blame,
/// such as for a redirect URI that is not registered and hence must not be redirected to.
fn finish(outcome: Result<OAuthResponse, WebError>) -> Response {
    match outcome {
        Ok(response) => response.into_response(),
        Err(error @ (WebError::Endpoint(OAuthError::PrimitiveError) | WebError::Header(_))) => {
            error.into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    }
}
