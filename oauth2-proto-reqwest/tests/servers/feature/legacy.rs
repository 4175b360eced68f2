//! The grants of RFC 6749 that RFC 9700 advises against.

use oauth2_proto::{Authorized, Client, Error};

use super::not_offered;
use super::refusal::refresh;
use crate::browser::Decision;
use crate::registered::{LEGACY, PAGE, PASSWORD, REDIRECT_URI, USER};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn logs_in_by_password(world: World) -> Outcome {
    let Some(client) = world.client(&LEGACY) else {
        return not_offered("the server has no such grant");
    };
    let grant = client.legacy_password(USER, PASSWORD).scope("read");
    let begun = grant.begin(&mut rand::rng(), now()).unwrap();
    let login = world.exchange(&client, begun).await.unwrap();
    assert!(login.missing_scope().is_empty(), "{login:?}");
    refresh(&world, &client, login).await.unwrap();
    Outcome::Works
}

pub(crate) async fn logs_in_by_fragment(world: World) -> Outcome {
    let Some(client) = world.client(&PAGE) else {
        return not_offered("the server has no such grant");
    };
    let request = client.legacy_implicit(REDIRECT_URI).scope(world.server.scope);
    let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
    let end = world.visit(url, Decision::Allow).await;
    match pending.accept(&client, end.callback(), now()) {
        Err(Error::Denied(denied)) if denied.error() == "unsupported_response_type" => {
            return not_offered("gives out no token without an ID token");
        }
        login => check(&world, &client, &login.unwrap()).await,
    }
    Outcome::Works
}

pub(crate) async fn logs_in_by_fragment_with_id_token(world: World) -> Outcome {
    let Some(client) = world.client(&PAGE) else {
        return not_offered("the server has no such grant");
    };
    let request = client.legacy_implicit(REDIRECT_URI).scope("openid").with_id_token();
    let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
    let end = world.visit(url, Decision::Allow).await;
    match pending.accept(&client, end.callback(), now()) {
        Err(Error::Denied(denied)) => {
            return not_offered(&format!("refuses `id_token token`: {}", denied.error()));
        }
        login => {
            let login = login.unwrap();
            assert!(login.id_token().is_some());
            check(&world, &client, &login).await;
        }
    }
    Outcome::Works
}

/// A login without a refresh token, whose token a resource takes.
async fn check(world: &World, client: &Client, login: &Authorized) {
    assert!(!login.is_renewable());
    assert!(login.missing_scope().is_empty(), "{login:?}");
    if let Some(status) = world.resource(client, login).await {
        assert_eq!(status, 200);
    }
}
