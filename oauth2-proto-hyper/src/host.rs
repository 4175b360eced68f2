//! Sends token requests with hyper: one connection each, capped, never redirected, and given up at
//! the deadline whoever still waits.

use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use core::time::Duration;
use std::sync::{Arc, LazyLock};
use std::time::{Instant, UNIX_EPOCH};

use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::{Connect, HttpConnector};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::TokioExecutor;
use oauth2_proto::agent::{Deadline, Host};
use oauth2_proto::{Body, Lost, Moment, Timestamp};
use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep, timeout};

use crate::trace::{Http, failed, timed_out};

/// Sends token requests with hyper; a [`Host`] for an [`Agent`](oauth2_proto::agent::Agent).
///
/// It works within a tokio runtime that has its I/O and its timer enabled. hyper follows no
/// redirects. Each request travels over a connection of its own: an idle one may be closed by the
/// server at the very moment at which it is used again, and then nobody knows whether the server
/// has seen the refresh token.
///
/// The body of a request is wiped when hyper has let go of it; what hyper and rustls copy into
/// their buffers is not.
pub struct HyperHost<C = HttpsConnector<HttpConnector>> {
    client: Client<C, Full<Bytes>>,
    body_limit: usize,
    observer: Option<Observer>,
}

#[derive(Clone)]
struct Observer(Arc<dyn Fn(&Error) + Send + Sync>);

/// As much as the core reads unless told otherwise.
const BODY_LIMIT: usize = 1024 * 1024;

impl HyperHost {
    /// Trusts the certificate authorities that Mozilla does, whatever the machine trusts. Others
    /// come with a connector: see [`over`](Self::over).
    ///
    /// # Errors
    /// rustls's own, when its cryptography lacks what TLS needs.
    pub fn new() -> Result<Self, rustls::Error> {
        Self::connector().map(Self::over)
    }

    /// The connector of [`new`](Self::new), for a client of your own that calls the API.
    ///
    /// ```
    /// use oauth2_proto_hyper::HyperHost;
    /// use oauth2_proto_hyper::hyper_util::client::legacy::Client;
    /// use oauth2_proto_hyper::hyper_util::rt::TokioExecutor;
    /// # use http_body_util::Empty;
    /// # use hyper::body::Bytes;
    ///
    /// let api = Client::builder(TokioExecutor::new()).build(HyperHost::connector()?);
    /// # let _: &Client<_, Empty<Bytes>> = &api;
    /// # Ok::<(), oauth2_proto_hyper::rustls::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn connector() -> Result<HttpsConnector<HttpConnector>, rustls::Error> {
        let provider = rustls::crypto::ring::default_provider();
        Ok(HttpsConnectorBuilder::new()
            .with_provider_and_webpki_roots(provider)?
            // The core makes no request over plain http but to this machine.
            .https_or_http()
            .enable_http1()
            .build())
    }
}

impl<C> HyperHost<C> {
    /// Sends over the connections that this connector makes: with trust anchors of your own, a
    /// proxy, or another TLS library.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use oauth2_proto_hyper::HyperHost;
    /// use oauth2_proto_hyper::hyper_rustls::HttpsConnectorBuilder;
    /// use oauth2_proto_hyper::rustls::{ClientConfig, RootCertStore, crypto::ring};
    ///
    /// let mut roots = RootCertStore::empty();
    /// // roots.add(certificate)?;
    /// let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
    ///     .with_safe_default_protocol_versions()?
    ///     .with_root_certificates(roots)
    ///     .with_no_client_auth();
    /// let https = HttpsConnectorBuilder::new().with_tls_config(tls);
    /// let host = HyperHost::over(https.https_only().enable_http1().build());
    /// # Ok::<(), oauth2_proto_hyper::rustls::Error>(())
    /// ```
    #[must_use]
    pub fn over(connector: C) -> Self
    where
        C: Connect + Clone,
    {
        let mut builder = Client::builder(TokioExecutor::new());
        builder.pool_max_idle_per_host(0);
        builder.build(connector).into()
    }

    /// Stops reading an answer after this many bytes (1 MiB unless told) and one: make it the
    /// [`Client::body_limit`](oauth2_proto::Client::body_limit) where that has been changed.
    #[must_use]
    pub fn with_body_limit(self, bytes: usize) -> Self {
        Self { body_limit: bytes, ..self }
    }

    /// Shows hyper's errors to `observer`, such as to log that a certificate is not valid: the
    /// agent only hears that no answer came. They hold no secrets.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        Self { observer: Some(Observer(Arc::new(observer))), ..self }
    }
}

impl<C> From<Client<C, Full<Bytes>>> for HyperHost<C> {
    /// Sends with this client, as it is configured; switch its pool of idle connections off.
    fn from(client: Client<C, Full<Bytes>>) -> Self {
        Self { client, body_limit: BODY_LIMIT, observer: None }
    }
}

impl<C: Connect + Clone + Send + Sync + 'static> Host for HyperHost<C> {
    type Sending = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, Lost>> + Send>>;
    type Sleeping = Sleep;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
        let deadline = Deadline::new(time_out, now());
        let Self { client, body_limit, observer } = self.clone();
        let http = Http::begins(&request);
        Box::pin(async move {
            // A task of its own, which ends with this future: an agent polls nothing while nobody
            // waits for it, and the deadline holds nevertheless.
            let mut exchange = JoinSet::new();
            let exchanged = async move {
                let request = request.map(|body| Full::new(Bytes::from_owner(body)));
                let response = client.request(request).await.map_err(|error| {
                    if let Some(Observer(observer)) = observer {
                        observer(&error);
                    }
                    failed(&error);
                    // Without a connection, nothing has left.
                    if error.is_connect() { Lost::Unsent } else { Lost::Unanswered }
                })?;
                read(response, body_limit).await
            };
            exchange.spawn(http.within(by(deadline, exchanged)));
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

impl<C: Clone> Clone for HyperHost<C> {
    fn clone(&self) -> Self {
        let (body_limit, observer) = (self.body_limit, self.observer.clone());
        Self { client: self.client.clone(), body_limit, observer }
    }
}

impl<C> fmt::Debug for HyperHost<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HyperHost").field("body_limit", &self.body_limit).finish_non_exhaustive()
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

/// Reads an answer, up to the first byte that is too much.
async fn read(response: Response<Incoming>, limit: usize) -> Result<Response<Vec<u8>>, Lost> {
    let (head, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while bytes.len() <= limit
        && let Some(frame) = body.frame().await
    {
        let frame = frame.map_err(|error| {
            failed(&error);
            Lost::Unanswered
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let room = limit.saturating_add(1).saturating_sub(bytes.len());
        bytes.extend_from_slice(data.get(..room).unwrap_or(&data));
    }
    Ok(Response::from_parts(head, bytes))
}

fn now() -> Moment {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let start = *START;
    Moment::new(Timestamp::from_unix(UNIX_EPOCH.elapsed().unwrap_or_default()), start.elapsed())
}
