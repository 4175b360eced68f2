//! Nobody is logged in: why, and whether the program can renew the login by itself.

use http::Request;

use super::{AwaitingToken, ClientCredentials, Failed, Login, Setbacks};
use crate::client::Client;
use crate::error::{Misuse, Reason};
use crate::value::{Body, Scope, Timestamp};

/// Nobody is logged in.
///
/// It says [why](Self::reason). Where the login was a program's own (client credentials), it can be
/// [renewed](Self::renew) without a person; otherwise begin a new login with
/// [`Client::authorize`].
#[derive(Debug)]
pub struct Unauthorized {
    pub(crate) login: Login,
    pub(crate) reason: Reason,
    pub(crate) requested: Scope,
    pub(crate) renewal: Option<ClientCredentials>,
    pub(crate) setbacks: Setbacks,
}

impl Unauthorized {
    /// The end of a login that only a person can begin anew.
    pub(crate) fn ended(login: Login, reason: Reason, requested: Scope) -> Self {
        Self { login, reason, requested, renewal: None, setbacks: Setbacks::default() }
    }

    /// Why nobody is logged in.
    #[must_use]
    pub const fn reason(&self) -> &Reason {
        &self.reason
    }

    /// The scope that the login asked for: what to ask for in the next one.
    #[must_use]
    pub const fn requested_scope(&self) -> &Scope {
        &self.requested
    }

    /// Whether [`renew`](Self::renew) can log in without a person.
    #[must_use]
    pub const fn is_renewable(&self) -> bool {
        self.renewal.is_some()
    }

    /// Until when the next attempt should wait, after one that failed.
    #[must_use]
    pub fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        self.setbacks.pending(now)
    }

    /// Repeats the grant that needs no person. Save the state that comes back, send the request,
    /// hand its answer in.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`]; [`Misuse::NotRenewable`] when it takes a person;
    /// [`Misuse::TooEarly`] while a back-off is pending. The state stays the same.
    pub fn renew(
        mut self,
        client: &Client,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingToken), Failed> {
        if let Err(misuse) = self.login.check(client) {
            return Err(Failed::new(misuse, self));
        }
        if let Some(due) = self.setbacks.pending(now) {
            return Err(Failed::new(Misuse::TooEarly(due), self));
        }
        let Some(grant) = self.renewal.take() else {
            return Err(Failed::new(Misuse::NotRenewable, self));
        };
        AwaitingToken::repeat(client, self.login, grant, self.setbacks, now).map_err(
            |(error, grant)| {
                self.renewal = Some(grant);
                Failed::new(error, self)
            },
        )
    }
}
