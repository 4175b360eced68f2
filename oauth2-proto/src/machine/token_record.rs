//! Moving in from elsewhere: tokens that another program has stored become a login of this crate.
//!
//! The record is data from elsewhere, so whatever is wrong with it is [`Malformed`], never
//! [`Misuse`](crate::Misuse).

mod foreign;

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use rand::TryCryptoRng;
use serde::de::IgnoredAny;

use super::pending::no_randomness;
use super::{Authorized, Login, Renewal, Setbacks, Tokens};
use crate::client::Client;
use crate::error::{Error, Malformed, Problem};
use crate::value::{AccessToken, LoginId, Scope, Secret, Timestamp};

/// Tokens that another program has got and stored: what [`Client::adopt`] makes a login of.
///
/// There is a reader for each format that is often met ([`requests_oauthlib`](Self::requests_oauthlib),
/// [`golang`](Self::golang), [`oauth2_crate`](Self::oauth2_crate), [`app_auth`](Self::app_auth));
/// for every other one, fill it by hand:
///
/// ```
/// use oauth2_proto::{Client, Scope, Server, Timestamp, TokenRecord};
///
/// let server = Server::new("https://as.example/authorize", "https://as.example/token")?;
/// let client = Client::new("my-app", server);
/// let now = Timestamp::from_unix_seconds(1_700_000_000);
///
/// let record = TokenRecord::new("2YotnFZFEjr1zCsicMWpAA")
///     .with_refresh_token("tGzv3JOkF0XG5Qx2TlKWIA")
///     .with_expires_at(Timestamp::from_unix_seconds(1_700_003_600))
///     .with_scope(Scope::new("read write")?);
/// let login = client.adopt(record, &mut rand::rng(), now)?;
/// assert!(login.token(now).is_some());
/// # Ok::<(), oauth2_proto::Error>(())
/// ```
#[derive(Clone)]
pub struct TokenRecord {
    access_token: Option<Secret>,
    token_type: Option<String>,
    refresh_token: Option<Secret>,
    id_token: Option<Secret>,
    scope: Scope,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    extras: Secret,
}

impl TokenRecord {
    /// A record with this access token, of type `Bearer`, about which nothing else is known.
    #[must_use]
    pub fn new(access_token: impl Into<Secret>) -> Self {
        Self { access_token: present(access_token.into()), ..Self::empty() }
    }

    /// A record with nothing but a refresh token: the first step of the login gets an access token.
    #[must_use]
    pub fn from_refresh_token(refresh_token: impl Into<Secret>) -> Self {
        Self::empty().with_refresh_token(refresh_token)
    }

    /// Adds the refresh token; an empty one counts as none.
    #[must_use]
    pub fn with_refresh_token(self, refresh_token: impl Into<Secret>) -> Self {
        Self { refresh_token: present(refresh_token.into()), ..self }
    }

    /// Says which type the access token has.
    #[must_use]
    pub fn with_token_type(self, token_type: impl Into<String>) -> Self {
        Self { token_type: Some(token_type.into()), ..self }
    }

    /// Adds the ID token.
    #[must_use]
    pub fn with_id_token(self, id_token: impl Into<Secret>) -> Self {
        Self { id_token: present(id_token.into()), ..self }
    }

    /// Says which scope was granted.
    #[must_use]
    pub fn with_scope(self, scope: Scope) -> Self {
        Self { scope, ..self }
    }

    /// Says when the access token was issued, where that is known: its whole lifetime decides how
    /// long before its end it is refreshed.
    #[must_use]
    pub fn with_issued_at(self, issued_at: Timestamp) -> Self {
        Self { issued_at: Some(issued_at), ..self }
    }

    /// Says when the access token expires. It may have expired already.
    #[must_use]
    pub fn with_expires_at(self, expires_at: Timestamp) -> Self {
        Self { expires_at: Some(expires_at), ..self }
    }

