//! The transition table of the machine, executed: one test per cell, grouped by row, and below it
//! what the numbers of the table mean.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

mod scenario;

use core::time::Duration;

use http::Response;
use oauth2_proto::{
    Authorized, Authorizing, AwaitingToken, Callback, Challenged, Error, Expired, Failed, Forged,
    Lost, Misuse, Outage, Polled, Problem, Reason, Received, Refresh, Refreshing, Session, State,
    Step, Timestamp, Unauthorized,
};
use scenario::{
    REDIRECT_URI, SCOPE, START, Scenario, Seen, at, busy, challenge, form, invalid_token, json,
    look, refresh_token, refusal, refused, reload, reply, sent, stranger, unreadable,
};

/// What a failed transition leaves, if it leaves this state.
macro_rules! left {
    ($failed:expr, $pattern:pat => $kept:ident) => {{
        let failed: Failed = $failed.expect_err("this transition fails");
        let $pattern = *failed.state else {
            panic!("after {:?} this is left: {:?}", failed.error, failed.state)
        };
        ($kept, failed.error)
    }};
}

macro_rules! left_unauthorized {
    ($failed:expr) => {
        left!($failed, State::Unauthorized(kept) => kept)
    };
}

macro_rules! left_awaiting {
    ($failed:expr) => {
        left!($failed, State::Authorizing(Authorizing::AwaitingToken(kept)) => kept)
    };
}

macro_rules! left_polling {
    ($failed:expr) => {
        left!($failed, State::Authorizing(Authorizing::Polling(kept)) => kept)
    };
}

macro_rules! left_authorized {
    ($failed:expr) => {
        left!($failed, State::Authorized(kept) => kept)
    };
}

macro_rules! left_refreshing {
    ($failed:expr) => {
        left!($failed, State::Refreshing(kept) => kept)
    };
}

fn is_denied(error: &Error, code: &str) -> bool {
    matches!(error, Error::Denied(denied) if denied.error() == code)
}

fn is_malformed(error: &Error, problem: &Problem) -> bool {
    matches!(error, Error::Malformed(malformed) if malformed.problem() == problem)
}

fn is_unavailable(error: &Error) -> bool {
    matches!(error, Error::Unavailable(_))
}

/// The access token, if it is good.
fn token(state: &Authorized, now: Timestamp) -> Option<&str> {
    state.token(now).map(oauth2_proto::AccessToken::expose)
}

/// When a state that has sent may send again: what the refusal to do so at once names.
fn due(state: AwaitingToken, world: &Scenario) -> Timestamp {
    let Err(Failed { error: Error::Misuse(Misuse::TooEarly(due)), .. }) =
        state.retry(&world.client, world.now)
    else {
        panic!("a retry at once is to be refused")
    };
    due
}

/// Lets a refresh bring tokens with this lifetime, after `seconds` on the way.
fn renewed(world: &mut Scenario, body: &str, seconds: u64) -> Authorized {
    let (_, refreshing) = world.refreshing();
    world.pass(seconds);
    refreshing.receive(&world.client, &reply(200, body), world.now).expect("a good answer")
}

fn answers_with_doubt() -> [Response<Vec<u8>>; 4] {
    [reply(500, ""), reply(503, "<html>"), reply(429, "{}"), reply(408, "")]
}

// Row: begin

#[test]
fn begin_leads_from_unauthorized_to_authorizing() {
    let mut world = Scenario::new();
    let ended = world.unauthorized();
    let request = world.client.authorize(REDIRECT_URI).scope(ended.requested_scope().as_str());
    let (url, pending) = request.begin(&mut world.rng, world.now).expect("a usable login");
    assert!(url.query().is_some_and(|query| query.contains("scope=read+write")));
    assert!(matches!(State::from(pending), State::Authorizing(Authorizing::AwaitingCallback(_))));
}

#[test]
fn begin_leads_a_program_from_unauthorized_to_authorizing() {
    let mut world = Scenario::new();
    let (request, awaiting) = world.service().renew(&world.client, world.now).expect("ready");
    assert_eq!(form(&request)["grant_type"], "client_credentials");
    assert!(matches!(State::from(awaiting), State::Authorizing(Authorizing::AwaitingToken(_))));
}

#[test]
fn begin_while_authorizing_is_a_separate_login() {
    let mut world = Scenario::new();
    let (first, first_callback) = world.awaiting_callback();
    let (second, second_callback) = world.awaiting_callback();
    assert_ne!(first.login(), second.login());
    let crossed = first.accept(&world.client, Callback::url(&second_callback), world.now);
    assert_eq!(crossed.expect_err("another login's callback"), Error::Forged(Forged::State));
    assert!(first.accept(&world.client, Callback::url(&first_callback), world.now).is_ok());
    assert!(second.accept(&world.client, Callback::url(&second_callback), world.now).is_ok());
}

#[test]
fn begin_while_authorized_is_a_separate_login_and_the_old_one_stays_usable() {
    let mut world = Scenario::new();
    let old = world.authorized();
    let before = json(&old);
    let new = world.authorized();
    assert_ne!(old.login(), new.login());
    assert_eq!(json(&old), before);
    assert!(world.server.accepts(token(&old, world.now).expect("still good")));
}

#[test]
fn begin_while_refreshing_is_a_separate_login_and_the_old_one_goes_on() {
    let mut world = Scenario::new();
    let (request, old) = world.refreshing();
    let new = world.authorized();
    assert_ne!(old.login(), new.login());
    let answer = world.answer(&request);
    assert!(old.receive(&world.client, &answer, world.now).is_ok());
}

#[test]
fn begin_leads_a_device_to_polling_once_there_are_codes() {
    let mut world = Scenario::new();
    let (request, awaiting) =
        world.client.device_authorization().begin(&mut world.rng, world.now).expect("usable");
    let answer = world.answer(&request);
    let polling = awaiting.receive(&world.client, &answer, world.now).expect("codes");
    assert!(matches!(State::from(polling), State::Authorizing(Authorizing::Polling(_))));
}

#[test]
fn begin_leads_the_implicit_grant_to_awaiting_its_fragment() {
    let pending = Scenario::new().awaiting_fragment().0;
    let state = State::from(pending);
    assert!(matches!(state, State::Authorizing(Authorizing::AwaitingFragment(_))));
}

#[test]
fn begin_leads_a_grant_of_one_request_to_awaiting_its_token() {
    let mut world = Scenario::new();
    let request = world.client.legacy_password("johndoe", "A3ddj3w");
    let (_, awaiting) = request.begin(&mut world.rng, world.now).expect("usable");
    assert!(matches!(State::from(awaiting), State::Authorizing(Authorizing::AwaitingToken(_))));
}

// Row: callback accepted, code sent

#[test]
fn an_accepted_callback_stays_authorizing_with_the_token_request_on_the_wire() {
    let mut world = Scenario::new();
    let (request, awaiting) = world.awaiting_token();
    let form = form(&request);
    assert_eq!(form["grant_type"], "authorization_code");
    assert_eq!(form["redirect_uri"], REDIRECT_URI);
    assert_eq!(form["code_verifier"].len(), 43);
    assert_eq!(awaiting.deadline(), at(25));
    assert!(matches!(State::from(awaiting), State::Authorizing(Authorizing::AwaitingToken(_))));
}

#[test]
fn a_sent_code_is_not_sent_again_after_a_restart() {
    let mut world = Scenario::new();
    let stored = json(&State::from(world.awaiting_token().1));
    assert!(!stored.contains("code-1"), "the code is spent and not worth storing");
    let State::Unauthorized(loaded) = serde_json::from_str(&stored).expect("it can be loaded")
    else {
        panic!("a code works once")
    };
    assert_eq!(*loaded.reason(), Reason::CodeSpent);
    assert_eq!(loaded.requested_scope().as_str(), SCOPE);
    assert!(!loaded.is_renewable());
}

#[test]
fn a_code_is_redeemed_by_its_own_client_only() {
    let mut world = Scenario::new();
    let code = world.code();
    let (kept, error) = left_awaiting!(code.redeem(&stranger(), world.now));
    assert_eq!(error, Error::Misuse(Misuse::WrongClient));
    let (request, awaiting) = kept.retry(&world.client, world.now).expect("the right client");
    let answer = world.answer(&request);
    assert!(awaiting.receive(&world.client, &answer, world.now).is_ok());
}

#[test]
fn an_accepted_fragment_leads_to_authorized() {
    let mut world = Scenario::new();
    let (pending, callback) = world.awaiting_fragment();
    let tokens = pending.accept(&world.client, Callback::url(&callback), world.now).expect("ours");
    assert_eq!(token(&tokens, world.now), Some("fragment"));
    assert_eq!(tokens.login(), pending.login());
}

// Row: callback with the server's error

#[test]
fn the_servers_error_with_our_state_ends_the_login() {
    let mut world = Scenario::new();
    let (pending, callback) = world.awaiting_callback();
    let callback = callback.replace("code=code-1", "error=access_denied");
    let error = pending
        .accept(&world.client, Callback::url(&callback), world.now)
        .expect_err("the person said no");
    assert!(is_denied(&error, "access_denied"));
    let State::Unauthorized(ended) = pending.after(&error) else { panic!("the login is over") };
    assert_eq!(*ended.reason(), Reason::Denied("access_denied".into()));
    assert_eq!(ended.requested_scope().as_str(), SCOPE);
}

