//! A store that refuses now and then: nothing of that turn is sent or told, and the node goes on.

use chatp2p_core::code::Code;
use chatp2p_core::node::{Event, NodeError, PeerNode};
use chatp2p_core::testing::node::{arrivals, name, next_event, texts_from, until};

use crate::town::{Town, all_delivered, meet, numbered, say, ticks};

#[tokio::test]
async fn what_cannot_be_kept_is_an_error_and_is_not_sent() {
    for loads in [0, 2] {
        let town = Town::in_memory().await;
        let (alice, a, _, b) = town.alice_and_bob().await;
        let mut heard = b.subscribe();
        say(&a, &b, "before").await;
        all_delivered(&a).await;
        alice.store.fail_commits(1);
        alice.store.fail_loads(loads);
        let failed = a.send(b.username(), "lost with an error".to_owned()).await;
        let Err(error @ NodeError::Storage(_)) = failed else { panic!("{failed:?}") };
        assert_eq!(error.code(), Code::StorageFailed);
        until("the store works again", async || alice.store.failures_left() == 0).await;
        // The node goes on by itself, link and all.
        meet(&a, &b).await;
        for text in numbered("after", 5) {
            say(&a, &b, text).await;
        }
        let texts = arrivals(&mut heard, 6).await;
        assert_eq!(texts, [vec!["before".to_owned()], numbered("after", 5)].concat());
        all_delivered(&a).await;
        assert_eq!(ticks(&a).await.len(), 6, "it is not in the history either");
    }
}

#[tokio::test]
async fn what_the_recipient_cannot_keep_is_not_told_and_comes_again() {
    let town = Town::in_memory().await;
    let (_, a, bob, b) = town.alice_and_bob().await;
    let mut heard = b.subscribe();
    bob.store.fail_commits(3);
    for text in numbered("persistent", 5) {
        say(&a, &b, text).await;
    }
    all_delivered(&a).await;
    say(&a, &b, "the end").await;
    let all = [numbered("persistent", 5), vec!["the end".to_owned()]].concat();
    assert_eq!(arrivals(&mut heard, 6).await, all);
    assert_eq!(texts_from(&b, a.username()).await, all);
    assert_eq!(bob.store.failures_left(), 0);
}

#[tokio::test]
async fn who_waits_while_the_store_cannot_be_read_gets_an_error_of_the_store() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    alice.store.fail_commits(1);
    alice.store.fail_loads(3);
    a.send(b.username(), "refused".to_owned()).await.unwrap_err();
    // The store is being read again now, in vain.
    let (sent, connected) = tokio::join!(a.send(b.username(), "too".to_owned()), a.connected());
    assert!(matches!(sent, Err(NodeError::Storage(_))), "{sent:?}");
    assert!(matches!(connected, Ok(_) | Err(NodeError::Storage(_))), "{connected:?}");
    meet(&a, &b).await;
}

#[tokio::test]
async fn stores_that_fail_now_and_then_lose_nothing_and_repeat_nothing() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    let mut heard = b.subscribe();
    alice.store.fail_every(7);
    bob.store.fail_every(11);
    let (mut accepted, mut refused) = (Vec::new(), 0);
    for text in numbered("shaky", 120) {
        match a.send(b.username(), text.clone()).await {
            Ok(_) => accepted.push(text),
            Err(NodeError::Storage(_)) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 0, "the store did fail");
    alice.store.fail_every(0);
    bob.store.fail_every(0);
    all_delivered(&a).await;
    assert_eq!(texts_from(&b, &name("alice")).await, accepted);
    let last = accepted.last().cloned().unwrap();
    let mut told = Vec::new();
    while told.last() != Some(&last) {
        let text = |event| if let Event::Message(message) = event { Some(message.content) } else { None };
        told.push(next_event("it is told", &mut heard, text).await);
    }
    assert_eq!(told, accepted);
}

#[tokio::test]
async fn a_node_whose_store_refuses_does_not_start_and_leaves_nothing_behind() {
    let town = Town::in_memory().await;
    let alice = town.alice();
    alice.store.fail_commits(1);
    let refused = alice.builder().start().await;
    assert!(matches!(refused, Err(NodeError::Storage(_))), "{refused:?}");
    alice.store.fail_loads(1);
    let refused = alice.builder().start().await;
    assert!(matches!(refused, Err(NodeError::Storage(_))), "{refused:?}");
    alice.start().await;
}
