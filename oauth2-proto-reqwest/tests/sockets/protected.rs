//! Protected calls: who gets the token, and when a call is made twice.

use core::time::Duration;
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::Bytes;
use oauth2_proto::agent::{Agent, Host, Origins};
use oauth2_proto::dialect::{Dialect, TokenPresentation};
use oauth2_proto::{Error, Misuse, Seed};
use oauth2_proto_reqwest::{CallError, Protected, reqwest};
use tokio::task::JoinSet;

use crate::support::{Act, Later, Peer, builder, login};

/// A resource that takes the token `new` only, a token endpoint that grants it, and a login with
/// the token `old`, which is neither brand-new nor about to expire.
struct World {
    resource: Peer,
    tokens: Peer,
    later: Later,
    api: Protected<Later>,
}

impl World {
    async fn new(resource: impl Fn(&[String]) -> Act + Send + Sync + 'static) -> Self {
        Self::with_redirects(resource, reqwest::redirect::Policy::default()).await
    }

    async fn with_redirects(
        resource: impl Fn(&[String]) -> Act + Send + Sync + 'static,
        policy: reqwest::redirect::Policy,
    ) -> Self {
        let resource = Peer::start(resource).await;
        let tokens = Peer::start(|_| Act::tokens("new", "r2")).await;
        let (client, later) = (Arc::new(tokens.client()), Later::new());
        let login = login(&client, later.now().time());
        later.forward(5);
        let mut seed = Seed::new(&mut rand::rng()).unwrap();
        let agent = Agent::new(client, later.clone(), &mut seed, login).unwrap();
        let origins = Origins::new([&*resource.url("/")]).unwrap();
        let builder = builder().redirect(policy);
        let api = Protected::new(agent.with_origins(origins), builder).unwrap();
        Self { resource, tokens, later, api }
    }

    fn get(&self) -> reqwest::Request {
        self.api.client().get(self.resource.url("/me")).build().unwrap()
    }

    /// The tokens that the resource saw.
    fn seen(&self) -> Vec<String> {
        let token = |request: &String| {
            let value = |line: &str| line.strip_prefix("authorization: Bearer ").map(str::to_owned);
            request.lines().find_map(value).unwrap_or_else(|| "none".to_owned())
        };
        self.resource.requests().iter().map(token).collect()
    }
}

/// Takes the token `new` only.
fn only_new(requests: &[String]) -> Act {
    if requests.last().is_some_and(|request| request.contains("authorization: Bearer new\r\n")) {
        Act::answer(200, "", "hello")
    } else {
        Act::invalid_token()
    }
}

#[tokio::test]
async fn a_good_token_is_attached() {
    let world = World::new(|_| Act::answer(200, "X-Field: value\r\n", "hello")).await;
    let mut request = world.get();
    request.headers_mut().insert("authorization", "Basic abc".parse().unwrap());
    let answer = world.api.execute(request).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-field"], "value");
    assert_eq!(answer.text().await.unwrap(), "hello");
    assert_eq!(world.seen(), ["old"]);
    assert_eq!(world.resource.requests()[0].matches("authorization").count(), 1);
    assert!(world.tokens.requests().is_empty());
}

#[tokio::test]
async fn a_call_is_made_again_when_its_token_is_invalid() {
    let world = World::new(only_new).await;
    let request = world.api.client().post(world.resource.url("/me")).body("a body");
    let answer = world.api.execute(request.build().unwrap()).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hello");
    assert_eq!(world.seen(), ["old", "new"]);
    assert!(world.resource.requests().iter().all(|request| request.ends_with("\r\n\r\na body")));
    assert_eq!(world.tokens.requests().len(), 1);
}

