//! The example as a process.

use core::sync::atomic::{AtomicUsize, Ordering};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::process::{Process, bound};
use crate::provider::Provider;

/// An instance of the application. It is killed when this is dropped.
pub(crate) struct Instance {
    /// What it calls itself.
    pub(crate) url: String,
    /// Where it listens.
    pub(crate) listening: String,
    _process: Process,
}

/// How an instance is started.
pub(crate) struct Arguments<'p> {
    pub(crate) provider: Option<&'p Provider>,
    pub(crate) redis: Option<String>,
    pub(crate) port: u16,
    pub(crate) public_url: Option<String>,
    pub(crate) store: Option<PathBuf>,
    /// What else there is to say.
    pub(crate) more: Vec<String>,
    pub(crate) key: Key,
}

/// The key of some instances.
#[derive(Clone)]
pub(crate) struct Key(Arc<TempDir>);

impl Key {
    pub(crate) fn new(byte: u8) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("key"), STANDARD.encode([byte; 32])).unwrap();
        Self(folder.into())
    }
}

impl Default for Arguments<'_> {
    /// With all that it brings along.
    fn default() -> Self {
        let key = Key::new(7);
        let (provider, redis, public_url, store) = (None, None, None, None);
        Self { provider, redis, port: 0, public_url, store, more: Vec::new(), key }
    }
}

impl Arguments<'_> {
    pub(crate) fn with_key(self, key: &Key) -> Self {
        Self { key: key.clone(), ..self }
    }

    pub(crate) async fn start(&self) -> Instance {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let name = format!("web-{}", STARTED.fetch_add(1, Ordering::Relaxed));
        let mut command = example();
        command.args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command.arg("--key-file").arg(self.key.0.path().join("key"));
        if let Some(provider) = self.provider {
            command.env("CLIENT_SECRET", crate::provider::SECRET).args(provider.arguments());
        }
        if let Some(url) = &self.redis {
            command.env("REDIS_URL", url);
        }
        if let Some(url) = &self.public_url {
            command.args(["--public-url", url]);
        }
        if let Some(path) = &self.store {
            command.arg("--store").arg(path);
        }
        command.args(&self.more);
        let mut process = Process::spawn(&name, &mut command, "", "listening on ");
        let said = process.said().await;
        let (listening, url) = said.split_once(", open ").unwrap();
        let url = url.trim_end_matches('/').to_owned();
        Instance { url, listening: listening.to_owned(), _process: process }
    }
}

impl Instance {
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// An instance that brings all along.
pub(crate) async fn start() -> Instance {
    Arguments::default().start().await
}

/// The example, about to be started. `cargo test` builds it, unless told to build this test only:
/// then it is built here.
pub(crate) fn example() -> Command {
    static BUILDING: Mutex<()> = Mutex::new(());
    let tests = std::env::current_exe().unwrap();
    let profile = tests.ancestors().nth(2).unwrap();
    let binary = profile.join(format!("examples/web{}", std::env::consts::EXE_SUFFIX));
    let building = BUILDING.lock().unwrap();
    if !binary.exists() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", env!("CARGO_PKG_NAME"), "--example", "web"]);
        build.arg("--target-dir").arg(profile.parent().unwrap());
        assert!(build.status().unwrap().success());
    }
    drop(building);
    let mut command = bound(binary.to_str().unwrap());
    command.stdout(Stdio::piped());
    command
}
