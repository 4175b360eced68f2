//! How others store tokens. Members without a meaning here are kept as extras; what cannot be read
//! is refused by name, and never repeated.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use serde_json::value::RawValue;

use super::{TokenRecord, bad, present};
use crate::error::Error;
use crate::value::{Scope, Secret, Timestamp, rfc3339};
use crate::wire::whole_number;

impl TokenRecord {
    /// Reads the token dict of requests-oauthlib, as JSON.
    ///
    /// `expires_at` wins. Without it `expires_in`, which may be negative or a string, counts from
    /// `now`: from the moment of loading. A 0 in either means that the token does not expire, as it
    /// does there. `scope` is a list, a string or null.
    ///
    /// # Errors
    /// [`Problem::Record`](crate::Problem::Record) says which member is not usable, and why.
    pub fn requests_oauthlib(json: &str, now: Timestamp) -> Result<Self, Error> {
        let mut members = Members::read(json)?;
        let never = |number: &i64| *number != 0;
        let expires_at = members.moment("expires_at")?.filter(never);
        let expires_in = members.number("expires_in")?.filter(never);
        members.into_record(expires_at, expires_in, now)
    }

    /// Reads the `Token` of golang's `oauth2` package, as JSON.
    ///
    /// `expiry` wins, and the year 1 stands for none. Without it `expires_in` counts from `now`:
    /// golang does not say since when.
    ///
    /// # Errors
    /// [`Problem::Record`](crate::Problem::Record) says which member is not usable, and why.
    pub fn golang(json: &str, now: Timestamp) -> Result<Self, Error> {
        let mut members = Members::read(json)?;
        let expiry = match members.text("expiry")? {
            Some(text) => Some(rfc3339(&text).ok_or_else(|| bad("expiry", "is no date"))?),
            None => None,
        };
        let expiry = expiry.filter(|moment| *moment != GOLANG_ZERO);
        let expires_in = members.number("expires_in")?.filter(|number| *number != 0);
        members.into_record(expiry, expires_in, now)
    }

    /// Reads the standard token response of the crate `oauth2`, as JSON.
    ///
    /// It knows `expires_in` alone, which counts from `now`: give the moment when it was stored,
    /// where that is known. Fields of one's own are kept as extras, and an `id_token` as such.
    ///
    /// # Errors
    /// [`Problem::Record`](crate::Problem::Record) says which member is not usable, and why.
    pub fn oauth2_crate(json: &str, now: Timestamp) -> Result<Self, Error> {
        let mut members = Members::read(json)?;
        let expires_in = members.number("expires_in")?;
        members.into_record(None, expires_in, now)
    }

    /// Reads the `AuthState` of AppAuth for Android, as its `jsonSerializeString` writes it.
    ///
    /// The latest refresh token and scope stand outermost there; the access token comes from the
    /// last token response, else from the last authorization response. After an OAuth error AppAuth
    /// gives no access token out, so only the refresh token counts then. Configuration, requests
    /// and registration are left behind: a [`Client`](crate::Client) has its own.
    ///
    /// # Errors
    /// [`Problem::Record`](crate::Problem::Record) says which member is not usable, and why.
    pub fn app_auth(json: &str) -> Result<Self, Error> {
        let mut state = Members::read(json)?;
        let mut record = Self::empty();
        if state.object("mAuthorizationException")?.is_none() {
            for name in ["lastAuthorizationResponse", "mLastTokenResponse"] {
                if let Some(mut response) = state.object(name)?
                    && let Some(token) = response.secret("access_token")?
                {
                    record = response.into_app_auth(token)?;
                }
            }
        } else if let Some(mut response) = state.object("mLastTokenResponse")? {
            record.refresh_token = response.secret("refresh_token")?;
        }
        record.refresh_token = state.secret("refreshToken")?.or(record.refresh_token);
        if let Some(scope) = state.scope("scope")? {
            record.scope = scope;
        }
        Ok(record)
    }
}

/// What golang writes for a time that is not set: `0001-01-01T00:00:00Z`.
const GOLANG_ZERO: i64 = -62_135_596_800;

/// The members of a record that have not been taken yet.
struct Members<'a> {
    members: BTreeMap<Cow<'a, str>, &'a RawValue>,
    /// The length of the text that they come from.
    length: usize,
}

impl<'a> Members<'a> {
    fn read(json: &'a str) -> Result<Self, Error> {
        match serde_json::from_str(json) {
            Ok(members) => Ok(Self { members, length: json.len() }),
            Err(_) => Err(bad("text", "is no JSON object")),
        }
    }

