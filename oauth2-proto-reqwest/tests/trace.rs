//! What is told with the feature `tracing`, over real sockets: the events that it has to be, and no
//! secret in any of them.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

#[path = "../../oauth2-proto/tests/recorder/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod recorder;
#[path = "../../oauth2-proto-hyper/tests/traced/mod.rs"]
mod traced;

use std::sync::Once;

use oauth2_proto_reqwest::{CallError, Protected, ReqwestHost, reqwest};
use recorder::Recorder;
use traced::{
    Ahead, BODY, CANARIES, HIDDEN, Peer, Reply, assert_documented, assert_lists, failures,
    logged_in, time_out, unreachable, whole_life,
};
use tracing::Level;

const TARGET: &str = "oauth2_proto_reqwest";

/// A builder that neither proxies nor the certificates of this machine have a say in.
fn builder() -> reqwest::ClientBuilder {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

fn host() -> ReqwestHost {
    ReqwestHost::new(builder()).unwrap()
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
async fn protected_calls_are_told_by_their_origin_only() {
    let (peer, recorder) = (Peer::start().await, Recorder::default());
    let (agent, state) = logged_in(&peer, Ahead::new(host()), peer.client()).await;
    let api = Protected::new(agent.clone(), builder()).unwrap();
    let request = |origin: &str| {
        let url = format!("{origin}/{HIDDEN}?t={HIDDEN}");
        api.client().post(url).body(BODY).build().unwrap()
    };
    let recording = recorder.start();
    peer.replies([Reply::with(200, "", BODY)]);
    let answer = api.execute(request(&peer.origin())).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), BODY);
    let attached = recorder.event("attached");
    assert_eq!((attached.level, attached.field("origin")), (Level::DEBUG, &*peer.origin()));
    assert_eq!(attached.field("generation"), "1");

    // Refused, and repeated.
    agent.host().minute();
    peer.replies([Reply::invalid_token(), Reply::tokens(1), Reply::with(200, "", BODY)]);
    assert_eq!(api.execute(request(&peer.origin())).await.unwrap().status(), 200);
    let repeated = recorder.event("repeated after 401");
    assert_eq!((repeated.level, repeated.field("generation")), (Level::INFO, "2"));
    assert_eq!(recorder.event("challenged").field("outcome"), "rejected");

    // Of another origin.
    let secret = format!("https://user:{HIDDEN}@[::1]:81");
    let refused = api.execute(request(&secret)).await;
    assert!(matches!(refused, Err(CallError::Token(_))), "{refused:?}");
    let told = recorder.event("origin refused");
    assert_eq!((told.level, told.field("origin")), (Level::WARN, "https://[::1]:81"));

    // Without a login.
    peer.replies([Reply::with(200, "", ""), Reply::with(200, "", "")]);
    agent.sign_out().await.unwrap();
    api.execute(request(&peer.origin())).await.unwrap_err();
    let none = recorder.event("no token");
    assert!(none.field("error").contains("signing out"), "{none}");
    assert_eq!(none.field("origin"), peer.origin());
    drop(recording);
    recorder.assert_silent(CANARIES.iter().copied().chain([&*state]));
    assert_documented(TARGET, &recorder);
}

#[tokio::test]
async fn a_call_whose_body_streams_is_not_repeated() {
    let (peer, recorder) = (Peer::start().await, Recorder::default());
    let (agent, _) = logged_in(&peer, Ahead::new(host()), peer.client()).await;
    agent.host().minute();
    let api = Protected::new(agent, builder()).unwrap();
    let body = reqwest::Body::wrap(http_body_util::Full::new(hyper::body::Bytes::from(BODY)));
    let url = format!("{}/{HIDDEN}", peer.origin());
    let request = api.client().post(url).body(body).build().unwrap();
    peer.replies([Reply::invalid_token()]);
    let recording = recorder.start();
    assert_eq!(api.execute(request).await.unwrap().status(), 401);
    drop(recording);
    let told = recorder.event("refused with 401");
    assert_eq!((told.level, told.field("origin")), (Level::INFO, &*peer.origin()));
    recorder.assert_silent(CANARIES);
}

#[test]
fn the_guide_lists_what_is_told() {
    assert_lists(TARGET, include_str!("../src/trace/on.rs"));
}