#[tokio::test]
async fn a_resource_that_refuses_every_token_causes_one_refresh() {
    let world = World::new(|_| Act::invalid_token()).await;
    for _ in 0..3 {
        let answer = world.api.execute(world.get()).await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(world.seen(), ["old", "new", "new", "new"]);
    assert_eq!(world.tokens.requests().len(), 1);
}

#[tokio::test]
async fn other_refusals_are_answers() {
    for (status, field) in [
        (401, ""),
        (401, "WWW-Authenticate: Basic realm=\"x\"\r\n"),
        (401, "WWW-Authenticate: Bearer error=\"insufficient_scope\"\r\n"),
        (403, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n"),
        (500, ""),
    ] {
        let world = World::new(move |_| Act::answer(status, field, "")).await;
        let answer = world.api.execute(world.get()).await.unwrap();
        assert_eq!(answer.status(), status);
        assert_eq!(world.seen(), ["old"]);
        assert!(world.tokens.requests().is_empty());
    }
}

#[tokio::test]
async fn a_streaming_body_is_not_sent_again() {
    let world = World::new(only_new).await;
    let streaming = || {
        let body = reqwest::Body::wrap(Full::new(Bytes::from_static(b"once")));
        world.api.client().post(world.resource.url("/me")).body(body).build().unwrap()
    };
    let answer = world.api.execute(streaming()).await.unwrap();
    assert_eq!(answer.status(), 401);
    assert_eq!(world.seen(), ["old"]);
    // The next call has the new token.
    let answer = world.api.execute(streaming()).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(world.seen(), ["old", "new"]);
}

#[tokio::test]
async fn an_answer_streams() {
    let begun = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\nfirst";
    let world = World::new(move |_| Act::Stall(begun.into())).await;
    let mut answer = world.api.execute(world.get()).await.unwrap();
    // The rest never comes.
    assert_eq!(answer.chunk().await.unwrap().unwrap(), "first");
}

#[tokio::test]
async fn other_origins_get_neither_the_token_nor_the_request() {
    let world = World::new(only_new).await;
    let other = Peer::start(only_new).await;
    let port = world.resource.url("").rsplit_once(':').unwrap().1.to_owned();
    for url in [
        other.url("/me"),
        format!("http://localhost:{port}/me"),
        format!("https://127.0.0.1:{port}/me"),
        format!("http://127.0.0.1:{port}@localhost:{port}/me"),
        "http://127.0.0.1/me".to_owned(),
    ] {
        let request = world.api.client().get(&url).build().unwrap();
        let error = world.api.execute(request).await.unwrap_err();
        assert!(matches!(error, CallError::Token(Error::Misuse(Misuse::Origin))), "{url}");
    }
    assert_eq!(other.connections(), 0);
    assert_eq!(world.resource.connections(), 0);
}

#[tokio::test]
async fn redirects_are_answers() {
    let other = Peer::start(|_| Act::answer(200, "", "")).await;
    let location = format!("Location: {}\r\n", other.url("/me"));
    let policy = reqwest::redirect::Policy::limited(10);
    let world = World::with_redirects(move |_| Act::answer(307, &location, ""), policy).await;
    let answer = world.api.execute(world.get()).await.unwrap();
    assert_eq!(answer.status(), 307);
    assert_eq!(answer.headers()["location"], *other.url("/me"));
    assert_eq!(other.connections(), 0);
    assert_eq!(world.seen(), ["old"]);
}

#[tokio::test]
async fn without_a_login_nothing_is_sent() {
    let world = World::new(only_new).await;
    world.api.agent().sign_out().await.unwrap();
    let error = world.api.execute(world.get()).await.unwrap_err();
    assert!(matches!(&error, CallError::Token(error) if error.needs_login()), "{error:?}");
    assert_eq!(world.resource.connections(), 0);
}

#[tokio::test]
async fn a_resource_that_is_down_is_an_error_of_reqwest() {
    let world = World::new(|_| Act::Drop).await;
    let error = world.api.execute(world.get()).await.unwrap_err();
    assert!(matches!(&error, CallError::Reqwest(error) if error.is_request()), "{error:?}");
    assert_eq!(error.to_string(), "the protected resource could not be called");
    assert!(core::error::Error::source(&error).is_some());
    assert!(!format!("{error:?}").contains("old"));
}

#[tokio::test]
async fn a_dialect_puts_the_token_into_the_query_and_no_error_shows_it() {
    let resource = Peer::start(|requests| match requests.last() {
        Some(request) if request.starts_with("GET /me?a=b&t=new ") => Act::Drop,
        Some(_) | None => Act::invalid_token(),
    })
    .await;
    let tokens = Peer::start(|_| Act::tokens("new", "r2")).await;
    let mut dialect = Dialect::default();
    dialect.token_presentation = TokenPresentation::DangerousQuery("t".into());
    let (client, later) = (Arc::new(tokens.client().with_dialect(dialect)), Later::new());
    let login = login(&client, later.now().time());
    later.forward(5);
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let agent = Agent::new(client, later, &mut seed, login).unwrap();
    let origins = Origins::new([&*resource.url("/")]).unwrap();
    let api = Protected::new(agent.with_origins(origins), builder()).unwrap();
    let request = api.client().get(resource.url("/me?a=b")).build().unwrap();
    let error = api.execute(request).await.unwrap_err();
    let lines = resource.requests();
    let lines: Vec<&str> = lines.iter().filter_map(|request| request.lines().next()).collect();
    assert_eq!(lines, ["GET /me?a=b&t=old HTTP/1.1", "GET /me?a=b&t=new HTTP/1.1"]);
    let mut shown = format!("{error:?}");
    let mut cause: Option<&dyn core::error::Error> = Some(&error);
    while let Some(error) = cause {
        shown.push_str(&error.to_string());
        cause = error.source();
    }
    assert!(!shown.contains("new"), "{shown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_with_a_rejected_token_cause_one_refresh() {
    let world = Arc::new(World::new(only_new).await);
    let mut calls = JoinSet::new();
    for _ in 0..1_000 {
        let world = Arc::clone(&world);
        calls.spawn(async move { world.api.execute(world.get()).await.unwrap().status() });
    }
    while let Some(status) = calls.join_next().await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(world.tokens.requests().len(), 1);
}

#[tokio::test]
async fn an_expired_token_is_refreshed_before_it_is_used() {
    let world = World::new(only_new).await;
    world.later.forward(120);
    assert_eq!(world.api.execute(world.get()).await.unwrap().status(), 200);
    assert_eq!(world.seen(), ["new"]);
    assert_eq!(world.tokens.requests().len(), 1);
}

#[tokio::test]
async fn its_parts_can_be_shared_and_shown() {
    fn sendable<T: Send>(value: T) -> T {
        value
    }
    let world = World::new(only_new).await;
    let api = world.api.clone();
    let calling = sendable(api.execute(world.get()));
    let within = tokio::time::timeout(Duration::from_secs(20), calling);
    assert_eq!(within.await.unwrap().unwrap().status(), 200);
    assert!(!format!("{:?}", world.api).contains("new"));
}
