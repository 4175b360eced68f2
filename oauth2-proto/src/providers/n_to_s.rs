//! NationBuilder to Strava.

use alloc::format;
use alloc::vec::Vec;

use super::{Provider, at, map, part, provider, setting, text, texts};
use crate::client::dialect::{
    AnswerFormat, ClientAuthentication, Dialect, ErrorDetector, GrantedScope, LifetimeMember,
    LifetimeUnit, RequestDialect, RequestFormat, TokenPresentation,
};
use crate::{Misuse, Server};

pub(super) fn list() -> Vec<(&'static str, Provider)> {
    let own = [
        ("naver", naver()),
        ("notion", notion()),
        ("odnoklassniki", odnoklassniki()),
        ("paypal", paypal()),
        ("pinterest", pinterest()),
        ("qiita", qiita()),
        ("qq", qq()),
        ("reddit", reddit()),
        ("salesforce", salesforce()),
        ("seznam", seznam()),
        ("slack", slack()),
        ("spotify", spotify()),
        ("strava", strava()),
        ("stripe", stripe()),
        ("stripe_apps", stripe_apps()),
    ];
    let one_of_many = [
        ("nationbuilder", nationbuilder("example")),
        ("okta", okta("example.okta.com")),
        ("okta_custom", okta_custom("example.okta.com", "default")),
        ("plentymarkets", plentymarkets("example.plentymarkets-cloud-de.com")),
        ("salesforce_at", salesforce_at("example.my.salesforce.com")),
        ("sentry_integration", sentry_integration("example")),
        ("shopify", shopify("example")),
    ];
    let one_of_many = one_of_many.into_iter().filter_map(|(name, it)| Some((name, it.ok()?)));
    own.into_iter().chain(one_of_many).collect()
}

/// NationBuilder: one nation.
///
/// # Errors
/// [`Misuse::Url`] when that is no name of one.
pub fn nationbuilder(nation: &str) -> Result<Provider, Misuse> {
    let base = format!("https://{}.nationbuilder.com/oauth", part("nation", nation, false)?);
    let dialect =
        Dialect { client_authentication: ClientAuthentication::Post, ..Dialect::default() };
    at(&base, "/authorize", "/token", dialect)
}

/// Naver.
#[must_use]
pub fn naver() -> Provider {
    let dialect =
        Dialect { client_authentication: ClientAuthentication::Post, ..Dialect::default() };
    provider(
        "https://nid.naver.com/oauth2.0/authorize",
        "https://nid.naver.com/oauth2.0/token",
        dialect,
    )
}

/// Notion.
#[must_use]
pub fn notion() -> Provider {
    let json = || RequestDialect {
        format: RequestFormat::Json,
        headers: map([("notion-version", "2022-06-28")]),
        ..RequestDialect::default()
    };
    let dialect = Dialect {
        authorization_request: setting([("owner", "user")]),
        token_request: json(),
        refresh_request: json(),
        ..Dialect::default()
    };
    provider(
        "https://api.notion.com/v1/oauth/authorize",
        "https://api.notion.com/v1/oauth/token",
        dialect,
    )
}

/// Odnoklassniki.
#[must_use]
pub fn odnoklassniki() -> Provider {
    let dialect = Dialect {
        scope_separator: ';',
        client_authentication: ClientAuthentication::Post,
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    };
    provider("https://connect.ok.ru/oauth/authorize", "https://api.ok.ru/oauth/token.do", dialect)
}

/// Okta: the authorization server of an organisation, such as `acme.okta.com`.
///
/// # Errors
/// [`Misuse::Url`] when that is no host name.
pub fn okta(domain: &str) -> Result<Provider, Misuse> {
    okta_at(&format!("https://{}/oauth2", part("domain", domain, true)?))
}

/// Okta: one of an organisation's own authorization servers, such as `default`.
///
/// # Errors
/// [`Misuse::Url`] when that can't be one.
pub fn okta_custom(domain: &str, authorization_server: &str) -> Result<Provider, Misuse> {
    let domain = part("domain", domain, true)?;
    let server = part("authorization server", authorization_server, false)?;
    okta_at(&format!("https://{domain}/oauth2/{server}"))
}