#[test]
fn the_servers_error_in_the_fragment_ends_the_login() {
    let mut world = Scenario::new();
    let (pending, callback) = world.awaiting_fragment();
    let callback = callback.replace("access_token=fragment", "error=access_denied");
    let error = pending
        .accept(&world.client, Callback::url(&callback), world.now)
        .expect_err("the person said no");
    let State::Unauthorized(ended) = pending.after(&error) else { panic!("the login is over") };
    assert_eq!(*ended.reason(), Reason::Denied("access_denied".into()));
}

#[test]
fn a_callback_after_the_deadline_ends_the_login() {
    let mut world = Scenario::new();
    let (pending, callback) = world.awaiting_callback();
    assert_eq!(pending.deadline(), at(600));
    assert!(pending.accept(&world.client, Callback::url(&callback), at(600)).is_ok());
    let error = pending
        .accept(&world.client, Callback::url(&callback), at(601))
        .expect_err("the deadline has passed");
    assert_eq!(error, Error::Expired(Expired::Callback));
    let State::Unauthorized(ended) = pending.after(&error) else { panic!("the login is over") };
    assert_eq!(*ended.reason(), Reason::Deadline);
}

// Row: callback forged

#[test]
fn a_forged_callback_leaves_the_login_pending() {
    let mut world = Scenario::new();
    let (pending, honest) = world.awaiting_callback();
    let before = json(&pending);
    let forged = [
        honest.replace("state=", "state=x"),
        honest.replace("&state=", "&former="),
        format!("{honest}&code=another"),
        format!("{honest}&state=another"),
        honest.replace("app.example", "evil.example"),
        honest.replace("code=code-1", "error=access_denied").replace("state=", "state=x"),
    ];
    for callback in &forged {
        let error = pending
            .accept(&world.client, Callback::url(callback), world.now)
            .expect_err("a forged callback");
        assert!(matches!(error, Error::Forged(_)), "{callback}: {error:?}");
        assert_eq!(json(&pending), before);
    }
    let kept = pending.after(&Error::Forged(Forged::State));
    assert_eq!(json(&kept), before);
    let State::Authorizing(Authorizing::AwaitingCallback(pending)) = kept else {
        panic!("the login is still pending")
    };
    assert!(pending.accept(&world.client, Callback::url(&honest), world.now).is_ok());
}

#[test]
fn a_forged_fragment_leaves_the_login_pending() {
    let mut world = Scenario::new();
    let (pending, callback) = world.awaiting_fragment();
    let before = json(&pending);
    let forged = callback.replace("state=", "state=x");
    let error = pending.accept(&world.client, Callback::url(&forged), world.now);
    let error = error.expect_err("it is forged");
    assert_eq!(error, Error::Forged(Forged::State));
    assert_eq!(json(&pending.after(&error)), before);
}

#[test]
fn a_callback_that_breaks_the_protocol_leaves_the_login_pending() {
    let mut world = Scenario::new();
    let (pending, honest) = world.awaiting_callback();
    let before = json(&pending);
    let callback = honest.replace("code=code-1", "code=");
    let error = pending
        .accept(&world.client, Callback::url(&callback), world.now)
        .expect_err("there is no code");
    assert!(is_malformed(&error, &Problem::CodeMissing));
    assert_eq!(json(&pending.after(&error)), before);
}

// Row: token answer, success

#[test]
fn a_token_answer_leads_from_authorizing_to_authorized() {
    let mut world = Scenario::new();
    let tokens = world.authorized();
    assert_eq!(token(&tokens, world.now), Some("access-3"));
    assert_eq!(tokens.expires_at(), Some(at(3600)));
    assert_eq!(tokens.refresh_at(), Some(at(3540)));
    assert_eq!(tokens.login_due_at(), None);
    assert_eq!(tokens.scope().as_str(), SCOPE);
    assert!(tokens.missing_scope().is_empty() && tokens.additional_scope().is_empty());
}

#[test]
fn a_token_answer_leads_a_program_from_authorizing_to_authorized() {
    let mut world = Scenario::new();
    let tokens = world.service_authorized();
    assert_eq!(token(&tokens, world.now), Some("access-1"));
    assert!(tokens.is_renewable(), "the grant can be repeated");
}

#[test]
fn a_token_answer_leads_a_device_from_polling_to_authorized() {
    let mut world = Scenario::new();
    world.server.decided = Some(true);
    let (request, polling) = world.polled();
    let login = polling.login();
    let answer = world.answer(&request);
    let Ok(Polled::Authorized(tokens)) = polling.receive(&world.client, &answer, world.now) else {
        panic!("the person has agreed")
    };
    assert_eq!(tokens.login(), login);
    assert_eq!(tokens.scope().as_str(), SCOPE);
    assert!(tokens.is_renewable());
}

#[test]
fn a_token_answer_for_a_resource_stands_beside_the_tokens_that_are_held() {
    let mut world = Scenario::new();
    let login = world.authorized();
    let own = token(&login, world.now).expect("fresh").to_owned();
    let (request, refreshing) =
        login.refresh_for("https://api.example/", &world.client, world.now).expect("renewable");
    let answer = world.answer(&request);
    let login = refreshing.receive(&world.client, &answer, world.now).expect("honest");
    assert_eq!(token(&login, world.now), Some(&*own));
    assert!(login.token_for("https://api.example/", world.now).is_some());
}

#[test]
fn a_token_answer_leads_from_refreshing_to_authorized() {
    let mut world = Scenario::new();
    let (request, refreshing) = world.refreshing();
    assert_eq!(refresh_token(&request), "refresh-2");
    let answer = world.answer(&request);
    let tokens = refreshing.receive(&world.client, &answer, world.now).expect("a good answer");
    assert_eq!(token(&tokens, world.now), Some("access-5"));
    let (request, _) = tokens.refresh(&world.client, world.now).expect("it can be renewed");
    assert_eq!(refresh_token(&request), "refresh-4");
}

#[test]
fn a_token_answer_is_stale_where_the_login_was_ended() {
    let mut world = Scenario::new();
    let (mut session, ticket, request) = world.driving_refresh();
    let _ = session.sign_out(world.now);
    let before = json(session.state());
    let answer = world.answer(&request);
    let received = session.receive(ticket, &answer, world.now).expect("stale, not wrong");
    let Received::Late(revocations) = received else { panic!("the login was ended") };
    assert_eq!(form(&revocations[0])["token"], "refresh-4");
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_token_answer_is_stale_where_newer_tokens_are_held() {
    let mut world = Scenario::new();
    let (mut session, late, request) = world.driving_refresh();
    let late_answer = reply(200, r#"{"access_token":"late","token_type":"Bearer"}"#);
    world.pass(30);
    let (ticket, _) = sent(&mut session, world.now);
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, world.now).expect("a good answer"));
    let before = json(session.state());
    let received = session.receive(late, &late_answer, world.now).expect("stale, not wrong");
    assert!(matches!(received, Received::Late(revocations) if revocations.is_empty()));
    assert_eq!(json(session.state()), before);
}

// Row: token answer, authorization_pending or slow_down

#[test]
fn an_undecided_device_stays_and_its_next_poll_is_later() {
    let mut world = Scenario::new();
    for (error, pause) in [("authorization_pending", 5), ("slow_down", 10)] {
        let (_, polling) = world.polled();
        let polled = polling.receive(&world.client, &refusal(error), world.now);
        let Ok(Polled::Pending(polling)) = polled else { panic!("nobody has decided") };
        assert_eq!(polling.next_poll().since(world.now).as_secs(), pause);
    }
}

#[test]
fn an_answer_of_the_device_grant_to_a_code_is_malformed_and_ends_the_login() {
    for error in ["authorization_pending", "slow_down"] {
        let mut world = Scenario::new();
        let (_, awaiting) = world.awaiting_token();
        let (ended, why) =
            left_unauthorized!(awaiting.receive(&world.client, &refusal(error), world.now));
        assert!(is_malformed(&why, &Problem::OutOfPlace(error)), "{error}: {why:?}");
        assert!(!ended.is_renewable());
    }
}

#[test]
fn an_answer_of_the_device_grant_to_a_program_is_malformed_and_can_be_asked_again() {
    for error in ["authorization_pending", "slow_down"] {
        let mut world = Scenario::new();
        let (_, awaiting) = world.service_awaiting();
        let failed = awaiting
            .receive(&world.client, &refusal(error), world.now)
            .expect_err("the answer is out of place");
        assert!(
            is_malformed(&failed.error, &Problem::OutOfPlace(error)),
            "{error}: {:?}",
            failed.error
        );
        let mut session = world.session(*failed.state);
        assert_eq!(look(&mut session, world.now), Seen::Wait(1));
    }
}

#[test]
fn an_answer_of_the_device_grant_to_a_refresh_is_malformed_and_stays_refreshing() {
    for error in ["authorization_pending", "slow_down"] {
        let mut world = Scenario::new();
        let (_, refreshing) = world.refreshing();
        let (kept, why) =
            left_refreshing!(refreshing.receive(&world.client, &refusal(error), world.now));
        assert!(is_malformed(&why, &Problem::OutOfPlace(error)), "{error}: {why:?}");
        assert_eq!(kept.retry_at(world.now), at(1));
    }
}

