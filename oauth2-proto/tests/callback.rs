//! What a callback has to be before its code is believed: the checks, their order, and that a
//! refusal changes nothing.
#![expect(
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what a helper does not expect fails the test"
)]

#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;

use core::time::Duration;

use http::Uri;
use oauth2_proto::{
    Authorizing, AwaitingCallback, Callback, Client, Code, Denied, Error, Expired, Forged, Misuse,
    Problem, Reason, State, Timestamp,
};
use proptest::prelude::*;
use support::{
    CODE, NOW, REDIRECT_URI, after, begin, client, form, other_client, parameter, pending, rng,
    server,
};
use url::Url;

const ISSUER: &str = "https://as.example";

fn stored(pending: &AwaitingCallback) -> String {
    serde_json::to_string(pending).unwrap()
}

/// A refusal, which must leave the login as it was.
#[track_caller]
fn refusal_at<'a>(
    pending: &AwaitingCallback,
    client: &Client,
    callback: impl Into<Callback<'a>>,
    now: Timestamp,
) -> Error {
    let before = stored(pending);
    let error = pending.accept(client, callback, now).expect_err("this callback is refused");
    assert_eq!(stored(pending), before);
    error
}

#[track_caller]
fn refusal<'a>(
    pending: &AwaitingCallback,
    client: &Client,
    callback: impl Into<Callback<'a>>,
) -> Error {
    refusal_at(pending, client, callback, NOW)
}

#[track_caller]
fn malformed(error: &Error) -> Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem().clone()
}

#[track_caller]
fn denied(error: Error) -> Denied {
    let Error::Denied(denied) = error else { panic!("{error:?} is not Denied") };
    denied
}

/// The code that goes into the token request.
fn sent(code: Code, client: &Client) -> String {
    let (request, _) = code.redeem(client, NOW).expect("the same client");
    let mut codes = form(&request).into_iter().filter(|(name, _)| name == "code");
    codes.next().expect("the code is sent").1
}

/// A login at this redirect URI, and its `state`.
fn begin_at(client: &Client, redirect_uri: &str) -> (AwaitingCallback, String) {
    let (url, pending) = client.authorize(redirect_uri).begin(&mut rng(), NOW).expect("a login");
    (pending, parameter(&url, "state"))
}

// Acceptance

#[test]
fn the_answer_of_rfc_6749_section_4_1_2_is_accepted() {
    let client = client();
    let (pending, state) = begin_at(&client, "https://client.example.com/cb");
    let url = format!("https://client.example.com/cb?code=SplxlOBeZQQYbYS6WxSbIA&state={state}");
    let code = pending.accept(&client, Callback::url(&url), NOW).unwrap();
    assert_eq!(sent(code, &client), "SplxlOBeZQQYbYS6WxSbIA");
}

#[test]
fn the_error_of_rfc_6749_section_4_1_2_1_is_a_denial() {
    let client = client();
    let (pending, state) = begin_at(&client, "https://client.example.com/cb");
    let url = format!("https://client.example.com/cb?error=access_denied&state={state}");
    let denied = denied(refusal(&pending, &client, Callback::url(&url)));
    assert_eq!((denied.error(), denied.description()), ("access_denied", None));
}

#[test]
fn a_callback_comes_as_url_as_query_or_as_uri() {
    let client = client();
    let (pending, query) = pending(&client);
    let url = format!("{REDIRECT_URI}?{query}");
    let origin_form = format!("/callback?{query}");
    let codes = [
        pending.accept(&client, Callback::query(&query), NOW),
        pending.accept(&client, Callback::url(&url), NOW),
        pending.accept(&client, &Url::parse(&url).unwrap(), NOW),
        pending.accept(&client, &url.parse::<Uri>().unwrap(), NOW),
        pending.accept(&client, &origin_form.parse::<Uri>().unwrap(), NOW),
    ];
    for code in codes {
        assert_eq!(sent(code.unwrap(), &client), CODE);
    }
}

#[test]
fn a_pasted_url_may_have_space_around_it() {
    let client = client();
    let (pending, query) = pending(&client);
    let pasted = format!("  {REDIRECT_URI}?{query}\r\n");
    assert!(pending.accept(&client, Callback::url(&pasted), NOW).is_ok());
}

#[test]
fn the_order_of_the_parameters_does_not_matter() {
    let client = client();
    let (pending, query) = pending(&client);
    let turned: Vec<_> = query.split('&').rev().collect();
    assert!(pending.accept(&client, Callback::query(&turned.join("&")), NOW).is_ok());
}

#[test]
fn unknown_parameters_are_ignored() {
    let client = client();
    let (pending, query) = pending(&client);
    let query = format!("session_state=1&&{query}&scope=read%20write&=&authuser=0&hd");
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    assert_eq!(sent(code, &client), CODE);
}

#[test]
fn a_fragment_is_no_part_of_the_code() {
    let client = client();
    let (url, pending) = begin(&client);
    let state = parameter(&url, "state");
    let callback = format!("{REDIRECT_URI}?state={state}&code={CODE}#_=_");
    let code = pending.accept(&client, Callback::url(&callback), NOW).unwrap();
    assert_eq!(sent(code, &client), CODE);
}

