//! Amazon to Dropbox.

use alloc::format;
use alloc::vec::Vec;

use super::{Provider, at, map, part, provider, renaming, setting, text, texts};
use crate::Misuse;
use crate::client::dialect::{
    AnswerFormat, ClientAuthentication, Dialect, ErrorDetector, KeepAlive, LifetimeMember,
    LifetimeUnit, RequestDialect, RequestFormat, TokenPresentation, ZeroLifetime,
};

pub(super) fn list() -> Vec<(&'static str, Provider)> {
    let own = [
        ("amazon_selling_partner", amazon_selling_partner("amzn1.sp.solution.example")),
        ("apple", apple()),
        ("atlassian", atlassian()),
        ("basecamp", basecamp()),
        ("bitbucket", bitbucket()),
        ("box", r#box()),
        ("clover", clover()),
        ("coros", coros()),
        ("deezer", deezer()),
        ("dingtalk", dingtalk()),
        ("discord", discord()),
        ("douban", douban()),
        ("dropbox", dropbox()),
    ];
    let one_of_many = [
        ("adfs", adfs("sts.example.com")),
        ("auth0", auth0("example.auth0.com")),
        ("cognito", cognito("example.auth.eu-west-1.amazoncognito.com")),
    ];
    let one_of_many = one_of_many.into_iter().filter_map(|(name, it)| Some((name, it.ok()?)));
    own.into_iter().chain(one_of_many).collect()
}

/// Active Directory Federation Services, at the host of this name.
///
/// # Errors
/// [`Misuse::Url`] when that is no host name.
pub fn adfs(host: &str) -> Result<Provider, Misuse> {
    let base = format!("https://{}/adfs/oauth2", part("host", host, true)?);
    at(&base, "/authorize", "/token", Dialect::default())
}

/// Amazon Selling Partner API: the application has an id of its own besides the client_id.
#[must_use]
pub fn amazon_selling_partner(application_id: &str) -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        authorization_request: RequestDialect {
            remove: texts(["client_id"]),
            ..setting([("application_id", application_id)])
        },
        callback_parameters: map([("spapi_oauth_code", "code")]),
        kept_callback_parameters: texts(["selling_partner_id"]),
        token_presentation: TokenPresentation::Header("x-amz-access-token".into()),
        ..Dialect::default()
    };
    provider(
        "https://sellercentral.amazon.com/apps/authorize/consent",
        "https://api.amazon.com/auth/o2/token",
        dialect,
    )
}

/// Sign in with Apple. The callback is posted ([`Callback::form_post`](crate::Callback::form_post)),
/// the first one with the person's name, kept as `user`; the secret is a JWT signed with ES256.
#[must_use]
pub fn apple() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        authorization_request: setting([("response_mode", "form_post")]),
        kept_callback_parameters: texts(["user"]),
        ..Dialect::default()
    };
    let base = "https://appleid.apple.com/auth";
    provider(&format!("{base}/authorize"), &format!("{base}/token"), dialect)
        .revoking(&format!("{base}/revoke"))
}

/// Atlassian: Jira and Confluence.
#[must_use]
pub fn atlassian() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        authorization_request: setting([("audience", "api.atlassian.com"), ("prompt", "consent")]),
        ..Dialect::default()
    };
    provider(
        "https://auth.atlassian.com/authorize",
        "https://auth.atlassian.com/oauth/token",
        dialect,
    )
}

/// Auth0, at a tenant's domain, such as `acme.eu.auth0.com`.
///
/// # Errors
/// [`Misuse::Url`] when that is no host name.
pub fn auth0(domain: &str) -> Result<Provider, Misuse> {
    let base = format!("https://{}", part("domain", domain, true)?);
    Ok(at(&base, "/authorize", "/oauth/token", Dialect::default())?
        .with(&format!("{base}/oauth/revoke"), &format!("{base}/oauth/device/code")))
}

/// Basecamp 4 and its predecessors (37signals).
#[must_use]
pub fn basecamp() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        authorization_request: setting([("type", "web_server")]),
        token_request: setting([("type", "web_server")]),
        refresh_request: setting([("type", "refresh")]),
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://launchpad.37signals.com/authorization/new",
        "https://launchpad.37signals.com/authorization/token",
        dialect,
    )
}

/// Bitbucket Cloud: the scope comes as `scopes`.
#[must_use]
pub fn bitbucket() -> Provider {
    let dialect = Dialect { member_aliases: map([("scopes", "scope")]), ..Dialect::default() };
    provider(
        "https://bitbucket.org/site/oauth2/authorize",
        "https://bitbucket.org/site/oauth2/access_token",
        dialect,
    )
}

/// Box.
#[must_use]
pub fn r#box() -> Provider {
    let dialect =
        Dialect { client_authentication: ClientAuthentication::Post, ..Dialect::default() };
    provider(
        "https://account.box.com/api/oauth2/authorize",
        "https://api.box.com/oauth2/token",
        dialect,
    )
    .revoking("https://api.box.com/oauth2/revoke")
}

