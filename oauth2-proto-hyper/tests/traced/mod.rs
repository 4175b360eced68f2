//! What the trace tests of both adapters share: a server on a loopback socket that holds canaries,
//! whole lives over a real HTTP client, and what has to be told of them.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test world fails loudly"
)]

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use http::Request;
use oauth2_proto::agent::{Agent, Host, MemoryStore, Origins, Store};
use oauth2_proto::{Authorized, Body, Callback, Client, Moment, Seed, Server};
use rand::rngs::SysRng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::recorder::Recorder;

pub(crate) const CLIENT_SECRET: &str = "cLiEnTsEcReTnOcAnArYmAySiNg01";
pub(crate) const ACCESS_TOKEN: &str = "aCcEsStOkEnNoCaNaRyMaYsInG02";
pub(crate) const REFRESH_TOKEN: &str = "rEfReShToKeNnOcAnArYmAySiNg03";
pub(crate) const CODE: &str = "cOdEnOcAnArYmAySiNg06AtAlLhErE";
/// What a server writes beside what it is asked for, and what a resource consists of.
pub(crate) const BODY: &str = "bOdYoFaNaNsWeRnOcAnArYmAySiNg13";
/// In the query of the token endpoint, and in paths and queries of protected requests.
pub(crate) const HIDDEN: &str = "qUeRyOfAuRlNoCaNaRyMaYsInG14AtAl";
pub(crate) const KEY: &str = "sEsSiOnIdOfSoMeBoDy-0123456789";

pub(crate) const CANARIES: [&str; 7] =
    [CLIENT_SECRET, ACCESS_TOKEN, REFRESH_TOKEN, CODE, BODY, HIDDEN, KEY];

/// What the server does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// Writes this and hangs up.
    Bytes(String),
    /// Writes nothing, until the other end hangs up.
    Hang,
}

impl Reply {
    pub(crate) fn with(status: u16, fields: &str, body: &str) -> Self {
        let length = body.len();
        Self::Bytes(format!(
            "HTTP/1.1 {status} {BODY}\r\n{fields}x-more: {BODY}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        ))
    }

    pub(crate) fn tokens(number: usize) -> Self {
        let tokens = format!(
            r#"{{"access_token":"{ACCESS_TOKEN}-{number}","token_type":"Bearer","expires_in":3600,"refresh_token":"{REFRESH_TOKEN}-{number}"}}"#
        );
        Self::with(200, "", &tokens)
    }

    pub(crate) fn invalid_token() -> Self {
        let challenge =
            format!("www-authenticate: Bearer realm=\"{BODY}\", error=\"invalid_token\"\r\n");
        Self::with(401, &challenge, BODY)
    }
}

/// A server on a loopback port, stopped when this is dropped.
pub(crate) struct Peer {
    address: SocketAddr,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Replies to one request after the other.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let replies = Arc::<Mutex<VecDeque<Reply>>>::default();
        let queue = Arc::clone(&replies);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let reply = queue.lock().unwrap().pop_front().expect("no more requests");
                tokio::spawn(serve(stream, reply));
            }
        });
        Self { address, replies, task }
    }

    pub(crate) fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.replies.lock().unwrap().extend(replies);
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn client(&self) -> Client {
        let url = |path: &str| format!("{}{path}?tenant={HIDDEN}", self.origin());
        let server = Server::new(&url("/authorize"), &url("/token"))
            .and_then(|server| server.with_revocation(&url("/revoke")));
        Client::new("s6BhdRkqt3", server.unwrap()).with_secret(CLIENT_SECRET)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, reply: Reply) {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.split_once("content-length: ").map_or(0, |(_, rest)| {
                rest.split("\r\n").next().unwrap().parse::<usize>().unwrap()
            });
            if body.len() >= length {
                break;
            }
        }
        let mut chunk = [0; 1024];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            // A TLS handshake gets an answer that is none.
            Ok(_) if chunk[0] == 0x16 => break,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
    match reply {
        Reply::Bytes(text) => {
            drop(stream.write_all(text.as_bytes()).await);
            drop(stream.shutdown().await);
        }
        Reply::Hang => drop(stream.read(&mut [0]).await),
    }
}

/// A host whose clocks can be put forward.
pub(crate) struct Ahead<H> {
    host: H,
    seconds: Arc<AtomicU64>,
}

impl<H: Host> Ahead<H> {
    pub(crate) fn new(host: H) -> Self {
        Self { host, seconds: Arc::default() }
    }

