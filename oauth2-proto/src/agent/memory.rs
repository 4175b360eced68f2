//! A store for logins that live as long as the program.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;
use core::future::{Ready, ready};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Record, Store};
use crate::coordinator::{Swapped, Unknown, Version};

/// Keeps logins in memory, in the same format in which a database would keep them. Clones share
/// them.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    /// Counts every write of every key, so that no version ever comes back.
    writes: u128,
    logins: BTreeMap<String, (Version, Record)>,
}

impl MemoryStore {
    /// A store without logins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self, key: &str) -> Option<(Version, Record)> {
        self.entries().logins.get(key).cloned()
    }

    fn write(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Swapped {
        let mut entries = self.entries();
        if entries.logins.get(key).map(|(version, _)| *version) != expected {
            return Swapped::Conflict;
        }
        entries.writes = entries.writes.wrapping_add(1);
        let version = Version::new(entries.writes);
        match new {
            Some(record) => drop(entries.logins.insert(key.into(), (version, record))),
            None => drop(entries.logins.remove(key)),
        }
        Swapped::Stored(version)
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store for MemoryStore {
    type Loading = Ready<Result<Option<(Version, Record)>, Unknown>>;
    type Swapping = Ready<Result<Swapped, Unknown>>;

    fn load(&self, key: &str) -> Self::Loading {
        ready(Ok(self.read(key)))
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        ready(Ok(self.write(key, expected, new)))
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(..)")
    }
}
