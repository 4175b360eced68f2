//! A new access token for a refresh token, and a new refresh token with it.

use oauth2_proto::Authorized;

use super::not_offered;
use crate::registered::BASIC;
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn rotates(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let login = world.log_in(&client).await;
    assert!(login.is_renewable());
    let first = access_token(&login);
    let (request, refreshing) = login.refresh(&client, now()).unwrap();
    let sent = request.body().as_ref().to_vec();
    let response = world.send(request).await;
    let login = refreshing.receive(&client, &response, now()).unwrap();
    assert_ne!(access_token(&login), first);
    if let Some(status) = world.resource(&client, &login).await {
        assert_eq!(status, 200);
    }
    // And once more, with what came.
    let (request, refreshing) = login.refresh(&client, now()).unwrap();
    let rotated = request.body().as_ref() != sent;
    let response = world.send(request).await;
    refreshing.receive(&client, &response, now()).unwrap();
    if rotated { Outcome::Works } else { not_offered("the refresh token stays the same") }
}

fn access_token(login: &Authorized) -> String {
    login.token(now()).unwrap().expose().to_owned()
}