#[test]
fn a_code_is_percent_decoded() {
    let client = client();
    let (url, pending) = begin(&client);
    let state = parameter(&url, "state");
    for (encoded, decoded) in [
        ("4%2F0Ab_c-D", "4/0Ab_c-D"),
        ("a%2Bb%2fc%3D%3d", "a+b/c=="),
        ("a+b%20c", "a b c"),
        ("%53plx", "Splx"),
        ("a%25", "a%"),
        ("100%", "100%"),
        ("a=b==", "a=b=="),
        ("~!$'()*,;:@/?", "~!$'()*,;:@/?"),
    ] {
        let query = format!("code={encoded}&state={state}");
        let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
        assert_eq!(sent(code, &client), decoded);
    }
}

#[test]
fn parameter_names_are_percent_decoded() {
    let client = client();
    let (url, pending) = begin(&client);
    let query = format!("%63ode={CODE}&st%61te={}", parameter(&url, "state"));
    assert!(pending.accept(&client, Callback::query(&query), NOW).is_ok());
}

#[test]
fn the_same_login_accepts_its_callback_until_the_deadline() {
    let client = client();
    let (pending, query) = pending(&client);
    assert_eq!(pending.deadline(), after(600));
    for now in [NOW, after(599), after(600)] {
        assert!(pending.accept(&client, Callback::query(&query), now).is_ok());
    }
    let error = refusal_at(&pending, &client, Callback::query(&query), after(601));
    assert_eq!(error, Error::Expired(Expired::Callback));
}

#[test]
fn the_deadline_is_what_the_caller_says() {
    let client = client();
    let request = client.authorize(REDIRECT_URI).within(Duration::from_secs(90));
    let (_, pending) = request.begin(&mut rng(), NOW).unwrap();
    assert_eq!(pending.deadline(), after(90));
    let forever = client.authorize(REDIRECT_URI).within(Duration::MAX);
    let (_, pending) = forever.begin(&mut rng(), NOW).unwrap();
    assert_eq!(pending.deadline(), Timestamp::from_unix_seconds(u64::MAX));
}

// The order of the checks

/// Each check of law 5 in its order: what a callback that only it refuses is refused with.
const CHECKS: usize = 8;

fn refused_by(check: usize) -> Error {
    match check {
        0 => Error::Misuse(Misuse::WrongClient),
        1 => Error::Expired(Expired::Callback),
        2 => Error::Forged(Forged::DuplicateParameter("state")),
        3 => Error::Forged(Forged::RedirectUri),
        4 => Error::Forged(Forged::Issuer),
        5 => Error::Forged(Forged::State),
        other => panic!("check {other} has no constant error"),
    }
}

/// Presents a callback that breaks exactly these checks.
fn break_checks(broken: [bool; CHECKS]) -> Result<Code, Error> {
    let [wrong_client, late, repeated, elsewhere, wrong_issuer, forged, error, codeless] = broken;
    let server = server().with_issuer_in_callback(ISSUER);
    let own = Client::new("own", server.clone());
    let client = if wrong_client { Client::new("another", server) } else { own.clone() };
    let (url, pending) = begin(&own);
    let mut state = parameter(&url, "state");
    if forged {
        state.push('x');
    }
    let mut callback =
        Url::parse(if elsewhere { "https://app.example/elsewhere" } else { REDIRECT_URI }).unwrap();
    // The parameters that are looked at last come first.
    let mut query = callback.query_pairs_mut();
    if !codeless {
        query.append_pair("code", CODE);
    }
    if error {
        query.append_pair("error", "access_denied");
    }
    query.append_pair("state", &state);
    query.append_pair("iss", if wrong_issuer { "https://evil.example" } else { ISSUER });
    if repeated {
        query.append_pair("state", &state);
    }
    drop(query);
    let before = stored(&pending);
    let result = pending.accept(&client, &callback, if late { after(601) } else { NOW });
    assert_eq!(stored(&pending), before);
    result
}

#[test]
fn whatever_else_is_wrong_the_first_failed_check_is_reported() {
    for set in 0_u32..1 << CHECKS {
        let broken: [bool; CHECKS] = core::array::from_fn(|check| set >> check & 1 == 1);
        let result = break_checks(broken);
        match broken.iter().position(|broken| *broken) {
            None => assert!(result.is_ok()),
            Some(6) => assert_eq!(denied(result.unwrap_err()).error(), "access_denied"),
            Some(7) => assert_eq!(malformed(&result.unwrap_err()), Problem::CodeMissing),
            Some(first) => assert_eq!(result.unwrap_err(), refused_by(first), "{broken:?}"),
        }
    }
}

#[test]
fn a_missing_issuer_is_reported_before_a_forged_state() {
    let client = Client::new("id", server().with_issuer_in_callback(ISSUER));
    let (pending, _) = pending(&client);
    let error = refusal(&pending, &client, Callback::query("code=a&state=forged"));
    assert_eq!(error, Error::Forged(Forged::IssuerMissing));
}

// Duplicates

#[test]
fn each_repeated_parameter_is_refused_by_name() {
    let client = client();
    let (pending, query) = pending(&client);
    for name in ["state", "code", "iss", "error", "error_description", "error_uri"] {
        for second in ["=a", "=", ""] {
            let query = format!("{query}&{name}=a&{name}{second}");
            assert_eq!(
                refusal(&pending, &client, Callback::query(&query)),
                Error::Forged(Forged::DuplicateParameter(name)),
                "{query}"
            );
        }
    }
}

