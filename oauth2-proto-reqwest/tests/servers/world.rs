//! What a feature is tried in: a running server, an adapter, and shortcuts to where it begins.

use std::sync::{Arc, Once};
use std::time::UNIX_EPOCH;

use http::{Request, Response, StatusCode};
use oauth2_proto::agent::Host;
use oauth2_proto::{
    Authentication, Authorized, AwaitingToken, Body, Callback, Client, Code, Error, Server, State,
    Timestamp,
};
use oauth2_proto_hyper::HyperHost;
use oauth2_proto_reqwest::{ReqwestHost, reqwest};

use crate::browser::{Browser, Decision};
use crate::registered::{REDIRECT_URI, Registered};
use crate::server::{self, Pages, Running};

/// A running server, and the adapter to reach it with.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) server: Arc<Running>,
    adapter: Adapter,
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
        Some(Self { server, adapter })
    }

    /// The same server by way of the other adapter.
    pub(crate) fn over_hyper(self) -> Self {
        Self { adapter: Adapter::Hyper(Arc::new(HyperHost::new().unwrap())), ..self }
    }

    /// A client of this server, if it is registered there. It knows the issuer, and insists on `iss`
    /// where that is announced.
    pub(crate) fn client(&self, registered: &Registered) -> Option<Client> {
        let registered = (self.server.registered)(registered)?;
        let client = Client::new(registered.id, self.endpoints());
        let Some(secret) = registered.secret else { return Some(client) };
        Some(client.with_authentication(match registered.authentication {
            "client_secret_post" => Authentication::Post(secret.into()),
            _ => Authentication::Basic(secret.into()),
        }))
    }

    fn endpoints(&self) -> Server {
        let Running { endpoints, issuer, .. } = &*self.server;
        let url = |path: &str| self.server.url(path);
        let mut server = Server::new(&url(endpoints.authorization), &url(endpoints.token)).unwrap();
        if let Some(path) = endpoints.revocation {
            server = server.with_revocation(&url(path)).unwrap();
        }
        match issuer {
            Some(issuer) => server.with_issuer_in_callback(issuer),
            None => server,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Response<Vec<u8>> {
        let deadline = now().after(core::time::Duration::from_secs(30));
        match &self.adapter {
            Adapter::Reqwest(host) => host.send(request, deadline).await,
            Adapter::Hyper(host) => host.send(request, deadline).await,
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
        let browser = Browser::new(&self.server.origin, self.server.labels);
        let callback = match self.server.pages {
            Pages::Forms => browser.visit(url, decision).await,
            Pages::Glewlwyd => server::glewlwyd::visit(&browser, url).await,
        };
        pending.accept(client, Callback::url(&callback), now())
    }

    /// A whole login.
    pub(crate) async fn log_in(&self, client: &Client) -> Authorized {
        let code = self.consent(client, Decision::Allow).await.unwrap();
        self.exchange(client, code.redeem(client, now()).unwrap()).await.unwrap()
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
