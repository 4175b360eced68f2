//! A session in place: tickets and their outcomes, challenges, signing out, clocks that jump and
//! programs that crash.
#![expect(clippy::panic, reason = "helpers of tests fail loudly")]

mod scenario;

use std::sync::Arc;

use oauth2_proto::{
    Authorized, Challenged, Error, Failed, Generation, Lost, Misuse, Outage, Reason, Received,
    Refreshing, Session, State, Step, Timestamp,
};
use scenario::{
    START, Scenario, Seen, at, challenge, form, invalid_token, json, look, refresh_token, refusal,
    refused, reload, reply, sent, stranger,
};

const LATE: &str = r#"{"access_token":"late","token_type":"Bearer","expires_in":3600,"refresh_token":"late-refresh"}"#;

fn generation(session: &mut Session, now: Timestamp) -> Generation {
    let Step::Use(token) = session.step(now) else { panic!("there is a token") };
    token.generation()
}

/// The session as a restarted program has it.
fn restarted(world: &Scenario, session: &Session) -> Session {
    world.session(reload(session.state()))
}

fn revoked(received: Result<Received, Error>) -> Vec<String> {
    let Ok(Received::Late(requests)) = received else { panic!("{received:?}, not late") };
    requests.iter().map(|request| form(request).remove("token").unwrap_or_default()).collect()
}

// What a session takes over

#[test]
fn a_session_refuses_a_login_that_a_browser_has_yet_to_finish() {
    let mut world = Scenario::new();
    let pending = world.awaiting_callback().0;
    let before = json(&pending);
    let why = refused(Session::new(Arc::clone(&world.client), pending), &before);
    assert_eq!(why, Error::Misuse(Misuse::UnfinishedLogin));
}

#[test]
fn a_session_refuses_a_code_on_its_way() {
    let mut world = Scenario::new();
    let before = json(&State::from(Scenario::new().awaiting_token().1));
    let (_, awaiting) = world.awaiting_token();
    let why = refused(Session::new(Arc::clone(&world.client), awaiting), &before);
    assert_eq!(why, Error::Misuse(Misuse::UnfinishedLogin));
}

#[test]
fn a_session_refuses_the_login_of_another_client() {
    let mut world = Scenario::new();
    let states: [State; 5] = [
        world.service().into(),
        world.service_awaiting().1.into(),
        world.authorized().into(),
        world.refreshing().1.into(),
        world.awaiting_callback().0.into(),
    ];
    for state in states {
        let before = json(&state);
        let why = refused(Session::new(Arc::new(stranger()), state), &before);
        assert_eq!(why, Error::Misuse(Misuse::WrongClient));
    }
}

#[test]
fn a_session_takes_over_every_login_that_needs_no_browser() {
    let mut world = Scenario::new();
    let states: [State; 7] = [
        world.unauthorized().into(),
        world.service().into(),
        world.service_awaiting().1.into(),
        world.authorized().into(),
        world.service_authorized().into(),
        world.refreshing().1.into(),
        world.service_refreshing().1.into(),
    ];
    for state in states {
        let before = json(&state);
        let session = world.session(state);
        assert_eq!(json(session.state()), before);
        assert_eq!(json(&session.into_state()), before);
    }
}

// Tickets

#[test]
fn after_a_dropped_ticket_one_caller_sends_once_the_lease_is_over() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    drop(ticket);
    world.pass(29);
    assert_eq!(look(&mut session, world.now), Seen::Wait(1));
    world.pass(1);
    let (_, request) = sent(&mut session, world.now);
    assert_eq!(refresh_token(&request), "refresh-2");
    assert_eq!(look(&mut session, world.now), Seen::Wait(30));
}

#[test]
fn after_a_dropped_ticket_of_a_program_one_caller_sends_once_the_lease_is_over() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    assert_eq!(look(&mut session, world.now), Seen::Send);
    world.pass(29);
    assert_eq!(look(&mut session, world.now), Seen::Wait(1));
    world.pass(1);
    assert_eq!(look(&mut session, world.now), Seen::Send);
}

