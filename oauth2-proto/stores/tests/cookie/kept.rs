//! What may be kept, and what is shown of it.

use http::{HeaderMap, HeaderValue};
use oauth2_proto::{Error, Forged};
use oauth2_proto_stores::cookie::{BeginError, TakeError};
use oauth2_proto_stores::seal::SealError;
use proptest::prelude::*;
use url::Url;

use crate::browser::{Browser, NOW, REDIRECT_URI, after, client, cookies, login};

#[test]
fn a_way_back_to_another_site_is_refused() {
    let (pending, _) = login(&client());
    let begin = |return_to: &str| cookies().begin(&pending, return_to, &HeaderMap::new(), NOW);
    for evil in [
        "",
        "inbox",
        "https://evil.example/",
        "javascript:alert(1)",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "/a\\..\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " /inbox",
        "/in box",
        "/inbox\r\nSet-Cookie: a=b",
        "/\u{7f}",
        "/\u{ff0f}evil.example",
        "/caf\u{e9}",
    ] {
        let error = begin(evil).expect_err(evil);
        assert!(matches!(error, BeginError::ReturnTo(_)), "{evil}");
        assert!(!error.to_string().contains("evil"));
    }
    for good in ["/", "/inbox", "/a//b", "/a?next=https://b.example/%5C#c", "/..//a", "/;,=\"'<>"] {
        assert!(begin(good).is_ok(), "{good}");
    }
    assert!(begin(&format!("/{}", "a".repeat(1023))).is_ok());
    let error = begin(&format!("/{}", "a".repeat(1024))).unwrap_err();
    assert_eq!(error, BeginError::ReturnTo("is longer than 1024 bytes"));
}

#[test]
fn a_login_that_makes_too_long_a_cookie_is_refused() {
    let client = client();
    let mut lengths = Vec::new();
    for length in (0..4096).step_by(16) {
        let scope = "a".repeat(length);
        let request = client.authorize(REDIRECT_URI).scope(&scope);
        let (_, pending) = request.begin(&mut rand::rng(), NOW).unwrap();
        match cookies().begin(&pending, "/", &HeaderMap::new(), NOW) {
            Ok(set_cookies) => {
                assert_eq!(lengths.len() * 16, length, "longer ones were refused");
                lengths.push(set_cookies.into_iter().next().unwrap().1.len());
            }
            Err(error) => assert_eq!(error, BeginError::TooLong),
        }
    }
    assert!((4000..=4096).contains(lengths.last().unwrap()), "{lengths:?}");
}

#[test]
fn a_login_that_is_over_is_not_kept() {
    let (pending, _) = login(&client());
    let begin = |now| cookies().begin(&pending, "/", &HeaderMap::new(), now);
    assert!(begin(after(599)).is_ok());
    assert_eq!(begin(after(600)).unwrap_err(), BeginError::Expired);
    assert_eq!(begin(after(6000)).unwrap_err(), BeginError::Expired);
}

#[test]
fn secrets_appear_in_no_cookie_and_in_no_debug_output() {
    let client = client();
    let (pending, query) = login(&client);
    let stored: serde_json::Value = serde_json::to_value(&pending).unwrap();
    let verifier = stored.to_string();
    let verifier = verifier.split("\"verifier\":\"").nth(1).unwrap().split('"').next().unwrap();
    let state = query.strip_prefix("code=c&state=").unwrap();
    assert_eq!((state.len(), verifier.len()), (43, 43));

    let mut browser = Browser::new();
    let set_cookies = cookies().begin(&pending, "/", &HeaderMap::new(), NOW).unwrap();
    let mut shown = format!("{set_cookies:?} {:?}", cookies());
    browser.keep(set_cookies);
    shown.push_str(&format!("{:?}", browser.take(&query).unwrap()));
    let (name, value) = browser.cookie();
    for secret in [state, verifier, &value] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(!name.contains(state) && !value.contains(state) && !value.contains(verifier));
}

#[test]
fn errors_say_whose_fault_it_is_and_what_to_do() {
    for (error, says) in [
        (TakeError::NoCookie, "it keeps no cookies, or the login began in another browser"),
        (TakeError::OtherClient, "those of other clients: log in again, and check"),
        (TakeError::OtherLogin, "it is forged, or its login is over; log in again"),
        (TakeError::Expired, "has taken too long: log in again"),
        (TakeError::Seal(SealError::CutOff), "does not open, log in again: it was cut off"),
        (TakeError::Unreadable, "of a newer version of this program"),
        (TakeError::Callback(Error::Forged(Forged::State)), "the callback cannot be read: "),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
    for (error, says) in [
        (BeginError::ReturnTo("is odd"), "a path of this site, but it is odd"),
        (BeginError::TooLong, "more than 4096 bytes, which browsers need not keep: ask for less"),
        (BeginError::Expired, "over already: give it more time"),
        (BeginError::Seal(SealError::Randomness), "could not be sealed: the system gave no random"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}

proptest! {
    /// As browsers read URLs (the WHATWG's standard, which the crate `url` implements).
    #[test]
    fn every_way_back_that_is_kept_stays_on_this_site(
        return_to in "[/\\\\.:@?#%a\t\n \u{ff0f}-]{0,12}",
    ) {
        let (pending, _) = login(&client());
        if cookies().begin(&pending, &return_to, &HeaderMap::new(), NOW).is_ok() {
            let here = Url::parse("https://app.example/callback?code=c").unwrap();
            assert_eq!(here.join(&return_to).unwrap().origin(), here.origin());
            assert!(HeaderValue::try_from(return_to).is_ok());
        }
    }
}
