//! A database that somebody else can read and write, and a login for it.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::sync::{Arc, Mutex};

use oauth2_proto::agent::{Record, Store, Unreadable};
use oauth2_proto::{Authorized, Client, Server, Swapped, Timestamp, TokenRecord, Version};
use oauth2_proto_stores::MemoryStore;
use oauth2_proto_stores::seal::{SealError, Sealed, SealingKey, SealingKeys};

pub(crate) fn keys() -> SealingKeys {
    SealingKeys::new(1, SealingKey::new([1; 32]))
}

pub(crate) async fn loaded<S: Store>(store: &S, key: &str) -> Option<(Version, Vec<u8>)> {
    let login = store.load(key).await.unwrap();
    login.map(|(version, record)| (version, record.as_bytes().to_vec()))
}

pub(crate) async fn stored<S: Store>(
    store: &S,
    key: &str,
    expected: Option<Version>,
    new: Option<&[u8]>,
) -> Version {
    match store.swap(key, expected, new.map(Record::new)).await.unwrap() {
        Swapped::Stored(version) => version,
        Swapped::Conflict => panic!("a conflict over {key:?}"),
    }
}

/// What an observer was shown.
pub(crate) type Seen = Arc<Mutex<Vec<SealError>>>;

pub(crate) fn observed(store: &MemoryStore, keys: SealingKeys) -> (Sealed<MemoryStore>, Seen) {
    let seen = Seen::default();
    let shown = Arc::clone(&seen);
    let observer = move |error: &SealError| shown.lock().unwrap().push(*error);
    (Sealed::new(store.clone(), keys).with_observer(observer), seen)
}

/// What is in the database itself.
pub(crate) async fn at_rest(store: &MemoryStore, key: &str) -> Vec<u8> {
    loaded(store, key).await.unwrap().1
}

/// Writes into the database itself.
pub(crate) async fn put(store: &MemoryStore, key: &str, bytes: &[u8]) {
    let version = store.load(key).await.unwrap().map(|(version, _)| version);
    stored(store, key, version, Some(bytes)).await;
}

/// Loads what does not open: a login that is there, and is none.
pub(crate) async fn why_unreadable(store: &MemoryStore, keys: SealingKeys, key: &str) -> SealError {
    let (sealed, seen) = observed(store, keys);
    assert_eq!(loaded(&sealed, key).await.unwrap().1, b"");
    let (_, record) = sealed.load(key).await.unwrap().unwrap();
    assert_eq!(record.state().unwrap_err(), Unreadable);
    let seen = seen.lock().unwrap();
    let first = *seen.first().unwrap();
    assert!(seen.iter().all(|error| *error == first));
    first
}

pub(crate) async fn sealed(store: &MemoryStore, key: &str, record: &[u8]) {
    stored(&Sealed::new(store.clone(), keys()), key, None, Some(record)).await;
}

pub(crate) const ACCESS: &str = "access-canary-4f1c";
pub(crate) const REFRESH: &str = "refresh-canary-77aa";

pub(crate) fn client() -> Client {
    let server = Server::new("https://as.example/authorize", "https://as.example/token");
    Client::new("app", server.unwrap())
}

pub(crate) fn login() -> Authorized {
    let record = TokenRecord::new(ACCESS).with_refresh_token(REFRESH);
    client().adopt(record, &mut rand::rng(), NOW).unwrap()
}

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
