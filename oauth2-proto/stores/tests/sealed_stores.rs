//! Stores that are sealed promise what all stores promise.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod conformance;

use conformance::{Engine, conformance};
use oauth2_proto_stores::seal::{Sealed, SealingKey, SealingKeys};
use oauth2_proto_stores::{FileStore, MemoryStore};
use tempfile::TempDir;

fn keys() -> SealingKeys {
    SealingKeys::new(1, SealingKey::new([1; 32]))
}

struct InMemory(MemoryStore);

impl Engine for InMemory {
    type Store = Sealed<MemoryStore>;

    async fn create() -> Self {
        Self(MemoryStore::new())
    }

    async fn open(&self) -> Self::Store {
        Sealed::new(self.0.clone(), keys())
    }
}

struct InFile(TempDir);

impl Engine for InFile {
    type Store = Sealed<FileStore>;

    async fn create() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    async fn open(&self) -> Self::Store {
        let store = FileStore::open(self.0.path().join("logins"));
        Sealed::new(store.unwrap(), keys())
    }
}

mod in_memory {
    use super::{Engine, InMemory, conformance};

    conformance!(InMemory);
}

mod in_file {
    use super::{Engine, InFile, conformance};

    conformance!(InFile);
}