fn okta_at(base: &str) -> Result<Provider, Misuse> {
    Ok(at(base, "/v1/authorize", "/v1/token", Dialect::default())?
        .with(&format!("{base}/v1/revoke"), &format!("{base}/v1/device/authorize")))
}

/// PayPal.
#[must_use]
pub fn paypal() -> Provider {
    provider(
        "https://www.paypal.com/signin/authorize",
        "https://api-m.paypal.com/v1/oauth2/token",
        Dialect::default(),
    )
}

/// Pinterest.
#[must_use]
pub fn pinterest() -> Provider {
    let error = ErrorDetector::present("/code").without_token().description("/message");
    let dialect =
        Dialect { scope_separator: ',', error_detectors: [error].into(), ..Dialect::default() };
    provider(
        "https://www.pinterest.com/oauth/",
        "https://api.pinterest.com/v5/oauth/token",
        dialect,
    )
}

/// `PlentyMarkets`, at a shop's host: tokens for a name and a password.
///
/// # Errors
/// [`Misuse::Url`] when that is no host name.
pub fn plentymarkets(host: &str) -> Result<Provider, Misuse> {
    let login = format!("https://{}/rest/login", part("host", host, true)?);
    let dialect = Dialect {
        refresh_request: RequestDialect {
            endpoint: Some(format!("{login}/refresh")),
            ..RequestDialect::default()
        },
        camel_case_members: true,
        ..Dialect::default()
    };
    Ok(Provider { server: Server::token_only(&login)?, dialect })
}

/// Qiita.
#[must_use]
pub fn qiita() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        token_request: RequestDialect { format: RequestFormat::Json, ..RequestDialect::default() },
        any_success_status: true,
        error_detectors: [ErrorDetector::present("/type").without_token().description("/message")]
            .into(),
        member_aliases: map([("scopes", "scope"), ("token", "access_token")]),
        granted_scope: GrantedScope::Array,
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://qiita.com/api/v2/oauth/authorize",
        "https://qiita.com/api/v2/access_tokens",
        dialect,
    )
}

/// QQ: secret and tokens travel in URLs, and answers are forms or JSONP.
#[must_use]
pub fn qq() -> Provider {
    let get =
        || RequestDialect { format: RequestFormat::DangerousGet, ..RequestDialect::default() };
    let error = ErrorDetector::unless("/error", "0").description("/error_description");
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        token_request: get(),
        refresh_request: get(),
        answer_format: AnswerFormat::Any,
        error_detectors: [error].into(),
        error_aliases: map([("100019", "invalid_grant"), ("100020", "invalid_grant")]),
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    };
    provider(
        "https://graph.qq.com/oauth2.0/authorize",
        "https://graph.qq.com/oauth2.0/token",
        dialect,
    )
}

/// Reddit, with a refresh token. Every request needs a `User-Agent` of your own.
#[must_use]
pub fn reddit() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        authorization_request: setting([("duration", "permanent")]),
        error_detectors: [ErrorDetector::present("/error").description("/message")].into(),
        error_aliases: map([("401", "invalid_client")]),
        ..Dialect::default()
    };
    provider(
        "https://www.reddit.com/api/v1/authorize",
        "https://www.reddit.com/api/v1/access_token",
        dialect,
    )
    .revoking("https://www.reddit.com/api/v1/revoke_token")
}

/// Salesforce. Tokens do not say when they expire: refresh when the API answers 401.
#[must_use]
pub fn salesforce() -> Provider {
    let base = "https://login.salesforce.com/services/oauth2";
    provider(&format!("{base}/authorize"), &format!("{base}/token"), Dialect::default())
        .revoking(&format!("{base}/revoke"))
}

/// Salesforce, at a host of your own, such as `acme.my.salesforce.com` or `test.salesforce.com`.
///
/// # Errors
/// [`Misuse::Url`] when that is no host name.
pub fn salesforce_at(host: &str) -> Result<Provider, Misuse> {
    let base = format!("https://{}/services/oauth2", part("host", host, true)?);
    Ok(at(&base, "/authorize", "/token", Dialect::default())?.revoking(&format!("{base}/revoke")))
}

