//! Canaries: no secret, token, code, verifier or `state` shows in any `Debug` or `Display`, whether
//! as text, as a list of bytes, in hexadecimal or in base64.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::error::Error as _;
use core::fmt::Debug;
use core::time::Duration;
use std::sync::{Arc, LazyLock};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use http::header::AUTHORIZATION;
use http::{Request, Response};
use oauth2_proto::{
    Authentication, Authorized, AwaitingCallback, AwaitingFragment, AwaitingToken, Callback,
    Client, Code, Coordinator, Effect, Failed, Polling, Received, Refresh, Refreshing, Secret,
    Seed, Server, Session, State, Step, Swapped, Unauthorized, Version,
};
use support::{Counting, NOW, REDIRECT_URI, after, answer, moment, other_client, rng};

const CLIENT_SECRET: &str = "cLiEnTsEcReTnOcAnArYmAySiNg01";
const ACCESS_TOKEN: &str = "aCcEsStOkEnNoCaNaRyMaYsInG02";
const REFRESH_TOKEN: &str = "rEfReShToKeNnOcAnArYmAySiNg03";
const ID_TOKEN: &str = "iDtOkEnNoCaNaRyMaYsInG04OrSo";
const EXTRA: &str = "eXtRaMeMbErNoCaNaRyMaYsInG05";
const CODE: &str = "cOdEnOcAnArYmAySiNg06AtAlLhErE";
/// What [`support::rng`] makes of its first 64 bytes.
const STATE: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const VERIFIER: &str = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8";

const DEVICE_CODE: &str = "dEvIcEcOdEnOcAnArYmAySiNg07At";
const USER_CODE: &str = "uSeRcOdEnOcAnArYmAySiNg08AtAl";
const PASSWORD: &str = "pAsSwOrDnOcAnArYmAySiNg09AtAl";
const ASSERTION: &str = "aSsErTiOnNoCaNaRyMaYsInG10AtA";
const SUBJECT_TOKEN: &str = "sUbJeCtToKeNnOcAnArYmAySiNg11";
const KEPT: &str = "kEpTpArAmEtErNoCaNaRyMaYsInG12";
const RESOURCE_TOKEN: &str = "rEsOuRcEtOkEnNoCaNaRyMaYsInG13";
/// What [`support::rng`] makes of the bytes after a login's id.
const NONCE: &str = "UFFSU1RVVldYWVpbXF1eX2BhYmNkZWZnaGlqa2xtbm8";
/// What a source that counts from 176 makes of its first 32 bytes: the `state` of an implicit login.
const FRAGMENT_STATE: &str = "sLGys7S1tre4ubq7vL2-v8DBwsPExcbHyMnKy8zNzs8";

const CANARIES: [&str; 17] = [
    CLIENT_SECRET,
    ACCESS_TOKEN,
    REFRESH_TOKEN,
    ID_TOKEN,
    EXTRA,
    CODE,
    STATE,
    VERIFIER,
    DEVICE_CODE,
    USER_CODE,
    PASSWORD,
    ASSERTION,
    SUBJECT_TOKEN,
    KEPT,
    RESOURCE_TOKEN,
    NONCE,
    FRAGMENT_STATE,
];

/// Every spelling in which a part of a canary is recognised.
fn spellings(canary: &str) -> Vec<String> {
    let mut spellings: Vec<String> = canary
        .as_bytes()
        .windows(10)
        .map(|part| String::from_utf8(part.to_vec()).unwrap())
        .collect();
    let some = &canary.as_bytes()[..8];
    let list = |numbers: Vec<String>| numbers.join(", ");
    spellings.push(list(some.iter().map(|byte| format!("{byte}")).collect()));
    spellings.push(list(some.iter().map(|byte| format!("{byte:#x}")).collect()));
    spellings.push(list(some.iter().map(|byte| format!("{byte:x}")).collect()));
    spellings.push(some.iter().map(|byte| format!("{byte:02x}")).collect());
    spellings.push(some.iter().map(|byte| format!("{byte:02X}")).collect());
    // Base64 looks different for each position modulo 3; the groups at the edges are left out.
    for before in ["", "x", "xy"] {
        for engine in [STANDARD, URL_SAFE] {
            spellings.push(engine.encode(format!("{before}{canary}"))[4..16].to_owned());
        }
    }
    spellings
}

