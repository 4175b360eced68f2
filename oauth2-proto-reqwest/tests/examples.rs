//! The examples as a person runs them: processes, with a file that outlives them.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

#[path = "../examples/login/server.rs"]
#[expect(dead_code, reason = "it can do more than is needed here")]
mod server;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Mutex;

use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Version};
use oauth2_proto_reqwest::reqwest;
use oauth2_proto_stores::FileStore;
use rcgen::generate_simple_self_signed;
use serde_json::Value;
use server::{
    AuthorizationServer, CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, PUBLIC_CLIENT, Settings,
};
use tempfile::TempDir;

/// An example's binary, beside this one. `cargo test` builds it, unless told to build this test
/// only: then it is built here.
fn example(name: &str) -> Command {
    static BUILDING: Mutex<()> = Mutex::new(());
    let tests = std::env::current_exe().unwrap();
    let profile = tests.ancestors().nth(2).unwrap();
    let binary = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let building = BUILDING.lock().unwrap();
    if !binary.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", env!("CARGO_PKG_NAME"), "--example", name]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(build.status().unwrap().success());
    }
    drop(building);
    let mut command = Command::new(binary);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Under which the example keeps its login.
const KEY: &str = "login";

/// A directory of its own, and an authorization server.
struct World {
    directory: TempDir,
    server: AuthorizationServer,
}

impl World {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let server = AuthorizationServer::start(Settings::default()).await.unwrap();
        // Some certificate: a machine that has none can run these tests all the same.
        let own = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(directory.path().join("ca.pem"), own.cert.pem()).unwrap();
        Self { directory, server }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The example, about to log in at the server.
    fn login(&self, client_id: &str) -> Command {
        let mut command = example("login");
        command
            .env("SSL_CERT_FILE", self.path("ca.pem"))
            .env("NO_PROXY", "*")
            .args(["--authorization-url", &self.server.authorization_url()])
            .args(["--token-url", &self.server.token_url()])
            .args(["--resource-url", &self.server.resource_url()])
            .args(["--client-id", client_id, "--scope", "profile", "email"]);
        command
    }

    /// As `login`, without a person, and with a file.
    fn stored(&self, client_id: &str) -> Command {
        let mut command = self.login(client_id);
        command.arg("--auto-consent").arg("--store").arg(self.path("login.json"));
        command
    }

    fn store(&self) -> FileStore {
        FileStore::open(self.path("login.json")).unwrap()
    }

    async fn stored_login(&self) -> (Version, Value) {
        let (version, record) = self.store().load(KEY).await.unwrap().unwrap();
        (version, serde_json::from_slice(record.as_bytes()).unwrap())
    }

    /// What lies in the directory, but for the certificate.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.directory.path()).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.retain(|name| name != "ca.pem");
        names.sort();
        names
    }
}

