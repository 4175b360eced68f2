//! Logins in a file that only its owner can read.
//!
//! The file is replaced as a whole, so that it is never half-written: not by ctrl-C, not by a crash,
//! not by a full disk. Processes that share it take turns with an advisory lock beside it.

mod document;
mod guard;
mod lock;

use core::fmt;
use core::pin::Pin;
use core::time::Duration;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use document::{Document, encoded};
use lock::Lock;
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Unknown, Version};
use zeroize::Zeroizing;

use crate::observer::Observer;
use crate::patience::{PATIENCE, Patience};
use crate::private;
use crate::versions::Versions;

/// Keeps the logins of one person, or of a few, in one file. Clones share it, and so may other
/// processes.
///
/// For command-line tools and desktop programs. Every swap writes the whole file and waits until
/// the disk has it, and every load reads the whole file: for many logins, use SQLite
/// (`SqliteStore`, feature `sqlite`).
///
/// - **Never half-written.** The new file is written beside the old one, then takes its place; a
///   crash leaves the one or the other. Once a swap has succeeded, it outlasts a loss of power.
/// - **Its owner's alone.** File and lock are made with mode 0600. A file that others may read or
///   write, that belongs to another user, or that is a symbolic link is refused, at every use. The
///   directory should be its owner's alone, too: who can write there can delete the logins. On
///   other systems than Unix, files have the permissions of their directory.
/// - **Shared.** Processes take turns by an advisory lock in a file with `.lock` at the end of its
///   name, which stays there. It is good on a local file system; on a network, use a database.
/// - **Plain.** What is stored is as confidential as a password, and not encrypted.
///
/// It works under any async runtime: what blocks happens in the threads of the crate `blocking`.
/// A swap that is dropped before it is done happens, or does not.
#[derive(Clone)]
pub struct FileStore {
    shared: Arc<Shared>,
    patience: Duration,
    observer: Observer<io::Error>,
}

struct Shared {
    path: PathBuf,
    lock: PathBuf,
    /// How the name of a new file begins that is about to be renamed.
    prefix: OsString,
    versions: Versions,
    /// Swaps of this process wait here, where that takes no thread.
    turn: Arc<async_lock::Mutex<()>>,
}

impl FileStore {
    /// Opens the file, or prepares to make it at the first swap. Its directory has to exist.
    ///
    /// It reads the file where it is called: blocking, but briefly.
    ///
    /// ```
    /// use oauth2_proto_stores::FileStore;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("logins.json");
    /// let store = FileStore::open(path)?.with_observer(|error| eprintln!("{error}"));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// When it can't be read ([`NotFound`](io::ErrorKind::NotFound): there is no such directory),
    /// is not its owner's alone ([`PermissionDenied`](io::ErrorKind::PermissionDenied)), or holds
    /// something else ([`InvalidData`](io::ErrorKind::InvalidData)). The message names the file,
    /// says what to do, and quotes nothing.
    pub fn open(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        let shared = Shared::new(path).map_err(|error| private::about(path, &error))?;
        // Others must see the logins as this process does, or not at all.
        shared.login("")?;
        shared.sweep()?;
        let observer = Observer::default();
        Ok(Self { shared: Arc::new(shared), patience: PATIENCE, observer })
    }

    /// Waits this long (5 s unless told) for another process that replaces the file, before a swap
    /// ends with [`Unknown`].
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Shows errors to `observer`, such as to log that the disk is full: the agent only hears that
    /// the outcome is unknown. They name the file, and hold no secrets.
    ///
    /// It is called in a thread that may block.
    #[must_use]
    pub fn with_observer(self, observer: impl Fn(&io::Error) + Send + Sync + 'static) -> Self {
        Self { observer: Observer::new(observer), ..self }
    }
}

impl Store for FileStore {
    type Loading = Pin<Box<dyn Future<Output = Result<Option<(Version, Record)>, Unknown>> + Send>>;
    type Swapping = Pin<Box<dyn Future<Output = Result<Swapped, Unknown>> + Send>>;

    fn load(&self, key: &str) -> Self::Loading {
        let (Self { shared, observer, .. }, key) = (self.clone(), key.to_owned());
        let read = move || shared.login(&key).map_err(|error| observer.hear(&error));
        Box::pin(async { blocking::unblock(read).await })
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let (Self { shared, patience, observer }, key) = (self.clone(), key.to_owned());
        Box::pin(async move {
            let patience = Patience::new(patience);
            let turn = shared.turn.lock_arc().await;
            let write = move || {
                // Kept until it is done, also when nobody waits for that any longer.
                let _turn = turn;
                let swapped = shared.swap(key, expected, new.as_ref(), patience);
                swapped.map_err(|error| observer.hear(&error))
            };
            blocking::unblock(write).await
        })
    }
}

impl fmt::Debug for FileStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileStore").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

