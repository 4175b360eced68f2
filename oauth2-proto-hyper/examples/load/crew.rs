//! The processes, as seen by the one that has started them.

use core::time::Duration;
use std::env;
use std::process::Stdio;

use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::Failure;
use crate::arguments::Role;
use crate::worker::Order;

/// A process of this program. It is killed when this is dropped, and ends when its input does.
pub(crate) struct Member {
    pub(crate) role: Role,
    child: Child,
    orders: ChildStdin,
    reports: Lines<BufReader<ChildStdout>>,
}

impl Member {
    pub(crate) fn start(role: Role) -> Result<Self, Failure> {
        let mut command = Command::new(env::current_exe()?);
        command.arg("--role").arg(serde_json::to_string(&role)?);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let (orders, reports) = (child.stdin.take(), child.stdout.take());
        let orders = orders.ok_or("no input")?;
        let reports = BufReader::new(reports.ok_or("no output")?).lines();
        Ok(Self { role, child, orders, reports })
    }

    pub(crate) async fn order(&mut self, duration: Duration) -> Result<(), Failure> {
        let milliseconds = u64::try_from(duration.as_millis())?;
        let order = serde_json::to_string(&Order { milliseconds })? + "\n";
        self.orders.write_all(order.as_bytes()).await?;
        Ok(self.orders.flush().await?)
    }

    /// What it reports next; an error when that takes longer than this.
    pub(crate) async fn report<T: DeserializeOwned>(
        &mut self,
        patience: Duration,
    ) -> Result<T, Failure> {
        let number = self.role.number;
        let line = timeout(patience, self.reports.next_line()).await;
        let line = line.map_err(|_| format!("process {number} does not report"))??;
        let line = line.ok_or_else(|| format!("process {number} has ended"))?;
        Ok(serde_json::from_str(&line)?)
    }

    /// Ends it without warning.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }
}
