//! The redirect URI of a program without a web server: a listener on the loopback interface.
//!
//! A command line or desktop program sends the person to the authorization server in a browser, and
//! the browser brings the answer back to `http://127.0.0.1:PORT/…`, where [`LoopbackListener`]
//! waits for it. Whether a callback is the answer to this login is not decided here: that is
//! the business of the closure given to [`LoopbackListener::accept`].
//!
//! See [RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3).

use core::convert::Infallible;
use core::fmt;
use core::net::Ipv4Addr;
use core::time::Duration;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time;

/// A request line and header fields beyond this many bytes are refused.
const MAX_HEAD: usize = 16 * 1024;
/// Connections served at once; further ones wait until one of these ends.
const MAX_CONNECTIONS: usize = 64;
/// How long one connection may last. It carries one request, and the answer is immediate.
const CONNECTION_LIMIT: Duration = Duration::from_secs(10);
/// How long the last page may take on its way to the browser.
const DELIVERY_LIMIT: Duration = Duration::from_secs(2);
/// What `accept` says of a connection that ended before it was taken.
const GONE: [ErrorKind; 2] = [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset];

/// Receives the callback of a login on `127.0.0.1`, on a port that the system picks.
///
/// For native apps: bind it before the login begins, begin the login with
/// [`redirect_uri`](Self::redirect_uri), open the authorization URL in the person's browser, then
/// await [`accept`](Self::accept). The authorization server must let the port of a loopback
/// redirect URI vary, and must answer in the query (not `response_mode=fragment` or `form_post`).
///
/// One listener serves one login. Dropping it closes the port.
///
/// ```no_run
/// use std::time::Duration;
///
/// use oauth2_proto::agent::Host;
/// use oauth2_proto::{Callback, Client, Code};
/// use oauth2_proto_reqwest::ReqwestHost;
/// use oauth2_proto_reqwest::loopback::LoopbackListener;
///
/// async fn code(
///     client: &Client,
///     host: &ReqwestHost,
/// ) -> Result<Code, Box<dyn std::error::Error>> {
///     let listener = LoopbackListener::bind("/callback").await?;
///     let (url, pending) =
///         client.authorize(listener.redirect_uri()).begin(&mut rand::rng(), host.now().time())?;
///     println!("Log in at {url}");
///
///     // The first `?` is for the listener's own failures, the second for the login's.
///     let accept = |url: &str| pending.accept(client, Callback::url(url), host.now().time()).into();
///     Ok(listener.accept(Duration::from_secs(300), accept).await??)
/// }
/// ```
///
/// See [RFC 8252 §7.3](https://www.rfc-editor.org/rfc/rfc8252#section-7.3).
pub struct LoopbackListener {
    socket: TcpListener,
    site: Arc<Site>,
}

impl LoopbackListener {
    /// Opens a port on `127.0.0.1` for callbacks to `path`, such as `/callback`.
    ///
    /// The path is the one registered with the authorization server. It begins with `/` and is made
    /// of the characters that a URL path has without percent-encoding. Browsers that come before
    /// [`accept`](Self::accept) is called wait for it.
    ///
    /// # Errors
    ///
    /// [`LoopbackError::Path`] if no browser would ask for this path as it is written, and
    /// [`LoopbackError::Io`] if the system grants no port.
    pub async fn bind(path: &str) -> Result<Self, LoopbackError> {
        if !is_plain_path(path) {
            return Err(LoopbackError::Path);
        }
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let socket = bound.map_err(LoopbackError::Io)?;
        let authority = socket.local_addr().map_err(LoopbackError::Io)?.to_string();
        let redirect_uri = format!("http://{authority}{path}");
        let site = Site { redirect_uri, authority, path: path.to_owned() };
        Ok(Self { socket, site: Arc::new(site) })
    }

    /// Returns the redirect URI to begin the login with, such as `http://127.0.0.1:49152/callback`.
    #[must_use]
    pub fn redirect_uri(&self) -> &str {
        &self.site.redirect_uri
    }

