//! How a client proves who it is to the token endpoint (RFC 6749 §2.3).

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HeaderName};
use http::{HeaderMap, HeaderValue, Uri};
use zeroize::Zeroizing;

use super::Server;
use crate::error::{Error, Misuse};
use crate::value::{Secret, Timestamp};
use crate::wire::{Form, encode};

/// How a client authenticates.
///
/// See [RFC 6749 §2.3](https://www.rfc-editor.org/rfc/rfc6749#section-2.3).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Authentication {
    /// Not at all: `client_id` in the body. For public clients.
    None,
    /// `client_secret_basic`: id and secret in an `Authorization` header, each form-encoded before
    /// they are joined, as RFC 6749 §2.3.1 demands.
    Basic(Secret),
    /// `client_secret_post`: id and secret in the body. For servers that insist on it.
    Post(Secret),
    /// `client_secret_basic` as many servers read it: id and secret in UTF-8, **not** encoded, which
    /// RFC 6749 §2.3.1 forbids. An id with a colon would be read as another one.
    DangerousRawBasic(Secret),
    /// As [`DangerousRawBasic`](Self::DangerousRawBasic), in ISO 8859-1; what that cannot express
    /// becomes `?`.
    DangerousRawLatin1Basic(Secret),
    /// In a way of the host's own: what it adds to the request is up to it.
    Custom(Arc<dyn Authenticate>),
}

impl Authentication {
    pub(super) const fn secret(&self) -> Option<&Secret> {
        match self {
            Self::Basic(secret)
            | Self::Post(secret)
            | Self::DangerousRawBasic(secret)
            | Self::DangerousRawLatin1Basic(secret) => Some(secret),
            Self::None | Self::Custom(_) => None,
        }
    }
}

/// Authenticates requests in a way that this crate does not know, such as with a signature.
///
/// It is called for each request anew, so it can sign the time, the endpoint and the form. For
/// mutual TLS (RFC 8705) nothing is needed but [`Authentication::None`]: the certificate belongs to
/// the HTTP client.
///
/// ```
/// use std::sync::Arc;
///
/// use oauth2_proto::{Authenticate, Authentication, Client, ClientRequest, Error, Server, Timestamp};
///
/// #[derive(Debug)]
/// struct ApiKey;
///
/// impl Authenticate for ApiKey {
///     fn authenticate(&self, request: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
///         let id = request.client_id().to_owned();
///         request.param("client_id", &id);
///         request.header("x-api-key", "from a safe place")
///     }
/// }
///
/// let server = Server::token_only("https://as.example/token")?;
/// let client =
///     Client::new("id", server).with_authentication(Authentication::Custom(Arc::new(ApiKey)));
/// # Ok::<(), oauth2_proto::Misuse>(())
/// ```
pub trait Authenticate: fmt::Debug + Send + Sync {
    /// Adds to a request what proves who the client is.
    ///
    /// # Errors
    /// Why it can't be done now, such as [`Error::Unavailable`] for a signing key out of reach. No
    /// request is sent then, and the login stays as it was.
    fn authenticate(&self, request: &mut ClientRequest<'_>, now: Timestamp) -> Result<(), Error>;
}

/// A request of a client that is about to prove who it is.
pub struct ClientRequest<'r> {
    pub(super) client_id: &'r str,
    pub(super) server: &'r Server,
    pub(super) endpoint: &'r Uri,
    pub(super) form: &'r mut Form,
    pub(super) headers: &'r mut HeaderMap,
}

