//! The callback (RFC 6749 §4.1.2): as a query, as a whole URL and as the URI of a request, for a
//! server without a name and for one with it.

use http::Uri;
use oauth2_proto::{Callback, Client, Code, Error};
use url::{Url, form_urlencoded};

use super::scenario::{
    NOW, REDIRECT_URI, STATE, assert_showable, client, client_with_issuer, pending, stored,
};

/// Reads the text as the query of a callback, as the URL that a browser was sent to, and as what a
/// web server saw of it.
///
/// # Panics
/// When a promise is broken.
pub fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    for client in [client(), client_with_issuer()] {
        let accept = |callback: &Callback<'_>, query| {
            let code = accept(&client, callback, query);
            code.map(|code| assert_redeemable(&client, code, query)).is_some()
        };
        accept(&Callback::query(text), bare(text));

        let query = text.trim().split('#').next().and_then(|url| url.split_once('?'));
        if accept(&Callback::url(text), query.map_or("", |(_, query)| query)) {
            assert!(is_redirect_uri(text), "{text:?} is not the redirect URI");
        }

        let Ok(uri) = text.parse::<Uri>() else { continue };
        let query = uri.query().unwrap_or_default();
        if uri.authority().is_none() {
            accept(&Callback::from(&uri), bare(query));
        } else if accept(&Callback::from(&uri), query) {
            assert!(is_redirect_uri(&uri.to_string()), "{uri} is not the redirect URI");
        }
    }
}

/// A question mark in front of a query is not part of its first name.
fn bare(query: &str) -> &str {
    query.strip_prefix('?').unwrap_or(query)
}

/// Hands a callback with this query in, and checks what becomes of the login.
fn accept(client: &Client, callback: &Callback<'_>, query: &str) -> Option<Code> {
    let pending = pending(client);
    let before = stored(&pending);
    let accepted = pending.accept(client, callback.clone(), NOW);
    assert_eq!(stored(&pending), before, "accepting has changed the login");

    let issuer = client.server().issuer();
    let is_ours = all(query, "state") == [STATE]
        && match (issuer, &*all(query, "iss")) {
            (None, _) => true,
            (Some(issuer), [iss]) => iss == issuer,
            (Some(_), _) => false,
        };
    match &accepted {
        Ok(_) => {
            assert!(is_ours, "{query:?} is forged");
            // RFC 6749 §3.1: a parameter without a value MUST be treated as if it were omitted.
            assert!(all(query, "error").iter().all(String::is_empty), "{query:?} says no");
        }
        Err(error) => {
            assert_showable(error);
            assert!(!matches!(error, Error::Misuse(_)), "a peer's mistake is a misuse: {error}");
            let is_over = matches!(error, Error::Denied(_));
            assert!(is_ours || !is_over, "the forgery {query:?} has ended the login");
            assert_eq!(stored(&pending.after(error)) != before, is_over, "after {error}");
        }
    }
    accepted.ok()
}

/// The code that is sent is the one that came.
fn assert_redeemable(client: &Client, code: Code, query: &str) {
    let (request, _) = code.redeem(client, NOW).expect("the same client");
    let body = str::from_utf8(request.body().as_ref()).expect("a form is ASCII");
    assert_eq!(all(body, "code"), all(query, "code"));
    assert_eq!(all(body, "redirect_uri"), [REDIRECT_URI]);
    assert_eq!(all(body, "code_verifier").len(), 1);
}

/// Every value of a parameter.
fn all(query: &str, name: &str) -> Vec<String> {
    let pairs = form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(own, _)| own == name).map(|(_, value)| value.into_owned()).collect()
}

/// Where a browser would go for this text.
fn is_redirect_uri(text: &str) -> bool {
    let (Ok(url), Ok(own)) = (Url::parse(text.trim()), Url::parse(REDIRECT_URI)) else {
        return false;
    };
    url.origin() == own.origin() && url.path() == own.path()
}
