//! The revocation request (RFC 7009 §2.1).

use http::Request;

use super::{Client, RequestKind};
use crate::value::{Body, Timestamp};
use crate::wire::Form;

impl Client {
    /// Asks the server to revoke a token; `None` when it has no revocation endpoint, or the client
    /// cannot authenticate.
    pub(crate) fn revoke(
        &self,
        token: &str,
        token_type_hint: &str,
        now: Timestamp,
    ) -> Option<Request<Body>> {
        self.server.endpoint(RequestKind::Revocation).ok()?;
        let capacity = token.len().saturating_mul(2).saturating_add(128);
        let mut form = Form::with_capacity(capacity);
        form.pair("token", token);
        form.pair("token_type_hint", token_type_hint);
        self.post(RequestKind::Revocation, form, now).ok()
    }
}
