//! The tracker in this process: the contract, and what only shows with its store in hand: restarts, failures, slowness.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::storage::{MemoryRegistry, RegistryStore};
use chatp2p_core::testing::registry_store::{FaultyRegistry, registration};
use chatp2p_core::testing::tracker::{BRIEF, LASTING, PATIENCE, classic, name, signed};
use chatp2p_core::tracker::{LeaseAction, LocalTracker, PeerQuery, Registration, Tracker, TrackerError};
use tokio::time::{Instant, sleep, timeout};

mod contract {
    use super::{Duration, LocalTracker};

    async fn start(ttl: Duration) -> (LocalTracker, ()) {
        (LocalTracker::builder().ttl(ttl).start().await.unwrap(), ())
    }

    chatp2p_core::tracker_contract!(start);
}

async fn start(store: &Arc<MemoryRegistry>, ttl: Duration) -> LocalTracker {
    LocalTracker::builder().store(store.clone()).ttl(ttl).start().await.unwrap()
}

async fn faulty() -> (FaultyRegistry, LocalTracker) {
    let store = FaultyRegistry::new(Arc::new(MemoryRegistry::new()));
    let tracker = LocalTracker::builder().store(Arc::new(store.clone())).ttl(LASTING).start().await.unwrap();
    (store, tracker)
}

