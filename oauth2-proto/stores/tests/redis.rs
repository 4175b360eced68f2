//! The store in Redis, over a server of Debian's that the tests start themselves.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod conformance;
#[path = "engines/outage.rs"]
mod outage;
mod process;
#[path = "engines/proxy.rs"]
mod proxy;
#[path = "engines/redis.rs"]
mod server;

use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use conformance::{Engine, conformance, loaded, stored};
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Unknown};
use oauth2_proto_stores::redis_rs::aio::{ConnectionLike, MultiplexedConnection};
use oauth2_proto_stores::redis_rs::{Cmd, Pipeline, RedisFuture, Value, cmd};
use oauth2_proto_stores::{DatabaseError, RedisStore};
use outage::{BOUND, SOON, Seen, unknown};
use process::{Shared, processes};
use proxy::Proxy;
use server::{PASSWORD, Server};
use tokio::time::timeout;

struct InRedis {
    server: Arc<Server>,
    prefix: String,
}

impl Engine for InRedis {
    type Store = RedisStore;

    fn is_installed() -> bool {
        Server::is_installed()
    }

    async fn create() -> Self {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        Self { server: Server::shared().unwrap(), prefix: format!("conformance {number}:") }
    }

    async fn open(&self) -> RedisStore {
        Self::open_at(&self.address()).await
    }
}

conformance!(InRedis);

impl Shared for InRedis {
    fn address(&self) -> String {
        [&self.server.url(), " ", &self.prefix].concat()
    }

    async fn open_at(address: &str) -> RedisStore {
        let (url, prefix) = address.split_once(' ').unwrap();
        RedisStore::open(url).unwrap().with_prefix(prefix)
    }
}

processes!(InRedis);

/// What a command beside the store answers.
async fn ask(server: &Server, command: &Cmd) -> Value {
    let mut admin = server.client().get_multiplexed_async_connection().await.unwrap();
    command.query_async(&mut admin).await.unwrap()
}

/// A store, and what its observer is shown.
fn observed(url: &str) -> (RedisStore, Seen) {
    let seen = Seen::default();
    (RedisStore::open(url).unwrap().with_observer(seen.observer()), seen)
}

#[tokio::test]
async fn while_the_server_is_down_all_is_unknown_and_afterwards_nothing_is_lost() {
    let Some(mut server) = Server::start(&[]) else { return };
    let (store, seen) = observed(&server.url());
    let store = store.with_patience(SOON);
    let version = stored(&store, "login", None, Some(b"one")).await;

    server.kill();
    unknown(store.swap("login", Some(version), Some(Record::new("two")))).await;
    unknown(store.load("login")).await;
    assert!(seen.take()[0].starts_with("no connection to the database: "));

    server.restart();
    assert_eq!(store.load("login").await.unwrap().unwrap().0, version);
    stored(&store, "login", Some(version), Some(b"three")).await;
    assert_eq!(loaded(&store, "login").await.unwrap().1, b"three");
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_it_unknown_and_may_do_it_later() {
    let Some(server) = Server::start(&[]) else { return };
    let (store, seen) = observed(&server.url());
    let store = store.with_patience(SOON);
    let version = stored(&store, "login", None, Some(b"one")).await;

    server.pause();
    unknown(store.swap("login", Some(version), Some(Record::new("two")))).await;
    // Now there is not even a connection.
    unknown(store.load("login")).await;
    assert!(seen.take().iter().all(|error| error.contains("did not answer in time")));

    server.resume();
    let late = async { while loaded(&store, "login").await.unwrap().1 != b"two" {} };
    timeout(BOUND, late).await.unwrap();
    assert_eq!(store.swap("login", Some(version), None).await, Ok(Swapped::Conflict));
}

#[tokio::test]
async fn writes_that_the_server_holds_back_are_unknown_and_reads_go_on() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisStore::open(&server.url()).unwrap().with_patience(SOON);
    let version = stored(&store, "login", None, Some(b"one")).await;

    ask(&server, cmd("CLIENT").arg("PAUSE").arg(60_000).arg("WRITE")).await;
    unknown(store.swap("login", Some(version), Some(Record::new("two")))).await;
    assert_eq!(store.load("login").await.unwrap().unwrap().0, version);

    ask(&server, cmd("CLIENT").arg("UNPAUSE")).await;
    // The connection was closed, so the server has forgotten about it.
    stored(&store, "login", Some(version), Some(b"three")).await;
}

