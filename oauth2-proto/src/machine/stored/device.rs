//! How a login on a device is stored while the person decides.

use alloc::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::super::polling::SLOWEST;
use super::super::{Attempt, Login, Polling, Setbacks};
use super::check::{attempt, link, login, scope, secret, shown};
use super::{Invalid, V1};
use crate::value::Timestamp;

#[derive(Serialize, Deserialize)]
pub(super) struct PollingV1<'a> {
    login: Login,
    device_code: Cow<'a, str>,
    user_code: Cow<'a, str>,
    verification_uri: Cow<'a, str>,
    verification_uri_complete: Option<Cow<'a, str>>,
    scope: Cow<'a, str>,
    interval: u64,
    next_poll: Timestamp,
    expires_at: Timestamp,
    attempt: Attempt,
    setbacks: Setbacks,
}

impl<'a> From<&'a Polling> for V1<'a> {
    fn from(state: &'a Polling) -> Self {
        Self::Polling(PollingV1 {
            login: state.login,
            device_code: state.device_code.expose().into(),
            user_code: (&*state.user_code).into(),
            verification_uri: (&*state.verification_uri).into(),
            verification_uri_complete: state.verification_uri_complete.as_deref().map(Into::into),
            scope: state.scope.as_str().into(),
            interval: state.interval,
            next_poll: state.next_poll,
            expires_at: state.expires_at,
            attempt: state.attempt,
            setbacks: state.setbacks,
        })
    }
}

impl TryFrom<PollingV1<'_>> for Polling {
    type Error = Invalid;

    fn try_from(stored: PollingV1<'_>) -> Result<Self, Invalid> {
        if !(1..=SLOWEST).contains(&stored.interval) {
            return Err("an interval of impossible length");
        }
        Ok(Self {
            login: login(stored.login)?,
            device_code: secret(stored.device_code)?,
            user_code: shown(stored.user_code)?,
            verification_uri: link(stored.verification_uri)?,
            verification_uri_complete: stored.verification_uri_complete.map(link).transpose()?,
            scope: scope(&stored.scope)?,
            interval: stored.interval,
            next_poll: stored.next_poll,
            expires_at: stored.expires_at,
            attempt: attempt(stored.attempt)?,
            setbacks: stored.setbacks,
        })
    }
}
