//! What is on the wire: headers, cookies, and what is refused.

use core::time::Duration;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use http::StatusCode;
use http::header::SET_COOKIE;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use url::Url;

use crate::instance::{self, Arguments, Key, example};
use crate::provider::Provider;
use crate::redis;
use crate::redis::process::{free_port, signal_to};
use crate::silent;
use crate::wire::{PENDING, SESSION, Wire};

/// What a browser says of a form on a page of ours.
const FROM_US: &[(&str, &str)] = &[("sec-fetch-site", "same-origin")];

#[tokio::test]
async fn every_answer_is_for_its_browser_alone() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    let mut answers = Vec::new();
    answers.push(("/sign-in", browser.get(&app.at("/sign-in")).await));
    answers.push(("/callback", browser.sign_in(&app.at("/sign-in")).await));
    for path in ["/", "/api", "/callback", "/nowhere", "/sign-in?return_to=//evil.example"] {
        answers.push((path, browser.get(&app.at(path)).await));
    }
    answers.push(("/sign-out", browser.post(&app.at("/sign-out"), &[], "").await));
    for (path, answer) in answers {
        let header = |name: &str| answer.headers[name].to_str().unwrap();
        assert_eq!(header("cache-control"), "no-store", "{answer:?}");
        // The page with the form says who sends it, to this application alone.
        let referrer = if path == "/" { "same-origin" } else { "no-referrer" };
        assert_eq!(header("referrer-policy"), referrer);
        assert_eq!(header("x-content-type-options"), "nosniff");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
    }
}

#[tokio::test]
async fn cookies_are_hidden_bound_to_the_host_and_short_lived() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    let begun = browser.get(&app.at("/sign-in")).await;
    let signed_in = browser.sign_in(&app.at("/sign-in")).await;
    let mut seen = 0;
    for answer in [begun, signed_in] {
        for set in answer.headers.get_all(SET_COOKIE) {
            let set = set.to_str().unwrap();
            assert!(set.starts_with(PENDING) || set.starts_with(SESSION), "{set}");
            for flag in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age="] {
                assert!(set.contains(flag), "no {flag} in {set}");
            }
            assert!(!set.contains("Domain"), "{set}");
            seen += 1;
        }
    }
    assert_eq!(seen, 3, "begun, taken, signed in");
}

#[tokio::test]
async fn a_sign_in_leads_to_the_page_that_wanted_it_and_to_a_session_of_its_own() {
    let app = instance::start().await;
    let mut browser = Wire::with_session("planted-by-somebody-else");
    let begin = browser.get(&app.at("/api")).await.location();
    assert_eq!(begin, "/sign-in?return_to=/api");
    assert_eq!(browser.sign_in(&app.at(&begin)).await.location(), "/api");
    let first = browser.session().unwrap().to_owned();
    assert_ne!(first, "planted-by-somebody-else");
    assert_eq!(browser.pending(), 0, "it is taken out");
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");

    // Once more: the old session is over.
    browser.sign_in(&app.at("/sign-in")).await;
    assert_ne!(browser.session(), Some(&*first));
    Wire::with_session(&first).get(&app.at("/")).await.says(StatusCode::OK, "Sign in");
    browser.get(&app.at("/")).await.says(StatusCode::OK, "alice");
}

#[tokio::test]
async fn a_callback_in_another_browser_is_refused_and_the_sign_in_stays_usable() {
    let app = instance::start().await;
    let mut attacker = Wire::new();
    let callback = attacker.callback(&app.at("/sign-in"), "allow").await;

    // The victim has not begun anything; then something else.
    let mut victim = Wire::new();
    for _ in 0..2 {
        let refused = victim.get(&callback).await;
        refused.says(StatusCode::BAD_REQUEST, "This is no answer to your sign-in");
        assert_eq!(victim.session(), None);
        victim.get(&app.at("/sign-in")).await;
    }
    for forged in ["/callback?code=1&state=2", "/callback?error=access_denied", "/callback"] {
        let refused = victim.get(&app.at(forged)).await;
        refused.says(StatusCode::BAD_REQUEST, "This is no answer to your sign-in");
    }
    assert_eq!(victim.pending(), 2, "nothing is taken out for a forged callback");
    victim.sign_in(&app.at("/sign-in")).await;
    victim.get(&app.at("/api")).await.says(StatusCode::OK, "hello");

    attacker.get(&callback).await;
    assert!(attacker.session().is_some());
}

#[tokio::test]
async fn a_callback_is_answered_once_also_with_the_same_cookie() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    let callback = browser.callback(&app.at("/sign-in"), "allow").await;
    let mut copy = browser.clone();
    browser.get(&callback).await;
    let refused = copy.get(&callback).await;
    refused.says(StatusCode::BAD_REQUEST, "This is no answer to your sign-in");
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
}

