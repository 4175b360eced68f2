//! What one caller at a time can rely on.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeSet;

use oauth2_proto::agent::Store;
use oauth2_proto::{Swapped, Version};

use super::{Engine, loaded, stored, swapped};

pub(crate) async fn what_was_never_stored_is_not_there<E: Engine>(engine: E) {
    assert_eq!(loaded(&engine.open().await, "alice").await, None);
}

pub(crate) async fn a_login_is_made_where_there_is_none<E: Engine>(engine: E) {
    let store = engine.open().await;
    let version = stored(&store, "alice", None, Some(b"one")).await;
    assert_eq!(loaded(&store, "alice").await, Some((version, b"one".to_vec())));
}

pub(crate) async fn a_login_is_made_only_where_there_is_none<E: Engine>(engine: E) {
    let store = engine.open().await;
    let version = stored(&store, "alice", None, Some(b"one")).await;
    assert_eq!(swapped(&store, "alice", None, Some(b"two")).await, Swapped::Conflict);
    assert_eq!(loaded(&store, "alice").await, Some((version, b"one".to_vec())));
}

pub(crate) async fn a_login_is_replaced_under_the_same_version<E: Engine>(engine: E) {
    let store = engine.open().await;
    let mut version = stored(&store, "alice", None, Some(b"0")).await;
    for round in ["1", "2", "3"] {
        let next = stored(&store, "alice", Some(version), Some(round.as_bytes())).await;
        assert_ne!(next, version);
        assert_eq!(loaded(&store, "alice").await, Some((next, round.as_bytes().to_vec())));
        version = next;
    }
}

pub(crate) async fn a_conflict_changes_nothing<E: Engine>(engine: E) {
    let store = engine.open().await;
    let old = stored(&store, "alice", None, Some(b"one")).await;
    let current = stored(&store, "alice", Some(old), Some(b"two")).await;
    let others = [old, Version::new(0), Version::new(u128::MAX), neighbour(current)];
    for expected in others.map(Some).into_iter().chain([None]) {
        for new in [Some(&b"three"[..]), None] {
            assert_eq!(swapped(&store, "alice", expected, new).await, Swapped::Conflict);
            assert_eq!(loaded(&store, "alice").await, Some((current, b"two".to_vec())));
        }
    }
    // Nor does it make a login.
    assert_eq!(swapped(&store, "bob", Some(current), Some(b"two")).await, Swapped::Conflict);
    assert_eq!(loaded(&store, "bob").await, None);
}

/// Differs in its highest bit only: a version is all of its 128 bits.
fn neighbour(version: Version) -> Version {
    Version::new(version.number() ^ (1 << 127))
}

pub(crate) async fn a_login_is_deleted<E: Engine>(engine: E) {
    let store = engine.open().await;
    let version = stored(&store, "alice", None, Some(b"one")).await;
    assert_ne!(stored(&store, "alice", Some(version), None).await, version);
    assert_eq!(loaded(&store, "alice").await, None);
    assert_eq!(swapped(&store, "alice", Some(version), Some(b"two")).await, Swapped::Conflict);
    assert_eq!(swapped(&store, "alice", Some(version), None).await, Swapped::Conflict);
    stored(&store, "alice", None, Some(b"three")).await;
}

pub(crate) async fn what_is_not_there_is_not_deleted<E: Engine>(engine: E) {
    let store = engine.open().await;
    let version = stored(&store, "alice", None, None).await;
    assert_eq!(loaded(&store, "alice").await, None);
    assert_eq!(swapped(&store, "alice", Some(version), None).await, Swapped::Conflict);
    stored(&store, "alice", None, Some(b"one")).await;
}

pub(crate) async fn a_version_never_comes_back<E: Engine>(engine: E) {
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let store = engine.open().await;
        for _ in 0..3 {
            let made = stored(&store, "alice", None, Some(b"the same")).await;
            let replaced = stored(&store, "alice", Some(made), Some(b"the same")).await;
            let deleted = stored(&store, "alice", Some(replaced), None).await;
            for version in [made, replaced, deleted] {
                assert!(seen.insert(version.number()), "{version:?} came back");
            }
        }
    }
}

pub(crate) async fn keys_are_independent<E: Engine>(engine: E) {
    let store = engine.open().await;
    let alice = stored(&store, "alice", None, Some(b"hers")).await;
    assert_eq!(loaded(&store, "bob").await, None);
    let bob = stored(&store, "bob", None, Some(b"his")).await;
    stored(&store, "alice", Some(alice), None).await;
    assert_eq!(loaded(&store, "bob").await, Some((bob, b"his".to_vec())));
}

pub(crate) async fn keys_may_be_anything<E: Engine>(engine: E) {
    let store = engine.open().await;
    let mut logins = Vec::new();
    for key in keys() {
        // None is taken for another that was there before it.
        assert_eq!(loaded(&store, &key).await, None, "{key:?}");
        let version = stored(&store, &key, None, Some(key.as_bytes())).await;
        logins.push((key, version));
    }
    let other = engine.open().await;
    for (key, version) in logins {
        assert_eq!(loaded(&other, &key).await, Some((version, key.as_bytes().to_vec())));
        stored(&other, &key, Some(version), None).await;
        assert_eq!(loaded(&store, &key).await, None, "{key:?}");
    }
}

