//! What a login asks for has been pushed to the server (RFC 9126): the reference to it is awaited.
//! It refuses an answer with any status but 201, and one without a lifetime.

use alloc::borrow::Cow;
use alloc::string::String;
use core::fmt;

use http::{Request, Response, StatusCode};
use rand::TryCryptoRng;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::Url;

use super::AwaitingCallback;
use super::pending::Pending;
use crate::client::{AuthorizationRequest, Client, RequestKind};
use crate::error::{Error, Expired, Problem};
use crate::value::{Body, Timestamp};
use crate::wire::{Reply, whole_number};

const ENDPOINT: &str = "pushed authorization request endpoint";

/// What a login asks for has been pushed; hand the answer to [`receive`](Self::receive).
///
/// It holds what [`AwaitingCallback`] holds, and is over in seconds: there is no use in storing it.
/// A login whose push fails has not begun; push another one.
#[must_use = "the answer has what to send the person to"]
pub struct AwaitingRequestUri {
    pending: AwaitingCallback,
}

impl AuthorizationRequest<'_> {
    /// Begins the login by handing what it asks for straight to the server: nobody in the browser
    /// can read or change it, and the server knows the client before a person is bothered. Send the
    /// request, hand its answer to what comes with it.
    ///
    /// # Errors
    /// As [`begin`](Self::begin); [`Misuse::NoEndpoint`](crate::Misuse::NoEndpoint) when the server
    /// was made without an endpoint for it; [`Misuse::Parameter`](crate::Misuse::Parameter) for
    /// `request_uri` and what belongs to the client's authentication; what
    /// [`Authenticate`](crate::Authenticate) says.
    ///
    /// # Example
    /// ```
    /// use http::{Response, StatusCode};
    /// use oauth2_proto::{Client, Server, Timestamp};
    ///
    /// let server = Server::new("https://as.example/authorize", "https://as.example/token")?
    ///     .with_pushed_authorization("https://as.example/par")?;
    /// let client = Client::new("my-app", server).with_secret("from a safe place");
    /// let now = Timestamp::from_unix_seconds(1_700_000_000);
    ///
    /// let login = client.authorize("https://app.example/callback").scope("read");
    /// let (request, awaiting) = login.push(&mut rand::rng(), now)?;
    /// # let _ = request;
    /// // Send the request.
    /// let mut response = Response::new(r#"{"request_uri":"urn:example:1","expires_in":60}"#);
    /// *response.status_mut() = StatusCode::CREATED;
    /// let (url, pending) = awaiting.receive(&client, &response, now)?;
    /// assert_eq!(
    ///     url.as_str(),
    ///     "https://as.example/authorize?client_id=my-app&request_uri=urn%3Aexample%3A1"
    /// );
    /// # let _ = pending;
    /// # Ok::<(), oauth2_proto::Error>(())
    /// ```
    ///
    /// See [RFC 9126 §2.1](https://www.rfc-editor.org/rfc/rfc9126#section-2.1).
    pub fn push<R: TryCryptoRng>(
        self,
        rng: &mut R,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingRequestUri), Error> {
        self.check_pushed()?;
        let client = self.client;
        let (url, pending) = self.prepared(rng, now)?;
        let request = client.push(&url, now)?;
        Ok((request, AwaitingRequestUri { pending }))
    }
}

impl AwaitingRequestUri {
    /// Reads the answer: send the person to the URL, keep the state for the callback.
    ///
    /// The URL works once, and only for as long as the server says, which is often a minute: send
    /// the person there at once.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`](crate::Misuse::WrongClient); [`Expired::Callback`] when the login's
    /// time is over; [`Error::Denied`] when the server refuses what is asked for;
    /// [`Error::Unavailable`]; [`Error::Malformed`]. After each of them another push can be tried.
    ///
    /// See [RFC 9126 §2.2](https://www.rfc-editor.org/rfc/rfc9126#section-2.2).
    pub fn receive<B: AsRef<[u8]>>(
        self,
        client: &Client,
        response: &Response<B>,
        now: Timestamp,
    ) -> Result<(Url, AwaitingCallback), Error> {
        let Pending { login, state, deadline, .. } = &self.pending.pending;
        login.check(client)?;
        if now > *deadline {
            return Err(Error::Expired(Expired::Callback));
        }
        let heard = client.hear(RequestKind::PushedAuthorization, None, now, response);
        let read = heard.reply(ENDPOINT).and_then(|reply| request_uri(&reply));
        let request_uri = read.map_err(|error| error.without(state.as_str()))?;
        Ok((client.pushed(&request_uri)?, self.pending))
    }
}

impl fmt::Debug for AwaitingRequestUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwaitingRequestUri").field("pending", &self.pending).finish()
    }
}

/// RFC 9126 §2.2.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    request_uri: Cow<'a, str>,
    #[serde(borrow)]
    expires_in: &'a RawValue,
}

fn request_uri(reply: &Reply<'_>) -> Result<String, Error> {
    // RFC 9126 §2.2: the server MUST provide it with a 201 HTTP status code.
    let members: Members<'_> = reply.object(StatusCode::CREATED)?;
    if members.request_uri.is_empty() {
        return Err(reply.malformed(Problem::Member("request_uri")));
    }
    // A positive integer, in quotes or not.
    if whole_number(members.expires_in.get()).is_none_or(|seconds| seconds <= 0) {
        return Err(reply.malformed(Problem::Member("expires_in")));
    }
    Ok(members.request_uri.into_owned())
}
