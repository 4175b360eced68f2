//! Every kind of client authentication, with a whole login and a refresh each.

use oauth2_proto::Error;

use super::not_offered;
use super::refusal::refresh;
use crate::browser::Decision;
use crate::registered::{BASIC, POST, PUBLIC, RESERVED, Registered};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn none(world: World) -> Outcome {
    authenticates(world, &PUBLIC).await
}

pub(crate) async fn basic(world: World) -> Outcome {
    authenticates(world, &BASIC).await
}

/// RFC 6749 §2.3.1: id and secret are form-encoded before they are joined.
pub(crate) async fn basic_of_reserved_characters(world: World) -> Outcome {
    let Some(client) = world.client(&RESERVED) else {
        return not_offered("its secret has none");
    };
    let code = world.consent(&client, Decision::Allow).await.unwrap();
    let result = world.exchange(&client, code.redeem(&client, now()).unwrap()).await;
    if matches!(result, Err(Error::Denied(_))) {
        return Outcome::Bug("does not decode id and secret (RFC 6749 §2.3.1)".to_owned());
    }
    result.unwrap();
    Outcome::Works
}

pub(crate) async fn post(world: World) -> Outcome {
    authenticates(world, &POST).await
}

async fn authenticates(world: World, registered: &Registered) -> Outcome {
    let Some(client) = world.client(registered) else {
        return not_offered("the server takes other kinds only");
    };
    let login = world.log_in(&client).await;
    refresh(&world, &client, login).await.unwrap();
    Outcome::Works
}
