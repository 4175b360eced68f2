//! What can be said on the command line. Secrets can't: other users of the machine see it.

use std::path::PathBuf;

use clap::{Args, Parser};
use url::Url;

/// A web application whose users sign in with OAuth 2.
///
/// Without options, at an authorization server of its own.
#[derive(Parser, Debug)]
#[command(name = "web")]
pub(crate) struct Arguments {
    /// Where to listen; port 0 is any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: String,

    /// What browsers call this application, where a proxy speaks TLS for it: an origin, without a path
    #[arg(long, value_name = "URL")]
    pub(crate) public_url: Option<Url>,

    /// Keep logins and sessions in this SQLite file; else they are gone at the end
    #[arg(long, value_name = "FILE", conflicts_with = "redis")]
    pub(crate) store: Option<PathBuf>,

    /// Keep logins and sessions in this Redis, together with other instances (may hold a password,
    /// so rather set the variable)
    #[arg(long, value_name = "URL", env = "REDIS_URL", hide_env_values = true)]
    pub(crate) redis: Option<String>,

    /// A file with the key that seals cookies and tokens, the same for all instances, as made by
    /// `openssl rand -base64 32`; else a random one, and nobody is signed in any more at the next start
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) provider: Option<Provided>,
}

/// A provider, and who this application is to it. The secret is in the variable `CLIENT_SECRET`.
#[derive(Args, Debug)]
#[group(requires_all = ["client_id"])]
pub(crate) struct Provided {
    /// The provider's issuer URL, where everything else is found out
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,

    /// Another origin that the issuer may send to; may be repeated
    #[arg(long, value_name = "URL", requires = "issuer")]
    pub(crate) origin: Vec<String>,

    /// Where people log in, for a provider that does not publish it
    #[arg(long, value_name = "URL", requires = "token_url")]
    pub(crate) authorization_url: Option<String>,

    /// Where codes become tokens
    #[arg(long, value_name = "URL", requires_all = ["authorization_url", "user_url"])]
    pub(crate) token_url: Option<String>,

    /// Where tokens are revoked when somebody signs out
    #[arg(long, value_name = "URL", requires = "token_url")]
    pub(crate) revocation_url: Option<String>,

    /// What says who has signed in: JSON with a `sub`, such as OpenID Connect's userinfo endpoint
    #[arg(long, value_name = "URL")]
    pub(crate) user_url: Option<String>,

    /// Who this application is to the provider
    #[arg(long, value_name = "ID", required = false)]
    pub(crate) client_id: String,

    /// What to ask for
    #[arg(long, value_name = "SCOPE", default_value = "openid")]
    pub(crate) scope: String,

    /// What `/api` calls with the user's token; else the same as says who they are
    #[arg(long, value_name = "URL")]
    pub(crate) resource_url: Option<String>,
}
