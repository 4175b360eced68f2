//! New tokens have been asked for; the old ones are still held (RFC 6749 §6).

use http::{Request, Response};

use super::{Asked, Attempt, Authorized, Failed, Refresh, Renewal, State};
use crate::client::{Client, RequestKind};
use crate::error::{Denied, Error, INVALID_GRANT, Malformed, Misuse, Reason, TOKEN_ENDPOINT};
use crate::value::{AccessToken, Body, LoginId, Timestamp};
use crate::wire::Answer;

/// New tokens have been asked for; the old ones are still held.
///
/// **Save this state before the request is sent.** Servers replace the refresh token with each
/// answer, and take a second use of the old one for theft. In a store that can compare and swap,
/// saving this is the lease that keeps everybody else from sending; after a crash it says that an
/// answer may have been lost.
#[derive(Debug)]
pub struct Refreshing {
    pub(crate) held: Authorized,
    pub(crate) asked: Asked,
    pub(crate) attempt: Attempt,
}

impl Refreshing {
    /// The old access token, while it is good.
    #[must_use]
    pub fn token(&self, now: Timestamp) -> Option<&AccessToken> {
        self.held.token(now)
    }

    /// The tokens that are still held.
    #[must_use]
    pub const fn held(&self) -> &Authorized {
        &self.held
    }

    /// The login that these tokens belong to.
    #[must_use]
    pub const fn login(&self) -> LoginId {
        self.held.login.id
    }

    /// Reads the answer to the request. Save what comes back.
    ///
    /// # Errors
    /// [`Failed`] says what is left: the old tokens (`Authorized`, or still `Refreshing` when
    /// nobody knows whether the server acted), or `Unauthorized` with its reason.
    ///
    /// See [RFC 6749 §6](https://www.rfc-editor.org/rfc/rfc6749#section-6).
    pub fn receive<B: AsRef<[u8]>>(
        mut self,
        client: &Client,
        response: &Response<B>,
        now: Timestamp,
    ) -> Result<Authorized, Failed> {
        if let Err(misuse) = self.held.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        let login = self.held.login;
        let held = self.held.held_for(self.asked.resource());
        let held = held.map(|held| &held.access);
        let heard = client.hear(RequestKind::Refresh, held, self.attempt.sent_at, response);
        match Answer::read(heard.reply(TOKEN_ENDPOINT), login.next().generation()) {
            Answer::Granted(granted) => {
                let (setbacks, sent_at) = (self.held.setbacks, self.attempt.sent_at);
                let tokens = Authorized::new(login, client, &granted, setbacks, sent_at, now);
                Ok(tokens.succeeding(self.held, self.asked, &granted))
            }
            Answer::Denied(denied) => Err(self.denied(denied, now)),
            Answer::Unavailable(unavailable) => {
                self.held.setbacks.doubt();
                self.held.setbacks.back_off(unavailable.retry_after(), now);
                self.attempt.on_its_way = false;
                Err(Failed::new(Error::Unavailable(unavailable), self))
            }
            Answer::Unreadable(malformed) => Err(self.unreadable(malformed, now)),
        }
    }

    /// The request was sent, or may have been, and no answer came. Retry when it is
    /// [due](Self::retry_at).
    #[must_use]
    pub fn unanswered(mut self, now: Timestamp) -> Self {
        if self.attempt.on_its_way {
            self.attempt.on_its_way = false;
            self.held.setbacks.doubt();
            self.held.setbacks.back_off(None, now);
        }
        self
    }

    /// The request provably never left the machine: this undoes the attempt. The old tokens are
    /// all there is, unless an earlier attempt is in doubt.
    #[must_use]
    pub fn unsent(mut self, now: Timestamp) -> State {
        self.held.setbacks.back_off(None, now);
        self.attempt.on_its_way = false;
        if self.held.setbacks.in_doubt == 0 { self.held.into() } else { self.into() }
    }

    /// Asks again with the same refresh token, once [due](Self::retry_at). Save, then send.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Misuse::TooEarly`] while the earlier request may be on its way
    /// or a back-off is pending; [`Misuse::NotRenewable`]. The state stays the same.
    pub fn retry(self, client: &Client, now: Timestamp) -> Result<(Request<Body>, Self), Failed> {
        let due = self.due(self.attempt.sent_at, now);
        self.retry_due(client, due, now)
    }

    /// When the next attempt may be sent.
    #[must_use]
    pub fn retry_at(&self, now: Timestamp) -> Timestamp {
        self.due(self.attempt.sent_at, now)
    }

    /// When the host must have given the request up: the end of the lease, less a margin.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.attempt.deadline()
    }

    /// Asks for what is needed now, where a token for one resource was asked for in vain: its
    /// trouble is not that of the whole login.
    pub(crate) fn asking_for(
        mut self,
        resource: Option<&str>,
        now: Timestamp,
    ) -> Result<Self, Failed> {
        if self.asked.resource().is_none() || self.asked.resource() == resource {
            return Ok(self);
        }
        let asked = match resource {
            Some(resource) => Refresh::for_resource(resource, &self.held, now),
            None => Ok(Asked::default()),
        };
        match asked {
            Ok(asked) => {
                self.asked = asked;
                Ok(self)
            }
            Err(misuse) => Err(Failed::new(misuse, self)),
        }
    }

    /// When the next attempt is due; `start` as in [`Attempt::next_due`].
    pub(crate) fn due(&self, start: Timestamp, now: Timestamp) -> Timestamp {
        self.attempt.next_due(&self.held.setbacks, start, now)
    }

    pub(crate) fn retry_due(
        mut self,
        client: &Client,
        due: Timestamp,
        now: Timestamp,
    ) -> Result<(Request<Body>, Self), Failed> {
        if let Err(misuse) = self.held.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        if due > now {
            return Err(Failed::new(Misuse::TooEarly(due), self));
        }
        let request = match self.held.renewal_request(client, &self.asked, now) {
            Ok(request) => request,
            Err(error) => return Err(Failed::new(error, self)),
        };
        // Nobody ever reported what became of it.
        if self.attempt.on_its_way {
            self.held.setbacks.doubt();
        }
        self.attempt = self.attempt.again(&mut self.held.setbacks, now);
        Ok((request, self))
    }

    fn denied(mut self, denied: Denied, now: Timestamp) -> Failed {
        let denied = match &self.held.renewal {
            Some(Renewal::RefreshToken(token)) => denied.without(token.expose()),
            Some(Renewal::ClientCredentials(_)) | None => denied,
        };
        let spent = matches!(self.held.renewal, Some(Renewal::RefreshToken(_)))
            && denied.error() == INVALID_GRANT;
        if spent {
            let reason = if self.held.setbacks.in_doubt == 0 {
                Reason::Denied(denied.error().into())
            } else {
                Reason::AnswerLost
            };
            return Failed::new(Error::Denied(denied), self.held.end(reason));
        }
        // Our configuration is wrong, the grant is not.
        self.held.setbacks.back_off(None, now);
        Failed::new(Error::Denied(denied), self.held)
    }

    fn unreadable(mut self, malformed: Malformed, now: Timestamp) -> Failed {
        let error = Error::Malformed(malformed);
        self.held.setbacks.back_off(None, now);
        self.attempt.on_its_way = false;
        if self.held.setbacks.unexplained() {
            self.held.setbacks.unexplained = 0;
            return Failed::new(error, self.held.end(Reason::Unexplained));
        }
        Failed::new(error, self)
    }
}
