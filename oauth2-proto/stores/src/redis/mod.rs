//! Logins in Redis: a script compares and swaps within the server, in one round trip.

mod connection;

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, LazyLock};

use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Version};
use redis::aio::ConnectionLike;
use redis::{Client, Cmd, ConnectionAddr, Script, Value};
use zeroize::Zeroizing;

use self::connection::{Connection, Given, Reconnecting};
use crate::DatabaseError;
use crate::database::{Operation, PATIENCE, is_loopback, operation};
use crate::observer::Observer;
use crate::versions::Versions;

/// Keeps logins in Redis 6.2 or later, or in Valkey, for any number of processes on any number of
/// machines. Clones share a connection, over which everything is sent at once.
///
/// It works within a tokio runtime that has its I/O and its timer enabled. A connection is made when
/// it is first needed, and anew after it was lost or has not answered in time. A swap is never sent
/// twice: where the answer to it is lost, it is [`Unknown`](oauth2_proto::Unknown) what became of it.
///
/// ```no_run
/// use oauth2_proto::agent::Store;
/// use oauth2_proto_stores::RedisStore;
///
/// let store = RedisStore::open("redis://:password@127.0.0.1/")?
///     .with_observer(|error| eprintln!("Redis: {error}"));
/// let login = store.login("alice");
/// # Ok::<(), oauth2_proto_stores::DatabaseError>(())
/// ```
///
/// # What Redis forgets
///
/// A swap that Redis has acknowledged can be lost all the same, and then two processes may send the
/// same refresh token, or the only one that the authorization server still takes is gone, and the
/// user has to log in again. It depends on how Redis is set up:
///
/// - `appendonly yes` is needed for anything to survive a restart. With `appendfsync everysec`, the
///   default, a crash of the machine costs up to a second of writes; with `appendfsync always`,
///   none.
/// - `maxmemory-policy noeviction`, the default, is needed: every other policy deletes logins when
///   memory runs short. (With it, swaps are refused then, and the observer is shown `OOM`.)
/// - Replication is asynchronous: a failover loses what the replica had not yet received, leases
///   among it. `min-replicas-to-write 1` and a short `min-replicas-max-lag` make a primary refuse
///   writes that it could not hand on, which narrows that window, and `WAIT` narrows it further, but
///   neither closes it. Where losing a login is not acceptable, keep it in PostgreSQL.
///
/// What Redis stores, and what it is sent, is not encrypted by it. The buffers of the client library
/// are not wiped.
#[derive(Clone)]
pub struct RedisStore {
    connection: Arc<dyn Connection>,
    versions: Arc<Versions>,
    prefix: Arc<str>,
    expiry: Option<Duration>,
    patience: Duration,
    observer: Observer<DatabaseError>,
}

/// One command does it, so that nothing comes between the comparison and the swap.
static SWAP: LazyLock<Script> = LazyLock::new(|| Script::new(SWAP_CODE));
const SWAP_CODE: &str = include_str!("swap.lua");

/// The bytes of a version, which come before those of the record.
const VERSION: usize = size_of::<u128>();

impl RedisStore {
    /// Keeps logins in the Redis with this URL: `redis://` on this machine, `redis+unix://`, or, in
    /// programs that enable a TLS feature of [`redis_rs`](crate::redis_rs), `rediss://`.
    ///
    /// # Errors
    /// - [`Address`](DatabaseError::Address) when it is no such URL.
    /// - [`Unencrypted`](DatabaseError::Unencrypted) when it is `redis://` on another machine, or
    ///   `rediss://` whose certificate would not be looked at: whoever is on the way could read and
    ///   use all tokens.
    /// - [`Randomness`](DatabaseError::Randomness) when the system has none.
    pub fn open(url: &str) -> Result<Self, DatabaseError> {
        let client = client(url)?;
        let is_exposed = match client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, _) => !is_loopback(host),
            ConnectionAddr::TcpTls { insecure, .. } => *insecure,
            ConnectionAddr::Unix(_) => false,
            // Of a kind that is not known yet.
            _ => true,
        };
        if is_exposed { Err(DatabaseError::Unencrypted) } else { Self::over(client) }
    }

    /// As [`open`](Self::open), and tokens may travel unencrypted to another machine.
    ///
    /// Whoever can read along on the way there has them all. It is for networks that encrypt by
    /// themselves.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for `Unencrypted`.
    pub fn dangerous_open_unencrypted(url: &str) -> Result<Self, DatabaseError> {
        Self::over(client(url)?)
    }

    /// Keeps logins where this client connects to: with certificates of your own, say.
    ///
    /// # Errors
    /// [`Randomness`](DatabaseError::Randomness) when the system has none.
    pub fn over(client: Client) -> Result<Self, DatabaseError> {
        Self::new(Arc::new(Reconnecting::new(client)))
    }

    /// Keeps logins over a connection that sees itself to being made anew, such as one to a Redis
    /// Cluster, or a `ConnectionManager`.
    ///
    /// It must not send a command again whose answer it has not seen: have
    /// `ClusterClientBuilder::retries(0)`. A deletion that is executed twice is taken for somebody
    /// else's, and so is a write that another process has replaced before it is executed again.
    ///
    /// # Errors
    /// [`Randomness`](DatabaseError::Randomness) when the system has none.
    pub fn over_connection<C>(connection: C) -> Result<Self, DatabaseError>
    where
        C: ConnectionLike + Clone + Send + Sync + 'static,
    {
        Self::new(Arc::new(Given(connection)))
    }

    fn new(connection: Arc<dyn Connection>) -> Result<Self, DatabaseError> {
        let versions = Arc::new(Versions::new().map_err(|_| DatabaseError::Randomness)?);
        let (prefix, observer) = ("oauth2-proto:".into(), Observer::default());
        Ok(Self { connection, versions, prefix, expiry: None, patience: PATIENCE, observer })
    }

    /// Puts this before every key, instead of `oauth2-proto:`.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// Deletes a login that has been neither loaded nor swapped for so long. Unless told, none is
    /// ever deleted.
    ///
    /// An [`Agent`](oauth2_proto::agent::Agent) loads a login once and then keeps it in memory: make
    /// this longer than an access token and the process with it may live without being refreshed.
    #[must_use]
    pub fn with_expiry(self, expiry: Duration) -> Self {
        Self { expiry: Some(expiry), ..self }
    }

    /// Gives an operation up after so long, and the connection with it: 5 seconds, unless told.
    /// Connecting is part of it.
    ///
    /// Redis may still execute what it has received until then.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Shows to `observer` why an operation failed, such as to log it: the agent only hears that its
    /// outcome is unknown.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(&DatabaseError) + Send + Sync + 'static) -> Self {
        Self { observer: Observer::new(observer), ..self }
    }

    fn key(&self, key: &str) -> String {
        [&self.prefix, key].concat()
    }

    fn expiry(&self) -> Option<u64> {
        // Redis adds it to the present moment, and takes neither 0 nor what overflows then.
        let milliseconds = self.expiry?.as_millis().clamp(1, 1 << 62);
        u64::try_from(milliseconds).ok()
    }
}