static SPELLINGS: LazyLock<Vec<String>> =
    LazyLock::new(|| CANARIES.iter().flat_map(|canary| spellings(canary)).collect());

#[track_caller]
fn assert_silent_text(what: &str, text: &str) {
    // A pretty-printed list of bytes has one byte per line.
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for spelling in SPELLINGS.iter() {
        assert!(!text.contains(spelling), "{what} shows a canary as {spelling}: {text}");
    }
}

#[track_caller]
fn assert_silent(what: &str, value: &dyn Debug) {
    assert_silent_text(what, &format!("{value:?}"));
    assert_silent_text(what, &format!("{value:#?}"));
}

/// The three clients: public, with a header, with the secret in the body.
fn clients() -> [Client; 3] {
    [public(), basic(), post()]
}

fn server() -> Server {
    support::server().with_revocation("https://as.example/revoke").expect("https")
}

fn public() -> Client {
    Client::new("s6BhdRkqt3", server())
}

fn basic() -> Client {
    public().with_secret(CLIENT_SECRET)
}

fn post() -> Client {
    public().with_authentication(Authentication::Post(CLIENT_SECRET.into()))
}

fn tokens() -> String {
    format!(
        r#"{{"access_token":"{ACCESS_TOKEN}","token_type":"Bearer","expires_in":3600,"refresh_token":"{REFRESH_TOKEN}","id_token":"{ID_TOKEN}","extra":"{EXTRA}"}}"#
    )
}

fn pending(client: &Client) -> AwaitingCallback {
    client.authorize(REDIRECT_URI).begin(&mut rng(), NOW).expect("a login").1
}

fn code(client: &Client) -> Code {
    let query = format!("code={CODE}&state={STATE}");
    pending(client).accept(client, Callback::query(&query), NOW).expect("our callback")
}

fn authorized(client: &Client) -> Authorized {
    let (_, awaiting) = code(client).redeem(client, NOW).expect("our code");
    awaiting.receive(client, &answer(200, tokens()), NOW).expect("tokens")
}

fn refreshing(client: &Client) -> Refreshing {
    authorized(client).refresh(client, NOW).expect("a refresh token").1
}

fn service(client: &Client) -> Unauthorized {
    // Other ids than those that the canaries are made of.
    client.client_credentials().scope("read").ready(&mut Counting(150)).expect("a login")
}

/// The codes that a device is given.
fn device_codes() -> String {
    format!(
        r#"{{"device_code":"{DEVICE_CODE}","user_code":"{USER_CODE}","verification_uri":"https://as.example/activate","verification_uri_complete":"https://as.example/activate?user_code={USER_CODE}","expires_in":1800}}"#
    )
}

fn polling(client: &Client) -> Polling {
    // Other ids than those that the canaries are made of.
    let request = client.device_authorization().begin(&mut Counting(150), NOW);
    let (_, awaiting) = request.expect("a login");
    awaiting.receive(client, &answer(200, device_codes()), NOW).expect("codes")
}

/// A login of the hybrid flow, with everything that it can hold.
fn hybrid_code(client: &Client) -> Code {
    let request = client.authorize(REDIRECT_URI).hybrid().keep("realmId");
    let (_, pending) = request.begin(&mut rng(), NOW).expect("a login");
    let query = format!("code={CODE}&state={STATE}&id_token={ID_TOKEN}&realmId={KEPT}");
    pending.accept(client, Callback::query(&query), NOW).expect("our callback")
}

fn hybrid(client: &Client) -> Authorized {
    let (_, awaiting) = hybrid_code(client).redeem(client, NOW).expect("our code");
    awaiting.receive(client, &answer(200, tokens()), NOW).expect("tokens")
}

fn fragment(client: &Client) -> AwaitingFragment {
    let request = client.legacy_implicit(REDIRECT_URI).keep("realmId");
    request.begin(&mut Counting(176), NOW).expect("a login").1
}

fn implicit(client: &Client) -> Authorized {
    let callback = format!(
        "access_token={ACCESS_TOKEN}&token_type=Bearer&state={FRAGMENT_STATE}&id_token={ID_TOKEN}&realmId={KEPT}"
    );
    fragment(client).accept(client, Callback::query(&callback), NOW).expect("our callback")
}

