//! How a token is presented to a resource server (RFC 6750 §2), and which are not.
#![expect(
    clippy::panic,
    clippy::expect_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue};
use http::{HeaderName, Method, Request, Uri};
use oauth2_proto::{AccessToken, Body, Error, Misuse, Problem};
use proptest::prelude::*;
use support::{NOW, authorized, body, client};

const FORM: &str = "application/x-www-form-urlencoded";

fn token() -> AccessToken {
    of_type("Bearer", "mF_9.B5f-4.1JqM")
}

fn of_type(token_type: &str, token: &str) -> AccessToken {
    let answer = serde_json::json!({ "access_token": token, "token_type": token_type });
    authorized(&client(), &answer.to_string()).token(NOW).expect("it does not expire").clone()
}

fn request(method: Method, uri: &str, form: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, FORM);
    request.body(Body::from(String::from(form))).expect("a request")
}

fn post(form: &str) -> Request<Body> {
    request(Method::POST, "https://server.example.com/resource", form)
}

/// What is refused, and that the request stays as it was.
#[track_caller]
fn refused(
    attach: fn(&AccessToken, &mut Request<Body>) -> Result<(), Error>,
    token: &AccessToken,
    mut request: Request<Body>,
) -> Error {
    let before = (request.uri().clone(), request.headers().clone(), body(&request).to_owned());
    let error = attach(token, &mut request).expect_err("it is refused");
    let after = (request.uri().clone(), request.headers().clone(), body(&request).to_owned());
    assert_eq!(after, before, "{error}");
    error
}

#[track_caller]
fn why(error: &Error) -> &'static str {
    let Error::Misuse(Misuse::Presentation(why)) = error else { panic!("{error:?}") };
    why
}

// In a form

/// RFC 6750 §2.2, the example, byte for byte.
#[test]
fn the_form_of_rfc_6750() {
    let mut request = post("");
    token().attach_to_form(&mut request).unwrap();
    assert_eq!(body(&request), "access_token=mF_9.B5f-4.1JqM");
    assert!(!request.headers().contains_key(AUTHORIZATION));
}

#[test]
fn a_form_keeps_what_it_has() {
    for (form, expected) in
        [("a=1&b=+%20", "a=1&b=+%20&access_token=t"), ("a&", "a&access_token=t")]
    {
        let mut request = post(form);
        request.headers_mut().insert(CONTENT_LENGTH, 7.into());
        of_type("bearer", "t").attach_to_form(&mut request).unwrap();
        assert_eq!(body(&request), expected);
        let length: usize = request.headers()[CONTENT_LENGTH].to_str().unwrap().parse().unwrap();
        assert_eq!(length, expected.len());
    }
}

#[test]
fn a_token_is_encoded() {
    let mut request = post("a=1");
    of_type("Bearer", "a b+c/d=&~").attach_to_form(&mut request).unwrap();
    assert_eq!(body(&request), "a=1&access_token=a+b%2Bc%2Fd%3D%26%7E");
}

/// RFC 6750 §2.2: a method for which the body has defined semantics; GET MUST NOT be used.
#[test]
fn a_method_that_gives_a_body_no_meaning_is_refused() {
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let request = request(method, "https://server.example.com/", "");
        let error = refused(AccessToken::attach_to_form, &token(), request);
        assert_eq!(why(&error), "the method gives a body no meaning");
    }
    for method in ["POST", "PUT", "PATCH"] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = request(method, "https://server.example.com/", "");
        assert!(token().attach_to_form(&mut request).is_ok());
    }
}

/// RFC 6750 §2.2: the Content-Type is `application/x-www-form-urlencoded`.
#[test]
fn another_content_type_is_refused() {
    for content_type in ["application/json", "multipart/form-data; boundary=x", "", "\u{fc}"] {
        let mut request = post("");
        let value = HeaderValue::from_str(content_type).unwrap();
        request.headers_mut().insert(CONTENT_TYPE, value);
        let error = refused(AccessToken::attach_to_form, &token(), request);
        assert_eq!(
            error.to_string(),
            "wrong use of oauth2-proto: the token can't go there: the body's Content-Type is not \
             application/x-www-form-urlencoded"
        );
    }
    let mut request = post("");
    request.headers_mut().remove(CONTENT_TYPE);
    refused(AccessToken::attach_to_form, &token(), request);
    let mut request = post("");
    let value = HeaderValue::from_static("Application/X-WWW-Form-urlencoded ; charset=utf-8");
    request.headers_mut().insert(CONTENT_TYPE, value);
    assert!(token().attach_to_form(&mut request).is_ok());
}

/// RFC 6750 §2.2: the content MUST consist entirely of ASCII characters.
#[test]
fn a_form_that_is_not_encoded_is_refused() {
    let error = refused(AccessToken::attach_to_form, &token(), post("name=ü"));
    assert_eq!(why(&error), "the body has characters other than ASCII");
}

/// RFC 6750 §2: clients MUST NOT use more than one method in each request.
#[test]
fn a_token_has_one_place() {
    for form in ["access_token=x", "a=1&access_token", "access%5Ftoken=x"] {
        let error = refused(AccessToken::attach_to_form, &token(), post(form));
        assert_eq!(why(&error), "the body has an access_token already");
    }
    let in_query = || request(Method::POST, "https://api.example/?access_token=x", "");
    for attach in [AccessToken::attach_to_form, AccessToken::dangerous_attach_to_query] {
        let error = refused(attach, &token(), in_query());
        assert_eq!(why(&error), "the query has an access_token already");
        let mut with_header = post("");
        token().attach(&mut with_header).unwrap();
        let error = refused(attach, &token(), with_header);
        assert_eq!(why(&error), "the request has an Authorization header already");
    }
}

