//! What a feature is tried in: a running server, an adapter, and shortcuts to where it begins.

use std::sync::{Arc, Once};
use std::time::UNIX_EPOCH;

use http::{Request, Response, StatusCode};
use oauth2_proto::agent::Host;
use oauth2_proto::{
    Authentication, AuthorizationRequest, Authorized, AwaitingToken, Body, Client, Code, Error,
    Server, State, Timestamp,
};
use oauth2_proto_hyper::HyperHost;
use oauth2_proto_reqwest::reqwest::Url;
use oauth2_proto_reqwest::{ReqwestHost, reqwest};

use crate::browser::{Browser, Decision, End};
use crate::certificate::CERTIFICATES;
use crate::jwt::Assertion;
use crate::registered::{REDIRECT_URI, Registered};
use crate::server::{self, Pages, Running};

/// A running server, and the adapter to reach it with.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) server: Arc<Running>,
    adapter: Adapter,
    /// Where its clients send to.
    endpoints: String,
}

#[derive(Clone)]
enum Adapter {
    Reqwest(ReqwestHost),
    Hyper(Arc<HyperHost>),
}

/// A builder that neither proxies nor the certificates of this machine have a say in.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix(UNIX_EPOCH.elapsed().unwrap())
}

impl World {
    /// Starts a server; `None` where it is not installed.
    pub(crate) async fn start(name: &str) -> Option<Self> {
        let adapter = Adapter::Reqwest(ReqwestHost::new(builder()).unwrap());
        let server = Arc::new(server::start(name).await?);
        let endpoints = server.origin.clone();
        Some(Self { server, adapter, endpoints })
    }

    /// The same server by way of the other adapter.
    pub(crate) fn over_hyper(self) -> Self {
        Self { adapter: Adapter::Hyper(Arc::new(HyperHost::new().unwrap())), ..self }
    }

    /// The same server, to which this certificate is shown, where it asks for one; else why not.
    pub(crate) fn over_mutual_tls(self, certificate: &str) -> Result<Self, &'static str> {
        let endpoints = self.server.mutual_tls.clone()?;
        let identity = reqwest::Identity::from_pem(certificate.as_bytes()).unwrap();
        let authority = reqwest::Certificate::from_pem(CERTIFICATES.authority.as_bytes()).unwrap();
        let builder = builder().tls_certs_only([authority]).identity(identity);
        let adapter = Adapter::Reqwest(ReqwestHost::new(builder).unwrap());
        Ok(Self { adapter, endpoints, ..self })
    }

    /// A client of this server, if it is registered there.
    pub(crate) fn client(&self, registered: &Registered) -> Option<Client> {
        self.client_of(registered, self.endpoints())
    }

    fn client_of(&self, registered: &Registered, server: Server) -> Option<Client> {
        let registered = (self.server.registered)(registered)?;
        let client = Client::new(registered.id, server);
        let secret = registered.secret.unwrap_or_default();
        Some(client.with_authentication(match registered.authentication {
            // RFC 8705 §2: the certificate says who it is, and is the HTTP client's.
            "none" | "tls_client_auth" | "self_signed_tls_client_auth" => Authentication::None,
            "client_secret_basic" => Authentication::Basic(secret.into()),
            "client_secret_post" => Authentication::Post(secret.into()),
            "client_secret_jwt" => Authentication::Custom(Arc::new(Assertion::by_secret(secret))),
            "private_key_jwt" => Authentication::Custom(Arc::new(Assertion::ByKey)),
            other => panic!("{other}"),
        }))
    }

    /// The server with its issuer. It is insisted on `iss` where that is announced.
    pub(crate) fn endpoints(&self) -> Server {
        match &self.server.issuer {
            Some(issuer) => self.endpoints_alone().with_issuer_in_callback(issuer),
            None => self.endpoints_alone(),
        }
    }

    fn endpoints_alone(&self) -> Server {
        let endpoints = &self.server.endpoints;
        let url = |path: &str| format!("{}{path}", self.endpoints);
        let authorization = self.server.url(endpoints.authorization);
        let mut server = Server::new(&authorization, &url(endpoints.token)).unwrap();
        if let Some(path) = endpoints.revocation {
            server = server.with_revocation(&url(path)).unwrap();
        }
        if let Some(path) = endpoints.introspection {
            server = server.with_introspection(&url(path)).unwrap();
        }
        if let Some(path) = endpoints.pushed_authorization {
            server = server.with_pushed_authorization(&url(path)).unwrap();
        }
        if let Some(path) = endpoints.device_authorization {
            server = server.with_device_authorization(&url(path)).unwrap();
        }
        server
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Vec<u8>> {
        let time_out = core::time::Duration::from_secs(30);
        match &self.adapter {
            Adapter::Reqwest(host) => host.send(request, time_out).await,
            Adapter::Hyper(host) => host.send(request, time_out).await,
        }
        .unwrap_or_else(|lost| panic!("no answer: {lost:?}"))
    }

    /// Sends a token request and reads its answer.
    pub(crate) async fn exchange(
        &self,
        client: &Client,
        (request, awaiting): (Request<Body>, AwaitingToken),
    ) -> Result<Authorized, Error> {
        let response = self.send(request).await;
        Ok(awaiting.receive(client, &response, now())?)
    }

    /// A person's way through login and consent: what the callback says.
    pub(crate) async fn consent(&self, client: &Client, decision: Decision) -> Result<Code, Error> {
        let request = client.authorize(REDIRECT_URI).scope(self.server.scope);
        let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
        let end = self.visit(url, decision).await;
        pending.accept(client, end.callback(), now())
    }

    /// A person's way through login and consent, from this URL on.
    pub(crate) async fn visit(&self, url: Url, decision: Decision) -> End {
        self.walk(Browser::new(&self.server.origin, self.server.labels, decision), url).await
    }

    pub(crate) async fn walk(&self, browser: Browser, url: Url) -> End {
        match self.server.pages {
            Pages::Forms => browser.visit(url).await,
            Pages::Glewlwyd => server::glewlwyd::visit(&browser, url).await,
        }
    }

    /// A whole login.
    pub(crate) async fn log_in(&self, client: &Client) -> Authorized {
        let code = self.consent(client, Decision::Allow).await.unwrap();
        self.exchange(client, code.redeem(client, now()).unwrap()).await.unwrap()
    }

    /// A whole login that asks for more than the usual scope, or a refusal of it.
    pub(crate) async fn log_in_asking<'a>(
        &self,
        client: &'a Client,
        ask: impl FnOnce(AuthorizationRequest<'a>) -> AuthorizationRequest<'a>,
    ) -> Result<Authorized, Error> {
        let request = ask(client.authorize(REDIRECT_URI).scope(self.server.scope));
        let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
        let end = self.visit(url, Decision::Allow).await;
        let code = pending.accept(client, end.callback(), now())?;
        self.exchange(client, code.redeem(client, now()).unwrap()).await
    }

    /// What the protected resource says to a token; nothing, where there is no such resource.
    pub(crate) async fn resource(&self, client: &Client, login: &Authorized) -> Option<StatusCode> {
        let mut request = Request::get(self.server.url(self.server.endpoints.resource?))
            .body(Body::default())
            .unwrap();
        login.attach(client, &mut request, now()).unwrap();
        Some(self.send(request).await.status())
    }
}

/// A login as it would be in two places that do not know of each other.
pub(crate) fn twice(login: Authorized) -> [Authorized; 2] {
    let stored = serde_json::to_string(&State::from(login)).unwrap();
    [(); 2].map(|()| {
        let State::Authorized(login) = serde_json::from_str(&stored).unwrap() else { panic!() };
        login
    })
}
