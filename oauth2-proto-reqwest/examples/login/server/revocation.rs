//! Revocation (RFC 7009), which oxide-auth leaves to its users.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oxide_auth::endpoint::WebRequest;
use oxide_auth::primitives::grant::Grant;
use oxide_auth::primitives::issuer::Issuer;
use oxide_auth::primitives::registrar::Registrar;
use oxide_auth_axum::{OAuthRequest, WebError};

use super::{Issued, Shared, finish, form_value};

/// `POST /revoke`.
pub(super) async fn revoke(
    State(shared): State<Arc<Shared>>,
    request: Result<OAuthRequest, WebError>,
) -> Response {
    let mut request = match request {
        Ok(request) => request,
        Err(error) => return finish(Err(error)),
    };
    let Some(client) = authenticated(&shared, &mut request) else {
        let challenge = HeaderValue::from_static("Basic realm=\"revocation\"");
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response();
    };
    let Some(token) = form_value(&request, "token") else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let Issued { tokens, .. } = &mut *shared.issued();
    // RFC 7009, section 2.1: whose token it is, is verified.
    let issued = [tokens.recover_token(&token), tokens.recover_refresh(&token)];
    let is_of = |grant: Grant| grant.client_id == client;
    if issued.into_iter().flatten().flatten().any(is_of) {
        tokens.0.revoke(&token);
    }
    // Section 2.2: so is the answer to a token that nobody knows.
    StatusCode::OK.into_response()
}

/// The client that has said who it is, in the header or in the body.
fn authenticated(shared: &Shared, request: &mut OAuthRequest) -> Option<String> {
    let header = request.authheader().ok().flatten();
    let (id, secret) = match header.as_deref().and_then(|header| header.strip_prefix("Basic ")) {
        Some(encoded) => {
            let text = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
            let (id, secret) = text.split_once(':')?;
            (id.to_owned(), Some(secret.to_owned()))
        }
        None => {
            let value = |name| form_value(request, name).map(|value| value.into_owned());
            (value("client_id")?, value("client_secret"))
        }
    };
    let secret = secret.as_deref().map(str::as_bytes);
    shared.clients.check(&id, secret).is_ok().then_some(id)
}
