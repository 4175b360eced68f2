#![doc = include_str!("../../docs/machine.md")]

mod attempt;
mod authorization_details;
mod authorized;
mod awaiting_callback;
mod awaiting_request_uri;
mod awaiting_token;
mod client_credentials;
mod code;
mod late;
mod login;
mod refreshing;
mod sign_out;
mod state;
mod step_up;
mod stored;
mod token_record;
mod unauthorized;

pub(crate) use attempt::{Attempt, Setbacks};
pub use authorized::Authorized;
pub(crate) use authorized::{Renewal, Tokens};
pub use awaiting_callback::AwaitingCallback;
pub use awaiting_request_uri::AwaitingRequestUri;
pub use awaiting_token::AwaitingToken;
pub(crate) use awaiting_token::Grant;
pub(crate) use client_credentials::ClientCredentials;
pub use client_credentials::TokenRequest;
pub use code::Code;
pub(crate) use late::Late;
pub(crate) use login::Login;
pub use refreshing::Refreshing;
pub use state::{Authorizing, Failed, State};
pub use step_up::{Insufficient, StepUp};
pub use token_record::TokenRecord;
pub use unauthorized::Unauthorized;
