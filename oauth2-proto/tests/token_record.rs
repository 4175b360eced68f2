//! Moving in: tokens that other software has stored become a login.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::sync::Arc;

use oauth2_proto::{
    Authorized, Challenge, Challenged, Client, Error, Outage, Problem, Scope, Secret, Server,
    Session, State, Step, Timestamp, TokenRecord,
};
use proptest::prelude::*;
use support::{NOW, TOKENS, after, answer, body, form, rng};

const ACCESS: &str = "2YotnFZFEjr1zCsicMWpAA";
const REFRESH: &str = "tGzv3JOkF0XG5Qx2TlKWIA";

fn client() -> Client {
    Client::new("s6BhdRkqt3", support::server().with_revocation("https://as.example/r").unwrap())
}

#[track_caller]
fn adopt(record: Result<TokenRecord, Error>) -> Authorized {
    client().adopt(record.expect("a good record"), &mut rng(), NOW).expect("a good record")
}

#[track_caller]
fn refused(record: Result<TokenRecord, Error>) -> String {
    let adopted = record.and_then(|record| client().adopt(record, &mut rng(), NOW));
    let Err(error @ Error::Malformed(_)) = adopted else { panic!("{adopted:?} is not malformed") };
    error.to_string()
}

const fn at(unix_seconds: u64) -> Option<Timestamp> {
    Some(Timestamp::from_unix_seconds(unix_seconds))
}

fn access(login: &Authorized) -> Option<&str> {
    Some(login.token(NOW)?.expose())
}

/// The refresh token, as it would be sent.
fn refresh(login: Authorized) -> Option<String> {
    let (request, _) = login.refresh(&client(), NOW).ok()?;
    let pairs = form(&request).into_iter();
    pairs.filter(|(name, _)| name == "refresh_token").map(|(_, value)| value).next()
}

/// A state as it comes back from a store.
fn reloaded(login: Authorized) -> Authorized {
    let state = State::from(login);
    let text = serde_json::to_string(&state).unwrap();
    let bytes = postcard::to_allocvec(&state).unwrap();
    let from_binary: State = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(serde_json::to_string(&from_binary).unwrap(), text);
    serde_json::from_str(&text).unwrap()
}

// requests-oauthlib

fn requests_oauthlib(json: &str) -> Result<TokenRecord, Error> {
    TokenRecord::requests_oauthlib(json, NOW)
}

/// A token dict as requests-oauthlib keeps it.
#[test]
fn a_token_dict_of_requests_oauthlib() {
    let login = adopt(requests_oauthlib(
        r#"{"access_token": "2YotnFZFEjr1zCsicMWpAA", "token_type": "Bearer", "expires_in": 3600,
            "refresh_token": "tGzv3JOkF0XG5Qx2TlKWIA", "scope": ["read", "write"],
            "expires_at": 1700001000.25, "id_token": "a.b.c", "athlete": {"id": 7}}"#,
    ));
    assert_eq!(access(&login), Some(ACCESS));
    assert_eq!(login.scope().as_str(), "read write");
    assert_eq!(login.expires_at(), at(1_700_001_000), "expires_at wins");
    assert_eq!(login.refresh_at(), at(1_700_000_940));
    assert_eq!(login.id_token().map(Secret::expose), Some("a.b.c"));
    assert_eq!(login.extra::<serde_json::Value>("athlete").unwrap()["id"], 7);
    assert_eq!(login.extra::<String>("access_token"), None);
    assert_eq!(refresh(login).as_deref(), Some(REFRESH));
}

/// The seed of its documentation, which is expired on purpose.
#[test]
fn a_negative_lifetime_means_expired() {
    let login = adopt(requests_oauthlib(
        r#"{"access_token":"eswfld123kjhn1v5423","refresh_token":"asdfkljh23490sdf","token_type":"Bearer","expires_in":"-30"}"#,
    ));
    assert!(login.token(NOW).is_none());
    assert_eq!(login.expires_at(), at(NOW.unix_seconds() - 30));
    let mut session = Session::new(Arc::new(client()), login).unwrap();
    let Step::Send(ticket, request) = session.step(NOW) else { panic!("it is to be refreshed") };
    assert_eq!(
        body(&request),
        "grant_type=refresh_token&refresh_token=asdfkljh23490sdf&client_id=s6BhdRkqt3"
    );
    let _ = session.receive(ticket, &answer(200, TOKENS), NOW).unwrap();
    assert!(matches!(session.step(NOW), Step::Use(token) if token.expose() == ACCESS));
}

