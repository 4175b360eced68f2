//! Rows 18 to 27: the authorization response.

use http::{Request, Uri};
use oauth2_proto::{
    AwaitingCallback, AwaitingFragment, Callback, Client, Error, Forged, Misuse, Problem,
};

use crate::support::{CODE, NOW, REDIRECT_URI, client, form, parameter, pending, rng, server};

/// A refusal, which leaves the login as it was.
#[track_caller]
fn refusal(pending: &AwaitingCallback, client: &Client, query: &str) -> Error {
    let before = serde_json::to_string(pending).expect("a state is JSON");
    let refused = pending.accept(client, Callback::query(query), NOW);
    assert_eq!(serde_json::to_string(pending).expect("a state is JSON"), before);
    refused.expect_err("this callback is refused")
}

fn state(query: &str) -> &str {
    query.split_once("state=").expect("it has a state").1
}

#[track_caller]
fn problem(error: &Error) -> &Problem {
    let Error::Malformed(malformed) = error else { panic!("{error:?} is not Malformed") };
    malformed.problem()
}

// Row 18
#[test]
fn a_callback_is_given_as_whatever_the_program_has() {
    let client = client();
    let (pending, query) = pending(&client);
    let url = format!("{REDIRECT_URI}?{query}");
    let path: Uri = format!("/callback?{query}").parse().unwrap();
    let posted = Request::post("/callback")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(query.clone())
        .unwrap();
    for callback in [
        Callback::url(&url),
        Callback::query(&query),
        Callback::form_post(query.as_bytes()),
        Callback::from(&path),
        Callback::from(&posted),
    ] {
        assert!(pending.accept(&client, callback, NOW).is_ok());
    }
    // A code without what proves where it comes from, and nothing at all.
    for callback in [&*format!("code={CODE}"), ""] {
        assert_eq!(refusal(&pending, &client, callback), Error::Forged(Forged::State));
    }
}

// Row 19
#[test]
fn a_callback_comes_to_the_redirect_uri_and_plain_http_to_this_machine() {
    let client = client();
    let redirect_uri = "http://localhost:8080/cb";
    let (url, local) = client.authorize(redirect_uri).begin(&mut rng(), NOW).unwrap();
    let callback = format!("{redirect_uri}?code={CODE}&state={}", parameter(&url, "state"));
    assert!(local.accept(&client, Callback::url(&callback), NOW).is_ok());
    let (pending, query) = pending(&client);
    let callback = format!("http://app.example/callback?{query}");
    assert_eq!(
        pending.accept(&client, Callback::url(&callback), NOW).unwrap_err(),
        Error::Forged(Forged::RedirectUri)
    );
    assert_eq!(
        client.authorize("http://app.example/callback").begin(&mut rng(), NOW).unwrap_err(),
        Error::Misuse(Misuse::Url("redirect URI", "must be https (plain http: this machine only)"))
    );
}

// Row 20
#[test]
fn the_state_is_checked_before_the_error_is_believed() {
    let client = client();
    let (pending, query) = pending(&client);
    assert_eq!(
        refusal(&pending, &client, "error=access_denied&state=wrong"),
        Error::Forged(Forged::State)
    );
    let own = format!("error=access_denied&code={CODE}&state={}", state(&query));
    assert!(matches!(refusal(&pending, &client, &own), Error::Denied(_)));
}

// Row 21
#[test]
fn a_login_that_was_stored_checks_the_state_as_well() {
    let client = client();
    let (pending, query) = pending(&client);
    // The next request, another process: there, a new session checks nothing.
    let stored = serde_json::to_string(&pending).unwrap();
    let loaded: AwaitingCallback = serde_json::from_str(&stored).unwrap();
    for forged in ["", "&state=", "&state=wrong"] {
        let callback = format!("code={CODE}{forged}");
        assert_eq!(refusal(&loaded, &client, &callback), Error::Forged(Forged::State));
    }
    assert!(loaded.accept(&client, Callback::query(&query), NOW).is_ok());
}

// Row 22, E5
#[test]
fn a_wrong_state_is_called_forged_and_the_login_goes_on() {
    let client = client();
    let (pending, query) = pending(&client);
    let error = refusal(&pending, &client, &format!("code={CODE}&state=wrong"));
    assert_eq!(
        error.to_string(),
        "this callback does not answer this login: state is missing or differs; refuse it, the \
         login is still pending"
    );
    assert!(error.keeps_login_pending());
    assert!(pending.accept(&client, Callback::query(&query), NOW).is_ok());
}

