//! Whoever forges, changes, moves and replays.

use oauth2_proto::{Callback, Error, Forged};
use oauth2_proto_stores::cookie::{PendingLogins, TakeError};
use oauth2_proto_stores::seal::{SealError, SealingKey, SealingKeys};
use proptest::prelude::*;

use crate::browser::{
    Browser, NOW, after, client, client_at, cookies, headers, keys, login, refusal,
};

#[test]
fn a_callback_in_another_browser_finds_nothing() {
    // Login CSRF: the attacker's own callback, in a victim's browser that is logging in, too.
    let (mut attacker, mut victim) = (Browser::new(), Browser::new());
    let query = attacker.begin(&cookies(), "/");
    assert_eq!(refusal(victim.take(&query)), TakeError::NoCookie);
    let own = victim.begin(&cookies(), "/");
    assert_eq!(refusal(victim.take(&query)), TakeError::OtherLogin);
    assert_eq!(refusal(victim.take("code=c")), TakeError::OtherLogin);
    assert_eq!(refusal(victim.take("")), TakeError::OtherLogin);
    victim.take(&own).unwrap();
}

#[test]
fn a_cookie_with_any_byte_changed_does_not_open() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let (name, value) = browser.cookie();
    for place in 0..value.len() {
        let mut changed = value.clone().into_bytes();
        let byte = changed.get_mut(place).unwrap();
        *byte = if *byte == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_refused_as_tampered(&Browser::with(&name, &changed), &query);
    }
    for length in 0..value.len() {
        assert_refused_as_tampered(&Browser::with(&name, value.get(..length).unwrap()), &query);
    }
    assert_refused_as_tampered(&Browser::with(&name, &format!("{value}A")), &query);
    assert_refused_as_tampered(&Browser::with(&name, "canary!"), &query);
}

#[track_caller]
fn assert_refused_as_tampered(browser: &Browser, query: &str) {
    let error = refusal(browser.take(query));
    assert!(matches!(error, TakeError::Seal(_)), "{error}");
}

#[test]
fn a_cookie_does_not_open_under_another_name() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let (_, value) = browser.cookie();
    let mut other = Browser::new();
    other.begin(&cookies(), "/");
    let moved = Browser::with(&other.cookie().0, &value);
    assert_eq!(refusal(moved.take(&query)), TakeError::Seal(SealError::NotAuthentic(1)));
    for name in
        ["login", "__Host-login-", "__Host-login-short", "__host-login-AAAAAAAAAAAAAAAAAAAAAA"]
    {
        assert_eq!(refusal(Browser::with(name, &value).take(&query)), TakeError::NoCookie);
    }
}

/// Login CSRF from a neighbouring subdomain: browsers guard the prefix `__Host-`, and see none here.
#[test]
fn a_cookie_whose_name_only_resembles_ours_is_none() {
    let mut attacker = Browser::new();
    let query = attacker.begin(&cookies(), "/");
    let (name, value) = attacker.cookie();
    // Next line, no-break space, en quad, line separator, ideographic space, byte order mark.
    for space in ['\u{85}', '\u{A0}', '\u{2000}', '\u{2028}', '\u{3000}', '\u{FEFF}'] {
        for name in [format!("{space}{name}"), format!("{name}{space}")] {
            let victim = Browser::with(&name, &value);
            assert_eq!(refusal(victim.take(&query)), TakeError::NoCookie, "{name:?}");
        }
    }
}

/// Something else that was sealed with the same key: a login in a store, even under this name.
#[test]
fn what_was_sealed_for_another_purpose_does_not_open() {
    use base64::Engine;
    use oauth2_proto::agent::{Record, Store};
    use oauth2_proto_stores::MemoryStore;
    use oauth2_proto_stores::seal::Sealed;

    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let (name, _) = browser.cookie();
    futures_lite::future::block_on(async {
        let store = MemoryStore::new();
        let sealed = Sealed::new(store.clone(), keys());
        sealed.swap(&name, None, Some(Record::new(*b"{}"))).await.unwrap();
        let record = store.load(&name).await.unwrap().unwrap().1;
        let value = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(record.as_bytes());
        let moved = Browser::with(&name, &value);
        assert_eq!(refusal(moved.take(&query)), TakeError::Seal(SealError::NotAuthentic(1)));
    });
}

