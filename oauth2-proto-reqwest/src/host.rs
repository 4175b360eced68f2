//! Token traffic over reqwest: no redirects, bounded in time and size.

use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, UNIX_EPOCH};

use bytes::Bytes;
use http::{Request, Response};
use oauth2_proto::agent::{Deadline, Host};
use oauth2_proto::{Body, Lost, Moment, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};

use crate::BuildError;
use crate::trace::{Http, failed, timed_out};

/// Sends token requests with reqwest; a [`Host`] for an [`Agent`](oauth2_proto::agent::Agent).
///
/// It works within a tokio runtime that has its I/O and its timer enabled. Clones share one client.
///
/// Whatever the builder says, redirects are never followed, nothing is sent twice, and every
/// request travels over a connection of its own: an idle one may be closed by the server at the very
/// moment at which it is used again, and then nobody knows whether the server has seen the refresh
/// token. A `connect_timeout` of a few seconds is worth setting: an attempt that ends without a
/// connection provably was not sent.
///
/// With a proxy, be it the builder's or one of the environment, plain http to this machine leaves
/// it: exclude `localhost` and `127.0.0.1`, as `NO_PROXY` does.
///
/// The body of a request is wiped when reqwest has let go of it; what reqwest and the layers below
/// copy into their buffers is not.
#[derive(Clone)]
pub struct ReqwestHost {
    client: reqwest::Client,
    body_limit: usize,
    observer: Option<Observer>,
}

#[derive(Clone)]
struct Observer(Arc<dyn Fn(&reqwest::Error) + Send + Sync>);

/// As much as the core reads unless told otherwise, in bytes.
const BODY_LIMIT: usize = 1024 * 1024;

impl ReqwestHost {
    /// Makes a host of a builder that knows about proxies, certificates and the like.
    ///
    /// # Errors
    /// [`BuildError::NoCryptoProvider`], and [`BuildError::Reqwest`] when reqwest refuses the
    /// builder.
    pub fn new(builder: reqwest::ClientBuilder) -> Result<Self, BuildError> {
        let builder = builder.pool_max_idle_per_host(0).retry(reqwest::retry::never());
        Ok(Self { client: crate::build(builder)?, body_limit: BODY_LIMIT, observer: None })
    }

    /// Stops reading an answer after this many bytes (1 MiB unless told) and one: make it the
    /// [`Client::body_limit`](oauth2_proto::Client::body_limit) where that has been changed.
    #[must_use]
    pub fn with_body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    /// Shows reqwest's errors to `observer`, such as to log that a certificate is not valid: the
    /// agent only hears that no answer came. They name the endpoint, and hold no secrets.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(&reqwest::Error) + Send + Sync + 'static) -> Self {
        Self { observer: Some(Observer(Arc::new(observer))), ..self }
    }

    async fn exchange(self, request: Request<Body>) -> Result<Response<Vec<u8>>, Lost> {
        self.answer(request).await.map_err(crate::without_query).map_err(|error| {
            if let Some(Observer(observer)) = &self.observer {
                observer(&error);
            }
            failed(&error);
            // Without a request that can be built, or a connection that stands, nothing has left.
            if error.is_builder() || error.is_connect() { Lost::Unsent } else { Lost::Unanswered }
        })
    }

    async fn answer(&self, request: Request<Body>) -> reqwest::Result<Response<Vec<u8>>> {
        let request = reqwest::Request::try_from(request.map(Bytes::from_owner))?;
        let mut answer = self.client.execute(request).await?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            // One byte more than is allowed shows that it is too long.
            let room = self.body_limit.saturating_add(1).saturating_sub(body.len());
            body.extend_from_slice(chunk.get(..room).unwrap_or(&chunk));
            if body.len() > self.body_limit {
                break;
            }
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.version_mut() = answer.version();
        *response.headers_mut() = core::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl Host for ReqwestHost {
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Lost>> + Send>>;
    type Sleeping = Sleep;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
        let deadline = Deadline::new(time_out, now());
        let (host, http) = (self.clone(), Http::begins(&request));
        Box::pin(async move {
            // A task of its own, which ends with this future: an agent polls nothing while nobody
            // waits for it, and the deadline holds nevertheless.
            let mut exchange = JoinSet::new();
            exchange.spawn(http.within(by(deadline, host.exchange(request))));
            match exchange.join_next().await {
                Some(Ok(outcome)) => outcome,
                // It panicked, or the runtime is shutting down.
                Some(Err(_)) | None => Err(Lost::Unanswered),
            }
        })
    }

    fn sleep(&self, pause: Duration) -> Self::Sleeping {
        sleep(pause)
    }

    fn now(&self) -> Moment {
        now()
    }
}

impl fmt::Debug for ReqwestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The client would print the builder's default header fields.
        f.debug_struct("ReqwestHost").field("body_limit", &self.body_limit).finish_non_exhaustive()
    }
}

/// Gives an exchange up at its deadline, by both clocks: a timer stands still while the machine
/// sleeps. Once the deadline is over, not another byte is sent.
async fn by<T>(
    deadline: Deadline,
    exchange: impl Future<Output = Result<T, Lost>>,
) -> Result<T, Lost> {
    if deadline.left(now()).is_zero() {
        timed_out();
        return Err(Lost::Unsent);
    }
    let mut exchange = pin!(exchange);
    loop {
        let left = deadline.left(now());
        if left.is_zero() {
            timed_out();
            return Err(Lost::Unanswered);
        }
        let until_deadline = poll_fn(|context| match deadline.left(now()).is_zero() {
            true => {
                timed_out();
                Poll::Ready(Err(Lost::Unanswered))
            }
            false => exchange.as_mut().poll(context),
        });
        if let Ok(outcome) = timeout(left.min(LOOK_AGAIN), until_deadline).await {
            return outcome;
        }
    }
}

/// How often the clock on the wall is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

fn now() -> Moment {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let start = *START;
    Moment::new(Timestamp::from_unix(UNIX_EPOCH.elapsed().unwrap_or_default()), start.elapsed())
}
