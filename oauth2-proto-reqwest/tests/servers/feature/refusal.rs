//! What a server has to refuse, and in which words (RFC 6749 §5.2).

use http::Request;
use oauth2_proto::{Authentication, Authorized, Body, Client, Error};

use super::{is_worthless, not_offered, refused};
use crate::browser::Decision;
use crate::registered::{BASIC, PUBLIC, SERVICE};
use crate::table::Outcome;
use crate::world::{World, now, twice};

pub(crate) async fn wrong_secret(world: World) -> Outcome {
    let client = world.client(&SERVICE).unwrap();
    let client = client.with_authentication(Authentication::Basic("wrong".into()));
    let grant = client.client_credentials().scope(world.server.service_scope);
    let begun = grant.begin(&mut rand::rng(), now()).unwrap();
    refused(world.exchange(&client, begun).await, "invalid_client")
}

pub(crate) async fn wrong_verifier(world: World) -> Outcome {
    let client = world.client(&PUBLIC).unwrap();
    let code = world.consent(&client, Decision::Allow).await.unwrap();
    let (request, awaiting) = code.redeem(&client, now()).unwrap();
    let other = "x".repeat(43);
    let request = request.map(|body| with(&body, "code_verifier", &other));
    refused(world.exchange(&client, (request, awaiting)).await, "invalid_grant")
}

pub(crate) async fn reused_code(world: World) -> Outcome {
    let client = world.client(&PUBLIC).unwrap();
    let code = world.consent(&client, Decision::Allow).await.unwrap();
    let (request, awaiting) = code.redeem(&client, now()).unwrap();
    let first = world.send(copy(&request)).await;
    assert_eq!(first.status(), 200);
    refused(world.exchange(&client, (request, awaiting)).await, "invalid_grant")
}

/// RFC 6749 §4.1.2: the server SHOULD revoke all tokens of a code that is used twice.
pub(crate) async fn reused_code_ends_tokens(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let code = world.consent(&client, Decision::Allow).await.unwrap();
    let (request, awaiting) = code.redeem(&client, now()).unwrap();
    let again = copy(&request);
    let login = world.exchange(&client, (request, awaiting)).await.unwrap();
    let second = world.send(again).await;
    assert!(second.status().is_client_error());
    let refreshed = refresh(&world, &client, login).await;
    if is_worthless(&refreshed) { Outcome::Works } else { not_offered("the tokens stay valid") }
}

pub(crate) async fn reused_refresh_token(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let [login, copy] = twice(world.log_in(&client).await);
    refresh(&world, &client, login).await.unwrap();
    match refresh(&world, &client, copy).await {
        Ok(_) => not_offered("a refresh token can be used again"),
        refusal => refused(refusal, "invalid_grant"),
    }
}

/// RFC 9700 §4.14.2: whoever reuses one has stolen it, or was stolen from.
pub(crate) async fn reuse_ends_successors(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let [login, copy] = twice(world.log_in(&client).await);
    let successor = refresh(&world, &client, login).await.unwrap();
    if refresh(&world, &client, copy).await.is_ok() {
        return not_offered("a refresh token can be used again");
    }
    let refreshed = refresh(&world, &client, successor).await;
    if is_worthless(&refreshed) { Outcome::Works } else { not_offered("the successor stays valid") }
}

pub(super) async fn refresh(
    world: &World,
    client: &Client,
    login: Authorized,
) -> Result<Authorized, Error> {
    let (request, refreshing) = login.refresh(client, now()).unwrap();
    let response = world.send(request).await;
    Ok(refreshing.receive(client, &response, now())?)
}

/// The same request.
fn copy(request: &Request<Body>) -> Request<Body> {
    let mut copy = Request::new(Body::from(text(request.body())));
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    copy
}

/// The same form, but for this value, which needs no encoding.
fn with(body: &Body, name: &str, value: &str) -> Body {
    let pairs = text(body);
    let pairs = pairs.split('&').map(|pair| match pair.split_once('=') {
        Some((own, _)) if own == name => format!("{name}={value}"),
        _ => pair.to_owned(),
    });
    Body::from(pairs.collect::<Vec<_>>().join("&"))
}

fn text(body: &Body) -> String {
    String::from_utf8(body.as_ref().to_vec()).unwrap()
}
