//! Pending logins in cookies: a browser that keeps them, and a server that keeps nothing.

mod browser;
mod kept;
mod refused;

use std::collections::BTreeSet;

use browser::{Browser, NOW, REDIRECT_URI, after, client, cookies, headers, login, refusal, state};
use cookie::time::Duration as MaxAge;
use cookie::{Cookie, SameSite};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, Response};
use oauth2_proto::{Callback, Error};
use oauth2_proto_stores::cookie::{PendingLogins, TakeError};
use oauth2_proto_stores::seal::{SealingKey, SealingKeys};

// The workflow

#[test]
fn a_login_is_begun_kept_by_the_browser_found_and_accepted() {
    let (client, cookies, mut browser) = (client(), cookies(), Browser::new());
    let (pending, query) = login(&client);
    browser.keep(cookies.begin(&pending, "/inbox?unread=1#top", &HeaderMap::new(), NOW).unwrap());

    let taken =
        cookies.take(&client, Callback::query(&query), &browser.headers(), after(60)).unwrap();
    assert_eq!(taken.return_to, "/inbox?unread=1#top");
    assert_eq!(taken.pending.login(), pending.login());
    let code = taken.pending.accept(&client, Callback::query(&query), after(60)).unwrap();
    let (request, _) = code.redeem(&client, after(60)).unwrap();
    let body = String::from_utf8(request.into_body().into_vec()).unwrap();
    assert!(body.contains("code=c") && body.contains("code_verifier="), "{body}");

    browser.keep(taken.clear);
    assert!(browser.0.is_empty());
    assert_eq!(refusal(browser.take(&query)), TakeError::NoCookie);
}

#[test]
fn a_cookie_looks_as_its_documentation_says() {
    let (pending, _) = login(&client());
    let fields = |cookies: PendingLogins, now| -> Vec<_> {
        let set_cookies = cookies.begin(&pending, "/", &HeaderMap::new(), now).unwrap();
        set_cookies.into_iter().map(|(_, field)| field.to_str().unwrap().to_owned()).collect()
    };
    let name = format!("__Host-login-{}", pending.login());
    for (cookies, same_site, shown) in [
        (cookies(), SameSite::Lax, "SameSite=Lax"),
        (cookies().with_form_post(), SameSite::None, "SameSite=None"),
    ] {
        let [field] = &fields(cookies, NOW)[..] else { panic!("there is one cookie") };
        let cookie = Cookie::parse(field.clone()).unwrap();
        assert_eq!(cookie.name(), name);
        assert_eq!(cookie.same_site(), Some(same_site));
        assert_eq!(cookie.max_age(), Some(MaxAge::minutes(10)));
        let rest = format!("; HttpOnly; {shown}; Secure; Path=/; Max-Age=600");
        assert_eq!(*field, format!("{name}={}{rest}", cookie.value()));
        assert!(field.len() < 1200, "{}", field.len());
    }
    let cookie = Cookie::parse(fields(cookies(), after(540)).remove(0)).unwrap();
    assert_eq!(cookie.max_age(), Some(MaxAge::minutes(1)));
}

#[test]
fn a_posted_callback_is_found_and_its_cookie_deleted_alike() {
    let (client, cookies, mut browser) = (client(), cookies().with_form_post(), Browser::new());
    let request = client.authorize(REDIRECT_URI).param("response_mode", "form_post");
    let (url, pending) = request.begin(&mut rand::rng(), NOW).unwrap();
    browser.keep(cookies.begin(&pending, "/", &HeaderMap::new(), NOW).unwrap());
    let body = format!("code=c&state={}", state(&url));
    let callback = Callback::form_post(body.as_bytes());
    let taken = cookies.take(&client, callback.clone(), &browser.headers(), NOW).unwrap();
    taken.pending.accept(&client, callback, NOW).unwrap();
    let text = format!(
        "{:?}",
        taken
            .clear
            .clone()
            .into_iter()
            .map(|(_, field)| { field.to_str().unwrap().to_owned() })
            .collect::<Vec<_>>()
    );
    assert!(text.contains("SameSite=None"), "{text}");
}

#[test]
fn other_cookies_of_a_response_stay() {
    let (pending, _) = login(&client());
    let response = Response::builder().header(SET_COOKIE, "session=1").header(LOCATION, "/");
    let mut response = response.body(()).unwrap();
    response.headers_mut().extend(cookies().begin(&pending, "/", &HeaderMap::new(), NOW).unwrap());
    assert_eq!(response.headers().get_all(SET_COOKIE).iter().count(), 2);
}

