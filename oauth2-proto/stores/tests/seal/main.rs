//! Sealed stores: what whoever has the database can neither read nor change.

mod database;
mod rotation;

use core::future::{Pending, Ready, pending, ready};
use core::time::Duration;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use database::{
    ACCESS, NOW, REFRESH, at_rest, client, keys, loaded, login, observed, put, sealed, stored,
    why_unreadable,
};
use http::{Request, Response};
use oauth2_proto::agent::{Agent, Host, Record, Store};
use oauth2_proto::{Body, Error, Lost, Misuse, Moment, Seed, State};
use oauth2_proto_stores::MemoryStore;
use oauth2_proto_stores::seal::{SealError, Sealed, SealingKey, SealingKeys};
use proptest::prelude::*;

// What is at rest

#[tokio::test]
async fn tokens_appear_in_nothing_that_is_stored_or_printed() {
    let store = MemoryStore::new();
    let keys = SealingKeys::new(7, SealingKey::new(*b"key-canary-0123456789abcdef-key!"));
    let sealed = Sealed::new(store.clone(), keys.clone());
    let record = Record::of(&State::from(login())).unwrap();
    let swap = sealed.swap("alice", None, Some(record));
    let mut printed = format!("{swap:?} {sealed:?} {:#?} {keys:?}", sealed.login("alice"));
    swap.await.unwrap();
    let load = sealed.load("alice");
    printed
        .push_str(&format!("{load:?} {:?}", SealingKey::new(*b"key-canary-0123456789abcdef-key!")));
    let read = load.await.unwrap().unwrap().1;
    assert!(String::from_utf8_lossy(read.as_bytes()).contains(REFRESH));
    assert!(read.state().is_ok());
    let bytes = at_rest(&store, "alice").await;
    let forms = [
        printed,
        String::from_utf8_lossy(&bytes).into_owned(),
        STANDARD.encode(&bytes),
        format!("{bytes:?}"),
    ];
    for canary in [ACCESS, REFRESH, "key-canary"] {
        let list = format!("{:?}", canary.as_bytes());
        let list = list.trim_matches(['[', ']']);
        for form in &forms {
            assert!(!form.contains(canary) && !form.contains(list), "{form}");
            // Wherever it begins among three bytes: the characters that are the same everywhere.
            for shift in 0..3 {
                let whole = &canary.as_bytes()[shift..][..6];
                assert!(!form.contains(&STANDARD.encode(whole)), "{form}");
            }
        }
    }
}

#[tokio::test]
async fn the_format_is_what_its_documentation_says() {
    let store = MemoryStore::new();
    let keys = SealingKeys::new(0x0102_0304, SealingKey::new([9; 32]));
    stored(&Sealed::new(store.clone(), keys), "alice", None, Some(b"hers")).await;
    let bytes = at_rest(&store, "alice").await;
    assert_eq!(bytes[..8], [0xE5, b'o', b'2', 1, 1, 2, 3, 4]);
    assert_eq!(bytes.len(), 8 + 24 + b"hers".len() + 16);
}

/// What was sealed once opens for ever. libsodium made these bytes, as the format says.
#[tokio::test]
async fn what_an_earlier_version_sealed_opens() {
    let golden = include_bytes!("../golden/sealed.v1");
    let store = MemoryStore::new();
    put(&store, "alice", golden).await;
    let sealed = Sealed::new(store, keys()).with_purpose("golden");
    assert_eq!(loaded(&sealed, "alice").await.unwrap().1, b"what alice has stored");
}

#[tokio::test]
async fn the_same_record_is_never_sealed_the_same_way() {
    let store = MemoryStore::new();
    let mut seen = std::collections::BTreeSet::new();
    for number in 0..100 {
        let key = format!("{number}");
        sealed(&store, &key, b"the same").await;
        assert!(seen.insert(at_rest(&store, &key).await[8..32].to_vec()));
    }
}

// What was changed or moved

