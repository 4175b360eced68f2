//! django-oauth-toolkit: Python, on oauthlib, as requests-oauthlib is.

use std::process::Command;
use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Act, Endpoints, Expiry, Labels, Pages, Running, folder, installed, run};
use crate::registered::{PASSWORD, Registered, USER};

pub(crate) const NAME: &str = "django-oauth-toolkit";
pub(crate) const VERSION: &str = "3.4.1";

const SCRIPT: &str = include_str!("../django-oauth-toolkit/server.py");

pub(crate) async fn start(listener: LoopbackListener) -> Option<Running> {
    let python = installed().join(NAME).join("venv/bin/python");
    if !python.exists() {
        return None;
    }
    let database = folder();
    let mut command = Command::new(python);
    command.current_dir(database.path()).args(["-c", SCRIPT]);
    let (origin, process) = run(NAME, &mut command, &listener, registered).await;
    Some(Running {
        issuer: Some(format!("{origin}/o")),
        origin,
        mutual_tls: Err("the server takes no certificates"),
        endpoints: Endpoints {
            authorization: "/o/authorize/",
            token: "/o/token/",
            revocation: Some("/o/revoke_token/"),
            introspection: Some("/o/introspect/"),
            pushed_authorization: None,
            registration: Some("/o/register/"),
            device_authorization: Some("/o/device-authorization/"),
            resource: Some("/o/userinfo/"),
        },
        pages: Pages::Forms,
        labels: Labels { allow: "Authorize", deny: Some("Cancel") },
        device_labels: Labels { allow: "Accept", deny: Some("Deny") },
        expiry: Expiry::Path("/expire"),
        acts: &[
            Act::Fill("username", USER),
            Act::Fill("password", PASSWORD),
            Act::Press("Log in"),
            Act::Press("Authorize"),
        ],
        scope: "openid read",
        service_scope: "read",
        registered,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new((process, database)),
    })
}

/// It knows no signed assertions of clients, and no certificates.
fn registered(it: &Registered) -> Option<Registered> {
    let known = ["none", "client_secret_basic", "client_secret_post"];
    known.contains(&it.authentication).then_some(*it)
}
