//! A web application whose users sign in with OAuth 2, and which calls an API in their name.
//!
//! Without arguments it starts an authorization server of its own, in this process:
//!
//! ```text
//! cargo run -p oauth2-proto-hyper --example web
//! ```
//!
//! At a real provider, register `http://localhost:8080/callback` as a redirect URI, then:
//!
//! ```text
//! export CLIENT_SECRET=…
//! cargo run -p oauth2-proto-hyper --example web -- --listen 127.0.0.1:8080 \
//!     --issuer https://as.example --client-id …
//! ```
//!
//! Logins and sessions are kept in an SQLite file, or with `--redis URL` where any number of instances
//! share them: give them the same `--key-file`. Browsers send the cookies over https only, or to
//! `localhost`: anywhere else, name the `--public-url` of the proxy that speaks TLS.
//!
//! What to copy is in `sign_in.rs` and `session.rs`; `api.rs` uses what they have made.

mod api;
mod app;
mod arguments;
mod browser;
mod page;
mod provider;
#[path = "../../../oauth2-proto-reqwest/examples/login/server.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod server;
mod session;
mod sign_in;
mod store;

use core::error::Error;
use core::time::Duration;
use std::process::ExitCode;
use std::sync::Arc;

use app::App;
use arguments::Arguments;
use axum::Router;
use axum::middleware::map_response;
use axum::routing::{get, post};
use clap::Parser;
use provider::Provider;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How long the program waits at its end for what is on its way.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::main]
async fn main() -> ExitCode {
    match serve(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(arguments: Arguments) -> Outcome<()> {
    let listener = TcpListener::bind(&arguments.listen).await?;
    let address = listener.local_addr()?;
    // The public URL is configured, and never taken from the `Host` header, which anybody can forge.
    let public = match arguments.public_url.clone() {
        Some(url) => url,
        None => Url::parse(&format!("http://localhost:{}", address.port()))?,
    };
    // Where there is no provider, one runs as long as this program does.
    let (provider, _own) = Provider::find(&arguments, &public).await?;
    let tasks = TaskTracker::new();
    let app = Arc::new(App::new(&arguments, provider, public.clone(), &tasks)?);

    let router = Router::new()
        .route("/", get(api::home))
        .route("/api", get(api::call))
        .route("/sign-in", get(sign_in::begin))
        // A HEAD request shows the person nothing, and must not use up the callback.
        .route(sign_in::CALLBACK, get(sign_in::finish).head(sign_in::no_head))
        .route("/sign-out", post(sign_in::sign_out))
        .layer(map_response(page::secured))
        .with_state(app);
    println!("listening on http://{address}, open {public}");
    let ending = CancellationToken::new();
    let end = ending.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move {
        interrupted().await;
        end.cancel();
    });
    tokio::select! {
        served = serving.into_future() => served?,
        // Who sends half a request does not keep the program alive.
        () = async { ending.cancelled().await; sleep(GRACE).await } => {}
    }

    // A refresh that is on its way is read and saved: its old refresh token is worth nothing.
    tasks.close();
    timeout(GRACE, tasks.wait()).await.map_err(|_| "some logins could not be saved".into())
}

/// Ctrl-C, or what a supervisor says instead.
async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminated) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminated.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}
