//! Who is registered with every server: one person, and clients that differ in grant and
//! authentication.

use serde_json::{Value, json};

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

/// All of them.
pub(crate) const CLIENTS: [Registered; 6] = [PUBLIC, BROWSER, BASIC, RESERVED, POST, SERVICE];

/// The settings that the servers' own scripts read.
pub(crate) fn settings(redirect_uris: &[String]) -> Value {
    let client = |it: &Registered| {
        json!({
            "id": it.id,
            "secret": it.secret,
            "authentication": it.authentication,
            "grant": it.grant,
        })
    };
    json!({
        "user": USER,
        "password": PASSWORD,
        "redirect_uris": redirect_uris,
        "clients": CLIENTS.iter().map(client).collect::<Vec<_>>(),
        "resource": RESOURCE,
        "initial_access_token": INITIAL_ACCESS_TOKEN,
        "device_code_lifetime": DEVICE_CODE_LIFETIME,
    })
}

/// The protected resource that tokens may be asked for.
pub(crate) const RESOURCE: &str = "https://api.example/";
/// What allows somebody to register a client, where that is restricted.
pub(crate) const INITIAL_ACCESS_TOKEN: &str = "may-register";
/// How long a person has to enter a user code, in seconds.
const DEVICE_CODE_LIFETIME: u32 = 60;
