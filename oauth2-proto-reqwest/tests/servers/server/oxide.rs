//! oxide-auth: Rust, in this process, as in the examples.

use std::sync::Mutex;

use oauth2_proto_reqwest::loopback::LoopbackListener;

use super::{Act, Endpoints, Expiry, Labels, Pages, Running};
use crate::in_process::{
    AuthorizationServer, CONFIDENTIAL_CLIENT, CONFIDENTIAL_SECRET, PUBLIC_CLIENT, RESOURCE_SCOPE,
    SCOPES, Settings,
};
use crate::registered::{BASIC, BROWSER, PUBLIC, Registered, SERVICE};

pub(crate) const NAME: &str = "oxide-auth";
pub(crate) const VERSION: &str = "0.6.1";

pub(crate) async fn start(listener: LoopbackListener) -> Running {
    let server = AuthorizationServer::start(Settings::default()).await.unwrap();
    let authorization = server.authorization_url();
    Running {
        origin: authorization.strip_suffix("/authorize").unwrap().to_owned(),
        mutual_tls: Err("the server takes no certificates"),
        issuer: None,
        endpoints: Endpoints {
            authorization: "/authorize",
            token: "/token",
            resource: Some("/resource"),
            ..Endpoints::default()
        },
        pages: Pages::Forms,
        labels: Labels { allow: "Allow", deny: Some("Deny") },
        device_labels: Labels { allow: "", deny: None },
        expiry: Expiry::Nothing,
        acts: &[Act::Press("Allow")],
        scope: RESOURCE_SCOPE,
        service_scope: SCOPES,
        registered,
        listener: Mutex::new(Some(listener)),
        _keep: Box::new(server),
    }
}

fn registered(it: &Registered) -> Option<Registered> {
    match it.id {
        id if id == PUBLIC.id || id == BROWSER.id => Some(Registered { id: PUBLIC_CLIENT, ..*it }),
        id if id == BASIC.id || id == SERVICE.id => {
            Some(Registered { id: CONFIDENTIAL_CLIENT, secret: Some(CONFIDENTIAL_SECRET), ..*it })
        }
        _ => None,
    }
}