    /// Serves browsers until `decide` accepts a callback or ends the login.
    ///
    /// The closure gets the full URL of each callback: the redirect URI and the query, byte for
    /// byte as the browser sent it. Anybody on this machine, and any web page, can send one, so the
    /// closure must check `state`; see [`Verdict`] for what its answers do. It runs between two
    /// polls and should not block.
    ///
    /// When this returns, the port is closed and the person's browser has its page, so the program
    /// may exit at once. Until then, dropping the future closes the port and every connection.
    /// `timeout` bounds the wait for the callback: pass what is left until the login's deadline.
    ///
    /// # Errors
    ///
    /// The outer error is the listener's: [`LoopbackError::TimedOut`] if no callback was accepted
    /// in time, and [`LoopbackError::Io`] if the system fails the socket. The inner one is what the
    /// closure put into [`Verdict::End`].
    ///
    /// See [RFC 8252 §8.3](https://www.rfc-editor.org/rfc/rfc8252#section-8.3).
    pub async fn accept<T, E>(
        self,
        timeout: Duration,
        decide: impl FnMut(&str) -> Verdict<T, E>,
    ) -> Result<Result<T, E>, LoopbackError> {
        let mut connections = JoinSet::new();
        let (outcome, connection, delivery) =
            time::timeout(timeout, self.decided(&mut connections, decide))
                .await
                .map_err(|_| LoopbackError::TimedOut)??;
        let page = if outcome.is_ok() { ACCEPTED } else { NOT_GRANTED };
        if delivery.send(page).is_ok() {
            // Its task ends once the page is written and the connection closed. A browser that does
            // not take the page changes nothing about the outcome.
            let written = async {
                while let Some(ended) = connections.join_next().await {
                    if ended.is_ok_and(|number| number == connection) {
                        break;
                    }
                }
            };
            let _ = time::timeout(DELIVERY_LIMIT, written).await;
        }
        Ok(outcome)
    }

    /// Runs until a final verdict: the outcome, and which connection awaits its page where.
    async fn decided<T, E>(
        self,
        connections: &mut JoinSet<u64>,
        mut decide: impl FnMut(&str) -> Verdict<T, E>,
    ) -> Result<(Result<T, E>, u64, oneshot::Sender<Page>), LoopbackError> {
        // Connections only ask: the closure runs here, so it may borrow and need not be `Send`.
        let (callbacks, mut queue) = mpsc::channel::<Callback>(1);
        let mut number = 0;
        loop {
            tokio::select! {
                accepted = self.socket.accept(), if connections.len() < MAX_CONNECTIONS => {
                    let stream = match accepted {
                        Ok((stream, _)) => stream,
                        // That browser is gone already; the socket is fine.
                        Err(error) if GONE.contains(&error.kind()) => continue,
                        Err(error) => return Err(LoopbackError::Io(error)),
                    };
                    number += 1;
                    let (site, callbacks) = (Arc::clone(&self.site), callbacks.clone());
                    connections.spawn(serve(stream, number, site, callbacks));
                }
                Some(_) = connections.join_next() => {}
                Some(callback) = queue.recv() => {
                    let outcome = match decide(&callback.url) {
                        Verdict::Accept(value) => Ok(value),
                        Verdict::End(error) => Err(error),
                        Verdict::Refuse => {
                            // Whoever sent it may be gone.
                            let _ = callback.page.send(REFUSED);
                            continue;
                        }
                    };
                    return Ok((outcome, callback.connection, callback.page));
                }
            }
        }
    }
}

impl fmt::Debug for LoopbackListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopbackListener")
            .field("redirect_uri", &self.site.redirect_uri)
            .finish_non_exhaustive()
    }
}

/// Decides what becomes of a callback, and which page the person sees.
///
/// Returned by the closure given to [`LoopbackListener::accept`]. Its `Debug` shows no content.
#[must_use]
#[non_exhaustive]
pub enum Verdict<T, E> {
    /// The answer to this login: finish with this value. The page says to return to the program.
    Accept(T),
    /// Forged, or not of this login: show an error page and go on waiting for the real one.
    Refuse,
    /// The answer to this login is a no: finish with this error. The page says so.
    End(E),
}

impl<T> From<Result<T, oauth2_proto::Error>> for Verdict<T, oauth2_proto::Error> {
    /// The verdict on what [`AwaitingCallback::accept`](oauth2_proto::AwaitingCallback::accept)
    /// said of a callback. What the program itself did wrong ends the wait, which would be in vain.
    fn from(accepted: Result<T, oauth2_proto::Error>) -> Self {
        match accepted {
            Ok(value) => Self::Accept(value),
            Err(error @ oauth2_proto::Error::Misuse(_)) => Self::End(error),
            Err(error) if error.keeps_login_pending() => Self::Refuse,
            Err(error) => Self::End(error),
        }
    }
}

impl<T, E> fmt::Debug for Verdict<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Accept(_) => "Accept(..)",
            Self::Refuse => "Refuse",
            Self::End(_) => "End(..)",
        })
    }
}

/// Tells why the listener could not receive a callback. Holds nothing that a browser sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoopbackError {
    /// The system failed the socket: try again, or log in another way.
    Io(io::Error),
    /// The calling program gave a redirect path that no browser would ask for as it is written.
    Path,
    /// Nobody completed the login in time: begin a new one.
    TimedOut,
}

