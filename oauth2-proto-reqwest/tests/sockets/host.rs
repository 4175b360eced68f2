//! Token traffic: what is sent, what is not, and what becomes of it.

use core::time::Duration;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::Request;
use oauth2_proto::agent::{Agent, Host, MemoryStore, Store};
use oauth2_proto::{Body, Client, Error, Lost, Outage, Problem, Seed, State};
use oauth2_proto_reqwest::ReqwestHost;
use tokio::net::TcpListener;

use crate::support::{Act, Later, Peer, builder, client, host, login};

fn post(url: &str) -> Request<Body> {
    Request::post(url).body(Body::from("secret=value".to_owned())).unwrap()
}

/// An agent that gets its first token by client credentials.
fn service(client: Client, host: ReqwestHost) -> Agent<ReqwestHost> {
    let state = client.client_credentials().ready(&mut rand::rng()).unwrap();
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    Agent::new(Arc::new(client), host, &mut seed, state).unwrap()
}

fn problem(error: &Error) -> &Problem {
    let Error::Malformed(malformed) = error else { panic!("expected Malformed, got {error:?}") };
    malformed.problem()
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_nothing_is_posted_again() {
    for status in [301, 302, 303, 307, 308] {
        let other = Peer::start_tls(|_| Act::tokens("stolen", "stolen")).await;
        let location = format!("Location: {}\r\n", other.url("/token"));
        let peer = Peer::start_tls(move |_| Act::answer(status, &location, "")).await;
        let trusted = [&other, &peer].map(|peer| peer.certificate.clone().unwrap());
        let host = ReqwestHost::new(builder().tls_certs_only(trusted)).unwrap();
        let client = peer.client().with_secret("a secret");

        let error = service(client, host).token().await.unwrap_err();
        assert_eq!(problem(&error), &Problem::Redirected(status.try_into().unwrap()));
        assert_eq!(peer.requests().len(), 1);
        assert_eq!(other.connections(), 0);
    }
}

#[tokio::test]
async fn a_body_of_10_mib_is_cut_off() {
    let peer = Peer::start(|_| Act::answer(200, "", "x".repeat(10 << 20))).await;
    let host = host().with_body_limit(4096);
    let response = host.send(post(&peer.url("/token")), MINUTE).await.unwrap();
    assert_eq!(response.body().len(), 4097);

    let error = service(peer.client().with_body_limit(4096), host).token().await.unwrap_err();
    assert_eq!(problem(&error), &Problem::TooLarge(4096));
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{";
    let peer = Peer::start(move |_| Act::Endless(head.into())).await;
    let error = service(peer.client(), host()).token().await.unwrap_err();
    assert_eq!(problem(&error), &Problem::TooLarge(1 << 20));
    // The connection is closed: the peer can't go on.
    peer.idle().await;
}

#[tokio::test]
async fn a_body_as_long_as_the_limit_is_read() {
    let peer = Peer::start(|_| Act::answer(200, "", "x".repeat(4096))).await;
    let host = host().with_body_limit(4096);
    let response = host.send(post(&peer.url("/token")), MINUTE).await.unwrap();
    assert_eq!(response.body(), &[b'x'; 4096]);
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_after_the_time_out() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{";
    for begun in ["", head] {
        let peer = Peer::start(move |_| Act::Stall(begun.into())).await;
        let (host, started) = (host(), Instant::now());
        let time_out = Duration::from_millis(1500);
        let lost = host.send(post(&peer.url("/token")), time_out).await.unwrap_err();
        assert_eq!(lost, Lost::Unanswered);
        assert_eq!(peer.requests().len(), 1);
        assert!((time_out..time_out + SLACK).contains(&started.elapsed()));
    }
}

#[tokio::test]
async fn the_agent_gives_a_hanging_server_up_within_its_lease() {
    let peer = Peer::start(|_| Act::Stall(Vec::new())).await;
    let client = Arc::new(peer.client().with_lease(Duration::from_secs(3)));
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let host = host();
    let login = login(&client, host.now().time());
    let agent = Agent::new(client, host, &mut seed, login).unwrap();
    let started = Instant::now();
    assert_eq!(outage(agent.refresh().await.unwrap_err()), Outage::Unanswered);
    assert!(started.elapsed() < Duration::from_secs(3) + SLACK);
    // The old token is good all the same.
    assert_eq!(agent.token().await.unwrap().expose(), "old");
}

#[tokio::test]
async fn a_request_that_nobody_waits_for_ends_after_its_time_out() {
    let peer = Peer::start(|_| Act::Stall(Vec::new())).await;
    let client = Arc::new(peer.client().with_lease(Duration::from_secs(3)));
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let host = host();
    let login = login(&client, host.now().time());
    let agent = Agent::new(client, host, &mut seed, login).unwrap();
    tokio::select! {
        refreshed = agent.refresh() => panic!("nobody answers: {refreshed:?}"),
        () = peer.busy() => {}
    }
    let started = Instant::now();
    peer.idle().await;
    assert!(started.elapsed() < Duration::from_secs(3) + SLACK);
    drop(agent);
}

#[tokio::test]
async fn what_is_late_already_is_not_sent() {
    let peer = Peer::start(|_| Act::tokens("a", "b")).await;
    let host = host();
    assert_eq!(
        host.send(post(&peer.url("/token")), Duration::ZERO).await.unwrap_err(),
        Lost::Unsent
    );
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_refused_connection_is_unsent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    drop(listener);
    let host = host();
    let lost = host.send(post(&url), MINUTE).await.unwrap_err();
    assert_eq!(lost, Lost::Unsent);

    let client = Arc::new(client(&url));
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let login = login(&client, host.now().time());
    let store = MemoryStore::new();
    let agent = Agent::open(client, host, &mut seed, store.login("key"));
    agent.log_in(login).await.unwrap();
    assert_eq!(outage(agent.refresh().await.unwrap_err()), Outage::Unsent);
    agent.settle().await.unwrap();
    let (_, record) = store.load("key").await.unwrap().unwrap();
    let state = record.state().unwrap();
    assert!(matches!(state, State::Authorized(_)), "{state:?}");
}

#[tokio::test]
async fn what_reqwest_cannot_send_is_unsent() {
    let host = host();
    for url in ["/token", "ftp://127.0.0.1/token"] {
        let lost = host.send(post(url), MINUTE).await.unwrap_err();
        assert_eq!(lost, Lost::Unsent, "{url}");
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_is_unsent_and_observed() {
    let peer = Peer::start_tls(|_| Act::tokens("a", "b")).await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let host = host().with_observer({
        let seen = Arc::clone(&seen);
        move |error| seen.lock().unwrap().push(format!("{error:?}"))
    });
    let lost = host.send(post(&peer.url("/token")), MINUTE).await.unwrap_err();
    assert_eq!(lost, Lost::Unsent);
    assert!(peer.requests().is_empty());
    let seen = seen.lock().unwrap();
    assert!(seen.len() == 1 && seen[0].contains("UnknownIssuer"), "{seen:?}");
    assert!(!seen[0].contains("secret=value"));
}

#[tokio::test]
async fn a_connection_that_breaks_is_unanswered() {
    let half = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{";
    for act in [None, Some("HTTP/1.1 200"), Some("nonsense\r\n\r\n"), Some(half)] {
        let peer = Peer::start(move |_| act.map_or(Act::Drop, |text| Act::Answer(text.into())));
        let (peer, host) = (peer.await, host());
        let lost = host.send(post(&peer.url("/token")), MINUTE).await;
        assert_eq!(lost.unwrap_err(), Lost::Unanswered, "{act:?}");
        assert_eq!(peer.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_dropped_connection_leaves_refreshing_and_the_next_call_recovers() {
    let peer = Peer::start(|requests| match requests {
        [_] => Act::Drop,
        _ => Act::tokens("new", "r2"),
    })
    .await;
    let (client, host) = (Arc::new(peer.client()), Later::new());
    let store = MemoryStore::new();
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let login = login(&client, host.now().time());
    let agent = Agent::open(client, host.clone(), &mut seed, store.login("key"));
    agent.log_in(login).await.unwrap();

    assert_eq!(outage(agent.refresh().await.unwrap_err()), Outage::Unanswered);
    agent.settle().await.unwrap();
    let (_, record) = store.load("key").await.unwrap().unwrap();
    let state = record.state().unwrap();
    assert!(matches!(state, State::Refreshing(_)), "{state:?}");
    assert_eq!(agent.token().await.unwrap().expose(), "old");

    host.forward(61);
    assert_eq!(agent.token().await.unwrap().expose(), "new");
    agent.settle().await.unwrap();
    let (_, record) = store.load("key").await.unwrap().unwrap();
    let state = record.state().unwrap();
    assert!(matches!(state, State::Authorized(_)), "{state:?}");
    let requests = peer.requests();
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.contains("refresh_token=r1")), "{requests:?}");
}

#[tokio::test]
async fn every_token_request_has_a_connection_of_its_own() {
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let peer = Peer::start(move |_| Act::Stall(answer.into())).await;
    let host = host();
    for sent in 1..=3 {
        let response = host.send(post(&peer.url("/token")), MINUTE).await;
        assert_eq!(response.unwrap().body(), b"{}");
        assert_eq!(peer.connections(), sent);
    }
}

#[tokio::test]
async fn an_answer_arrives_whole() {
    let peer = Peer::start(|_| Act::answer(503, "Retry-After: 7\r\n", "busy")).await;
    let host = host();
    let response = host.send(post(&peer.url("/token?x=y")), MINUTE).await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(response.body(), b"busy");
    let request = &peer.requests()[0];
    assert!(request.starts_with("POST /token?x=y HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nsecret=value"), "{request}");
}

#[tokio::test]
async fn sleeping_ends_after_its_pause() {
    let host = host();
    host.sleep(Duration::ZERO).await;
    let (begun, pause) = (host.now().elapsed(), Duration::from_millis(300));
    host.sleep(pause).await;
    let slept = host.now().elapsed() - begun;
    assert!((pause..pause + SLACK).contains(&slept));
}

#[tokio::test]
async fn debug_shows_no_header_fields() {
    let fields = [("authorization", "Bearer s3cret")];
    let fields = fields.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let builder = builder().default_headers(fields.into_iter().collect());
    let host = ReqwestHost::new(builder).unwrap();
    assert_eq!(format!("{host:?}"), "ReqwestHost { body_limit: 1048576, .. }");
}

#[test]
fn the_agent_and_its_futures_can_be_sent() {
    fn sendable<T: Send>(_: &T) {}
    fn all(agent: &Agent<ReqwestHost>) {
        sendable(agent);
        sendable(&agent.token());
        sendable(&agent.settle());
    }
    let _ = all;
}

fn outage(error: Error) -> Outage {
    let Error::Unavailable(unavailable) = error else { panic!("expected Unavailable: {error:?}") };
    unavailable.cause()
}

const MINUTE: Duration = Duration::from_secs(60);

/// What a busy machine may take to notice that a time is up.
const SLACK: Duration = Duration::from_secs(5);
