//! Signed statements: those with which a client authenticates (RFC 7523 §2.2), and what the servers'
//! own ones say.

use core::fmt;
use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oauth2_proto::{Authenticate, ClientRequest, Error, Timestamp};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use ring::{digest, hmac};
use serde_json::{Value, json};

/// The key of every client that has one.
static KEY: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
    EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap()
});

/// What is signed with it is verified with this (RFC 7517).
pub(crate) fn keys() -> Value {
    json!({ "keys": [public_key(KEY.public_key().as_ref())] })
}

/// A public key as JSON (RFC 7518 §6.2).
pub(crate) fn public_key(point: &[u8]) -> Value {
    // SEC 1 §2.3.3: after a mark come both coordinates.
    let (x, y) = point[1..].split_at(32);
    json!({
        "kty": "EC",
        "crv": "P-256",
        "alg": "ES256",
        "use": "sig",
        "kid": "key",
        "x": URL_SAFE_NO_PAD.encode(x),
        "y": URL_SAFE_NO_PAD.encode(y),
    })
}

/// Authentication by `client_assertion`.
pub(crate) enum Assertion {
    BySecret(hmac::Key),
    ByKey,
}

impl Assertion {
    pub(crate) fn by_secret(secret: &str) -> Self {
        Self::BySecret(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    fn sign(&self, claims: &Value) -> String {
        let header = match self {
            Self::BySecret(_) => json!({ "alg": "HS256", "typ": "JWT" }),
            Self::ByKey => json!({ "alg": "ES256", "typ": "JWT", "kid": "key" }),
        };
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(&header), encode(claims));
        let signature = match self {
            Self::BySecret(key) => hmac::sign(key, text.as_bytes()).as_ref().to_vec(),
            Self::ByKey => {
                KEY.sign(&SystemRandom::new(), text.as_bytes()).unwrap().as_ref().to_vec()
            }
        };
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Authenticate for Assertion {
    fn authenticate(&self, request: &mut ClientRequest<'_>, now: Timestamp) -> Result<(), Error> {
        let id = request.client_id().to_owned();
        let claims = json!({
            "iss": id,
            "sub": id,
            "aud": request.endpoint().to_string(),
            "jti": format!("{:032x}", rand::random::<u128>()),
            "iat": now.unix_seconds(),
            "exp": now.unix_seconds() + 60,
        });
        request.param("client_id", &id);
        request.param(
            "client_assertion_type",
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        );
        request.param("client_assertion", &self.sign(&claims));
        Ok(())
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Assertion")
    }
}

/// What a signed statement says. Nobody has checked its signature.
pub(crate) fn claims(token: &str) -> Value {
    let claims = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
}

/// How an ID token repeats what came beside it (OpenID Connect Core §3.3.2.11).
pub(crate) fn half_of_hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(&digest::digest(&digest::SHA256, text.as_bytes()).as_ref()[..16])
}