#[test]
fn the_same_value_twice_is_a_repetition() {
    let client = client();
    let (pending, query) = pending(&client);
    let query = format!("{query}&{query}");
    assert_eq!(
        refusal(&pending, &client, Callback::query(&query)),
        Error::Forged(Forged::DuplicateParameter("code"))
    );
}

#[test]
fn a_repetition_under_an_encoded_name_is_refused() {
    let client = client();
    let (pending, query) = pending(&client);
    let query = format!("{query}&c%6Fde=other");
    assert_eq!(
        refusal(&pending, &client, Callback::query(&query)),
        Error::Forged(Forged::DuplicateParameter("code"))
    );
}

// Redirect URI

#[test]
fn a_callback_to_another_origin_path_or_port_is_refused() {
    let client = client();
    let (pending, query) = pending(&client);
    for place in [
        "http://app.example/callback",
        "https://app.example:8443/callback",
        "https://app.example/callback/",
        "https://app.example/callbacks",
        "https://app.example/Callback",
        "https://app.example/",
        "https://app.example",
        "https://app.example/other/../elsewhere",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://user@app.example/callback",
        "https://user:password@app.example/callback",
        "https://evil.example/callback",
        "https://evil.example/https://app.example/callback",
        "com.example.app:/callback",
    ] {
        let url = format!("{place}?{query}");
        assert_eq!(
            refusal(&pending, &client, Callback::url(&url)),
            Error::Forged(Forged::RedirectUri),
            "{place}"
        );
    }
}

#[test]
fn a_callback_to_a_longer_path_is_refused_however_it_goes_on() {
    let client = client();
    let (pending, query) = pending(&client);
    for rest in ["&", "&x", ";x", "%3F", "%2F..", "."] {
        let url = format!("{REDIRECT_URI}{rest}?{query}");
        assert_eq!(
            refusal(&pending, &client, Callback::url(&url)),
            Error::Forged(Forged::RedirectUri),
            "{url}"
        );
    }
}

#[test]
fn a_redirect_uri_is_recognised_after_a_browser_normalised_it() {
    let client = client();
    for (redirect_uri, seen) in [
        ("HTTPS://App.Example/callback", "https://app.example/callback"),
        ("https://app.example:443/callback", "https://app.example/callback"),
        ("https://app.example", "https://app.example/"),
        ("https://app.example/a/../callback", "https://app.example/callback"),
        ("https://app.example/ä", "https://app.example/%C3%A4"),
        ("http://127.0.0.1:49152/callback", "http://127.0.0.1:49152/callback"),
        ("http://[::1]:49152", "http://[::1]:49152/"),
        ("com.example.app:/callback", "com.example.app:/callback"),
        ("com.example.app:callback", "com.example.app:callback"),
    ] {
        let (pending, state) = begin_at(&client, redirect_uri);
        let url = format!("{seen}?code={CODE}&state={state}");
        assert!(pending.accept(&client, Callback::url(&url), NOW).is_ok(), "{url}");
        assert_eq!(pending.redirect_uri(), redirect_uri);
    }
}

#[test]
fn a_loopback_callback_to_another_port_is_refused() {
    let client = client();
    let (pending, state) = begin_at(&client, "http://127.0.0.1:49152/");
    let url = format!("http://127.0.0.1:49153/?code={CODE}&state={state}");
    assert_eq!(refusal(&pending, &client, Callback::url(&url)), Error::Forged(Forged::RedirectUri));
}

#[test]
fn the_query_of_the_redirect_uri_stays_in_front() {
    let client = client();
    let (pending, state) = begin_at(&client, "https://app.example/callback?server=a");
    let url = format!("https://app.example/callback?server=a&code={CODE}&state={state}");
    let code = pending.accept(&client, Callback::url(&url), NOW).unwrap();
    assert_eq!(sent(code, &client), CODE);
}

/// One redirect URI per server is a defence against mix-up: also where they differ by their query.
#[test]
fn a_callback_with_another_query_than_the_redirect_uri_is_refused() {
    let client = client();
    let (pending, state) = begin_at(&client, "https://app.example/callback?server=a");
    for query in ["server=b&", "", "server=ab&", "server&"] {
        let url = format!("https://app.example/callback?{query}code={CODE}&state={state}");
        assert_eq!(
            refusal(&pending, &client, Callback::url(&url)),
            Error::Forged(Forged::RedirectUri),
            "{url}"
        );
    }
}

#[test]
fn a_uri_with_an_authority_is_compared() {
    let client = client();
    let (pending, query) = pending(&client);
    let uri: Uri = format!("https://evil.example/callback?{query}").parse().unwrap();
    assert_eq!(refusal(&pending, &client, &uri), Error::Forged(Forged::RedirectUri));
}

#[test]
fn a_full_url_that_is_none_is_refused() {
    let client = client();
    let (pending, query) = pending(&client);
    for text in ["", "callback", "?", "https://", "https://[", "://"] {
        let error = refusal(&pending, &client, Callback::url(&format!("{text}?{query}")));
        assert_eq!(malformed(&error), Problem::CallbackUrl, "{text}");
    }
}

/// A web server that sees no origin can hand over what it sees.
#[test]
fn a_relative_url_is_accepted_by_its_query() {
    let client = client();
    let (pending, query) = pending(&client);
    let callback = format!("/callback?{query}");
    let code = pending.accept(&client, Callback::url(&callback), NOW).unwrap();
    assert_eq!(sent(code, &client), CODE);
}

// iss