// Row: token answer, invalid_grant, access_denied, expired_token

#[test]
fn a_refused_grant_ends_a_login_that_is_beginning() {
    for error in ["invalid_grant", "access_denied", "expired_token"] {
        let mut world = Scenario::new();
        let (_, awaiting) = world.awaiting_token();
        let (ended, why) =
            left_unauthorized!(awaiting.receive(&world.client, &refusal(error), world.now));
        assert!(is_denied(&why, error) && why.needs_login());
        assert_eq!(*ended.reason(), Reason::Denied(error.into()));
        assert_eq!(ended.requested_scope().as_str(), SCOPE);
    }
}

#[test]
fn a_refusal_ends_a_device_login() {
    let mut world = Scenario::new();
    for error in ["invalid_grant", "access_denied", "expired_token", "invalid_client"] {
        let (_, polling) = world.polled();
        let received = polling.receive(&world.client, &refusal(error), world.now);
        let (ended, why) = left_unauthorized!(received);
        assert!(is_denied(&why, error));
        assert_eq!(*ended.reason(), Reason::Denied(error.into()));
    }
}

#[test]
fn invalid_grant_after_a_poll_that_was_not_answered_is_an_answer_lost() {
    let mut world = Scenario::new();
    let polling = world.polled().1.unanswered(world.now);
    world.now = polling.next_poll();
    let (_, polling) = polling.poll(&world.client, world.now).expect("it is due");
    let received = polling.receive(&world.client, &refusal("invalid_grant"), world.now);
    assert_eq!(*left_unauthorized!(received).0.reason(), Reason::AnswerLost);
}

#[test]
fn a_refused_grant_of_a_program_keeps_its_renewal() {
    for error in ["invalid_grant", "access_denied", "expired_token"] {
        let mut world = Scenario::new();
        let (_, awaiting) = world.service_awaiting();
        let (ended, _) =
            left_unauthorized!(awaiting.receive(&world.client, &refusal(error), world.now));
        assert_eq!(*ended.reason(), Reason::Denied(error.into()));
        assert!(ended.is_renewable());
        assert_eq!(ended.not_before(world.now), Some(at(1)));
    }
}

#[test]
fn invalid_grant_ends_a_refresh_that_nothing_puts_in_doubt() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let answer = refusal("invalid_grant");
    let (ended, why) = left_unauthorized!(refreshing.receive(&world.client, &answer, world.now));
    assert!(is_denied(&why, "invalid_grant") && why.needs_login());
    assert_eq!(*ended.reason(), Reason::Denied("invalid_grant".into()));
    assert_eq!(ended.requested_scope().as_str(), SCOPE);
}

#[test]
fn invalid_grant_after_an_unanswered_attempt_is_an_answer_lost() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing_in_doubt();
    let answer = refusal("invalid_grant");
    let (ended, why) = left_unauthorized!(refreshing.receive(&world.client, &answer, world.now));
    assert!(is_denied(&why, "invalid_grant"));
    assert_eq!(*ended.reason(), Reason::AnswerLost);
}

#[test]
fn invalid_grant_after_an_attempt_that_nobody_reported_is_an_answer_lost() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    world.pass(30);
    let (_, refreshing) = refreshing.retry(&world.client, world.now).expect("the lease is over");
    let answer = refusal("invalid_grant");
    let (ended, _) = left_unauthorized!(refreshing.receive(&world.client, &answer, world.now));
    assert_eq!(*ended.reason(), Reason::AnswerLost);
}

#[test]
fn invalid_grant_after_an_attempt_that_never_left_is_the_servers_own_word() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let State::Authorized(tokens) = refreshing.unsent(world.now) else {
        panic!("nothing was sent")
    };
    world.pass(1);
    let (_, refreshing) = tokens.refresh(&world.client, world.now).expect("it is due");
    let answer = refusal("invalid_grant");
    let (ended, _) = left_unauthorized!(refreshing.receive(&world.client, &answer, world.now));
    assert_eq!(*ended.reason(), Reason::Denied("invalid_grant".into()));
}

#[test]
fn another_refusal_of_a_refresh_keeps_the_old_tokens() {
    for error in ["access_denied", "expired_token"] {
        let mut world = Scenario::new();
        let (_, refreshing) = world.refreshing();
        let (kept, why) =
            left_authorized!(refreshing.receive(&world.client, &refusal(error), world.now));
        assert!(is_denied(&why, error));
        assert_eq!(token(&kept, world.now), Some("access-3"));
        let before = json(&kept);
        let why = refused(kept.refresh(&world.client, world.now), &before);
        assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(1))));
    }
}

// Row: token answer, another OAuth error

#[test]
fn a_refused_configuration_ends_a_login_that_is_beginning() {
    for error in ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"] {
        let mut world = Scenario::new();
        let (_, awaiting) = world.awaiting_token();
        let (ended, why) =
            left_unauthorized!(awaiting.receive(&world.client, &refusal(error), world.now));
        assert!(is_denied(&why, error) && !why.needs_login());
        assert_eq!(*ended.reason(), Reason::Denied(error.into()));
    }
}

#[test]
fn a_refused_configuration_of_a_program_keeps_its_renewal() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.service_awaiting();
    let answer = refusal("invalid_client");
    let (ended, _) = left_unauthorized!(awaiting.receive(&world.client, &answer, world.now));
    let before = json(&ended);
    let why = refused(ended.renew(&world.client, world.now), &before);
    assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(1))));
    let ended: Unauthorized = serde_json::from_str(&before).expect("it can be loaded");
    let (request, awaiting) = ended.renew(&world.client, at(1)).expect("it is due");
    let answer = world.answer(&request);
    assert!(awaiting.receive(&world.client, &answer, at(1)).is_ok());
}

#[test]
fn a_refused_configuration_keeps_the_old_tokens_and_stores_a_back_off() {
    for error in ["invalid_client", "unauthorized_client", "invalid_scope", "invalid_request"] {
        let mut world = Scenario::new();
        let (_, refreshing) = world.refreshing();
        let (kept, why) =
            left_authorized!(refreshing.receive(&world.client, &refusal(error), world.now));
        assert!(is_denied(&why, error) && !why.needs_login());
        let kept: Authorized = serde_json::from_str(&json(&kept)).expect("it can be loaded");
        let before = json(&kept);
        let why = refused(kept.refresh(&world.client, world.now), &before);
        assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(1))));
        let kept: Authorized = serde_json::from_str(&before).expect("it can be loaded");
        let (request, _) = kept.refresh(&world.client, at(1)).expect("it is due");
        assert_eq!(refresh_token(&request), "refresh-2");
    }
}

// Row: 5xx, 429, lost

#[test]
fn an_outage_ends_the_login_of_a_code_because_it_works_once() {
    for answer in answers_with_doubt() {
        let mut world = Scenario::new();
        let (_, awaiting) = world.awaiting_token();
        let (ended, why) = left_unauthorized!(awaiting.receive(&world.client, &answer, world.now));
        assert!(is_unavailable(&why));
        assert_eq!(*ended.reason(), Reason::CodeSpent);
    }
    let mut world = Scenario::new();
    let State::Unauthorized(ended) = world.awaiting_token().1.unanswered(world.now) else {
        panic!("the code may have been seen")
    };
    assert_eq!(*ended.reason(), Reason::CodeSpent);
}

#[test]
fn an_outage_leaves_a_program_waiting_for_its_next_attempt() {
    for answer in answers_with_doubt() {
        let mut world = Scenario::new();
        let (_, awaiting) = world.service_awaiting();
        let (kept, why) = left_awaiting!(awaiting.receive(&world.client, &answer, world.now));
        assert!(is_unavailable(&why) && why.is_retryable());
        assert_eq!(due(kept, &world), at(1));
    }
    let mut world = Scenario::new();
    let kept = world.service_awaiting().1.unanswered(world.now);
    let State::Authorizing(Authorizing::AwaitingToken(kept)) = reload(&kept) else {
        panic!("the grant can be repeated")
    };
    let (request, awaiting) = kept.retry(&world.client, at(1)).expect("the back-off is stored");
    let answer = world.answer(&request);
    assert!(awaiting.receive(&world.client, &answer, at(1)).is_ok());
}

#[test]
fn an_outage_leaves_a_device_polling_more_rarely() {
    let mut world = Scenario::new();
    for answer in answers_with_doubt() {
        let (_, polling) = world.polled();
        let (polling, error) = left_polling!(polling.receive(&world.client, &answer, world.now));
        assert!(is_unavailable(&error));
        let State::Authorizing(Authorizing::Polling(polling)) = reload(&polling.into()) else {
            panic!("it still polls")
        };
        assert_eq!(polling.next_poll().since(world.now).as_secs(), 10);
    }
}

