//! Rows 59 to 70: the three styles of refreshing.

use std::sync::Arc;

use http::Request;
use http::header::AUTHORIZATION;
use oauth2_proto::{
    Body, Challenge, Challenged, Error, Expired, Misuse, Received, Refresh, Refreshing, Server,
    Session, State, Step, Ticket,
};

use crate::support::{
    NOW, SCOPE, TOKENS, after, answer, authorized, body, client, form, refreshing,
};

const REFRESH: &str = "grant_type=refresh_token&refresh_token=tGzv3JOkF0XG5Qx2TlKWIA";
const NEW: &str =
    r#"{"access_token":"new","token_type":"Bearer","expires_in":3600,"refresh_token":"r2"}"#;

fn session() -> Session {
    let client = Arc::new(client());
    let login = authorized(&client, TOKENS);
    Session::new(client, login).expect("a login without a browser")
}

#[track_caller]
fn to_send(step: Step<'_>) -> (Ticket, Request<Body>) {
    let Step::Send(ticket, request) = step else { panic!("{step:?} sends nothing") };
    (ticket, request)
}

#[track_caller]
fn used(step: Step<'_>) -> String {
    let Step::Use(token) = step else { panic!("{step:?} has no token") };
    token.expose().to_owned()
}

// Row 59
#[test]
fn a_program_can_notice_the_expiry_and_refresh_by_hand() {
    let client = client();
    let login = authorized(&client, TOKENS);
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    assert_eq!(
        login.attach(&client, &mut request, after(3600)).unwrap_err(),
        Error::Expired(Expired::Token)
    );
    // It is told a minute ahead when to do so, where there the token runs out first.
    assert_eq!(login.refresh_at(), Some(after(3540)));
    let (request, refreshing) = login.refresh(&client, after(3540)).unwrap();
    assert!(body(&request).starts_with(REFRESH));
    let login = refreshing.receive(&client, &answer(200, NEW), after(3541)).unwrap();
    assert_eq!(login.token(after(3600)).unwrap().expose(), "new");
}

// Row 60
#[test]
fn a_session_refreshes_and_goes_on_with_the_call() {
    let mut session = session();
    assert_eq!(used(session.step(NOW)), "2YotnFZFEjr1zCsicMWpAA");
    let (ticket, request) = to_send(session.step(after(3600)));
    assert!(body(&request).starts_with(REFRESH));
    let received = session.receive(ticket, &answer(200, NEW), after(3600)).unwrap();
    // What `TokenUpdated` interrupts the call for there.
    assert!(matches!(received, Received::Applied));
    let State::Authorized(login) = session.state() else { panic!("it is to be saved") };
    assert!(login.token(after(3600)).is_some());
    assert_eq!(used(session.step(after(3600))), "new");
}

// Row 61
#[cfg(feature = "agent")]
#[test]
fn an_agent_refreshes_saves_tells_whoever_asks_and_attaches_the_new_token() {
    use oauth2_proto::agent::{Change, Origins};

    use crate::agent_support::{LIFETIME, World, run, stored};

    let world = World::new();
    let store = world.store();
    let agent = world.open(store.clone());
    let agent = agent.with_origins(Origins::new(["https://api.example"]).unwrap());
    world.pass(LIFETIME);
    let call = {
        let agent = agent.clone();
        async move {
            let mut changes = agent.changes();
            let mut request = Request::get("https://api.example/me").body(()).unwrap();
            let generation = agent.attach(&mut request).await.unwrap();
            let mut change = changes.next().await;
            while change != Change::Tokens(generation) {
                change = changes.next().await;
            }
            request
        }
    };
    let request = run(&world, call);
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer access-1");
    assert_eq!(world.requests(), 1);
    // What `token_updater` is for there.
    let State::Authorized(saved) = stored(&store) else { panic!("the new tokens are saved") };
    assert!(saved.is_renewable());
}

// Row 62
#[test]
fn a_refresh_authenticates_the_client_and_repeats_no_scope_unless_asked_for_less() {
    let client = client();
    let plain = refreshing(&client).0;
    assert_eq!(body(&plain), format!("{REFRESH}&client_id=s6BhdRkqt3"));
    let less = Refresh::default().scope("read").param("tenant", "blue");
    let (request, _) = authorized(&client, TOKENS).refresh_with(&less, &client, NOW).unwrap();
    assert_eq!(body(&request), format!("{REFRESH}&scope=read&tenant=blue&client_id=s6BhdRkqt3"));
    // RFC 6749 §6: MUST NOT include any scope not originally granted.
    let more = Refresh::default().scope("admin");
    let failed = authorized(&client, TOKENS).refresh_with(&more, &client, NOW).unwrap_err();
    assert_eq!(failed.error, Error::Misuse(Misuse::Scope));
}

// Row 63
#[test]
fn a_server_without_a_token_endpoint_cannot_be_made() {
    assert_eq!(
        Server::token_only("").unwrap_err(),
        Misuse::Url("token endpoint", "is not an absolute URL")
    );
}

