//! The tower layer: who gets a token, and what is sent twice.
#![expect(clippy::unwrap_used, reason = "tests fail loudly")]

mod support;

use core::convert::Infallible;
use core::pin::Pin;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use core::task::{Context, Poll};
use std::sync::{Arc, Mutex};

use http::header::AUTHORIZATION;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body as HttpBody, Bytes, Frame};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use oauth2_proto::agent::{Agent, MemoryStore, Origins};
use oauth2_proto::{Error, Expired, Reason};
use oauth2_proto_hyper::{AttachToken, AttachTokenLayer, CallError};
use support::{Ahead, Peer, Reply, logged_in};
use tower::{Layer, Service, ServiceBuilder, ServiceExt};

type Login = Agent<Ahead, MemoryStore>;

/// A refusal that asks for another token.
fn invalid_token() -> Reply {
    let challenge = "www-authenticate: Bearer realm=\"test\", error=\"invalid_token\"\r\n";
    Reply::with(401, challenge, "no")
}

/// A resource server that greets those whose token is the one of this number or newer.
async fn resource(oldest: usize) -> Peer {
    Peer::start(move |_, request| match number(request) {
        Some(number) if number >= oldest => Reply::with(200, "", "welcome"),
        _ => invalid_token(),
    })
    .await
}

/// Which token a request carries.
fn number(request: &str) -> Option<usize> {
    let (_, rest) = request.split_once("authorization: Bearer access-")?;
    rest.split("\r\n").next()?.parse().ok()
}

fn token_endpoint() -> impl Future<Output = Peer> {
    Peer::start(|number, _| Reply::tokens(number, 3600))
}

/// An agent for one resource server, whose token (number 0) is old enough to be given up.
async fn agent(tokens: &Peer, resource: &Peer) -> Login {
    let host = Ahead::new();
    let (agent, _) = logged_in(tokens.client(), host.clone(), 3600).await;
    host.put_forward(31);
    let origin = resource.url("/");
    agent.with_origins(Origins::new([origin.as_str()]).unwrap())
}

fn hyper<B>() -> HyperClient<HttpConnector, B>
where
    B: HttpBody<Data = Bytes> + Send,
{
    HyperClient::builder(TokioExecutor::new()).build_http()
}

async fn call<B, T, R, E>(service: T, url: &str, body: B) -> Result<StatusCode, E>
where
    T: Service<Request<B>, Response = Response<R>, Error = E>,
{
    let request = Request::post(url).header("x-kept", "yes").body(body).unwrap();
    Ok(service.oneshot(request).await?.status())
}

fn login_is_over<E>(error: &CallError<E>) -> bool {
    matches!(error, CallError::Token(Error::Expired(Expired::Login(Reason::TokenRejected))))
}

#[tokio::test]
async fn a_request_to_an_allowed_origin_carries_the_token() {
    let (tokens, resource) = (token_endpoint().await, resource(0).await);
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    let status = call(api, &resource.url("/me"), Full::<Bytes>::from("hello")).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    assert!(resource.requests()[0].contains("authorization: Bearer access-0\r\n"));
    assert_eq!(tokens.requests().len(), 0);
}

#[tokio::test]
async fn other_origins_get_the_request_and_no_token() {
    let (tokens, resource, other) =
        (token_endpoint().await, resource(0).await, Peer::start(|_, _| invalid_token()).await);
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    // Another port, and another name for the same machine.
    let aliased = resource.url("/").replace("localhost", "127.0.0.1");
    for url in [other.url("/me"), aliased] {
        let status = call(api.clone(), &url, Full::<Bytes>::from("hello")).await.unwrap();
        assert_eq!(status, StatusCode::UNAUTHORIZED);
    }
    for request in [other.requests(), resource.requests()].concat() {
        assert!(request.ends_with("hello") && !request.contains("authorization"), "{request}");
    }
    assert_eq!((other.requests().len(), resource.requests().len()), (1, 1), "nothing is repeated");
    assert_eq!(tokens.requests().len(), 0);
}

#[tokio::test]
async fn a_request_without_an_origin_gets_no_token() {
    let (tokens, resource) = (token_endpoint().await, resource(0).await);
    let echo = tower::service_fn(async |request: Request<()>| {
        Ok::<_, Infallible>(Response::new(request.headers().contains_key(AUTHORIZATION)))
    });
    let mut api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(echo);
    let request = Request::get("/me").header("host", "localhost").body(()).unwrap();
    assert!(!api.ready().await.unwrap().call(request).await.unwrap().into_body());
}

#[tokio::test]
async fn a_refused_token_is_replaced_and_the_request_repeated_once() {
    let (tokens, resource) = (token_endpoint().await, resource(1).await);
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    let status = call(api, &resource.url("/me"), Full::<Bytes>::from("hello")).await.unwrap();
    assert_eq!(status, StatusCode::OK);
    let requests = resource.requests();
    assert_eq!(
        requests.iter().map(|request| number(request)).collect::<Vec<_>>(),
        [Some(0), Some(1)]
    );
    assert!(requests.iter().all(|request| request.starts_with("POST /me ")
        && request.contains("x-kept: yes")
        && request.ends_with("hello")));
    assert_eq!(tokens.requests().len(), 1);
}