async fn kept(store: &dyn RegistryStore, text: &str) -> Option<Registration> {
    store.load().await.unwrap().registrations.into_iter().find(|kept| kept.username == name(text))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds().await {
        assert!(Instant::now() < deadline, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_restart_keeps_names_and_owners_but_no_leases() {
    let store = Arc::new(MemoryRegistry::new());
    let tracker = start(&store, LASTING).await;
    let lease = tracker.register(signed(1, "alice", 5001, 1, tracker.id())).await.unwrap();
    tracker.register(classic("bob", 5002)).await.unwrap();
    let carol = tracker.register(classic("carol", 5003)).await.unwrap();
    tracker.unregister(&carol).await.unwrap();
    let before = tracker.peers(PeerQuery::default()).await.unwrap();
    tracker.close().await.unwrap();

    let again = start(&store, LASTING).await;
    assert_eq!(again.id(), tracker.id());
    assert_eq!(again.peers(PeerQuery::default()).await.unwrap(), before);
    assert!(matches!(again.heartbeat(&lease).await, Err(TrackerError::Unknown { .. })));
    assert!(matches!(again.register(classic("alice", 1)).await, Err(TrackerError::ProofRequired { .. })));
    let moved = again.register(signed(1, "alice", 5009, 2, again.id())).await.unwrap();
    again.heartbeat(&moved).await.unwrap();
    again.register(classic("dora", 5004)).await.unwrap();
    let ids: std::collections::BTreeSet<i64> =
        store.load().await.unwrap().registrations.iter().map(|kept| kept.id).collect();
    assert_eq!(ids.len(), 4, "no id is given twice");
}

#[tokio::test]
async fn a_restart_gives_one_ttl_of_grace_and_no_more() {
    let store = Arc::new(MemoryRegistry::new());
    store
        .commit(vec![registration(1, "alice"), Registration { is_active: false, ..registration(2, "bob") }])
        .await
        .unwrap();
    let tracker = start(&store, BRIEF).await;
    let alice = tracker.find(&name("alice")).await.unwrap().expect("alice has her grace");
    assert_eq!(alice.last_heartbeat, registration(1, "alice").last_heartbeat);
    assert_eq!(tracker.find(&name("bob")).await.unwrap(), None, "bob has left");
    let version = tracker.version();
    until("alice's grace never ended", async || tracker.find(&name("alice")).await.unwrap().is_none()).await;
    assert_ne!(tracker.version(), version);
}

#[tokio::test]
async fn a_failed_commit_is_an_error_and_shows_nothing() {
    let (store, tracker) = faulty().await;
    let bob = tracker.register(signed(2, "bob", 5002, 1, tracker.id())).await.unwrap();
    let before = tracker.peers(PeerQuery::default()).await.unwrap();

    store.fail_commits(1);
    assert!(matches!(tracker.register(classic("alice", 5001)).await, Err(TrackerError::Storage(_))));
    store.fail_commits(1);
    assert!(matches!(tracker.register(signed(2, "bob", 5009, 2, tracker.id())).await, Err(TrackerError::Storage(_))));
    store.fail_commits(1);
    assert!(matches!(tracker.unregister(&bob).await, Err(TrackerError::Storage(_))));
    assert_eq!(tracker.peers(PeerQuery::default()).await.unwrap(), before);
    assert_eq!(tracker.health().await.unwrap().total_peers, 1);

    tracker.heartbeat(&bob).await.expect("bob's lease is what it was");
    tracker.register(classic("alice", 6666)).await.expect("nobody holds alice");
    tracker.unregister(&bob).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_was_kept_after_all_is_found_out() {
    let (store, tracker) = faulty().await;
    store.lie_about_commits(1);
    assert!(tracker.register(signed(1, "alice", 5001, 1, tracker.id())).await.is_err());
    assert!(matches!(tracker.register(classic("alice", 6666)).await, Err(TrackerError::ProofRequired { .. })));

    // The store cannot be asked either: nothing is decided before it can.
    store.lie_about_commits(1);
    store.fail_loads(2);
    assert!(matches!(tracker.register(classic("bob", 5002)).await, Err(TrackerError::Storage(_))));
    assert!(matches!(tracker.register(classic("bob", 6666)).await, Err(TrackerError::Storage(_))));
    assert!(matches!(tracker.register(classic("bob", 6666)).await, Err(TrackerError::NameTaken { .. })));
    let bob = tracker.find(&name("bob")).await.unwrap().unwrap();
    let carol = tracker.enrol(classic("carol", 5003)).await.unwrap().registration;
    assert_ne!(bob.id, carol.id);
}

#[tokio::test]
async fn nobody_waits_for_a_slow_store_to_read_and_nothing_shows_too_early() {
    let (store, tracker) = faulty().await;
    tracker.register(classic("bob", 5002)).await.unwrap();
    let held = store.hold_commits().await;
    let begun = store.commits();
    let registering = tokio::spawn({
        let tracker = tracker.clone();
        async move { tracker.register(classic("alice", 5001)).await.map(|_| ()) }
    });
    until("the commit never began", async || store.commits() > begun).await;
    let listed =
        timeout(PATIENCE, tracker.peers(PeerQuery::default())).await.expect("reading waits for nothing").unwrap();
    assert_eq!(listed.items.len(), 1);
    assert_eq!(tracker.health().await.unwrap().active_peers, 1);
    assert!(!registering.is_finished());
    drop(held);
    registering.await.unwrap().unwrap();
    assert!(tracker.find(&name("alice")).await.unwrap().is_some());
}

#[tokio::test]
async fn what_arrives_during_a_commit_shares_the_next() {
    let (store, tracker) = faulty().await;
    let held = store.hold_commits().await;
    let begun = store.commits();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..=60 {
        let tracker = tracker.clone();
        all.spawn(async move { tracker.register(classic(&format!("peer-{n}"), 5001)).await.map(|_| ()) });
        if n == 0 {
            until("the first commit never began", async || store.commits() > begun).await;
        }
    }
    // On this single thread everybody has asked once the others had their turn.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(held);
    while let Some(answer) = all.join_next().await {
        answer.unwrap().unwrap();
    }
    assert_eq!(store.commits() - begun, 2);
    assert_eq!(tracker.health().await.unwrap().active_peers, 61);
}

#[tokio::test]
async fn beats_are_kept_later_together_and_at_the_end() {
    let (store, tracker) = faulty().await;
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    let begun = store.commits();
    sleep(Duration::from_millis(5)).await;
    for _ in 0..100 {
        tracker.heartbeat(&lease).await.unwrap();
    }
    let shown = tracker.find(&name("alice")).await.unwrap().unwrap();
    assert_eq!(store.commits(), begun, "a beat costs no commit");
    assert!(kept(&store, "alice").await.unwrap().last_heartbeat < shown.last_heartbeat);
    until("the beat was never kept", async || {
        kept(&store, "alice").await.unwrap().last_heartbeat == shown.last_heartbeat
    })
    .await;
    assert_eq!(store.commits(), begun + 1);

    sleep(Duration::from_millis(5)).await;
    tracker.heartbeat(&lease).await.unwrap();
    let shown = tracker.find(&name("alice")).await.unwrap().unwrap();
    tracker.close().await.unwrap();
    assert_eq!(kept(&store, "alice").await.unwrap().last_heartbeat, shown.last_heartbeat);
}

#[tokio::test]
async fn the_last_handle_takes_the_tracker_with_it_and_keeps_its_beats() {
    let (store, tracker) = faulty().await;
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    sleep(Duration::from_millis(5)).await;
    tracker.heartbeat(&lease).await.unwrap();
    let shown = tracker.find(&name("alice")).await.unwrap().unwrap();
    let begun = Instant::now();
    drop(tracker);
    until("the beat was never kept", async || {
        kept(&store, "alice").await.unwrap().last_heartbeat == shown.last_heartbeat
    })
    .await;
    assert!(begun.elapsed() < chatp2p_core::storage::BEAT_WRITE_BEHIND, "it did not wait for its time");
}

#[tokio::test]
async fn a_closed_tracker_says_so() {
    let tracker = LocalTracker::in_memory().await.unwrap();
    let lease = tracker.register(signed(1, "alice", 5001, 1, tracker.id())).await.unwrap();
    tracker.clone().close().await.unwrap();
    tracker.close().await.unwrap();
    assert!(matches!(tracker.heartbeat(&lease).await, Err(TrackerError::Closed)));
    assert!(matches!(tracker.find(&name("alice")).await, Err(TrackerError::Closed)));
    assert!(matches!(
        tracker.leave(&name("alice"), lease.prove(LeaseAction::Unregister)).await,
        Err(TrackerError::Closed)
    ));
}

#[tokio::test]
async fn a_full_tracker_makes_room_in_its_store_too() {
    let store = Arc::new(MemoryRegistry::new());
    let tracker = LocalTracker::builder().store(store.clone()).max_registrations(2).start().await.unwrap();
    let alice = tracker.register(classic("alice", 5001)).await.unwrap();
    tracker.register(classic("bob", 5002)).await.unwrap();
    assert!(matches!(tracker.register(classic("carol", 5003)).await, Err(TrackerError::Full)));
    tracker.unregister(&alice).await.unwrap();
    tracker.register(classic("carol", 5003)).await.unwrap();
    assert_eq!(tracker.health().await.unwrap().total_peers, 2);
    assert_eq!(kept(&*store, "alice").await, None);
    assert!(kept(&*store, "carol").await.is_some());
}

#[tokio::test]
async fn the_version_follows_the_list_and_not_the_beats() {
    let tracker = LocalTracker::in_memory().await.unwrap();
    let mut last = tracker.version();
    let mut changed = |tracker: &LocalTracker| {
        let before = std::mem::replace(&mut last, tracker.version());
        last != before
    };
    let lease = tracker.register(classic("alice", 5001)).await.unwrap();
    assert!(changed(&tracker));
    tracker.heartbeat(&lease).await.unwrap();
    tracker.register(classic("alice", 5001)).await.unwrap();
    assert!(!changed(&tracker));
    tracker.unregister(&lease).await.unwrap();
    assert!(changed(&tracker));
}
