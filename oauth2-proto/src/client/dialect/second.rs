//! A second request that follows a token request, such as one that makes a token live longer.

use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::request::{ENDPOINT, put};
use super::{Dialect, RequestFormat};
use crate::error::Misuse;
use crate::value::{AccessToken, Body, EndpointUrl, Secret};

/// A request that follows the one for a login's first token. Its answer brings the token that is
/// used; a refresh has none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct SecondRequest {
    /// Where it goes: an https URL, which sees the token, and the secret if it is asked for.
    pub endpoint: String,
    /// Where the parameters stand.
    pub format: RequestFormat,
    /// Parameters that are the same for every request, such as `grant_type`.
    pub set: BTreeMap<String, String>,
    /// The name of the parameter for the first access token.
    pub token_parameter: Option<String>,
    /// The name of the parameter for the client_id.
    pub client_id_parameter: Option<String>,
    /// The name of the parameter for the secret.
    pub client_secret_parameter: Option<String>,
}

impl SecondRequest {
    /// A request to this https URL.
    #[must_use]
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self { endpoint: endpoint.into(), ..Self::default() }
    }
}

impl Dialect {
    pub(super) fn followed_by(
        &self,
        client_id: &str,
        secret: Option<&Secret>,
        first: &AccessToken,
    ) -> Result<Option<Request<Body>>, Misuse> {
        let Some(second) = &self.second_request else { return Ok(None) };
        let mut request = Request::new(Body::default());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = EndpointUrl::new(ENDPOINT, &second.endpoint)?.uri;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        let own = |text: &str| Zeroizing::new(String::from(text));
        let mut pairs: Vec<_> =
            second.set.iter().map(|(name, value)| (Cow::Borrowed(&**name), own(value))).collect();
        for (name, value) in [
            (&second.client_id_parameter, Some(client_id)),
            (&second.client_secret_parameter, secret.map(Secret::expose)),
            (&second.token_parameter, Some(first.expose())),
        ] {
            if let (Some(name), Some(value)) = (name, value) {
                pairs.push((Cow::Borrowed(name), own(value)));
            }
        }
        put(second.format, &pairs, &mut request)?;
        Ok(Some(request))
    }
}
