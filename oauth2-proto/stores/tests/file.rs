//! The store in a file: what all stores promise, and what only this one can break.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod conformance;
#[cfg(unix)]
#[path = "file/guard.rs"]
mod guard;
mod process;

use core::time::Duration;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use conformance::{Engine, conformance, loaded, stored};
use fs4::FileExt;
use oauth2_proto::Unknown;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto_stores::FileStore;
use process::{Shared, address, processes, spawn, tell};
use tempfile::TempDir;

struct InFile(TempDir);

impl Engine for InFile {
    type Store = FileStore;

    async fn create() -> Self {
        Self::new()
    }

    async fn open(&self) -> FileStore {
        Self::open_at(&self.address()).await
    }
}

conformance!(InFile);

impl Shared for InFile {
    fn address(&self) -> String {
        self.path("logins").into_os_string().into_string().unwrap()
    }

    async fn open_at(address: &str) -> FileStore {
        FileStore::open(address).unwrap()
    }
}

processes!(InFile);

impl InFile {
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

    /// A file that nobody else can read.
    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        set_mode(&path, 0o600);
    }

    /// Why it can't be opened.
    fn refusal(&self) -> String {
        FileStore::open(self.path("logins")).unwrap_err().to_string()
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
fn observed(store: FileStore) -> (FileStore, Receiver<(io::ErrorKind, String)>) {
    let (sender, shown) = channel();
    let observer = move |error: &io::Error| drop(sender.send((error.kind(), error.to_string())));
    (store.with_observer(observer), shown)
}

async fn swap(store: &FileStore) -> Result<oauth2_proto::Swapped, Unknown> {
    store.swap("bob", None, Some(Record::new("his"))).await
}

#[test]
fn it_needs_no_runtime() {
    let file = InFile::new();
    futures_lite::future::block_on(async {
        let store = file.open().await;
        let version = stored(&store, "alice", None, Some(b"hers")).await;
        assert_eq!(loaded(&store, "alice").await, Some((version, b"hers".to_vec())));
    });
}

#[tokio::test]
async fn opening_makes_no_file() {
    let file = InFile::new();
    assert_eq!(loaded(&file.open().await, "alice").await, None);
    stored(&file.open().await, "alice", None, None).await;
    assert_eq!(file.files(), ["logins.lock"]);
}

#[tokio::test]
async fn a_person_finds_a_login_by_its_key() {
    let file = InFile::new();
    let version = stored(&file.open().await, "alice", None, Some(b"hers")).await.number();
    let expected = format!(
        "{{\n  \"oauth2-proto-stores\": 1,\n  \"logins\": {{\n    \"alice\": {{\n      \
         \"version\": \"{version:032x}\",\n      \"record\": \"aGVycw==\"\n    }}\n  }}\n}}\n"
    );
    assert_eq!(fs::read_to_string(file.path("logins")).unwrap(), expected);
}

#[test]
fn a_file_that_holds_no_logins_is_refused_and_kept() {
    let contents = [
        "{",
        "[]",
        "null",
        "a diary",
        "\0\0\0\0",
        r#"{"logins":{}}"#,
        r#"{"oauth2-proto-stores":1}"#,
        r#"{"oauth2-proto-stores":"1","logins":{}}"#,
        r#"{"oauth2-proto-stores":1,"logins":[]}"#,
        r#"{"oauth2-proto-stores":1,"logins":{},"diary":""}"#,
        r#"{"oauth2-proto-stores":1,"logins":{"diary":{}}}"#,
        r#"{"oauth2-proto-stores":1,"logins":{}} diary"#,
    ];
    let file = InFile::new();
    for content in contents {
        file.write("logins", content);
        let refusal = file.refusal();
        assert!(refusal.ends_with("logins: this is not a file of logins: name another"));
        assert_eq!(fs::read_to_string(file.path("logins")).unwrap(), content);
    }
    file.write("logins", "");
    assert!(file.refusal().contains("logins: this file is empty"), "{}", file.refusal());
    file.write("logins", r#"{"oauth2-proto-stores":2,"users":[]}"#);
    assert!(file.refusal().contains("a newer version"), "{}", file.refusal());
    let huge = fs::File::create(file.path("logins")).unwrap();
    huge.set_len(64 * 1024 * 1024).unwrap();
    assert!(file.refusal().contains("too large"), "{}", file.refusal());
}

#[tokio::test]
async fn a_damaged_entry_damages_no_other() {
    let file = InFile::new();
    file.write(
        "logins",
        r#"{"oauth2-proto-stores":1,"logins":{
            "alice":{"version":"7","record":"a\/+/"},
            "bob":{"version":"secret","record":""},
            "carol":{"version":"8","record":"secret"}
        }}"#,
    );
    let (store, shown) = observed(file.open().await);
    for damaged in ["bob", "carol"] {
        assert_eq!(store.load(damaged).await.unwrap_err(), Unknown);
        let (kind, message) = shown.recv().unwrap();
        assert_eq!(kind, io::ErrorKind::InvalidData);
        assert!(message.ends_with(
            "the entry of this login is damaged: delete it to begin without \
                                   this login"
        ));
    }
    let (version, record) = loaded(&store, "alice").await.unwrap();
    assert_eq!((version.number(), &*record), (7, &b"k\xff\xbf"[..]));
    stored(&store, "alice", Some(version), Some(b"new")).await;
    assert!(fs::read_to_string(file.path("logins")).unwrap().contains("secret"));
}

