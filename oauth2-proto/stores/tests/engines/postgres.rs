//! A PostgreSQL of one's own: Debian's, in a temporary folder.

#[path = "process.rs"]
pub(crate) mod process;

use core::net::{Ipv4Addr, SocketAddr};
use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use oauth2_proto_stores::deadpool_postgres::tokio_postgres::{Client, NoTls, connect};
use process::{Process, bound, free_port, signal_to};
use tempfile::TempDir;

/// Nobody may know it but who connects.
pub(crate) const PASSWORD: &str = "swordfish-of-postgres";

/// A running server.
pub(crate) struct Server {
    process: Option<Process>,
    folder: TempDir,
    port: u16,
    programs: PathBuf,
    user: Option<User>,
}

/// Whom the server runs as, where the tests run as root: PostgreSQL does not.
struct User {
    name: &'static str,
    id: u32,
    group: u32,
}

impl Server {
    /// Whether PostgreSQL is installed. Where not, it says so.
    pub(crate) fn is_installed() -> bool {
        programs().is_some()
    }

    /// The server that tests share which do it no harm; none where PostgreSQL is not installed.
    pub(crate) fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return Some(server);
        }
        let server = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&server);
        Some(server)
    }

    /// A server; none where PostgreSQL is not installed.
    pub(crate) fn start() -> Option<Self> {
        let programs = programs()?;
        let (folder, user) = (TempDir::new().unwrap(), User::instead_of_root());
        let mut server = Self { process: None, folder, port: 0, programs, user };
        server.initialise();
        // Somebody else may take the port first.
        for _ in 0..5 {
            server.port = free_port();
            match server.launch() {
                Ok(()) => return Some(server),
                Err(log) => println!("once more:\n{log}"),
            }
        }
        panic!("postgres does not start");
    }

    fn initialise(&self) {
        let password = self.folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        if let Some(user) = &self.user {
            for path in [self.folder.path(), &password] {
                chown(path, Some(user.id), Some(user.group)).unwrap();
            }
        }
        let mut command = self.program("INT", "initdb");
        command.arg("--pgdata").arg(self.data()).arg("--pwfile").arg(password);
        command.args(["--auth-host", "scram-sha-256", "--auth-local", "trust"]);
        command.args(["--username", "postgres", "--no-instructions"]);
        command.args(["--encoding", "UTF8", "--locale", "C", "--no-sync"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn launch(&mut self) -> Result<(), String> {
        let mut command = self.program("QUIT", "postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        command.args(["-h", "127.0.0.1", "-k"]).arg(self.folder.path());
        self.process = Some(Process::spawn(command, "system is ready to accept connections")?);
        Ok(())
    }

    fn program(&self, signal: &str, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = match &self.user {
            None => bound(signal, program),
            // The kernel forgets about the signal when the user changes.
            Some(user) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", user.name, "--regid", &user.group.to_string()]);
                command.args(["--clear-groups", "setpriv", "--pdeathsig", signal]).arg(program);
                command
            }
        };
        command.current_dir(self.folder.path());
        command
    }

    /// Ends it without warning: it has to recover when it is started again.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().end("QUIT");
    }

    /// Starts it anew, over what it has kept.
    pub(crate) fn restart(&mut self) {
        self.launch().unwrap();
    }

    /// Stops it from working, and from noticing that it does not.
    pub(crate) fn pause(&self) {
        self.signal_all("STOP");
    }

    pub(crate) fn resume(&self) {
        self.signal_all("CONT");
    }

    /// Each connection is a process of its own.
    fn signal_all(&self, signal: &str) {
        let id = self.process.as_ref().unwrap().id();
        signal_to(id, signal);
        let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let children = children.unwrap_or_default();
        for child in children.split_ascii_whitespace() {
            signal_to(child.parse().unwrap(), signal);
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub(crate) fn url(&self) -> String {
        format!("postgresql://postgres:{PASSWORD}@{}/postgres", self.address())
    }

    /// Over its Unix socket, which takes no password, and hence no time to derive a key from it.
    pub(crate) fn config(&self) -> String {
        format!("host={} port={} user=postgres", self.folder.path().display(), self.port)
    }

    /// For what a test does beside the store.
    pub(crate) async fn client(&self) -> Client {
        let (client, connection) = connect(&self.config(), NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killed, it would leave the processes of its connections behind for a while; paused, it would
        // not hear that it has to end.
        if self.process.is_some() {
            self.resume();
            self.kill();
        }
    }
}

impl User {
    fn instead_of_root() -> Option<Self> {
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            return None;
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap();
        ["postgres", "nobody"].into_iter().find_map(|name| {
            let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2).map(|field| field.parse().unwrap());
            Some(Self { name, id: fields.next()?, group: fields.next()? })
        })
    }
}

/// Where the newest PostgreSQL is. Where there is none, it says so.
fn programs() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let versions = folders.filter_map(|folder| {
        let path = folder.ok()?.path();
        let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let programs = path.join("bin");
        programs.join("initdb").exists().then_some((version, programs))
    });
    let newest = versions.max();
    if newest.is_none() {
        println!("skipped: there is no PostgreSQL in /usr/lib/postgresql");
    }
    newest.map(|(_, programs)| programs)
}
