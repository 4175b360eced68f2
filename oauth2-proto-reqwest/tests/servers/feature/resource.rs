//! Tokens for one resource (RFC 8707).

use oauth2_proto::{AccessToken, Authorized, Client, Error, Failed};

use super::introspection::introspect;
use super::not_offered;
use crate::registered::{BASIC, OTHER_RESOURCE, RESOURCE};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn binds(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let login = world.log_in_asking(&client, |request| request.resource(RESOURCE)).await.unwrap();
    is_for(&world, &client, login.token(now()).unwrap(), RESOURCE).await
}

/// RFC 8707 §2.2: one login, and an access token for each of its resources.
pub(crate) async fn has_a_token_each(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let asking =
        world.log_in_asking(&client, |request| request.resource(RESOURCE).resource(OTHER_RESOURCE));
    let (login, if_refused) = match asking.await {
        Err(error) if is_invalid_target(&error) => {
            // One by one, then.
            let asking = world.log_in_asking(&client, |request| request.resource(RESOURCE));
            (asking.await.unwrap(), not_offered("one resource for one login"))
        }
        login => {
            let bug = "a refresh for one resource ends the others (RFC 8707 §2.2)";
            (login.unwrap(), Outcome::Bug(bug.to_owned()))
        }
    };
    let login = refresh_for(&world, &client, login, RESOURCE).await.unwrap();
    let login = match refresh_for(&world, &client, login, OTHER_RESOURCE).await {
        Err(failed) if is_invalid_target(&failed.error) => return if_refused,
        login => login.unwrap(),
    };
    let [one, other] = [RESOURCE, OTHER_RESOURCE].map(|it| login.token_for(it, now()).unwrap());
    assert_ne!(one.expose(), other.expose());
    let outcome = is_for(&world, &client, one, RESOURCE).await;
    if outcome != Outcome::Works {
        return outcome;
    }
    is_for(&world, &client, other, OTHER_RESOURCE).await
}

pub(crate) async fn of_others_is_refused(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let elsewhere = "https://elsewhere.example/";
    match world.log_in_asking(&client, |request| request.resource(elsewhere)).await {
        Err(error) if is_invalid_target(&error) => Outcome::Works,
        Err(Error::Denied(denied)) => {
            Outcome::Bug(format!("says `{}` instead of `invalid_target`", denied.error()))
        }
        login => {
            drop(login.unwrap());
            not_offered("takes any resource, or takes no notice of it")
        }
    }
}

async fn refresh_for(
    world: &World,
    client: &Client,
    login: Authorized,
    resource: &str,
) -> Result<Authorized, Failed> {
    let (request, refreshing) = login.refresh_for(resource, client, now()).unwrap();
    let answer = world.send(request).await;
    refreshing.receive(client, &answer, now())
}

fn is_invalid_target(error: &Error) -> bool {
    matches!(error, Error::Denied(denied) if denied.error() == "invalid_target")
}

async fn is_for(world: &World, client: &Client, token: &AccessToken, resource: &str) -> Outcome {
    let Some(introspection) = introspect(world, client, token.expose()).await else {
        return not_offered("takes no notice of `resource`");
    };
    assert!(introspection.is_active());
    if introspection.audience().iter().any(|audience| audience == resource) {
        Outcome::Works
    } else {
        not_offered("takes no notice of `resource`")
    }
}
