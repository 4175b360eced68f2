//! The store in an SQLite database: what all stores promise, and what only this one can break.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod conformance;
#[cfg(unix)]
#[path = "sqlite/guard.rs"]
mod guard;
mod process;

use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use conformance::{Engine, conformance, loaded, stored};
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Unknown};
use oauth2_proto_stores::rusqlite::{Connection, ErrorCode};
use oauth2_proto_stores::{SqliteError, SqliteStore};
use process::{Shared, address, processes, spawn, tell};
use tempfile::TempDir;
use tokio::task::JoinSet;

struct Sqlite(TempDir);

impl Engine for Sqlite {
    type Store = SqliteStore;

    async fn create() -> Self {
        Self::new()
    }

    async fn open(&self) -> SqliteStore {
        Self::open_at(&self.address()).await
    }
}

conformance!(Sqlite);

impl Shared for Sqlite {
    fn address(&self) -> String {
        self.path("logins").into_os_string().into_string().unwrap()
    }

    async fn open_at(address: &str) -> SqliteStore {
        SqliteStore::open(address).unwrap()
    }
}

processes!(Sqlite);

impl Sqlite {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).unwrap();
        let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
        let mut names: Vec<_> = entries.map(|entry| name(entry.unwrap())).collect();
        names.sort();
        names
    }

    /// Why it can't be opened.
    fn refusal(&self) -> SqliteError {
        SqliteStore::open(self.path("logins")).unwrap_err()
    }

    /// The database, as others use it.
    fn sql(&self, statements: &str) -> Connection {
        let connection = Connection::open(self.path("logins")).unwrap();
        set_mode(&self.path("logins"), 0o600);
        connection.execute_batch(statements).unwrap();
        connection
    }
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

/// The store, and the errors that it has shown.
fn observed(store: SqliteStore) -> (SqliteStore, Receiver<String>) {
    let (sender, shown) = channel();
    (store.with_observer(move |error| drop(sender.send(error.to_string()))), shown)
}

async fn swap(store: &SqliteStore) -> Result<Swapped, Unknown> {
    store.swap("bob", None, Some(Record::new("his"))).await
}

#[test]
fn it_needs_no_runtime() {
    let database = Sqlite::new();
    futures_lite::future::block_on(async {
        let store = database.open().await;
        let version = stored(&store, "alice", None, Some(b"hers")).await;
        assert_eq!(loaded(&store, "alice").await, Some((version, b"hers".to_vec())));
    });
}

