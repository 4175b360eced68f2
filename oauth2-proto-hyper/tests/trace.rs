//! What is told with the feature `tracing`, over real sockets: the events that it has to be, and no
//! secret in any of them.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "../../oauth2-proto/tests/recorder/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod recorder;
mod traced;

use core::convert::Infallible;

use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use oauth2_proto_hyper::{AttachTokenLayer, HyperHost};
use recorder::Recorder;
use tower::{Layer, Service, ServiceExt};
use traced::{
    BODY, CANARIES, HIDDEN, Peer, Reply, assert_documented, assert_lists, failures, logged_in,
    time_out, unreachable, whole_life,
};
use tracing::Level;

const TARGET: &str = "oauth2_proto_hyper";

fn host() -> HyperHost {
    HyperHost::new().unwrap()
}

#[tokio::test]
async fn a_life_from_login_to_sign_out() {
    whole_life(TARGET, host()).await;
}

#[tokio::test]
async fn whatever_is_wrong_with_an_answer_nothing_of_it_is_told() {
    failures(TARGET, host).await;
}

#[tokio::test]
async fn a_server_that_cannot_be_reached() {
    unreachable(host()).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time() {
    time_out(TARGET, host()).await;
}

#[tokio::test]
async fn protected_requests_are_told_by_their_origin_only() {
    let (peer, recorder) = (Peer::start().await, Recorder::default());
    let (agent, state) = logged_in(&peer, traced::Ahead::new(host()), peer.client()).await;
    agent.host().hour();
    peer.replies([Reply::tokens(1)]);
    agent.token().await.unwrap();
    let plain = legacy::Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let mut api = AttachTokenLayer::new(agent.clone()).layer(plain.clone());
    let mut streaming = AttachTokenLayer::streaming(agent.clone()).layer(plain);
    let request = |origin: &str| {
        let url = format!("{origin}/{HIDDEN}?t={HIDDEN}");
        Request::post(url).body(Full::from(BODY)).unwrap()
    };
    let recording = recorder.start();
    peer.replies([Reply::with(200, "", BODY)]);
    let answer = api.ready().await.unwrap().call(request(&peer.origin())).await.unwrap();
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), BODY);
    let attached = recorder.event("attached");
    assert_eq!((attached.level, attached.field("origin")), (Level::DEBUG, &*peer.origin()));
    assert_eq!(attached.field("generation"), "2");

    // Refused: repeated, and refused again.
    agent.host().hour();
    peer.replies([Reply::tokens(2)]);
    agent.token().await.unwrap();
    agent.host().minute();
    peer.replies([Reply::invalid_token(), Reply::tokens(3), Reply::invalid_token()]);
    let answer = api.ready().await.unwrap().call(request(&peer.origin())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let repeated = recorder.event("repeated after 401");
    assert_eq!((repeated.level, repeated.field("generation")), (Level::INFO, "4"));
    assert_eq!(recorder.count("challenged"), 2);

    // Refused, and not to be repeated.
    agent.host().minute();
    peer.replies([Reply::invalid_token()]);
    let answer = streaming.ready().await.unwrap().call(request(&peer.origin())).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(recorder.event("refused with 401").field("generation"), "4");

    // Without a login.
    peer.replies([Reply::with(200, "", ""), Reply::with(200, "", "")]);
    agent.sign_out().await.unwrap();
    api.ready().await.unwrap().call(request(&peer.origin())).await.unwrap_err();
    let none = recorder.event("no token");
    assert!(none.field("error").contains("signing out"), "{none}");
    assert_eq!(none.field("origin"), peer.origin());
    drop(recording);
    recorder.assert_silent(CANARIES.iter().copied().chain([&*state]));
    assert_documented(TARGET, &recorder);
}

#[tokio::test]
async fn a_request_to_another_origin_is_told_without_its_secrets() {
    let peer = Peer::start().await;
    let (agent, _) = logged_in(&peer, host(), peer.client()).await;
    let sent = tower::service_fn(async |_: Request<String>| Ok::<_, Infallible>(Response::new(())));
    let api = AttachTokenLayer::new(agent).layer(sent);
    let elsewhere = [
        (format!("https://user:{HIDDEN}@[::1]:81/{HIDDEN}?t={HIDDEN}"), "https://[::1]:81"),
        (format!("https://evil.example/{HIDDEN}"), "https://evil.example"),
        (format!("/{HIDDEN}"), ""),
    ];
    for (uri, origin) in elsewhere {
        let recorder = Recorder::default();
        let recording = recorder.start();
        api.clone().oneshot(Request::get(uri).body(String::new()).unwrap()).await.unwrap();
        drop(recording);
        let passed = recorder.event("origin refused");
        assert_eq!((passed.level, passed.field("origin")), (Level::DEBUG, origin));
        recorder.assert_silent(CANARIES);
        assert_documented(TARGET, &recorder);
    }
}

#[test]
fn the_guide_lists_what_is_told() {
    assert_lists(TARGET, include_str!("../src/trace/on.rs"));
}
