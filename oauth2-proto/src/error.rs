//! Floor 0: what went wrong, whose fault it is, and what to do next.

use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;
use core::time::Duration;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::value::Timestamp;

/// Why a call was refused or an exchange failed. Each kind names the guilty.
///
/// Text that came from the peer is filtered to printable characters and bounded, so an error can
/// be shown and logged. No error holds a token, code or secret.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The authorization server said no, in OAuth's words.
    Denied(Denied),
    /// A deadline passed, or a login is over.
    Expired(Expired),
    /// A callback that is not an answer to this login. Refuse the request; the login goes on.
    Forged(Forged),
    /// The peer broke the protocol.
    Malformed(Malformed),
    /// The calling program did; never caused by what a peer sent.
    Misuse(Misuse),
    /// The server, or the way to it, is down for now.
    Unavailable(Unavailable),
}

impl Error {
    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// Whether this login cannot go on: begin a new one.
    #[must_use]
    pub fn needs_login(&self) -> bool {
        match self {
            Self::Denied(denied) => denied.ends_login(),
            Self::Expired(Expired::Callback | Expired::Login(_)) => true,
            Self::Expired(Expired::Token)
            | Self::Forged(_)
            | Self::Malformed(_)
            | Self::Misuse(_)
            | Self::Unavailable(_) => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(denied) => denied.fmt(f),
            Self::Expired(expired) => expired.fmt(f),
            Self::Forged(forged) => forged.fmt(f),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Unavailable(unavailable) => unavailable.fmt(f),
        }
    }
}

impl core::error::Error for Error {}

/// An error in OAuth's words.
///
/// See [RFC 6749 §5.2](https://www.rfc-editor.org/rfc/rfc6749#section-5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Denied {
    error: Box<str>,
    description: Option<Box<str>>,
    uri: Option<Box<str>>,
}

impl Denied {
    pub(crate) fn new(error: &str, description: Option<&str>, uri: Option<&str>) -> Self {
        Self {
            error: printable(error),
            description: description.map(printable),
            // A link for people: http(s) only, whatever the server sent.
            uri: uri
                .filter(|uri| uri.starts_with("https://") || uri.starts_with("http://"))
                .map(printable),
        }
    }

    /// The error code, such as `invalid_grant`.
    #[must_use]
    pub fn error(&self) -> &str {
        &self.error
    }

    /// The server's explanation for developers.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// A page with more, `http` or `https`.
    #[must_use]
    pub fn uri(&self) -> Option<&str> {
        self.uri.as_deref()
    }

    /// Whether the grant itself was refused, rather than the client or the request.
    pub(crate) fn ends_login(&self) -> bool {
        matches!(&*self.error, INVALID_GRANT | ACCESS_DENIED | EXPIRED_TOKEN)
    }
}

/// RFC 6749 §5.2: the grant or refresh token is invalid, expired or revoked.
pub(crate) const INVALID_GRANT: &str = "invalid_grant";
/// RFC 6749 §4.1.2.1: the resource owner or the server denied the request.
pub(crate) const ACCESS_DENIED: &str = "access_denied";
/// RFC 8628 §3.5: the device code has expired.
pub(crate) const EXPIRED_TOKEN: &str = "expired_token";

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the authorization server refused: {}", self.error)?;
        if let Some(description) = &self.description {
            write!(f, " ({description})")?;
        }
        match &*self.error {
            INVALID_GRANT => f.write_str("; the grant is no longer valid, begin a new login"),
            ACCESS_DENIED => f.write_str("; the person or the server said no"),
            EXPIRED_TOKEN => f.write_str("; the code has expired, begin a new login"),
            "invalid_client" | "unauthorized_client" => {
                f.write_str("; check client_id, secret and the kind of client authentication")
            }
            "invalid_scope" => f.write_str("; check the scope that is asked for"),
            _ => Ok(()),
        }
    }
}

/// What ran out.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Expired {
    /// The callback came after the login's deadline.
    Callback,
    /// The access token has expired or was rejected; refresh it.
    Token,
    /// The login is over, for this reason.
    Login(Reason),
}

impl fmt::Display for Expired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callback => {
                f.write_str("the callback came after the login's deadline; begin a new login")
            }
            Self::Token => f.write_str("the access token is expired or rejected; refresh it"),
            Self::Login(reason) => write!(f, "{reason}; begin a new login"),
        }
    }
}