#[test]
fn an_outage_leaves_a_refresh_in_doubt_with_the_same_refresh_token() {
    for answer in answers_with_doubt() {
        let mut world = Scenario::new();
        let (_, refreshing) = world.refreshing();
        let (kept, why) = left_refreshing!(refreshing.receive(&world.client, &answer, world.now));
        assert!(is_unavailable(&why) && why.is_retryable());
        assert!(kept.token(world.now).is_some(), "the old token is still good");
        let kept: Refreshing = serde_json::from_str(&json(&kept)).expect("it can be loaded");
        let before = json(&kept);
        let why = refused(kept.retry(&world.client, world.now), &before);
        assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(1))));
        let kept: Refreshing = serde_json::from_str(&before).expect("it can be loaded");
        let (request, kept) = kept.retry(&world.client, at(1)).expect("it is due");
        assert_eq!(refresh_token(&request), "refresh-2");
        let (ended, _) =
            left_unauthorized!(kept.receive(&world.client, &refusal("invalid_grant"), at(1)));
        assert_eq!(*ended.reason(), Reason::AnswerLost);
    }
}

#[test]
fn a_lost_answer_leaves_a_refresh_in_doubt_with_the_same_refresh_token() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let kept = refreshing.unanswered(world.now);
    assert_eq!(kept.retry_at(world.now), at(1));
    let (request, _) = kept.retry(&world.client, at(1)).expect("it is due");
    assert_eq!(refresh_token(&request), "refresh-2");
}

#[test]
fn an_outage_named_in_oauths_words_is_one_whatever_the_status() {
    for error in ["temporarily_unavailable", "server_error"] {
        let mut world = Scenario::new();
        let (_, refreshing) = world.refreshing();
        let (_, why) =
            left_refreshing!(refreshing.receive(&world.client, &refusal(error), world.now));
        assert!(is_unavailable(&why));
    }
}

// Row: an answer that nobody can read

#[test]
fn an_unreadable_answer_ends_the_login_of_a_code_because_it_works_once() {
    for answer in unreadable() {
        let mut world = Scenario::new();
        let (_, awaiting) = world.awaiting_token();
        let (ended, why) = left_unauthorized!(awaiting.receive(&world.client, &answer, world.now));
        assert!(matches!(why, Error::Malformed(_)));
        assert_eq!(*ended.reason(), Reason::CodeSpent);
    }
}

#[test]
fn three_unreadable_answers_end_a_device_login_as_unexplained() {
    let mut world = Scenario::new();
    for answer in unreadable() {
        let mut polling = world.polling();
        for _ in 0..2 {
            world.now = polling.next_poll();
            let (_, asked) = polling.poll(&world.client, world.now).expect("it is due");
            polling = left_polling!(asked.receive(&world.client, &answer, world.now)).0;
        }
        world.now = polling.next_poll();
        let (_, asked) = polling.poll(&world.client, world.now).expect("it is due");
        let received = asked.receive(&world.client, &answer, world.now);
        assert_eq!(*left_unauthorized!(received).0.reason(), Reason::Unexplained);
    }
}

#[test]
fn three_unreadable_answers_to_a_program_are_unexplained_and_keep_its_renewal() {
    for answer in unreadable() {
        let mut world = Scenario::new();
        let (_, mut awaiting) = world.service_awaiting();
        for wait in [1, 2] {
            let (kept, why) = left_awaiting!(awaiting.receive(&world.client, &answer, world.now));
            assert!(matches!(why, Error::Malformed(_)));
            world.pass(wait);
            awaiting = kept.retry(&world.client, world.now).expect("it is due").1;
        }
        let (ended, _) = left_unauthorized!(awaiting.receive(&world.client, &answer, world.now));
        assert_eq!(*ended.reason(), Reason::Unexplained);
        assert_eq!(ended.not_before(world.now), Some(at(3 + 4)));
        assert!(ended.is_renewable());
    }
}

#[test]
fn three_unreadable_answers_to_a_refresh_are_unexplained() {
    for answer in unreadable() {
        let mut world = Scenario::new();
        let (_, mut refreshing) = world.refreshing();
        for wait in [1, 2] {
            let (kept, why) =
                left_refreshing!(refreshing.receive(&world.client, &answer, world.now));
            assert!(matches!(why, Error::Malformed(_)));
            world.pass(wait);
            let (request, next) = kept.retry(&world.client, world.now).expect("it is due");
            assert_eq!(refresh_token(&request), "refresh-2");
            refreshing = next;
        }
        let (ended, _) = left_unauthorized!(refreshing.receive(&world.client, &answer, world.now));
        assert_eq!(*ended.reason(), Reason::Unexplained);
    }
}

#[test]
fn an_unreadable_answer_puts_a_refresh_in_doubt() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let (kept, _) =
        left_refreshing!(refreshing.receive(&world.client, &reply(200, "<html>"), world.now));
    let (_, kept) = kept.retry(&world.client, at(1)).expect("it is due");
    let (ended, _) =
        left_unauthorized!(kept.receive(&world.client, &refusal("invalid_grant"), at(1)));
    assert_eq!(*ended.reason(), Reason::AnswerLost);
}

#[test]
fn unreadable_answers_are_counted_from_the_last_success() {
    let mut world = Scenario::new();
    let (mut request, mut refreshing) = world.refreshing();
    for _ in 0..5 {
        let unreadable = reply(200, "<html>");
        let (kept, _) = left_refreshing!(refreshing.receive(&world.client, &unreadable, world.now));
        world.pass(1);
        let (again, kept) = kept.retry(&world.client, world.now).expect("it is due");
        let answer = world.answer(&again);
        let tokens = kept.receive(&world.client, &answer, world.now).expect("a success");
        (request, refreshing) = tokens.refresh(&world.client, world.now).expect("renewable");
    }
    assert_eq!(refresh_token(&request), "refresh-12");
}

// Row: provably never left

#[test]
fn a_code_that_never_left_may_be_sent_again() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.awaiting_token();
    let awaiting = awaiting.unsent(world.now);
    let (request, awaiting) = awaiting.retry(&world.client, at(1)).expect("the code is unspent");
    let answer = world.answer(&request);
    assert!(awaiting.receive(&world.client, &answer, at(1)).is_ok());
}

#[test]
fn a_code_that_never_left_waits_for_its_back_off() {
    let mut world = Scenario::new();
    let awaiting = world.awaiting_token().1.unsent(world.now);
    assert_eq!(due(awaiting, &world), at(1));
}

#[test]
fn a_programs_request_that_never_left_may_be_sent_again() {
    let mut world = Scenario::new();
    let awaiting = world.service_awaiting().1.unsent(world.now);
    let (request, awaiting) = awaiting.retry(&world.client, at(1)).expect("it is due");
    let answer = world.answer(&request);
    assert!(awaiting.receive(&world.client, &answer, at(1)).is_ok());
}

#[test]
fn a_poll_that_never_left_may_be_sent_again() {
    let mut world = Scenario::new();
    let (first, polling) = world.polled();
    let polling = polling.unsent(world.now);
    world.now = polling.next_poll();
    let (second, _) = polling.poll(&world.client, world.now).expect("it is due");
    assert_eq!(form(&first), form(&second));
}

#[test]
fn a_refresh_that_never_left_is_undone() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let State::Authorized(kept) = refreshing.unsent(world.now) else {
        panic!("there is nothing to wait for")
    };
    let before = json(&kept);
    let why = refused(kept.refresh(&world.client, world.now), &before);
    assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(1))));
}

#[test]
fn a_refresh_that_never_left_is_not_undone_while_an_earlier_one_is_in_doubt() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing_in_doubt();
    let State::Refreshing(kept) = refreshing.unsent(world.now) else {
        panic!("the first attempt may have been served")
    };
    world.pass(2);
    let (_, kept) = kept.retry(&world.client, world.now).expect("it is due");
    let answer = refusal("invalid_grant");
    let (ended, _) = left_unauthorized!(kept.receive(&world.client, &answer, world.now));
    assert_eq!(*ended.reason(), Reason::AnswerLost);
}

#[test]
fn the_doubt_of_an_attempt_outlives_a_refusal_that_kept_the_tokens() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing_in_doubt();
    let answer = refusal("invalid_client");
    let (kept, _) = left_authorized!(refreshing.receive(&world.client, &answer, world.now));
    world.pass(2);
    let (_, refreshing) = kept.refresh(&world.client, world.now).expect("it is due");
    let answer = refusal("invalid_grant");
    let (ended, _) = left_unauthorized!(refreshing.receive(&world.client, &answer, world.now));
    assert_eq!(*ended.reason(), Reason::AnswerLost);
}

// Row: refresh, refresh_with, refresh_for

#[test]
fn every_refresh_leads_from_authorized_to_refreshing() {
    let mut world = Scenario::new();
    let (client, now) = (std::sync::Arc::clone(&world.client), world.now);
    let narrow = Refresh::default().scope("read");
    let (plain, _) = world.authorized().refresh(&client, now).expect("renewable");
    let (less, _) = world.authorized().refresh_with(&narrow, &client, now).expect("renewable");
    let (one, _) =
        world.authorized().refresh_for("https://api.example/", &client, now).expect("renewable");
    assert_eq!(form(&plain).len(), 2);
    assert_eq!(form(&less)["scope"], "read");
    assert_eq!(form(&one)["resource"], "https://api.example/");
}

