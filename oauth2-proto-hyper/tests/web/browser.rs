//! What a person sees: Chromium, a consent page, one instance or two.
//!
//! Applications are at `localhost`, the provider and the evil page at `127.0.0.1`: other sites.

use core::time::Duration;
use std::time::Instant;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use http::StatusCode;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::chromium::Browser;
use crate::instance::{self, Arguments, Key};
use crate::provider::Provider;
use crate::redis;
use crate::redis::process::free_port;
use crate::wire::{SESSION, Wire};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_signs_in_uses_the_application_and_signs_out() {
    let port = free_port();
    let Some(provider) = Provider::start("web-provider-one", &[port], 600).await else { return };
    let Some(browser) = Browser::start("web-chromium-one").await else { return };
    let app = Arguments { provider: Some(&provider), port, ..Arguments::default() }.start().await;

    // A protected page leads to the provider, and from there back.
    browser.goto(&app.at("/api")).await;
    assert!(provider.is_at(&browser.url().await));
    browser.log_in().await;
    browser.press("Continue").await;
    assert_eq!(browser.text("status").await, "200");
    assert!(browser.text("answer").await.contains("alice"));
    assert_eq!(browser.url().await, app.at("/api"));
    the_cookies_are_kept_well(&browser).await;

    // Another sign-in is another session.
    let first = browser.session().await.unwrap();
    browser.goto(&app.at("/sign-in")).await;
    browser.press("Continue").await;
    assert_eq!(browser.text("user").await, "alice");
    assert_ne!(browser.session().await.unwrap(), first);
    Wire::with_session(&first).get(&app.at("/")).await.says(StatusCode::OK, "Sign in");

    two_tabs(&browser, &app).await;
    a_denial(&browser, &app).await;
    an_evil_page(&browser, &app).await;
    browser.goto(&app.at("/sign-in?return_to=//evil.example")).await;
    browser.sees("This leads elsewhere").await;

    browser.goto(&app.at("/api")).await;
    assert_eq!(browser.text("status").await, "200");
    assert_eq!(provider.judges_token().await, StatusCode::OK);
    browser.press("Back").await;
    browser.press("Sign out").await;
    browser.press("Sign in").await;
    assert!(provider.is_at(&browser.url().await), "signed out");
    assert_eq!(provider.judges_token().await, StatusCode::UNAUTHORIZED, "revoked");
    assert!(provider.count("grant.revoked") > 0, "with its refresh token");
    browser.close().await;
}

async fn the_cookies_are_kept_well(browser: &Browser) {
    let cookies = browser.chromium.get_all_cookies().await.unwrap();
    let [cookie] = &cookies[..] else { panic!("only the session is left: {cookies:?}") };
    assert_eq!(cookie.name(), SESSION);
    assert_eq!((cookie.http_only(), cookie.secure()), (Some(true), Some(true)));
    assert_eq!(cookie.same_site().unwrap().to_string(), "Lax");
    assert_eq!(cookie.path(), Some("/"));
}

/// Both tabs have left for the provider before either is back.
async fn two_tabs(browser: &Browser, app: &instance::Instance) {
    let chromium = &browser.chromium;
    let first = chromium.window().await.unwrap();
    let second = chromium.new_window(true).await.unwrap().handle;
    browser.goto(&app.at("/sign-in?return_to=/?first")).await;
    chromium.switch_to_window(second).await.unwrap();
    browser.goto(&app.at("/sign-in?return_to=/?second")).await;
    browser.press("Continue").await;
    assert_eq!(browser.text("user").await, "alice");
    assert_eq!(browser.url().await, app.at("/?second"));
    chromium.close_window().await.unwrap();
    chromium.switch_to_window(first).await.unwrap();
    browser.press("Continue").await;
    assert_eq!(browser.text("user").await, "alice");
    assert_eq!(browser.url().await, app.at("/?first"));
}

async fn a_denial(browser: &Browser, app: &instance::Instance) {
    browser.goto(&app.at("/sign-in?return_to=/api")).await;
    browser.press("[ Cancel ]").await;
    browser.sees("You are not signed in").await;
    assert!(browser.reads().await.contains("access_denied"));
    browser.press("Sign in").await;
    browser.press("Continue").await;
    assert_eq!(browser.text("user").await, "alice");
}