/// Clover (in North America): JSON, moments of expiry, and an endpoint of its own for refreshing.
#[must_use]
pub fn clover() -> Provider {
    let json = || RequestDialect { format: RequestFormat::Json, ..RequestDialect::default() };
    let expiry = LifetimeMember::new("access_token_expiration", LifetimeUnit::UnixSeconds);
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        token_request: json(),
        refresh_request: RequestDialect {
            endpoint: text("https://api.clover.com/oauth/v2/refresh"),
            ..json()
        },
        default_token_type: text("Bearer"),
        lifetime_members: [expiry].into(),
        ..Dialect::default()
    };
    provider(
        "https://www.clover.com/oauth/v2/authorize",
        "https://api.clover.com/oauth/v2/token",
        dialect,
    )
}

/// Amazon Cognito, at a user pool's domain, such as `acme.auth.eu-west-1.amazoncognito.com`.
///
/// # Errors
/// [`Misuse::Url`] when that is no host name.
pub fn cognito(domain: &str) -> Result<Provider, Misuse> {
    let base = format!("https://{}/oauth2", part("domain", domain, true)?);
    Ok(at(&base, "/authorize", "/token", Dialect::default())?.revoking(&format!("{base}/revoke")))
}

/// COROS: a refresh prolongs the same token, for thirty days.
#[must_use]
pub fn coros() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        refresh_request: RequestDialect {
            endpoint: text("https://open.coros.com/oauth2/refresh-token"),
            ..RequestDialect::default()
        },
        error_detectors: [ErrorDetector::unless("/result", "0000").description("/message")].into(),
        default_token_type: text("Bearer"),
        default_lifetime: Some(30 * 24 * 60 * 60),
        keep_alive: Some(KeepAlive::new("/result", "0000")),
        ..Dialect::default()
    };
    provider(
        "https://open.coros.com/oauth2/authorize",
        "https://open.coros.com/oauth2/accesstoken",
        dialect,
    )
}

/// Deezer: the secret travels in a URL, and answers are forms.
#[must_use]
pub fn deezer() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        every_request: renaming([
            ("client_id", "app_id"),
            ("client_secret", "secret"),
            ("scope", "perms"),
        ]),
        token_request: RequestDialect {
            format: RequestFormat::DangerousGet,
            ..RequestDialect::default()
        },
        answer_format: AnswerFormat::Any,
        default_token_type: text("Bearer"),
        lifetime_members: [LifetimeMember::new("expires", LifetimeUnit::Seconds)].into(),
        zero_lifetime: ZeroLifetime::Never,
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    };
    provider(
        "https://connect.deezer.com/oauth/auth.php",
        "https://connect.deezer.com/oauth/access_token.php",
        dialect,
    )
}

/// DingTalk: JSON and camel case, in both directions.
#[must_use]
pub fn dingtalk() -> Provider {
    let json = || RequestDialect {
        format: RequestFormat::Json,
        ..renaming([
            ("client_id", "clientId"),
            ("client_secret", "clientSecret"),
            ("grant_type", "grantType"),
            ("refresh_token", "refreshToken"),
        ])
    };
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        authorization_request: setting([("prompt", "consent")]),
        token_request: json(),
        refresh_request: json(),
        error_detectors: [ErrorDetector::present("/code").without_token().description("/message")]
            .into(),
        camel_case_members: true,
        default_token_type: text("Bearer"),
        lifetime_members: [LifetimeMember::new("expire_in", LifetimeUnit::Seconds)].into(),
        token_presentation: TokenPresentation::Header("x-acs-dingtalk-access-token".into()),
        ..Dialect::default()
    };
    provider(
        "https://login.dingtalk.com/oauth2/auth",
        "https://api.dingtalk.com/v1.0/oauth2/userAccessToken",
        dialect,
    )
}

/// Discord.
#[must_use]
pub fn discord() -> Provider {
    provider(
        "https://discord.com/oauth2/authorize",
        "https://discord.com/api/oauth2/token",
        Dialect::default(),
    )
    .revoking("https://discord.com/api/oauth2/token/revoke")
}

/// Douban.
#[must_use]
pub fn douban() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        error_detectors: [ErrorDetector::present("/code").without_token().description("/msg")]
            .into(),
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://www.douban.com/service/auth2/auth",
        "https://www.douban.com/service/auth2/token",
        dialect,
    )
}

/// Dropbox, with a refresh token; without one after `.param("token_access_type", "online")`.
#[must_use]
pub fn dropbox() -> Provider {
    let dialect = Dialect {
        authorization_request: setting([("token_access_type", "offline")]),
        ..Dialect::default()
    };
    provider(
        "https://www.dropbox.com/oauth2/authorize",
        "https://api.dropboxapi.com/oauth2/token",
        dialect,
    )
}
