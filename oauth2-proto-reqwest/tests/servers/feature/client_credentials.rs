//! A program logs in by itself.

use crate::registered::SERVICE;
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn logs_in(world: World) -> Outcome {
    let client = world.client(&SERVICE).unwrap();
    let grant = client.client_credentials().scope(world.server.service_scope);
    let begun = grant.begin(&mut rand::rng(), now()).unwrap();
    let login = world.exchange(&client, begun).await.unwrap();
    assert!(login.is_renewable());
    assert!(login.missing_scope().is_empty(), "{login:?}");
    Outcome::Works
}
