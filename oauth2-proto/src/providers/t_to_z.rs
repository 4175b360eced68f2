//! Threads to Zoom.

use alloc::format;
use alloc::vec::Vec;

use super::i_to_m::graph_dialect;
use super::{Provider, at, map, part, provider, renaming, setting, text, texts};
use crate::Misuse;
use crate::client::dialect::{
    ClientAuthentication, Dialect, ErrorDetector, GrantedScope, LifetimeMember, LifetimeUnit,
    RequestDialect, RequestFormat, TokenPresentation, ZeroLifetime,
};

pub(super) fn list() -> Vec<(&'static str, Provider)> {
    let own = [
        ("threads", threads()),
        ("tiktok", tiktok()),
        ("tiktok_business", tiktok_business()),
        ("twitch", twitch()),
        ("untappd", untappd()),
        ("vk", vk()),
        ("wechat", wechat()),
        ("weibo", weibo()),
        ("withings", withings()),
        ("x", x()),
        ("yammer", yammer()),
        ("yandex", yandex()),
        ("zoom", zoom()),
    ];
    let one_of_many = [("zoho", zoho("com"))];
    let one_of_many = one_of_many.into_iter().filter_map(|(name, it)| Some((name, it.ok()?)));
    own.into_iter().chain(one_of_many).collect()
}

/// Threads; see [`instagram`](super::instagram).
#[must_use]
pub fn threads() -> Provider {
    let base = "https://graph.threads.net";
    provider(
        "https://threads.net/oauth/authorize",
        "https://graph.threads.net/oauth/access_token",
        graph_dialect(base, "th_exchange_token", "th_refresh_token"),
    )
}

/// TikTok: Login Kit.
#[must_use]
pub fn tiktok() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        every_request: renaming([("client_id", "client_key")]),
        granted_scope: GrantedScope::Separated(','),
        ..Dialect::default()
    };
    provider(
        "https://www.tiktok.com/v2/auth/authorize/",
        "https://open.tiktokapis.com/v2/oauth/token/",
        dialect,
    )
    .revoking("https://open.tiktokapis.com/v2/oauth/revoke/")
}

/// TikTok API for Business: advertisers.
#[must_use]
pub fn tiktok_business() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        every_request: renaming([("client_id", "app_id"), ("client_secret", "secret")]),
        token_request: RequestDialect {
            format: RequestFormat::Json,
            ..renaming([("code", "auth_code")])
        },
        callback_parameters: map([("auth_code", "code")]),
        error_detectors: [ErrorDetector::unless("/code", "0").description("/message")].into(),
        token_locations: texts(["/data"]),
        granted_scope: GrantedScope::Array,
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::Header("access-token".into()),
        ..Dialect::default()
    };
    provider(
        "https://business-api.tiktok.com/portal/auth",
        "https://business-api.tiktok.com/open_api/v1.3/oauth2/access_token/",
        dialect,
    )
}

/// Twitch. Its API also wants a `Client-Id` header.
#[must_use]
pub fn twitch() -> Provider {
    let error = ErrorDetector::present("/message").without_token().description("/error");
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        error_detectors: [error].into(),
        error_aliases: map([
            ("Invalid authorization code", "invalid_grant"),
            ("Invalid refresh token", "invalid_grant"),
            ("invalid client", "invalid_client"),
            ("invalid client secret", "invalid_client"),
            ("invalid device code", "invalid_grant"),
        ]),
        granted_scope: GrantedScope::Array,
        ..Dialect::default()
    };
    provider("https://id.twitch.tv/oauth2/authorize", "https://id.twitch.tv/oauth2/token", dialect)
        .with("https://id.twitch.tv/oauth2/revoke", "https://id.twitch.tv/oauth2/device")
}

/// Untappd: secret and tokens travel in URLs.
#[must_use]
pub fn untappd() -> Provider {
    let error = ErrorDetector::present("/meta/error_type").description("/meta/error_detail");
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        every_request: renaming([("redirect_uri", "redirect_url")]),
        token_request: RequestDialect {
            remove: texts(["grant_type"]),
            format: RequestFormat::DangerousGet,
            ..setting([("response_type", "code")])
        },
        error_detectors: [error].into(),
        error_aliases: map([("invalid_auth", "invalid_grant")]),
        token_locations: texts(["/response"]),
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    };
    provider(
        "https://untappd.com/oauth/authenticate/",
        "https://untappd.com/oauth/authorize/",
        dialect,
    )
}

/// VK. A refused `Basic` header would spend the code.
#[must_use]
pub fn vk() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        default_token_type: text("Bearer"),
        zero_lifetime: ZeroLifetime::Never,
        ..Dialect::default()
    };
    provider("https://oauth.vk.com/authorize", "https://oauth.vk.com/access_token", dialect)
}

