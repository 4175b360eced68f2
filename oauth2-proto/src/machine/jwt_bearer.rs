//! The JWT bearer grant (RFC 7523 §2.1): a signed statement of the host's in exchange for a token.

use super::TokenRequest;
use crate::client::Client;

impl Client {
    /// Prepares a login with a JWT that the host has made and signed.
    ///
    /// Its audience is the authorization server and it expires soon (RFC 7523 §3): make a new one
    /// for each login.
    ///
    /// See [RFC 7523 §2.1](https://www.rfc-editor.org/rfc/rfc7523#section-2.1).
    #[must_use]
    pub fn jwt_bearer(&self, assertion: &str) -> TokenRequest<'_> {
        TokenRequest::new(self, "urn:ietf:params:oauth:grant-type:jwt-bearer")
            .showing("assertion", assertion)
    }
}
