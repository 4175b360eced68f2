//! Ending a login on purpose, and telling the server so (RFC 7009).

use alloc::vec::Vec;

use http::Request;

use super::{Authorized, Authorizing, Failed, Renewal, State, Unauthorized};
use crate::client::Client;
use crate::error::Reason;
use crate::value::{Body, Timestamp};

impl State {
    /// Ends this login. Save the state that comes back, then send the requests, if there are any:
    /// they revoke its tokens, and their answers change nothing any more.
    ///
    /// There are none when the server was made without a revocation endpoint. A login that was
    /// already over stays as it is, but is not renewed any more.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`](crate::Misuse::WrongClient). The state stays the same.
    ///
    /// See [RFC 7009 §2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1).
    pub fn sign_out(
        self,
        client: &Client,
        now: Timestamp,
    ) -> Result<(Unauthorized, Vec<Request<Body>>), Failed> {
        if let Err(misuse) = self.identity().check(client) {
            return Err(Failed::new(misuse, self));
        }
        let login = *self.identity();
        let (requested, requests) = match self {
            Self::Unauthorized(state) => {
                // What was given up in doubt could be taken up again; from here on it can't.
                if !state.is_renewable() && !state.reason.is_doubtful() {
                    return Ok((state, Vec::new()));
                }
                (state.requested, Vec::new())
            }
            Self::Authorizing(Authorizing::AwaitingCallback(state)) => {
                (state.pending.scope, Vec::new())
            }
            Self::Authorizing(Authorizing::AwaitingFragment(state)) => {
                (state.pending.scope, Vec::new())
            }
            Self::Authorizing(Authorizing::Polling(state)) => (state.scope, Vec::new()),
            Self::Authorizing(Authorizing::AwaitingToken(state)) => {
                (state.requested_scope().clone(), Vec::new())
            }
            Self::Authorized(state) => {
                let requests = state.revocations(client, now);
                (state.tokens.requested, requests)
            }
            Self::Refreshing(state) => {
                let requests = state.held.revocations(client, now);
                (state.held.tokens.requested, requests)
            }
        };
        Ok((Unauthorized::ended(login, Reason::SignedOut, requested), requests))
    }
}

impl Authorized {
    /// RFC 7009 §2.1: with the refresh token the server ends the access tokens as well, but it need
    /// not; so both are revoked, the one that lives longer first.
    pub(crate) fn revocations(&self, client: &Client, now: Timestamp) -> Vec<Request<Body>> {
        let refresh = match &self.renewal {
            Some(Renewal::RefreshToken(token)) => {
                client.revoke(token.expose(), "refresh_token", now)
            }
            Some(Renewal::ClientCredentials(_)) | None => None,
        };
        let others = self.others().iter().map(|other| &other.tokens);
        let access = core::iter::once(&self.tokens)
            .chain(others)
            .map(|tokens| tokens.access.expose())
            // A record from elsewhere may have had none.
            .filter(|token| !token.is_empty())
            .filter_map(|token| client.revoke(token, "access_token", now));
        refresh.into_iter().chain(access).collect()
    }
}