/// Why a login is not, or no longer, authorized.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Reason {
    /// Nobody has logged in yet.
    NotStarted,
    /// The authorization server refused, with this error code.
    Denied(String),
    /// The deadline of the login passed before its callback came.
    Deadline,
    /// The access token expired, and there is nothing to renew it with.
    TokenExpired,
    /// The resource server rejected the access token, and there is nothing to renew it with.
    TokenRejected,
    /// The answer to an earlier refresh never arrived, and the server has since refused the
    /// refresh token: that answer probably carried its successor.
    AnswerLost,
    /// The server's answers could not be read, too many times.
    Unexplained,
    /// The authorization code was sent, and no usable answer came; a code works only once.
    CodeSpent,
    /// The login was ended on purpose.
    SignedOut,
}

impl Reason {
    /// Whether only an unanswered or unreadable attempt ended the login: a late success of such an
    /// attempt takes the login up again.
    pub(crate) const fn is_doubtful(&self) -> bool {
        matches!(self, Self::AnswerLost | Self::Unexplained)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted => f.write_str("nobody has logged in yet"),
            Self::Denied(error) => write!(f, "the authorization server refused ({error})"),
            Self::Deadline => f.write_str("the login was not completed before its deadline"),
            Self::TokenExpired => {
                f.write_str("the access token has expired and nothing can renew it")
            }
            Self::TokenRejected => {
                f.write_str("the access token was rejected and nothing can renew it")
            }
            Self::AnswerLost => f.write_str(
                "the answer to a refresh was lost and the server has replaced the refresh token",
            ),
            Self::Unexplained => f.write_str("the server's answers could not be read"),
            Self::CodeSpent => {
                f.write_str("the authorization code was sent and no usable answer came")
            }
            Self::SignedOut => f.write_str("the login was ended by signing out"),
        }
    }
}

/// Which check a callback failed.
///
/// Whoever sent it is not the authorization server answering this login. Answer with an error page
/// and keep the login pending: the real callback may still come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Forged {
    /// A parameter that must appear once appears twice (RFC 6749 §3.1).
    DuplicateParameter(&'static str),
    /// The callback's URL is not the redirect URI of this login.
    RedirectUri,
    /// `iss` names another authorization server: a mix-up attack (RFC 9207).
    Issuer,
    /// `iss` is missing although this server is known to send it (RFC 9207 §2.4).
    IssuerMissing,
    /// `state` is not that of this login, or missing: a cross-site request forgery.
    State,
}

impl fmt::Display for Forged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this callback does not answer this login: ")?;
        match self {
            Self::DuplicateParameter(name) => write!(f, "it repeats the parameter {name}"),
            Self::RedirectUri => f.write_str("its URL is not the redirect URI"),
            Self::Issuer => f.write_str("iss names another authorization server"),
            Self::IssuerMissing => f.write_str("iss is missing, which this server always sends"),
            Self::State => f.write_str("state is missing or differs"),
        }?;
        f.write_str("; refuse it, the login is still pending")
    }
}

/// How the peer broke the protocol.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    problem: Problem,
    diagnostics: Option<Box<Diagnostics>>,
}

impl Malformed {
    pub(crate) const fn new(problem: Problem) -> Self {
        Self { problem, diagnostics: None }
    }

    pub(crate) fn with_diagnostics(mut self, diagnostics: Diagnostics) -> Self {
        self.diagnostics = Some(Box::new(diagnostics));
        self
    }

    /// What is wrong with the message.
    #[must_use]
    pub const fn problem(&self) -> Problem {
        self.problem
    }

