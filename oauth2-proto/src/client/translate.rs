//! The border between the RFCs and a server that deviates: what stands here is all that the machine
//! knows of dialects. Without one, nothing is called and nothing is copied.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use http::{HeaderMap, Request, Response, StatusCode};
use url::Url;
use zeroize::Zeroizing;

use super::authentication::Credentials;
use super::{Client, RequestKind};
use crate::error::{Error, Misuse};
use crate::value::{AccessToken, Body, Secret, Timestamp};
use crate::wire::Reply;

/// A server's own words, put into those of the RFCs and back.
pub(crate) trait Translate: fmt::Debug + Send + Sync {
    /// Rewrites the URL that a person visits.
    fn authorization_url(&self, url: Url) -> Url;

    /// Rewrites a request that is complete and authenticated. The dialect itself is checked here,
    /// too: nothing is sent for one that names endpoints or header fields that are none.
    fn request(&self, kind: RequestKind, request: Request<Body>) -> Result<Request<Body>, Misuse>;

    /// Rewrites an answer into one that the strict reader accepts. `held` is the access token that
    /// a refresh replaces; moments of expiry are counted from `sent_at`.
    fn answer(
        &self,
        kind: RequestKind,
        held: Option<&AccessToken>,
        sent_at: Timestamp,
        answer: Answer,
    ) -> Answer;

    /// The RFC's name of a callback parameter that goes by this name here.
    fn callback_parameter<'n>(&self, name: &'n str) -> &'n str;

    /// The callback parameters that are kept with the token.
    fn kept_callback_parameters(&self) -> &[String];

    /// Whether `iss` in a callback stands for this issuer.
    fn is_issuer(&self, issuer: &str, iss: &str) -> bool;

    /// How a client with this secret authenticates.
    fn credentials(&self, id: &str, secret: &Secret) -> Credentials;

    /// Whether a first token is asked about once more.
    fn has_second_request(&self) -> bool;

    /// What else this server has to be asked, after it gave this token, before a login has what it
    /// is going to use. Its parts were checked when the first request was made, all but the token.
    fn second_request(
        &self,
        id: &str,
        secret: Option<&Secret>,
        first: &AccessToken,
    ) -> Result<Option<Request<Body>>, Misuse>;

    /// Puts a token, which has been checked, where this server's resources look for it.
    fn attach(
        &self,
        token: &AccessToken,
        uri: &mut http::Uri,
        headers: &mut HeaderMap,
    ) -> Result<(), Error>;
}

/// When a request was sent whose answer brings no token, and so no lifetime to count from it.
pub(super) const NO_TOKEN: Timestamp = Timestamp::from_unix_seconds(0);

/// An answer that is being rewritten; it holds tokens, and is wiped.
pub(crate) type Answer = Response<Zeroizing<Vec<u8>>>;

/// Changes requests before they are sent, and answers before they are read: the last resort for
/// servers that no [`Dialect`](super::Dialect) describes.
///
/// Hooks run in the order in which they were added: on requests after the dialect, on answers
/// before it. A hook sees secrets. What it changes is the host's own responsibility.
pub trait Hook: fmt::Debug + Send + Sync {
    /// Changes a request that is about to be sent.
    fn request(&self, kind: RequestKind, request: &mut Request<Body>) {
        let _unchanged = (kind, request);
    }

    /// Changes an answer that is about to be read.
    fn answer(&self, kind: RequestKind, answer: &mut Response<Body>) {
        let _unchanged = (kind, answer);
    }
}

/// What stands between the machine and the wire.
#[derive(Clone, Debug, Default)]
pub(super) struct Translation {
    pub(super) dialect: Option<Arc<dyn Translate>>,
    pub(super) hooks: Vec<Arc<dyn Hook>>,
}

impl Client {
    /// The request as this server wants it.
    pub(super) fn spoken(
        &self,
        kind: RequestKind,
        mut request: Request<Body>,
    ) -> Result<Request<Body>, Misuse> {
        if let Some(dialect) = &self.translation.dialect {
            request = dialect.request(kind, request)?;
        }
        for hook in &self.translation.hooks {
            hook.request(kind, &mut request);
        }
        Ok(request)
    }

    /// The URL that a person visits, as this server wants it.
    pub(crate) fn visited(&self, url: Url) -> Url {
        match &self.translation.dialect {
            Some(dialect) => dialect.authorization_url(url),
            None => url,
        }
    }

