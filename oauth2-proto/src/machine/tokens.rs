//! One answer's tokens, and until when they are good.

use alloc::string::String;
use core::fmt;
use core::time::Duration;

use crate::client::Policy;
use crate::value::{AccessToken, Scope, Secret, Timestamp};
use crate::wire::Granted;

/// One answer of the token endpoint, and when it is good.
pub(crate) struct Tokens {
    pub(crate) access: AccessToken,
    pub(crate) id_token: Option<Secret>,
    pub(crate) requested: Scope,
    pub(crate) granted: Scope,
    /// Members without a meaning here, as the text of a JSON object. May hold tokens, too.
    pub(crate) extras: Secret,
    /// When the request was sent: lifetimes count from here.
    pub(crate) sent_at: Timestamp,
    pub(crate) refresh_at: Option<Timestamp>,
    pub(crate) expires_at: Option<Timestamp>,
    /// A resource server refused the access token.
    pub(crate) rejected: bool,
}

impl Tokens {
    pub(super) fn new(
        policy: &Policy,
        granted: &Granted<'_>,
        sent_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let lifetime = granted.expires_in.map(Duration::from_secs);
        let expires_at = lifetime.map(|lifetime| sent_at.after(lifetime));
        let refresh_at = lifetime.zip(expires_at).map(|(lifetime, expires_at)| {
            let at = expires_at.before(policy.window(lifetime));
            // Born inside its window, it is not refreshed before half its life.
            if at > now {
                return at;
            }
            let half = expires_at.since(now).as_secs().div_ceil(2);
            now.after(Duration::from_secs(half))
        });
        Self {
            access: granted.access_token.clone(),
            id_token: granted.id_token.as_deref().map(Secret::from),
            requested: Scope::default(),
            granted: Scope::default(),
            extras: granted.extras(),
            sent_at,
            refresh_at,
            expires_at,
            rejected: false,
        }
    }

    /// Whether both are the same record of the same token.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.rejected == other.rejected && self.access.is_same(&other.access)
    }

    /// The access token, unless it has expired or was rejected.
    pub(crate) fn usable(&self, now: Timestamp) -> Option<&AccessToken> {
        (!self.is_expired(now) && !self.rejected).then_some(&self.access)
    }

    /// Whether it is time to refresh: in the window before expiry, or when the clock says that the
    /// token comes from the future and so cannot be trusted about its expiry.
    pub(crate) fn wants_refresh(&self, now: Timestamp) -> bool {
        now < self.sent_at || self.refresh_at.is_some_and(|at| now >= at)
    }

    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    /// When it expires; the end of time where it does not say.
    pub(super) fn lasts_until(&self) -> Timestamp {
        self.expires_at.unwrap_or(Timestamp::from_unix_seconds(u64::MAX))
    }

    pub(super) fn lifetime(&self) -> Option<Duration> {
        self.expires_at.map(|expires_at| expires_at.since(self.sent_at))
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("access", &self.access)
            .field("granted", &self.granted)
            .field("sent_at", &self.sent_at)
            .field("refresh_at", &self.refresh_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// An access token for one resource.
#[derive(Debug)]
pub(crate) struct ForResource {
    pub(crate) resource: String,
    pub(crate) tokens: Tokens,
}

/// A login holds access tokens for so many resources.
pub(crate) const MOST_RESOURCES: usize = 32;
