//! Why a database could not be used.

use core::error::Error;
use core::fmt;
use std::io;

/// Why an SQLite database did not do what it was asked to. No record is in it.
#[derive(Debug)]
#[non_exhaustive]
pub enum SqliteError {
    /// Its file can't be used, such as because others may read it. The message names the file and
    /// says what to do.
    File(io::Error),
    /// It is a database of something else.
    Foreign,
    /// A newer version of this crate has made it.
    Newer,
    /// SQLite's own error: that another process has it locked, that the disk is full, that this is
    /// no database.
    Sqlite(rusqlite::Error),
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(error) => error.fmt(f),
            Self::Foreign => f.write_str("this is a database of something else: name another file"),
            Self::Newer => f.write_str("a newer version of this program has made this database"),
            Self::Sqlite(error) => write!(f, "SQLite: {error}"),
        }
    }
}

impl Error for SqliteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::File(error) => error.source(),
            Self::Sqlite(error) => error.source(),
            Self::Foreign | Self::Newer => None,
        }
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}
