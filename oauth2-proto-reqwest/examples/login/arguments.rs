//! What can be said on the command line. Secrets can't: other users see it.

use std::fs;
use std::path::PathBuf;

use clap::{Args, Parser};
use oauth2_proto::{Client, Secret, Server};

use crate::Outcome;
use crate::browser::Browser;

/// Logs in with OAuth 2, calls a protected resource, refreshes, and calls it again.
///
/// Without options, at an authorization server of its own.
#[derive(Parser, Debug)]
#[command(name = "login")]
pub(crate) struct Arguments {
    /// Print the authorization URL, and leave it to you to open it
    #[arg(long, conflicts_with = "auto_consent")]
    no_browser: bool,

    /// Press the button of the consent page without asking: for tests
    #[arg(long)]
    auto_consent: bool,

    #[command(flatten)]
    pub(crate) provider: Option<Provider>,
}

/// A provider, and what to do there.
#[derive(Args, Debug)]
#[group(requires_all = ["authorization_url", "token_url", "client_id"])]
pub(crate) struct Provider {
    /// Where people log in
    #[arg(long, value_name = "URL", required = false)]
    authorization_url: String,

    /// Where codes become tokens
    #[arg(long, value_name = "URL", required = false)]
    token_url: String,

    /// Who this program is to the provider
    #[arg(long, value_name = "ID", required = false)]
    client_id: String,

    /// A file with the client's secret, if it has one
    #[arg(long, value_name = "FILE")]
    client_secret_file: Option<PathBuf>,

    /// What to ask for
    #[arg(long, value_name = "TOKEN", num_args = 1..)]
    pub(crate) scope: Vec<String>,

    /// A parameter of the provider's own, such as access_type=offline; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) param: Vec<(String, String)>,

    /// What to call with the token
    #[arg(long, value_name = "URL")]
    pub(crate) resource_url: Option<String>,

    /// Keep the login in this file, and go on with it next time
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

impl Arguments {
    pub(crate) const fn browser(&self) -> Browser {
        match (self.auto_consent, self.no_browser) {
            (true, _) => Browser::AutoConsent,
            (false, true) => Browser::Elsewhere,
            (false, false) => Browser::System,
        }
    }
}

impl Provider {
    pub(crate) fn client(&self) -> Outcome<Client> {
        let server = Server::new(&self.authorization_url, &self.token_url)?;
        let client = Client::new(&self.client_id, server);
        let Some(path) = &self.client_secret_file else { return Ok(client) };
        let secret = Secret::new(fs::read_to_string(path)?);
        Ok(client.with_secret(secret.expose().trim_end()))
    }
}

fn parameter(text: &str) -> Result<(String, String), &'static str> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}
