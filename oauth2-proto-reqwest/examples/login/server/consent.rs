//! The page that asks the user, and what they say.

use oxide_auth::endpoint::{OwnerConsent, OwnerSolicitor, Solicitation};
use oxide_auth::primitives::registrar::PreGrant;
use oxide_auth_axum::{OAuthRequest, OAuthResponse};

use super::USER;

/// What the user said about a request for access.
pub(super) enum Decision {
    Pending,
    Allowed,
    Denied,
}

impl OwnerSolicitor<OAuthRequest> for Decision {
    fn check_consent(
        &mut self,
        _: &mut OAuthRequest,
        asked: Solicitation<'_>,
    ) -> OwnerConsent<OAuthResponse> {
        match self {
            Self::Allowed => OwnerConsent::Authorized(USER.to_owned()),
            Self::Denied => OwnerConsent::Denied,
            Self::Pending => OAuthResponse::default()
                .body(&consent_page(asked.pre_grant()))
                .content_type("text/html; charset=utf-8")
                .map_or_else(OwnerConsent::Error, OwnerConsent::InProgress),
        }
    }
}

/// The form has no `action`, so that a browser sends it to the page's own URL, query included.
fn consent_page(grant: &PreGrant) -> String {
    let mut scopes: Vec<_> = grant.scope.iter().map(escape).collect();
    scopes.sort();
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Allow access?</title></head>
<body>
<h1>Allow access?</h1>
<p>You are <b>{USER}</b>. The application <b>{}</b> asks for <b>{}</b>.</p>
<p>The answer goes to <code>{}</code></p>
<form method="post">
<button name="decision" value="allow">Allow</button>
<button name="decision" value="deny">Deny</button>
</form>
</body>
</html>
"#,
        escape(&grant.client_id),
        scopes.join(" "),
        escape(grant.redirect_uri.as_str()),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
