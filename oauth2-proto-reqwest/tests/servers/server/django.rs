//! django-oauth-toolkit: Python, on oauthlib, as requests-oauthlib is.

use std::process::Command;
use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Act, Endpoints, Labels, Pages, Running, as_it_is, folder, installed, run};
use crate::registered::{PASSWORD, USER};

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
    let (origin, process) = run(NAME, &mut command, &listener).await;
    Some(Running {
        issuer: Some(format!("{origin}/o")),
        origin,
        endpoints: Endpoints {
            authorization: "/o/authorize/",
            token: "/o/token/",
            revocation: Some("/o/revoke_token/"),
            resource: Some("/o/userinfo/"),
        },
        pages: Pages::Forms,
        labels: Labels { allow: "Authorize", deny: Some("Cancel") },
        acts: &[
            Act::Fill("username", USER),
            Act::Fill("password", PASSWORD),
            Act::Press("Log in"),
            Act::Press("Authorize"),
        ],
        scope: "openid read",
        service_scope: "read",
        registered: as_it_is,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new((process, database)),
    })
}
