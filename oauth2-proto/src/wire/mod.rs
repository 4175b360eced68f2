//! Floor 1: one file per message. None of them knows a client.

mod callback;
mod challenge;
mod form;
mod token_answer;

pub use callback::Callback;
pub(crate) use callback::came_to;
pub use challenge::Challenge;
pub(crate) use form::{Form, encode};
pub(crate) use token_answer::{Answer, Granted, LONGEST_RETRY_AFTER, extra};
