//! A program that has not installed a crypto provider. It is a process of its own, because a
//! provider is installed for all of a process.

use std::sync::Arc;

use oauth2_proto::agent::Agent;
use oauth2_proto::{Client, Seed, Server};
use oauth2_proto_reqwest::{BuildError, Protected, ReqwestHost, reqwest};

#[test]
fn a_missing_crypto_provider_is_an_error() {
    let make = || ReqwestHost::new(reqwest::Client::builder().tls_certs_only([]));
    let error = make().unwrap_err();
    assert!(matches!(error, BuildError::NoCryptoProvider));
    assert_eq!(
        error.to_string(),
        "rustls has no crypto provider; install one before making a client, such as with \
         rustls::crypto::ring::default_provider().install_default()"
    );

    rustls::crypto::ring::default_provider().install_default().unwrap();
    let host = make().unwrap();
    let client = Client::new("app", Server::token_only("https://as.example/token").unwrap());
    let state = client.client_credentials().ready(&mut rand::rng()).unwrap();
    let mut seed = Seed::new(&mut rand::rng()).unwrap();
    let agent = Agent::new(Arc::new(client), host, &mut seed, state).unwrap();

    // What else reqwest refuses is an error, too.
    let versions = (reqwest::tls::Version::TLS_1_3, reqwest::tls::Version::TLS_1_2);
    let builder =
        reqwest::Client::builder().tls_version_min(versions.0).tls_version_max(versions.1);
    let error = Protected::new(agent, builder).unwrap_err();
    assert!(matches!(error, BuildError::Reqwest(_)));
    assert_eq!(error.to_string(), "reqwest could not make a client of this builder");
    assert!(core::error::Error::source(&error).unwrap().to_string().contains("builder"));
}
