//! Whoever listens hears of everything that changes what a person sees, whichever program caused it.

use chatp2p_core::message::{Delivery, EntryId, Message};
use chatp2p_core::node::{Event, Events, HistoryPage, Node, PeerNode};
use chatp2p_core::testing::node::{in_time, next_event, until};
use futures_util::future::join_all;

use crate::town::{Town, all_delivered, introduce, meet, numbered, say, ticks};

const ALL: HistoryPage = HistoryPage { peer: None, before: None, limit: 1_000 };

fn written(event: Event) -> Option<Message> {
    if let Event::Written(message) = event { Some(message) } else { None }
}

fn sent(event: Event) -> Option<EntryId> {
    if let Event::Sent { through, .. } = event { Some(through) } else { None }
}

/// What is told until this message is delivered.
async fn until_delivered(events: &mut Events, last: EntryId) -> Vec<Event> {
    let mut told = Vec::new();
    let listening = async {
        while !matches!(told.last(), Some(Event::Delivered { through, .. }) if *through == last) {
            told.push(events.next().await.expect("the node goes on"));
        }
    };
    in_time("the last tick is told", listening).await;
    told
}

#[tokio::test]
async fn what_a_node_writes_is_told_to_all_who_listen_with_the_answers_own_delivery() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let (mut one, mut two) = (a.subscribe(), a.subscribe());
    let now = a.send(b.username(), "now".to_owned()).await.unwrap();
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    let later = a.send(b.username(), "later".to_owned()).await.unwrap();
    let kept = a.history(ALL).await.unwrap();
    for events in [&mut one, &mut two] {
        for (receipt, delivery, kept) in [(now, Delivery::Sent, &kept[0]), (later, Delivery::Queued, &kept[1])] {
            let told = next_event("it is told", events, written).await;
            assert_eq!((told.id, told.delivery, receipt.delivery), (receipt.id, delivery, delivery));
            assert_eq!(told, Message { delivery, ..kept.clone() }, "it is what the history has");
        }
    }
}

#[tokio::test]
async fn a_broadcast_is_told_once_for_each_who_gets_it() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let carol = town.carol();
    let c = carol.start().await;
    introduce(&c, &a).await;
    let mut events = a.subscribe();
    let receipts = a.broadcast("to all".to_owned()).await.unwrap();
    a.send(b.username(), "to one".to_owned()).await.unwrap();
    let mut told = Vec::new();
    for _ in 0..3 {
        told.push(next_event("it is told", &mut events, written).await);
    }
    assert_eq!(told.pop().unwrap().content, "to one");
    told.sort_by_key(|message| message.to.clone());
    let told: Vec<_> = told.iter().map(|message| (&message.to, message.id, message.delivery)).collect();
    let expected: Vec<_> = receipts.iter().map(|(name, receipt)| (name, receipt.id, receipt.delivery)).collect();
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_both_ends_write_is_told_in_the_order_of_the_history() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let mut events = a.subscribe();
    // All at once, so that a turn carries many.
    let writes = async |from: &Node, to: &Node, what| {
        join_all(numbered(what, 50).into_iter().map(|text| say(from, to, text))).await;
    };
    tokio::join!(writes(&a, &b, "ping"), writes(&b, &a, "pong"));
    let mut told = Vec::new();
    for _ in 0..100 {
        let said = |event| match event {
            Event::Message(message) | Event::Written(message) => Some(message.id),
            _ => None,
        };
        told.push(next_event("it is told", &mut events, said).await);
    }
    let kept: Vec<_> = a.history(ALL).await.unwrap().iter().map(|message| message.id).collect();
    assert_eq!(told, kept);
}

#[tokio::test]
async fn what_could_not_be_kept_is_not_told() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    let mut events = a.subscribe();
    alice.store.fail_commits(1);
    a.send(b.username(), "lost with an error".to_owned()).await.unwrap_err();
    meet(&a, &b).await;
    say(&a, &b, "kept").await;
    assert_eq!(next_event("it is told", &mut events, written).await.content, "kept");
}

#[tokio::test]
async fn what_waited_is_told_as_sent_once_when_it_goes_out() {
    let town = Town::in_memory().await;
    let (_, a, bob, b) = town.alice_and_bob().await;
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    for text in numbered("waiting", 5) {
        say(&a, &b, text).await;
    }
    let last = a.history(ALL).await.unwrap()[4].id;
    let mut events = a.subscribe();
    let b = bob.start().await;
    introduce(&b, &a).await;
    let told = until_delivered(&mut events, last).await;
    let first = told.iter().find(|event| !matches!(event, Event::PeerConnected(_)));
    assert_eq!(first, Some(&Event::Sent { peer: b.username().clone(), through: last }));
    assert_eq!(told.into_iter().filter_map(sent).count(), 1, "once for all that went out together");
}

#[tokio::test]
async fn what_a_broken_link_may_have_lost_is_told_as_sent_again() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    let mut events = a.subscribe();
    alice.lines.freeze();
    let receipt = a.send(b.username(), "are you there?".to_owned()).await.unwrap();
    alice.lines.cut();
    let told = until_delivered(&mut events, receipt.id).await;
    let step = |event: &Event| match event {
        Event::Written(_) => Some("written"),
        Event::PeerDisconnected(_) => Some("gone"),
        Event::PeerConnected(_) => Some("back"),
        Event::Sent { through, .. } => (*through == receipt.id).then_some("sent"),
        Event::Delivered { .. } => Some("delivered"),
        _ => None,
    };
    let mut steps: Vec<_> = told.iter().filter_map(step).collect();
    // Both ends dial again. When their links meet, each link that comes up carries it once more before one of them stays.
    steps.dedup();
    assert_eq!(steps, ["written", "gone", "back", "sent", "delivered"]);
}

#[tokio::test]
async fn what_goes_out_at_once_is_told_as_written_and_not_again_as_sent() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let mut events = a.subscribe();
    let receipt = a.send(b.username(), "hello".to_owned()).await.unwrap();
    let told = until_delivered(&mut events, receipt.id).await;
    assert_eq!(told.into_iter().filter_map(sent).collect::<Vec<_>>(), []);
    all_delivered(&a).await;
}

#[tokio::test]
async fn a_key_that_is_forgotten_is_told_and_what_waited_has_failed() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    say(&a, &b, "too late").await;
    let mut events = a.subscribe();
    a.forget_key(&"nobody".parse().unwrap()).await.unwrap_err();
    a.forget_key(b.username()).await.unwrap();
    let forgotten = |event| if let Event::KeyForgotten(name) = event { Some(name) } else { None };
    assert_eq!(next_event("it is told", &mut events, forgotten).await, *b.username());
    assert_eq!(ticks(&a).await, [("too late".to_owned(), Delivery::Failed)]);
}
