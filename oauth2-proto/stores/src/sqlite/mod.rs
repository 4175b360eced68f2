//! Logins in an SQLite database, which many processes of one machine can share.
//!
//! The files of the database are their owner's alone, as [`FileStore`](crate::FileStore)'s are.

mod connection;
mod error;

use core::fmt;
use core::pin::Pin;
use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_lock::Semaphore;
use connection::Connection;
pub use error::SqliteError;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Unknown, Version};

use crate::observer::Observer;
use crate::patience::{PATIENCE, Patience};
use crate::private;
use crate::versions::Versions;

/// Keeps logins in an SQLite database. Clones share its connections; other processes of the same
/// machine may share the database.
///
/// For the logins of many, on one machine. A swap waits until the disk has it, one at a time; a
/// load waits for no swap.
///
/// - **Never half-written.** A swap is a transaction. Once it has succeeded, it outlasts a loss of
///   power (WAL, `synchronous=FULL`).
/// - **Its owner's alone.** The database and what SQLite makes beside it (`-wal`, `-shm`) have mode
///   0600. What others may read or write, what belongs to another user, and symbolic links are
///   refused, at every use. The directory should be its owner's alone, too. On other systems than
///   Unix, files have the permissions of their directory.
/// - **Shared** by processes on a local file system. On a network, SQLite's locks are not good.
/// - **Plain.** What is stored is as confidential as a password, and not encrypted. What is replaced
///   or deleted is overwritten (`secure_delete`), in the `-wal` file when SQLite next uses it anew.
///   SQLite's own buffers in memory are not wiped.
///
/// It works under any async runtime: what blocks happens in the threads of the crate `blocking`.
/// A swap that is dropped before it is done happens, or does not.
///
/// See [SQLite's documentation of WAL](https://www.sqlite.org/wal.html).
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
    patience: Duration,
    observer: Observer<SqliteError>,
}

struct Shared {
    path: PathBuf,
    versions: Versions,
    /// SQLite has one writer at a time; here, waiting for that takes no thread.
    writer: Arc<async_lock::Mutex<Option<Connection>>>,
    /// How many may read, and connections of those who have.
    readers: Arc<Semaphore>,
    idle: Mutex<Vec<Connection>>,
}

/// More would only wait for the same disk.
const READERS: usize = 4;

impl SqliteStore {
    /// Opens the database, or makes it. Its directory has to exist.
    ///
    /// It does so where it is called: blocking, but briefly.
    ///
    /// ```
    /// use oauth2_proto_stores::SqliteStore;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("logins.sqlite");
    /// let store = SqliteStore::open(path)?.with_observer(|error| eprintln!("{error}"));
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file is not its owner's alone or can't be made, when it is no database, is one of
    /// something else or of a newer version, or is locked for too long.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SqliteError> {
        let path = path.as_ref();
        let named = |error: io::Error| SqliteError::File(private::about(path, &error));
        let versions = Versions::new().map_err(|error| named(error.into()))?;
        // The program may change its working directory.
        let path = std::path::absolute(path).map_err(named)?;
        let writer = Connection::open(&path, Patience::new(PATIENCE))?;
        let writer = Arc::new(async_lock::Mutex::new(Some(writer)));
        let readers = Arc::new(Semaphore::new(READERS));
        let shared = Arc::new(Shared { path, versions, writer, readers, idle: Mutex::default() });
        Ok(Self { shared, patience: PATIENCE, observer: Observer::default() })
    }

    /// Waits this long (5 s unless told) for another process that writes, before a swap ends with
    /// [`Unknown`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Shows errors to `observer`, such as to log that the disk is full: the agent only hears that
    /// the outcome is unknown. They hold no secrets.
    ///
    /// It is called in a thread that may block.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(&SqliteError) + Send + Sync + 'static) -> Self {
        Self { observer: Observer::new(observer), ..self }
    }
}

impl Store for SqliteStore {
    type Loading = Pin<Box<dyn Future<Output = Result<Option<(Version, Record)>, Unknown>> + Send>>;
    type Swapping = Pin<Box<dyn Future<Output = Result<Swapped, Unknown>> + Send>>;

    fn load(&self, key: &str) -> Self::Loading {
        let (Self { shared, patience, observer }, key) = (self.clone(), key.to_owned());
        Box::pin(async move {
            let patience = Patience::new(patience);
            let turn = shared.readers.acquire_arc().await;
            let read = move || {
                let login = shared.login(&key, patience);
                drop(turn);
                login.map_err(|error| observer.hear(&error))
            };
            blocking::unblock(read).await
        })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let (Self { shared, patience, observer }, key) = (self.clone(), key.to_owned());
        Box::pin(async move {
            let patience = Patience::new(patience);
            // Kept until it is done, also when nobody waits for that any longer.
            let mut writer = shared.writer.lock_arc().await;
            let write = move || {
                let swapped = shared.swap(&mut writer, &key, expected, new.as_ref(), patience);
                drop(writer);
                swapped.map_err(|error| observer.hear(&error))
            };
            blocking::unblock(write).await
        })
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// A connection on which something has failed is not used again.
impl Shared {
    fn login(
        &self,
        key: &str,
        patience: Patience,
    ) -> Result<Option<(Version, Record)>, SqliteError> {
        let idle = self.idle().pop();
        let reader = self.connection(idle, patience)?;
        let login = reader.login(key)?;
        self.idle().push(reader);
        Ok(login)
    }

    fn swap(
        &self,
        writer: &mut Option<Connection>,
        key: &str,
        expected: Option<Version>,
        new: Option<&Record>,
        patience: Patience,
    ) -> Result<Swapped, SqliteError> {
        let connection = self.connection(writer.take(), patience)?;
        let version = self.versions.next();
        let stored = connection.swap(key, expected, new, version)?;
        *writer = Some(connection);
        Ok(if stored { Swapped::Stored(version) } else { Swapped::Conflict })
    }

    fn connection(
        &self,
        idle: Option<Connection>,
        patience: Patience,
    ) -> Result<Connection, SqliteError> {
        match idle {
            Some(connection) => connection.renewed(&self.path, patience),
            None => Connection::open(&self.path, patience),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
