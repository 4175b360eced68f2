//! An authorization server that does not forgive: it replaces the refresh token with every answer,
//! takes a second use of one for theft, and loses requests and answers where it is told to.

use core::convert::Infallible;
use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::header::CONTENT_TYPE;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::families::{Families, Grant};
use crate::faults::Fault;
use crate::mint::Mint;

/// The header field in which a process says which one it is.
pub(crate) const SENDER: &str = "x-sender";

/// An authorization server on a loopback port, stopped when this is dropped.
pub(crate) struct AuthorizationServer {
    address: SocketAddr,
    families: Arc<Mutex<Families>>,
    victim: Arc<Mutex<Option<Victim>>>,
    task: JoinHandle<()>,
}

/// A process that is to be killed while it waits for an answer.
struct Victim {
    sender: u32,
    tell: oneshot::Sender<()>,
}

/// The connection is to be closed without a word.
#[derive(Debug)]
struct HungUp;

impl AuthorizationServer {
    pub(crate) async fn start(mint: Mint, lifetime: Duration, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let families = Arc::new(Mutex::new(Families::new(mint, lifetime, seed)));
        let victim = Arc::default();
        let service = Service { families: Arc::clone(&families), victim: Arc::clone(&victim) };
        let task = tokio::spawn(accept(listener, service));
        Ok(Self { address, families, victim, task })
    }

    pub(crate) fn token_url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// What it has issued, and counted.
    pub(crate) fn families(&self) -> MutexGuard<'_, Families> {
        lock(&self.families)
    }

    /// Completes when this process has sent its next request, and the server has acted on it; it
    /// is then never answered.
    pub(crate) fn next_request_of(&self, sender: u32) -> oneshot::Receiver<()> {
        let (tell, told) = oneshot::channel();
        *lock(&self.victim) = Some(Victim { sender, tell });
        told
    }
}

impl Drop for AuthorizationServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Service {
    families: Arc<Mutex<Families>>,
    victim: Arc<Mutex<Option<Victim>>>,
}

impl Service {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, HungUp> {
        let sender = request.headers().get(SENDER).and_then(|value| value.to_str().ok());
        let sender = sender.and_then(|text| text.parse().ok()).unwrap_or(0);
        let body = request.into_body().collect().await.map_err(|_| HungUp)?.to_bytes();
        let form = String::from_utf8_lossy(&body);
        // Tokens need no escaping.
        let token = form.split('&').find_map(|pair| pair.strip_prefix("refresh_token="));
        let killing = lock(&self.victim).take_if(|victim| victim.sender == sender);
        let fault = killing.is_some().then_some(Fault::SenderKilled);
        let grant = lock(&self.families).hear(token.unwrap_or_default(), sender, fault);
        if let Some(Victim { tell, .. }) = killing {
            // Nobody listens any more where the time is over.
            let _over = tell.send(());
            core::future::pending::<Infallible>().await;
        }
        match grant {
            Grant::Tokens(json, pause) => {
                tokio::time::sleep(pause).await;
                Ok(json_answer(StatusCode::OK, json))
            }
            Grant::Refused => {
                let json = r#"{"error":"invalid_grant"}"#.to_owned();
                Ok(json_answer(StatusCode::BAD_REQUEST, json))
            }
            Grant::Unavailable => {
                let mut answer = Response::new(Full::from("try again"));
                *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                Ok(answer)
            }
            Grant::HangUp => Err(HungUp),
        }
    }
}

async fn accept(listener: TcpListener, service: Service) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let service = service.clone();
        let serve = service_fn(move |request| {
            let service = service.clone();
            async move { service.answer(request).await }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), serve));
    }
}

fn json_answer(status: StatusCode, json: String) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::from(json));
    *answer.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(CONTENT_TYPE, json);
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl core::fmt::Display for HungUp {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("the answer is lost on purpose")
    }
}

impl core::error::Error for HungUp {}
