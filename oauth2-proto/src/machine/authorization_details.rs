//! Authorization details (RFC 9396): asked for in a request, granted in a token answer.

use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use super::{Authorized, ClientCredentialsRequest, Refresh, TokenRequest};
use crate::client::AuthorizationRequest;
use crate::value::AUTHORIZATION_DETAILS;

impl<'a> AuthorizationRequest<'a> {
    /// Asks for more than a scope can say: a JSON array of objects, each with a `type`.
    ///
    /// What is not that is [`Misuse::AuthorizationDetails`](crate::Misuse::AuthorizationDetails)
    /// when the login begins. Long ones are better [pushed](Self::push) than visited.
    ///
    /// See [RFC 9396 §3](https://www.rfc-editor.org/rfc/rfc9396#section-3).
    #[must_use]
    pub fn authorization_details(self, json: &'a str) -> Self {
        self.param(AUTHORIZATION_DETAILS, json)
    }
}

impl<'a> ClientCredentialsRequest<'a> {
    /// Asks for more than a scope can say: a JSON array of objects, each with a `type`. It is
    /// stored with the login.
    ///
    /// What is not that is [`Misuse::AuthorizationDetails`](crate::Misuse::AuthorizationDetails)
    /// when the login begins.
    ///
    /// See [RFC 9396 §6](https://www.rfc-editor.org/rfc/rfc9396#section-6).
    #[must_use]
    pub fn authorization_details(self, json: &'a str) -> Self {
        self.param(AUTHORIZATION_DETAILS, json)
    }
}

impl<'a> TokenRequest<'a> {
    /// Asks for more than a scope can say: a JSON array of objects, each with a `type`.
    ///
    /// What is not that is [`Misuse::AuthorizationDetails`](crate::Misuse::AuthorizationDetails)
    /// when the login begins.
    ///
    /// See [RFC 9396 §6](https://www.rfc-editor.org/rfc/rfc9396#section-6).
    #[must_use]
    pub fn authorization_details(self, json: &'a str) -> Self {
        self.param(AUTHORIZATION_DETAILS, json)
    }
}

impl<'a> Refresh<'a> {
    /// Asks for less than was granted: a JSON array of objects, each with a `type`.
    ///
    /// What is not that is [`Misuse::AuthorizationDetails`](crate::Misuse::AuthorizationDetails)
    /// when the refresh is asked for.
    ///
    /// See [RFC 9396 §6](https://www.rfc-editor.org/rfc/rfc9396#section-6).
    #[must_use]
    pub fn authorization_details(self, json: &'a str) -> Self {
        self.param(AUTHORIZATION_DETAILS, json)
    }
}

impl Authorized {
    /// What the server granted beyond the scope, which may be less, more or other than what was
    /// asked for; `None` when the latest token answer did not say, or an element is not a `T`.
    ///
    /// `T` can be a type of one's own, or `Box<serde_json::value::RawValue>` for the JSON as it
    /// came.
    ///
    /// See [RFC 9396 §7](https://www.rfc-editor.org/rfc/rfc9396#section-7).
    #[must_use]
    pub fn authorization_details<T: DeserializeOwned>(&self) -> Option<Vec<T>> {
        self.extra(AUTHORIZATION_DETAILS)
    }
}
