//! Who may read the database, and what only Unix can do to it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;

use oauth2_proto::Unknown;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto_stores::{SqliteError, SqliteStore};

use crate::conformance::{Engine, loaded, stored};
use crate::process::{Shared, address, start, tell};
use crate::{Sqlite, observed, set_mode, swap};

#[tokio::test]
async fn its_files_are_for_their_owner_only() {
    let database = Sqlite::new();
    let store = database.open().await;
    stored(&store, "alice", None, Some(b"hers")).await;
    assert_eq!(database.files(), ["logins", "logins-shm", "logins-wal"]);
    for name in database.files() {
        assert_eq!(fs::metadata(database.path(&name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn what_others_can_read_or_change_is_refused_whenever_it_is_used() {
    let database = Sqlite::new();
    let (store, shown) = observed(database.open().await);
    stored(&store, "alice", None, Some(b"hers")).await;
    // Who closes a database last takes the files away that lie beside it.
    let _other = database.open().await;
    for name in database.files() {
        for open_to_others in [0o640, 0o604, 0o602] {
            set_mode(&database.path(&name), open_to_others);
            let expected = format!("{name}: others may read or change this file");
            assert!(database.refusal().to_string().contains(&expected));
            assert!(matches!(database.refusal(), SqliteError::File(_)));
            assert_eq!(store.load("alice").await.unwrap_err(), Unknown);
            assert!(shown.recv().unwrap().contains(&expected));
            assert_eq!(swap(&store).await.unwrap_err(), Unknown);
            assert!(shown.recv().unwrap().contains(&expected));
        }
        set_mode(&database.path(&name), 0o600);
    }
    swap(&store).await.unwrap();
}

#[test]
fn links_are_not_followed() {
    let database = Sqlite::new();
    for name in ["logins", "logins-wal", "logins-shm"] {
        symlink(database.path("elsewhere"), database.path(name)).unwrap();
        let refusal = database.refusal().to_string();
        assert!(refusal.contains(&format!("{name}: this is a symbolic link")), "{refusal}");
        fs::remove_file(database.path(name)).unwrap();
    }
    assert_eq!(database.files(), [""; 0]);
}

#[tokio::test]
async fn a_database_that_was_deleted_is_made_anew() {
    let database = Sqlite::new();
    let store = database.open().await;
    for _ in 0..2 {
        stored(&store, "alice", None, Some(b"hers")).await;
        assert!(loaded(&store, "alice").await.is_some());
        for name in database.files() {
            fs::remove_file(database.path(&name)).unwrap();
        }
    }
    // Whoever opens it now sees what it sees.
    let version = stored(&store, "alice", None, Some(b"new")).await;
    let now = Some((version, b"new".to_vec()));
    assert_eq!(loaded(&store, "alice").await, now);
    assert_eq!(loaded(&database.open().await, "alice").await, now);
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_login() {
    if let Some(address) = address() {
        let (store, shown) = observed(SqliteStore::open(&address).unwrap());
        let version = stored(&store, "alice", None, Some(b"hers")).await;
        let new = Some(Record::new(vec![0; 1024 * 1024]));
        assert_eq!(store.swap("alice", Some(version), new).await.unwrap_err(), Unknown);
        assert!(shown.recv().unwrap().starts_with("SQLite: "));
        assert_eq!(loaded(&store, "alice").await, Some((version, b"hers".to_vec())));
        swap(&store).await.unwrap();
        return tell("the old login is there");
    }
    let database = Sqlite::new();
    // As a disk that is full, a limit lets a write begin and not end.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 400; exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap());
    let mut child = start(command, "guard::a_full_disk_leaves_the_old_login", &database.address());
    assert_eq!(child.told().collect::<Vec<_>>(), ["the old login is there"]);
    assert!(loaded(&database.open().await, "bob").await.is_some());
}

#[tokio::test]
async fn names_that_mean_something_to_sqlite_are_names_of_files() {
    let names = [":memory:", "file:a?mode=memory", "-wal"];
    if address().is_some() {
        for name in names {
            stored(&SqliteStore::open(name).unwrap(), "alice", None, Some(b"hers")).await;
        }
        return tell("stored");
    }
    let database = Sqlite::new();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.current_dir(&database.0);
    let test = "guard::names_that_mean_something_to_sqlite_are_names_of_files";
    let told: Vec<_> = start(command, test, "").told().collect();
    assert_eq!(told, ["stored"]);
    assert_eq!(database.files(), ["-wal", ":memory:", "file:a?mode=memory"]);
}
