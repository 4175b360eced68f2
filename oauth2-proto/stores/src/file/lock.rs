//! Whose turn it is to replace the file.

use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread;

use fs4::{FileExt, TryLockError};

use super::guard;
use crate::patience::Patience;
use crate::private;

/// An advisory lock on a file that is never replaced. Dropping it, or dying, releases it.
#[derive(Debug)]
pub(super) struct Lock<'p> {
    path: &'p Path,
    file: File,
}

impl<'p> Lock<'p> {
    /// Tries until patience is over, at least once.
    pub(super) fn acquire(path: &'p Path, patience: Patience) -> io::Result<Self> {
        let mut pause = Duration::from_millis(1);
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(lock);
            }
            let left = patience.left();
            if left.is_zero() {
                return Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    "another process has held this lock all the time",
                ));
            }
            // Nothing can wait for a lock and stop waiting in time, so it is asked for again and
            // again; soon, because who has just released it may want it again at once.
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// `None` when another has it.
    pub(super) fn try_acquire(path: &'p Path) -> io::Result<Option<Self>> {
        let mut options = OpenOptions::new();
        let file = guard::open(path, options.write(true).create(true).truncate(false))?;
        match FileExt::try_lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let lock = Self { path, file };
        // Somebody may have removed the file between opening and locking it; others would then lock
        // another one.
        Ok(lock.is_held()?.then_some(lock))
    }

    /// Whether the file that others would lock is still this one.
    pub(super) fn is_held(&self) -> io::Result<bool> {
        let (held, found) = (self.file.metadata()?, private::find(self.path)?);
        Ok(found.is_some_and(|found| private::is_same(&held, &found)))
    }
}

const LONGEST_PAUSE: Duration = Duration::from_millis(16);
