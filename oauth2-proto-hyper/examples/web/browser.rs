//! What a browser sends besides a URL, and the cookie of its session.

use core::convert::Infallible;
use core::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::{COOKIE, ORIGIN, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::AppendHeaders;
use cookie::{Cookie, SameSite, time};
use url::Url;

use crate::session::LIFETIME;

/// `__Host-`: no other host, not even a subdomain, can have set it.
const SESSION: &str = "__Host-session";

/// A browser, as far as its request shows it.
pub(crate) struct Browser {
    headers: HeaderMap,
    cookies: Vec<Cookie<'static>>,
}

impl Browser {
    /// The id of its session, if it says the truth.
    pub(crate) fn session(&self) -> Option<&str> {
        self.cookies.iter().find(|cookie| cookie.name() == SESSION).map(Cookie::value)
    }

    /// Whether a form on a page of this application has sent this, rather than one of another site
    /// (cross-site request forgery).
    pub(crate) fn is_on_our_page(&self, public: &Url) -> bool {
        let header = |name: &str| self.headers.get(name)?.to_str().ok();
        match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
            // No page can set either header. Browsers send the first since 2023, the second always.
            (Some(site), _) => site == "same-origin",
            (None, Some(origin)) => origin == public.origin().ascii_serialization(),
            (None, None) => false,
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let headers = parts.headers.clone();
        let texts = headers.get_all(COOKIE).iter().map(ascii);
        let cookies = texts.flat_map(Cookie::split_parse).filter_map(Result::ok).collect();
        Ok(Self { headers, cookies })
    }
}

/// The cookies of a browser. Those of others need not be text, which must not hide ours; and none may
/// pass for ours: the reader leaves out what Unicode takes for a space, and browsers guard no name that
/// begins with one.
fn ascii(header: &HeaderValue) -> String {
    let mark =
        |byte: &u8| if byte.is_ascii() { (*byte).into() } else { char::REPLACEMENT_CHARACTER };
    header.as_bytes().iter().map(mark).collect()
}

/// The cookie of a session that has begun.
pub(crate) fn session(id: &str) -> SetCookie {
    set(id, LIFETIME)
}

/// The cookie of a session that is over.
pub(crate) fn no_session() -> SetCookie {
    set("", Duration::ZERO)
}

type SetCookie = AppendHeaders<[(HeaderName, String); 1]>;

fn set(id: &str, lasts: Duration) -> SetCookie {
    let cookie = Cookie::build((SESSION, id))
        .path("/")
        // Scripts can't read it, and plain http does not carry it.
        .http_only(true)
        .secure(true)
        // Not sent with the forms and images of other sites. `Strict` would leave it out when the
        // provider sends the browser back.
        .same_site(SameSite::Lax)
        .max_age(lasts.try_into().unwrap_or(time::Duration::ZERO));
    AppendHeaders([(SET_COOKIE, cookie.to_string())])
}
