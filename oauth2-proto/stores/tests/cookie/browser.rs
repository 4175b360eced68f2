//! A browser that keeps cookies, and a login for it.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::collections::BTreeMap;

use cookie::Cookie;
use cookie::time::Duration as MaxAge;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use oauth2_proto::{AwaitingCallback, Callback, Client, Server, Timestamp};
use oauth2_proto_stores::cookie::{PendingLogins, SetCookies, TakeError, Taken};
use oauth2_proto_stores::seal::{SealingKey, SealingKeys};
use url::Url;

pub(crate) const NOW: Timestamp = Timestamp::from_unix_seconds(1_700_000_000);
pub(crate) const REDIRECT_URI: &str = "https://app.example/callback";

pub(crate) const fn after(seconds: u64) -> Timestamp {
    Timestamp::from_unix_seconds(NOW.unix_seconds() + seconds)
}

pub(crate) fn client() -> Client {
    client_at("as.example")
}

/// The same client_id everywhere, and no issuer.
pub(crate) fn client_at(host: &str) -> Client {
    let (authorization, token) =
        (format!("https://{host}/authorize"), format!("https://{host}/token"));
    Client::new("app", Server::new(&authorization, &token).unwrap())
}

pub(crate) fn keys() -> SealingKeys {
    SealingKeys::new(1, SealingKey::new([1; 32]))
}

pub(crate) fn cookies() -> PendingLogins {
    PendingLogins::new(keys())
}

/// A login, and the query of the callback that an honest server answers with.
pub(crate) fn login(client: &Client) -> (AwaitingCallback, String) {
    let request = client.authorize(REDIRECT_URI).scope("read write");
    let (url, pending) = request.begin(&mut rand::rng(), NOW).unwrap();
    (pending, format!("code=c&state={}", state(&url)))
}

pub(crate) fn state(url: &Url) -> String {
    url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned()
}

/// What browsers do with cookies of one host, as far as it matters here.
#[derive(Clone, Default)]
pub(crate) struct Browser(pub(crate) BTreeMap<String, String>);

impl Browser {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn keep(&mut self, set_cookies: SetCookies) {
        for (name, field) in set_cookies {
            assert_eq!(name, SET_COOKIE);
            assert!(field.is_sensitive());
            let cookie = Cookie::parse(field.to_str().unwrap().to_owned()).unwrap();
            // Browsers refuse a `__Host-` cookie that is anything else.
            assert_eq!(
                (cookie.secure(), cookie.path(), cookie.domain()),
                (Some(true), Some("/"), None)
            );
            assert!(cookie.name().starts_with("__Host-"));
            assert_eq!(cookie.http_only(), Some(true));
            assert!(field.len() <= 4096);
            if cookie.max_age().unwrap() > MaxAge::ZERO {
                self.0.insert(cookie.name().into(), cookie.value().into());
            } else {
                assert_eq!(cookie.value(), "");
                self.0.remove(cookie.name());
            }
        }
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let pairs: Vec<_> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        headers([pairs.join("; ").as_bytes()])
    }

    /// Begins a login; what its honest callback says.
    pub(crate) fn begin(&mut self, cookies: &PendingLogins, return_to: &str) -> String {
        let (pending, query) = login(&client());
        self.keep(cookies.begin(&pending, return_to, &self.headers(), NOW).unwrap());
        query
    }

    pub(crate) fn take(&self, query: &str) -> Result<Taken, TakeError> {
        cookies().take(&client(), Callback::query(query), &self.headers(), NOW)
    }

    /// The only cookie.
    pub(crate) fn cookie(&self) -> (String, String) {
        assert_eq!(self.0.len(), 1);
        self.0.clone().into_iter().next().unwrap()
    }

    pub(crate) fn with(name: &str, value: &str) -> Self {
        Self(BTreeMap::from([(name.into(), value.into())]))
    }
}

pub(crate) fn headers<const N: usize>(fields: [&[u8]; N]) -> HeaderMap {
    fields.map(|field| (COOKIE, HeaderValue::from_bytes(field).unwrap())).into_iter().collect()
}

#[track_caller]
pub(crate) fn refusal(taken: Result<Taken, TakeError>) -> TakeError {
    taken.expect_err("no login is found")
}
