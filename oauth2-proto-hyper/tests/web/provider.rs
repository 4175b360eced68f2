//! oidc-provider, a strict authorization server that others wrote: it rotates refresh tokens and ends
//! a login whose old one is used again. And an API behind it, which sees the tokens.

use std::process::Command;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderValue, StatusCode};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::process::{Process, installed};
use crate::wire::Wire;

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "through the looking-glass";
pub(crate) const CLIENT: &str = "web";
pub(crate) const SECRET: &str = "the-secret-of-a-web-application";

const SCRIPT: &str =
    include_str!("../../../oauth2-proto-reqwest/tests/servers/oidc-provider/provider.mjs");

/// A running server, and its API. Both stop when this is dropped.
pub(crate) struct Provider {
    name: &'static str,
    issuer: String,
    resource: String,
    /// The `Authorization` headers that the API saw.
    seen: Seen,
    _process: Process,
    _serving: JoinSet<()>,
}

type Seen = Arc<Mutex<Vec<HeaderValue>>>;

impl Provider {
    /// Starts it for applications on these ports; `None` where it is not installed.
    pub(crate) async fn start(name: &'static str, ports: &[u16], lifetime: u32) -> Option<Self> {
        let folder = installed().join("oidc-provider");
        if !folder.join("node_modules").exists() {
            println!("skipped: oidc-provider is not installed: run .ci/servers.sh");
            return None;
        }
        let redirect_uris = ports.iter().map(|port| format!("http://localhost:{port}/callback"));
        let settings = json!({
            "redirect_uris": redirect_uris.collect::<Vec<_>>(),
            "clients": [{
                "id": CLIENT,
                "secret": SECRET,
                "authentication": "client_secret_basic",
                "grant": "authorization_code",
            }],
            "access_token_lifetime": lifetime,
            "initial_access_token": "nobody registers",
            "resources": [],
        });
        let mut command = Command::new("node");
        command.current_dir(folder).args(["--input-type=module", "--eval", SCRIPT]);
        let mut process = Process::spawn(name, &mut command, &settings.to_string(), "listening ");
        let issuer = process.said().await.split(' ').next().unwrap().to_owned();

        let seen = Seen::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let resource = format!("http://{}/", listener.local_addr().unwrap());
        let state = (format!("{issuer}/me"), Arc::clone(&seen));
        let router = Router::new().route("/", get(resource_of_user)).with_state(state);
        let mut serving = JoinSet::new();
        serving.spawn(async { axum::serve(listener, router).await.unwrap() });
        Some(Self { name, issuer, resource, seen, _process: process, _serving: serving })
    }

    /// What an application is told about it.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let pairs = [
            ("--issuer", &*self.issuer),
            ("--client-id", CLIENT),
            ("--scope", "openid"),
            ("--resource-url", &*self.resource),
        ];
        pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect()
    }

    /// How many times something has happened here: `grant.success refresh_token`.
    pub(crate) fn count(&self, event: &str) -> usize {
        let log = installed().join("log").join(format!("{}.log", self.name));
        let log = std::fs::read_to_string(log).unwrap();
        log.lines().filter(|line| line.trim_end() == format!("event {event}")).count()
    }

    pub(crate) fn is_at(&self, url: &str) -> bool {
        url.starts_with(&self.issuer)
    }

    /// What the server says to the newest token that the API saw.
    pub(crate) async fn judges_token(&self) -> StatusCode {
        let token = self.seen.lock().unwrap().last().unwrap().clone();
        let headers = [("authorization", token.to_str().unwrap())];
        Wire::new().get_with(&format!("{}/me", self.issuer), &headers).await.status
    }
}

/// The API knows what the server knows.
async fn resource_of_user(
    State((me, seen)): State<(String, Seen)>,
    headers: HeaderMap,
) -> Response {
    let token = headers[AUTHORIZATION].clone();
    let sent = [("authorization", token.to_str().unwrap())];
    let mut answer = Wire::new().get_with(&me, &sent).await;
    if answer.status.is_success() {
        seen.lock().unwrap().push(token);
    }
    let mut response = (answer.status, answer.body).into_response();
    for name in [CONTENT_TYPE, WWW_AUTHENTICATE] {
        if let Some(value) = answer.headers.remove(&name) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
