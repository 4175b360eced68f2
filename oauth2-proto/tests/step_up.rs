//! Step-up: `insufficient_scope` (RFC 6750 §3.1) and `insufficient_user_authentication` (RFC 9470).
#![expect(clippy::expect_used, reason = "what a helper does not expect fails the test")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;
use std::sync::Arc;

use http::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use oauth2_proto::{
    Authorized, Challenge, Challenged, Insufficient, Misuse, Session, Step, StepUp,
};
use proptest::prelude::*;
use support::{Counting, NOW, REDIRECT_URI, after, authorized, client, parameter, rng};

/// RFC 9470 §3, byte for byte but for the folding of the line.
const AUTHENTICATION: &str = r#"Bearer error="insufficient_user_authentication", error_description="A different authentication level is required", acr_values="myACR""#;
const AGE: &str = r#"Bearer error="insufficient_user_authentication", error_description="More recent authentication is required", max_age="5""#;

/// A login that asked for `read write` and got `read profile`.
fn login() -> Authorized {
    authorized(
        &client(),
        r#"{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"Bearer","expires_in":3600,"scope":"read profile"}"#,
    )
}

fn challenge(text: &str) -> Challenge {
    let value = HeaderValue::from_str(text).expect("a header");
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]);
    Challenge::from_headers(&headers).pop().expect("a challenge")
}

fn step_up(text: &str) -> Option<StepUp> {
    StepUp::of(&challenge(text), &login())
}

