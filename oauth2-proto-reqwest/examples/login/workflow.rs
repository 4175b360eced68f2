//! The workflow: a login in the browser, a protected call, a refresh, another call.

use std::sync::Arc;

use oauth2_proto::agent::{Agent, Host, Store};
use oauth2_proto::{Authorized, Callback, Client, Error, Misuse, State};
use oauth2_proto_reqwest::loopback::LoopbackListener;
use oauth2_proto_reqwest::{Protected, ReqwestHost, reqwest};

use crate::Outcome;
use crate::browser::{Browser, waiting};

/// Under which name the login is stored: a program with several users has one for each.
pub(crate) const KEY: &str = "login";

/// Longest part of a resource that is printed, in bytes.
const SHOWN: usize = 2048;

/// Who logs in where, for what.
#[derive(Debug)]
pub(crate) struct Login {
    pub(crate) client: Arc<Client>,
    pub(crate) scope: String,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) resource: Option<String>,
    pub(crate) browser: Browser,
    pub(crate) builder: fn() -> reqwest::ClientBuilder,
}

/// Logs in unless there is a login already, and uses it.
pub(crate) async fn run<S: Store>(login: &Login, agent: &Agent<ReqwestHost, S>) -> Outcome<()> {
    match agent.token().await {
        Ok(_) => println!("1. There is a login already, nobody has to log in"),
        Err(error) if error.needs_login() => {
            let authorized = log_in(login, agent.host()).await?;
            agent.log_in(authorized).await?;
        }
        Err(error) => return Err(error.into()),
    }
    println!("4. The token, without its secret");
    show(agent);

    let api = Protected::new(agent.clone(), (login.builder)())?;
    println!("5. The protected resource");
    call(login, &api).await?;

    println!("6. A refresh");
    match agent.refresh().await {
        Ok(_) => show(agent),
        Err(Error::Misuse(Misuse::NotRenewable)) => {
            println!("   The server gave nothing to refresh with.")
        }
        Err(error) => return Err(error.into()),
    }

    println!("7. The protected resource again");
    call(login, &api).await
}

/// A login in the person's browser.
async fn log_in(login: &Login, host: &ReqwestHost) -> Outcome<Authorized> {
    let Login { client, scope, params, browser, builder, .. } = login;

    let listener = LoopbackListener::bind("/callback").await?;
    let mut request = client.authorize(listener.redirect_uri()).scope(scope);
    for (name, value) in params {
        request = request.param(name, value);
    }
    let (url, pending) = request.begin(&mut rand::rng(), host.now().time())?;
    println!("1. The authorization URL\n   {url}");

    println!("2. Consent, in the browser");
    let spinner = waiting("waiting for the browser");
    let left = pending.deadline().since(host.now().time());
    let accepted = listener.accept(left, |callback| {
        spinner.suspend(|| println!("3. The callback\n   {}", without_values(callback)));
        pending.accept(client, Callback::url(callback), host.now().time()).into()
    });
    let code = tokio::select! {
        accepted = accepted => accepted??,
        Err(error) = browser.visit(&url, builder()) => return Err(error),
    };
    spinner.finish_and_clear();

    let now = host.now().time();
    let (request, awaiting) = code.redeem(client, now)?;
    let response = host.send(request, awaiting.deadline().since(now)).await?;
    Ok(awaiting.receive(client, &response, host.now().time())?)
}

async fn call<S: Store>(login: &Login, api: &Protected<ReqwestHost, S>) -> Outcome<()> {
    let Some(url) = &login.resource else {
        println!("   None was named.");
        return Ok(());
    };
    let request = api.client().get(url).build()?;
    let mut answer = api.execute(request).await?;

    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        body.extend(chunk.iter().take(SHOWN - body.len()));
        if body.len() == SHOWN {
            break;
        }
    }
    let text = String::from_utf8_lossy(&body).replace(|c: char| c.is_control() && c != '\n', " ");
    println!("   {}\n   {}", answer.status(), text.trim_end().replace('\n', "\n   "));
    Ok(())
}

/// What is known of the tokens, but for the tokens.
fn show<S: Store>(agent: &Agent<ReqwestHost, S>) {
    let now = agent.host().now().time();
    agent.with_state(|state| {
        let Some(State::Authorized(login)) = state else { return println!("   There are none.") };
        let token_type = login.token(now).map_or("none", |token| token.token_type());
        println!("   type: {token_type}");
        println!("   scope: {}", login.scope());
        match login.expires_at() {
            Some(at) => println!("   expires in: {} seconds", at.since(now).as_secs()),
            None => println!("   expires in: the server does not say"),
        }
        println!("   can be refreshed: {}", if login.is_renewable() { "yes" } else { "no" });
    });
}

/// A callback's URL holds a code, which is a secret: shows the names of its parameters only.
fn without_values(callback: &str) -> String {
    let Ok(mut url) = reqwest::Url::parse(callback) else { return "not a URL".to_owned() };
    let names = url.query_pairs().map(|(name, _)| format!("{}=…", name.escape_debug()));
    let names = names.collect::<Vec<_>>().join("&");
    url.set_query(None);
    format!("{url}?{names}")
}
