//! How a client with a secret proves who it is to a server that deviates from RFC 6749 §2.3.1.

use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::client::authentication::Credentials;
use crate::client::{Authenticate, Authentication, ClientRequest};
use crate::error::Error;
use crate::value::{Secret, Timestamp};
use crate::wire::encode;

/// How [`Client::with_secret`](crate::Client::with_secret) authenticates.
///
/// What [`Client::with_authentication`](crate::Client::with_authentication) was told counts more.
/// For mutual TLS, give no secret: the certificate belongs to the HTTP client.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum ClientAuthentication {
    /// With `client_secret_basic`, which RFC 6749 §2.3.1 wants every server to support.
    #[default]
    Basic,
    /// With `client_secret_post`; [`RequestDialect::rename`](super::RequestDialect::rename) gives
    /// `client_id` and `client_secret` other names.
    Post,
    /// As [`Authentication::DangerousRawBasic`].
    DangerousRawBasic,
    /// As [`Authentication::DangerousRawLatin1Basic`].
    DangerousRawLatin1Basic,
    /// As `client_secret_basic`, but with `%20` for a space, where a form has `+`.
    PercentEncodedBasic,
    /// As `client_secret_basic`, and `client_id` in the body as well.
    BasicAndClientId,
    /// As `client_secret_basic`, with the secret as the user name and no password.
    SecretAsUserName,
    /// With the secret as a bearer token, and `client_id` in the body.
    BearerSecret,
    /// With two header fields, by these names.
    Headers {
        /// The name of the field for the client_id.
        id: String,
        /// The name of the field for the secret.
        secret: String,
    },
}

impl ClientAuthentication {
    pub(super) fn credentials(&self, id: &str, secret: &Secret) -> Credentials {
        let plain = |authentication| Credentials::new(id, &authentication);
        match self {
            Self::Basic => plain(Authentication::Basic(secret.clone())),
            Self::Post => plain(Authentication::Post(secret.clone())),
            Self::DangerousRawBasic => plain(Authentication::DangerousRawBasic(secret.clone())),
            Self::DangerousRawLatin1Basic => {
                plain(Authentication::DangerousRawLatin1Basic(secret.clone()))
            }
            Self::PercentEncodedBasic => {
                let percent = |text| Zeroizing::new(encode(text)).replace('+', "%20");
                let (id, secret) = (percent(id), Zeroizing::new(percent(secret.expose())));
                Credentials::basic(id.as_bytes(), secret.as_bytes())
            }
            // No colon may end up in a user name (RFC 7617 §2): encoded, it has none.
            Self::SecretAsUserName => {
                Credentials::basic(Zeroizing::new(encode(secret.expose())).as_bytes(), b"")
            }
            Self::BasicAndClientId => plain(Authentication::Basic(secret.clone())).and_client_id(),
            Self::BearerSecret => {
                let text = Zeroizing::new(format!("Bearer {}", secret.expose()));
                Credentials::Custom(Arc::new(Fields {
                    fields: [Some((AUTHORIZATION.as_str().into(), Secret::from(&**text))), None],
                    with_client_id: true,
                }))
            }
            Self::Headers { id: id_name, secret: secret_name } => {
                Credentials::Custom(Arc::new(Fields {
                    fields: [
                        Some((id_name.clone(), id.into())),
                        Some((secret_name.clone(), secret.clone())),
                    ],
                    with_client_id: false,
                }))
            }
        }
    }
}

impl Credentials {
    /// Sends `client_id` in the body as well.
    fn and_client_id(self) -> Self {
        match self {
            Self::Header(name, value) => Self::Custom(Arc::new(HeaderAndId { name, value })),
            Self::Pairs(_) | Self::Custom(_) => self,
        }
    }
}

/// Header fields that are the same for every request.
struct Fields {
    fields: [Option<(String, Secret)>; 2],
    with_client_id: bool,
}

impl Authenticate for Fields {
    fn authenticate(&self, request: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
        for (name, value) in self.fields.iter().flatten() {
            request.header(name, value.expose())?;
        }
        if self.with_client_id {
            let id = String::from(request.client_id());
            request.param("client_id", &id);
        }
        Ok(())
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.fields.iter().flatten().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}

struct HeaderAndId {
    name: HeaderName,
    value: HeaderValue,
}

impl Authenticate for HeaderAndId {
    fn authenticate(&self, request: &mut ClientRequest<'_>, _: Timestamp) -> Result<(), Error> {
        let id = String::from(request.client_id());
        request.param("client_id", &id);
        request.headers.insert(self.name.clone(), self.value.clone());
        Ok(())
    }
}

impl fmt::Debug for HeaderAndId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HeaderAndId({})", self.name)
    }
}
