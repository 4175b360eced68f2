//! django-oauth-toolkit: Python, on oauthlib, as requests-oauthlib is.

use std::process::Command;
use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Endpoints, Labels, Pages, Running, as_registered, folder, installed, run};

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
        labels: Labels { log_in: "Log in", allow: "Authorize", deny: "Cancel" },
        scope: "openid read",
        service_scope: "read",
        credentials: as_registered,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new((process, database)),
    })
}
