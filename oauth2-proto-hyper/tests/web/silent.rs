//! An authorization server that gives tokens to everybody, and does not answer when they are revoked.

use core::future::pending;
use std::sync::Arc;

use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// What an application is told about it, and what tells when something is to be revoked.
pub(crate) async fn start() -> (Vec<String>, Arc<Notify>, JoinSet<()>) {
    let revoking = Arc::new(Notify::new());
    let notified = Arc::clone(&revoking);
    let token = json!({ "access_token": "a", "token_type": "Bearer", "refresh_token": "r" });
    let router = Router::new()
        .route("/token", post(async move || Json(token)))
        .route("/me", get(async || Json(json!({ "sub": "alice" }))))
        .route(
            "/revoke",
            post(async move || {
                notified.notify_one();
                pending::<()>().await;
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, router).await.unwrap() });
    let options = [
        ("--authorization-url", "/authorize"),
        ("--token-url", "/token"),
        ("--revocation-url", "/revoke"),
        ("--user-url", "/me"),
    ];
    let arguments = options.map(|(name, path)| [name.to_owned(), format!("{origin}{path}")]);
    let client = ["--client-id".to_owned(), "web".to_owned()];
    (arguments.into_iter().flatten().chain(client).collect(), revoking, serving)
}