    /// Takes a member; `null` counts as absent.
    fn take(&mut self, name: &str) -> Option<&'a str> {
        self.members.remove(name).map(RawValue::get).filter(|json| *json != "null")
    }

    fn text(&mut self, name: &'static str) -> Result<Option<String>, Error> {
        let Some(json) = self.take(name) else { return Ok(None) };
        serde_json::from_str(json).map(Some).map_err(|_| bad(name, "is no string"))
    }

    fn secret(&mut self, name: &'static str) -> Result<Option<Secret>, Error> {
        Ok(self.text(name)?.map(Secret::new).and_then(present))
    }

    fn number(&mut self, name: &'static str) -> Result<Option<i64>, Error> {
        let Some(json) = self.take(name) else { return Ok(None) };
        whole_number(json).map(Some).ok_or_else(|| bad(name, "is no number"))
    }

    /// Seconds since the epoch, or a date.
    fn moment(&mut self, name: &'static str) -> Result<Option<i64>, Error> {
        let Some(json) = self.take(name) else { return Ok(None) };
        let date = || rfc3339(json.strip_prefix('"')?.strip_suffix('"')?);
        whole_number(json).or_else(date).map(Some).ok_or_else(|| bad(name, "is no moment"))
    }

    /// A text of tokens separated by spaces, or a list of tokens.
    fn scope(&mut self, name: &'static str) -> Result<Option<Scope>, Error> {
        let Some(json) = self.take(name) else { return Ok(None) };
        let text = match serde_json::from_str::<String>(json) {
            Ok(text) => text,
            Err(_) => serde_json::from_str::<Vec<Cow<'_, str>>>(json)
                .map_err(|_| bad(name, "is neither a string nor a list of strings"))?
                .join(" "),
        };
        Ok(Some(Scope::granted(&text)))
    }

    fn object(&mut self, name: &'static str) -> Result<Option<Self>, Error> {
        let Some(json) = self.take(name) else { return Ok(None) };
        Self::read(json).map(Some).map_err(|_| bad(name, "is no JSON object"))
    }

    /// What is left, as the text of one JSON object; empty without any.
    fn into_extras(self) -> Secret {
        // With room for all of it: a text that grew would leave copies of secrets behind.
        let mut text = String::with_capacity(self.length);
        for (name, value) in self.members {
            text.push(if text.is_empty() { '{' } else { ',' });
            // Writing a string as JSON cannot fail.
            text.push_str(&serde_json::to_string(&name).unwrap_or_default());
            text.push(':');
            text.push_str(value.get());
        }
        if !text.is_empty() {
            text.push('}');
        }
        Secret::new(text)
    }

    /// A record with the names of RFC 6749 §5.1.
    fn into_record(
        mut self,
        expires_at: Option<i64>,
        expires_in: Option<i64>,
        now: Timestamp,
    ) -> Result<TokenRecord, Error> {
        let (issued_at, expires_at) = match (expires_at.map(timestamp), expires_in) {
            // Both together say when the token was issued.
            (Some(at), Some(lifetime)) => (Some(at.before(span(lifetime))), Some(at)),
            (Some(at), None) => (None, Some(at)),
            (None, Some(left)) if left < 0 => (None, Some(now.before(span(left)))),
            (None, Some(left)) => (None, Some(now.after(span(left)))),
            (None, None) => (None, None),
        };
        Ok(TokenRecord {
            access_token: self.secret("access_token")?,
            token_type: self.text("token_type")?,
            refresh_token: self.secret("refresh_token")?,
            id_token: self.secret("id_token")?,
            scope: self.scope("scope")?.unwrap_or_default(),
            issued_at,
            expires_at,
            extras: self.into_extras(),
        })
    }

    /// A response of AppAuth; its expiry is in milliseconds.
    fn into_app_auth(mut self, access_token: Secret) -> Result<TokenRecord, Error> {
        let expires_at = self.number("expires_at")?;
        let extras = self.object("additionalParameters")?;
        Ok(TokenRecord {
            access_token: Some(access_token),
            token_type: self.text("token_type")?,
            refresh_token: self.secret("refresh_token")?,
            id_token: self.secret("id_token")?,
            scope: self.scope("scope")?.unwrap_or_default(),
            issued_at: None,
            expires_at: expires_at.map(|milliseconds| timestamp(milliseconds.div_euclid(1000))),
            extras: extras.map_or_else(|| Secret::new(String::new()), Members::into_extras),
        })
    }
}

/// Before the epoch nothing was issued: what expired then, has expired.
fn timestamp(unix_seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(u64::try_from(unix_seconds).unwrap_or_default())
}

const fn span(seconds: i64) -> Duration {
    Duration::from_secs(seconds.unsigned_abs())
}
