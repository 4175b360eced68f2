//! A server in a process of its own, which ends with the test.

use core::time::Duration;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{LazyLock, Mutex};
use std::thread;

/// How long a server may take to start: initialising a database on a busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child process. It is killed, and waited for, when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts a program, and waits until it says that it is ready. If it ends before that, this is
    /// what it has said instead.
    pub(crate) fn spawn(mut command: Command, ready: &'static str) -> Result<Self, String> {
        let (output, said) = io::pipe().unwrap();
        command.stdout(said.try_clone().unwrap()).stderr(said);
        let (answers, answer) = channel();
        STARTER.lock().unwrap().send((command, answers)).unwrap();
        let child = answer.recv().unwrap().map_err(|error| error.to_string())?;
        let process = Self { child };

        let (says, said) = channel();
        // It reads on as long as the program writes: a full pipe would stop it.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(says.send(line));
            }
        });
        let mut log = String::new();
        loop {
            match said.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(ready) => return Ok(process),
                Ok(line) => log = log + &line + "\n",
                Err(RecvTimeoutError::Disconnected) => return Err(log),
                Err(RecvTimeoutError::Timeout) => panic!("it does not become ready:\n{log}"),
            }
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it this signal.
    pub(crate) fn signal(&self, signal: &str) {
        signal_to(self.id(), signal);
    }

    /// Sends it this signal, and waits until it has ended.
    pub(crate) fn end(mut self, signal: &str) {
        self.signal(signal);
        drop(self.child.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Sends this signal to a process, unless it has ended.
pub(crate) fn signal_to(id: u32, signal: &str) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s \"$0\" \"$1\" 2>&-", signal, &id.to_string()]);
    drop(kill.status());
}

/// A program that the kernel sends this signal when the tests end, however they do.
///
/// It does so when the thread ends that has started the program, hence [`STARTER`].
pub(crate) fn bound(signal: &str, program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]).arg(program);
    command
}

type Order = (Command, Sender<io::Result<Child>>);

/// A thread that lasts as long as the tests, and starts programs.
static STARTER: LazyLock<Mutex<Sender<Order>>> = LazyLock::new(|| {
    let (orders, received): (_, Receiver<Order>) = channel();
    thread::spawn(move || {
        for (mut command, answers) in received {
            // The pipe's end that the program writes to is dropped with the command.
            let child = command.spawn();
            drop(command);
            drop(answers.send(child));
        }
    });
    Mutex::new(orders)
});

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