    /// The RFC's name of a callback parameter of this server.
    pub(crate) fn callback_parameter<'n>(&self, name: &'n str) -> &'n str {
        self.translation.dialect.as_ref().map_or(name, |dialect| dialect.callback_parameter(name))
    }

    /// Whether this server keeps this callback parameter with the token.
    pub(crate) fn keeps_callback_parameter(&self, name: &str) -> bool {
        let dialect = self.translation.dialect.as_ref();
        dialect.is_some_and(|it| it.kept_callback_parameters().iter().any(|own| own == name))
    }

    /// Whether `iss` in a callback names this issuer. RFC 9207 §2.4: compared as plain strings.
    pub(crate) fn is_issuer(&self, issuer: &str, iss: &str) -> bool {
        let dialect = self.translation.dialect.as_ref();
        issuer == iss || dialect.is_some_and(|dialect| dialect.is_issuer(issuer, iss))
    }

    /// Puts a token on a request, where this server's resources look for it: in the
    /// `Authorization` header, unless the dialect says otherwise.
    ///
    /// # Errors
    /// As [`AccessToken::attach`].
    pub fn attach<B>(&self, token: &AccessToken, request: &mut Request<B>) -> Result<(), Error> {
        let Some(dialect) = &self.translation.dialect else { return token.attach(request) };
        token.check(request.uri())?;
        let mut uri = core::mem::take(request.uri_mut());
        let attached = dialect.attach(token, &mut uri, request.headers_mut());
        *request.uri_mut() = uri;
        attached
    }

    /// What else this server has to be asked, after it gave this first token. To hooks it is one
    /// more token request.
    pub(crate) fn second_request(
        &self,
        first: &AccessToken,
    ) -> Result<Option<Request<Body>>, Misuse> {
        let Some(dialect) = &self.translation.dialect else { return Ok(None) };
        let mut second = dialect.second_request(&self.id, self.secret.as_ref(), first)?;
        if let Some(second) = &mut second {
            for hook in &self.translation.hooks {
                hook.request(RequestKind::Token, second);
            }
        }
        Ok(second)
    }

    /// Whether a first token is not the one that is used.
    pub(crate) fn has_second_request(&self) -> bool {
        self.translation.dialect.as_ref().is_some_and(|dialect| dialect.has_second_request())
    }

    /// Listens to an answer, to a request that was sent then, as the RFCs want it. `held` is the
    /// access token that a refresh replaces.
    pub(crate) fn hear<'r, B: AsRef<[u8]>>(
        &'r self,
        kind: RequestKind,
        held: Option<&AccessToken>,
        sent_at: Timestamp,
        response: &'r Response<B>,
    ) -> Heard<'r> {
        let (status, headers) = (response.status(), response.headers());
        let (body, limit) = (response.body().as_ref(), self.body_limit());
        let is_plain = self.translation.dialect.is_none() && self.translation.hooks.is_empty();
        let translated = (!is_plain && body.len() <= limit).then(|| {
            let mut answer = Response::new(Zeroizing::new(body.to_vec()));
            *answer.status_mut() = status;
            *answer.headers_mut() = headers.clone();
            self.translated(kind, held, sent_at, answer)
        });
        Heard { translated, status, headers, body, limit, secret: self.secret.as_ref() }
    }

    fn translated(
        &self,
        kind: RequestKind,
        held: Option<&AccessToken>,
        sent_at: Timestamp,
        answer: Answer,
    ) -> Answer {
        let mut answer = answer.map(|mut body| Body::from(core::mem::take(&mut *body)));
        for hook in &self.translation.hooks {
            hook.answer(kind, &mut answer);
        }
        let answer = answer.map(|body| Zeroizing::new(body.into_vec()));
        match &self.translation.dialect {
            Some(dialect) => dialect.answer(kind, held, sent_at, answer),
            None => answer,
        }
    }
}

/// An answer in the words of the RFCs: as it came, or translated.
pub(crate) struct Heard<'r> {
    translated: Option<Answer>,
    status: StatusCode,
    headers: &'r HeaderMap,
    body: &'r [u8],
    limit: usize,
    /// The client's, which every request may hold.
    secret: Option<&'r Secret>,
}

impl Heard<'_> {
    /// The answer, unless it is a redirect, an outage or too long; `endpoint` is what errors
    /// speak of.
    pub(crate) fn reply(&self, endpoint: &'static str) -> Result<Reply<'_>, Error> {
        let (status, headers, body) = match &self.translated {
            Some(answer) => (answer.status(), answer.headers(), &***answer.body()),
            None => (self.status, self.headers, self.body),
        };
        Ok(Reply::new(endpoint, status, headers, body, self.limit)?.without(self.secret))
    }
}
