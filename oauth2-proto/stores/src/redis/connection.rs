//! A connection to Redis that is made anew when it is lost, and on which nothing is ever sent twice.

use core::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Client, Cmd, ErrorKind, RedisError, ServerErrorKind, Value};
use tokio::time::{Instant, timeout_at};

use crate::DatabaseError;

type Answer<'c> = Pin<Box<dyn Future<Output = Result<Value, DatabaseError>> + Send + 'c>>;

/// Sends one command, once, and reads the answer to it.
pub(super) trait Connection: Send + Sync {
    fn send<'c>(&'c self, command: &'c Cmd, deadline: Instant) -> Answer<'c>;
}

/// The connection that a client makes, shared by everybody.
///
/// The library's `ConnectionManager` keeps a connection on which nothing is answered any more until
/// the operating system gives it up, which may take a quarter of an hour. This one drops it as soon
/// as one answer fails to come.
pub(super) struct Reconnecting {
    client: Client,
    /// Its number tells it from the one that takes its place.
    current: Mutex<(u64, Option<MultiplexedConnection>)>,
    connecting: tokio::sync::Mutex<()>,
}

impl Reconnecting {
    pub(super) fn new(client: Client) -> Self {
        Self { client, current: Mutex::default(), connecting: tokio::sync::Mutex::default() }
    }

    async fn connect(&self) -> Result<(u64, MultiplexedConnection), RedisError> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let _connecting = self.connecting.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        // The deadline bounds both.
        let config = AsyncConnectionConfig::new();
        let config = config.set_connection_timeout(None).set_response_timeout(None);
        let made = self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let mut slot = self.slot();
        slot.0 = slot.0.wrapping_add(1);
        slot.1 = Some(made.clone());
        Ok((slot.0, made))
    }

    fn current(&self) -> Option<(u64, MultiplexedConnection)> {
        let slot = self.slot();
        slot.1.clone().map(|connection| (slot.0, connection))
    }

    fn drop_connection(&self, number: u64) {
        let mut slot = self.slot();
        if slot.0 == number {
            slot.1 = None;
        }
    }

    fn slot(&self) -> MutexGuard<'_, (u64, Option<MultiplexedConnection>)> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection for Reconnecting {
    fn send<'c>(&'c self, command: &'c Cmd, deadline: Instant) -> Answer<'c> {
        Box::pin(async move {
            let connected = within(deadline, self.connect()).await;
            let (number, mut connection) = connected?.map_err(quoting_nothing)?;
            let answer = within(deadline, command.query_async(&mut connection)).await;
            match answer {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => {
                    if is_over(&error) {
                        self.drop_connection(number);
                    }
                    Err(quoting_nothing(error))
                }
                Err(error) => {
                    self.drop_connection(number);
                    Err(error)
                }
            }
        })
    }
}

/// A connection of the user's own, which sees itself to being made anew.
pub(super) struct Given<C>(pub(super) C);

impl<C: ConnectionLike + Clone + Send + Sync> Connection for Given<C> {
    fn send<'c>(&'c self, command: &'c Cmd, deadline: Instant) -> Answer<'c> {
        let mut connection = self.0.clone();
        Box::pin(async move {
            let answer = within(deadline, command.query_async(&mut connection)).await;
            answer?.map_err(quoting_nothing)
        })
    }
}

async fn within<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, DatabaseError> {
    timeout_at(deadline, work).await.map_err(|_| DatabaseError::TimedOut)
}

/// Whether a connection has to be made anew.
fn is_over(error: &RedisError) -> bool {
    // After a failover, the server at the other end may be the replica now.
    error.kind() == ErrorKind::Server(ServerErrorKind::ReadOnly)
        || !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// What the library says, without what the server says: it quotes the arguments of a command that it
/// does not know or allow, and records and passwords are arguments.
fn quoting_nothing(error: RedisError) -> DatabaseError {
    if error.is_timeout() {
        return DatabaseError::TimedOut;
    }
    if let Some(code) = error.code() {
        return DatabaseError::Refused(code.to_owned());
    }
    if error.is_io_error() {
        return DatabaseError::Disconnected(error.into());
    }
    DatabaseError::Disconnected(error.category().into())
}
