//! glewlwyd: C, with habits of its own. It is set up over its API, as its administration page does.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

use http::Method;
use http::header::{CONTENT_TYPE, LOCATION};
use oauth2_proto_reqwest::loopback::LoopbackListener;
use oauth2_proto_reqwest::reqwest::{Client, Url};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::{Act, Endpoints, Labels, Pages, Running, as_it_is, folder};
use crate::browser::Browser;
use crate::process::{Process, bound};
use crate::registered::{CLIENTS, PASSWORD, REDIRECT_URI, Registered, USER};
use crate::world::builder;

pub(crate) const NAME: &str = "glewlwyd";
pub(crate) const VERSION: &str = "2.7.5";

const CONFIGURATION: &str = include_str!("../glewlwyd/glewlwyd.conf");
const PLUGIN: &str = include_str!("../glewlwyd/plugin.json");

/// Where Debian's package puts things.
const LIBRARY: &str = "/usr/lib/glewlwyd";
const WEBAPP: &str = "/usr/share/glewlwyd/webapp";
const SCHEMA: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";

pub(crate) async fn start(listener: LoopbackListener) -> Option<Running> {
    if ![LIBRARY, WEBAPP, SCHEMA].iter().all(|path| Path::new(path).exists()) {
        return None;
    }
    let version = Command::new("glewlwyd").arg("--version").output().unwrap().stdout;
    assert_eq!(String::from_utf8_lossy(&version).trim(), VERSION);
    let home = folder();
    prepare(home.path());
    let (origin, process) = listen(home.path()).await;
    let administrator = builder().cookie_store(true).build().unwrap();
    let administrator = Api { http: administrator, base: format!("{origin}/api") };
    administrator.log_in("admin", "password").await;
    set_up(&administrator, &origin, listener.redirect_uri()).await;
    Some(Running {
        issuer: Some(origin.clone()),
        origin,
        endpoints: Endpoints {
            authorization: "/api/oidc/auth",
            token: "/api/oidc/token",
            revocation: Some("/api/oidc/revoke"),
            resource: Some("/api/oidc/userinfo"),
        },
        pages: Pages::Glewlwyd,
        // No button says no.
        labels: Labels { allow: "Continue", deny: None },
        acts: &[
            Act::Fill("username", USER),
            Act::Fill("password", PASSWORD),
            Act::Press("OK"),
            Act::Check,
            Act::Press("Grant access"),
            Act::Press("Continue"),
        ],
        scope: "read",
        service_scope: "read",
        registered: as_it_is,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new((process, home)),
    })
}

/// Lays out what it reads: its pages, and an empty database.
fn prepare(home: &Path) {
    fs::create_dir(home.join("none")).unwrap();
    let webapp = home.join("webapp");
    run(Command::new("cp").arg("-rL").arg(WEBAPP).arg(&webapp));
    // Debian's package has a folder where the pages expect the file that is in it.
    let configuration = webapp.join("config.json");
    if configuration.is_dir() {
        let misplaced = webapp.join("misplaced");
        fs::rename(&configuration, &misplaced).unwrap();
        fs::copy(misplaced.join("config.json"), &configuration).unwrap();
    }
    let schema = fs::File::open(SCHEMA).unwrap();
    run(Command::new("sqlite3").arg(home.join("glewlwyd.db")).stdin(schema));
}

fn run(command: &mut Command) {
    let status = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// Starts it on a free port. It takes none but one that is named, so somebody may be quicker: then
/// another one.
async fn listen(home: &Path) -> (String, Process) {
    for _ in 0..10 {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let configuration = home.join("glewlwyd.conf");
        let text = CONFIGURATION
            .replace("PORT", &port.to_string())
            .replace("HOME", home.to_str().unwrap())
            .replace("LIBRARY", LIBRARY);
        fs::write(&configuration, text).unwrap();
        let mut command = bound("glewlwyd");
        command.arg("-c").arg(&configuration);
        let mut process = Process::spawn(NAME, &mut command, "", "");
        while !process.has_ended() {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
                return (format!("http://127.0.0.1:{port}"), process);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    panic!("glewlwyd ends again and again: see its log");
}

async fn set_up(administrator: &Api, origin: &str, redirect_uri: &str) {
    let key = KeyPair::generate().unwrap();
    let mut plugin: Value = serde_json::from_str(PLUGIN).unwrap();
    plugin["parameters"]["iss"] = origin.into();
    plugin["parameters"]["key"] = key.serialize_pem().into();
    plugin["parameters"]["cert"] = key.public_key_pem().into();
    administrator.call(Method::POST, "/mod/plugin", &plugin).await;
    for scope in ["read", "write"] {
        let scope = json!({ "name": scope, "display_name": scope, "password_required": false });
        administrator.call(Method::POST, "/scope", &scope).await;
    }
    let user = json!({
        "username": USER,
        "password": PASSWORD,
        "name": USER,
        "scope": ["openid", "read", "write", "g_profile"],
        "enabled": true,
    });
    administrator.call(Method::POST, "/user", &user).await;
    for client in &CLIENTS {
        let client = registration(client, redirect_uri);
        administrator.call(Method::POST, "/client", &client).await;
    }
}

fn registration(client: &Registered, redirect_uri: &str) -> Value {
    let grants = match client.grant {
        "authorization_code" => json!(["code", "refresh_token", "delete_token"]),
        other => json!([other, "refresh_token", "delete_token"]),
    };
    let mut registration = json!({
        "client_id": client.id,
        "name": client.id,
        "confidential": client.secret.is_some(),
        "redirect_uri": [REDIRECT_URI, redirect_uri],
        "authorization_type": grants,
        "token_endpoint_auth_method": [client.authentication],
        "scope": ["read"],
        "enabled": true,
    });
    if let Some(secret) = client.secret {
        registration["client_secret"] = secret.into();
        registration["password"] = secret.into();
    }
    registration
}

/// Glewlwyd's own API, with somebody's session.
struct Api {
    http: Client,
    base: String,
}

impl Api {
    async fn log_in(&self, user: &str, password: &str) {
        let credentials = json!({ "username": user, "password": password });
        self.call(Method::POST, "/auth", &credentials).await;
    }

    async fn call(&self, method: Method, path: &str, body: &Value) {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status} {text}");
    }
}

/// What its page does when a person logs in and consents: the page is a script, and calls these.
pub(crate) async fn visit(browser: &Browser, url: Url) -> String {
    let page = location(browser, url.clone()).await;
    let page = url.join(&page).unwrap();
    let parameter = |name: &str| {
        let found = page.query_pairs().find(|(own, _)| own == name);
        found.unwrap_or_else(|| panic!("no {name} in {page}")).1.into_owned()
    };
    let base = url.join("/api").unwrap().to_string();
    let api = Api { http: browser.http.clone(), base };
    api.log_in(USER, PASSWORD).await;
    let (client, scope) = (parameter("client_id"), parameter("scope"));
    api.call(Method::PUT, &format!("/auth/grant/{client}"), &json!({ "scope": scope })).await;
    let mut back = Url::parse(&parameter("callback_url")).unwrap();
    back.query_pairs_mut().append_key_only("g_continue");
    location(browser, back).await
}

async fn location(browser: &Browser, url: Url) -> String {
    let answer = browser.http.get(url.clone()).send().await.unwrap();
    let Some(location) = answer.headers().get(LOCATION) else {
        panic!("{url}: {} {}", answer.status(), answer.text().await.unwrap());
    };
    location.to_str().unwrap().to_owned()
}
