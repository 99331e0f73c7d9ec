//! A tracker that is away, silent, or has lost everything, stops nobody who has met before.

use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_core::node::{Event, Node, PeerNode};
use chatp2p_core::testing::node::{Trouble, lists, name, next_event, until};
use chatp2p_core::tracker::{PeerQuery, Tracker};
use tokio::time::{Instant, sleep, timeout};

use crate::town::{Town, all_delivered, meet, say};

/// The longest a caller waits for a tracker that says nothing.
const PATIENT: Duration = Duration::from_secs(15);

async fn a_start_without_a_tracker_fails_and_a_second_one_works(trouble: Trouble) {
    let town = Town::in_memory().await;
    let alice = town.alice();
    town.tracker.set(trouble);
    let start = Instant::now();
    let failed = timeout(PATIENT, alice.builder().start()).await.expect("it does not wait for ever");
    let error = failed.expect_err("there is no tracker");
    assert_eq!(error.code(), Code::TrackerUnreachable, "{error}");
    assert!(start.elapsed() < PATIENT);
    town.tracker.set(Trouble::None);
    let a = alice.start().await;
    assert!(town.tracker.find(a.username()).await.unwrap().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_start_without_a_tracker_fails_and_a_second_one_works_once_it_is_up() {
    a_start_without_a_tracker_fails_and_a_second_one_works(Trouble::Down).await;
}

#[tokio::test(start_paused = true)]
async fn a_start_with_a_silent_tracker_fails_and_a_second_one_works_once_it_speaks() {
    a_start_without_a_tracker_fails_and_a_second_one_works(Trouble::Silent).await;
}

async fn listed(town: &Town, node: &Node) -> bool {
    lists(&town.tracker.peers(PeerQuery::default()).await.unwrap().items, node.username())
}

#[tokio::test(start_paused = true)]
async fn a_tracker_that_lost_its_data_lists_the_node_again() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    for trouble in [Trouble::None, Trouble::Down, Trouble::Silent] {
        town.tracker.set(trouble);
        sleep(Duration::from_secs(90)).await;
        town.tracker.lose_everything().await;
        town.tracker.set(Trouble::None);
        assert!(!listed(&town, &a).await && !listed(&town, &b).await);
        sleep(Duration::from_secs(45)).await;
        assert!(listed(&town, &a).await && listed(&town, &b).await, "after {trouble:?}");
        // And the lease is a good one.
        sleep(Duration::from_secs(45)).await;
        assert_eq!(a.status().await.unwrap().tracker.trouble, None);
    }
    let carol = town.carol().start().await;
    crate::town::introduce(&carol, &a).await;
}

#[tokio::test(start_paused = true)]
async fn trouble_with_the_tracker_is_told_and_its_end_shows() {
    for trouble in [Trouble::Down, Trouble::Silent] {
        let town = Town::in_memory().await;
        let a = town.alice().start().await;
        let mut events = a.subscribe();
        let before = a.status().await.unwrap().tracker;
        assert_eq!(before.trouble, None);
        assert!(before.confirmed.is_some());
        town.tracker.set(trouble);
        sleep(Duration::from_secs(45)).await;
        let told = Event::TrackerTrouble(Code::TrackerUnreachable);
        next_event("it is told", &mut events, |event| (event == told).then_some(())).await;
        assert_eq!(a.status().await.unwrap().tracker.trouble, Some(Code::TrackerUnreachable));
        town.tracker.set(Trouble::None);
        sleep(Duration::from_secs(20)).await;
        assert_eq!(a.status().await.unwrap().tracker.trouble, None);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_tracker_those_who_were_there_last_are_shown() {
    for trouble in [Trouble::Down, Trouble::Silent] {
        let town = Town::in_memory().await;
        let (_, a, _, b) = town.alice_and_bob().await;
        let there = a.available().await.unwrap();
        assert_eq!(there.iter().map(|other| &other.username).collect::<Vec<_>>(), [b.username()], "without oneself");
        town.tracker.set(trouble);
        let still = timeout(PATIENT, a.available()).await.expect("it does not wait for ever").unwrap();
        assert_eq!(still, there);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_tracker_those_who_know_each_other_still_connect() {
    for trouble in [Trouble::Down, Trouble::Silent] {
        let town = Town::in_memory().await;
        let (alice, a, _, b) = town.alice_and_bob().await;
        a.disconnect(b.username()).await.unwrap();
        until("both are alone", async || {
            a.connected().await.unwrap().is_empty() && b.connected().await.unwrap().is_empty()
        })
        .await;
        town.tracker.set(trouble);
        a.connect(b.username()).await.unwrap_or_else(|error| panic!("{trouble:?}: {error}"));
        meet(&a, &b).await;
        // Nor does a link that breaks need one.
        alice.lines.cut();
        say(&b, &a, "still there?").await;
        all_delivered(&b).await;
        let refused = timeout(PATIENT, a.connect(&name("stranger"))).await.expect("it does not wait for ever");
        assert_eq!(refused.unwrap_err().code(), Code::TrackerUnreachable);
        // It is asked anew each time.
        town.tracker.set(Trouble::None);
        let carol = town.carol().start().await;
        a.connect(carol.username()).await.unwrap();
    }
}
