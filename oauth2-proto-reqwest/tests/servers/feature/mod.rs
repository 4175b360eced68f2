//! What is tried at every server, in the order of the table.

use core::pin::Pin;

use oauth2_proto::{Authorized, Error};

use crate::table::Outcome;
use crate::world::World;

mod authentication;
mod client_credentials;
mod code;
mod refresh;
mod refusal;
mod revocation;

/// One row of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) needs_chromium: bool,
    pub(crate) run: Box<dyn Fn(World) -> Trial + Send>,
}

/// A feature being tried.
type Trial = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    vec![
        row("authorization code + PKCE", code::logs_in),
        row("authorization code + PKCE, hyper", |world| code::logs_in(world.over_hyper())),
        Row {
            needs_chromium: true,
            ..row("authorization code + PKCE, in Chromium", code::logs_in_by_chromium)
        },
        row("the person says no", code::is_denied),
        row("refresh with rotation", refresh::rotates),
        row("refresh with rotation, hyper", |world| refresh::rotates(world.over_hyper())),
        row("client credentials", client_credentials::logs_in),
        row("client credentials, hyper", |world| client_credentials::logs_in(world.over_hyper())),
        row("client authentication: none", authentication::none),
        row("client authentication: client_secret_basic", authentication::basic),
        row(
            "client authentication: client_secret_basic, reserved characters",
            authentication::basic_of_reserved_characters,
        ),
        row("client authentication: client_secret_post", authentication::post),
        row("revocation when signing out", revocation::signs_out),
        row("wrong secret", refusal::wrong_secret),
        row("wrong verifier", refusal::wrong_verifier),
        row("reused code", refusal::reused_code),
        row("a reused code ends its tokens", refusal::reused_code_ends_tokens),
        row("reused refresh token", refusal::reused_refresh_token),
        row("a reused refresh token ends its successors", refusal::reuse_ends_successors),
    ]
}

fn row<F>(name: &'static str, run: impl Fn(World) -> F + Send + 'static) -> Row
where
    F: Future<Output = Outcome> + Send + 'static,
{
    Row { name, needs_chromium: false, run: Box::new(move |world| Box::pin(run(world))) }
}

/// The server does not have it.
fn not_offered(why: &str) -> Outcome {
    Outcome::NotOffered(why.to_owned())
}

/// Whether a token is worth nothing, in whatever words the server says so.
fn is_worthless(result: &Result<Authorized, Error>) -> bool {
    matches!(result, Err(Error::Denied(_) | Error::Malformed(_)))
}

/// Names the way in which a server refuses. It has to.
fn refused(result: Result<Authorized, Error>, expected: &str) -> Outcome {
    let error = result.map(drop).unwrap_err();
    if let Error::Malformed(malformed) = &error {
        let status = malformed.diagnostics().unwrap().status();
        let bug = format!("answers {status} without an OAuth error (`{expected}` is due)");
        return Outcome::Bug(bug);
    }
    let Error::Denied(denied) = error else { panic!("{error:?}") };
    if denied.error() == expected {
        Outcome::Works
    } else {
        Outcome::Bug(format!("says `{}` instead of `{expected}`", denied.error()))
    }
}
