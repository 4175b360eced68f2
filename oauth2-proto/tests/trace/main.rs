//! What an agent tells with the feature `tracing`: whole lives, each with the events that it has to
//! show, and no secret in any name, field or text.
#![expect(clippy::expect_used, reason = "tests fail loudly")]

mod failures;
mod processes;
#[path = "../recorder/mod.rs"]
mod recorder;
#[path = "../small_world/mod.rs"]
mod small_world;
mod words;

use core::panic::AssertUnwindSafe;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::catch_unwind;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue};
use oauth2_proto::agent::{Agent, Logins, Record, Store};
use oauth2_proto::{Challenge, Client, LoginId, Server, State};
use recorder::Recorder;
use small_world::{
    ACCESS_TOKEN, CLIENT_SECRET, CODE, DEVICE_CODE, EXTRA, Fate, Fault, Faulty, ID_TOKEN, KEY,
    LIFETIME, REFRESH_TOKEN, USER_CODE, World, number, poll_once, seed,
};
use tracing::{Level, info, info_span};

const TARGET: &str = "oauth2_proto::agent";
/// What a server writes beside what it is asked for.
const BODY: &str = "bOdYoFaNaNsWeRnOcAnArYmAySiNg13";
const PATIENCE: Duration = Duration::from_secs(40);

/// A world, all that it tells, and a login with its own secrets.
struct Life {
    world: World,
    recorder: Recorder,
    secrets: Vec<String>,
}

impl Life {
    fn new() -> Self {
        Self { world: World::new(), recorder: Recorder::default(), secrets: Vec::new() }
    }

    fn login(&mut self) -> State {
        let (login, secrets) = self.world.login(1);
        self.secrets.extend(secrets);
        login.into()
    }

    /// A store with a login in it, and an agent that has loaded it; not told.
    fn stored(&mut self) -> (Faulty, Agent<World, Faulty>) {
        let store = self.world.store();
        store.put(Some(&self.login()));
        let agent = self.world.open(&store, 1);
        assert_eq!(number(&self.world.run(agent.token())), 1);
        (store, agent)
    }

    /// Has something happen, and be told.
    fn tells<T>(&self, what: impl Future<Output = T>) -> T {
        self.recorder.during(|| self.world.run(what))
    }

    /// Nobody is told a secret, nor anything that the guide does not list.
    #[track_caller]
    fn assert_silent(&self) {
        self.recorder.assert_silent(canaries().iter().chain(&self.secrets));
        words::assert_documented(&self.recorder);
    }

    /// The same, and these events are told, in this order.
    #[track_caller]
    fn assert(&self, expected: &[&str]) {
        self.assert_silent();
        let lines = self.recorder.lines(TARGET);
        let mut lines: Vec<_> = lines.iter().map(|line| without_login(line)).collect();
        // Who waits looks at the store again and again.
        lines.dedup_by(|line, before| line == before && line.starts_with("DEBUG loaded"));
        assert_eq!(lines, expected, "{}", self.recorder);
    }

    /// The spans, as they ended.
    fn spans(&self) -> Vec<String> {
        let spans = self.recorder.spans();
        spans.iter().map(|span| without_login(&span.to_string())).collect()
    }
}

fn canaries() -> Vec<String> {
    let texts = [
        CLIENT_SECRET,
        ACCESS_TOKEN,
        REFRESH_TOKEN,
        ID_TOKEN,
        EXTRA,
        CODE,
        DEVICE_CODE,
        USER_CODE,
        BODY,
        KEY,
    ];
    texts.map(Into::into).into()
}

/// Leaves the login's id out, which is random.
fn without_login(line: &str) -> String {
    let kept = |part: &&str| !part.starts_with("login=");
    line.split(' ').filter(kept).collect::<Vec<_>>().join(" ")
}

