//! The revocation request (RFC 7009 §2.1).

use http::Request;

use super::Client;
use crate::value::Body;
use crate::wire::Form;

impl Client {
    /// Asks the server to revoke a token; `None` when it has no revocation endpoint.
    pub(crate) fn revoke(&self, token: &str, token_type_hint: &str) -> Option<Request<Body>> {
        let endpoint = self.server.revocation()?;
        let capacity = token.len().saturating_mul(2).saturating_add(128);
        let mut form = Form::with_capacity(capacity);
        form.pair("token", token);
        form.pair("token_type_hint", token_type_hint);
        Some(self.post(endpoint, form))
    }
}
