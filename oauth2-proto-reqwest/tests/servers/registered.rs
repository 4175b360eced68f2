//! Who is registered with every server: one person, and clients that differ in grant and
//! authentication.

use serde_json::{Value, json};

use crate::certificate::{CERTIFICATES, CLIENT};
use crate::jwt;

/// The person's name and password, everywhere.
pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "through the looking-glass";

/// Where callbacks go when nobody is there to receive them: they are read off the redirect.
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// A client, as it is registered with the servers that have its grant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registered {
    pub(crate) id: &'static str,
    pub(crate) secret: Option<&'static str>,
    /// In the words of RFC 7591, section 2.
    pub(crate) authentication: &'static str,
    pub(crate) grant: &'static str,
}

pub(crate) const PUBLIC: Registered =
    Registered { id: "public", secret: None, authentication: "none", grant: "authorization_code" };
/// As `PUBLIC`, for a browser: whatever remembers consent remembers none to this one.
pub(crate) const BROWSER: Registered = Registered { id: "browser", ..PUBLIC };
pub(crate) const BASIC: Registered = Registered {
    id: "basic",
    secret: Some("the-secret-of-a-web-site"),
    authentication: "client_secret_basic",
    grant: "authorization_code",
};
/// What the encoding of RFC 6749, section 2.3.1, is for.
pub(crate) const RESERVED: Registered = Registered {
    id: "basic:reserved",
    secret: Some("100% of: a+secret/with=reserved&characters"),
    ..BASIC
};
pub(crate) const POST: Registered = Registered {
    id: "post",
    secret: Some("another 100% of: a+secret/with=reserved&characters"),
    authentication: "client_secret_post",
    grant: "authorization_code",
};
pub(crate) const SERVICE: Registered = Registered {
    id: "service",
    secret: Some("the-secret-of-a-program-without-a-person"),
    authentication: "client_secret_basic",
    grant: "client_credentials",
};

/// As `RESERVED`, for servers that do not decode: without a colon, which would end the id.
pub(crate) const RAW: Registered = Registered { id: "raw", ..RESERVED };
pub(crate) const SECRET_JWT: Registered = Registered {
    id: "secret-jwt",
    secret: Some("the-secret-of-a-web-site-that-signs-with-it"),
    authentication: "client_secret_jwt",
    grant: "authorization_code",
};
pub(crate) const KEY_JWT: Registered = Registered {
    id: "key-jwt",
    secret: None,
    authentication: "private_key_jwt",
    grant: "authorization_code",
};
pub(crate) const CERTIFICATE: Registered =
    Registered { id: "certificate", authentication: "tls_client_auth", ..PUBLIC };
pub(crate) const SELF_SIGNED: Registered =
    Registered { id: "self-signed", authentication: "self_signed_tls_client_auth", ..PUBLIC };
pub(crate) const LEGACY: Registered = Registered { id: "legacy", grant: "password", ..BASIC };
pub(crate) const PAGE: Registered = Registered { id: "page", grant: "implicit", ..PUBLIC };
pub(crate) const HYBRID: Registered = Registered { id: "hybrid", grant: HYBRID_GRANT, ..BASIC };
pub(crate) const DEVICE: Registered = Registered { id: "device", grant: DEVICE_GRANT, ..PUBLIC };

/// OpenID Connect has no grant of this name: it is code and implicit in one.
pub(crate) const HYBRID_GRANT: &str = "hybrid";
pub(crate) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// All of them.
pub(crate) const CLIENTS: [Registered; 15] = [
    PUBLIC,
    BROWSER,
    BASIC,
    RESERVED,
    POST,
    SERVICE,
    RAW,
    SECRET_JWT,
    KEY_JWT,
    CERTIFICATE,
    SELF_SIGNED,
    LEGACY,
    PAGE,
    HYBRID,
    DEVICE,
];

impl Registered {
    /// Where it has a key of its own, what that is verified with.
    pub(crate) fn jwks(&self) -> Option<Value> {
        match self.authentication {
            "private_key_jwt" => Some(jwt::keys()),
            "self_signed_tls_client_auth" => Some(CERTIFICATES.keys()),
            _ => None,
        }
    }
}

/// The settings that the servers' own scripts read.
pub(crate) fn settings(
    redirect_uris: &[String],
    registered: fn(&Registered) -> Option<Registered>,
) -> Value {
    let client = |it: Registered| {
        json!({
            "id": it.id,
            "secret": it.secret,
            "authentication": it.authentication,
            "grant": it.grant,
            "jwks": it.jwks(),
        })
    };
    json!({
        "user": USER,
        "password": PASSWORD,
        "redirect_uris": redirect_uris,
        "clients": CLIENTS.iter().filter_map(registered).map(client).collect::<Vec<_>>(),
        "tls": CERTIFICATES.settings(),
        "certified_client": CLIENT,
        "resources": [RESOURCE, OTHER_RESOURCE],
        "initial_access_token": INITIAL_ACCESS_TOKEN,
    })
}

/// The protected resources that tokens may be asked for.
pub(crate) const RESOURCE: &str = "https://api.example/";
pub(crate) const OTHER_RESOURCE: &str = "https://other-api.example/";
/// What allows somebody to register a client, where that is restricted.
pub(crate) const INITIAL_ACCESS_TOKEN: &str = "may-register";