/// Waits for a process where that does not keep the server from answering it.
async fn run(mut command: Command) -> Output {
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// What a process that succeeded has printed.
async fn printed(command: Command) -> String {
    let output = run(command).await;
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a process that failed has complained of.
async fn complaint(command: Command) -> String {
    let output = run(command).await;
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// Starts a process and reads the authorization URL that it prints.
async fn begun(mut command: Command) -> (Child, String) {
    let read = move || {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("   http://") {
            line.clear();
            assert_ne!(stdout.read_line(&mut line).unwrap(), 0, "it has ended");
        }
        // What it prints from here on goes to `ended`.
        child.stdout = Some(stdout.into_inner());
        (child, line.trim().to_owned())
    };
    tokio::task::spawn_blocking(read).await.unwrap()
}

async fn ended(child: Child) -> Output {
    tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap()
}

fn assert_in_order(text: &str, parts: &[&str]) {
    let mut rest = text;
    for part in parts {
        rest =
            rest.split_once(part).unwrap_or_else(|| panic!("no {part:?} in its place: {text}")).1;
    }
}

/// The members of this name, wherever they are.
fn members<'v>(value: &'v Value, name: &str, found: &mut Vec<&'v str>) {
    if let Value::Object(object) = value {
        for (key, value) in object {
            found.extend(value.as_str().filter(|_| key == name));
            members(value, name, found);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_no_further_set_up() {
    let mut command = example("login");
    // Not even certificates.
    command.arg("--auto-consent").env("SSL_CERT_FILE", "none").env("SSL_CERT_DIR", "none");
    let text = printed(command).await;
    assert_in_order(
        &text,
        &[
            "1. The authorization URL\n   http://127.0.0.1:",
            "code_challenge_method=S256",
            "2. Consent",
            "3. The callback\n   http://127.0.0.1:",
            "/callback?code=…&state=…\n",
            "4. The token, without its secret\n   type: Bearer\n   scope: profile\n   expires in: 3",
            "can be refreshed: yes\n",
            "5. The protected resource\n   200 OK\n   {\"hello\":\"alice\"}\n",
            "6. A refresh\n   type: Bearer\n   scope: profile\n   expires in: 3",
            "7. The protected resource again\n   200 OK\n   {\"hello\":\"alice\"}\n",
        ],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_workflow_works_by_hand() {
    let mut command = example("by_hand");
    command.arg("--auto");
    let text = printed(command).await;
    assert_in_order(&text, &["Log in at http://", "A token", "\"alice\"", "A new token"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_login_is_used_again() {
    let world = World::new().await;
    let first = printed(world.stored(PUBLIC_CLIENT)).await;
    assert_in_order(&first, &["1. The authorization URL", "scope: ", "alice", "alice"]);
    // The code, and the refresh.
    assert_eq!(world.server.token_requests(), 2);
    assert_eq!(world.files(), ["login.json", "login.json.lock"]);

    let second = printed(world.stored(PUBLIC_CLIENT)).await;
    assert_in_order(&second, &["1. There is a login already", "type: Bearer", "alice", "alice"]);
    assert!(!second.contains("authorization URL"));
    assert_eq!(world.server.token_requests(), 3);

    let (_, stored) = world.stored_login().await;
    let mut secrets = Vec::new();
    members(&stored, "access_token", &mut secrets);
    members(&stored, "RefreshToken", &mut secrets);
    assert_eq!(secrets.len(), 2);
    assert!(secrets.iter().all(|secret| !first.contains(secret) && !second.contains(secret)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stored_login_that_has_expired_is_refreshed() {
    let world = World::new().await;
    printed(world.stored(PUBLIC_CLIENT)).await;
    let (version, mut stored) = world.stored_login().await;
    let login = stored.pointer_mut("/V1/Authorized/tokens").unwrap();
    for moment in ["sent_at", "refresh_at", "expires_at"] {
        assert!(login[moment].is_u64());
        login[moment] = 1.into();
    }
    let record = Some(Record::new(stored.to_string()));
    let swapped = world.store().swap(KEY, Some(version), record).await.unwrap();
    assert!(matches!(swapped, Swapped::Stored(_)));

    let text = printed(world.stored(PUBLIC_CLIENT)).await;
    assert_in_order(&text, &["1. There is a login already", "expires in: 3", "alice", "alice"]);
    // The code and the refresh of the first run, then two refreshes.
    assert_eq!(world.server.token_requests(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_holds_no_login_is_refused() {
    let world = World::new().await;
    let file = world.path("login.json");
    printed(world.stored(PUBLIC_CLIENT)).await;
    fs::write(&file, "a diary").unwrap();
    let complaint = complaint(world.stored(PUBLIC_CLIENT)).await;
    assert!(complaint.contains("this is not a file of logins"), "{complaint}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "a diary");
    assert_eq!(world.server.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_login_of_another_client_is_refused() {
    let world = World::new().await;
    printed(world.stored(PUBLIC_CLIENT)).await;
    let complaint = complaint(world.stored("another")).await;
    assert!(complaint.contains("another client_id or authorization server"), "{complaint}");
    assert_eq!(world.server.token_requests(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_secret_of_a_confidential_client_is_read_from_a_file() {
    let world = World::new().await;
    let secret = world.path("secret");
    fs::write(&secret, format!("{CONFIDENTIAL_SECRET}\n")).unwrap();
    let mut command = world.stored(CONFIDENTIAL_CLIENT);
    command.arg("--client-secret-file").arg(&secret);
    let text = printed(command).await;
    assert_in_order(&text, &["scope: ", "alice", "alice"]);
    assert!(!text.contains(CONFIDENTIAL_SECRET));

    let mut command = world.stored(CONFIDENTIAL_CLIENT);
    command.args(["--client-secret", CONFIDENTIAL_SECRET]);
    assert!(complaint(command).await.contains("unexpected argument"));
}

#[tokio::test(flavor = "multi_thread")]
async fn parameters_reach_the_authorization_url() {
    let world = World::new().await;
    let mut command = world.login(PUBLIC_CLIENT);
    command.args(["--no-browser", "--param", "access_type=offline", "--param", "x=a=b c"]);
    let (mut child, url) = begun(command).await;
    child.kill().unwrap();
    ended(child).await;
    assert!(url.contains("scope=profile+email"), "{url}");
    assert!(url.ends_with("&access_type=offline&x=a%3Db+c"), "{url}");

    let mut command = world.login(PUBLIC_CLIENT);
    command.args(["--param", "state=mine"]);
    assert!(complaint(command).await.contains("parameter \"state\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_says_no_is_heard() {
    let world = World::new().await;
    let mut command = world.login(PUBLIC_CLIENT);
    command.arg("--no-browser").arg("--store").arg(world.path("login.json"));
    let (child, url) = begun(command).await;
    drop(rustls::crypto::ring::default_provider().install_default());
    let browser = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let form = browser.post(url).header("content-type", "application/x-www-form-urlencoded");
    let page = form.body("decision=deny").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("The login was not granted"), "{page}");
    let output = ended(child).await;
    assert!(!output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("access_denied"), "{complaint}");
    assert_eq!(world.files(), [""; 0]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_leaves_nothing_half_written() {
    let world = World::new().await;
    let mut command = world.login(PUBLIC_CLIENT);
    command.arg("--no-browser").arg("--store").arg(world.path("login.json"));
    let (child, _) = begun(command).await;
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let output = ended(child).await;
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "Error: interrupted\n");
    assert_eq!(world.files(), [""; 0]);
}

#[test]
fn secrets_have_no_argument() {
    let output = example("login").arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("--client-secret-file <FILE>"), "{help}");
    assert!(!help.contains("--client-secret <"), "{help}");
}
