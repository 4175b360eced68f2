//! Floor 0: the values that everything else is made of. None of them knows a client or a server.

mod access_token;
mod authorization_details;
mod body;
mod endpoint_url;
mod id;
mod learnt_url;
mod moment;
mod origins;
mod pkce;
mod presentation;
mod rfc3339;
mod scope;
mod secret;
mod timestamp;

pub use access_token::AccessToken;
pub(crate) use access_token::is_loopback;
pub(crate) use authorization_details::{AUTHORIZATION_DETAILS, check_authorization_details};
pub use body::Body;
pub(crate) use endpoint_url::{EndpointUrl, endpoint_url};
pub(crate) use id::{Fingerprint, HolderId};
pub use id::{Generation, LoginId, Seed};
pub use learnt_url::LearntUrl;
pub use moment::Moment;
pub use origins::Origins;
pub(crate) use pkce::{RandomText, code_challenge};
pub(crate) use rfc3339::rfc3339;
pub use scope::Scope;
pub use secret::Secret;
pub(crate) use secret::wipe;
pub use timestamp::Timestamp;
