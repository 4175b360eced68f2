//! oidc-provider: JavaScript, strict and broad.

use std::process::Command;
use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Act, Endpoints, Expiry, Labels, Pages, Running, installed, run};
use crate::registered::{LEGACY, PASSWORD, Registered, USER};

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
    let (origins, process) = run(NAME, &mut command, &listener, registered).await;
    let (origin, mutual_tls) = origins.split_once(' ').unwrap();
    let origin = origin.to_owned();
    Some(Running {
        issuer: Some(origin.clone()),
        origin,
        mutual_tls: Ok(mutual_tls.to_owned()),
        endpoints: Endpoints {
            authorization: "/auth",
            token: "/token",
            revocation: Some("/token/revocation"),
            introspection: Some("/token/introspection"),
            pushed_authorization: Some("/request"),
            registration: Some("/reg"),
            device_authorization: Some("/device/auth"),
            resource: Some("/me"),
        },
        pages: Pages::Forms,
        labels: Labels { allow: "Continue", deny: Some("[ Cancel ]") },
        device_labels: Labels { allow: "Continue", deny: Some("[ Abort ]") },
        expiry: Expiry::Path("/expire"),
        acts: &[
            Act::Fill("login", USER),
            Act::Fill("password", PASSWORD),
            Act::Press("Sign-in"),
            Act::Press("Continue"),
        ],
        scope: "openid read",
        service_scope: "read",
        registered,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new(process),
    })
}

/// It has no password grant.
fn registered(it: &Registered) -> Option<Registered> {
    (it.grant != LEGACY.grant).then_some(*it)
}
