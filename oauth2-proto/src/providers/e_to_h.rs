//! eBay to HubSpot.

use alloc::format;
use alloc::vec::Vec;

use super::i_to_m::graph_error;
use super::{Provider, at, map, provider, setting, text, texts};
use crate::Misuse;
use crate::client::dialect::{
    AnswerFormat, ClientAuthentication, Dialect, ErrorDetector, GrantedScope, LifetimeMember,
    LifetimeUnit, RequestDialect, RequestFormat,
};

pub(super) fn list() -> Vec<(&'static str, Provider)> {
    let own = [
        ("ebay", ebay("Example-App-RuName")),
        ("facebook", facebook()),
        ("feishu", feishu()),
        ("figma", figma()),
        ("fitbit", fitbit()),
        ("github", github()),
        ("gitlab", gitlab()),
        ("google", google()),
        ("hubspot", hubspot()),
    ];
    let one_of_many = [
        ("gitea", gitea("https://git.example.com")),
        ("github_enterprise", github_enterprise("https://github.example.com")),
        ("gitlab_at", gitlab_at("https://gitlab.example.com")),
    ];
    let one_of_many = one_of_many.into_iter().filter_map(|(name, it)| Some((name, it.ok()?)));
    own.into_iter().chain(one_of_many).collect()
}

/// eBay. Its redirect URI goes by a name that eBay gives it: the RuName. Give `authorize` the URL
/// that belongs to it.
#[must_use]
pub fn ebay(ru_name: &str) -> Provider {
    let dialect = Dialect {
        authorization_request: setting([("redirect_uri", ru_name)]),
        token_request: setting([("redirect_uri", ru_name)]),
        bearer_token_types: texts(["Application Access Token", "User Access Token"]),
        ..Dialect::default()
    };
    provider(
        "https://auth.ebay.com/oauth2/authorize",
        "https://api.ebay.com/identity/v1/oauth2/token",
        dialect,
    )
}

/// Facebook. A token is exchanged for one that lives longer, by refreshing it.
#[must_use]
pub fn facebook() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        refresh_request: RequestDialect {
            rename: map([("refresh_token", "fb_exchange_token")]),
            ..setting([("grant_type", "fb_exchange_token")])
        },
        refresh_with_access_token: true,
        answer_format: AnswerFormat::Any,
        error_detectors: [graph_error()].into(),
        error_aliases: map([("190", "invalid_grant")]),
        default_token_type: text("Bearer"),
        lifetime_members: [
            LifetimeMember::new("expires_in", LifetimeUnit::Seconds),
            LifetimeMember::new("expires", LifetimeUnit::Seconds),
        ]
        .into(),
        ..Dialect::default()
    };
    provider(
        "https://www.facebook.com/v22.0/dialog/oauth",
        "https://graph.facebook.com/v22.0/oauth/access_token",
        dialect,
    )
}

/// Feishu; [`lark`](super::lark) is the same abroad.
#[must_use]
pub fn feishu() -> Provider {
    provider(
        "https://accounts.feishu.cn/open-apis/authen/v1/authorize",
        "https://open.feishu.cn/open-apis/authen/v2/oauth/token",
        feishu_dialect(),
    )
}

/// What Feishu and Lark have in common.
pub(super) fn feishu_dialect() -> Dialect {
    let json = || RequestDialect { format: RequestFormat::Json, ..RequestDialect::default() };
    let error = ErrorDetector::unless("/code", "0").code("/error").code("/code");
    Dialect {
        client_authentication: ClientAuthentication::Post,
        token_request: json(),
        refresh_request: json(),
        error_detectors: [error.description("/error_description").description("/msg")].into(),
        token_locations: texts(["", "/data"]),
        ..Dialect::default()
    }
}

/// Figma: an endpoint of its own for refreshing.
#[must_use]
pub fn figma() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        token_request: RequestDialect {
            also_in_query: texts(["redirect_uri"]),
            ..RequestDialect::default()
        },
        refresh_request: RequestDialect {
            endpoint: text("https://api.figma.com/v1/oauth/refresh"),
            ..RequestDialect::default()
        },
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider("https://www.figma.com/oauth", "https://api.figma.com/v1/oauth/token", dialect)
}