// Row 23
#[test]
fn the_servers_error_comes_with_all_that_it_says() {
    let client = client();
    let (pending, query) = pending(&client);
    let callback = format!(
        "error=access_denied&error_description=no&error_uri=https%3A%2F%2Fas.example%2Fwhy&state={}",
        state(&query)
    );
    let error = refusal(&pending, &client, &callback);
    assert_eq!(
        error.to_string(),
        "the authorization server refused: access_denied (no); the person or the server said no"
    );
    let Error::Denied(denied) = error else { panic!("the server said no") };
    assert_eq!(denied.error(), "access_denied");
    assert_eq!(denied.description(), Some("no"));
    assert_eq!(denied.uri(), Some("https://as.example/why"));
}

// Row 24, E6
#[test]
fn a_callback_without_a_code_is_malformed() {
    let client = client();
    let (pending, query) = pending(&client);
    for code in ["", "code=&"] {
        let error = refusal(&pending, &client, &format!("{code}state={}", state(&query)));
        assert_eq!(*problem(&error), Problem::CodeMissing);
        assert!(
            error.to_string().starts_with(
                "the authorization server sent a callback with neither code nor error"
            )
        );
    }
}

// Row 25
#[test]
fn a_repeated_parameter_is_refused() {
    let client = client();
    let (pending, query) = pending(&client);
    assert_eq!(
        refusal(&pending, &client, &format!("code=b&{query}")),
        Error::Forged(Forged::DuplicateParameter("code"))
    );
    assert_eq!(
        refusal(&pending, &client, &format!("{query}&state=x")),
        Error::Forged(Forged::DuplicateParameter("state"))
    );
}

// Row 26
#[test]
fn values_are_decoded_unknown_parameters_ignored_and_the_issuer_compared() {
    let issuer = "https://as.example";
    let client = Client::new("s6BhdRkqt3", server().with_issuer(issuer));
    let (pending, query) = pending(&client);
    let callback =
        |iss: &str| format!("code=%2B%2F%3D+&session_state=x&iss={iss}&state={}", state(&query));
    let honest = callback("https%3A%2F%2Fas.example");
    let code = pending.accept(&client, Callback::query(&honest), NOW).unwrap();
    let (request, _) = code.redeem(&client, NOW).unwrap();
    assert_eq!(form(&request)[1], ("code".into(), "+/= ".into()));
    // RFC 9207: a code of another server is not posted to this one.
    assert_eq!(
        refusal(&pending, &client, &callback("https%3A%2F%2Fevil.example")),
        Error::Forged(Forged::Issuer)
    );
}

/// An implicit login, and its state.
fn implicit(client: &Client) -> (AwaitingFragment, String) {
    let request = client.legacy_implicit(REDIRECT_URI).scope("read");
    let (url, pending) = request.begin(&mut rng(), NOW).expect("a usable login");
    (pending, parameter(&url, "state"))
}

// Row 27
#[test]
fn an_implicit_login_takes_its_token_from_the_fragment() {
    let client = client();
    let (pending, state) = implicit(&client);
    let accept = |parameters: &str, state: &str| {
        let callback = format!("{REDIRECT_URI}#{parameters}&state={state}");
        pending.accept(&client, Callback::url(&callback), NOW)
    };
    let login =
        accept("access_token=a&token_type=bearer&expires_in=60&scope=read+write", &state).unwrap();
    let token = login.token(NOW).unwrap();
    assert_eq!((token.expose(), token.token_type()), ("a", "Bearer"));
    assert_eq!(login.scope().as_str(), "read write");
    // The same error as everywhere, where there it is a `ValueError`.
    assert_eq!(
        accept("access_token=a&token_type=bearer", "wrong").unwrap_err(),
        Error::Forged(Forged::State)
    );
    assert!(matches!(accept("error=access_denied", &state), Err(Error::Denied(_))));
    let error = accept("token_type=bearer", &state).unwrap_err();
    assert_eq!(*problem(&error), Problem::MemberMissing("access_token"));
    let error = accept("access_token=a", &state).unwrap_err();
    assert_eq!(*problem(&error), Problem::MemberMissing("token_type"));
}