impl Store for RedisStore {
    type Loading = Operation<Option<(Version, Record)>>;
    type Swapping = Operation<Swapped>;

    fn load(&self, key: &str) -> Self::Loading {
        let connection = Arc::clone(&self.connection);
        let mut command = Cmd::new();
        match self.expiry() {
            None => command.arg("GET").arg(self.key(key)),
            Some(expiry) => command.arg("GETEX").arg(self.key(key)).arg("PX").arg(expiry),
        };
        operation(self.patience, &self.observer, async move |deadline| {
            let mut value = connection.send(&command, deadline).await;
            // Reading twice does no harm, and the connection may have been lost long ago.
            if matches!(value, Err(DatabaseError::Disconnected(_))) {
                value = connection.send(&command, deadline).await;
            }
            let value = value?;
            if value == Value::Nil {
                return Ok(None);
            }
            let Value::BulkString(bytes) = value else { return Err(DatabaseError::Foreign) };
            read(&Zeroizing::new(bytes)).map(Some)
        })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let connection = Arc::clone(&self.connection);
        let (key, expiry, version) = (self.key(key), self.expiry(), self.versions.next());
        operation(self.patience, &self.observer, async move |deadline| {
            let expected = expected.map(|version| version.number().to_be_bytes());
            let expected: &[u8] = expected.as_ref().map_or(&[], |bytes| bytes);
            let new = new.map(|record| written(version, &record)).unwrap_or_default();
            let script = |name: &str, script: &str| {
                let mut command = Cmd::new();
                command.arg(name).arg(script).arg(1).arg(&key);
                command.arg(expected).arg(new.as_slice());
                command.arg(expiry.map(|expiry| expiry.to_string()).unwrap_or_default());
                command
            };
            let command = script("EVALSHA", SWAP.get_hash());
            let mut answer = connection.send(&command, deadline).await;
            // Then the server has executed nothing.
            if matches!(&answer, Err(DatabaseError::Refused(code)) if code == "NOSCRIPT") {
                answer = connection.send(&script("EVAL", SWAP_CODE), deadline).await;
            }
            let answer = answer?;
            if answer == Value::Int(1) {
                Ok(Swapped::Stored(version))
            } else if answer == Value::Int(0) {
                Ok(Swapped::Conflict)
            } else {
                Err(DatabaseError::Foreign)
            }
        })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("prefix", &self.prefix)
            .field("expiry", &self.expiry)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

fn client(url: &str) -> Result<Client, DatabaseError> {
    // What the library says could quote the URL, and hence a password.
    Client::open(url).map_err(|_| DatabaseError::Address)
}

fn written(version: Version, record: &Record) -> Zeroizing<Vec<u8>> {
    let version = version.number().to_be_bytes();
    Zeroizing::new([version.as_slice(), record.as_bytes()].concat())
}

fn read(bytes: &[u8]) -> Result<(Version, Record), DatabaseError> {
    let (version, record) = bytes.split_first_chunk::<VERSION>().ok_or(DatabaseError::Foreign)?;
    Ok((Version::new(u128::from_be_bytes(*version)), Record::new(record)))
}
