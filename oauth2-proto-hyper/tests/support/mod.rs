//! Peers on loopback sockets that say what a test wants them to say, logins, and clocks that can
//! be put forward.
#![expect(dead_code, reason = "each test crate uses a part of it")]
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test world fails loudly"
)]

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use oauth2_proto::agent::{Agent, Host, MemoryStore, Store};
use oauth2_proto::{Authorized, Body, Callback, Client, Lost, Moment, Seed, Server, Timestamp};
use oauth2_proto_hyper::HyperHost;
use rand::rngs::SysRng;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// What a peer does when it has read a request.
pub(crate) enum Reply {
    /// Writes this and closes the connection.
    Bytes(Vec<u8>),
    /// Writes this, and then as much of a byte as the other end takes.
    Endless(Vec<u8>),
    /// Writes this, and then nothing more, until the other end hangs up.
    Hang(Vec<u8>),
}

impl Reply {
    pub(crate) fn drop_connection() -> Self {
        Self::Bytes(Vec::new())
    }

    pub(crate) fn hang() -> Self {
        Self::Hang(Vec::new())
    }

    pub(crate) fn json(status: u16, body: &str) -> Self {
        Self::with(status, "content-type: application/json\r\n", body)
    }

    /// Tokens of this number, with a refresh token.
    pub(crate) fn tokens(number: usize, expires_in: u64) -> Self {
        Self::json(
            200,
            &format!(
                r#"{{"access_token":"access-{number}","token_type":"Bearer","expires_in":{expires_in},"refresh_token":"refresh-{number}"}}"#
            ),
        )
    }

    pub(crate) fn with(status: u16, fields: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(
            format!(
                "HTTP/1.1 {status} Status\r\n{fields}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
            .into_bytes(),
        )
    }
}

/// A server on a loopback port, stopped when this is dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    scheme: &'static str,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    requests: Mutex<Vec<String>>,
    connections: AtomicUsize,
    /// Connections that the other end has closed or broken.
    hung_up: AtomicUsize,
}

impl Peer {
    /// Answers the nth request (from 1) as `answer` says.
    pub(crate) async fn start(
        answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(None, answer).await
    }

    /// The same over TLS.
    pub(crate) async fn start_tls(
        tls: TlsAcceptor,
        answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(Some(tls), answer).await
    }

    async fn listen(
        tls: Option<TlsAcceptor>,
        answer: impl Fn(usize, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let scheme = if tls.is_some() { "https" } else { "http" };
        let seen = Arc::new(Seen::default());
        let (shared, answer) = (Arc::clone(&seen), Arc::new(answer));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, answer, tls) = (Arc::clone(&shared), Arc::clone(&answer), tls.clone());
                tokio::spawn(async move {
                    let broken = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &shared, &*answer).await.is_err(),
                            Err(_) => true,
                        },
                        None => serve(stream, &shared, &*answer).await.is_err(),
                    };
                    shared.hung_up.fetch_add(usize::from(broken), Ordering::SeqCst);
                });
            }
        });
        Self { address, scheme, seen, task }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}://localhost:{}{path}", self.scheme, self.address.port())
    }

    pub(crate) fn client(&self) -> Client {
        let server = Server::new(&self.url("/authorize"), &self.url("/token")).expect("loopback");
        Client::new("test", server).with_lease(Duration::from_secs(3))
    }

    /// The requests so far, as they came over the wire.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }

    /// Waits until the other end has given up as many connections as this.
    pub(crate) async fn hung_up(&self, connections: usize) {
        soon(|| self.seen.hung_up.load(Ordering::SeqCst) >= connections).await;
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until something has become true.
pub(crate) async fn soon(condition: impl Fn() -> bool) {
    let until = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), until).await.expect("it never came true");
}

/// One request, one reply. An error means that the other end has hung up.
async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    seen: &Seen,
    answer: &(impl Fn(usize, &str) -> Reply + ?Sized),
) -> io::Result<()> {
    let request = read_request(&mut stream).await?;
    let number = {
        let mut requests = seen.requests.lock().unwrap();
        requests.push(request.clone());
        requests.len()
    };
    match answer(number, &request) {
        Reply::Bytes(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await
        }
        Reply::Endless(bytes) => {
            stream.write_all(&bytes).await?;
            loop {
                stream.write_all(&[b' '; 4096]).await?;
            }
        }
        Reply::Hang(bytes) => {
            stream.write_all(&bytes).await?;
            stream.flush().await?;
            match stream.read(&mut [0]).await? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                _ => Ok(()),
            }
        }
    }
}

