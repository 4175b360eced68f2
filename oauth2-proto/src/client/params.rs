//! What a caller adds to a request: parameters of the provider's own, and resources (RFC 8707).

use alloc::string::String;
use alloc::vec::Vec;

use url::Url;

use crate::error::Misuse;
use crate::value::{AUTHORIZATION_DETAILS, check_authorization_details};
use crate::wire::Form;

/// Parameters in the caller's order.
#[derive(Default)]
pub(crate) struct Params<'a> {
    pub(crate) pairs: Vec<(&'a str, &'a str)>,
    pub(crate) resources: Vec<&'a str>,
}

impl Params<'_> {
    /// Refuses what the protocol sets itself, and what appears twice.
    pub(crate) fn check(&self, is_taken: impl Fn(&str) -> bool) -> Result<(), Misuse> {
        for (index, (name, value)) in self.pairs.iter().enumerate() {
            // RFC 6749 §3.1, §3.2: parameters MUST NOT be included more than once.
            let repeated = self.pairs.iter().take(index).any(|(earlier, _)| earlier == name);
            if repeated || *name == "resource" || is_taken(name) {
                return Err(Misuse::Parameter((*name).into()));
            }
            if *name == AUTHORIZATION_DETAILS {
                check_authorization_details(value)?;
            }
        }
        for resource in &self.resources {
            check_resource(resource)?;
        }
        Ok(())
    }

    /// Everything that the caller adds, resources first. RFC 8707 §2: `resource` may be repeated.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let resources = self.resources.iter().map(|resource| ("resource", *resource));
        resources.chain(self.pairs.iter().copied())
    }

    /// Everything that the caller adds, encoded to be kept.
    pub(crate) fn encoded(&self) -> String {
        let mut form = Form::with_capacity(0);
        self.iter().for_each(|(name, value)| form.own_pair(name, value));
        form.into_text()
    }
}

/// RFC 8707 §2: MUST be an absolute URI, MUST NOT include a fragment component.
pub(crate) fn check_resource(resource: &str) -> Result<(), Misuse> {
    match Url::parse(resource) {
        Ok(url) if url.fragment().is_none() => Ok(()),
        Ok(_) | Err(_) => {
            Err(Misuse::Url("resource", "must be an absolute URI without a fragment"))
        }
    }
}

/// The setters of every request that says what it asks for. The request has the fields `scope` and
/// `params`; what has to be known of the scope and of a parameter differs.
macro_rules! asks_for {
    ($request:ident, scope: $scope:literal, param: $param:literal) => {
        impl<'a> $request<'a> {
            #[doc = $scope]
            #[must_use]
            pub const fn scope(mut self, scope: &'a str) -> Self {
                self.scope = scope;
                self
            }

            #[doc = $param]
            #[must_use]
            pub fn param(mut self, name: &'a str, value: &'a str) -> Self {
                self.params.pairs.push((name, value));
                self
            }

            /// Says where the token will be used; may be repeated.
            ///
            /// See [RFC 8707 §2](https://www.rfc-editor.org/rfc/rfc8707#section-2).
            #[must_use]
            pub fn resource(mut self, resource: &'a str) -> Self {
                self.params.resources.push(resource);
                self
            }

            /// Asks for what a scope cannot say: a JSON array of objects, each with a `type`. In a
            /// refresh, for less than was granted.
            ///
            /// What is not that is
            /// [`Misuse::AuthorizationDetails`](crate::Misuse::AuthorizationDetails) when the
            /// request is built.
            ///
            /// See [RFC 9396 §2](https://www.rfc-editor.org/rfc/rfc9396#section-2).
            #[must_use]
            pub fn authorization_details(self, json: &'a str) -> Self {
                self.param($crate::value::AUTHORIZATION_DETAILS, json)
            }
        }
    };
}
pub(crate) use asks_for;