#[test]
fn a_late_success_wins_over_the_attempt_that_followed_it() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    let sent_at = world.now;
    world.pass(30);
    let (ticket, _) = sent(&mut session, world.now);
    let received = session.receive(late, &reply(200, LATE), world.now);
    assert!(matches!(received, Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("late".into()));
    let State::Authorized(tokens) = session.state() else { panic!("there are new tokens") };
    assert_eq!(tokens.expires_at().map(|at| at.since(sent_at).as_secs()), Some(3600));
    // The second attempt then shows a refresh token that has been replaced.
    let before = json(session.state());
    assert!(session.receive(ticket, &refusal("invalid_grant"), world.now).is_ok());
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_late_success_wins_over_an_attempt_that_was_undone() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    world.pass(30);
    let (ticket, _) = sent(&mut session, world.now);
    session.lost(ticket, Lost::Unsent, world.now);
    assert!(matches!(session.state(), State::Refreshing(_)), "the first attempt is in doubt");
    assert!(matches!(session.receive(late, &reply(200, LATE), world.now), Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("late".into()));
}

#[test]
fn a_late_success_wins_over_a_login_given_up_because_its_answer_was_lost() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    world.pass(30);
    let (ticket, _) = sent(&mut session, world.now);
    session.receive(ticket, &refusal("invalid_grant"), world.now).expect_err("a refusal");
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::AnswerLost));
    assert!(matches!(session.receive(late, &reply(200, LATE), world.now), Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("late".into()));
    let State::Authorized(tokens) = session.into_state() else { panic!("there are new tokens") };
    assert_eq!(tokens.scope().as_str(), scenario::SCOPE);
    let (request, _) = tokens.refresh(&world.client, world.now).expect("renewable");
    assert_eq!(refresh_token(&request), "late-refresh");
}

#[test]
fn a_late_success_wins_over_a_login_given_up_as_unexplained() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    world.pass(30);
    for wait in [1, 2, 4] {
        let (ticket, _) = sent(&mut session, world.now);
        session.receive(ticket, &reply(200, "<html>"), world.now).expect_err("nobody can read it");
        world.pass(wait);
    }
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::Unexplained));
    assert!(matches!(session.receive(late, &reply(200, LATE), world.now), Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("late".into()));
}

#[test]
fn a_late_success_of_a_program_wins_whatever_was_refused_meanwhile() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    let (late, _) = sent(&mut session, world.now);
    world.pass(30);
    let (ticket, _) = sent(&mut session, world.now);
    session.receive(ticket, &refusal("invalid_client"), world.now).expect_err("a refusal");
    assert!(matches!(session.state(), State::Unauthorized(_)));
    assert!(matches!(session.receive(late, &reply(200, LATE), world.now), Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("late".into()));
}

#[test]
fn a_late_success_of_a_program_wins_over_the_attempt_that_followed_it() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    let (late, _) = sent(&mut session, world.now);
    world.pass(30);
    assert_eq!(look(&mut session, world.now), Seen::Send);
    assert!(matches!(session.receive(late, &reply(200, LATE), world.now), Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("late".into()));
}

#[test]
fn a_late_success_after_signing_out_is_revoked() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    let _ = session.sign_out(at(0));
    let before = json(session.state());
    let tokens = revoked(session.receive(late, &reply(200, LATE), world.now));
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_late_success_after_a_program_has_signed_out_is_revoked() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    let (late, request) = sent(&mut session, world.now);
    let _ = session.sign_out(at(0));
    let answer = world.answer(&request);
    let tokens = revoked(session.receive(late, &answer, world.now));
    assert_eq!(tokens, ["access-1"]);
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::SignedOut));
}

#[test]
fn a_late_success_after_signing_out_of_a_doubtful_end_is_revoked() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    world.pass(30);
    let (ticket, _) = sent(&mut session, world.now);
    session.receive(ticket, &refusal("invalid_grant"), world.now).expect_err("a refusal");
    let _ = session.sign_out(at(0));
    let tokens = revoked(session.receive(late, &reply(200, LATE), world.now));
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert!(matches!(look(&mut session, world.now), Seen::Login(_)));
}