/// A login that has a token for one resource besides.
fn several(client: &Client) -> Authorized {
    let login = hybrid(client).refresh_for("https://api.example/", client, NOW).expect("ok").1;
    let answer = answer(200, tokens().replace(ACCESS_TOKEN, RESOURCE_TOKEN));
    login.receive(client, &answer, NOW).expect("tokens")
}

/// Every grant that shows something once, with its request.
fn one_time(client: &Client) -> Vec<(Request<oauth2_proto::Body>, AwaitingToken)> {
    // Each has the same id: others are what canaries are made of.
    let rng = || Counting(150);
    let exchange = client.token_exchange(SUBJECT_TOKEN, "urn:x").actor(SUBJECT_TOKEN, "urn:x");
    vec![
        client.legacy_password("johndoe", PASSWORD).begin(&mut rng(), NOW).expect("a login"),
        client.jwt_bearer(ASSERTION).begin(&mut rng(), NOW).expect("a login"),
        client.saml2_bearer(ASSERTION.as_bytes()).begin(&mut rng(), NOW).expect("a login"),
        exchange.begin(&mut rng(), NOW).expect("a login"),
        client
            .extension_grant("urn:x")
            .param("otp", PASSWORD)
            .begin(&mut rng(), NOW)
            .expect("a login"),
    ]
}

/// A login in every state that there is.
fn states(client: &Client) -> Vec<State> {
    let renewing = service(client).renew(client, NOW).expect("due").1;
    let obtained = service(client).renew(client, NOW).expect("due").1;
    let obtained = obtained.receive(client, &answer(200, tokens()), NOW).expect("tokens");
    let ended = State::from(authorized(client)).sign_out(client, NOW).expect("our login").0;
    let of_one_request = one_time(client).into_iter().map(|(_, awaiting)| awaiting.into());
    let others: Vec<State> = of_one_request.collect();
    let mut states: Vec<State> = vec![
        fragment(client).into(),
        implicit(client).into(),
        hybrid(client).into(),
        several(client).into(),
        several(client).refresh_for("https://b.example/", client, NOW).expect("ok").1.into(),
        polling(client).into(),
        polling(client).poll(client, after(5)).expect("due").1.into(),
        pending(client).into(),
        code(client).redeem(client, NOW).expect("our code").1.into(),
        authorized(client).into(),
        refreshing(client).into(),
        refreshing(client).unanswered(NOW).into(),
        ended.into(),
        service(client).into(),
        renewing.into(),
        obtained.into(),
    ];
    states.extend(others);
    states
}

// The canaries themselves

#[test]
fn a_canary_sings_in_every_spelling() {
    let sings = |text: String| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        spellings(ACCESS_TOKEN).iter().any(|spelling| text.contains(spelling))
    };
    let bytes = ACCESS_TOKEN.as_bytes();
    assert!(sings(format!("{ACCESS_TOKEN:?}")));
    assert!(sings(format!("token={}", &ACCESS_TOKEN[7..20])));
    assert!(sings(format!("{bytes:?}")));
    assert!(sings(format!("{bytes:#?}")));
    assert!(sings(format!("{bytes:x?}")));
    assert!(sings(format!("{bytes:#x?}")));
    for text in [ACCESS_TOKEN.into(), format!(":{ACCESS_TOKEN}"), format!("id:{ACCESS_TOKEN}")] {
        assert!(sings(STANDARD.encode(&text)));
        assert!(sings(URL_SAFE.encode(&text)));
    }
    assert!(!sings("aCcEsS".into()));
}

#[test]
fn the_canaries_are_on_board() {
    let client = post();
    let stored = serde_json::to_string(&pending(&client)).unwrap();
    assert!(stored.contains(STATE) && stored.contains(VERIFIER), "{stored}");
    let stored = serde_json::to_string(&refreshing(&client)).unwrap();
    for canary in [ACCESS_TOKEN, REFRESH_TOKEN, ID_TOKEN, EXTRA] {
        assert!(stored.contains(canary), "{stored}");
    }
    let (request, _) = code(&client).redeem(&client, NOW).unwrap();
    for canary in [CODE, VERIFIER, CLIENT_SECRET] {
        assert!(support::body(&request).contains(canary));
    }
    let stored = serde_json::to_string(&fragment(&client)).unwrap();
    assert!(stored.contains(FRAGMENT_STATE), "{stored}");
    let stored = serde_json::to_string(&several(&client)).unwrap();
    for canary in [ACCESS_TOKEN, RESOURCE_TOKEN, NONCE, KEPT] {
        assert!(stored.contains(canary), "{stored}");
    }
    let stored = serde_json::to_string(&polling(&client)).unwrap();
    assert!(stored.contains(DEVICE_CODE) && stored.contains(USER_CODE), "{stored}");
    let shown: String = one_time(&client).iter().map(|(it, _)| support::body(it)).collect();
    for canary in [PASSWORD, ASSERTION, SUBJECT_TOKEN] {
        assert!(shown.contains(canary), "{shown}");
    }
}

