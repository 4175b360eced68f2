//! Authorization code with PKCE, through the servers' own pages.

use oauth2_proto::{Error, Forged};

use crate::browser::Decision;
use crate::chromium;
use crate::registered::PUBLIC;
use crate::table::Outcome;
use crate::world::World;

pub(crate) async fn logs_in(world: World) -> Outcome {
    let client = world.client(&PUBLIC).unwrap();
    let login = world.log_in(&client).await;
    assert!(login.missing_scope().is_empty(), "{login:?}");
    if let Some(status) = world.resource(&client, &login).await {
        assert_eq!(status, 200);
    }
    Outcome::Works
}

pub(crate) async fn logs_in_by_chromium(world: World) -> Outcome {
    chromium::log_in(&world, &world.client(&PUBLIC).unwrap()).await;
    Outcome::Works
}

pub(crate) async fn is_denied(world: World) -> Outcome {
    let client = world.client(&PUBLIC).unwrap();
    match world.consent(&client, Decision::Deny).await.unwrap_err() {
        Error::Denied(denied) => {
            assert_eq!(denied.error(), "access_denied");
            Outcome::Works
        }
        Error::Forged(Forged::IssuerMissing) => {
            Outcome::Bug("announces `iss`, and sends none with an error (RFC 9207 §2)".to_owned())
        }
        error => panic!("{error:?}"),
    }
}
