//! oidc-provider: JavaScript, strict and broad.

use std::process::Command;
use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Act, Endpoints, Labels, Pages, Running, as_it_is, installed, run};
use crate::registered::{PASSWORD, USER};

pub(crate) const NAME: &str = "oidc-provider";
pub(crate) const VERSION: &str = "9.13.3";

const SCRIPT: &str = include_str!("../oidc-provider/provider.mjs");

pub(crate) async fn start(listener: LoopbackListener) -> Option<Running> {
    let folder = installed().join(NAME);
    if !folder.join("node_modules").exists() {
        return None;
    }
    // Given as text, it finds the modules where it runs, and needs no copy there.
    let mut command = Command::new("node");
    command.current_dir(folder).args(["--input-type=module", "--eval", SCRIPT]);
    let (origin, process) = run(NAME, &mut command, &listener).await;
    Some(Running {
        issuer: Some(origin.clone()),
        origin,
        endpoints: Endpoints {
            authorization: "/auth",
            token: "/token",
            revocation: Some("/token/revocation"),
            resource: Some("/me"),
        },
        pages: Pages::Forms,
        labels: Labels { allow: "Continue", deny: Some("[ Cancel ]") },
        acts: &[
            Act::Fill("login", USER),
            Act::Fill("password", PASSWORD),
            Act::Press("Sign-in"),
            Act::Press("Continue"),
        ],
        scope: "openid read",
        service_scope: "read",
        registered: as_it_is,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new(process),
    })
}
