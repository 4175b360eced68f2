//! A client that registers by itself (RFC 7591), and looks after that (RFC 7592).

use http::{Response, StatusCode};
use oauth2_proto::{ClientRegistration, Error, Problem, RegisteredClient, Registering, Secret};
use serde_json::Value;

use super::not_offered;
use crate::registered::{INITIAL_ACCESS_TOKEN, REDIRECT_URI};
use crate::table::Outcome;
use crate::world::World;

pub(crate) async fn registers(world: World) -> Outcome {
    let Some((registered, outcome)) = register(&world).await else {
        return not_offered("no registration endpoint");
    };
    let client = registered.client(world.endpoints()).unwrap();
    let scope = world.server.service_scope;
    let login = world.log_in_asking(&client, |request| request.scope(scope)).await.unwrap();
    assert!(login.missing_scope().is_empty(), "{login:?}");
    outcome
}

pub(crate) async fn is_managed(world: World) -> Outcome {
    let Some((registered, _)) = register(&world).await else {
        return not_offered("no registration endpoint");
    };
    if registered.registration_client_uri().is_none() {
        return not_offered("registered for good");
    }
    let (request, managing) = registered.manage().unwrap().read();
    let answer = world.send(request).await;
    let read = managing.receive(&answer);
    if let Err(Error::Malformed(malformed)) = &read
        && let Problem::Member(name) = malformed.problem()
    {
        let members: Value = serde_json::from_slice(answer.body()).unwrap();
        assert!(members[*name].is_array(), "{members}");
        return Outcome::Bug(format!("tells `{name}` as a list (RFC 7591 §2)"));
    }
    let registered = read.unwrap();
    assert_eq!(registered.member::<String>("client_name").as_deref(), Some("A test"));

    let changed = registered.registration().client_name("Another test");
    let (request, managing) = registered.manage().unwrap().update(&changed).unwrap();
    let registered = managing.receive(&world.send(request).await).unwrap();
    assert_eq!(registered.member::<String>("client_name").as_deref(), Some("Another test"));

    let (request, deregistering) = registered.manage().unwrap().delete();
    let answer = world.send(request).await;
    let deleted = deregistering.receive(&answer);
    let (request, managing) = registered.manage().unwrap().read();
    let gone = managing.receive(&world.send(request).await);
    assert!(gone.is_err(), "{gone:?}");
    match deleted {
        Ok(()) => Outcome::Works,
        Err(Error::Malformed(_)) if answer.status().is_success() => {
            Outcome::Bug(format!("answers a deletion with {} instead of 204", answer.status()))
        }
        Err(error) => panic!("{error:?}"),
    }
}

async fn register(world: &World) -> Option<(RegisteredClient, Outcome)> {
    let endpoint = world.server.url(world.server.endpoints.registration?);
    let token = Secret::from(INITIAL_ACCESS_TOKEN);
    let (request, registering) = wanted().register(&endpoint, Some(&token)).unwrap();
    let answer = world.send(request).await;
    Some(read(registering, &answer))
}

fn wanted() -> ClientRegistration {
    ClientRegistration::new()
        .client_name("A test")
        .redirect_uris([REDIRECT_URI])
        .grant_types(["authorization_code", "refresh_token"])
        .response_types(["code"])
        .token_endpoint_auth_method("client_secret_basic")
        // OpenID Connect: the redirect URI is on this machine.
        .member("application_type", &"native")
        .unwrap()
}

/// RFC 7591 §3.2.1: the server answers with 201 Created.
fn read(registering: Registering, answer: &Response<Vec<u8>>) -> (RegisteredClient, Outcome) {
    if answer.status() == StatusCode::OK {
        let registered = registering.with_status(StatusCode::OK).receive(answer).unwrap();
        return (registered, Outcome::Bug("answers 200 instead of 201".to_owned()));
    }
    (registering.receive(answer).unwrap(), Outcome::Works)
}
