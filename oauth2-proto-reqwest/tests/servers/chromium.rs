//! A login in headless Chromium, over Debian's chromedriver.

use core::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client as Chromium, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use oauth2_proto::{Callback, Client};
use serde_json::{Value, json};

use crate::process::{Process, bound};
use crate::server::Act;
use crate::world::{World, now};

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a login may take.
const LIMIT: Duration = Duration::from_secs(90);

/// Whether there is a driver, and hence a browser.
pub(crate) fn is_installed() -> bool {
    bound("chromedriver").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Logs in: the callback arrives at the loopback listener, as it does in an app.
pub(crate) async fn log_in(world: &World, client: &Client) {
    let listener = world.server.listener.lock().unwrap().take().unwrap();
    let request = client.authorize(listener.redirect_uri()).scope(world.server.scope);
    let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
    let accept = |url: &str| pending.accept(client, Callback::url(url), now()).into();
    let callback = listener.accept(LIMIT, accept);

    let profile = tempfile::tempdir().unwrap();
    let mut driver = Process::spawn(
        "chromedriver",
        bound("chromedriver").arg("--port=0"),
        "",
        "successfully on port ",
    );
    let port = driver.said().await;
    let port = port.trim_end_matches('.');
    let capabilities = capabilities(profile.path().to_str().unwrap());
    let chromium = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities.as_object().unwrap().clone())
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .unwrap();
    let pressed = tokio::spawn(act(chromium.clone(), url.to_string(), world.server.acts));
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

/// Does what a person would.
async fn act(chromium: Chromium, url: String, acts: &[Act]) {
    chromium.goto(&url).await.unwrap();
    for act in acts {
        match act {
            Act::Fill(name, text) => {
                let field = format!("input[name='{name}']");
                let field = await_element(&chromium, Locator::Css(&field)).await;
                field.send_keys(text).await.unwrap();
            }
            Act::Check => {
                let boxes = Locator::Css("input[type=checkbox]:not(:checked)");
                await_element(&chromium, boxes).await;
                for unmarked in chromium.find_all(boxes).await.unwrap() {
                    unmarked.click().await.unwrap();
                }
            }
            Act::Press(label) => press(&chromium, label).await,
        }
    }
}

async fn press(chromium: &Chromium, label: &str) {
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
            let url = chromium.current_url().await;
            let body = Locator::Css("body");
            let text = match chromium.find(body).await {
                Ok(body) => body.text().await.unwrap_or_default(),
                Err(_) => String::new(),
            };
            panic!("{what:?} does not appear: {error}; at {url:?}:\n{text}");
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
                // It ends with its driver.
                "--remote-debugging-pipe",
                "--lang=en",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
                format!("--user-data-dir={profile}"),
            ],
        },
    })
}
