//! How logins in a browser are stored.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::super::pending::Pending;
use super::super::{AwaitingCallback, AwaitingFragment, Login};
use super::check::{login, random, redirect_uri, resource, scope};
use super::{Invalid, V1};
use crate::value::{RandomText, Timestamp};
use crate::wire::ReturnedIn;

#[derive(Serialize, Deserialize)]
pub(super) struct AwaitingCallbackV1<'a> {
    pending: PendingV1<'a>,
    verifier: Cow<'a, str>,
    resources: Vec<Cow<'a, str>>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct AwaitingFragmentV1<'a> {
    pending: PendingV1<'a>,
}

#[derive(Serialize, Deserialize)]
struct PendingV1<'a> {
    login: Login,
    state: Cow<'a, str>,
    nonce: Option<Cow<'a, str>>,
    redirect_uri: Cow<'a, str>,
    scope: Cow<'a, str>,
    kept: Vec<Cow<'a, str>>,
    in_fragment: bool,
    deadline: Timestamp,
}

impl<'a> From<&'a Pending> for PendingV1<'a> {
    fn from(pending: &'a Pending) -> Self {
        Self {
            login: pending.login,
            state: pending.state.as_str().into(),
            nonce: pending.nonce.as_ref().map(|nonce| nonce.as_str().into()),
            redirect_uri: pending.redirect_uri.as_str().into(),
            scope: pending.scope.as_str().into(),
            kept: pending.kept.iter().map(|name| name.as_str().into()).collect(),
            in_fragment: pending.returned_in == ReturnedIn::Fragment,
            deadline: pending.deadline,
        }
    }
}

impl TryFrom<PendingV1<'_>> for Pending {
    type Error = Invalid;

    fn try_from(stored: PendingV1<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            login: login(stored.login)?,
            state: random(&stored.state)?,
            nonce: nonce(stored.nonce)?,
            redirect_uri: redirect_uri(stored.redirect_uri)?,
            scope: scope(&stored.scope)?,
            kept: stored.kept.into_iter().map(Into::into).collect::<Vec<String>>(),
            returned_in: if stored.in_fragment { ReturnedIn::Fragment } else { ReturnedIn::Query },
            deadline: stored.deadline,
        })
    }
}

pub(super) fn nonce(stored: Option<Cow<'_, str>>) -> Result<Option<RandomText>, Invalid> {
    stored.map(|nonce| random(&nonce)).transpose()
}

impl<'a> From<&'a AwaitingCallback> for V1<'a> {
    fn from(state: &'a AwaitingCallback) -> Self {
        Self::AwaitingCallback(AwaitingCallbackV1 {
            pending: (&state.pending).into(),
            verifier: state.verifier.as_str().into(),
            resources: state.resources.iter().map(|text| text.as_str().into()).collect(),
        })
    }
}

impl TryFrom<AwaitingCallbackV1<'_>> for AwaitingCallback {
    type Error = Invalid;

    fn try_from(stored: AwaitingCallbackV1<'_>) -> Result<Self, Invalid> {
        Ok(Self {
            pending: stored.pending.try_into()?,
            verifier: random(&stored.verifier)?,
            resources: stored.resources.into_iter().map(resource).collect::<Result<_, _>>()?,
        })
    }
}

impl<'a> From<&'a AwaitingFragment> for V1<'a> {
    fn from(state: &'a AwaitingFragment) -> Self {
        Self::AwaitingFragment(AwaitingFragmentV1 { pending: (&state.pending).into() })
    }
}

impl TryFrom<AwaitingFragmentV1<'_>> for AwaitingFragment {
    type Error = Invalid;

    fn try_from(stored: AwaitingFragmentV1<'_>) -> Result<Self, Invalid> {
        Ok(Self { pending: stored.pending.try_into()? })
    }
}
