//! Logins in PostgreSQL: every swap is one statement that commits by itself.

mod connection;

use core::fmt;
use core::time::Duration;
use std::sync::Arc;

use deadpool_postgres::Pool;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Version};
use tokio::time::Instant;

use crate::DatabaseError;
use crate::database::{Operation, PATIENCE, deadline, operation};
use crate::observer::Observer;
use crate::versions::Versions;

/// Keeps logins in a table of PostgreSQL, for any number of processes on any number of machines.
/// Clones share a pool of connections.
///
/// It works within a tokio runtime that has its I/O and its timer enabled. Connections are made when
/// they are first needed, and anew after they were lost or have not answered in time. A swap is never
/// sent twice: where the connection is lost while it is being committed, it is
/// [`Unknown`](oauth2_proto::Unknown) what became of it.
///
/// ```no_run
/// use oauth2_proto::agent::Store;
/// use oauth2_proto_stores::PostgresStore;
///
/// # async fn open() -> Result<(), oauth2_proto_stores::DatabaseError> {
/// let store = PostgresStore::open("postgresql://app:password@localhost/app")?
///     .with_observer(|error| eprintln!("PostgreSQL: {error}"));
/// store.create_table().await?;
/// let login = store.login("alice");
/// # Ok(())
/// # }
/// ```
///
/// # What PostgreSQL forgets
///
/// Nothing that it has acknowledged, as it comes. With `synchronous_commit = off`, a crash costs the
/// last moments; with asynchronous replication, a failover does: then two processes may send the
/// same refresh token, or the only one that the authorization server still takes is gone, and the
/// user has to log in again. `fsync = off` is for tests.
///
/// What PostgreSQL stores, it does not encrypt. Keys have an index, and so are refused when they are
/// longer than about 2700 bytes. A login that is not used any more stays; to delete
/// those that have not been refreshed for so long, at any time:
///
/// ```sql
/// DELETE FROM oauth2_proto_logins WHERE stored_at < now() - interval '90 days'
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    pool: Pool,
    versions: Arc<Versions>,
    /// As it is written in a statement.
    table: Arc<str>,
    patience: Duration,
    observer: Observer<DatabaseError>,
}

/// How [`PostgresStore::SCHEMA`] calls the table.
const TABLE: &str = "oauth2_proto_logins";

impl PostgresStore {
    /// Makes the table, for programs that keep their schema elsewhere.
    pub const SCHEMA: &str = include_str!("schema.sql");

    /// Keeps logins in the database with this URL or `key=value` string, which is on this machine:
    /// over the loopback interface, or a Unix socket. Statements end by themselves after 5 seconds,
    /// unless the string has other `options`.
    ///
    /// For another machine, or `PgBouncer`, bring a pool: see [`over`](Self::over).
    ///
    /// # Errors
    /// - [`Address`](DatabaseError::Address) when it is no such string.
    /// - [`Unencrypted`](DatabaseError::Unencrypted) when it names another machine: whoever is on
    ///   the way could read and use all tokens.
    /// - [`Randomness`](DatabaseError::Randomness) when the system has none.
    pub fn open(config: &str) -> Result<Self, DatabaseError> {
        let config = connection::config(config)?;
        if !connection::is_local(&config) {
            return Err(DatabaseError::Unencrypted);
        }
        Self::over(connection::pool(config)?)
    }

    /// As [`open`](Self::open), and tokens may travel unencrypted to another machine.
    ///
    /// Whoever can read along on the way there has them all. It is for networks that encrypt by
    /// themselves.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for `Unencrypted`.
    pub fn dangerous_open_unencrypted(config: &str) -> Result<Self, DatabaseError> {
        Self::over(connection::pool(connection::config(config)?)?)
    }

    /// Keeps logins over the connections of this pool: with TLS, or shared with the rest of the
    /// program.
    ///
    /// Give them a `statement_timeout` of a few seconds, so that a statement that nobody waits for
    /// any more ends. Statements are not prepared, which suits `PgBouncer`.
    ///
    /// # Errors
    /// [`Randomness`](DatabaseError::Randomness) when the system has none.
    pub fn over(pool: Pool) -> Result<Self, DatabaseError> {
        let versions = Arc::new(Versions::new().map_err(|_| DatabaseError::Randomness)?);
        let (table, observer) = (TABLE.into(), Observer::default());
        Ok(Self { pool, versions, table, patience: PATIENCE, observer })
    }

