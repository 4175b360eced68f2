//! What the callback can be besides a redirect with a code in its query.

use oauth2_proto::{Error, Forged};

use super::not_offered;
use crate::browser::{Decision, End};
use crate::jwt::{claims, half_of_hash};
use crate::registered::{HYBRID, PUBLIC, REDIRECT_URI};
use crate::table::Outcome;
use crate::world::{World, now};

/// OAuth 2.0 Form Post Response Mode.
pub(crate) async fn is_posted(world: World) -> Outcome {
    let client = world.client(&PUBLIC).unwrap();
    let request = client.authorize(REDIRECT_URI).scope(world.server.scope);
    let request = request.param("response_mode", "form_post");
    let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
    let end = world.visit(url, Decision::Allow).await;
    let code = match pending.accept(&client, end.callback(), now()) {
        Err(Error::Forged(Forged::Issuer)) if is_encoded_twice(&end) => {
            return Outcome::Bug("encodes `iss` twice in the form".to_owned());
        }
        code => code.unwrap(),
    };
    world.exchange(&client, code.redeem(&client, now()).unwrap()).await.unwrap();
    match end {
        End::Posted(_) => Outcome::Works,
        End::Sent(_) | End::Page(_) => not_offered("answers in the query all the same"),
    }
}

fn is_encoded_twice(end: &End) -> bool {
    matches!(end, End::Posted(form) if form.contains("iss=http%253A%252F%252F"))
}

/// OpenID Connect Core §3.3: an ID token beside the code.
pub(crate) async fn is_hybrid(world: World) -> Outcome {
    let Some(client) = world.client(&HYBRID) else {
        return not_offered("it speaks no OpenID Connect");
    };
    let request = client.authorize(REDIRECT_URI).scope("openid").hybrid();
    let (url, pending) = request.begin(&mut rand::rng(), now()).unwrap();
    let end = world.visit(url, Decision::Allow).await;
    let End::Sent(callback) = &end else { panic!("{end:?}") };
    if !callback.contains('#') {
        let bug = "answers in the query instead of the fragment (OpenID Connect Core §3.3.2.5)";
        return Outcome::Bug(bug.to_owned());
    }
    let (_, code) = callback.split_once("code=").unwrap();
    let code = code.split('&').next().unwrap().to_owned();
    // oidc-provider announces `iss`, and leaves it to the ID token here.
    let accepted = pending.accept(&client, end.callback(), now()).unwrap();
    let early = claims(accepted.id_token().unwrap().expose());
    let begun = accepted.redeem(&client, now()).unwrap();
    let login = world.exchange(&client, begun).await.unwrap();
    // Both are of this login.
    let late = claims(login.id_token().unwrap().expose());
    assert_eq!(early["nonce"], login.nonce().unwrap());
    assert_eq!(late["nonce"], early["nonce"]);
    assert_eq!(late["sub"], early["sub"]);
    if early["c_hash"] != half_of_hash(&code) {
        let bug = "its ID token has no `c_hash` of the code (OpenID Connect Core §3.3.2.11)";
        return Outcome::Bug(bug.to_owned());
    }
    Outcome::Works
}
