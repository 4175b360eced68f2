//! A person decides elsewhere, and the device asks from time to time (RFC 8628 §3.4 and §3.5).

use alloc::boxed::Box;
use core::fmt;
use core::time::Duration;

use http::{Request, Response};

use super::{Attempt, Authorized, Failed, Login, Setbacks, State, Unauthorized};
use crate::client::{Client, RequestKind};
use crate::error::{
    Error, Expired, INVALID_GRANT, Malformed, Misuse, Problem, Reason, TOKEN_ENDPOINT,
};
use crate::value::{Body, LoginId, Scope, Secret, Timestamp};
use crate::wire::{Answer, DeviceAnswer, LONGEST_INTERVAL, LONGEST_RETRY_AFTER, SLOW_DOWN};

/// A person has been shown a code, and decides elsewhere.
///
/// Show [`verification_uri`](Self::verification_uri) and [`user_code`](Self::user_code); then
/// [poll](Self::poll) at [`next_poll`](Self::next_poll), again and again. It can be stored between
/// two polls. [`Session`](crate::Session) and the agent drive it by themselves.
pub struct Polling {
    pub(crate) login: Login,
    pub(crate) device_code: Secret,
    pub(crate) user_code: Box<str>,
    pub(crate) verification_uri: Box<str>,
    pub(crate) verification_uri_complete: Option<Box<str>>,
    pub(crate) scope: Scope,
    /// Seconds between two polls.
    pub(crate) interval: u64,
    pub(crate) next_poll: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) attempt: Attempt,
    pub(crate) setbacks: Setbacks,
}

/// What a poll brought.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller's match should break when one is added")]
pub enum Polled {
    /// Nobody has decided yet: poll again, not before [`Polling::next_poll`].
    Pending(Polling),
    /// The person has agreed.
    Authorized(Authorized),
}

/// RFC 8628 §3.5: after slow_down, the interval MUST be increased by 5 seconds for this and all
/// subsequent requests.
const SLOWER: u64 = 5;

/// No answer makes a device slower than this (seconds): it would never ask again.
pub(super) const SLOWEST: u64 = 2 * LONGEST_INTERVAL;

/// The longest pause that doubling makes, in seconds, where the interval is not longer already.
const LONGEST_PAUSE: u64 = 60;

/// So often doubled, an interval of one second is longer than that.
const MOST_DOUBLINGS: u32 = 6;

impl Polling {
    pub(super) fn new(
        login: Login,
        scope: Scope,
        answer: &DeviceAnswer<'_>,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let complete = answer.verification_uri_complete.as_deref();
        Self {
            login,
            device_code: Secret::from(&*answer.device_code),
            user_code: (&*answer.user_code).into(),
            verification_uri: (&*answer.verification_uri).into(),
            verification_uri_complete: complete.map(Into::into),
            scope,
            interval: answer.interval,
            next_poll: now.after(Duration::from_secs(answer.interval)),
            expires_at: sent_at.after(Duration::from_secs(answer.expires_in)),
            attempt: Attempt::none(now),
            setbacks: Setbacks::default(),
        }
    }

    /// The code for the person to enter.
    #[must_use]
    pub fn user_code(&self) -> &str {
        &self.user_code
    }

    /// The page for the person to open: http(s), for people only. Never fetch it.
    #[must_use]
    pub fn verification_uri(&self) -> &str {
        &self.verification_uri
    }

