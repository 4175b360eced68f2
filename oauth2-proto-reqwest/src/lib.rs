//! Executes [oauth2-proto](oauth2_proto) with [reqwest].
//!
//! - [`ReqwestHost`] sends token requests for an [`Agent`](oauth2_proto::agent::Agent).
//! - [`Protected`] calls protected resources with the agent's token, with reqwest's own requests
//!   and responses.
//! - The module `loopback` receives the callback of a login in the person's browser, for native apps.
//!
//! Every rule of OAuth is in `oauth2-proto`; nothing here knows any.
//!
//! ```no_run
//! # #[cfg(feature = "loopback")]
//! # async fn log_in() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use oauth2_proto::agent::{Agent, Host, Origins};
//! use oauth2_proto::{Callback, Client, Seed, Server};
//! use oauth2_proto_reqwest::loopback::LoopbackListener;
//! use oauth2_proto_reqwest::{Protected, ReqwestHost, reqwest};
//!
//! let server = Server::new("https://as.example/authorize", "https://as.example/token")?;
//! let client = Arc::new(Client::new("my-app", server));
//! let host = ReqwestHost::new(reqwest::Client::builder())?;
//!
//! // A person logs in, in the browser.
//! let listener = LoopbackListener::bind("/callback").await?;
//! let now = || host.now().time();
//! let (url, pending) =
//!     client.authorize(listener.redirect_uri()).begin(&mut rand::rng(), now())?;
//! println!("Log in at {url}");
//! let left = pending.deadline().since(now());
//! let code = listener
//!     .accept(left, |url| pending.accept(&client, Callback::url(url), now()).into())
//!     .await??;
//! let (request, awaiting) = code.redeem(&client, now())?;
//! let response = host.send(request, awaiting.deadline().since(now())).await?;
//! let login = awaiting.receive(&client, &response, now())?;
//!
//! // From here on, the agent keeps a good token.
//! let agent = Agent::new(client, host, &mut Seed::new(&mut rand::rng())?, login)?
//!     .with_origins(Origins::new(["https://api.example"])?);
//! let api = Protected::new(agent, reqwest::Client::builder())?;
//! let request = api.client().get("https://api.example/me").build()?;
//! println!("{}", api.execute(request).await?.text().await?);
//! # Ok(())
//! # }
//! ```
//!
//! # TLS
//!
//! reqwest is linked without features: plain http to this machine is all that it can do. Turn TLS on
//! with reqwest's feature `rustls` or `native-tls` in your own manifest. To choose the crypto
//! provider of rustls yourself, turn on the feature `rustls-no-provider` *of this crate*, and
//! install a provider before a client is made: if there is none, that is an error here, where
//! reqwest by itself panics.
//!
//! # Features
//!
//! - `loopback` (on unless turned off): the module of that name.
//! - `rustls-no-provider`: see above.
//! - `tracing`: spans and events of what is done, here and in the core, with no secret in any field:
//!   [the list](oauth2_proto::agent).
//!
//! This crate is for native programs on tokio: on wasm, the browser decides about redirects and
//! time-outs. There, implement [`Host`](oauth2_proto::agent::Host) over `fetch`.

mod error;
mod host;
#[cfg(feature = "loopback")]
pub mod loopback;
mod protected;
mod trace;

pub use error::{BuildError, CallError};
pub use host::ReqwestHost;
pub use protected::Protected;
pub use reqwest;

/// Makes a client that follows no redirects.
fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, BuildError> {
    #[cfg(feature = "rustls-no-provider")]
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        return Err(BuildError::NoCryptoProvider);
    }
    builder.redirect(reqwest::redirect::Policy::none()).build().map_err(BuildError::Reqwest)
}

/// What went wrong with a request, without the query of its URL: a dialect may put a token or the
/// client's secret there, and errors end up in logs.
fn without_query(mut error: reqwest::Error) -> reqwest::Error {
    if let Some(url) = error.url_mut() {
        url.set_query(None);
    }
    error
}
