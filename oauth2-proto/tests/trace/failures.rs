//! Failures of every kind.

use super::*;

#[test]
fn whatever_a_server_answers_nothing_of_it_is_told_but_filtered_words() {
    let basic = STANDARD.encode(format!("s6BhdRkqt3:{CLIENT_SECRET}"));
    let echoes = |text: &str| {
        Fate::Says(400, format!(r#"{{"error":"invalid_request","error_description":"{text}"}}"#))
    };
    let fates = [
        (Fate::Unsent, "the token endpoint could not be reached"),
        (Fate::Unanswered, "the token endpoint did not answer"),
        (Fate::Says(503, BODY.into()), "503 Service Unavailable"),
        (Fate::Says(429, BODY.into()), "429 Too Many Requests"),
        (Fate::Says(200, format!("<html>{BODY}</html>")), "not a JSON object"),
        (Fate::Says(200, format!(r#"{{"access_token":"{ACCESS_TOKEN}","token_t"#)), "not a JSON"),
        (Fate::Says(200, format!(r#"{{"access_token":"{ACCESS_TOKEN}"}}"#)), "member token_type"),
        (Fate::Says(404, BODY.into()), "404 Not Found"),
        (Fate::Says(302, BODY.into()), "the redirect 302 Found"),
        (echoes(&format!("token {REFRESH_TOKEN}-1 is too old")), "refused: invalid_request"),
        (echoes(&format!("secret {CLIENT_SECRET} is wrong")), "refused: invalid_request"),
        (echoes("two\\nlines"), "refused: invalid_request (two?lines)"),
        (refuses("invalid_client"), "check client_id"),
        (refuses("temporarily_unavailable"), "unavailable"),
        (refuses("invalid_grant"), "begin a new login"),
    ];
    for (fate, expected) in fates {
        let mut life = Life::new();
        let (_, agent) = life.stored();
        let agent = agent.with_patience(Duration::ZERO);
        life.world.pass(LIFETIME - Duration::from_secs(30));
        life.world.fates([fate.clone()]);
        drop(life.tells(agent.refresh()));
        drop(life.tells(agent.settle()));
        let failed = life.recorder.event("exchange failed");
        assert_eq!(failed.level, Level::WARN);
        assert!(failed.field("error").contains(expected), "{fate:?}: {failed}");
        assert_eq!((failed.field("generation"), failed.field("attempt")), ("1", "1"));
        life.recorder.assert_silent(canaries().iter().chain(&life.secrets).chain([&basic]));
    }
}

#[test]
fn a_request_that_would_leave_too_late() {
    let mut life = Life::new();
    let (_, agent) = life.stored();
    life.world.pass(LIFETIME);
    let mut caller = Box::pin(agent.token());
    // The lease is stored, but it takes the store too long to say so.
    life.world.faults([Some(Fault::Silent)]);
    life.recorder.during(|| {
        assert!(poll_once(caller.as_mut()).is_pending());
        life.world.pass(Duration::from_secs(26));
        assert!(poll_once(caller.as_mut()).is_pending());
    });
    assert!(life.world.requests().is_empty());
    let unanswered = life.recorder.event("the store did not answer");
    assert_eq!((unanswered.field("operation"), unanswered.field("purpose")), ("swap", "lease"));
    let failed = life.recorder.event("exchange failed");
    assert!(failed.field("error").contains("could not be reached"), "{failed}");
    assert_eq!(failed.field("attempt"), "", "it has not been sent");
    life.assert_silent();
}

#[test]
fn a_store_that_does_not_answer() {
    for fault in [Fault::Nothing, Fault::Silent, Fault::Hangs] {
        let mut life = Life::new();
        let store = life.world.store();
        store.put(Some(&life.login()));
        let agent = life.world.open(&store, 1);
        life.world.faults([Some(fault)]);
        life.tells(agent.token()).unwrap();
        let told = life.recorder.event("the store did not answer");
        assert_eq!((told.level, told.field("operation")), (Level::WARN, "load"));
        life.world.pass(LIFETIME);
        life.world.faults([Some(fault)]);
        life.tells(agent.token()).unwrap();
        assert_eq!(life.recorder.count("the store did not answer"), 2, "{}", life.recorder);
        let ended = |outcome: &str| life.spans().iter().filter(|it| it.contains(outcome)).count();
        assert_eq!(ended("outcome=unknown"), 2, "{fault:?}");
        life.assert_silent();
    }
}

#[test]
fn new_tokens_that_cannot_be_saved_at_once() {
    let mut life = Life::new();
    let (store, agent) = life.stored();
    life.world.pass(LIFETIME);
    // The lease, and then what is to be saved.
    life.world.faults([None, Some(Fault::Silent)]);
    life.tells(agent.token()).unwrap();
    life.tells(agent.settle()).unwrap();
    assert_eq!(life.recorder.count("the store has tokens that are as new"), 1, "{}", life.recorder);
    assert!(matches!(store.state(), State::Authorized(_)));
    life.assert_silent();
}

#[test]
fn a_stored_login_that_is_not_ours_or_cannot_be_read() {
    let mut life = Life::new();
    let store = life.world.store();
    store.put(Some(&life.login()));
    let server = Server::token_only("https://other.example/token").unwrap();
    let other = Client::new("other", server);
    let agent = Agent::open(other.into(), life.world.clone(), &mut seed(1), store.login(KEY));
    life.tells(agent.token()).unwrap_err();
    let told = life.recorder.event("stored login refused");
    assert!(told.field("error").contains("another client_id"), "{told}");

    let life = Life::new();
    let store = life.world.store();
    let sealed = Record::new(format!("{{{ACCESS_TOKEN}"));
    life.world.run(store.swap(KEY, None, Some(sealed))).unwrap();
    life.tells(life.world.open(&store, 1).token()).unwrap_err();
    let told = life.recorder.event("stored login refused");
    assert!(told.field("error").contains("damaged"), "{told}");
    life.assert_silent();
}

#[test]
fn a_host_that_panics_and_a_hook_that_does() {
    let mut life = Life::new();
    let (_, agent) = life.stored();
    let agent = agent.with_change_hook(|_, _| panic!("the hook panics, as it was told to"));
    life.world.fates([Fate::Panics]);
    let panics = || catch_unwind(AssertUnwindSafe(|| life.world.run(agent.refresh())));
    assert!(life.recorder.during(panics).is_err());
    life.world.pass(LIFETIME);
    life.tells(agent.token()).unwrap();
    for told in ["host or store panicked", "change hook panicked"] {
        assert_eq!(life.recorder.event(told).level, Level::ERROR);
    }
    assert!(
        life.spans().iter().any(|span| span.starts_with("INFO exchange attempt=1 generation=1"))
    );
    life.assert_silent();
}
