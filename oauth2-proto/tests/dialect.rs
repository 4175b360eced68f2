//! Each knob of a dialect, in both directions: what it changes, and what stays without it.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, Uri};
use oauth2_proto::dialect::Dialect;
use oauth2_proto::{
    Authentication, Authorized, Body, Callback, Client, Error, Failed, Forged, Hook, Misuse,
    Refreshing, RequestKind, Server, State,
};
use proptest::prelude::*;
use serde_json::{Value, json};
use support::{
    CODE, NOW, REDIRECT_URI, TOKENS, after, answer, authorized, begin, body, client, form,
    parameter, pending, receive, redeem, refreshing, rng, server,
};
use url::Url;

#[track_caller]
fn dialect(knobs: Value) -> Dialect {
    serde_json::from_value(knobs).expect("a dialect")
}

#[track_caller]
fn speaking(knobs: Value) -> Client {
    client().with_dialect(dialect(knobs))
}

/// What the strict client, and one with these knobs, make of an answer to a code.
#[track_caller]
fn both(knobs: Value, status: u16, body: &str) -> (Error, Result<Authorized, Failed>) {
    let answer = answer(status, body);
    let strict = receive(&client(), &answer).expect_err("the RFC forbids it").error;
    (strict, receive(&speaking(knobs), &answer))
}

/// An answer that only these knobs accept; the strict refusal names the field.
#[track_caller]
fn accepted(knobs: Value, status: u16, body: &str, field: &str) -> Authorized {
    let (strict, tokens) = both(knobs, status, body);
    assert!(strict.to_string().contains(field), "{strict} does not name {field}");
    tokens.expect("the dialect accepts it")
}

/// An error that only these knobs understand.
#[track_caller]
fn denied(knobs: Value, status: u16, body: &str) -> (String, Option<String>) {
    denial(receive(&speaking(knobs), &answer(status, body)))
}

#[track_caller]
fn denial(received: Result<Authorized, Failed>) -> (String, Option<String>) {
    match received {
        Err(Failed { error: Error::Denied(denied), .. }) => {
            (denied.error().into(), denied.description().map(Into::into))
        }
        other => panic!("{other:?} is no denial"),
    }
}

#[track_caller]
fn malformed(received: Result<Authorized, Failed>) -> String {
    match received {
        Err(Failed { error: error @ Error::Malformed(_), .. }) => error.to_string(),
        other => panic!("{other:?} is not malformed"),
    }
}

fn text(tokens: &Authorized) -> &str {
    tokens.token(NOW).expect("a fresh token").expose()
}

/// How many seconds the token lives.
fn lifetime(tokens: &Authorized) -> Option<u64> {
    tokens.expires_at().map(|at| at.since(NOW).as_secs())
}

fn granted(client: &Client, body: &str) -> Authorized {
    receive(client, &answer(200, body)).expect("a token")
}

fn token_request(client: &Client) -> Request<Body> {
    redeem(client).0
}

fn refresh_request(client: &Client) -> Request<Body> {
    refreshing(client).0
}

fn names(request: &Request<Body>) -> Vec<String> {
    form(request).into_iter().map(|(name, _)| name).collect()
}

