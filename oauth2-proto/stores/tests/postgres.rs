//! The store in PostgreSQL, over a server of Debian's that the tests start themselves.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod conformance;
#[path = "engines/outage.rs"]
mod outage;
mod process;
#[path = "engines/proxy.rs"]
mod proxy;
#[path = "engines/postgres.rs"]
mod server;

use core::future::poll_fn;
use core::sync::atomic::{AtomicU32, Ordering};
use core::task::Poll;
use core::time::Duration;
use std::sync::Arc;

use conformance::{Engine, conformance, loaded, stored, swapped};
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Unknown};
use oauth2_proto_stores::deadpool_postgres::tokio_postgres::NoTls;
use oauth2_proto_stores::deadpool_postgres::{Manager, Pool};
use oauth2_proto_stores::{DatabaseError, PostgresStore};
use outage::{BOUND, SOON, Seen, unknown};
use process::{Shared, processes};
use proxy::Proxy;
use server::{PASSWORD, Server};
use tokio::task::JoinSet;
use tokio::time::timeout;

struct InPostgres {
    server: Arc<Server>,
    table: String,
}

impl Engine for InPostgres {
    type Store = PostgresStore;

    fn is_installed() -> bool {
        Server::is_installed()
    }

    async fn create() -> Self {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let (server, table) = (Server::shared().unwrap(), format!("conformance_{number}"));
        let engine = Self { server, table };
        engine.open().await.create_table().await.unwrap();
        engine
    }

    async fn open(&self) -> PostgresStore {
        // What a process has asked for that was killed since is still being done.
        let others = format!(
            "SELECT 1 FROM pg_stat_activity \
             WHERE application_name LIKE '{}/%' AND application_name <> '{}'",
            self.table,
            name(&self.table)
        );
        let admin = self.server.client().await;
        while !admin.query(&others, &[]).await.unwrap().is_empty() {}
        Self::open_at(&self.address()).await
    }
}

conformance!(InPostgres);

impl Shared for InPostgres {
    fn address(&self) -> String {
        [&self.table, " ", &self.server.config()].concat()
    }

    async fn open_at(address: &str) -> PostgresStore {
        let (table, config) = address.split_once(' ').unwrap();
        let config = format!("{config} application_name={}", name(table));
        PostgresStore::open(&config).unwrap().with_table(table)
    }
}

processes!(InPostgres);

/// How this process calls itself when it uses a table.
fn name(table: &str) -> String {
    format!("{table}/{}", std::process::id())
}

/// A store with a table of its own, and what its observer is shown.
async fn observed(server: &Server, table: &str) -> (PostgresStore, Seen) {
    let seen = Seen::default();
    let store = PostgresStore::open(&server.url()).unwrap().with_table(table);
    store.create_table().await.unwrap();
    (store.with_observer(seen.observer()), seen)
}