/// WeChat, for web sites: secret and tokens travel in URLs. Its API wants the `openid` of the answer.
#[must_use]
pub fn wechat() -> Provider {
    let get =
        || RequestDialect { format: RequestFormat::DangerousGet, ..RequestDialect::default() };
    let error = ErrorDetector::unless("/errcode", "0").description("/errmsg");
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        every_request: renaming([("client_id", "appid"), ("client_secret", "secret")]),
        authorization_fragment: text("wechat_redirect"),
        token_request: get(),
        refresh_request: RequestDialect {
            remove: texts(["client_secret"]),
            endpoint: text("https://api.weixin.qq.com/sns/oauth2/refresh_token"),
            ..get()
        },
        error_detectors: [error].into(),
        error_aliases: map([
            ("40013", "invalid_client"),
            ("40029", "invalid_grant"),
            ("40030", "invalid_grant"),
            ("40125", "invalid_client"),
            ("40163", "invalid_grant"),
            ("42002", "invalid_grant"),
        ]),
        granted_scope: GrantedScope::Separated(','),
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    };
    provider(
        "https://open.weixin.qq.com/connect/qrconnect",
        "https://api.weixin.qq.com/sns/oauth2/access_token",
        dialect,
    )
}

/// Weibo.
#[must_use]
pub fn weibo() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        default_token_type: text("Bearer"),
        token_presentation: TokenPresentation::DangerousQuery("access_token".into()),
        ..Dialect::default()
    };
    provider(
        "https://api.weibo.com/oauth2/authorize",
        "https://api.weibo.com/oauth2/access_token",
        dialect,
    )
}

/// Withings.
#[must_use]
pub fn withings() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        token_request: setting([("action", "requesttoken")]),
        refresh_request: setting([("action", "requesttoken")]),
        error_detectors: [ErrorDetector::unless("/status", "0").description("/error")].into(),
        token_locations: texts(["/body"]),
        granted_scope: GrantedScope::Separated(','),
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://account.withings.com/oauth2_user/authorize2",
        "https://wbsapi.withings.net/v2/oauth2",
        dialect,
    )
}

/// X, which was Twitter. For a refresh token, ask for the scope `offline.access`.
#[must_use]
pub fn x() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::BasicAndClientId,
        ..Dialect::default()
    };
    provider("https://x.com/i/oauth2/authorize", "https://api.x.com/2/oauth2/token", dialect)
        .revoking("https://api.x.com/2/oauth2/revoke")
}

/// Yammer: the token stands inside of an object.
#[must_use]
pub fn yammer() -> Provider {
    let dialect = Dialect {
        client_authentication: ClientAuthentication::Post,
        token_locations: texts(["/access_token"]),
        member_aliases: map([("token", "access_token")]),
        default_token_type: text("Bearer"),
        ..Dialect::default()
    };
    provider(
        "https://www.yammer.com/oauth2/authorize",
        "https://www.yammer.com/oauth2/access_token",
        dialect,
    )
}

/// Yandex.
#[must_use]
pub fn yandex() -> Provider {
    let dialect = Dialect {
        token_presentation: TokenPresentation::Scheme("OAuth".into()),
        ..Dialect::default()
    };
    provider("https://oauth.yandex.com/authorize", "https://oauth.yandex.com/token", dialect)
}

/// Zoho, in one of its regions: `com`, `eu`, `in`, `com.au`, `jp` … The callback says which one it
/// is, kept as `accounts-server`; check that it is the one that was given here.
///
/// # Errors
/// [`Misuse::Url`] when that can't be one.
pub fn zoho(region: &str) -> Result<Provider, Misuse> {
    let base = format!("https://accounts.zoho.{}/oauth/v2", part("region", region, true)?);
    let dialect = Dialect {
        scope_separator: ',',
        client_authentication: ClientAuthentication::Post,
        authorization_request: setting([("access_type", "offline")]),
        kept_callback_parameters: texts(["accounts-server", "location"]),
        error_aliases: map([("invalid_code", "invalid_grant")]),
        // Where both are there, the second one counts milliseconds.
        lifetime_members: [
            LifetimeMember::new("expires_in_sec", LifetimeUnit::Seconds),
            LifetimeMember::new("expires_in", LifetimeUnit::Seconds),
        ]
        .into(),
        token_presentation: TokenPresentation::Scheme("Zoho-oauthtoken".into()),
        ..Dialect::default()
    };
    Ok(at(&base, "/auth", "/token", dialect)?.revoking(&format!("{base}/token/revoke")))
}

/// Zoom.
#[must_use]
pub fn zoom() -> Provider {
    let dialect = Dialect {
        scope_separator: ',',
        granted_scope: GrantedScope::Separated(','),
        ..Dialect::default()
    };
    provider("https://zoom.us/oauth/authorize", "https://zoom.us/oauth/token", dialect)
        .revoking("https://zoom.us/oauth/revoke")
}