#[test]
fn a_late_success_for_another_login_is_revoked() {
    let mut world = Scenario::new();
    let (_, late, _) = world.driving_refresh();
    let mut session = world.driving();
    let before = json(session.state());
    let tokens = revoked(session.receive(late, &reply(200, LATE), world.now));
    assert_eq!(tokens, ["late-refresh", "late"]);
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_late_success_never_replaces_newer_tokens() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    world.pass(30);
    let (ticket, request) = sent(&mut session, world.now);
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, world.now).expect("a good answer"));
    let before = json(session.state());
    assert!(revoked(session.receive(late, &reply(200, LATE), world.now)).is_empty());
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_late_failure_is_ignored() {
    let failures = [
        refusal("invalid_grant"),
        refusal("invalid_client"),
        reply(503, ""),
        reply(200, "<html>"),
        reply(302, ""),
    ];
    for failure in failures {
        let mut world = Scenario::new();
        let (mut session, late, _) = world.driving_refresh();
        world.pass(30);
        let (ticket, request) = sent(&mut session, world.now);
        let before = json(session.state());
        assert!(revoked(session.receive(late, &failure, world.now)).is_empty());
        assert_eq!(json(session.state()), before);
        let answer = world.answer(&request);
        assert!(matches!(session.receive(ticket, &answer, world.now), Ok(Received::Applied)));
    }
}

#[test]
fn a_late_loss_is_ignored() {
    for how in [Lost::Unsent, Lost::Unanswered] {
        let mut world = Scenario::new();
        let (mut session, late, _) = world.driving_refresh();
        world.pass(30);
        let (_ticket, _) = sent(&mut session, world.now);
        let before = json(session.state());
        session.lost(late, how, world.now);
        assert_eq!(json(session.state()), before);
    }
}

#[test]
fn an_outcome_after_the_login_moved_on_is_ignored() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    let _ = session.sign_out(at(0));
    let before = json(session.state());
    session.lost(late, Lost::Unanswered, world.now);
    assert_eq!(json(session.state()), before);
}

#[test]
fn a_ticket_survives_a_restart_of_the_session_that_gave_it() {
    let mut world = Scenario::new();
    let (session, ticket, request) = world.driving_refresh();
    let mut session = restarted(&world, &session);
    let answer = world.answer(&request);
    assert!(matches!(session.receive(ticket, &answer, world.now), Ok(Received::Applied)));
    assert_eq!(look(&mut session, world.now), Seen::Use("access-5".into()));
}

#[test]
fn the_deadline_of_a_ticket_lies_before_the_end_of_the_lease() {
    let mut world = Scenario::new();
    let (session, ticket, _) = world.driving_refresh();
    let State::Refreshing(refreshing) = session.state() else { panic!("it has sent") };
    assert_eq!(ticket.deadline(), refreshing.deadline());
    assert!(ticket.deadline() < refreshing.retry_at(world.now));
}

#[test]
fn a_lost_answer_is_retried_and_then_the_refusal_is_an_answer_lost() {
    let mut world = Scenario::new();
    let (mut session, ticket, request) = world.driving_refresh();
    // The server acts, its answer is lost.
    world.answer(&request);
    session.lost(ticket, Lost::Unanswered, world.now);
    assert_eq!(look(&mut session, world.now), Seen::Wait(1));
    world.pass(1);
    let (ticket, request) = sent(&mut session, world.now);
    let answer = world.answer(&request);
    let error = session.receive(ticket, &answer, world.now).expect_err("it was a second use");
    assert!(error.needs_login());
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::AnswerLost));
}

#[test]
fn a_lost_answer_does_no_harm_within_the_servers_grace_period() {
    let mut world = Scenario::new();
    world.server.grace = 30;
    let (mut session, ticket, request) = world.driving_refresh();
    world.answer(&request);
    session.lost(ticket, Lost::Unanswered, world.now);
    world.pass(1);
    let (ticket, request) = sent(&mut session, world.now);
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, world.now).expect("the server is patient"));
    assert!(matches!(look(&mut session, world.now), Seen::Use(_)));
}

#[test]
fn a_request_that_never_left_is_sent_again_without_any_doubt() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    session.lost(ticket, Lost::Unsent, world.now);
    world.pass(1);
    let (ticket, _) = sent(&mut session, world.now);
    session.receive(ticket, &refusal("invalid_grant"), world.now).expect_err("a refusal");
    let reason = Reason::Denied("invalid_grant".into());
    assert_eq!(look(&mut session, world.now), Seen::Login(reason));
}

#[test]
fn an_error_of_a_receive_is_the_machines_own() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    let error = session
        .receive(ticket, &scenario::busy(503, "7"), world.now)
        .expect_err("the server is busy");
    let Error::Unavailable(outage) = &error else { panic!("{error:?}") };
    assert!(matches!(outage.cause(), Outage::Status(status) if status == 503));
    assert_eq!(outage.retry_after().map(|wait| wait.as_secs()), Some(7));
    assert_eq!(look(&mut session, world.now), Seen::Wait(7));
}