#[test]
fn a_denial_finds_its_login_and_ends_it() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/").replace("code=c", "error=access_denied");
    let taken = browser.take(&query).unwrap();
    let error = taken.pending.accept(&client(), Callback::query(&query), NOW).unwrap_err();
    assert!(matches!(error, Error::Denied(_)));
    browser.keep(taken.clear);
    assert!(browser.0.is_empty());
}

/// A limit that the documentation names.
#[test]
fn who_has_copied_cookie_and_callback_finds_the_login_again() {
    let mut browser = Browser::new();
    let query = browser.begin(&cookies(), "/");
    let copied = browser.clone();
    browser.keep(browser.take(&query).unwrap().clear);
    let [one, other] = [copied.take(&query), copied.take(&query)].map(Result::unwrap);
    // By this a server that has to can tell.
    assert_eq!(one.pending.login(), other.pending.login());
}

// Several tabs

#[test]
fn several_tabs_log_in_at_once_and_each_callback_finds_its_own() {
    let mut browser = Browser::new();
    let tabs: Vec<_> = ["/a", "/b", "/c", "/d", "/e"]
        .map(|return_to| (return_to, browser.begin(&cookies(), return_to)))
        .into();
    for (return_to, query) in tabs.into_iter().rev() {
        let taken = browser.take(&query).unwrap();
        assert_eq!(taken.return_to, return_to);
        taken.pending.accept(&client(), Callback::query(&query), NOW).unwrap();
        browser.keep(taken.clear);
    }
    assert!(browser.0.is_empty());
}

#[test]
fn the_oldest_login_makes_room_for_a_sixth() {
    let (client, cookies, mut browser) = (client(), cookies(), Browser::new());
    let mut queries = Vec::new();
    for second in 0..8 {
        let request = client.authorize(REDIRECT_URI);
        let (url, pending) = request.begin(&mut rand::rng(), after(second)).unwrap();
        let request = browser.headers();
        browser.keep(cookies.begin(&pending, "/", &request, after(second)).unwrap());
        queries.push(format!("code=c&state={}", state(&url)));
        assert_eq!(browser.0.len(), queries.len().min(5));
    }
    for (number, query) in queries.iter().enumerate() {
        assert_eq!(browser.take(query).is_ok(), number >= 3);
    }
}

#[test]
fn cookies_that_are_over_or_do_not_open_go_first() {
    let (cookies, mut browser) = (cookies(), Browser::new());
    browser.begin(&cookies, "/over");
    let over: BTreeSet<_> = browser.0.keys().cloned().collect();
    let foreign = PendingLogins::new(SealingKeys::new(2, SealingKey::new([2; 32])));
    let mut elsewhere = Browser::new();
    elsewhere.begin(&foreign, "/");
    browser.0.extend(elsewhere.0.clone());

    // The one that is over; the one that does not open stays while there is room.
    let begin = |browser: &mut Browser| {
        let request = client();
        let request = request.authorize(REDIRECT_URI);
        let (_, pending) = request.begin(&mut rand::rng(), after(1000)).unwrap();
        let set_cookies = cookies.begin(&pending, "/", &browser.headers(), after(1000)).unwrap();
        browser.keep(set_cookies);
    };
    begin(&mut browser);
    assert!(over.iter().all(|name| !browser.0.contains_key(name)));
    for others in 2..5 {
        assert!(browser.0.contains_key(&elsewhere.cookie().0));
        assert_eq!(browser.0.len(), others);
        begin(&mut browser);
    }
    begin(&mut browser);
    assert!(!browser.0.contains_key(&elsewhere.cookie().0));
    assert_eq!(browser.0.len(), 5);
}

#[test]
fn long_cookies_leave_room_for_fewer() {
    let (cookies, mut browser) = (cookies(), Browser::new());
    let long = format!("/{}", "a".repeat(1023));
    for _ in 0..6 {
        browser.begin(&cookies, &long);
        let bytes: usize = browser.0.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(bytes <= 6 * 1024, "{bytes}");
    }
    assert!((2..5).contains(&browser.0.len()), "{}", browser.0.len());
}

#[test]
fn cookies_come_in_one_field_or_in_many_beside_others() {
    let mut browser = Browser::new();
    let queries = ["/a", "/b"].map(|return_to| browser.begin(&cookies(), return_to));
    let pairs: Vec<_> = browser.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let (one, two) = (pairs.first().unwrap(), pairs.last().unwrap());
    for request in [
        headers([format!("a=b; {one};{two}; =; ;c").as_bytes()]),
        headers([b"theme=dark", one.as_bytes(), b"\xff\xfe=\xff", two.as_bytes()]),
        headers([&[b"name=J\xf6rg; ", one.as_bytes(), b"; ", two.as_bytes()].concat()]),
    ] {
        for query in &queries {
            cookies().take(&client(), Callback::query(query), &request, NOW).unwrap();
        }
    }
}
