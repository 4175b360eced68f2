//! Dynamic registration (RFC 7591): what a client says about itself, and the request that says it.
//! It refuses members that are the server's to set, and redirect URIs that no login may use.

mod management;
mod registered_client;
mod stored;

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use url::Url;
use zeroize::Zeroizing;

pub use management::{Deregistering, Management, Managing};
pub use registered_client::RegisteredClient;

use super::check_redirect_uri;
use crate::error::{Error, Misuse, Problem};
use crate::value::{Body, EndpointUrl, Secret};
use crate::wire::{Challenge, LONGEST_DOCUMENT, Reply, object};

/// What a client says about itself to the server that is to know it.
///
/// ```
/// use http::{Request, Response};
/// use oauth2_proto::{Body, Client, ClientRegistration, ServerMetadata};
///
/// fn register(
///     metadata: &ServerMetadata,
///     send: fn(Request<Body>) -> Response<Vec<u8>>, // your HTTP client
/// ) -> Result<Client, Box<dyn std::error::Error>> {
///     let endpoint = metadata.registration_endpoint().ok_or("no registration")?.same_origin()?;
///     let (request, registering) = ClientRegistration::new()
///         .client_name("My Example Client")
///         .redirect_uris(["https://client.example.org/callback"])
///         .register(endpoint, None)?;
///     // Save it: the server will not say the secret again.
///     let registered = registering.receive(&send(request))?;
///     Ok(registered.client(metadata.server()?)?)
/// }
/// ```
///
/// A member that is set again replaces the one before. What is not said, the server decides: without
/// `grant_types` and `response_types` it is the authorization code.
///
/// See [RFC 7591 §2](https://www.rfc-editor.org/rfc/rfc7591#section-2).
#[derive(Clone, Default)]
pub struct ClientRegistration {
    members: Vec<(String, Box<RawValue>)>,
}