#[test]
fn a_program_recovers_by_itself_from_whatever_the_server_answers() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    let answers = [
        refusal("invalid_client"),
        reply(503, ""),
        reply(200, "<html>"),
        reply(200, "<html>"),
        reply(200, "<html>"),
        refusal("invalid_scope"),
    ];
    for answer in answers {
        let (ticket, _) = sent(&mut session, world.now);
        session.receive(ticket, &answer, world.now).expect_err("no tokens yet");
        let Seen::Wait(seconds) = look(&mut session, world.now) else { panic!("it backs off") };
        world.pass(seconds);
    }
    let (ticket, request) = sent(&mut session, world.now);
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, world.now).expect("a good answer"));
    assert_eq!(look(&mut session, world.now), Seen::Use("access-1".into()));
}

#[test]
fn no_login_of_a_person_ends_while_the_server_is_down() {
    let mut world = Scenario::new();
    let (mut session, mut ticket, _) = world.driving_refresh();
    for _ in 0..50 {
        session.receive(ticket, &reply(503, ""), world.now).expect_err("it is down");
        let Seen::Wait(seconds) = look(&mut session, world.now) else { panic!("it backs off") };
        world.pass(seconds);
        let (next, request) = sent(&mut session, world.now);
        assert_eq!(refresh_token(&request), "refresh-2");
        ticket = next;
    }
}

// Challenges

#[test]
fn a_challenge_rejects_the_current_token() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    assert_eq!(session.challenged(current, &invalid_token(), at(30)), Challenged::Rejected);
    let (ticket, request) = sent(&mut session, at(30));
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, at(30)).expect("a good answer"));
    assert_eq!(look(&mut session, at(30)), Seen::Use("access-5".into()));
}

#[test]
fn a_challenge_to_a_token_that_was_replaced_says_so() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let old = generation(&mut session, at(0));
    let (ticket, request) = sent(&mut session, at(3600));
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, at(3600)).expect("a good answer"));
    assert_eq!(session.challenged(old, &invalid_token(), at(3700)), Challenged::Superseded);
    assert_eq!(look(&mut session, at(3700)), Seen::Use("access-5".into()));
}

#[test]
fn a_challenge_to_another_login_says_so() {
    let mut world = Scenario::new();
    let mut other = world.driving();
    let mut session = world.driving();
    let others = generation(&mut other, at(0));
    assert_eq!(session.challenged(others, &invalid_token(), at(99)), Challenged::Superseded);
    assert!(matches!(look(&mut session, at(99)), Seen::Use(_)));
}

#[test]
fn a_challenge_to_a_token_younger_than_thirty_seconds_is_the_callers() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    for second in [0, 1, 29] {
        let challenged = session.challenged(current, &invalid_token(), at(second));
        assert_eq!(challenged, Challenged::TooYoung);
        assert_eq!(look(&mut session, at(second)), Seen::Use("access-3".into()));
    }
    assert_eq!(session.challenged(current, &invalid_token(), at(30)), Challenged::Rejected);
}

#[test]
fn a_challenge_that_does_not_say_invalid_token_is_the_callers() {
    let headers = [
        r#"Bearer error="insufficient_scope""#,
        r#"Bearer error="invalid_request""#,
        "Bearer",
        r#"Basic realm="x""#,
        r#"DPoP error="invalid_token""#,
    ];
    let mut world = Scenario::new();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    for header in headers {
        let challenged = session.challenged(current, &challenge(header), at(99));
        assert_eq!(challenged, Challenged::Unrelated, "{header}");
    }
    assert!(matches!(look(&mut session, at(99)), Seen::Use(_)));
}

#[test]
fn a_second_challenge_to_a_rejected_token_changes_nothing() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    session.challenged(current, &invalid_token(), at(30));
    let before = json(session.state());
    for second in [10, 30, 31] {
        let challenged = session.challenged(current, &invalid_token(), at(second));
        assert_eq!(challenged, Challenged::Rejected);
        assert_eq!(json(session.state()), before);
    }
    assert_eq!(look(&mut session, at(31)), Seen::Send);
    let challenged = session.challenged(current, &invalid_token(), at(31));
    assert_eq!(challenged, Challenged::Rejected);
    assert_eq!(look(&mut session, at(31)), Seen::Wait(30));
}

