//! The device grant: a person decides in a browser, and the device asks from time to time. Its time
//! is this file's: nobody waits.

use core::time::Duration;
use std::process::Command;

use oauth2_proto::{Body, Client, Error, Expired, Failed, Polled, Polling, Reason};
use oauth2_proto_reqwest::reqwest::Url;

use super::{not_offered, refused};
use crate::browser::{Browser, Decision, End};
use crate::registered::DEVICE;
use crate::server::{Expiry, Pages};
use crate::table::Outcome;
use crate::world::{World, now};

pub(crate) async fn is_approved(world: World) -> Outcome {
    let Some((client, polling)) = begin(&world).await else {
        return not_offered("no device authorization endpoint");
    };
    decide(&world, &polling, Decision::Allow).await;
    let Ok(Polled::Authorized(login)) = poll(&world, &client, polling).await else { panic!() };
    assert!(login.missing_scope().is_empty(), "{login:?}");
    if let Some(status) = world.resource(&client, &login).await {
        assert_eq!(status, 200);
    }
    Outcome::Works
}

pub(crate) async fn is_denied(world: World) -> Outcome {
    let Some((client, polling)) = begin(&world).await else {
        return not_offered("no device authorization endpoint");
    };
    if world.server.device_labels.deny.is_none() {
        return not_offered("its pages have no button for that");
    }
    decide(&world, &polling, Decision::Deny).await;
    refused(poll(&world, &client, polling).await.map_err(Error::from), "access_denied")
}

pub(crate) async fn expires(world: World) -> Outcome {
    let Some((client, polling)) = begin(&world).await else {
        return not_offered("no device authorization endpoint");
    };
    expire(&world, polling.user_code()).await;
    match poll(&world, &client, polling).await {
        // Then this side ends it.
        Ok(Polled::Pending(polling)) => {
            let late = polling.expires_at();
            let Err(failed) = polling.poll(&client, late) else { panic!() };
            assert!(matches!(failed.error, Error::Expired(Expired::Login(Reason::Deadline))));
            assert!(failed.needs_login());
            Outcome::Bug("goes on as if it had not expired (RFC 8628 §3.5)".to_owned())
        }
        polled => refused(polled.map_err(Error::from), "expired_token"),
    }
}

pub(crate) async fn is_slowed_down(world: World) -> Outcome {
    let Some((client, polling)) = begin(&world).await else {
        return not_offered("no device authorization endpoint");
    };
    let mut polling = polling;
    let mut pauses = Vec::new();
    for _ in 0..3 {
        // As if the time had come.
        let due = polling.next_poll();
        let Ok(Polled::Pending(still)) = poll(&world, &client, polling).await else { panic!() };
        pauses.push(still.next_poll().since(due));
        polling = still;
    }
    // RFC 8628 §3.5: the interval MUST be increased by 5 seconds.
    let slower = |pair: &[Duration]| pair[1] == pair[0] + Duration::from_secs(5);
    if pauses.windows(2).any(slower) {
        Outcome::Works
    } else {
        not_offered("a poll is never too early")
    }
}

async fn begin(world: &World) -> Option<(Client, Polling)> {
    world.server.endpoints.device_authorization?;
    let client = world.client(&DEVICE)?;
    let request = client.device_authorization().scope(world.server.scope);
    let (request, awaiting) = request.begin(&mut rand::rng(), now()).unwrap();
    let answer = world.send(request).await;
    let polling = awaiting.receive(&client, &answer, now()).unwrap();
    Some((client, polling))
}

/// The person's way through the pages where the user code is entered.
async fn decide(world: &World, polling: &Polling, decision: Decision) {
    let labels = world.server.device_labels;
    let browser = Browser::new(&world.server.origin, labels, decision);
    let (browser, url) = match world.server.pages {
        Pages::Forms => (browser.typing(polling.user_code()), polling.verification_uri()),
        // Its script would not do anything else with what is typed.
        Pages::Glewlwyd => (browser, polling.verification_uri_complete().unwrap()),
    };
    let End::Page(_) = world.walk(browser, Url::parse(url).unwrap()).await else { panic!() };
}

/// Polls at the moment when the next poll is due, whenever that is.
async fn poll(world: &World, client: &Client, polling: Polling) -> Result<Polled, Failed> {
    let due = polling.next_poll();
    let (request, polling) = polling.poll(client, due).unwrap();
    let answer = world.send(request).await;
    polling.receive(client, &answer, due)
}

async fn expire(world: &World, user_code: &str) {
    match &world.server.expiry {
        Expiry::Path(path) => {
            let url = format!("{}?user_code={user_code}", world.server.url(path));
            let request = http::Request::get(url).body(Body::default()).unwrap();
            assert_eq!(world.send(request).await.status(), 200);
        }
        Expiry::Database(file, statement) => {
            // The server may be writing just now.
            let patient = Command::new("sqlite3")
                .args(["-cmd", ".timeout 10000"])
                .arg(file)
                .arg(statement)
                .status();
            let status = patient.unwrap();
            assert!(status.success());
        }
        Expiry::Nothing => panic!("there is no device code"),
    }
}
