//! Rows 1 to 8: the session object.

use http::Request;
use http::header::AUTHORIZATION;
use oauth2_proto::{Callback, Client, Error, Expired, Misuse, State, TokenRecord};

use crate::support::{
    CODE, NOW, REDIRECT_URI, SCOPE, TOKENS, after, answer, authorized, begin, body, client,
    parameter, refreshing, rng, server,
};

const API: &str = "https://api.example/me";

// Row 1
#[test]
fn one_client_begins_many_logins_that_share_nothing() {
    let client = client().with_secret("gX1fBat3bV");
    let mut rng = rng();
    let mut log_in = |scope| {
        client.authorize(REDIRECT_URI).scope(scope).begin(&mut rng, NOW).expect("a usable login")
    };
    let ((first_url, first), (second_url, second)) = (log_in("read"), log_in("write"));
    assert_ne!(first.login(), second.login());
    for name in ["state", "code_challenge"] {
        assert_ne!(parameter(&first_url, name), parameter(&second_url, name));
    }
    // Each of them is finished with the same client, and only by its own callback.
    let callback = format!("code={CODE}&state={}", parameter(&second_url, "state"));
    assert!(matches!(
        first.accept(&client, Callback::query(&callback), NOW),
        Err(Error::Forged(_))
    ));
    let code = second.accept(&client, Callback::query(&callback), NOW).unwrap();
    let (_, awaiting) = code.redeem(&client, NOW).unwrap();
    let login = awaiting.receive(&client, &answer(200, TOKENS), NOW).unwrap();
    assert_eq!(login.scope().as_str(), "write");
}

// Row 2
#[test]
fn there_is_no_challenge_method_to_choose_and_none_to_forget() {
    let client = client();
    for request in [client.authorize(REDIRECT_URI), client.authorize(REDIRECT_URI).hybrid()] {
        let (url, _) = request.begin(&mut rng(), NOW).unwrap();
        assert_eq!(parameter(&url, "code_challenge_method"), "S256");
        assert_eq!(parameter(&url, "code_challenge").len(), 43);
    }
}

// Row 3
#[test]
fn state_is_the_machines_own_and_cannot_be_set() {
    let (url, _) = begin(&client());
    let state = parameter(&url, "state");
    assert_eq!(state.len(), 43, "256 bits");
    assert!(state.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    let client = client();
    let mine = client.authorize(REDIRECT_URI).param("state", "mine");
    assert_eq!(
        mine.begin(&mut rng(), NOW).unwrap_err(),
        Error::Misuse(Misuse::Parameter("state".into()))
    );
}

// Row 4
#[test]
fn the_token_replaces_whatever_credentials_a_client_had_added() {
    let login = authorized(&client(), TOKENS);
    let netrc = Request::get(API).header(AUTHORIZATION, "Basic bmV0cmM6cGFzc3dvcmQ=");
    let mut request = netrc.body(()).unwrap();
    login.attach(&client(), &mut request, NOW).unwrap();
    let headers: Vec<_> = request.headers().get_all(AUTHORIZATION).iter().collect();
    assert_eq!(headers, ["Bearer 2YotnFZFEjr1zCsicMWpAA"]);
}

// Row 5
#[test]
fn a_login_says_what_it_has_and_an_expired_token_does_not_count() {
    let client = client();
    let login = authorized(&client, TOKENS);
    assert_eq!(client.id(), "s6BhdRkqt3");
    assert_eq!(login.scope().as_str(), SCOPE);
    assert_eq!(login.token(NOW).unwrap().expose(), "2YotnFZFEjr1zCsicMWpAA");
    // There, `authorized` stays true for a token that has expired.
    assert!(login.token(after(3600)).is_none());
    let State::Authorized(login) = State::from(login) else { panic!("it is authorized") };
    assert!(login.is_renewable());
}

// Row 6
#[test]
fn a_token_dict_from_storage_becomes_a_login() {
    let client = client();
    let load = |json: &str| {
        let record = TokenRecord::requests_oauthlib(json, NOW).expect("a token dict");
        client.adopt(record, &mut rng(), NOW).expect("its token is usable")
    };
    // `expires_in` counts from the moment of loading, `'-30'` too: it has expired.
    let fresh = load(r#"{"access_token":"a","token_type":"Bearer","expires_in":3600}"#);
    assert_eq!(fresh.expires_at(), Some(after(3600)));
    let expired = load(
        r#"{"access_token":"a","refresh_token":"r","token_type":"Bearer","expires_in":"-30"}"#,
    );
    assert!(expired.token(NOW).is_none());
    let (request, _) = expired.refresh(&client, NOW).unwrap();
    assert_eq!(body(&request), "grant_type=refresh_token&refresh_token=r&client_id=s6BhdRkqt3");
    // `expires_at` wins. The library stores a float, and a scope as a list.
    let login = load(
        r#"{"access_token":"a","token_type":"Bearer","expires_in":3600,"expires_at":1700000010.25,
            "scope":["read","write"],"instance_url":"https://x.example"}"#,
    );
    assert_eq!(login.expires_at(), Some(after(10)));
    assert_eq!(login.scope().as_str(), "read write");
    assert_eq!(login.extra::<String>("instance_url").as_deref(), Some("https://x.example"));
    // A date, which never expires there, is one here.
    let dated = load(r#"{"access_token":"a","expires_at":"2023-11-14T22:13:30Z"}"#);
    assert_eq!(dated.expires_at(), Some(after(10)));
}

// Row 7, E3
#[test]
fn new_tokens_come_as_a_value_and_every_login_has_a_new_state() {
    let client = client();
    let mut rng = rng();
    let mut state = || {
        let (url, _) = client.authorize(REDIRECT_URI).begin(&mut rng, NOW).unwrap();
        parameter(&url, "state")
    };
    assert_ne!(state(), state());
    let (_, refreshing) = refreshing(&client);
    let renewed = answer(200, r#"{"access_token":"new","token_type":"Bearer"}"#);
    let login = refreshing.receive(&client, &renewed, NOW).unwrap();
    assert_eq!(login.token(NOW).unwrap().expose(), "new");
}

// Row 8
#[test]
fn a_token_goes_onto_one_request() {
    let client = Client::new("cid", server());
    let login = authorized(&client, TOKENS);
    let mut request = Request::get(API).body(()).unwrap();
    login.attach(&client, &mut request, NOW).unwrap();
    assert_eq!(request.headers()[AUTHORIZATION], "Bearer 2YotnFZFEjr1zCsicMWpAA");
    let mut clear = Request::get("http://api.example/me").body(()).unwrap();
    assert_eq!(
        login.attach(&client, &mut clear, NOW).unwrap_err(),
        Error::Misuse(Misuse::PlainHttp)
    );
    assert!(clear.headers().is_empty());
    let mut late = Request::get(API).body(()).unwrap();
    assert_eq!(
        login.attach(&client, &mut late, after(3600)).unwrap_err(),
        Error::Expired(Expired::Token)
    );
    // The token alone works as well, without a login around it.
    let token = login.token(NOW).unwrap();
    token.attach(&mut late).unwrap();
    assert_eq!(late.headers()[AUTHORIZATION], "Bearer 2YotnFZFEjr1zCsicMWpAA");
}
