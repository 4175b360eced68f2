//! What an async program can do that this crate cannot: send, sleep, and tell the time.

use alloc::vec::Vec;
use core::time::Duration;

use http::{Request, Response};

use crate::session::Lost;
use crate::value::{Body, Moment};

/// Sends token traffic, sleeps, and tells the time.
///
/// The adapters `oauth2-proto-reqwest` and `oauth2-proto-hyper` are hosts. The futures are types of
/// their own, so that an agent is `Send` where they are, and works where they are not.
///
/// `send` and [`Store`](super::Store)'s methods are called with the agent's lock held: they only
/// make a future, which does the work.
pub trait Host {
    /// The exchange of one request.
    type Sending: Future<Output = Result<Response<Vec<u8>>, Lost>>;
    /// A pause.
    type Sleeping: Future<Output = ()>;

    /// Sends a request and reads the whole answer. It must
    ///
    /// - never follow a redirect: the body holds secrets;
    /// - end within the time-out, whatever the server does, with [`Lost::Unanswered`], and send
    ///   nothing after it: also when the future is not polled for a while, as nobody polls it while
    ///   no caller waits (a task of its own keeps both), and by both clocks, as a machine that slept
    ///   finds the one that only goes on where it was (a [`Deadline`] knows);
    /// - stop reading after [`Client::body_limit`](crate::Client::body_limit) bytes and a few: a
    ///   longer body is refused by its length anyway;
    /// - say [`Lost::Unsent`] only where it is certain that nothing left this machine.
    fn send(&self, request: Request<Body>, time_out: Duration) -> Self::Sending;

    /// Completes after this long, or as soon as it can afterwards.
    fn sleep(&self, pause: Duration) -> Self::Sleeping;

    /// The present moment, by both clocks.
    fn now(&self) -> Moment;
}

/// The end of a time-out, for hosts: as soon as either clock says so.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    since: Moment,
    time_out: Duration,
}

impl Deadline {
    /// This long after `now`.
    #[must_use]
    pub const fn new(time_out: Duration, now: Moment) -> Self {
        Self { since: now, time_out }
    }

    /// What is left of the time-out; zero when it is over.
    #[must_use]
    pub fn left(&self, now: Moment) -> Duration {
        self.time_out.saturating_sub(now.longest_since(self.since))
    }
}
