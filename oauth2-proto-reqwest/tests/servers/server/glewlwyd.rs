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

use super::{Act, Endpoints, Expiry, Labels, Pages, Running, folder};
use crate::browser::{Browser, End};
use crate::process::{Process, bound};
use crate::registered::{
    CLIENTS, DEVICE_GRANT, HYBRID_GRANT, PASSWORD, REDIRECT_URI, Registered, USER,
};
use crate::world::builder;

pub(crate) const NAME: &str = "glewlwyd";
pub(crate) const VERSION: &str = "2.7.5";

const CONFIGURATION: &str = include_str!("../glewlwyd/glewlwyd.conf");
const PLUGIN: &str = include_str!("../glewlwyd/plugin.json");

const EXPIRE: &str = "UPDATE gpo_device_authorization SET gpoda_expires_at = 1";

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
        // What it says about itself is there.
        issuer: Some(format!("{origin}/api/oidc")),
        origin,
        mutual_tls: Err("takes certificates only where no endpoint is without TLS"),
        endpoints: Endpoints {
            authorization: "/api/oidc/auth",
            token: "/api/oidc/token",
            revocation: Some("/api/oidc/revoke"),
            introspection: Some("/api/oidc/introspect"),
            pushed_authorization: Some("/api/oidc/par"),
            registration: Some("/api/oidc/register"),
            device_authorization: Some("/api/oidc/device_authorization"),
            resource: Some("/api/oidc/userinfo"),
        },
        pages: Pages::Glewlwyd,
        // No button says no.
        labels: Labels { allow: "Continue", deny: None },
        device_labels: Labels { allow: "Continue", deny: None },
        expiry: Expiry::Database(home.path().join("glewlwyd.db"), EXPIRE),
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
        registered,
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
    plugin["parameters"]["iss"] = format!("{origin}/api/oidc").into();
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
    for client in CLIENTS.iter().filter_map(registered) {
        let client = registration(&client, redirect_uri);
        administrator.call(Method::POST, "/client", &client).await;
    }
}

/// Without those that have a certificate.
fn registered(it: &Registered) -> Option<Registered> {
    (!it.authentication.ends_with("tls_client_auth")).then_some(*it)
}

fn registration(client: &Registered, redirect_uri: &str) -> Value {
    // Its own names for what is allowed.
    let grants = match client.grant {
        "authorization_code" => &["code"][..],
        HYBRID_GRANT => &["code", "id_token"],
        "implicit" => &["token", "id_token"],
        DEVICE_GRANT => &["device_authorization"],
        other => &[other],
    };
    let grants = [grants, &["refresh_token", "delete_token"]].concat();
    let mut registration = json!({
        "client_id": client.id,
        "name": client.id,
        "confidential": client.secret.is_some(),
        "redirect_uri": [REDIRECT_URI, redirect_uri],
        "authorization_type": grants,
        "token_endpoint_auth_method": [client.authentication],
        "authorization_details_types": ["payment"],
        "scope": ["read"],
        "enabled": true,
    });
    if let Some(secret) = client.secret {
        registration["client_secret"] = secret.into();
        registration["password"] = secret.into();
    }
    if let Some(keys) = client.jwks() {
        registration["jwks"] = keys;
        registration["confidential"] = true.into();
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
pub(crate) async fn visit(browser: &Browser, url: Url) -> End {
    let answer = browser.get(&url).await;
    let Some(page) = answer.headers().get(LOCATION) else {
        panic!("{url}: {} {}", answer.status(), answer.text().await.unwrap());
    };
    let page = page.to_str().unwrap();
    if !page.contains("/login.html") {
        return End::Sent(page.to_owned());
    }
    let page = url.join(page).unwrap();
    let parameter = |name: &str| {
        let found = page.query_pairs().find(|(own, _)| own == name);
        found.unwrap_or_else(|| panic!("no {name} in {page}")).1.into_owned()
    };
    let base = url.join("/api").unwrap().to_string();
    let api = Api { http: browser.http.clone(), base };
    api.log_in(USER, PASSWORD).await;
    let (client, scope) = (parameter("client_id"), parameter("scope"));
    api.call(Method::PUT, &format!("/auth/grant/{client}"), &json!({ "scope": scope })).await;
    let types = page.query_pairs().find(|(name, _)| name == "authorization_details");
    for name in types.iter().flat_map(|(_, names)| names.split(',')) {
        api.call(Method::PUT, &format!("/oidc/rar/{client}/{name}/1"), &json!({})).await;
    }
    let mut back = Url::parse(&parameter("callback_url")).unwrap();
    back.query_pairs_mut().append_key_only("g_continue");
    browser.visit(back).await
}
