//! The device authorization response (RFC 8628 §3.2), and the polling that it leads to.

use core::time::Duration;

use oauth2_proto::{Polled, Polling, State};
use serde_json::{Map, Value};

use super::scenario::{
    NOW, assert_showable, awaiting_user_code, client, reloaded, response, stored,
};

/// Reads `status LF (name: value LF)* LF body` as the answer to a request for codes, and as the
/// answer to a poll with them.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let Some(response) = response(data) else { return };
    let client = client();
    let polling = match awaiting_user_code(&client).receive(&client, &response, NOW) {
        Ok(polling) => polling,
        Err(error) => return assert_showable(&error),
    };
    assert_codes(&polling, response.body());
    let state = State::from(polling);
    let State::Authorizing(oauth2_proto::Authorizing::Polling(polling)) = reloaded(&state) else {
        unreachable!("it was polling")
    };
    assert_eq!(stored(&polling), stored(&state));

    let due = polling.next_poll();
    assert!(NOW < due && due <= NOW.after(Duration::from_secs(3600)));
    if polling.expires_at() <= due {
        assert!(polling.poll(&client, due).is_err(), "polled with a code that has expired");
        return;
    }
    let early = due.before(Duration::from_secs(1));
    let polling = polling.poll(&client, early).expect_err("it is too early").state;
    let State::Authorizing(oauth2_proto::Authorizing::Polling(polling)) = *polling else {
        unreachable!("a refused call changes nothing")
    };
    let (_, polling) = polling.poll(&client, due).expect("it is due");
    match polling.receive(&client, &response, due) {
        Ok(Polled::Pending(polling)) => assert!(due < polling.next_poll()),
        // The codes can stand beside a token.
        Ok(Polled::Authorized(_)) => {}
        Err(failed) => assert_showable(&failed.error),
    }
}

/// Read once more by a parser that knows nothing of OAuth.
fn assert_codes(polling: &Polling, body: &[u8]) {
    let members: Map<String, Value> =
        serde_json::from_slice(body).expect("codes come in one JSON object");
    let text =
        |name: &str| members.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    assert_eq!(text("error"), None, "an error beside codes is an error");
    assert_eq!(text("user_code"), Some(polling.user_code()));
    let page = text("verification_uri").or_else(|| text("verification_url"));
    assert_eq!(page, Some(polling.verification_uri()));
    assert_eq!(text("verification_uri_complete"), polling.verification_uri_complete());
    assert!(text("device_code").is_some());
    let pages = [Some(polling.verification_uri()), polling.verification_uri_complete()];
    for shown in pages.into_iter().flatten().chain([polling.user_code()]) {
        assert!(shown.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{shown:?} cannot be shown");
    }
    for page in pages.into_iter().flatten() {
        assert!(page.starts_with("https://") || page.starts_with("http://"), "{page} is no page");
    }
    let seconds = |name: &str| members.get(name).and_then(Value::as_u64);
    if let Some(lifetime) = seconds("expires_in") {
        let lifetime = Duration::from_secs(lifetime.min(0x7FFF_FFFF));
        assert_eq!(polling.expires_at(), NOW.after(lifetime));
    }
    if let Some(interval) = seconds("interval") {
        let interval = Duration::from_secs(interval.clamp(1, 3600));
        assert_eq!(polling.next_poll(), NOW.after(interval));
    }
}