/// What a callback with this `iss` comes to, where the server is known by [`ISSUER`].
fn with_iss(server: oauth2_proto::Server, iss: &str) -> Result<Code, Error> {
    let client = Client::new("id", server);
    let (pending, query) = pending(&client);
    let before = stored(&pending);
    let result = pending.accept(&client, Callback::query(&format!("{query}{iss}")), NOW);
    assert_eq!(stored(&pending), before);
    result
}

#[test]
fn the_own_issuer_is_accepted() {
    for iss in ["&iss=https://as.example", "&iss=https%3A%2F%2Fas.example"] {
        assert!(with_iss(server().with_issuer(ISSUER), iss).is_ok());
        assert!(with_iss(server().with_issuer_in_callback(ISSUER), iss).is_ok());
    }
}

#[test]
fn another_issuer_is_refused() {
    for iss in [
        "&iss=https://evil.example",
        "&iss=https://as.example/",
        "&iss=https://AS.example",
        "&iss=https://as.example%20",
        "&iss=http://as.example",
        "&iss=https://as.exampl",
        "&iss=",
        "&iss",
        "&iss=%FF",
    ] {
        for server in [server().with_issuer(ISSUER), server().with_issuer_in_callback(ISSUER)] {
            assert_eq!(with_iss(server, iss).unwrap_err(), Error::Forged(Forged::Issuer), "{iss}");
        }
    }
}

#[test]
fn a_missing_issuer_is_refused_only_where_the_server_is_known_to_send_it() {
    assert!(with_iss(server().with_issuer(ISSUER), "").is_ok());
    assert_eq!(
        with_iss(server().with_issuer_in_callback(ISSUER), "").unwrap_err(),
        Error::Forged(Forged::IssuerMissing)
    );
}

#[test]
fn an_issuer_is_ignored_where_none_was_named() {
    assert!(with_iss(server(), "&iss=https://anything.example").is_ok());
}

#[test]
fn an_error_from_another_issuer_is_refused() {
    let client = Client::new("id", server().with_issuer(ISSUER));
    let (url, pending) = begin(&client);
    let state = parameter(&url, "state");
    let query = format!("error=access_denied&state={state}&iss=https://evil.example");
    assert_eq!(refusal(&pending, &client, Callback::query(&query)), Error::Forged(Forged::Issuer));
}

// state

#[test]
fn any_other_state_is_refused() {
    let client = client();
    let (url, pending) = begin(&client);
    let state = parameter(&url, "state");
    let prefix = &state[..state.len() - 1];
    let longer = format!("{state}A");
    let last = format!("{prefix}{}", if state.ends_with('A') { 'B' } else { 'A' });
    let first = format!("{}{}", if state.starts_with('A') { 'B' } else { 'A' }, &state[1..]);
    let others = [
        prefix,
        &longer,
        &last,
        &first,
        &state.to_uppercase(),
        &format!("{state}%00"),
        &format!("{state}%20"),
        &format!("%20{state}"),
        &format!("{state}="),
        "",
        "xyz",
        "%FF",
        &"%FF".repeat(43),
    ];
    for other in others {
        let query = format!("code={CODE}&state={other}");
        assert_eq!(
            refusal(&pending, &client, Callback::query(&query)),
            Error::Forged(Forged::State),
            "{query}"
        );
    }
}

#[test]
fn a_missing_state_is_refused() {
    let client = client();
    let (pending, _) = pending(&client);
    for query in ["", "code=a", "code=a&State=b", "code=a&state", "error=access_denied"] {
        assert_eq!(
            refusal(&pending, &client, Callback::query(query)),
            Error::Forged(Forged::State),
            "{query}"
        );
    }
    let uri = Uri::from_static("/callback");
    assert_eq!(refusal(&pending, &client, &uri), Error::Forged(Forged::State));
}

#[test]
fn the_state_of_another_login_is_refused() {
    let client = client();
    let (pending, _) = pending(&client);
    let other = client.authorize(REDIRECT_URI).begin(&mut support::Counting(100), NOW).unwrap();
    let query = format!("code={CODE}&state={}", parameter(&other.0, "state"));
    assert_eq!(refusal(&pending, &client, Callback::query(&query)), Error::Forged(Forged::State));
}

#[test]
fn a_state_in_the_fragment_does_not_count() {
    let client = client();
    let (pending, query) = pending(&client);
    let url = format!("{REDIRECT_URI}#{query}");
    assert_eq!(refusal(&pending, &client, Callback::url(&url)), Error::Forged(Forged::State));
}

// What the callback says

#[test]
fn an_error_with_our_state_is_a_denial_in_the_servers_words() {
    let client = client();
    let (url, pending) = begin(&client);
    let query = format!(
        "error=access_denied&error_description=The+person+said%20no&error_uri={}&state={}",
        "https%3A%2F%2Fas.example%2Fhelp%3Fa%3D1",
        parameter(&url, "state")
    );
    let denied = denied(refusal(&pending, &client, Callback::query(&query)));
    assert_eq!(denied.error(), "access_denied");
    assert_eq!(denied.description(), Some("The person said no"));
    assert_eq!(denied.uri(), Some("https://as.example/help?a=1"));
}

#[test]
fn an_error_without_our_state_is_forged() {
    let client = client();
    let (pending, _) = pending(&client);
    for query in ["error=access_denied", "error=access_denied&state=xyz"] {
        assert_eq!(
            refusal(&pending, &client, Callback::query(query)),
            Error::Forged(Forged::State)
        );
    }
}

