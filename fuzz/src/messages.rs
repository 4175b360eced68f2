//! The messages around a login: introspection (RFC 7662), revocation (RFC 7009), pushed requests
//! (RFC 9126), step-up (RFC 9470), and the records of tokens that other programs have stored.

use http::header::WWW_AUTHENTICATE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use oauth2_proto::{
    Authorized, Body, Challenge, Client, Error, Server, Session, Step, StepUp, TokenRecord,
};

use super::scenario::{
    Counting, NOW, REDIRECT_URI, assert_showable, authorized, line, response, stored,
};

/// Reads `kind LF` and then, by the kind: `a` an answer (`status LF (name: value LF)* LF body`) of
/// each of the three endpoints, `c` a challenge, `r` a record in each format.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let (kind, rest) = line(data);
    match kind {
        b"a" => {
            let Some(response) = response(rest) else { return };
            introspected(&response);
            revoked(&response);
            pushed(&response);
        }
        b"c" => challenged(rest),
        b"r" => {
            let Ok(json) = str::from_utf8(rest) else { return };
            for record in [
                TokenRecord::requests_oauthlib(json, NOW),
                TokenRecord::golang(json, NOW),
                TokenRecord::oauth2_crate(json, NOW),
                TokenRecord::app_auth(json),
            ] {
                recorded(record);
            }
        }
        _ => {}
    }
}

fn client() -> Client {
    let server = Server::new("https://as.example/authorize?x=1", "https://as.example/token")
        .and_then(|server| server.with_introspection("https://as.example/introspect"))
        .and_then(|server| server.with_revocation("https://as.example/revoke"))
        .and_then(|server| server.with_pushed_authorization("https://as.example/par"));
    Client::new("fuzz", server.expect("the endpoints are https"))
}

/// No peer can make the caller guilty.
fn assert_theirs(error: &Error) {
    assert_showable(error);
    assert!(
        matches!(error, Error::Denied(_) | Error::Malformed(_) | Error::Unavailable(_)),
        "an answer is to blame for {error}"
    );
}

fn introspected(response: &Response<&[u8]>) {
    let client = client();
    let asked = client.introspection("token", None, NOW);
    match asked.expect("there is an endpoint").1.receive(&client, response) {
        Ok(token) => {
            assert_eq!(response.status(), StatusCode::OK);
            assert_eq!(token.extra::<bool>("active"), Some(token.is_active()));
            let is_listed = |one: &String| {
                token.extra::<Vec<String>>("aud").is_some_and(|all| all.contains(one))
            };
            let is_only = |one: &String| token.extra::<String>("aud").as_ref() == Some(one);
            assert!(token.audience().iter().all(|one| is_only(one) || is_listed(one)));
        }
        Err(error) => assert_theirs(&error),
    }
}

fn revoked(response: &Response<&[u8]>) {
    let client = client();
    let asked = client.revocation("token", None, NOW);
    let received = asked.expect("there is an endpoint").1.receive(&client, response);
    let is_done = matches!(response.status(), StatusCode::OK | StatusCode::NO_CONTENT);
    assert_eq!(received.is_ok(), is_done);
    if let Err(error) = received {
        assert_theirs(&error);
    }
}

fn pushed(response: &Response<&[u8]>) {
    let client = client();
    let asked = client.authorize(REDIRECT_URI).push(&mut Counting(0), NOW);
    match asked.expect("a usable login").1.receive(&client, response, NOW) {
        Ok((url, pending)) => {
            assert_eq!(response.status(), StatusCode::CREATED);
            assert!(url.as_str().starts_with("https://as.example/authorize?x=1&client_id=fuzz&"));
            let names: Vec<_> = url.query_pairs().map(|(name, _)| name).collect();
            assert_eq!(names, ["x", "client_id", "request_uri"]);
            assert_eq!(url.fragment(), None);
            assert_eq!(pending.redirect_uri(), REDIRECT_URI);
        }
        Err(error) => assert_theirs(&error),
    }
}

fn challenged(line: &[u8]) {
    let client = client();
    let answer = r#"{"access_token":"a","token_type":"Bearer","scope":"read","refresh_token":"r"}"#;
    let held = authorized(&client, answer);
    let Ok(value) = HeaderValue::from_bytes(line) else { return };
    let headers = HeaderMap::from_iter([(WWW_AUTHENTICATE, value)]);
    for challenge in Challenge::from_headers(&headers) {
        let Some(wanted) = StepUp::of(&challenge, &held) else { continue };
        assert!(!challenge.is_invalid_token());
        assert!(held.scope().without(wanted.scope()).is_empty(), "a scope would get lost");
        assert!(wanted.missing_scope().without(wanted.scope()).is_empty());
        let login = client.authorize(REDIRECT_URI).step_up(&wanted).begin(&mut Counting(0), NOW);
        let (url, _) = login.expect("a resource server can't make a login unusable");
        let scopes = url.query_pairs().filter(|(name, _)| name == "scope").count();
        assert_eq!(scopes, 1);
    }
}

fn recorded(record: Result<TokenRecord, Error>) {
    let client = client();
    let adopted = record.and_then(|record| client.adopt(record, &mut Counting(0), NOW));
    let login = match adopted {
        Ok(login) => login,
        Err(error) => return assert_theirs(&error),
    };
    assert!(login.refresh_at() <= login.expires_at(), "refreshed after it has expired");
    let text = stored(&login);
    let again: Authorized = serde_json::from_str(&text).expect("what was adopted can be stored");
    assert_eq!(stored(&again), text);
    let (is_renewable, is_expired) = (login.is_renewable(), login.token(NOW).is_none());
    if let Some(token) = login.token(NOW) {
        assert!(!token.expose().is_empty(), "what is not there is given out");
        let mut request = Request::new(Body::default());
        *request.uri_mut() = http::Uri::from_static("https://api.example/?a=1");
        if token.dangerous_attach_to_query(&mut request).is_ok() {
            let query = request.uri().query().unwrap_or_default();
            let pairs = url::form_urlencoded::parse(query.as_bytes());
            assert!(pairs.last().is_some_and(|(_, value)| value == token.expose()));
        }
    }
    let mut session = Session::new(client.into(), login).expect("its own client");
    match session.step(NOW) {
        Step::Use(_) => assert!(!is_expired),
        Step::Send(..) => assert!(is_renewable),
        Step::Login(_) => assert!(is_expired && !is_renewable),
        Step::Wait(until) => assert!(until < NOW, "waits for nothing"),
    }
}
