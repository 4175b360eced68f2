//! What is tried at every server, in the order of the table.

use core::fmt::Debug;
use core::pin::Pin;

use oauth2_proto::{Authorized, Error};

use crate::table::Outcome;
use crate::world::World;

mod authentication;
mod callback;
mod client_credentials;
mod code;
mod details;
mod device;
mod discovery;
mod introspection;
mod legacy;
mod refresh;
mod refusal;
mod registration;
mod resource;
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
        row("password", legacy::logs_in_by_password),
        row("implicit", legacy::logs_in_by_fragment),
        row("implicit, with an ID token", legacy::logs_in_by_fragment_with_id_token),
        row("device: approved", device::is_approved),
        row("device: denied", device::is_denied),
        row("device: expired", device::expires),
        row("device: slowed down", device::is_slowed_down),
        row("hybrid: an ID token beside the code", callback::is_hybrid),
        row("response mode form_post", callback::is_posted),
        row("resource indicator", resource::binds),
        row("resource indicators: a token for each", resource::has_a_token_each),
        row("resource indicator: an unknown one", resource::of_others_is_refused),
        row("pushed authorization request", details::are_pushed),
        row("authorization details", details::are_granted),
        row("authorization details of an unknown type", details::of_no_known_type_are_refused),
        row("client authentication: none", authentication::none),
        row("client authentication: client_secret_basic", authentication::basic),
        row(
            "client authentication: client_secret_basic, reserved characters",
            authentication::basic_of_reserved_characters,
        ),
        row(
            "client authentication: client_secret_basic, not encoded",
            authentication::raw_basic_of_reserved_characters,
        ),
        row("client authentication: client_secret_post", authentication::post),
        row("client authentication: client_secret_jwt", authentication::secret_jwt),
        row("client authentication: private_key_jwt", authentication::key_jwt),
        row("client authentication: tls_client_auth", authentication::certificate),
        row(
            "client authentication: self_signed_tls_client_auth",
            authentication::self_signed_certificate,
        ),
        row("discovery", discovery::is_enough_to_log_in),
        row("discovery of every endpoint", discovery::is_complete),
        row("discovery by the resource", discovery::begins_at_the_resource),
        row("registration", registration::registers),
        row("registration management", registration::is_managed),
        row("introspection", introspection::tells),
        row("revocation of one token", introspection::of_one_token_is_revoked),
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
fn refused<T: Debug>(result: Result<T, Error>, expected: &str) -> Outcome {
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
