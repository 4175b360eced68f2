//! Floor 1: one file per message. None of them knows a client.

mod callback;
mod challenge;
mod device_answer;
mod form;
mod reply;
mod token_answer;

pub use callback::Callback;
pub(crate) use callback::{CallbackParameters, ReturnedIn, came_to};
pub use challenge::Challenge;
pub(crate) use device_answer::{DeviceAnswer, LONGEST_INTERVAL};
pub(crate) use form::{Form, encode};
pub(crate) use reply::{LONGEST_RETRY_AFTER, Reply};
pub(crate) use token_answer::{Answer, Granted, SLOW_DOWN, Text, extra};