#[test]
fn an_error_beside_a_code_is_a_denial() {
    let client = client();
    let (pending, query) = pending(&client);
    let query = format!("{query}&error=server_error");
    assert_eq!(denied(refusal(&pending, &client, Callback::query(&query))).error(), "server_error");
}

#[test]
fn an_empty_error_says_nothing() {
    let client = client();
    let (pending, query) = pending(&client);
    for error in ["&error=", "&error"] {
        let query = format!("{query}{error}");
        assert!(pending.accept(&client, Callback::query(&query), NOW).is_ok(), "{query}");
    }
}

#[test]
fn a_callback_with_our_state_and_without_code_is_malformed() {
    let client = client();
    let (url, pending) = begin(&client);
    let state = parameter(&url, "state");
    for code in ["", "&code", "&code=", "&Code=a", "#code=a", "&token=a"] {
        let url = format!("{REDIRECT_URI}?state={state}{code}");
        let error = refusal(&pending, &client, Callback::url(&url));
        assert_eq!(malformed(&error), Problem::CodeMissing, "{code}");
    }
}

#[test]
fn a_code_with_characters_that_rfc_6749_forbids_is_malformed() {
    let client = client();
    let (url, pending) = begin(&client);
    let state = parameter(&url, "state");
    for code in ["%00", "a%0Ab", "a%0D%0Ab", "a%7F", "%C3%A4", "ä", "%FF", "a%09", "%EF%BF%BD"] {
        let query = format!("code={code}&state={state}");
        let error = refusal(&pending, &client, Callback::query(&query));
        assert_eq!(malformed(&error), Problem::Code, "{code}");
    }
}

// What is left

#[test]
fn after_a_denial_the_login_is_over_with_its_reason() {
    let client = client();
    let (url, pending) = begin(&client);
    let id = pending.login();
    let query = format!("error=access_denied&state={}", parameter(&url, "state"));
    let error = refusal(&pending, &client, Callback::query(&query));
    let State::Unauthorized(over) = pending.after(&error) else { panic!("a denial ends it") };
    assert_eq!(over.reason(), &Reason::Denied("access_denied".into()));
    assert_eq!(over.requested_scope().as_str(), support::SCOPE);
    assert!(!over.is_renewable());
    assert_eq!(State::from(over).login(), id);
}

#[test]
fn after_the_deadline_the_login_is_over_with_its_reason() {
    let client = client();
    let (pending, query) = pending(&client);
    let error = refusal_at(&pending, &client, Callback::query(&query), after(601));
    let State::Unauthorized(over) = pending.after(&error) else { panic!("the deadline ends it") };
    assert_eq!(over.reason(), &Reason::Deadline);
}

#[test]
fn after_any_other_refusal_the_login_is_still_pending() {
    let client = client();
    let (url, _) = begin(&client);
    let state = parameter(&url, "state");
    let (no_code, bad_code) = (format!("state={state}"), format!("code=%00&state={state}"));
    let callbacks = [
        Callback::query("state=a&state=b"),
        Callback::query("state=xyz"),
        Callback::query(&no_code),
        Callback::query(&bad_code),
        Callback::url("https://evil.example/"),
        Callback::url("no url"),
    ];
    let own = callbacks.into_iter().map(|callback| (callback, client.clone()));
    for (callback, by) in own.chain([(Callback::query(&no_code), other_client())]) {
        let (_, pending) = begin(&client);
        let before = stored(&pending);
        let error = refusal(&pending, &by, callback);
        let State::Authorizing(Authorizing::AwaitingCallback(pending)) = pending.after(&error)
        else {
            panic!("{error} does not end a login")
        };
        assert_eq!(stored(&pending), before);
    }
}

#[test]
fn a_forged_callback_does_not_stop_the_real_one() {
    let client = client();
    let (pending, query) = pending(&client);
    for forged in ["", "code=evil&state=evil", "error=access_denied", "state=a&state=b"] {
        refusal(&pending, &client, Callback::query(forged));
    }
    let code = pending.accept(&client, Callback::query(&query), NOW).unwrap();
    assert_eq!(sent(code, &client), CODE);
}

#[test]
fn the_login_that_a_callback_answers_is_told_by_its_state() {
    let client = client();
    let rng = &mut support::Counting::default();
    let mut login = || client.authorize(REDIRECT_URI).begin(rng, NOW).unwrap();
    let ((url, one), (_, two)) = (login(), login());
    let state = parameter(&url, "state");
    // Whatever else the callback says, and wherever it came to: that is for `accept` to refuse.
    for rest in ["code=c", "error=access_denied", "iss=https%3A%2F%2Fevil.example", ""] {
        let url = format!("https://evil.example/?{rest}&st%61te={state}");
        assert_eq!(one.is_answered_by(&client, Callback::url(&url)), Ok(true));
        assert_eq!(two.is_answered_by(&client, Callback::url(&url)), Ok(false));
    }
    for query in ["code=c", "code=c&state=", &format!("state={state}A")] {
        assert_eq!(one.is_answered_by(&client, Callback::query(query)), Ok(false));
    }
    let twice = format!("state={state}&state={state}");
    assert_eq!(
        one.is_answered_by(&client, Callback::query(&twice)),
        Err(Error::Forged(Forged::DuplicateParameter("state")))
    );
    assert_eq!(
        one.is_answered_by(&other_client(), Callback::query(&twice)),
        Err(Error::Misuse(Misuse::WrongClient))
    );
}

