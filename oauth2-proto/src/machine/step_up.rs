//! Step-up: a resource server says that the token is good, but not enough (RFC 6750 §3.1, RFC 9470).
//! The answer is another login that asks for more; the one that is held goes on.

use alloc::string::{String, ToString};
use core::time::Duration;

use super::Authorized;
use crate::client::AuthorizationRequest;
use crate::value::Scope;
use crate::wire::{Challenge, whole_number};

/// What a resource server wants beyond the token that it was shown.
///
/// Begin a separate login with
/// [`AuthorizationRequest::step_up`](crate::AuthorizationRequest::step_up), and go on using the
/// tokens that are held until it has succeeded: a resource server never ends a login.
///
/// The wish comes from the resource server, so treat it as such: ask a person for more only where
/// that server may want it, and do not ask again and again. When
/// [`missing_scope`](Self::missing_scope) is empty, more scope is not what helps.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StepUp {
    insufficient: Insufficient,
    scope: Scope,
    missing: Scope,
    acr_values: Option<String>,
    max_age: Option<String>,
}

/// What was not enough.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Insufficient {
    /// The token's scope: `insufficient_scope`, with status 403 (RFC 6750 §3.1).
    Scope,
    /// How, or how long ago, the person logged in: `insufficient_user_authentication`, with
    /// status 401 (RFC 9470 §3).
    UserAuthentication,
}

impl StepUp {
    /// Reads what a challenge wants beyond these tokens; `None` when it says something else, or
    /// wants more scope than anybody can ask for.
    ///
    /// # Example
    /// ```
    /// # use http::{HeaderMap, HeaderValue, header::WWW_AUTHENTICATE};
    /// use oauth2_proto::{Authorized, Challenge, Client, StepUp};
    ///
    /// # #[expect(dead_code)]
    /// fn wanted(headers: &HeaderMap, login: &Authorized) -> Option<StepUp> {
    ///     Challenge::from_headers(headers).iter().find_map(|it| StepUp::of(it, login))
    /// }
    /// ```
    ///
    /// See [RFC 6750 §3.1](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) and
    /// [RFC 9470 §3](https://www.rfc-editor.org/rfc/rfc9470#section-3).
    #[must_use]
    pub fn of(challenge: &Challenge, authorized: &Authorized) -> Option<Self> {
        // RFC 9449 §7.1: DPoP has the errors of Bearer.
        if !challenge.is_bearer() && !challenge.scheme().eq_ignore_ascii_case("DPoP") {
            return None;
        }
        let insufficient = match challenge.error() {
            Some("insufficient_scope") => Insufficient::Scope,
            Some("insufficient_user_authentication") => Insufficient::UserAuthentication,
            Some(_) | None => return None,
        };
        let parameter = |name| match insufficient {
            Insufficient::Scope => None,
            Insufficient::UserAuthentication => challenge.parameter(name),
        };
        let challenged = challenge.scope().map(Scope::granted).unwrap_or_default();
        let held = &authorized.tokens;
        let scope = held.granted.union(&held.requested).union(&challenged);
        // A resource server that names a thousand scopes can't make a login unusable.
        Scope::new(scope.as_str()).ok()?;
        Some(Self {
            insufficient,
            scope,
            missing: challenged.without(&held.granted),
            acr_values: parameter("acr_values").filter(|values| !values.is_empty()).map(Into::into),
            // RFC 9470 §3: a non-negative integer, in seconds.
            max_age: parameter("max_age")
                .and_then(whole_number)
                .filter(|seconds| *seconds >= 0)
                .map(|seconds| seconds.to_string()),
        })
    }

    /// What was not enough.
    #[must_use]
    pub const fn insufficient(&self) -> Insufficient {
        self.insufficient
    }

    /// What to ask for: all that was granted or asked for before, and what the challenge names. A
    /// login that asked for the latter alone would trade one scope for another.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What the challenge names and the tokens do not have.
    #[must_use]
    pub const fn missing_scope(&self) -> &Scope {
        &self.missing
    }

    /// The authentication context class references that would do, in order of preference,
    /// separated by spaces.
    #[must_use]
    pub fn acr_values(&self) -> Option<&str> {
        self.acr_values.as_deref()
    }

    /// How long ago the person may have logged in at most.
    #[must_use]
    pub fn max_age(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.max_age.as_ref()?.parse().ok()?))
    }
}

impl<'a> AuthorizationRequest<'a> {
    /// Asks for what a resource server wants: all of [`StepUp::scope`], in place of any scope that
    /// was given before, with `acr_values` and `max_age`.
    ///
    /// See [RFC 9470 §4](https://www.rfc-editor.org/rfc/rfc9470#section-4).
    #[must_use]
    pub fn step_up(self, step_up: &'a StepUp) -> Self {
        let values = [("acr_values", &step_up.acr_values), ("max_age", &step_up.max_age)];
        values.into_iter().fold(self.scope(step_up.scope.as_str()), |request, (name, value)| {
            match value {
                Some(value) => request.param(name, value),
                None => request,
            }
        })
    }
}
