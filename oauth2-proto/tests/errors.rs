//! Every error, provoked from outside: its message, what it advises, and what it does not let out.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::error::Error as _;
use core::time::Duration;
use std::sync::Arc;

use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Request, Response};
use oauth2_proto::{
    Callback, Client, Coordinator, Denied, Diagnostics, Effect, Error, Expired, Failed, Forged,
    Malformed, Misuse, Outage, Problem, Reason, Seed, Server, Session, State, Version,
};
use proptest::prelude::*;
use support::{
    CODE, NOW, REDIRECT_URI, TOKENS, after, answer, authorized, begin, client, moment,
    other_client, parameter, pending, receive, redeem, refreshing, rng, server, service,
};

/// What a login makes of this answer to its code.
#[track_caller]
fn failed(status: u16, body: impl Into<Vec<u8>>) -> Failed {
    receive(&client(), &answer(status, body)).expect_err("this answer is no token")
}

#[track_caller]
fn denied(status: u16, body: &str) -> Denied {
    let error = failed(status, body).error;
    let Error::Denied(denied) = error else { panic!("{error:?} is not Denied") };
    denied
}

#[track_caller]
fn malformed(error: Error) -> Malformed {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed
}

/// What a login makes of this callback; `{state}` stands for its own.
#[track_caller]
fn refused(client: &Client, callback: &str) -> Error {
    let (url, pending) = begin(client);
    let callback = callback.replace("{state}", &parameter(&url, "state"));
    let callback = match callback.strip_prefix('?') {
        Some(query) => Callback::query(query),
        None => Callback::url(&callback),
    };
    pending.accept(client, callback, NOW).expect_err("this callback is refused")
}

#[track_caller]
fn unauthorized(failed: Failed) -> Reason {
    let State::Unauthorized(over) = *failed.state else { panic!("{:?} goes on", failed.state) };
    over.reason().clone()
}

