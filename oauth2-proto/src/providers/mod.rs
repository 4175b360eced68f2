//! Providers in real use: where they are, and how they deviate from the RFCs.
//!
//! Each is a few lines of data over the knobs of [`Dialect`]; there is no code for any of them.
//! What a provider changes, change in the [`Provider`]: both parts of it are public.
//!
//! ```
//! use oauth2_proto::providers;
//!
//! let client = providers::github().client("id").with_secret("from a safe place");
//! let own = providers::microsoft_entra("contoso.onmicrosoft.com")?.client("id");
//! # Ok::<(), oauth2_proto::Misuse>(())
//! ```
//!
//! Some things are the host's: a `User-Agent` (GitHub, Reddit and Basecamp refuse requests without),
//! keys of the API besides the token, signatures over callbacks.
//!
#![doc = include_str!("../../docs/providers.md")]

mod a_to_d;
mod e_to_h;
mod i_to_m;
mod n_to_s;
mod t_to_z;

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

pub use a_to_d::{
    adfs, amazon_selling_partner, apple, atlassian, auth0, basecamp, bitbucket, r#box, clover,
    cognito, coros, deezer, dingtalk, discord, douban, dropbox,
};
pub use e_to_h::{
    ebay, facebook, feishu, figma, fitbit, gitea, github, github_enterprise, gitlab, gitlab_at,
    google, hubspot,
};
pub use i_to_m::{
    instagram, intuit, kakao, keycloak, lark, line, linkedin, mailchimp, microsoft_entra,
    microsoft_live, monday,
};
pub use n_to_s::{
    nationbuilder, naver, notion, odnoklassniki, okta, okta_custom, paypal, pinterest,
    plentymarkets, qiita, qq, reddit, salesforce, salesforce_at, sentry_integration, seznam,
    shopify, slack, spotify, strava, stripe, stripe_apps,
};
pub use t_to_z::{
    threads, tiktok, tiktok_business, twitch, untappd, vk, wechat, weibo, withings, x, yammer,
    yandex, zoho, zoom,
};

use crate::client::Dialect;
use crate::client::dialect::RequestDialect;
use crate::{Client, Misuse, Server};

/// Where a provider is, and how it speaks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Provider {
    /// Its endpoints.
    pub server: Server,
    /// How it deviates from the RFCs.
    pub dialect: Dialect,
}

impl Provider {
    /// A client of this provider.
    #[must_use]
    pub fn client(self, id: impl Into<String>) -> Client {
        let client = Client::new(id, self.server);
        // What speaks as the RFCs do needs no translation.
        if self.dialect == Dialect::default() { client } else { client.with_dialect(self.dialect) }
    }
}

/// All of them by name, for a menu or a test; those that are one of many (a tenant, a shop, a
/// realm) at `example`.
#[must_use]
pub fn all() -> Vec<(&'static str, Provider)> {
    let lists = [a_to_d::list(), e_to_h::list(), i_to_m::list(), n_to_s::list(), t_to_z::list()];
    let mut all: Vec<_> = lists.into_iter().flatten().collect();
    all.sort_by_key(|(name, _)| *name);
    all
}

/// A provider with these endpoints that are the same for everyone.
fn provider(authorization: &str, token: &str, dialect: Dialect) -> Provider {
    Provider { server: Server::known(authorization, token), dialect }
}

impl Provider {
    /// Adds the endpoint for revocation.
    fn revoking(self, revocation: &str) -> Self {
        self.with(revocation, "")
    }

    /// Adds the endpoints for revocation and for devices.
    fn with(self, revocation: &str, device_authorization: &str) -> Self {
        Self { server: self.server.known_besides(revocation, device_authorization), ..self }
    }

    fn issuing(self, issuer: impl Into<String>) -> Self {
        Self { server: self.server.with_issuer(issuer), ..self }
    }
}

/// One of many providers at the same base, such as `https://git.example`.
fn at(base: &str, authorization: &str, token: &str, dialect: Dialect) -> Result<Provider, Misuse> {
    let base = base.strip_suffix('/').unwrap_or(base);
    if base.contains(['?', '#']) {
        return Err(Misuse::Url("provider's URL", "must not have a query or fragment"));
    }
    let url = |path: &str| [base, path].concat();
    Ok(Provider { server: Server::new(&url(authorization), &url(token))?, dialect })
}

/// A name that is put into a host name or a path: letters, digits, hyphens; dots, too, where told.
fn part<'a>(name: &'static str, text: &'a str, dots: bool) -> Result<&'a str, Misuse> {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let fits = if dots { text.split('.').all(is_label) } else { is_label(text) };
    if fits { Ok(text) } else { Err(Misuse::Url(name, "must be letters, digits and hyphens")) }
}

fn map<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.into_iter().map(Into::into).collect()
}

fn text(text: &str) -> Option<String> {
    Some(text.into())
}

/// Requests with parameters that are the same for all of them.
fn setting<const N: usize>(pairs: [(&str, &str); N]) -> RequestDialect {
    RequestDialect { set: map(pairs), ..RequestDialect::default() }
}

/// Requests with parameters by other names.
fn renaming<const N: usize>(pairs: [(&str, &str); N]) -> RequestDialect {
    RequestDialect { rename: map(pairs), ..RequestDialect::default() }
}
