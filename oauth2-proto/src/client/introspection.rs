//! Token introspection (RFC 7662): what a token is worth, asked of the server that issued it.
//!
//! One request and one answer. A token that is not active is data, not an error. It refuses an
//! answer whose `active` is missing, or there twice.

use alloc::borrow::{Cow, ToOwned};
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::authentication::Credentials;
use super::translate::NO_TOKEN;
use super::{Client, RequestKind};
use crate::error::{Error, Problem};
use crate::value::{AccessToken, Body, Fingerprint, Scope, Secret, Timestamp};
use crate::wire::{Form, Reply, extra, whole_number};

const ENDPOINT: &str = "introspection endpoint";

impl Client {
    /// Asks what a token is worth, authenticated as this client. Send the request, hand its answer
    /// to what comes with it.
    ///
    /// The hint says what the token probably is: `access_token` or `refresh_token`.
    ///
    /// # Errors
    /// [`Misuse::NoEndpoint`](crate::Misuse::NoEndpoint) when the server was made without an
    /// introspection endpoint; what [`Authenticate`](crate::Authenticate) says.
    ///
    /// # Example
    /// ```
    /// use http::Response;
    /// use oauth2_proto::{Client, Server, Timestamp};
    ///
    /// let server = Server::token_only("https://as.example/token")?
    ///     .with_introspection("https://as.example/introspect")?;
    /// let client = Client::new("resource-server", server).with_secret("from a safe place");
    /// let now = Timestamp::from_unix_seconds(1_700_000_000);
    ///
    /// let (request, awaiting) = client.introspection("2YotnFZFEjr1zCsicMWpAA", None, now)?;
    /// # let _ = request;
    /// let response = Response::new(r#"{"active":true,"scope":"read"}"#); // send the request
    /// let token = awaiting.receive(&client, &response)?;
    /// assert!(token.is_active() && token.scope().contains("read"));
    /// # Ok::<(), oauth2_proto::Error>(())
    /// ```
    ///
    /// See [RFC 7662 §2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1).
    pub fn introspection(
        &self,
        token: &str,
        token_type_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingIntrospection), Error> {
        let form = Form::of_token(token, token_type_hint);
        let request = self.post(RequestKind::Introspection, form, now)?;
        Ok((request, AwaitingIntrospection::new(self, token)))
    }

    /// Asks what a token is worth, authorized by an access token of one's own instead of
    /// the client's authentication: for a resource server that has such a token.
    ///
    /// # Errors
    /// [`Misuse::NoEndpoint`](crate::Misuse::NoEndpoint); else as [`AccessToken::attach`].
    ///
    /// See [RFC 7662 §2.1](https://www.rfc-editor.org/rfc/rfc7662#section-2.1).
    pub fn introspection_with(
        &self,
        own: &AccessToken,
        token: &str,
        token_type_hint: Option<&str>,
    ) -> Result<(Request<Body>, AwaitingIntrospection), Error> {
        let mut request = Request::new(Form::of_token(token, token_type_hint).into_body());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.server.endpoint(RequestKind::Introspection)?.clone();
        let mut headers = self.headers.clone();
        if let Credentials::Header(name, _) = &self.credentials {
            headers.remove(name);
        }
        *request.headers_mut() = headers;
        own.attach(&mut request)?;
        let request = self.spoken(RequestKind::Introspection, request)?;
        Ok((request, AwaitingIntrospection::new(self, token)))
    }
}

/// An introspection request has been made; hand its answer to [`receive`](Self::receive).
///
/// Whatever comes of it, the same question can be asked again.
#[derive(Debug)]
#[must_use = "the answer says what the token is worth"]
pub struct AwaitingIntrospection {
    client: Fingerprint,
    token: Secret,
}

