//! Extension grants (RFC 6749 §4.5): any grant that has a URI for a name.

use super::TokenRequest;
use crate::client::Client;

impl Client {
    /// Prepares a login by a grant that this crate does not know: its parameters are given with
    /// [`param`](TokenRequest::param).
    ///
    /// ```
    /// # use oauth2_proto::{Client, Timestamp};
    /// # fn log_in(client: &Client, one_time_password: &str, now: Timestamp) -> Result<(), oauth2_proto::Error> {
    /// let (request, awaiting) = client
    ///     .extension_grant("https://as.example/grants/otp")
    ///     .param("otp", one_time_password)
    ///     .begin(&mut rand::rng(), now)?;
    /// # Ok(()) }
    /// ```
    ///
    /// See [RFC 6749 §4.5](https://www.rfc-editor.org/rfc/rfc6749#section-4.5).
    #[must_use]
    pub const fn extension_grant<'a>(&'a self, grant_type: &'a str) -> TokenRequest<'a> {
        TokenRequest::new(self, grant_type)
    }
}