#[tokio::test]
async fn a_lost_answer_to_a_swap_is_never_taken_for_a_conflict() {
    let Some(server) = Server::start(&[]) else { return };
    let proxy = Proxy::before(server.address()).await;
    let url = format!("redis://:{PASSWORD}@127.0.0.1:{}/", proxy.port);
    let store = RedisStore::open(&url).unwrap().with_patience(BOUND);
    let version = stored(&store, "login", None, Some(b"one")).await;
    let executed = async || {
        let Value::BulkString(statistics) = ask(&server, cmd("INFO").arg("commandstats")).await
        else {
            panic!("no statistics")
        };
        let statistics = String::from_utf8(statistics).unwrap();
        let line = statistics.lines().find_map(|line| line.strip_prefix("cmdstat_evalsha:calls="));
        line.unwrap().split(',').next().unwrap().parse::<u32>().unwrap()
    };
    let before = executed().await;

    proxy.lose_answers(true);
    assert_eq!(store.swap("login", Some(version), Some(Record::new("two"))).await, Err(Unknown));
    proxy.lose_answers(false);

    assert_eq!(loaded(&store, "login").await.unwrap().1, b"two");
    assert_eq!(executed().await, before + 1);
}

#[tokio::test]
async fn a_connection_that_was_closed_is_made_anew() {
    let Some(server) = Server::start(&[]) else { return };
    let store = RedisStore::open(&server.url()).unwrap();
    let version = stored(&store, "login", None, Some(b"one")).await;
    let close = async || {
        ask(&server, cmd("CLIENT").arg("KILL").arg("TYPE").arg("normal")).await;
    };

    close().await;
    assert_eq!(store.load("login").await.unwrap().unwrap().0, version);

    close().await;
    // It may be sent before it is seen that the connection has been closed; not twice, though.
    let first = store.swap("login", Some(version), Some(Record::new("two"))).await;
    assert!(matches!(first, Err(Unknown) | Ok(Swapped::Stored(_))));
    let (version, _) = store.load("login").await.unwrap().unwrap();
    stored(&store, "login", Some(version), Some(b"three")).await;
}

#[tokio::test]
async fn a_server_that_has_forgotten_the_script_is_told_again() {
    let Some(server) = Server::shared() else { return };
    let store = RedisStore::open(&server.url()).unwrap().with_prefix("forgotten:");
    let version = stored(&store, "login", None, Some(b"one")).await;
    ask(&server, cmd("SCRIPT").arg("FLUSH")).await;
    stored(&store, "login", Some(version), Some(b"two")).await;
    ask(&server, cmd("SCRIPT").arg("FLUSH")).await;
    assert_eq!(store.swap("login", Some(version), None).await, Ok(Swapped::Conflict));
}

#[tokio::test]
async fn an_expiry_begins_anew_with_every_load_and_swap() {
    let Some(server) = Server::shared() else { return };
    let store = RedisStore::open(&server.url()).unwrap().with_prefix("expiry:");
    let left = async || ask(&server, cmd("PTTL").arg("expiry:login")).await;
    let hour = Duration::from_secs(3600);
    let is_new = |left| matches!(left, Value::Int(3_590_000..=3_600_000));
    let soon = async || ask(&server, cmd("PEXPIRE").arg("expiry:login").arg(100_000)).await;

    let version = stored(&store, "login", None, Some(b"one")).await;
    assert_eq!(left().await, Value::Int(-1));

    let store = store.with_expiry(hour);
    let version = stored(&store, "login", Some(version), Some(b"two")).await;
    assert!(is_new(left().await));
    soon().await;
    store.load("login").await.unwrap();
    assert!(is_new(left().await));
    soon().await;
    assert_eq!(store.swap("login", None, Some(Record::new("three"))).await, Ok(Swapped::Conflict));
    assert!(!is_new(left().await));
    stored(&store, "login", Some(version), Some(b"three")).await;
    assert!(is_new(left().await));
}

#[tokio::test]
async fn an_expired_login_is_gone() {
    let Some(server) = Server::shared() else { return };
    let store = RedisStore::open(&server.url()).unwrap().with_prefix("expired:");
    let version =
        stored(&store.clone().with_expiry(Duration::ZERO), "login", None, Some(b"one")).await;
    let gone = async { while store.load("login").await.unwrap().is_some() {} };
    timeout(BOUND, gone).await.unwrap();
    assert_eq!(store.swap("login", Some(version), None).await, Ok(Swapped::Conflict));
    stored(&store.with_expiry(Duration::MAX), "login", None, Some(b"two")).await;
}

#[tokio::test]
async fn logins_are_found_over_a_unix_socket_and_by_their_prefix() {
    let Some(server) = Server::shared() else { return };
    let url = format!("redis+unix://{}?pass={PASSWORD}", server.socket().display());
    let store = RedisStore::open(&url).unwrap();
    stored(&store, "prefixed", None, Some(b"one")).await;
    let login = loaded(&store, "prefixed").await;
    let bare = store.clone().with_prefix("");
    assert_eq!(loaded(&bare, "oauth2-proto:prefixed").await, login);
    assert_eq!(loaded(&store.with_prefix("other:"), "prefixed").await, None);
}

