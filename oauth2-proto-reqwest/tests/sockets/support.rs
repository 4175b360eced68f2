//! What the tests talk to, and with.

use core::fmt::Display;
use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::sync::{Arc, Mutex, Once};

use http::{Request, Response};
use oauth2_proto::agent::Host;
use oauth2_proto::{Authorized, Body, Callback, Client, Moment, Server, Timestamp};
use oauth2_proto_reqwest::{ReqwestHost, reqwest};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

/// A builder that neither proxies nor the certificates of this machine have a say in.
pub(crate) fn builder() -> reqwest::ClientBuilder {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        rustls::crypto::ring::default_provider().install_default().unwrap();
    });
    reqwest::Client::builder().no_proxy().tls_certs_only([])
}

pub(crate) fn host() -> ReqwestHost {
    ReqwestHost::new(builder()).unwrap()
}

/// A host whose clocks can be put forward, so that nothing has to be slept for.
#[derive(Clone, Debug)]
pub(crate) struct Later {
    host: ReqwestHost,
    ahead: Arc<AtomicU64>,
}

impl Later {
    pub(crate) fn new() -> Self {
        Self { host: host(), ahead: Arc::default() }
    }

    pub(crate) fn forward(&self, minutes: u64) {
        self.ahead.fetch_add(minutes * 60, Ordering::Relaxed);
    }

    fn ahead(&self) -> Duration {
        Duration::from_secs(self.ahead.load(Ordering::Relaxed))
    }
}

impl Host for Later {
    type Sending = <ReqwestHost as Host>::Sending;
    type Sleeping = <ReqwestHost as Host>::Sleeping;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
        self.host.send(request, time_out)
    }

    fn sleep(&self, pause: Duration) -> Self::Sleeping {
        self.host.sleep(pause)
    }

    fn now(&self) -> Moment {
        let (now, ahead) = (self.host.now(), self.ahead());
        Moment::new(now.time().after(ahead), now.elapsed() + ahead)
    }
}

/// What a peer does with a request.
pub(crate) enum Act {
    /// Answers, and closes the connection.
    Answer(Vec<u8>),
    /// Begins to answer, and leaves it at that.
    Stall(Vec<u8>),
    /// Closes the connection.
    Drop,
    /// Begins to answer, and never stops.
    Endless(Vec<u8>),
}