// Values

#[test]
fn a_secret_shows_nothing_of_itself() {
    assert_eq!(format!("{:?}", Secret::new(CLIENT_SECRET)), "Secret(..)");
    assert_silent("Secret", &Some(vec![Secret::from(CLIENT_SECRET)]));
}

#[test]
fn a_client_shows_no_secret() {
    for client in clients() {
        assert_silent("Client", &client);
        assert_silent("AuthorizationRequest", &client.authorize(REDIRECT_URI));
        assert_silent("ClientCredentialsRequest", &client.client_credentials().scope("read"));
        let device = client.device_authorization().param("p", PASSWORD);
        assert_silent("DeviceAuthorizationRequest", &device);
        let implicit = client.legacy_implicit(REDIRECT_URI).param("p", PASSWORD);
        assert_silent("LegacyImplicitRequest", &implicit);
        assert_silent("TokenRequest", &client.legacy_password("johndoe", PASSWORD));
        assert_silent("TokenRequest", &client.jwt_bearer(ASSERTION));
        assert_silent("TokenRequest", &client.saml2_bearer(ASSERTION.as_bytes()));
        assert_silent("TokenRequest", &client.extension_grant("urn:x").param("p", PASSWORD));
        let exchange = client.token_exchange(SUBJECT_TOKEN, "urn:x").actor(SUBJECT_TOKEN, "urn:x");
        assert_silent("TokenExchange", &exchange);
        assert_silent("Refresh", &Refresh::default().param("p", PASSWORD));
    }
    assert_silent("Authentication", &Authentication::Basic(CLIENT_SECRET.into()));
    assert_silent("Authentication", &Authentication::Post(CLIENT_SECRET.into()));
    for raw in [
        Authentication::DangerousRawBasic(CLIENT_SECRET.into()),
        Authentication::DangerousRawLatin1Basic(CLIENT_SECRET.into()),
    ] {
        assert_silent("Authentication", &raw);
        assert_silent("Client", &public().with_authentication(raw));
    }
}

#[test]
fn a_callback_shows_neither_code_nor_state() {
    let query = format!("code={CODE}&state={STATE}");
    let url = format!("{REDIRECT_URI}?{query}");
    let uri: http::Uri = url.parse().unwrap();
    assert_silent("Callback", &Callback::query(&query));
    assert_silent("Callback", &Callback::url(&url));
    assert_silent("Callback", &Callback::from(&uri));
    assert_silent("Callback", &Callback::from(&url::Url::parse(&url).unwrap()));
    assert_silent("Callback", &Callback::form_post(query.as_bytes()));
    let posted = Request::post("/callback").body(query.clone()).unwrap();
    assert_silent("Callback", &Callback::from(&posted));
}

#[test]
fn a_code_shows_nothing_of_itself() {
    for client in clients() {
        assert_silent("Code", &code(&client));
        assert_silent("Code", &hybrid_code(&client));
        assert_silent("Code::id_token", &hybrid_code(&client).id_token());
    }
}

#[test]
fn an_access_token_shows_nothing_of_itself() {
    let tokens = authorized(&public());
    let token = tokens.token(NOW).unwrap();
    assert_silent("AccessToken", token);
    assert_silent("Authorized::id_token", &tokens.id_token());
    let mut request = Request::get("https://api.example/").body(()).unwrap();
    token.attach(&mut request).unwrap();
    assert!(request.headers()[AUTHORIZATION].is_sensitive());
    assert_silent("a request with a token", &request);
}

// States

#[test]
fn no_state_shows_what_it_holds() {
    for client in clients() {
        for state in states(&client) {
            assert_silent("State", &state);
            match state {
                State::Unauthorized(state) => assert_silent("Unauthorized", &state),
                State::Authorizing(state) => assert_silent("Authorizing", &state),
                State::Authorized(state) => assert_silent("Authorized", &state),
                State::Refreshing(state) => assert_silent("Refreshing", &state),
            }
        }
    }
}

