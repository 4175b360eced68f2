//! Pushed authorization requests (RFC 9126): the request that takes the place of the URL's query,
//! and the URL that is left.

use http::Request;
use url::Url;

use super::authentication::Credentials;
use super::{AuthorizationRequest, Client, RequestKind};
use crate::error::{Error, Misuse};
use crate::value::{Body, Timestamp};
use crate::wire::Form;

impl AuthorizationRequest<'_> {
    /// Refuses what may stand in a URL, but not in a form that is pushed.
    pub(crate) fn check_pushed(&self) -> Result<(), Misuse> {
        self.client.server.endpoint(RequestKind::PushedAuthorization)?;
        for (name, _) in self.params.iter() {
            // RFC 9126 §2.1: the request_uri parameter MUST NOT be provided. The others are for the
            // client's authentication to give.
            if matches!(name, "request_uri" | "client_assertion" | "client_assertion_type") {
                return Err(Misuse::Parameter(name.into()));
            }
        }
        Ok(())
    }
}

impl Client {
    /// Hands the parameters of this authorization URL straight to the server.
    pub(crate) fn push(&self, url: &Url, now: Timestamp) -> Result<Request<Body>, Error> {
        let endpoint = self.server.authorization()?;
        let is_own = |name: &str| endpoint.query_pairs().any(|(own, _)| own == name);
        let length = url.query().map_or(0, str::len);
        let mut form = Form::with_capacity(length.saturating_add(self.credentials.form_length()));
        for (name, value) in url.query_pairs() {
            let is_repeated =
                name == "client_id" && matches!(self.credentials, Credentials::Pairs(_));
            // What the endpoint's own URL says stays there.
            if !is_own(&name) && !is_repeated {
                form.own_pair(&name, &value);
            }
        }
        self.post(RequestKind::PushedAuthorization, form, now)
    }

    /// The URL to visit after a push. RFC 9126 §4: client_id and request_uri, behind whatever query
    /// the endpoint has.
    pub(crate) fn pushed(&self, request_uri: &str) -> Result<Url, Misuse> {
        let mut url = self.server.authorization()?.clone();
        url.query_pairs_mut()
            .append_pair("client_id", &self.id)
            .append_pair("request_uri", request_uri);
        Ok(self.visited(url))
    }
}