/// Asserts the message in full, and what a program is advised to do.
#[track_caller]
fn assert_says(error: impl Into<Error>, message: &str, advice: Advice) {
    let error = error.into();
    assert_eq!(error.to_string(), message);
    let own = match (error.is_retryable(), error.needs_login()) {
        (true, false) => Advice::Retry,
        (false, true) => Advice::Login,
        (false, false) => Advice::Neither,
        (true, true) => panic!("{error:?} advises both"),
    };
    assert_eq!(own, advice, "{error:?}");
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Advice {
    Retry,
    Login,
    Neither,
}

// Denied

#[test]
fn a_refused_grant_asks_for_a_new_login() {
    assert_says(
        failed(400, r#"{"error":"invalid_grant","error_description":"Code is used."}"#),
        "the authorization server refused: invalid_grant (Code is used.); the grant is no longer \
         valid, begin a new login",
        Advice::Login,
    );
}

#[test]
fn a_person_who_says_no_is_reported() {
    assert_says(
        refused(&client(), "?error=access_denied&state={state}"),
        "the authorization server refused: access_denied; the person or the server said no",
        Advice::Login,
    );
}

#[test]
fn an_expired_device_code_asks_for_a_new_login() {
    assert_says(
        failed(400, r#"{"error":"expired_token"}"#),
        "the authorization server refused: expired_token; the code has expired, begin a new login",
        Advice::Login,
    );
}

#[test]
fn a_refused_client_is_told_what_to_check() {
    for error in ["invalid_client", "unauthorized_client"] {
        let (_, refreshing) = refreshing(&client());
        let body = format!(r#"{{"error":"{error}"}}"#);
        assert_says(
            refreshing.receive(&client(), &answer(401, body), NOW).unwrap_err(),
            &format!(
                "the authorization server refused: {error}; check client_id, secret and the kind \
                 of client authentication"
            ),
            Advice::Neither,
        );
    }
}

#[test]
fn a_refused_scope_is_told_what_to_check() {
    let (_, refreshing) = refreshing(&client());
    let response = answer(400, r#"{"error":"invalid_scope"}"#);
    assert_says(
        refreshing.receive(&client(), &response, NOW).unwrap_err(),
        "the authorization server refused: invalid_scope; check the scope that is asked for",
        Advice::Neither,
    );
}

#[test]
fn an_error_that_nobody_knows_is_passed_on() {
    let (_, refreshing) = refreshing(&client());
    let response = answer(400, r#"{"error":"quota_exceeded","error_description":"Too many apps"}"#);
    assert_says(
        refreshing.receive(&client(), &response, NOW).unwrap_err(),
        "the authorization server refused: quota_exceeded (Too many apps)",
        Advice::Neither,
    );
}

// Expired

#[test]
fn a_late_callback_asks_for_a_new_login() {
    let client = client();
    let (pending, query) = pending(&client);
    assert_says(
        pending.accept(&client, Callback::query(&query), after(601)).unwrap_err(),
        "the callback came after the login's deadline; begin a new login",
        Advice::Login,
    );
}

#[test]
fn an_expired_token_asks_for_a_refresh() {
    let client = client();
    let tokens = authorized(&client, TOKENS);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    assert_says(
        tokens.attach(&client, &mut request, after(3600)).unwrap_err(),
        "the access token is expired or rejected; refresh it",
        Advice::Neither,
    );
    assert!(request.headers().is_empty());
    assert_eq!(tokens.attach(&client, &mut request, after(3599)), Ok(()));
}

#[test]
fn a_login_that_is_over_says_why() {
    assert_says(
        Error::Expired(Expired::Login(Reason::TokenExpired)),
        "the access token has expired and nothing can renew it; begin a new login",
        Advice::Login,
    );
}

// The reasons for which a login ends

#[test]
fn a_login_that_has_not_begun_says_so() {
    assert_eq!(service(&client()).reason(), &Reason::NotStarted);
    assert_eq!(Reason::NotStarted.to_string(), "nobody has logged in yet");
}

#[test]
fn a_login_that_was_refused_says_so() {
    let reason = unauthorized(failed(400, r#"{"error":"invalid_grant"}"#));
    assert_eq!(reason, Reason::Denied("invalid_grant".into()));
    assert_eq!(reason.to_string(), "the authorization server refused (invalid_grant)");
}

#[test]
fn a_login_that_was_not_completed_says_so() {
    let (_, pending) = begin(&client());
    let State::Unauthorized(over) = pending.after(&Error::Expired(Expired::Callback)) else {
        panic!("the deadline ends it")
    };
    assert_eq!(over.reason(), &Reason::Deadline);
    assert_eq!(Reason::Deadline.to_string(), "the login was not completed before its deadline");
}

#[test]
fn a_login_without_renewal_says_that_its_token_expired() {
    let client = Arc::new(client());
    let tokens = r#"{"access_token":"a","token_type":"Bearer","expires_in":60}"#;
    let mut session = Session::new(client.clone(), authorized(&client, tokens)).unwrap();
    session.step(after(60));
    let State::Unauthorized(over) = session.state() else { panic!("nothing can renew it") };
    assert_eq!(over.reason(), &Reason::TokenExpired);
    assert_eq!(
        Reason::TokenExpired.to_string(),
        "the access token has expired and nothing can renew it"
    );
}

#[test]
fn a_rejected_token_that_nothing_renews_is_a_reason() {
    assert_eq!(
        Reason::TokenRejected.to_string(),
        "the access token was rejected and nothing can renew it"
    );
}

#[test]
fn a_login_says_that_an_answer_was_lost() {
    let client = client();
    let (_, refreshing) = refreshing(&client);
    let (_, again) = refreshing.unanswered(NOW).retry(&client, after(1)).unwrap();
    let refusal = answer(400, r#"{"error":"invalid_grant"}"#);
    let reason = unauthorized(again.receive(&client, &refusal, after(1)).unwrap_err());
    assert_eq!(reason, Reason::AnswerLost);
    assert_eq!(
        reason.to_string(),
        "the answer to a refresh was lost and the server has replaced the refresh token"
    );
}

#[test]
fn a_login_says_that_the_server_cannot_be_understood() {
    let client = client();
    let (_, mut refreshing) = refreshing(&client);
    let mut now = NOW;
    let reason = loop {
        let failed = refreshing.receive(&client, &answer(200, "<html>"), now).unwrap_err();
        match *failed.state {
            State::Refreshing(state) => {
                now = state.retry_at(now);
                refreshing = state.retry(&client, now).unwrap().1;
            }
            State::Unauthorized(over) => break over.reason().clone(),
            State::Authorizing(_) | State::Authorized(_) => panic!("{:?}", failed.state),
        }
    };
    assert_eq!(reason, Reason::Unexplained);
    assert_eq!(reason.to_string(), "the server's answers could not be read");
}

#[test]
fn a_login_says_that_its_code_is_spent() {
    let reason = unauthorized(failed(503, ""));
    assert_eq!(reason, Reason::CodeSpent);
    assert_eq!(reason.to_string(), "the authorization code was sent and no usable answer came");
}

#[test]
fn a_login_says_that_it_was_ended_on_purpose() {
    let client = client();
    let (over, _) = State::from(authorized(&client, TOKENS)).sign_out(&client, NOW).unwrap();
    assert_eq!(over.reason(), &Reason::SignedOut);
    assert_eq!(Reason::SignedOut.to_string(), "the login was ended by signing out");
}

// Forged

#[test]
fn each_forgery_says_which_check_it_failed() {
    let issuer = "https://as.example";
    let known = Client::new("id", server().with_issuer_in_callback(issuer));
    for (client, callback, forged, what) in [
        (
            client(),
            "?code=a&code=b&state={state}",
            Forged::DuplicateParameter("code"),
            "it repeats the parameter code",
        ),
        (
            client(),
            "https://evil.example/?code=a&state={state}",
            Forged::RedirectUri,
            "its URL is not the redirect URI",
        ),
        (
            known.clone(),
            "?code=a&state={state}&iss=https://evil.example",
            Forged::Issuer,
            "iss names another authorization server",
        ),
        (
            known,
            "?code=a&state={state}",
            Forged::IssuerMissing,
            "iss is missing, which this server always sends",
        ),
        (client(), "?code=a&state=b", Forged::State, "state is missing or differs"),
    ] {
        let error = refused(&client, callback);
        assert_eq!(error, Error::Forged(forged));
        assert_says(
            error,
            &format!(
                "this callback does not answer this login: {what}; refuse it, the login is still \
                 pending"
            ),
            Advice::Neither,
        );
    }
}

// Malformed

#[test]
fn each_malformed_callback_says_what_is_wrong() {
    for (callback, problem, message) in [
        ("no url", Problem::CallbackUrl, "the callback is not a URL"),
        (
            "?state={state}",
            Problem::CodeMissing,
            "the authorization server sent a callback with neither code nor error; where this \
             server means it so: callback_parameters of its Dialect",
        ),
        (
            "?state={state}&code=%00",
            Problem::Code,
            "the authorization server sent a code with characters that RFC 6749 forbids",
        ),
    ] {
        let error = refused(&client(), callback);
        assert_says(error.clone(), message, Advice::Neither);
        let malformed = malformed(error);
        assert_eq!(malformed.problem(), &problem);
        assert_eq!(malformed.diagnostics(), None);
    }
}

#[test]
fn each_malformed_answer_says_what_is_wrong() {
    let long = format!("{TOKENS}{}", " ".repeat(2 * 1024 * 1024));
    for (status, body, message) in [
        (
            302,
            "",
            "the token endpoint answered with the redirect 302 Found, which is never followed; \
             check the token endpoint's URL",
        ),
        (
            404,
            "",
            "the token endpoint answered 404 Not Found without an OAuth error that explains it; \
             see the diagnostics of this error; where this server means it so: error_detectors of \
             its Dialect",
        ),
        (
            201,
            "",
            "the token endpoint answered 201 Created without an OAuth error that explains it; see \
             the diagnostics of this error; where this server means it so: any_success_status of \
             its Dialect",
        ),
        (200, &*long, "the token endpoint's answer is larger than 1048576 bytes"),
        (
            200,
            "<html>",
            "the token endpoint's answer is not a JSON object; see the diagnostics of this error; \
             where this server means it so: answer_format of its Dialect",
        ),
        (
            200,
            r#"{"scope":"a","scope":"b"}"#,
            "the token endpoint's answer has the member scope twice",
        ),
        (
            200,
            r#"{"token_type":"Bearer"}"#,
            "the token endpoint's answer lacks the member access_token; where this server means it \
             so: error_detectors, token_locations, member_aliases, camel_case_members or \
             keep_alive of its Dialect",
        ),
        (
            200,
            r#"{"access_token":1}"#,
            "the token endpoint's answer has a member access_token of a wrong type or with wrong \
             characters; where this server means it so: token_locations of its Dialect",
        ),
        (
            200,
            r#"{"access_token":"a"}"#,
            "the token endpoint's answer lacks the member token_type; where this server means it \
             so: default_token_type of its Dialect",
        ),
        (
            200,
            r#"{"access_token":"a","token_type":"Bearer","scope":["a"]}"#,
            "the token endpoint's answer has a member scope of a wrong type or with wrong \
             characters; where this server means it so: granted_scope of its Dialect",
        ),
        (
            200,
            r#"{"access_token":"a","token_type":"Bearer","expires_in":"soon"}"#,
            "the token endpoint's answer has a member expires_in of a wrong type or with wrong \
             characters; where this server means it so: lifetime_members of its Dialect",
        ),
        (
            400,
            r#"{"error":{"code":100}}"#,
            "the token endpoint's answer has a member error of a wrong type or with wrong \
             characters; where this server means it so: error_detectors of its Dialect",
        ),
    ] {
        let (_, refreshing) = refreshing(&client());
        let failed = refreshing.receive(&client(), &answer(status, body), NOW).unwrap_err();
        assert_says(failed.error.clone(), message, Advice::Neither);
        let malformed = malformed(failed.error);
        assert_eq!(malformed.diagnostics().map(Diagnostics::length), Some(body.len()));
    }
}

#[test]
fn a_token_of_an_unknown_type_is_refused_by_name() {
    let tokens = authorized(&client(), r#"{"access_token":"a","token_type":"mac\u001b\"x"}"#);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    assert_says(
        tokens.attach(&client(), &mut request, NOW).unwrap_err(),
        "the authorization server issued a token of type mac??x, and only bearer tokens can be \
         attached; where this server means it so: bearer_token_types of its Dialect",
        Advice::Neither,
    );
    assert!(request.headers().is_empty());
}

#[test]
fn an_answer_of_the_device_grant_is_out_of_place_for_a_refresh() {
    for error in ["authorization_pending", "slow_down"] {
        let (_, refreshing) = refreshing(&client());
        let response = answer(400, format!(r#"{{"error":"{error}"}}"#));
        let failed = refreshing.receive(&client(), &response, NOW).unwrap_err();
        assert!(matches!(*failed.state, State::Refreshing(_)));
        assert_says(
            failed,
            &format!("the token endpoint answered {error}, which belongs to the device grant"),
            Advice::Neither,
        );
    }
}

#[test]
fn an_answer_of_the_device_grant_is_out_of_place_for_a_code() {
    for error in ["authorization_pending", "slow_down"] {
        let failed = failed(400, format!(r#"{{"error":"{error}"}}"#));
        assert!(matches!(*failed.state, State::Unauthorized(_)));
        assert_eq!(malformed(failed.error).problem(), &Problem::OutOfPlace(error), "{error}");
    }
}

// Misuse

#[test]
fn an_unusable_url_is_misuse() {
    assert_says(
        Server::token_only("http://as.example/token").unwrap_err(),
        "wrong use of oauth2-proto: the token endpoint must be https (plain http: this machine \
         only)",
        Advice::Neither,
    );
    assert_says(
        client().authorize("https://app.example/#").begin(&mut rng(), NOW).unwrap_err(),
        "wrong use of oauth2-proto: the redirect URI must not have a fragment",
        Advice::Neither,
    );
}

#[test]
fn an_unusable_scope_is_misuse() {
    assert_says(
        client().authorize(REDIRECT_URI).scope("ä").begin(&mut rng(), NOW).unwrap_err(),
        "wrong use of oauth2-proto: a scope has a character other than printable ASCII without \
         quotes and backslashes, or more than 1,000 tokens",
        Advice::Neither,
    );
}

#[test]
fn a_parameter_of_the_protocol_is_misuse() {
    assert_says(
        client().authorize(REDIRECT_URI).param("state", "a").begin(&mut rng(), NOW).unwrap_err(),
        "wrong use of oauth2-proto: the parameter \"state\" is set already, by the protocol or \
         twice; leave it out",
        Advice::Neither,
    );
}

#[test]
fn a_repeated_parameter_is_not_blamed_on_the_protocol() {
    let client = client();
    let request = client.authorize(REDIRECT_URI).param("prompt", "a").param("prompt", "b");
    let message = request.begin(&mut rng(), NOW).unwrap_err().to_string();
    assert!(message.contains("\"prompt\""), "{message}");
    assert!(!message.contains("is set by the protocol itself"), "{message}");
}

#[test]
fn another_clients_state_is_misuse() {
    assert_says(
        authorized(&client(), TOKENS).refresh(&other_client(), NOW).unwrap_err(),
        "wrong use of oauth2-proto: the state belongs to another client_id or authorization server",
        Advice::Neither,
    );
}

#[test]
fn a_stored_login_that_cannot_be_read_is_misuse() {
    let mut seed = Seed::new(&mut rng()).expect("randomness");
    let mut coordinator = Coordinator::new(Arc::new(client()), &mut seed);
    let ask = coordinator.token(Duration::ZERO, moment(0));
    assert!(matches!(coordinator.poll(&ask, moment(0)), Effect::Load));
    coordinator.unreadable(Version::new(1), moment(0));
    let Effect::Give(Err(error)) = coordinator.poll(&ask, moment(0)) else {
        panic!("there is no login")
    };
    assert_eq!(error, Error::Misuse(Misuse::StoredLogin));
    assert_says(
        error,
        "wrong use of oauth2-proto: what is stored is no login that this program can read: it is \
         sealed with another key, damaged, or of a newer version; read it with what wrote it, or \
         replace it by a new login",
        Advice::Neither,
    );
}

#[test]
fn a_missing_endpoint_is_misuse() {
    let client = Client::new("id", Server::token_only("https://as.example/token").unwrap());
    assert_says(
        client.authorize(REDIRECT_URI).begin(&mut rng(), NOW).unwrap_err(),
        "wrong use of oauth2-proto: the server was made without its authorization endpoint",
        Advice::Neither,
    );
}

#[test]
fn a_refresh_without_anything_to_ask_with_is_misuse() {
    let tokens = authorized(&client(), r#"{"access_token":"a","token_type":"Bearer"}"#);
    assert_says(
        tokens.refresh(&client(), NOW).unwrap_err(),
        "wrong use of oauth2-proto: there is no refresh token and no grant to repeat; begin a new \
         login instead",
        Advice::Neither,
    );
}

#[test]
fn a_retry_that_is_not_due_is_misuse() {
    let (_, refreshing) = refreshing(&client());
    let due = refreshing.retry_at(NOW);
    let failed = refreshing.retry(&client(), NOW).unwrap_err();
    assert_eq!(failed.error, Error::Misuse(Misuse::TooEarly(due)));
    assert_says(
        failed,
        "wrong use of oauth2-proto: an attempt is on its way or the next is not due; retry at \
         Unix time 1700000030",
        Advice::Neither,
    );
}

#[test]
fn an_unfinished_login_in_a_session_is_misuse() {
    let client = Arc::new(client());
    let (_, pending) = begin(&client);
    assert_says(
        Session::new(client, pending).unwrap_err(),
        "wrong use of oauth2-proto: a login in a browser is finished by hand, then handed in",
        Advice::Neither,
    );
}

#[test]
fn an_answer_to_no_request_is_misuse() {
    assert_says(
        Misuse::NoRequest,
        "wrong use of oauth2-proto: this answer belongs to no request of this login",
        Advice::Neither,
    );
}

#[test]
fn a_token_over_plain_http_is_misuse() {
    let tokens = authorized(&client(), TOKENS);
    for uri in [
        "http://api.example/",
        "http://10.0.0.1/",
        "http://localhost.example/",
        "http://127.0.0.1.example/",
        "http://[::2]/",
        "ws://api.example/",
        "ftp://api.example/",
        "/path",
        "api.example:443",
        "*",
    ] {
        let mut request = Request::get(uri).body(()).unwrap();
        assert_says(
            tokens.attach(&client(), &mut request, NOW).unwrap_err(),
            "wrong use of oauth2-proto: a token is sent to absolute https URIs only (plain http: \
             this machine only)",
            Advice::Neither,
        );
        assert!(request.headers().is_empty(), "{uri}");
    }
}

#[test]
fn a_token_goes_over_https_and_to_this_machine() {
    let tokens = authorized(&client(), TOKENS);
    for uri in [
        "https://api.example/",
        "HTTPS://api.example/",
        "http://localhost:8080/",
        "http://LocalHost/",
        "http://127.0.0.1/",
        "http://127.9.9.9:1/",
        "http://[::1]:1/",
    ] {
        let mut request = Request::get(uri).body(()).unwrap();
        request.headers_mut().append("authorization", HeaderValue::from_static("Basic old"));
        request.headers_mut().append("authorization", HeaderValue::from_static("Basic older"));
        assert_eq!(tokens.attach(&client(), &mut request, NOW), Ok(()), "{uri}");
        let values: Vec<_> = request.headers().get_all("authorization").iter().collect();
        assert_eq!(values, ["Bearer 2YotnFZFEjr1zCsicMWpAA"]);
        assert!(values[0].is_sensitive());
    }
}

// Unavailable

#[test]
fn an_overloaded_server_is_asked_again() {
    let (_, refreshing) = refreshing(&client());
    assert_says(
        refreshing.receive(&client(), &answer(503, ""), NOW).unwrap_err(),
        "the token endpoint is unavailable for now (503 Service Unavailable); try again",
        Advice::Retry,
    );
}

#[test]
fn a_server_may_say_when_to_ask_again() {
    let (_, refreshing) = refreshing(&client());
    let mut response = answer(429, "");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("120"));
    assert_says(
        refreshing.receive(&client(), &response, NOW).unwrap_err(),
        "the token endpoint is unavailable for now (429 Too Many Requests); try again in 120 \
         seconds",
        Advice::Retry,
    );
}

#[test]
fn a_code_whose_answer_never_came_is_not_sent_again() {
    let client = client();
    let (_, awaiting) = redeem(&client);
    let failed = awaiting.retry(&client, after(3600)).unwrap_err();
    let Error::Unavailable(unavailable) = &failed.error else { panic!("{failed:?}") };
    assert_eq!((unavailable.cause(), unavailable.retry_after()), (Outage::Unanswered, None));
    assert!(failed.to_string().starts_with("the token endpoint did not answer"), "{failed}");
    assert_eq!(unauthorized(failed), Reason::CodeSpent);
}

// Advice

/// What is left after an answer to each kind of request, with the error that came with it.
fn outcomes() -> Vec<(String, Failed)> {
    let answers = [
        (200, "<html>"),
        (302, ""),
        (400, ""),
        (400, r#"{"error":"invalid_grant"}"#),
        (400, r#"{"error":"access_denied"}"#),
        (400, r#"{"error":"expired_token"}"#),
        (400, r#"{"error":"authorization_pending"}"#),
        (401, r#"{"error":"invalid_client"}"#),
        (400, r#"{"error":"something_else"}"#),
        (503, ""),
    ];
    let client = client();
    let mut outcomes = Vec::new();
    for (status, body) in answers {
        let response = answer(status, body);
        let code = redeem(&client).1.receive(&client, &response, NOW);
        let refresh = refreshing(&client).1.receive(&client, &response, NOW);
        let (_, own) = service(&client).renew(&client, NOW).unwrap();
        let own = own.receive(&client, &response, NOW);
        for (kind, result) in [("code", code), ("refresh", refresh), ("service", own)] {
            outcomes.push((format!("{kind}: {status} {body}"), result.unwrap_err()));
        }
    }
    outcomes
}

#[test]
fn a_new_login_is_advised_exactly_when_nothing_else_is_left() {
    let mut wrong = Vec::new();
    for (exchange, failed) in outcomes() {
        let over = matches!(&*failed.state, State::Unauthorized(over) if !over.is_renewable());
        if failed.needs_login() != over {
            wrong.push(format!("{exchange}: needs_login is {}, left is {:?}", !over, failed.state));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_retry_is_advised_only_where_something_is_left_to_try() {
    let mut wrong = Vec::new();
    for (exchange, failed) in outcomes() {
        let over = matches!(&*failed.state, State::Unauthorized(over) if !over.is_renewable());
        if failed.is_retryable() && over {
            wrong.push(exchange);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_failure_reads_like_its_error() {
    let failed = failed(400, r#"{"error":"invalid_grant"}"#);
    assert_eq!(failed.to_string(), failed.error.to_string());
    assert_eq!(failed.source().unwrap().to_string(), failed.error.to_string());
    let error = failed.error.clone();
    assert_eq!(Error::from(failed), error);
}

// Text of the peer

/// Everything that RFC 6749 §5.2 does not allow in error text.
fn is_forbidden(c: char) -> bool {
    !matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E')
}

const HOSTILE: &str = "a\u{1b}[2J\u{1b}]0;x\u{7}\r\nERROR forged line\t\"quoted\" \\ \u{0}\u{7f}\u{9b}31m\u{202e}\u{2028}ä";
const HARMLESS: &str = "a?[2J?]0;x???ERROR forged line??quoted? ? ???31m???";

#[test]
fn hostile_text_in_an_answer_is_filtered() {
    let body = serde_json::json!({
        "error": HOSTILE,
        "error_description": HOSTILE,
        "error_uri": format!("https://as.example/{HOSTILE}"),
    });
    let failed = failed(400, body.to_string());
    assert_eq!(
        failed.to_string(),
        format!("the authorization server refused: {HARMLESS} ({HARMLESS})")
    );
    let Error::Denied(denied) = failed.error.clone() else { panic!("{failed:?}") };
    assert_eq!((denied.error(), denied.description()), (HARMLESS, Some(HARMLESS)));
    assert!(denied.uri().is_none_or(|uri| !uri.contains(is_forbidden)));
    assert_eq!(
        unauthorized(failed).to_string(),
        format!("the authorization server refused ({HARMLESS})")
    );
}

#[test]
fn hostile_text_in_a_callback_is_filtered() {
    let client = client();
    let (url, pending) = begin(&client);
    let query = serde_urlencoded::to_string([
        ("error", HOSTILE),
        ("error_description", HOSTILE),
        ("error_uri", &format!("https://as.example/{HOSTILE}")),
        ("state", &parameter(&url, "state")),
    ]);
    let error = pending.accept(&client, Callback::query(&query.unwrap()), NOW).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the authorization server refused: {HARMLESS} ({HARMLESS})")
    );
    let State::Unauthorized(over) = pending.after(&error) else { panic!("{error:?}") };
    assert_eq!(over.reason().to_string(), format!("the authorization server refused ({HARMLESS})"));
}

#[test]
fn a_description_of_ten_thousand_characters_is_bounded() {
    for piece in ["x", "ä", "\u{10FFFF}"] {
        let long = piece.repeat(10_000);
        let body = serde_json::json!({ "error": long, "error_description": long });
        let failed = failed(400, body.to_string());
        let Error::Denied(denied) = &failed.error else { panic!("{failed:?}") };
        assert_eq!(denied.error().len(), 512);
        assert_eq!(denied.description().map(str::len), Some(512));
        assert!(failed.to_string().len() < 1200);
        assert!(format!("{failed:?}").len() < 3000);
    }
}

#[test]
fn the_error_uri_is_a_link_for_people_or_nothing() {
    for uri in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "ftp://as.example/",
        "//as.example/",
        "/help",
        "help",
        "",
        "https:",
        "https:as.example",
        " https://as.example/",
        "\u{1}https://as.example/",
        "https//as.example",
    ] {
        let body = serde_json::json!({ "error": "invalid_request", "error_uri": uri });
        assert_eq!(denied(400, &body.to_string()).uri(), None, "{uri:?}");
    }
    for uri in ["https://as.example/help?a=b#c", "http://as.example/"] {
        let body = serde_json::json!({ "error": "invalid_request", "error_uri": uri });
        assert_eq!(denied(400, &body.to_string()).uri(), Some(uri));
    }
}

/// Half a link leads elsewhere.
#[test]
fn an_error_uri_that_had_to_be_changed_is_dropped() {
    for uri in [format!("https://as.example/{}", "x".repeat(10_000)), "https://as.example/ä".into()]
    {
        let body = serde_json::json!({ "error": "invalid_request", "error_uri": uri });
        assert_eq!(denied(400, &body.to_string()).uri(), None);
    }
}

#[test]
fn a_long_token_type_is_bounded_in_its_error() {
    let token_type = "x".repeat(10_000);
    let body = serde_json::json!({ "access_token": "a", "token_type": token_type });
    let tokens = authorized(&client(), &body.to_string());
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    let error = tokens.attach(&client(), &mut request, NOW).unwrap_err();
    assert!(error.to_string().len() < 1200);
    assert!(format!("{error:?}").len() < 1200, "Debug shows {} bytes", format!("{error:?}").len());
}

proptest! {
    #[test]
    fn no_text_of_a_peer_gets_through_unfiltered(error: String, description: String) {
        prop_assume!(!error.is_empty());
        let body = serde_json::json!({ "error": error, "error_description": description });
        let text = failed(400, body.to_string()).to_string();
        prop_assert!(!text.contains(is_forbidden), "{text:?}");
        prop_assert!(text.len() < 1200);
    }
}

// Diagnostics

#[track_caller]
fn diagnostics(response: &Response<Vec<u8>>) -> Diagnostics {
    let error = receive(&client(), response).expect_err("no token").error;
    malformed(error).diagnostics().expect("an answer was read").clone()
}

#[track_caller]
fn excerpt(body: &str) -> String {
    diagnostics(&answer(200, body)).excerpt().to_owned()
}

#[test]
fn diagnostics_say_what_came() {
    let body = "<html><head><title>404 Not Found</title></head><body>nginx</body></html>";
    let mut response = answer(404, body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; a=\"b\""));
    let diagnostics = diagnostics(&response);
    assert_eq!(diagnostics.status(), 404);
    assert_eq!(diagnostics.content_type(), Some("text/html; a=?b?"));
    assert_eq!(diagnostics.length(), body.len());
    assert_eq!(diagnostics.excerpt(), body);
}

#[test]
fn diagnostics_are_there_on_request_only() {
    let mut response = answer(404, "nginx is sorry");
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/sorry"));
    let failed = receive(&client(), &response).unwrap_err();
    assert!(!failed.to_string().contains("sorry"), "{failed}");
}

#[test]
fn diagnostics_do_not_show_in_the_debug_of_an_error_by_accident() {
    let failed = receive(&client(), &answer(404, "nginx is sorry")).unwrap_err();
    assert!(!format!("{:?}", failed.error).contains("sorry"), "{:?}", failed.error);
}

#[test]
fn every_malformed_answer_comes_with_diagnostics() {
    for body in [
        "<html>",
        r#"{"token_type":"Bearer"}"#,
        r#"{"access_token":"a"}"#,
        r#"{"access_token":"","token_type":"Bearer"}"#,
        r#"{"access_token":"a\nb","token_type":"Bearer"}"#,
        r#"{"access_token":"a","token_type":"Bearer","expires_in":"soon"}"#,
        r#"{"error":"authorization_pending"}"#,
    ] {
        let (_, refreshing) = refreshing(&client());
        let failed = refreshing.receive(&client(), &answer(200, body), NOW).unwrap_err();
        assert!(malformed(failed.error).diagnostics().is_some(), "{body}");
    }
}

#[test]
fn an_excerpt_is_short() {
    let excerpt = excerpt(&"word ".repeat(10_000));
    assert!((100..=512).contains(&excerpt.len()), "{} bytes", excerpt.len());
}

#[test]
fn an_excerpt_has_no_control_characters() {
    for body in [HOSTILE, "\u{1b}[31m", "\u{80}\u{9b}", "a\u{202e}b"] {
        let excerpt = excerpt(body);
        assert!(excerpt.chars().all(|c| matches!(c, '\x20'..='\x7E' | '…')), "{excerpt:?}");
    }
    let mut response = answer(200, "x");
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_bytes(format!("a\tb{}", "c".repeat(10_000)).as_bytes()).unwrap(),
    );
    let diagnostics = diagnostics(&response);
    assert_eq!(diagnostics.content_type().map(str::len), Some(512));
    assert!(diagnostics.content_type().unwrap().starts_with("a?bccc"));
}

/// A token stands in a body like this; nothing of it may be in the excerpt.
fn around(token: &str) -> Vec<String> {
    vec![
        format!(r#"{{"access_token":"{token}","token_ty"#),
        format!(r#"{{"access_token" : "{token}"#),
        format!(r#"{{"access_token":"{token}"}} trailing"#),
        format!(r#"[{{"refresh_token":"{token}"}}]"#),
        format!("{{'refresh_token': '{token}'"),
        format!("{{refresh_token: {token}}}"),
        format!("access_token={token}&token_type=bearer"),
        format!("token_type=bearer&refresh_token={token}"),
        format!(r#"<input type="hidden" name="code" value="{token}">"#),
        format!("<input value={token}>"),
        format!(r#"<a href="https://app.example/callback?code={token}&state=x">"#),
        format!("<a href=https://app.example/callback?code={token}>"),
        format!("token: {token}"),
        format!("\"{token}"),
    ]
}

#[test]
fn an_excerpt_shows_no_token() {
    for token in ["2YotnFZFEjr1zCsicMWpAA", "tGzv3JOkF0XG5Qx2TlKWIA", "eyJhbGciOiJub25lIn0.e30."] {
        for body in around(token) {
            let excerpt = excerpt(&body);
            for part in token.as_bytes().windows(5) {
                let part = core::str::from_utf8(part).unwrap();
                assert!(!excerpt.contains(part), "{body} shows as {excerpt}");
            }
        }
    }
}

/// Servers send tokens with `/` and `=` in them, and not all encode these in forms.
#[test]
fn an_excerpt_shows_no_part_of_a_token_with_slashes() {
    for token in ["AbCd/eFgHiJ/kLmNo==", "4/PqRsTuVw"] {
        for body in around(token) {
            let excerpt = excerpt(&body);
            for part in token.split(['/', '=']).filter(|part| part.len() > 4) {
                assert!(!excerpt.contains(part), "{body} shows as {excerpt}");
            }
        }
    }
}

#[test]
fn a_quote_inside_a_value_does_not_end_it() {
    for body in [
        r#"{"access_token":"a\"SecretPart","token_ty"#,
        r#"{"note":"it's","access_token":"a SecretPart"#,
        r#"{"note":"it's","access_token":"a/SecretPart"#,
        r#"{"note":"say \"x","access_token":"a/SecretPart"#,
    ] {
        let excerpt = excerpt(body);
        assert!(!excerpt.contains("SecretPart"), "{body} shows as {excerpt}");
    }
}

proptest! {
    #[test]
    fn an_excerpt_of_any_body_shows_no_token(token in "[A-Z0-9._~-]{15,40}", at in 0_usize..14) {
        let bodies = around(&token);
        let excerpt = excerpt(&bodies[at]);
        for part in token.as_bytes().windows(5) {
            let part = core::str::from_utf8(part).unwrap();
            prop_assert!(!excerpt.contains(part), "{} shows as {}", bodies[at], excerpt);
        }
    }

    #[test]
    fn an_excerpt_of_any_bytes_is_printable(body in prop::collection::vec(any::<u8>(), 0..600)) {
        let diagnostics = diagnostics(&answer(404, body));
        let excerpt = diagnostics.excerpt();
        prop_assert!(excerpt.chars().all(|c| matches!(c, '\x20'..='\x7E' | '…')), "{excerpt:?}");
        prop_assert!(excerpt.chars().count() <= 1024);
    }
}

#[test]
fn a_retry_after_that_never_ends_makes_no_overflow() {
    let client = client();
    let (_, refreshing) = refreshing(&client);
    let mut response = answer(503, "");
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("18446744073709551615"));
    let failed = refreshing.receive(&client, &response, NOW).unwrap_err();
    let Error::Unavailable(unavailable) = &failed.error else { panic!("{failed:?}") };
    assert_eq!(unavailable.retry_after(), Some(Duration::from_secs(3600)));
    let State::Refreshing(refreshing) = *failed.state else { panic!("it goes on") };
    assert_eq!(refreshing.retry_at(NOW), after(3600), "an hour is the longest back-off");
}

#[test]
fn errors_do_not_repeat_the_code() {
    let error = refused(&client(), &format!("?state={{state}}&code={CODE}%00"));
    assert!(!format!("{error} {error:?}").contains(CODE));
}