    pub(crate) fn hour(&self) {
        self.seconds.fetch_add(3600, Ordering::SeqCst);
    }

    pub(crate) fn minute(&self) {
        self.seconds.fetch_add(60, Ordering::SeqCst);
    }
}

impl<H: Host> Host for Ahead<H> {
    type Sending = H::Sending;
    type Sleeping = H::Sleeping;

    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending {
        self.host.send(request, time_out)
    }

    fn sleep(&self, pause: Duration) -> Self::Sleeping {
        self.host.sleep(pause)
    }

    fn now(&self) -> Moment {
        let (now, ahead) =
            (self.host.now(), Duration::from_secs(self.seconds.load(Ordering::SeqCst)));
        Moment::new(now.time().after(ahead), now.elapsed() + ahead)
    }
}

/// A login by code, the code redeemed over the wire; and its `state`.
pub(crate) async fn login<H: Host>(peer: &Peer, host: &H, client: &Client) -> (Authorized, String) {
    let now = host.now().time();
    let request = client.authorize("https://app.example/callback");
    let (url, pending) = request.begin(&mut SysRng, now).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let callback = format!("code={CODE}&state={state}");
    let code = pending.accept(client, Callback::query(&callback), now).unwrap();
    let (request, awaiting) = code.redeem(client, now).unwrap();
    peer.replies([Reply::tokens(0)]);
    let response = host.send(request, Duration::from_secs(10)).await.unwrap();
    (awaiting.receive(client, &response, now).unwrap(), state)
}

/// An agent that is logged in, whose token may go to the peer.
pub(crate) async fn logged_in<H: Host>(
    peer: &Peer,
    host: H,
    client: Client,
) -> (Agent<H, MemoryStore>, String) {
    let (login, state) = login(peer, &host, &client).await;
    let mut seed = Seed::new(&mut SysRng).unwrap();
    let store = MemoryStore::new().login(KEY);
    let agent = Agent::open(Arc::new(client), host, &mut seed, store);
    agent.log_in(login).await.unwrap();
    (agent.with_origins(Origins::new([peer.origin().as_str()]).unwrap()), state)
}

/// A life from login to sign-out, with a refresh between that fails once.
pub(crate) async fn whole_life<H: Host>(target: &str, host: H) {
    let (peer, recorder) = (Peer::start().await, Recorder::default());
    let recording = recorder.start();
    let host = Ahead::new(host);
    let (agent, state) = logged_in(&peer, host, peer.client()).await;
    agent.host().hour();
    let down = Reply::with(503, "retry-after: 1\r\n", BODY);
    peer.replies([down, Reply::tokens(1), Reply::with(200, "", BODY), Reply::with(503, "", BODY)]);
    agent.token().await.unwrap();
    agent.sign_out().await.unwrap();
    drop(recording);
    recorder.assert_silent(CANARIES.iter().copied().chain([&*state]));

    let spans = recorder.spans();
    let http: Vec<_> = spans.iter().filter(|span| span.name == "http").collect();
    assert!(http.iter().all(|span| span.target == target && span.field("method") == "POST"));
    let endpoint = |path: &str| format!("{}{path}", peer.origin());
    let seen: Vec<_> =
        http.iter().map(|it| (it.field("endpoint").into(), it.field("status"))).collect();
    assert_eq!(
        seen,
        [
            (endpoint("/token"), "200"),
            (endpoint("/token"), "503"),
            (endpoint("/token"), "200"),
            (endpoint("/revoke"), "200"),
            (endpoint("/revoke"), "503"),
        ]
    );
    // The first was sent by hand, the others within the spans of the agent.
    let parents: Vec<_> = http.iter().map(|span| span.parent).collect();
    assert_eq!(parents[0], None);
    for parent in &parents[1..] {
        assert_eq!(recorder.span(parent.unwrap()).name, "exchange");
    }
    assert!(http.iter().all(|span| span.field("elapsed_ms").parse::<u64>().is_ok()));
    assert_eq!(recorder.count("answered"), 5);
    for told in ["logged in", "exchange failed", "new tokens", "signed out", "not revoked"] {
        assert_eq!(recorder.event(told).target, "oauth2_proto::agent");
    }
    assert_documented(target, &recorder);
}

