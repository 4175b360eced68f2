//! Management of a registration (RFC 7592): reading, updating and deleting it. It refuses to send the
//! registration access token to an origin that nobody has accepted.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;
use core::fmt;

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde_json::value::{RawValue, to_raw_value};

use super::{ClientRegistration, REGISTRATION, RegisteredClient, bare, bearer, reply, with_json};
use crate::error::{Error, Malformed, Misuse, Problem};
use crate::value::{Body, Origins, Secret};
use crate::wire::object;

/// What errors speak of.
const MANAGEMENT: &str = "client configuration endpoint";

impl RegisteredClient {
    /// Manages the registration, where the registration endpoint's own origin does so.
    ///
    /// ```
    /// use http::{Request, Response};
    /// use oauth2_proto::{Body, RegisteredClient};
    ///
    /// fn rename(
    ///     registered: &RegisteredClient,
    ///     send: fn(Request<Body>) -> Response<Vec<u8>>, // your HTTP client
    /// ) -> Result<RegisteredClient, oauth2_proto::Error> {
    ///     let changed = registered.registration().client_name("My New Example");
    ///     let (request, managing) = registered.manage()?.update(&changed)?;
    ///     // Save it in place of the other: its secret and token may be new.
    ///     managing.receive(&send(request))
    /// }
    /// ```
    ///
    /// # Errors
    /// [`Problem::Origin`] when it is managed on another origin: if that is right, name it to
    /// [`manage_within`](Self::manage_within). [`Problem::MemberMissing`] when the server did not
    /// say how to manage it.
    ///
    /// See [RFC 7592 §2](https://www.rfc-editor.org/rfc/rfc7592#section-2).
    pub fn manage(&self) -> Result<Management<'_>, Error> {
        self.manage_within(&Origins::default())
    }

    /// As [`manage`](Self::manage), where the registration may be managed on these origins as well.
    /// They will see the registration access token.
    ///
    /// # Errors
    /// As [`manage`](Self::manage).
    pub fn manage_within(&self, origins: &Origins) -> Result<Management<'_>, Error> {
        let refused = |problem| Error::Malformed(Malformed::new(problem).of(REGISTRATION));
        let missing = |name| refused(Problem::MemberMissing(name));
        let Some(uri) = &self.registration_client_uri else {
            return Err(missing("registration_client_uri"));
        };
        let Some(token) = &self.registration_access_token else {
            return Err(missing("registration_access_token"));
        };
        let (_, uri) = uri.accepted(origins)?;
        let name = "registration_access_token";
        let header = bearer(token).ok_or_else(|| refused(Problem::Member(name)))?;
        Ok(Management { registered: self, uri, token, header })
    }
}

/// A registration whose place of management has been accepted.
///
/// Made by [`RegisteredClient::manage`].
pub struct Management<'r> {
    registered: &'r RegisteredClient,
    uri: &'r Uri,
    token: &'r Secret,
    header: HeaderValue,
}

impl Management<'_> {
    /// Asks for the registration as it is now, which may renew its secret and its token.
    ///
    /// See [RFC 7592 §2.1](https://www.rfc-editor.org/rfc/rfc7592#section-2.1).
    #[must_use]
    pub fn read(&self) -> (Request<Body>, Managing) {
        (bare(Method::GET, self.uri, Some(self.header.clone())), self.managing())
    }

    /// Replaces the registration: what `changed` does not say is deleted or becomes the server's
    /// choice. Begin with [`RegisteredClient::registration`] to change a part of it.
    ///
    /// # Errors
    /// As [`ClientRegistration::register`].
    ///
    /// See [RFC 7592 §2.2](https://www.rfc-editor.org/rfc/rfc7592#section-2.2).
    pub fn update(
        &self,
        changed: &ClientRegistration,
    ) -> Result<(Request<Body>, Managing), Misuse> {
        changed.check()?;
        let json = |name: &str, text: &str| {
            to_raw_value(text).map_err(|_| Misuse::Member(name.to_owned().into()))
        };
        // RFC 7592 §2.2: the client MUST include its client_id; client_secret MUST be the current
        // one, if it is there. A member that is left out is to be deleted, so it is.
        let id = json("client_id", &self.registered.client_id)?;
        let secret = self.registered.client_secret.as_ref();
        let secret = secret.map(|secret| json("client_secret", secret.expose())).transpose()?;
        let own = [("client_id", &*id)].into_iter();
        let own = own.chain(secret.iter().map(|secret| ("client_secret", &**secret)));
        let members = changed.members.iter().map(|(name, value)| (name.as_str(), &**value));
        let members: Vec<(&str, &RawValue)> = own.chain(members).collect();
        let object = object(members.into_iter());
        let request = with_json(Method::PUT, self.uri, Some(self.header.clone()), object);
        Ok((request, self.managing()))
    }

    /// Ends the registration. Revoke what was issued to the client first: the server should do so,
    /// but it need not.
    ///
    /// See [RFC 7592 §2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3).
    #[must_use]
    pub fn delete(&self) -> (Request<Body>, Deregistering) {
        let request = bare(Method::DELETE, self.uri, Some(self.header.clone()));
        (request, Deregistering { token: self.token.clone() })
    }

    fn managing(&self) -> Managing {
        Managing { held: self.registered.clone() }
    }
}

impl fmt::Debug for Management<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Management")
            .field("registered", &self.registered)
            .field("uri", &self.uri)
            .finish_non_exhaustive()
    }
}

/// A registration is being read or updated.
///
/// When no answer comes, an update may have happened all the same, and with it a change of the
/// secret and the token: read the registration with those that are held.
#[derive(Debug)]
pub struct Managing {
    held: RegisteredClient,
}

impl Managing {
    /// Reads the answer. Save what comes back in place of the registration that was held; what the
    /// answer leaves out of secret and token stays as it was.
    ///
    /// # Errors
    /// [`Error::Denied`] when the server refuses the change or no longer knows the client, in OAuth's
    /// words; [`Error::Malformed`] for what nobody can read, another client among it;
    /// [`Error::Unavailable`] when it may be asked again.
    ///
    /// See [RFC 7592 §3](https://www.rfc-editor.org/rfc/rfc7592#section-3).
    pub fn receive<B: AsRef<[u8]>>(
        self,
        response: &Response<B>,
    ) -> Result<RegisteredClient, Error> {
        let token = self.held.registration_access_token.as_ref();
        let reply = reply(MANAGEMENT, response, StatusCode::OK, token)?;
        RegisteredClient::read(&reply, StatusCode::OK, &self.held.endpoint, Some(&self.held))
    }
}

/// A registration is being deleted.
#[derive(Debug)]
pub struct Deregistering {
    token: Secret,
}

impl Deregistering {
    /// Reads the answer: the registration is gone, and so is whatever came with it.
    ///
    /// # Errors
    /// As [`Managing::receive`]. The registration stays.
    ///
    /// See [RFC 7592 §2.3](https://www.rfc-editor.org/rfc/rfc7592#section-2.3).
    pub fn receive<B: AsRef<[u8]>>(self, response: &Response<B>) -> Result<(), Error> {
        // RFC 7592 §2.3: a successful delete action is answered with 204 No Content.
        reply(MANAGEMENT, response, StatusCode::NO_CONTENT, Some(&self.token)).map(|_| ())
    }
}
