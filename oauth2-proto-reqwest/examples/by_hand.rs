//! The whole workflow by hand, with the core alone and a blocking HTTP client.
//!
//! Logs in at an authorization server that it starts by itself. Open the URL that it prints, and
//! press the button; then the browser asks for a page that nobody serves: paste that page's URL
//! here. With `--auto`, or without a terminal, the program presses the button by itself.

use core::error::Error;
use core::time::Duration;
use std::io::{self, IsTerminal};
use std::time::UNIX_EPOCH;

use http::{Request, Response};
use oauth2_proto::{Authorized, Body, Callback, Client, Server, Timestamp};
use server::{AuthorizationServer, Settings};

#[path = "login/server.rs"]
#[expect(dead_code, reason = "tests use the rest of it")]
mod server;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn log_in(authorization_url: &str, token_url: &str, resource_url: &str) -> Outcome<()> {
    // 0. What the provider gave you.
    let client = Client::new(server::PUBLIC_CLIENT, Server::new(authorization_url, token_url)?);

    // 1. Send the person to the authorization server.
    let (url, pending) = client
        .authorize("http://127.0.0.1/callback")
        .scope(server::RESOURCE_SCOPE)
        .begin(&mut rand::rng(), now())?;
    let callback = visit(url.as_str())?;

    // 2. Check the callback, fetch the token.
    let code = pending.accept(&client, Callback::url(&callback), now())?;
    let (request, awaiting) = code.redeem(&client, now())?;
    let login = awaiting.receive(&client, &send(request)?, now())?;
    println!("A token for {}, good for {:?}", login.scope(), left(&login));

    // 3. Call a protected resource.
    let mut request = Request::get(resource_url).body(Body::default())?;
    login.attach(&client, &mut request, now())?;
    println!("{}", String::from_utf8_lossy(send(request)?.body()));

    // 4. Refresh. A program that keeps its login saves `refreshing` before it sends.
    let (request, refreshing) = login.refresh(&client, now())?;
    let login = refreshing.receive(&client, &send(request)?, now())?;
    println!("A new token for {}, good for {:?}", login.scope(), left(&login));
    Ok(())
}

/// Follows no redirect, takes every status for an answer, stops reading at 1 MiB.
fn send(request: Request<Body>) -> Result<Response<Vec<u8>>, ureq::Error> {
    let agent = ureq::Agent::config_builder()
        .max_redirects(0)
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(25)))
        .proxy(None)
        .build()
        .new_agent();
    let (parts, mut body) = agent.run(request.map(Body::into_vec))?.into_parts();
    let body = body.with_config().limit(1024 * 1024).read_to_vec()?;
    Ok(Response::from_parts(parts, body))
}

fn now() -> Timestamp {
    Timestamp::from_unix(UNIX_EPOCH.elapsed().unwrap_or_default())
}

/// How long the token works, if the server says so.
fn left(login: &Authorized) -> Option<Duration> {
    login.expires_at().map(|at| at.since(now()))
}

/// The browser: comes back with the callback's URL.
fn visit(url: &str) -> Outcome<String> {
    println!("Log in at {url}");
    if io::stdin().is_terminal() && !std::env::args().any(|argument| argument == "--auto") {
        println!("Then paste the URL of the page that can't be loaded:");
        let mut callback = String::new();
        io::stdin().read_line(&mut callback)?;
        return Ok(callback);
    }
    let form = Body::from("decision=allow".to_owned());
    let pressed = send(
        Request::post(url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form)?,
    )?;
    let location = pressed.headers().get("location").ok_or("the consent page led nowhere")?;
    Ok(location.to_str()?.to_owned())
}

fn main() -> Outcome<()> {
    // Only the authorization server needs a runtime.
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(AuthorizationServer::start(Settings::default()))?;
    log_in(&server.authorization_url(), &server.token_url(), &server.resource_url())
}