#[test]
fn a_challenge_to_a_token_that_nothing_renews_keeps_the_state() {
    let mut world = Scenario::without_refresh_tokens();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    session.challenged(current, &invalid_token(), at(30));
    let before = json(session.state());
    assert_eq!(look(&mut session, at(31)), Seen::Login(Reason::TokenRejected));
    assert_eq!(json(session.state()), before);
    assert!(matches!(session.state(), State::Authorized(_)));
    let mut session = restarted(&world, &session);
    assert_eq!(look(&mut session, at(31)), Seen::Login(Reason::TokenRejected));
}

#[test]
fn a_challenge_to_a_token_from_the_future_is_heard() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    let before = Timestamp::from_unix_seconds(START - 1000);
    assert_eq!(session.challenged(current, &invalid_token(), before), Challenged::Rejected);
}

#[test]
fn a_resource_that_rejects_every_token_does_not_cause_a_refresh_per_call() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let mut refreshes = 0;
    for second in 0..300 {
        match session.step(at(second)) {
            Step::Use(token) => {
                let generation = token.generation();
                session.challenged(generation, &invalid_token(), at(second));
            }
            Step::Send(ticket, request) => {
                refreshes += 1;
                let answer = world.answer(&request);
                drop(session.receive(ticket, &answer, at(second)).expect("a good answer"));
            }
            Step::Wait(_) | Step::Login(_) => panic!("there is always something to do"),
        }
    }
    assert!(refreshes <= 10, "{refreshes} refreshes in five minutes");
}

// Refreshing on demand

#[test]
fn a_forced_refresh_sends_although_the_token_is_good() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    session.refresh_now().expect("renewable");
    let (ticket, request) = sent(&mut session, at(1));
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, at(1)).expect("a good answer"));
    assert_eq!(look(&mut session, at(1)), Seen::Use("access-5".into()));
}

#[test]
fn a_forced_refresh_happens_once() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    session.refresh_now().expect("renewable");
    session.refresh_now().expect("renewable");
    assert_eq!(look(&mut session, at(1)), Seen::Send);
    assert_eq!(look(&mut session, at(1)), Seen::Use("access-3".into()));
}

#[test]
fn a_forced_refresh_is_content_with_the_one_that_is_on_its_way() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    session.refresh_now().expect("renewable");
    let (ticket, request) = sent(&mut session, at(1));
    session.refresh_now().expect("renewable");
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, at(1)).expect("a good answer"));
    assert_eq!(look(&mut session, at(1)), Seen::Use("access-5".into()));
}

#[test]
fn a_forced_refresh_of_a_program_is_content_with_its_first_token() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    let (ticket, request) = sent(&mut session, at(0));
    session.refresh_now().expect("renewable");
    let answer = world.answer(&request);
    drop(session.receive(ticket, &answer, at(0)).expect("a good answer"));
    assert_eq!(look(&mut session, at(0)), Seen::Use("access-1".into()));
}

#[test]
fn a_forced_refresh_waits_for_the_back_off() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    session.refresh_now().expect("renewable");
    let (ticket, _) = sent(&mut session, at(1));
    session.lost(ticket, Lost::Unsent, at(1));
    session.refresh_now().expect("renewable");
    assert_eq!(look(&mut session, at(1)), Seen::Use("access-3".into()));
    assert_eq!(look(&mut session, at(2)), Seen::Send);
}

#[test]
fn a_forced_refresh_retries_an_attempt_that_was_lost() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    session.refresh_now().expect("renewable");
    let (ticket, _) = sent(&mut session, at(1));
    session.lost(ticket, Lost::Unanswered, at(1));
    session.refresh_now().expect("renewable");
    assert_eq!(look(&mut session, at(1)), Seen::Use("access-3".into()));
    assert_eq!(look(&mut session, at(2)), Seen::Send);
}

#[test]
fn a_forced_refresh_is_refused_where_nothing_renews_the_login() {
    let mut world = Scenario::without_refresh_tokens();
    let mut session = world.driving();
    assert_eq!(session.refresh_now(), Err(Error::Misuse(Misuse::NotRenewable)));
    assert_eq!(look(&mut session, at(1)), Seen::Use("access-2".into()));
    let ended = Scenario::new().unauthorized();
    let mut session = world.session(ended);
    assert_eq!(session.refresh_now(), Err(Error::Misuse(Misuse::NotRenewable)));
}