// In the query

/// RFC 6750 §2.3, the examples, byte for byte.
#[test]
fn the_query_of_rfc_6750() {
    let uri = "https://server.example.com/resource";
    for (uri, expected) in [
        (uri.to_owned(), format!("{uri}?access_token=mF_9.B5f-4.1JqM")),
        (format!("{uri}?p=q"), format!("{uri}?p=q&access_token=mF_9.B5f-4.1JqM")),
        (format!("{uri}?"), format!("{uri}?access_token=mF_9.B5f-4.1JqM")),
        ("https://h:8443".into(), "https://h:8443/?access_token=mF_9.B5f-4.1JqM".into()),
        (
            format!("{uri}?a=%20+&a&b=é%2F&"),
            format!("{uri}?a=%20+&a&b=é%2F&access_token=mF_9.B5f-4.1JqM"),
        ),
    ] {
        let mut request = Request::get(uri).body(()).unwrap();
        token().dangerous_attach_to_query(&mut request).unwrap();
        assert_eq!(request.uri(), &expected.parse::<Uri>().unwrap());
        // Clients SHOULD also send a Cache-Control header containing the "no-store" option.
        assert_eq!(request.headers()[CACHE_CONTROL], "no-store");
        assert!(!request.headers().contains_key(AUTHORIZATION));
    }
}

#[test]
fn what_is_said_about_caches_stays() {
    for (said, expected) in [
        ("no-cache", vec!["no-cache", "no-store"]),
        ("max-age=0, No-Store", vec!["max-age=0, No-Store"]),
        ("x-no-store", vec!["x-no-store", "no-store"]),
    ] {
        let request = Request::get("https://api.example/").header(CACHE_CONTROL, said);
        let mut request = request.body(()).unwrap();
        token().dangerous_attach_to_query(&mut request).unwrap();
        let all: Vec<_> = request.headers().get_all(CACHE_CONTROL).iter().collect();
        assert_eq!(all, expected);
    }
}

#[test]
fn a_uri_that_would_be_too_long_is_refused() {
    let long = format!("https://api.example/?{}", "x".repeat(65_510));
    let error =
        refused(AccessToken::dangerous_attach_to_query, &token(), request(Method::GET, &long, ""));
    assert_eq!(why(&error), "the URI would be too long");
}

#[test]
fn a_request_full_of_headers_is_refused() {
    let mut request = request(Method::GET, "https://api.example/", "");
    let mut number = 0_u32;
    loop {
        let name = HeaderName::try_from(format!("x-{number}")).unwrap();
        if request.headers_mut().try_insert(name, HeaderValue::from_static("")).is_err() {
            break;
        }
        number += 1;
    }
    let error = refused(AccessToken::dangerous_attach_to_query, &token(), request);
    assert_eq!(error, Misuse::TooManyHeaders.into());
}

// All of them

/// RFC 6750 §5.3: clients MUST always use TLS.
#[test]
fn nothing_goes_in_the_clear() {
    let all =
        [AccessToken::attach, AccessToken::attach_to_form, AccessToken::dangerous_attach_to_query];
    for attach in all {
        for uri in ["http://server.example.com/", "/resource", "ftp://127.0.0.1/"] {
            let error = refused(attach, &token(), request(Method::POST, uri, ""));
            assert_eq!(error, Misuse::PlainHttp.into());
        }
        let mut local = request(Method::POST, "http://127.0.0.1:8080/", "");
        assert!(attach(&token(), &mut local).is_ok());
    }
}

/// RFC 6749 §7.1: the client MUST NOT use a token whose type it does not understand.
#[test]
fn a_token_of_another_type_is_read_and_not_presented() {
    let mac = of_type("mac", "h480djs93hd8");
    assert_eq!((mac.token_type(), mac.expose()), ("mac", "h480djs93hd8"));
    for attach in
        [AccessToken::attach, AccessToken::attach_to_form, AccessToken::dangerous_attach_to_query]
    {
        let Error::Malformed(malformed) = refused(attach, &mac, post("")) else {
            unreachable!("the server's choice")
        };
        assert_eq!(malformed.problem(), &Problem::TokenType("mac".into()));
    }
}

#[test]
fn a_form_with_a_token_shows_nothing() {
    let mut request = post("a=1");
    token().attach_to_form(&mut request).unwrap();
    assert!(!format!("{request:?}").contains("mF_9"));
}

proptest! {
    #[test]
    fn every_form_and_query_keeps_its_parameters(
        own in proptest::collection::vec(("[a-z]{1,3}", "\\PC{0,5}"), 0..4),
        token in "[ -~]{1,30}",
    ) {
        let form = serde_urlencoded::to_string(&own).unwrap();
        let mut expected = own;
        expected.push(("access_token".into(), token.clone()));
        let token = of_type("Bearer", &token);

        let mut request = post(&form);
        token.attach_to_form(&mut request).unwrap();
        prop_assert_eq!(&support::form(&request), &expected);

        let mut request = Request::get(format!("https://api.example/?{form}")).body(()).unwrap();
        token.dangerous_attach_to_query(&mut request).unwrap();
        let query: Vec<(String, String)> =
            serde_urlencoded::from_str(request.uri().query().unwrap()).unwrap();
        prop_assert_eq!(&query, &expected);
    }
}
