//! Refreshing for less, and for one resource: RFC 6749 §6 and RFC 8707 §2.2. By hand, in a session,
//! and in a shared store.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm,
    reason = "helpers of tests fail loudly, and show whatever they did not expect"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response};
use oauth2_proto::{
    AccessToken, Ask, Authorized, Body, Challenge, Challenged, Client, Coordinator, Effect, Error,
    Failed, Given, Lost, Misuse, Moment, Reason, Received, Refresh, Refreshing, Seed, Session,
    State, Step, Swapped, Ticket, Timestamp, Version,
};
use support::{
    Counting, NOW, TOKENS, after, answer, authorized, body, client, moment, other_client, rng,
};

const CALENDAR: &str = "https://cal.example.com/";
const CONTACTS: &str = "https://contacts.example.com/";

/// An answer with an access token, and whatever else.
fn good(access_token: &str, members: &str) -> Response<Vec<u8>> {
    answer(200, format!(r#"{{"access_token":"{access_token}","token_type":"Bearer"{members}}}"#))
}

fn login() -> Authorized {
    let tokens = TOKENS.replace("\"expires_in\"", "\"scope\":\"read write\",\"expires_in\"");
    authorized(&client(), &tokens)
}

fn json(state: impl Into<State>) -> String {
    serde_json::to_string(&state.into()).expect("a state can be stored")
}

fn reload(state: impl Into<State>) -> State {
    serde_json::from_str(&json(state)).expect("what was stored can be loaded")
}

fn asked(refresh: &Refresh<'_>) -> (Request<Body>, Refreshing) {
    login().refresh_with(refresh, &client(), NOW).expect("a usable refresh")
}

fn asked_for(login: Authorized, resource: &str) -> (Request<Body>, Refreshing) {
    login.refresh_for(resource, &client(), NOW).expect("a usable resource")
}

/// A login that has a token for this resource besides.
fn with(login: Authorized, resource: &str, response: &Response<Vec<u8>>) -> Authorized {
    let (_, refreshing) = asked_for(login, resource);
    refreshing.receive(&client(), response, NOW).expect("a good answer")
}

fn misuse<T>(result: Result<T, Failed>, before: &str) -> Misuse {
    let failed = result.err().expect("it is to be refused");
    assert_eq!(serde_json::to_string(&*failed.state).expect("a state"), before);
    match failed.error {
        Error::Misuse(misuse) => misuse,
        other => panic!("{other:?}, not misuse"),
    }
}

fn exposed(token: Option<&AccessToken>) -> Option<&str> {
    token.map(AccessToken::expose)
}

fn invalid_token() -> Challenge {
    let response =
        Response::builder().header("www-authenticate", r#"Bearer error="invalid_token""#);
    Challenge::from_response(&response.body(()).expect("a response")).remove(0)
}

// Less scope

#[test]
fn a_refresh_for_less_asks_for_that_scope() {
    let (request, _) = asked(&Refresh::default().scope("read").param("audience", "a b"));
    assert_eq!(
        body(&request),
        "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA&scope=read&audience=a+b\
         &client_id=s6BhdRkqt3"
    );
}

#[test]
fn scope_that_was_neither_granted_nor_asked_for_is_refused() {
    // RFC 6749 §6: MUST NOT include any scope not originally granted by the resource owner.
    let before = json(login());
    let refresh = Refresh::default().scope("read admin");
    assert_eq!(misuse(login().refresh_with(&refresh, &client(), NOW), &before), Misuse::Scope);
    let refresh = Refresh::default().scope("\"read\"");
    assert_eq!(misuse(login().refresh_with(&refresh, &client(), NOW), &before), Misuse::Scope);
}

#[test]
fn an_answer_without_scope_has_granted_the_less_that_was_asked_for() {
    let (_, refreshing) = asked(&Refresh::default().scope("read"));
    let State::Refreshing(refreshing) = reload(refreshing) else { panic!("still asking") };
    let tokens = refreshing.receive(&client(), &good("n", ""), NOW).expect("a good answer");
    assert_eq!(tokens.scope().as_str(), "read");
}

#[test]
fn the_next_refresh_asks_for_all_of_it_again() {
    // RFC 6749 §6: if omitted, it is treated as equal to the scope originally granted.
    let client = client();
    let (_, refreshing) = asked(&Refresh::default().scope("read"));
    let narrow = refreshing.receive(&client, &good("n", ""), NOW).expect("a good answer");
    let State::Authorized(narrow) = reload(narrow) else { panic!("authorized") };
    let (request, refreshing) = narrow.refresh(&client, NOW).expect("there is a refresh token");
    assert!(!body(&request).contains("scope"));
    let whole = refreshing.receive(&client, &good("w", ""), NOW).expect("a good answer");
    assert_eq!(whole.scope().as_str(), "read write");
    // What was given up once can be asked for again, from the narrow tokens too.
    let (_, refreshing) = asked(&Refresh::default().scope("read"));
    let narrow = refreshing.receive(&client, &good("n", ""), NOW).expect("a good answer");
    assert!(narrow.refresh_with(&Refresh::default().scope("write"), &client, NOW).is_ok());
}

#[test]
fn the_parameters_of_the_protocol_are_refused() {
    let before = json(login());
    for name in ["grant_type", "refresh_token", "scope", "client_id", "client_secret", "resource"] {
        let refresh = Refresh::default().param(name, "x");
        let misuse = misuse(login().refresh_with(&refresh, &client(), NOW), &before);
        assert_eq!(misuse, Misuse::Parameter(name.into()));
    }
    let twice = Refresh::default().param("a", "1").param("a", "2");
    let misuse = misuse(login().refresh_with(&twice, &client(), NOW), &before);
    assert_eq!(misuse, Misuse::Parameter("a".into()));
}

#[test]
fn resources_that_are_no_absolute_uris_are_refused() {
    // RFC 8707 §2: MUST be an absolute URI, MUST NOT include a fragment component.
    let why = Misuse::Url("resource", "must be an absolute URI without a fragment");
    let before = json(login());
    for resource in ["/api", "cal.example.com", "https://cal.example.com/#f", ""] {
        let refresh = Refresh::default().resource(resource);
        assert_eq!(misuse(login().refresh_with(&refresh, &client(), NOW), &before), why);
        assert_eq!(misuse(login().refresh_for(resource, &client(), NOW), &before), why);
    }
}

#[test]
fn another_client_cannot_ask_for_less_or_for_a_resource() {
    let before = json(login());
    let other = other_client();
    let refresh = Refresh::default();
    assert_eq!(misuse(login().refresh_with(&refresh, &other, NOW), &before), Misuse::WrongClient);
    assert_eq!(misuse(login().refresh_for(CALENDAR, &other, NOW), &before), Misuse::WrongClient);
}

#[test]
fn client_credentials_are_repeated_as_they_were_first_asked_for() {
    let client = client();
    let ready = client.client_credentials().scope("read").begin(&mut rng(), NOW);
    let tokens = ready.expect("usable").1.receive(&client, &good("a", ""), NOW).expect("good");
    let before = json(tokens);
    let tokens = || match serde_json::from_str(&before).expect("a state") {
        State::Authorized(tokens) => tokens,
        other => panic!("{other:?}"),
    };
    let narrow = Refresh::default().scope("read");
    assert_eq!(misuse(tokens().refresh_with(&narrow, &client, NOW), &before), Misuse::NotRenewable);
    assert_eq!(misuse(tokens().refresh_for(CALENDAR, &client, NOW), &before), Misuse::NotRenewable);
    assert!(tokens().refresh_with(&Refresh::default(), &client, NOW).is_ok());
    // In a session, too, nobody is told to log in for that.
    let mut session = Session::new(Arc::new(client), tokens()).expect("no browser");
    let step = session.step_for(CALENDAR, NOW);
    assert_eq!(step.expect_err("no refresh token"), Error::Misuse(Misuse::NotRenewable));
}

// One resource

/// The answers of RFC 8707 §2.2 (Figures 4 and 6), whose access tokens are not repeated in full.
const FOR_CALENDAR: &str = r#"{
   "access_token":"eyJhbGciOiJFUzI1NiIsImtpZCI6Ijc3In0.eyJpc3MiOi",
   "token_type":"Bearer",
   "expires_in":3600,
   "refresh_token":"4LTC8lb0acc6Oy4esc1Nk9BWC0imAwH7kic16BDC2",
   "scope":"calendar"
}"#;
const FOR_CONTACTS: &str = r#"{
   "access_token":"eyJhbGciOiJFUzI1NiIsImtpZCI6Ijc3In0.eyJpc3MiOj",
   "token_type":"Bearer",
   "expires_in":3600,
   "scope":"contacts"
}"#;

#[test]
fn the_refresh_of_rfc_8707_section_2_2() {
    let client = client().with_secret("hsqEzQlUoHAE9px4FSr4yI");
    let login = authorized(&client, FOR_CALENDAR);
    let (request, refreshing) = login.refresh_for(CONTACTS, &client, NOW).expect("a resource");
    let basic = "Basic czZCaGRSa3F0Mzpoc3FFelFsVW9IQUU5cHg0RlNyNHlJ";
    assert_eq!(request.headers().get("authorization").expect("a secret"), basic);
    assert_eq!(
        body(&request),
        "grant_type=refresh_token\
         &refresh_token=4LTC8lb0acc6Oy4esc1Nk9BWC0imAwH7kic16BDC2\
         &resource=https%3A%2F%2Fcontacts.example.com%2F"
    );
    let login = refreshing.receive(&client, &answer(200, FOR_CONTACTS), NOW).expect("good");
    assert!(exposed(login.token_for(CONTACTS, NOW)).is_some_and(|it| it.ends_with("iOj")));
    assert!(exposed(login.token(NOW)).is_some_and(|it| it.ends_with("iOi")));
    assert_eq!(login.scope().as_str(), "calendar", "the scope of the login is its own");
    // RFC 6749 §6: no new refresh token, so the old one stays.
    let (request, _) = login.refresh_for(CALENDAR, &client, NOW).expect("a resource");
    assert!(body(&request).contains("refresh_token=4LTC8lb0acc6Oy4esc1Nk9BWC0imAwH7kic16BDC2"));
}

#[test]
fn a_resource_is_compared_as_it_was_written() {
    let login = with(login(), CALENDAR, &good("cal", ""));
    assert_eq!(exposed(login.token_for(CALENDAR, NOW)), Some("cal"));
    assert_eq!(exposed(login.token_for("https://cal.example.com", NOW)), None);
    assert_eq!(exposed(login.token_for(CONTACTS, NOW)), None);
}

#[test]
fn every_token_has_a_generation_of_its_own() {
    let login = with(login(), CALENDAR, &good("cal", ""));
    let login = with(login, CONTACTS, &good("con", ""));
    let number = |token: Option<&AccessToken>| token.expect("it is good").generation().number();
    assert_eq!(number(login.token(NOW)), 1);
    assert_eq!(number(login.token_for(CALENDAR, NOW)), 2);
    assert_eq!(number(login.token_for(CONTACTS, NOW)), 3);
    let State::Authorized(login) = reload(login) else { panic!("authorized") };
    assert_eq!(number(login.token_for(CALENDAR, NOW)), 2);
}

#[test]
fn a_refresh_of_the_login_keeps_the_tokens_for_resources() {
    let client = client();
    let login = with(login(), CALENDAR, &good("cal", ",\"expires_in\":100"));
    let (_, refreshing) = login.refresh(&client, NOW).expect("there is a refresh token");
    assert_eq!(exposed(refreshing.held().token_for(CALENDAR, NOW)), Some("cal"));
    let login = refreshing.receive(&client, &good("new", ""), NOW).expect("a good answer");
    assert_eq!(exposed(login.token(NOW)), Some("new"));
    assert_eq!(exposed(login.token_for(CALENDAR, after(99))), Some("cal"));
    assert_eq!(exposed(login.token_for(CALENDAR, after(100))), None);
}

#[test]
fn thirty_two_resources_are_the_most_and_expired_ones_make_room() {
    let mut login = login();
    let name = |number: usize| format!("https://api{number}.example/");
    for number in 0..32 {
        let lifetime = format!(",\"expires_in\":{}", if number == 7 { 10 } else { 3000 });
        login = with(login, &name(number), &good(&format!("t{number}"), &lifetime));
    }
    let before = json(login);
    let State::Authorized(login) = serde_json::from_str(&before).expect("a state") else {
        panic!("authorized")
    };
    let many = Misuse::Url("resource", "is one too many for one login");
    assert_eq!(misuse(login.refresh_for(&name(32), &client(), NOW), &before), many);
    let mut session = Session::new(Arc::new(client()), loaded(&before)).expect("no browser");
    assert_eq!(session.step_for(&name(32), NOW).expect_err("too many"), Error::Misuse(many));
    // One that is held can be asked for again, and when one has expired, there is room.
    assert!(loaded(&before).refresh_for(&name(3), &client(), NOW).is_ok());
    let (_, refreshing) =
        loaded(&before).refresh_for(&name(32), &client(), after(10)).expect("there is room");
    let login = refreshing.receive(&client(), &good("t32", ""), after(10)).expect("good");
    assert_eq!(exposed(login.token_for(&name(32), after(10))), Some("t32"));
    assert_eq!(exposed(login.token_for(&name(8), after(10))), Some("t8"));
    assert!(serde_json::from_str::<State>(&json(login)).is_ok(), "never more than can be loaded");
}

fn loaded(stored: &str) -> Authorized {
    serde_json::from_str(stored).expect("it can be loaded")
}

#[test]
fn a_refused_resource_leaves_every_token() {
    // RFC 8707 §2: invalid_target.
    let (_, refreshing) = asked_for(login(), CALENDAR);
    let refused = answer(400, r#"{"error":"invalid_target"}"#);
    let failed = refreshing.receive(&client(), &refused, NOW).expect_err("refused");
    let State::Authorized(login) = *failed.state else { panic!("the login goes on") };
    assert_eq!(exposed(login.token(NOW)), Some("2YotnFZFEjr1zCsicMWpAA"));
    assert_eq!(login.token_for(CALENDAR, NOW).map(AccessToken::expose), None);
}

#[test]
fn a_repeated_attempt_asks_for_the_same_resource() {
    let (first, refreshing) = asked_for(login(), CALENDAR);
    let State::Refreshing(refreshing) = reload(refreshing.unanswered(NOW)) else {
        panic!("asking")
    };
    let due = refreshing.retry_at(NOW);
    let (second, refreshing) = refreshing.retry(&client(), due).expect("it is due");
    assert_eq!(body(&first), body(&second));
    let login = refreshing.receive(&client(), &good("cal", ""), due).expect("a good answer");
    assert_eq!(exposed(login.token_for(CALENDAR, due)), Some("cal"));
}

#[test]
fn signing_out_revokes_the_tokens_for_resources_too() {
    let server = support::server().with_revocation("https://as.example/revoke").expect("https");
    let client = Client::new("s6BhdRkqt3", server);
    let login = with(login(), CALENDAR, &good("cal", ""));
    let (_, requests) = State::from(login).sign_out(&client, NOW).expect("its client");
    let tokens: Vec<_> = requests.iter().map(|it| support::form(it).remove(0).1).collect();
    assert_eq!(tokens, ["tGzv3JOkF0XG5Qx2TlKWIA", "2YotnFZFEjr1zCsicMWpAA", "cal"]);
}

// Stored states that somebody has edited

fn edited(from: &str, to: &str) -> String {
    let login = with(login(), CALENDAR, &good("cal", ""));
    let stored = json(asked_for(login, CONTACTS).1);
    assert!(stored.contains(from), "{stored}");
    let error = serde_json::from_str::<State>(&stored.replace(from, to)).expect_err("edited");
    error.to_string()
}

#[test]
fn two_tokens_of_the_same_answer_do_not_load() {
    let error = edited(r#""number":2,"access_token":"cal""#, r#""number":1,"access_token":"cal""#);
    assert!(error.contains("two tokens of the same answer"), "{error}");
}

#[test]
fn a_refresh_for_a_resource_that_does_not_ask_for_it_does_not_load() {
    let error = edited(
        r#""resource":"https://contacts.example.com/""#,
        r#""resource":"https://b.example/""#,
    );
    assert!(error.contains("a refresh for a resource that it does not ask for"), "{error}");
}

// In a session

fn session(login: Authorized) -> Session {
    Session::new(Arc::new(client()), login).expect("no browser")
}

fn sends(step: Result<Step<'_>, Error>) -> (Ticket, Request<Body>) {
    match step {
        Ok(Step::Send(ticket, request)) => (ticket, request),
        other => panic!("{other:?}, not Send"),
    }
}

fn uses(step: Result<Step<'_>, Error>) -> String {
    match step {
        Ok(Step::Use(token)) => token.expose().into(),
        other => panic!("{other:?}, not Use"),
    }
}

fn waits(step: Result<Step<'_>, Error>) -> Timestamp {
    match step {
        Ok(Step::Wait(until)) => until,
        other => panic!("{other:?}, not Wait"),
    }
}

fn applied(received: Result<Received, Error>) {
    assert!(matches!(received, Ok(Received::Applied)), "{received:?}");
}

#[test]
fn a_session_gets_a_token_for_each_resource_with_one_refresh_token() {
    let mut session = session(login());
    let (ticket, request) = sends(session.step_for(CALENDAR, NOW));
    assert!(body(&request).contains("resource=https%3A%2F%2Fcal.example.com%2F"));
    // Meanwhile the login's own token is good, and another resource waits.
    assert_eq!(uses(Ok(session.step(NOW))), "2YotnFZFEjr1zCsicMWpAA");
    assert_eq!(waits(session.step_for(CONTACTS, NOW)), after(30));
    applied(session.receive(ticket, &good("cal", ",\"refresh_token\":\"second\""), NOW));
    let (ticket, request) = sends(session.step_for(CONTACTS, NOW));
    assert!(body(&request).contains("refresh_token=second"));
    applied(session.receive(ticket, &good("con", ""), NOW));
    assert_eq!(uses(session.step_for(CALENDAR, NOW)), "cal");
    assert_eq!(uses(session.step_for(CONTACTS, NOW)), "con");
    assert_eq!(uses(Ok(session.step(NOW))), "2YotnFZFEjr1zCsicMWpAA");
}

#[test]
fn a_step_for_what_is_no_absolute_uri_is_refused() {
    let mut session = session(login());
    let error = session.step_for("cal", NOW).expect_err("no URI");
    let why = Misuse::Url("resource", "must be an absolute URI without a fragment");
    assert_eq!(error, Error::Misuse(why));
}

#[test]
fn a_challenge_speaks_of_the_token_that_it_was_made_for() {
    let login = with(login(), CALENDAR, &good("cal", ",\"refresh_token\":\"second\""));
    let generation = login.token_for(CALENDAR, NOW).expect("good").generation();
    let mut session = session(login);
    let challenged = session.challenged(generation, &invalid_token(), after(29));
    assert_eq!(challenged, Challenged::TooYoung);
    let challenged = session.challenged(generation, &invalid_token(), after(30));
    assert_eq!(challenged, Challenged::Rejected);
    assert_eq!(uses(Ok(session.step(after(30)))), "2YotnFZFEjr1zCsicMWpAA");
    let (ticket, _) = sends(session.step_for(CALENDAR, after(30)));
    applied(session.receive(ticket, &good("cal2", ""), after(31)));
    let challenged = session.challenged(generation, &invalid_token(), after(90));
    assert_eq!(challenged, Challenged::Superseded);
    assert_eq!(uses(session.step_for(CALENDAR, after(90))), "cal2");
}

#[test]
fn a_forced_refresh_is_of_the_login_not_of_a_resource() {
    let mut session = session(with(login(), CALENDAR, &good("cal", "")));
    session.refresh_now().expect("there is a refresh token");
    assert_eq!(uses(session.step_for(CALENDAR, NOW)), "cal");
    // Neither does another resource's answer use the wish up.
    let (ticket, _) = sends(session.step_for(CONTACTS, NOW));
    applied(session.receive(ticket, &good("con", ""), NOW));
    let (_, request) = sends(Ok(session.step(NOW)));
    assert!(!body(&request).contains("resource"));
}

#[test]
fn a_resource_that_the_server_has_trouble_with_does_not_stop_the_login() {
    let mut session = session(login());
    let (ticket, _) = sends(session.step_for(CALENDAR, after(3590)));
    drop(session.receive(ticket, &answer(500, ""), after(3590)));
    // The login's own token is in its window: it is its turn, with the same refresh token.
    let (ticket, request) = sends(Ok(session.step(after(3591))));
    assert!(!body(&request).contains("resource"), "{}", body(&request));
    applied(session.receive(ticket, &good("new", ""), after(3591)));
    assert_eq!(uses(Ok(session.step(after(3592)))), "new");
}

#[test]
fn what_the_login_has_asked_for_by_hand_is_not_replaced_by_a_resource() {
    let (_, refreshing) = asked(&Refresh::default().scope("read"));
    let mut session = Session::new(Arc::new(client()), refreshing.unanswered(NOW)).expect("ok");
    let (_, request) = sends(session.step_for(CALENDAR, after(1)));
    assert!(body(&request).contains("scope=read"), "{}", body(&request));
    assert!(!body(&request).contains("resource"), "{}", body(&request));
}

#[test]
fn a_late_token_for_a_resource_is_for_that_resource() {
    let mut session = session(login());
    let (late, _) = sends(session.step_for(CALENDAR, NOW));
    // Its lease is over, and somebody needs another one.
    let (_ticket, request) = sends(session.step_for(CONTACTS, after(30)));
    assert!(body(&request).contains("contacts"));
    applied(session.receive(late, &good("cal", ""), after(31)));
    assert_eq!(uses(session.step_for(CALENDAR, after(31))), "cal");
    assert_eq!(uses(Ok(session.step(after(31)))), "2YotnFZFEjr1zCsicMWpAA");
    drop(sends(session.step_for(CONTACTS, after(31))));
}

/// A session whose refresh for a resource may have been answered, and whose next one is refused.
fn given_up_in_doubt() -> (Session, Ticket) {
    let mut session = session(login());
    let (late, _) = sends(session.step_for(CALENDAR, NOW));
    let (ticket, _) = sends(session.step_for(CALENDAR, after(30)));
    let refused = answer(400, r#"{"error":"invalid_grant"}"#);
    drop(session.receive(ticket, &refused, after(31)));
    assert!(matches!(session.step(after(31)), Step::Login(Reason::AnswerLost)));
    (session, late)
}

#[test]
fn a_late_token_for_a_resource_is_never_taken_for_the_logins_own() {
    let (mut session, late) = given_up_in_doubt();
    applied(session.receive(late, &good("cal", ",\"refresh_token\":\"second\""), after(32)));
    // The refresh token is what matters: with it, the login gets a token of its own.
    let (ticket, request) = sends(Ok(session.step(after(32))));
    assert!(body(&request).contains("refresh_token=second"));
    applied(session.receive(ticket, &good("own", ""), after(32)));
    assert_eq!(uses(Ok(session.step(after(32)))), "own");
}

#[test]
fn a_late_token_for_a_resource_alone_does_not_bring_a_login_back() {
    let (mut session, late) = given_up_in_doubt();
    let received = session.receive(late, &good("cal", ""), after(32));
    assert!(matches!(received, Ok(Received::Late(_))), "{received:?}");
    assert!(matches!(session.step(after(32)), Step::Login(Reason::AnswerLost)));
}

#[test]
fn a_lost_refresh_for_a_resource_backs_off() {
    let mut session = session(login());
    let (ticket, _) = sends(session.step_for(CALENDAR, NOW));
    session.lost(ticket, Lost::Unanswered, after(5));
    assert_eq!(waits(session.step_for(CALENDAR, after(5))), after(6));
    let (ticket, _) = sends(session.step_for(CALENDAR, after(6)));
    session.lost(ticket, Lost::Unsent, after(6));
    assert_eq!(waits(session.step_for(CALENDAR, after(6))), after(8));
}

// In a shared store

/// How long callers wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// One process over a store that always works.
struct Process {
    coordinator: Coordinator,
    version: u128,
    stored: Option<String>,
    sent: Vec<String>,
}

impl Process {
    fn new(login: Authorized) -> Self {
        let seed = &mut Seed::new(&mut Counting(1)).expect("randomness");
        let mut coordinator = Coordinator::new(Arc::new(client()), seed);
        coordinator.log_in(login).expect("no browser");
        Self { coordinator, version: 0, stored: None, sent: Vec::new() }
    }

    /// Runs until this caller gets something, or a request is sent that `answers` has nothing for.
    fn run(
        &mut self,
        ask: &Ask,
        answers: &mut Vec<Response<Vec<u8>>>,
        now: Moment,
    ) -> Option<Result<String, Error>> {
        for _ in 0..50 {
            match self.coordinator.poll(ask, now) {
                Effect::Load => {
                    let state =
                        self.stored.as_ref().map(|it| serde_json::from_str(it).expect("ok"));
                    let loaded = state.map(|state| (Version::new(self.version), state));
                    self.coordinator.loaded(Ok(loaded), now);
                }
                Effect::Swap(_, state, _) => {
                    self.stored = Some(serde_json::to_string(state).expect("a state"));
                    self.version += 1;
                    let version = Version::new(self.version);
                    self.coordinator.swapped(Ok(Swapped::Stored(version)), now);
                }
                Effect::Send(request, _) => {
                    self.sent.push(body(&request).into());
                    let answer = answers.pop()?;
                    self.coordinator.received(&answer, now);
                }
                Effect::Give(Ok(Given::Token(token))) => return Some(Ok(token.expose().into())),
                Effect::Give(Ok(_)) => return Some(Ok(String::new())),
                Effect::Give(Err(error)) => return Some(Err(error)),
                Effect::Wait(_) | Effect::Busy(_) => return None,
                other => panic!("{other:?}"),
            }
        }
        panic!("it goes in circles")
    }
}

#[test]
fn a_coordinator_gives_each_resource_its_token() {
    let mut process = Process::new(login());
    let calendar = process.coordinator.token_for(CALENDAR, PATIENCE, moment(0)).expect("a URI");
    let own = process.coordinator.token(PATIENCE, moment(0));
    let answers = &mut vec![good("cal", ",\"refresh_token\":\"second\"")];
    assert_eq!(process.run(&calendar, answers, moment(0)), Some(Ok("cal".into())));
    assert_eq!(process.run(&own, answers, moment(0)), Some(Ok("2YotnFZFEjr1zCsicMWpAA".into())));
    let stored: State = serde_json::from_str(process.stored.as_ref().expect("saved")).expect("ok");
    let State::Authorized(stored) = stored else { panic!("authorized") };
    assert_eq!(exposed(stored.token_for(CALENDAR, NOW)), Some("cal"));
}

#[test]
fn a_refused_resource_is_the_trouble_of_those_alone_who_asked_for_it() {
    let mut process = Process::new(login());
    // Both wait: the login's own token has expired.
    let calendar = process.coordinator.token_for(CALENDAR, PATIENCE, moment(3690)).expect("a URI");
    let own = process.coordinator.token(PATIENCE, moment(3690));
    let refused = answer(400, r#"{"error":"invalid_target"}"#);
    let error = process.run(&calendar, &mut vec![refused], moment(3700));
    assert!(
        matches!(error, Some(Err(Error::Denied(denied))) if denied.error() == "invalid_target")
    );
    assert_eq!(process.run(&own, &mut Vec::new(), moment(3700)), None, "it waits for the back-off");
    let answers = &mut vec![good("new", "")];
    assert_eq!(process.run(&own, answers, moment(3702)), Some(Ok("new".into())));
}

#[test]
fn a_coordinator_says_that_there_is_no_refresh_token_for_a_resource() {
    let alone = r#"{"access_token":"a","token_type":"Bearer"}"#;
    let mut process = Process::new(authorized(&client(), alone));
    let calendar = process.coordinator.token_for(CALENDAR, PATIENCE, moment(0)).expect("a URI");
    let error = process.run(&calendar, &mut Vec::new(), moment(2));
    assert_eq!(error, Some(Err(Error::Misuse(Misuse::NotRenewable))));
    assert!(process.coordinator.token_for("cal", PATIENCE, moment(0)).is_err());
}

#[test]
fn every_rejected_token_stays_rejected_when_the_store_has_moved_on() {
    let login = with(login(), CALENDAR, &good("cal", ""));
    let calendar = login.token_for(CALENDAR, NOW).expect("good").generation();
    let own = login.token(NOW).expect("good").generation();
    let stored = json(loaded(&json(login)));
    let mut process = Process::new(loaded(&stored));
    let settled = process.coordinator.settled(PATIENCE, moment(0));
    process.run(&settled, &mut Vec::new(), moment(0));
    for generation in [own, calendar] {
        let challenged = process.coordinator.challenged(generation, &invalid_token(), after(60));
        assert_eq!(challenged, Challenged::Rejected);
    }
    // Another process has saved the login as it was known there.
    process.stored = Some(stored);
    process.coordinator.reload();
    let own = process.coordinator.token(PATIENCE, moment(60));
    assert_eq!(process.run(&own, &mut Vec::new(), moment(60)), None);
    assert_eq!(process.sent.len(), 1, "the login's own token is asked for anew");
}
