//! Logins in a file that only its owner can read.
//!
//! The file is replaced as a whole, so that it is never half-written: not by ctrl-C, not by a crash,
//! not by a full disk. Processes that share it take turns with an advisory lock beside it.

use core::pin::Pin;
use core::sync::atomic::{AtomicU64, Ordering};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oauth2_proto::agent::Store;
use oauth2_proto::{State, Swapped, Unknown, Version};
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use zeroize::Zeroizing;

/// A [`Store`] in one file. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct FileStore(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    lock: PathBuf,
    /// Versions never come back, because each process counts in an epoch of its own.
    epoch: u64,
    writes: AtomicU64,
}

#[derive(Serialize, Deserialize)]
struct Entry {
    epoch: u64,
    write: u64,
    login: Box<RawValue>,
}

impl Entry {
    fn version(&self) -> Version {
        version(self.epoch, self.write)
    }
}

fn version(epoch: u64, write: u64) -> Version {
    Version::new((u128::from(epoch) << 64) | u128::from(write))
}

impl FileStore {
    /// Opens the file, or prepares to make it.
    ///
    /// # Errors
    /// When it is not readable, holds something else, or can be read by others.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut lock = path.as_os_str().to_owned();
        lock.push(".lock");
        let shared = Shared {
            path: path.to_owned(),
            lock: lock.into(),
            epoch: rand::random(),
            writes: AtomicU64::new(0),
        };
        match shared.read() {
            Ok(_) => Ok(Self(Arc::new(shared))),
            Err(error) => Err(io::Error::new(error.kind(), format!("{}: {error}", path.display()))),
        }
    }

    /// Does file work where it delays nobody; says why it failed.
    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&Shared) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Unknown> {
        let done = tokio::task::spawn_blocking(move || {
            work(&self.0).inspect_err(|error| eprintln!("{}: {error}", self.0.path.display()))
        });
        done.await.map_err(|_| Unknown)?.map_err(|_| Unknown)
    }
}

impl Store for FileStore {
    type Loading = Pin<Box<dyn Future<Output = Result<Option<(Version, State)>, Unknown>> + Send>>;
    type Swapping = Pin<Box<dyn Future<Output = Result<Swapped, Unknown>> + Send>>;

    fn load(&self, key: &str) -> Self::Loading {
        let key = key.to_owned();
        Box::pin(self.clone().work(move |shared| {
            let Some(entry) = shared.read()?.remove(&key) else { return Ok(None) };
            Ok(Some((entry.version(), parse(entry.login.get())?)))
        }))
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<&State>) -> Self::Swapping {
        let key = key.to_owned();
        let new = new.map(to_raw_value).transpose();
        Box::pin(self.clone().work(move |shared| shared.swap(key, expected, new?)))
    }
}

impl Shared {
    fn swap(
        &self,
        key: String,
        expected: Option<Version>,
        new: Option<Box<RawValue>>,
    ) -> io::Result<Swapped> {
        // Held until the end of this function. The file itself is replaced, and so can't be it.
        let lock = private().create(true).truncate(false).open(&self.lock)?;
        fs4::FileExt::lock(&lock)?;

        let mut entries = self.read()?;
        if entries.get(&key).map(Entry::version) != expected {
            return Ok(Swapped::Conflict);
        }
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        match new {
            Some(login) => drop(entries.insert(key, Entry { epoch: self.epoch, write, login })),
            None => drop(entries.remove(&key)),
        }
        self.write(&entries)?;
        Ok(Swapped::Stored(version(self.epoch, write)))
    }

    fn read(&self) -> io::Result<BTreeMap<String, Entry>> {
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(error),
        };
        refuse_what_others_can_read(&file.metadata()?)?;
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text)?;
        parse(&text)
    }

    fn write(&self, entries: &BTreeMap<String, Entry>) -> io::Result<()> {
        let text = Zeroizing::new(serde_json::to_vec(entries)?);
        let directory = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        // Made with permissions for the owner only; renaming is what replaces a file atomically,
        // and works within a directory.
        let mut file = tempfile::Builder::new().prefix(".login-").tempfile_in(directory)?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        file.persist(&self.path)?;
        if cfg!(unix) { File::open(directory)?.sync_all() } else { Ok(()) }
    }
}

/// Reads JSON without quoting it where it is wrong: it may hold secrets.
fn parse<'t, T: Deserialize<'t>>(text: &'t str) -> io::Result<T> {
    serde_json::from_str(text).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidData, "this is not a file of logins; name another")
    })
}

#[cfg(unix)]
fn private() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600);
    options
}

#[cfg(unix)]
fn refuse_what_others_can_read(metadata: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if metadata.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    let why = "others may read or change this file, so its login is not used: delete the file, \
               or, if you know who could read it, make it your own with chmod 600";
    Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
}

/// On other systems a file has the permissions of its directory: use one of your own.
#[cfg(not(unix))]
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    options
}

#[cfg(not(unix))]
fn refuse_what_others_can_read(_: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
