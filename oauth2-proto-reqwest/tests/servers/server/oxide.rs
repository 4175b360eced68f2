//! oxide-auth: Rust, in this process, as in the examples.

use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Endpoints, Labels, Pages, Running};
use crate::in_process::{
    AuthorizationServer, CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, PUBLIC_CLIENT, RESOURCE_SCOPE,
    SCOPES, Settings,
};
use crate::registered::{BASIC, PUBLIC, Registered, SERVICE};

pub(crate) const NAME: &str = "oxide-auth";
pub(crate) const VERSION: &str = "0.6.1";

pub(crate) async fn start(listener: LoopbackListener) -> Running {
    let server = AuthorizationServer::start(Settings::default()).await.unwrap();
    let authorization = server.authorization_url();
    Running {
        origin: authorization.strip_suffix("/authorize").unwrap().to_owned(),
        issuer: None,
        endpoints: Endpoints {
            authorization: "/authorize",
            token: "/token",
            resource: Some("/resource"),
            ..Endpoints::default()
        },
        pages: Pages::Forms,
        labels: Labels { log_in: "", allow: "Allow", deny: "Deny" },
        scope: RESOURCE_SCOPE,
        service_scope: SCOPES,
        credentials,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new(server),
    }
}

fn credentials(it: &Registered) -> Option<(&'static str, Option<&'static str>)> {
    match it.id {
        id if id == PUBLIC.id => Some((PUBLIC_CLIENT, None)),
        id if id == BASIC.id || id == SERVICE.id => {
            Some((CONFIDENTIAL_CLIENT, Some(CONFIDENTIAL_SECRET)))
        }
        _ => None,
    }
}