#[test]
fn a_loaded_state_shows_no_more_than_before() {
    for state in states(&basic()) {
        let loaded: State = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
        assert_silent("a loaded State", &loaded);
    }
}

// Requests

/// Every request that a client makes.
fn requests(client: &Client) -> Vec<Request<oauth2_proto::Body>> {
    let mut requests = vec![
        code(client).redeem(client, NOW).expect("our code").0,
        authorized(client).refresh(client, NOW).expect("a refresh token").0,
        service(client).renew(client, NOW).expect("due").0,
    ];
    requests.extend(State::from(refreshing(client)).sign_out(client, NOW).expect("our login").1);
    requests.push(several(client).refresh_for("https://b.example/", client, NOW).expect("ok").0);
    requests.push(client.device_authorization().begin(&mut Counting(150), NOW).expect("ok").0);
    requests.push(polling(client).poll(client, after(5)).expect("due").0);
    requests.extend(one_time(client).into_iter().map(|(request, _)| request));
    requests
}

#[test]
fn no_request_shows_what_it_carries() {
    for client in clients() {
        let requests = requests(&client);
        assert_eq!(requests.len(), 13, "two tokens are revoked");
        for request in requests {
            assert_silent("Request<Body>", &request);
            assert_silent("Body", request.body());
            assert_silent("Uri", request.uri());
            for (name, value) in request.headers() {
                assert_eq!(value.is_sensitive(), name == AUTHORIZATION, "{name}");
            }
        }
    }
}

#[test]
fn a_body_shows_its_length() {
    let (request, _) = code(&post()).redeem(&post(), NOW).unwrap();
    let length = request.body().len();
    assert_eq!(format!("{:?}", request.body()), format!("Body({length} bytes)"));
}

// Failures

/// Answers with canaries in them, of every kind that is refused.
fn bad_answers() -> Vec<Response<Vec<u8>>> {
    let good = tokens();
    let mut bodies: Vec<String> = vec![
        good.clone(),
        format!("{good}{good}"),
        good.replace("3600", "-1"),
        good.replace("\"Bearer\"", "1"),
        good.replace("\"refresh_token\"", "\"access_token\""),
        good.replace("\"token_type\":\"Bearer\",", ""),
        good.replace(ACCESS_TOKEN, &format!("{ACCESS_TOKEN}\\n")),
        good.replace("\"extra\"", "\"error\":{},\"extra\""),
        good.replace("\"extra\"", "\"error\":\"invalid_grant\",\"extra\""),
        good.replace("\"extra\"", "\"error\":\"invalid_client\",\"extra\""),
        format!("access_token={ACCESS_TOKEN}&refresh_token={REFRESH_TOKEN}"),
        format!("<input name=code value=\"{CODE}\"><input value={CLIENT_SECRET}>"),
        format!("client_secret: {CLIENT_SECRET}, code: {CODE}"),
    ];
    bodies.extend((1..good.len()).step_by(11).map(|end| good[..end].to_owned()));
    let statuses = [200, 201, 302, 400, 401, 404, 429, 503];
    let answers = bodies.iter().flat_map(|body| statuses.map(|status| answer(status, &**body)));
    answers.collect()
}

#[track_caller]
fn assert_silent_failure(failed: &Failed) {
    assert_silent("Failed", failed);
    assert_silent("Error", &failed.error);
    assert_silent_text("Failed", &failed.to_string());
    assert_silent_text("Error", &failed.error.to_string());
    assert_silent_text("source of Failed", &failed.source().expect("the error").to_string());
    if let oauth2_proto::Error::Malformed(malformed) = &failed.error
        && let Some(diagnostics) = malformed.diagnostics()
    {
        assert_silent("Diagnostics", diagnostics);
        assert_silent_text("Diagnostics", diagnostics.excerpt());
    }
}

