//! Who may read the file, and what only Unix can do to it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use oauth2_proto::Unknown;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto_stores::FileStore;

use crate::conformance::{Engine, loaded, stored};
use crate::process::{Shared, address, start, tell};
use crate::{InFile, observed, set_mode, swap};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn the_file_and_its_lock_are_for_their_owner_only() {
    let file = InFile::new();
    let store = file.open().await;
    let version = stored(&store, "alice", None, Some(b"hers")).await;
    stored(&store, "alice", Some(version), Some(b"hers")).await;
    assert_eq!(file.files(), ["logins", "logins.lock"]);
    for name in file.files() {
        assert_eq!(mode(&file.path(&name)), 0o600);
    }
}

#[tokio::test]
async fn a_file_that_others_can_read_or_change_is_refused_whenever_it_is_used() {
    let file = InFile::new();
    let (store, shown) = observed(file.open().await);
    stored(&store, "alice", None, Some(b"hers")).await;
    let before = fs::read(file.path("logins")).unwrap();
    for open_to_others in [0o644, 0o640, 0o620, 0o602, 0o601] {
        set_mode(&file.path("logins"), open_to_others);
        let expected = "logins: others may read or change this file, so its logins are not used: \
                        delete the file, or, if you know who could read it, make it your own with \
                        chmod 600";
        assert!(file.refusal().ends_with(expected), "{}", file.refusal());
        assert_eq!(store.load("alice").await.unwrap_err(), Unknown);
        assert_eq!(shown.recv().unwrap(), (io::ErrorKind::PermissionDenied, file.refusal()));
        assert_eq!(swap(&store).await.unwrap_err(), Unknown);
        assert_eq!(shown.recv().unwrap(), (io::ErrorKind::PermissionDenied, file.refusal()));
        assert_eq!(fs::read(file.path("logins")).unwrap(), before);
        assert_eq!(mode(&file.path("logins")), open_to_others);
    }
    set_mode(&file.path("logins"), 0o600);
    swap(&store).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_others_could_hold_is_refused() {
    let file = InFile::new();
    let (store, shown) = observed(file.open().await);
    stored(&store, "alice", None, Some(b"hers")).await;
    set_mode(&file.path("logins.lock"), 0o644);
    assert_eq!(swap(&store).await.unwrap_err(), Unknown);
    let (kind, message) = shown.recv().unwrap();
    assert_eq!(kind, io::ErrorKind::PermissionDenied);
    assert!(message.contains("logins.lock: others may read or change this file"), "{message}");
}

#[tokio::test]
async fn links_are_not_followed() {
    let file = InFile::new();
    file.write("elsewhere", "");
    symlink(file.path("elsewhere"), file.path("logins.lock")).unwrap();
    let (store, shown) = observed(file.open().await);
    assert_eq!(swap(&store).await.unwrap_err(), Unknown);
    let (_, message) = shown.recv().unwrap();
    assert!(message.contains("logins.lock: this is a symbolic link"), "{message}");

    // Nor is one whose file is still to be made.
    for target in ["elsewhere", "nowhere"] {
        symlink(file.path(target), file.path("logins")).unwrap();
        assert!(file.refusal().contains("logins: this is a symbolic link"), "{}", file.refusal());
        fs::remove_file(file.path("logins")).unwrap();
    }
    assert_eq!(file.files(), ["elsewhere", "logins.lock"]);
}

#[test]
fn the_file_of_another_user_is_refused() {
    let file = InFile::new();
    file.write("logins", "");
    // Only the superuser can give a file away; everyone else finds one that is the superuser's.
    let given = chown(file.path("logins"), Some(1), None).is_ok();
    let path = if given { file.path("logins") } else { "/etc/passwd".into() };
    let refusal = FileStore::open(path).unwrap_err().to_string();
    assert!(refusal.contains("this file belongs to another user"), "{refusal}");
}

#[test]
fn what_is_no_file_is_refused() {
    let file = InFile::new();
    fs::create_dir(file.path("logins")).unwrap();
    assert!(file.refusal().contains("this is no regular file"), "{}", file.refusal());
    let refusal = FileStore::open("/dev/null").unwrap_err().to_string();
    assert!(refusal.contains("this is no regular file"), "{refusal}");
    assert_eq!(FileStore::open("/").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    assert_eq!(FileStore::open("").unwrap_err().kind(), io::ErrorKind::InvalidInput);
    let nowhere = file.path("nowhere").join("logins");
    assert_eq!(FileStore::open(nowhere).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[tokio::test]
async fn a_full_disk_leaves_the_old_file() {
    let name = "guard::a_full_disk_leaves_the_old_file";
    if let Some(address) = address() {
        let (store, shown) = observed(FileStore::open(&address).unwrap());
        let version = stored(&store, "alice", None, Some(b"hers")).await;
        let new = Some(Record::new([0; 64 * 1024]));
        assert_eq!(store.swap("alice", Some(version), new).await.unwrap_err(), Unknown);
        assert_eq!(shown.recv().unwrap().0, io::ErrorKind::FileTooLarge);
        assert_eq!(loaded(&store, "alice").await, Some((version, b"hers".to_vec())));
        return tell("the old login is there");
    }
    let file = InFile::new();
    // As a disk that is full, a limit lets a write begin and not end.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh"]);
    command.arg(std::env::current_exe().unwrap());
    let told: Vec<_> = start(command, name, &file.address()).told().collect();
    assert_eq!(told, ["the old login is there"]);
    assert_eq!(file.files(), ["logins", "logins.lock"]);
    swap(&file.open().await).await.unwrap();
}
