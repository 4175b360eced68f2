//! The whole workflow at an authorization server that was not written for this project.

use core::time::Duration;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, LOCATION};
use oauth2_proto::agent::{Agent, Change, Host, Origins};
use oauth2_proto::{Callback, Client, Code, Error, Reason, Seed, Server};
use oauth2_proto_reqwest::{Protected, reqwest};
use tokio::task::JoinSet;

use crate::server::{
    AuthorizationServer, CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, PUBLIC_CLIENT, RESOURCE_SCOPE,
    SCOPES, Settings, USER,
};
use crate::support::{Later, builder};

const REDIRECT_URI: &str = "http://127.0.0.1/callback";

async fn start() -> AuthorizationServer {
    AuthorizationServer::start(Settings::default()).await.unwrap()
}

fn client(server: &AuthorizationServer, id: &str) -> Client {
    Client::new(id, Server::new(&server.authorization_url(), &server.token_url()).unwrap())
}

/// Visits the consent page and presses one of its buttons: what the callback says.
async fn consent(client: &Client, host: &Later, decision: &'static str) -> Result<Code, Error> {
    let request = client.authorize(REDIRECT_URI).scope(RESOURCE_SCOPE);
    let (url, pending) = request.begin(&mut rand::rng(), host.now().time()).unwrap();
    let browser = builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let pressed = browser
        .post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(format!("decision={decision}"));
    let answer = pressed.send().await.unwrap();
    let callback = answer.headers()[LOCATION].to_str().unwrap();
    pending.accept(client, Callback::url(callback), host.now().time())
}

/// A login, with an agent to keep it.
async fn log_in(server: &AuthorizationServer, host: &Later) -> Agent<Later> {
    let client = Arc::new(client(server, PUBLIC_CLIENT));
    let code = consent(&client, host, "allow").await.unwrap();
    let now = host.now().time();
    let (request, awaiting) = code.redeem(&client, now).unwrap();
    let response = host.send(request, awaiting.deadline().since(now)).await.unwrap();
    let login = awaiting.receive(&client, &response, host.now().time()).unwrap();
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let origins = Origins::new([&*server.resource_url()]).unwrap();
    Agent::new(client, host.clone(), &mut seed, login).unwrap().with_origins(origins)
}

async fn greeting(server: &AuthorizationServer, api: &Protected<Later>) -> String {
    let request = api.client().get(server.resource_url()).build().unwrap();
    let answer = api.execute(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.text().await.unwrap()
}

#[tokio::test]
async fn a_person_logs_in_and_the_login_is_kept() {
    let (server, host) = (start().await, Later::new());
    let agent = log_in(&server, &host).await;
    let api = Protected::new(agent.clone(), builder()).unwrap();
    let hello = format!(r#"{{"hello":"{USER}"}}"#);
    assert_eq!(greeting(&server, &api).await, hello);

    let mut changes = agent.changes();
    let old = agent.token().await.unwrap();
    let new = agent.refresh().await.unwrap();
    assert_ne!(old.expose(), new.expose());
    assert_eq!(changes.next().await, Change::Tokens(new.generation()));
    assert_eq!(greeting(&server, &api).await, hello);
    assert_eq!(server.token_requests(), 2);

    // Hours later.
    host.forward(180);
    assert_eq!(greeting(&server, &api).await, hello);
    assert_eq!(server.token_requests(), 3);

    agent.sign_out().await.unwrap();
    assert_eq!(changes.next().await, Change::Ended(Reason::SignedOut));
    assert!(agent.token().await.unwrap_err().needs_login());
}

#[tokio::test]
async fn a_person_says_no() {
    let (server, host) = (start().await, Later::new());
    let client = client(&server, PUBLIC_CLIENT);
    let error = consent(&client, &host, "deny").await.unwrap_err();
    assert!(
        matches!(&error, Error::Denied(denied) if denied.error() == "access_denied"),
        "{error:?}"
    );
    assert_eq!(server.token_requests(), 0);
}

#[tokio::test]
async fn a_service_logs_in_by_itself() {
    let (server, host) = (start().await, Later::new());
    let client = client(&server, CONFIDENTIAL_CLIENT).with_secret(CONFIDENTIAL_SECRET);
    let state = client.client_credentials().scope(SCOPES).ready(&mut rand::rng()).unwrap();
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let origins = Origins::new([&*server.resource_url()]).unwrap();
    let agent = Agent::new(Arc::new(client), host.clone(), &mut seed, state).unwrap();
    let api = Protected::new(agent.with_origins(origins), builder()).unwrap();
    let hello = format!(r#"{{"hello":"{CONFIDENTIAL_CLIENT}"}}"#);
    assert_eq!(greeting(&server, &api).await, hello);
    host.forward(120);
    assert_eq!(greeting(&server, &api).await, hello);
    assert_eq!(server.token_requests(), 2);
}

#[tokio::test]
async fn a_wrong_secret_is_denied() {
    let (server, host) = (start().await, Later::new());
    let client = client(&server, CONFIDENTIAL_CLIENT).with_secret("wrong");
    let state = client.client_credentials().ready(&mut rand::rng()).unwrap();
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let agent = Agent::new(Arc::new(client), host, &mut seed, state).unwrap();
    let error = agent.token().await.unwrap_err();
    assert!(
        matches!(&error, Error::Denied(denied) if denied.error() == "invalid_client"),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_callers_over_an_expired_token_cause_one_refresh() {
    let (server, host) = (start().await, Later::new());
    let agent = log_in(&server, &host).await;
    let old = agent.token().await.unwrap();
    host.forward(120);
    let before = server.token_requests();

    let mut callers = JoinSet::new();
    for _ in 0..1_000 {
        let agent = agent.clone();
        callers.spawn(async move { agent.token().await.unwrap().expose().to_owned() });
    }
    let within = tokio::time::timeout(Duration::from_secs(60), callers.join_all());
    let mut tokens = within.await.unwrap();
    assert_eq!(tokens.len(), 1_000);
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], old.expose());
    assert_eq!(server.token_requests(), before + 1);
}