    /// The same page with the code in it, such as for a QR code. Show the code beside it: the person
    /// has to see that both are the same (RFC 8628 §3.3.1).
    #[must_use]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.verification_uri_complete.as_deref()
    }

    /// When to poll next: never earlier than the server allows. While a request may be on its way,
    /// when another one may follow if nothing is heard of it.
    #[must_use]
    pub fn next_poll(&self) -> Timestamp {
        if self.attempt.on_its_way {
            self.attempt.sent_at.after(self.unheard())
        } else {
            self.next_poll
        }
    }

    /// When the codes expire, and the login is given up.
    #[must_use]
    pub const fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// The login that this is the beginning of.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.login.id
    }

    /// When the host must have given the request up.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.attempt.deadline()
    }

    /// Builds the next request. Where the state is shared or stored, save what comes back, then send.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Misuse::TooEarly`] before [`next_poll`](Self::next_poll), or while
    /// the earlier request may be on its way: the state stays the same. [`Expired::Login`] when the
    /// codes have expired: begin a new login.
    ///
    /// See [RFC 8628 §3.4](https://www.rfc-editor.org/rfc/rfc8628#section-3.4).
    pub fn poll(self, client: &Client, now: Timestamp) -> Result<(Request<Body>, Self), Failed> {
        let due = self.due(self.attempt.sent_at, now);
        self.poll_due(client, due, now)
    }

    pub(crate) fn poll_due(
        mut self,
        client: &Client,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(Request<Body>, Self), Failed> {
        if let Err(misuse) = self.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        if due > now {
            return Err(Failed::new(Misuse::TooEarly(due), self));
        }
        if self.is_expired(now) {
            let error = Error::Expired(Expired::Login(Reason::Deadline));
            return Err(Failed::new(error, self.end(Reason::Deadline)));
        }
        let room = self.device_code.expose().len().saturating_mul(2).saturating_add(128);
        let mut form = client.form("urn:ietf:params:oauth:grant-type:device_code", room);
        form.pair("device_code", self.device_code.expose());
        let request = match client.post(RequestKind::DevicePoll, form, now) {
            Ok(request) => request,
            Err(error) => return Err(Failed::new(error, self)),
        };
        // Nobody ever reported what became of the earlier one.
        if self.attempt.on_its_way {
            self = self.unanswered(now);
        }
        self.attempt = Attempt::new(&mut self.setbacks, client.policy().lease(None), now);
        Ok((request, self))
    }

    /// Reads the answer to a poll.
    ///
    /// # Errors
    /// [`Failed`] says what is left: this state where the trouble passes, or `Unauthorized` with its
    /// reason.
    ///
    /// See [RFC 8628 §3.5](https://www.rfc-editor.org/rfc/rfc8628#section-3.5).
    pub fn receive<B: AsRef<[u8]>>(
        mut self,
        client: &Client,
        response: &Response<B>,
        now: Timestamp,
    ) -> Result<Polled, Failed> {
        if let Err(misuse) = self.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        let login = self.login;
        let heard = client.hear(RequestKind::DevicePoll, None, self.attempt.sent_at, response);
        let reply = heard.reply(TOKEN_ENDPOINT);
        let asked = reply.as_ref().ok().and_then(|reply| reply.retry_after());
        self.attempt.on_its_way = false;
        match Answer::read(reply, login.next().generation()) {
            Answer::Granted(granted) => {
                let (setbacks, sent_at) = (self.setbacks, self.attempt.sent_at);
                let mut tokens = Authorized::new(login, client, &granted, setbacks, sent_at, now);
                tokens.asked_for(self.scope, &granted);
                Ok(Polled::Authorized(tokens))
            }
            Answer::Denied(denied) => {
                let denied = denied.without(self.device_code.expose());
                // A device code works once: perhaps it already has, and nobody heard of it.
                let reason = if denied.error() == INVALID_GRANT && self.setbacks.in_doubt > 0 {
                    Reason::AnswerLost
                } else {
                    Reason::Denied(denied.error().into())
                };
                Err(Failed::new(Error::Denied(denied), self.end(reason)))
            }
            Answer::Unavailable(unavailable) => {
                self.setbacks.doubt();
                self.pause(unavailable.retry_after(), now);
                Err(Failed::new(Error::Unavailable(unavailable), self))
            }
            Answer::Unreadable(malformed) => {
                let Problem::OutOfPlace(error) = *malformed.problem() else {
                    return Err(self.unreadable(malformed, now));
                };
                if error == SLOW_DOWN {
                    self.interval = self.interval.saturating_add(SLOWER).min(SLOWEST);
                }
                self.setbacks.failures = 0;
                self.setbacks.unexplained = 0;
                self.setbacks.in_doubt = 0;
                self.wait(asked.unwrap_or_default(), now);
                Ok(Polled::Pending(self))
            }
        }
    }

    /// The request provably never left the machine.
    #[must_use]
    pub fn unsent(mut self, now: Timestamp) -> Self {
        self.attempt.on_its_way = false;
        self.wait(Duration::ZERO, now);
        self
    }

    /// The request was sent, or may have been, and no answer came: the next polls come more rarely,
    /// until one is answered.
    #[must_use]
    pub fn unanswered(mut self, now: Timestamp) -> Self {
        if self.attempt.on_its_way {
            self.attempt.on_its_way = false;
            self.setbacks.doubt();
            self.pause(None, now);
        }
        self
    }

    pub(crate) const fn is_expired(&self, now: Timestamp) -> bool {
        now.unix_seconds() >= self.expires_at.unix_seconds()
    }

    /// When the next poll is due; `start` as in [`Attempt::next_due`].
    pub(crate) fn due(&self, start: Timestamp, now: Timestamp) -> Timestamp {
        if self.attempt.on_its_way {
            // Once the codes have expired, its answer is all that can be waited for.
            return if self.is_expired(now) {
                self.attempt.next_due(&self.setbacks, start, now)
            } else {
                start.after(self.unheard())
            };
        }
        // A moment further away than any pause means that the clock has been set back.
        let longest = LONGEST_RETRY_AFTER.max(self.paused()).max(self.interval);
        let longest = now.after(Duration::from_secs(longest));
        if self.next_poll > longest { now } else { self.next_poll }
    }

    /// When the login is given up, if nothing more is heard: when the codes have expired, and the
    /// poll on its way cannot be answered any more.
    pub(crate) fn given_up_at(&self, start: Timestamp, now: Timestamp) -> Timestamp {
        self.expires_at.max(self.attempt.next_due(&self.setbacks, start, now))
    }

    /// How long after a request another one may follow if nothing is heard of it: its lease has to
    /// be over, and the interval of one that was not answered.
    fn unheard(&self) -> Duration {
        Duration::from_secs(self.attempt.lease.max(self.paused()))
    }

    /// The pause after one more poll that is not answered, in seconds.
    fn paused(&self) -> u64 {
        let doublings = self.setbacks.failures.saturating_add(1).min(MOST_DOUBLINGS);
        let doubled = self.interval.saturating_mul(1 << doublings);
        // It grows at least once, however long the interval is.
        doubled.min(LONGEST_PAUSE.max(self.interval.saturating_mul(2)))
    }

    pub(crate) fn end(self, reason: Reason) -> Unauthorized {
        Unauthorized::ended(self.login, reason, self.scope)
    }

    /// The next poll comes after the interval, or later if the server says so.
    fn wait(&mut self, at_least: Duration, now: Timestamp) {
        self.next_poll = now.after(Duration::from_secs(self.interval).max(at_least));
    }

    /// RFC 8628 §3.5: on a connection timeout, clients MUST unilaterally reduce their polling
    /// frequency; doubling the interval is what it recommends.
    pub(super) fn pause(&mut self, asked: Option<Duration>, now: Timestamp) {
        let paused = Duration::from_secs(self.paused());
        self.setbacks.failures = self.setbacks.failures.saturating_add(1);
        self.next_poll = now.after(paused.max(asked.unwrap_or_default()));
    }

    fn unreadable(mut self, malformed: Malformed, now: Timestamp) -> Failed {
        let error = Error::Malformed(malformed);
        if self.setbacks.unexplained() {
            return Failed::new(error, self.end(Reason::Unexplained));
        }
        self.pause(None, now);
        Failed::new(error, self)
    }
}

impl From<Polled> for State {
    fn from(polled: Polled) -> Self {
        match polled {
            Polled::Pending(polling) => polling.into(),
            Polled::Authorized(authorized) => authorized.into(),
        }
    }
}

impl fmt::Debug for Polling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Polling")
            .field("login", &self.login)
            .field("verification_uri", &self.verification_uri)
            .field("scope", &self.scope)
            .field("interval", &self.interval)
            .field("next_poll", &self.next_poll)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}