/// What a refresh makes of this answer.
fn refreshed(members: &str) -> oauth2_proto::Authorized {
    let body = format!(r#"{{"access_token":"new","token_type":"Bearer"{members}}}"#);
    let (_, refreshing) = refreshing(&client());
    refreshing.receive(&client(), &answer(200, body), NOW).expect("a good token answer")
}

// Row 64
#[test]
fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let login = refreshed("");
    assert_eq!(login.scope().as_str(), SCOPE);
    let (request, _) = login.refresh(&client(), NOW).unwrap();
    assert!(body(&request).starts_with(REFRESH));
}

// Row 65
#[test]
fn a_refresh_carries_the_secret_of_the_client_without_being_told() {
    let (request, _) = refreshing(&client().with_secret("gX1fBat3bV"));
    assert_eq!(request.headers()[AUTHORIZATION], "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW");
    assert_eq!(body(&request), REFRESH);
}

// Row 66
#[test]
fn nothing_of_a_protected_call_reaches_the_token_endpoint() {
    let mut session = session();
    let mut call = Request::post("https://api.example/notes?page=2")
        .header("x-note", "mine")
        .body(r#"{"text":"private"}"#)
        .unwrap();
    let (ticket, request) = to_send(session.step(after(3600)));
    assert_eq!(body(&request), format!("{REFRESH}&client_id=s6BhdRkqt3"));
    assert_eq!(request.uri(), "https://as.example/token");
    assert!(!request.headers().contains_key("x-note"));
    let _ = session.receive(ticket, &answer(200, NEW), after(3600)).unwrap();
    let Step::Use(token) = session.step(after(3600)) else { panic!("there is a token") };
    token.attach(&mut call).unwrap();
    assert_eq!(*call.body(), r#"{"text":"private"}"#);
}

// Row 67
#[test]
fn an_answer_without_a_lifetime_does_not_keep_the_old_expiry() {
    let login = refreshed("");
    assert_eq!(login.expires_at(), None);
    assert_eq!(login.token(after(1_000_000)).unwrap().expose(), "new");
}

// Row 68
#[test]
fn a_narrowed_scope_loses_no_refresh_token() {
    let login = refreshed(r#","scope":"read","refresh_token":"rotated""#);
    assert_eq!(login.missing_scope().as_str(), "write");
    let (request, _) = login.refresh(&client(), NOW).unwrap();
    assert_eq!(form(&request)[1], ("refresh_token".into(), "rotated".into()));
}

fn invalid_token() -> Challenge {
    let mut refusal = answer(401, "");
    let challenge = http::HeaderValue::from_static(r#"Bearer error="invalid_token""#);
    refusal.headers_mut().insert("www-authenticate", challenge);
    Challenge::from_response(&refusal).remove(0)
}

// Row 69
#[test]
fn a_token_that_a_resource_refuses_is_replaced() {
    let mut session = session();
    let Step::Use(token) = session.step(after(60)) else { panic!("there is a token") };
    let generation = token.generation();
    assert_eq!(session.challenged(generation, &invalid_token(), after(60)), Challenged::Rejected);
    let (ticket, _) = to_send(session.step(after(60)));
    // Nobody else asks meanwhile.
    assert!(matches!(session.step(after(60)), Step::Wait(_)));
    let _ = session.receive(ticket, &answer(200, NEW), after(61)).unwrap();
    assert_eq!(used(session.step(after(61))), "new");
    // Whoever still speaks of the old token is late.
    assert_eq!(session.challenged(generation, &invalid_token(), after(61)), Challenged::Superseded);
}

// Row 69
#[cfg(feature = "agent")]
#[test]
fn a_hundred_callers_cause_one_refresh() {
    use crate::agent_support::{LIFETIME, World, all, block_on, number};

    let world = World::new();
    let agent = world.agent();
    world.pass(LIFETIME);
    let callers = (0..100).map(|_| {
        let agent = agent.clone();
        async move { agent.token().await }
    });
    let tokens = block_on(all(callers));
    assert!(tokens.iter().all(|token| number(token) == 1));
    assert_eq!(world.requests(), 1);
    assert!(!world.theft(), "no refresh token was used twice");
}

// Row 70
#[test]
fn a_request_that_nobody_attaches_a_token_to_has_none() {
    let client = client();
    let login = authorized(&client, TOKENS);
    let with = |attached: bool| {
        let mut request = Request::get("https://api.example/").body(()).unwrap();
        if attached {
            login.attach(&client, &mut request, NOW).unwrap();
        }
        request.headers().contains_key(AUTHORIZATION)
    };
    assert_eq!((with(true), with(false)), (true, false));
}

/// While its answer is awaited, the tokens that are held stay usable.
#[test]
fn the_old_token_works_while_the_new_one_is_on_its_way() {
    let (_, refreshing): (_, Refreshing) = refreshing(&client());
    assert_eq!(refreshing.token(NOW).unwrap().expose(), "2YotnFZFEjr1zCsicMWpAA");
}