#[test]
fn no_failure_shows_what_it_is_about() {
    let client = basic();
    let mut failures = 0;
    for response in bad_answers() {
        let (_, awaiting) = code(&client).redeem(&client, NOW).unwrap();
        let (_, renewing) = service(&client).renew(&client, NOW).unwrap();
        let results = [
            awaiting.receive(&client, &response, NOW),
            renewing.receive(&client, &response, NOW),
            refreshing(&client).receive(&client, &response, NOW),
            several(&client).refresh(&client, NOW).unwrap().1.receive(&client, &response, NOW),
        ];
        let polled = polling(&client).poll(&client, after(5)).unwrap().1;
        match polled.receive(&client, &response, after(5)) {
            Ok(polled) => assert_silent("Polled", &polled),
            Err(failed) => assert_silent_failure(&failed),
        }
        for (_, awaiting) in one_time(&client) {
            if let Err(failed) = awaiting.receive(&client, &response, NOW) {
                assert_silent_failure(&failed);
            }
        }
        for failed in results.into_iter().filter_map(Result::err) {
            assert_silent_failure(&failed);
            failures += 1;
        }
    }
    assert!(failures > 500, "{failures} failures");
}

#[test]
fn a_refusal_that_echoes_what_was_shown_is_silent() {
    let client = basic();
    for canary in CANARIES {
        let echo = answer(
            400,
            format!(r#"{{"error":"invalid_grant","error_description":"no {canary}"}}"#),
        );
        let polled = polling(&client).poll(&client, after(5)).unwrap().1;
        if canary == DEVICE_CODE {
            assert_silent_failure(&polled.receive(&client, &echo, after(5)).unwrap_err());
        }
        for (request, awaiting) in one_time(&client) {
            if support::body(&request).contains(canary) {
                assert_silent_failure(&awaiting.receive(&client, &echo, NOW).unwrap_err());
            }
        }
    }
}

#[test]
fn codes_that_cannot_be_read_are_not_shown() {
    let client = basic();
    let good = device_codes();
    let mut answers: Vec<String> = (1..good.len()).map(|end| good[..end].to_owned()).collect();
    answers.push(good.replace("https://as.example", "javascript:"));
    answers.push(good.replace(USER_CODE, &format!("{USER_CODE}\\n")));
    answers.push(good.replace("1800", &format!("\"{DEVICE_CODE}\"")));
    for body in answers {
        for status in [200, 400, 404, 503] {
            let request = client.device_authorization().begin(&mut Counting(150), NOW);
            let (_, awaiting) = request.unwrap();
            assert_silent("AwaitingUserCode", &awaiting);
            let error = awaiting.receive(&client, &answer(status, &*body), NOW).unwrap_err();
            assert_silent("Error", &error);
            assert_silent_text("Error", &error.to_string());
            if let oauth2_proto::Error::Malformed(malformed) = &error
                && let Some(diagnostics) = malformed.diagnostics()
            {
                assert_silent_text("Diagnostics", diagnostics.excerpt());
            }
        }
    }
}

#[test]
fn a_refused_fragment_shows_nothing_of_itself() {
    let client = basic();
    let ours = format!("access_token={ACCESS_TOKEN}&state={FRAGMENT_STATE}");
    for fragment in [
        ours.clone(),
        format!("{ours}&token_type=Bearer&expires_in={CODE}"),
        format!("{ours}%00&token_type=Bearer"),
        format!("{ours}&token_type=Bearer&access_token={ACCESS_TOKEN}"),
        format!("access_token={ACCESS_TOKEN}&state={CODE}"),
    ] {
        let pending = self::fragment(&client);
        let error = pending.accept(&client, Callback::query(&fragment), NOW).unwrap_err();
        assert_silent("Error", &error);
        assert_silent_text("Error", &error.to_string());
        if let oauth2_proto::Error::Malformed(malformed) = &error {
            assert_silent("Malformed", &malformed.diagnostics());
        }
    }
}

#[test]
fn misuse_shows_nothing_of_the_state_that_it_leaves() {
    let (client, other) = (basic(), other_client());
    assert_silent_failure(&authorized(&client).refresh(&other, NOW).unwrap_err());
    assert_silent_failure(&refreshing(&client).retry(&client, NOW).unwrap_err());
    assert_silent_failure(&refreshing(&client).retry(&other, NOW).unwrap_err());
    assert_silent_failure(&code(&client).redeem(&other, NOW).unwrap_err());
    assert_silent_failure(&service(&client).renew(&other, NOW).unwrap_err());
    assert_silent_failure(&State::from(authorized(&client)).sign_out(&other, NOW).unwrap_err());
    assert_silent_failure(&Session::new(Arc::new(other), authorized(&client)).unwrap_err());
}

#[test]
fn a_refused_callback_shows_nothing_of_itself() {
    let client = Client::new("id", server().with_issuer("https://as.example"));
    let ours = format!("code={CODE}&state={STATE}");
    for query in [
        format!("code={CODE}&state={CODE}"),
        format!("{ours}&code={CODE}"),
        format!("{ours}&iss={CODE}"),
        format!("code={CODE}%00&state={STATE}"),
        format!("coda={CODE}&state={STATE}"),
        format!("{ours}&error=access_denied"),
    ] {
        for now in [NOW, after(601)] {
            let error = pending(&client).accept(&client, Callback::query(&query), now).unwrap_err();
            assert_silent("Error", &error);
            assert_silent_text("Error", &error.to_string());
        }
    }
    for url in [format!("https://evil.example/?{ours}"), ours.clone()] {
        let error = pending(&client).accept(&client, Callback::url(&url), NOW).unwrap_err();
        assert_silent("Error", &error);
        assert_silent_text("Error", &error.to_string());
    }
}

#[test]
fn a_stored_state_that_is_refused_shows_nothing_of_itself() {
    for state in states(&basic()) {
        let stored = serde_json::to_string(&state).unwrap();
        for (from, to) in
            [(ACCESS_TOKEN, format!("{ACCESS_TOKEN}\\n")), (VERIFIER, format!("{VERIFIER}="))]
        {
            if stored.contains(from) {
                let error = serde_json::from_str::<State>(&stored.replace(from, &to)).unwrap_err();
                assert_silent("a serde error", &error);
                assert_silent_text("a serde error", &error.to_string());
            }
        }
        for end in 0..stored.len() {
            let error = serde_json::from_str::<State>(&stored[..end]).unwrap_err();
            assert_silent_text("a serde error", &error.to_string());
        }
    }
}

// The drivers

#[test]
fn a_session_shows_no_token() {
    let client = Arc::new(basic());
    let mut session = Session::new(client.clone(), authorized(&client)).unwrap();
    assert_silent("Session", &session);
    assert_silent("Step::Use", &session.step(NOW));
    let step = session.step(after(3590));
    assert!(matches!(step, Step::Send(..)), "{step:?}");
    assert_silent("Step::Send", &step);
    let Step::Send(ticket, _) = step else { panic!("it is due") };
    assert_silent("Ticket", &ticket);
    let ended = session.sign_out(NOW);
    assert_eq!(ended.len(), 2);
    assert_silent("revocations", &ended);
    let late = session.receive(ticket, &answer(200, tokens()), after(3590));
    assert!(matches!(late, Ok(Received::Late(_))), "{late:?}");
    assert_silent("Received::Late", &late);
    assert_silent("Session", &session);
}

#[test]
fn a_coordinator_shows_no_token() {
    enum Report {
        Load,
        Swap,
        Send,
        Done,
    }
    let client = Arc::new(basic());
    let mut coordinator =
        Coordinator::new(client.clone(), &mut Seed::new(&mut Counting(150)).unwrap());
    assert_silent_failure(&coordinator.log_in(pending(&client)).unwrap_err());
    coordinator.log_in(authorized(&client)).unwrap();
    let now = moment(3590);
    let ask = coordinator.refresh(Duration::from_secs(10), now).unwrap();
    let (mut sent, mut done) = (false, false);
    for number in 0..20 {
        let effect = coordinator.poll(&ask, now);
        assert_silent("Effect", &effect);
        let report = if matches!(effect, Effect::Load) {
            Report::Load
        } else if matches!(effect, Effect::Swap(..)) {
            Report::Swap
        } else if matches!(effect, Effect::Send(..)) {
            Report::Send
        } else {
            assert!(matches!(effect, Effect::Give(Ok(_))), "{effect:?}");
            Report::Done
        };
        match report {
            Report::Load => coordinator.loaded(Ok(None), now),
            Report::Swap => coordinator.swapped(Ok(Swapped::Stored(Version::new(number))), now),
            Report::Send => {
                sent = true;
                coordinator.received(&answer(200, tokens()), now);
            }
            Report::Done => {
                done = true;
                break;
            }
        }
        assert_silent("Coordinator", &coordinator);
    }
    assert!(sent && done, "the coordinator refreshed");
}