/// RFC 6750 §3.1: the challenge MAY include the scope that is necessary.
#[test]
fn a_scope_that_is_missing_is_asked_for_with_all_the_others() {
    let wanted = step_up(r#"Bearer error="insufficient_scope", scope="admin read""#).unwrap();
    assert_eq!(wanted.insufficient(), Insufficient::Scope);
    assert_eq!(wanted.scope().as_str(), "read profile write admin");
    assert_eq!(wanted.missing_scope().as_str(), "admin");
    assert_eq!((wanted.acr_values(), wanted.max_age()), (None, None));

    let client = client();
    let login = client.authorize(REDIRECT_URI).scope("mine").step_up(&wanted);
    let (url, pending) = login.begin(&mut Counting(150), NOW).unwrap();
    assert_eq!(parameter(&url, "scope"), "read profile write admin");
    assert!(url.query_pairs().all(|(name, _)| name != "acr_values" && name != "max_age"));
    assert_ne!(pending.login(), self::login().login(), "a login of its own");
}

#[test]
fn without_a_scope_in_the_challenge_nothing_is_missing() {
    let wanted = step_up(r#"Bearer error="insufficient_scope""#).unwrap();
    assert!(wanted.missing_scope().is_empty());
    assert_eq!(wanted.scope().as_str(), "read profile write");
}

/// RFC 9470 §3 and §4.
#[test]
fn another_level_of_authentication_is_asked_for() {
    let wanted = step_up(AUTHENTICATION).unwrap();
    assert_eq!(wanted.insufficient(), Insufficient::UserAuthentication);
    assert_eq!((wanted.acr_values(), wanted.max_age()), (Some("myACR"), None));
    let client = client();
    let (url, _) = client.authorize(REDIRECT_URI).step_up(&wanted).begin(&mut rng(), NOW).unwrap();
    assert_eq!(parameter(&url, "acr_values"), "myACR");
    assert_eq!(parameter(&url, "scope"), "read profile write");
}

/// RFC 9470 §3 and §4.
#[test]
fn a_more_recent_authentication_is_asked_for() {
    let wanted = step_up(AGE).unwrap();
    assert_eq!((wanted.acr_values(), wanted.max_age()), (None, Some(Duration::from_secs(5))));
    let client = client();
    let (url, _) = client.authorize(REDIRECT_URI).step_up(&wanted).begin(&mut rng(), NOW).unwrap();
    assert_eq!(parameter(&url, "max_age"), "5");
}

/// RFC 9470 §3: both, and a scope.
#[test]
fn everything_can_be_asked_for_at_once() {
    let wanted = step_up(
        r#"Bearer error="insufficient_user_authentication", acr_values="a b", max_age=0, scope="pay""#,
    )
    .unwrap();
    assert_eq!((wanted.acr_values(), wanted.max_age()), (Some("a b"), Some(Duration::ZERO)));
    assert_eq!(wanted.missing_scope().as_str(), "pay");
    let client = client();
    let login = client.authorize(REDIRECT_URI).step_up(&wanted);
    let (url, _) = login.begin(&mut rng(), NOW).unwrap();
    assert!(url.as_str().ends_with("&acr_values=a+b&max_age=0"), "{url}");
    let twice = client.authorize(REDIRECT_URI).step_up(&wanted).param("max_age", "1");
    assert_eq!(
        twice.begin(&mut rng(), NOW).unwrap_err(),
        Misuse::Parameter("max_age".into()).into()
    );
}

/// RFC 9470 §3: `max_age` is a non-negative integer.
#[test]
fn what_cannot_be_meant_is_left_out() {
    for max_age in ["-1", "soon", "\"\""] {
        let text = format!(
            r#"Bearer error="insufficient_user_authentication", max_age={max_age}, acr_values="""#
        );
        let wanted = step_up(&text).unwrap();
        assert_eq!((wanted.acr_values(), wanted.max_age()), (None, None), "{text}");
    }
    let wanted =
        step_up("Bearer error=insufficient_scope, scope=\"ok \u{fc} a\tb\", acr_values=x").unwrap();
    assert_eq!(wanted.missing_scope().as_str(), "ok");
    assert_eq!(wanted.acr_values(), None);
}

#[test]
fn other_challenges_want_something_else() {
    for text in [
        "Bearer",
        r#"Bearer error="invalid_token", scope="admin""#,
        r#"Bearer error="Insufficient_Scope""#,
        r#"Basic error="insufficient_scope", scope="admin""#,
        r#"Bearer error="insufficient_scope", error="insufficient_scope""#,
    ] {
        assert_eq!(step_up(text), None, "{text}");
    }
    assert!(step_up(r#"dpop error="insufficient_scope", scope="admin""#).is_some());
}

#[test]
fn a_thousand_scopes_are_not_asked_for() {
    let many = |count: u32| (0..count).map(|n| format!("{n} ")).collect::<String>();
    let text = |count| format!(r#"Bearer error="insufficient_scope", scope="{}""#, many(count));
    let wanted = step_up(&text(997)).expect("it is one");
    assert!(client().authorize(REDIRECT_URI).step_up(&wanted).begin(&mut rng(), NOW).is_ok());
    assert_eq!(step_up(&text(998)), None);
}

/// Law 6: a resource server never ends a login.
#[test]
fn the_login_that_is_held_goes_on() {
    let mut session = Session::new(Arc::new(client()), login()).unwrap();
    let generation = login().token(NOW).unwrap().generation();
    for text in [AUTHENTICATION, AGE, r#"Bearer error="insufficient_scope""#] {
        let heard = session.challenged(generation, &challenge(text), after(100));
        assert_eq!(heard, Challenged::Unrelated);
        assert!(matches!(session.step(after(100)), Step::Use(_)));
    }
}

proptest! {
    #[test]
    fn no_challenge_makes_it_panic(
        error in "insufficient_(scope|user_authentication)",
        scope in "[ -~]{0,20}",
        acr_values in "[ -~]{0,20}",
        max_age in "[-0-9e.]{0,20}",
    ) {
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!(
            r#"Bearer error="{error}", scope="{}", acr_values="{}", max_age="{}""#,
            quoted(&scope), quoted(&acr_values), quoted(&max_age),
        );
        let wanted = step_up(&text).expect("it is one");
        prop_assert!(login().scope().without(wanted.scope()).is_empty());
        prop_assert!(wanted.missing_scope().without(wanted.scope()).is_empty());
        let client = client();
        let (url, _) =
            client.authorize(REDIRECT_URI).step_up(&wanted).begin(&mut rng(), NOW).unwrap();
        prop_assert_eq!(parameter(&url, "scope"), wanted.scope().as_str());
    }
}