/// Each is another key than all the others.
fn keys() -> Vec<String> {
    let keys = [
        "",
        " ",
        "a",
        "A",
        "a ",
        " a",
        "a\n",
        "a\0",
        "a\0b",
        "\0",
        "*",
        "a*",
        "[a]",
        "?",
        "%",
        "_",
        "a_",
        ":",
        "a:b",
        "{a}",
        "{a}:b",
        "/",
        "a/b",
        "../a",
        "..",
        "\\",
        "a\\",
        "'",
        "a' OR '1'='1",
        "'; DROP TABLE login; --",
        "\"",
        "\"a\":",
        "`",
        "$1",
        "${a}",
        "KEYS[1]",
        "]] return 1 --",
        "\r\nDEL a\r\n",
        "1",
        "01",
        "1.0",
        "1e0",
        "null",
        "version",
        "\u{e9}",
        "e\u{301}",
        "stra\u{df}e",
        "strasse",
        "\u{1f511}",
        "\u{feff}",
        "\u{202e}abc",
        "\u{ffff}",
        "\u{10ffff}",
    ];
    let long = "k".repeat(4096);
    let longer = format!("{long}k");
    keys.map(str::to_owned).into_iter().chain([long, longer, "\u{1f511}".repeat(1024)]).collect()
}

pub(crate) async fn a_record_comes_back_byte_for_byte<E: Engine>(engine: E) {
    let store = engine.open().await;
    let mut every_byte: Vec<u8> = (0..=u8::MAX).collect();
    every_byte.extend((0..=u8::MAX).rev());
    let mut records = vec![
        b"".to_vec(),
        b"\0".to_vec(),
        b"\0\0".to_vec(),
        b"\n".to_vec(),
        b"\xff\xfe".to_vec(),
        b"\xed\xa0\x80".to_vec(),
        b"\\x00".to_vec(),
        b" {\"V1\": null} \r\n".to_vec(),
        b"'\"`;--".to_vec(),
        "\u{1f511}".into(),
        every_byte,
    ];
    records.extend((0..=u8::MAX).map(|byte| vec![byte]));
    let mut expected = None;
    for record in records {
        let version = stored(&store, "alice", expected, Some(&record)).await;
        assert_eq!(loaded(&store, "alice").await, Some((version, record)));
        expected = Some(version);
    }
}

pub(crate) async fn a_large_record_comes_back<E: Engine>(engine: E) {
    let store = engine.open().await;
    // It doesn't repeat itself at the size of any page.
    let large: Vec<u8> = (0..64 * 1024_u32).map(|n| (n % 251).to_le_bytes()[0]).collect();
    let version = stored(&store, "alice", None, Some(&large)).await;
    assert_eq!(loaded(&store, "alice").await, Some((version, large.clone())));
    let version = stored(&store, "alice", Some(version), Some(b"small")).await;
    assert_eq!(loaded(&store, "alice").await, Some((version, b"small".to_vec())));
    let version = stored(&store, "alice", Some(version), Some(&large)).await;
    assert_eq!(loaded(&store, "alice").await, Some((version, large)));
}

pub(crate) async fn a_handle_sees_what_another_has_written<E: Engine>(engine: E) {
    let (one, two) = (engine.open().await, engine.open().await);
    let made = stored(&one, "alice", None, Some(b"one")).await;
    assert_eq!(loaded(&two, "alice").await, Some((made, b"one".to_vec())));
    let replaced = stored(&two, "alice", Some(made), Some(b"two")).await;
    assert_eq!(loaded(&one, "alice").await, Some((replaced, b"two".to_vec())));
    assert_eq!(swapped(&one, "alice", Some(made), None).await, Swapped::Conflict);
    stored(&one, "alice", Some(replaced), None).await;
    assert_eq!(loaded(&two, "alice").await, None);
    assert_eq!(loaded(&two.clone(), "alice").await, None);
}

pub(crate) async fn many_logins_go_through_one_handle<E: Engine>(engine: E) {
    let store = engine.open().await;
    let mut logins = Vec::new();
    for number in 0..100 {
        let key = format!("user {number}");
        let version = stored(&store, &key, None, Some(key.as_bytes())).await;
        logins.push((key, version));
    }
    for (key, version) in logins {
        assert_eq!(loaded(&store, &key).await, Some((version, key.into_bytes())));
    }
}

pub(crate) async fn debug_output_shows_no_record<E: Engine>(engine: E) {
    let store = engine.open().await;
    let canary = "canary-c5d1";
    stored(&store, "alice", None, Some(canary.as_bytes())).await;
    let record = store.load("alice").await.unwrap();
    let output = format!("{store:?} {store:#?} {record:?} {:?}", store.login("alice"));
    // As text, as a list of bytes, and as base64.
    for form in [canary, "99, 97, 110", "Y2FuYXJ5"] {
        assert!(!output.contains(form), "{output}");
    }
}
