//! What the databases behind a socket have in common: a bound on every operation, errors that quote
//! nothing, and who is shown them.

use core::error::Error;
use core::fmt;
use core::net::IpAddr;
use core::pin::Pin;
use core::time::Duration;

use oauth2_proto::Unknown;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::observer::Observer;

/// Why a database did not do what it was asked to. Nothing that is stored and no password is in it:
/// what the database itself says is left out, as it may quote either.
#[derive(Debug)]
#[non_exhaustive]
pub enum DatabaseError {
    /// No answer came in time.
    TimedOut,
    /// There is no connection, or it has broken.
    Disconnected(Box<dyn Error + Send + Sync>),
    /// The database refused, for the reason with this code: a SQLSTATE of PostgreSQL, or the first
    /// word of Redis's reply.
    Refused(String),
    /// What is under the key, this store has not written.
    Foreign,
    /// This is no address of a database, or one of a kind that has not been compiled in.
    Address,
    /// The address is another machine's, and the connection would not be encrypted, or not to that
    /// machine for certain.
    Unencrypted,
    /// The system gave no random numbers.
    Randomness,
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TimedOut => f.write_str("the database did not answer in time"),
            Self::Disconnected(cause) => write!(f, "no connection to the database: {cause}"),
            Self::Refused(code) => write!(f, "the database refused: {code}"),
            Self::Foreign => f.write_str("what is stored was not written by this store"),
            Self::Address => f.write_str("this address of a database cannot be used"),
            Self::Unencrypted => {
                f.write_str("the connection to another machine would not be encrypted")
            }
            Self::Randomness => f.write_str("the system gave no random numbers"),
        }
    }
}

impl Error for DatabaseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Disconnected(cause) => cause.source(),
            Self::TimedOut
            | Self::Refused(_)
            | Self::Foreign
            | Self::Address
            | Self::Unencrypted
            | Self::Randomness => None,
        }
    }
}

/// What a store's methods give.
pub(crate) type Operation<T> = Pin<Box<dyn Future<Output = Result<T, Unknown>> + Send>>;

/// How long an operation may take: long enough for a hiccup of the network, short enough for somebody
/// who waits.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn deadline(patience: Duration) -> Instant {
    // Nobody waits for longer, and clocks need not go further.
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    Instant::now() + patience.min(CENTURY)
}

/// Does this work, which keeps the deadline that it is given.
///
/// In a task of its own, which ends with this future: an agent polls nothing while nobody waits for
/// it, and other agents would wait meanwhile for the connection or the lock that it holds.
pub(crate) fn operation<T, F>(
    patience: Duration,
    observer: &Observer<DatabaseError>,
    work: impl FnOnce(Instant) -> F + Send + 'static,
) -> Operation<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, DatabaseError>> + Send + 'static,
{
    let observer = observer.clone();
    Box::pin(async move {
        let mut task = JoinSet::new();
        task.spawn(work(deadline(patience)));
        let outcome = match task.join_next().await {
            Some(Ok(outcome)) => outcome,
            // It panicked, or the runtime is shutting down.
            Some(Err(error)) => Err(DatabaseError::Disconnected(error.into())),
            None => Err(DatabaseError::TimedOut),
        };
        outcome.map_err(|error| observer.hear(&error))
    })
}

/// Whether what is sent to this host stays on this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    address.map_or(host == "localhost", |address| address.is_loopback())
}