#[test]
fn no_refresh_begins_where_nothing_can_be_asked_with_or_a_back_off_is_pending() {
    let mut world = Scenario::without_refresh_tokens();
    let client = std::sync::Arc::clone(&world.client);
    let narrow = Refresh::default().scope("read");
    let before = json(&world.authorized());
    let login = || serde_json::from_str::<Authorized>(&before).expect("a state");
    for refused_as in [
        refused(login().refresh(&client, world.now), &before),
        refused(login().refresh_with(&narrow, &client, world.now), &before),
        refused(login().refresh_for("https://api.example/", &client, world.now), &before),
    ] {
        assert_eq!(refused_as, Error::Misuse(Misuse::NotRenewable));
    }
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let failed = refreshing.receive(&world.client, &refusal("invalid_client"), world.now);
    let before = json(&left_authorized!(failed).0);
    let login = || serde_json::from_str::<Authorized>(&before).expect("a state");
    for refused_as in [
        refused(login().refresh(&client, world.now), &before),
        refused(login().refresh_with(&narrow, &client, world.now), &before),
        refused(login().refresh_for("https://api.example/", &client, world.now), &before),
    ] {
        assert_eq!(refused_as, Error::Misuse(Misuse::TooEarly(at(1))));
    }
}

// Row: step, token fresh

#[test]
fn a_step_asks_a_person_to_log_in_where_nothing_can_be_renewed() {
    let mut world = Scenario::new();
    let ended = world.unauthorized();
    let mut session = world.session(ended);
    let reason = Reason::Denied("invalid_grant".into());
    assert_eq!(look(&mut session, world.now), Seen::Login(reason));
}

#[test]
fn a_step_sends_where_a_program_can_log_in_by_itself() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    let (_, request) = sent(&mut session, world.now);
    assert_eq!(form(&request)["grant_type"], "client_credentials");
}

#[test]
fn a_step_waits_while_a_program_is_backing_off() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.service_awaiting();
    let answer = refusal("invalid_client");
    let (ended, _) = left_unauthorized!(awaiting.receive(&world.client, &answer, world.now));
    let mut session = world.session(ended);
    assert_eq!(look(&mut session, world.now), Seen::Wait(1));
    assert_eq!(look(&mut session, at(1)), Seen::Send);
}

#[test]
fn a_step_while_authorizing_waits_until_the_lease_is_over() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.service_awaiting();
    let mut session = world.session(awaiting);
    assert_eq!(look(&mut session, world.now), Seen::Wait(30));
    assert_eq!(look(&mut session, at(29)), Seen::Wait(1));
    assert_eq!(look(&mut session, at(30)), Seen::Send);
    assert_eq!(look(&mut session, at(30)), Seen::Wait(30));
}

#[test]
fn a_step_of_a_device_login_waits_or_sends_the_poll() {
    let mut world = Scenario::new();
    let polling = world.polling();
    let mut session = world.session(polling);
    assert_eq!(look(&mut session, world.now), Seen::Wait(5));
    world.pass(5);
    drop(sent(&mut session, world.now));
    assert_eq!(look(&mut session, world.now), Seen::Wait(30));
    world.pass(1800);
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::Deadline));
}

#[test]
fn a_step_for_a_resource_sends_from_authorized_and_waits_while_refreshing() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let resource = "https://api.example/";
    let Ok(Step::Send(_, request)) = session.step_for(resource, world.now) else {
        panic!("it is not held yet")
    };
    assert_eq!(form(&request)["resource"], resource);
    assert!(matches!(session.state(), State::Refreshing(_)));
    assert!(matches!(session.step_for(resource, world.now), Ok(Step::Wait(_))));
    assert!(matches!(session.step_for(resource, at(30)), Ok(Step::Send(..))));
}

#[test]
fn a_step_for_a_resource_is_as_any_step_where_no_tokens_are_held() {
    let mut world = Scenario::new();
    let resource = "https://api.example/";
    let ended = world.unauthorized();
    let mut session = world.session(ended);
    assert!(matches!(session.step_for(resource, world.now), Ok(Step::Login(_))));
    let service = world.service();
    let mut session = world.session(service);
    assert!(matches!(session.step_for(resource, world.now), Ok(Step::Send(..))));
    let polling = world.polling();
    let mut session = world.session(polling);
    assert!(matches!(session.step_for(resource, world.now), Ok(Step::Wait(_))));
}

#[test]
fn a_step_uses_a_fresh_token() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    for now in [0, 1, 1000, 3539] {
        assert_eq!(look(&mut session, at(now)), Seen::Use("access-3".into()));
    }
}

#[test]
fn a_step_uses_the_old_token_while_refreshing() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let mut session = world.session(refreshing);
    for now in [0, 29, 30, 3539] {
        assert_eq!(look(&mut session, at(now)), Seen::Use("access-3".into()));
    }
}

#[test]
fn a_step_does_not_use_a_rejected_token_while_refreshing() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let login = generation(&mut session, world.now);
    assert_eq!(session.challenged(login, &invalid_token(), at(30)), Challenged::Rejected);
    assert_eq!(look(&mut session, at(30)), Seen::Send);
    assert_eq!(look(&mut session, at(31)), Seen::Wait(29));
}

// Row: step, in the refresh window

#[test]
fn a_step_in_the_refresh_window_refreshes() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let (ticket, request) = sent(&mut session, at(3540));
    assert_eq!(refresh_token(&request), "refresh-2");
    assert_eq!(ticket.deadline(), at(3540 + 25));
    assert!(matches!(session.state(), State::Refreshing(_)));
}

#[test]
fn a_step_in_the_refresh_window_uses_the_token_while_a_back_off_is_pending() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let (ticket, _) = sent(&mut session, at(3540));
    session.lost(ticket, Lost::Unsent, at(3540));
    assert!(matches!(session.state(), State::Authorized(_)));
    assert_eq!(look(&mut session, at(3540)), Seen::Use("access-3".into()));
    assert_eq!(look(&mut session, at(3541)), Seen::Send);
}

#[test]
fn in_the_refresh_window_one_caller_sends_once_the_lease_is_over() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    assert_eq!(look(&mut session, at(3540)), Seen::Send);
    assert_eq!(look(&mut session, at(3569)), Seen::Use("access-3".into()));
    assert_eq!(look(&mut session, at(3570)), Seen::Send);
    assert_eq!(look(&mut session, at(3570)), Seen::Use("access-3".into()));
}

// Row: step, expired or rejected

#[test]
fn a_step_refreshes_an_expired_token() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let (_, request) = sent(&mut session, at(3600));
    assert_eq!(refresh_token(&request), "refresh-2");
}

#[test]
fn a_step_refreshes_a_rejected_token() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let login = generation(&mut session, world.now);
    session.challenged(login, &invalid_token(), at(30));
    assert_eq!(look(&mut session, at(30)), Seen::Send);
}

#[test]
fn a_step_waits_with_an_expired_token_while_a_back_off_is_pending() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    session.lost(ticket, Lost::Unsent, world.now);
    assert_eq!(look(&mut session, world.now), Seen::Wait(1));
    world.pass(1);
    assert_eq!(look(&mut session, world.now), Seen::Send);
}

#[test]
fn a_step_ends_the_login_of_an_expired_token_that_nothing_renews() {
    let mut world = Scenario::without_refresh_tokens();
    let mut session = world.driving();
    assert_eq!(look(&mut session, at(3599)), Seen::Use("access-2".into()));
    assert_eq!(look(&mut session, at(3600)), Seen::Login(Reason::TokenExpired));
    assert!(matches!(session.state(), State::Unauthorized(_)));
}

#[test]
fn a_step_waits_with_an_expired_token_while_refreshing() {
    let mut world = Scenario::new();
    let (mut session, _ticket, _) = world.driving_refresh();
    assert_eq!(look(&mut session, world.now), Seen::Wait(30));
    world.pass(30);
    assert_eq!(look(&mut session, world.now), Seen::Send);
    assert_eq!(look(&mut session, world.now), Seen::Wait(30));
}

// Row: challenged, the current generation

#[test]
fn a_challenge_to_a_login_that_is_over_asks_for_a_new_one() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    let generation = {
        let mut world = Scenario::new();
        let mut session = world.driving();
        generation(&mut session, world.now)
    };
    let answer = refusal("invalid_grant");
    session.receive(ticket, &answer, world.now).expect_err("the login ends");
    let before = json(session.state());
    session.challenged(generation, &invalid_token(), world.now);
    assert_eq!(json(session.state()), before);
    assert!(matches!(look(&mut session, world.now), Seen::Login(Reason::Denied(_))));
}

#[test]
fn a_challenge_marks_the_token_rejected_and_the_mark_is_stored() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let generation = generation(&mut session, world.now);
    assert_eq!(session.challenged(generation, &invalid_token(), at(30)), Challenged::Rejected);
    let State::Authorized(tokens) = reload(session.state()) else { panic!("still authorized") };
    assert_eq!(token(&tokens, at(30)), None);
}

#[test]
fn a_challenge_asks_a_person_where_nothing_renews_the_token_and_keeps_the_state() {
    let mut world = Scenario::without_refresh_tokens();
    let mut session = world.driving();
    let generation = generation(&mut session, world.now);
    assert_eq!(session.challenged(generation, &invalid_token(), at(30)), Challenged::Rejected);
    let before = json(session.state());
    assert_eq!(look(&mut session, at(30)), Seen::Login(Reason::TokenRejected));
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_challenge_while_refreshing_marks_the_token_rejected_and_waits() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let generation = generation(&mut session, world.now);
    assert_eq!(look(&mut session, at(3540)), Seen::Send);
    assert_eq!(session.challenged(generation, &invalid_token(), at(3541)), Challenged::Rejected);
    assert_eq!(look(&mut session, at(3541)), Seen::Wait(29));
}

