//! Connections to PostgreSQL: borrowed from a pool for one statement, and thrown away when it is not
//! answered in time.

use deadpool_postgres::tokio_postgres::config::Host;
use deadpool_postgres::tokio_postgres::types::{ToSql, Type};
use deadpool_postgres::tokio_postgres::{Config, Error, NoTls, Row};
use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use oauth2_proto::Version;
use oauth2_proto::agent::Record;
use tokio::time::{Instant, timeout_at};

use crate::DatabaseError;
use crate::database::{PATIENCE, is_loopback};

pub(super) fn config(text: &str) -> Result<Config, DatabaseError> {
    // What the library says could quote a part of the password.
    let mut config: Config = text.parse().map_err(|_| DatabaseError::Address)?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(DatabaseError::Address);
    }
    if config.get_options().is_none() {
        config.options(format!("-c statement_timeout={}", PATIENCE.as_millis()));
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(PATIENCE);
    }
    Ok(config)
}

/// Whether it connects to this machine only.
pub(super) fn is_local(config: &Config) -> bool {
    // Where there is an address, it is what is connected to, and the host only its name.
    let addresses = config.get_hostaddrs();
    let is_local = |host: &Host| match host {
        Host::Tcp(name) => is_loopback(name),
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    addresses.iter().all(|address| address.is_loopback())
        && (!addresses.is_empty() || config.get_hosts().iter().all(is_local))
}

pub(super) fn pool(config: Config) -> Result<Pool, DatabaseError> {
    // A connection that has been closed is noticed without asking.
    let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
    let manager = Manager::from_config(config, NoTls, recycling);
    let pool = Pool::builder(manager).runtime(Runtime::Tokio1).build();
    pool.map_err(|error| DatabaseError::Disconnected(error.into()))
}

/// The login that a statement finds by its key.
pub(super) async fn find(
    pool: &Pool,
    deadline: Instant,
    sql: &str,
    key: &[u8],
) -> Result<Option<(Version, Record)>, DatabaseError> {
    let row = on_connection(pool, deadline, async |client| {
        client.query_typed_opt(sql, &[(&key, Type::BYTEA)]).await
    });
    row.await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<(Version, Record), DatabaseError> {
    let column = |index: usize| row.try_get::<_, &[u8]>(index).map_err(quoting_nothing);
    let version = column(0)?.try_into().map_err(|_| DatabaseError::Foreign)?;
    Ok((Version::new(u128::from_be_bytes(version)), Record::new(column(1)?)))
}

/// How many rows a statement has changed.
pub(super) async fn execute(
    pool: &Pool,
    deadline: Instant,
    sql: &str,
    parameters: &[&[u8]],
) -> Result<u64, DatabaseError> {
    let typed = parameters.iter().map(|bytes| {
        let bytes: &(dyn ToSql + Sync) = bytes;
        (bytes, Type::BYTEA)
    });
    let parameters: Vec<_> = typed.collect();
    // Neither a prepared statement, which a pooler in between may lose, nor the log entry that
    // tokio-postgres writes for one, with all parameters.
    on_connection(pool, deadline, async |client| client.execute_typed(sql, &parameters).await).await
}

async fn on_connection<T>(
    pool: &Pool,
    deadline: Instant,
    work: impl AsyncFnOnce(&Object) -> Result<T, Error>,
) -> Result<T, DatabaseError> {
    let client = timeout_at(deadline, pool.get()).await.map_err(|_| DatabaseError::TimedOut)?;
    let client = client.map_err(unavailable)?;
    match timeout_at(deadline, work(&client)).await {
        Ok(outcome) => outcome.map_err(quoting_nothing),
        Err(_) => {
            // Whatever comes next on this connection would wait as well.
            drop(Object::take(client));
            Err(DatabaseError::TimedOut)
        }
    }
}

fn unavailable(error: PoolError) -> DatabaseError {
    match error {
        PoolError::Timeout(_) => DatabaseError::TimedOut,
        PoolError::Backend(error) => quoting_nothing(error),
        PoolError::Closed | PoolError::NoRuntimeSpecified => {
            DatabaseError::Disconnected(error.into())
        }
        // It could quote what the server said.
        PoolError::PostCreateHook(_) => {
            DatabaseError::Disconnected("a hook of the pool failed".into())
        }
    }
}

/// What the library says, without what the server says: it quotes rows that it does not take.
fn quoting_nothing(error: Error) -> DatabaseError {
    match error.code() {
        // The server ends the connection: operator intervention, connection exception.
        Some(code) if code.code().starts_with("57P") || code.code().starts_with("08") => {
            DatabaseError::Disconnected(code.code().into())
        }
        Some(code) => DatabaseError::Refused(code.code().to_owned()),
        None => DatabaseError::Disconnected(error.into()),
    }
}
