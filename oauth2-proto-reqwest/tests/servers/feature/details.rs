//! What a login asks for beyond a scope: pushed ahead of the person (RFC 9126), and in detail (RFC
//! 9396).

use oauth2_proto::Error;
use serde_json::{Value, json};

use super::not_offered;
use crate::browser::Decision;
use crate::registered::{BASIC, REDIRECT_URI, RESOURCE};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn are_pushed(world: World) -> Outcome {
    if world.server.endpoints.pushed_authorization.is_none() {
        return not_offered("no such endpoint");
    }
    let client = world.client(&BASIC).unwrap();
    let request = client.authorize(REDIRECT_URI).scope(world.server.scope);
    let (request, awaiting) = request.push(&mut rand::rng(), now()).unwrap();
    let answer = world.send(request).await;
    let (url, pending) = awaiting.receive(&client, &answer, now()).unwrap();
    let end = world.visit(url, Decision::Allow).await;
    let code = pending.accept(&client, end.callback(), now()).unwrap();
    let begun = code.redeem(&client, now()).unwrap();
    let login = world.exchange(&client, begun).await.unwrap();
    assert!(login.missing_scope().is_empty(), "{login:?}");
    Outcome::Works
}

pub(crate) async fn are_granted(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let details = json!([{ "type": "payment", "actions": ["read"], "amount": "3.50" }]).to_string();
    let asking = world.log_in_asking(&client, |request| {
        // oidc-provider has details of a resource only.
        request.resource(RESOURCE).authorization_details(&details)
    });
    let login = asking.await.unwrap();
    match login.authorization_details::<Value>().as_deref() {
        Some([detail]) => {
            assert_eq!(detail["type"], "payment");
            Outcome::Works
        }
        other => {
            assert!(other.is_none(), "{other:?}");
            not_offered("takes no notice of them")
        }
    }
}

pub(crate) async fn of_no_known_type_are_refused(world: World) -> Outcome {
    let client = world.client(&BASIC).unwrap();
    let details = json!([{ "type": "nothing-known" }]).to_string();
    let asking = world.log_in_asking(&client, |request| request.authorization_details(&details));
    match asking.await {
        Err(Error::Denied(denied)) if denied.error() == "invalid_authorization_details" => {
            Outcome::Works
        }
        Err(Error::Denied(denied)) => {
            let said = denied.error();
            Outcome::Bug(format!("says `{said}` instead of `invalid_authorization_details`"))
        }
        login => {
            drop(login.unwrap());
            not_offered("takes no notice of them")
        }
    }
}
