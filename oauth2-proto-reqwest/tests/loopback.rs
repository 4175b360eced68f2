//! The loopback listener over real sockets, with clients that behave and clients that do not.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::time::Duration;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream as BlockingStream;

use oauth2_proto::{Callback, Client, Error, Server, Timestamp};
use oauth2_proto_reqwest::loopback::{LoopbackError, LoopbackListener, Verdict};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time;

const MINUTE: Duration = Duration::from_secs(60);

/// Fails a test that hangs.
async fn soon<F: Future>(future: F) -> F::Output {
    time::timeout(Duration::from_secs(20), future).await.expect("hangs")
}

async fn bind() -> (LoopbackListener, String) {
    let listener = LoopbackListener::bind("/callback").await.unwrap();
    let authority = authority(&listener);
    (listener, authority)
}

fn authority(listener: &LoopbackListener) -> String {
    let rest = listener.redirect_uri().strip_prefix("http://").unwrap();
    rest.split_once('/').unwrap().0.to_owned()
}

fn get(authority: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nAccept: */*\r\n\r\n")
}

/// Opens a connection and sends this much of a request.
async fn open(authority: &str, sent: &str) -> TcpStream {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

/// Sends a request and reads until the listener closes the connection.
async fn exchange(authority: &str, request: &str) -> String {
    let mut answer = String::new();
    open(authority, request).await.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Accepts the right state, ends on `error=`, and takes everything else for forged.
fn judge(callback: &str) -> Verdict<String, &'static str> {
    let query = callback.split_once('?').map_or("", |(_, query)| query);
    let has = |wanted| query.split('&').any(|pair| pair == wanted);
    match (has("state=right"), has("error=access_denied")) {
        (true, false) => Verdict::Accept(callback.to_owned()),
        (true, true) => Verdict::End("denied"),
        (false, _) => Verdict::Refuse,
    }
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("none")
}

/// Checks that an answer is a whole page with all its header fields, and nothing else.
fn assert_page(answer: &str, expected: &str) {
    assert_eq!(status(answer), expected, "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let head = head.to_ascii_lowercase();
    for field in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'; style-src 'unsafe-inline'",
        "x-content-type-options: nosniff",
        "connection: close",
        &format!("content-length: {}", body.len()),
    ] {
        assert_eq!(head.lines().filter(|line| *line == field).count(), 1, "{field} in {head}");
    }
    assert!(body.starts_with("<!DOCTYPE html>") && body.ends_with("</html>\n"), "{body}");
}

/// Runs `clients` against a listener that must still be waiting after them, then finishes it with
/// the right callback. Returns what the clients return and the callbacks that were judged.
async fn survives<R>(clients: impl AsyncFnOnce(&str) -> R) -> (R, Vec<String>) {
    let (listener, authority) = bind().await;
    let judged = RefCell::new(Vec::new());
    let accept = listener.accept(MINUTE, |callback| {
        judged.borrow_mut().push(callback.to_owned());
        judge(callback)
    });
    let browser = async {
        let returned = clients(&authority).await;
        let answer = exchange(&authority, &get(&authority, "/callback?state=right")).await;
        assert_page(&answer, "200");
        returned
    };
    let (outcome, returned) = soon(async { tokio::join!(accept, browser) }).await;
    let accepted = outcome.unwrap().unwrap();
    assert_eq!(judged.borrow_mut().pop(), Some(accepted));
    (returned, judged.into_inner())
}

#[tokio::test]
async fn accepts_a_callback_byte_for_byte() {
    let (listener, authority) = bind().await;
    let redirect_uri = listener.redirect_uri().to_owned();
    assert!(authority.starts_with("127.0.0.1:"));
    assert_eq!(redirect_uri, format!("http://{authority}/callback"));

    let query = "code=a%2Fb+c%20%zz%2f&state=right&&x=http://[::1]/?y&z={|}^`'\\";
    let request = get(&authority, &format!("/callback?{query}"));
    let accept = listener.accept(MINUTE, judge);
    let (outcome, answer) =
        soon(async { tokio::join!(accept, exchange(&authority, &request)) }).await;
    assert_eq!(outcome.unwrap(), Ok(format!("{redirect_uri}?{query}")));
    assert_page(&answer, "200");
    assert!(answer.contains("You may close this window and return to the program."));
    assert!(!answer.contains("a%2Fb") && !answer.contains("right"));
}

#[tokio::test]
async fn a_denied_login_finishes_with_the_error() {
    let (listener, authority) = bind().await;
    let request = get(&authority, "/callback?error=access_denied&state=right");
    let accept = listener.accept(MINUTE, judge);
    let (outcome, answer) =
        soon(async { tokio::join!(accept, exchange(&authority, &request)) }).await;
    assert_eq!(outcome.unwrap(), Err("denied"));
    assert_page(&answer, "200");
    assert!(answer.contains("The login was not granted."));
    assert!(!answer.contains("access_denied"));
}

#[tokio::test]
async fn a_forged_callback_is_refused_and_the_right_one_still_accepted() {
    let ((), judged) = survives(async |authority| {
        for target in ["/callback?state=wrong&x=%3Cscript%3E{alert(1)}", "/callback"] {
            let answer = exchange(authority, &get(authority, target)).await;
            assert_page(&answer, "400");
            assert!(!answer.contains("script") && !answer.contains("wrong"));
        }
    })
    .await;
    assert_eq!(judged.len(), 2);
    assert!(judged[0].ends_with("/callback?state=wrong&x=%3Cscript%3E{alert(1)}"));
    assert!(judged[1].ends_with("/callback"));
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let ((), judged) = survives(async |authority| {
        for path in ["/", "/favicon.ico", "/callback/", "/Callback", "/%63allback", "//callback"] {
            let target = format!("{path}?state=right");
            assert_page(&exchange(authority, &get(authority, &target)).await, "404");
        }
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn other_hosts_are_not_found() {
    let ((), judged) = survives(async |authority| {
        let port = authority.split_once(':').unwrap().1;
        let target = "/callback?state=right";
        for host in [
            format!("localhost:{port}"),
            format!("rebound.example:{port}"),
            "127.0.0.1".to_owned(),
            "127.0.0.1:1".to_owned(),
            format!("{authority}.example"),
            format!("user@{authority}"),
            String::new(),
        ] {
            assert_page(&exchange(authority, &get(&host, target)).await, "404");
        }
        let none = format!("GET {target} HTTP/1.1\r\n\r\n");
        assert_page(&exchange(authority, &none).await, "404");
        let twice =
            format!("GET {target} HTTP/1.1\r\nHost: {authority}\r\nHost: rebound.example\r\n\r\n");
        assert_page(&exchange(authority, &twice).await, "404");
        let absolute = get(authority, &format!("http://rebound.example{target}"));
        assert_page(&exchange(authority, &absolute).await, "404");
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn other_methods_are_not_allowed() {
    let ((), judged) = survives(async |authority| {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "BREW"] {
            let request = format!(
                "{method} /callback?state=right HTTP/1.1\r\nHost: {authority}\r\n\
                 Content-Length: 11\r\n\r\nstate=right"
            );
            let answer = exchange(authority, &request).await;
            assert_page(&answer, "405");
            assert!(answer.to_ascii_lowercase().contains("\r\nallow: get\r\n"));
        }
        let head = format!("HEAD /callback?state=right HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        let answer = exchange(authority, &head).await;
        assert_eq!(status(&answer), "405");
        assert!(answer.ends_with("\r\n\r\n"));
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn a_body_is_not_waited_for() {
    let ((), judged) = survives(async |authority| {
        let request = format!(
            "POST /callback HTTP/1.1\r\nHost: {authority}\r\nContent-Length: 1000000\r\n\r\n"
        );
        assert_page(&exchange(authority, &request).await, "405");
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn silent_connections_do_not_block() {
    let ((), judged) = survives(async |authority| {
        let mut silent = Vec::new();
        for sent in ["", "G", "GET /callback?state=right HTTP/1.1\r\nHost: 127.0.0.1"] {
            for _ in 0..10 {
                silent.push(open(authority, sent).await);
            }
        }
        // They stay open beside a connection that is served.
        assert_page(&exchange(authority, &get(authority, "/other")).await, "404");
        for stream in silent {
            assert_eq!(stream.try_read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        }
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn silent_connections_beside_the_right_one_end_with_it() {
    let (listener, authority) = bind().await;
    let client = async {
        let mut silent = open(&authority, "").await;
        let mut half = open(&authority, "GET /callback?state=right HTTP/1.1\r\n").await;
        let answer = exchange(&authority, &get(&authority, "/callback?state=right")).await;
        assert_page(&answer, "200");
        for stream in [&mut silent, &mut half] {
            let mut rest = Vec::new();
            // Closed, or reset for what was not read.
            if stream.read_to_end(&mut rest).await.is_ok() {
                assert!(rest.is_empty());
            }
        }
    };
    let started = time::Instant::now();
    let (outcome, ()) = soon(async { tokio::join!(listener.accept(MINUTE, judge), client) }).await;
    assert!(outcome.unwrap().is_ok());
    // Only the connection of the callback was waited for, not until the delivery limit.
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[tokio::test]
async fn a_silent_connection_is_closed_in_the_end() {
    let ((), judged) = survives(async |authority| {
        let mut silent = open(authority, "").await;
        let mut half = open(authority, "GET /callback?state=right HTTP/1.1\r\n").await;
        // Connections are taken in turn, so both are being served after this.
        assert_page(&exchange(authority, &get(authority, "/other")).await, "404");
        time::pause();
        time::advance(Duration::from_secs(11)).await;
        time::resume();
        for stream in [&mut silent, &mut half] {
            let mut rest = Vec::new();
            assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
        }
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn a_full_house_of_silent_connections_gives_way() {
    let ((), judged) = survives(async |authority| {
        let mut silent = Vec::new();
        for _ in 0..80 {
            silent.push(open(authority, "").await);
        }
        let mut waiting = open(authority, &get(authority, "/other")).await;
        // Those that were taken send a whole request; the rest and `waiting` get their turn.
        for stream in &mut silent {
            let _ = stream.write_all(get(authority, "/other").as_bytes()).await;
        }
        let mut answer = String::new();
        waiting.read_to_string(&mut answer).await.unwrap();
        assert_page(&answer, "404");
    })
    .await;
    assert!(judged.is_empty());
}

#[tokio::test]
async fn an_oversized_head_is_refused() {
    let ((), judged) = survives(async |authority| {
        let filler = "a".repeat(64 * 1024);
        let in_target = get(authority, &format!("/callback?state=right&x={filler}"));
        let in_field = format!(
            "GET /callback?state=right HTTP/1.1\r\nHost: {authority}\r\nCookie: {filler}\r\n\r\n"
        );
        for request in [in_target, in_field] {
            let mut stream = TcpStream::connect(authority).await.unwrap();
            // The listener closes without reading it all, which may fail either of these.
            let _ = stream.write_all(request.as_bytes()).await;
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            let answer = String::from_utf8(answer).unwrap();
            assert!(["none", "431"].contains(&status(&answer)), "{answer}");
        }
        // A large one within the limit is fine.
        let large = "a".repeat(12 * 1024);
        let answer = exchange(authority, &get(authority, &format!("/callback?x={large}"))).await;
        assert_page(&answer, "400");
    })
    .await;
    assert_eq!(judged.len(), 1);
}

#[tokio::test]
async fn what_is_not_http_harms_nobody() {
    let ((), judged) = survives(async |authority| {
        for noise in ["\r\n\r\n\0\0\0\0", "\u{16}\u{3}\u{1}\u{2}\u{0}\r\n\r\n", "GET\r\n\r\n"] {
            let mut stream = open(authority, noise).await;
            stream.shutdown().await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(!answer.starts_with(b"HTTP/1.1 200"));
        }
        // Gone before its answer.
        drop(open(authority, &get(authority, "/callback?state=wrong")).await);
        drop(open(authority, "").await);
    })
    .await;
    assert!(judged.len() <= 1);
}

#[tokio::test]
async fn a_connection_carries_one_request() {
    let ((), judged) = survives(async |authority| {
        let request = get(authority, "/callback?state=wrong");
        let answer = exchange(authority, &request.repeat(2)).await;
        assert_eq!(answer.matches("HTTP/1.1").count(), 1);
        assert_page(&answer, "400");
    })
    .await;
    assert_eq!(judged.len(), 1);
}

#[tokio::test]
async fn nobody_comes_in_time() {
    let (listener, authority) = bind().await;
    let silent = open(&authority, "").await;
    let accept = listener.accept(Duration::from_millis(50), judge);
    let error = soon(accept).await.unwrap_err();
    assert!(matches!(error, LoopbackError::TimedOut));
    assert_eq!(
        error.to_string(),
        "the login was not completed in the browser in time; begin a new login"
    );
    drop(silent);
    assert!(TcpStream::connect(&authority).await.is_err());
}

#[tokio::test]
async fn forged_callbacks_do_not_extend_the_wait() {
    let (listener, authority) = bind().await;
    let request = get(&authority, "/callback?state=wrong");
    let forger = async {
        loop {
            exchange(&authority, &request).await;
        }
    };
    let accept = listener.accept(Duration::from_millis(200), judge);
    let outcome = soon(async {
        tokio::select! {
            outcome = accept => outcome,
            () = forger => unreachable!(),
        }
    })
    .await;
    assert!(matches!(outcome, Err(LoopbackError::TimedOut)));
}

#[test]
fn the_page_is_delivered_before_the_program_exits() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for target in ["/callback?state=right", "/callback?state=right&error=access_denied"] {
        let first = runtime();
        let (listener, authority) = first.block_on(bind());
        let mut browser = BlockingStream::connect(&authority).unwrap();
        browser.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        browser.write_all(get(&authority, target).as_bytes()).unwrap();
        let outcome = first.block_on(listener.accept(MINUTE, judge)).unwrap();
        assert_eq!(outcome.is_err(), target.contains("error"));
        // No task runs any more when the browser begins to read.
        drop(first);
        let mut answer = String::new();
        browser.read_to_string(&mut answer).unwrap();
        assert_page(&answer, "200");
    }
}

#[tokio::test]
async fn a_browser_that_leaves_does_not_undo_the_login() {
    let (listener, authority) = bind().await;
    // The callback is in the listener's queue before the browser is gone.
    let browser =
        RefCell::new(Some(open(&authority, &get(&authority, "/callback?state=right")).await));
    let silent = open(&authority, "").await;
    let accept = listener.accept(MINUTE, |callback| {
        drop(browser.borrow_mut().take());
        judge(callback)
    });
    assert!(soon(accept).await.unwrap().is_ok());
    drop(silent);
}

#[tokio::test]
async fn several_connections_at_once() {
    let ((), judged) = survives(async |authority| {
        let mut clients = JoinSet::new();
        for number in 0..40 {
            let authority = authority.to_owned();
            clients.spawn(async move {
                let request = get(&authority, &format!("/callback?state=wrong{number}"));
                assert_page(&exchange(&authority, &request).await, "400");
            });
        }
        assert_eq!(clients.join_all().await.len(), 40);
    })
    .await;
    assert_eq!(judged.len(), 40);
}

#[tokio::test]
async fn only_one_of_two_right_callbacks_is_accepted() {
    let (listener, authority) = bind().await;
    let request = get(&authority, "/callback?state=right");
    let accepted = Cell::new(0);
    let first = open(&authority, &request).await;
    let second = open(&authority, &request).await;
    let accept = listener.accept(MINUTE, |callback| {
        accepted.set(accepted.get() + 1);
        judge(callback)
    });
    assert!(soon(accept).await.unwrap().is_ok());
    assert_eq!(accepted.get(), 1);
    let mut pages = 0;
    for mut stream in [first, second] {
        let mut answer = Vec::new();
        let _ = soon(stream.read_to_end(&mut answer)).await;
        pages += usize::from(answer.starts_with(b"HTTP/1.1 200"));
    }
    assert_eq!(pages, 1);
}

#[tokio::test]
async fn two_listeners_at_once() {
    let ((one, its), (two, others)) = (bind().await, bind().await);
    assert_ne!(its, others);
    let clients = async {
        // Each answers to its own name only.
        let request = get(&others, "/callback?state=right");
        assert_page(&exchange(&its, &request).await, "404");
        assert_page(&exchange(&others, &request).await, "200");
        assert_page(&exchange(&its, &get(&its, "/callback?state=right&x=1")).await, "200");
    };
    let (first, second, ()) =
        soon(async { tokio::join!(one.accept(MINUTE, judge), two.accept(MINUTE, judge), clients) })
            .await;
    assert_eq!(first.unwrap(), Ok(format!("http://{its}/callback?state=right&x=1")));
    assert_eq!(second.unwrap(), Ok(format!("http://{others}/callback?state=right")));
}

#[tokio::test]
async fn dropping_the_future_closes_the_port_and_the_connections() {
    let (listener, authority) = bind().await;
    let client = async {
        let stream = open(&authority, "").await;
        assert_page(&exchange(&authority, &get(&authority, "/other")).await, "404");
        stream
    };
    let mut stream = soon(async {
        tokio::select! {
            _ = listener.accept(MINUTE, judge) => panic!("no callback was sent"),
            stream = client => stream,
        }
    })
    .await;
    assert_eq!(
        TcpStream::connect(&authority).await.unwrap_err().kind(),
        ErrorKind::ConnectionRefused
    );
    assert_eq!(soon(stream.read(&mut [0])).await.unwrap(), 0);
    TcpListener::bind(&authority).await.unwrap();
}

#[tokio::test]
async fn the_port_is_closed_after_the_login() {
    let (listener, authority) = bind().await;
    let request = get(&authority, "/callback?state=right");
    let accept = listener.accept(MINUTE, judge);
    let (outcome, _) = soon(async { tokio::join!(accept, exchange(&authority, &request)) }).await;
    assert!(outcome.unwrap().is_ok());
    assert!(TcpStream::connect(&authority).await.is_err());
}

#[tokio::test]
async fn only_plain_paths_are_bound() {
    for path in [
        "", "callback", "/a b", "/a?b", "/a#b", "/a%20b", "/é", "/a\\b", "/.", "/a/../b", "/a\r\n",
        "/<", "/\"",
    ] {
        let error = LoopbackListener::bind(path).await.unwrap_err();
        assert!(matches!(error, LoopbackError::Path), "{path}");
        assert!(error.to_string().starts_with("the calling program gave"));
    }
    for path in ["/", "/a/b.c", "/-._~!$&'()*+,;=:@", "/..."] {
        let listener = LoopbackListener::bind(path).await.unwrap();
        let authority = authority(&listener);
        let request = get(&authority, &format!("{path}?state=right"));
        let accept = listener.accept(MINUTE, judge);
        let (outcome, _) =
            soon(async { tokio::join!(accept, exchange(&authority, &request)) }).await;
        assert_eq!(outcome.unwrap(), Ok(format!("http://{authority}{path}?state=right")));
    }
}

#[tokio::test]
async fn the_future_can_be_spawned() {
    let (listener, authority) = bind().await;
    let login = tokio::spawn(listener.accept(MINUTE, judge));
    assert_page(&exchange(&authority, &get(&authority, "/callback?state=right")).await, "200");
    assert!(soon(login).await.unwrap().unwrap().is_ok());
}

#[test]
fn the_verdict_follows_from_what_the_login_says() {
    let server = Server::new("https://as.example/authorize", "https://as.example/token").unwrap();
    let (client, other) = (Client::new("app", server.clone()), Client::new("other", server));
    let (begun, late) = (Timestamp::from_unix_seconds(1_000), Timestamp::from_unix_seconds(9_000));
    let redirect_uri = "http://127.0.0.1:49152/callback";
    let (url, pending) = client.authorize(redirect_uri).begin(&mut rand::rng(), begun).unwrap();
    let (_, state) = url.query_pairs().find(|(name, _)| name == "state").unwrap();
    let verdict = |client: &Client, query: &str, now| -> Verdict<_, _> {
        let callback = format!("{redirect_uri}?{query}");
        pending.accept(client, Callback::url(&callback), now).into()
    };
    let right = format!("state={state}&code=c");
    assert!(matches!(verdict(&client, &right, begun), Verdict::Accept(_)));
    for forged in ["state=wrong&code=c", &format!("{right}&code=d"), &format!("state={state}")] {
        assert!(matches!(verdict(&client, forged, begun), Verdict::Refuse), "{forged}");
    }
    let denied = format!("state={state}&error=access_denied");
    assert!(matches!(verdict(&client, &denied, begun), Verdict::End(Error::Denied(_))));
    assert!(matches!(verdict(&client, &right, late), Verdict::End(Error::Expired(_))));
    assert!(matches!(verdict(&other, &right, begun), Verdict::End(Error::Misuse(_))));
}

#[tokio::test]
async fn debug_shows_no_content() {
    let secret = "https://client.example/?code=SplxlOBeZQQYbYS6WxSbIA";
    assert_eq!(format!("{:?}", Verdict::<_, &str>::Accept(secret)), "Accept(..)");
    assert_eq!(format!("{:?}", Verdict::<&str, _>::End(secret)), "End(..)");
    assert_eq!(format!("{:?}", Verdict::<&str, &str>::Refuse), "Refuse");
    let (listener, authority) = bind().await;
    let shown = format!("{listener:?}");
    assert!(shown.contains(&authority) && shown.len() < 100, "{shown}");
}

#[test]
fn an_io_error_keeps_its_cause() {
    let error = LoopbackError::Io(ErrorKind::AddrInUse.into());
    assert!(error.to_string().starts_with("this machine failed the socket on 127.0.0.1"));
    let source = core::error::Error::source(&error).unwrap();
    assert!(source.downcast_ref::<std::io::Error>().is_some());
    assert!(core::error::Error::source(&LoopbackError::TimedOut).is_none());
}