    /// What the message looked like, without its secrets, when it was an answer to a request.
    #[must_use]
    pub fn diagnostics(&self) -> Option<&Diagnostics> {
        self.diagnostics.as_deref()
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

/// What is wrong with a message of the peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// The callback is no URL.
    CallbackUrl,
    /// The callback has our `state`, but neither `code` nor `error`.
    CodeMissing,
    /// The `code` has characters that RFC 6749 Appendix A.11 does not allow.
    Code,
    /// The token endpoint answered with a redirect. Following it would post secrets elsewhere.
    Redirected(StatusCode),
    /// The status is neither 200 nor an error that explains itself.
    Status(StatusCode),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The body is not one JSON object and nothing else.
    Json,
    /// A member that must be unique appears twice.
    DuplicateMember(&'static str),
    /// A required member is missing.
    MemberMissing(&'static str),
    /// A member has the wrong type or characters.
    Member(&'static str),
    /// An answer that belongs to another grant, such as `authorization_pending` to a refresh.
    OutOfPlace,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallbackUrl => f.write_str("the callback is not a URL"),
            Self::CodeMissing => {
                f.write_str("the authorization server sent a callback with neither code nor error")
            }
            Self::Code => f.write_str(
                "the authorization server sent a code with characters that RFC 6749 forbids",
            ),
            Self::Redirected(status) => write!(
                f,
                "the token endpoint answered with the redirect {status}, which is never followed; \
                 check the token endpoint's URL"
            ),
            Self::Status(status) => write!(
                f,
                "the token endpoint answered {status} without an OAuth error that explains it; \
                 see the diagnostics of this error"
            ),
            Self::TooLarge(limit) => {
                write!(f, "the token endpoint's answer is larger than {limit} bytes")
            }
            Self::Json => f.write_str(
                "the token endpoint's answer is not a JSON object; see the diagnostics of this \
                 error",
            ),
            Self::DuplicateMember(name) => {
                write!(f, "the token endpoint's answer has the member {name} twice")
            }
            Self::MemberMissing(name) => {
                write!(f, "the token endpoint's answer lacks the member {name}")
            }
            Self::Member(name) => write!(
                f,
                "the token endpoint's answer has a member {name} of a wrong type or with wrong \
                 characters"
            ),
            Self::OutOfPlace => {
                f.write_str("the token endpoint gave an answer that belongs to the device grant")
            }
        }
    }
}

/// What an unreadable answer looked like: for a developer, on request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostics {
    status: StatusCode,
    content_type: Option<Box<str>>,
    length: usize,
    excerpt: Box<str>,
}

impl Diagnostics {
    pub(crate) fn new(status: StatusCode, content_type: Option<&str>, body: &[u8]) -> Self {
        Self {
            status,
            content_type: content_type.map(printable),
            length: body.len(),
            excerpt: excerpt(body),
        }
    }

    /// The status of the answer.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// Its `Content-Type`.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.content_type.as_deref()
    }

    /// The length of its body in bytes.
    #[must_use]
    pub const fn length(&self) -> usize {
        self.length
    }

    /// The words at its beginning. Whatever could be a value (what stands in quotes or behind an
    /// equals sign or colon, and every word that is not a short plain one) is replaced by `…`.
    #[must_use]
    pub fn excerpt(&self) -> &str {
        &self.excerpt
    }
}

/// The server, or the way to it, is down for now.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unavailable {
    retry_after: Option<Duration>,
    cause: Outage,
}

impl Unavailable {
    pub(crate) const fn new(cause: Outage, retry_after: Option<Duration>) -> Self {
        Self { retry_after, cause }
    }

    /// How long to wait, where the server or a stored back-off says so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// What is unavailable.
    #[must_use]
    pub const fn cause(&self) -> Outage {
        self.cause
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cause {
            Outage::Status(status) => {
                write!(f, "the token endpoint is unavailable for now ({status})")
            }
            Outage::Unanswered => f.write_str("the token endpoint did not answer"),
            Outage::Unsent => f.write_str("the token endpoint could not be reached"),
            Outage::Waiting => f.write_str("the next attempt to get a token is not due yet"),
            Outage::Store => f.write_str("the store of logins did not answer"),
            Outage::Randomness => f.write_str("the source of randomness has none to give"),
        }?;
        match self.retry_after {
            Some(wait) => write!(f, "; try again in {} seconds", wait.as_secs()),
            None => f.write_str("; try again"),
        }
    }
}

/// What is unavailable.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outage {
    /// The token endpoint answered 408, 429 or 5xx, or said that it is overloaded.
    Status(StatusCode),
    /// A request was sent and no answer came: whether the server acted on it is unknown.
    Unanswered,
    /// The request never left.
    Unsent,
    /// Somebody else is refreshing, or an earlier attempt failed and the next is not due yet.
    Waiting,
    /// The store of logins failed.
    Store,
    /// The host's source of randomness failed.
    Randomness,
}

