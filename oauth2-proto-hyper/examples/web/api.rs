//! What the application is there for: calling an API in the name of who is signed in.

use core::error::Error;
use core::time::Duration;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::REFERRER_POLICY;
use axum::response::{IntoResponse, Redirect, Response};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Incoming;
use maud::html;
use oauth2_proto::Authorized;
use oauth2_proto_hyper::{AttachTokenLayer, CallError};
use serde::Deserialize;
use tokio::time::timeout;
use tower::{Layer, ServiceExt};

use crate::app::App;
use crate::browser::Browser;
use crate::page::{Refusal, page};

/// `GET /`.
pub(crate) async fn home(
    State(app): State<Arc<App>>,
    browser: Browser,
) -> Result<Response, Refusal> {
    let content = match app.user(&browser).await? {
        Some(user) => html! {
            p { "You are " b id="user" { (user) } "." }
            p { a href="/api" { "Call the API" } }
            form method="post" action="/sign-out" { button { "Sign out" } }
        },
        None => html! { p { a href="/sign-in" { "Sign in" } } },
    };
    // Else the form's `Origin` would be `null`, and older browsers could not sign out.
    let policy = [(REFERRER_POLICY, "same-origin")];
    Ok((policy, page("A web application", &content)).into_response())
}

/// `GET /api`: the protected resource, for who is signed in.
pub(crate) async fn call(
    State(app): State<Arc<App>>,
    browser: Browser,
) -> Result<Response, Refusal> {
    let first_sign_in = || Ok(Redirect::to("/sign-in?return_to=/api").into_response());
    let Some(user) = app.user(&browser).await? else { return first_sign_in() };

    // Gets the token from the store, refreshed when it is time, and repeats once what is refused.
    let api = AttachTokenLayer::new(app.login(&user)).layer(app.http.clone());
    let request = Request::get(&app.provider.resource_url).body(Empty::new());
    let calling = timeout(PATIENCE, api.oneshot(request.map_err(Uncalled::by)?));
    let response = match calling.await.map_err(Uncalled::by)? {
        Ok(response) => response,
        // The login is over: it was revoked, or another browser has signed out.
        Err(CallError::Token(error)) if error.needs_login() => return first_sign_in(),
        Err(CallError::Token(error)) => return Err(error.into()),
        Err(error) => return Err(Uncalled::by(error).into()),
    };
    let (status, body) = read(response).await?;
    let content = html! {
        p { "It answered " b id="status" { (status.as_u16()) } " to " b id="user" { (user) } ":" }
        pre id="answer" { (String::from_utf8_lossy(&body)) }
        p { a href="/" { "Back" } }
    };
    Ok(page("The API", &content).into_response())
}

impl App {
    /// Whose tokens these are: the provider says so itself, to a token that it has just given us.
    pub(crate) async fn user_of(&self, login: &Authorized) -> Result<String, Refusal> {
        #[derive(Deserialize)]
        struct User {
            sub: String,
        }
        let mut request =
            Request::get(&self.provider.user_url).body(Empty::new()).map_err(Uncalled::by)?;
        login.attach(&self.provider.client, &mut request, self.now())?;
        let asking = timeout(PATIENCE, self.http.request(request));
        let response = asking.await.map_err(Uncalled::by)?.map_err(Uncalled::by)?;
        let (status, body) = read(response).await?;
        if !status.is_success() {
            return Err(
                Uncalled(format!("{} answers {status}", self.provider.user_url).into()).into()
            );
        }
        let User { sub } = serde_json::from_slice(&body).map_err(Uncalled::by)?;
        Ok(sub)
    }
}

/// How long somebody may have to wait. A refresh goes on without them.
const PATIENCE: Duration = Duration::from_secs(20);

/// Longest answer that is read, in bytes.
const LONGEST: usize = 64 * 1024;

async fn read(response: http::Response<Incoming>) -> Result<(StatusCode, Bytes), Uncalled> {
    let (head, body) = response.into_parts();
    let reading = timeout(PATIENCE, Limited::new(body, LONGEST).collect());
    let body = reading.await.map_err(Uncalled::by)?.map_err(Uncalled)?;
    Ok((head.status, body.to_bytes()))
}

/// There is no answer of the API.
#[derive(Debug)]
pub(crate) struct Uncalled(pub(crate) Box<dyn Error + Send + Sync>);

impl Uncalled {
    fn by(error: impl Error + Send + Sync + 'static) -> Self {
        Self(error.into())
    }
}