#[test]
fn the_expiry_of_requests_oauthlib_in_every_spelling() {
    for (members, expected) in [
        ("", None),
        (r#","expires_in":3600"#, at(1_700_003_600)),
        (r#","expires_in":"3600""#, at(1_700_003_600)),
        (r#","expires_in":3600.9"#, at(1_700_003_600)),
        (r#","expires_in":0"#, None),
        (r#","expires_in":null"#, None),
        (r#","expires_in":-1e99"#, at(0)),
        (r#","expires_in":1e99"#, Some(NOW.after(core::time::Duration::from_secs(u64::MAX / 2)))),
        (r#","expires_at":1700000500"#, at(1_700_000_500)),
        (r#","expires_at":"1700000500.5""#, at(1_700_000_500)),
        (r#","expires_at":"2023-11-14T22:13:20Z""#, at(1_700_000_000)),
        (r#","expires_at":null,"expires_in":5"#, at(1_700_000_005)),
        (r#","expires_at":-5"#, at(0)),
        (r#","expires_at":0"#, None),
        (r#","expires_at":1700000500,"expires_in":-30"#, at(1_700_000_500)),
    ] {
        let json = format!(r#"{{"access_token":"a"{members}}}"#);
        assert_eq!(adopt(requests_oauthlib(&json)).expires_at(), expected, "{json}");
    }
}

#[test]
fn the_scope_in_every_spelling() {
    for (scope, expected) in [
        ("null", ""),
        ("\"\"", ""),
        ("[]", ""),
        ("\"read  write read\"", "read write"),
        ("[\"read\",\"write\"]", "read write"),
        ("\"repo,gist\"", "repo,gist"),
        ("\"a \\\"b c\"", "a c"),
    ] {
        let json = format!(r#"{{"access_token":"a","scope":{scope}}}"#);
        let login = adopt(requests_oauthlib(&json));
        assert_eq!(login.scope().as_str(), expected);
        assert!(login.missing_scope().is_empty() && login.additional_scope().is_empty());
    }
}

#[test]
fn a_missing_type_is_bearer_and_another_one_is_kept() {
    for (member, expected) in [
        ("", "Bearer"),
        (r#","token_type":null"#, "Bearer"),
        (r#","token_type":"""#, "Bearer"),
        (r#","token_type":"bearer""#, "Bearer"),
        (r#","token_type":"mac""#, "mac"),
    ] {
        let login = adopt(requests_oauthlib(&format!(r#"{{"access_token":"a"{member}}}"#)));
        assert_eq!(login.token(NOW).unwrap().token_type(), expected);
    }
}

// golang

/// As `json.Marshal` writes a `Token`.
#[test]
fn a_token_of_golang() {
    let login = adopt(TokenRecord::golang(
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","expiry":"2023-11-15T00:13:20.123456789+01:00","expires_in":7200}"#,
        NOW,
    ));
    assert_eq!(access(&login), Some(ACCESS));
    assert_eq!(login.expires_at(), at(1_700_003_600));
    assert_eq!(login.refresh_at(), at(1_700_003_540));
    assert_eq!(refresh(login).as_deref(), Some(REFRESH));
}

#[test]
fn a_token_of_golang_without_expiry() {
    for (members, expected) in [
        ("", None),
        (r#","expiry":"0001-01-01T00:00:00Z""#, None),
        (r#","expiry":null"#, None),
        (r#","expiry":"0001-01-01T00:00:00Z","expires_in":60"#, at(1_700_000_060)),
        (r#","expires_in":0"#, None),
        (r#","expiry":"1969-12-31T00:00:00Z""#, at(0)),
    ] {
        let json = format!(r#"{{"access_token":"a"{members}}}"#);
        let login = adopt(TokenRecord::golang(&json, NOW));
        assert_eq!(login.expires_at(), expected, "{json}");
    }
}

#[test]
fn a_date_that_is_none_is_refused() {
    for expiry in ["\"tomorrow\"", "\"2023-11-14\"", "\"2023-02-29T00:00:00Z\""] {
        let json = format!(r#"{{"access_token":"a","expiry":{expiry}}}"#);
        assert_eq!(
            refused(TokenRecord::golang(&json, NOW)),
            "the token record's expiry is no date"
        );
    }
    let number = r#"{"access_token":"a","expiry":1700000000}"#;
    assert_eq!(refused(TokenRecord::golang(number, NOW)), "the token record's expiry is no string");
}

// The crate oauth2

/// As serde writes a `StandardTokenResponse` with extra fields.
#[test]
fn a_standard_response_of_the_crate_oauth2() {
    let login = adopt(TokenRecord::oauth2_crate(
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"bearer","expires_in":3600,"refresh_token":"tGzv3JOkF0XG5Qx2TlKWIA","scope":"read write","tenant":"t"}"#,
        NOW,
    ));
    assert_eq!(access(&login), Some(ACCESS));
    assert_eq!(login.expires_at(), at(1_700_003_600));
    assert_eq!(login.scope().as_str(), "read write");
    assert_eq!(login.extra::<String>("tenant").as_deref(), Some("t"));
    assert_eq!(refresh(login).as_deref(), Some(REFRESH));
}

#[test]
fn its_lifetime_counts_from_the_moment_that_is_given() {
    let json = r#"{"access_token":"a","token_type":"bearer","expires_in":60}"#;
    let stored_at = Timestamp::from_unix_seconds(1_699_999_000);
    let login = adopt(TokenRecord::oauth2_crate(json, stored_at));
    assert_eq!((login.expires_at(), access(&login)), (at(1_699_999_060), None));
    let zero = json.replace("60", "0");
    assert!(adopt(TokenRecord::oauth2_crate(&zero, NOW)).token(NOW).is_none());
}

// AppAuth

/// As `AuthState.jsonSerializeString` of AppAuth for Android writes it.
const APP_AUTH: &str = r#"{
    "refreshToken": "tGzv3JOkF0XG5Qx2TlKWIA",
    "scope": "openid profile",
    "config": {"authorizationEndpoint": "https://as.example/authorize"},
    "lastAuthorizationResponse": {
        "request": {"clientId": "s6BhdRkqt3"}, "state": "xyz", "code": "SplxlOBeZQQYbYS6WxSbIA",
        "additional_parameters": {}
    },
    "mLastTokenResponse": {
        "request": {"clientId": "s6BhdRkqt3", "grantType": "authorization_code"},
        "token_type": "Bearer", "access_token": "2YotnFZFEjr1zCsicMWpAA",
        "expires_at": 1700003600999, "id_token": "a.b.c",
        "refresh_token": "old", "additionalParameters": {"tenant": "t"}
    }
}"#;

#[test]
fn a_state_of_app_auth() {
    let login = adopt(TokenRecord::app_auth(APP_AUTH));
    assert_eq!(access(&login), Some(ACCESS));
    assert_eq!(login.expires_at(), at(1_700_003_600));
    assert_eq!(login.scope().as_str(), "openid profile");
    assert_eq!(login.id_token().map(Secret::expose), Some("a.b.c"));
    assert_eq!(login.extra::<String>("tenant").as_deref(), Some("t"));
    assert_eq!(login.extra::<serde_json::Value>("request"), None);
    let stored = serde_json::to_string(&login).unwrap();
    assert!(!stored.contains("SplxlO") && !stored.contains("old"), "{stored}");
    assert_eq!(refresh(login).as_deref(), Some(REFRESH));
}

#[test]
fn the_token_of_an_authorization_response_is_the_second_choice() {
    let login = adopt(TokenRecord::app_auth(
        r#"{"lastAuthorizationResponse":{"access_token":"first","expires_at":1700000500000,"scope":"a"},"mLastTokenResponse":null}"#,
    ));
    assert_eq!(access(&login), Some("first"));
    assert_eq!((login.expires_at(), login.is_renewable()), (at(1_700_000_500), false));
    assert_eq!(login.scope().as_str(), "a");
}

#[test]
fn after_an_error_only_the_refresh_token_counts() {
    let failed = APP_AUTH.replacen('{', r#"{"mAuthorizationException":{"type":2,"code":2002},"#, 1);
    let login = adopt(TokenRecord::app_auth(&failed));
    assert_eq!(access(&login), None);
    assert_eq!(refresh(login).as_deref(), Some(REFRESH));
    let without = failed.replace("refreshToken", "other");
    assert_eq!(refresh(adopt(TokenRecord::app_auth(&without))).as_deref(), Some("old"));
}

#[test]
fn a_state_of_app_auth_before_its_login() {
    assert_eq!(
        refused(TokenRecord::app_auth("{}")),
        "the token record's access_token is missing, and so is its refresh_token"
    );
}

// Only a refresh token

#[test]
fn a_refresh_token_is_enough() {
    for login in [
        adopt(Ok(TokenRecord::from_refresh_token(REFRESH))),
        adopt(TokenRecord::golang(&format!(r#"{{"refresh_token":"{REFRESH}"}}"#), NOW)),
        adopt(requests_oauthlib(&format!(
            r#"{{"access_token":"","expires_in":3600,"refresh_token":"{REFRESH}"}}"#
        ))),
        adopt(TokenRecord::app_auth(&format!(r#"{{"refreshToken":"{REFRESH}"}}"#))),
    ] {
        let login = reloaded(login);
        assert!(login.token(NOW).is_none());
        assert!(login.token(Timestamp::from_unix_seconds(0)).is_none());
        let mut session = Session::new(Arc::new(client()), login).unwrap();
        let Step::Send(ticket, _) = session.step(NOW) else { panic!("nothing to use") };
        let _ = session.receive(ticket, &answer(200, TOKENS), NOW).unwrap();
        assert!(matches!(session.step(NOW), Step::Use(token) if token.expose() == ACCESS));
    }
}

#[test]
fn what_is_not_there_is_not_revoked() {
    let login = adopt(Ok(TokenRecord::from_refresh_token(REFRESH)));
    let (_, requests) = State::from(login).sign_out(&client(), NOW).unwrap();
    let bodies: Vec<&str> = requests.iter().map(body).collect();
    assert_eq!(
        bodies,
        [format!("token={REFRESH}&token_type_hint=refresh_token&client_id=s6BhdRkqt3")]
    );
}

#[test]
fn a_stored_login_without_an_access_token_is_refused_elsewhere() {
    let login = adopt(Ok(TokenRecord::from_refresh_token(REFRESH)));
    let stored = serde_json::to_string(&login).unwrap();
    for (from, to) in [
        (r#""expires_at":0"#, r#""expires_at":1"#),
        (r#""token_type":"Bearer""#, r#""token_type":"mac""#),
    ] {
        assert!(stored.contains(from), "{stored}");
        let error = serde_json::from_str::<State>(&stored.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains("an access token of wrong form"), "{error}");
    }
    let renewal = format!(r#"{{"RefreshToken":"{REFRESH}"}}"#);
    let error = serde_json::from_str::<State>(&stored.replace(&renewal, "null")).unwrap_err();
    assert!(error.to_string().contains("neither an access token nor anything to get"), "{error}");
}

// By hand

#[test]
fn a_record_by_hand() {
    let record = TokenRecord::new(ACCESS)
        .with_refresh_token(REFRESH)
        .with_token_type("bearer")
        .with_id_token("a.b.c")
        .with_scope(Scope::new("read").unwrap())
        .with_issued_at(Timestamp::from_unix_seconds(1_699_999_900))
        .with_expires_at(after(100))
        .with_extras(r#"{"tenant":"t"}"#);
    let login = reloaded(adopt(Ok(record)));
    assert_eq!(access(&login), Some(ACCESS));
    // A lifetime of 200 seconds has a window of 50.
    assert_eq!((login.expires_at(), login.refresh_at()), (Some(after(100)), Some(after(50))));
    assert_eq!(login.scope().as_str(), "read");
    assert_eq!(login.extra::<String>("tenant").as_deref(), Some("t"));
    assert_eq!(login.id_token().map(Secret::expose), Some("a.b.c"));
    assert_eq!(refresh(login).as_deref(), Some(REFRESH));
}

#[test]
fn a_record_with_an_access_token_alone_lasts_until_it_is_rejected() {
    let login = adopt(Ok(TokenRecord::new(ACCESS)));
    assert_eq!((login.expires_at(), login.refresh_at()), (None, None));
    assert!(!login.is_renewable());
}

/// The age of an adopted token is unknown: a resource server that refuses it is believed.
#[test]
fn a_refusal_right_after_moving_in_is_believed() {
    let login = adopt(Ok(TokenRecord::new(ACCESS).with_refresh_token(REFRESH)));
    let generation = login.token(NOW).unwrap().generation();
    let mut session = Session::new(Arc::new(client()), login).unwrap();
    let value = http::HeaderValue::from_static("Bearer error=\"invalid_token\"");
    let headers = http::HeaderMap::from_iter([(http::header::WWW_AUTHENTICATE, value)]);
    let challenge = Challenge::from_headers(&headers).pop().unwrap();
    assert_eq!(session.challenged(generation, &challenge, NOW), Challenged::Rejected);
    assert!(matches!(session.step(NOW), Step::Send(..)));
}

#[test]
fn each_login_is_one_of_its_own_and_of_its_client() {
    let mut randomness = rng();
    let mut adopt = || client().adopt(TokenRecord::new(ACCESS), &mut randomness, NOW).unwrap();
    let (one, another) = (adopt(), adopt());
    assert_ne!(one.login(), another.login());
    let other = Client::new("s6BhdRkqt3", Server::token_only("https://other.example/t").unwrap());
    let mut request = http::Request::get("https://api.example/").body(()).unwrap();
    assert!(one.attach(&other, &mut request, NOW).is_err());
    assert!(one.attach(&client(), &mut request, NOW).is_ok());
}

// What is refused

#[test]
fn what_is_wrong_with_a_record_is_named() {
    for (json, message) in [
        ("", "text is no JSON object"),
        ("[]", "text is no JSON object"),
        (r#"{"access_token":"a""#, "text is no JSON object"),
        ("{}", "access_token is missing, and so is its refresh_token"),
        (r#"{"access_token":""}"#, "access_token is missing, and so is its refresh_token"),
        (r#"{"access_token":7}"#, "access_token is no string"),
        (r#"{"access_token":"a\nb"}"#, "access_token has characters that RFC 6749 forbids"),
        (
            r#"{"access_token":"a","refresh_token":"é"}"#,
            "refresh_token has characters that RFC 6749 forbids",
        ),
        (r#"{"access_token":"a","refresh_token":[]}"#, "refresh_token is no string"),
        (r#"{"access_token":"a","token_type":1}"#, "token_type is no string"),
        (r#"{"access_token":"a","id_token":{}}"#, "id_token is no string"),
        (r#"{"access_token":"a","expires_in":"soon"}"#, "expires_in is no number"),
        (r#"{"access_token":"a","expires_at":true}"#, "expires_at is no moment"),
        (r#"{"access_token":"a","expires_at":"soon"}"#, "expires_at is no moment"),
        (r#"{"access_token":"a","scope":1}"#, "scope is neither a string nor a list of strings"),
        (r#"{"access_token":"a","scope":[1]}"#, "scope is neither a string nor a list of strings"),
    ] {
        assert_eq!(refused(requests_oauthlib(json)), format!("the token record's {message}"));
    }
    assert_eq!(
        refused(TokenRecord::app_auth(r#"{"mLastTokenResponse":"x"}"#)),
        "the token record's mLastTokenResponse is no JSON object"
    );
    assert_eq!(
        refused(Ok(TokenRecord::new("a").with_extras("[1]"))),
        "the token record's extras are no JSON object"
    );
    let Err(Error::Malformed(malformed)) = requests_oauthlib("") else { panic!("it was read") };
    assert_eq!(malformed.problem(), &Problem::Record("text is no JSON object".into()));
}

#[test]
fn without_randomness_there_is_no_login() {
    struct Dry;

    #[derive(Debug)]
    struct Empty;

    impl core::fmt::Display for Empty {
        fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            Ok(())
        }
    }

    impl core::error::Error for Empty {}

    impl rand::TryRng for Dry {
        type Error = Empty;

        fn try_next_u32(&mut self) -> Result<u32, Empty> {
            Err(Empty)
        }

        fn try_next_u64(&mut self) -> Result<u64, Empty> {
            Err(Empty)
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Empty> {
            Err(Empty)
        }
    }

    impl rand::TryCryptoRng for Dry {}

    let error = client().adopt(TokenRecord::new(ACCESS), &mut Dry, NOW).unwrap_err();
    let Error::Unavailable(unavailable) = error else { panic!("{error:?}") };
    assert_eq!(unavailable.cause(), Outage::Randomness);
}

#[test]
fn no_token_shows() {
    let record = TokenRecord::app_auth(APP_AUTH).unwrap();
    let text = format!("{record:?} {record:#?} {:?}", adopt(Ok(record.clone())));
    for secret in [ACCESS, REFRESH, "a.b.c", "tenant", "Splx"] {
        assert!(!text.contains(secret), "{text}");
    }
    for json in [
        format!(r#"{{"access_token":["{ACCESS}"]}}"#),
        format!(r#"{{"access_token":"{ACCESS}\n"}}"#),
        format!(r#"{{"access_token":"{ACCESS}"#),
        format!(r#"{{"access_token":"a","expires_at":"{ACCESS}"}}"#),
    ] {
        assert!(!refused(requests_oauthlib(&json)).contains("2Yot"), "{json}");
    }
}

proptest! {
    #[test]
    fn no_record_makes_it_panic(json in "\\PC*") {
        for record in [
            TokenRecord::requests_oauthlib(&json, NOW),
            TokenRecord::golang(&json, NOW),
            TokenRecord::oauth2_crate(&json, NOW),
            TokenRecord::app_auth(&json),
        ].into_iter().flatten() {
                let _ = client().adopt(record, &mut rng(), NOW);
        }
    }

    #[test]
    fn whatever_is_adopted_can_be_stored_and_goes_on(
        access in "[ -~]{0,4}",
        refresh in "[ -~]{0,4}",
        expires_at in any::<Option<i64>>(),
        expires_in in any::<Option<i64>>(),
        scope in "[ -~]{0,9}",
        now in any::<u64>(),
    ) {
        let now = Timestamp::from_unix_seconds(now);
        let json = serde_json::json!({
            "access_token": access, "refresh_token": refresh, "expires_at": expires_at,
            "expires_in": expires_in, "scope": scope, "name \" é": [1, {"a": null}],
        });
        let record = TokenRecord::requests_oauthlib(&json.to_string(), now).unwrap();
        let Ok(login) = client().adopt(record, &mut rng(), now) else {
            prop_assert!(access.is_empty() && refresh.is_empty());
            return Ok(());
        };
        let login = reloaded(login);
        prop_assert_eq!(login.extra::<serde_json::Value>("name \" é"), Some(json["name \" é"].clone()));
        prop_assert!(login.refresh_at() <= login.expires_at());
        prop_assert_eq!(login.is_renewable(), !refresh.is_empty());
        let mut session = Session::new(Arc::new(client()), login).unwrap();
        match session.step(now) {
            Step::Use(token) => prop_assert_eq!(token.expose(), access),
            Step::Send(..) => prop_assert!(!refresh.is_empty()),
            Step::Login(_) => prop_assert!(refresh.is_empty()),
            Step::Wait(until) => prop_assert!(false, "waits until {:?}", until),
        }
    }
}
