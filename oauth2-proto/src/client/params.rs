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
