//! How keys are made, changed, and refused.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use oauth2_proto_stores::MemoryStore;
use oauth2_proto_stores::seal::{KeyError, SealError, Sealed, SealingKey, SealingKeys};
use proptest::prelude::*;

use crate::database::{at_rest, keys, loaded, sealed, stored, why_unreadable};

#[tokio::test]
async fn a_key_is_changed_without_losing_a_login() {
    let store = MemoryStore::new();
    sealed(&store, "alice", b"hers").await;
    sealed(&store, "bob", b"his").await;
    let new = || SealingKey::new([2; 32]);
    // First every process can open with the new one; then it seals.
    let first = keys().with_opening(2, new()).unwrap();
    let second = SealingKeys::new(2, new()).with_opening(1, SealingKey::new([1; 32])).unwrap();
    let (first, second) = (Sealed::new(store.clone(), first), Sealed::new(store.clone(), second));
    let (version, record) = loaded(&second, "alice").await.unwrap();
    assert_eq!(at_rest(&store, "alice").await[4..8], [0, 0, 0, 1]);
    stored(&second, "alice", Some(version), Some(&record)).await;
    assert_eq!(at_rest(&store, "alice").await[4..8], [0, 0, 0, 2]);
    assert_eq!(loaded(&first, "alice").await.unwrap().1, b"hers");

    // The former one is taken out: what it sealed is unreadable, and replaced by a new login.
    let third = SealingKeys::new(2, new());
    assert_eq!(why_unreadable(&store, third.clone(), "bob").await, SealError::UnknownKey(1));
    let third = Sealed::new(store.clone(), third);
    assert_eq!(loaded(&third, "alice").await.unwrap().1, b"hers");
    let (version, _) = loaded(&third, "bob").await.unwrap();
    stored(&third, "bob", Some(version), Some(b"new")).await;
    assert_eq!(loaded(&third, "bob").await.unwrap().1, b"new");
}

#[tokio::test]
async fn another_key_with_the_same_id_opens_nothing() {
    let store = MemoryStore::new();
    sealed(&store, "alice", b"hers").await;
    let other = SealingKeys::new(1, SealingKey::generate().unwrap());
    assert_eq!(why_unreadable(&store, other, "alice").await, SealError::NotAuthentic(1));
}

#[test]
fn two_keys_of_one_id_and_one_key_of_two_ids_are_refused() {
    let (one, two) = (SealingKey::new([1; 32]), SealingKey::new([2; 32]));
    let keys = SealingKeys::new(1, one.clone()).with_opening(2, two.clone()).unwrap();
    let refusal = |id, key| keys.clone().with_opening(id, key).unwrap_err();
    let three = SealingKey::generate().unwrap();
    assert_eq!(refusal(1, three.clone()), KeyError::SameId(1));
    assert_eq!(refusal(2, three), KeyError::SameId(2));
    assert_eq!(refusal(3, one), KeyError::SameKey(1, 3));
    assert_eq!(refusal(3, two), KeyError::SameKey(2, 3));
    assert_eq!(format!("{keys:?}"), "SealingKeys { sealing: 1, opening: [2], .. }");
}

#[tokio::test]
async fn a_key_is_written_down_and_read_again() {
    let key = SealingKey::generate().unwrap();
    let text = key.to_base64();
    let store = MemoryStore::new();
    let before = Sealed::new(store.clone(), SealingKeys::new(1, key));
    stored(&before, "alice", None, Some(b"hers")).await;
    let bytes = STANDARD.decode(text.expose()).unwrap();
    for form in [
        text.expose().to_owned(),
        format!(" {}\n", text.expose()),
        STANDARD_NO_PAD.encode(&bytes),
        URL_SAFE.encode(&bytes),
        URL_SAFE_NO_PAD.encode(&bytes),
    ] {
        let after = SealingKeys::new(1, SealingKey::from_base64(&form).unwrap());
        let after = Sealed::new(store.clone(), after);
        assert_eq!(loaded(&after, "alice").await.unwrap().1, b"hers");
    }
}

#[test]
fn what_is_no_key_is_refused_without_being_quoted() {
    for text in [
        "",
        "canary",
        "canary!",
        &STANDARD.encode([0; 31]),
        &STANDARD.encode([0; 33]),
        &STANDARD.encode([0; 36]),
        &STANDARD.encode([0; 300]),
        &"canary01".repeat(8),
    ] {
        let error = SealingKey::from_base64(text).unwrap_err();
        assert_eq!(error, KeyError::Text);
        assert!(!format!("{error} {error:?}").contains("canary"));
    }
}

#[test]
fn errors_say_what_to_do() {
    for (error, says) in [
        (SealError::NotSealed, "not sealed"),
        (SealError::Version(2), "version 2 of the format: a newer version of this program"),
        (SealError::UnknownKey(3), "key 3, which is not among the keys: add it to open with"),
        (SealError::NotAuthentic(4), "changed, moved from elsewhere, or sealed with another key 4"),
        (SealError::CutOff, "cut off"),
        (SealError::Randomness, "no random numbers"),
        (SealError::TooLong, "too long"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
    for (error, says) in [
        (KeyError::Text, "openssl rand -base64 32"),
        (KeyError::SameId(1), "two sealing keys have the id 1: number them"),
        (KeyError::SameKey(1, 2), "keys 1 and 2 are the same: make a new one"),
        (KeyError::Randomness, "no random numbers"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}

proptest! {
    #[test]
    fn no_text_of_a_key_panics(text in ".{0,60}") {
        let _ = SealingKey::from_base64(&text);
    }
}
