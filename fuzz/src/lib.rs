//! The bodies of the fuzz targets, as plain functions: `cargo fuzz` feeds them on nightly, and
//! `oauth2-proto/tests/corpus.rs` includes this file and replays the committed corpus on stable.
//!
//! Each body takes any bytes and asserts what must hold for all of them; where an answer can be
//! checked in another way (a second parser, a model), it is.
//!
//! ```text
//! mkdir -p target/fuzz/session
//! cargo +nightly fuzz run --sanitizer none session target/fuzz/session fuzz/corpus/session
//! ```
//!
//! What it finds goes to the first folder. There is no `unsafe` for a sanitizer to look at.
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, reason = "an expectation that fails is what is looked for")]

pub mod callback;
pub mod challenge;
pub mod device_answer;
#[cfg(feature = "providers")]
pub mod dialect;
pub mod messages;
pub mod metadata;
mod scenario;
pub mod session;
pub mod stored_state;
pub mod token_answer;
