//! Versions that never come back.

use core::sync::atomic::{AtomicU64, Ordering};

use oauth2_proto::Version;
use rand::TryRng;
use rand::rngs::{SysError, SysRng};

/// Numbers for the writes of one process: a random epoch, and a count. Neither another process nor a
/// later run of this one draws the same epoch, so no key sees a version twice, not even after it was
/// deleted and made again.
#[derive(Debug)]
pub(crate) struct Versions {
    epoch: u64,
    writes: AtomicU64,
}

impl Versions {
    pub(crate) fn new() -> Result<Self, SysError> {
        Ok(Self { epoch: SysRng.try_next_u64()?, writes: AtomicU64::new(0) })
    }

    pub(crate) fn next(&self) -> Version {
        let write = self.writes.fetch_add(1, Ordering::Relaxed);
        Version::new((u128::from(self.epoch) << 64) | u128::from(write))
    }
}
