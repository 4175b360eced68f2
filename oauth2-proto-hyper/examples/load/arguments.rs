//! What can be chosen, and what each of the processes is told.

use core::time::Duration;

use clap::Parser;
use serde::{Deserialize, Serialize};

/// Many logins in Redis, many callers in several processes, tokens that live for seconds, and a
/// server that does not forgive.
#[derive(Parser, Clone, Copy, Debug)]
#[command(name = "load")]
pub(crate) struct Arguments {
    /// For how long everything together may take.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u64,
    /// How many logins are stored.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) logins: u32,
    /// How many of them are used.
    #[arg(long, default_value_t = 500)]
    pub(crate) active: u32,
    /// How many processes use them.
    #[arg(long, default_value_t = 4)]
    pub(crate) processes: u32,
    /// How many callers each process has.
    #[arg(long, default_value_t = 16)]
    pub(crate) callers: u32,
    /// How many logins are held to see how much memory they take.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) idle: u32,
    /// For how many seconds an access token is good.
    #[arg(long, default_value_t = 5)]
    pub(crate) lifetime: u64,
    /// `Client::with_lease`, in seconds; where tokens live as short as here, 10 is the most.
    #[arg(long, default_value_t = 10)]
    pub(crate) lease: u64,
    /// What callers and faults are drawn from; a random number unless told.
    #[arg(long)]
    pub(crate) seed: Option<u64>,
}

impl Arguments {
    /// How many stored logins there are for each one that is used.
    pub(crate) fn stride(&self) -> u32 {
        (self.logins / self.active.max(1)).max(1)
    }
}

/// For how long a caller waits for a token.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What a process is told when it is started.
#[derive(Serialize, Deserialize, Clone, Debug)]
pub(crate) struct Role {
    pub(crate) part: Part,
    /// No two processes have the same, not even one that takes the place of another.
    pub(crate) number: u32,
    pub(crate) redis: String,
    pub(crate) token_url: String,
    /// What tells the tokens of the server from others.
    pub(crate) key: u64,
    pub(crate) seed: u64,
    pub(crate) lease: u64,
    pub(crate) callers: u32,
    /// The logins that this process uses are this many, and this far apart.
    pub(crate) logins: u32,
    pub(crate) stride: u32,
}

/// What a process is there for.
#[derive(Serialize, Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// It uses logins.
    Worker,
    /// It holds logins and does nothing with them.
    Keeper,
}

/// Under which key a login is stored.
pub(crate) fn key(login: u32) -> String {
    format!("user-{login:08}")
}