#[tokio::test]
async fn what_somebody_else_has_written_is_neither_read_nor_replaced() {
    let Some(server) = Server::shared() else { return };
    let (store, seen) = observed(&server.url());
    let store = store.with_prefix("foreign:");
    ask(&server, cmd("SET").arg("foreign:login").arg("short")).await;
    ask(&server, cmd("RPUSH").arg("foreign:list").arg("of another kind")).await;

    assert_eq!(store.load("login").await, Err(Unknown));
    assert_eq!(store.swap("login", None, Some(Record::new("one"))).await, Ok(Swapped::Conflict));
    assert_eq!(store.load("list").await, Err(Unknown));
    assert_eq!(store.swap("list", None, Some(Record::new("one"))).await, Err(Unknown));

    let seen = seen.take();
    assert!(seen[0].starts_with("what is stored was not written by this store"));
    assert!(seen[1..].iter().all(|error| error.contains("WRONGTYPE")), "{seen:?}");
}

#[tokio::test]
async fn neither_errors_nor_debug_output_hold_passwords_or_records() {
    // A server quotes the arguments of a command that it does not know.
    let unknown = ["--rename-command", "GET", "", "--rename-command", "EVALSHA", ""];
    let Some(server) = Server::start(&unknown) else { return };
    let (store, seen) = observed(&server.url());
    assert_eq!(store.load("login of alice").await, Err(Unknown));
    assert_eq!(
        store.swap("login of alice", None, Some(Record::new("a refresh token"))).await,
        Err(Unknown)
    );
    let debug = format!("{store:?}");

    let wrong = server.url().replace(PASSWORD, "not-the-password");
    let (store, refused) = observed(&wrong);
    assert_eq!(store.load("login").await, Err(Unknown));

    let mut shown = [seen.take(), refused.take(), vec![debug]].concat().join("\n");
    for url in ["not-the-password", "redis://:not-the-password@", "http://:not-the-password@h/"] {
        shown += &format!("{:?}", RedisStore::open(url).unwrap_err());
    }
    for secret in [PASSWORD, "not-the-password", "alice", "refresh"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.starts_with("the database refused: ERR"), "{shown}");
    assert!(shown.contains("authentication failed"), "{shown}");
}

#[tokio::test]
async fn tokens_travel_unencrypted_to_no_other_machine_unless_that_is_spelled_out() {
    for url in ["redis://example.com/", "redis://192.0.2.1/", "redis://[2001:db8::1]/"] {
        let refused = RedisStore::open(url).unwrap_err();
        assert!(matches!(refused, DatabaseError::Unencrypted));
        assert_eq!(refused.to_string(), "the connection to another machine would not be encrypted");
        RedisStore::dangerous_open_unencrypted(url).unwrap();
    }
    for url in ["redis://localhost/", "redis://127.1.2.3:1/", "redis://[::1]/", "unix:///socket"] {
        RedisStore::open(url).unwrap();
    }
    assert!(matches!(RedisStore::open("mysql://localhost/"), Err(DatabaseError::Address)));
}

/// A connection that sends everything twice, as one does that sends again what was not answered.
#[derive(Clone)]
struct Stuttering(MultiplexedConnection);

impl ConnectionLike for Stuttering {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(async move {
            self.0.req_packed_command(cmd).await?;
            self.0.req_packed_command(cmd).await
        })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.0.req_packed_commands(cmd, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.0.get_db()
    }
}

#[tokio::test]
async fn a_write_that_somebody_on_the_way_sends_twice_is_still_a_write() {
    let Some(server) = Server::shared() else { return };
    let connection = server.client().get_multiplexed_async_connection().await.unwrap();
    let store = RedisStore::over_connection(Stuttering(connection)).unwrap().with_prefix("twice:");
    let version = stored(&store, "login", None, Some(b"one")).await;
    stored(&store, "login", Some(version), Some(b"two")).await;
    assert_eq!(
        store.swap("login", Some(version), Some(Record::new("three"))).await,
        Ok(Swapped::Conflict)
    );
}

#[tokio::test]
async fn a_swap_goes_on_while_nobody_polls_it() {
    let Some(server) = Server::shared() else { return };
    let store = RedisStore::open(&server.url()).unwrap().with_prefix("idle:");
    let mut idle = store.swap("idle", None, Some(Record::new("one")));
    // Polled once, it is about to connect.
    let once = poll_fn(|context| Poll::Ready(idle.as_mut().poll(context).is_pending()));
    assert!(once.await);
    assert_eq!(timeout(BOUND, loaded(&store, "other")).await, Ok(None));
    assert!(matches!(idle.await, Ok(Swapped::Stored(_))));
}
