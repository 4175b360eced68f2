#![doc = include_str!("../../docs/machine.md")]

mod attempt;
mod authorized;
mod awaiting_callback;
mod awaiting_token;
mod client_credentials;
mod code;
mod discovery;
mod late;
mod login;
mod refreshing;
mod resource_discovery;
mod sign_out;
mod state;
mod stored;
mod unauthorized;

pub(crate) use attempt::{Attempt, Setbacks};
pub use authorized::Authorized;
pub(crate) use authorized::{Renewal, Tokens};
pub use awaiting_callback::AwaitingCallback;
pub use awaiting_token::AwaitingToken;
pub(crate) use awaiting_token::Grant;
pub(crate) use client_credentials::ClientCredentials;
pub use client_credentials::TokenRequest;
pub use code::Code;
pub use discovery::{Discovery, Undiscovered};
pub(crate) use late::Late;
pub(crate) use login::Login;
pub use refreshing::Refreshing;
pub use resource_discovery::ResourceDiscovery;
pub use state::{Authorizing, Failed, State};
pub use unauthorized::Unauthorized;
