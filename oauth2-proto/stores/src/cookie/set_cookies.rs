//! What is added to a response.

use core::time::Duration;
use std::vec::IntoIter;

use ::cookie::time::Duration as MaxAge;
use ::cookie::{Cookie, SameSite};
use http::header::SET_COOKIE;
use http::{HeaderName, HeaderValue};

/// `Set-Cookie` fields: add them all to a response, whose other cookies stay.
///
/// `response.headers_mut().extend(set_cookies)` does it.
#[derive(Clone, Default, Debug)]
#[must_use = "a browser keeps what the response says"]
pub struct SetCookies(Vec<HeaderValue>);

impl SetCookies {
    /// Says how long the field is, in bytes.
    pub(super) fn add(
        &mut self,
        name: &str,
        value: &str,
        same_site: SameSite,
        left: Duration,
    ) -> usize {
        let max_age = MaxAge::seconds(left.as_secs().try_into().unwrap_or(i64::MAX));
        let cookie = Cookie::build((name, value))
            .path("/")
            .secure(true)
            .http_only(true)
            .same_site(same_site)
            .max_age(max_age);
        let text = cookie.to_string();
        let length = text.len();
        // Name and value are base64url, so it always is one.
        if let Ok(mut field) = HeaderValue::try_from(text) {
            field.set_sensitive(true);
            self.0.push(field);
        }
        length
    }

    pub(super) fn delete(&mut self, name: &str, same_site: SameSite) {
        self.add(name, "", same_site, Duration::ZERO);
    }
}

impl IntoIterator for SetCookies {
    type Item = (HeaderName, HeaderValue);
    type IntoIter = core::iter::Map<IntoIter<HeaderValue>, fn(HeaderValue) -> Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter().map(|field| (SET_COOKIE, field))
    }
}
