//! What a refresh may ask for beyond new tokens (RFC 6749 §6, RFC 8707 §2.2).

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

use super::token_request::is_token_parameter;
use super::tokens::MOST_RESOURCES;
use super::{Authorized, ForResource, Renewal, Tokens};
use crate::client::{Params, asks_for, check_resource};
use crate::error::Misuse;
use crate::value::{Scope, Timestamp};

/// What a refresh asks for beyond new tokens; for [`Authorized::refresh_with`].
///
/// ```
/// # use http::Request;
/// # use oauth2_proto::{Authorized, Body, Client, Failed, Refresh, Refreshing, Timestamp};
/// # fn narrow(login: Authorized, client: &Client, now: Timestamp) -> Result<(Request<Body>, Refreshing), Failed> {
/// let (request, refreshing) =
///     login.refresh_with(&Refresh::default().scope("read"), client, now)?;
/// # Ok((request, refreshing)) }
/// ```
#[derive(Default)]
pub struct Refresh<'a> {
    scope: &'a str,
    params: Params<'a>,
}

asks_for!(
    Refresh,
    scope: "Asks for less scope than was granted, for the tokens of this answer only: the next refresh asks for all of it again.",
    param: "Adds a parameter of the provider's own. It is stored until the answer is there: no secrets here."
);

impl<'a> Refresh<'a> {
    pub(super) fn checked(&self, login: &Authorized) -> Result<Asked, Misuse> {
        self.params.check(|name| is_token_parameter(name) || name == "refresh_token")?;
        let scope = Scope::new(self.scope)?;
        // RFC 6749 §6: MUST NOT include any scope not originally granted by the resource owner. What
        // was asked for counts as granted: Google gives scopes other names than those asked for.
        let granted = login.full_scope();
        if !scope.without(granted).without(&login.tokens.requested).is_empty() {
            return Err(Misuse::Scope);
        }
        let is_repeated = matches!(login.renewal, Some(Renewal::ClientCredentials(_)));
        let scope = (!scope.is_empty()).then_some(scope);
        let asked = Asked::new(scope, self.params.encoded(), None);
        // Client credentials are repeated as they were first asked for.
        if is_repeated && asked != Asked::default() {
            return Err(Misuse::NotRenewable);
        }
        Ok(asked)
    }

    /// What is asked for to have another token, for one resource, beside the others.
    pub(super) fn for_resource(
        resource: &'a str,
        login: &Authorized,
        now: Timestamp,
    ) -> Result<Asked, Misuse> {
        check_resource(resource)?;
        login.check_room(resource, now)?;
        let asked = Self::default().resource(resource).checked(login)?;
        let mut wishes = asked.0.unwrap_or_default();
        wishes.resource = Some(resource.into());
        Ok(Asked(Some(wishes)))
    }
}

impl Authorized {
    /// Whether this login can have a token for this resource, beside the others.
    pub(crate) fn check_room(&self, resource: &str, now: Timestamp) -> Result<(), Misuse> {
        if self.held_for(Some(resource)).is_some() {
            return Ok(());
        }
        if !self.is_refreshable() {
            return Err(Misuse::NotRenewable);
        }
        let good = self.others().iter().filter(|other| other.tokens.usable(now).is_some());
        if good.count() >= MOST_RESOURCES {
            return Err(Misuse::Url("resource", "is one too many for one login"));
        }
        Ok(())
    }

    /// Holds a token for a resource, in place of the one before it, or of the one that expires
    /// first where there are too many.
    pub(super) fn hold_for(&mut self, resource: String, tokens: Tokens) {
        let others = &mut self.rare.get_or_insert_default().others;
        others.retain(|other| other.resource != resource);
        if others.len() >= MOST_RESOURCES {
            let worth = |other: &ForResource| (!other.tokens.rejected, other.tokens.lasts_until());
            let least = others.iter().enumerate().min_by_key(|(_, other)| worth(other));
            if let Some((index, _)) = least {
                others.remove(index);
            }
        }
        others.push(ForResource { resource, tokens });
    }
}

impl fmt::Debug for Refresh<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresh").field("scope", &self.scope).finish_non_exhaustive()
    }
}

/// What a refresh on its way has asked for: kept, so that it can be asked for again.
///
/// Most ask for nothing, and then this takes no room of its own.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Asked(Option<Box<Wishes>>);

#[derive(Clone, PartialEq, Eq, Default)]
struct Wishes {
    scope: Option<Scope>,
    params: String,
    resource: Option<String>,
}

impl Asked {
    pub(crate) fn new(scope: Option<Scope>, params: String, resource: Option<String>) -> Self {
        let nothing = scope.is_none() && params.is_empty() && resource.is_none();
        Self((!nothing).then(|| Box::new(Wishes { scope, params, resource })))
    }

    /// Less than the whole scope.
    pub(crate) fn scope(&self) -> Option<&Scope> {
        self.0.as_ref()?.scope.as_ref()
    }

    /// The caller's own parameters and resources, encoded.
    pub(crate) fn params(&self) -> &str {
        self.0.as_ref().map_or("", |wishes| &wishes.params)
    }

    /// The answer is for this resource only, beside the tokens that are held.
    pub(crate) fn resource(&self) -> Option<&str> {
        self.0.as_ref()?.resource.as_deref()
    }

    /// Scope and resource.
    pub(super) fn into_parts(self) -> (Option<Scope>, Option<String>) {
        self.0.map_or((None, None), |wishes| (wishes.scope, wishes.resource))
    }
}

impl fmt::Debug for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asked")
            .field("scope", &self.scope())
            .field("resource", &self.resource())
            .finish_non_exhaustive()
    }
}
