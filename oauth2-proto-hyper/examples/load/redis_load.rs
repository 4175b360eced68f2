//! What Redis itself has counted.

use oauth2_proto_stores::redis_rs::{Client, cmd};

use crate::Failure;

/// Commands since Redis was started, and what its data takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedisLoad {
    /// Round trips that read a login.
    pub(crate) loads: u64,
    /// Round trips that compare and swap.
    pub(crate) swaps: u64,
    /// Swaps that have swapped.
    pub(crate) writes: u64,
    /// Bytes.
    pub(crate) memory: u64,
}

impl RedisLoad {
    pub(crate) async fn of(client: &Client) -> Result<Self, Failure> {
        let mut connection = client.get_multiplexed_async_connection().await?;
        let info: String = cmd("INFO").arg("everything").query_async(&mut connection).await?;
        let calls = |command: &str| number(&info, &format!("cmdstat_{command}:calls="));
        Ok(Self {
            loads: calls("get"),
            swaps: calls("evalsha") + calls("eval"),
            writes: calls("set"),
            memory: number(&info, "used_memory:"),
        })
    }

    pub(crate) const fn since(&self, earlier: &Self) -> Self {
        Self {
            loads: self.loads - earlier.loads,
            swaps: self.swaps - earlier.swaps,
            writes: self.writes - earlier.writes,
            memory: self.memory,
        }
    }
}

/// The number behind this, in what Redis says of itself; zero where it says nothing of it.
fn number(info: &str, name: &str) -> u64 {
    let line = info.lines().find_map(|line| line.strip_prefix(name));
    let digits = line.and_then(|line| line.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}