/// What the calling program did wrong. No peer can cause any of these.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// An endpoint or redirect URI is not usable: its name and why.
    Url(&'static str, &'static str),
    /// A scope token has a character outside the grammar of RFC 6749 §3.3.
    Scope,
    /// A parameter that the machine sets itself was given by the caller.
    Parameter(Box<str>),
    /// The state belongs to another client.
    WrongClient,
    /// This server was made without the endpoint that the call needs.
    NoEndpoint(&'static str),
    /// There is neither a refresh token nor a grant that can be repeated.
    NotRenewable,
    /// An attempt is still on its way until this moment, or the next is not due before it.
    TooEarly(Timestamp),
    /// The state is a login in a browser: finish it by hand, then hand the result in.
    UnfinishedLogin,
    /// An answer was handed in that nothing asked for.
    NoRequest,
    /// The token would be sent in the clear: use https.
    PlainHttp,
    /// The token's type is one that this crate cannot present.
    TokenType(Box<str>),
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl core::error::Error for Misuse {}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrong use of oauth2-proto: ")?;
        match self {
            Self::Url(name, why) => write!(f, "the {name} {why}"),
            Self::Scope => f.write_str(
                "a scope has a character other than printable ASCII without quotes and backslashes",
            ),
            Self::Parameter(name) => {
                write!(f, "the parameter {name:?} is set by the protocol itself; leave it out")
            }
            Self::WrongClient => {
                f.write_str("the state belongs to another client_id or authorization server")
            }
            Self::NoEndpoint(name) => write!(f, "the server was made without its {name}"),
            Self::NotRenewable => f.write_str(
                "there is no refresh token and no grant to repeat; begin a new login instead",
            ),
            Self::TooEarly(due) => write!(
                f,
                "an attempt is on its way or the next is not due; retry at Unix time {}",
                due.unix_seconds()
            ),
            Self::UnfinishedLogin => {
                f.write_str("a login in a browser is finished by hand, then handed in")
            }
            Self::NoRequest => f.write_str("this answer belongs to no request of this login"),
            Self::PlainHttp => f.write_str(
                "a token is sent to absolute https URIs only (plain http: this machine only)",
            ),
            Self::TokenType(token_type) => write!(
                f,
                "the token's type is {:?}, and only bearer tokens can be attached",
                printable(token_type)
            ),
        }
    }
}

/// Longest text of a peer that an error keeps, in bytes.
const PRINTABLE: usize = 512;

/// RFC 6749 §5.2: error and error_description consist of %x20-21 / %x23-5B / %x5D-7E. What a peer
/// sends besides becomes `?`, so that it cannot forge lines of a log or move a terminal's cursor.
pub(crate) fn printable(text: &str) -> Box<str> {
    let allowed = |c| matches!(c, '\x20'..='\x21' | '\x23'..='\x5B' | '\x5D'..='\x7E');
    text.chars().take(PRINTABLE).map(|c| if allowed(c) { c } else { '?' }).collect()
}

/// The plain words at the beginning of an unreadable body; see [`Diagnostics::excerpt`].
fn excerpt(body: &[u8]) -> Box<str> {
    let head = body.get(..PRINTABLE).unwrap_or(body);
    let mut out = String::new();
    let mut quoted = false;
    let mut value_follows = false;
    for piece in head.split_inclusive(|byte| !is_word(*byte)) {
        let (word, mark) = match piece.split_last() {
            Some((last, word)) if !is_word(*last) => (word, Some(*last)),
            Some(_) | None => (piece, None),
        };
        if !word.is_empty() {
            if !quoted && !value_follows && is_plain(word) {
                out.push_str(core::str::from_utf8(word).unwrap_or_default());
            } else {
                out.push('…');
            }
            value_follows = false;
        }
        match mark {
            Some(b'"' | b'\'') => quoted = !quoted,
            Some(b'=' | b':') => value_follows = true,
            Some(_) | None => {}
        }
        if let Some(mark) = mark {
            out.push(if matches!(mark, 0x20..=0x7E) { char::from(mark) } else { ' ' });
        }
    }
    out.into()
}

/// The characters that tokens are made of (RFC 6750 §2.1, `b64token`), and other alphabets.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'|' | b'%' | 0x80..=0xFF)
}

/// A word of a person's language, or a status code: too short and plain to be a secret.
fn is_plain(word: &[u8]) -> bool {
    let word = word.strip_suffix(b".").unwrap_or(word);
    (word.len() <= 14 && word.iter().all(u8::is_ascii_alphabetic))
        || (word.len() <= 3 && word.iter().all(u8::is_ascii_digit))
}
