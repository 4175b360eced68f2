//! Every kind of client authentication, with a whole login and a refresh each.

use super::not_offered;
use crate::registered::{BASIC, POST, PUBLIC, Registered};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn none(world: World) -> Outcome {
    authenticates(world, &PUBLIC).await
}

pub(crate) async fn basic(world: World) -> Outcome {
    authenticates(world, &BASIC).await
}

pub(crate) async fn post(world: World) -> Outcome {
    authenticates(world, &POST).await
}

async fn authenticates(world: World, registered: &Registered) -> Outcome {
    let Some(client) = world.client(registered) else {
        return not_offered("the server takes other kinds only");
    };
    let login = world.log_in(&client).await;
    let (request, refreshing) = login.refresh(&client, now()).unwrap();
    let response = world.send(request).await;
    refreshing.receive(&client, &response, now()).unwrap();
    Outcome::Works
}
