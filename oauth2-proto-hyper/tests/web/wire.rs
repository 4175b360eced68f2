//! A browser that is nothing but HTTP and cookies: what is on the wire can be seen and forged.

use std::collections::BTreeMap;

use axum::body::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

/// Follows nothing by itself.
#[derive(Clone)]
pub(crate) struct Wire {
    http: legacy::Client<HttpConnector, Full<Bytes>>,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

pub(crate) const SESSION: &str = "__Host-session";
pub(crate) const PENDING: &str = "__Host-login-";

impl Wire {
    pub(crate) fn new() -> Self {
        let http = legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { http, cookies: BTreeMap::new() }
    }

    pub(crate) fn with_session(id: &str) -> Self {
        let mut wire = Self::new();
        wire.cookies.insert(SESSION.to_owned(), id.to_owned());
        wire
    }

    pub(crate) async fn get(&mut self, url: &str) -> Answer {
        self.send(Method::GET, url, &[], "").await
    }

    pub(crate) async fn head(&mut self, url: &str) -> Answer {
        self.send(Method::HEAD, url, &[], "").await
    }

    pub(crate) async fn get_with(&mut self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::GET, url, headers, "").await
    }

    pub(crate) async fn post(&mut self, url: &str, headers: &[(&str, &str)], form: &str) -> Answer {
        self.send(Method::POST, url, headers, form).await
    }

    /// Sends every cookie to whom it is not for, too: who listens here is the application.
    async fn send(
        &mut self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
        form: &str,
    ) -> Answer {
        let cookies = self.cookies.iter().map(|(name, value)| format!("{name}={value}"));
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(COOKIE, cookies.collect::<Vec<_>>().join("; "))
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        for &(name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::from(form.to_owned())).unwrap();
        let (head, body) = self.http.request(request).await.unwrap().into_parts();
        for set in head.headers.get_all(SET_COOKIE) {
            let cookie = cookie::Cookie::parse(set.to_str().unwrap()).unwrap();
            if cookie.max_age().is_some_and(|age| age.is_zero()) {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8(body.to_vec()).unwrap();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Begins a sign-in, and decides at the application's own authorization server: where that sends
    /// the browser back to. Nobody has been there yet.
    pub(crate) async fn callback(&mut self, begin: &str, decision: &str) -> String {
        let page = self.get(begin).await.location();
        // Another site: it gets none of these cookies.
        let decided = Self::new().post(&page, &[], &format!("decision={decision}")).await;
        decided.location()
    }

    /// Signs in.
    pub(crate) async fn sign_in(&mut self, begin: &str) -> Answer {
        let callback = self.callback(begin, "allow").await;
        self.get(&callback).await
    }

    pub(crate) fn session(&self) -> Option<&str> {
        self.cookies.get(SESSION).map(String::as_str)
    }

    /// How many sign-ins wait in this browser.
    pub(crate) fn pending(&self) -> usize {
        self.cookies.keys().filter(|name| name.starts_with(PENDING)).count()
    }
}

impl Answer {
    pub(crate) fn location(&self) -> String {
        assert!(self.status.is_redirection(), "{self:?}");
        self.headers[LOCATION].to_str().unwrap().to_owned()
    }

    pub(crate) fn says(&self, status: StatusCode, text: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert!(self.body.contains(text), "no {text:?} in {self:?}");
    }
}
