//! Authorization code with PKCE, through the servers' own pages.

use oauth2_proto::{Error, Forged};

use super::not_offered;
use crate::browser::Decision;
use crate::chromium;
use crate::registered::{BROWSER, PUBLIC};
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
    chromium::log_in(&world, &world.client(&BROWSER).unwrap()).await;
    Outcome::Works
}

pub(crate) async fn is_denied(world: World) -> Outcome {
    if world.server.labels.deny.is_none() {
        return not_offered("its pages have no button for that");
    }
    let client = world.client(&PUBLIC).unwrap();
    let error = world.consent(&client, Decision::Deny).await.unwrap_err();
    if matches!(error, Error::Forged(Forged::IssuerMissing)) {
        let bug = "announces `iss`, and sends none with an error (RFC 9207 §2)";
        return Outcome::Bug(bug.to_owned());
    }
    let Error::Denied(denied) = error else { panic!("{error:?}") };
    assert_eq!(denied.error(), "access_denied");
    Outcome::Works
}