#[test]
fn a_login_of_another_client_is_not_found() {
    // The same client_id, neither with an issuer: their endpoints tell them apart.
    let (one, other) = (client(), client_at("other.example"));
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let taken = cookies().take(&other, Callback::query(&query), &browser.headers(), NOW);
    assert_eq!(refusal(taken), TakeError::OtherClient);

    // Beside one of its own it is in nobody's way.
    let (pending, own) = login(&other);
    browser.keep(cookies().begin(&pending, "/own", &browser.headers(), NOW).unwrap());
    let request = browser.headers();
    let taken = |client, query| cookies().take(client, Callback::query(query), &request, NOW);
    assert_eq!(taken(&other, &own).unwrap().return_to, "/own");
    assert_eq!(taken(&one, &query).unwrap().return_to, "/");
    assert_eq!(refusal(taken(&other, &query)), TakeError::OtherLogin);
    // In whatever order they come.
    let mut pairs: Vec<_> =
        browser.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    for _ in 0..2 {
        pairs.reverse();
        let request = headers([pairs.join("; ").as_bytes()]);
        let taken = cookies().take(&other, Callback::query(&query), &request, NOW);
        assert_eq!(refusal(taken), TakeError::OtherLogin);
    }
}

#[test]
fn a_login_that_is_over_is_refused_though_its_cookie_is_there() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let taken = |now| cookies().take(&client(), Callback::query(&query), &browser.headers(), now);
    assert!(taken(after(600)).is_ok());
    assert_eq!(refusal(taken(after(601))), TakeError::Expired);
}

#[test]
fn a_callback_that_cannot_be_read_is_refused_as_such() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let expected = TakeError::Callback(Error::Forged(Forged::DuplicateParameter("state")));
    assert_eq!(refusal(browser.take(&format!("{query}&state=x"))), expected);
}

#[test]
fn a_key_is_changed_while_people_log_in() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let (new, old) = (SealingKey::new([2; 32]), SealingKey::new([1; 32]));
    let take = |keys| {
        PendingLogins::new(keys).take(&client(), Callback::query(&query), &browser.headers(), NOW)
    };
    let both = SealingKeys::new(2, new.clone()).with_opening(1, old).unwrap();
    take(both).unwrap();
    let error = refusal(take(SealingKeys::new(2, new)));
    assert_eq!(error, TakeError::Seal(SealError::UnknownKey(1)));
    let error = refusal(take(SealingKeys::new(1, SealingKey::generate().unwrap())));
    assert_eq!(error, TakeError::Seal(SealError::NotAuthentic(1)));
}

/// A response with more header than servers and proxies like would lock the browser out.
#[test]
fn cookies_without_number_are_not_all_deleted_at_once() {
    let (pending, _) = login(&client());
    let field: String = (0..60_000).map(|n| format!("__Host-login-{n:022}=;")).collect();
    let set_cookies = cookies().begin(&pending, "/", &headers([field.as_bytes()]), NOW).unwrap();
    let mut response = headers([b"a=b"]);
    response.extend(set_cookies);
    assert!(response.len() < 32, "{}", response.len());
}

proptest! {
    #[test]
    fn no_header_and_no_callback_panics(
        field in prop::collection::vec(0x20_u8..=0x7E, 0..64),
        value in "[A-Za-z0-9_-]{0,200}",
        query in ".{0,64}",
    ) {
        let (name, _) = { let mut b = Browser::new(); b.begin(&cookies(), "/"); b.cookie() };
        let request = headers([&field, format!("{name}={value}").as_bytes(), b"\xff; \xff=\xff"]);
        let error = refusal(cookies().take(&client(), Callback::query(&query), &request, NOW));
        assert!(matches!(error, TakeError::Seal(_)), "{error}");
        let (pending, _) = login(&client());
        assert!(cookies().begin(&pending, "/", &request, NOW).is_ok());
    }
}
