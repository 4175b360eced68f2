//! Each provider: a body that it sent (or one built from what is known of it, named `synthetic`)
//! comes through its dialect as the right token or the right error; and where it breaks the RFC,
//! the strict reader refuses it and names the knob.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[path = "providers/bodies.rs"]
mod bodies;
#[path = "providers/requests.rs"]
mod requests;
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::collections::BTreeMap;

use oauth2_proto::dialect::Dialect;
use oauth2_proto::providers::{self, Provider};
use oauth2_proto::{Authorized, Authorizing, Client, Denied, Error, Failed, State};
use proptest::prelude::*;
use serde_json::Value;
use support::{NOW, answer, begin, receive, redeem, refreshing};

/// What a provider's answer comes to, through its dialect and without.
pub(crate) struct Heard {
    client: Client,
    dialect: Dialect,
    status: u16,
    body: String,
    ours: Result<Authorized, Failed>,
}

fn client(provider: Provider) -> (Client, Dialect) {
    let dialect = provider.dialect.clone();
    (provider.client("id").with_secret("s3cret"), dialect)
}

/// Hears the answer to a code. A second request, where there is one, has the same answer.
#[track_caller]
pub(crate) fn hear(provider: Provider, status: u16, body: &str) -> Heard {
    let (client, dialect) = client(provider);
    let response = answer(status, body);
    let mut ours = receive(&client, &response);
    if let Err(Failed { state, next: Some(_), .. }) = ours {
        let State::Authorizing(Authorizing::AwaitingToken(awaiting)) = *state else {
            panic!("it awaits the second answer")
        };
        ours = awaiting.receive(&client, &response, NOW);
    }
    Heard { client, dialect, status, body: body.into(), ours }
}

/// Hears the answer to a refresh, of a token that is called `held`.
#[track_caller]
pub(crate) fn hear_refresh(provider: Provider, status: u16, body: &str) -> Heard {
    let (client, dialect) = client(provider);
    let held = r#"{"access_token":"held","token_type":"Bearer","refresh_token":"tGzv3JOkF0XG"}"#;
    let tokens = receive(&client, &answer(200, held)).expect("these are the RFC's words");
    let (_, refreshing) = tokens.refresh(&client, NOW).expect("there is a refresh token");
    let ours = refreshing.receive(&client, &answer(status, body), NOW);
    Heard { client, dialect, status, body: body.into(), ours }
}

/// Hears the answer to client credentials, where nobody logs in.
#[track_caller]
pub(crate) fn hear_program(provider: Provider, status: u16, body: &str) -> Heard {
    let (client, dialect) = client(provider);
    let (_, awaiting) =
        client.client_credentials().begin(&mut support::rng(), NOW).expect("a usable login");
    let ours = awaiting.receive(&client, &answer(status, body), NOW);
    Heard { client, dialect, status, body: body.into(), ours }
}

impl Heard {
    #[track_caller]
    fn tokens(&self) -> &Authorized {
        self.ours.as_ref().unwrap_or_else(|failed| panic!("{}: {failed}", self.body))
    }

    #[track_caller]
    fn denied(&self) -> &Denied {
        match &self.ours {
            Err(Failed { error: Error::Denied(denied), .. }) => denied,
            other => panic!("{} is {other:?}", self.body),
        }
    }

    #[track_caller]
    pub(crate) fn token(self, token: &str) -> Self {
        assert_eq!(self.tokens().token(NOW).expect("a fresh token").expose(), token);
        // Whatever it is, the provider's own resources accept it.
        let mut request = http::Request::get("https://api.example/").body(()).unwrap();
        self.tokens().attach(&self.client, &mut request, NOW).expect("it can be used");
        self
    }

    /// The lifetime in seconds.
    #[track_caller]
    pub(crate) fn lives(self, seconds: impl Into<Option<u64>>) -> Self {
        let lifetime = self.tokens().expires_at().map(|at| at.since(NOW).as_secs());
        assert_eq!(lifetime, seconds.into());
        self
    }

    #[track_caller]
    pub(crate) fn scope(self, scope: &str) -> Self {
        assert_eq!(self.tokens().scope().as_str(), scope);
        self
    }

    #[track_caller]
    pub(crate) fn renewable(self) -> Self {
        assert!(self.tokens().is_renewable());
        self
    }

    #[track_caller]
    pub(crate) fn extra(self, name: &str, value: impl Into<Value>) -> Self {
        assert_eq!(self.tokens().extra::<Value>(name), Some(value.into()), "{name}");
        self
    }

