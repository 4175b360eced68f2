//! What processes that share a store can rely on, also when they are killed.
//!
//! The test binary runs itself as a child, which then runs the test that started it: it is told
//! where the database is, and so knows that it is the child.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod ledger;

use core::time::Duration;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Instant;

use ledger::{Count, Ledger, UNKNOWN};
use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Unknown};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::conformance::Engine;

/// A database that other processes can open.
pub(crate) trait Shared: Engine {
    /// Where it is.
    fn address(&self) -> String;

    /// Opens what another process has created.
    fn open_at(address: &str) -> impl Future<Output = Self::Store> + Send;
}

/// Every test of this module, for this engine, which is [`Shared`].
macro_rules! processes {
    ($engine:ty) => {
        #[tokio::test(flavor = "multi_thread")]
        async fn what_a_killed_process_was_told_is_true() {
            if !<$engine as crate::conformance::Engine>::is_installed() {
                return;
            }
            let name = "what_a_killed_process_was_told_is_true";
            crate::process::what_a_killed_process_was_told_is_true::<$engine>(name).await;
        }
    };
}

pub(crate) use processes;

/// A process of ours, which is killed when it is dropped.
pub(crate) struct Child(std::process::Child);

/// Runs this test in another process, which finds the [`address`].
pub(crate) fn spawn(test: &str, address: &str) -> Child {
    start(Command::new(std::env::current_exe().unwrap()), test, address)
}

/// As [`spawn`], by a command that runs this binary.
pub(crate) fn start(mut command: Command, test: &str, address: &str) -> Child {
    command.args(["--exact", test, "--nocapture"]).env(ADDRESS, address);
    Child(command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
}

/// Where the database is, in a process that another has spawned. It does not outlive that other.
pub(crate) fn address() -> Option<String> {
    let address = std::env::var(ADDRESS).ok()?;
    thread::spawn(|| {
        // Nobody writes to it; it is closed when the parent ends.
        drop(io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(1)
    });
    Some(address)
}

const ADDRESS: &str = "OAUTH2_PROTO_STORES_ADDRESS";

/// Tells the parent. What it has been told before a process is killed, it knows.
pub(crate) fn tell(what: &str) {
    // The test's name, as it is printed before, does not end its line.
    let mut stdout = io::stdout().lock();
    stdout.write_all(format!("\n{SAYS}{what}\n").as_bytes()).unwrap();
    stdout.flush().unwrap();
}

const SAYS: &str = "child: ";

impl Child {
    /// What it tells, to the end. A line that it has not finished was not told.
    pub(crate) fn told(&mut self) -> impl Iterator<Item = String> + Send + use<> {
        let mut stdout = BufReader::new(self.0.stdout.take().unwrap());
        core::iter::from_fn(move || {
            loop {
                let mut line = String::new();
                stdout.read_line(&mut line).unwrap();
                let line = line.strip_suffix('\n')?;
                if let Some(told) = line.strip_prefix(SAYS) {
                    return Some(told.to_owned());
                }
            }
        })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SIGKILL: it can't do anything about it. It fails only where the child has ended.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Two processes count as fast as they can. One is killed at a random moment, then the other.
pub(crate) async fn what_a_killed_process_was_told_is_true<E: Shared>(test: &str) {
    if let Some(address) = address() {
        return count(&E::open_at(&address).await).await;
    }
    let seed = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    let engine = E::create().await;
    let mut ledger = Ledger::default();
    let start = Instant::now();
    for round in 0.. {
        if round >= 3 && start.elapsed() > Duration::from_secs(3) {
            break;
        }
        let (sender, told) = channel();
        let mut children = [(); 2].map(|()| spawn(test, &engine.address()));
        children.iter_mut().for_each(|child| forward(child, sender.clone()));
        drop(sender);
        for child in children {
            // In some rounds before it has done anything.
            let writes = random.random_range(0..20);
            for _ in 0..writes {
                ledger.acknowledge(&next(&told));
            }
            until(&mut ledger, &told, Duration::from_micros(random.random_range(0..4000)));
            drop(child);
            ledger.kill();
        }
        told.iter().for_each(|told| ledger.acknowledge(&told));

        // It opens, and whatever the killed ones held is free again.
        let store = engine.open().await;
        let (version, record) = match store.load(KEY).await.unwrap() {
            Some((version, record)) => (Some(version), record.as_bytes().to_vec()),
            None => (None, Vec::new()),
        };
        ledger.check(version, &record);
        let next = Count::read(&record).next();
        let swapped = store.swap(KEY, version, Some(Record::new(next.record()))).await.unwrap();
        let Swapped::Stored(version) = swapped else { panic!("a conflict, and all are dead") };
        ledger.acknowledge(&next.told(version));
    }
    println!("{}", ledger.summary());
}

const KEY: &str = "alice";

/// Counts until it is killed.
async fn count<S: Store>(store: &S) {
    loop {
        let Ok(login) = store.load(KEY).await else { continue };
        let (expected, next) = match login {
            Some((version, record)) => (Some(version), Count::read(record.as_bytes()).next()),
            None => (None, Count::default().next()),
        };
        let new = Some(Record::new(next.record()));
        match store.swap(KEY, expected, new).await {
            Ok(Swapped::Stored(version)) => tell(&next.told(version)),
            Ok(Swapped::Conflict) => {}
            // It may have happened.
            Err(Unknown) => tell(UNKNOWN),
        }
    }
}

/// Sends all that a child tells, to the end.
fn forward(child: &mut Child, sender: Sender<String>) {
    let told = child.told();
    thread::spawn(move || told.for_each(|told| drop(sender.send(told))));
}

/// What is told next, by whomever. One of two processes can be killed without stopping the other.
fn next(told: &Receiver<String>) -> String {
    // A disk can be busy with others for long.
    told.recv_timeout(Duration::from_secs(120)).unwrap_or_else(|error| panic!("{error}"))
}

/// Listens for this long.
fn until(ledger: &mut Ledger, told: &Receiver<String>, pause: Duration) {
    let start = Instant::now();
    loop {
        match told.recv_timeout(pause.saturating_sub(start.elapsed())) {
            Ok(told) => ledger.acknowledge(&told),
            Err(RecvTimeoutError::Timeout) => return,
            Err(RecvTimeoutError::Disconnected) => panic!("both have ended by themselves"),
        }
    }
}