fn value(request: &Request<Body>, name: &str) -> Option<String> {
    form(request).into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

fn query(uri: &Uri) -> Vec<(String, String)> {
    serde_urlencoded::from_str(uri.query().unwrap_or_default()).expect("a query")
}

// No knob, no difference

#[test]
fn a_dialect_without_knobs_changes_no_request() {
    let plain = client().with_secret("s3cret");
    let silent = plain.clone().with_dialect(Dialect::default());
    assert_eq!(begin(&plain).0, begin(&silent).0);
    for request in [token_request, refresh_request] {
        let (plain, silent) = (request(&plain), request(&silent));
        assert_eq!(body(&plain), body(&silent));
        assert_eq!(plain.headers(), silent.headers());
        assert_eq!((plain.method(), plain.uri()), (silent.method(), silent.uri()));
    }
}

#[test]
fn a_dialect_without_knobs_is_as_strict_as_the_rfc() {
    let bodies = [
        TOKENS,
        "",
        "{}",
        "access_token=a&token_type=bearer",
        "callback({\"access_token\":\"a\",\"token_type\":\"bearer\"});",
        r#"{"access_token":"a"}"#,
        r#"{"accessToken":"a","tokenType":"bearer"}"#,
        r#"{"data":{"access_token":"a","token_type":"bearer"}}"#,
        r#"{"access_token":"a","token_type":"bearer","scope":["a","b"]}"#,
        r#"{"access_token":"a","token_type":"bearer","expires_in":"zzz"}"#,
        r#"{"access_token":"a","token_type":"bearer","expires_in":86400.92}"#,
        r#"{"access_token":"a","token_type":"bearer","error":{"code":1}}"#,
        r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#,
        r#"{"error":"invalid_grant","error_description":"no"}"#,
        r#"{"errcode":40029,"errmsg":"invalid code"}"#,
    ];
    let silent = speaking(json!({}));
    for status in [200, 201, 400, 401, 404, 429, 500, 302] {
        for body in bodies {
            let answer = answer(status, body);
            match (receive(&client(), &answer), receive(&silent, &answer)) {
                (Ok(plain), Ok(silent)) => assert_eq!(text(&plain), text(&silent)),
                (Err(plain), Err(silent)) => {
                    assert_eq!(plain.error.to_string(), silent.error.to_string(), "{body}");
                }
                (plain, silent) => panic!("{status} {body}: {plain:?} and {silent:?}"),
            }
        }
    }
}

#[test]
fn a_dialect_survives_being_stored() {
    let all = dialect(json!({
        "scope_separator": ",",
        "client_authentication": { "headers": { "id": "x-id", "secret": "x-secret" } },
        "every_request": { "rename": { "client_id": "client_key" }, "headers": { "a": "b" } },
        "refresh_request": { "endpoint": "https://as.example/refresh", "format": "dangerous_get" },
        "second_request": { "endpoint": "https://as.example/long", "token_parameter": "t" },
        "granted_scope": { "separated": "," },
        "error_detectors": [{ "pointer": "/errcode", "success": ["0"] }],
        "lifetime_members": [{ "name": "expires", "unit": "unix_milliseconds" }],
        "token_presentation": { "dangerous_query": "access_token" },
        "keep_alive": { "pointer": "/result", "success": "0000" },
    }));
    for dialect in [all, Dialect::default()] {
        let json = serde_json::to_string(&dialect).unwrap();
        assert_eq!(serde_json::from_str::<Dialect>(&json).unwrap(), dialect);
        let binary = postcard::to_allocvec(&dialect).unwrap();
        assert_eq!(postcard::from_bytes::<Dialect>(&binary).unwrap(), dialect);
    }
}

#[test]
fn a_knob_that_does_not_exist_is_refused() {
    for knobs in [
        json!({ "scope_seperator": "," }),
        json!({ "token_request": { "renames": {} } }),
        json!({ "error_detectors": [{ "pointer": "/a", "when": "always" }] }),
        json!({ "lifetime_members": [{ "name": "a", "unit": "weeks" }] }),
    ] {
        assert!(serde_json::from_value::<Dialect>(knobs.clone()).is_err(), "{knobs}");
    }
}

// Requests

#[test]
fn a_scope_is_joined_as_the_server_wants_it() {
    for (separator, joined) in [(" ", "read write"), (",", "read,write"), ("|", "read|write")] {
        let client = speaking(json!({ "scope_separator": separator }));
        assert_eq!(parameter(&begin(&client).0, "scope"), joined);
        let (request, _) =
            client.client_credentials().scope("read write").begin(&mut rng(), NOW).unwrap();
        assert_eq!(value(&request, "scope").as_deref(), Some(joined));
    }
    let plus = speaking(json!({ "scope_separator": "+" }));
    assert!(begin(&plus).0.query().unwrap().contains("scope=read+write"));
}

#[test]
fn an_empty_scope_is_never_sent() {
    let client = speaking(json!({ "scope_separator": "," }));
    let (url, _) = client.authorize(REDIRECT_URI).begin(&mut rng(), NOW).unwrap();
    assert!(url.query_pairs().all(|(name, _)| name != "scope"));
}

#[test]
fn parameters_have_other_names_in_every_request() {
    let client = speaking(json!({
        "client_authentication": "post",
        "every_request": { "rename": { "client_id": "client_key", "client_secret": "secret" } },
        "token_request": { "rename": { "code": "auth_code" } },
    }))
    .with_secret("s3cret");
    let url = begin(&client).0;
    assert_eq!(parameter(&url, "client_key"), "s6BhdRkqt3");
    let token = token_request(&client);
    assert_eq!(value(&token, "auth_code").as_deref(), Some(CODE));
    for request in [&token, &refresh_request(&client)] {
        assert_eq!(value(request, "client_key").as_deref(), Some("s6BhdRkqt3"));
        assert_eq!(value(request, "secret").as_deref(), Some("s3cret"));
        assert!(!names(request).iter().any(|name| name == "client_id" || name == "client_secret"));
    }
}

#[test]
fn the_name_of_a_kind_counts_more_than_that_of_every_request() {
    let client = speaking(json!({
        "every_request": { "rename": { "client_id": "a" } },
        "refresh_request": { "rename": { "client_id": "b" } },
    }));
    assert!(value(&token_request(&client), "a").is_some());
    let refresh = refresh_request(&client);
    assert!(value(&refresh, "b").is_some() && value(&refresh, "a").is_none());
}

#[test]
fn parameters_are_left_out() {
    let client = speaking(json!({
        "authorization_request": { "remove": ["response_type"] },
        "token_request": { "remove": ["grant_type"] },
    }));
    assert!(begin(&client).0.query_pairs().all(|(name, _)| name != "response_type"));
    assert!(value(&token_request(&client), "grant_type").is_none());
    assert!(value(&refresh_request(&client), "grant_type").is_some());
}

#[test]
fn parameters_are_the_same_in_every_request() {
    let client = speaking(json!({
        "every_request": { "set": { "type": "web_server" } },
        "authorization_request": { "set": { "access_type": "offline" } },
        "refresh_request": { "set": { "grant_type": "th_refresh_token" } },
    }));
    let url = begin(&client).0;
    assert_eq!(parameter(&url, "type"), "web_server");
    assert_eq!(parameter(&url, "access_type"), "offline");
    let token = token_request(&client);
    assert_eq!(value(&token, "type").as_deref(), Some("web_server"));
    assert_eq!(value(&token, "grant_type").as_deref(), Some("authorization_code"));
    let refresh = refresh_request(&client);
    assert_eq!(value(&refresh, "grant_type").as_deref(), Some("th_refresh_token"));
}

#[test]
fn what_a_caller_asks_for_counts_more_than_what_is_usual() {
    let client = speaking(json!({ "authorization_request": { "set": { "prompt": "consent" } } }));
    let request = client.authorize(REDIRECT_URI).param("prompt", "none");
    assert_eq!(parameter(&request.begin(&mut rng(), NOW).unwrap().0, "prompt"), "none");
    assert_eq!(parameter(&begin(&client).0, "prompt"), "consent");
}

/// How Azure DevOps did it.
#[test]
fn a_code_is_an_assertion_and_the_secret_another() {
    let client = speaking(json!({
        "client_authentication": "post",
        "authorization_request": { "set": { "response_type": "Assertion" } },
        "token_request": {
            "rename": { "code": "assertion", "client_secret": "client_assertion" },
            "remove": ["client_id"],
            "set": { "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer" },
        },
    }))
    .with_secret("s3cret");
    assert_eq!(parameter(&begin(&client).0, "response_type"), "Assertion");
    let request = token_request(&client);
    assert_eq!(value(&request, "assertion").as_deref(), Some(CODE));
    assert_eq!(value(&request, "client_assertion").as_deref(), Some("s3cret"));
    assert_eq!(value(&request, "client_id"), None);
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    assert_eq!(value(&request, "grant_type").as_deref(), Some(grant));
}

#[test]
fn what_every_request_says_holds_unless_its_kind_says_otherwise() {
    let client = speaking(json!({
        "every_request": {
            "endpoint": "https://as.example/every",
            "also_in_query": ["client_id"],
            "format": "json",
            "headers": { "a": "every" },
        },
        "refresh_request": {
            "endpoint": "https://as.example/own",
            "format": "dangerous_query",
            "headers": { "a": "own" },
        },
    }));
    let token = token_request(&client);
    assert_eq!(token.uri(), "https://as.example/every?client_id=s6BhdRkqt3");
    assert_eq!(
        (&token.headers()["a"], &token.headers()[CONTENT_TYPE]),
        (&HeaderValue::from_static("every"), &HeaderValue::from_static("application/json"),)
    );
    let refresh = refresh_request(&client);
    assert_eq!(
        (refresh.uri().path(), &refresh.headers()["a"]),
        ("/own", &HeaderValue::from_static("own"))
    );
    assert!(refresh.body().is_empty());
}

#[test]
fn pkce_and_state_are_neither_renamed_nor_removed() {
    let guards = ["state", "code_challenge", "code_challenge_method", "code_verifier"];
    let renamed: Value = guards.iter().map(|name| (String::from(*name), json!("x"))).collect();
    let client = speaking(json!({
        "every_request": { "remove": guards, "rename": renamed, "set": { "a": "b" } },
    }));
    let url = begin(&client).0;
    for name in &guards[..3] {
        assert!(!parameter(&url, name).is_empty());
    }
    assert!(value(&token_request(&client), "code_verifier").is_some());
}

#[test]
fn pkce_is_left_out_where_danger_is_spelled() {
    let client = speaking(json!({ "dangerous_without_pkce": true }));
    let url = begin(&client).0;
    assert!(url.query_pairs().all(|(name, _)| !name.starts_with("code_challenge")));
    assert!(!parameter(&url, "state").is_empty());
    assert!(value(&token_request(&client), "code_verifier").is_none());
}

#[test]
fn headers_are_added_to_requests_of_a_kind() {
    let client = speaking(json!({
        "every_request": { "headers": { "user-agent": "an-app" } },
        "token_request": { "headers": { "notion-version": "2022-06-28", "accept": "text/plain" } },
    }));
    let token = token_request(&client);
    assert_eq!(token.headers()[USER_AGENT], "an-app");
    assert_eq!(token.headers()["notion-version"], "2022-06-28");
    assert_eq!(token.headers()[ACCEPT], "text/plain");
    let refresh = refresh_request(&client);
    assert_eq!(refresh.headers()[USER_AGENT], "an-app");
    assert_eq!(refresh.headers()[ACCEPT], "application/json");
}

#[test]
fn an_impossible_header_is_misuse_before_anything_is_sent() {
    for headers in [json!({ "a b": "c" }), json!({ "a": "b\n" })] {
        let client = speaking(json!({ "token_request": { "headers": headers } }));
        let failed = support::code(&client).redeem(&client, NOW).unwrap_err();
        assert!(matches!(failed.error, Error::Misuse(Misuse::Parameter(_))), "{failed:?}");
    }
}

#[test]
fn a_request_is_one_json_object() {
    let client =
        speaking(json!({ "token_request": { "format": "json" } })).with_secret("s\"\\\u{1}");
    let request = token_request(&client);
    assert_eq!(request.headers()[CONTENT_TYPE], "application/json");
    assert_eq!(request.method(), Method::POST);
    let members: Value = serde_json::from_str(body(&request)).unwrap();
    assert_eq!(members["grant_type"], "authorization_code");
    assert_eq!(members["code"], CODE);
    assert_eq!(members["redirect_uri"], REDIRECT_URI);
    assert_eq!(
        refresh_request(&client).headers()[CONTENT_TYPE],
        "application/x-www-form-urlencoded"
    );
    let post = speaking(json!({
        "client_authentication": "post", "every_request": { "format": "json" },
    }))
    .with_secret("s\"\\\u{1}é");
    let members: Value = serde_json::from_str(body(&token_request(&post))).unwrap();
    assert_eq!(members["client_secret"], "s\"\\\u{1}é");
}

#[test]
fn a_request_stands_in_the_query() {
    for (format, method) in [("dangerous_query", Method::POST), ("dangerous_get", Method::GET)] {
        let client = speaking(json!({ "every_request": { "format": format } }));
        let request = token_request(&client);
        assert_eq!(request.method(), method);
        assert!(request.body().is_empty());
        assert!(request.headers().get(CONTENT_TYPE).is_none());
        let pairs = query(request.uri());
        assert!(pairs.contains(&("code".into(), CODE.into())), "{pairs:?}");
        assert!(pairs.contains(&("redirect_uri".into(), REDIRECT_URI.into())), "{pairs:?}");
        assert_eq!(request.uri().path(), "/token");
    }
}

#[test]
fn a_parameter_is_repeated_in_the_query_unless_it_is_secret() {
    let client = speaking(json!({
        "token_request": { "also_in_query": ["redirect_uri", "code", "code_verifier", "absent"] },
    }));
    let request = token_request(&client);
    assert_eq!(query(request.uri()), [("redirect_uri".into(), REDIRECT_URI.into())]);
    assert_eq!(value(&request, "redirect_uri").as_deref(), Some(REDIRECT_URI));
    assert_eq!(value(&request, "code").as_deref(), Some(CODE));
}

#[test]
fn a_refresh_goes_to_another_endpoint() {
    let client = speaking(json!({ "refresh_request": { "endpoint": "https://as.example/r?a=b" } }));
    assert_eq!(refresh_request(&client).uri(), "https://as.example/r?a=b");
    assert_eq!(token_request(&client).uri(), "https://as.example/token");
}

#[test]
fn an_endpoint_of_a_dialect_is_https() {
    for endpoint in ["http://as.example/r", "as.example", "https://u:p@as.example/", ""] {
        let client = speaking(json!({ "refresh_request": { "endpoint": endpoint } }));
        let failed = authorized(&client, TOKENS).refresh(&client, NOW).unwrap_err();
        assert!(matches!(failed.error, Error::Misuse(Misuse::Url(..))), "{endpoint}");
        assert!(matches!(*failed.state, State::Authorized(_)));
        let client = speaking(json!({ "second_request": { "endpoint": endpoint } }));
        let failed = support::code(&client).redeem(&client, NOW).unwrap_err();
        assert!(matches!(failed.error, Error::Misuse(Misuse::Url(..))), "{endpoint}");
    }
}

#[test]
fn the_url_that_a_person_visits_has_a_fragment() {
    let client = speaking(json!({ "authorization_fragment": "wechat_redirect" }));
    assert_eq!(begin(&client).0.fragment(), Some("wechat_redirect"));
}

// Client authentication

fn basic(pair: &str) -> HeaderValue {
    use base64::Engine;
    let pair = base64::engine::general_purpose::STANDARD.encode(pair);
    HeaderValue::try_from(format!("Basic {pair}")).unwrap()
}

#[test]
fn a_secret_is_shown_as_the_dialect_says() {
    for (way, header) in [
        ("basic", Some("s6BhdRkqt3:a+b%3A%C3%A9")),
        ("percent_encoded_basic", Some("s6BhdRkqt3:a%20b%3A%C3%A9")),
        ("dangerous_raw_basic", Some("s6BhdRkqt3:a b:é")),
        ("basic_and_client_id", Some("s6BhdRkqt3:a+b%3A%C3%A9")),
        ("secret_as_user_name", Some("a+b%3A%C3%A9:")),
        ("post", None),
    ] {
        let client = speaking(json!({ "client_authentication": way })).with_secret("a b:é");
        let request = token_request(&client);
        assert_eq!(request.headers().get(AUTHORIZATION), header.map(basic).as_ref(), "{way}");
        let in_body = matches!(way, "post" | "basic_and_client_id");
        assert_eq!(value(&request, "client_id").is_some(), in_body, "{way}");
        let secret = (way == "post").then(|| "a b:é".into());
        assert_eq!(value(&request, "client_secret"), secret, "{way}");
    }
}

#[test]
fn a_secret_is_a_bearer_token() {
    let client =
        speaking(json!({ "client_authentication": "bearer_secret" })).with_secret("s3cret");
    let request = token_request(&client);
    let header = &request.headers()[AUTHORIZATION];
    assert_eq!(header, "Bearer s3cret");
    assert!(header.is_sensitive());
    assert!(value(&request, "client_id").is_some());
}

#[test]
fn a_secret_is_a_header_of_its_own() {
    let way = json!({ "headers": { "id": "x-client", "secret": "x-secret" } });
    let client = speaking(json!({ "client_authentication": way })).with_secret("s3cret");
    let request = token_request(&client);
    assert_eq!(request.headers()["x-client"], "s6BhdRkqt3");
    assert_eq!(request.headers()["x-secret"], "s3cret");
    assert!(request.headers()["x-secret"].is_sensitive());
    assert!(value(&request, "client_id").is_none());
    assert!(!format!("{client:?}").contains("s3cret"));
}

#[test]
fn the_order_of_secret_and_dialect_does_not_matter() {
    let post = || dialect(json!({ "client_authentication": "post" }));
    let first = client().with_dialect(post()).with_secret("s3cret");
    let last = client().with_secret("s3cret").with_dialect(post());
    for request in [token_request(&first), token_request(&last)] {
        assert_eq!(value(&request, "client_secret").as_deref(), Some("s3cret"));
        assert!(request.headers().get(AUTHORIZATION).is_none());
    }
}

#[test]
fn an_authentication_that_was_chosen_stays() {
    let post = || dialect(json!({ "client_authentication": "post" }));
    let chosen = || Authentication::Basic("s3cret".into());
    let first = client().with_dialect(post()).with_authentication(chosen());
    let last = client().with_authentication(chosen()).with_dialect(post());
    for request in [token_request(&first), token_request(&last)] {
        assert_eq!(request.headers()[AUTHORIZATION], basic("s6BhdRkqt3:s3cret"));
        assert!(value(&request, "client_secret").is_none());
    }
}

// Callbacks

#[test]
fn a_code_comes_by_another_name() {
    let client = speaking(json!({ "callback_parameters": { "spapi_oauth_code": "code" } }));
    let (pending, query) = pending(&client);
    let query = query.replace("code=", "spapi_oauth_code=");
    pending.accept(&client, Callback::query(&query), NOW).unwrap();
    let strict = support::client();
    let (pending, query) = support::pending(&strict);
    let query = query.replace("code=", "spapi_oauth_code=");
    let error = pending.accept(&strict, Callback::query(&query), NOW).unwrap_err();
    assert!(error.to_string().contains("callback_parameters"), "{error}");
}

#[test]
fn a_callback_parameter_is_kept_with_the_token() {
    let client = speaking(json!({ "kept_callback_parameters": ["realmId"] }));
    let (pending, query) = pending(&client);
    let query = format!("{query}&realmId=123&other=4");
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    assert_eq!((code.kept("realmId"), code.kept("other")), (Some("123"), None));
    let (_, awaiting) = code.redeem(&client, NOW).unwrap();
    let tokens = awaiting.receive(&client, &answer(200, TOKENS), NOW).unwrap();
    assert_eq!(tokens.kept("realmId").as_deref(), Some("123"));
}

#[test]
fn an_issuer_is_compared_as_the_dialect_says() {
    let template = "https://login.example/{tenantid}/v2.0";
    let own = "https://login.example/9188040d-6c67/v2.0";
    for (how, iss, fits) in [
        ("exact", template, true),
        ("exact", own, false),
        ("tenants", own, true),
        ("tenants", "https://login.example//v2.0", false),
        ("tenants", "https://login.example/a/b/v2.0", false),
        ("tenants", "https://login.example/a.evil.example?/v2.0", false),
        ("tenants", "https://evil.example/a/v2.0", false),
        ("dangerous_any", "https://evil.example", true),
    ] {
        let client = Client::new("id", server().with_issuer(template))
            .with_dialect(dialect(json!({ "issuer": how })));
        let (pending, query) = pending(&client);
        let query = format!("{query}&iss={iss}");
        match pending.accept(&client, Callback::query(&query), NOW) {
            Ok(_) => assert!(fits, "{how} {iss}"),
            Err(error) => {
                assert!(!fits, "{how} {iss}");
                assert_eq!(error, Error::Forged(Forged::Issuer));
            }
        }
    }
}

// The body of an answer

#[test]
fn an_answer_is_a_form() {
    let form = "access_token=166942940015970%7C2.2ltzWXYNDjCtg5ZDVVJJeg__.3600&expires_in=5108&\
                token_type=bearer&scope=a+b&instance_url=https%3A%2F%2Fi.example";
    let tokens = accepted(json!({ "answer_format": "any" }), 200, form, "answer_format");
    assert_eq!(text(&tokens), "166942940015970|2.2ltzWXYNDjCtg5ZDVVJJeg__.3600");
    assert_eq!(lifetime(&tokens), Some(5108));
    assert_eq!(tokens.scope().as_str(), "a b");
    assert_eq!(tokens.extra::<String>("instance_url").as_deref(), Some("https://i.example"));
}

#[test]
fn an_answer_is_jsonp() {
    for body in ["callback( {} );", "cb({})", " cb({}) ; ", "a.b$_1({});\n"] {
        let body = body.replace("{}", r#"{"access_token":"a(b)","token_type":"bearer"}"#);
        let tokens = accepted(json!({ "answer_format": "any" }), 200, &body, "answer_format");
        assert_eq!(text(&tokens), "a(b)");
    }
}

#[test]
fn the_content_type_alone_never_decides() {
    let bodies = [
        r#"{"access_token":"a","token_type":"bearer"}"#,
        "access_token=a&token_type=bearer",
        r#"cb({"access_token":"a","token_type":"bearer"});"#,
    ];
    let types =
        ["application/json", "application/x-www-form-urlencoded", "text/javascript", "text/html"];
    let client = speaking(json!({ "answer_format": "any" }));
    for body in bodies {
        for content_type in types {
            let mut response = answer(200, body);
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            assert_eq!(text(&receive(&client, &response).unwrap()), "a", "{content_type} {body}");
        }
    }
}

#[test]
fn a_page_passes_for_no_form() {
    let client = speaking(json!({ "answer_format": "any", "default_token_type": "Bearer" }));
    for body in [
        "<a href=\"x?access_token=a\">",
        "see access_token=a",
        "access_token=a&",
        "=a&access_token=b",
        "access_token=a&access_token=b",
        "access_token",
        "access_token=\u{e9}",
        "alert('x'); cb({\"access_token\":\"a\"});",
        "cb({\"access_token\":\"a\"}); cb({})",
        "[{\"access_token\":\"a\"}]",
        "\"access_token=a\"",
    ] {
        malformed(receive(&client, &answer(200, body)));
    }
}

#[test]
fn an_answer_that_cannot_be_read_is_reported_as_it_came() {
    let client =
        speaking(json!({ "answer_format": "any", "error_detectors": [{ "pointer": "/e" }] }));
    let Err(Failed { error: Error::Malformed(malformed), .. }) =
        receive(&client, &answer(200, "token=abc&nothing=else"))
    else {
        panic!("there is no token")
    };
    let diagnostics = malformed.diagnostics().expect("what it looked like");
    assert_eq!(diagnostics.excerpt(), "token=…&nothing=…");
}

// Status and errors

#[test]
fn a_token_comes_with_another_status() {
    let knobs = json!({ "any_success_status": true });
    assert_eq!(
        text(&accepted(knobs.clone(), 201, TOKENS, "any_success_status")),
        "2YotnFZFEjr1zCsicMWpAA"
    );
    for status in [400, 401, 404] {
        malformed(receive(&speaking(knobs.clone()), &answer(status, TOKENS)));
    }
    let failed = receive(&speaking(knobs), &answer(503, TOKENS)).unwrap_err();
    assert!(matches!(failed.error, Error::Unavailable(_)));
}

#[test]
fn an_error_is_found_by_what_should_not_be_there() {
    let knobs = json!({ "error_detectors": [{
        "pointer": "/errcode", "success": ["0"], "description": ["/errmsg"],
    }]});
    for status in [200, 400] {
        let body = r#"{"errcode":40029,"errmsg":"invalid code"}"#;
        let (strict, received) = both(knobs.clone(), status, body);
        assert!(strict.to_string().contains("error_detectors"), "{strict}");
        assert_eq!(denial(received), ("40029".into(), Some("invalid code".into())));
    }
    let tokens = format!(r#"{{"errcode":0,{}"#, &TOKENS[1..]);
    assert!(receive(&speaking(knobs), &answer(200, tokens)).is_ok());
}

#[test]
fn an_error_is_found_by_its_presence() {
    let knobs = json!({ "error_detectors": [{
        "pointer": "/errors/0/errorType", "description": ["/errors/0/message"],
    }]});
    let body = r#"{"errors":[{"errorType":"invalid_grant","message":"no"}],"success":false}"#;
    assert_eq!(denied(knobs.clone(), 401, body), ("invalid_grant".into(), Some("no".into())));
    assert!(receive(&speaking(knobs), &answer(200, TOKENS)).is_ok());
}

#[test]
fn an_error_is_an_object() {
    let knobs = json!({ "error_detectors": [{
        "pointer": "/error", "code": ["/error/type", "/error/code"], "description": ["/error/message"],
    }]});
    let body = r#"{"error":{"message":"Bad code","type":"OAuthException","code":100}}"#;
    let (strict, received) = both(knobs.clone(), 400, body);
    assert!(strict.to_string().contains("error_detectors"), "{strict}");
    assert_eq!(denial(received), ("OAuthException".into(), Some("Bad code".into())));
    // Still an error in the words of the RFC.
    assert_eq!(denied(knobs, 400, r#"{"error":"invalid_grant"}"#).0, "invalid_grant");
}

#[test]
fn a_member_that_a_success_has_too_is_an_error_only_without_a_token() {
    let knobs = json!({ "error_detectors": [{ "pointer": "/message", "without_token": true }] });
    let error = r#"{"status":400,"message":"Invalid refresh token"}"#;
    assert_eq!(denied(knobs.clone(), 400, error).0, "Invalid refresh token");
    let tokens = format!(r#"{{"message":"welcome",{}"#, &TOKENS[1..]);
    assert!(receive(&speaking(knobs), &answer(200, tokens)).is_ok());
}

#[test]
fn an_error_without_a_code_is_a_malformed_request() {
    let knobs = json!({ "error_detectors": [{ "pointer": "/errors" }] });
    assert_eq!(denied(knobs, 400, r#"{"errors":[{"field":"x"}]}"#).0, "invalid_request");
}

#[test]
fn an_error_beside_a_token_is_an_error() {
    let knobs = json!({ "error_detectors": [{ "pointer": "/ok", "success": ["true"] }] });
    let body = format!(r#"{{"ok":false,{}"#, &TOKENS[1..]);
    assert_eq!(denied(knobs, 200, &body).0, "false");
}

#[test]
fn an_error_that_was_looked_at_and_is_none_is_left_out() {
    let knobs = json!({ "error_detectors": [{ "pointer": "/error/code", "success": ["ok"] }] });
    let body = format!(r#"{{"error":{{"code":"ok"}},{}"#, &TOKENS[1..]);
    assert!(receive(&speaking(knobs), &answer(200, &*body)).is_ok());
    malformed(receive(&speaking(json!({})), &answer(200, body)));
}

#[test]
fn an_error_code_has_the_rfcs_name() {
    let knobs = json!({ "error_aliases": { "bad_refresh_token": "invalid_grant" } });
    let client = speaking(knobs);
    let (_, refreshing) = refreshing(&client);
    let refusal = answer(200, r#"{"error":"bad_refresh_token","error_description":"Expired."}"#);
    let failed = refreshing.receive(&client, &refusal, NOW).unwrap_err();
    assert!(matches!(*failed.state, State::Unauthorized(_)), "{failed:?}");
    let description = Some("bad_refresh_token: Expired.".into());
    assert_eq!(denial(Err(failed)), ("invalid_grant".into(), description));
    // Without the knob, nobody knows that the grant is gone.
    let (_, refreshing) = support::refreshing(&support::client());
    let failed = refreshing.receive(&support::client(), &refusal, NOW).unwrap_err();
    assert!(matches!(*failed.state, State::Authorized(_)), "{failed:?}");
}

#[test]
fn outages_and_redirects_say_the_same_in_any_dialect() {
    let client = speaking(json!({
        "answer_format": "any",
        "any_success_status": true,
        "error_detectors": [{ "pointer": "/message" }],
    }));
    for status in [408, 429, 500, 502, 503] {
        let failed = receive(&client, &answer(status, r#"{"message":"wait"}"#)).unwrap_err();
        assert!(matches!(failed.error, Error::Unavailable(_)), "{status}");
    }
    for status in [301, 302, 307] {
        malformed(receive(&client, &answer(status, TOKENS)));
    }
}

// Where the token stands

#[test]
fn a_token_stands_inside_of_another_object() {
    let body = r#"{"code":0,"msg":"ok","data":{"access_token":"u-6U1","token_type":"Bearer",
        "expires_in":7140,"refresh_token":"ur-t9","open_id":"ou"}}"#;
    let tokens = accepted(json!({ "token_locations": ["/data"] }), 200, body, "token_locations");
    assert_eq!(text(&tokens), "u-6U1");
    assert!(tokens.is_renewable());
    assert_eq!(tokens.extra::<String>("open_id").as_deref(), Some("ou"));
    assert_eq!(tokens.extra::<String>("msg").as_deref(), Some("ok"));
    assert_eq!(tokens.extra::<Value>("data"), None);
}

#[test]
fn the_first_place_with_a_token_counts() {
    let knobs = json!({ "token_locations": ["", "/authed_user"], "default_token_type": "Bearer" });
    let client = speaking(knobs);
    let both = r#"{"access_token":"xoxb","authed_user":{"access_token":"xoxp"}}"#;
    assert_eq!(text(&granted(&client, both)), "xoxb");
    let user = r#"{"access_token":"","scope":"x","authed_user":{"access_token":"xoxp"}}"#;
    let tokens = granted(&client, user);
    assert_eq!(text(&tokens), "xoxp");
    assert_eq!(tokens.scope().as_str(), "read write", "the scope beside is another token's");
}

#[test]
fn a_pointer_is_that_of_rfc_6901() {
    for (pointer, body) in [
        ("/a~1b/0", r#"{"a/b":[{"access_token":"t","token_type":"bearer"}]}"#),
        ("/a~0b", r#"{"a~b":{"access_token":"t","token_type":"bearer"}}"#),
        ("/", r#"{"":{"access_token":"t","token_type":"bearer"}}"#),
        ("/~01", r#"{"~1":{"access_token":"t","token_type":"bearer"}}"#),
    ] {
        let client = speaking(json!({ "token_locations": [pointer] }));
        assert_eq!(text(&granted(&client, body)), "t", "{pointer}");
    }
    for pointer in ["data", "/data/x", "/data/0", "/list/9", "/list/x", "/text/0", "/null"] {
        let client = speaking(json!({ "token_locations": [pointer] }));
        let body = r#"{"data":{},"list":[1],"text":"t","null":null}"#;
        malformed(receive(&client, &answer(200, body)));
    }
}

#[test]
fn members_are_captured_by_other_names() {
    let client = speaking(json!({
        "captured_members": { "user_token": "/authed_user/access_token", "refresh_token": "/x",
                              "kind": "/token_type", "absent": "/absent" },
    }));
    let body =
        format!(r#"{{"authed_user":{{"access_token":"xoxp-1234"}},"x":"evil",{}"#, &TOKENS[1..]);
    let tokens = granted(&client, &body);
    assert_eq!(tokens.extra::<String>("user_token").as_deref(), Some("xoxp-1234"));
    assert_eq!(tokens.extra::<String>("kind").as_deref(), Some("Bearer"));
    assert_eq!(tokens.extra::<Value>("authed_user"), Some(json!({ "access_token": "xoxp-1234" })));
    assert_eq!(tokens.extra::<Value>("absent"), None);
    let refresh = tokens.refresh(&client, NOW).unwrap().0;
    assert_eq!(value(&refresh, "refresh_token").as_deref(), Some("tGzv3JOkF0XG5Qx2TlKWIA"));
}

#[test]
fn members_have_other_names() {
    let knobs = json!({
        "member_aliases": { "token": "access_token", "refreshToken": "refresh_token", "scopes": "scope" },
    });
    let body =
        r#"{"token":"foobar","token_type":"bearer","refreshToken":"r","scopes":"a b","x":1}"#;
    let tokens = accepted(knobs.clone(), 200, body, "member_aliases");
    assert_eq!(text(&tokens), "foobar");
    assert!(tokens.is_renewable());
    assert_eq!(tokens.scope().as_str(), "a b");
    assert_eq!(tokens.extra::<u8>("x"), Some(1));
    // A member that goes by the RFC's name counts more.
    let body = r#"{"access_token":"own","token":"other","token_type":"bearer"}"#;
    let tokens = granted(&speaking(knobs.clone()), body);
    assert_eq!(text(&tokens), "own");
    assert_eq!(tokens.extra::<String>("token").as_deref(), Some("other"));
    let body = r#"{"access_token":null,"token":"other","token_type":"bearer"}"#;
    assert_eq!(text(&granted(&speaking(knobs), body)), "other");
}

#[test]
fn the_token_is_an_object() {
    let knobs = json!({
        "token_locations": ["/access_token"],
        "member_aliases": { "token": "access_token" },
        "default_token_type": "Bearer",
    });
    let body =
        r#"{"access_token":{"user_id":1010101010,"token":"foobar","expires_at":null},"u":2}"#;
    let tokens = accepted(knobs, 200, body, "token_locations");
    assert_eq!(text(&tokens), "foobar");
    assert_eq!(tokens.extra::<u64>("user_id"), Some(1_010_101_010));
    assert_eq!(tokens.extra::<u64>("u"), Some(2));
}

#[test]
fn camel_case_is_read_as_snake_case() {
    let body = r#"{"accessToken":"a","tokenType":"Bearer","expiresIn":86400,"refreshToken":"r",
        "userId":7}"#;
    let tokens = accepted(json!({ "camel_case_members": true }), 200, body, "camel_case_members");
    assert_eq!((text(&tokens), lifetime(&tokens)), ("a", Some(86400)));
    assert!(tokens.is_renewable());
    assert_eq!(tokens.extra::<u8>("user_id"), Some(7));
}

#[test]
fn a_contradiction_is_refused() {
    let client = speaking(json!({ "camel_case_members": true }));
    let body = r#"{"access_token":"a","accessToken":"b","token_type":"bearer"}"#;
    malformed(receive(&client, &answer(200, body)));
    let body = r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#;
    malformed(receive(&client, &answer(200, body)));
}

#[test]
fn a_granted_scope_is_read_as_the_dialect_says() {
    let with =
        |scope: &str| format!(r#"{{"access_token":"a","token_type":"bearer","scope":{scope}}}"#);
    let commas = speaking(json!({ "granted_scope": { "separated": "," } }));
    assert_eq!(granted(&commas, &with(r#""a,b c""#)).scope().as_str(), "a b c");
    assert_eq!(granted(&client(), &with(r#""a,b""#)).scope().as_str(), "a,b");
    let tokens =
        accepted(json!({ "granted_scope": "array" }), 200, &with(r#"["a","b"]"#), "granted_scope");
    assert_eq!(tokens.scope().as_str(), "a b");
    let array = speaking(json!({ "granted_scope": "array" }));
    assert_eq!(granted(&array, &with(r#""a b""#)).scope().as_str(), "a b");
    malformed(receive(&array, &answer(200, with("[1]"))));
    for nothing in ["null", "\"\"", "[]"] {
        assert_eq!(granted(&array, &with(nothing)).scope().as_str(), "read write", "{nothing}");
    }
}

#[test]
fn a_token_type_is_supplied_where_there_is_none() {
    let knobs = json!({ "default_token_type": "Bearer" });
    for body in [
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"a","token_type":null}"#,
        r#"{"access_token":"a","token_type":""}"#,
    ] {
        let tokens = accepted(knobs.clone(), 200, body, "default_token_type");
        assert_eq!(tokens.token(NOW).unwrap().token_type(), "Bearer");
    }
    let mac = granted(&speaking(knobs), r#"{"access_token":"a","token_type":"mac"}"#);
    assert_eq!(mac.token(NOW).unwrap().token_type(), "mac");
}

#[test]
fn a_token_type_stands_for_bearer() {
    let body = r#"{"access_token":"a","token_type":"User Access Token"}"#;
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    let strict = client();
    let error = granted(&strict, body).attach(&strict, &mut request, NOW).unwrap_err();
    assert!(error.to_string().contains("bearer_token_types"), "{error}");
    let client = speaking(json!({ "bearer_token_types": ["user access token"] }));
    granted(&client, body).attach(&client, &mut request, NOW).unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer a");
}

// Lifetimes

fn living(members: &str) -> String {
    format!(r#"{{"access_token":"a","token_type":"bearer",{members}}}"#)
}

#[test]
fn a_lifetime_is_counted_in_the_servers_unit() {
    let now = NOW.unix_seconds();
    for (unit, value, seconds) in [
        ("seconds", json!(3600), 3600),
        ("seconds", json!("3600"), 3600),
        ("seconds", json!(86400.92), 86400),
        ("milliseconds", json!(3_600_000), 3600),
        ("milliseconds", json!("3600999"), 3600),
        ("unix_seconds", json!(now + 60), 60),
        ("unix_seconds", json!((now + 60).to_string()), 60),
        ("unix_seconds", json!(now - 60), 0),
        ("unix_milliseconds", json!((now + 60) * 1000), 60),
        ("date", json!("2023-11-14T22:14:20Z"), 60),
        ("date", json!("2023-11-14T17:14:20-05:00"), 60),
        ("date", json!("2023-11-14T22:14:20.123"), 60),
    ] {
        let knobs = json!({ "lifetime_members": [{ "name": "life", "unit": unit }] });
        let body = living(&format!(r#""life":{value}"#));
        assert_eq!(lifetime(&granted(&client(), &body)), None, "{unit} {value}");
        assert_eq!(lifetime(&granted(&speaking(knobs), &body)), Some(seconds), "{unit} {value}");
    }
}

#[test]
fn an_absolute_lifetime_counts_from_the_request() {
    let client = speaking(json!({
        "lifetime_members": [{ "name": "expires_at", "unit": "unix_seconds" }],
    }));
    let at = after(1000);
    let body = living(&format!(r#""expires_at":{}"#, at.unix_seconds()));
    let (_, awaiting) = redeem(&client);
    let tokens = awaiting.receive(&client, &answer(200, body), after(10)).unwrap();
    assert_eq!(tokens.expires_at(), Some(at));
    assert_eq!(tokens.extra::<u64>("expires_at"), Some(at.unix_seconds()), "it is still there");
}

#[test]
fn the_first_lifetime_that_can_be_read_counts() {
    let client = speaking(json!({ "lifetime_members": [
        { "name": "expires_in_sec", "unit": "seconds" },
        { "name": "expires_in", "unit": "milliseconds" },
    ]}));
    let body = living(r#""expires_in_sec":60,"expires_in":60000"#);
    assert_eq!(lifetime(&granted(&client, &body)), Some(60));
    assert_eq!(lifetime(&granted(&client, &living(r#""expires_in":120000"#))), Some(120));
    let body = living(r#""expires_in_sec":"soon","expires_in":120000"#);
    assert_eq!(lifetime(&granted(&client, &body)), Some(120));
}

#[test]
fn a_lifetime_that_nobody_can_read_is_refused() {
    let knobs = json!({ "zero_lifetime": "never", "default_lifetime": 60 });
    for value in ["false", "{}", "\"zzz\"", "-30", "[]"] {
        let body = living(&format!(r#""expires_in":{value}"#));
        let error = malformed(receive(&speaking(knobs.clone()), &answer(200, body)));
        assert!(error.contains("lifetime_members"), "{error}");
    }
}

#[test]
fn a_fraction_of_a_second_is_cut_off_where_told() {
    let knobs = json!({ "lifetime_members": [{ "name": "expires_in", "unit": "seconds" }] });
    let tokens = accepted(knobs, 200, &living(r#""expires_in":86400.92"#), "lifetime_members");
    assert_eq!(lifetime(&tokens), Some(86400));
}

#[test]
fn zero_is_never_or_expired() {
    let body = living(r#""expires_in":0"#);
    assert_eq!(lifetime(&granted(&client(), &body)), Some(0));
    let never = speaking(json!({ "zero_lifetime": "never", "default_lifetime": 60 }));
    assert_eq!(granted(&never, &body).expires_at(), None);
    let body = living(r#""expires_in":"0""#);
    assert_eq!(granted(&never, &body).expires_at(), None);
}

#[test]
fn a_lifetime_is_supplied_where_there_is_none() {
    let client = speaking(json!({ "default_lifetime": 7200 }));
    for members in [r#""x":1"#, r#""expires_in":null"#, r#""expires_in":"""#] {
        assert_eq!(lifetime(&granted(&client, &living(members))), Some(7200), "{members}");
    }
    assert_eq!(lifetime(&granted(&client, &living(r#""expires_in":5"#))), Some(5));
}

#[test]
fn a_lifetime_is_believed_up_to_a_point() {
    let body = living(r#""expires_in":124234123534"#);
    assert_eq!(lifetime(&granted(&client(), &body)), Some(0x7FFF_FFFF));
    let client = speaking(json!({ "longest_lifetime": 86400 }));
    assert_eq!(lifetime(&granted(&client, &body)), Some(86400));
    assert_eq!(lifetime(&granted(&client, &living(r#""expires_in":5"#))), Some(5));
}

// Refresh

fn refreshed(client: &Client, first: &str, body: &str) -> Result<Authorized, Failed> {
    let (_, refreshing): (_, Refreshing) =
        granted(client, first).refresh(client, NOW).expect("there is something to refresh with");
    refreshing.receive(client, &answer(200, body), NOW)
}

#[test]
fn a_refresh_without_a_new_refresh_token_keeps_the_old_one() {
    let client = speaking(json!({}));
    let tokens =
        refreshed(&client, TOKENS, r#"{"access_token":"b","token_type":"bearer"}"#).unwrap();
    let request = tokens.refresh(&client, NOW).unwrap().0;
    assert_eq!(value(&request, "refresh_token").as_deref(), Some("tGzv3JOkF0XG5Qx2TlKWIA"));
}

#[test]
fn an_access_token_refreshes_itself() {
    let client = speaking(json!({
        "refresh_with_access_token": true,
        "default_token_type": "Bearer",
        "refresh_request": {
            "rename": { "refresh_token": "access_token" },
            "remove": ["client_id"],
            "set": { "grant_type": "ig_refresh_token" },
            "format": "dangerous_get",
            "endpoint": "https://graph.example/refresh_access_token",
        },
    }));
    let tokens = granted(&client, r#"{"access_token":"IGQ\"1"}"#);
    let (request, refreshing) = tokens.refresh(&client, NOW).unwrap();
    assert_eq!(request.uri().path(), "/refresh_access_token");
    let pairs = [("grant_type", "ig_refresh_token"), ("access_token", "IGQ\"1")];
    assert_eq!(query(request.uri()), pairs.map(|(name, value)| (name.into(), value.into())));
    let tokens =
        refreshing.receive(&client, &answer(200, r#"{"access_token":"IGQ2"}"#), NOW).unwrap();
    let request = tokens.refresh(&client, NOW).unwrap().0;
    assert!(query(request.uri()).contains(&("access_token".into(), "IGQ2".into())));
}

#[test]
fn a_sign_keeps_the_token_alive() {
    let client = speaking(json!({
        "keep_alive": { "pointer": "/result", "success": "0000" },
        "default_lifetime": 2_592_000,
        "error_detectors": [{ "pointer": "/result", "success": ["0000"], "description": ["/message"] }],
    }));
    let alive = r#"{"result":"0000","message":"OK"}"#;
    let first = r#"{"access_token":"a\"b","token_type":"Bearer","refresh_token":"r"}"#;
    let tokens = refreshed(&client, first, alive).unwrap();
    assert_eq!((text(&tokens), lifetime(&tokens)), ("a\"b", Some(2_592_000)));
    assert!(tokens.is_renewable());
    // A sign is no first token, and an error is no sign.
    malformed(receive(&client, &answer(200, alive)));
    malformed(refreshed(&client, TOKENS, r#"{"message":"OK"}"#));
    let error = r#"{"result":"5002","message":"Unauthorized client ID"}"#;
    assert_eq!(
        denial(refreshed(&client, TOKENS, error)),
        ("5002".into(), Some("Unauthorized client ID".into()))
    );
    let error = malformed(refreshed(&support::client(), TOKENS, alive));
    assert!(error.contains("keep_alive"), "{error}");
}

// Second requests and hooks

#[test]
fn a_second_request_follows_the_first_token() {
    let client = speaking(json!({
        "default_token_type": "Bearer",
        "second_request": {
            "endpoint": "https://graph.example/access_token",
            "format": "dangerous_get",
            "set": { "grant_type": "ig_exchange_token" },
            "token_parameter": "access_token",
            "client_secret_parameter": "client_secret",
            "client_id_parameter": "client_id",
        },
    }))
    .with_secret("s3cret");
    let (_, awaiting) = redeem(&client);
    let failed =
        awaiting.receive(&client, &answer(200, r#"{"access_token":"short"}"#), NOW).unwrap_err();
    let second = failed.next.expect("one more request");
    assert_eq!(second.method(), Method::GET);
    assert_eq!(second.headers()[ACCEPT], "application/json");
    assert_eq!(
        (second.uri().host(), second.uri().path()),
        (Some("graph.example"), "/access_token")
    );
    let pairs = [
        ("grant_type", "ig_exchange_token"),
        ("client_id", "s6BhdRkqt3"),
        ("client_secret", "s3cret"),
        ("access_token", "short"),
    ];
    assert_eq!(query(second.uri()), pairs.map(|(name, value)| (name.into(), value.into())));
    let State::Authorizing(oauth2_proto::Authorizing::AwaitingToken(awaiting)) = *failed.state
    else {
        panic!("it waits for the second answer")
    };
    let long = r#"{"access_token":"long","expires_in":5184000}"#;
    let tokens = awaiting.receive(&client, &answer(200, long), NOW).expect("never a third");
    assert_eq!((text(&tokens), lifetime(&tokens)), ("long", Some(5_184_000)));
}

#[test]
fn what_the_first_answer_brought_is_kept_where_the_second_does_not_mention_it() {
    let client = speaking(json!({
        "second_request": { "endpoint": "https://as.example/long", "token_parameter": "t" },
    }));
    let first = r#"{"access_token":"short","token_type":"Bearer","refresh_token":"r1","user_id":17,"site":"a"}"#;
    let second = |body: &str| {
        let (_, awaiting) = redeem(&client);
        let failed = awaiting.receive(&client, &answer(200, first), NOW).unwrap_err();
        let State::Authorizing(oauth2_proto::Authorizing::AwaitingToken(awaiting)) = *failed.state
        else {
            panic!("it waits for the second answer")
        };
        awaiting.receive(&client, &answer(200, body), NOW).expect("tokens")
    };
    let tokens = second(r#"{"access_token":"long","token_type":"Bearer","site":"b"}"#);
    assert_eq!(
        (tokens.extra::<u64>("user_id"), tokens.extra("site")),
        (Some(17), Some("b".to_owned()))
    );
    let (request, _) = tokens.refresh(&client, NOW).expect("the first answer's refresh token");
    assert!(body(&request).contains("refresh_token=r1"));
    let tokens = second(r#"{"access_token":"long","token_type":"Bearer","refresh_token":"r2"}"#);
    assert_eq!(tokens.extra::<u64>("user_id"), Some(17));
    let (request, _) = tokens.refresh(&client, NOW).expect("the second answer's refresh token");
    assert!(body(&request).contains("refresh_token=r2"));
}

#[test]
fn a_second_request_is_a_form_that_any_authentication_serves() {
    let knobs = json!({ "second_request": {
        "endpoint": "https://as.example/long", "token_parameter": "t", "client_secret_parameter": "s",
    }});
    let client = speaking(knobs).with_authentication(Authentication::Post("s3cret".into()));
    let (_, awaiting) = redeem(&client);
    let second = awaiting.receive(&client, &answer(200, TOKENS), NOW).unwrap_err().next.unwrap();
    assert_eq!(second.method(), Method::POST);
    assert_eq!(second.uri(), "https://as.example/long");
    assert_eq!(body(&second), "s=s3cret&t=2YotnFZFEjr1zCsicMWpAA");
}

#[derive(Debug)]
struct Stamping(&'static str);

impl Hook for Stamping {
    fn request(&self, kind: RequestKind, request: &mut Request<Body>) {
        let seen = request.headers().get("x-seen").and_then(|it| it.to_str().ok()).unwrap_or("");
        let seen = format!("{seen}{}{kind:?} ", self.0);
        request.headers_mut().insert("x-seen", HeaderValue::try_from(seen).unwrap());
    }

    fn answer(&self, _: RequestKind, answer: &mut Response<Body>) {
        let whole = answer.body().as_ref();
        let inner = whole.strip_suffix(self.0.as_bytes()).expect("the outer one runs first");
        *answer.body_mut() = inner.to_vec().into();
    }
}

#[test]
fn hooks_run_in_order_around_the_dialect() {
    let client = speaking(json!({
        "default_token_type": "Bearer", "every_request": { "headers": { "x-seen": "dialect " } },
    }))
    .with_hook(Arc::new(Stamping("1")))
    .with_hook(Arc::new(Stamping("2")));
    let (request, awaiting) = redeem(&client);
    assert_eq!(request.headers()["x-seen"], "dialect 1Token 2Token ");
    let tokens = awaiting.receive(&client, &answer(200, r#"{"access_token":"a"}21"#), NOW).unwrap();
    assert_eq!(text(&tokens), "a");
}

// Presentation

fn attached(knobs: Value, uri: &str) -> Result<(Uri, HeaderMap), Error> {
    let client = speaking(knobs);
    let tokens = granted(&client, r#"{"access_token":"a+b/c d","token_type":"bearer"}"#);
    let mut request = Request::get(uri).body(()).unwrap();
    tokens.attach(&client, &mut request, NOW)?;
    Ok((request.uri().clone(), request.headers().clone()))
}

#[test]
fn a_token_is_presented_as_the_dialect_says() {
    let plain = "https://api.example/me?x=1";
    let (uri, headers) = attached(json!({}), plain).unwrap();
    assert_eq!(
        (uri.to_string(), &headers[AUTHORIZATION]),
        (plain.into(), &HeaderValue::from_static("Bearer a+b/c d"))
    );
    let (uri, headers) =
        attached(json!({ "token_presentation": { "scheme": "OAuth" } }), plain).unwrap();
    assert_eq!((uri.to_string(), headers.len()), (plain.into(), 1));
    assert_eq!(headers[AUTHORIZATION], "OAuth a+b/c d");
    assert!(headers[AUTHORIZATION].is_sensitive());
    let knobs = json!({ "token_presentation": { "header": "X-Shopify-Access-Token" } });
    let (_, headers) = attached(knobs, plain).unwrap();
    assert_eq!(headers["x-shopify-access-token"], "a+b/c d");
    assert!(headers["x-shopify-access-token"].is_sensitive() && headers.len() == 1);
    let knobs = json!({ "token_presentation": { "dangerous_query": "access_token" } });
    let (uri, headers) = attached(knobs.clone(), plain).unwrap();
    assert_eq!(uri, "https://api.example/me?x=1&access_token=a%2Bb%2Fc+d");
    assert!(headers.is_empty());
    let (uri, _) = attached(knobs, "https://api.example").unwrap();
    assert_eq!(uri, "https://api.example/?access_token=a%2Bb%2Fc+d");
}

#[test]
fn no_presentation_goes_in_the_clear() {
    for how in [
        json!("bearer"),
        json!({ "scheme": "OAuth" }),
        json!({ "header": "x-token" }),
        json!({ "dangerous_query": "t" }),
    ] {
        let error =
            attached(json!({ "token_presentation": how }), "http://api.example/").unwrap_err();
        assert_eq!(error, Error::Misuse(Misuse::PlainHttp));
    }
    let error =
        attached(json!({ "token_presentation": { "header": "a b" } }), "https://api.example/");
    assert!(matches!(error, Err(Error::Misuse(Misuse::Parameter(_)))));
}

// Other kinds

#[test]
fn a_device_answer_has_other_names() {
    let server = Server::token_only("https://as.example/token")
        .and_then(|it| it.with_device_authorization("https://as.example/device"))
        .unwrap();
    let body = r#"{"deviceCode":"d","userCode":"u","verificationUri":"https://as.example/",
        "expiresIn":600}"#;
    let strict = Client::new("id", server);
    let (_, awaiting) = strict.device_authorization().begin(&mut rng(), NOW).unwrap();
    assert!(awaiting.receive(&strict, &answer(200, body), NOW).is_err());
    let client = strict.with_dialect(dialect(json!({ "camel_case_members": true })));
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).unwrap();
    assert_eq!(awaiting.receive(&client, &answer(200, body), NOW).unwrap().user_code(), "u");
}

// Properties

/// Every knob that listens, at once.
fn listening() -> Client {
    speaking(json!({
        "answer_format": "any",
        "any_success_status": true,
        "error_detectors": [
            { "pointer": "/ok", "success": ["true"] },
            { "pointer": "/error", "code": ["/error/type"], "description": ["/error/message"] },
            { "pointer": "/errors/0/code" },
            { "pointer": "/message", "without_token": true },
        ],
        "error_aliases": { "false": "invalid_grant" },
        "token_locations": ["", "/data", "/access_token", "/authed_user/0"],
        "captured_members": { "who": "/user/name" },
        "member_aliases": { "token": "access_token", "scopes": "scope" },
        "camel_case_members": true,
        "granted_scope": "array",
        "default_token_type": "Bearer",
        "lifetime_members": [
            { "name": "expires_at", "unit": "date" },
            { "name": "expires", "unit": "unix_milliseconds" },
            { "name": "expires_in", "unit": "milliseconds" },
        ],
        "refresh_with_access_token": true,
        "keep_alive": { "pointer": "/alive", "success": "yes" },
    }))
}

fn some_json() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "access_token",
        "accessToken",
        "token",
        "token_type",
        "expires_in",
        "expires_at",
        "expires",
        "refresh_token",
        "scope",
        "scopes",
        "error",
        "errors",
        "code",
        "type",
        "message",
        "ok",
        "data",
        "authed_user",
        "user",
        "name",
        "alive",
        "id_token",
        "other",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[a-z0-9:TZ+-]{0,24}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(name.clone().prop_map(String::from), inner, 0..8)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Whether a text is somewhere in a value.
fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(own) => own == text,
        Value::Array(items) => items.iter().any(|item| holds(item, text)),
        Value::Object(members) => members.values().any(|member| holds(member, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        status in 100_u16..600,
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let _ = receive(&listening(), &answer(status, body));
    }

    #[test]
    fn a_token_is_never_made_up(status in 200_u16..300, body in some_json()) {
        let client = listening();
        if let Ok(tokens) = receive(&client, &answer(status, body.to_string())) {
            let token = tokens.token(NOW).map_or_else(String::new, |token| token.expose().into());
            prop_assert!(token.is_empty() || holds(&body, &token), "{token} is not in {body}");
        }
    }

    #[test]
    fn a_refresh_makes_no_token_up(body in some_json()) {
        let client = listening();
        let tokens = r#"{"expires_in":3600000,"access_token":"held"}"#;
        let refreshed = refreshed(&client, tokens, &body.to_string());
        if let Some(token) = refreshed.as_ref().ok().and_then(|tokens| tokens.token(NOW)) {
            let alive = body["alive"] == "yes";
            prop_assert!(holds(&body, token.expose()) || (alive && token.expose() == "held"));
        }
    }

    #[test]
    fn any_url_stays_one(scope in "[a-z:/.]{1,9}( [a-z]{1,5}){0,4}", value in any::<String>()) {
        let client = speaking(json!({
            "scope_separator": ",",
            "authorization_request": { "set": { "x": value }, "rename": { "client_id": "app id" } },
        }));
        let (url, _) = client.authorize(REDIRECT_URI).scope(&scope).begin(&mut rng(), NOW).unwrap();
        let url = Url::parse(url.as_str()).unwrap();
        let scope = oauth2_proto::Scope::new(&scope).unwrap();
        prop_assert_eq!(parameter(&url, "scope"), scope.as_str().replace(' ', ","));
        prop_assert_eq!(parameter(&url, "x"), value);
        prop_assert_eq!(parameter(&url, "app id"), "s6BhdRkqt3");
    }
}

#[test]
fn an_answer_with_endless_members_is_left_alone() {
    let many: String = (0..100_000).map(|n| format!(r#""m{n}":1,"#)).collect();
    let body = format!("{{{many}{}", &TOKENS[1..]);
    let client = listening().with_body_limit(usize::MAX);
    // The strict reader judges it: it is a token answer all the same.
    assert_eq!(text(&granted(&client, &body)), "2YotnFZFEjr1zCsicMWpAA");
}
