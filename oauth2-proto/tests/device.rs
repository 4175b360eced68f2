//! A login on a device without a browser (RFC 8628): what is asked, what is read, and above all how
//! often. By hand and in a session.
#![expect(clippy::expect_used, clippy::panic, reason = "helpers of tests fail loudly")]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use std::sync::Arc;

use http::{Request, Response};
use oauth2_proto::{
    Authorized, Body, Client, Error, Expired, Failed, Lost, Misuse, Outage, Polled, Polling,
    Problem, Reason, Received, Server, Session, State, Step, Ticket, Timestamp, Unauthorized,
};
use serde_json::{Value, json};
use support::{NOW, TOKENS, after, answer, body, client, form, other_client, rng};

/// The example of RFC 8628 §3.2, byte for byte.
const ANSWER: &str = r#"{
        "device_code": "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS",
        "user_code": "WDJB-MJHT",
        "verification_uri": "https://example.com/device",
        "verification_uri_complete":
            "https://example.com/device?user_code=WDJB-MJHT",
        "expires_in": 1800,
        "interval": 5
      }"#;
const DEVICE_CODE: &str = "GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS";

/// The example with another member, or without it where it is `null` in `change`'s place.
fn changed(name: &str, value: Option<Value>) -> String {
    let mut members: Value = serde_json::from_str(ANSWER).expect("an example");
    let object = members.as_object_mut().expect("an object");
    match value {
        Some(value) => drop(object.insert(name.into(), value)),
        None => drop(object.remove(name)),
    }
    members.to_string()
}

fn read(body: &str) -> Result<Polling, Error> {
    let client = client();
    let (_, awaiting) = client.device_authorization().scope("read").begin(&mut rng(), NOW)?;
    awaiting.receive(&client, &answer(200, body), NOW)
}

fn polling() -> Polling {
    read(ANSWER).expect("an example")
}

/// What an answer is refused for.
fn problem(body: &str) -> Problem {
    match read(body) {
        Err(Error::Malformed(malformed)) => malformed.problem().clone(),
        other => panic!("{other:?}, not malformed"),
    }
}

fn json(state: &State) -> String {
    serde_json::to_string(state).expect("a state can be stored")
}

fn reload(polling: Polling) -> Polling {
    let stored = json(&polling.into());
    serde_json::from_str(&stored).expect("what was stored can be loaded")
}

