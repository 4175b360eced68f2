//! A server in a process of its own, which ends with the test.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tokio::sync::oneshot;
use tokio::time::timeout;

/// Where `.ci/servers.sh` installs, beside everything else that is built.
pub(crate) fn installed() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("servers")
}

/// A program that does not read its standard input: should the test be killed, it is, too.
///
/// The kernel does that when the thread that starts it ends; tokio's workers last as long as a test.
pub(crate) fn bound(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", program]);
    command
}

/// A child process. It is killed, and waited for, when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    log: PathBuf,
    said: Option<oneshot::Receiver<String>>,
}

impl Process {
    /// Starts a program. Its output goes to a log; `input` is the first line that it reads.
    ///
    /// Its standard input stays open as long as this process lives.
    pub(crate) fn spawn(
        name: &str,
        command: &mut Command,
        input: &str,
        awaited: &'static str,
    ) -> Self {
        let log = installed().join("log");
        fs::create_dir_all(&log).unwrap();
        let log = log.join(format!("{name}.log"));
        let mut file = File::create(&log).unwrap();
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(file.try_clone().unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        // A child that ends at once is noticed when it should say something.
        drop(writeln!(child.stdin.as_mut().unwrap(), "{input}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let (says, said) = oneshot::channel();
        std::thread::spawn(move || {
            let mut says = Some(says);
            for line in output.lines().map_while(Result::ok) {
                drop(writeln!(file, "{line}"));
                if let Some((_, rest)) = line.split_once(awaited)
                    && let Some(says) = says.take()
                {
                    drop(says.send(rest.trim().to_owned()));
                }
            }
        });
        Self { child, log, said: Some(said) }
    }

    /// What the program prints behind the awaited words, once it does.
    pub(crate) async fn said(&mut self) -> String {
        let said = timeout(Duration::from_secs(60), self.said.take().unwrap()).await;
        match said {
            Ok(Ok(said)) => said,
            Ok(Err(_)) => panic!("it ended; see {}", self.log.display()),
            Err(_) => panic!("it does not listen; see {}", self.log.display()),
        }
    }

    /// Whether the program has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