    /// The provider said no, with this error of RFC 6749 or its own.
    #[track_caller]
    pub(crate) fn refused(self, error: &str, description: impl Into<Option<&'static str>>) -> Self {
        assert_eq!(self.denied().error(), error);
        assert_eq!(self.denied().description(), description.into());
        self
    }

    /// The strict reader refuses it, and names this field of the dialect.
    #[track_caller]
    pub(crate) fn strictly_refused(self, field: &str) {
        let response = answer(self.status, self.body);
        let error = receive(&support::client(), &response).expect_err("it breaks the RFC").error;
        assert!(matches!(error, Error::Malformed(_)), "{error:?}");
        assert!(error.to_string().contains(field), "{error} does not name {field}");
        let used = knobs(&self.dialect);
        assert!(used.contains(&field.to_owned()), "{field} is not among {used:?}");
    }

    /// The strict reader takes it for a token of a type that it can't use, and names this field.
    #[track_caller]
    pub(crate) fn strictly_unusable(self, field: &str) {
        let client = support::client();
        let tokens = receive(&client, &answer(self.status, self.body)).expect("a token answer");
        let mut request = http::Request::get("https://api.example/").body(()).unwrap();
        let error = tokens.attach(&client, &mut request, NOW).expect_err("no bearer token");
        assert!(error.to_string().contains(field), "{error} does not name {field}");
    }

    /// The strict reader makes a token of it, too.
    #[track_caller]
    pub(crate) fn strictly_granted(self) {
        let response = answer(self.status, self.body);
        receive(&support::client(), &response).expect("it is a token answer of the RFC");
    }

    /// The strict reader sees a refusal in it, too.
    #[track_caller]
    pub(crate) fn strictly_denied(self) {
        let response = answer(self.status, self.body);
        let error = receive(&support::client(), &response).expect_err("it is no token").error;
        assert!(matches!(error, Error::Denied(_)), "{error:?}");
    }
}

/// The fields of a dialect that say something.
fn knobs(dialect: &Dialect) -> Vec<String> {
    let fields = |dialect: &Dialect| -> BTreeMap<String, Value> {
        serde_json::from_value(serde_json::to_value(dialect).unwrap()).unwrap()
    };
    let silent = fields(&Dialect::default());
    let fields = fields(dialect).into_iter();
    fields.filter(|(name, value)| silent.get(name) != Some(value)).map(|(name, _)| name).collect()
}

#[test]
fn there_are_more_than_the_45_that_are_in_real_use() {
    let all = providers::all();
    let names: BTreeMap<_, _> = all.iter().map(|(name, _)| (*name, ())).collect();
    assert_eq!(names.len(), all.len(), "a name twice");
    assert!(all.len() >= 45);
}

/// A provider whose URL could not be read would be missing from the list, or lack an endpoint.
#[test]
fn every_provider_is_listed_and_complete() {
    let source = [
        include_str!("../src/providers/a_to_d.rs"),
        include_str!("../src/providers/e_to_h.rs"),
        include_str!("../src/providers/i_to_m.rs"),
        include_str!("../src/providers/n_to_s.rs"),
        include_str!("../src/providers/t_to_z.rs"),
    ]
    .concat();
    let functions = source.lines().filter_map(|line| line.strip_prefix("pub fn "));
    let functions: Vec<_> =
        functions.map(|line| line.split('(').next().unwrap().trim_start_matches("r#")).collect();
    let listed: Vec<_> = providers::all().into_iter().map(|(name, _)| name).collect();
    for function in &functions {
        assert!(listed.contains(function), "{function} is not listed");
    }
    assert_eq!(functions.len(), listed.len());
    let tests =
        [include_str!("providers/bodies.rs"), include_str!("providers/requests.rs")].concat();
    for name in listed {
        let calls = [format!("providers::{name}("), format!("providers::r#{name}(")];
        assert!(calls.iter().any(|call| tests.contains(call)), "{name} is not tested");
    }
    for (name, provider) in providers::all() {
        let server = format!("{:?}", provider.server);
        let is_for_programs = matches!(name, "plentymarkets" | "sentry_integration");
        assert!(server.contains("token: Some("), "{name}");
        assert_eq!(server.contains("authorization: Some("), !is_for_programs, "{name}");
        assert!(!server.contains("http://"), "{name}");
    }
    let unknown = source.matches(".revoking(").count() + source.matches(".with(\"https").count();
    let revoking = providers::all().into_iter();
    let revoking =
        revoking.filter(|(_, it)| format!("{:?}", it.server).contains("revocation: Some("));
    assert!(revoking.count() >= unknown, "an endpoint for revocation could not be read");
}

