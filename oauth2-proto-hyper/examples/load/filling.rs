//! Fills the store: logins that the machine itself has made, as if their users had been moved here
//! from another program.

use core::time::Duration;
use std::sync::Arc;
use std::time::Instant;

use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Client, State, Swapped, Timestamp, TokenRecord};
use oauth2_proto_stores::RedisStore;
use rand::rngs::SysRng;
use tokio::task::JoinSet;

use crate::Failure;
use crate::arguments::{Arguments, key};
use crate::mint::now;
use crate::server::AuthorizationServer;

/// So many are written at the same time.
const WRITERS: u32 = 128;

/// A login that the server knows.
struct Issued {
    login: u32,
    access: String,
    refresh: String,
    /// Milliseconds since the Unix epoch.
    at: u64,
}

/// Stores as many logins as are wanted. Of those that are used, every other one is at a server that
/// forgives a second use of a refresh token for a while.
pub(crate) async fn fill(
    arguments: Arguments,
    server: &AuthorizationServer,
    store: &RedisStore,
    client: &Arc<Client>,
) -> Result<Duration, Failure> {
    let begun = Instant::now();
    let mut issued: Vec<Vec<Issued>> = (0..WRITERS).map(|_| Vec::new()).collect();
    for login in 0..arguments.logins {
        let strict = (login / arguments.stride()).is_multiple_of(2);
        let tokens = server.families().log_in(strict);
        let (access, refresh, at) = tokens.ok_or("there are too many logins")?;
        let writer = usize::try_from(login % WRITERS)?;
        issued.get_mut(writer).ok_or("no writer")?.push(Issued { login, access, refresh, at });
    }
    let mut writers = JoinSet::new();
    for issued in issued {
        writers.spawn(write(issued, arguments.lifetime, store.clone(), Arc::clone(client)));
    }
    while let Some(written) = writers.join_next().await {
        written??;
    }
    Ok(begun.elapsed())
}

async fn write(
    issued: Vec<Issued>,
    lifetime: u64,
    store: RedisStore,
    client: Arc<Client>,
) -> Result<(), Failure> {
    for Issued { login, access, refresh, at } in issued {
        let [issued_at, now] =
            [at, now()].map(|at| Timestamp::from_unix(Duration::from_millis(at)));
        let record = TokenRecord::new(access)
            .with_refresh_token(refresh)
            .with_issued_at(issued_at)
            .with_expires_at(issued_at.after(Duration::from_secs(lifetime)));
        let state = State::from(client.adopt(record, &mut SysRng, now)?);
        let swapped = store.swap(&key(login), None, Some(Record::of(&state)?)).await;
        if !matches!(swapped, Ok(Swapped::Stored(_))) {
            return Err(format!("login {login} was not stored: {swapped:?}").into());
        }
    }
    Ok(())
}
