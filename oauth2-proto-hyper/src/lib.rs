//! Executes oauth2-proto with hyper and rustls, and attaches tokens as a tower layer.
//!
//! [`HyperHost`] sends the token requests of an [`Agent`](oauth2_proto::agent::Agent).
//! [`AttachTokenLayer`] puts the agent's tokens on the requests of any tower service, hyper's
//! client among them. No rule of OAuth lives here: those are in the core. The feature `tracing` has
//! both tell what they do: [every span, event and field](oauth2_proto::agent).
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use oauth2_proto::agent::{Agent, Origins};
//! use oauth2_proto::{Client, Seed, Server};
//! use oauth2_proto_hyper::{AttachTokenLayer, HyperHost};
//! use tower::{Layer, Service, ServiceExt};
//! # use http_body_util::Full;
//! # use hyper::body::Bytes;
//! # use hyper_util::{client::legacy, rt::TokioExecutor};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn core::error::Error>> {
//! let mut rng = rand::rngs::SysRng;
//! let server = Server::token_only("https://as.example/token")?;
//! let client = Arc::new(Client::new("my-service", server).with_secret("from a safe place"));
//! let login = client.client_credentials().scope("read").ready(&mut rng)?;
//! let agent = Agent::new(client, HyperHost::new()?, &mut Seed::new(&mut rng)?, login)?
//!     .with_origins(Origins::new(["https://api.example"])?);
//!
//! # let connector = hyper_util::client::legacy::connect::HttpConnector::new();
//! let plain = legacy::Client::builder(TokioExecutor::new()).build(connector);
//! let mut api = AttachTokenLayer::new(agent).layer(plain);
//! let request = http::Request::get("https://api.example/me").body(Full::<Bytes>::default())?;
//! let response = api.ready().await?.call(request).await?;
//! # Ok(())
//! # }
//! ```

mod attach;
mod host;
mod trace;

pub use attach::{AttachToken, AttachTokenLayer, CallError, Calling};
pub use host::HyperHost;
pub use {hyper_rustls, hyper_util, rustls};
