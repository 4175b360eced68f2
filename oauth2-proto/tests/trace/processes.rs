//! What others do meanwhile: other processes, the program, servers of resources.

use super::*;

#[test]
fn tokens_that_another_process_has_stored_and_its_sign_out() {
    let mut life = Life::new();
    let (store, agent) = life.stored();
    let other = life.world.open(&store, 2);
    life.world.pass(LIFETIME);
    life.world.run(other.token()).unwrap();
    life.tells(agent.token()).unwrap();
    life.world.run(other.sign_out()).unwrap();
    life.world.pass(LIFETIME);
    life.tells(agent.token()).unwrap_err();
    life.assert(&[
        "DEBUG lease lost to another holder attempt=1",
        "DEBUG newer tokens found in the store expires_in=3600 generation=2",
        "DEBUG loaded found=true generation=2",
        "DEBUG lease lost to another holder attempt=1",
        "INFO signed out",
        "DEBUG loaded found=true generation=2",
    ]);
}

#[test]
fn a_lease_that_is_taken_over_and_the_success_that_comes_after_it() {
    let mut life = Life::new();
    let (store, agent) = life.stored();
    life.world.pass(LIFETIME);
    life.world.fates([Fate::Held]);
    life.world.fates([(); 9].map(|()| Fate::Unanswered));
    let mut first = Box::pin(agent.token());
    while life.world.requests().is_empty() {
        assert!(life.recorder.during(|| poll_once(first.as_mut())).is_pending());
    }
    let other = life.world.open(&store, 2).with_patience(Duration::from_secs(38));
    life.tells(other.token()).unwrap_err();
    life.world.release();
    assert_eq!(number(&life.tells(first)), 2);
    life.tells(agent.settle()).unwrap();
    let taken_over = life.recorder.event("lease of another holder taken over");
    assert_eq!((taken_over.level, taken_over.field("attempt")), (Level::WARN, "2"));
    let won = life.recorder.event("late tokens replace what is stored");
    assert_eq!((won.level, won.field("generation")), (Level::WARN, "2"));
    assert_eq!(life.recorder.count("something else was stored meanwhile"), 1);
    assert_eq!(life.recorder.event("new tokens").field("late"), "false", "for all it knew");
    life.assert_silent();
}

#[test]
fn an_answer_to_a_login_that_has_moved_on() {
    let mut life = Life::new();
    let (_, agent) = life.stored();
    life.world.fates([Fate::Held]);
    let mut refresh = Box::pin(agent.refresh());
    assert!(life.recorder.during(|| poll_once(refresh.as_mut())).is_pending());
    let other = life.world.login(2).0;
    let mut replaced = Box::pin(agent.log_in(other));
    assert!(life.recorder.during(|| poll_once(replaced.as_mut())).is_pending());
    life.world.release();
    life.tells(replaced).unwrap();
    let late = life.recorder.event("late answer");
    assert_eq!((late.level, late.field("status")), (Level::WARN, "200"));
    // The tokens that nobody wants any more are revoked.
    assert_eq!(life.recorder.count("revoked"), 2);
    life.assert_silent();
}

#[test]
fn a_success_for_a_login_that_was_handed_in_again_meanwhile() {
    let mut life = Life::new();
    let (store, agent) = life.stored();
    let same = store.state();
    life.world.fates([Fate::Held]);
    let mut refresh = Box::pin(agent.refresh());
    assert!(life.recorder.during(|| poll_once(refresh.as_mut())).is_pending());
    let mut handed_in = Box::pin(agent.log_in(same));
    assert!(life.recorder.during(|| poll_once(handed_in.as_mut())).is_pending());
    life.world.release();
    life.tells(handed_in).unwrap();
    let tokens = life.recorder.event("new tokens");
    assert_eq!((tokens.field("late"), tokens.field("generation")), ("true", "2"));
    life.assert_silent();
}

#[test]
fn a_revocation_that_the_server_refuses_or_does_not_answer() {
    for (fate, status) in [(Fate::Says(503, BODY.into()), "503"), (Fate::Unanswered, "")] {
        let mut life = Life::new();
        let (_, agent) = life.stored();
        life.world.fates([fate.clone(), fate]);
        life.tells(agent.sign_out()).unwrap();
        assert_eq!(life.recorder.count("not revoked"), 2);
        let told = life.recorder.events();
        let told = told.iter().find(|event| event.name == "not revoked").unwrap();
        assert_eq!((told.level, told.field("status")), (Level::WARN, status));
        life.assert_silent();
    }
}

#[test]
fn a_token_that_a_resource_server_refuses() {
    let mut life = Life::new();
    let (_, agent) = life.stored();
    let generation = life.world.run(agent.token()).unwrap().generation();
    let mut headers = HeaderMap::new();
    let challenge = format!(
        r#"Bearer realm="{BODY}", error="invalid_token", error_description="{ACCESS_TOKEN}-1""#
    );
    headers.insert("www-authenticate", HeaderValue::try_from(challenge).unwrap());
    let challenge = &Challenge::from_headers(&headers)[0];
    life.recorder.during(|| {
        let _ = agent.challenged(generation, challenge);
        life.world.pass(Duration::from_secs(60));
        let _ = agent.challenged(generation, challenge);
    });
    life.assert(&[
        "DEBUG challenged generation=1 outcome=too_young",
        "DEBUG challenged generation=1 outcome=rejected",
    ]);
}

#[test]
fn the_keys_of_logins_are_not_told() {
    let life = Life::new();
    let logins = Logins::new(life.world.client(), life.world.clone(), seed(1), life.world.store())
        .with_patience(PATIENCE);
    life.tells(logins.login(KEY).log_in(life.world.login(1).0)).unwrap();
    life.tells(logins.login(&format!("{KEY}-2")).token()).unwrap_err();
    life.assert_silent();
}