#[test]
fn signing_out_forgets_a_forced_refresh() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    session.refresh_now().expect("renewable");
    let _ = session.sign_out(at(0));
    assert_eq!(look(&mut session, at(1)), Seen::Login(Reason::SignedOut));
}

// Signing out

#[test]
fn signing_out_revokes_the_refresh_token_first() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let requests = session.sign_out(at(0));
    let [refresh, access] = &*requests else { panic!("two tokens are held") };
    assert_eq!((refresh.method(), access.method()), (&http::Method::POST, &http::Method::POST));
    assert_eq!(refresh.uri(), "https://as.example/revoke");
    assert_eq!(refresh.body().as_ref(), b"token=refresh-2&token_type_hint=refresh_token");
    assert_eq!(access.body().as_ref(), b"token=access-3&token_type_hint=access_token");
    assert_eq!(refresh.headers()["authorization"], "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert!(refresh.headers()["authorization"].is_sensitive());
    assert_eq!(look(&mut session, at(1)), Seen::Login(Reason::SignedOut));
    assert!(!json(session.state()).contains("refresh-2"), "nothing secret is kept");
    world.answer(refresh);
    assert!(!world.server.accepts("access-3"));
}

#[test]
fn signing_a_program_out_revokes_its_access_token() {
    let mut world = Scenario::new();
    let tokens = world.service_authorized();
    let mut session = world.session(tokens);
    let requests = session.sign_out(at(0));
    assert_eq!(requests.len(), 1);
    assert_eq!(form(&requests[0])["token"], "access-1");
    assert_eq!(look(&mut session, at(1)), Seen::Login(Reason::SignedOut));
}

#[test]
fn signing_out_twice_revokes_once() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    assert_eq!(session.sign_out(at(0)).len(), 2);
    assert!(session.sign_out(at(0)).is_empty());
}

#[test]
fn signing_out_survives_a_restart() {
    let mut world = Scenario::new();
    let (mut session, late, _) = world.driving_refresh();
    assert_eq!(session.sign_out(at(0)).len(), 2);
    let mut session = restarted(&world, &session);
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::SignedOut));
    assert_eq!(revoked(session.receive(late, &reply(200, LATE), world.now)).len(), 2);
}

// Clocks that jump, programs that crash

#[test]
fn a_refreshing_state_that_a_crash_left_keeps_its_lease() {
    let mut world = Scenario::new();
    let (session, _, _) = world.driving_refresh();
    let mut session = restarted(&world, &session);
    world.pass(10);
    assert_eq!(look(&mut session, world.now), Seen::Wait(20));
    world.pass(20);
    let (ticket, request) = sent(&mut session, world.now);
    assert_eq!(refresh_token(&request), "refresh-2");
    session.receive(ticket, &refusal("invalid_grant"), world.now).expect_err("a refusal");
    assert_eq!(look(&mut session, world.now), Seen::Login(Reason::AnswerLost));
}

#[test]
fn a_refreshing_state_that_a_crash_left_is_tried_at_once_when_its_lease_is_long_over() {
    let mut world = Scenario::new();
    let (session, _, request) = world.driving_refresh();
    world.pass(86_400);
    let mut session = restarted(&world, &session);
    let (ticket, again) = sent(&mut session, world.now);
    assert_eq!(again.body().as_ref(), request.body().as_ref());
    let answer = world.answer(&again);
    drop(session.receive(ticket, &answer, world.now).expect("the first request never arrived"));
    assert_eq!(look(&mut session, world.now), Seen::Use("access-5".into()));
}

#[test]
fn a_crash_before_sending_leaves_the_old_token_in_use() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    assert_eq!(look(&mut session, at(3540)), Seen::Send);
    let mut session = restarted(&world, &session);
    assert_eq!(look(&mut session, at(3541)), Seen::Use("access-3".into()));
    assert_eq!(look(&mut session, at(3570)), Seen::Send);
}

#[test]
fn a_clock_set_back_while_refreshing_delays_the_next_attempt_by_one_lease() {
    let mut world = Scenario::new();
    let (mut session, _ticket, _) = world.driving_refresh();
    let earlier = Timestamp::from_unix_seconds(START - 1_000_000);
    // The old token is good again by this clock, and its lease is counted from now.
    assert_eq!(look(&mut session, earlier), Seen::Use("access-3".into()));
    let later = Timestamp::from_unix_seconds(START - 1_000_000 + 29);
    assert_eq!(look(&mut session, later), Seen::Use("access-3".into()));
    let over = Timestamp::from_unix_seconds(START - 1_000_000 + 30);
    assert_eq!(look(&mut session, over), Seen::Send);
}