#[tokio::test]
async fn two_instances_that_get_one_callback_at_once_answer_it_once() {
    let Some(redis) = redis::Server::start(&[]) else { return };
    let (provider, _, _serving) = silent::start().await;
    let key = Key::new(2);
    let arguments = Arguments { redis: Some(redis.url()), more: provider, ..Arguments::default() };
    let arguments = arguments.with_key(&key);
    let [one, two] = [arguments.start().await, arguments.start().await];
    for _ in 0..20 {
        let mut browser = Wire::new();
        let page = Url::parse(&browser.get(&one.at("/sign-in")).await.location()).unwrap();
        let (_, state) = page.query_pairs().find(|(name, _)| name == "state").unwrap();
        let path = format!("/callback?code=c&state={state}");
        let (at_one, at_two) = (one.at(&path), two.at(&path));
        let mut copy = browser.clone();
        let (first, second) = tokio::join!(browser.get(&at_one), copy.get(&at_two));
        let mut statuses = [first.status, second.status];
        statuses.sort();
        assert_eq!(statuses, [StatusCode::SEE_OTHER, StatusCode::BAD_REQUEST]);
    }
}

#[tokio::test]
async fn a_head_request_uses_nothing_up() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    let callback = browser.callback(&app.at("/sign-in"), "allow").await;
    let mut copy = browser.clone();
    let head = copy.head(&callback).await;
    assert_eq!(head.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(browser.get(&callback).await.location(), "/");
}

#[tokio::test]
async fn two_sign_ins_in_one_browser_both_work() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    let first = browser.callback(&app.at("/sign-in?return_to=/api"), "allow").await;
    let second = browser.callback(&app.at("/sign-in?return_to=/?second"), "allow").await;
    assert_eq!(browser.pending(), 2);
    assert_eq!(browser.get(&second).await.location(), "/?second");
    assert_eq!(browser.get(&first).await.location(), "/api");
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
}

#[tokio::test]
async fn a_denial_is_shown_ends_the_sign_in_and_leaves_room_for_another() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    let callback = browser.callback(&app.at("/sign-in?return_to=/api"), "deny").await;
    let denied = browser.get(&callback).await;
    denied.says(StatusCode::FORBIDDEN, "access_denied");
    assert!(denied.body.contains("href=\"/sign-in?return_to=%2Fapi\""), "{denied:?}");
    assert_eq!(browser.pending(), 0);
    browser.sign_in(&app.at("/sign-in")).await;
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
}

#[tokio::test]
async fn nobody_is_sent_to_another_site() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    for elsewhere in [
        "//evil.example",
        "/%5Cevil.example",
        "/%09/evil.example",
        "/%0D%0ALocation:%20//evil.example",
        "https://evil.example/",
        "http:evil.example",
        "javascript:alert(1)",
        "evil",
    ] {
        let refused = browser.get(&app.at(&format!("/sign-in?return_to={elsewhere}"))).await;
        refused.says(StatusCode::BAD_REQUEST, "This leads elsewhere");
    }
    assert_eq!(browser.pending(), 0);
}

#[tokio::test]
async fn only_a_page_of_ours_signs_out() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    browser.sign_in(&app.at("/sign-in")).await;
    let own: &str = &app.url;
    let foreign: [&[(&str, &str)]; 6] = [
        &[],
        &[("origin", "http://evil.example")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", own)],
        &[("sec-fetch-site", "none")],
    ];
    for headers in foreign {
        let refused = browser.post(&app.at("/sign-out"), headers, "").await;
        refused.says(StatusCode::FORBIDDEN, "You are still signed in");
    }
    assert_eq!(browser.get(&app.at("/sign-out")).await.status, StatusCode::METHOD_NOT_ALLOWED);
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");

    let copy = browser.session().unwrap().to_owned();
    let signed_out = browser.post(&app.at("/sign-out"), &[("origin", own)], "").await;
    assert_eq!(signed_out.location(), "/");
    assert_eq!(browser.session(), None);
    // Not only the cookie is gone.
    let begin = Wire::with_session(&copy).get(&app.at("/api")).await.location();
    assert_eq!(begin, "/sign-in?return_to=/api");
}

#[tokio::test]
async fn signing_out_ends_the_login_of_every_browser() {
    let app = instance::start().await;
    let [mut one, mut other] = [Wire::new(), Wire::new()];
    one.sign_in(&app.at("/sign-in")).await;
    other.sign_in(&app.at("/sign-in")).await;
    one.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
    one.post(&app.at("/sign-out"), FROM_US, "").await;
    let begin = other.get(&app.at("/api")).await.location();
    assert_eq!(begin, "/sign-in?return_to=/api");
    other.sign_in(&app.at(&begin)).await;
    other.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
}