#[tokio::test]
async fn many_refused_requests_share_one_refresh() {
    let (tokens, resource) = (token_endpoint().await, resource(1).await);
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    let url = resource.url("/me");
    let calls = (0..20).map(|_| {
        let (api, url) = (api.clone(), url.clone());
        tokio::spawn(async move { call(api, &url, Full::<Bytes>::default()).await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap(), StatusCode::OK);
    }
    assert_eq!(tokens.requests().len(), 1);
}

#[tokio::test]
async fn a_resource_that_always_refuses_does_not_cause_a_refresh_per_call() {
    let (tokens, resource) = (token_endpoint().await, resource(usize::MAX).await);
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    for _ in 0..5 {
        let status = call(api.clone(), &resource.url("/me"), Full::<Bytes>::default()).await;
        assert_eq!(status.unwrap(), StatusCode::UNAUTHORIZED, "the refusal is the caller's");
    }
    assert_eq!(tokens.requests().len(), 1);
    assert_eq!(resource.requests().len(), 6, "one repetition");
}

#[tokio::test]
async fn other_refusals_are_the_callers() {
    let tokens = token_endpoint().await;
    for (status, challenge) in [
        (401, ""),
        (401, "www-authenticate: Bearer\r\n"),
        (401, "www-authenticate: Bearer error=\"invalid_request\"\r\n"),
        (401, "www-authenticate: Basic realm=\"invalid_token\"\r\n"),
        (403, "www-authenticate: Bearer error=\"insufficient_scope\"\r\n"),
        (400, "www-authenticate: Bearer error=\"invalid_token\"\r\n"),
        (200, "www-authenticate: Bearer error=\"invalid_token\"\r\n"),
    ] {
        let resource = Peer::start(move |_, _| Reply::with(status, challenge, "no")).await;
        let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
        let answer = call(api, &resource.url("/me"), Full::<Bytes>::default()).await.unwrap();
        assert_eq!(answer, status);
        assert_eq!(resource.requests().len(), 1, "{status} {challenge}");
    }
    assert_eq!(tokens.requests().len(), 0);
}

#[tokio::test]
async fn a_streaming_body_passes_through_once_and_the_next_call_has_a_new_token() {
    let (tokens, resource) = (token_endpoint().await, resource(1).await);
    let api = AttachTokenLayer::streaming(agent(&tokens, &resource).await).layer(hyper());
    let streams = [StatusCode::UNAUTHORIZED, StatusCode::OK];
    for (nth, expected) in streams.into_iter().enumerate() {
        // Neither these chunks nor the box around them can be cloned.
        let body = Chunks(vec!["ming", "strea"]).boxed_unsync();
        let status = call(api.clone(), &resource.url("/me"), body).await;
        assert_eq!(status.unwrap(), expected);
        assert_eq!(resource.requests().len(), nth + 1);
        assert!(
            resource.requests()[nth].contains("strea") && resource.requests()[nth].contains("ming")
        );
    }
    assert_eq!(tokens.requests().len(), 1);
}

#[tokio::test]
async fn a_body_may_know_by_itself_whether_it_can_be_copied() {
    let copy = |body: &Full<Bytes>| Some(body.clone()).filter(|body| body.size_hint().lower() > 2);
    for (body, expected) in [("no", StatusCode::UNAUTHORIZED), ("yes", StatusCode::OK)] {
        let (tokens, resource) = (token_endpoint().await, resource(1).await);
        let api = AttachTokenLayer::copying(agent(&tokens, &resource).await, copy).layer(hyper());
        assert_eq!(call(api, &resource.url("/me"), Full::from(body)).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let (tokens, resource) = (
        Peer::start(|_, _| Reply::json(400, r#"{"error":"invalid_grant"}"#)).await,
        resource(1).await,
    );
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    // The first request is refused, and so is the refresh: now a person has to log in.
    let error =
        call(api.clone(), &resource.url("/me"), Full::<Bytes>::default()).await.unwrap_err();
    assert!(matches!(&error, CallError::Token(error) if error.needs_login()), "{error:?}");
    let error = call(api, &resource.url("/me"), Full::<Bytes>::default()).await.unwrap_err();
    assert!(matches!(&error, CallError::Token(error) if error.needs_login()), "{error:?}");
    assert!(!login_is_over(&error), "the server's own word is the reason");
    assert_eq!(error.to_string(), "there is no token for the request");
    assert!(core::error::Error::source(&error).is_some());
    assert_eq!((resource.requests().len(), tokens.requests().len()), (1, 1));
}

#[tokio::test]
async fn the_services_own_errors_come_through() {
    let (tokens, resource) =
        (token_endpoint().await, Peer::start(|_, _| Reply::drop_connection()).await);
    let api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(hyper());
    let error = call(api, &resource.url("/me"), Full::<Bytes>::default()).await.unwrap_err();
    assert!(matches!(&error, CallError::Service(error) if !error.is_connect()));
    assert_eq!(error.to_string(), "the request failed");
}

/// A service which, like a concurrency limit, is ready for one call each time it says so.
struct Strict {
    ready: AtomicBool,
    calls: Arc<AtomicUsize>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self { ready: AtomicBool::new(false), calls: Arc::clone(&self.calls) }
    }
}

impl Service<Request<()>> for Strict {
    type Response = Response<()>;
    type Error = Infallible;
    type Future = core::future::Ready<Result<Response<()>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready.store(true, Ordering::SeqCst);
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(self.ready.swap(false, Ordering::SeqCst), "called before it was ready");
        let mut response = Response::new(());
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            let challenge = "Bearer error=\"invalid_token\"".parse().unwrap();
            response.headers_mut().insert(http::header::WWW_AUTHENTICATE, challenge);
        }
        core::future::ready(Ok(response))
    }
}

#[tokio::test]
async fn the_service_that_is_ready_makes_the_call() {
    let (tokens, resource) = (token_endpoint().await, resource(0).await);
    let calls = Arc::new(AtomicUsize::new(0));
    let strict = Strict { ready: AtomicBool::new(false), calls: Arc::clone(&calls) };
    let mut api: AttachToken<_, (), _, _> =
        AttachTokenLayer::new(agent(&tokens, &resource).await).layer(strict);
    for url in [resource.url("/me"), "http://localhost:1/elsewhere".to_owned()] {
        let request = Request::get(&url).body(()).unwrap();
        let response = api.ready().await.unwrap().call(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3, "refused, repeated, elsewhere");
}

#[tokio::test]
async fn a_repetition_is_the_same_request() {
    let (tokens, resource) = (token_endpoint().await, resource(0).await);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let refuse = tower::service_fn(move |mut request: Request<String>| {
        let token = request.headers_mut().remove(AUTHORIZATION).unwrap();
        log.lock().unwrap().push((token, format!("{request:?}"), request.extensions().len()));
        let challenge = "Bearer error=\"invalid_token\"";
        let response = Response::builder().status(401).header("www-authenticate", challenge);
        async { response.body(()) }
    });
    let mut api = AttachTokenLayer::new(agent(&tokens, &resource).await).layer(refuse);
    let request = Request::put(resource.url("/me?now")).version(http::Version::HTTP_2);
    let request = request.header("x-kept", "yes").extension(7_u8).body("hello".to_owned()).unwrap();
    api.ready().await.unwrap().call(request).await.unwrap();
    let seen = seen.lock().unwrap();
    let [(old, first, extensions), (new, second, kept)] = &**seen else { panic!("{seen:?}") };
    assert_eq!((first, *extensions, *kept), (second, 1, 1));
    assert_eq!(
        (old.as_bytes(), new.as_bytes()),
        (&b"Bearer access-0"[..], &b"Bearer access-1"[..])
    );
}

#[tokio::test]
async fn a_repetition_that_is_refused_has_the_next_call_get_another_token() {
    let (tokens, resource) = (token_endpoint().await, resource(2).await);
    let host = Ahead::new();
    let (agent, _) = logged_in(tokens.client(), host.clone(), 3600).await;
    let agent = agent.with_origins(Origins::new([resource.url("/").as_str()]).unwrap());
    let meanwhile = agent.clone();
    let http = hyper::<Full<Bytes>>();
    // While the first request is on its way, somebody refreshes; and then time goes by.
    let slow = tower::service_fn(move |request| {
        let (meanwhile, host, mut http) = (meanwhile.clone(), host.clone(), http.clone());
        async move {
            if meanwhile.token().await.unwrap().expose() == "access-0" {
                meanwhile.refresh().await.unwrap();
                host.put_forward(31);
            }
            http.call(request).await
        }
    });
    let api = AttachTokenLayer::new(agent).layer(slow);
    let first = call(api.clone(), &resource.url("/me"), Full::default()).await.unwrap();
    assert_eq!((first, resource.requests().len()), (StatusCode::UNAUTHORIZED, 2));
    let second = call(api, &resource.url("/me"), Full::default()).await.unwrap();
    assert_eq!((second, resource.requests().len()), (StatusCode::OK, 3));
}

#[tokio::test]
async fn it_stacks_with_other_layers() {
    let (tokens, resource) = (token_endpoint().await, resource(1).await);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let api = ServiceBuilder::new()
        .concurrency_limit(1)
        .layer(AttachTokenLayer::new(agent(&tokens, &resource).await))
        .map_request(move |request: Request<Full<Bytes>>| {
            let sensitive = request.headers().get(AUTHORIZATION).unwrap().is_sensitive();
            log.lock().unwrap().push(sensitive);
            request
        })
        .service(hyper());
    assert_eq!(call(api, &resource.url("/me"), Full::default()).await.unwrap(), StatusCode::OK);
    assert_eq!(*seen.lock().unwrap(), [true, true]);
}

/// A body that is read while it is sent, from its end.
struct Chunks(Vec<&'static str>);

impl HttpBody for Chunks {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes())))))
    }
}