#[test]
fn another_client_is_refused_before_the_callback_is_read() {
    let client = client();
    let (pending, query) = pending(&client);
    assert_eq!(
        refusal(&pending, &other_client(), Callback::query(&query)),
        Error::Misuse(Misuse::WrongClient)
    );
}

#[test]
fn a_stored_login_accepts_the_same_callback() {
    let client = client();
    let (pending, query) = pending(&client);
    let loaded: AwaitingCallback = serde_json::from_str(&stored(&pending)).unwrap();
    let code = loaded.accept(&client, Callback::query(&query), NOW).unwrap();
    assert_eq!(sent(code, &client), CODE);
}

proptest! {
    #[test]
    fn no_callback_makes_it_panic_or_is_believed(text in any::<String>()) {
        let client = client();
        let (pending, _) = pending(&client);
        refusal(&pending, &client, Callback::query(&text));
        refusal(&pending, &client, Callback::url(&text));
    }

    #[test]
    fn no_callback_with_our_state_makes_it_panic(
        front in "[a-z=&%#?+]{0,12}",
        behind in any::<String>(),
    ) {
        let client = client();
        let (pending, query) = pending(&client);
        let query = format!("{front}&{query}{behind}");
        let _ = pending.accept(&client, Callback::query(&query), NOW);
        let _ = pending.accept(&client, Callback::url(&format!("{REDIRECT_URI}?{query}")), NOW);
    }
}

// The hybrid flow, and other places to bring parameters back in

fn hybrid(client: &Client) -> (Url, AwaitingCallback) {
    let request = client.authorize(REDIRECT_URI).scope("openid").hybrid();
    request.begin(&mut rng(), NOW).expect("a usable login")
}

#[test]
fn a_hybrid_login_asks_for_code_and_id_token_with_pkce_and_nonce() {
    // OpenID Connect Core §3.3.2.1 and §3.3.2.11: nonce is REQUIRED.
    let (url, _) = hybrid(&client());
    assert_eq!(parameter(&url, "response_type"), "code id_token");
    assert_eq!(parameter(&url, "code_challenge_method"), "S256");
    assert_eq!(parameter(&url, "nonce").len(), 43);
    assert_ne!(parameter(&url, "nonce"), parameter(&url, "state"));
    let without_openid = client();
    let request = without_openid.authorize(REDIRECT_URI).hybrid();
    let (url, _) = request.begin(&mut rng(), NOW).expect("a usable login");
    assert_eq!(parameter(&url, "nonce").len(), 43);
}

#[test]
fn the_nonce_is_the_machines_own_wherever_an_id_token_is_asked_for() {
    let client = client();
    let nonce = Misuse::Parameter("nonce".into());
    for request in [
        client.authorize(REDIRECT_URI).scope("openid").param("nonce", "mine"),
        client.authorize(REDIRECT_URI).hybrid().param("nonce", "mine"),
    ] {
        let error = request.begin(&mut rng(), NOW).expect_err("it is set already");
        assert_eq!(error, Error::Misuse(nonce.clone()));
    }
    let request = client.authorize(REDIRECT_URI).scope("read").param("nonce", "mine");
    let (url, _) = request.begin(&mut rng(), NOW).expect("nobody else needs it");
    assert_eq!(parameter(&url, "nonce"), "mine");
}

