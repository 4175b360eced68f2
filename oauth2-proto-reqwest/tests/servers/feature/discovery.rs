//! What a server says about itself (RFC 8414, OpenID Connect Discovery), and a resource about its
//! server (RFC 9728).

use oauth2_proto::{Client, Discovery, Error, Origins, Problem, ResourceDiscovery, ServerMetadata};

use super::not_offered;
use crate::registered::BASIC;
use crate::table::Outcome;
use crate::world::World;

/// A login with nothing known but the issuer, a client's name and its secret.
pub(crate) async fn is_enough_to_log_in(world: World) -> Outcome {
    let metadata = match discover(&world).await {
        Ok(metadata) => metadata,
        Err(outcome) => return outcome,
    };
    let authentication = metadata.authentication(BASIC.secret.unwrap()).unwrap();
    let client = Client::new(BASIC.id, metadata.server().unwrap());
    let client = client.with_authentication(authentication);
    let login = world.log_in(&client).await;
    assert!(login.missing_scope().is_empty(), "{login:?}");
    Outcome::Works
}

pub(crate) async fn is_complete(world: World) -> Outcome {
    let metadata = match discover(&world).await {
        Ok(metadata) => metadata,
        Err(outcome) => return outcome,
    };
    let known = &world.server.endpoints;
    let endpoints = [
        ("authorization", Some(known.authorization), metadata.authorization_endpoint()),
        ("token", Some(known.token), metadata.token_endpoint()),
        ("revocation", known.revocation, metadata.revocation_endpoint()),
        ("introspection", known.introspection, metadata.introspection_endpoint()),
        ("registration", known.registration, metadata.registration_endpoint()),
        (
            "device authorization",
            known.device_authorization,
            metadata.device_authorization_endpoint(),
        ),
        (
            "pushed authorization request",
            known.pushed_authorization,
            metadata.pushed_authorization_request_endpoint(),
        ),
    ];
    for (name, known, told) in endpoints {
        let known = known.map(|path| world.server.url(path));
        let told = told.map(|url| url.same_origin().unwrap().to_owned());
        if known.is_some() && told.is_none() {
            return not_offered(&format!("does not list its {name} endpoint"));
        }
        assert_eq!(told, known, "{name}");
    }
    Outcome::Works
}

pub(crate) async fn begins_at_the_resource(world: World) -> Outcome {
    let Some(path) = world.server.endpoints.resource else {
        return not_offered("no such resource");
    };
    let discovery = ResourceDiscovery::new(&world.server.url(path)).unwrap();
    let answer = world.send(discovery.request()).await;
    if answer.status() == 404 {
        return not_offered("no document");
    }
    let metadata = match discovery.receive(&answer) {
        Err(Error::Malformed(malformed)) if is_of_a_slash(malformed.problem()) => {
            let bug = "takes the slash at its end off the resource (RFC 9728 §3.3)";
            return Outcome::Bug(bug.to_owned());
        }
        metadata => metadata.unwrap(),
    };
    let [server] = metadata.authorization_servers() else { panic!("{metadata:?}") };
    let discovery = Discovery::learnt(server, &Origins::default()).unwrap();
    assert_eq!(Some(discovery.issuer()), world.server.issuer.as_deref());
    Outcome::Works
}

fn is_of_a_slash(problem: &Problem) -> bool {
    let Problem::Mismatch(mismatch) = problem else { return false };
    mismatch.expected.strip_suffix('/') == Some(&mismatch.found)
}

/// Asks at one place after the other.
async fn discover(world: &World) -> Result<ServerMetadata, Outcome> {
    let issuer = world.server.issuer.as_ref();
    let issuer = issuer.ok_or_else(|| not_offered("it has no issuer"))?;
    let mut discovery = Discovery::new(issuer).unwrap();
    loop {
        let answer = world.send(discovery.request()).await;
        match discovery.receive(&answer) {
            Ok(metadata) => return Ok(metadata),
            Err(undiscovered) => match undiscovered.next() {
                Ok(next) => discovery = next,
                Err(Error::Malformed(malformed)) => {
                    return Err(not_offered(&malformed.to_string()));
                }
                Err(error) => panic!("{error:?}"),
            },
        }
    }
}