impl fmt::Display for LoopbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // The cause is left to `source`.
            Self::Io(_) => f.write_str(
                "this machine failed the socket on 127.0.0.1 that awaits the callback; \
                 free resources or allow loopback connections, then begin a new login",
            ),
            Self::Path => f.write_str(
                "the calling program gave a redirect path that is no plain URL path; \
                 begin it with / and leave out query, fragment, dot segments and escapes",
            ),
            Self::TimedOut => {
                f.write_str("the login was not completed in the browser in time; begin a new login")
            }
        }
    }
}

impl core::error::Error for LoopbackError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Path | Self::TimedOut => None,
        }
    }
}

/// Where the listener is, in the words of a request to it.
struct Site {
    redirect_uri: String,
    authority: String,
    path: String,
}

/// A request to the redirect URI that awaits its verdict. Holds secrets: no `Debug`.
struct Callback {
    url: String,
    connection: u64,
    page: oneshot::Sender<Page>,
}

/// Serves the only request of a connection, then says which connection has ended.
async fn serve(
    stream: TcpStream,
    number: u64,
    site: Arc<Site>,
    callbacks: mpsc::Sender<Callback>,
) -> u64 {
    let service = service_fn(async |request| {
        let page = page_for(&request, number, &site, &callbacks).await;
        Ok::<_, Infallible>(page.response())
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A connection that is broken, silent or no HTTP concerns nobody else.
    let _ = time::timeout(CONNECTION_LIMIT, connection).await;
    number
}

/// Picks the page for a request, after asking for a verdict if it is a callback.
async fn page_for(
    request: &Request<Incoming>,
    connection: u64,
    site: &Site,
    callbacks: &mpsc::Sender<Callback>,
) -> Page {
    let uri = request.uri();
    // A page of another site whose name was made to resolve to this machine names its own host.
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let ours = hosts.next().is_some_and(|host| host == site.authority.as_str());
    if !ours || hosts.next().is_some() || uri.authority().is_some() || uri.path() != site.path {
        return NOT_FOUND;
    }
    // No HEAD: it shows the person nothing, and must not use up the callback.
    if request.method() != Method::GET {
        return NOT_ALLOWED;
    }
    let url = match uri.query() {
        Some(query) => format!("{}?{query}", site.redirect_uri),
        None => site.redirect_uri.clone(),
    };
    let (page, verdict) = oneshot::channel();
    // Without anybody to ask, another callback has just finished the login.
    match callbacks.send(Callback { url, connection, page }).await {
        Ok(()) => verdict.await.unwrap_or(NOT_FOUND),
        Err(_) => NOT_FOUND,
    }
}

/// Whether `path` is a path that browsers send as it is written.
fn is_plain_path(path: &str) -> bool {
    path.starts_with('/')
        && path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(&b))
        && !path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// What a browser is shown: constant text, so that nothing of a request can be reflected.
#[derive(Clone, Copy)]
struct Page {
    status: StatusCode,
    html: &'static str,
}

/// Makes a page of a status, a heading and a text.
macro_rules! page {
    ($status:ident, $heading:literal, $text:literal) => {
        Page {
            status: StatusCode::$status,
            html: concat!(
                "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n",
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
                "<title>",
                $heading,
                "</title>\n<style>:root { color-scheme: light dark } ",
                "body { font: 1.1em/1.5 sans-serif; max-width: 32em; margin: 4em auto; ",
                "padding: 0 1em }</style>\n</head>\n<body>\n<h1>",
                $heading,
                "</h1>\n<p>",
                $text,
                "</p>\n</body>\n</html>\n"
            ),
        }
    };
}

const ACCEPTED: Page = page!(
    OK,
    "Answer received",
    "The program has the answer to its login. You may close this window and return to the program."
);
const NOT_GRANTED: Page = page!(
    OK,
    "Login not granted",
    "The login was not granted. You may close this window and return to the program."
);
const REFUSED: Page = page!(
    BAD_REQUEST,
    "Not the expected answer",
    "This is not the answer to the login that the program waits for, and was ignored. \
     To go on, return to the window where you log in, or to the program."
);
const NOT_FOUND: Page = page!(NOT_FOUND, "Not found", "There is nothing here.");
const NOT_ALLOWED: Page =
    page!(METHOD_NOT_ALLOWED, "Method not allowed", "Only GET requests are answered here.");

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CONNECTION, "close"),
];

impl Page {
    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::from(self.html));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if self.status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(header::ALLOW, HeaderValue::from_static("GET"));
        }
        response
    }
}
