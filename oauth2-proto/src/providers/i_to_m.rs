//! Instagram to monday.com.

use alloc::format;
use alloc::vec::Vec;

use super::e_to_h::feishu_dialect;
use super::{Provider, at, map, part, provider, setting, text, texts};
use crate::Misuse;
use crate::client::dialect::{
    ClientAuthentication, Dialect, ErrorDetector, GrantedScope, IssuerMatch, RequestDialect,
    RequestFormat, SecondRequest, TokenPresentation, ZeroLifetime,
};

pub(super) fn list() -> Vec<(&'static str, Provider)> {
    let own = [
        ("instagram", instagram()),
        ("intuit", intuit()),
        ("kakao", kakao()),
        ("lark", lark()),
        ("line", line()),
        ("linkedin", linkedin()),
        ("mailchimp", mailchimp()),
        ("microsoft_live", microsoft_live()),
        ("monday", monday()),
    ];
    let one_of_many = [
        ("keycloak", keycloak("https://sso.example.com/realms/example")),
        ("microsoft_entra", microsoft_entra("common")),
    ];
    let one_of_many = one_of_many.into_iter().filter_map(|(name, it)| Some((name, it.ok()?)));
    own.into_iter().chain(one_of_many).collect()
}

/// Instagram: the first token is exchanged at once for one that lives sixty days, which refreshes
/// itself. Secret and tokens travel in URLs.
#[must_use]
pub fn instagram() -> Provider {
    let base = "https://graph.instagram.com";
    provider(
        "https://www.instagram.com/oauth/authorize",
        "https://api.instagram.com/oauth/access_token",
        graph_dialect(base, "ig_exchange_token", "ig_refresh_token"),
    )
}

/// What Instagram and Threads have in common.
pub(super) fn graph_dialect(base: &str, exchange: &str, refresh: &str) -> Dialect {
    let error = ErrorDetector::present("/error_type").description("/error_message");
    Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        refresh_request: RequestDialect {
            rename: map([("refresh_token", "access_token")]),
            remove: texts(["client_id", "client_secret"]),
            format: RequestFormat::DangerousGet,
            endpoint: Some(format!("{base}/refresh_access_token")),
            ..setting([("grant_type", refresh)])
        },
        refresh_with_access_token: true,
        second_request: Some(SecondRequest {
            format: RequestFormat::DangerousGet,
            set: map([("grant_type", exchange)]),
            token_parameter: text("access_token"),
            client_secret_parameter: text("client_secret"),
            ..SecondRequest::new(format!("{base}/access_token"))
        }),
        error_detectors: [error, graph_error()].into(),
        error_aliases: map([("190", "invalid_grant")]),
        token_locations: texts(["", "/data/0"]),
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    }
}

/// An error of Meta's Graph API, where `error` is an object.
pub(super) fn graph_error() -> ErrorDetector {
    ErrorDetector::present("/error/message").code("/error/code").description("/error/message")
}

/// Intuit: QuickBooks. The company's id comes in the callback and is kept as `realmId`.
#[must_use]
pub fn intuit() -> Provider {
    let dialect = Dialect { kept_callback_parameters: texts(["realmId"]), ..Dialect::default() };
    provider(
        "https://appcenter.intuit.com/connect/oauth2",
        "https://oauth.platform.intuit.com/oauth2/v1/tokens/bearer",
        dialect,
    )
    .revoking("https://developer.api.intuit.com/v2/oauth2/tokens/revoke")
}

/// Kakao.
#[must_use]
pub fn kakao() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://kauth.kakao.com/oauth/authorize",
        "https://kauth.kakao.com/oauth/token",
        dialect,
    )
}