async fn an_evil_page(browser: &Browser, app: &instance::Instance) {
    let form = format!(
        "<form method=post action='{}'><button>Win a prize</button></form>",
        app.at("/sign-out")
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let evil = format!("http://{}/", listener.local_addr().unwrap());
    let router = Router::new().route("/", get(async || Html(form)));
    let mut serving = JoinSet::new();
    serving.spawn(async { axum::serve(listener, router).await.unwrap() });
    browser.goto(&evil).await;
    browser.press("Win a prize").await;
    browser.sees("You are still signed in").await;
    browser.goto(&app.at("/")).await;
    assert_eq!(browser.text("user").await, "alice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_elses_callback_signs_nobody_in() {
    let Some(victim) = Browser::start("web-chromium-victim").await else { return };
    let app = instance::start().await;
    let mut attacker = Wire::new();
    let callback = attacker.callback(&app.at("/sign-in"), "allow").await;

    // The victim has a sign-in of their own under way.
    victim.goto(&app.at("/sign-in?return_to=/api")).await;
    let consent = victim.url().await;
    victim.goto(&callback).await;
    victim.sees("This is no answer to your sign-in").await;
    assert_eq!(victim.session().await, None);
    victim.goto(&consent).await;
    victim.press("Allow").await;
    assert_eq!(victim.text("status").await, "200");
    victim.close().await;

    attacker.get(&callback).await;
    attacker.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
}

/// A neighbouring subdomain can set any cookie for this host but one whose name begins with `__Host-`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_cookie_that_resembles_ours_signs_nobody_in() {
    let Some(victim) = Browser::start("web-chromium-tossed").await else { return };
    let app = instance::start().await;
    let mut attacker = Wire::new();
    let callback = attacker.callback(&app.at("/sign-in"), "allow").await;
    let (name, value) = attacker.cookies.first_key_value().unwrap();

    victim.goto(&app.at("/")).await;
    let chromium = &victim.chromium;
    for space in ['\u{85}', '\u{A0}', '\u{2000}', '\u{3000}'] {
        // Neither `Secure` nor for all paths: a browser that saw the prefix would refuse it.
        let plant = format!("document.cookie = '{space}{name}={value}; path=/callback'");
        chromium.execute(&plant, Vec::new()).await.unwrap();
    }
    victim.goto(&app.at("/callback")).await;
    assert_eq!(chromium.get_all_cookies().await.unwrap().len(), 4, "they are planted");
    victim.goto(&callback).await;
    victim.sees("This is no answer to your sign-in").await;
    assert_eq!(victim.session().await, None);
    victim.close().await;
}

/// How long an access token lives, in seconds.
const LIFETIME: u32 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_share_logins() {
    let Some(redis) = redis::Server::start(&[]) else { return };
    let ports = [free_port(), free_port(), free_port()];
    let name = "web-provider-two";
    let Some(provider) = Provider::start(name, &ports, LIFETIME).await else { return };
    let Some(browser) = Browser::start("web-chromium-two").await else { return };
    let key = Key::new(5);
    let arguments = ports.map(|port| {
        let (provider, redis) = (Some(&provider), Some(redis.url()));
        Arguments { provider, redis, port, ..Arguments::default() }.with_key(&key)
    });
    let one = arguments[0].start().await;
    let two = arguments[1].start().await;

    browser.goto(&one.at("/api")).await;
    browser.log_in().await;
    browser.press("Continue").await;
    assert_eq!(browser.text("status").await, "200");
    // Cookies are a host's, whatever the port.
    browser.goto(&two.at("/api")).await;
    assert_eq!(browser.text("status").await, "200");
    assert_eq!(provider.count("grant.success authorization_code"), 1, "no other sign-in");

    // Both go on for several lifetimes, with one refresh for each.
    let session = browser.session().await.unwrap();
    keep_using(&provider, &session, &[&one, &two]).await;
    // One is killed; the other goes on, also when the token it got has expired.
    drop(one);
    browser.goto(&two.at("/api")).await;
    assert_eq!(browser.text("status").await, "200");
    keep_using(&provider, &session, &[&two]).await;
    assert_eq!(provider.count("grant.success authorization_code"), 1, "no other sign-in");

    // Signed out here is signed out there.
    let three = arguments[2].start().await;
    browser.goto(&three.at("/")).await;
    browser.press("Sign out").await;
    browser.press("Sign in").await;
    browser.goto(&two.at("/api")).await;
    assert!(provider.is_at(&browser.url().await), "signed out there");
    let begin = Wire::with_session(&session).get(&two.at("/api")).await.location();
    assert_eq!(begin, "/sign-in?return_to=/api");
    assert_eq!(provider.count("grant.revoked"), 1);
    assert_eq!(provider.judges_token().await, StatusCode::UNAUTHORIZED, "revoked");
    browser.close().await;
}

/// Has all instances call the API until there have been three refreshes.
async fn keep_using(provider: &Provider, session: &str, instances: &[&instance::Instance]) {
    let refreshes = || provider.count("grant.success refresh_token");
    let (begin, before) = (Instant::now(), refreshes());
    let mut hang_up = (1..20).map(Duration::from_millis).cycle();
    while refreshes() < before + 3 {
        // Somebody who hangs up, in the midst of a refresh too, does not take its answer along.
        for (instance, patience) in instances.iter().cycle().zip(&mut hang_up).take(8) {
            let mut wire = Wire::with_session(session);
            drop(timeout(patience, wire.get(&instance.at("/api"))).await);
        }
        let mut calls = JoinSet::new();
        for instance in instances {
            let (mut wire, url) = (Wire::with_session(session), instance.at("/api"));
            calls.spawn(async move { wire.get(&url).await.says(StatusCode::OK, "alice") });
        }
        calls.join_all().await;
    }
    // A token is renewed when a quarter of its life is left, and never sooner: this is no more than
    // one refresh for each, but for the one that was due at the beginning.
    let due = 1 + begin.elapsed().as_millis() / u128::from(LIFETIME * 750);
    let refreshed = refreshes() - before;
    assert!(u128::try_from(refreshed).unwrap() <= due, "{refreshed} refreshes, {due} were due");
}
