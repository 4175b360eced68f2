//! The client information response (RFC 7591 §3.2.1, RFC 7592 §3): a client as its server knows it.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use url::Url;

use super::{ClientRegistration, REGISTRATION, bearer, is_set_by_the_server};
use crate::client::from_metadata::{BASIC, POST};
use crate::client::{Authentication, Client, Server};
use crate::error::{Error, Malformed, Problem, printable};
use crate::value::{LearntUrl, Secret, Timestamp};
use crate::wire::{Document, Reply, extra, object};

/// A client as its server knows it, with what only the server could say.
///
/// Save it (it is `Serialize`, and as confidential as a password): the server says the secret and the
/// token for managing the registration once. An answer to [managing](Self::manage) it may hold new
/// ones, which replace those before; save what comes back in place of this.
///
/// See [RFC 7591 §3.2.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.2.1).
#[derive(Clone, PartialEq, Eq)]
pub struct RegisteredClient {
    /// The registration endpoint: from here the URL for managing was learnt.
    pub(super) endpoint: Url,
    pub(super) client_id: String,
    pub(super) client_secret: Option<Secret>,
    pub(super) client_id_issued_at: Option<Timestamp>,
    /// `None` for a secret that does not expire, and when the server does not say.
    pub(super) client_secret_expires_at: Option<Timestamp>,
    pub(super) registration_access_token: Option<Secret>,
    pub(super) registration_client_uri: Option<LearntUrl>,
    /// The other members, as the text of one JSON object.
    pub(super) metadata: Secret,
}

impl RegisteredClient {
    /// Reads an answer. `held` is the client that it is about, when there was one.
    pub(super) fn read(
        reply: &Reply<'_>,
        status: StatusCode,
        endpoint: &Url,
        held: Option<&Self>,
    ) -> Result<Self, Error> {
        let document: Document<'_> = reply.object(status)?;
        Self::of(document, endpoint, held).map_err(|problem| reply.malformed(problem))
    }

    fn of(
        mut document: Document<'_>,
        endpoint: &Url,
        held: Option<&Self>,
    ) -> Result<Self, Problem> {
        let client_id = document.required("client_id")?;
        if !is_client_id(&client_id) {
            return Err(Problem::Member("client_id"));
        }
        let client_secret = document.text("client_secret")?.map(Secret::new);
        let token = document.text("registration_access_token")?.map(Secret::new);
        if token.as_ref().is_some_and(|token| bearer(token).is_none()) {
            return Err(Problem::Member("registration_access_token"));
        }
        let name = "registration_client_uri";
        let uri = match document.text(name)? {
            Some(text) => Some(LearntUrl::new(REGISTRATION, name, &text, endpoint)?),
            None => None,
        };
        let issued_at = time(&mut document, "client_id_issued_at")?;
        // RFC 7591 §3.2.1: 0 if it will not expire.
        let expires_at = time(&mut document, "client_secret_expires_at")?;
        let expires_at = expires_at.filter(|time| time.unix_seconds() != 0);
        // It decides how to authenticate, so it must not be misread as absent.
        document.member::<String>(METHOD)?;
        let metadata = Secret::new(object(document.members()));
        let read = Self {
            endpoint: endpoint.clone(),
            client_id,
            client_secret,
            client_id_issued_at: issued_at,
            client_secret_expires_at: expires_at,
            registration_access_token: token,
            registration_client_uri: uri,
            metadata,
        };
        match held {
            Some(held) => read.after(held),
            None => Ok(read),
        }
    }

    /// What an answer about a client leaves out stays as it was: servers that keep only a digest of
    /// the secret cannot say it again.
    fn after(mut self, held: &Self) -> Result<Self, Problem> {
        // RFC 7592 §2.2: client_id MUST be the same as the currently issued one.
        Problem::unless_same("client_id", &held.client_id, &self.client_id)?;
        if self.client_secret.is_none() {
            self.client_secret.clone_from(&held.client_secret);
            self.client_secret_expires_at =
                self.client_secret_expires_at.or(held.client_secret_expires_at);
        }
        self.client_id_issued_at = self.client_id_issued_at.or(held.client_id_issued_at);
        if self.registration_access_token.is_none() {
            self.registration_access_token.clone_from(&held.registration_access_token);
        }
        if self.registration_client_uri.is_none() {
            self.registration_client_uri.clone_from(&held.registration_client_uri);
        }
        Ok(self)
    }

