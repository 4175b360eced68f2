//! What the server says about a token (RFC 7662), and the end of one token by hand (RFC 7009).

use oauth2_proto::{Client, Introspection};

use super::not_offered;
use crate::registered::BASIC;
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn tells(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let login = world.log_in(&client).await;
    let token = login.token(now()).unwrap();
    let Some(told) = introspect(&world, &client, token.expose()).await else {
        return not_offered("no introspection endpoint");
    };
    assert!(told.is_active());
    assert_eq!(told.client_id(), Some(client.id()));
    assert_eq!(told.scope(), login.scope());
    assert!(told.expires_at() > Some(now()));
    let other = introspect(&world, &client, "no-such-token").await.unwrap();
    assert!(!other.is_active());
    Outcome::Works
}

pub(crate) async fn of_one_token_is_revoked(world: World) -> Outcome {
    if world.server.endpoints.revocation.is_none() {
        return not_offered("no revocation endpoint");
    }
    let client = world.client(&BASIC).unwrap();
    let login = world.log_in(&client).await;
    let token = login.token(now()).unwrap().expose();
    for token in [token, "no-such-token"] {
        let (request, awaiting) = client.revocation(token, Some("access_token"), now()).unwrap();
        awaiting.receive(&client, &world.send(request).await).unwrap();
    }
    let told = introspect(&world, &client, token).await.unwrap();
    assert!(!told.is_active());
    Outcome::Works
}

/// What a token is worth; nothing, where that cannot be asked.
pub(super) async fn introspect(
    world: &World,
    client: &Client,
    token: &str,
) -> Option<Introspection> {
    world.server.endpoints.introspection?;
    let (request, awaiting) = client.introspection(token, Some("access_token"), now()).unwrap();
    let answer = world.send(request).await;
    Some(awaiting.receive(client, &answer).unwrap())
}
