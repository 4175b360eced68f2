//! What every store promises, whatever it keeps its logins in.
//!
//! An engine's test says how it is opened, and calls [`conformance!`]: that makes every test of this
//! module one of its own.
#![expect(clippy::panic, clippy::unwrap_used, reason = "helpers of tests fail like tests")]

pub(crate) mod contract;
pub(crate) mod crowd;

use core::fmt::Debug;

use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Version};

/// A database of its own, which goes when this value is dropped.
pub(crate) trait Engine: Sized + Send + Sync + 'static {
    type Store: Store<Loading: Send, Swapping: Send> + Clone + Debug + Send + Sync + 'static;

    /// Whether there is what it takes. Where not, it says so.
    fn is_installed() -> bool {
        true
    }

    /// An empty one.
    fn create() -> impl Future<Output = Self> + Send;

    /// A handle of its own to this database, as another process would have it.
    fn open(&self) -> impl Future<Output = Self::Store> + Send;
}

/// Every test of this module, for this [`Engine`]. They run in a tokio runtime with its I/O and its
/// timer enabled.
macro_rules! conformance {
    ($engine:ty) => {
        crate::conformance::tests! { $engine, contract:
            what_was_never_stored_is_not_there
            a_login_is_made_where_there_is_none
            a_login_is_made_only_where_there_is_none
            a_login_is_replaced_under_the_same_version
            a_conflict_changes_nothing
            a_login_is_deleted
            what_is_not_there_is_not_deleted
            a_version_never_comes_back
            keys_are_independent
            keys_may_be_anything
            a_record_comes_back_byte_for_byte
            a_large_record_comes_back
            a_handle_sees_what_another_has_written
            many_logins_go_through_one_handle
            debug_output_shows_no_record
        }
        crate::conformance::tests! { $engine, crowd:
            of_many_who_swap_at_once_one_wins
            no_increment_is_lost
            logins_do_not_disturb_each_other
            what_is_read_is_never_mixed
            a_swap_that_is_dropped_happens_or_does_not
        }
    };
}

macro_rules! tests {
    ($engine:ty, $module:ident: $($name:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if !<$engine>::is_installed() {
                    return;
                }
                crate::conformance::$module::$name(<$engine>::create().await).await;
            }
        )*
    };
}

pub(crate) use {conformance, tests};

/// Swaps where nothing stands in the way.
pub(crate) async fn stored<S: Store>(
    store: &S,
    key: &str,
    expected: Option<Version>,
    new: Option<&[u8]>,
) -> Version {
    match swapped(store, key, expected, new).await {
        Swapped::Stored(version) => version,
        Swapped::Conflict => panic!("a conflict over {key:?}"),
    }
}

pub(crate) async fn swapped<S: Store>(
    store: &S,
    key: &str,
    expected: Option<Version>,
    new: Option<&[u8]>,
) -> Swapped {
    store.swap(key, expected, new.map(Record::new)).await.unwrap()
}

/// What is there, as bytes.
pub(crate) async fn loaded<S: Store>(store: &S, key: &str) -> Option<(Version, Vec<u8>)> {
    let login = store.load(key).await.unwrap();
    login.map(|(version, record)| (version, record.as_bytes().to_vec()))
}
