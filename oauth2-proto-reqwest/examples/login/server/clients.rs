//! Who is registered.

use std::borrow::Cow;
use std::sync::OnceLock;

use oxide_auth::primitives::registrar::{
    BoundClient, ClientUrl, ExactUrl, PreGrant, RegisteredUrl, Registrar, RegistrarError,
};
use oxide_auth::primitives::scope::Scope;

use super::{CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, PUBLIC_CLIENT, WEB_CLIENT, WEB_SECRET};

/// Where answers may be sent, on any port (RFC 8252, section 7.3).
const REDIRECT_URIS: [&str; 2] = ["http://127.0.0.1/callback", "http://[::1]/callback"];
/// The three registered clients.
///
/// `ClientMap` of oxide-auth would compare the ports of redirect URIs, except on the name
/// `localhost`, which RFC 8252 advises against, and would ignore the scope that was asked for.
pub(super) struct Clients {
    pub(super) scopes: Scope,
    /// Where answers to [`WEB_CLIENT`] may be sent.
    pub(super) web: OnceLock<ExactUrl>,
}

impl Registrar for Clients {
    fn bound_redirect<'a>(&self, bound: ClientUrl<'a>) -> Result<BoundClient<'a>, RegistrarError> {
        let [default, _] = REDIRECT_URIS;
        let redirect_uri = match bound.redirect_uri {
            Some(uri) => uri.into_owned(),
            None => default.parse().map_err(|_| RegistrarError::PrimitiveError)?,
        };
        let is_registered = match bound.client_id.as_ref() {
            PUBLIC_CLIENT | CONFIDENTIAL_CLIENT => is_registered_but_for_the_port(&redirect_uri),
            WEB_CLIENT => self.web.get() == Some(&redirect_uri),
            _ => false,
        };
        if is_registered {
            let redirect_uri = Cow::Owned(RegisteredUrl::Exact(redirect_uri));
            Ok(BoundClient { client_id: bound.client_id, redirect_uri })
        } else {
            Err(RegistrarError::Unspecified)
        }
    }

    fn negotiate(
        &self,
        client: BoundClient<'_>,
        asked: Option<Scope>,
    ) -> Result<PreGrant, RegistrarError> {
        let scope = asked.unwrap_or_else(|| self.scopes.clone());
        if !self.scopes.priviledged_to(&scope) {
            return Err(RegistrarError::Unspecified);
        }
        Ok(PreGrant {
            client_id: client.client_id.into_owned(),
            redirect_uri: client.redirect_uri.into_owned(),
            scope,
        })
    }

    fn check(&self, client_id: &str, secret: Option<&[u8]>) -> Result<(), RegistrarError> {
        // A server worth attacking keeps a hash of the secret and compares in constant time.
        match (client_id, secret) {
            (PUBLIC_CLIENT, None) => Ok(()),
            (CONFIDENTIAL_CLIENT, Some(secret)) if secret == CONFIDENTIAL_SECRET.as_bytes() => {
                Ok(())
            }
            (WEB_CLIENT, Some(secret)) if secret == WEB_SECRET.as_bytes() => Ok(()),
            _ => Err(RegistrarError::Unspecified),
        }
    }
}

fn is_registered_but_for_the_port(redirect_uri: &ExactUrl) -> bool {
    let mut url = redirect_uri.to_url();
    url.set_port(None).is_ok() && REDIRECT_URIS.contains(&url.as_str())
}
