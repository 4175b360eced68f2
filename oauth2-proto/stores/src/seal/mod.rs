//! Logins that whoever reads the database cannot read.
//!
//! [`Sealed`] wraps any store and encrypts what is kept in it with a key that the database does not
//! have: XChaCha20-Poly1305, an authenticated cipher, with a random nonce for every write. Each
//! record is bound to its purpose and to the key of its login.
//!
//! # What it protects, and what it does not
//!
//! Against whoever gets hold of the database, a backup or a replica of it, but not of the program's
//! memory or configuration, where the sealing key is:
//!
//! - **Reading.** No token can be read. What can be seen: the keys of the logins, the length of each
//!   record, when it changes, and the id of the sealing key.
//! - **Changing.** A record that was changed, moved to another login, or written without the key is
//!   not used: its login is [unreadable](oauth2_proto::agent::Unreadable) until somebody logs in
//!   anew.
//! - **Rolling back is not prevented.** Who can write can put back an older record of the *same*
//!   login, or delete it. A login that was signed out can come back so, with tokens that were
//!   revoked then; where the server could revoke none, they still work. An old refresh token that is
//!   used again ends the login at servers that detect reuse.
//!
//! # Example
//! ```
//! use oauth2_proto_stores::MemoryStore;
//! use oauth2_proto_stores::seal::{Sealed, SealingKey, SealingKeys};
//!
//! // Made once by `openssl rand -base64 32`, and kept where secrets are.
//! let current = SealingKey::from_base64("CcUgbbe6l2V0bEkk5SySQ5GfRVCTLLCG5yMEy2bMWpI=")?;
//! let former = SealingKey::from_base64("w4x8AzqaGX0X0hVQ1F7Vx1S3n3hCWZyTiNkJvSlAHIE=")?;
//! let keys = SealingKeys::new(2, current).with_opening(1, former)?;
//! let store = Sealed::new(MemoryStore::new(), keys)
//!     .with_observer(|error| eprintln!("a login cannot be opened: {error}"));
//! # let _ = store;
//! # Ok::<(), oauth2_proto_stores::seal::KeyError>(())
//! ```

mod envelope;
mod key;
mod opening;

use core::fmt;
use std::sync::Arc;

pub use envelope::SealError;
pub(crate) use envelope::{open, seal};
pub use key::{KeyError, SealingKey, SealingKeys};
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Unknown, Version};
pub use opening::{Opening, Sealing};

use crate::observer::Observer;

/// A store in which another one keeps its logins sealed. Clones share it, as far as clones of the
/// other one do.
///
/// A record that cannot be opened is given as an empty one, which is no login: an agent refuses to
/// go on with it, deletes nothing, and replaces it by the next login. So a key that was left out by
/// mistake costs no login. See the [module](self) for what this protects.
#[derive(Clone)]
pub struct Sealed<S> {
    store: S,
    seal: Seal,
}

/// What opens and seals the records of one store.
#[derive(Clone)]
struct Seal {
    keys: SealingKeys,
    purpose: Arc<str>,
    accepts_unsealed: bool,
    observer: Observer<SealError>,
}

impl<S> Sealed<S> {
    /// Keeps logins in `store`, sealed with these keys.
    #[must_use]
    pub fn new(store: S, keys: SealingKeys) -> Self {
        let (purpose, observer) = (Arc::from(""), Observer::default());
        Self { store, seal: Seal { keys, purpose, accepts_unsealed: false, observer } }
    }

    /// Says what the logins of this store are for, where several stores have the same keys: a record
    /// cannot be moved from one to another. It is part of the seal: what was sealed with another
    /// purpose does not open.
    #[must_use]
    pub fn with_purpose(mut self, purpose: impl Into<Arc<str>>) -> Self {
        self.seal.purpose = purpose.into();
        self
    }

    /// Shows to `observer` why a record could not be opened or sealed: the agent only hears that the
    /// login is unreadable, or the outcome unknown. There are no secrets in it.
    #[must_use]
    pub fn with_observer(mut self, observer: impl Fn(&SealError) + Send + Sync + 'static) -> Self {
        self.seal.observer = Observer::new(observer);
        self
    }

    /// Also reads records that are not sealed, for as long as a store holds such from before: each
    /// is sealed when it is next written. The [observer](Self::with_observer) hears of each, as
    /// [`SealError::NotSealed`]; when it hears of no more, take this out.
    ///
    /// **Until then who can write to the database can put a login of their own in place of another's**:
    /// nothing tells that it was not there before.
    #[must_use]
    pub const fn dangerous_accept_unsealed(mut self) -> Self {
        self.seal.accepts_unsealed = true;
        self
    }
}

impl<S: Store> Store for Sealed<S> {
    type Loading = Opening<S::Loading>;
    type Swapping = Sealing<S::Swapping>;

    fn load(&self, key: &str) -> Self::Loading {
        Opening::new(self.store.load(key), self.seal.clone(), key)
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        let sealed = new.map(|record| self.seal.seal(key, &record)).transpose();
        Sealing::new(sealed.map(|new| self.store.swap(key, expected, new)))
    }
}

impl Seal {
    fn seal(&self, key: &str, record: &Record) -> Result<Record, Unknown> {
        seal(&self.keys, &self.context(key), record.as_bytes())
            .map(Record::new)
            .map_err(|error| self.observer.hear(&error))
    }

    fn open(&self, key: &str, record: Record) -> Record {
        open(&self.keys, &self.context(key), record.as_bytes()).map(Record::new).unwrap_or_else(
            |error| {
                self.observer.hear(&error);
                let is_accepted = self.accepts_unsealed && error == SealError::NotSealed;
                // Never as it is: who can write to the database could write a login.
                if is_accepted { record } else { Record::new([]) }
            },
        )
    }

    fn context<'a>(&'a self, key: &'a str) -> [&'a str; 3] {
        ["oauth2-proto login", &self.purpose, key]
    }
}

impl<S: fmt::Debug> fmt::Debug for Sealed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("store", &self.store)
            .field("keys", &self.seal.keys)
            .finish_non_exhaustive()
    }
}
