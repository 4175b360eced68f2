//! Authorization details (RFC 9396): in requests, and in token answers.
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use oauth2_proto::{Misuse, Refresh, Server, State};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;
use support::{NOW, REDIRECT_URI, authorized, client, form, parameter, rng};

/// RFC 9396 §2, byte for byte.
const DETAILS: &str = r#"[
  {
    "type": "customer_information",
    "locations": [
      "https://example.com/customers"
    ],
    "actions": [
      "read",
      "write"
    ],
    "datatypes": [
      "contacts",
      "photos"
    ]
  }
]"#;

#[derive(Deserialize, PartialEq, Eq, Debug)]
struct Detail {
    r#type: String,
    locations: Vec<String>,
}

#[test]
fn they_are_part_of_the_authorization_request() {
    let client = client();
    let login = client.authorize(REDIRECT_URI).authorization_details(DETAILS);
    let (url, _) = login.begin(&mut rng(), NOW).unwrap();
    assert_eq!(parameter(&url, "authorization_details"), DETAILS);
}

#[test]
fn they_can_be_pushed() {
    let server = support::server().with_pushed_authorization("https://as.example/par").unwrap();
    let client = oauth2_proto::Client::new("id", server);
    let login = client.authorize(REDIRECT_URI).authorization_details(DETAILS);
    let (request, _) = login.push(&mut rng(), NOW).unwrap();
    assert!(form(&request).contains(&("authorization_details".into(), DETAILS.into())));
}

#[test]
fn they_are_part_of_a_token_request_and_of_its_repetition() {
    let client =
        oauth2_proto::Client::new("id", Server::token_only("https://as.example/token").unwrap());
    let ready = client.client_credentials().authorization_details(DETAILS).ready(&mut rng());
    let stored = serde_json::to_string(&State::from(ready.unwrap())).unwrap();
    let State::Unauthorized(ready) = serde_json::from_str(&stored).unwrap() else {
        unreachable!("it was not sent")
    };
    let (request, _) = ready.renew(&client, NOW).unwrap();
    assert!(form(&request).contains(&("authorization_details".into(), DETAILS.into())));
}

#[test]
fn they_are_part_of_a_refresh_and_of_a_one_time_grant() {
    let client = client();
    let refresh = Refresh::default().authorization_details(DETAILS);
    let login = authorized(&client, support::TOKENS);
    let (request, _) = login.refresh_with(&refresh, &client, NOW).unwrap();
    assert!(form(&request).contains(&("authorization_details".into(), DETAILS.into())));
    let grant = client.extension_grant("urn:example:grant").authorization_details(DETAILS);
    let (request, _) = grant.begin(&mut rng(), NOW).unwrap();
    assert!(form(&request).contains(&("authorization_details".into(), DETAILS.into())));
    let refresh = Refresh::default().authorization_details("{}");
    let login = authorized(&client, support::TOKENS);
    let failed = login.refresh_with(&refresh, &client, NOW).unwrap_err();
    assert_eq!(failed.error, Misuse::AuthorizationDetails.into());
}

/// RFC 9396 §2: a JSON array of objects; `type` is REQUIRED, a string.
#[test]
fn what_is_not_an_array_of_typed_objects_is_refused() {
    let client = client();
    for json in [
        "",
        "{}",
        "null",
        r#"{"type":"a"}"#,
        r#"["type"]"#,
        r#"[["type"]]"#,
        "[{}]",
        r#"[{"type":1}]"#,
        r#"[{"type":null}]"#,
        r#"[{"type":"a"},{}]"#,
        r#"[{"type":"a"}"#,
        r#"[{"type":"a"}]]"#,
    ] {
        let login = client.authorize(REDIRECT_URI).authorization_details(json);
        let error = login.begin(&mut rng(), NOW).unwrap_err();
        assert_eq!(error, Misuse::AuthorizationDetails.into(), "{json}");
        let login = client.client_credentials().param("authorization_details", json);
        assert_eq!(login.ready(&mut rng()).unwrap_err(), Misuse::AuthorizationDetails.into());
    }
    assert_eq!(
        Misuse::AuthorizationDetails.to_string(),
        "wrong use of oauth2-proto: authorization_details is not a JSON array of objects that \
         each have a type, a string"
    );
}

#[test]
fn they_are_given_once() {
    let client = client();
    let login = client.authorize(REDIRECT_URI).authorization_details("[]");
    let error = login.authorization_details("[]").begin(&mut rng(), NOW).unwrap_err();
    assert_eq!(error, Misuse::Parameter("authorization_details".into()).into());
}

/// RFC 9396 §7: the details as granted are a member of the token answer.
#[test]
fn what_was_granted_is_typed_or_raw() {
    let answer = format!(
        r#"{{"access_token":"2YotnFZFEjr1zCsicMWpAA","token_type":"example","authorization_details":{DETAILS}}}"#
    );
    let login = authorized(&client(), &answer);
    let details: Vec<Detail> = login.authorization_details().unwrap();
    let expected = Detail {
        r#type: "customer_information".into(),
        locations: vec!["https://example.com/customers".into()],
    };
    assert_eq!(details, [expected]);
    let raw: Vec<Box<RawValue>> = login.authorization_details().unwrap();
    assert_eq!(format!("[\n  {}\n]", raw[0].get()), DETAILS);
    assert_eq!(login.authorization_details::<u8>(), None);
    assert_eq!(authorized(&client(), support::TOKENS).authorization_details::<Detail>(), None);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(json in "[\\[\\]{}\":,a-z0-9 ]{0,40}") {
        let client = client();
        let _ = client.authorize(REDIRECT_URI).authorization_details(&json).begin(&mut rng(), NOW);
    }
}
