//! A Redis of one's own: Debian's `redis-server`, in a temporary folder.

#[path = "process.rs"]
pub(crate) mod process;

use core::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use oauth2_proto_stores::redis_rs::Client;
use process::{Process, bound, free_port};
use tempfile::TempDir;

/// Nobody may know it but who connects.
pub(crate) const PASSWORD: &str = "swordfish-of-redis";

/// A running server.
pub(crate) struct Server {
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
}

impl Server {
    /// Whether Redis is installed. Where not, it says so.
    pub(crate) fn is_installed() -> bool {
        let installed = Command::new("redis-server").arg("--version").output().is_ok();
        if !installed {
            println!("skipped: there is no redis-server");
        }
        installed
    }

    /// The server that tests share which do it no harm; none where Redis is not installed.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start(&[])?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server with these arguments besides; none where Redis is not installed.
    pub(crate) fn start(arguments: &[&str]) -> Option<Self> {
        if !Self::is_installed() {
            return None;
        }
        let folder = TempDir::new().unwrap();
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        let mut server = Self { process: None, folder, port: 0, arguments };
        // Somebody else may take the port first.
        for _ in 0..5 {
            server.port = free_port();
            match server.launch() {
                Ok(()) => return Some(server),
                Err(log) => println!("once more:\n{log}"),
            }
        }
        panic!("redis-server does not start");
    }

    fn launch(&mut self) -> Result<(), String> {
        let mut command = bound("KILL", "redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string()]);
        command.arg("--unixsocket").arg(self.socket()).args(["--requirepass", PASSWORD]);
        command.args(["--save", "", "--appendonly", "yes", "--appendfsync", "always"]);
        command.arg("--dir").arg(self.folder.path()).args(&self.arguments);
        self.process = Some(Process::spawn(command, "Ready to accept connections")?);
        Ok(())
    }

    /// Ends it without warning.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().end("KILL");
    }

    /// Starts it anew, over what it has kept.
    pub(crate) fn restart(&mut self) {
        self.launch().unwrap();
    }

    /// Stops it from working, and from noticing that it does not.
    pub(crate) fn pause(&self) {
        self.process.as_ref().unwrap().signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.process.as_ref().unwrap().signal("CONT");
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://:{PASSWORD}@{}/", self.address())
    }

    /// For what a test does beside the store.
    pub(crate) fn client(&self) -> Client {
        Client::open(self.url()).unwrap()
    }
}
