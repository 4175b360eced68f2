//! Replays the committed corpus of every fuzz target on stable: the bodies are those that
//! `cargo fuzz` feeds.
#![expect(clippy::expect_used, reason = "a corpus that cannot be read fails the test")]

use std::fs;
use std::path::Path;

#[path = "../../fuzz/src/lib.rs"]
pub mod bodies;

/// Hands every file of a target's corpus to its body. A corpus that is missing is a failure.
fn replay(target: &str, body: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).expect("every target has a corpus");
    let mut replayed = 0_usize;
    for file in files {
        let path = file.expect("the folder can be read").path();
        // A panic of the body is told by the last name that was printed.
        println!("{}", path.display());
        body(&fs::read(&path).expect("the file can be read"));
        replayed += 1;
    }
    assert_ne!(replayed, 0, "the corpus of {target} is empty");
}

#[test]
fn token_answers_keep_their_promises() {
    replay("token_answer", bodies::token_answer::run);
}

#[test]
fn device_answers_keep_their_promises() {
    replay("device_answer", bodies::device_answer::run);
}

#[test]
fn callbacks_keep_their_promises() {
    replay("callback", bodies::callback::run);
}

#[test]
fn challenges_keep_their_promises() {
    replay("challenge", bodies::challenge::run);
}

#[cfg(feature = "providers")]
#[test]
fn dialects_make_no_token_up() {
    replay("dialect", bodies::dialect::run);
}

#[test]
fn messages_around_a_login_keep_their_promises() {
    replay("messages", bodies::messages::run);
}

#[test]
fn metadata_keeps_its_promises() {
    replay("metadata", bodies::metadata::run);
}

#[test]
fn stored_states_keep_their_promises() {
    replay("stored_state", bodies::stored_state::run);
}

#[test]
fn sessions_agree_with_the_model() {
    replay("session", bodies::session::run);
}
