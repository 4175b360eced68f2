//! The first token request of a login: its answer is awaited.

use alloc::boxed::Box;

use http::{Request, Response};

use super::{
    Attempt, Authorized, ClientCredentials, Code, Failed, Login, OneTimeGrant, Renewal, Setbacks,
    State, Unauthorized,
};
use crate::client::{Client, RequestKind};
use crate::error::{
    Error, Malformed, Misuse, Outage, Problem, Reason, TOKEN_ENDPOINT, Unavailable,
};
use crate::value::{Body, Scope, Timestamp};
use crate::wire::{Answer, Granted};

/// A token request has been made; hand its answer to [`receive`](Self::receive).
///
/// A code works once: after an answer that brings no token, or none at all, a login in a browser is
/// over, and so is one by password, assertion or exchange. A grant that can be repeated without a
/// person stays here, and waits for its next attempt. Where anything else has been sent, this state
/// is not worth storing: it loads as [`Unauthorized`] with [`Reason::CodeSpent`].
#[derive(Debug)]
pub struct AwaitingToken {
    pub(crate) login: Login,
    pub(crate) grant: Grant,
    /// What the first answer brought, where a dialect takes two requests.
    pub(crate) first: Option<Box<Authorized>>,
    pub(crate) attempt: Attempt,
    pub(crate) setbacks: Setbacks,
}

/// What the token was asked for with.
#[derive(Debug)]
pub(crate) enum Grant {
    Code(Code),
    OneTime(OneTimeGrant),
    ClientCredentials(ClientCredentials),
}

impl Grant {
    /// Completes the tokens with what they were asked for and can be renewed with.
    pub(super) fn obtained(self, tokens: &mut Authorized, granted: &Granted<'_>) {
        match self {
            Self::Code(code) => {
                tokens.asked_for(code.scope, granted);
                tokens.in_browser(code.nonce, &code.kept);
            }
            Self::OneTime(grant) => tokens.asked_for(grant.scope, granted),
            Self::ClientCredentials(grant) => {
                tokens.asked_for(grant.scope.clone(), granted);
                tokens.renewal = Some(Renewal::ClientCredentials(Box::new(grant)));
            }
        }
    }
}

impl AwaitingToken {
    /// Asks (again) for what needs no person.
    pub(super) fn repeat(
        client: &Client,
        login: Login,
        grant: ClientCredentials,
        mut setbacks: Setbacks,
        now: Timestamp,
    ) -> Result<(Request<Body>, Self), (Error, ClientCredentials)> {
        let request = match grant.request(client, RequestKind::Token, now) {
            Ok(request) => request,
            Err(error) => return Err((error, grant)),
        };
        let attempt = Attempt::new(&mut setbacks, client.policy().lease(None), now);
        let grant = Grant::ClientCredentials(grant);
        let awaiting = Self { login, grant, first: None, attempt, setbacks };
        Ok((request, awaiting))
    }

    pub(super) fn request(&self, client: &Client, now: Timestamp) -> Result<Request<Body>, Error> {
        if let Some(first) = &self.first
            && let Some(second) = client.second_request(&first.tokens.access)?
        {
            return Ok(second);
        }
        match &self.grant {
            Grant::Code(code) => code.request(client, now),
            Grant::OneTime(grant) => grant.request(client, now),
            Grant::ClientCredentials(grant) => grant.request(client, RequestKind::Token, now),
        }
    }

    /// Reads the answer to the request.
    ///
    /// # Errors
    /// [`Failed`] says what is left: `Unauthorized` with its reason, or this state where the grant
    /// can be repeated and the trouble passes.
    ///
    /// See [RFC 6749 §5](https://www.rfc-editor.org/rfc/rfc6749#section-5).
    pub fn receive<B: AsRef<[u8]>>(
        mut self,
        client: &Client,
        response: &Response<B>,
        now: Timestamp,
    ) -> Result<Authorized, Failed> {
        if let Err(misuse) = self.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        let login = self.login;
        let heard = client.hear(RequestKind::Token, None, self.attempt.sent_at, response);
        match Answer::read(heard.reply(TOKEN_ENDPOINT), login.next().generation()) {
            Answer::Granted(granted) => {
                let (setbacks, sent_at) = (self.setbacks, self.attempt.sent_at);
                let mut tokens = Authorized::new(login, client, &granted, setbacks, sent_at, now);
                if let Some(first) = self.first.take() {
                    tokens.follow(*first);
                } else {
                    match client.second_request(&tokens.tokens.access) {
                        Ok(Some(second)) => {
                            return Err(self.asking_again(tokens, client, second, now));
                        }
                        Ok(None) => {}
                        // All but the token was checked before: it is too long for the URL.
                        Err(_) => {
                            let malformed = Malformed::new(Problem::Member("access_token"));
                            return Err(self.give_up_or_wait(Error::Malformed(malformed), now));
                        }
                    }
                }
                self.grant.obtained(&mut tokens, &granted);
                Ok(tokens)
            }
            Answer::Denied(denied) => {
                let denied = match &self.grant {
                    Grant::Code(code) => code.silenced(denied),
                    Grant::OneTime(grant) => grant.silenced(denied),
                    Grant::ClientCredentials(_) => denied,
                };
                // The second request holds the first token.
                let denied = match &self.first {
                    Some(first) => denied.without(first.tokens.access.expose()),
                    None => denied,
                };
                self.setbacks.back_off(None, now);
                let reason = Reason::Denied(denied.error().into());
                Err(Failed::new(Error::Denied(denied), self.into_unauthorized(reason)))
            }
            Answer::Unavailable(unavailable) => {
                self.setbacks.back_off(unavailable.retry_after(), now);
                Err(Failed::new(Error::Unavailable(unavailable), self.landed()))
            }
            Answer::Unreadable(malformed) => {
                Err(self.give_up_or_wait(Error::Malformed(malformed), now))
            }
        }
    }

