//! Links that break, ends that vanish, friends who are away: what was accepted arrives once and in order.

use std::time::Duration;

use chatp2p_core::identity::Identity;
use chatp2p_core::message::Delivery;
use chatp2p_core::node::{Event, Node, NodeError, PeerNode};
use chatp2p_core::testing::node::{alice, arrivals, bob, next_event, texts_from, until};
use tokio::time::sleep;

use crate::town::{Town, all_delivered, introduce, is_connected, meet, numbered, say, ticks};

async fn a_broken_link_heals_by_itself(town: Town) {
    let (alice, a, bob, b) = town.alice_and_bob().await;
    let mut heard = b.subscribe();
    let (mut to_b, mut to_a) = (Vec::new(), Vec::new());
    for round in 0..5 {
        for text in numbered(&format!("round {round}"), 20) {
            say(&a, &b, text.clone()).await;
            say(&b, &a, text.clone()).await;
            to_b.push(text.clone());
            to_a.push(text);
        }
        alice.lines.cut();
        bob.lines.cut();
        let text = format!("while broken {round}");
        say(&a, &b, text.clone()).await;
        to_b.push(text);
    }
    meet(&a, &b).await;
    all_delivered(&a).await;
    all_delivered(&b).await;
    assert_eq!(texts_from(&b, a.username()).await, to_b);
    assert_eq!(texts_from(&a, b.username()).await, to_a);
    assert_eq!(arrivals(&mut heard, to_b.len()).await, to_b, "each is told of once, and in order");
}

#[tokio::test]
async fn a_broken_link_heals_by_itself_in_memory() {
    a_broken_link_heals_by_itself(Town::in_memory().await).await;
}

#[tokio::test]
async fn a_broken_link_heals_by_itself_over_sockets() {
    a_broken_link_heals_by_itself(Town::over_sockets().await).await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_was_down_for_an_hour_heals_within_half_a_minute() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    for lines in [&alice.lines, &bob.lines] {
        lines.close(true);
        lines.cut();
    }
    until("both are alone", async || !is_connected(&a, &b).await && !is_connected(&b, &a).await).await;
    for text in numbered("meanwhile", 30) {
        say(&a, &b, text).await;
    }
    sleep(Duration::from_secs(3_600)).await;
    let dials = alice.lines.dials();
    assert!(dials < 400, "{dials} dials in an hour");
    assert!(ticks(&a).await.iter().all(|(_, tick)| *tick == Delivery::Queued));
    alice.lines.close(false);
    sleep(Duration::from_secs(31)).await;
    meet(&a, &b).await;
    all_delivered(&a).await;
    assert_eq!(texts_from(&b, a.username()).await, numbered("meanwhile", 30));
}