/// Keycloak: a realm, such as `https://sso.example/realms/acme`.
///
/// # Errors
/// [`Misuse::Url`] when that is not an https URL without query.
pub fn keycloak(realm: &str) -> Result<Provider, Misuse> {
    let realm = realm.strip_suffix('/').unwrap_or(realm);
    let base = format!("{realm}/protocol/openid-connect");
    let mut own = at(&base, "/auth", "/token", Dialect::default())?;
    own.server = own
        .server
        .with_pushed_authorization(&format!("{base}/ext/par/request"))?
        .with_introspection(&format!("{base}/token/introspect"))?;
    Ok(own.with(&format!("{base}/revoke"), &format!("{base}/auth/device")).issuing(realm))
}

/// Lark; [`feishu`](super::feishu) is the same in China.
#[must_use]
pub fn lark() -> Provider {
    provider(
        "https://accounts.larksuite.com/open-apis/authen/v1/authorize",
        "https://open.larksuite.com/open-apis/authen/v2/oauth/token",
        feishu_dialect(),
    )
}

/// LINE.
#[must_use]
pub fn line() -> Provider {
    let dialect =
        Dialect { client_authentication: ClientAuthentication::Post, ..Dialect::default() };
    provider(
        "https://access.line.me/oauth2/v2.1/authorize",
        "https://api.line.me/oauth2/v2.1/token",
        dialect,
    )
}

/// LinkedIn. It refuses PKCE together with a secret: keep the secret safe.
#[must_use]
pub fn linkedin() -> Provider {
    let error = ErrorDetector::present("/serviceErrorCode").description("/message");
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        dangerous_without_pkce: true,
        error_detectors: [error].into(),
        granted_scope: GrantedScope::Separated(','),
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://www.linkedin.com/oauth/v2/authorization",
        "https://www.linkedin.com/oauth/v2/accessToken",
        dialect,
    )
}

/// Mailchimp. Ask `https://login.mailchimp.com/oauth2/metadata` for the host of its API.
#[must_use]
pub fn mailchimp() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        default_token_type: text("Bearer"),
        zero_lifetime: ZeroLifetime::Never,
        ..Dialect::default()
    };
    provider(
        "https://login.mailchimp.com/oauth2/authorize",
        "https://login.mailchimp.com/oauth2/token",
        dialect,
    )
}

/// Microsoft Entra: the id or a domain of a tenant, or `common`, `organizations`, `consumers`.
///
/// A single-page app's requests need an `Origin` header, which browsers send by themselves.
///
/// # Errors
/// [`Misuse::Url`] when that can't be a tenant.
pub fn microsoft_entra(tenant: &str) -> Result<Provider, Misuse> {
    let host = "https://login.microsoftonline.com";
    let base = format!("{host}/{}/oauth2/v2.0", part("tenant", tenant, true)?);
    // The issuer has the tenant's id, whatever name it was called by.
    let is_id = tenant.len() == 36 && !tenant.contains('.');
    let (issuer, named) =
        if is_id { (IssuerMatch::Exact, tenant) } else { (IssuerMatch::Tenants, "{tenantid}") };
    let dialect = Dialect { issuer, ..Dialect::default() };
    Ok(at(&base, "/authorize", "/token", dialect)?
        .with("", &format!("{base}/devicecode"))
        .issuing([host, "/", named, "/v2.0"].concat()))
}

/// Microsoft's personal accounts, by the older endpoints.
#[must_use]
pub fn microsoft_live() -> Provider {
    let dialect =
        Dialect { client_authentication: ClientAuthentication::Post, ..Dialect::default() };
    provider(
        "https://login.live.com/oauth20_authorize.srf",
        "https://login.live.com/oauth20_token.srf",
        dialect,
    )
}

/// monday.com.
#[must_use]
pub fn monday() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        authorization_request: RequestDialect {
            remove: texts(["response_type"]),
            ..RequestDialect::default()
        },
        ..Dialect::default()
    };
    provider(
        "https://auth.monday.com/oauth2/authorize",
        "https://auth.monday.com/oauth2/token",
        dialect,
    )
}
