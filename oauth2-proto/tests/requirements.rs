//! The page of requirements: what it names is there, and what no other file tests is tested here.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use http::header::AUTHORIZATION;
use http::{Request, StatusCode};
use oauth2_proto::{
    Authentication, Body, Client, Discovery, Error, Misuse, Refresh, ResourceDiscovery, Server,
    State,
};
use support::{
    NOW, REDIRECT_URI, TOKENS, answer, authorized, client, form, redeem, refreshing, rng, server,
};
use url::Url;

const PAGE: &str = include_str!("../docs/requirements.md");
const README: &str = include_str!("../../README.md");

// The page

/// A row of the page, under the heading it stands under.
struct Row {
    heading: &'static str,
    place: &'static str,
    tests: &'static str,
}

fn cells(line: &'static str) -> Vec<&'static str> {
    line.trim_matches('|').split('|').map(str::trim).collect()
}

fn rows() -> Vec<Row> {
    let mut heading = "";
    let mut rows = Vec::new();
    for line in PAGE.lines() {
        if let Some(title) = line.strip_prefix("# ") {
            heading = title;
        } else if line.starts_with("| ") && !line.starts_with("| § ") {
            let [_, _, place, tests] = cells(line).try_into().expect("four cells");
            rows.push(Row { heading, place, tests });
        }
    }
    rows
}

/// What stands in backticks.
fn quoted(cell: &'static str) -> impl Iterator<Item = &'static str> {
    cell.split('`').skip(1).step_by(2)
}

/// A file of this crate's, or of the crate that its path begins with.
fn file(folder: &str, name: &str) -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    match name.split_once('/') {
        Some((other, rest)) if other.starts_with("oauth2-proto-") => {
            own.with_file_name(other).join(folder).join(rest)
        }
        Some(_) | None => own.join(folder).join(name),
    }
}

#[test]
fn every_file_that_the_page_names_is_there() {
    let named: Vec<_> = rows().iter().flat_map(|row| quoted(row.place)).collect();
    let files: Vec<_> = named.iter().filter(|name| name.ends_with(".rs")).collect();
    assert!(files.len() > 80, "{named:?}");
    for name in files {
        assert!(file("src", name).is_file(), "{name}");
    }
}

#[test]
fn every_test_that_the_page_names_is_there() {
    for Row { place, tests, .. } in rows() {
        let names: Vec<_> = quoted(tests).collect();
        // Only the host, or nobody yet, can do without.
        let nobody = place.starts_with("**the host**") || place.starts_with("**not yet**");
        assert!(!names.is_empty() || (nobody && tests == "–"), "{place}: {tests}");
        for name in names {
            let (module, function) = name.split_once("::").expect("file::name");
            let source = fs::read_to_string(file("tests", &format!("{module}.rs"))).expect(name);
            let (before, _) = source.split_once(&format!("fn {function}(")).expect(name);
            let last = before.lines().rev().take(8).find(|line| line.contains("test"));
            assert!(last.is_some_and(|line| line.trim_start().starts_with("#[")), "{name}");
        }
    }
}

/// The table in the README: all requirements, those met, those of the host, those that are open.
#[test]
fn the_readme_counts_the_rows_of_the_page() {
    let mut counts = BTreeMap::<_, [usize; 4]>::new();
    for Row { heading, place, .. } in rows() {
        let kind = match place {
            _ if place.starts_with("**the host**") => 2,
            _ if place.contains("**not yet**") || place.contains("**in part**") => 3,
            _ => 1,
        };
        for name in [heading, "all"] {
            let counts = counts.entry(name).or_default();
            counts[0] += 1;
            counts[kind] += 1;
        }
    }
    let anchor = |name: &str| name.to_lowercase().replace(',', "").replace(' ', "-");
    let page = "oauth2-proto/docs/requirements.md";
    for (name, counts) in &counts {
        let first = match *name {
            "all" => "all".to_owned(),
            name => format!("[{name}]({page}#{})", anchor(name)),
        };
        let counts = counts.map(|count| count.to_string()).join(" | ");
        let line = format!("| {first} | {counts} |");
        assert!(README.contains(&line), "the README should have: {line}");
    }
    let linked = README.lines().filter(|line| line.contains("requirements.md#")).count();
    assert_eq!(linked + 1, counts.len(), "no other RFC stands in the README");
}

#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let targets: Vec<_> =
        README.split("](").skip(1).filter_map(|it| it.split(')').next()).collect();
    assert!(targets.len() > 20, "{targets:?}");
    for target in targets {
        let (path, _) = target.split_once('#').unwrap_or((target, ""));
        assert!(top.join(path).is_file(), "{target}");
    }
}