async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let complete = match head.split_once("content-length: ") {
                Some((_, rest)) => {
                    let length = rest.split("\r\n").next().and_then(|length| length.parse().ok());
                    body.len() >= length.unwrap_or(0_usize)
                }
                None => !head.contains("transfer-encoding: chunked") || body.ends_with("0\r\n\r\n"),
            };
            if complete {
                return Ok(text);
            }
        }
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

/// A certificate authority of its own, and a server on `localhost` that it vouches for.
pub(crate) struct Authority {
    certificate: CertificateDer<'static>,
    pub(crate) acceptor: TlsAcceptor,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(params, key);

        let server_key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        let server = server.signed_by(&server_key, &issuer).unwrap();
        let server_key = PrivatePkcs8KeyDer::from(server_key.serialize_der());
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![server.der().clone()], server_key.into())
            .unwrap();
        Self { certificate: own.der().clone(), acceptor: TlsAcceptor::from(Arc::new(config)) }
    }

    /// A connector that trusts this authority and no other.
    pub(crate) fn connector(&self) -> HttpsConnector<HttpConnector> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().build()
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// A login whose code this very test has redeemed, at `now`.
pub(crate) fn authorized(client: &Client, expires_in: u64, now: Timestamp) -> Authorized {
    let request = client.authorize("https://app.example/callback");
    let (url, pending) = request.begin(&mut SysRng, now).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    let callback = format!("code=fine&state={state}");
    let code = pending.accept(client, Callback::query(&callback), now).unwrap();
    let (_, awaiting) = code.redeem(client, now).unwrap();
    let tokens = format!(
        r#"{{"access_token":"access-0","token_type":"Bearer","expires_in":{expires_in},"refresh_token":"refresh-0"}}"#
    );
    awaiting.receive(client, &Response::new(tokens), now).unwrap()
}

/// An agent that is logged in, and the store where its login is kept.
pub(crate) async fn logged_in<H: Host>(
    client: Client,
    host: H,
    expires_in: u64,
) -> (Agent<H, MemoryStore>, MemoryStore) {
    let login = authorized(&client, expires_in, host.now().time());
    let store = MemoryStore::new();
    let mut seed = Seed::new(&mut SysRng).unwrap();
    let agent = Agent::open(Arc::new(client), host, &mut seed, store.login("login"));
    agent.log_in(login).await.unwrap();
    (agent, store)
}

/// The login in that store.
pub(crate) async fn login_in(store: &MemoryStore) -> oauth2_proto::State {
    store.load("login").await.unwrap().unwrap().1.state().unwrap()
}

/// A host whose clocks can be put forward.
#[derive(Clone)]
pub(crate) struct Ahead {
    host: HyperHost,
    seconds: Arc<AtomicU64>,
}

impl Ahead {
    pub(crate) fn new() -> Self {
        Self { host: HyperHost::new().unwrap(), seconds: Arc::default() }
    }

    pub(crate) fn put_forward(&self, seconds: u64) {
        self.seconds.fetch_add(seconds, Ordering::SeqCst);
    }

    fn seconds(&self) -> Duration {
        Duration::from_secs(self.seconds.load(Ordering::SeqCst))
    }
}

impl Host for Ahead {
    type Sending = <HyperHost as Host>::Sending;
    type Sleeping = <HyperHost as Host>::Sleeping;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
        self.host.send(request, time_out)
    }

    fn sleep(&self, pause: Duration) -> Self::Sleeping {
        self.host.sleep(pause)
    }

    fn now(&self) -> Moment {
        let (now, ahead) = (self.host.now(), self.seconds());
        Moment::new(now.time().after(ahead), now.elapsed() + ahead)
    }
}

/// A token request to `url`, as a program that drives a host by hand would make it.
pub(crate) fn token_request(url: &str) -> Request<Body> {
    Request::post(url).body(Body::from("grant_type=client_credentials".to_owned())).unwrap()
}

/// What is left of a request that brought no answer.
pub(crate) fn lost(outcome: Result<Response<Vec<u8>>, Lost>) -> Lost {
    outcome.expect_err("there should be no answer")
}