    /// Adds the answer's other members, as the text of one JSON object: what
    /// [`Authorized::extra`] finds.
    #[must_use]
    pub fn with_extras(self, json: impl Into<Secret>) -> Self {
        Self { extras: json.into(), ..self }
    }

    fn empty() -> Self {
        Self {
            access_token: None,
            token_type: None,
            refresh_token: None,
            id_token: None,
            scope: Scope::default(),
            issued_at: None,
            expires_at: None,
            extras: Secret::new(String::new()),
        }
    }
}

impl fmt::Debug for TokenRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRecord")
            .field("scope", &self.scope)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Makes a login of tokens that another program has got, for this client_id at this server.
    /// Save it; from here on it goes like any other.
    ///
    /// An access token that has expired is refreshed by the next step, and so is one that is not
    /// there, where the record has a refresh token. **Let the other program go**: the server will
    /// replace the refresh token, and may take a use of the old one for theft.
    ///
    /// # Errors
    /// [`Problem::Record`] when there is neither an access token nor a refresh token, or what is
    /// there has characters that RFC 6749 forbids; [`Error::Unavailable`] when a fallible source of
    /// randomness fails.
    pub fn adopt<R: TryCryptoRng>(
        &self,
        record: TokenRecord,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<Authorized, Error> {
        let id = LoginId::random(rng).map_err(|_| no_randomness())?;
        let login = Login::begin(id, self).next();
        let token_type = record.token_type.as_deref().filter(|name| !name.is_empty());
        let (access, expires_at) = match (&record.access_token, &record.refresh_token) {
            (Some(token), _) => {
                let token_type = token_type.unwrap_or("Bearer");
                let access = AccessToken::new(token.expose(), token_type, login.generation());
                (access.ok_or_else(|| bad("access_token", FORBIDDEN))?, record.expires_at)
            }
            // There is none, which is as if it had expired when time began.
            (None, Some(_)) => {
                (AccessToken::absent(login.generation()), Some(AccessToken::ABSENT_SINCE))
            }
            (None, None) => {
                return Err(bad("access_token", "is missing, and so is its refresh_token"));
            }
        };
        let renewal = record.refresh_token.as_ref().map(Secret::expose);
        // RFC 6749 Appendix A.17: refresh-token = 1*VSCHAR.
        if renewal.is_some_and(|token| !token.bytes().all(|byte| matches!(byte, 0x20..=0x7E))) {
            return Err(bad("refresh_token", FORBIDDEN));
        }
        check_extras(record.extras.expose())?;
        let sent_at = record.issued_at.unwrap_or_else(|| now.before(UNKNOWN_AGE)).min(now);
        let window = |expires_at: Timestamp| self.policy().window(expires_at.since(sent_at));
        Ok(Authorized {
            login,
            renewal: renewal.map(Renewal::refresh_token),
            tokens: Tokens {
                access,
                id_token: record.id_token,
                requested: record.scope.clone(),
                granted: record.scope,
                extras: record.extras,
                sent_at,
                refresh_at: expires_at.map(|expires_at| expires_at.before(window(expires_at))),
                expires_at,
                rejected: false,
            },
            rare: None,
            setbacks: Setbacks::default(),
        })
    }
}

/// How old a token is taken for whose record does not say. Old enough for a resource server's
/// refusal to be believed at once, which it is not about a token that has just been issued.
const UNKNOWN_AGE: Duration = Duration::from_secs(3600);

const FORBIDDEN: &str = "has characters that RFC 6749 forbids";

/// An empty text stands for an absent one.
fn present(secret: Secret) -> Option<Secret> {
    (!secret.expose().is_empty()).then_some(secret)
}

fn check_extras(json: &str) -> Result<(), Error> {
    let is_object = serde_json::from_str::<BTreeMap<String, IgnoredAny>>(json).is_ok();
    if json.is_empty() || is_object { Ok(()) } else { Err(bad("extras", "are no JSON object")) }
}

fn bad(name: &'static str, why: &'static str) -> Error {
    Error::Malformed(Malformed::new(Problem::Record(format!("{name} {why}").into())))
}
