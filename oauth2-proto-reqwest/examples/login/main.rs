//! Logs in, calls a protected resource, refreshes, and calls it again.
//!
//! Without arguments it does so at an authorization server that it starts by itself. With
//! `--authorization-url … --token-url … --client-id …` it logs in at a real provider, where
//! `http://127.0.0.1/callback` has to be registered as a redirect URI for any port; with
//! `--store FILE` it stays logged in.
//!
//! What to copy is in `workflow.rs`.

mod arguments;
mod browser;
#[expect(dead_code, reason = "tests use the rest of it")]
mod server;
mod workflow;

use core::error::Error;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;

use arguments::Arguments;
use clap::Parser;
use oauth2_proto::agent::{Agent, MemoryStore, Origins, Store};
use oauth2_proto::{Client, Seed, Server};
use oauth2_proto_reqwest::{ReqwestHost, reqwest};
use oauth2_proto_stores::FileStore;
use server::{AuthorizationServer, Settings};
use workflow::{KEY, Login};

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only where one is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match start(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

/// At the provider that was named, or at a server of our own.
async fn start(arguments: Arguments) -> Outcome<()> {
    let browser = arguments.browser();
    let Some(provider) = arguments.provider else {
        let server = AuthorizationServer::start(Settings::default()).await?;
        let endpoints = Server::new(&server.authorization_url(), &server.token_url())?;
        let login = Login {
            client: Arc::new(Client::new(server::PUBLIC_CLIENT, endpoints)),
            scope: server::RESOURCE_SCOPE.to_owned(),
            params: Vec::new(),
            resource: Some(server.resource_url()),
            browser,
            // What stays on this machine needs no proxy, and no certificates.
            builder: || reqwest::Client::builder().no_proxy().tls_certs_only([]),
        };
        return run(login, MemoryStore::new()).await;
    };
    let login = Login {
        client: Arc::new(provider.client()?),
        scope: provider.scope.join(" "),
        params: provider.param,
        resource: provider.resource_url,
        browser,
        builder: || reqwest::Client::builder().connect_timeout(Duration::from_secs(10)),
    };
    match provider.store {
        Some(path) => {
            let store = FileStore::open(path)?.with_observer(|error| eprintln!("{error}"));
            run(login, store).await
        }
        None => run(login, MemoryStore::new()).await,
    }
}

/// Runs the workflow, and leaves it orderly on ctrl-C.
async fn run<S: Store + Clone>(login: Login, store: S) -> Outcome<()> {
    let host = ReqwestHost::new((login.builder)())?
        .with_observer(|error| eprintln!("{}", with_causes(error)));
    let mut seed = Seed::new(&mut rand::rng())?;
    let origins = Origins::new(login.resource.as_deref())?;
    let agent = Agent::open(login.client.clone(), host, &mut seed, store.login(KEY))
        .with_origins(origins)
        // This program runs once, on one machine: it has no time to watch the lease of an earlier run
        // that was interrupted.
        .with_clock_skew(Duration::from_secs(5));
    let outcome = tokio::select! {
        outcome = workflow::run(&login, &agent) => outcome,
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(Into::into)
            .and_then(|()| Err("interrupted".into())),
    };
    // What is on its way is finished and saved, however it ended.
    let settled = tokio::time::timeout(Duration::from_secs(5), agent.settle()).await;
    outcome?;
    Ok(settled??)
}

fn with_causes(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {}", with_causes(cause)),
        None => error.to_string(),
    }
}
