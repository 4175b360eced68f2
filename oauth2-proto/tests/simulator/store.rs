//! A store that compares and swaps: for each write a version from a random epoch and a counter.

use std::rc::Rc;

use oauth2_proto::Version;

use super::dice::Dice;
use super::record::Record;

#[derive(Clone, Debug, Hash)]
pub(crate) struct Entry {
    pub(crate) version: u128,
    pub(crate) record: Rc<Record>,
}

#[derive(Clone, Debug, Hash)]
pub(crate) struct Store {
    pub(crate) entries: Vec<Option<Entry>>,
    epochs: Dice,
    /// A broken store: after a deletion it counts from 1 again.
    pub(crate) versions_come_back: bool,
    /// Until when it answers nobody.
    pub(crate) down_until: u64,
}

/// A swap that is on its way.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Swap {
    /// Whose it is: worker and start.
    pub(crate) by: (usize, u64),
    pub(crate) key: usize,
    pub(crate) expected: Option<u128>,
    pub(crate) record: Rc<Record>,
    pub(crate) lease: bool,
}

impl Store {
    pub(crate) fn new(keys: usize, seed: u64) -> Self {
        let entries = vec![None; keys];
        Self { entries, epochs: Dice::new(seed), versions_come_back: false, down_until: 0 }
    }

    pub(crate) fn version(&self, key: usize) -> Option<u128> {
        self.entries[key].as_ref().map(|entry| entry.version)
    }

    /// Whether this swap would be done now.
    pub(crate) fn takes(&self, swap: &Swap) -> bool {
        self.version(swap.key) == swap.expected
    }

    pub(crate) fn put(&mut self, key: usize, record: Rc<Record>) -> u128 {
        let version = match self.version(key) {
            Some(version) => version + 1,
            None if self.versions_come_back => 1,
            None => u128::from(self.epochs.next()) << 64,
        };
        self.entries[key] = Some(Entry { version, record });
        version
    }
}

pub(crate) const fn version(number: u128) -> Version {
    Version::new(number)
}
