//! Tokens for one resource (RFC 8707).

use oauth2_proto::{AccessToken, Client, Error};

use super::introspection::introspect;
use super::not_offered;
use crate::registered::{BASIC, RESOURCE};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn binds(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let login = world.log_in_asking(&client, |request| request.resource(RESOURCE)).await.unwrap();
    is_for(&world, &client, login.token(now()).unwrap()).await
}

pub(crate) async fn has_a_token_each(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let login = world.log_in_asking(&client, |request| request.resource(RESOURCE)).await.unwrap();
    let first = login.token(now()).unwrap().expose().to_owned();
    let (request, refreshing) = login.refresh_for(RESOURCE, &client, now()).unwrap();
    let answer = world.send(request).await;
    let login = refreshing.receive(&client, &answer, now()).unwrap();
    assert_eq!(login.token(now()).unwrap().expose(), first);
    let other = login.token_for(RESOURCE, now()).unwrap();
    assert_ne!(other.expose(), first);
    is_for(&world, &client, other).await
}

pub(crate) async fn of_others_is_refused(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let elsewhere = "https://elsewhere.example/";
    match world.log_in_asking(&client, |request| request.resource(elsewhere)).await {
        Err(Error::Denied(denied)) if denied.error() == "invalid_target" => Outcome::Works,
        Err(Error::Denied(denied)) => {
            Outcome::Bug(format!("says `{}` instead of `invalid_target`", denied.error()))
        }
        login => {
            drop(login.unwrap());
            not_offered("takes any resource, or takes no notice of it")
        }
    }
}

async fn is_for(world: &World, client: &Client, token: &AccessToken) -> Outcome {
    let Some(introspection) = introspect(world, client, token.expose()).await else {
        return not_offered("takes no notice of `resource`");
    };
    assert!(introspection.is_active());
    if introspection.audience().iter().any(|audience| audience == RESOURCE) {
        Outcome::Works
    } else {
        not_offered("takes no notice of `resource`")
    }
}
