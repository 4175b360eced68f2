//! Where oauth2-proto's logins are kept: a [`Store`](oauth2_proto::agent::Store) for each place, of
//! which a program takes one.
//!
//! | store | feature | for | other processes | what it takes | what a swap outlasts |
//! |---|---|---|---|---|---|
//! | [`MemoryStore`] | | tests; logins that end with the program | none | nothing | nothing |
//! | `FileStore` | `file`, on by default | the login of a person: command-line tools, desktop programs | on this machine | one write of the whole file | a loss of power |
//! | `SqliteStore` | `sqlite` | many logins on one machine | on this machine | a C compiler; one write of a page or two | a loss of power |
//! | `RedisStore` | `redis` | many logins on many machines | on any machine | a server, tokio; one round trip | what that server is set up to outlast |
//! | `PostgresStore` | `postgres` | many logins on many machines | on any machine | a server, tokio; one round trip | a loss of power |
//!
//! All promise the same, and are put to the same tests: a swap happens as a whole, once, and only if
//! nobody else was faster; a version never comes back; keys and records may be any text and any
//! bytes. A store that cannot say what became of a swap says [`Unknown`](oauth2_proto::Unknown), and
//! shows the reason to its observer. Every wait for another process or a server has a bound.
//!
//! What is stored is as confidential as a password. `FileStore` and `SqliteStore` keep it from other
//! users of the machine; none of these stores encrypts it. `seal::Sealed` does, around any of them
//! (feature `seal`).
//!
//! A pending login of a web application can wait in the browser itself: `cookie::PendingLogins`
//! (feature `cookie`).
//!
//! # Example
#![cfg_attr(feature = "file", doc = "```no_run")]
#![cfg_attr(not(feature = "file"), doc = "```ignore")]
//! use std::sync::Arc;
//!
//! use oauth2_proto::agent::{Agent, Host, Store};
//! use oauth2_proto::{Client, Seed};
//! use oauth2_proto_stores::FileStore;
//!
//! type Outcome<T> = Result<T, Box<dyn core::error::Error>>;
//!
//! /// Alice's login, which outlives the program.
//! fn login(client: Client, host: impl Host) -> Outcome<Agent<impl Host, FileStore>> {
//!     let store = FileStore::open("logins.json")?.with_observer(|error| eprintln!("{error}"));
//!     let mut seed = Seed::new(&mut rand::rng())?;
//!     Ok(Agent::open(Arc::new(client), host, &mut seed, store.login("alice")))
//! }
//! ```

#[cfg(feature = "cookie")]
pub mod cookie;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod database;
#[cfg(feature = "file")]
mod file;
#[cfg(any(
    feature = "file",
    feature = "postgres",
    feature = "redis",
    feature = "seal",
    feature = "sqlite"
))]
mod observer;
#[cfg(any(feature = "file", feature = "sqlite"))]
mod patience;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "file", feature = "sqlite"))]
mod private;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "seal")]
pub mod seal;
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(any(feature = "file", feature = "postgres", feature = "redis", feature = "sqlite"))]
mod versions;

#[cfg(feature = "redis")]
pub use ::redis as redis_rs;
#[cfg(any(feature = "postgres", feature = "redis"))]
pub use database::DatabaseError;
#[cfg(feature = "postgres")]
pub use deadpool_postgres;
#[cfg(feature = "file")]
pub use file::FileStore;
pub use oauth2_proto::agent::MemoryStore;
#[cfg(feature = "sqlite")]
pub use rusqlite;

#[cfg(feature = "postgres")]
pub use self::postgres::PostgresStore;
#[cfg(feature = "redis")]
pub use self::redis::RedisStore;
#[cfg(feature = "sqlite")]
pub use self::sqlite::{SqliteError, SqliteStore};