#[tokio::test]
async fn while_the_server_is_down_all_is_unknown_and_afterwards_nothing_is_lost() {
    let Some(mut server) = Server::start() else { return };
    let (store, seen) = observed(&server, "login").await;
    let store = store.with_patience(SOON);
    let version = stored(&store, "login", None, Some(b"one")).await;

    server.kill();
    unknown(store.swap("login", Some(version), Some(Record::new("two")))).await;
    unknown(store.load("login")).await;
    assert!(seen.take().iter().all(|error| error.starts_with("no connection to the database: ")));

    server.restart();
    assert_eq!(loaded(&store, "login").await, Some((version, b"one".to_vec())));
    stored(&store, "login", Some(version), Some(b"three")).await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_leaves_it_unknown_and_may_do_it_later() {
    let Some(server) = Server::start() else { return };
    let (store, seen) = observed(&server, "login").await;
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
    assert_eq!(swapped(&store, "login", Some(version), None).await, Swapped::Conflict);
}

#[tokio::test]
async fn a_swap_that_waits_for_a_lock_is_unknown_and_reads_go_on() {
    let Some(server) = Server::shared() else { return };
    let (store, _) = observed(&server, "locked").await;
    let store = store.with_patience(SOON);
    let version = stored(&store, "login", None, Some(b"one")).await;

    let admin = server.client().await;
    admin.batch_execute("BEGIN; SELECT * FROM locked FOR UPDATE").await.unwrap();
    unknown(store.swap("login", Some(version), Some(Record::new("two")))).await;
    assert_eq!(loaded(&store, "login").await, Some((version, b"one".to_vec())));

    admin.batch_execute("COMMIT").await.unwrap();
    // Nobody waits for it any more, and yet it is executed.
    let late = async { while loaded(&store, "login").await.unwrap().1 != b"two" {} };
    timeout(BOUND, late).await.unwrap();
}

#[tokio::test]
async fn a_swap_that_meets_another_sees_what_that_has_left() {
    let Some(server) = Server::shared() else { return };
    let (store, _) = observed(&server, "met").await;
    let admin = server.client().await;
    let blocked = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' \
                   AND query LIKE 'UPDATE \"met\"%'";
    let mut expected = None;
    for (sql, end, outcome) in [
        ("UPDATE met SET version = substring(sha256(version) FOR 16)", "ROLLBACK", true),
        ("UPDATE met SET version = substring(sha256(version) FOR 16)", "COMMIT", false),
        ("DELETE FROM met", "ROLLBACK", true),
        ("DELETE FROM met", "COMMIT", false),
    ] {
        let version = stored(&store, "login", expected, Some(b"one")).await;
        let other = server.client().await;
        other.batch_execute(&format!("BEGIN; {sql}")).await.unwrap();
        let swap = tokio::spawn(store.swap("login", Some(version), Some(Record::new("two"))));
        let waiting = async { while admin.query(blocked, &[]).await.unwrap().is_empty() {} };
        timeout(BOUND, waiting).await.unwrap();
        other.batch_execute(end).await.unwrap();
        let swapped = swap.await.unwrap().unwrap();
        assert_eq!(matches!(swapped, Swapped::Stored(_)), outcome, "{sql}; {end}");
        expected = loaded(&store, "login").await.map(|(version, _)| version);
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_swap_is_never_taken_for_a_conflict() {
    let Some(server) = Server::shared() else { return };
    let proxy = Proxy::before(server.address()).await;
    let url = format!("postgresql://postgres:{PASSWORD}@127.0.0.1:{}/postgres", proxy.port);
    let store = PostgresStore::open(&url).unwrap().with_table("unheard");
    store.create_table().await.unwrap();
    let mut expected = None;
    for record in [Some(&b"one"[..]), Some(b"two"), None] {
        proxy.lose_answers(true);
        assert_eq!(store.swap("login", expected, record.map(Record::new)).await, Err(Unknown));
        proxy.lose_answers(false);
        let login = loaded(&store, "login").await;
        assert_eq!(login.as_ref().map(|(_, bytes)| &**bytes), record);
        expected = login.map(|(version, _)| version);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_is_made_anew() {
    let Some(server) = Server::start() else { return };
    let (store, _) = observed(&server, "login").await;
    let version = stored(&store, "login", None, Some(b"one")).await;
    let admin = server.client().await;
    let close = async || {
        let close = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                     WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
        assert!(!admin.query(close, &[]).await.unwrap().is_empty());
    };

    close().await;
    assert_eq!(loaded(&store, "login").await, Some((version, b"one".to_vec())));

    close().await;
    // It may be sent before it is seen that the connection has been closed; not twice, though.
    let first = store.swap("login", Some(version), Some(Record::new("two"))).await;
    assert!(matches!(first, Err(Unknown) | Ok(Swapped::Stored(_))), "{first:?}");
    let (version, _) = loaded(&store, "login").await.unwrap();
    stored(&store, "login", Some(version), Some(b"three")).await;
}

#[tokio::test]
async fn several_processes_may_make_the_table_at_once() {
    let Some(server) = Server::shared() else { return };
    let admin = server.client().await;
    admin.batch_execute("CREATE SCHEMA \"s p a c e\"").await.unwrap();
    let mut making = JoinSet::new();
    for _ in 0..8 {
        let store = PostgresStore::open(&server.config()).unwrap();
        let store = store.with_table("s p a c e.it's \"quoted\"");
        making.spawn(async move { store.create_table().await.unwrap() });
    }
    making.join_all().await;
    let table = "SELECT 1 FROM pg_tables WHERE schemaname = 's p a c e' \
                 AND tablename = 'it''s \"quoted\"'";
    assert_eq!(admin.query(table, &[]).await.unwrap().len(), 1);
}

#[tokio::test]
async fn logins_are_found_over_a_unix_socket_and_over_a_pool_of_ones_own() {
    let Some(server) = Server::shared() else { return };
    let over_socket = PostgresStore::open(&server.config()).unwrap();
    over_socket.create_table().await.unwrap();
    let version = stored(&over_socket, "login", None, Some(b"one")).await;

    let manager = Manager::new(server.url().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(1).build().unwrap();
    let pooled = PostgresStore::over(pool).unwrap();
    assert_eq!(loaded(&pooled, "login").await, Some((version, b"one".to_vec())));
    let admin = server.client().await;
    let unused = "SELECT 1 FROM oauth2_proto_logins WHERE stored_at < now() - interval '90 days'";
    assert!(admin.query(unused, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn neither_errors_nor_debug_output_hold_passwords_or_records() {
    let Some(server) = Server::shared() else { return };
    let (store, seen) = observed(&server, "refusing").await;
    let admin = server.client().await;
    // The server quotes what it refuses.
    let refuse = "ALTER TABLE refusing ADD CHECK (record <> 'a refresh token'::bytea)";
    admin.batch_execute(refuse).await.unwrap();
    let new = Some(Record::new("a refresh token"));
    assert_eq!(store.swap("login of alice", None, new).await, Err(Unknown));
    let refused = seen.take();
    assert_eq!(refused, ["the database refused: 23514 Refused(\"23514\")"]);
    admin.batch_execute("ALTER TABLE refusing ALTER version DROP NOT NULL").await.unwrap();
    admin
        .batch_execute("INSERT INTO refusing VALUES ('alice', NULL, ''), ('bob', '', '')")
        .await
        .unwrap();
    for key in ["alice", "bob"] {
        assert_eq!(store.load(key).await, Err(Unknown));
    }

    let wrong = server.url().replace(PASSWORD, "not-the-password");
    let wrong = PostgresStore::open(&wrong).unwrap().with_observer(seen.observer());
    assert_eq!(wrong.load("login").await, Err(Unknown));
    let mut shown = seen.take();
    assert_eq!(shown.last().unwrap(), "the database refused: 28P01 Refused(\"28P01\")");
    shown.extend([format!("{store:?}"), format!("{wrong:?}")]);
    for config in [
        "postgresql://postgres:not-the-password@",
        "user=postgres password=hunter not-the-password=x",
        "host=/ port=not-the-password",
        "http://:not-the-password@localhost/",
    ] {
        let error = PostgresStore::open(config).unwrap_err();
        assert!(matches!(error, DatabaseError::Address), "{error:?}");
        shown.push(format!("{error} {error:?}"));
    }
    for shown in shown {
        for secret in [PASSWORD, "not-the-password", "alice", "refresh"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn tokens_travel_unencrypted_to_no_other_machine_unless_that_is_spelled_out() {
    for config in [
        "postgresql://example.com/",
        "postgresql://192.0.2.1/",
        "postgresql://localhost,example.com/",
        "host=localhost hostaddr=192.0.2.1",
        "host=/socket,example.com",
    ] {
        let refused = PostgresStore::open(config).unwrap_err();
        assert!(matches!(refused, DatabaseError::Unencrypted), "{config}");
        PostgresStore::dangerous_open_unencrypted(config).unwrap();
    }
    for config in [
        "postgresql://localhost/",
        "postgresql://[::1]:1,127.1.2.3/",
        "postgresql://%2Fsocket/",
        "host=example.com hostaddr=127.0.0.1",
        "host=/socket",
    ] {
        PostgresStore::open(config).unwrap();
    }
}

#[tokio::test]
async fn a_swap_goes_on_while_nobody_polls_it() {
    let Some(server) = Server::shared() else { return };
    observed(&server, "idle").await;
    let manager = Manager::new(server.url().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(1).build().unwrap();
    let store = PostgresStore::over(pool).unwrap().with_table("idle");
    let mut idle = store.swap("idle", None, Some(Record::new("one")));
    // Polled once, it is about to take the only connection.
    let once = poll_fn(|context| Poll::Ready(idle.as_mut().poll(context).is_pending()));
    assert!(once.await);
    assert_eq!(timeout(BOUND, loaded(&store, "other")).await, Ok(None));
    assert!(matches!(idle.await, Ok(Swapped::Stored(_))));
}

#[tokio::test]
async fn a_pool_without_a_free_connection_leaves_it_unknown() {
    let Some(server) = Server::shared() else { return };
    let manager = Manager::new(server.url().parse().unwrap(), NoTls);
    let pool = Pool::builder(manager).max_size(1).build().unwrap();
    let _taken = pool.get().await.unwrap();
    let seen = Seen::default();
    let store = PostgresStore::over(pool).unwrap().with_patience(Duration::from_millis(50));
    unknown(store.with_observer(seen.observer()).load("login")).await;
    assert_eq!(seen.take(), ["the database did not answer in time TimedOut"]);
}
