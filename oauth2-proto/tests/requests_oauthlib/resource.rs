//! Rows 49 and 71 to 76: using the token.

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, Request};
use oauth2_proto::{
    Authentication, Authorized, Body, Callback, Client, Error, Expired, Misuse, Problem, Server,
    TokenRecord,
};
use serde_json::json;

use crate::support::{
    NOW, TOKENS, after, answer, authorized, begin, body, client, pending, receive, rng, server,
};

const API: &str = "https://api.example/notes?page=2";

fn request(method: Method, uri: &str, content: &str) -> Request<Body> {
    let form = "application/x-www-form-urlencoded";
    let request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, form);
    request.body(Body::from(content.to_owned())).expect("a request")
}

/// A login with a token of this type.
fn of_type(token_type: &str) -> Authorized {
    let members = r#""access_token":"h480djs93hd8","mac_key":"adijq39jdlaska9asud""#;
    authorized(
        &client(),
        &format!(r#"{{{members},"token_type":"{token_type}","mac_algorithm":"hmac-sha-256"}}"#),
    )
}

// Row 71
#[test]
fn a_token_goes_into_the_header_or_a_form_or_dangerously_into_the_query() {
    let token = of_type("bEaReR").token(NOW).unwrap().clone();
    let mut header = request(Method::GET, API, "");
    token.attach(&mut header).unwrap();
    assert_eq!(header.headers()[AUTHORIZATION], "Bearer h480djs93hd8");
    let mut query = request(Method::GET, API, "");
    token.dangerous_attach_to_query(&mut query).unwrap();
    assert_eq!(query.uri(), "https://api.example/notes?page=2&access_token=h480djs93hd8");
    assert_eq!(query.headers()[CACHE_CONTROL], "no-store");
    let mut form = request(Method::POST, API, "text=hello");
    token.attach_to_form(&mut form).unwrap();
    assert_eq!(body(&form), "text=hello&access_token=h480djs93hd8");
    // What is no form is left as it was, and said so.
    let mut json = request(Method::POST, API, "{}");
    json.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    assert!(matches!(token.attach_to_form(&mut json), Err(Error::Misuse(Misuse::Presentation(_)))));
    assert_eq!(body(&json), "{}");
}

// Row 72
#[test]
fn a_mac_token_is_kept_with_its_key_and_refused_where_a_bearer_token_is_due() {
    let login = of_type("mac");
    let mut call = request(Method::GET, API, "");
    let Err(Error::Malformed(malformed)) = login.attach(&client(), &mut call, NOW) else {
        panic!("it is no bearer token");
    };
    assert_eq!(*malformed.problem(), Problem::TokenType("mac".into()));
    assert!(!call.headers().contains_key(AUTHORIZATION));
    // What the program needs to sign by itself.
    assert_eq!(login.token(NOW).unwrap().expose(), "h480djs93hd8");
    assert_eq!(login.extra::<String>("mac_key").as_deref(), Some("adijq39jdlaska9asud"));
    assert_eq!(login.extra::<String>("mac_algorithm").as_deref(), Some("hmac-sha-256"));
}

// Row 73
#[test]
fn no_token_goes_out_in_the_clear_or_when_there_is_none() {
    let client = client();
    let login = authorized(&client, TOKENS);
    for uri in ["http://api.example/", "http://api.example:443/", "/notes"] {
        let mut call = request(Method::GET, uri, "");
        assert_eq!(
            login.attach(&client, &mut call, NOW).unwrap_err(),
            Error::Misuse(Misuse::PlainHttp)
        );
    }
    let mut call = request(Method::GET, API, "");
    let expired = Error::Expired(Expired::Token);
    assert_eq!(login.attach(&client, &mut call, after(3600)).unwrap_err(), expired);
    let none = client.adopt(TokenRecord::from_refresh_token("r"), &mut rng(), NOW).unwrap();
    assert_eq!(none.attach(&client, &mut call, NOW).unwrap_err(), expired);
}

// Row 74
#[cfg(feature = "agent")]
#[test]
fn a_redirect_to_another_origin_gets_no_token() {
    use oauth2_proto::agent::Origins;

    use crate::agent_support::{World, block_on};

    let origins = Origins::new(["https://api.example"]).unwrap();
    let agent = World::new().agent().with_origins(origins);
    let follow = |uri: &str| {
        let mut call = request(Method::GET, uri, "");
        (block_on(agent.attach(&mut call)), call.headers().contains_key(AUTHORIZATION))
    };
    assert!(matches!(follow("https://api.example/moved"), (Ok(_), true)));
    for elsewhere in ["https://evil.example/", "https://api.example:8443/", "http://api.example/"] {
        assert_eq!(follow(elsewhere), (Err(Error::Misuse(Misuse::Origin)), false), "{elsewhere}");
    }
}

// Row 75
#[test]
fn one_token_can_be_revoked_by_hand() {
    let server = server().with_revocation("https://as.example/revoke").unwrap();
    let client = Client::new("s6BhdRkqt3", server).with_secret("gX1fBat3bV");
    let (request, awaiting) = client.revocation("tok", Some("access_token"), NOW).unwrap();
    assert_eq!((request.method(), request.uri().path()), (&Method::POST, "/revoke"));
    assert_eq!(body(&request), "token=tok&token_type_hint=access_token");
    awaiting.receive(&client, &answer(200, "")).unwrap();
    let (request, _awaiting) = client.revocation("tok", None, NOW).unwrap();
    assert_eq!(body(&request), "token=tok");
    assert!(matches!(
        Client::new("id", Server::token_only("https://as.example/token").unwrap())
            .revocation("tok", None, NOW),
        Err(Error::Misuse(Misuse::NoEndpoint("revocation endpoint")))
    ));
}

// Row 76
#[test]
fn nothing_that_can_be_logged_shows_a_secret() {
    const CANARY: &str = "canary";
    let tokens = r#"{"access_token":"canary-a","token_type":"Bearer","refresh_token":"canary-r",
        "id_token":"canary-i","mine":"canary-x"}"#;
    let clients = [
        client().with_secret("canary-secret"),
        client().with_authentication(Authentication::Post("canary-secret".into())),
    ];
    for client in clients {
        let (_, begun) = begin(&client);
        let (callback, query) = pending(&client);
        let query = format!("code=canary-code&{}", query.split_once('&').unwrap().1);
        let given = Callback::query(&query);
        let code = callback.accept(&client, given.clone(), NOW).unwrap();
        let shown = format!("{client:?} {begun:?} {given:?} {code:?}");
        let (request, awaiting) = code.redeem(&client, NOW).unwrap();
        let shown = format!("{shown} {request:?} {awaiting:?}");
        let login = awaiting.receive(&client, &answer(200, tokens), NOW).unwrap();
        let shown = format!("{shown} {login:?} {:?}", login.token(NOW));
        let (request, refreshing) = login.refresh(&client, NOW).unwrap();
        let shown = format!("{shown} {request:?} {refreshing:?}");
        // An answer that breaks off in the middle of a token.
        let broken = receive(&client, &answer(200, r#"{"access_token":"canary-a"#)).unwrap_err();
        let shown = format!("{shown} {broken:?} {broken}");
        assert!(!shown.contains(CANARY), "{shown}");
    }
}

// Row 49
#[test]
fn an_unknown_token_type_is_an_error_only_when_the_token_is_used() {
    let login = of_type("example");
    let token = login.token(NOW).unwrap();
    assert_eq!(token.token_type(), "example");
    let error = token.attach(&mut request(Method::GET, API, "")).unwrap_err();
    assert!(error.to_string().starts_with(
        "the authorization server issued a token of type example, and only bearer tokens can be \
         attached"
    ));
    let missing = receive(&client(), &answer(200, r#"{"access_token":"a"}"#)).unwrap_err();
    let Error::Malformed(malformed) = missing.error else { panic!("it has no type") };
    assert_eq!(*malformed.problem(), Problem::MemberMissing("token_type"));
    // A server that leaves the type out says so nowhere; its dialect does.
    let usual = serde_json::from_value(json!({ "default_token_type": "Bearer" })).unwrap();
    let client = client().with_dialect(usual);
    let login = receive(&client, &answer(200, r#"{"access_token":"a"}"#)).unwrap();
    assert_eq!(login.token(NOW).unwrap().token_type(), "Bearer");
}