/// Sentry: one installation of an integration, whose code comes in a webhook.
///
/// # Errors
/// [`Misuse::Url`] when that is no id of one.
pub fn sentry_integration(installation: &str) -> Result<Provider, Misuse> {
    let json = || RequestDialect { format: RequestFormat::Json, ..RequestDialect::default() };
    let installation = part("installation", installation, false)?;
    let token =
        format!("https://sentry.io/api/0/sentry-app-installations/{installation}/authorizations/");
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        token_request: json(),
        refresh_request: json(),
        any_success_status: true,
        member_aliases: map([("refreshToken", "refresh_token"), ("token", "access_token")]),
        default_token_type: text("Bearer"),
        lifetime_members: [LifetimeMember::new("expiresAt", LifetimeUnit::Date)].into(),
        ..Dialect::default()
    };
    Ok(Provider { server: Server::token_only(&token)?, dialect })
}

/// Seznam.
#[must_use]
pub fn seznam() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        member_aliases: map([("scopes", "scope")]),
        granted_scope: GrantedScope::Array,
        ..Dialect::default()
    };
    provider(
        "https://login.szn.cz/api/v1/oauth/auth",
        "https://login.szn.cz/api/v1/oauth/token",
        dialect,
    )
}

/// Shopify: one shop, the first part of `acme.myshopify.com`. Check the `hmac` of its callbacks.
///
/// # Errors
/// [`Misuse::Url`] when that is no name of one.
pub fn shopify(shop: &str) -> Result<Provider, Misuse> {
    let base = format!("https://{}.myshopify.com/admin/oauth", part("shop", shop, false)?);
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        granted_scope: GrantedScope::Separated(','),
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::Header("x-shopify-access-token".into()),
        ..Dialect::default()
    };
    at(&base, "/authorize", "/access_token", dialect)
}

/// Slack: a bot's token, or where only a person's was asked for (`user_scope`) that one. Where there
/// are both, the person's is kept as `user_access_token`.
#[must_use]
pub fn slack() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        error_detectors: [ErrorDetector::unless("/ok", "true").code("/error")].into(),
        error_aliases: map([
            ("bad_client_secret", "invalid_client"),
            ("code_already_used", "invalid_grant"),
            ("invalid_client_id", "invalid_client"),
            ("invalid_code", "invalid_grant"),
            ("invalid_refresh_token", "invalid_grant"),
        ]),
        token_locations: texts(["", "/authed_user"]),
        captured_members: map([("user_access_token", "/authed_user/access_token")]),
        granted_scope: GrantedScope::Separated(','),
        bearer_token_types: texts(["bot", "user"]),
        ..Dialect::default()
    };
    provider(
        "https://slack.com/oauth/v2/authorize",
        "https://slack.com/api/oauth.v2.access",
        dialect,
    )
}

/// Spotify.
#[must_use]
pub fn spotify() -> Provider {
    provider(
        "https://accounts.spotify.com/authorize",
        "https://accounts.spotify.com/api/token",
        Dialect::default(),
    )
}

/// Strava.
#[must_use]
pub fn strava() -> Provider {
    let error = ErrorDetector::present("/errors").code("/errors/0/resource");
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        error_detectors: [error.description("/message")].into(),
        error_aliases: map([
            ("Application", "invalid_client"),
            ("AuthorizationCode", "invalid_grant"),
            ("RefreshToken", "invalid_grant"),
        ]),
        granted_scope: GrantedScope::Separated(','),
        ..Dialect::default()
    };
    provider(
        "https://www.strava.com/oauth/authorize",
        "https://www.strava.com/api/v3/oauth/token",
        dialect,
    )
}

/// Stripe Connect. The account is the answer's `stripe_user_id`.
#[must_use]
pub fn stripe() -> Provider {
    let dialect =
        Dialect { client_authentication: ClientAuthentication::BearerSecret, ..Dialect::default() };
    provider(
        "https://connect.stripe.com/oauth/authorize",
        "https://connect.stripe.com/oauth/token",
        dialect,
    )
}

/// Stripe Apps.
#[must_use]
pub fn stripe_apps() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::SecretAsUserName,
        ..Dialect::default()
    };
    provider(
        "https://marketplace.stripe.com/oauth/v2/authorize",
        "https://api.stripe.com/v1/oauth/token",
        dialect,
    )
}