#[test]
fn a_clock_set_back_while_a_program_waits_delays_the_next_attempt_by_one_lease() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    assert_eq!(look(&mut session, at(0)), Seen::Send);
    let earlier = Timestamp::from_unix_seconds(START - 1_000_000);
    assert_eq!(look(&mut session, earlier), Seen::Wait(30));
    let mut session = restarted(&world, &session);
    assert_eq!(look(&mut session, earlier), Seen::Wait(30));
    let over = Timestamp::from_unix_seconds(START - 1_000_000 + 30);
    assert_eq!(look(&mut session, over), Seen::Send);
}

#[test]
fn a_clock_that_goes_back_again_and_again_does_not_delay_the_next_attempt_forever() {
    let mut world = Scenario::new();
    let ready = world.service();
    let mut session = world.session(ready);
    assert_eq!(look(&mut session, at(0)), Seen::Send);
    let far = START - 1_000_000;
    let mut sends = 0;
    // Two seconds on, one second back.
    for step in 0..100 {
        for now in [far + step, far + step + 1] {
            let now = Timestamp::from_unix_seconds(now);
            sends += u32::from(look(&mut session, now) == Seen::Send);
        }
    }
    assert!(sends >= 2, "{sends} attempts in a hundred seconds");
}

#[test]
fn a_clock_set_forward_ends_the_lease_and_a_late_success_still_wins() {
    let mut world = Scenario::new();
    let (mut session, late, request) = world.driving_refresh();
    world.pass(1_000_000);
    assert_eq!(look(&mut session, world.now), Seen::Send);
    let answer = world.answer(&request);
    assert!(matches!(session.receive(late, &answer, world.now), Ok(Received::Applied)));
    // It was sent a million seconds ago, by this clock, so it is dead on arrival.
    assert_eq!(look(&mut session, world.now), Seen::Wait(1));
}

#[test]
fn a_clock_set_back_does_not_stretch_a_back_off() {
    let mut world = Scenario::new();
    let (mut session, ticket, _) = world.driving_refresh();
    session.receive(ticket, &scenario::busy(503, "3600"), world.now).expect_err("it is busy");
    let earlier = Timestamp::from_unix_seconds(START - 1_000_000);
    assert_eq!(look(&mut session, earlier), Seen::Send);
}

#[test]
fn by_hand_a_stored_lease_in_the_future_is_ended_by_saying_that_no_answer_came() {
    let mut world = Scenario::new();
    let (_, refreshing) = world.refreshing();
    let refreshing: Refreshing =
        serde_json::from_str(&json(&refreshing)).expect("what was stored can be loaded");
    let earlier = Timestamp::from_unix_seconds(START - 1_000_000);
    let refreshing = refreshing.unanswered(earlier);
    assert_eq!(refreshing.retry_at(earlier).since(earlier).as_secs(), 1);
}

#[test]
fn a_step_may_be_taken_by_any_caller_at_any_moment() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let mut sends = 0;
    for _ in 0..1000 {
        sends += u32::from(look(&mut session, at(4000)) == Seen::Send);
    }
    assert_eq!(sends, 1);
}

#[test]
fn a_rejected_token_is_asked_for_again_once_by_a_thousand_callers() {
    let mut world = Scenario::new();
    let mut session = world.driving();
    let current = generation(&mut session, at(0));
    let mut sends = 0;
    for _ in 0..1000 {
        let challenged = session.challenged(current, &invalid_token(), at(99));
        assert_eq!(challenged, Challenged::Rejected);
        sends += u32::from(look(&mut session, at(99)) == Seen::Send);
    }
    assert_eq!(sends, 1);
}

#[test]
fn a_state_taken_out_of_a_session_goes_on_by_hand() {
    let mut world = Scenario::new();
    let (session, _ticket, request) = world.driving_refresh();
    let State::Refreshing(refreshing) = session.into_state() else { panic!("it has sent") };
    let answer = world.answer(&request);
    let tokens: Result<Authorized, Failed> = refreshing.receive(&world.client, &answer, world.now);
    assert_eq!(tokens.expect("a good answer").login_due_at(), None);
}