#[tokio::test]
async fn what_was_stored_is_there_when_it_is_opened_again() {
    let database = Sqlite::new();
    let version = stored(&database.open().await, "alice", None, Some(b"hers")).await;
    // The last one to close it has tidied up.
    assert_eq!(database.files(), ["logins"]);
    assert_eq!(loaded(&database.open().await, "alice").await, Some((version, b"hers".to_vec())));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_may_make_it_at_once() {
    for _ in 0..5 {
        let database = Sqlite::new();
        let mut opening = JoinSet::new();
        for number in 0..8 {
            let address = database.address();
            opening.spawn_blocking(move || (number, SqliteStore::open(address).unwrap()));
        }
        while let Some(opened) = opening.join_next().await {
            let (number, store) = opened.unwrap();
            stored(&store, &format!("user {number}"), None, Some(b"")).await;
        }
    }
}

#[test]
fn a_directory_that_is_not_there_is_not_made() {
    let database = Sqlite::new();
    let refusal = SqliteStore::open(database.path("nowhere").join("logins")).unwrap_err();
    assert!(matches!(refusal, SqliteError::File(error) if error.to_string().contains("nowhere")));
    assert_eq!(database.files(), [""; 0]);
}

#[test]
fn what_is_no_database_of_logins_is_refused_and_kept() {
    let database = Sqlite::new();
    fs::write(database.path("logins"), "a diary, and long enough for a header".repeat(50)).unwrap();
    set_mode(&database.path("logins"), 0o600);
    let before = fs::read(database.path("logins")).unwrap();
    let refusal = database.refusal();
    assert_eq!(refusal.to_string(), "SQLite: file is not a database");
    assert!(matches!(refusal, SqliteError::Sqlite(error)
        if error.sqlite_error_code() == Some(ErrorCode::NotADatabase)));
    assert_eq!(fs::read(database.path("logins")).unwrap(), before);

    let foreign = [
        "CREATE TABLE diary (day TEXT)",
        "PRAGMA user_version = 1",
        "PRAGMA application_id = 1",
        "CREATE TABLE login (key TEXT, version BLOB, record BLOB); PRAGMA user_version = 1",
    ];
    for statements in foreign {
        fs::remove_file(database.path("logins")).unwrap();
        database.sql(statements);
        let before = fs::read(database.path("logins")).unwrap();
        assert!(matches!(database.refusal(), SqliteError::Foreign));
        let expected = "this is a database of something else: name another file";
        assert_eq!(database.refusal().to_string(), expected);
        assert_eq!(fs::read(database.path("logins")).unwrap(), before);
        assert_eq!(database.files(), ["logins"]);
    }
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = Sqlite::new();
    drop(database.open().await);
    database.sql("PRAGMA user_version = 2");
    let before = fs::read(database.path("logins")).unwrap();
    assert!(matches!(database.refusal(), SqliteError::Newer));
    let expected = "a newer version of this program has made this database";
    assert_eq!(database.refusal().to_string(), expected);
    assert_eq!(fs::read(database.path("logins")).unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_writer_is_waited_for_but_not_for_ever_and_not_by_readers() {
    if let Some(address) = address() {
        let connection = Connection::open(address).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE; DELETE FROM login").unwrap();
        tell("writing");
        // Until it is killed.
        return core::future::pending().await;
    }
    let database = Sqlite::new();
    let (store, shown) = observed(database.open().await);
    let version = stored(&store, "alice", None, Some(b"hers")).await;
    let login = Some((version, b"hers".to_vec()));
    let test = "a_writer_is_waited_for_but_not_for_ever_and_not_by_readers";
    let mut writer = spawn(test, &database.address());
    assert_eq!(writer.told().next().unwrap(), "writing");

    let (patience, start) = (Duration::from_millis(50), Instant::now());
    let hasty = store.clone().with_patience(patience);
    let (one, two) = tokio::join!(swap(&hasty), swap(&hasty));
    assert_eq!((one.unwrap_err(), two.unwrap_err()), (Unknown, Unknown));
    assert!(start.elapsed() >= patience && start.elapsed() < Duration::from_secs(4));
    assert_eq!(shown.recv().unwrap(), "SQLite: database is locked");
    assert_eq!(loaded(&store, "alice").await, login);

    let waiting = store.clone().with_patience(Duration::MAX);
    let waiting = tokio::spawn(async move { swap(&waiting).await });
    for _ in 0..10 {
        // Neither the other process nor the task that waits for it is in the way.
        assert_eq!(loaded(&store, "alice").await, login);
    }
    assert!(!waiting.is_finished());
    drop(writer);
    waiting.await.unwrap().unwrap();
    assert_eq!(loaded(&store, "alice").await, login);
}

#[tokio::test]
async fn an_error_does_not_last() {
    let database = Sqlite::new();
    let (store, shown) = observed(database.open().await);
    let version = stored(&store, "alice", None, Some(b"hers")).await;
    database.sql("ALTER TABLE login RENAME TO logins");
    assert_eq!(store.load("alice").await.unwrap_err(), Unknown);
    assert!(shown.recv().unwrap().contains("no such table"));
    assert_eq!(swap(&store).await.unwrap_err(), Unknown);
    assert!(shown.recv().unwrap().contains("no such table"));
    database.sql("ALTER TABLE logins RENAME TO login");
    assert_eq!(loaded(&store, "alice").await, Some((version, b"hers".to_vec())));
    swap(&store).await.unwrap();
}

#[tokio::test]
async fn what_is_deleted_or_replaced_is_overwritten() {
    let database = Sqlite::new();
    let canary = b"canary-c5d1".repeat(700);
    let store = database.open().await;
    let version = stored(&store, "alice", None, Some(&canary)).await;
    stored(&store, "alice", Some(version), Some(b"hers")).await;
    let version = stored(&store, "bob", None, Some(&canary)).await;
    stored(&store, "bob", Some(version), None).await;
    drop(store);
    assert_eq!(database.files(), ["logins"]);
    let bytes = fs::read(database.path("logins")).unwrap();
    assert!(!bytes.windows(11).any(|window| window == b"canary-c5d1"));
}
