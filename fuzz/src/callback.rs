//! The callback (RFC 6749 §4.1.2): as a query and as a whole URL, for a server with a name and one
//! without.

use oauth2_proto::{Callback, Client, Code, Error, Failed, State};
use url::{Url, form_urlencoded};

use super::scenario::{
    ISSUER, NOW, REDIRECT_URI, STATE, assert_showable, client, client_with_issuer, pending, stored,
};

/// Reads the text as the query of a callback, and as the URL that a browser was sent to.
pub fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for client in [client(), client_with_issuer()] {
        if let Some(code) = accept(&client, &Callback::query(text), text) {
            assert_redeems(&client, code, text);
        }
        let query = text.split('#').next().and_then(|url| url.split_once('?'));
        let query = query.map_or("", |(_, query)| query);
        if let Some(code) = accept(&client, &Callback::url(text), query) {
            assert!(came_to_redirect_uri(text), "{text} is not the redirect URI");
            assert_redeems(&client, code, query);
        }
    }
}

/// Hands a callback with this query in, and checks what comes of it.
fn accept(client: &Client, callback: &Callback<'_>, query: &str) -> Option<Code> {
    let pending = pending(client);
    let before = stored(&pending.into());
    let State::Authorizing(oauth2_proto::Authorizing::AwaitingCallback(pending)) =
        serde_json::from_str(&before).expect("what was stored loads")
    else {
        unreachable!("it was stored as pending")
    };
    let accepted = pending.accept(client, callback.clone(), NOW);
    assert_eq!(accepted.is_ok(), pending.accept(client, callback.clone(), NOW).is_ok());
    let answers_this_login = all(query, "state") == [STATE]
        && all(query, "iss").iter().all(|iss| client.server().issuer().is_none_or(|own| own == iss));
    match accepted {
        Ok(code) => {
            assert!(answers_this_login, "{query} is forged, and was accepted");
            assert!(all(query, "error").is_empty(), "{query} says no");
            assert_eq!(stored(&pending.into()), before);
            Some(code)
        }
        Err(error) => {
            assert_showable(&error);
            let ended = matches!(error, Error::Denied(_));
            assert!(!ended || answers_this_login, "a forgery of {query} ended the login");
            assert!(!matches!(error, Error::Misuse(_)), "a callback is never a misuse: {error}");
            let after = pending.after(&error);
            assert_eq!(stored(&after) == before, !ended, "{error} leaves {after:?}");
            None
        }
    }
}
