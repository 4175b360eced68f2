//! A person with headless Chromium, over Debian's chromedriver.

use core::time::Duration;

use fantoccini::elements::Element;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, bound};
use crate::provider::{PASSWORD, USER};

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A browser with a memory of its own. It ends when this is dropped.
pub(crate) struct Browser {
    pub(crate) chromium: Client,
    _driver: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts it; `None` where Chromium is not installed.
    pub(crate) async fn start(name: &str) -> Option<Self> {
        let version = bound("chromedriver").arg("--version").output();
        if !version.is_ok_and(|output| output.status.success()) {
            println!("skipped: Chromium is not installed: run .ci/servers.sh");
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let mut command = bound("chromedriver");
        let mut driver = Process::spawn(name, command.arg("--port=0"), "", "successfully on port ");
        let port = driver.said().await;
        let port = port.trim_end_matches('.');
        let capabilities = capabilities(profile.path().to_str().unwrap());
        let chromium = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self { chromium, _driver: driver, _profile: profile })
    }

    pub(crate) async fn goto(&self, url: &str) {
        self.chromium.goto(url).await.unwrap();
    }

    pub(crate) async fn url(&self) -> String {
        self.chromium.current_url().await.unwrap().into()
    }

    /// Says who they are on the provider's page, if it does not know.
    pub(crate) async fn log_in(&self) {
        for (name, text) in [("login", USER), ("password", PASSWORD)] {
            let field = format!("input[name='{name}']");
            self.element(Locator::Css(&field)).await.send_keys(text).await.unwrap();
        }
        self.press("Sign-in").await;
    }

    /// Presses a button, or follows a link.
    pub(crate) async fn press(&self, label: &str) {
        let is = format!("normalize-space()='{label}'");
        let path = format!("//button[{is}] | //a[{is}]");
        self.element(Locator::XPath(&path)).await.click().await.unwrap();
    }

    /// What an element says, once it is there.
    pub(crate) async fn text(&self, id: &str) -> String {
        self.element(Locator::Id(id)).await.text().await.unwrap()
    }

    /// Waits until the page has this title.
    pub(crate) async fn sees(&self, title: &str) {
        let path = format!("//h1[normalize-space()='{title}']");
        self.element(Locator::XPath(&path)).await;
    }

    pub(crate) async fn reads(&self) -> String {
        self.element(Locator::Css("body")).await.text().await.unwrap()
    }

    /// Its session at the application whose page it shows.
    pub(crate) async fn session(&self) -> Option<String> {
        let cookies = self.chromium.get_all_cookies().await.unwrap();
        let cookie = cookies.into_iter().find(|cookie| cookie.name() == crate::wire::SESSION)?;
        Some(cookie.value().to_owned())
    }

    pub(crate) async fn close(self) {
        self.chromium.close().await.unwrap();
    }

    async fn element(&self, what: Locator<'_>) -> Element {
        match self.chromium.wait().at_most(PATIENCE).for_element(what).await {
            Ok(element) => element,
            Err(error) => {
                let url = self.chromium.current_url().await;
                let source = self.chromium.source().await.unwrap_or_default();
                panic!("{what:?} does not appear: {error}; at {url:?}:\n{source}");
            }
        }
    }
}

/// A browser without a screen, which reaches nothing but this machine.
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
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
                format!("--user-data-dir={profile}"),
            ],
        },
    })
}
