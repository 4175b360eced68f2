//! Floor 1: one file per message. None of them knows a client.

mod callback;
mod challenge;
mod form;
mod reply;
mod token_answer;

pub use callback::Callback;
pub(crate) use callback::came_to;
pub use challenge::Challenge;
pub(crate) use form::{Form, encode};
pub(crate) use reply::{LONGEST_RETRY_AFTER, Reply};
pub(crate) use token_answer::{Answer, Granted, Text, extra};