/// Whatever is wrong with an answer, or with the way to it.
pub(crate) async fn failures<H: Host>(target: &str, host: impl Fn() -> H) {
    let whole = [
        String::new(),
        BODY.into(),
        format!("HTTP/9.9 200 {BODY}\r\n\r\n"),
        format!("HTTP/1.1 2{BODY}\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\n{BODY}\u{1}: x\r\n\r\n"),
        format!("HTTP/1.1 200 OK\r\nx: {BODY}"),
        format!("HTTP/1.1 200 OK\r\ncontent-length: {BODY}\r\n\r\n{BODY}"),
        format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", BODY.repeat(100_000)),
        format!("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{BODY}"),
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{BODY}\r\n"),
    ];
    for reply in whole {
        let (peer, recorder) = (Peer::start().await, Recorder::default());
        let (agent, state) = logged_in(&peer, host(), peer.client()).await;
        peer.replies([Reply::Bytes(reply.clone())]);
        let recording = recorder.start();
        agent.refresh().await.unwrap_err();
        drop(recording);
        let told = recorder.event("not answered");
        assert_eq!(told.target, target);
        assert!(!told.field("error").is_empty() && !told.field("error").contains('\n'), "{told}");
        assert_eq!(recorder.span(told.parent.unwrap()).name, "http");
        assert_eq!(recorder.count("exchange failed"), 1, "{reply:.80}");
        recorder.assert_silent(CANARIES.iter().copied().chain([&*state]));
        assert_documented(target, &recorder);
    }
}

/// Nobody is there, or somebody who speaks no TLS.
pub(crate) async fn unreachable<H: Host>(host: H) {
    let (peer, recorder) = (Peer::start().await, Recorder::default());
    let closed = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap();
    peer.replies([Reply::Bytes(BODY.into())]);
    let urls = [format!("http://{closed}/t?t={HIDDEN}"), peer.origin().replace("http:", "https:")];
    let recording = recorder.start();
    for url in urls {
        let client =
            Client::new("test", Server::token_only(&url).unwrap()).with_secret(CLIENT_SECRET);
        let login = client.client_credentials().ready(&mut SysRng).unwrap();
        let request = login.renew(&client, host.now().time()).unwrap().0;
        host.send(request, Duration::from_secs(5)).await.unwrap_err();
    }
    drop(recording);
    assert_eq!(recorder.count("not answered"), 2, "{recorder}");
    recorder.assert_silent(CANARIES);
}

/// Nobody answers in time.
pub(crate) async fn time_out<H: Host>(target: &str, host: H) {
    let (peer, recorder) = (Peer::start().await, Recorder::default());
    let (agent, _) = logged_in(&peer, host, peer.client().with_lease(Duration::from_secs(3))).await;
    peer.replies([Reply::Hang]);
    let recording = recorder.start();
    agent.with_patience(Duration::from_secs(4)).refresh().await.unwrap_err();
    drop(recording);
    assert_eq!(recorder.event("time-out").target, target);
    let spans = recorder.spans();
    let http = spans.iter().find(|span| span.name == "http").unwrap();
    assert!(http.field("elapsed_ms").parse::<u64>().unwrap() >= 1000, "{http}");
    recorder.assert_silent(CANARIES);
}

/// The names of the tables of the guide, with their fields.
fn documented(target: &str) -> BTreeMap<String, BTreeSet<String>> {
    let quoted = |cell: &str| {
        let names = cell.split('`').skip(1).step_by(2);
        names.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let guide = include_str!("../../../oauth2-proto/docs/tracing.md");
    let rows = guide.lines().filter(|line| line.contains(target));
    rows.filter_map(|row| {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, _, name, _, fields, ..] = &*cells else { return None };
        Some((name.trim_matches('`').to_owned(), quoted(fields)))
    })
    .collect()
}

/// Nothing is told that the guide does not list.
#[track_caller]
pub(crate) fn assert_documented(target: &str, recorder: &Recorder) {
    let documented = documented(target);
    for (name, fields) in recorder.names(target) {
        let listed = documented.get(&name).unwrap_or_else(|| panic!("{name} is not documented"));
        assert!(fields.is_subset(listed), "{name} has {fields:?}, and {listed:?} are documented");
    }
}

/// Each message of this source is listed, and each that is listed is in it.
#[track_caller]
pub(crate) fn assert_lists(target: &str, source: &str) {
    let documented = documented(target);
    assert!(documented.len() > 8, "{documented:#?}");
    for name in documented.keys() {
        assert!(source.contains(&format!("\"{name}\"")), "{name} is in the guide only");
    }
}
