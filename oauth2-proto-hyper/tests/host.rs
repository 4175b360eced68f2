//! `HyperHost` over real sockets, against servers that misbehave.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod support;

use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use core::time::Duration;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use oauth2_proto::agent::Host;
use oauth2_proto::{Client, Error, Lost, Outage, Problem, Server, State};
use oauth2_proto_hyper::HyperHost;
use support::{Authority, Peer, Reply, logged_in, login_in, lost, token_request};

const MIB: usize = 1024 * 1024;

fn host() -> HyperHost {
    HyperHost::new().unwrap()
}

fn problem(error: &Error) -> Option<&Problem> {
    if let Error::Malformed(malformed) = error { Some(malformed.problem()) } else { None }
}

fn outage(error: &Error) -> Option<Outage> {
    if let Error::Unavailable(unavailable) = error { Some(unavailable.cause()) } else { None }
}

#[tokio::test]
async fn a_request_arrives_as_it_was_built() {
    let peer = Peer::start(|number, _| Reply::tokens(number, 3600)).await;
    let client = peer.client().with_secret("secret");
    let (agent, _) = logged_in(client, host(), 3600).await;
    assert_eq!(agent.refresh().await.unwrap().expose(), "access-1");

    let requests = peer.requests();
    let [request] = &*requests else { panic!("{requests:?}") };
    assert!(request.starts_with("POST /token HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("authorization: Basic dGVzdDpzZWNyZXQ=\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\ngrant_type=refresh_token&refresh_token=refresh-0"));
}

#[tokio::test]
async fn a_redirect_is_refused_and_nothing_is_posted_again() {
    let other = Peer::start(|number, _| Reply::tokens(number, 3600)).await;
    let location = format!("location: {}\r\n", other.url("/token"));
    for status in [301, 302, 303, 307, 308] {
        let location = location.clone();
        let peer = Peer::start(move |_, _| Reply::with(status, &location, "")).await;
        let (agent, store) = logged_in(peer.client(), host(), 3600).await;
        let error = agent.refresh().await.unwrap_err();
        assert!(matches!(problem(&error), Some(Problem::Redirected(_))), "{status}: {error}");
        assert_eq!((peer.connections(), peer.requests().len()), (1, 1));
        let stored = login_in(&store).await;
        assert!(matches!(stored, State::Refreshing(_)), "{stored:?}");
    }
    assert_eq!(other.connections(), 0, "the secrets were handed on");
}

#[tokio::test]
async fn a_body_of_ten_mebibytes_is_cut_off() {
    let body = "x".repeat(10 * MIB);
    let peer = Peer::start(move |_, _| Reply::json(200, &body)).await;
    let response = host().send(token_request(&peer.url("/token")), LONG).await.unwrap();
    assert_eq!(response.body().len(), MIB + 1);

    let (agent, _) = logged_in(peer.client(), host(), 3600).await;
    let error = agent.refresh().await.unwrap_err();
    assert_eq!(problem(&error), Some(&Problem::TooLarge(MIB)));
}

#[tokio::test]
async fn an_endless_body_is_cut_off_and_its_connection_closed() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{".to_vec();
    let peer = Peer::start(move |_, _| Reply::Endless(head.clone())).await;
    let host = host().with_body_limit(100);
    let response = host.send(token_request(&peer.url("/token")), LONG).await.unwrap();
    assert_eq!(response.body().len(), 101);
    peer.hung_up(1).await;
}

#[tokio::test]
async fn a_body_of_just_the_limit_is_read_whole() {
    let peer = Peer::start(|_, _| Reply::json(200, &"y".repeat(100))).await;
    for (limit, read) in [(99, 100), (100, 100), (101, 100), (usize::MAX, 100)] {
        let host = host().with_body_limit(limit);
        let response = host.send(token_request(&peer.url("/token")), LONG).await.unwrap();
        assert_eq!(response.body().len(), read, "with a limit of {limit}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_after_the_time_out() {
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"acc"] {
        let peer = Peer::start(move |_, _| Reply::Hang(head.into())).await;
        let (host, begun) = (host(), Instant::now());
        let time_out = Duration::from_millis(1500);
        assert_eq!(
            lost(host.send(token_request(&peer.url("/token")), time_out).await),
            Lost::Unanswered
        );
        assert!((time_out..Duration::from_secs(10)).contains(&begun.elapsed()));
        peer.hung_up(1).await;
    }
}

#[tokio::test]
async fn the_time_out_holds_while_nobody_waits() {
    let peer = Peer::start(|_, _| Reply::hang()).await;
    let host = host();
    let mut sending = host.send(token_request(&peer.url("/token")), Duration::from_secs(2));
    assert!(poll_once(&mut sending).await.is_pending());
    peer.hung_up(1).await;
    assert_eq!(lost(sending.await), Lost::Unanswered);
}

#[tokio::test]
async fn an_answer_that_comes_while_nobody_waits_is_not_lost() {
    let peer = Peer::start(|number, _| Reply::tokens(number, 3600)).await;
    let mut sending = host().send(token_request(&peer.url("/token")), LONG);
    assert!(poll_once(&mut sending).await.is_pending());
    support::soon(|| peer.requests().len() == 1).await;
    assert_eq!(sending.await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_dropped_exchange_is_aborted() {
    let peer = Peer::start(|_, _| Reply::hang()).await;
    let mut sending = host().send(token_request(&peer.url("/token")), LONG);
    assert!(poll_once(&mut sending).await.is_pending());
    support::soon(|| peer.requests().len() == 1).await;
    drop(sending);
    peer.hung_up(1).await;
}

#[tokio::test]
async fn after_the_time_out_nothing_leaves() {
    let peer = Peer::start(|number, _| Reply::tokens(number, 3600)).await;
    let sending = host().send(token_request(&peer.url("/token")), Duration::ZERO);
    assert_eq!(lost(sending.await), Lost::Unsent);
    assert_eq!(peer.connections(), 0);
}

#[tokio::test]
async fn a_dropped_connection_leaves_refreshing_and_the_next_call_recovers() {
    let peer = Peer::start(|number, _| match number {
        1 => Reply::drop_connection(),
        _ => Reply::tokens(number, 3600),
    })
    .await;
    let (agent, store) = logged_in(peer.client(), host(), 3600).await;
    let error = agent.refresh().await.unwrap_err();
    assert_eq!(outage(&error), Some(Outage::Unanswered));
    assert!(error.is_retryable() && !error.needs_login());
    let stored = login_in(&store).await;
    assert!(matches!(stored, State::Refreshing(_)), "{stored:?}");
    assert_eq!(agent.token().await.unwrap().expose(), "access-0", "the old one is still good");

    assert_eq!(agent.refresh().await.unwrap().expose(), "access-2");
    let stored = login_in(&store).await;
    assert!(matches!(stored, State::Authorized(_)), "{stored:?}");
}

#[tokio::test]
async fn a_refused_connection_is_unsent_and_undoes_the_attempt() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let url = format!("http://127.0.0.1:{port}/token");
    let errors = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&errors);
    let host = host().with_observer(move |error| log.lock().unwrap().push(error.to_string()));
    assert_eq!(lost(host.send(token_request(&url), LONG).await), Lost::Unsent);
    assert_eq!(errors.lock().unwrap().len(), 1);

    let server = Server::new("http://localhost/authorize", &url).unwrap();
    let (agent, store) = logged_in(Client::new("test", server), host, 3600).await;
    let error = agent.refresh().await.unwrap_err();
    assert_eq!(outage(&error), Some(Outage::Unsent));
    let stored = login_in(&store).await;
    assert!(matches!(stored, State::Authorized(_)), "{stored:?}");
}

#[tokio::test]
async fn every_request_has_a_connection_of_its_own() {
    let peer =
        Peer::start(|_, _| Reply::Hang(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()));
    let (peer, host) = (peer.await, host());
    for nth in 1..=3 {
        let response = host.send(token_request(&peer.url("/token")), LONG).await.unwrap();
        assert_eq!((response.status().as_u16(), peer.connections()), (200, nth));
        peer.hung_up(nth).await;
    }
}

#[tokio::test]
async fn tls_works_with_roots_of_ones_own() {
    let authority = Authority::new();
    let tls = authority.acceptor.clone();
    let peer = Peer::start_tls(tls, |number, _| Reply::tokens(number, 3600)).await;
    let host = HyperHost::over(authority.connector());
    let (agent, _) = logged_in(peer.client(), host, 3600).await;
    assert_eq!(agent.refresh().await.unwrap().expose(), "access-1");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused_and_the_login_goes_on() {
    let peer =
        Peer::start_tls(Authority::new().acceptor, |number, _| Reply::tokens(number, 3600)).await;
    for host in [host(), HyperHost::over(Authority::new().connector())] {
        let (agent, store) = logged_in(peer.client(), host, 3600).await;
        let error = agent.refresh().await.unwrap_err();
        assert_eq!(outage(&error), Some(Outage::Unsent), "{error}");
        assert!(error.is_retryable() && !error.needs_login());
        assert_eq!(agent.token().await.unwrap().expose(), "access-0");
        let stored = login_in(&store).await;
        assert!(matches!(stored, State::Authorized(_)), "{stored:?}");
    }
    assert_eq!(peer.requests().len(), 0, "not a byte of the request was shown");
}

#[tokio::test]
async fn an_exchange_is_send() {
    fn send<T: Send>(value: T) -> T {
        value
    }
    let peer = Peer::start(|_, _| Reply::drop_connection()).await;
    let exchange = send(host().send(token_request(&peer.url("/token")), LONG));
    assert_eq!(lost(tokio::spawn(exchange).await.unwrap()), Lost::Unanswered);
}

/// Polls a future as a caller does that goes away then.
async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    let mut future = Pin::new(future);
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// A time-out that no test should reach.
const LONG: Duration = Duration::from_secs(20);