// Row: challenged, an old generation, a young token, or not invalid_token

#[test]
fn a_challenge_that_concerns_no_held_token_changes_nothing() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let old = generation(&mut session, world.now);
    let (ticket, request) = sent(&mut session, at(3600));
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, at(3600)).expect("a good answer"));
    let current = generation(&mut session, at(3600));
    let before = json(session.state());
    let later = at(3700);
    let scope = challenge(r#"Bearer error="insufficient_scope""#);
    assert_eq!(session.challenged(old, &invalid_token(), later), Challenged::Superseded);
    assert_eq!(session.challenged(current, &invalid_token(), at(3629)), Challenged::TooYoung);
    assert_eq!(session.challenged(current, &scope, later), Challenged::Unrelated);
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_challenge_that_concerns_no_held_token_changes_nothing_while_refreshing() {
    let mut world = Scenario::living(20);
    let mut session = world.driving();
    let generation = generation(&mut session, world.now);
    assert_eq!(look(&mut session, at(15)), Seen::Send);
    let before = json(session.state());
    let scope = challenge(r#"Bearer error="insufficient_scope""#);
    assert_eq!(session.challenged(generation, &invalid_token(), at(16)), Challenged::TooYoung);
    assert_eq!(session.challenged(generation, &scope, at(40)), Challenged::Unrelated);
    assert_eq!(json(session.state()), before);
}

// Row: revoke, sign out

#[test]
fn signing_out_of_a_login_that_is_over_changes_nothing() {
    let mut world = Scenario::new();
    let ended = world.unauthorized();
    let before = json(&ended);
    let (ended, requests) =
        State::from(ended).sign_out(&world.client, world.now).expect("the same client");
    assert_eq!(json(&ended), before);
    assert!(requests.is_empty());
}

#[test]
fn signing_a_program_out_ends_its_renewal() {
    let mut world = Scenario::new();
    let ready = world.service();
    let (ended, requests) =
        State::from(ready).sign_out(&world.client, world.now).expect("the same client");
    assert_eq!(*ended.reason(), Reason::SignedOut);
    assert!(!ended.is_renewable() && requests.is_empty());
    assert_eq!(ended.requested_scope().as_str(), SCOPE);
}

#[test]
fn signing_out_while_a_login_is_beginning_ends_it() {
    let mut world = Scenario::new();
    let states: [State; 6] = [
        world.awaiting_callback().0.into(),
        world.awaiting_fragment().0.into(),
        world.awaiting_token().1.into(),
        world.service_awaiting().1.into(),
        world.polling().into(),
        world.polled().1.into(),
    ];
    for state in states {
        let (ended, requests) = state.sign_out(&world.client, world.now).expect("the same client");
        assert_eq!(*ended.reason(), Reason::SignedOut);
        assert!(!ended.is_renewable() && requests.is_empty());
    }
}

#[test]
fn signing_out_remembers_the_scope_that_a_beginning_login_asked_for() {
    let mut world = Scenario::new();
    let states: [State; 6] = [
        world.awaiting_callback().0.into(),
        world.awaiting_fragment().0.into(),
        world.awaiting_token().1.into(),
        world.service_awaiting().1.into(),
        world.polling().into(),
        world.polled().1.into(),
    ];
    for state in states {
        let (ended, _) = state.sign_out(&world.client, world.now).expect("the same client");
        assert_eq!(ended.requested_scope().as_str(), SCOPE);
    }
}

#[test]
fn signing_out_revokes_the_tokens_that_are_held() {
    let mut world = Scenario::new();
    let state = State::from(world.authorized());
    let (ended, requests) = state.sign_out(&world.client, world.now).expect("the same client");
    assert_eq!(*ended.reason(), Reason::SignedOut);
    assert_eq!(ended.requested_scope().as_str(), SCOPE);
    let [refresh, access] = &*requests else { panic!("two tokens are held") };
    assert_eq!(refresh.uri(), "https://as.example/revoke");
    assert_eq!(form(refresh)["token"], "refresh-2");
    assert_eq!(form(refresh)["token_type_hint"], "refresh_token");
    assert_eq!(form(access)["token"], "access-3");
    assert_eq!(form(access)["token_type_hint"], "access_token");
    assert!(world.server.honours("refresh-2", world.now));
    world.answer(refresh);
    assert!(!world.server.honours("refresh-2", world.now));
}

#[test]
fn signing_out_while_refreshing_revokes_the_old_tokens() {
    let mut world = Scenario::new();
    let state = State::from(world.refreshing().1);
    let (ended, requests) = state.sign_out(&world.client, world.now).expect("the same client");
    assert_eq!(*ended.reason(), Reason::SignedOut);
    assert_eq!(requests.len(), 2);
}

#[test]
fn signing_out_ends_every_state_without_a_revocation_endpoint_too() {
    let server =
        oauth2_proto::Server::new("https://as.example/authorize", "https://as.example/token")
            .expect("the endpoints are https");
    let mut world = Scenario::new();
    let client = oauth2_proto::Client::new(world.client.id(), server);
    let state = State::from(world.authorized());
    let (ended, requests) = state.sign_out(&client, world.now).expect("the same client");
    assert_eq!(*ended.reason(), Reason::SignedOut);
    assert!(requests.is_empty());
}

// The wrong client is refused everywhere, and nothing has changed

#[test]
fn another_client_is_refused_by_a_pending_login() {
    let mut world = Scenario::new();
    let (pending, callback) = world.awaiting_callback();
    let before = json(&pending);
    // Before anything else is looked at: the deadline has passed as well.
    let error = pending.accept(&stranger(), Callback::url(&callback), at(9999));
    assert_eq!(error.expect_err("another client"), Error::Misuse(Misuse::WrongClient));
    assert_eq!(json(&pending), before);
}

#[test]
fn another_client_is_refused_by_a_login_that_awaits_its_token() {
    let answer = reply(200, r#"{"access_token":"stolen","token_type":"Bearer"}"#);
    let before = json(&State::from(Scenario::new().service_awaiting().1));
    let (_, awaiting) = Scenario::new().service_awaiting();
    let why = refused(awaiting.receive(&stranger(), &answer, at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    let (_, awaiting) = Scenario::new().service_awaiting();
    let why = refused(awaiting.retry(&stranger(), at(99)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    let (_, awaiting) = Scenario::new().service_awaiting();
    let why = refused(State::from(awaiting).sign_out(&stranger(), at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
}

#[test]
fn another_client_is_refused_by_tokens() {
    let mut world = Scenario::new();
    let tokens = world.authorized();
    let before = json(&tokens);
    let mut request = http::Request::get("https://api.example/").body(()).expect("a request");
    let error = tokens.attach(&stranger(), &mut request, at(0));
    assert_eq!(error, Err(Error::Misuse(Misuse::WrongClient)));
    assert!(request.headers().is_empty());
    let why = refused(tokens.refresh(&stranger(), at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    let why =
        refused(State::from(world_again().authorized()).sign_out(&stranger(), at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
}

#[test]
fn another_client_is_refused_by_a_refresh() {
    let answer = reply(200, r#"{"access_token":"stolen","token_type":"Bearer"}"#);
    let before = json(&world_again().refreshing().1);
    let why = refused(world_again().refreshing().1.receive(&stranger(), &answer, at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    let why = refused(world_again().refreshing().1.retry(&stranger(), at(99)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    let why =
        refused(State::from(world_again().refreshing().1).sign_out(&stranger(), at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
}

#[test]
fn another_client_is_refused_by_a_login_on_a_device() {
    let before = json(&world_again().polled().1);
    let answer = reply(200, r#"{"access_token":"stolen","token_type":"Bearer"}"#);
    let received = world_again().polled().1.receive(&stranger(), &answer, at(5));
    assert_eq!(refused(received, &before), Error::Misuse(Misuse::WrongClient));
    let polled = world_again().polled().1.poll(&stranger(), at(99));
    assert_eq!(refused(polled, &before), Error::Misuse(Misuse::WrongClient));
    let ended = State::from(world_again().polled().1).sign_out(&stranger(), at(5));
    assert_eq!(refused(ended, &before), Error::Misuse(Misuse::WrongClient));
}

#[test]
fn another_client_is_refused_by_a_login_of_the_implicit_grant() {
    let (pending, callback) = world_again().awaiting_fragment();
    let before = json(&pending);
    let error = pending.accept(&stranger(), Callback::url(&callback), at(0));
    assert_eq!(error.expect_err("another client"), Error::Misuse(Misuse::WrongClient));
    assert_eq!(json(&pending), before);
    let ended = State::from(pending).sign_out(&stranger(), at(0));
    assert_eq!(refused(ended, &before), Error::Misuse(Misuse::WrongClient));
}

#[test]
fn another_client_is_refused_by_a_login_that_is_over() {
    let before = json(&world_again().service());
    let why = refused(world_again().service().renew(&stranger(), at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    let why = refused(State::from(world_again().service()).sign_out(&stranger(), at(0)), &before);
    assert_eq!(why, Error::Misuse(Misuse::WrongClient));
}

// Refusals of the machine itself

#[test]
fn tokens_that_nothing_renews_are_not_refreshed() {
    let mut world = Scenario::without_refresh_tokens();
    let tokens = world.authorized();
    assert_eq!(tokens.login_due_at(), Some(at(3600)));
    let before = json(&tokens);
    let why = refused(tokens.refresh(&world.client, world.now), &before);
    assert_eq!(why, Error::Misuse(Misuse::NotRenewable));
}

#[test]
fn a_login_that_takes_a_person_is_not_renewed() {
    let mut world = Scenario::new();
    let ended = world.unauthorized();
    let before = json(&ended);
    let why = refused(ended.renew(&world.client, world.now), &before);
    assert_eq!(why, Error::Misuse(Misuse::NotRenewable));
}

#[test]
fn an_attempt_on_its_way_keeps_the_next_one_off() {
    let before = json(&world_again().refreshing().1);
    let (_, refreshing) = world_again().refreshing();
    let why = refused(refreshing.retry(&world_again().client, at(29)), &before);
    assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(30))));
}

#[test]
fn a_code_whose_request_nobody_reported_is_not_sent_twice() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.awaiting_token();
    assert_eq!(due(awaiting, &world), at(30));
    let (_, awaiting) = world.awaiting_token();
    let (ended, why) = left_unauthorized!(awaiting.retry(&world.client, at(30)));
    assert!(matches!(why, Error::Unavailable(outage) if outage.cause() == Outage::Unanswered));
    assert_eq!(*ended.reason(), Reason::CodeSpent);
}

// Lease and deadline

#[test]
fn the_deadline_of_a_request_lies_a_sixth_of_the_lease_before_its_end() {
    for (lease, deadline) in [(30, 25), (12, 10), (6, 5), (3, 2), (0, 2)] {
        let world = Scenario::new();
        let client = (*world.client).clone().with_lease(Duration::from_secs(lease));
        let (_, awaiting) = client
            .client_credentials()
            .begin(&mut world_again().rng, at(0))
            .expect("a usable login");
        assert_eq!(awaiting.deadline(), at(deadline), "a lease of {lease} s");
    }
}

#[test]
fn the_lease_of_a_refresh_ends_before_the_window_where_the_lifetime_allows() {
    // Lifetime of the tokens, lease.
    for (lifetime, lease) in
        [(3600, 30), (124, 30), (120, 29), (60, 14), (44, 10), (20, 10), (2, 10), (0, 10)]
    {
        let mut world = Scenario::living(lifetime);
        let tokens = world.authorized();
        let (_, refreshing) = tokens.refresh(&world.client, at(5)).expect("renewable");
        assert_eq!(refreshing.retry_at(at(5)), at(5 + lease), "tokens of {lifetime} s");
    }
}

#[test]
fn a_retry_has_a_lease_of_its_own() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let (_, refreshing) = refreshing.retry(&world.client, at(40)).expect("the lease is over");
    assert_eq!(refreshing.deadline(), at(40 + 25));
    assert_eq!(refreshing.retry_at(at(41)), at(70));
}

// Back-off

#[test]
fn the_back_off_doubles_up_to_a_minute() {
    let mut world = Scenario::new();
    let (_, mut refreshing) = world.refreshing();
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let (kept, _) =
            left_refreshing!(refreshing.receive(&world.client, &reply(503, ""), world.now));
        assert_eq!(kept.retry_at(world.now), world.now.after(Duration::from_secs(wait)));
        let now = world.pass(wait);
        refreshing = kept.retry(&world.client, now).expect("it is due").1;
    }
}

#[test]
fn the_back_off_of_a_program_doubles_up_to_a_minute() {
    let mut world = Scenario::new();
    let (_, mut awaiting) = world.service_awaiting();
    for wait in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
        let (ended, _) = left_unauthorized!(awaiting.receive(
            &world.client,
            &refusal("invalid_client"),
            world.now
        ));
        let now = world.now.after(Duration::from_secs(wait));
        assert_eq!(ended.not_before(world.now), Some(now));
        world.pass(wait);
        awaiting = ended.renew(&world.client, now).expect("it is due").1;
    }
}

#[test]
fn the_back_off_never_overflows_however_often_an_attempt_fails() {
    let mut world = Scenario::new();
    let (_, mut refreshing) = world.refreshing();
    for _ in 0..100 {
        let State::Refreshing(kept) = State::from(refreshing.unanswered(world.now)) else {
            panic!("in doubt")
        };
        world.pass(60);
        refreshing = kept.retry(&world.client, world.now).expect("it is due").1;
    }
    let kept = refreshing.unanswered(world.now);
    assert_eq!(kept.retry_at(world.now), world.now.after(Duration::from_secs(60)));
}

#[test]
fn a_success_resets_the_back_off() {
    let mut world = Scenario::new();
    let (request, refreshing) = world.refreshing_in_doubt();
    let answer = world.answer(&request);
    let tokens = refreshing.receive(&world.client, &answer, world.now).expect("a good answer");
    let (_, refreshing) = tokens.refresh(&world.client, world.now).expect("renewable");
    let State::Authorized(_) = refreshing.unsent(world.now) else { panic!("nothing is in doubt") };
}

#[test]
fn retry_after_is_respected_up_to_an_hour() {
    let waits = [("120", 120), ("3600", 3600), ("86400", 3600), ("18446744073709551615", 3600)];
    for (header, wait) in waits {
        for status in [503, 429] {
            let mut world = Scenario::new();
            let (_, refreshing) = world.refreshing();
            let answer = busy(status, header);
            let (kept, why) =
                left_refreshing!(refreshing.receive(&world.client, &answer, world.now));
            assert_eq!(kept.retry_at(world.now), at(wait), "{header}");
            assert!(is_unavailable(&why));
        }
    }
}

#[test]
fn a_retry_after_that_is_shorter_than_the_back_off_does_not_shorten_it() {
    for header in ["0", "-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", ""] {
        let mut world = Scenario::new();
        let (_, refreshing) = world.refreshing();
        let answer = busy(503, header);
        let (kept, _) = left_refreshing!(refreshing.receive(&world.client, &answer, world.now));
        assert_eq!(kept.retry_at(world.now), at(1), "{header:?}");
    }
}

// What a refresh keeps and what it does not

#[test]
fn a_refresh_answer_without_expires_in_does_not_keep_the_old_expiry() {
    let mut world = Scenario::new();
    let tokens = renewed(&mut world, r#"{"access_token":"new","token_type":"Bearer"}"#, 0);
    assert_eq!(tokens.expires_at(), None);
    assert_eq!(tokens.refresh_at(), None);
    assert_eq!(token(&tokens, at(1_000_000)), Some("new"));
}

#[test]
fn a_refresh_answer_without_refresh_token_keeps_the_old_one() {
    let mut world = Scenario::new();
    let tokens = renewed(&mut world, r#"{"access_token":"new","token_type":"Bearer"}"#, 0);
    let (request, _) = tokens.refresh(&world.client, world.now).expect("renewable");
    assert_eq!(refresh_token(&request), "refresh-2");
}

#[test]
fn a_refresh_answer_with_a_refresh_token_replaces_the_old_one() {
    let mut world = Scenario::new();
    let body = r#"{"access_token":"new","token_type":"Bearer","refresh_token":"next"}"#;
    let tokens = renewed(&mut world, body, 0);
    assert!(!json(&tokens).contains("refresh-2"));
    let (request, _) = tokens.refresh(&world.client, world.now).expect("renewable");
    assert_eq!(refresh_token(&request), "next");
}

#[test]
fn a_refresh_answer_without_scope_or_id_token_keeps_the_old_ones() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.awaiting_token();
    let body = r#"{"access_token":"first","token_type":"Bearer","refresh_token":"r","scope":"read","id_token":"a.b.c"}"#;
    let tokens = awaiting.receive(&world.client, &reply(200, body), world.now).expect("good");
    let (_, refreshing) = tokens.refresh(&world.client, world.now).expect("renewable");
    let body = r#"{"access_token":"new","token_type":"Bearer"}"#;
    let tokens = refreshing.receive(&world.client, &reply(200, body), world.now).expect("good");
    assert_eq!(tokens.scope().as_str(), "read");
    assert_eq!(tokens.missing_scope().as_str(), "write");
    assert_eq!(tokens.id_token().map(oauth2_proto::Secret::expose), Some("a.b.c"));
}

#[test]
fn a_narrowed_scope_is_data_and_no_error() {
    let mut world = Scenario::new();
    let body = r#"{"access_token":"new","token_type":"Bearer","scope":"admin read"}"#;
    let tokens = renewed(&mut world, body, 0);
    assert_eq!(tokens.scope().as_str(), "admin read");
    assert_eq!(tokens.missing_scope().as_str(), "write");
    assert_eq!(tokens.additional_scope().as_str(), "admin");
}

#[test]
fn a_first_answer_without_scope_has_granted_what_was_asked_for() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.awaiting_token();
    let body = r#"{"access_token":"first","token_type":"Bearer"}"#;
    let tokens = awaiting.receive(&world.client, &reply(200, body), world.now).expect("good");
    assert_eq!(tokens.scope().as_str(), SCOPE);
}

#[test]
fn a_program_repeats_its_grant_and_keeps_no_refresh_token() {
    let mut world = Scenario::new();
    let (_, awaiting) = world.service_awaiting();
    // RFC 6749 §4.4.3: a refresh token SHOULD NOT be included.
    let body = r#"{"access_token":"first","token_type":"Bearer","refresh_token":"odd"}"#;
    let tokens = awaiting.receive(&world.client, &reply(200, body), world.now).expect("good");
    let (request, refreshing) = tokens.refresh(&world.client, world.now).expect("renewable");
    assert_eq!(form(&request)["grant_type"], "client_credentials");
    assert_eq!(form(&request)["scope"], SCOPE);
    let tokens = refreshing.receive(&world.client, &reply(200, body), world.now).expect("good");
    let (request, _) = tokens.refresh(&world.client, world.now).expect("renewable");
    assert_eq!(form(&request)["grant_type"], "client_credentials");
}

#[test]
fn every_answer_makes_a_generation_of_its_own() {
    let mut world = Scenario::new();
    let (request, refreshing) = world.refreshing();
    let old = refreshing.token(world.now).expect("good").generation();
    let answer = world.answer(&request);
    let tokens = refreshing.receive(&world.client, &answer, world.now).expect("a good answer");
    let new = tokens.token(world.now).expect("good").generation();
    assert_eq!((old.number(), new.number()), (1, 2));
    assert_eq!((old.login(), new.login()), (tokens.login(), tokens.login()));
}

#[test]
fn a_rejected_mark_survives_a_failed_refresh() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let generation = generation(&mut session, world.now);
    session.challenged(generation, &invalid_token(), at(30));
    let (ticket, _) = sent(&mut session, at(30));
    session.lost(ticket, Lost::Unsent, at(30));
    assert!(matches!(session.state(), State::Authorized(_)));
    assert_eq!(look(&mut session, at(30)), Seen::Wait(1));
    let (ticket, _) = sent(&mut session, at(31));
    session.receive(ticket, &refusal("invalid_client"), at(31)).expect_err("a refusal");
    assert!(matches!(session.state(), State::Authorized(_)));
    assert_eq!(look(&mut session, at(31)), Seen::Wait(2));
}

#[test]
fn a_token_is_attached_while_it_is_good() {
    let mut world = Scenario::new();
    let tokens = world.authorized();
    let mut request = http::Request::get("https://api.example/").body(()).expect("a request");
    tokens.attach(&world.client, &mut request, at(0)).expect("it is good");
    assert_eq!(request.headers()["authorization"], "Bearer access-3");
    let late = tokens.attach(&world.client, &mut request, at(3600));
    assert_eq!(late, Err(Error::Expired(Expired::Token)));
}

// When to refresh

#[test]
fn the_refresh_window_is_a_minute_or_a_quarter_of_the_lifetime() {
    for (lifetime, refresh_at) in [(3600, 3540), (240, 180), (200, 150), (60, 45), (4, 3), (2, 2)] {
        let tokens = Scenario::living(lifetime).authorized();
        assert_eq!(tokens.refresh_at(), Some(at(refresh_at)), "tokens of {lifetime} s");
        assert_eq!(tokens.expires_at(), Some(at(lifetime)));
    }
}

#[test]
fn the_refresh_window_is_the_hosts_choice_up_to_a_quarter_of_the_lifetime() {
    for (window, refresh_at) in [(0, 3600), (300, 3300), (9999, 2700)] {
        let mut world = Scenario::new();
        let client = (*world.client).clone().with_refresh_window(Duration::from_secs(window));
        let (_, refreshing) = world.refreshing();
        let body = r#"{"access_token":"new","token_type":"Bearer","expires_in":3600}"#;
        let tokens = refreshing.receive(&client, &reply(200, body), at(0)).expect("good");
        assert_eq!(tokens.refresh_at(), Some(at(refresh_at)));
    }
}

#[test]
fn tokens_of_two_seconds_do_not_cause_a_refresh_per_call() {
    let mut world = Scenario::living(2);
    let mut session = world.driving();
    for second in 0..60 {
        let mut sends = 0;
        // Ten calls in each second.
        for _ in 0..10 {
            if let Step::Send(ticket, request) = session.step(at(second)) {
                sends += 1;
                let answer = world.answer(&request);
                drop(session.receive(ticket, &answer, at(second)).expect("a good answer"));
            }
        }
        assert_eq!(sends, u64::from(second > 0 && second % 2 == 0), "second {second}");
    }
}

#[test]
fn a_token_born_inside_its_window_is_not_refreshed_before_half_its_life() {
    let mut world = Scenario::new();
    let body = r#"{"access_token":"new","token_type":"Bearer","expires_in":3600}"#;
    let tokens = renewed(&mut world, body, 3560);
    // 40 seconds are left when it is born.
    assert_eq!(tokens.expires_at(), Some(at(3600)));
    assert_eq!(tokens.refresh_at(), Some(at(3580)));
}

#[test]
fn expiry_counts_from_sending() {
    let mut world = Scenario::new();
    let (request, awaiting) = world.awaiting_token();
    world.pass(20);
    let answer = world.answer(&request);
    let tokens = awaiting.receive(&world.client, &answer, world.now).expect("a good answer");
    assert_eq!(tokens.expires_at(), Some(at(3600)));
    assert_eq!(token(&tokens, at(3599)), Some("access-3"));
    assert_eq!(token(&tokens, at(3600)), None);
}

#[test]
fn a_clock_that_goes_backwards_means_refresh_soon() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let before = Timestamp::from_unix_seconds(START - 1_000_000);
    assert_eq!(look(&mut session, before), Seen::Send);
    assert_eq!(look(&mut session, before), Seen::Use("access-3".into()));
}

#[test]
fn a_back_off_is_not_waited_for_when_the_clock_was_set_back() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    session.lost(ticket, Lost::Unanswered, world.now);
    let before = Timestamp::from_unix_seconds(START - 1_000_000);
    assert_eq!(look(&mut session, before), Seen::Send);
}

#[test]
fn tokens_that_are_dead_on_arrival_back_off() {
    let mut world = Scenario::living(0);
    let tokens = world.authorized();
    assert_eq!(token(&tokens, world.now), None);
    let mut session = world.session(tokens);
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(look(&mut session, world.now), Seen::Wait(wait));
        world.pass(wait);
        let (ticket, request) = sent(&mut session, world.now);
        let answer = world.answer(&request);
        drop(session.receive(ticket, &answer, world.now).expect("a good answer"));
    }
}

#[test]
fn a_programs_tokens_that_are_dead_on_arrival_back_off() {
    let mut world = Scenario::living(0);
    let ready = world.service();
    let mut session = world.session(ready);
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        let (ticket, request) = sent(&mut session, world.now);
        let answer = world.answer(&request);
        drop(session.receive(ticket, &answer, world.now).expect("a good answer"));
        assert_eq!(look(&mut session, world.now), Seen::Wait(wait));
        world.pass(wait);
    }
}

#[test]
fn an_answer_that_took_longer_than_its_tokens_live_is_dead_on_arrival() {
    let mut world = Scenario::new();
    let body = r#"{"access_token":"new","token_type":"Bearer","expires_in":5}"#;
    let tokens = renewed(&mut world, body, 5);
    assert_eq!(token(&tokens, world.now), None);
    let before = json(&tokens);
    let why = refused(tokens.refresh(&world.client, world.now), &before);
    assert_eq!(why, Error::Misuse(Misuse::TooEarly(at(6))));
}

// The server of this test world is what it claims to be

#[test]
fn the_server_of_the_tests_refuses_another_verifier_and_a_second_use() {
    let mut world = Scenario::new();
    let (request, _) = world.awaiting_token();
    let (stolen, _) = world.awaiting_token();
    let mut forged = form(&request);
    forged.insert("code".into(), form(&stolen)["code"].clone());
    let body = serde_urlencoded::to_string(&forged).expect("a form");
    let (parts, _) = stolen.into_parts();
    let refusal = world.answer(&http::Request::from_parts(parts, body.into()));
    assert_eq!(refusal.status(), 400);
    assert_eq!(world.answer(&request).status(), 200);
    assert_eq!(world.answer(&request).status(), 400);
}

#[test]
fn the_server_of_the_tests_takes_a_second_use_of_a_refresh_token_for_theft() {
    let mut world = Scenario::new();
    let (request, _) = world.refreshing();
    assert_eq!(world.answer(&request).status(), 200);
    assert!(world.server.honours("refresh-4", world.now));
    assert_eq!(world.answer(&request).status(), 400);
    assert_eq!(world.server.reuses, 1);
    assert!(!world.server.honours("refresh-4", world.now));
    assert!(!world.server.accepts("access-5"));
}

/// Which generation of tokens is in use.
fn generation(session: &mut Session, now: Timestamp) -> oauth2_proto::Generation {
    let Step::Use(token) = session.step(now) else { panic!("there is a token") };
    token.generation()
}

/// The same world once more: a state of it is equal to the first one's, byte for byte.
fn world_again() -> Scenario {
    Scenario::new()
}