    /// The request provably never left the machine: it may be sent again with
    /// [`retry`](Self::retry).
    #[must_use]
    pub fn unsent(mut self, now: Timestamp) -> Self {
        self.attempt.on_its_way = false;
        self.setbacks.back_off(None, now);
        self
    }

    /// The request was sent, or may have been, and no answer came.
    #[must_use]
    pub fn unanswered(mut self, now: Timestamp) -> State {
        self.setbacks.back_off(None, now);
        self.landed()
    }

    /// Builds the request again, after it was [unsent](Self::unsent), or after an attempt for a
    /// grant that can be repeated has failed.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Misuse::TooEarly`] while the earlier request may be on its way
    /// or a back-off is pending. The state stays the same.
    pub fn retry(self, client: &Client, now: Timestamp) -> Result<(Request<Body>, Self), Failed> {
        let due = self.due(self.attempt.sent_at, now);
        self.retry_due(client, due, now)
    }

    pub(crate) fn retry_due(
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
        // Nobody ever reported what became of it; a code may have been seen by the server.
        if self.attempt.on_its_way && !matches!(self.grant, Grant::ClientCredentials(_)) {
            let error = Error::Unavailable(Unavailable::new(Outage::Unanswered, None));
            return Err(Failed::new(error, self.landed()));
        }
        let request = match self.request(client, now) {
            Ok(request) => request,
            Err(error) => return Err(Failed::new(error, self)),
        };
        self.attempt = self.attempt.again(&mut self.setbacks, now);
        Ok((request, self))
    }

    /// When the host must have given the request up.
    #[must_use]
    pub const fn deadline(&self) -> Timestamp {
        self.attempt.deadline()
    }

    /// When the next attempt is due; `start` as in [`Attempt::next_due`].
    pub(crate) fn due(&self, start: Timestamp, now: Timestamp) -> Timestamp {
        self.attempt.next_due(&self.setbacks, start, now)
    }

    pub(super) const fn requested_scope(&self) -> &Scope {
        match &self.grant {
            Grant::Code(code) => &code.scope,
            Grant::OneTime(grant) => &grant.scope,
            Grant::ClientCredentials(grant) => &grant.scope,
        }
    }

    /// The first answer is here, and one more request takes the login on.
    fn asking_again(
        mut self,
        first: Authorized,
        client: &Client,
        second: Request<Body>,
        now: Timestamp,
    ) -> Failed {
        self.first = Some(Box::new(first));
        // The numbers go on: an earlier request's answer is no answer to this one.
        self.setbacks = Setbacks { attempts: self.setbacks.attempts, ..Setbacks::default() };
        self.attempt = Attempt::new(&mut self.setbacks, client.policy().lease(None), now);
        let next = Unavailable::new(Outage::NextRequest, None);
        Failed::new(Error::Unavailable(next), self).with_next(second)
    }

    /// An attempt is over and nobody knows whether the server acted on it.
    fn landed(mut self) -> State {
        match self.grant {
            Grant::Code(_) | Grant::OneTime(_) => self.into_unauthorized(Reason::CodeSpent).into(),
            Grant::ClientCredentials(_) => {
                self.attempt.on_its_way = false;
                self.into()
            }
        }
    }

    /// After an answer that nobody can read.
    fn give_up_or_wait(mut self, error: Error, now: Timestamp) -> Failed {
        self.setbacks.back_off(None, now);
        if self.setbacks.unexplained() {
            self.setbacks.unexplained = 0;
            return Failed::new(error, self.into_unauthorized(Reason::Unexplained));
        }
        Failed::new(error, self.landed())
    }

    pub(super) fn into_unauthorized(self, reason: Reason) -> Unauthorized {
        match self.grant {
            Grant::Code(code) => Unauthorized::ended(self.login, reason, code.scope),
            Grant::OneTime(grant) => Unauthorized::ended(self.login, reason, grant.scope),
            Grant::ClientCredentials(grant) => Unauthorized {
                login: self.login,
                reason,
                requested: grant.scope.clone(),
                renewal: Some(grant),
                setbacks: self.setbacks,
            },
        }
    }
}