#[test]
fn the_nonce_stays_with_the_login_through_every_refresh() {
    let client = client();
    let request = client.authorize(REDIRECT_URI).scope("openid");
    let (url, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    let nonce = parameter(&url, "nonce");
    let query = format!("code={CODE}&state={}", parameter(&url, "state"));
    let pending: AwaitingCallback = serde_json::from_str(&stored(&pending)).unwrap();
    let code = pending.accept(&client, Callback::query(&query), NOW).expect("ours");
    let (_, awaiting) = code.redeem(&client, NOW).expect("the same client");
    let tokens = support::answer(200, support::TOKENS);
    let login = awaiting.receive(&client, &tokens, NOW).expect("tokens");
    assert_eq!(login.nonce(), Some(&*nonce));
    let (_, refreshing) = login.refresh(&client, NOW).expect("there is a refresh token");
    let login = refreshing.receive(&client, &tokens, NOW).expect("tokens");
    assert_eq!(login.nonce(), Some(&*nonce));
}

#[test]
fn a_hybrid_callback_comes_in_the_fragment() {
    // OpenID Connect Core §3.3.2.5: all parameters are added to the fragment component.
    let client = client();
    let (url, pending) = hybrid(&client);
    let state = parameter(&url, "state");
    let ours = format!("code={CODE}&id_token=a.b.c&state={state}");
    let callback = format!("{REDIRECT_URI}#{ours}");
    let code = pending.accept(&client, Callback::url(&callback), NOW).expect("ours");
    assert_eq!(code.id_token().map(|it| it.expose()), Some("a.b.c"));
    assert_eq!(sent(code, &client), CODE);
    // In the query it is not this login's answer.
    let callback = format!("{REDIRECT_URI}?{ours}");
    let error = refusal(&pending, &client, Callback::url(&callback));
    assert_eq!(error, Error::Forged(Forged::State));
    // What an attacker has put into the query beside it is not looked at.
    let callback = format!("{REDIRECT_URI}?code=evil&error=access_denied#{ours}");
    let code = pending.accept(&client, Callback::url(&callback), NOW).expect("ours");
    assert_eq!(sent(code, &client), CODE);
}

/// An ID token with this issuer, which nobody has signed.
fn id_token(issuer: &str) -> String {
    use base64::Engine;
    let claims = format!(r#"{{"sub":"a","iss":"{issuer}"}}"#);
    format!("e30.{}.", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims))
}

/// A server that sends `iss` with everything leaves it out where an ID token says it.
#[test]
fn the_issuer_of_an_id_token_stands_for_iss() {
    let client = Client::new("s6BhdRkqt3", server().with_issuer_in_callback("https://as.example"));
    let (url, pending) = hybrid(&client);
    let state = parameter(&url, "state");
    let callback = |id_token: &str| format!("code={CODE}&id_token={id_token}&state={state}");
    let ours = callback(&id_token("https://as.example"));
    let code = pending.accept(&client, Callback::query(&ours), NOW).expect("ours");
    assert_eq!(sent(code, &client), CODE);
    let theirs = callback(&id_token("https://evil.example"));
    let error = refusal(&pending, &client, Callback::query(&theirs));
    assert_eq!(error, Error::Forged(Forged::Issuer));
    for nothing in ["", "a.b.c", "e30.e30.", "a.b.c.d.e", "e30.bm8.", "."] {
        let error = refusal(&pending, &client, Callback::query(&callback(nothing)));
        assert_eq!(error, Error::Forged(Forged::IssuerMissing), "{nothing}");
    }
}

/// RFC 9207 §2.4: where both are there, both have to be the same.
#[test]
fn an_id_token_of_another_issuer_than_iss_is_refused() {
    for server in [server(), server().with_issuer("https://as.example")] {
        let client = Client::new("s6BhdRkqt3", server);
        let (url, pending) = hybrid(&client);
        let id_token = id_token("https://evil.example");
        let iss = "iss=https%3A%2F%2Fas.example";
        let state = parameter(&url, "state");
        let query = format!("code={CODE}&id_token={id_token}&{iss}&state={state}");
        let error = refusal(&pending, &client, Callback::query(&query));
        assert_eq!(error, Error::Forged(Forged::Issuer));
    }
}

#[test]
fn an_id_token_that_nobody_asked_for_names_no_issuer() {
    let client = Client::new("s6BhdRkqt3", server().with_issuer_in_callback("https://as.example"));
    let (pending, query) = pending(&client);
    let query = format!("{query}&id_token={}", id_token("https://as.example"));
    let error = refusal(&pending, &client, Callback::query(&query));
    assert_eq!(error, Error::Forged(Forged::IssuerMissing));
}

#[test]
fn an_error_of_a_hybrid_login_comes_in_the_fragment_too() {
    let client = client();
    let (url, pending) = hybrid(&client);
    let ours = format!("error=login_required&state={}", parameter(&url, "state"));
    let callback = format!("{REDIRECT_URI}#{ours}");
    let error = refusal(&pending, &client, Callback::url(&callback));
    assert_eq!(denied(error).error(), "login_required");
}

#[test]
fn a_repeated_id_token_is_refused() {
    let client = client();
    let (url, pending) = hybrid(&client);
    let query = format!("code=a&id_token=b&id_token=c&state={}", parameter(&url, "state"));
    let error = refusal(&pending, &client, Callback::query(&query));
    assert_eq!(error, Error::Forged(Forged::DuplicateParameter("id_token")));
}

#[test]
fn the_place_of_the_parameters_is_what_the_response_mode_says() {
    let client = client();
    for (mode, is_hybrid, in_fragment) in [
        ("fragment", false, true),
        ("query", false, false),
        ("query", true, false),
        ("form_post", true, false),
        ("fragment", true, true),
    ] {
        let request = client.authorize(REDIRECT_URI).param("response_mode", mode);
        let request = if is_hybrid { request.hybrid() } else { request };
        let (url, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
        assert_eq!(parameter(&url, "response_mode"), mode);
        let ours = format!("code={CODE}&state={}", parameter(&url, "state"));
        let (right, wrong) = if in_fragment { ('#', '?') } else { ('?', '#') };
        let pending: AwaitingCallback = serde_json::from_str(&stored(&pending)).unwrap();
        let callback = format!("{REDIRECT_URI}{right}{ours}");
        assert!(pending.accept(&client, Callback::url(&callback), NOW).is_ok(), "{mode}");
        let callback = format!("{REDIRECT_URI}{wrong}{ours}");
        let error = refusal(&pending, &client, Callback::url(&callback));
        assert_eq!(error, Error::Forged(Forged::State), "{mode}");
    }
}

#[test]
fn a_posted_form_is_a_callback() {
    // OAuth 2.0 Form Post Response Mode §2.
    let client = client();
    let (pending, query) = pending(&client);
    let code = pending.accept(&client, Callback::form_post(query.as_bytes()), NOW).expect("ours");
    assert_eq!(sent(code, &client), CODE);
    for body in [&b"\xff\xfe=\x00&&&=%"[..], b"", b"?code=a"] {
        let error = refusal(&pending, &client, Callback::form_post(body));
        assert_eq!(error, Error::Forged(Forged::State));
    }
}

fn request(
    method: &str,
    uri: &str,
    content_type: Option<&str>,
    body: &str,
) -> http::Request<String> {
    let request = http::Request::builder().method(method).uri(uri);
    let request = content_type.into_iter().fold(request, |it, own| it.header("content-type", own));
    request.body(body.into()).expect("a request")
}

#[test]
fn a_request_is_read_by_its_form_where_one_was_posted_else_by_its_uri() {
    let client = client();
    let (pending, ours) = pending(&client);
    let (here, there) = (format!("/callback?{ours}"), "/callback?code=evil&state=forged");
    let form = Some("application/x-www-form-urlencoded");
    let spelled = Some("Application/X-WWW-Form-Urlencoded; charset=UTF-8");
    for (request, accepted) in [
        (request("GET", &here, None, ""), true),
        (request("POST", there, form, &ours), true),
        (request("POST", there, spelled, &ours), true),
        // Where a form was posted, nobody looks at the URI.
        (request("POST", &here, form, "code=evil"), false),
        (request("GET", &here, form, "code=evil&state=forged"), true),
        (request("POST", there, Some("application/json"), &ours), false),
        (request("POST", there, None, &ours), false),
        (request("PUT", there, form, &ours), false),
    ] {
        let code = pending.accept(&client, &request, NOW);
        assert_eq!(code.is_ok(), accepted, "{request:?}");
    }
}

#[test]
fn a_request_with_a_full_uri_is_compared_with_the_redirect_uri() {
    let client = client();
    let (pending, ours) = pending(&client);
    let here = request("GET", &format!("{REDIRECT_URI}?{ours}"), None, "");
    assert!(pending.accept(&client, &here, NOW).is_ok());
    let elsewhere = request("GET", &format!("https://evil.example/callback?{ours}"), None, "");
    assert_eq!(refusal(&pending, &client, &elsewhere), Error::Forged(Forged::RedirectUri));
}

// Parameters of the provider's own

fn keeping(client: &Client) -> (AwaitingCallback, String) {
    let request = client.authorize(REDIRECT_URI).keep("realmId").keep("shop");
    let (url, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    let pending: AwaitingCallback = serde_json::from_str(&stored(&pending)).unwrap();
    (pending, format!("code={CODE}&state={}", parameter(&url, "state")))
}

#[test]
fn kept_parameters_come_with_the_code_and_stay_through_every_refresh() {
    let client = client();
    let (pending, query) = keeping(&client);
    let query = format!("{query}&realmId=4%2F2+%22x%22&other=lost&other=twice");
    let code = pending.accept(&client, Callback::query(&query), NOW).expect("ours");
    assert_eq!(code.kept("realmId"), Some("4/2 \"x\""));
    assert_eq!((code.kept("shop"), code.kept("other"), code.kept("code")), (None, None, None));
    let (_, awaiting) = code.redeem(&client, NOW).expect("the same client");
    let tokens = support::answer(200, support::TOKENS);
    let login = awaiting.receive(&client, &tokens, NOW).expect("tokens");
    assert_eq!(login.kept("realmId").as_deref(), Some("4/2 \"x\""));
    let (_, refreshing) = login.refresh(&client, NOW).expect("there is a refresh token");
    let login = refreshing.receive(&client, &tokens, NOW).expect("tokens");
    let stored = serde_json::to_string(&State::from(login)).unwrap();
    let State::Authorized(login) = serde_json::from_str(&stored).unwrap() else { panic!() };
    assert_eq!(login.kept("realmId").as_deref(), Some("4/2 \"x\""));
    assert_eq!(login.kept("shop"), None);
}

#[test]
fn a_kept_parameter_may_not_be_repeated() {
    let client = client();
    let (pending, query) = keeping(&client);
    let query = format!("{query}&realmId=1&realm%49d=2");
    let error = refusal(&pending, &client, Callback::query(&query));
    assert_eq!(error, Error::Forged(Forged::DuplicateParameter("of the provider's own")));
    let message = "this callback does not answer this login: it repeats the parameter of the \
                   provider's own; refuse it, the login is still pending";
    assert_eq!(error.to_string(), message);
}

#[test]
fn the_parameters_of_the_protocol_are_never_kept() {
    let client = client();
    let request = client.authorize(REDIRECT_URI).keep("code").keep("state").keep("id_token");
    let (url, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    let query = format!("code={CODE}&id_token=a&state={}", parameter(&url, "state"));
    let code = pending.accept(&client, Callback::query(&query), NOW).expect("ours");
    assert_eq!((code.kept("code"), code.kept("state"), code.kept("id_token")), (None, None, None));
}

/// It came through the browser, and would be stored for as long as the login lives.
#[test]
fn a_kept_parameter_is_no_longer_than_4096_bytes() {
    let client = client();
    let login = client.authorize(REDIRECT_URI).keep("user");
    let (url, pending) = login.begin(&mut rng(), NOW).unwrap();
    let query = |length| {
        let user = "a".repeat(length);
        format!("code={CODE}&state={}&user={user}", parameter(&url, "state"))
    };
    let error = refusal(&pending, &client, Callback::query(&query(4097)));
    assert_eq!(malformed(&error), Problem::KeptTooLong(4096));
    assert!(error.keeps_login_pending() && error.to_string().contains("longer than 4096 bytes"));
    let code = pending.accept(&client, Callback::query(&query(4096)), NOW).unwrap();
    assert_eq!(code.kept("user").map(str::len), Some(4096));
}
