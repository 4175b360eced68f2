//! A login in headless Chromium, over Debian's chromedriver.

use core::time::Duration;
use std::process::Command;

use fantoccini::elements::Element;
use fantoccini::{Client as Chromium, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use oauth2_proto::{Callback, Client};
use serde_json::{Value, json};

use crate::process::Process;
use crate::registered::{PASSWORD, USER};
use crate::world::{World, now};

/// How long a page, or the callback, may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Logs in: the callback arrives at the loopback listener, as it does in an app.
pub(crate) async fn log_in(world: &World, client: &Client) {
    let listener = world.server.listener.lock().unwrap().take().unwrap();
    let request = client.authorize(listener.redirect_uri()).scope(world.server.scope);
    let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
    let accept = |url: &str| pending.accept(client, Callback::url(url), now()).into();
    let callback = listener.accept(PATIENCE, accept);

    let profile = tempfile::tempdir().unwrap();
    let mut driver =
        Process::spawn("chromedriver", Command::new("chromedriver").arg("--port=0"), "", "successfully on port ");
    let port = driver.said().await;
    let port = port.trim_end_matches('.');
    let capabilities = capabilities(profile.path().to_str().unwrap());
    let chromium = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities.as_object().unwrap().clone())
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .unwrap();
    let pressed = tokio::spawn(press(chromium.clone(), url.to_string(), world.clone()));
    let code = tokio::select! {
        code = callback => code,
        // Only a failure ends before there is a callback.
        Err(error) = pressed => {
            drop(chromium.close().await);
            std::panic::resume_unwind(error.into_panic());
        }
    };
    chromium.close().await.unwrap();
    let code = code.unwrap().unwrap();
    world.exchange(client, code.redeem(client, now()).unwrap()).await.unwrap();
}

/// Fills in and presses what a person would.
async fn press(chromium: Chromium, url: String, world: World) {
    let labels = world.server.labels;
    chromium.goto(&url).await.unwrap();
    if !labels.log_in.is_empty() {
        let name = "input[name=login], input[name=username]";
        await_element(&chromium, Locator::Css(name)).await.send_keys(USER).await.unwrap();
        let password = Locator::Css("input[type=password]");
        await_element(&chromium, password).await.send_keys(PASSWORD).await.unwrap();
        press_button(&chromium, labels.log_in).await;
    }
    press_button(&chromium, labels.allow).await;
}

async fn press_button(chromium: &Chromium, label: &str) {
    let button = format!(
        "//button[normalize-space()='{label}'] | //input[@type='submit'][@value='{label}']"
    );
    await_element(chromium, Locator::XPath(&button)).await.click().await.unwrap();
}

async fn await_element(chromium: &Chromium, what: Locator<'_>) -> Element {
    let wait = chromium.wait().at_most(PATIENCE);
    match wait.for_element(what).await {
        Ok(element) => element,
        Err(error) => {
            let page = chromium.source().await.unwrap_or_default();
            panic!("{what:?} does not appear: {error}\n{page}");
        }
    }
}

/// A browser without a screen or a memory, which reaches nothing but this machine.
fn capabilities(profile: &str) -> Value {
    json!({
        "goog:chromeOptions": {
            "args": [
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--disable-background-networking",
                "--disable-component-update",
                "--no-first-run",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                format!("--user-data-dir={profile}"),
            ],
        },
    })
}