impl ClientRequest<'_> {
    /// The client_id; it is part of the form only where an authorization request is pushed.
    #[must_use]
    pub const fn client_id(&self) -> &str {
        self.client_id
    }

    /// Whom the request is for.
    #[must_use]
    pub const fn server(&self) -> &Server {
        self.server
    }

    /// Where the request goes.
    #[must_use]
    pub const fn endpoint(&self) -> &Uri {
        self.endpoint
    }

    /// The parameters so far, form-encoded. They hold secrets.
    #[must_use]
    pub fn form(&self) -> &str {
        self.form.as_str()
    }

    /// Adds a parameter to the form, such as `client_assertion`. A `client_id` that is there
    /// already stays.
    pub fn param(&mut self, name: &str, value: &str) {
        let mut pairs = self.form.as_str().split('&');
        if name == "client_id" && pairs.any(|pair| pair.starts_with("client_id=")) {
            return;
        }
        self.form.own_pair(name, value);
    }

    /// Adds a header field, marked sensitive, in place of what stood there.
    ///
    /// # Errors
    /// [`Misuse::Parameter`] when the name or value has characters that no header field can have;
    /// [`Misuse::TooManyHeaders`].
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let misuse = || Error::Misuse(Misuse::Parameter(name.into()));
        let own_name = HeaderName::try_from(name).map_err(|_| misuse())?;
        let mut value = HeaderValue::try_from(value).map_err(|_| misuse())?;
        value.set_sensitive(true);
        match self.headers.try_insert(own_name, value) {
            Ok(_) => Ok(()),
            Err(_) => Err(Misuse::TooManyHeaders.into()),
        }
    }
}

impl fmt::Debug for ClientRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientRequest")
            .field("client_id", &self.client_id)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// An [`Authentication`] as it goes over the wire, computed once.
#[derive(Clone)]
pub(super) enum Credentials {
    Header(HeaderName, HeaderValue),
    Pairs(Secret),
    Custom(Arc<dyn Authenticate>),
}

impl Credentials {
    pub(super) fn new(id: &str, authentication: &Authentication) -> Self {
        match authentication {
            Authentication::None => Self::Pairs(Secret::new(format!("client_id={}", encode(id)))),
            Authentication::Post(secret) => {
                let secret = Zeroizing::new(encode(secret.expose()));
                Self::Pairs(Secret::new(format!(
                    "client_id={}&client_secret={}",
                    encode(id),
                    *secret
                )))
            }
            // RFC 6749 §2.3.1: both are encoded using the application/x-www-form-urlencoded
            // algorithm.
            Authentication::Basic(secret) => {
                let secret = Zeroizing::new(encode(secret.expose()));
                Self::basic(encode(id).as_bytes(), secret.as_bytes())
            }
            Authentication::DangerousRawBasic(secret) => {
                Self::basic(id.as_bytes(), secret.expose().as_bytes())
            }
            Authentication::DangerousRawLatin1Basic(secret) => {
                Self::basic(&latin1(id), &latin1(secret.expose()))
            }
            Authentication::Custom(custom) => Self::Custom(Arc::clone(custom)),
        }
    }

    /// User name and password of RFC 7617, whatever they were encoded with.
    pub(super) fn basic(user: &[u8], password: &[u8]) -> Self {
        let pair = Zeroizing::new([user, b":", password].concat());
        let mut header = String::from("Basic ");
        STANDARD.encode_string(&*pair, &mut header);
        // Base64 is visible ASCII, so this never takes the second branch.
        let mut header =
            HeaderValue::try_from(header).unwrap_or_else(|_| HeaderValue::from_static("Basic"));
        header.set_sensitive(true);
        Self::Header(AUTHORIZATION, header)
    }

    /// Adds what goes into the form or depends on the request; fixed header fields are the client's.
    pub(super) fn apply(
        &self,
        request: &mut ClientRequest<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        match self {
            Self::Header(..) => Ok(()),
            Self::Pairs(pairs) => {
                request.form.encoded_pairs(pairs.expose());
                Ok(())
            }
            Self::Custom(custom) => custom.authenticate(request, now),
        }
    }

    pub(super) fn form_length(&self) -> usize {
        match self {
            Self::Header(..) | Self::Custom(_) => 0,
            Self::Pairs(pairs) => pairs.expose().len().saturating_add(1),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name, _) => write!(f, "Header({name}: ..)"),
            Self::Pairs(_) => f.write_str("Pairs(..)"),
            Self::Custom(custom) => custom.fmt(f),
        }
    }
}

/// ISO 8859-1, with `?` for what it does not have.
fn latin1(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect())
}