impl AwaitingIntrospection {
    fn new(client: &Client, token: &str) -> Self {
        Self { client: client.fingerprint(), token: Secret::from(token) }
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`](crate::Misuse::WrongClient); [`Error::Denied`] when the client, or
    /// the access token that it presented, was refused; [`Error::Unavailable`];
    /// [`Error::Malformed`]. That the token is not active is none of these.
    ///
    /// See [RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2).
    pub fn receive<B: AsRef<[u8]>>(
        self,
        client: &Client,
        response: &Response<B>,
    ) -> Result<Introspection, Error> {
        client.check(self.client)?;
        let heard = client.hear(RequestKind::Introspection, None, NO_TOKEN, response);
        let read = heard.reply(ENDPOINT).and_then(|reply| Introspection::read(&reply));
        read.map_err(|error| error.without(self.token.expose()))
    }
}

/// What a token is worth, in the words of the server that issued it.
///
/// Only [`is_active`](Self::is_active) is always told, and without it nothing else counts. Keep an
/// answer no longer than a revoked token may go on to be accepted, and never past
/// [`expires_at`](Self::expires_at).
///
/// See [RFC 7662 §2.2](https://www.rfc-editor.org/rfc/rfc7662#section-2.2) and, on keeping answers,
/// [§4](https://www.rfc-editor.org/rfc/rfc7662#section-4).
#[derive(Clone, PartialEq, Eq)]
pub struct Introspection {
    active: bool,
    scope: Scope,
    client_id: Option<String>,
    username: Option<String>,
    token_type: Option<String>,
    expires_at: Option<Timestamp>,
    issued_at: Option<Timestamp>,
    not_before: Option<Timestamp>,
    subject: Option<String>,
    audience: Vec<String>,
    issuer: Option<String>,
    id: Option<String>,
    /// The whole answer.
    members: Secret,
}

impl Introspection {
    /// Whether the token is good: issued by this server, neither expired nor revoked, and for the
    /// one who asks.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.active
    }

    /// `scope`; empty when the server did not say.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// `client_id`: who asked for the token.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// `username`: the person who authorized the token, for people to read.
    #[must_use]
    pub fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    /// `token_type`, such as `Bearer`.
    #[must_use]
    pub fn token_type(&self) -> Option<&str> {
        self.token_type.as_deref()
    }

    /// `exp`: when the token expires.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// `iat`: when the token was issued.
    #[must_use]
    pub const fn issued_at(&self) -> Option<Timestamp> {
        self.issued_at
    }

    /// `nbf`: before when the token is not to be used.
    #[must_use]
    pub const fn not_before(&self) -> Option<Timestamp> {
        self.not_before
    }

    /// `sub`: whom the token stands for, usually the person who authorized it.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.subject.as_deref()
    }

    /// `aud`: whom the token is meant for; empty when the server did not say.
    #[must_use]
    pub fn audience(&self) -> &[String] {
        &self.audience
    }

    /// `iss`: who issued the token.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// `jti`: what identifies the token.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Any member of the answer, such as one of the server's own; `None` when it is not there or
    /// not a `T`.
    #[must_use]
    pub fn extra<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        extra(self.members.expose(), name)
    }

    fn read(reply: &Reply<'_>) -> Result<Self, Error> {
        let members: Members<'_> = reply.object(StatusCode::OK)?;
        let moment = |name, raw| moment(raw).ok_or_else(|| reply.malformed(Problem::Member(name)));
        // What was read as JSON is UTF-8.
        let text = core::str::from_utf8(reply.body()).unwrap_or_default();
        Ok(Self {
            active: members.active,
            scope: members.scope.map(|scope| Scope::granted(&scope)).unwrap_or_default(),
            client_id: members.client_id,
            username: members.username,
            token_type: members.token_type,
            expires_at: moment("exp", members.exp)?,
            issued_at: moment("iat", members.iat)?,
            not_before: moment("nbf", members.nbf)?,
            subject: members.sub,
            audience: match members.aud {
                Some(raw) => {
                    audience(raw.get()).ok_or_else(|| reply.malformed(Problem::Member("aud")))?
                }
                None => Vec::new(),
            },
            issuer: members.iss,
            id: members.jti,
            members: Secret::new(text.to_owned()),
        })
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("active", &self.active)
            .field("scope", &self.scope)
            .field("client_id", &self.client_id)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

/// RFC 7662 §2.2. A member that is there twice is refused, whichever it is.
#[derive(Deserialize)]
struct Members<'a> {
    // REQUIRED.
    active: bool,
    #[serde(borrow, default)]
    scope: Option<Cow<'a, str>>,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default)]
    username: Option<String>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(borrow, default)]
    exp: Option<&'a RawValue>,
    #[serde(borrow, default)]
    iat: Option<&'a RawValue>,
    #[serde(borrow, default)]
    nbf: Option<&'a RawValue>,
    #[serde(default)]
    sub: Option<String>,
    #[serde(borrow, default)]
    aud: Option<&'a RawValue>,
    #[serde(default)]
    iss: Option<String>,
    #[serde(default)]
    jti: Option<String>,
}

/// Seconds since the epoch; `Some(None)` for what is not there, `None` for what is no number.
#[expect(clippy::option_option, reason = "absent, and not a number, are two answers")]
fn moment(raw: Option<&RawValue>) -> Option<Option<Timestamp>> {
    let Some(raw) = raw else { return Some(None) };
    let seconds = whole_number(raw.get())?;
    // Before the epoch nothing was issued: what has expired then, has expired.
    Some(Some(Timestamp::from_unix_seconds(u64::try_from(seconds).unwrap_or_default())))
}

/// RFC 7662 §2.2: a string, or a list of strings.
fn audience(json: &str) -> Option<Vec<String>> {
    match serde_json::from_str::<String>(json) {
        Ok(one) => Some(Vec::from([one])),
        Err(_) => serde_json::from_str(json).ok(),
    }
}
