//! Goodbyes: what ends, what does not come back by itself, and what is free again.

use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::node::{Event, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::testing::node::{in_time, lists, next_event, texts_from, until};
use chatp2p_core::tracker::Tracker;
use chatp2p_core::transport::TransportError;
use tokio::time::{sleep, timeout};

use crate::town::{Town, address, all_delivered, introduce, is_connected, meet, say};

async fn both_alone(a: &Node, b: &Node) {
    until("both are alone", async || !is_connected(a, b).await && !is_connected(b, a).await).await;
}

fn gone(of: &Node) -> impl FnMut(Event) -> Option<()> {
    let name = of.username().clone();
    move |event| (event == Event::PeerDisconnected(name.clone())).then_some(())
}

#[tokio::test(start_paused = true)]
async fn after_a_disconnect_nobody_dials_until_somebody_sends_or_connects() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    for a_leaves in [true, false] {
        for a_returns in [true, false] {
            for by_sending in [true, false] {
                let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
                if a_leaves { a.disconnect(b.username()).await } else { b.disconnect(a.username()).await }.unwrap();
                next_event("alice is told", &mut at_a, gone(&b)).await;
                next_event("bob is told", &mut at_b, gone(&a)).await;
                both_alone(&a, &b).await;
                let dials = (alice.lines.dials(), bob.lines.dials());
                sleep(Duration::from_secs(300)).await;
                assert_eq!((alice.lines.dials(), bob.lines.dials()), dials, "nobody dials by themselves");
                both_alone(&a, &b).await;
                let (from, to) = if a_returns { (&a, &b) } else { (&b, &a) };
                let before = texts_from(to, from.username()).await.len();
                if by_sending {
                    say(from, to, "hello again").await;
                    until("it arrives", async || texts_from(to, from.username()).await.len() == before + 1).await;
                } else {
                    from.connect(to.username()).await.unwrap();
                }
                meet(&a, &b).await;
            }
        }
    }
}

/// With nothing to send at either end, only the wish of the one who comes back can bring the link.
#[tokio::test(start_paused = true)]
async fn who_stops_comes_back_to_where_it_was_unless_it_had_disconnected() {
    for disconnected in [false, true] {
        let town = Town::in_memory().await;
        let (_, a, bob, b) = town.alice_and_bob().await;
        if disconnected {
            b.disconnect(a.username()).await.unwrap();
            both_alone(&a, &b).await;
        }
        b.stop().await.unwrap();
        until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
        sleep(Duration::from_secs(300)).await;
        let b = bob.start().await;
        if disconnected {
            sleep(Duration::from_secs(300)).await;
            assert!(!is_connected(&a, &b).await, "somebody dialled though bob had disconnected");
        } else {
            until("the link is back", async || is_connected(&a, &b).await && is_connected(&b, &a).await).await;
        }
    }
}

#[tokio::test]
async fn what_was_said_before_a_disconnect_arrives() {
    let town = Town::over_sockets().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    for n in 0..100 {
        say(&a, &b, n.to_string()).await;
        say(&b, &a, n.to_string()).await;
    }
    a.disconnect(b.username()).await.unwrap();
    let refused = a.disconnect(b.username()).await;
    assert!(matches!(refused, Err(NodeError::NotConnected { .. })), "{refused:?}");
    all_delivered(&a).await;
    all_delivered(&b).await;
}

async fn a_stopped_node_leaves_everything_free(town: Town) {
    let (_, a, bob, b) = town.alice_and_bob().await;
    let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
    let at = address(&b).await;
    b.stop().await.unwrap();
    let again = bob.builder();
    drop(town.network.listen(&at).await.expect("the address is free at once"));
    next_event("alice is told", &mut at_a, gone(&b)).await;
    assert_eq!(town.tracker.find(&bob.name).await.unwrap(), None, "bob is not listed");
    in_time("the events end", async { while at_b.next().await.is_some() {} }).await;
    assert_eq!(b.subscribe().next().await, None, "nothing more can be heard");

    let refused = |what: &str, result: Result<(), NodeError>| {
        assert!(matches!(result, Err(NodeError::Stopped)), "{what}: {result:?}");
    };
    let page = HistoryPage { peer: None, before: None, limit: 1 };
    refused("send", b.send(a.username(), "?".to_owned()).await.map(drop));
    refused("broadcast", b.broadcast("?".to_owned()).await.map(drop));
    refused("connect", b.connect(a.username()).await);
    refused("disconnect", b.disconnect(a.username()).await);
    refused("forget_key", b.forget_key(a.username()).await);
    refused("connected", b.connected().await.map(drop));
    refused("available", b.available().await.map(drop));
    refused("history", b.history(page).await.map(drop));
    refused("status", b.status().await.map(drop));
    refused("stop", b.stop().await);

    let new = again.start().await.expect("a new node starts in its place");
    introduce(&a, &new).await;
    say(&a, &new, "welcome").await;
    all_delivered(&a).await;
}

#[tokio::test]
async fn a_stopped_node_leaves_everything_free_in_memory() {
    a_stopped_node_leaves_everything_free(Town::in_memory().await).await;
}

#[tokio::test]
async fn a_stopped_node_leaves_everything_free_over_sockets() {
    a_stopped_node_leaves_everything_free(Town::over_sockets().await).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_stop_nobody_dials_the_one_who_left() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    b.stop().await.unwrap();
    until("alice is alone", async || a.connected().await.unwrap().is_empty()).await;
    let dials = alice.lines.dials();
    sleep(Duration::from_secs(300)).await;
    assert_eq!(alice.lines.dials(), dials);
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_not_held_up_by_who_does_not_read_or_a_tracker_that_is_silent() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    alice.lines.freeze();
    town.tracker.set(chatp2p_core::testing::node::Trouble::Silent);
    say(&a, &b, "into the ice").await;
    timeout(Duration::from_secs(10), a.stop()).await.expect("it ends all the same").unwrap();
    assert_eq!(alice.lines.live(), 0);
}

async fn a_dropped_node_is_gone(town: Town) {
    let (_, a, _, b) = town.alice_and_bob().await;
    let mut at_a = a.subscribe();
    let mut at_b = b.subscribe();
    let at = address(&b).await;
    let waiting = Arc::new(b);
    let name = waiting.username().clone();
    drop(waiting);
    in_time("the events end", async { while at_b.next().await.is_some() {} }).await;
    let left = Event::PeerDisconnected(name);
    next_event("alice sees the link end", &mut at_a, |event| (event == left).then_some(())).await;
    until("the address is free", async || match town.network.listen(&at).await {
        Ok(_) => true,
        Err(TransportError::AddressInUse { .. }) => false,
        Err(error) => panic!("{error}"),
    })
    .await;
    assert!(lists(&a.available().await.unwrap(), &"bob".parse().unwrap()), "it went without a word to anybody");
}

#[tokio::test]
async fn a_dropped_node_is_gone_in_memory() {
    a_dropped_node_is_gone(Town::in_memory().await).await;
}

#[tokio::test]
async fn a_dropped_node_is_gone_over_sockets() {
    a_dropped_node_is_gone(Town::over_sockets().await).await;
}