#[tokio::test]
async fn who_signs_in_again_does_so_in_one_browser() {
    let app = instance::start().await;
    let [mut one, mut other] = [Wire::new(), Wire::new()];
    one.sign_in(&app.at("/sign-in")).await;
    other.sign_in(&app.at("/sign-in")).await;
    one.post(&app.at("/sign-out"), FROM_US, "").await;
    one.sign_in(&app.at("/sign-in")).await;
    one.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
    // The other one was signed out, too: perhaps it is not theirs.
    other.get(&app.at("/")).await.says(StatusCode::OK, "Sign in");
    let begin = other.get(&app.at("/api")).await.location();
    assert_eq!(begin, "/sign-in?return_to=/api");
}

#[tokio::test]
async fn who_hangs_up_while_the_provider_is_silent_is_signed_out() {
    let (provider, revoking, _serving) = silent::start().await;
    let app = Arguments { more: provider, ..Arguments::default() }.start().await;
    let mut browser = Wire::new();
    let page = Url::parse(&browser.get(&app.at("/sign-in")).await.location()).unwrap();
    let (_, state) = page.query_pairs().find(|(name, _)| name == "state").unwrap();
    browser.get(&app.at(&format!("/callback?code=c&state={state}"))).await;
    browser.get(&app.at("/")).await.says(StatusCode::OK, "alice");

    let mut copy = browser.clone();
    let sign_out = app.at("/sign-out");
    tokio::select! {
        _ = browser.post(&sign_out, FROM_US, "") => panic!("nobody answered"),
        () = revoking.notified() => {}
    }
    copy.get(&app.at("/")).await.says(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn somebody_of_this_name_at_another_provider_is_somebody_else() {
    let port = free_port();
    let Some(one) = Provider::start("web-provider-former", &[port], 600).await else { return };
    let Some(two) = Provider::start("web-provider-next", &[port], 600).await else { return };
    let (folder, key) = (tempfile::tempdir().unwrap(), Key::new(8));
    let arguments = [&one, &two].map(|provider| {
        let (provider, store) = (Some(provider), Some(folder.path().join("web.sqlite")));
        Arguments { provider, store, port, ..Arguments::default() }.with_key(&key)
    });
    let app = arguments[0].start().await;
    let mut alice = Wire::new();
    let page = alice.get(&app.at("/sign-in")).await.location();
    let callback = consent(&page, &app.url).await;
    alice.get(&callback).await;
    alice.get(&app.at("/api")).await.says(StatusCode::OK, "alice");
    drop(app);

    // The application has moved to another provider, where others have the same names.
    let app = arguments[1].start().await;
    let mut namesake = Wire::new();
    let page = namesake.get(&app.at("/sign-in")).await.location();
    let callback = consent(&page, &app.url).await;
    namesake.get(&callback).await;
    namesake.get(&app.at("/api")).await.says(StatusCode::OK, "alice");
    alice.get(&app.at("/")).await.says(StatusCode::OK, "Sign in");
    assert_eq!(alice.get(&app.at("/api")).await.location(), "/sign-in?return_to=/api");
}

#[tokio::test]
async fn cookies_of_others_are_in_nobodys_way() {
    let app = instance::start().await;
    let mut browser = Wire::new();
    // From another page of this host, or of a neighbouring subdomain.
    browser.cookies.insert("!".to_owned(), "J\u{f6}rg".to_owned());
    browser.cookies.insert("\u{2000}__Host-session".to_owned(), "planted".to_owned());
    browser.sign_in(&app.at("/sign-in")).await;
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
    browser.cookies.retain(|name, _| name != SESSION);
    browser.get(&app.at("/")).await.says(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn a_cookie_that_was_tampered_with_or_sealed_by_others_is_none() {
    let app = instance::start().await;
    let other_key = Arguments { public_url: Some(app.url.clone()), ..Arguments::default() }
        .with_key(&Key::new(9))
        .start()
        .await;
    let mut browser = Wire::new();
    let callback = browser.callback(&app.at("/sign-in"), "allow").await;
    let sound = browser.clone();
    let sealed = browser.cookies.values_mut().next().unwrap();
    let middle = sealed.len() / 2;
    let changed = if sealed.as_bytes()[middle] == b'A' { "B" } else { "A" };
    sealed.replace_range(middle..=middle, changed);
    browser.get(&callback).await.says(StatusCode::BAD_REQUEST, "This is no answer");

    let path = callback.strip_prefix(&app.url).unwrap();
    let refused = sound.clone().get(&format!("{}{path}", other_key.listening)).await;
    refused.says(StatusCode::BAD_REQUEST, "This is no answer");
}

#[tokio::test]
async fn a_restarted_application_knows_its_users() {
    let folder = tempfile::tempdir().unwrap();
    let key = Key::new(3);
    let store = Some(folder.path().join("web.sqlite"));
    let arguments = Arguments { store, ..Arguments::default() }.with_key(&key);
    let first = arguments.start().await;
    let mut browser = Wire::new();
    browser.sign_in(&first.at("/sign-in")).await;
    drop(first);
    let second = arguments.start().await;
    browser.get(&second.at("/")).await.says(StatusCode::OK, "alice");

    // Neither tokens nor session ids can be read in the file, only who is there.
    let mut stored = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        stored.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |text: &str| stored.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("alice"));
    assert!(!holds(browser.session().unwrap()));
    assert!(!holds("refresh"), "tokens are sealed");

    // Without the key, nobody is signed in, and everybody can sign in anew.
    drop(second);
    let third = arguments.with_key(&Key::new(4)).start().await;
    browser.get(&third.at("/")).await.says(StatusCode::OK, "Sign in");
    browser.sign_in(&third.at("/sign-in")).await;
    browser.get(&third.at("/api")).await.says(StatusCode::OK, "hello");
}

#[tokio::test]
async fn a_sign_in_that_began_at_one_instance_ends_at_another() {
    let Some(redis) = redis::Server::start(&[]) else { return };
    let ports = [free_port(), free_port()];
    let Some(provider) = Provider::start("web-provider-balanced", &ports, 600).await else {
        return;
    };
    let (key, redis) = (Key::new(6), Some(redis.url()));
    // Behind a load balancer, they have one name.
    let public_url = Some(format!("http://localhost:{}", ports[0]));
    let arguments = ports.map(|port| {
        let (redis, public_url) = (redis.clone(), public_url.clone());
        let provider = Some(&provider);
        Arguments { provider, redis, port, public_url, ..Arguments::default() }.with_key(&key)
    });
    let [one, two] = [arguments[0].start().await, arguments[1].start().await];
    let mut browser = Wire::new();
    let page = browser.get(&one.at("/sign-in?return_to=/api")).await.location();
    let callback = consent(&page, &one.url).await;
    drop(one);

    let path = callback.strip_prefix(&two.url).unwrap();
    let at_two = |path: &str| format!("{}{path}", two.listening);
    assert_eq!(browser.get(&at_two(path)).await.location(), "/api");
    browser.get(&at_two("/api")).await.says(StatusCode::OK, "alice");
}

/// A person's way through oidc-provider's pages, which work without scripts.
async fn consent(page: &str, application: &str) -> String {
    let mut provider = Wire::new();
    let mut url = Url::parse(page).unwrap();
    let origin = url.origin().ascii_serialization();
    for form in ["", "prompt=login&login=alice&password=secret", "", "", "prompt=consent", ""] {
        let answer = match form {
            "" => provider.get(url.as_str()).await,
            form => provider.post(url.as_str(), &[], form).await,
        };
        if answer.status.is_redirection() {
            let to = answer.location();
            if to.starts_with(application) {
                return to;
            }
            url = Url::parse(&origin).unwrap().join(&to).unwrap();
        }
    }
    panic!("no consent at {url}");
}

#[tokio::test]
async fn an_instance_that_is_told_to_end_does_so_orderly() {
    let mut process = example().arg("--listen").arg("127.0.0.1:0").spawn().unwrap();
    let mut said = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let url = said.trim_end().rsplit(' ').next().unwrap().to_owned();
    let mut browser = Wire::new();
    browser.sign_in(&format!("{url}sign-in")).await;
    // A connection that is kept alive does not keep it alive.
    signal_to(process.id(), "TERM");
    assert!(process.wait().unwrap().success());
}

#[tokio::test]
async fn who_sends_half_a_request_does_not_keep_an_instance_alive() {
    let mut process = example().arg("--listen").arg("127.0.0.1:0").spawn().unwrap();
    let mut said = String::new();
    BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
    let address = said.split(['/', ',']).nth(2).unwrap();
    let mut slow = TcpStream::connect(address).unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    // It has been accepted when one that came later is answered.
    Wire::new().get(&format!("http://{address}/")).await;
    signal_to(process.id(), "TERM");
    let ended = timeout(Duration::from_secs(30), spawn_blocking(move || process.wait())).await;
    assert!(ended.unwrap().unwrap().unwrap().success());
}

#[tokio::test]
async fn the_database_may_be_away_for_a_while() {
    let Some(mut redis) = redis::Server::start(&[]) else { return };
    let app = Arguments { redis: Some(redis.url()), ..Arguments::default() }.start().await;
    let mut browser = Wire::new();
    browser.sign_in(&app.at("/sign-in")).await;
    redis.kill();
    let unavailable = browser.get(&app.at("/api")).await;
    unavailable.says(StatusCode::SERVICE_UNAVAILABLE, "The database does not answer");
    redis.restart();
    browser.get(&app.at("/api")).await.says(StatusCode::OK, "hello");
}
