//! Stored states are a format: every state survives it, old files still load, and what breaks an
//! invariant does not.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use http::header::AUTHORIZATION;
use oauth2_proto::{
    Authentication, Authorized, Authorizing, AwaitingCallback, AwaitingFragment, Callback, Client,
    Error, Failed, Misuse, Polled, Polling, Reason, Refresh, Refreshing, Server, Session, State,
    Unauthorized,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{
    NOW, REDIRECT_URI, TOKENS, after, answer, authorized, begin, client, code, form, other_client,
    parameter, pending, redeem, refreshing, rng, server, service,
};

const RICH_TOKENS: &str = r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"DPoP","expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"write admin","id_token":"eyJhbGciOiJub25lIn0.e30.","instance_url":"https:\/\/eu.example","nested":{"a":[1,"ä"]}}"#;

const DEVICE: &str = r#"{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT","verification_uri":"https://example.com/device","verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT","expires_in":1800,"interval":5}"#;

/// A login in every state that there is, each with a name.
fn states() -> Vec<(&'static str, State)> {
    let client = client();
    let lost = refreshing(&client).1.unanswered(NOW);
    let refused = answer(400, r#"{"error":"invalid_grant"}"#);
    let refused = *redeem(&client).1.receive(&client, &refused, NOW).unwrap_err().state;
    let resources = client
        .authorize(REDIRECT_URI)
        .scope("read write")
        .resource("https://a.example/")
        .resource("https://b.example/");
    let own = || {
        let request = client.client_credentials().scope("read").param("audience", "a b&c");
        request.begin(&mut rng(), NOW).unwrap().1
    };
    let failed = *own().receive(&client, &answer(503, ""), NOW).unwrap_err().state;
    let configured = answer(401, r#"{"error":"invalid_client"}"#);
    let configured = *own().receive(&client, &configured, NOW).unwrap_err().state;
    let tokens = own().receive(&client, &answer(200, TOKENS), NOW).unwrap();
    let minimal = r#"{"access_token":"a","token_type":"bearer"}"#;
    let retried = lost.retry(&client, after(1)).unwrap().1;
    let openid = client.authorize(REDIRECT_URI).scope("openid read").keep("realmId");
    let (url, openid) = openid.begin(&mut rng(), NOW).unwrap();
    let callback = format!("code=c&state={}&realmId=4%2F2", parameter(&url, "state"));
    let signed_in = openid.accept(&client, Callback::query(&callback), NOW).unwrap();
    let signed_in = signed_in.redeem(&client, NOW).unwrap().1;
    let signed_in = signed_in.receive(&client, &answer(200, RICH_TOKENS), NOW).unwrap();
    let implicit = client.legacy_implicit(REDIRECT_URI).scope("read");
    let for_api =
        |login: Authorized| login.refresh_for("https://api.example/", &client, NOW).unwrap().1;
    let several = for_api(authorized(&client, TOKENS));
    let several = several.receive(&client, &answer(200, RICH_TOKENS), NOW).unwrap();
    let narrow = Refresh::default().scope("read").param("audience", "a b&c");
    let narrowed = authorized(&client, TOKENS).refresh_with(&narrow, &client, NOW).unwrap().1;
    let narrow_tokens = r#"{"access_token":"narrow","token_type":"Bearer","expires_in":60}"#;
    let narrow_tokens = narrowed.receive(&client, &answer(200, narrow_tokens), NOW).unwrap();
    let narrowed = authorized(&client, TOKENS).refresh_with(&narrow, &client, NOW).unwrap().1;
    let pending = answer(400, r#"{"error":"slow_down"}"#);
    let asked = polling(&client).poll(&client, after(5)).unwrap().1;
    let Polled::Pending(slower) = polling(&client)
        .poll(&client, after(5))
        .unwrap()
        .1
        .receive(&client, &pending, after(6))
        .unwrap()
    else {
        panic!("nobody has decided")
    };
    let password = client.legacy_password("johndoe", "A3ddj3w").scope("read");
    vec![
        ("unauthorized", refused),
        ("awaiting_callback_openid", openid.into()),
        ("awaiting_fragment", implicit.begin(&mut rng(), NOW).unwrap().1.into()),
        ("awaiting_token_once", password.begin(&mut rng(), NOW).unwrap().1.into()),
        ("polling", polling(&client).into()),
        ("polling_asked", asked.into()),
        ("polling_slower", slower.into()),
        ("authorized_openid", signed_in.into()),
        ("authorized_several", several.into()),
        ("authorized_narrowed", narrow_tokens.into()),
        ("refreshing_for", for_api(authorized(&client, TOKENS)).into()),
        ("refreshing_narrowed", narrowed.into()),
        ("unauthorized_service", service(&client).into()),
        ("unauthorized_service_refused", configured),
        ("awaiting_callback", begin(&client).1.into()),
        ("awaiting_callback_resources", resources.begin(&mut rng(), NOW).unwrap().1.into()),
        ("awaiting_token_code", redeem(&client).1.into()),
        ("awaiting_token_service", own().into()),
        ("awaiting_token_service_failed", failed),
        ("authorized", authorized(&client, TOKENS).into()),
        ("authorized_rich", authorized(&client, RICH_TOKENS).into()),
        ("authorized_minimal", authorized(&client, minimal).into()),
        ("authorized_service", tokens.into()),
        ("refreshing", refreshing(&client).1.into()),
        ("refreshing_again", retried.into()),
    ]
}

/// The example of RFC 8628 §3.2.
fn polling(client: &Client) -> Polling {
    let (_, awaiting) = client.device_authorization().scope("read").begin(&mut rng(), NOW).unwrap();
    awaiting.receive(client, &answer(200, DEVICE), NOW).unwrap()
}

fn json(state: &State) -> String {
    serde_json::to_string(state).unwrap()
}

#[track_caller]
fn load(text: &str) -> State {
    match serde_json::from_str(text) {
        Ok(state) => state,
        Err(error) => panic!("{text} does not load: {error}"),
    }
}

fn binary(state: &State) -> Vec<u8> {
    postcard::to_allocvec(state).unwrap()
}

/// A code that has been sent is not stored; all else is.
fn is_resumable(name: &str) -> bool {
    !matches!(name, "awaiting_token_code" | "awaiting_token_once")
}

// Round trips

#[test]
fn every_state_survives_json() {
    for (name, state) in states().into_iter().filter(|(name, _)| is_resumable(name)) {
        let stored = json(&state);
        assert_eq!(json(&load(&stored)), stored, "{name}");
        let value: Value = serde_json::from_str(&stored).unwrap();
        let loaded: State = serde_json::from_value(value).unwrap();
        assert_eq!(json(&loaded), stored, "{name}");
    }
}

#[test]
fn every_state_survives_a_binary_format() {
    for (name, state) in states().into_iter().filter(|(name, _)| is_resumable(name)) {
        let stored = binary(&state);
        let loaded: State = postcard::from_bytes(&stored).unwrap();
        assert_eq!(binary(&loaded), stored, "{name}");
        assert_eq!(json(&loaded), json(&state), "{name}");
    }
}

#[test]
fn a_state_is_stored_the_same_alone_and_in_the_enum() {
    fn check<T: serde::Serialize>(state: T, into: impl Fn(T) -> State) {
        let alone =
            (serde_json::to_string(&state).unwrap(), postcard::to_allocvec(&state).unwrap());
        let state = into(state);
        assert_eq!(alone, (json(&state), binary(&state)));
    }
    let client = client();
    check(service(&client), State::from);
    check(begin(&client).1, State::from);
    check(authorized(&client, RICH_TOKENS), State::from);
    check(refreshing(&client).1, State::from);
}

#[test]
fn a_loaded_state_has_the_same_login() {
    for (name, state) in states() {
        assert_eq!(load(&json(&state)).login(), state.login(), "{name}");
    }
}

#[test]
fn loaded_tokens_are_worth_the_same() {
    let client = client();
    let before = authorized(&client, RICH_TOKENS);
    let State::Authorized(after) = load(&serde_json::to_string(&before).unwrap()) else {
        panic!("there are tokens")
    };
    for now in [NOW, support::after(3599), support::after(3600)] {
        let token = |tokens: &Authorized| Some(tokens.token(now)?.expose().to_owned());
        assert_eq!(token(&before), token(&after));
    }
    let (own, loaded) = (before.token(NOW).unwrap(), after.token(NOW).unwrap());
    assert_eq!(own.token_type(), loaded.token_type());
    assert_eq!(own.generation(), loaded.generation());
    assert_eq!(before.scope().as_str(), after.scope().as_str());
    assert_eq!(before.missing_scope().as_str(), after.missing_scope().as_str());
    assert_eq!(before.additional_scope().as_str(), after.additional_scope().as_str());
    assert_eq!(before.id_token(), after.id_token());
    assert_eq!(before.extra::<Value>("nested"), after.extra::<Value>("nested"));
    assert_eq!(after.extra::<String>("instance_url").as_deref(), Some("https://eu.example"));
    assert_eq!(before.refresh_at(), after.refresh_at());
    assert_eq!(before.expires_at(), after.expires_at());
    let (own, _) = before.refresh(&client, NOW).unwrap();
    let (loaded, _) = after.refresh(&client, NOW).unwrap();
    assert_eq!(support::body(&own), support::body(&loaded));
}

#[test]
fn a_loaded_refresh_reads_its_answer() {
    let client = client();
    let (_, before) = refreshing(&client);
    let State::Refreshing(loaded) = load(&serde_json::to_string(&before).unwrap()) else {
        panic!("it is refreshing")
    };
    assert_eq!(loaded.deadline(), before.deadline());
    assert_eq!(loaded.retry_at(NOW), before.retry_at(NOW));
    let own = before.receive(&client, &answer(200, TOKENS), after(1)).unwrap();
    let loaded = loaded.receive(&client, &answer(200, TOKENS), after(1)).unwrap();
    assert_eq!(serde_json::to_string(&own).unwrap(), serde_json::to_string(&loaded).unwrap());
}

#[test]
fn a_loaded_service_goes_on_by_itself() {
    let client = client();
    let State::Unauthorized(loaded) = load(&json(&service(&client).into())) else {
        panic!("it has not begun")
    };
    let (request, awaiting) = loaded.renew(&client, NOW).unwrap();
    assert_eq!(form(&request)[1], ("scope".into(), support::SCOPE.into()));
    let State::Authorizing(Authorizing::AwaitingToken(loaded)) = load(&json(&awaiting.into()))
    else {
        panic!("its answer is awaited")
    };
    let tokens = loaded.receive(&client, &answer(200, TOKENS), NOW).unwrap();
    let (again, _) = tokens.refresh(&client, NOW).unwrap();
    assert_eq!(support::body(&again), support::body(&request));
}

#[test]
fn a_code_that_was_sent_loads_as_spent() {
    let client = client();
    let (_, awaiting) = redeem(&client);
    let state = State::from(awaiting);
    let stored = json(&state);
    assert!(!stored.contains(support::CODE) && !stored.contains("verifier"), "{stored}");
    for loaded in [load(&stored), postcard::from_bytes(&binary(&state)).unwrap()] {
        let State::Unauthorized(loaded) = loaded else { panic!("{loaded:?}") };
        assert_eq!(loaded.reason(), &Reason::CodeSpent);
        assert_eq!(loaded.requested_scope().as_str(), support::SCOPE);
        assert!(!loaded.is_renewable());
    }
}

#[test]
fn a_pending_login_fits_into_512_bytes() {
    let client = Client::new(
        "1234567890-abcdefghijklmnopqrstuvwxyz123456.apps.example.com",
        server().with_issuer("https://accounts.example.com"),
    );
    let (_, pending) = client
        .authorize("https://app.example.com/oauth2/callback/provider")
        .scope("openid profile email offline_access")
        .begin(&mut rng(), NOW)
        .unwrap();
    let stored = serde_json::to_string(&pending).unwrap();
    assert!(stored.len() < 512, "{} bytes: {stored}", stored.len());
}

#[test]
fn the_version_stands_outermost() {
    for (name, state) in states() {
        let value: Value = serde_json::to_value(&state).unwrap();
        let versions: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(versions, ["V1"], "{name}");
    }
}

// Golden files

fn golden(version: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(version)
}

/// After a release these files must not change. Before it, what differs is left where it can be
/// copied from.
#[test]
fn what_is_stored_is_what_version_1_stored() {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden").join("v1");
    fs::create_dir_all(&made).unwrap();
    let mut other = Vec::new();
    for (name, state) in states() {
        for (ending, stored) in [("json", json(&state).into_bytes()), ("bin", binary(&state))] {
            let file = format!("{name}.{ending}");
            if fs::read(golden("v1").join(&file)).ok().as_ref() != Some(&stored) {
                fs::write(made.join(&file), stored).unwrap();
                other.push(file);
            }
        }
    }
    assert!(
        other.is_empty(),
        "missing in tests/golden/v1 or stored otherwise: {other:?}. If no version was released with \
         them: cp {}/* {}/",
        made.display(),
        golden("v1").display()
    );
}

#[test]
fn everything_that_version_1_stored_still_loads() {
    let mut files = 0;
    for entry in fs::read_dir(golden("v1")).expect("golden files") {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let (state, again): (State, Vec<u8>) = if path.extension().unwrap() == "json" {
            let state: State = serde_json::from_slice(&bytes).expect(name);
            let again = json(&state).into_bytes();
            (state, again)
        } else {
            let state: State = postcard::from_bytes(&bytes).expect(name);
            let again = binary(&state);
            (state, again)
        };
        assert!(!is_resumable(name) || again == bytes, "{name} is stored otherwise: {state:?}");
        files += 1;
    }
    assert_eq!(files, 2 * states().len());
}

#[test]
fn every_kind_of_state_has_its_golden_file() {
    let kinds = |name: &str| {
        let text = fs::read_to_string(golden("v1").join(format!("{name}.json"))).expect(name);
        match load(&text) {
            State::Unauthorized(_) => 0,
            State::Authorizing(Authorizing::AwaitingCallback(_)) => 1,
            State::Authorizing(Authorizing::AwaitingToken(_)) => 2,
            State::Authorizing(Authorizing::AwaitingFragment(_)) => 5,
            State::Authorizing(Authorizing::Polling(_)) => 6,
            State::Authorized(_) => 3,
            State::Refreshing(_) => 4,
        }
    };
    let mut found: Vec<_> = states().iter().map(|(name, _)| kinds(name)).collect();
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, [0, 1, 2, 3, 4, 5, 6]);
}

// Another kind

#[test]
fn a_state_loads_only_as_what_it_is() {
    fn check<T: serde::de::DeserializeOwned + Debug>(name: &str, stored: &str, is: bool) {
        let loaded = serde_json::from_str::<T>(stored);
        assert_eq!(loaded.is_ok(), is, "{name}: {loaded:?}");
        if let Err(error) = loaded {
            assert!(error.to_string().starts_with("this stored login is not "), "{error}");
        }
    }
    for (name, state) in states() {
        let stored = json(&state);
        let kind = name.split('_').next().unwrap();
        // A code that was sent loads as `Unauthorized`.
        let ended = kind == "unauthorized" || !is_resumable(name);
        check::<Unauthorized>(name, &stored, ended);
        check::<AwaitingCallback>(name, &stored, name.starts_with("awaiting_callback"));
        check::<AwaitingFragment>(name, &stored, name == "awaiting_fragment");
        check::<Polling>(name, &stored, kind == "polling");
        check::<Authorized>(name, &stored, kind == "authorized");
        check::<Refreshing>(name, &stored, kind == "refreshing");
    }
}

// Edited states

/// The state of this name, with one place changed.
fn edited(name: &str, place: &str, to: Value) -> Result<State, serde_json::Error> {
    let (_, state) = states().into_iter().find(|(own, _)| *own == name).expect("a name");
    let mut value: Value = serde_json::to_value(&state).unwrap();
    *value.pointer_mut(place).unwrap_or_else(|| panic!("{name} has no {place}")) = to;
    serde_json::from_value(value)
}

#[track_caller]
fn assert_refused(name: &str, place: &str, to: Value, why: &str) {
    let error = match edited(name, place, to.clone()) {
        Ok(state) => panic!("{name} with {place} = {to} loads as {state:?}"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(why), "{place} = {to}: {error}");
}

#[test]
fn a_scope_of_wrong_form_is_refused() {
    for bad in ["a\"b", "ä", "a\nb"] {
        for (name, place) in [
            ("unauthorized", "/V1/Unauthorized/requested_scope"),
            ("unauthorized_service", "/V1/Unauthorized/requested_scope"),
            ("unauthorized_service", "/V1/Unauthorized/renewal/scope"),
            ("awaiting_callback", "/V1/AwaitingCallback/pending/scope"),
            ("awaiting_token_code", "/V1/AwaitingToken/requested_scope"),
            ("awaiting_token_service", "/V1/AwaitingToken/grant/scope"),
            ("authorized", "/V1/Authorized/tokens/scope"),
            ("authorized", "/V1/Authorized/tokens/requested_scope"),
            ("authorized_service", "/V1/Authorized/renewal/ClientCredentials/scope"),
            ("refreshing", "/V1/Refreshing/held/tokens/scope"),
        ] {
            assert_refused(name, place, json!(bad), "this stored login has a scope of wrong form");
        }
    }
}

#[test]
fn an_access_token_of_wrong_form_is_refused() {
    for bad in ["", "a\nb", "a\r\nX: y", "ä", "\u{0}", "\u{7f}"] {
        for (name, place) in [
            ("authorized", "/V1/Authorized/tokens/access_token"),
            ("refreshing", "/V1/Refreshing/held/tokens/access_token"),
        ] {
            assert_refused(name, place, json!(bad), "has an access token of wrong form");
        }
    }
}

#[test]
fn a_state_or_verifier_of_wrong_form_is_refused() {
    let good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
    for bad in [
        String::new(),
        "short".into(),
        good[1..].into(),
        format!("{good}A"),
        format!("{}=", &good[1..]),
        format!("{}+", &good[1..]),
        format!("{}.", &good[1..]),
        format!("{}\n", &good[1..]),
        format!("{}ä", &good[2..]),
    ] {
        for place in ["/V1/AwaitingCallback/verifier", "/V1/AwaitingCallback/pending/state"] {
            let why = "has a state, nonce or verifier of wrong form";
            assert_refused("awaiting_callback", place, json!(bad), why);
        }
    }
}

#[test]
fn a_refresh_without_anything_to_refresh_with_is_refused() {
    assert_refused(
        "refreshing",
        "/V1/Refreshing/held/renewal",
        Value::Null,
        "has a refresh without anything to refresh with",
    );
}

#[test]
fn an_id_of_wrong_form_is_refused() {
    for bad in ["", "AAAA", "AAECAwQFBgcICQoLDA0OD/", "AAECAwQFBgcICQoLDA0ODw==", "ä"] {
        for place in ["/V1/Authorized/login/id", "/V1/Authorized/login/client"] {
            assert_refused("authorized", place, json!(bad), "22 characters of base64url");
        }
    }
}

#[test]
fn a_place_of_a_wrong_type_is_refused() {
    for (name, place) in [
        ("authorized", "/V1/Authorized/tokens/expires_at"),
        ("authorized", "/V1/Authorized/tokens/rejected"),
        ("authorized", "/V1/Authorized/setbacks"),
        ("authorized", "/V1/Authorized/login/number"),
        ("awaiting_callback", "/V1/AwaitingCallback/pending/deadline"),
        ("refreshing", "/V1/Refreshing/attempt/lease"),
        ("unauthorized", "/V1/Unauthorized/reason"),
        ("unauthorized_service", "/V1/Unauthorized/renewal"),
    ] {
        for bad in [json!(-1), json!("x"), json!([[]]), json!({ "X": 1 })] {
            assert!(edited(name, place, bad.clone()).is_err(), "{place} = {bad}");
        }
    }
}

/// What may be absent reads as absent when it is left out; it is always written all the same.
const OPTIONAL: [&str; 5] =
    ["renewal", "grant", "full_scope", "nonce", "verification_uri_complete"];

#[test]
fn a_missing_place_is_refused() {
    for (name, state) in states() {
        let whole = serde_json::to_value(&state).unwrap();
        let (kind, fields) = whole["V1"].as_object().unwrap().iter().next().unwrap();
        for field in fields.as_object().unwrap().keys() {
            if OPTIONAL.contains(&field.as_str()) {
                continue;
            }
            let mut value = whole.clone();
            value["V1"][kind].as_object_mut().unwrap().remove(field);
            let loaded = serde_json::from_value::<State>(value);
            assert!(loaded.is_err(), "{name} loads without {field}");
        }
    }
}

#[test]
fn an_unknown_version_or_kind_is_refused() {
    let (_, state) = states().remove(0);
    let stored = json(&state);
    for (from, to, why) in [
        ("\"V1\"", "\"V2\"", "unknown variant `V2`"),
        ("\"V1\"", "\"v1\"", "unknown variant `v1`"),
        ("\"Unauthorized\"", "\"Waiting\"", "unknown variant `Waiting`"),
        ("\"invalid_grant\"", "1", "invalid type"),
        ("\"Denied\"", "\"Bored\"", "unknown variant `Bored`"),
    ] {
        assert!(stored.contains(from), "{stored}");
        let error = serde_json::from_str::<State>(&stored.replacen(from, to, 1)).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    for text in ["", "null", "{}", "[]", "1", "\"V1\"", "{\"V1\":{}}", "{\"V1\":null}"] {
        assert!(serde_json::from_str::<State>(text).is_err(), "{text}");
    }
}

/// A message of [`Reason`] ends up in logs and on terminals, wherever it was loaded from.
#[test]
fn a_reason_with_control_characters_is_refused_or_filtered() {
    let hostile = "x\u{1b}[31m\r\nERROR forged";
    let Ok(state) = edited("unauthorized", "/V1/Unauthorized/reason/Denied", json!(hostile)) else {
        return;
    };
    let State::Unauthorized(state) = state else { panic!("{state:?}") };
    let message = state.reason().to_string();
    assert!(!message.contains(char::is_control), "{message:?}");
}

/// What no answer of a server can bring about was not stored by this crate.
#[test]
fn what_no_answer_brings_about_is_refused() {
    let mut loaded = Vec::new();
    for (name, place, to) in [
        ("authorized", "/V1/Authorized/tokens/token_type", ""),
        ("authorized", "/V1/Authorized/renewal/RefreshToken", ""),
        ("authorized_rich", "/V1/Authorized/tokens/id_token", ""),
        ("authorized_rich", "/V1/Authorized/tokens/extras", "no JSON"),
        ("authorized_rich", "/V1/Authorized/tokens/extras", "[]"),
        ("awaiting_callback", "/V1/AwaitingCallback/pending/redirect_uri", "http://evil.example/"),
        ("awaiting_callback", "/V1/AwaitingCallback/pending/redirect_uri", "no URL"),
        ("awaiting_callback_resources", "/V1/AwaitingCallback/resources/0", "no URI"),
    ] {
        if edited(name, place, json!(to)).is_ok() {
            loaded.push(format!("{place} = {to:?}"));
        }
    }
    assert!(loaded.is_empty(), "{loaded:#?}");
}

/// The caller's parameters are stored encoded: a store must not be able to override ours.
#[test]
fn stored_parameters_cannot_override_those_of_the_protocol() {
    for params in ["grant_type=password&username=a", "scope=admin", "client_id=b", "&&", "a"] {
        let place = "/V1/Unauthorized/renewal/params";
        let Ok(state) = edited("unauthorized_service", place, json!(params)) else { continue };
        let State::Unauthorized(state) = state else { panic!("{state:?}") };
        let (request, _) = state.renew(&client(), NOW).unwrap();
        let pairs = form(&request);
        for name in ["grant_type", "scope", "client_id", "", "a"] {
            let count = pairs.iter().filter(|(own, _)| own == name).count();
            let expected = usize::from(!matches!(name, "" | "a"));
            assert_eq!(count, expected, "{}", support::body(&request));
        }
    }
}

// Another client

/// A refusal for the wrong client, which leaves the state as it was.
#[track_caller]
fn assert_wrong_client<T: Debug>(result: Result<T, Failed>, stored: &str) {
    let failed = result.expect_err("another client's state");
    assert_eq!(failed.error, Error::Misuse(Misuse::WrongClient));
    assert_eq!(json(&failed.state), stored);
}

fn elsewhere(token: &str) -> Client {
    Client::new("s6BhdRkqt3", Server::new("https://as.example/authorize", token).unwrap())
}

#[test]
fn every_method_that_takes_a_client_refuses_another_one() {
    let own = client();
    let others = [
        other_client(),
        elsewhere("https://evil.example/token"),
        Client::new("s6BhdRkqt3", server().with_issuer("https://as.example")),
    ];
    for other in &others {
        let (pending, query) = pending(&own);
        let error = pending.accept(other, Callback::query(&query), NOW).unwrap_err();
        assert_eq!(error, Error::Misuse(Misuse::WrongClient));

        let unsent =
            json(&redeem(&own).1.into()).replace("\"on_its_way\":true", "\"on_its_way\":false");
        assert_wrong_client(code(&own).redeem(other, NOW), &unsent);

        let awaiting = || redeem(&own).1;
        let stored = json(&awaiting().into());
        assert_wrong_client(awaiting().receive(other, &answer(200, TOKENS), NOW), &stored);
        assert_wrong_client(awaiting().retry(other, after(60)), &stored);
        assert_wrong_client(State::from(awaiting()).sign_out(other, NOW), &stored);

        for (_, state) in states() {
            let stored = json(&state);
            match state {
                State::Unauthorized(state) => {
                    assert_wrong_client(state.renew(other, after(60)), &stored);
                }
                State::Authorizing(Authorizing::AwaitingToken(state)) => {
                    assert_wrong_client(state.retry(other, after(60)), &stored);
                }
                State::Authorizing(Authorizing::AwaitingCallback(_)) => {}
                State::Authorizing(Authorizing::AwaitingFragment(state)) => {
                    let error = state.accept(other, Callback::query(""), NOW).unwrap_err();
                    assert_eq!(error, Error::Misuse(Misuse::WrongClient));
                }
                State::Authorizing(Authorizing::Polling(state)) => {
                    let State::Authorizing(Authorizing::Polling(again)) = load(&stored) else {
                        panic!("{stored}")
                    };
                    assert_wrong_client(state.poll(other, after(60)), &stored);
                    assert_wrong_client(again.receive(other, &answer(200, TOKENS), NOW), &stored);
                }
                State::Authorized(state) => {
                    let mut request = http::Request::get("https://api.example/").body(()).unwrap();
                    assert_eq!(
                        state.attach(other, &mut request, NOW),
                        Err(Error::Misuse(Misuse::WrongClient))
                    );
                    assert!(request.headers().is_empty());
                    assert_wrong_client(state.refresh(other, after(60)), &stored);
                }
                State::Refreshing(state) => {
                    let again = load(&stored);
                    let answer = answer(200, TOKENS);
                    assert_wrong_client(state.receive(other, &answer, after(60)), &stored);
                    let State::Refreshing(state) = again else { panic!("{again:?}") };
                    assert_wrong_client(state.retry(other, after(60)), &stored);
                }
            }
        }
        for (_, state) in states() {
            let stored = json(&state);
            assert_wrong_client(state.sign_out(other, NOW), &stored);
        }
        for (_, state) in states() {
            let stored = json(&state);
            assert_wrong_client(Session::new(Arc::new(other.clone()), state), &stored);
        }
    }
}

#[test]
fn a_code_that_was_handed_to_another_client_can_still_be_redeemed() {
    let failed = code(&client()).redeem(&other_client(), NOW).unwrap_err();
    let State::Authorizing(Authorizing::AwaitingToken(state)) = *failed.state else {
        panic!("the code was not sent")
    };
    let (request, state) = state.retry(&client(), NOW).unwrap();
    assert_eq!(support::body(&request), support::body(&redeem(&client()).0));
    assert!(state.receive(&client(), &answer(200, TOKENS), NOW).is_ok());
}

#[test]
fn logins_outlive_the_rotation_of_a_secret() {
    let clients = [
        client().with_secret("old"),
        client().with_secret("new"),
        client().with_authentication(Authentication::Post("new".into())),
        client(),
    ];
    for old in &clients {
        for new in &clients {
            let State::Authorized(loaded) = load(&json(&authorized(old, TOKENS).into())) else {
                panic!("there are tokens")
            };
            let (request, refreshing) = loaded.refresh(new, NOW).unwrap();
            let own = authorized(new, TOKENS).refresh(new, NOW).unwrap().0;
            assert_eq!(support::body(&request), support::body(&own));
            assert_eq!(request.headers().get(AUTHORIZATION), own.headers().get(AUTHORIZATION));
            assert!(refreshing.receive(old, &answer(200, TOKENS), NOW).is_ok());
        }
    }
}

#[test]
fn logins_of_a_named_issuer_outlive_a_move_of_its_endpoints() {
    let issuer = "https://as.example";
    let old = Client::new("id", server().with_issuer(issuer));
    let moved = Server::new("https://new.example/authorize", "https://new.example/token").unwrap();
    let new = Client::new("id", moved.with_issuer_in_callback(issuer));
    let (request, _) = authorized(&old, TOKENS).refresh(&new, NOW).unwrap();
    assert_eq!(request.uri(), "https://new.example/token", "no endpoint is taken from storage");
}

#[test]
fn no_secret_and_no_endpoint_is_stored() {
    let client = client().with_secret("cLiEnTsEcReT");
    for state in [
        json(&begin(&client).1.into()),
        json(&authorized(&client, TOKENS).into()),
        json(&refreshing(&client).1.into()),
        json(&service(&client).into()),
    ] {
        for absent in ["cLiEnTsEcReT", "as.example", "s6BhdRkqt3"] {
            assert!(!state.contains(absent), "{state}");
        }
    }
}

// Anything else

/// Does whatever can be done with a loaded state.
fn exercise(state: State) {
    let client = client();
    let stored = json(&state);
    let again = load(&stored);
    assert_eq!(json(&again), stored, "what was loaded once loads the same again");
    let _ = format!("{state:?}");
    for now in [NOW, after(u64::MAX)] {
        match load(&stored) {
            State::Unauthorized(state) => {
                let _ = (state.reason().to_string(), state.not_before(now), state.is_renewable());
                let _ = state.renew(&client, now);
            }
            State::Authorizing(Authorizing::AwaitingCallback(state)) => {
                let _ = state.accept(&client, Callback::url(REDIRECT_URI), now);
                let _ = state.accept(&client, Callback::query("state=a&code=b"), now);
            }
            State::Authorizing(Authorizing::AwaitingFragment(state)) => {
                let _ = state.accept(&client, Callback::query("state=a&access_token=b"), now);
            }
            State::Authorizing(Authorizing::Polling(state)) => {
                let _ = (state.user_code().len(), state.next_poll(), state.expires_at());
                if let Ok((_, state)) = state.poll(&client, now) {
                    let _ = state.receive(&client, &answer(400, r#"{"error":"slow_down"}"#), now);
                }
            }
            State::Authorizing(Authorizing::AwaitingToken(state)) => {
                let _ = (state.deadline(), state.retry(&client, now));
            }
            State::Authorized(state) => {
                let _ = (state.token(now), state.extra::<Value>("a"), state.missing_scope());
                if let Ok((_, state)) = state.refresh(&client, now) {
                    let _ = state.receive(&client, &answer(200, RICH_TOKENS), now);
                }
            }
            State::Refreshing(state) => {
                let _ = (state.retry_at(now), state.deadline());
                if let Ok((_, state)) = state.retry(&client, now) {
                    let _ = state.unanswered(now).receive(&client, &answer(400, ""), now);
                }
            }
        }
        if let Ok(mut session) = Session::new(Arc::new(client.clone()), load(&stored)) {
            let _ = format!("{:?}", session.step(now));
        }
    }
}

#[test]
fn every_state_can_be_exercised() {
    states()
        .into_iter()
        .filter(|(name, _)| is_resumable(name))
        .for_each(|(_, state)| exercise(state));
}

proptest! {
    #[test]
    fn no_text_makes_loading_panic(text: String) {
        prop_assert!(serde_json::from_str::<State>(&text).is_err());
    }

    #[test]
    fn no_bytes_make_loading_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(state) = postcard::from_bytes::<State>(&bytes) {
            exercise(state);
        }
    }

    #[test]
    fn no_damage_to_text_makes_loading_panic(which in 0..states().len(), at: prop::sample::Index, byte: u8) {
        let mut stored = json(&states().remove(which).1).into_bytes();
        *at.get_mut(&mut stored) = byte;
        if let Ok(state) = serde_json::from_slice::<State>(&stored) {
            exercise(state);
        }
    }

    #[test]
    fn no_damage_to_bytes_makes_loading_panic(which in 0..states().len(), at: prop::sample::Index, byte: u8) {
        let mut stored = binary(&states().remove(which).1);
        *at.get_mut(&mut stored) = byte;
        if let Ok(state) = postcard::from_bytes::<State>(&stored) {
            exercise(state);
        }
    }

    #[test]
    fn no_number_makes_a_loaded_state_panic(
        which in 0..states().len(),
        numbers in prop::collection::vec(prop_oneof![any::<u64>(), Just(u64::MAX), 0..9_u64], 12),
    ) {
        let mut numbers = numbers.into_iter().cycle();
        let mut value = serde_json::to_value(states().remove(which).1).unwrap();
        replace_numbers(&mut value, &mut numbers);
        if let Ok(state) = serde_json::from_value::<State>(value) {
            exercise(state);
        }
    }

    #[test]
    fn whatever_an_answer_brings_survives_storage(
        token in "[!-~]{1,30}",
        scope in "[ab ]{0,8}|[ab \"ä]{0,12}",
        refresh: Option<String>,
        name in "[a-z\"\\\\]{0,4}",
        extra: String,
        expires_in: Option<u64>,
    ) {
        let mut members = json!({
            "access_token": token, "token_type": "Bearer", "scope": scope,
            "refresh_token": refresh, "expires_in": expires_in,
        });
        members[&name] = json!(extra);
        let state = State::from(authorized(&client(), &members.to_string()));
        let stored = json(&state);
        prop_assert_eq!(json(&load(&stored)), stored);
        let stored = binary(&state);
        let loaded: State = postcard::from_bytes(&stored).unwrap();
        prop_assert_eq!(binary(&loaded), stored);
    }
}

/// Puts other numbers in the place of all that are there.
fn replace_numbers(value: &mut Value, numbers: &mut impl Iterator<Item = u64>) {
    match value {
        Value::Number(_) => *value = json!(numbers.next()),
        Value::Array(values) => {
            values.iter_mut().for_each(|value| replace_numbers(value, numbers));
        }
        Value::Object(members) => {
            members.values_mut().for_each(|value| replace_numbers(value, numbers));
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
