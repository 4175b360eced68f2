//! A store for logins that live as long as the program.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::fmt;
use core::future::{Ready, ready};
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use super::Store;
use crate::coordinator::{Swapped, Unknown, Version};
use crate::machine::State;

/// Keeps logins in memory, in the same format in which a database would keep them.
#[derive(Default)]
pub struct MemoryStore(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// Counts every write of every key, so that no version ever comes back.
    writes: u128,
    states: BTreeMap<String, (Version, Zeroizing<String>)>,
}

impl MemoryStore {
    /// A store without logins.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self, key: &str) -> Result<Option<(Version, State)>, Unknown> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((version, text)) = entries.states.get(key) else { return Ok(None) };
        Ok(Some((*version, serde_json::from_str(text).map_err(|_| Unknown)?)))
    }

    fn write(
        &self,
        key: &str,
        expected: Option<Version>,
        new: Option<&State>,
    ) -> Result<Swapped, Unknown> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.states.get(key).map(|(version, _)| *version) != expected {
            return Ok(Swapped::Conflict);
        }
        entries.writes = entries.writes.wrapping_add(1);
        let version = Version::new(entries.writes);
        match new {
            Some(state) => {
                let text = serde_json::to_string(state).map_err(|_| Unknown)?;
                entries.states.insert(key.into(), (version, Zeroizing::new(text)));
            }
            None => drop(entries.states.remove(key)),
        }
        Ok(Swapped::Stored(version))
    }
}

impl Store for MemoryStore {
    type Loading = Ready<Result<Option<(Version, State)>, Unknown>>;
    type Swapping = Ready<Result<Swapped, Unknown>>;

    fn load(&self, key: &str) -> Self::Loading {
        ready(self.read(key))
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<&State>) -> Self::Swapping {
        ready(self.write(key, expected, new))
    }
}

impl<S: Store> Store for alloc::sync::Arc<S> {
    type Loading = S::Loading;
    type Swapping = S::Swapping;

    fn load(&self, key: &str) -> Self::Loading {
        S::load(self, key)
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<&State>) -> Self::Swapping {
        S::swap(self, key, expected, new)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore(..)")
    }
}
