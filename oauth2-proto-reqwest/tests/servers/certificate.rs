//! Certificates for mutual TLS (RFC 8705): an authority's, the server's, and what clients show.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData};
use serde_json::{Value, json};

use crate::jwt::public_key;

/// The name of the client whose certificate the authority has signed.
pub(crate) const CLIENT: &str = "client.example";

/// All of them, as PEM.
pub(crate) static CERTIFICATES: LazyLock<Certificates> = LazyLock::new(Certificates::make);

pub(crate) struct Certificates {
    pub(crate) authority: String,
    server: [String; 2],
    /// What a client shows, with its key.
    pub(crate) signed: String,
    pub(crate) self_signed: String,
    keys: Value,
}

impl Certificates {
    fn make() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut authority = CertificateParams::default();
        // Of another name than what it signs, which would look like its own otherwise.
        authority.distinguished_name.push(DnType::CommonName, "authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_pem = authority.self_signed(&key).unwrap().pem();
        let authority = Issuer::new(authority, key);
        let signed = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new([name.to_owned()]).unwrap();
            [certificate.signed_by(&key, &authority).unwrap().pem(), key.serialize_pem()]
        };
        let own = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([CLIENT.to_owned()]).unwrap();
        let certificate = certificate.self_signed(&own).unwrap();
        let mut key = public_key(own.der_bytes());
        key["x5c"] = json!([STANDARD.encode(certificate.der())]);
        Self {
            authority: authority_pem,
            server: signed("127.0.0.1"),
            signed: signed(CLIENT).concat(),
            self_signed: [certificate.pem(), own.serialize_pem()].concat(),
            keys: json!({ "keys": [key] }),
        }
    }

    /// What the server needs.
    pub(crate) fn settings(&self) -> Value {
        let [certificate, key] = &self.server;
        json!({ "cert": certificate, "key": key, "ca": self.authority })
    }

    /// By what the self-signed certificate is known.
    pub(crate) fn keys(&self) -> Value {
        self.keys.clone()
    }
}
