//! The two other ways to present a token (RFC 6750 §2.2, §2.3): in a form, and in the query.
//!
//! They refuse a request that has a token already, and a form where the method gives a body no
//! meaning.

use alloc::string::String;

use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri};
use url::form_urlencoded::{byte_serialize, parse};

use super::{AccessToken, Body};
use crate::error::{Error, Misuse};

const NAME: &str = "access_token";

impl AccessToken {
    /// Puts the token into the request's form, behind what is there; for a resource server that
    /// reads no `Authorization` header. The header is better: [`attach`](Self::attach).
    ///
    /// # Errors
    /// As [`attach`](Self::attach), and [`Misuse::Presentation`] when the method gives a body no
    /// meaning (GET), the body is no form by its `Content-Type` or its characters, or the request
    /// has a token already. The request stays as it was.
    ///
    /// # Example
    /// ```
    /// use http::Request;
    /// use http::header::CONTENT_TYPE;
    /// use oauth2_proto::{AccessToken, Body, Error};
    ///
    /// # #[expect(dead_code)]
    /// fn post(token: &AccessToken) -> Result<Request<Body>, Error> {
    ///     let mut request = Request::new(Body::from(String::from("text=hello")));
    ///     *request.method_mut() = http::Method::POST;
    ///     *request.uri_mut() = http::Uri::from_static("https://api.example/notes");
    ///     let form = http::HeaderValue::from_static("application/x-www-form-urlencoded");
    ///     request.headers_mut().insert(CONTENT_TYPE, form);
    ///     token.attach_to_form(&mut request)?;
    ///     Ok(request)
    /// }
    /// ```
    ///
    /// See [RFC 6750 §2.2](https://www.rfc-editor.org/rfc/rfc6750#section-2.2).
    pub fn attach_to_form(&self, request: &mut Request<Body>) -> Result<(), Error> {
        self.check(request.uri())?;
        check_unattended(request.uri(), request.headers())?;
        // The GET method MUST NOT be used, nor another one that gives a body no meaning.
        if matches!(
            *request.method(),
            Method::GET
                | Method::HEAD
                | Method::DELETE
                | Method::OPTIONS
                | Method::TRACE
                | Method::CONNECT
        ) {
            return Err(refused("the method gives a body no meaning"));
        }
        // The header field Content-Type is set to application/x-www-form-urlencoded.
        if !request.headers().get(CONTENT_TYPE).is_some_and(is_form) {
            return Err(refused(
                "the body's Content-Type is not application/x-www-form-urlencoded",
            ));
        }
        // The content MUST consist entirely of ASCII characters.
        let Some(form) =
            core::str::from_utf8(request.body().as_ref()).ok().filter(|it| it.is_ascii())
        else {
            return Err(refused("the body has characters other than ASCII"));
        };
        if has_token(form) {
            return Err(refused("the body has an access_token already"));
        }
        let form = self.appended_to(form);
        if let Some(length) = request.headers_mut().get_mut(CONTENT_LENGTH) {
            *length = form.len().into();
        }
        *request.body_mut() = form.into();
        Ok(())
    }

    /// Puts the token into the request's query, and `Cache-Control: no-store` on it.
    ///
    /// **URLs are written down**: by proxies, by servers, in histories, in `Debug`. Whoever reads
    /// one of them has the token. Only for resource servers that know no other way, with tokens
    /// that live for a short time. A server that honours the query answers with
    /// `Cache-Control: private`.
    ///
    /// # Errors
    /// As [`attach`](Self::attach), and [`Misuse::Presentation`] when the request has a token
    /// already, or its URI would be too long. The request stays as it was.
    ///
    /// See [RFC 6750 §2.3](https://www.rfc-editor.org/rfc/rfc6750#section-2.3).
    pub fn dangerous_attach_to_query<B>(&self, request: &mut Request<B>) -> Result<(), Error> {
        self.check(request.uri())?;
        let uri = self.in_query(request.uri(), request.headers())?;
        // Clients SHOULD also send a Cache-Control header containing the no-store option.
        if !request.headers().get_all(CACHE_CONTROL).iter().any(has_no_store) {
            let no_store = HeaderValue::from_static("no-store");
            if request.headers_mut().try_append(CACHE_CONTROL, no_store).is_err() {
                return Err(Misuse::TooManyHeaders.into());
            }
        }
        *request.uri_mut() = uri;
        Ok(())
    }

    /// This URI with the token in its query.
    fn in_query(&self, uri: &Uri, headers: &HeaderMap) -> Result<Uri, Error> {
        check_unattended(uri, headers)?;
        let query = self.appended_to(uri.query().unwrap_or_default());
        let mut target = String::from(uri.path());
        target.extend(["?", &query]);
        let too_long = || refused("the URI would be too long");
        let mut parts = uri.clone().into_parts();
        parts.path_and_query = Some(PathAndQuery::try_from(target).map_err(|_| too_long())?);
        Uri::from_parts(parts).map_err(|_| too_long())
    }

    /// These parameters, and the token.
    fn appended_to(&self, parameters: &str) -> String {
        // Each character of the token takes three at most.
        let room = self.expose().len().saturating_mul(3).saturating_add(NAME.len());
        let room = room.saturating_add(parameters.len()).saturating_add(2);
        let mut text = String::with_capacity(room);
        text.push_str(parameters);
        if !parameters.is_empty() && !parameters.ends_with('&') {
            text.push('&');
        }
        text.push_str(NAME);
        text.push('=');
        text.extend(byte_serialize(self.expose().as_bytes()));
        text
    }
}

/// RFC 6750 §2: clients MUST NOT use more than one method to transmit the token in each request.
fn check_unattended(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    if headers.contains_key(AUTHORIZATION) {
        return Err(refused("the request has an Authorization header already"));
    }
    if uri.query().is_some_and(has_token) {
        return Err(refused("the query has an access_token already"));
    }
    Ok(())
}

fn has_token(parameters: &str) -> bool {
    parse(parameters.as_bytes()).any(|(name, _)| name == NAME)
}

fn is_form(content_type: &HeaderValue) -> bool {
    let Ok(text) = content_type.to_str() else { return false };
    let essence = text.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn has_no_store(cache_control: &HeaderValue) -> bool {
    let Ok(text) = cache_control.to_str() else { return false };
    text.split(',').any(|directive| directive.trim().eq_ignore_ascii_case("no-store"))
}

fn refused(why: &'static str) -> Error {
    Misuse::Presentation(why).into()
}