    /// Uses this table, or this table of a schema (`schema.table`), instead of
    /// `oauth2_proto_logins`. Its columns are those of [`SCHEMA`](Self::SCHEMA).
    #[must_use]
    pub fn with_table(self, name: &str) -> Self {
        let quoted = name.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
        Self { table: quoted.collect::<Vec<_>>().join(".").into(), ..self }
    }

    /// Gives an operation up after so long, and its connection with it: 5 seconds, unless told.
    /// Waiting for a free connection and connecting are part of it.
    ///
    /// PostgreSQL may still execute what it has received until then.
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

    /// Makes the table if there is none. Several processes may do so at once.
    ///
    /// # Errors
    /// When the database cannot be reached, does not answer in time, or does not let this user make
    /// tables. It is not shown to the observer.
    pub async fn create_table(&self) -> Result<(), DatabaseError> {
        let deadline = deadline(self.patience);
        let sql = Self::SCHEMA.replace(TABLE, &self.table);
        match connection::execute(&self.pool, deadline, &sql, &[]).await {
            // Another process made it between the look and the making: unique_violation,
            // duplicate_table.
            Err(DatabaseError::Refused(code)) if matches!(&*code, "23505" | "42P07") => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}

impl Store for PostgresStore {
    type Loading = Operation<Option<(Version, Record)>>;
    type Swapping = Operation<Swapped>;

    fn load(&self, key: &str) -> Self::Loading {
        let sql = format!("SELECT version, record FROM {} WHERE key = $1", self.table);
        let (pool, key) = (self.pool.clone(), key.to_owned());
        operation(self.patience, &self.observer, async move |deadline| {
            let found = connection::find(&pool, deadline, &sql, key.as_bytes()).await;
            match found {
                // Reading twice does no harm, and the connection may have been lost long ago.
                Err(DatabaseError::Disconnected(_)) => {
                    connection::find(&pool, deadline, &sql, key.as_bytes()).await
                }
                found => found,
            }
        })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let (pool, version) = (self.pool.clone(), self.versions.next());
        let (table, key) = (Arc::clone(&self.table), key.to_owned());
        operation(self.patience, &self.observer, async move |deadline| {
            let swap = Swap { pool: &pool, deadline, table: &table, key: key.as_bytes() };
            let swapped = match (expected, &new) {
                (None, None) => swap.nothing().await,
                (None, Some(record)) => swap.insert(version, record).await,
                (Some(expected), None) => swap.delete(expected).await,
                (Some(expected), Some(record)) => swap.update(expected, version, record).await,
            };
            Ok(if swapped? { Swapped::Stored(version) } else { Swapped::Conflict })
        })
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("table", &self.table)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// The four swaps that there are. At READ COMMITTED, which is the default, each waits for others
/// that are at the same row, and then compares with what those have left; at a stricter level, it is
/// refused.
struct Swap<'s> {
    pool: &'s Pool,
    deadline: Instant,
    table: &'s str,
    key: &'s [u8],
}

impl Swap<'_> {
    async fn nothing(self) -> Result<bool, DatabaseError> {
        let sql = format!("SELECT version, record FROM {} WHERE key = $1", self.table);
        let found = connection::find(self.pool, self.deadline, &sql, self.key).await;
        found.map(|found| found.is_none())
    }

    async fn insert(self, version: Version, record: &Record) -> Result<bool, DatabaseError> {
        let sql = format!(
            "INSERT INTO {} (key, version, record) VALUES ($1, $2, $3) ON CONFLICT (key) DO NOTHING",
            self.table
        );
        self.execute(&sql, &[self.key, &number(version), record.as_bytes()]).await
    }

    async fn delete(self, expected: Version) -> Result<bool, DatabaseError> {
        let sql = format!("DELETE FROM {} WHERE key = $1 AND version = $2", self.table);
        self.execute(&sql, &[self.key, &number(expected)]).await
    }

    async fn update(
        self,
        expected: Version,
        version: Version,
        record: &Record,
    ) -> Result<bool, DatabaseError> {
        let sql = format!(
            "UPDATE {} SET version = $3, record = $4, stored_at = now() \
             WHERE key = $1 AND version = $2",
            self.table
        );
        let parameters = [self.key, &number(expected), &number(version), record.as_bytes()];
        self.execute(&sql, &parameters).await
    }

    async fn execute(&self, sql: &str, parameters: &[&[u8]]) -> Result<bool, DatabaseError> {
        let rows = connection::execute(self.pool, self.deadline, sql, parameters).await;
        rows.map(|rows| rows > 0)
    }
}

const fn number(version: Version) -> [u8; 16] {
    version.number().to_be_bytes()
}
