//! A whole client credentials login against an authorization server that others wrote.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "../../oauth2-proto-reqwest/examples/login/server.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod server;

use core::time::Duration;
use std::sync::Arc;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::rt::TokioExecutor;
use oauth2_proto::agent::{Agent, Change, Origins};
use oauth2_proto::{Client, Error, Seed, Server};
use oauth2_proto_hyper::{AttachTokenLayer, HyperHost};
use rand::rngs::SysRng;
use server::{AuthorizationServer, CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, Settings};
use tower::{Layer, Service, ServiceExt};

fn agent(provider: &AuthorizationServer, secret: &str, scope: &str) -> Agent<HyperHost> {
    let server = Server::token_only(&provider.token_url()).unwrap();
    let client = Client::new(CONFIDENTIAL_CLIENT, server).with_secret(secret);
    let login = client.client_credentials().scope(scope).ready(&mut SysRng).unwrap();
    let mut seed = Seed::new(&mut SysRng).unwrap();
    let origin = provider.resource_url();
    Agent::new(Arc::new(client), HyperHost::new().unwrap(), &mut seed, login)
        .unwrap()
        .with_origins(Origins::new([origin.as_str()]).unwrap())
}

#[tokio::test]
async fn many_callers_log_in_once_and_read_the_resource() {
    let provider = AuthorizationServer::start(Settings::default()).await.unwrap();
    let agent = agent(&provider, CONFIDENTIAL_SECRET, "profile");
    let http = HyperClient::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let api = AttachTokenLayer::new(agent.clone()).layer(http);
    let calls = (0..50).map(|_| {
        let (mut api, url) = (api.clone(), provider.resource_url());
        tokio::spawn(async move {
            let request = Request::get(url).body(Full::default()).unwrap();
            let response = api.ready().await.unwrap().call(request).await.unwrap();
            assert_eq!(response.status(), StatusCode::OK);
            response.into_body().collect().await.unwrap().to_bytes()
        })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(*call.await.unwrap(), *br#"{"hello":"nightly-report"}"#);
    }
    assert_eq!(provider.token_requests(), 1);

    let mut changes = agent.changes();
    let old = agent.token().await.unwrap();
    let new = agent.refresh().await.unwrap();
    assert_ne!(old.expose(), new.expose());
    assert_eq!(changes.next().await, Change::Tokens(new.generation()));
    assert_eq!(provider.token_requests(), 2);
}

#[tokio::test]
async fn a_token_that_expires_is_replaced_without_anybody_noticing() {
    let settings = Settings { access_token_lifetime: Duration::from_secs(2) };
    let provider = AuthorizationServer::start(settings).await.unwrap();
    let agent = agent(&provider, CONFIDENTIAL_SECRET, "profile");
    let first = agent.token().await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let second = agent.token().await.unwrap();
    assert_ne!(first.expose(), second.expose());
    assert_eq!(provider.token_requests(), 2);
}

#[tokio::test]
async fn what_the_server_refuses_is_said_in_its_words() {
    let provider = AuthorizationServer::start(Settings::default()).await.unwrap();
    for (secret, scope, expected) in
        [("wrong", "profile", "invalid_client"), (CONFIDENTIAL_SECRET, "root", "invalid_scope")]
    {
        match agent(&provider, secret, scope).token().await {
            Err(Error::Denied(denied)) => assert_eq!(denied.error(), expected),
            other => panic!("{other:?}"),
        }
    }
}