impl Act {
    /// An answer with these fields and this body.
    pub(crate) fn answer(status: u16, fields: &str, body: impl Display) -> Self {
        let body = body.to_string();
        Self::Answer(
            format!(
                "HTTP/1.1 {status} Whatever\r\n{fields}Connection: close\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }

    /// A token answer.
    pub(crate) fn tokens(access_token: &str, refresh_token: &str) -> Self {
        Self::answer(200, "", tokens(access_token, refresh_token))
    }

    /// A resource's refusal of a token.
    pub(crate) fn invalid_token() -> Self {
        Self::answer(401, "WWW-Authenticate: Bearer error=\"invalid_token\"\r\n", "")
    }
}

fn tokens(access_token: &str, refresh_token: &str) -> String {
    format!(
        r#"{{"access_token":"{access_token}","token_type":"Bearer","expires_in":3600,"refresh_token":"{refresh_token}"}}"#
    )
}

/// A server that does as it is told.
#[derive(Debug)]
pub(crate) struct Peer {
    address: SocketAddr,
    log: Arc<Log>,
    /// A certificate for `localhost`, if it speaks TLS.
    pub(crate) certificate: Option<reqwest::Certificate>,
    accepting: AbortHandle,
}

#[derive(Debug, Default)]
struct Log {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
    /// Connections that are being served.
    live: watch::Sender<usize>,
}

impl Peer {
    /// Starts a peer that answers each request, which it gets with those before, as `act` says.
    pub(crate) async fn start(act: impl Fn(&[String]) -> Act + Send + Sync + 'static) -> Self {
        Self::listen(act, None).await
    }

    /// As `start`, over TLS.
    pub(crate) async fn start_tls(act: impl Fn(&[String]) -> Act + Send + Sync + 'static) -> Self {
        let names = vec!["localhost".to_owned()];
        Self::listen(act, Some(generate_simple_self_signed(names).unwrap())).await
    }

    async fn listen(
        act: impl Fn(&[String]) -> Act + Send + Sync + 'static,
        identity: Option<CertifiedKey<rcgen::KeyPair>>,
    ) -> Self {
        drop(builder());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (log, act) = (Arc::<Log>::default(), Arc::new(act));
        let certificate = identity
            .as_ref()
            .map(|identity| reqwest::Certificate::from_der(identity.cert.der()).unwrap());
        let tls = identity.map(|identity| {
            let key = PrivateKeyDer::Pkcs8(identity.signing_key.serialize_der().into());
            let config = rustls::ServerConfig::builder()
                .with_no_client_auth()
                .with_single_cert(vec![identity.cert.der().clone()], key)
                .unwrap();
            TlsAcceptor::from(Arc::new(config))
        });
        let accepting = tokio::spawn({
            let log = Arc::clone(&log);
            async move {
                while let Ok((stream, _)) = listener.accept().await {
                    log.connections.fetch_add(1, Ordering::Relaxed);
                    let (log, act, tls) = (Arc::clone(&log), Arc::clone(&act), tls.clone());
                    log.live.send_modify(|live| *live += 1);
                    tokio::spawn(async move {
                        match tls {
                            None => serve(stream, &log, &*act).await,
                            Some(tls) => match tls.accept(stream).await {
                                Ok(stream) => serve(stream, &log, &*act).await,
                                Err(_) => None,
                            },
                        };
                        log.live.send_modify(|live| *live -= 1);
                    });
                }
            }
        });
        Self { address, log, certificate, accepting: accepting.abort_handle() }
    }

    /// A URL of this peer.
    pub(crate) fn url(&self, path: &str) -> String {
        match self.certificate {
            Some(_) => format!("https://localhost:{}{path}", self.address.port()),
            None => format!("http://{}{path}", self.address),
        }
    }

    pub(crate) fn connections(&self) -> usize {
        self.log.connections.load(Ordering::Relaxed)
    }

    /// Completes when a request has arrived.
    pub(crate) async fn busy(&self) {
        while self.requests().is_empty() {
            tokio::task::yield_now().await;
        }
    }

    /// Completes when no connection is left; fails a test where one hangs.
    pub(crate) async fn idle(&self) {
        let mut live = self.log.live.subscribe();
        let idle = live.wait_for(|live| *live == 0);
        drop(tokio::time::timeout(Duration::from_secs(20), idle).await.unwrap().unwrap());
    }

    /// The requests so far, head and body.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.log.requests.lock().unwrap().clone()
    }

    /// A client of this peer's token endpoint.
    pub(crate) fn client(&self) -> Client {
        client(&self.url("/token"))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// Reads a request and does with it as it is told; ends early when the other side is gone.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    log: &Log,
    act: &(impl Fn(&[String]) -> Act + ?Sized),
) -> Option<()> {
    let request = read_request(&mut stream).await?;
    let act = {
        let mut requests = log.requests.lock().unwrap();
        requests.push(request);
        act(&requests)
    };
    let (bytes, repeat) = match act {
        Act::Answer(bytes) => (bytes, false),
        Act::Endless(bytes) => (bytes, true),
        Act::Drop => return Some(()),
        Act::Stall(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            stream.flush().await.ok()?;
            // Until the other side hangs up.
            drop(stream.read(&mut [0]).await);
            return Some(());
        }
    };
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        let taken = stream.write(rest).await.ok()?;
        rest = &rest[taken..];
        if repeat && rest.is_empty() {
            rest = &[b'x'; 4096];
        }
    }
    stream.shutdown().await.ok()
}

async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut request = Vec::new();
    loop {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
        let text = String::from_utf8_lossy(&request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = |line: &str| {
            line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::parse::<usize>)
        };
        let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
        let expected = head.lines().find_map(length).map_or(0, |length| length.unwrap());
        if if chunked { body.ends_with("0\r\n\r\n") } else { body.len() >= expected } {
            return Some(text.into_owned());
        }
    }
}

/// A public client of this token endpoint.
pub(crate) fn client(token_url: &str) -> Client {
    Client::new("app", Server::new("https://as.example/authorize", token_url).unwrap())
}

/// A finished login with the access token `old` and the refresh token `r1`, good for an hour.
pub(crate) fn login(client: &Client, now: Timestamp) -> Authorized {
    let redirect_uri = "https://app.example/callback";
    let (url, pending) = client.authorize(redirect_uri).begin(&mut rand::rng(), now).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    let callback = format!("code=c&state={state}");
    let code = pending.accept(client, Callback::query(&callback), now).unwrap();
    let (_, awaiting) = code.redeem(client, now).unwrap();
    awaiting.receive(client, &Response::new(tokens("old", "r1")), now).unwrap()
}
