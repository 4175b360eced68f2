//! The resource owner password credentials grant (RFC 6749 §4.3). Kept for servers that offer
//! nothing better.

use super::TokenRequest;
use crate::client::Client;

impl Client {
    /// Prepares a login with the person's own password. **Legacy**: the program sees the password,
    /// and a second factor is impossible (RFC 9700 §2.4: MUST NOT be used). Use
    /// [`authorize`](Self::authorize) or [`device_authorization`](Self::device_authorization)
    /// wherever the server offers them.
    ///
    /// The password is held until the answer is there, wiped then, and never stored.
    ///
    /// See [RFC 6749 §4.3](https://www.rfc-editor.org/rfc/rfc6749#section-4.3).
    #[must_use]
    pub fn legacy_password(&self, username: &str, password: &str) -> TokenRequest<'_> {
        TokenRequest::new(self, "password")
            .showing("username", username)
            .showing("password", password)
    }
}
