//! What many callers at once can rely on.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "helpers of tests fail like tests"
)]

use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::collections::BTreeSet;

use oauth2_proto::agent::{Record, Store};
use oauth2_proto::{Swapped, Version};
use tokio::task::JoinSet;

use super::{Engine, loaded, stored, swapped};

/// Handles of their own, and clones of one.
async fn handles<E: Engine>(engine: &E, count: usize) -> Vec<E::Store> {
    let mut handles = vec![engine.open().await, engine.open().await, engine.open().await];
    while handles.len() < count {
        handles.push(handles[0].clone());
    }
    handles
}

pub(crate) async fn of_many_who_swap_at_once_one_wins<E: Engine>(engine: E) {
    let handles = handles(&engine, 12).await;
    let mut current: Option<(Version, Vec<u8>)> = None;
    // It is made, replaced, and in the end deleted, by one of them.
    for round in 0..4 {
        let mut swaps = JoinSet::new();
        for (number, store) in handles.iter().cloned().enumerate() {
            let expected = current.as_ref().map(|(version, _)| *version);
            let new = (round != 3).then(|| format!("{round} by {number}").into_bytes());
            swaps.spawn(async move {
                let swapped = swapped(&store, "alice", expected, new.as_deref()).await;
                (swapped, new)
            });
        }
        let mut won = Vec::new();
        for (swapped, new) in swaps.join_all().await {
            if let Swapped::Stored(version) = swapped {
                won.push(new.map(|new| (version, new)));
            }
        }
        assert_eq!(won.len(), 1, "in round {round}");
        current = won.remove(0);
        for store in &handles[..3] {
            assert_eq!(loaded(store, "alice").await, current);
        }
    }
}

/// Adds one, whoever else does so at the same time, and says which version that made.
async fn increment<S: Store>(store: &S, key: &str) -> Version {
    loop {
        let login = loaded(store, key).await;
        let (expected, count) = match login {
            Some((version, record)) => {
                (Some(version), u64::from_le_bytes(record.try_into().unwrap()))
            }
            None => (None, 0),
        };
        let new = (count + 1).to_le_bytes();
        if let Swapped::Stored(version) = swapped(store, key, expected, Some(&new)).await {
            return version;
        }
    }
}

pub(crate) async fn no_increment_is_lost<E: Engine>(engine: E) {
    let mut tasks = JoinSet::new();
    for store in handles(&engine, 6).await {
        tasks.spawn(async move {
            let mut versions = Vec::new();
            for _ in 0..8 {
                versions.push(increment(&store, "alice").await.number());
            }
            versions
        });
    }
    let versions = tasks.join_all().await.concat();
    let different: BTreeSet<_> = versions.iter().collect();
    assert_eq!((versions.len(), different.len()), (48, 48));
    let (version, record) = loaded(&engine.open().await, "alice").await.unwrap();
    assert_eq!(record, 48_u64.to_le_bytes());
    assert!(different.contains(&version.number()));
}

pub(crate) async fn logins_do_not_disturb_each_other<E: Engine>(engine: E) {
    let mut tasks = JoinSet::new();
    for (number, store) in handles(&engine, 6).await.into_iter().enumerate() {
        tasks.spawn(async move {
            let key = format!("user {number}");
            let mut expected = None;
            for round in 0..8 {
                // Nobody else has this key, so nothing can conflict.
                let record = format!("{key} {round}").into_bytes();
                let version = stored(&store, &key, expected, Some(&record)).await;
                assert_eq!(loaded(&store, &key).await, Some((version, record)));
                expected = Some(version);
            }
        });
    }
    tasks.join_all().await;
}

pub(crate) async fn what_is_read_is_never_mixed<E: Engine>(engine: E) {
    let (writer, reader) = (engine.open().await, engine.open().await);
    let record = |n: u8| vec![n; 1 + usize::from(n) * 1500];
    let first = stored(&writer, "alice", None, Some(&record(0))).await;
    let writing = tokio::spawn(async move {
        let mut versions = vec![first];
        for n in 1..=20 {
            let expected = versions.last().copied();
            versions.push(stored(&writer, "alice", expected, Some(&record(n))).await);
        }
        versions
    });
    let (mut read, mut last) = (Vec::new(), 0);
    while last < 20 {
        let (version, bytes) = loaded(&reader, "alice").await.unwrap();
        assert_eq!(bytes, record(bytes[0]));
        assert!(bytes[0] >= last, "{} was there before {}", last, bytes[0]);
        last = bytes[0];
        read.push((last, version));
    }
    let versions = writing.await.unwrap();
    assert!(read.into_iter().all(|(n, version)| versions[usize::from(n)] == version));
}

pub(crate) async fn a_swap_that_is_dropped_happens_or_does_not<E: Engine>(engine: E) {
    let store = engine.open().await;
    let mut current = stored(&store, "alice", None, Some(b"0")).await;
    for polls in 0..24 {
        let dropped = format!("dropped after {polls}");
        {
            let mut swap =
                pin!(store.swap("alice", Some(current), Some(Record::new(dropped.clone()))));
            for _ in 0..polls {
                if poll_once(swap.as_mut()).await {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        // It may still be on its way; whoever swaps now meets the old login or the new one.
        let kept = format!("kept after {polls}");
        let before = format!("kept after {}", polls - 1);
        current = loop {
            let (version, record) = loaded(&store, "alice").await.unwrap();
            assert!(
                record == dropped.as_bytes()
                    || version == current && (polls == 0 || record == before.as_bytes())
            );
            let new = Some(kept.as_bytes());
            if let Swapped::Stored(new) = swapped(&store, "alice", Some(version), new).await {
                break new;
            }
        };
        let now = Some((current, kept.into_bytes()));
        assert_eq!(loaded(&store, "alice").await, now);
        assert_eq!(loaded(&engine.open().await, "alice").await, now);
    }
}

/// Whether it is done.
async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> bool {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready())).await
}
