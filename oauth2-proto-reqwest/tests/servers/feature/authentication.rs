//! Every kind of client authentication, with a whole login and a refresh each.

use oauth2_proto::{Authentication, Error};

use super::not_offered;
use super::refusal::refresh;
use crate::browser::Decision;
use crate::certificate::CERTIFICATES;
use crate::registered::{
    BASIC, CERTIFICATE, KEY_JWT, POST, PUBLIC, RAW, RESERVED, Registered, SECRET_JWT, SELF_SIGNED,
};
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

/// As many servers read it, and RFC 6749 does not.
pub(crate) async fn raw_basic_of_reserved_characters(world: World) -> Outcome {
    let Some(registered) = (world.server.registered)(&RAW) else {
        return not_offered("its secret has none");
    };
    let secret = registered.secret.unwrap().into();
    let client = world.client(&RAW).unwrap();
    let client = client.with_authentication(Authentication::DangerousRawBasic(secret));
    let code = world.consent(&client, Decision::Allow).await.unwrap();
    let result = world.exchange(&client, code.redeem(&client, now()).unwrap()).await;
    if matches!(result, Err(Error::Denied(_))) {
        return not_offered("decodes id and secret, as the RFC says");
    }
    result.unwrap();
    Outcome::Works
}

pub(crate) async fn post(world: World) -> Outcome {
    authenticates(world, &POST).await
}

pub(crate) async fn secret_jwt(world: World) -> Outcome {
    authenticates(world, &SECRET_JWT).await
}

pub(crate) async fn key_jwt(world: World) -> Outcome {
    authenticates(world, &KEY_JWT).await
}

/// RFC 8705 §2.1.
pub(crate) async fn certificate(world: World) -> Outcome {
    match world.over_mutual_tls(&CERTIFICATES.signed) {
        Ok(world) => authenticates(world, &CERTIFICATE).await,
        Err(why) => not_offered(why),
    }
}

/// RFC 8705 §2.2.
pub(crate) async fn self_signed_certificate(world: World) -> Outcome {
    match world.over_mutual_tls(&CERTIFICATES.self_signed) {
        Ok(world) => authenticates(world, &SELF_SIGNED).await,
        Err(why) => not_offered(why),
    }
}

async fn authenticates(world: World, registered: &Registered) -> Outcome {
    let Some(client) = world.client(registered) else {
        return not_offered("the server takes other kinds only");
    };
    let login = world.log_in(&client).await;
    refresh(&world, &client, login).await.unwrap();
    Outcome::Works
}
