//! Floor 1: one file per message. None of them knows a client.

mod callback;
mod challenge;
mod device_answer;
mod document;
mod form;
mod id_token;
mod number;
mod reply;
mod resource_metadata;
mod server_metadata;
mod token_answer;

pub use callback::Callback;
pub(crate) use callback::{CallbackParameters, ReturnedIn, came_to};
pub use challenge::Challenge;
pub(crate) use device_answer::{DeviceAnswer, LONGEST_INTERVAL};
pub(crate) use document::{Document, LONGEST_DOCUMENT, fetch, object};
pub(crate) use form::{Form, encode};
pub(crate) use id_token::unchecked_issuer;
pub(crate) use number::whole_number;
pub(crate) use reply::{LONGEST_RETRY_AFTER, Reply};
pub(crate) use resource_metadata::RESOURCE_METADATA;
pub use resource_metadata::ResourceMetadata;
pub(crate) use server_metadata::METADATA;
pub use server_metadata::ServerMetadata;
pub(crate) use token_answer::{Answer, Granted, SLOW_DOWN, Text, extra};
