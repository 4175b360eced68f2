//! The servers: how each is started, and what it is like.

use core::any::Any;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;
use tempfile::TempDir;

use crate::browser::Decision;
use crate::process::{Process, installed};
use crate::registered::{REDIRECT_URI, Registered, settings};

mod django;
pub(crate) mod glewlwyd;
mod oidc_provider;
mod oxide;

/// All servers, in the order of the table.
pub(crate) const NAMES: [&str; 4] =
    [oidc_provider::NAME, glewlwyd::NAME, django::NAME, oxide::NAME];

/// A server that listens. It stops when this is dropped.
pub(crate) struct Running {
    pub(crate) origin: String,
    /// Where its endpoints ask clients for a certificate, or why nowhere.
    pub(crate) mutual_tls: Result<String, &'static str>,
    /// Where it is announced that callbacks carry it (RFC 9207).
    pub(crate) issuer: Option<String>,
    pub(crate) endpoints: Endpoints,
    pub(crate) pages: Pages,
    pub(crate) labels: Labels,
    /// The same on the pages where a device's user code is entered.
    pub(crate) device_labels: Labels,
    pub(crate) expiry: Expiry,
    /// A login and its consent in a browser that executes scripts.
    pub(crate) acts: &'static [Act],
    /// What a person's login asks for: enough for a refresh token and the protected resource.
    pub(crate) scope: &'static str,
    /// What a program's own login asks for.
    pub(crate) service_scope: &'static str,
    /// A client under the name and with the secret that it has here, if it is registered.
    pub(crate) registered: fn(&Registered) -> Option<Registered>,
    /// Where Chromium's callback arrives: its redirect URI had to be registered.
    pub(crate) listener: Mutex<Option<LoopbackListener>>,
    /// Whatever ends the server when it is dropped.
    pub(crate) _keep: Box<dyn Any + Send + Sync>,
}

/// The paths of a server's endpoints.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Endpoints {
    pub(crate) authorization: &'static str,
    pub(crate) token: &'static str,
    pub(crate) revocation: Option<&'static str>,
    pub(crate) introspection: Option<&'static str>,
    pub(crate) device_authorization: Option<&'static str>,
    pub(crate) pushed_authorization: Option<&'static str>,
    pub(crate) registration: Option<&'static str>,
    /// A resource that needs a token of `Running::scope`.
    pub(crate) resource: Option<&'static str>,
}

/// What its pages are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pages {
    /// Forms of HTML.
    Forms,
    /// A script, which calls an API of glewlwyd's own.
    Glewlwyd,
}

/// What is written on the buttons and links with which a person decides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels {
    pub(crate) allow: &'static str,
    /// Where a person can say no.
    pub(crate) deny: Option<&'static str>,
}

/// What makes a device code expire before its time, so that nobody has to wait.
#[derive(Debug)]
pub(crate) enum Expiry {
    /// A visit of this path of the server's script, with the user code.
    Path(&'static str),
    /// A statement for the database in this file.
    Database(PathBuf, &'static str),
    /// The server has no device codes.
    Nothing,
}

/// What a person does in a browser, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Types into a field of this name.
    Fill(&'static str, &'static str),
    /// Marks all boxes.
    Check,
    /// Presses the button of this label.
    Press(&'static str),
}

impl Labels {
    pub(crate) fn press(self, decision: Decision) -> &'static str {
        match decision {
            Decision::Allow => self.allow,
            Decision::Deny => self.deny.unwrap(),
        }
    }
}

impl Running {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

/// The version that is pinned.
pub(crate) fn version(name: &str) -> &'static str {
    match name {
        oidc_provider::NAME => oidc_provider::VERSION,
        glewlwyd::NAME => glewlwyd::VERSION,
        django::NAME => django::VERSION,
        _ => oxide::VERSION,
    }
}

/// Starts a server; `None` where it is not installed.
pub(crate) async fn start(name: &str) -> Option<Running> {
    let listener = LoopbackListener::bind("/callback").await.unwrap();
    match name {
        oidc_provider::NAME => oidc_provider::start(listener).await,
        glewlwyd::NAME => glewlwyd::start(listener).await,
        django::NAME => django::start(listener).await,
        _ => Some(oxide::start(listener).await),
    }
}

/// Runs a script that reads settings and says where it listens.
async fn run(
    name: &'static str,
    command: &mut Command,
    listener: &LoopbackListener,
    registered: fn(&Registered) -> Option<Registered>,
) -> (String, Process) {
    let redirect_uris = [REDIRECT_URI.to_owned(), listener.redirect_uri().to_owned()];
    let settings = settings(&redirect_uris, registered).to_string();
    let mut process = Process::spawn(name, command, &settings, "listening ");
    (process.said().await, process)
}

/// A folder that is gone when the server is.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn the_versions_in_the_table_are_those_that_are_installed() {
    for (file, pinned) in [
        (
            include_str!("../oidc-provider/package.json"),
            format!("\"oidc-provider\": \"{}\"\n", oidc_provider::VERSION),
        ),
        (
            include_str!("../django-oauth-toolkit/requirements.txt"),
            format!("django-oauth-toolkit=={}\n", django::VERSION),
        ),
        (
            include_str!("../../../../Cargo.lock"),
            format!("name = \"oxide-auth\"\nversion = \"{}\"\n", oxide::VERSION),
        ),
    ] {
        assert!(file.contains(&pinned), "{pinned}");
    }
}
