//! One connection: how it is opened and what it demands of the file, and the statements.

use core::time::Duration;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use oauth2_proto::Version;
use oauth2_proto::agent::Record;
use rusqlite::{ErrorCode, OpenFlags, OptionalExtension, TransactionBehavior, params};

use super::SqliteError;
use crate::patience::Patience;
use crate::private;

pub(super) struct Connection {
    sqlite: rusqlite::Connection,
    file: Metadata,
}

/// What `PRAGMA application_id` says of a database of ours: "OA2p".
const APPLICATION: i64 = 0x4f41_3270;

/// What `PRAGMA user_version` says of `schema.sql`.
const SCHEMA: i64 = 1;

impl Connection {
    /// Opens the database, and makes it where there is none.
    pub(super) fn open(path: &Path, patience: Patience) -> Result<Self, SqliteError> {
        loop {
            match Self::try_open(path, patience) {
                // SQLite does not always wait by itself: where it would switch to WAL, it gives up
                // at once when another process does the same.
                Err(SqliteError::Sqlite(error))
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && !patience.left().is_zero() =>
                {
                    thread::sleep(PAUSE);
                }
                opened => return opened,
            }
        }
    }

    fn try_open(path: &Path, patience: Patience) -> Result<Self, SqliteError> {
        let file = file(path)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let sqlite = rusqlite::Connection::open_with_flags(path, flags)?;
        let mut connection = Self { sqlite, file };
        connection.be_patient(patience)?;
        connection.prepare()?;
        Ok(connection)
    }

    /// This connection, if its file is still the one at this path and its owner's alone.
    pub(super) fn renewed(self, path: &Path, patience: Patience) -> Result<Self, SqliteError> {
        // Written to a file that has been deleted, a login would be lost.
        let file = file(path)?;
        if !private::is_same(&file, &self.file) {
            drop(self);
            return Self::open(path, patience);
        }
        self.be_patient(patience)?;
        Ok(self)
    }

    fn be_patient(&self, patience: Patience) -> Result<(), SqliteError> {
        // SQLite counts milliseconds, up to 2³¹.
        Ok(self.sqlite.busy_timeout(patience.left().min(A_DAY))?)
    }

    fn prepare(&mut self) -> Result<(), SqliteError> {
        let sqlite = &mut self.sqlite;
        // Before anything is changed: it may be another program's.
        let is_new = is_new(&sqlite.transaction()?)?;
        // Who reads does not wait for who writes.
        sqlite.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // A swap that has succeeded outlasts a loss of power.
        sqlite.pragma_update(None, "synchronous", "FULL")?;
        // What is deleted or replaced is overwritten.
        sqlite.pragma_update_and_check(None, "secure_delete", "ON", |_| Ok(()))?;
        if is_new {
            let transaction = sqlite.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            if self::is_new(&transaction)? {
                transaction.execute_batch(include_str!("schema.sql"))?;
                transaction.pragma_update(None, "application_id", APPLICATION)?;
                transaction.pragma_update(None, "user_version", SCHEMA)?;
            }
            transaction.commit()?;
        }
        Ok(())
    }

    pub(super) fn login(&self, key: &str) -> Result<Option<(Version, Record)>, SqliteError> {
        let select = "SELECT version, record FROM login WHERE key = ?1";
        let login = self.sqlite.query_row(select, [key], |row| {
            let version = u128::from_be_bytes(row.get(0)?);
            Ok((Version::new(version), Record::new(row.get::<_, Vec<u8>>(1)?)))
        });
        Ok(login.optional()?)
    }

    /// Whether the version under the key was the expected one, and what is new is there now. One
    /// statement is one transaction.
    pub(super) fn swap(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&Record>,
        version: Version,
    ) -> Result<bool, SqliteError> {
        let version = version.number().to_be_bytes();
        let expected = expected.map(|expected| expected.number().to_be_bytes());
        let changed = match (expected, new.map(Record::as_bytes)) {
            (None, None) => return Ok(self.login(key)?.is_none()),
            (None, Some(new)) => self.sqlite.execute(
                "INSERT INTO login (key, version, record) VALUES (?1, ?2, ?3) \
                 ON CONFLICT (key) DO NOTHING",
                params![key, version, new],
            ),
            (Some(expected), Some(new)) => self.sqlite.execute(
                "UPDATE login SET version = ?2, record = ?3 WHERE key = ?1 AND version = ?4",
                params![key, version, new, expected],
            ),
            (Some(expected), None) => self.sqlite.execute(
                "DELETE FROM login WHERE key = ?1 AND version = ?2",
                params![key, expected],
            ),
        };
        Ok(changed? == 1)
    }
}

const PAUSE: Duration = Duration::from_millis(5);

const A_DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether there is nothing in it yet. Within a transaction, as another process may be about to make
/// it.
fn is_new(sqlite: &rusqlite::Transaction<'_>) -> Result<bool, SqliteError> {
    let number = |row: &rusqlite::Row<'_>| row.get::<_, i64>(0);
    let application = sqlite.pragma_query_value(None, "application_id", number)?;
    let schema = sqlite.pragma_query_value(None, "user_version", number)?;
    let tables = sqlite.query_row("SELECT count(*) FROM sqlite_schema", [], number)?;
    match (application, schema) {
        (APPLICATION, SCHEMA) => Ok(false),
        (APPLICATION, _) => Err(SqliteError::Newer),
        (0, 0) if tables == 0 => Ok(true),
        _ => Err(SqliteError::Foreign),
    }
}

/// The file of the database, which is made where there is none. SQLite gives the mode of this file
/// to those that it makes beside it.
fn file(path: &Path) -> Result<Metadata, SqliteError> {
    let find = |path: &Path| {
        let found = private::find(path);
        found.map_err(|error| SqliteError::File(private::about(path, &error)))
    };
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        find(&PathBuf::from(beside))?;
    }
    if find(path)?.is_none() {
        make(path).map_err(|error| SqliteError::File(private::about(path, &error)))?;
    }
    find(path)?.ok_or_else(|| {
        let error =
            io::Error::new(io::ErrorKind::NotFound, "it was deleted as soon as it was made");
        SqliteError::File(private::about(path, &error))
    })
}

/// Makes an empty file.
fn make(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(path);
    // It is closed before it gets its name: at that moment, nobody can have locked it yet.
    let file = tempfile::NamedTempFile::new_in(directory)?.into_temp_path();
    match file.persist_noclobber(path) {
        // Another process was faster.
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error.error),
        Ok(()) => private::sync(directory),
    }
}
