//! What can be seen from outside of a database that does not work.

use core::fmt::Debug;
use core::time::Duration;
use std::sync::{Arc, Mutex};

use oauth2_proto::Unknown;
use oauth2_proto_stores::DatabaseError;
use tokio::time::Instant;

/// Short enough for a test, long enough for a busy machine.
pub(crate) const SOON: Duration = Duration::from_millis(800);
/// No operation that is given up at `SOON` takes as long.
pub(crate) const BOUND: Duration = Duration::from_secs(5);

/// The operation ends in time, and without an outcome.
pub(crate) async fn unknown<T: Debug>(operation: impl Future<Output = Result<T, Unknown>>) {
    let begin = Instant::now();
    operation.await.unwrap_err();
    assert!(begin.elapsed() < BOUND);
}

/// What an observer is shown, as text.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    pub(crate) fn observer(&self) -> impl Fn(&DatabaseError) + Send + Sync + 'static {
        let Self(seen) = self.clone();
        move |error| seen.lock().unwrap().push(format!("{error} {error:?}"))
    }

    /// What it was shown since this was asked last.
    pub(crate) fn take(&self) -> Vec<String> {
        core::mem::take(&mut self.0.lock().unwrap())
    }
}
