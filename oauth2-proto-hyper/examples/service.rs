//! A service that calls an API all day long, with tokens that live for two seconds.
//!
//! It logs in as itself (client credentials) at an authorization server in this very process, and
//! has several tasks call a protected resource for several token lifetimes. Nobody sees a token
//! expire, and everybody shares each new one.

#[path = "../../oauth2-proto-reqwest/examples/login/server.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod server;

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use http::Request;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use oauth2_proto::agent::{Agent, Origins};
use oauth2_proto::{Client, Seed, Server};
use oauth2_proto_hyper::{AttachTokenLayer, HyperHost};
use rand::rngs::SysRng;
use server::{AuthorizationServer, CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, Settings};
use tokio::task::JoinSet;
use tower::{Layer, Service, ServiceExt};

const TASKS: usize = 4;
const LIFETIME: Duration = Duration::from_secs(2);
const RUN: Duration = Duration::from_secs(7);

type Failure = Box<dyn core::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let provider = AuthorizationServer::start(Settings { access_token_lifetime: LIFETIME }).await?;
    let resource = provider.resource_url();

    // Who we are, and a login that needs no person. Nothing has been sent yet.
    let server = Server::token_only(&provider.token_url())?;
    let client =
        Arc::new(Client::new(CONFIDENTIAL_CLIENT, server).with_secret(CONFIDENTIAL_SECRET));
    let login = client.client_credentials().scope("profile").ready(&mut SysRng)?;

    // The agent gets tokens when they are needed; the layer attaches them, for this origin only.
    let agent = Agent::new(client, HyperHost::new()?, &mut Seed::new(&mut SysRng)?, login)?
        .with_origins(Origins::new([resource.as_str()])?);
    let http = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let api = AttachTokenLayer::new(agent).layer(http);

    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for _ in 0..TASKS {
        let (mut api, resource) = (api.clone(), resource.clone());
        tasks.spawn(async move {
            let mut calls = 0_usize;
            while begun.elapsed() < RUN {
                let request = Request::get(&resource).body(Full::default())?;
                let response = api.ready().await?.call(request).await?;
                if !response.status().is_success() {
                    return Err(format!("the resource answered {}", response.status()).into());
                }
                calls += 1;
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Ok::<_, Failure>(calls)
        });
    }
    let mut calls = 0;
    while let Some(task) = tasks.join_next().await {
        calls += task??;
    }
    println!(
        "{calls} calls by {TASKS} tasks in {} seconds, with {} token requests",
        begun.elapsed().as_secs(),
        provider.token_requests()
    );
    Ok(())
}