fn pending() -> Response<Vec<u8>> {
    answer(400, r#"{"error":"authorization_pending"}"#)
}

fn slow_down() -> Response<Vec<u8>> {
    answer(400, r#"{"error":"slow_down"}"#)
}

/// A poll at its moment, and the answer to it that much later.
fn polled(polling: Polling, response: &Response<Vec<u8>>, seconds: u64) -> Result<Polled, Failed> {
    let client = client();
    let due = polling.next_poll();
    let (_, asked) = polling.poll(&client, due).expect("it is due");
    asked.receive(&client, response, later(due, seconds))
}

fn later(moment: Timestamp, seconds: u64) -> Timestamp {
    moment.after(core::time::Duration::from_secs(seconds))
}

fn still(polled: Result<Polled, Failed>) -> Polling {
    match polled {
        Ok(Polled::Pending(polling)) => polling,
        Ok(Polled::Authorized(_)) => panic!("nobody has decided"),
        Err(failed) => kept(failed).0,
    }
}

fn kept(failed: Failed) -> (Polling, Error) {
    let Failed { error, state, .. } = failed;
    let State::Authorizing(oauth2_proto::Authorizing::Polling(polling)) = *state else {
        panic!("{state:?}, not polling, after {error:?}")
    };
    (polling, error)
}

fn ended(polled: Result<Polled, Failed>) -> (Unauthorized, Error) {
    let Failed { error, state, .. } = polled.expect_err("this login is over");
    let State::Unauthorized(ended) = *state else { panic!("{state:?}, not over, after {error:?}") };
    (ended, error)
}

/// Seconds between now and the next poll.
fn pause(polling: &Polling, now: Timestamp) -> u64 {
    polling.next_poll().since(now).as_secs()
}

// The request for the codes

#[test]
fn the_request_of_rfc_8628_section_3_1() {
    let server = Server::token_only("https://server.example.com/token")
        .and_then(|it| {
            it.with_device_authorization("https://server.example.com/device_authorization")
        })
        .expect("https");
    let client = Client::new("1406020730", server);
    let request = client.device_authorization().scope("example_scope");
    let (request, _) = request.begin(&mut rng(), NOW).expect("a usable login");
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://server.example.com/device_authorization");
    // The order of parameters means nothing; the example has these two the other way round.
    assert_eq!(body(&request), "scope=example_scope&client_id=1406020730");
}

#[test]
fn a_device_asks_for_no_scope_where_none_was_given() {
    let client = client();
    let (request, _) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    assert_eq!(body(&request), "client_id=s6BhdRkqt3");
}

#[test]
fn a_confidential_device_authenticates_for_its_codes_as_for_its_tokens() {
    // RFC 8628 §3.1: the client authentication requirements of RFC 6749 §3.2.1 apply.
    let client = client().with_secret("gX1fBat3bV");
    let (request, _) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let basic = request.headers().get("authorization").expect("a header");
    assert_eq!(basic, "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert_eq!(body(&request), "");
}

#[test]
fn resources_and_parameters_go_to_the_device_authorization_endpoint() {
    let client = client();
    let request = client.device_authorization().resource("https://a.example/").param("a", "b c");
    let (request, _) = request.begin(&mut rng(), NOW).expect("a usable login");
    assert_eq!(body(&request), "resource=https%3A%2F%2Fa.example%2F&a=b+c&client_id=s6BhdRkqt3");
}

#[test]
fn parameters_of_the_protocol_are_refused() {
    let client = client();
    for name in ["scope", "client_id", "client_secret", "grant_type", "resource"] {
        let request = client.device_authorization().param(name, "x");
        let error = request.begin(&mut rng(), NOW).expect_err("it is the protocol's own");
        assert_eq!(error, Error::Misuse(Misuse::Parameter(name.into())));
    }
}

#[test]
fn without_a_device_authorization_endpoint_there_is_no_device_login() {
    let client = Client::new("id", Server::token_only("https://as.example/t").expect("https"));
    let error = client.device_authorization().begin(&mut rng(), NOW).expect_err("no endpoint");
    assert_eq!(error, Error::Misuse(Misuse::NoEndpoint("device authorization endpoint")));
}

// The codes

#[test]
fn the_answer_of_rfc_8628_section_3_2() {
    let polling = polling();
    assert_eq!(polling.user_code(), "WDJB-MJHT");
    assert_eq!(polling.verification_uri(), "https://example.com/device");
    assert_eq!(
        polling.verification_uri_complete(),
        Some("https://example.com/device?user_code=WDJB-MJHT")
    );
    assert_eq!((polling.next_poll(), polling.expires_at()), (after(5), after(1800)));
}

#[test]
fn the_lifetime_of_the_codes_counts_from_the_request_and_the_interval_from_the_answer() {
    let client = client();
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let polling = awaiting.receive(&client, &answer(200, ANSWER), after(20)).expect("an example");
    assert_eq!((polling.next_poll(), polling.expires_at()), (after(25), after(1800)));
}

#[test]
fn without_an_interval_it_is_five_seconds() {
    // RFC 8628 §3.2: if no value is provided, clients MUST use 5 as the default.
    for body in [changed("interval", None), changed("interval", Some(Value::Null))] {
        assert_eq!(read(&body).expect("optional").next_poll(), after(5));
    }
}

#[test]
fn an_interval_may_be_any_spelling_of_a_number_of_seconds() {
    for (interval, seconds) in
        [(json!("7"), 7), (json!(7.0), 7), (json!(0), 1), (json!(1), 1), (json!(u64::MAX), 3600)]
    {
        let polling = read(&changed("interval", Some(interval.clone()))).expect("a number");
        assert_eq!(polling.next_poll(), after(seconds), "{interval}");
    }
    for interval in [json!(-1), json!("soon"), json!(""), json!(0.5), json!([5]), json!(true)] {
        let problem = problem(&changed("interval", Some(interval.clone())));
        assert_eq!(problem, Problem::Member("interval"), "{interval}");
    }
}

#[test]
fn a_lifetime_is_required() {
    for missing in [None, Some(Value::Null)] {
        assert_eq!(problem(&changed("expires_in", missing)), Problem::MemberMissing("expires_in"));
    }
    assert_eq!(problem(&changed("expires_in", Some(json!(-1)))), Problem::Member("expires_in"));
    let polling = read(&changed("expires_in", Some(json!("1800")))).expect("a number");
    assert_eq!(polling.expires_at(), after(1800));
}

#[test]
fn a_lifetime_beyond_all_time_does_not_overflow() {
    let client = client();
    let end = Timestamp::from_unix_seconds(u64::MAX);
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), end).expect("a login");
    let body = changed("expires_in", Some(json!(u64::MAX)));
    let polling = awaiting.receive(&client, &answer(200, body), end).expect("a number");
    assert_eq!((polling.next_poll(), polling.expires_at()), (end, end));
    assert!(polling.poll(&client, end).is_err());
}

#[test]
fn the_codes_and_the_page_are_required() {
    for name in ["device_code", "user_code", "verification_uri"] {
        for missing in [None, Some(Value::Null), Some(json!(""))] {
            assert_eq!(problem(&changed(name, missing)), Problem::MemberMissing(name));
        }
        assert_eq!(problem(&changed(name, Some(json!(1)))), Problem::Members);
    }
    let twice = ANSWER.replace("\"interval\"", "\"user_code\": \"A\", \"interval\"");
    assert_eq!(problem(&twice), Problem::Members);
}

#[test]
fn googles_verification_url_is_read_too_and_the_name_of_the_rfc_wins() {
    let url = ANSWER.replace("\"verification_uri\"", "\"verification_url\"");
    assert_eq!(read(&url).expect("Google's").verification_uri(), "https://example.com/device");
    let both = changed("verification_url", Some(json!("https://other.example/")));
    assert_eq!(read(&both).expect("both").verification_uri(), "https://example.com/device");
    let empty = both.replace(r#""https://example.com/device""#, r#""""#);
    assert_eq!(read(&empty).expect("one").verification_uri(), "https://other.example/");
}

#[test]
fn the_complete_page_is_optional() {
    for absent in [None, Some(Value::Null), Some(json!(""))] {
        let polling = read(&changed("verification_uri_complete", absent)).expect("optional");
        assert_eq!(polling.verification_uri_complete(), None);
    }
}

#[test]
fn a_page_that_is_no_web_page_is_refused() {
    for uri in ["javascript:alert(1)", "file:///etc/passwd", "example.com", "https://a\u{202e}b/"] {
        for name in ["verification_uri", "verification_uri_complete"] {
            assert_eq!(problem(&changed(name, Some(json!(uri)))), Problem::Member(name), "{uri}");
        }
    }
}

#[test]
fn a_user_code_of_which_something_would_be_lost_on_a_screen_is_refused() {
    for code in ["WDJB\u{1b}[2J", "WD\u{202e}JB", "WDJB\n", &"W".repeat(513)] {
        assert_eq!(problem(&changed("user_code", Some(json!(code)))), Problem::Member("user_code"));
    }
}

#[test]
fn a_refusal_of_the_codes_is_a_denial_whatever_its_status() {
    let client = client();
    let refused = r#"{"error":"unauthorized_client","error_description":"not this one"}"#;
    for status in [200, 400, 401] {
        let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
        let error = awaiting.receive(&client, &answer(status, refused), NOW).expect_err("refused");
        let Error::Denied(denied) = error else { panic!("{error:?}, not denied") };
        assert_eq!(denied.error(), "unauthorized_client");
        assert_eq!(denied.description(), Some("not this one"));
    }
}

#[test]
fn trouble_with_the_codes_names_the_endpoint() {
    let client = client();
    for (response, message) in [
        (
            answer(503, ""),
            "the device authorization endpoint is unavailable for now (503 Service Unavailable); try again",
        ),
        (
            answer(404, ""),
            "the device authorization endpoint answered 404 Not Found without an OAuth error that explains it; see the diagnostics of this error",
        ),
        (
            answer(200, "<html>"),
            "the device authorization endpoint's answer is not a JSON object; see the diagnostics of this error",
        ),
        (
            answer(200, "{}"),
            "the device authorization endpoint's answer lacks the member device_code",
        ),
    ] {
        let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
        let error = awaiting.receive(&client, &response, NOW).expect_err("no codes");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn codes_are_read_by_their_own_client() {
    let client = client();
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let error = awaiting.receive(&other_client(), &answer(200, ANSWER), NOW).expect_err("another");
    assert_eq!(error, Error::Misuse(Misuse::WrongClient));
}

// The poll

#[test]
fn the_request_of_rfc_8628_section_3_4() {
    let server = Server::token_only("https://server.example.com/token")
        .and_then(|it| {
            it.with_device_authorization("https://server.example.com/device_authorization")
        })
        .expect("https");
    let client = Client::new("1406020730", server);
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("a login");
    let polling = awaiting.receive(&client, &answer(200, ANSWER), NOW).expect("an example");
    let (request, _) = polling.poll(&client, after(5)).expect("it is due");
    assert_eq!(request.uri(), "https://server.example.com/token");
    assert_eq!(
        body(&request),
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Adevice_code\
         &device_code=GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS\
         &client_id=1406020730"
    );
}

#[test]
fn nobody_polls_before_the_interval_is_over() {
    // RFC 8628 §3.5: the client MUST wait between polling requests.
    let client = client();
    let polling = polling();
    let before = json(&polling.into());
    let polling: Polling = serde_json::from_str(&before).expect("a state");
    let failed = polling.poll(&client, after(4)).expect_err("it is too early");
    assert_eq!(failed.error, Error::Misuse(Misuse::TooEarly(after(5))));
    assert_eq!(json(&failed.state), before);
}

#[test]
fn another_client_does_not_poll() {
    let polling = polling();
    let before = json(&State::from(reload(polling)));
    let polling: Polling = serde_json::from_str(&before).expect("a state");
    let failed = polling.poll(&other_client(), after(5)).expect_err("another client");
    assert_eq!(failed.error, Error::Misuse(Misuse::WrongClient));
    assert_eq!(json(&failed.state), before);
    let polling: Polling = serde_json::from_str(&before).expect("a state");
    let (_, asked) = polling.poll(&client(), after(5)).expect("it is due");
    let before = json(&asked.into());
    let asked: Polling = serde_json::from_str(&before).expect("a state");
    let failed = asked.receive(&other_client(), &pending(), after(5)).expect_err("another client");
    assert_eq!(json(&failed.state), before);
}

#[test]
fn while_nobody_has_decided_the_next_poll_comes_after_the_interval() {
    let polling = still(polled(polling(), &pending(), 2));
    assert_eq!(polling.next_poll(), after(5 + 2 + 5));
    let polling = still(polled(polling, &pending(), 0));
    assert_eq!(polling.next_poll(), after(12 + 5));
}

#[test]
fn slow_down_adds_five_seconds_for_this_and_all_subsequent_polls() {
    // RFC 8628 §3.5: the interval MUST be increased by 5 seconds for this and all subsequent
    // requests.
    let polling = still(polled(polling(), &slow_down(), 0));
    assert_eq!(pause(&polling, after(5)), 10);
    let polling = still(polled(reload(polling), &pending(), 0));
    assert_eq!(pause(&polling, after(15)), 10);
    let polling = still(polled(polling, &slow_down(), 0));
    assert_eq!(pause(&polling, after(25)), 15);
}

#[test]
fn a_server_that_always_says_slow_down_cannot_make_a_state_that_does_not_load() {
    let body = changed("interval", Some(json!(3600))).replace("1800", "2000000000");
    let mut polling = read(&body).expect("codes that live long");
    for _ in 0..1000 {
        let due = polling.next_poll();
        let (_, asked) = reload(polling).poll(&client(), due).expect("it is due");
        polling = still(asked.receive(&client(), &slow_down(), due));
    }
    assert_eq!(pause(&polling, polling.next_poll()), 0);
}

#[test]
fn the_person_agrees() {
    let Ok(Polled::Authorized(tokens)) = polled(polling(), &answer(200, TOKENS), 3) else {
        panic!("tokens")
    };
    assert_eq!(tokens.token(after(8)).map(|it| it.expose()), Some("2YotnFZFEjr1zCsicMWpAA"));
    // RFC 6749 §5.1: an answer without scope has granted what was asked for.
    assert_eq!(tokens.scope().as_str(), "read");
    // It counts from the moment of sending.
    assert_eq!(tokens.expires_at(), Some(after(5 + 3600)));
    assert!(tokens.is_renewable());
}

#[test]
fn every_refusal_ends_the_login() {
    // RFC 8628 §3.5: access_denied, expired_token; the errors of RFC 6749 §5.2.
    for error in ["access_denied", "expired_token", "invalid_grant", "invalid_client"] {
        let refusal = answer(400, format!(r#"{{"error":"{error}"}}"#));
        let (ended, why) = ended(polled(polling(), &refusal, 0));
        assert_eq!(*ended.reason(), Reason::Denied(error.into()));
        assert_eq!(ended.requested_scope().as_str(), "read");
        assert!(matches!(why, Error::Denied(denied) if denied.error() == error));
    }
}

#[test]
fn a_refusal_that_repeats_the_device_code_is_told_without_it() {
    let echo = format!(r#"{{"error":"invalid_grant","error_description":"no {DEVICE_CODE}"}}"#);
    let (_, why) = ended(polled(polling(), &answer(400, echo), 0));
    assert!(!format!("{why} {why:?}").contains(DEVICE_CODE));
}

#[test]
fn the_login_ends_when_the_codes_expire() {
    let client = client();
    let failed = polling().poll(&client, after(1800)).expect_err("they have expired");
    assert_eq!(failed.error, Error::Expired(Expired::Login(Reason::Deadline)));
    assert!(failed.needs_login());
    assert!(polling().poll(&client, after(1799)).is_ok());
}

#[test]
fn an_answer_that_arrives_after_the_codes_have_expired_counts() {
    let (_, asked) = polling().poll(&client(), after(1799)).expect("it is due");
    assert!(matches!(
        asked.receive(&client(), &answer(200, TOKENS), after(1810)),
        Ok(Polled::Authorized(_))
    ));
}

// Trouble

#[test]
fn a_time_out_doubles_the_pause_until_a_poll_is_answered() {
    // RFC 8628 §3.5: on encountering a connection timeout, clients MUST unilaterally reduce their
    // polling frequency before retrying.
    let mut polling = polling();
    for expected in [10, 20, 40, 60, 60, 60] {
        let due = polling.next_poll();
        polling = polling.poll(&client(), due).expect("it is due").1.unanswered(due);
        assert_eq!(pause(&polling, due), expected);
    }
    let polling = still(polled(polling, &pending(), 0));
    let due = polling.next_poll();
    let polling = polling.poll(&client(), due).expect("it is due").1.unanswered(due);
    assert_eq!(pause(&polling, due), 10);
}

#[test]
fn a_time_out_reduces_the_frequency_however_long_the_interval_is() {
    let mut polling = read(&changed("interval", Some(json!(100)))).expect("a number");
    for _ in 0..100 {
        let due = polling.next_poll();
        if due >= polling.expires_at() {
            break;
        }
        polling = polling.poll(&client(), due).expect("it is due").1.unanswered(due);
        assert_eq!(pause(&polling, due), 200);
    }
}

#[test]
fn after_a_hundred_time_outs_the_pause_is_still_the_longest() {
    for interval in [1, 5, 8] {
        let body = changed("interval", Some(json!(interval))).replace("1800", "1000000");
        let mut polling = read(&body).expect("codes that live long");
        let mut longest = 0;
        for _ in 0..100 {
            let due = polling.next_poll();
            polling = polling.poll(&client(), due).expect("it is due").1.unanswered(due);
            assert!(pause(&polling, due) >= longest, "it polls faster again");
            longest = pause(&polling, due);
        }
        assert_eq!(longest, 60);
    }
}

#[test]
fn an_outage_backs_off_and_the_login_goes_on() {
    for status in [408, 429, 500, 503] {
        let failed = polled(polling(), &answer(status, ""), 0).expect_err("an outage");
        assert!(failed.is_retryable());
        let (polling, error) = kept(failed);
        assert!(matches!(error, Error::Unavailable(_)));
        assert_eq!(pause(&polling, after(5)), 10);
    }
}

#[test]
fn a_server_says_when_to_come_back_but_not_sooner_than_the_pause() {
    for (seconds, expected) in [("30", 30), ("3", 10), ("100000", 3600)] {
        let mut response = answer(503, "");
        response.headers_mut().insert("retry-after", seconds.parse().expect("a value"));
        let polling = still(polled(polling(), &response, 0));
        assert_eq!(pause(&polling, after(5)), expected);
    }
    for (seconds, expected) in [("30", 30), ("3", 5)] {
        let mut response = pending();
        response.headers_mut().insert("retry-after", seconds.parse().expect("a value"));
        assert_eq!(pause(&still(polled(polling(), &response, 0)), after(5)), expected);
    }
}

#[test]
fn three_answers_that_nobody_can_read_end_the_login() {
    let portal = answer(200, "<html>Sign in to this network</html>");
    let polling = still(polled(polling(), &portal, 0));
    let polling = still(polled(reload(polling), &portal, 0));
    let (ended, _) = ended(polled(reload(polling), &portal, 0));
    assert_eq!(*ended.reason(), Reason::Unexplained);
}

#[test]
fn an_answer_that_can_be_read_forgives_those_before_it() {
    let portal = answer(302, "");
    let mut polling = polling();
    for _ in 0..4 {
        polling = still(polled(polling, &portal, 0));
        polling = still(polled(polling, &portal, 0));
        polling = still(polled(polling, &pending(), 0));
    }
}

#[test]
fn a_poll_that_never_left_is_repeated_after_the_interval() {
    let (_, asked) = polling().poll(&client(), after(5)).expect("it is due");
    let polling = asked.unsent(after(6));
    assert_eq!(polling.next_poll(), after(11));
}

#[test]
fn a_device_code_that_is_spent_when_an_answer_was_lost_is_an_answer_lost() {
    let refusal = answer(400, r#"{"error":"invalid_grant"}"#);
    let (_, asked) = polling().poll(&client(), after(5)).expect("it is due");
    let polling = reload(asked.unanswered(after(30)));
    let (ended_in_doubt, _) = ended(polled(polling, &refusal, 0));
    assert_eq!(*ended_in_doubt.reason(), Reason::AnswerLost);
    // What was answered is in no doubt any more.
    let (_, asked) = polling_asked(5);
    let polling = still(polled(asked.unanswered(after(30)), &pending(), 0));
    let (ended, _) = ended(polled(polling, &refusal, 0));
    assert_eq!(*ended.reason(), Reason::Denied("invalid_grant".into()));
}

fn polling_asked(at: u64) -> (Request<Body>, Polling) {
    polling().poll(&client(), after(at)).expect("it is due")
}

// A request of which nobody has heard

#[test]
fn while_a_poll_may_be_on_its_way_there_is_no_other_one() {
    let (_, asked) = polling_asked(5);
    assert_eq!(asked.deadline(), after(30));
    let asked = reload(asked);
    assert_eq!(asked.next_poll(), after(35));
    let failed = asked.poll(&client(), after(34)).expect_err("its lease is not over");
    assert_eq!(failed.error, Error::Misuse(Misuse::TooEarly(after(35))));
    assert!(kept(failed).0.poll(&client(), after(35)).is_ok());
}

#[test]
fn a_poll_of_which_nobody_has_heard_is_not_followed_faster_than_the_interval_allows() {
    // The lease is over after 30 seconds, the interval is longer.
    let polling = read(&changed("interval", Some(json!(100)))).expect("a number");
    let (_, asked) = polling.poll(&client(), after(100)).expect("it is due");
    let failed = asked.poll(&client(), after(299)).expect_err("too early");
    assert_eq!(failed.error, Error::Misuse(Misuse::TooEarly(after(300))));
}

#[test]
fn a_short_lease_does_not_make_the_polls_faster() {
    let client = client().with_lease(core::time::Duration::from_secs(3));
    let (_, asked) = polling().poll(&client, after(5)).expect("it is due");
    assert_eq!(asked.deadline(), after(7));
    assert_eq!(asked.next_poll(), after(15));
    assert!(asked.poll(&client, after(14)).is_err());
}

// In a session

fn session(polling: Polling) -> Session {
    Session::new(Arc::new(client()), polling).expect("it needs no browser here")
}

fn sent(session: &mut Session, now: Timestamp) -> (Ticket, Request<Body>) {
    match session.step(now) {
        Step::Send(ticket, request) => (ticket, request),
        other @ (Step::Use(_) | Step::Wait(_) | Step::Login(_)) => panic!("{other:?}, not Send"),
    }
}

fn waits(session: &mut Session, now: Timestamp) -> Timestamp {
    match session.step(now) {
        Step::Wait(until) => {
            assert!(until > now, "a wake-up in the past");
            until
        }
        other @ (Step::Use(_) | Step::Send(..) | Step::Login(_)) => panic!("{other:?}, not Wait"),
    }
}

fn login(session: &mut Session, now: Timestamp) -> Reason {
    match session.step(now) {
        Step::Login(reason) => reason.clone(),
        other @ (Step::Use(_) | Step::Send(..) | Step::Wait(_)) => panic!("{other:?}, not Login"),
    }
}

fn tokens(session: &Session) -> &Authorized {
    let State::Authorized(tokens) = session.state() else {
        panic!("{:?}, not authorized", session.state())
    };
    tokens
}

#[test]
fn a_session_polls_until_the_person_agrees() {
    let mut session = session(polling());
    assert_eq!(waits(&mut session, NOW), after(5));
    let (ticket, request) = sent(&mut session, after(5));
    assert!(form(&request).contains(&("device_code".into(), DEVICE_CODE.into())));
    assert_eq!(waits(&mut session, after(5)), after(35));
    let received = session.receive(ticket, &pending(), after(6));
    assert!(matches!(received, Ok(Received::Pending)), "{received:?}");
    assert_eq!(waits(&mut session, after(6)), after(11));
    let (ticket, _) = sent(&mut session, after(11));
    let received = session.receive(ticket, &answer(200, TOKENS), after(12));
    assert!(matches!(received, Ok(Received::Applied)), "{received:?}");
    assert!(matches!(session.step(after(12)), Step::Use(_)));
}

#[test]
fn a_session_gives_the_login_up_when_the_codes_expire() {
    let body = changed("expires_in", Some(json!(7)));
    let mut session = session(read(&body).expect("short-lived codes"));
    let (ticket, _) = sent(&mut session, after(5));
    let received = session.receive(ticket, &pending(), after(5));
    assert!(matches!(received, Ok(Received::Pending)));
    // It does not wait for a poll that is not to come.
    assert_eq!(waits(&mut session, after(5)), after(7));
    assert_eq!(login(&mut session, after(7)), Reason::Deadline);
}

#[test]
fn a_session_waits_for_the_answer_that_is_on_its_way_when_the_codes_expire() {
    let mut session = session(read(&changed("expires_in", Some(json!(7)))).expect("codes"));
    let (ticket, _) = sent(&mut session, after(6));
    assert_eq!(waits(&mut session, after(6)), after(36));
    assert_eq!(waits(&mut session, after(7)), after(36));
    let received = session.receive(ticket, &answer(200, TOKENS), after(20));
    assert!(matches!(received, Ok(Received::Applied)), "{received:?}");
    assert!(tokens(&session).token(after(20)).is_some());
}

#[test]
fn a_session_gives_up_where_nobody_hears_of_the_last_poll() {
    let mut session = session(read(&changed("expires_in", Some(json!(7)))).expect("codes"));
    drop(sent(&mut session, after(6)));
    assert_eq!(login(&mut session, after(36)), Reason::Deadline);
}

#[test]
fn a_crash_between_send_and_answer_costs_one_lease() {
    let mut first = session(polling());
    drop(sent(&mut first, after(5)));
    let stored = json(first.state());
    let restarted: State = serde_json::from_str(&stored).expect("it can be loaded");
    let mut second = Session::new(Arc::new(client()), restarted).expect("it needs no browser");
    assert_eq!(waits(&mut second, after(6)), after(35));
    drop(sent(&mut second, after(35)));
}

#[test]
fn a_late_success_wins_over_the_poll_that_followed_it() {
    let mut session = session(polling());
    let (late, _) = sent(&mut session, after(5));
    drop(sent(&mut session, after(35)));
    let received = session.receive(late, &answer(200, TOKENS), after(36));
    assert!(matches!(received, Ok(Received::Applied)), "{received:?}");
    assert_eq!(tokens(&session).expires_at(), Some(after(5 + 3600)));
}

#[test]
fn a_late_success_wins_over_the_refusal_of_a_device_code_that_it_has_spent() {
    let mut session = session(polling());
    let (late, _) = sent(&mut session, after(5));
    let (ticket, _) = sent(&mut session, after(35));
    let refused = session.receive(ticket, &answer(400, r#"{"error":"invalid_grant"}"#), after(36));
    assert!(refused.is_err());
    assert_eq!(login(&mut session, after(36)), Reason::AnswerLost);
    let received = session.receive(late, &answer(200, TOKENS), after(37));
    assert!(matches!(received, Ok(Received::Applied)), "{received:?}");
    assert_eq!(tokens(&session).scope().as_str(), "read");
}

#[test]
fn a_late_pending_is_old_news() {
    let mut session = session(polling());
    let (late, _) = sent(&mut session, after(5));
    let (ticket, _) = sent(&mut session, after(35));
    let before = json(session.state());
    let received = session.receive(late, &slow_down(), after(36));
    assert!(matches!(received, Ok(Received::Late(requests)) if requests.is_empty()));
    assert_eq!(json(session.state()), before);
    drop(ticket);
}

#[test]
fn a_success_after_signing_out_is_revoked() {
    let server = support::server().with_revocation("https://as.example/revoke").expect("https");
    let client = Arc::new(Client::new("s6BhdRkqt3", server));
    let mut session = Session::new(client, polling()).expect("it needs no browser");
    let (ticket, _) = sent(&mut session, after(5));
    assert!(session.sign_out(after(6)).is_empty(), "there is no token yet");
    let received = session.receive(ticket, &answer(200, TOKENS), after(7));
    assert!(matches!(received, Ok(Received::Late(requests)) if requests.len() == 2));
    assert_eq!(login(&mut session, after(7)), Reason::SignedOut);
}

#[test]
fn a_lost_poll_is_repeated_more_rarely() {
    let mut session = session(polling());
    let (ticket, _) = sent(&mut session, after(5));
    session.lost(ticket, Lost::Unanswered, after(30));
    assert_eq!(waits(&mut session, after(30)), after(40));
    let (ticket, _) = sent(&mut session, after(40));
    session.lost(ticket, Lost::Unsent, after(41));
    assert_eq!(waits(&mut session, after(41)), after(46));
}

#[test]
fn a_clock_set_back_delays_the_next_poll_but_not_forever() {
    let mut session = session(polling());
    let back = Timestamp::from_unix_seconds(NOW.unix_seconds() - 100_000);
    let (ticket, _) = sent(&mut session, back);
    drop(session.receive(ticket, &pending(), back));
    assert_eq!(waits(&mut session, back), later(back, 5));
}

#[test]
fn a_clock_set_back_while_a_poll_is_on_its_way_delays_the_next_one_by_one_lease() {
    let mut session = session(polling());
    drop(sent(&mut session, after(5)));
    let back = Timestamp::from_unix_seconds(NOW.unix_seconds() - 100_000);
    assert_eq!(waits(&mut session, back), later(back, 30));
    assert_eq!(waits(&mut session, later(back, 29)), later(back, 30));
    drop(sent(&mut session, later(back, 30)));
}

#[test]
fn a_clock_set_forward_ends_the_login_as_expired() {
    let mut session = session(polling());
    assert_eq!(login(&mut session, after(100_000)), Reason::Deadline);
}

#[test]
fn an_outage_during_a_poll_names_its_status() {
    let failed = polled(polling(), &answer(503, ""), 0).expect_err("an outage");
    let Error::Unavailable(unavailable) = failed.error else { panic!("an outage") };
    assert_eq!(unavailable.cause(), Outage::Status(http::StatusCode::SERVICE_UNAVAILABLE));
}

/// RFC 8259 §8.1: JSON text is UTF-8, what nobody reads included.
#[test]
fn codes_in_a_body_that_is_not_utf_8_are_refused() {
    let client = client();
    let (_, awaiting) = client.device_authorization().begin(&mut rng(), NOW).expect("an endpoint");
    let mut body = br#"{"device_code":"a","user_code":"b","verification_uri":"https://as.example/d","expires_in":60,"x":""#.to_vec();
    body.extend(b"\x9b\"}");
    let error = awaiting.receive(&client, &answer(200, body), NOW).expect_err("not JSON");
    assert!(matches!(&error, Error::Malformed(it) if *it.problem() == Problem::Json), "{error:?}");
}
