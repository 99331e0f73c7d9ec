//! Who can be connected to, and what the answer is when somebody cannot.

use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_core::node::{Event, NodeError, PeerNode};
use chatp2p_core::testing::node::{name, texts_from, until};
use chatp2p_core::testing::tracker::classic;
use chatp2p_core::tracker::Tracker;
use tokio::time::Instant;

use crate::town::{Town, all_delivered, introduce, meet, say};

/// Longer than a connect may take by the time it takes to be told of it.
const ANSWER: Duration = Duration::from_millis(10_500);

async fn both_at_once(town: Town) {
    for round in 0..50 {
        let (alice, bob) = (town.alice(), town.bob());
        let (a, b) = (alice.start().await, bob.start().await);
        let (from_a, from_b) = tokio::join!(a.connect(b.username()), b.connect(a.username()));
        assert!(from_a.is_ok() && from_b.is_ok(), "round {round}: {from_a:?} {from_b:?}");
        say(&a, &b, "from alice").await;
        say(&b, &a, "from bob").await;
        until("one link remains", async || alice.lines.live() + bob.lines.live() == 1).await;
        all_delivered(&a).await;
        all_delivered(&b).await;
        meet(&a, &b).await;
        say(&a, &b, "again").await;
        all_delivered(&a).await;
        assert_eq!(texts_from(&b, a.username()).await, ["from alice", "again"], "round {round}");
        assert_eq!(texts_from(&a, b.username()).await, ["from bob"], "round {round}");
        assert_eq!(alice.lines.live() + bob.lines.live(), 1, "round {round}");
        a.stop().await.unwrap();
        b.stop().await.unwrap();
    }
}

#[tokio::test]
async fn connecting_from_both_sides_at_once_leaves_one_link_in_memory() {
    both_at_once(Town::in_memory().await).await;
}

#[tokio::test]
async fn connecting_from_both_sides_at_once_leaves_one_link_over_sockets() {
    both_at_once(Town::over_sockets().await).await;
}

#[tokio::test]
async fn connecting_often_is_one_connection() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    let dials = alice.lines.dials();
    assert_eq!(dials, 1);
    a.connect(b.username()).await.unwrap();
    b.connect(a.username()).await.unwrap();
    assert_eq!((alice.lines.dials(), bob.lines.dials()), (1, 0));
    let carol = town.carol();
    let c = Arc::new(carol.start().await);
    let connecting = (0..20).map(|_| async { c.connect(&name("alice")).await });
    for result in futures_util::future::join_all(connecting).await {
        result.unwrap();
    }
    assert_eq!(carol.lines.dials(), 1);
    assert_eq!(a.connected().await.unwrap(), [name("bob"), name("carol")]);
}

#[tokio::test]
async fn nobody_connects_to_oneself() {
    let town = Town::in_memory().await;
    let alice = town.alice();
    let a = alice.start().await;
    let refused = a.connect(&name("alice")).await;
    assert!(matches!(&refused, Err(NodeError::Oneself { name: of }) if *of == alice.name), "{refused:?}");
    assert_eq!(alice.lines.dials(), 0);
}

#[tokio::test]
async fn nobody_connects_to_a_name_that_nobody_has() {
    let town = Town::in_memory().await;
    let a = town.alice().start().await;
    let refused = a.connect(&name("nobody")).await;
    assert!(matches!(&refused, Err(NodeError::UnknownPeer { name: of }) if *of == name("nobody")), "{refused:?}");
    let refused = a.send(&name("nobody"), "hello?".to_owned()).await;
    assert!(matches!(refused, Err(NodeError::NotConnected { .. })), "{refused:?}");
    let refused = a.forget_key(&name("nobody")).await;
    assert!(matches!(refused, Err(NodeError::UnknownPeer { .. })), "{refused:?}");
}

#[tokio::test]
async fn nobody_connects_to_somebody_without_a_key() {
    let town = Town::in_memory().await;
    let a = town.alice().start().await;
    town.tracker.register(classic("oldie", 5001)).await.unwrap();
    let refused = a.connect(&name("oldie")).await;
    let Err(NodeError::Unreachable { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("classic"), "{reason}");
    assert_eq!(a.connected().await.unwrap(), []);
}

#[tokio::test]
async fn somebody_whose_address_is_dead_is_unreachable_and_the_reason_is_told() {
    let town = Town::over_sockets().await;
    let (alice, bob) = (town.alice(), town.bob());
    let dead = town.network.listen(&bob.at).await.unwrap().endpoint().clone();
    let a = alice.start().await;
    let _b = bob.builder().advertise(vec![dead.clone()]).start().await.unwrap();
    let refused = a.connect(&bob.name).await;
    let Err(error @ NodeError::Unreachable { .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(error.code(), Code::Unreachable);
    assert!(error.to_string().contains(&dead.to_string()), "{error}");
}

#[tokio::test(start_paused = true)]
async fn somebody_who_never_answers_is_unreachable_within_ten_seconds() {
    let town = Town::in_memory().await;
    let (alice, bob) = (town.alice(), town.bob());
    let hole: Vec<_> = ["memory:hole1", "memory:hole2"].iter().map(|at| at.parse().unwrap()).collect();
    let _listening = (town.network.listen(&hole[0]).await.unwrap(), town.network.listen(&hole[1]).await.unwrap());
    let a = alice.start().await;
    let _b = bob.builder().advertise(hole).start().await.unwrap();
    let start = Instant::now();
    let refused = a.connect(&bob.name).await;
    assert!(start.elapsed() < ANSWER, "after {:?}", start.elapsed());
    let Err(NodeError::Unreachable { reason, .. }) = refused else { panic!("{refused:?}") };
    assert!(reason.contains("memory:hole1") && reason.contains("memory:hole2"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_when_the_first_is_dead() {
    let town = Town::in_memory().await;
    let (alice, bob) = (town.alice(), town.bob());
    let hole = "memory:hole".parse().unwrap();
    let _listening = town.network.listen(&hole).await.unwrap();
    let a = alice.start().await;
    let b = bob.builder().advertise(vec![hole, bob.at.clone()]).start().await.unwrap();
    introduce(&a, &b).await;
}

#[tokio::test]
async fn both_ends_tell_of_a_link_once() {
    let town = Town::in_memory().await;
    let (alice, bob) = (town.alice(), town.bob());
    let (a, b) = (alice.start().await, bob.start().await);
    let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
    introduce(&a, &b).await;
    a.disconnect(b.username()).await.unwrap();
    until("bob is alone", async || b.connected().await.unwrap().is_empty()).await;
    assert_eq!(at_a.next().await, Some(Event::PeerConnected(bob.name.clone())));
    assert_eq!(at_a.next().await, Some(Event::PeerDisconnected(bob.name.clone())));
    assert_eq!(at_b.next().await, Some(Event::PeerConnected(alice.name.clone())));
    assert_eq!(at_b.next().await, Some(Event::PeerDisconnected(alice.name.clone())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_that_somebody_else_accepted_is_as_good_as_any() {
    let town = Town::in_memory().await;
    let (alice, bob) = (town.alice(), town.bob());
    let at = "memory:front-door".parse().unwrap();
    let mut door = town.network.listen(&at).await.unwrap();
    let a = alice.start().await;
    let b = bob.builder().advertise(vec![at]).start().await.unwrap();
    let (connected, ()) = tokio::join!(a.connect(b.username()), async {
        b.accept(door.accept().await.unwrap()).await.unwrap();
    });
    connected.unwrap();
    meet(&a, &b).await;
}
