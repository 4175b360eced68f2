//! An answer that comes when the login has moved on: a success is never thrown away.

use http::Response;

use super::{
    Asked, Authorized, Authorizing, Grant, Login, Refreshing, Setbacks, State, Unauthorized,
};
use crate::client::{Client, RequestKind};
use crate::error::TOKEN_ENDPOINT;
use crate::value::{Generation, Timestamp};
use crate::wire::{Answer, Granted};

/// A request that was sent, as far as its answer has to be understood by a later state.
#[derive(Debug)]
pub(crate) struct Question {
    /// The tokens that were held.
    pub(crate) asked_for: Generation,
    pub(crate) kind: RequestKind,
    pub(crate) asked: Asked,
    pub(crate) sent_at: Timestamp,
    /// A second request would follow its answer, where the dialect has one.
    pub(crate) is_first: bool,
}

/// What a late answer does.
#[expect(clippy::large_enum_variant, reason = "it is matched at once")]
pub(crate) enum Late {
    /// Its tokens are newer than what the login has.
    Wins(Authorized),
    /// It says nothing that matters any more.
    Yields(State),
    /// Its tokens belong to a login that was ended or replaced.
    Unwanted(State, Authorized),
}

impl State {
    /// Reads an answer to a request that this state does not await (any more).
    ///
    /// A success for the generation of tokens that is still held, or that was given up in doubt,
    /// wins. Everything else about an old attempt is old news: only tokens for a login that was
    /// ended on purpose, or replaced, are to be revoked.
    pub(crate) fn receive_late<B: AsRef<[u8]>>(
        self,
        client: &Client,
        Question { asked_for, kind, asked, sent_at, is_first }: &Question,
        response: &Response<B>,
        now: Timestamp,
    ) -> Late {
        let (asked_for, sent_at) = (*asked_for, *sent_at);
        let login = Login::of(asked_for, client);
        let generation = login.next().generation();
        let held = self.tokens().and_then(|held| held.held_for(asked.resource()));
        let heard = client.hear(*kind, held.map(|held| &held.access), sent_at, response);
        let Answer::Granted(granted) = Answer::read(heard.reply(TOKEN_ENDPOINT), generation) else {
            return Late::Yields(self);
        };
        let mut late = Authorized::new(login, client, &granted, Setbacks::default(), sent_at, now);
        let own = self.identity().generation();
        if own.login() == asked_for.login()
            && own.number() > asked_for.number()
            && !self.was_ended()
        {
            return Late::Yields(self);
        }
        if own != asked_for {
            return Late::Unwanted(self, late);
        }
        // A first token is not the one that is used, and nobody exchanges this one any more.
        if *is_first && client.has_second_request() && !self.was_ended() {
            return Late::Yields(self);
        }
        match self {
            Self::Refreshing(Refreshing { held, .. }) | Self::Authorized(held) => {
                Late::Wins(late.succeeding(held, asked.clone(), &granted))
            }
            Self::Authorizing(Authorizing::AwaitingToken(awaiting)) => {
                awaiting.grant.obtained(&mut late, &granted);
                Late::Wins(late)
            }
            // Given up in doubt, or refused meanwhile: but never ended on purpose.
            Self::Unauthorized(ended) => match ended.renewal {
                Some(grant) => {
                    Grant::ClientCredentials(grant).obtained(&mut late, &granted);
                    Late::Wins(late)
                }
                None if ended.reason.is_doubtful() => late.taken_up(ended, asked, &granted),
                None => Late::Unwanted(ended.into(), late),
            },
            Self::Authorizing(Authorizing::Polling(polling)) => {
                late.asked_for(polling.scope, &granted);
                Late::Wins(late)
            }
            Self::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            ) => Late::Unwanted(self, late),
        }
    }
}

impl Authorized {
    /// Takes a login up again that was given up in doubt, and has forgotten what it held.
    fn taken_up(mut self, ended: Unauthorized, asked: &Asked, granted: &Granted<'_>) -> Late {
        if asked.resource().is_none() {
            self.asked_for(ended.requested, granted);
            if let Some(narrower) = asked.scope() {
                self.tokens.granted = granted.scope(narrower.clone());
            }
            return Late::Wins(self);
        }
        // The access token is for one resource: the login itself has none any more, and what its
        // refresh token is good for is left.
        if !self.is_refreshable() {
            return Late::Unwanted(ended.into(), self);
        }
        self.asked_for(ended.requested, granted);
        self.tokens.rejected = true;
        Late::Wins(self)
    }
}
