//! Stored registrations are a format: this file is it. Outermost stands the version; every field is
//! always written; what breaks an invariant is refused.

use alloc::borrow::Cow;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::registered_client::is_client_id;
use super::{REGISTRATION, RegisteredClient, bearer};
use crate::value::{LearntUrl, Secret, Timestamp, endpoint_url};
use crate::wire::Document;

#[derive(Serialize, Deserialize)]
enum Stored<'a> {
    V1(V1<'a>),
}

#[derive(Serialize, Deserialize)]
struct V1<'a> {
    registration_endpoint: Cow<'a, str>,
    client_id: Cow<'a, str>,
    client_secret: Option<Cow<'a, str>>,
    client_id_issued_at: Option<Timestamp>,
    client_secret_expires_at: Option<Timestamp>,
    registration_access_token: Option<Cow<'a, str>>,
    registration_client_uri: Option<Cow<'a, str>>,
    /// The other members, as the text of one JSON object.
    metadata: Cow<'a, str>,
}

impl<'a> From<&'a RegisteredClient> for V1<'a> {
    fn from(registered: &'a RegisteredClient) -> Self {
        let exposed = |secret: &'a Option<Secret>| secret.as_ref().map(|it| it.expose().into());
        let uri = registered.registration_client_uri.as_ref();
        Self {
            registration_endpoint: registered.endpoint.as_str().into(),
            client_id: registered.client_id.as_str().into(),
            client_secret: exposed(&registered.client_secret),
            client_id_issued_at: registered.client_id_issued_at,
            client_secret_expires_at: registered.client_secret_expires_at,
            registration_access_token: exposed(&registered.registration_access_token),
            registration_client_uri: uri.map(|uri| uri.as_str().into()),
            metadata: registered.metadata.expose().into(),
        }
    }
}

impl TryFrom<V1<'_>> for RegisteredClient {
    type Error = &'static str;

    fn try_from(stored: V1<'_>) -> Result<Self, Self::Error> {
        let endpoint = endpoint_url(REGISTRATION, &stored.registration_endpoint)
            .map_err(|_| "an unusable registration endpoint")?;
        let uri = stored.registration_client_uri;
        let uri =
            uri.map(|uri| LearntUrl::new(REGISTRATION, "registration_client_uri", &uri, &endpoint));
        let uri = uri.transpose().map_err(|_| "an unusable registration_client_uri")?;
        let token = stored.registration_access_token.map(Secret::new);
        if token.as_ref().is_some_and(|token| bearer(token).is_none()) {
            return Err("a registration access token of wrong form");
        }
        if stored.client_id.is_empty() || !is_client_id(&stored.client_id) {
            return Err("a client_id of wrong form");
        }
        if serde_json::from_str::<Document<'_>>(&stored.metadata).is_err() {
            return Err("metadata that is no JSON object");
        }
        Ok(Self {
            endpoint,
            client_id: stored.client_id.into_owned(),
            client_secret: stored.client_secret.map(Secret::new),
            client_id_issued_at: stored.client_id_issued_at,
            client_secret_expires_at: stored.client_secret_expires_at,
            registration_access_token: token,
            registration_client_uri: uri,
            metadata: Secret::new(stored.metadata),
        })
    }
}

impl Serialize for RegisteredClient {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Stored::V1(self.into()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for RegisteredClient {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Stored::V1(stored) = Stored::deserialize(from)?;
        stored.try_into().map_err(|invalid| {
            D::Error::custom(format_args!("this stored registration has {invalid}"))
        })
    }
}