fn refuses(error: &str) -> Fate {
    Fate::Says(400, format!(r#"{{"error":"{error}"}}"#))
}

#[test]
fn a_login_that_is_loaded_refreshed_and_signed_out() {
    let mut life = Life::new();
    let store = life.world.store();
    store.put(Some(&life.login()));
    let agent = life.world.open(&store, 1);
    life.tells(agent.token()).unwrap();
    life.world.pass(LIFETIME);
    life.tells(agent.token()).unwrap();
    life.tells(agent.sign_out()).unwrap();
    life.assert(&[
        "DEBUG loaded found=true generation=1",
        "DEBUG lease taken attempt=1",
        "INFO new tokens attempt=1 expires_in=3600 generation=2 late=false",
        "DEBUG saved",
        "DEBUG loaded found=true generation=2",
        "INFO signed out",
        "DEBUG saved",
        "DEBUG revoked status=200",
        "DEBUG revoked status=200",
    ]);
    assert_eq!(
        life.spans(),
        [
            "DEBUG store elapsed_ms=0 operation=load outcome=found",
            "DEBUG store elapsed_ms=0 operation=swap outcome=stored purpose=lease",
            "INFO exchange attempt=1 elapsed_ms=0 generation=1 kind=refresh outcome=answered status=200",
            "DEBUG store elapsed_ms=0 operation=swap outcome=stored purpose=save",
            "DEBUG store elapsed_ms=0 operation=load outcome=found",
            "DEBUG store elapsed_ms=0 operation=swap outcome=stored purpose=save",
            "INFO exchange elapsed_ms=0 kind=revocation outcome=answered status=200",
            "INFO exchange elapsed_ms=0 kind=revocation outcome=answered status=200",
        ]
    );
    let id: LoginId = agent.with_state(|state| state.unwrap().login());
    for entry in life.recorder.events().iter().chain(&life.recorder.spans()[1..]) {
        assert_eq!(entry.field("login"), id.to_string(), "{entry}");
    }
}

#[test]
fn a_login_that_the_program_hands_in_and_another_in_its_place() {
    let mut life = Life::new();
    let agent = life.world.open(&life.world.store(), 1);
    let login = life.login();
    life.tells(agent.log_in(login)).unwrap();
    life.tells(agent.log_in(life.world.device(2))).unwrap();
    life.assert(&[
        "INFO logged in expires_in=3600 generation=1",
        "DEBUG loaded found=false generation=1",
        "DEBUG saved",
        "DEBUG saved",
    ]);
}

#[test]
fn a_device_that_asks_until_somebody_agrees() {
    let life = Life::new();
    let agent =
        Agent::new(life.world.client(), life.world.clone(), &mut seed(1), life.world.device(1));
    let agent = agent.unwrap().with_patience(Duration::from_secs(120));
    life.world.fates([refuses("authorization_pending"), refuses("slow_down"), Fate::Unanswered]);
    life.tells(agent.token()).unwrap();
    let lines = life.recorder.lines(TARGET);
    let told = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(told("DEBUG no tokens yet"), 2, "{lines:#?}");
    assert_eq!(told("WARN exchange failed attempt=3 error=the token endpoint did not answer"), 1);
    assert_eq!(told("INFO new tokens attempt=4 expires_in=3600 generation=1"), 1, "{lines:#?}");
    let polls = life.spans().into_iter().filter(|span| span.contains("kind=device_poll")).count();
    assert_eq!(polls, 4);
    life.assert_silent();
}

#[test]
fn a_device_login_that_nobody_allows() {
    let life = Life::new();
    let agent =
        Agent::new(life.world.client(), life.world.clone(), &mut seed(1), life.world.device(1));
    life.world.fates([refuses("access_denied")]);
    life.tells(agent.unwrap().token()).unwrap_err();
    life.assert(&[
        "DEBUG loaded found=false generation=0",
        "DEBUG saved",
        "DEBUG loaded found=true generation=0",
        "DEBUG lease taken attempt=1",
        "WARN exchange failed attempt=1 error=the authorization server refused: access_denied; the person or the server said no generation=0 retryable=false",
        "WARN login ended reason=the authorization server refused (access_denied) renewable=false",
        "DEBUG saved",
    ]);
}

#[test]
fn a_service_that_recovers_by_itself() {
    let life = Life::new();
    let agent =
        Agent::new(life.world.client(), life.world.clone(), &mut seed(1), life.world.service(1));
    let agent = agent.unwrap();
    life.world.fates([refuses("invalid_client")]);
    life.tells(agent.token()).unwrap_err();
    life.world.pass(LIFETIME);
    life.tells(agent.token()).unwrap();
    let told = life.recorder.event("login ended");
    assert_eq!((told.level, told.field("renewable")), (Level::WARN, "true"));
    assert_eq!(life.recorder.event("new tokens").field("generation"), "1");
    assert!(life.spans().iter().any(|span| span.contains("kind=token")));
    life.assert_silent();
}

#[test]
fn an_exchange_is_of_the_caller_who_began_it_whoever_polls_it() {
    let mut life = Life::new();
    let (_, agent) = life.stored();
    life.world.pass(LIFETIME);
    life.world.fates([Fate::Held]);
    let (mut first, mut second) = (Box::pin(agent.token()), Box::pin(agent.token()));
    life.recorder.during(|| {
        info_span!("first").in_scope(|| drop(poll_once(first.as_mut())));
        info_span!("second").in_scope(|| drop(poll_once(second.as_mut())));
        drop(first);
        life.world.release();
        info_span!("second").in_scope(|| life.world.run(second)).unwrap();
    });
    let spans = life.recorder.spans();
    let exchange = spans.iter().find(|span| span.name == "exchange").unwrap();
    assert_eq!(life.recorder.span(exchange.parent.unwrap()).name, "first");
    assert!(exchange.entered > 2, "{}", exchange.entered);
    // What came of it is told within it.
    let tokens = life.recorder.event("new tokens");
    assert_eq!(life.recorder.span(tokens.parent.unwrap()).name, "exchange");
    let saved = spans.iter().rfind(|span| span.name == "store").unwrap();
    assert_eq!(life.recorder.span(saved.parent.unwrap()).name, "second");
}

#[test]
fn nothing_is_told_of_a_token_that_is_good() {
    let mut life = Life::new();
    let (_, agent) = life.stored();
    for _ in 0..10 {
        life.tells(agent.token()).unwrap();
    }
    assert!(life.recorder.events().is_empty() && life.recorder.spans().is_empty());
}

#[test]
fn with_a_subscriber_or_without_all_goes_the_same_way() {
    let requests = |recorder: Option<Recorder>| {
        let mut life = Life::new();
        let (_, agent) = life.stored();
        let _recording = recorder.map(|recorder| recorder.start());
        for _ in 0..3 {
            life.world.pass(LIFETIME);
            life.world.run(agent.token()).unwrap();
        }
        life.world.run(agent.sign_out()).unwrap();
        life.world.requests()
    };
    assert_eq!(requests(None), requests(Some(Recorder::default())));
}