    /// The client to log in with, authenticating as it was registered.
    ///
    /// # Errors
    /// [`Problem::Authentication`] when it was registered with a method that needs more than a
    /// secret: make a [`Client`] with [`Authentication::Custom`] then. [`Problem::MemberMissing`]
    /// when it was registered with a secret, and the server did not say one.
    ///
    /// See [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2).
    pub fn client(&self, server: Server) -> Result<Client, Error> {
        let client = Client::new(self.client_id.clone(), server);
        let method = self.token_endpoint_auth_method();
        let secret = self.client_secret.clone();
        // RFC 7591 §2: if omitted, the default is "client_secret_basic".
        let authentication = match (method.as_deref(), secret) {
            (Some(NONE), _) | (None, None) => Authentication::None,
            (Some(BASIC) | None, Some(secret)) => Authentication::Basic(secret),
            (Some(POST), Some(secret)) => Authentication::Post(secret),
            (Some(BASIC | POST), None) => {
                return Err(refused(Problem::MemberMissing("client_secret")));
            }
            (Some(method), _) => return Err(refused(Problem::Authentication(printable(method)))),
        };
        Ok(client.with_authentication(authentication))
    }

    /// What it is registered as, without what the server set: change it, and
    /// [update](super::Management::update) the registration.
    #[must_use]
    pub fn registration(&self) -> ClientRegistration {
        let mut registration = ClientRegistration::new();
        let document = serde_json::from_str::<Document<'_>>(self.metadata.expose());
        let document = document.ok();
        let members = document.iter().flat_map(Document::members);
        for (name, value) in members.filter(|(name, _)| !is_set_by_the_server(name)) {
            registration.set(name, RawValue::to_owned(value));
        }
        registration
    }

    /// The client_id.
    #[must_use]
    pub fn client_id(&self) -> &str {
        &self.client_id
    }

    /// The secret, when it has one.
    #[must_use]
    pub const fn client_secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// When the client was registered.
    #[must_use]
    pub const fn client_id_issued_at(&self) -> Option<Timestamp> {
        self.client_id_issued_at
    }

    /// When the secret expires; `None` when it does not, or the server does not say. Before that,
    /// [reading](super::Management::read) the registration may bring a new one.
    #[must_use]
    pub const fn client_secret_expires_at(&self) -> Option<Timestamp> {
        self.client_secret_expires_at
    }

    /// How it authenticates, where the server says so.
    #[must_use]
    pub fn token_endpoint_auth_method(&self) -> Option<String> {
        self.member(METHOD)
    }

    /// Where the registration is managed, when the server supports that.
    ///
    /// See [RFC 7592 §3](https://www.rfc-editor.org/rfc/rfc7592#section-3).
    #[must_use]
    pub const fn registration_client_uri(&self) -> Option<&LearntUrl> {
        self.registration_client_uri.as_ref()
    }

    /// Any other member as the server registered it, which need not be what was asked for: `scope`,
    /// `redirect_uris`, `grant_types` … `None` when it is absent or of another type. Text in it can
    /// hold anything.
    #[must_use]
    pub fn member<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        extra(self.metadata.expose(), name)
    }
}

impl fmt::Debug for RegisteredClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisteredClient")
            .field("client_id", &self.client_id)
            .field("client_secret", &self.client_secret)
            .field("client_secret_expires_at", &self.client_secret_expires_at)
            .field("registration_client_uri", &self.registration_client_uri)
            .finish_non_exhaustive()
    }
}

const METHOD: &str = "token_endpoint_auth_method";
const NONE: &str = "none";

fn refused(problem: Problem) -> Error {
    Error::Malformed(Malformed::new(problem).of(REGISTRATION))
}

/// RFC 6749 Appendix A.1: `client-id = *VSCHAR`.
pub(super) fn is_client_id(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, 0x20..=0x7E))
}

/// A number of seconds since 1970; a numeric string is harmless.
fn time(document: &mut Document<'_>, name: &'static str) -> Result<Option<Timestamp>, Problem> {
    let Some(value) = document.take::<&RawValue>(name)? else { return Ok(None) };
    let text = value.get();
    let text = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let seconds = text.parse().map_err(|_| Problem::Member(name))?;
    Ok(Some(Timestamp::from_unix_seconds(seconds)))
}