#[test]
fn every_provider_can_be_asked() {
    for (name, provider) in providers::all() {
        if matches!(name, "plentymarkets" | "sentry_integration") {
            continue;
        }
        let client = provider.client("id").with_secret("s3cret");
        let (url, _) = begin(&client);
        assert_eq!(url.scheme(), "https", "{name}");
        let (request, _) = redeem(&client);
        assert_eq!(request.uri().scheme_str(), Some("https"), "{name}");
        if let Err(Failed { next: Some(second), .. }) =
            receive(&client, &answer(200, support::TOKENS))
        {
            assert_eq!(second.uri().scheme_str(), Some("https"), "{name}");
        }
    }
}

/// A knob that weakens security shows in a provider's data by its name.
#[test]
fn no_provider_does_without_pkce_but_those_that_refuse_it() {
    let without = providers::all().into_iter().filter(|(_, it)| it.dialect.dangerous_without_pkce);
    assert_eq!(without.map(|(name, _)| name).collect::<Vec<_>>(), ["linkedin"]);
}

#[test]
fn a_tenant_cannot_break_out_of_its_place() {
    for text in ["", "a/b", "a.evil.example/", "a?b", "a#b", "a@b", "a:b", "..", "a b", "é", "-a"]
    {
        assert!(providers::microsoft_entra(text).is_err(), "{text}");
        assert!(providers::shopify(text).is_err(), "{text}");
        assert!(providers::okta(text).is_err(), "{text}");
        assert!(providers::okta_custom("acme.okta.com", text).is_err(), "{text}");
        assert!(providers::zoho(text).is_err(), "{text}");
    }
    assert!(providers::shopify("shop.evil").is_err());
    for base in ["http://git.example", "https://git.example?x=", "https://u@git.example", "git"] {
        assert!(providers::gitea(base).is_err(), "{base}");
        assert!(providers::keycloak(base).is_err(), "{base}");
    }
    assert!(providers::gitlab_at("https://git.example/sub/").is_ok());
}

#[test]
fn a_dialect_survives_being_stored() {
    for (name, provider) in providers::all() {
        let json = serde_json::to_string(&provider.dialect).unwrap();
        let read: Dialect = serde_json::from_str(&json).unwrap();
        assert_eq!(read, provider.dialect, "{name}");
    }
}

/// The table in the documentation, and the code: the same providers with the same knobs.
#[test]
fn the_documentation_tells_what_the_code_does() {
    let table: BTreeMap<&str, &str> = include_str!("../docs/providers.md")
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|line| {
            let mut cells = line.rsplit(" | ");
            let knobs = cells.next()?.trim_end_matches(" |");
            Some((cells.last()?.trim_end_matches('`'), knobs))
        })
        .collect();
    let mut missing = String::new();
    let mut count = 0;
    for (name, provider) in providers::all() {
        count += 1;
        let knobs: Vec<_> = knobs(&provider.dialect).iter().map(|it| format!("`{it}`")).collect();
        let knobs = if knobs.is_empty() { "none".into() } else { knobs.join(", ") };
        if table.get(name) != Some(&&*knobs) {
            missing += &format!("| `{name}` | | {knobs} |\n");
        }
    }
    assert!(missing.is_empty(), "the table should say:\n{missing}");
    assert_eq!(table.len(), count, "the table has a provider that is none");
}

proptest! {
    #[test]
    fn no_bytes_make_any_provider_panic(
        at in 0_usize..1000,
        status in 100_u16..600,
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let all = providers::all();
        let (_, provider) = all[at % all.len()].clone();
        let client = provider.client("id").with_secret("s3cret");
        if begins(&client) {
            let _ = receive(&client, &answer(status, &*body));
            let tokens = receive(&client, &answer(200, support::TOKENS));
            if tokens.is_ok() {
                let _ = refreshing(&client).1.receive(&client, &answer(status, body), NOW);
            }
        }
    }
}

/// Whether people log in there.
fn begins(client: &Client) -> bool {
    client.authorize(support::REDIRECT_URI).begin(&mut support::rng(), NOW).is_ok()
}
