//! Signing in and out: the part to copy.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::ALLOW;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use oauth2_proto::Code;
use oauth2_proto::agent::Host;
use oauth2_proto_stores::cookie::Taken;
use rand::rngs::SysRng;
use serde::Deserialize;

use crate::app::App;
use crate::browser::{Browser, no_session, session};
use crate::page::Refusal;

/// Where the provider sends browsers back to.
pub(crate) const CALLBACK: &str = "/callback";

#[derive(Deserialize)]
pub(crate) struct Begin {
    return_to: Option<String>,
}

/// `GET /sign-in?return_to=/path`: sends the browser to the provider.
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    Query(Begin { return_to }): Query<Begin>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let now = app.now();
    let request = app.provider.client.authorize(&app.redirect_uri).scope(&app.provider.scope);
    let (url, pending) = request.begin(&mut SysRng, now)?;
    // The browser keeps what it has begun, sealed: nothing is stored here for who never comes back.
    // `return_to` is in the seal, too, and refused unless it is a path of ours (open redirect).
    let return_to = return_to.as_deref().unwrap_or("/");
    let cookies = app.pending.begin(&pending, return_to, &headers, now)?;
    Ok((AppendHeaders(cookies), Redirect::to(url.as_str())).into_response())
}

/// `GET /callback`: the provider has sent the browser back.
pub(crate) async fn finish(
    State(app): State<Arc<App>>,
    browser: Browser,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let (client, now) = (&app.provider.client, app.now());
    // Found by the cookies of this very browser, never by the callback's `state` in a store: there,
    // an attacker's callback would find its match, and sign this browser in as them (login CSRF).
    let Taken { pending, return_to, clear, .. } = app.pending.take(client, &uri, &headers, now)?;
    let outcome = match pending.accept(client, &uri, now) {
        // A forgery, say: the sign-in still waits for its answer, and its cookie stays.
        Err(error) if error.keeps_login_pending() => return Err(error.into()),
        outcome => outcome,
    };
    // Taken out before the code is redeemed, and on denial too: once, by whichever instance.
    app.sessions.take(pending.login()).await?;
    let signed_in = match outcome {
        Ok(code) => sign_in(app, browser, code, &return_to).await,
        Err(error) => Err(error.into()),
    };
    let signed_in = signed_in.map_err(|refusal| refusal.returning_to(&return_to));
    Ok((AppendHeaders(clear), signed_in).into_response())
}

/// `HEAD /callback`, which would be answered as a GET.
pub(crate) async fn no_head() -> impl IntoResponse {
    (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET")])
}

/// Begins the session of who has consented.
async fn sign_in(
    app: Arc<App>,
    browser: Browser,
    code: Code,
    return_to: &str,
) -> Result<Response, Refusal> {
    // A code can be sent once: a browser that hangs up must not take along what it brings.
    let user = app.tasks.spawn(redeem(Arc::clone(&app), code)).await??;
    // A new session for every sign-in: an id that was planted in this browser is worth nothing.
    if let Some(old) = browser.session() {
        app.sessions.end(old).await?;
    }
    let id = app.sessions.begin(&user, app.now()).await?;
    Ok((session(&id), Redirect::to(return_to)).into_response())
}

/// Gets the tokens, asks whose they are, and keeps them under that name.
async fn redeem(app: Arc<App>, code: Code) -> Result<String, Refusal> {
    let (client, now) = (&app.provider.client, app.now());
    let (request, awaiting) = code.redeem(client, now)?;
    let response = app.host().send(request, awaiting.deadline().since(now)).await?;
    let login = awaiting.receive(client, &response, app.now())?;
    let user = app.user_of(&login).await?;
    // What it replaces is not revoked: some providers would revoke the new tokens along with it.
    app.login(&user).log_in(login).await?;
    Ok(user)
}

/// `POST /sign-out`: ends the session and the login, and has the tokens revoked.
pub(crate) async fn sign_out(
    State(app): State<Arc<App>>,
    browser: Browser,
) -> Result<Response, Refusal> {
    // A page of another site must not sign anybody out.
    if !browser.is_on_our_page(&app.public) {
        let text = "This was sent by a page of another site.";
        return Err(Refusal::new(StatusCode::FORBIDDEN, "You are still signed in", text));
    }
    if let Some((id, user)) = browser.session().zip(app.user(&browser).await?) {
        // A browser that hangs up while the provider is silent is signed out nevertheless.
        app.tasks.spawn(end(Arc::clone(&app), id.to_owned(), user)).await??;
    }
    Ok((no_session(), Redirect::to("/")).into_response())
}

/// Ends the sessions of a user, then the login.
async fn end(app: Arc<App>, id: String, user: String) -> Result<(), Refusal> {
    // Not only the cookie: a copy of it is worth nothing from here on. The tokens are the user's:
    // other browsers have to sign in anew, too.
    app.sessions.end_all(&user).await?;
    app.sessions.end(&id).await?;
    // Last what waits for the provider.
    app.login(&user).sign_out().await?;
    Ok(())
}
