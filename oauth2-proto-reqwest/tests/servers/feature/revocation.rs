//! Signing out, and that the tokens are worth nothing then.

use oauth2_proto::State;

use super::refusal::refresh;
use super::{is_worthless, not_offered};
use crate::registered::BASIC;
use crate::table::Outcome;
use crate::world::{World, now, twice};

pub(crate) async fn signs_out(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    if world.server.endpoints.revocation.is_none() {
        return not_offered("no revocation endpoint");
    }
    let [login, copy] = twice(world.log_in(&client).await);
    let (_, requests) = State::from(login).sign_out(&client, now()).unwrap();
    assert_eq!(requests.len(), 2);
    for request in requests {
        let answer = world.send(request).await;
        assert_eq!(answer.status(), 200, "{}", String::from_utf8_lossy(answer.body()));
    }
    if let Some(status) = world.resource(&client, &copy).await {
        assert_eq!(status, 401);
    }
    assert!(is_worthless(&refresh(&world, &client, copy).await));
    Outcome::Works
}