/// Fitbit.
#[must_use]
pub fn fitbit() -> Provider {
    let error = ErrorDetector::present("/errors/0/errorType").description("/errors/0/message");
    let dialect = Dialect { error_detectors: [error].into(), ..Dialect::default() };
    provider(
        "https://www.fitbit.com/oauth2/authorize",
        "https://api.fitbit.com/oauth2/token",
        dialect,
    )
    .revoking("https://api.fitbit.com/oauth2/revoke")
}

/// Gitea and Forgejo, at this URL.
///
/// # Errors
/// [`Misuse::Url`] when that is not an https URL without query.
pub fn gitea(base: &str) -> Result<Provider, Misuse> {
    let dialect = Dialect { granted_scope: GrantedScope::Separated(','), ..Dialect::default() };
    at(base, "/login/oauth/authorize", "/login/oauth/access_token", dialect)
}

/// GitHub.
#[must_use]
pub fn github() -> Provider {
    provider(
        "https://github.com/login/oauth/authorize",
        "https://github.com/login/oauth/access_token",
        github_dialect(),
    )
    .with("", "https://github.com/login/device/code")
    .issuing("https://github.com/login/oauth")
}

/// GitHub Enterprise Server, at this URL.
///
/// # Errors
/// [`Misuse::Url`] when that is not an https URL without query.
pub fn github_enterprise(base: &str) -> Result<Provider, Misuse> {
    at(base, "/login/oauth/authorize", "/login/oauth/access_token", github_dialect())
}

fn github_dialect() -> Dialect {
    Dialect {
        answer_format: AnswerFormat::Any,
        error_aliases: map([
            ("bad_verification_code", "invalid_grant"),
            ("bad_refresh_token", "invalid_grant"),
            ("incorrect_client_credentials", "invalid_client"),
            ("incorrect_device_code", "invalid_grant"),
        ]),
        granted_scope: GrantedScope::Separated(','),
        ..Dialect::default()
    }
}

/// GitLab.com.
#[must_use]
pub fn gitlab() -> Provider {
    provider(
        "https://gitlab.com/oauth/authorize",
        "https://gitlab.com/oauth/token",
        Dialect::default(),
    )
    .with("https://gitlab.com/oauth/revoke", "https://gitlab.com/oauth/authorize_device")
}

/// GitLab, at this URL.
///
/// # Errors
/// [`Misuse::Url`] when that is not an https URL without query.
pub fn gitlab_at(base: &str) -> Result<Provider, Misuse> {
    let own = at(base, "/oauth/authorize", "/oauth/token", Dialect::default())?;
    let base = base.strip_suffix('/').unwrap_or(base);
    Ok(own.with(&format!("{base}/oauth/revoke"), &format!("{base}/oauth/authorize_device")))
}

/// Google, with a refresh token; another one only comes after `.param("prompt", "consent")`.
#[must_use]
pub fn google() -> Provider {
    let dialect = Dialect {
        authorization_request: setting([("access_type", "offline")]),
        ..Dialect::default()
    };
    provider(
        "https://accounts.google.com/o/oauth2/v2/auth",
        "https://oauth2.googleapis.com/token",
        dialect,
    )
    .with("https://oauth2.googleapis.com/revoke", "https://oauth2.googleapis.com/device/code")
    .issuing("https://accounts.google.com")
}

/// HubSpot.
#[must_use]
pub fn hubspot() -> Provider {
    let error = ErrorDetector::present("/status").without_token().description("/message");
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        error_detectors: [error].into(),
        error_aliases: map([
            ("BAD_AUTH_CODE", "invalid_grant"),
            ("BAD_REFRESH_TOKEN", "invalid_grant"),
            ("BAD_CLIENT_ID", "invalid_client"),
            ("BAD_CLIENT_SECRET", "invalid_client"),
        ]),
        ..Dialect::default()
    };
    provider(
        "https://app.hubspot.com/oauth/authorize",
        "https://api.hubapi.com/oauth/v1/token",
        dialect,
    )
}