// What is asked of every request

/// A client that all endpoints are known of.
fn complete(authentication: Authentication) -> Client {
    let server = server()
        .with_revocation("https://as.example/revoke")
        .and_then(|server| server.with_introspection("https://as.example/introspect"))
        .and_then(|server| server.with_pushed_authorization("https://as.example/par"))
        .expect("the endpoints are https");
    Client::new("s6BhdRkqt3", server).with_authentication(authentication)
}

/// One request of each kind.
fn every_request(client: &Client) -> Vec<Request<Body>> {
    let begun = |request: oauth2_proto::TokenRequest<'_>| request.begin(&mut rng(), NOW).unwrap().0;
    let exchange = client.token_exchange("t", "urn:ietf:params:oauth:token-type:access_token");
    let device = client.device_authorization();
    let (codes, awaiting) = device.begin(&mut rng(), NOW).unwrap();
    let device = r#"{"device_code":"d","user_code":"u","verification_uri":"https://as.example/d",
        "expires_in":600}"#;
    let polling = awaiting.receive(client, &answer(200, device), NOW).unwrap();
    let due = polling.next_poll();
    vec![
        redeem(client).0,
        refreshing(client).0,
        client.client_credentials().begin(&mut rng(), NOW).unwrap().0,
        begun(client.legacy_password("u", "p")),
        begun(client.jwt_bearer("j")),
        begun(client.saml2_bearer(b"s")),
        begun(client.extension_grant("urn:example:grant")),
        exchange.begin(&mut rng(), NOW).unwrap().0,
        codes,
        polling.poll(client, due).unwrap().0,
        client.authorize(REDIRECT_URI).push(&mut rng(), NOW).unwrap().0,
        client.revocation("t", None, NOW).unwrap().0,
        client.introspection("t", None, NOW).unwrap().0,
    ]
}

/// RFC 6749 §3.2.1, and whoever refers to it. Public clients are `None`.
#[test]
fn a_confidential_client_authenticates_whatever_the_grant() {
    for request in every_request(&complete(Authentication::Basic("7Fjfp0ZBr1KtDRbnfVdmIw".into())))
    {
        let header = "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3";
        assert_eq!(request.headers()[AUTHORIZATION], header);
        assert!(form(&request).iter().all(|(name, _)| name != "client_secret"));
    }
    for request in every_request(&complete(Authentication::Post("7Fjfp0ZBr1KtDRbnfVdmIw".into()))) {
        assert_eq!(request.headers().get(AUTHORIZATION), None);
        for pair in [("client_id", "s6BhdRkqt3"), ("client_secret", "7Fjfp0ZBr1KtDRbnfVdmIw")] {
            let all = form(&request);
            let values: Vec<_> = all.iter().filter(|(name, _)| name == pair.0).collect();
            assert_eq!(values, [&(pair.0.to_owned(), pair.1.to_owned())]);
        }
    }
    for request in every_request(&complete(Authentication::None)) {
        assert_eq!(request.headers().get(AUTHORIZATION), None);
        assert!(form(&request).contains(&("client_id".into(), "s6BhdRkqt3".into())));
    }
}

/// RFC 6749 §3.1, §3.2, §10.8; RFC 7009 §2; RFC 7662 §4; RFC 8628 §3.1; RFC 9126 §2.
#[test]
fn every_endpoint_is_https_and_has_no_fragment() {
    type With = fn(&str) -> Result<Server, Misuse>;
    let all: [(&str, With); 6] = [
        ("authorization endpoint", |url| Server::new(url, "https://as.example/token")),
        ("token endpoint", Server::token_only),
        ("device authorization endpoint", |url| server().with_device_authorization(url)),
        ("pushed authorization request endpoint", |url| server().with_pushed_authorization(url)),
        ("revocation endpoint", |url| server().with_revocation(url)),
        ("introspection endpoint", |url| server().with_introspection(url)),
    ];
    for (name, with) in all {
        assert!(with("https://as.example/endpoint?tenant=1").is_ok(), "{name}");
        let why = "must be https (plain http: this machine only)";
        assert_eq!(with("http://as.example/endpoint").unwrap_err(), Misuse::Url(name, why));
        let why = "must not have a fragment";
        assert_eq!(with("https://as.example/endpoint#x").unwrap_err(), Misuse::Url(name, why));
    }
}