#[tokio::test]
async fn what_a_killed_writer_left_is_deleted() {
    let file = InFile::new();
    file.write(".logins.0123456789ab.new", "half a login");
    file.write(".logins.ab.new", "not ours");
    file.write(".logins.0123456789ab", "not ours");
    file.write(".diary.0123456789ab.new", "not ours");
    // Unless another may be about to rename it.
    let lock = fs::File::create(file.path("logins.lock")).unwrap();
    set_mode(&file.path("logins.lock"), 0o600);
    FileExt::lock(&lock).unwrap();
    file.open().await;
    assert_eq!(file.files().len(), 5);
    drop(lock);
    file.open().await;
    assert_eq!(
        file.files(),
        [".diary.0123456789ab.new", ".logins.0123456789ab", ".logins.ab.new", "logins.lock"]
    );
}

#[tokio::test]
async fn another_process_is_waited_for_but_not_for_ever() {
    if let Some(address) = address() {
        let lock = fs::File::options().write(true).open(address + ".lock").unwrap();
        FileExt::lock(&lock).unwrap();
        tell("locked");
        // Until it is killed.
        return core::future::pending().await;
    }
    let file = InFile::new();
    let (store, shown) = observed(file.open().await);
    let version = stored(&store, "alice", None, Some(b"hers")).await;
    let mut holder = spawn("another_process_is_waited_for_but_not_for_ever", &file.address());
    assert_eq!(holder.told().next().unwrap(), "locked");

    let (patience, start) = (Duration::from_millis(50), Instant::now());
    let hasty = store.clone().with_patience(patience);
    let (one, two) = tokio::join!(swap(&hasty), swap(&hasty));
    assert_eq!((one.unwrap_err(), two.unwrap_err()), (Unknown, Unknown));
    assert!(start.elapsed() >= patience && start.elapsed() < Duration::from_secs(4));
    let (kind, message) = shown.recv().unwrap();
    assert_eq!(kind, io::ErrorKind::TimedOut);
    assert!(message.ends_with("logins.lock: another process has held this lock all the time"));
    // Reading waits for nobody.
    assert_eq!(loaded(&store, "alice").await, Some((version, b"hers".to_vec())));

    let waiting = tokio::spawn(async move { swap(&store.with_patience(Duration::MAX)).await });
    drop(holder);
    waiting.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_store_that_cannot_write_does_not_know() {
    let file = InFile::new();
    let store = file.open().await;
    file.0.close().unwrap();
    assert_eq!(swap(&store).await.unwrap_err(), Unknown);
}