#[tokio::test]
async fn a_record_with_any_byte_changed_is_unreadable() {
    let store = MemoryStore::new();
    sealed(&store, "alice", b"hers").await;
    let bytes = at_rest(&store, "alice").await;
    for place in 0..bytes.len() {
        for change in [1, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[place] ^= change;
            put(&store, "alice", &changed).await;
            let why = why_unreadable(&store, keys(), "alice").await;
            match place {
                0..3 => assert_eq!(why, SealError::NotSealed),
                3 => assert_eq!(why, SealError::Version(changed[3])),
                4..8 => assert!(matches!(why, SealError::UnknownKey(_)), "{why}"),
                _ => assert_eq!(why, SealError::NotAuthentic(1)),
            }
        }
    }
}

#[tokio::test]
async fn a_record_that_was_cut_off_or_grew_is_unreadable() {
    let store = MemoryStore::new();
    sealed(&store, "alice", b"hers").await;
    let bytes = at_rest(&store, "alice").await;
    for length in 0..bytes.len() {
        put(&store, "alice", &bytes[..length]).await;
        let expected = match length {
            0..3 => SealError::NotSealed,
            3..32 => SealError::CutOff,
            _ => SealError::NotAuthentic(1),
        };
        assert_eq!(why_unreadable(&store, keys(), "alice").await, expected);
    }
    put(&store, "alice", &[&bytes[..], b"\0"].concat()).await;
    assert_eq!(why_unreadable(&store, keys(), "alice").await, SealError::NotAuthentic(1));
}

#[tokio::test]
async fn a_record_cannot_be_moved_to_another_login() {
    let store = MemoryStore::new();
    sealed(&store, "alice", b"hers").await;
    put(&store, "bob", &at_rest(&store, "alice").await).await;
    assert_eq!(why_unreadable(&store, keys(), "bob").await, SealError::NotAuthentic(1));
}

#[tokio::test]
async fn a_record_cannot_be_moved_to_a_store_with_another_purpose() {
    let (one, other) = (MemoryStore::new(), MemoryStore::new());
    let purposes = ["", "a", "ab", "calendar", "mail"];
    for purpose in purposes {
        // No purpose and key together pass for another purpose and key.
        let store = Sealed::new(one.clone(), keys()).with_purpose(purpose);
        let version = one.load("bc").await.unwrap().map(|(version, _)| version);
        stored(&store, "bc", version, Some(b"hers")).await;
        for (another, key) in [("", "bc"), ("a", "bc"), ("ab", "c"), ("calendar", "bc")] {
            put(&other, key, &at_rest(&one, "bc").await).await;
            let moved = Sealed::new(other.clone(), keys()).with_purpose(another);
            let opened = loaded(&moved, key).await.unwrap().1;
            let belongs = another == purpose && key == "bc";
            assert_eq!(opened == b"hers", belongs, "{purpose:?} {another:?}");
            assert_eq!(opened.is_empty(), !belongs);
        }
    }
}

#[tokio::test]
async fn a_record_that_is_not_sealed_is_not_passed_on() {
    let store = MemoryStore::new();
    let plain = Record::of(&State::from(login())).unwrap();
    put(&store, "alice", plain.as_bytes()).await;
    assert_eq!(why_unreadable(&store, keys(), "alice").await, SealError::NotSealed);
    put(&store, "alice", b"").await;
    assert_eq!(why_unreadable(&store, keys(), "alice").await, SealError::NotSealed);
}

/// A limit that the documentation names.
#[tokio::test]
async fn an_older_record_of_the_same_login_still_opens() {
    let store = MemoryStore::new();
    let sealed = Sealed::new(store.clone(), keys());
    let version = stored(&sealed, "alice", None, Some(b"old")).await;
    let old = at_rest(&store, "alice").await;
    stored(&sealed, "alice", Some(version), Some(b"new")).await;
    put(&store, "alice", &old).await;
    assert_eq!(loaded(&sealed, "alice").await.unwrap().1, b"old");
}

// Migration

