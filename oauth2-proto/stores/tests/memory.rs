//! The store in memory.

mod conformance;

use conformance::{Engine, conformance};
use oauth2_proto_stores::MemoryStore;

struct Memory(MemoryStore);

impl Engine for Memory {
    type Store = MemoryStore;

    async fn create() -> Self {
        Self(MemoryStore::new())
    }

    async fn open(&self) -> MemoryStore {
        self.0.clone()
    }
}

conformance!(Memory);