/// Declares setters for members whose value is a text, and for those whose value is a list of texts.
macro_rules! members {
    (
        texts { $($(#[$text_doc:meta])* $text:ident)* }
        lists { $($(#[$list_doc:meta])* $list:ident)* }
    ) => {
        impl ClientRegistration {
            $(
                $(#[$text_doc])*
                #[must_use]
                pub fn $text(self, $text: &str) -> Self {
                    self.with(stringify!($text), $text)
                }
            )*
            $(
                $(#[$list_doc])*
                #[must_use]
                pub fn $list<'t>(self, $list: impl IntoIterator<Item = &'t str>) -> Self {
                    self.with(stringify!($list), &$list.into_iter().collect::<Vec<_>>())
                }
            )*
        }
    };
}

members! {
    texts {
        /// The client's name for people. Other languages are members of their own:
        /// `client_name#de`.
        client_name
        /// A page about the client.
        client_uri
        /// A picture of the client's.
        logo_uri
        /// The scope that it may ask for: tokens separated by spaces.
        scope
        /// A page with its terms of service.
        tos_uri
        /// A page about what it does with people's data.
        policy_uri
        /// Where its public keys are; not together with the member `jwks`.
        jwks_uri
        /// The same for every instance and version of the program.
        software_id
        /// The version of the program.
        software_version
        /// What somebody whom the server trusts has signed about the program (RFC 7591 §2.3).
        software_statement
        /// How it authenticates: `none`, `client_secret_basic` (unless told), `client_secret_post`
        /// or another registered name.
        token_endpoint_auth_method
    }
    lists {
        /// Where a login may come back to. Every client whose people log in needs them.
        redirect_uris
        /// The grant types that it will use (`authorization_code` unless told).
        grant_types
        /// The response types that it will use (`code` unless told).
        response_types
        /// Whom to ask about the client: mail addresses.
        contacts
    }
}

impl ClientRegistration {
    /// Says nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets any other member, such as `jwks`, `client_name#de` or one that the server documents.
    ///
    /// # Errors
    /// [`Misuse::Member`] when the server sets it (`client_id` and the others of RFC 7591 §3.2.1 and
    /// RFC 7592 §3), or JSON cannot express the value.
    pub fn member(mut self, name: &str, value: &impl Serialize) -> Result<Self, Misuse> {
        let misuse = || Misuse::Member(name.into());
        if is_set_by_the_server(name) {
            return Err(misuse());
        }
        let value = to_raw_value(value).map_err(|_| misuse())?;
        self.set(name, value);
        Ok(self)
    }

    /// Asks a server to register this client. Send the request, hand its answer in.
    ///
    /// The endpoint is the host's own knowledge, or comes from
    /// [metadata](crate::ServerMetadata::registration_endpoint), its origin accepted. Some servers
    /// demand a token that they gave beforehand.
    ///
    /// # Errors
    /// [`Misuse::Url`] when the endpoint or a redirect URI is not usable, [`Misuse::Member`] for both
    /// `jwks` and `jwks_uri`, or a token with characters that no header field has.
    ///
    /// See [RFC 7591 §3.1](https://www.rfc-editor.org/rfc/rfc7591#section-3.1).
    pub fn register(
        &self,
        endpoint: &str,
        initial_access_token: Option<&Secret>,
    ) -> Result<(Request<Body>, Registering), Misuse> {
        let EndpointUrl { url, uri } = EndpointUrl::new(REGISTRATION, endpoint)?;
        self.check()?;
        let token = match initial_access_token {
            Some(token) => {
                let invalid = || Misuse::Member("the initial access token".into());
                Some(bearer(token).ok_or_else(invalid)?)
            }
            None => None,
        };
        let members = self.members.iter().map(|(name, value)| (name.as_str(), &**value));
        let request = with_json(Method::POST, &uri, token, object(members));
        let token = initial_access_token.cloned();
        Ok((request, Registering { endpoint: url, token, status: StatusCode::CREATED }))
    }

    /// Refuses what the server would have to refuse.
    fn check(&self) -> Result<(), Misuse> {
        // RFC 7591 §2: "jwks_uri" and "jwks" MUST NOT both be present.
        if self.value("jwks").is_some() && self.value("jwks_uri").is_some() {
            return Err(Misuse::Member("jwks".into()));
        }
        let Some(redirect_uris) = self.value("redirect_uris") else { return Ok(()) };
        let redirect_uris: Vec<String> = serde_json::from_str(redirect_uris.get())
            .map_err(|_| Misuse::Member("redirect_uris".into()))?;
        // RFC 7591 §5: https, http to this machine, or a scheme of the app's own.
        redirect_uris.iter().try_for_each(|uri| check_redirect_uri(uri))
    }

    fn value(&self, name: &str) -> Option<&RawValue> {
        self.members.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// Sets a member to what JSON can always express.
    fn with<T: Serialize + ?Sized>(mut self, name: &str, value: &T) -> Self {
        if let Ok(value) = to_raw_value(value) {
            self.set(name, value);
        }
        self
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.members.iter_mut().find(|(own, _)| own == name) {
            Some((_, own)) => *own = value,
            None => self.members.push((name.to_owned(), value)),
        }
    }
}

impl fmt::Debug for ClientRegistration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only names: a private key in `jwks` would be a mistake that is worse in a log.
        let names = self.members.iter().map(|(name, _)| name);
        f.write_str("ClientRegistration ")?;
        f.debug_set().entries(names).finish()
    }
}

/// A registration has been sent.
///
/// When no answer comes, the server may have registered the client all the same, and nobody will
/// ever use or manage that registration: sending it again makes another one.
pub struct Registering {
    endpoint: Url,
    token: Option<Secret>,
    status: StatusCode,
}

impl Registering {
    /// The longest answer that is read, in bytes: what an HTTP client should stop reading at.
    pub const BODY_LIMIT: usize = LONGEST_DOCUMENT;

    /// Expects another status than the 201 of the RFC: some servers, such as Glewlwyd, answer 200.
    #[must_use]
    pub const fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// Reads the answer: the client as the server knows it. Save it, before anything else.
    ///
    /// # Errors
    /// [`Error::Denied`] with `invalid_redirect_uri`, `invalid_client_metadata`,
    /// `invalid_software_statement` or `unapproved_software_statement`, or what the challenge to a
    /// wrong initial access token says; [`Error::Malformed`] for what nobody can read;
    /// [`Error::Unavailable`] when it may be asked again.
    ///
    /// See [RFC 7591 §3.2](https://www.rfc-editor.org/rfc/rfc7591#section-3.2).
    pub fn receive<B: AsRef<[u8]>>(
        self,
        response: &Response<B>,
    ) -> Result<RegisteredClient, Error> {
        let reply = reply(REGISTRATION, response, self.status, self.token.as_ref())?;
        RegisteredClient::read(&reply, self.status, &self.endpoint, None)
    }
}

impl fmt::Debug for Registering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registering")
            .field("endpoint", &self.endpoint.as_str())
            .finish_non_exhaustive()
    }
}

/// What errors speak of.
const REGISTRATION: &str = "registration endpoint";

/// RFC 7591 §3.2.1 and RFC 7592 §3: the members that a client does not choose.
fn is_set_by_the_server(name: &str) -> bool {
    matches!(
        name,
        "client_id"
            | "client_secret"
            | "client_id_issued_at"
            | "client_secret_expires_at"
            | "registration_access_token"
            | "registration_client_uri"
    )
}

/// The header field for a bearer token (RFC 6750 §2.1), when it can be one.
fn bearer(token: &Secret) -> Option<HeaderValue> {
    let token = token.expose();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let field = Zeroizing::new(["Bearer ", token].concat());
    let mut field = HeaderValue::from_str(&field).ok()?;
    field.set_sensitive(true);
    Some(field)
}

/// A request without a body.
fn bare(method: Method, uri: &Uri, token: Option<HeaderValue>) -> Request<Body> {
    let mut request = Request::new(Body::default());
    *request.method_mut() = method;
    *request.uri_mut() = uri.clone();
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.extend(token.map(|token| (AUTHORIZATION, token)));
    request
}

/// A request with one JSON object.
fn with_json(
    method: Method,
    uri: &Uri,
    token: Option<HeaderValue>,
    object: String,
) -> Request<Body> {
    let mut request = bare(method, uri, token);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *request.body_mut() = object.into();
    request
}

/// An answer with this status; what other answers say is an error. `token` is what the request held.
fn reply<'r, B: AsRef<[u8]>>(
    endpoint: &'static str,
    response: &'r Response<B>,
    status: StatusCode,
    token: Option<&Secret>,
) -> Result<Reply<'r>, Error> {
    let reply = Reply::document(endpoint, response)?;
    if reply.status() == status {
        return Ok(reply);
    }
    if reply.status().is_success() {
        return Err(reply.malformed(Problem::UnexpectedStatus(reply.status(), status)));
    }
    let refusal = reply.refusal();
    // RFC 7591 §3, RFC 7592 §2: a token that is not good enough is refused as RFC 6750 §3 has it.
    let challenges = Challenge::from_response(response);
    let refusal = match (refusal, challenges.iter().find(|challenge| challenge.is_bearer())) {
        (Error::Malformed(malformed), Some(challenge)) => match challenge.error() {
            Some(error) => {
                reply.denied(error, challenge.error_description(), challenge.error_uri())
            }
            None => Error::Malformed(malformed),
        },
        (refusal, _) => refusal,
    };
    Err(match (refusal, token) {
        (Error::Denied(denied), Some(token)) => Error::Denied(denied.without(token.expose())),
        (refusal, _) => refusal,
    })
}