#[tokio::test]
async fn records_from_before_are_read_where_that_is_accepted_and_sealed_when_next_written() {
    let store = MemoryStore::new();
    let plain = Record::of(&State::from(login())).unwrap();
    put(&store, "alice", plain.as_bytes()).await;
    let (accepting, seen) = observed(&store, keys());
    let accepting = accepting.dangerous_accept_unsealed();
    let (version, record) = accepting.load("alice").await.unwrap().unwrap();
    assert_eq!(record, plain);
    assert_eq!(*seen.lock().unwrap(), [SealError::NotSealed]);

    accepting.swap("alice", Some(version), Some(record)).await.unwrap();
    let strict = Sealed::new(store.clone(), keys());
    assert_eq!(loaded(&strict, "alice").await.unwrap().1, plain.as_bytes());

    // What is sealed and does not open is not what was there before.
    let mut changed = at_rest(&store, "alice").await;
    *changed.last_mut().unwrap() ^= 1;
    put(&store, "alice", &changed).await;
    assert_eq!(loaded(&accepting, "alice").await.unwrap().1, b"");
    assert_eq!(seen.lock().unwrap().last(), Some(&SealError::NotAuthentic(1)));
}

// An agent

/// Reaches nobody.
struct Offline;

impl Host for Offline {
    type Sending = Ready<Result<Response<Vec<u8>>, Lost>>;
    type Sleeping = Pending<()>;

    fn send(&self, _: Request<Body>, _: Duration) -> Self::Sending {
        ready(Err(Lost::Unsent))
    }

    fn sleep(&self, _: Duration) -> Self::Sleeping {
        pending()
    }

    fn now(&self) -> Moment {
        Moment::new(NOW, Duration::ZERO)
    }
}

#[tokio::test]
async fn an_agent_refuses_what_does_not_open_and_a_new_login_replaces_it() {
    let store = MemoryStore::new();
    let sealed = Sealed::new(store.clone(), keys());
    let open = || {
        let mut seed = Seed::new(&mut rand::rng()).unwrap();
        Agent::open(Arc::new(client()), Offline, &mut seed, sealed.login("alice"))
    };
    open().log_in(login()).await.unwrap();
    assert!(open().token().await.is_ok());

    // Somebody writes a login of their own, in the plain.
    let theirs = Record::of(&State::from(login())).unwrap();
    put(&store, "alice", theirs.as_bytes()).await;
    let agent = open();
    assert_eq!(agent.token().await.unwrap_err(), Error::Misuse(Misuse::StoredLogin));
    assert_eq!(at_rest(&store, "alice").await, theirs.as_bytes());
    agent.log_in(login()).await.unwrap();
    assert!(open().token().await.is_ok());
    assert_eq!(at_rest(&store, "alice").await[..3], *b"\xE5o2");
}

/// A future is free to move to another thread where those of the store are.
#[test]
fn futures_are_send_where_those_of_the_store_are() {
    const fn is_send<T: Send>(_: &T) {}
    let store = Sealed::new(MemoryStore::new(), keys());
    is_send(&store.load("alice"));
    is_send(&store.swap("alice", None, None));
    is_send(&store);
}

proptest! {
    #[test]
    fn no_record_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..128),
        prefix in 0..9_usize,
        accept in any::<bool>(),
    ) {
        let bytes = [&b"\xE5o2\x01\0\0\0\x01"[..prefix.min(8)], &bytes].concat();
        futures_lite::future::block_on(async {
            let store = MemoryStore::new();
            put(&store, "alice", &bytes).await;
            let sealed = Sealed::new(store, keys());
            let sealed = if accept { sealed.dangerous_accept_unsealed() } else { sealed };
            let opened = loaded(&sealed, "alice").await.unwrap().1;
            assert!(opened.is_empty() || (accept && opened == bytes && !bytes.starts_with(b"\xE5o2")));
        });
    }

    #[test]
    fn whatever_is_sealed_opens(
        key in ".{0,20}",
        purpose in ".{0,20}",
        record in prop::collection::vec(any::<u8>(), 0..512),
    ) {
        futures_lite::future::block_on(async {
            let sealed = Sealed::new(MemoryStore::new(), keys()).with_purpose(purpose);
            stored(&sealed, &key, None, Some(&record)).await;
            assert_eq!(loaded(&sealed, &key).await.unwrap().1, record);
        });
    }
}
