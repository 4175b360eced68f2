//! The revocation of one token (RFC 7009): one request and one answer. It takes every answer with
//! status 200 for a success, whatever else it says.

use http::{Request, Response, StatusCode};

use super::translate::NO_TOKEN;
use super::{Client, RequestKind};
use crate::error::{Error, Problem};
use crate::value::{Body, Fingerprint, Secret, Timestamp};
use crate::wire::Form;

const ENDPOINT: &str = "revocation endpoint";

impl Client {
    /// Asks the server to revoke one token. Send the request, hand its answer to what comes with
    /// it.
    ///
    /// This is for a token that no state holds, or for one of several. To end a login, use
    /// [`State::sign_out`](crate::State::sign_out): it revokes all that there is, and leaves a state
    /// that says so. The hint says what the token probably is: `access_token` or `refresh_token`.
    /// With a refresh token, the server ends the access tokens that came from it as well, if it can.
    ///
    /// # Errors
    /// [`Misuse::NoEndpoint`](crate::Misuse::NoEndpoint) when the server was made without a
    /// revocation endpoint; what [`Authenticate`](crate::Authenticate) says.
    ///
    /// See [RFC 7009 §2.1](https://www.rfc-editor.org/rfc/rfc7009#section-2.1).
    pub fn revocation(
        &self,
        token: &str,
        token_type_hint: Option<&str>,
        now: Timestamp,
    ) -> Result<(Request<Body>, AwaitingRevocation), Error> {
        let form = Form::of_token(token, token_type_hint);
        let request = self.post(RequestKind::Revocation, form, now)?;
        let token = Secret::from(token);
        Ok((request, AwaitingRevocation { client: self.fingerprint(), token }))
    }

    /// Asks the server to revoke a token; `None` when it has no revocation endpoint, or the client
    /// cannot authenticate.
    pub(crate) fn revoke(
        &self,
        token: &str,
        token_type_hint: &str,
        now: Timestamp,
    ) -> Option<Request<Body>> {
        self.server.endpoint(RequestKind::Revocation).ok()?;
        let form = Form::of_token(token, Some(token_type_hint));
        self.post(RequestKind::Revocation, form, now).ok()
    }
}

/// A revocation request has been made; hand its answer to [`receive`](Self::receive).
///
/// Whatever comes of it, the same can be asked again: that a token is gone already is a success.
#[derive(Debug)]
#[must_use = "the answer says whether the token is revoked"]
pub struct AwaitingRevocation {
    client: Fingerprint,
    token: Secret,
}

impl AwaitingRevocation {
    /// Reads the answer. After a success the token is of no use to anybody.
    ///
    /// # Errors
    /// [`Misuse::WrongClient`](crate::Misuse::WrongClient); [`Error::Unavailable`]: the token is
    /// still there, ask again later; [`Error::Denied`], with `unsupported_token_type` when the
    /// server cannot revoke tokens of this kind; [`Error::Malformed`].
    ///
    /// See [RFC 7009 §2.2](https://www.rfc-editor.org/rfc/rfc7009#section-2.2).
    pub fn receive<B: AsRef<[u8]>>(
        self,
        client: &Client,
        response: &Response<B>,
    ) -> Result<(), Error> {
        client.check(self.client)?;
        let heard = client.hear(RequestKind::Revocation, None, NO_TOKEN, response);
        let error = match heard.reply(ENDPOINT) {
            // RFC 7009 §2.2: 200 when the token has been revoked, or was invalid; the content of the
            // body is ignored. Reddit answers 204.
            Ok(reply) if matches!(reply.status(), StatusCode::OK | StatusCode::NO_CONTENT) => {
                return Ok(());
            }
            Ok(reply) => reply.refusal(),
            Err(Error::Malformed(malformed))
                if response.status() == StatusCode::OK
                    && matches!(malformed.problem(), Problem::TooLarge(_)) =>
            {
                return Ok(());
            }
            Err(error) => error,
        };
        Err(error.without(self.token.expose()))
    }
}