impl Shared {
    fn new(path: &Path) -> io::Result<Self> {
        // The program may change its working directory.
        let path = std::path::absolute(path)?;
        let Some(name) = path.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "this names no file"));
        };
        let [mut lock, mut prefix] = [name.to_owned(), OsString::from(".")];
        lock.push(".lock");
        prefix.push(name);
        prefix.push(".");
        let (lock, versions) = (path.with_file_name(lock), Versions::new()?);
        Ok(Self { path, lock, prefix, versions, turn: Arc::default() })
    }

    fn login(&self, key: &str) -> io::Result<Option<(Version, Record)>> {
        let login = || match self.read()? {
            Some(text) => Document::parse(&text)?.login(key),
            None => Ok(None),
        };
        login().map_err(|error| private::about(&self.path, &error))
    }

    fn swap(
        &self,
        key: String,
        expected: Option<Version>,
        new: Option<&Record>,
        patience: Patience,
    ) -> io::Result<Swapped> {
        // The file itself is replaced, and so can't be the lock.
        let lock = Lock::acquire(&self.lock, patience);
        let lock = lock.map_err(|error| private::about(&self.lock, &error))?;
        let swap = || self.replace(key, expected, new, &lock);
        swap().map_err(|error| private::about(&self.path, &error))
    }

    fn replace(
        &self,
        key: String,
        expected: Option<Version>,
        new: Option<&Record>,
        lock: &Lock<'_>,
    ) -> io::Result<Swapped> {
        let (text, record) = (self.read()?, new.map(encoded));
        let mut document = match &text {
            Some(text) => Document::parse(text)?,
            None => Document::empty(),
        };
        if document.version(&key)? != expected {
            return Ok(Swapped::Conflict);
        }
        let version = self.versions.next();
        match (&record, expected) {
            (Some(record), _) => document.put(key, version, record),
            (None, Some(_)) => document.remove(&key),
            (None, None) => return Ok(Swapped::Stored(version)),
        }
        self.write(&document.to_text()?, lock)?;
        Ok(Swapped::Stored(version))
    }

    fn read(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        let file = match guard::open(&self.path, OpenOptions::new().read(true)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let size = file.metadata()?.len();
        refuse_size(size)?;
        // Text that outgrew its memory would leave a copy behind that nobody wipes.
        let capacity = usize::try_from(size).unwrap_or_default().saturating_add(1);
        let mut text = Zeroizing::new(Vec::with_capacity(capacity));
        file.take(SIZE_LIMIT).read_to_end(&mut text)?;
        Ok(Some(text))
    }

    fn write(&self, text: &[u8], lock: &Lock<'_>) -> io::Result<()> {
        refuse_size(u64::try_from(text.len()).unwrap_or(u64::MAX))?;
        let directory = self.directory();
        // Made with permissions for the owner only; renaming is what replaces a file atomically,
        // and works within a directory.
        let mut file = tempfile::Builder::new()
            .prefix(&self.prefix)
            .rand_bytes(RANDOM)
            .suffix(SUFFIX)
            .tempfile_in(directory)?;
        file.write_all(text)?;
        file.as_file().sync_all()?;
        if !lock.is_held()? {
            let why = "its lock was deleted meanwhile, so nothing has been written";
            return Err(io::Error::new(io::ErrorKind::ResourceBusy, why));
        }
        file.persist(&self.path)?;
        private::sync(directory)
    }

    /// Deletes what writers left that were killed: it holds logins. Who can't be locked out is
    /// writing, and cleans up after itself.
    fn sweep(&self) -> io::Result<()> {
        let sweep = || {
            let left = self.left()?;
            let lock = if left.is_empty() { None } else { Lock::try_acquire(&self.lock)? };
            if lock.is_none() {
                return Ok(());
            }
            left.iter().try_for_each(|path| match fs::remove_file(path) {
                // It has taken its place since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                removed => removed,
            })
        };
        sweep().map_err(|error| private::about(self.directory(), &error))
    }

    /// What writers left, or are about to rename.
    fn left(&self) -> io::Result<Vec<PathBuf>> {
        let mut left = Vec::new();
        for entry in self.directory().read_dir()? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.as_encoded_bytes().strip_prefix(self.prefix.as_encoded_bytes());
            let random = name.and_then(|name| name.strip_suffix(SUFFIX.as_bytes()));
            if random.is_some_and(|random| random.len() == RANDOM) {
                left.push(entry.path());
            }
        }
        Ok(left)
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// How many random characters follow, and what ends the name.
const RANDOM: usize = 12;
const SUFFIX: &str = ".new";

/// Neither read nor written: whatever is as large as this is no file of a few logins.
const SIZE_LIMIT: u64 = 64 * 1024 * 1024;

fn refuse_size(size: u64) -> io::Result<()> {
    if size < SIZE_LIMIT {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "this is too large for a file of logins"))
}