/// One end vanishes and comes back while the other believes that the old link lives.
async fn a_half_open_link_is_replaced(ids: [Identity; 2]) {
    let town = Town::in_memory().await;
    let [stays, vanishes] = ids;
    let (stays, vanishes) = (town.person("stays", stays), town.person("vanishes", vanishes));
    let (s, v) = (stays.start().await, vanishes.start().await);
    introduce(&v, &s).await;
    say(&s, &v, "before").await;
    all_delivered(&s).await;
    vanishes.lines.freeze();
    drop(v);
    let receipt = s.send(&vanishes.name, "into the void".to_owned()).await.unwrap();
    assert_eq!(receipt.delivery, Delivery::Sent, "the link looks alive");
    until("the address is free", async || town.network.listen(&vanishes.at).await.is_ok()).await;
    assert!(s.connected().await.unwrap().contains(&vanishes.name));

    let start = tokio::time::Instant::now();
    let v = vanishes.start().await;
    all_delivered(&s).await;
    say(&v, &s, "I am back").await;
    all_delivered(&v).await;
    say(&s, &v, "welcome").await;
    all_delivered(&s).await;
    assert!(start.elapsed() < Duration::from_secs(1), "at once, not after {:?}", start.elapsed());
    assert_eq!(texts_from(&v, &stays.name).await, ["before", "into the void", "welcome"]);
    assert_eq!(texts_from(&s, &vanishes.name).await, ["I am back"]);

    // When the living one says goodbye, the dead one is not taken for alive.
    let mut events = s.subscribe();
    v.disconnect(&stays.name).await.unwrap();
    let gone = Event::PeerDisconnected(vanishes.name.clone());
    next_event("it is told", &mut events, |event| (event == gone).then_some(())).await;
    assert_eq!(s.connected().await.unwrap(), []);
    sleep(Duration::from_secs(300)).await;
    assert_eq!(s.connected().await.unwrap(), []);
    assert!(start.elapsed() < Duration::from_secs(302));
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_is_replaced_at_once_when_the_higher_key_vanished() {
    let [low, high] = by_key();
    a_half_open_link_is_replaced([low, high]).await;
}

#[tokio::test(start_paused = true)]
async fn a_half_open_link_is_replaced_at_once_when_the_lower_key_vanished() {
    let [low, high] = by_key();
    a_half_open_link_is_replaced([high, low]).await;
}

fn by_key() -> [Identity; 2] {
    let mut ids = [alice(), bob()];
    ids.sort_by_key(Identity::peer_id);
    ids
}

async fn leave(node: Node, how: &str) {
    if how == "stopped" {
        node.stop().await.unwrap();
    }
    // Else it is dropped, as in a crash.
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_to_a_contact_who_is_away_arrives_when_it_returns() {
    for how in ["stopped", "crashed"] {
        let town = Town::in_memory().await;
        let (_, a, bob, b) = town.alice_and_bob().await;
        let to = b.username().clone();
        say(&a, &b, "before").await;
        all_delivered(&a).await;
        leave(b, how).await;
        until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
        for text in numbered("away", 10) {
            assert_eq!(a.send(&to, text).await.unwrap().delivery, Delivery::Queued);
        }
        sleep(Duration::from_secs(600)).await;
        let b = bob.start().await;
        let mut heard = b.subscribe();
        // Alice asks every half a minute at least, and needs no word from bob.
        assert_eq!(arrivals(&mut heard, 10).await, numbered("away", 10), "{how}");
        all_delivered(&a).await;
        let all = [vec!["before".to_owned()], numbered("away", 10)].concat();
        assert_eq!(texts_from(&b, a.username()).await, all, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_survives_a_restart_of_its_sender() {
    for how in ["stopped", "crashed"] {
        let town = Town::in_memory().await;
        let (alice, a, bob, b) = town.alice_and_bob().await;
        let to = b.username().clone();
        b.stop().await.unwrap();
        until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
        for text in numbered("first life", 5) {
            a.send(&to, text).await.unwrap();
        }
        leave(a, how).await;
        until("the address is free", async || town.network.listen(&alice.at).await.is_ok()).await;
        let a = alice.start().await;
        for text in numbered("second life", 5) {
            a.send(&to, text).await.unwrap();
        }
        sleep(Duration::from_secs(60)).await;
        let b = bob.start().await;
        all_delivered(&a).await;
        let all = [numbered("first life", 5), numbered("second life", 5)].concat();
        assert_eq!(texts_from(&b, a.username()).await, all, "{how}");
    }
}

#[tokio::test]
async fn two_who_crash_in_turns_lose_nothing() {
    let town = Town::over_sockets().await;
    let (alice, bob) = (town.alice(), town.bob());
    let (mut a, mut b) = (alice.start().await, bob.start().await);
    introduce(&a, &b).await;
    let mut said = Vec::new();
    for round in 0..10 {
        for text in numbered(&format!("round {round}"), 15) {
            say(&a, &b, text.clone()).await;
            said.push(text);
        }
        // Without a word, in the middle of it.
        if round % 2 == 0 {
            drop(b);
            b = bob.start().await;
        } else {
            drop(a);
            a = alice.start().await;
        }
    }
    all_delivered(&a).await;
    assert_eq!(texts_from(&b, a.username()).await, said);
}

#[tokio::test(start_paused = true)]
async fn a_full_outbox_refuses_and_loses_nothing() {
    const BOUND: usize = 10_000;
    let town = Town::in_memory().await;
    let (_, a, bob, b) = town.alice_and_bob().await;
    let to = b.username().clone();
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    for text in numbered("waiting", BOUND) {
        a.send(&to, text).await.unwrap();
    }
    let refused = a.send(&to, "one too many".to_owned()).await;
    assert!(matches!(&refused, Err(NodeError::OutboxFull { name }) if *name == to), "{refused:?}");
    let b = bob.start().await;
    until("all arrive", async || texts_from(&b, a.username()).await.len() >= BOUND).await;
    all_delivered(&a).await;
    say(&a, &b, "there is room again").await;
    all_delivered(&a).await;
    let all = [numbered("waiting", BOUND), vec!["there is room again".to_owned()]].concat();
    assert!(texts_from(&b, a.username()).await == all);
}