/// RFC 8707 §2, RFC 8693 §2.1.
#[test]
fn a_resource_is_an_absolute_uri_without_a_fragment_whatever_the_grant() {
    let client = complete(Authentication::None);
    let outcomes = |resource: &str| -> Vec<Result<(), Error>> {
        let refresh = Refresh::default().resource(resource);
        let exchange = client.token_exchange("t", "urn:t").resource(resource);
        let login = || authorized(&client, TOKENS);
        vec![
            client.authorize(REDIRECT_URI).resource(resource).begin(&mut rng(), NOW).map(drop),
            client.authorize(REDIRECT_URI).resource(resource).push(&mut rng(), NOW).map(drop),
            client.client_credentials().resource(resource).begin(&mut rng(), NOW).map(drop),
            client.device_authorization().resource(resource).begin(&mut rng(), NOW).map(drop),
            client.jwt_bearer("j").resource(resource).begin(&mut rng(), NOW).map(drop),
            exchange.begin(&mut rng(), NOW).map(drop),
            login().refresh_with(&refresh, &client, NOW).map(drop).map_err(|it| it.error),
            login().refresh_for(resource, &client, NOW).map(drop).map_err(|it| it.error),
        ]
    };
    for outcome in outcomes("https://api.example/notes?of=me") {
        assert_eq!(outcome, Ok(()));
    }
    for resource in ["notes", "/notes", "//api.example/notes", "https://api.example/#notes", ""] {
        for outcome in outcomes(resource) {
            let why = "must be an absolute URI without a fragment";
            assert_eq!(outcome, Err(Error::Misuse(Misuse::Url("resource", why))), "{resource}");
        }
    }
}

// What no other file asks

/// RFC 6749 §4.3.1: the client MUST discard the credentials once it has a token.
#[test]
fn a_password_is_gone_once_there_is_a_token() {
    let client = client();
    let login = client.legacy_password("johndoe", "A3ddj3w");
    let (_, awaiting) = login.begin(&mut rng(), NOW).unwrap();
    let login = awaiting.receive(&client, &answer(200, TOKENS), NOW).unwrap();
    let (request, refreshing) = login.refresh(&client, NOW).unwrap();
    assert!(form(&request).iter().all(|(_, value)| value != "A3ddj3w" && value != "johndoe"));
    let stored = serde_json::to_string(&State::from(refreshing)).unwrap();
    assert!(!stored.contains("A3ddj3w") && !stored.contains("johndoe"), "{stored}");
}

/// RFC 9126 §4: a request_uri is for one authorization request.
#[test]
fn each_login_is_pushed_anew() {
    let client = complete(Authentication::None);
    let mut rng = rng();
    let mut begin = |reference: &str| {
        let (request, awaiting) = client.authorize(REDIRECT_URI).push(&mut rng, NOW).unwrap();
        let pushed = format!(r#"{{"request_uri":"urn:example:{reference}","expires_in":60}}"#);
        let created = answer(StatusCode::CREATED.as_u16(), pushed);
        let (url, pending) = awaiting.receive(&client, &created, NOW).unwrap();
        let state = form(&request).into_iter().find(|(name, _)| name == "state").unwrap().1;
        (state, url, pending.login())
    };
    let (one, two) = (begin("one"), begin("two"));
    assert!(one.0 != two.0 && one.2 != two.2);
    let reference = |url: &Url| support::parameter(url, "request_uri");
    assert_eq!([&one.1, &two.1].map(reference), ["urn:example:one", "urn:example:two"]);
}

/// RFC 8414 §4, RFC 9728 §6: unescaped, then code point by code point, never normalised.
#[test]
fn metadata_is_compared_unescaped_and_not_normalised() {
    // The same word in its two normal forms.
    let (composed, decomposed) = ("https://as.example/caf\u{e9}", "https://as.example/cafe\u{301}");
    let escaped = r"https:\/\/as.example\/caf\u00e9";
    for (text, is_same) in [(composed, true), (escaped, true), (decomposed, false)] {
        let issuer = answer(200, format!(r#"{{"issuer":"{text}"}}"#));
        assert_eq!(Discovery::new(composed).unwrap().receive(&issuer).is_ok(), is_same, "{text}");
        let resource = answer(200, format!(r#"{{"resource":"{text}"}}"#));
        let search = ResourceDiscovery::new(composed).unwrap();
        assert_eq!(search.receive(&resource).is_ok(), is_same, "{text}");
    }
}
