//! What was read is told to whoever wrote it, unless that is to stay hidden.

use chatp2p_core::message::{Delivery, EntryId};
use chatp2p_core::node::{ConversationPage, Event, Events, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::storage::StorageError;
use chatp2p_core::testing::node::{next_event, until};

use crate::town::{Town, all_delivered, introduce, meet, numbered, say, ticks};

const ALL: HistoryPage = HistoryPage { peer: None, before: None, limit: 1_000 };

/// What a node has in its history, oldest first.
async fn ids(node: &Node) -> Vec<EntryId> {
    node.history(ALL).await.unwrap().into_iter().map(|message| message.id).collect()
}

async fn steps(node: &Node) -> Vec<Delivery> {
    ticks(node).await.into_iter().map(|(_, delivery)| delivery).collect()
}

async fn next_read(events: &mut Events) -> EntryId {
    let read = |event| if let Event::Read { through, .. } = event { Some(through) } else { None };
    next_event("what was read is told", events, read).await
}

/// Alice has written so many texts to bob, and they have arrived.
async fn written(a: &Node, b: &Node, count: usize) -> Vec<EntryId> {
    for text in numbered("text", count) {
        say(a, b, text).await;
    }
    all_delivered(a).await;
    ids(a).await
}

#[tokio::test]
async fn what_was_read_is_told_to_whoever_wrote_it_and_never_taken_back() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let texts = written(&a, &b, 3).await;
    let mut events = a.subscribe();
    b.mark_read(a.username(), texts[1]).await.unwrap();
    assert_eq!(next_read(&mut events).await, texts[1]);
    assert_eq!(steps(&a).await, [Delivery::Read, Delivery::Read, Delivery::Delivered]);
    for again in [texts[0], texts[1], texts[2]] {
        b.mark_read(a.username(), again).await.unwrap();
    }
    assert_eq!(next_read(&mut events).await, texts[2], "of what was read before nothing is told");
    assert_eq!(steps(&a).await, [Delivery::Read; 3]);
    let last = a.conversations(ConversationPage { before: None, limit: 1 }).await.unwrap().remove(0).last.unwrap();
    assert_eq!(last.delivery, Delivery::Read);
    assert!(b.history(ALL).await.unwrap().iter().all(|theirs| theirs.delivery == Delivery::Delivered));
}

#[tokio::test]
async fn what_was_read_while_its_author_was_away_is_told_when_they_are_back() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    let texts = written(&a, &b, 2).await;
    a.stop().await.unwrap();
    until("alice is gone", async || b.connected().await.unwrap().is_empty()).await;
    b.mark_read(a.username(), texts[1]).await.unwrap();
    b.stop().await.unwrap();
    let a = alice.start().await;
    assert_eq!(steps(&a).await, [Delivery::Delivered; 2]);
    let mut events = a.subscribe();
    let _b = bob.start().await;
    assert_eq!(next_read(&mut events).await, texts[1]);
    a.stop().await.unwrap();
    let a = alice.start().await;
    assert_eq!(steps(&a).await, [Delivery::Read; 2], "alice remembers it");
}

#[tokio::test]
async fn whoever_hides_what_they_read_says_nothing_of_it_then_nor_later() {
    let town = Town::in_memory().await;
    let (_, a, bob, b) = town.alice_and_bob().await;
    let texts = written(&a, &b, 1).await;
    assert!(!b.hides_reading().await.unwrap());
    b.hide_reading(true).await.unwrap();
    b.mark_read(a.username(), texts[0]).await.unwrap();
    b.stop().await.unwrap();
    let b = bob.start().await;
    assert!(b.hides_reading().await.unwrap(), "bob has not changed his mind");
    introduce(&b, &a).await;
    b.mark_read(a.username(), texts[0]).await.unwrap();
    b.hide_reading(false).await.unwrap();
    assert!(!b.hides_reading().await.unwrap());
    b.disconnect(a.username()).await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    introduce(&b, &a).await;
    // A read that was told would have come before this.
    say(&b, &a, "still here").await;
    all_delivered(&b).await;
    assert_eq!(steps(&a).await, [Delivery::Delivered]);
    let mut events = a.subscribe();
    b.mark_read(a.username(), texts[0]).await.unwrap();
    assert_eq!(next_read(&mut events).await, texts[0]);
}

#[tokio::test]
async fn what_was_read_before_it_was_hidden_is_not_told_again_while_it_is() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    let texts = written(&a, &b, 1).await;
    // Neither hears of it yet.
    alice.lines.freeze();
    b.mark_read(a.username(), texts[0]).await.unwrap();
    b.hide_reading(true).await.unwrap();
    alice.lines.cut();
    meet(&a, &b).await;
    say(&b, &a, "still here").await;
    all_delivered(&b).await;
    assert_eq!(steps(&a).await, [Delivery::Delivered]);
}

#[tokio::test]
async fn only_what_somebody_has_written_can_be_read() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let carol = town.carol();
    let c = carol.start().await;
    introduce(&c, &b).await;
    let from_alice = written(&a, &b, 1).await.remove(0);
    say(&b, &a, "mine").await;
    let mine = *ids(&b).await.last().unwrap();
    for (from, id) in [(&a, mine), (&a, EntryId::from_bytes([7; 16])), (&c, from_alice)] {
        let refused = b.mark_read(from.username(), id).await.unwrap_err();
        let unknown = |named| matches!(refused, NodeError::Storage(StorageError::UnknownMessage(id)) if id == named);
        assert!(unknown(id), "{refused:?}");
    }
    let refused = a.mark_read(c.username(), from_alice).await.unwrap_err();
    assert!(matches!(refused, NodeError::UnknownPeer { .. }), "{refused:?}");
}
