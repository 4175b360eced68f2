//! The SAML 2.0 bearer grant (RFC 7522 §2.1): an identity provider's assertion in exchange for a
//! token.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::TokenRequest;
use crate::client::Client;

impl Client {
    /// Prepares a login with a SAML 2.0 assertion, given as the XML that the identity provider
    /// issued.
    ///
    /// See [RFC 7522 §2.1](https://www.rfc-editor.org/rfc/rfc7522#section-2.1).
    #[must_use]
    pub fn saml2_bearer(&self, assertion: &[u8]) -> TokenRequest<'_> {
        // RFC 7522 §2.1: the assertion MUST be encoded using base64url, and SHOULD NOT be padded.
        TokenRequest::new(self, "urn:ietf:params:oauth:grant-type:saml2-bearer")
            .showing("assertion", URL_SAFE_NO_PAD.encode(assertion))
    }
}
