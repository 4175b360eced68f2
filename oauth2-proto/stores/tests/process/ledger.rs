//! What was acknowledged, by whom, and what that says about what is stored.

use std::collections::{BTreeMap, BTreeSet};

use oauth2_proto::Version;

/// All writes of all processes that have been acknowledged. Every write adds one to the stored
/// count, so each count is one write, if none is lost.
#[derive(Default)]
pub(super) struct Ledger {
    /// Under which version.
    acknowledged: BTreeMap<u64, u128>,
    versions: BTreeSet<u128>,
    /// Each killed process may have made one write that it could not acknowledge.
    killed: u64,
    /// Each of these may have happened.
    unknown: u64,
}

/// What a process tells that has not been told what became of a write.
pub(super) const UNKNOWN: &str = "unknown";

impl Ledger {
    pub(super) fn acknowledge(&mut self, told: &str) {
        if told == UNKNOWN {
            self.unknown += 1;
            return;
        }
        let (count, version) = told.split_once(' ').unwrap();
        let (count, version) = (count.parse().unwrap(), version.parse().unwrap());
        let other = self.acknowledged.insert(count, version);
        assert_eq!(other, None, "two processes were told that they have made count {count}");
        assert!(self.versions.insert(version), "version {version} came back");
    }

    pub(super) fn kill(&mut self) {
        self.killed += 1;
    }

    /// Compares what is stored with what was acknowledged.
    pub(super) fn check(&self, version: Option<Version>, record: &[u8]) {
        let Count(count) = Count::read(record);
        let newest = self.acknowledged.keys().next_back().copied().unwrap_or_default();
        assert!(count >= newest, "{newest} was acknowledged, and {count} is stored");
        let silent = count - u64::try_from(self.acknowledged.len()).unwrap();
        assert!(silent <= self.killed + self.unknown, "{silent} more; {}", self.summary());
        if let Some(acknowledged) = self.acknowledged.get(&count) {
            assert_eq!(version.map(Version::number), Some(*acknowledged));
        }
    }

    pub(super) fn summary(&self) -> String {
        let (killed, acknowledged, unknown) = (self.killed, self.acknowledged.len(), self.unknown);
        format!("{killed} killed, {acknowledged} writes acknowledged, {unknown} unknown")
    }
}

/// What is counted, in a record whose every byte depends on it.
#[derive(Clone, Copy, Default)]
pub(super) struct Count(u64);

impl Count {
    pub(super) fn next(self) -> Self {
        Self(self.0 + 1)
    }

    pub(super) fn record(self) -> Vec<u8> {
        let mut record = self.0.to_le_bytes().to_vec();
        let filler = (0..self.0 * 7919 % 20_000).map(|n| (self.0 + n) % 251);
        record.extend(filler.map(|byte| u8::try_from(byte).unwrap()));
        record
    }

    /// Zero where nothing is stored yet.
    pub(super) fn read(record: &[u8]) -> Self {
        let Some((count, _)) = record.split_first_chunk() else {
            assert!(record.is_empty(), "torn");
            return Self(0);
        };
        let count = Self(u64::from_le_bytes(*count));
        assert!(record == count.record(), "torn");
        count
    }

    pub(super) fn told(self, version: Version) -> String {
        format!("{} {}", self.0, version.number())
    }
}
