//! Where logins and sessions are kept: in a file of this machine, or in the Redis of all instances.

use core::time::Duration;

use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Secret, Version};
use oauth2_proto_stores::seal::{Sealed, SealingKey, SealingKeys};
use oauth2_proto_stores::{RedisStore, SqliteStore};
use tempfile::TempDir;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::session;

/// One of two databases. A program that has decided on one uses that store as it is.
#[derive(Clone, Debug)]
pub(crate) enum Database {
    Sqlite(SqliteStore),
    Redis(RedisStore),
}

impl Database {
    /// Where logins are kept, and where sessions are.
    ///
    /// Both sealed: who gets hold of the database can neither use tokens nor sign in as somebody.
    pub(crate) fn open(
        arguments: &Arguments,
        temporary: &TempDir,
        keys: &SealingKeys,
    ) -> Outcome<[Sealed<Self>; 2]> {
        let [logins, sessions] = match &arguments.redis {
            Some(url) => {
                let open = |what: &str, expiry| {
                    let store = RedisStore::open(url)?.with_prefix(&format!("web:{what}:"));
                    let store = store.with_observer(|error| eprintln!("Redis: {error}"));
                    Outcome::Ok(Self::Redis(store.with_expiry(expiry)))
                };
                [open("login", LOGIN_EXPIRY)?, open("session", session::LIFETIME)?]
            }
            None => {
                let temporary = temporary.path().join("web.sqlite");
                let store = SqliteStore::open(arguments.store.as_ref().unwrap_or(&temporary))?;
                let store = Self::Sqlite(store.with_observer(|error| eprintln!("SQLite: {error}")));
                [store.clone(), store]
            }
        };
        let seal = |store, purpose| {
            let sealed = Sealed::new(store, keys.clone()).with_purpose(purpose);
            sealed.with_observer(|error| eprintln!("seal: {error}"))
        };
        Ok([seal(logins, "login"), seal(sessions, "session")])
    }
}

/// The keys that the instances share, or one that ends with this program.
pub(crate) fn keys(arguments: &Arguments) -> Outcome<SealingKeys> {
    let key = match &arguments.key_file {
        Some(path) => {
            SealingKey::from_base64(Secret::new(std::fs::read_to_string(path)?).expose())?
        }
        None => SealingKey::generate()?,
    };
    Ok(SealingKeys::new(1, key))
}

/// After so long without use, a login is forgotten.
const LOGIN_EXPIRY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

impl Store for Database {
    type Loading = <RedisStore as Store>::Loading;
    type Swapping = <RedisStore as Store>::Swapping;

    fn load(&self, key: &str) -> Self::Loading {
        match self {
            Self::Sqlite(store) => store.load(key),
            Self::Redis(store) => store.load(key),
        }
    }

    fn swap(&self, key: &str, expected: Option<Version>, new: Option<Record>) -> Self::Swapping {
        match self {
            Self::Sqlite(store) => store.swap(key, expected, new),
            Self::Redis(store) => store.swap(key, expected, new),
        }
    }
}
