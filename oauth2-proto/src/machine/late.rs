//! An answer that comes when the login has moved on: a success is never thrown away.

use http::Response;

use super::{Asked, Authorized, Authorizing, Grant, Login, Refreshing, Setbacks, State};
use crate::client::{Client, RequestKind};
use crate::error::TOKEN_ENDPOINT;
use crate::value::{Generation, Timestamp};
use crate::wire::Answer;

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
        asked_for: Generation,
        asked: &Asked,
        sent_at: Timestamp,
        response: &Response<B>,
        now: Timestamp,
    ) -> Late {
        let login = Login::of(asked_for, client);
        let generation = login.next().generation();
        let kind = if self.tokens().is_some() { RequestKind::Refresh } else { RequestKind::Token };
        let held = self.tokens().map(|held| &held.tokens.access);
        let heard = client.hear(kind, held, sent_at, response);
        let Answer::Granted(granted) = Answer::read(heard.reply(TOKEN_ENDPOINT), generation) else {
            return Late::Yields(self);
        };
        let late = Authorized::new(login, client, &granted, Setbacks::default(), sent_at, now);
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
        match self {
            Self::Refreshing(Refreshing { held, .. }) | Self::Authorized(held) => {
                Late::Wins(late.succeeding(held, asked.clone(), &granted))
            }
            Self::Authorizing(Authorizing::AwaitingToken(awaiting)) => {
                Late::Wins(awaiting.grant.obtained(late, &granted))
            }
            // Given up in doubt, or refused meanwhile: but never ended on purpose.
            Self::Unauthorized(ended) => match ended.renewal {
                Some(grant) => Late::Wins(Grant::ClientCredentials(grant).obtained(late, &granted)),
                None if ended.reason.is_doubtful() => {
                    Late::Wins(late.asked_for(ended.requested, &granted))
                }
                None => Late::Unwanted(ended.into(), late),
            },
            Self::Authorizing(Authorizing::Polling(polling)) => {
                Late::Wins(late.asked_for(polling.scope, &granted))
            }
            Self::Authorizing(
                Authorizing::AwaitingCallback(_) | Authorizing::AwaitingFragment(_),
            ) => Late::Unwanted(self, late),
        }
    }
}
