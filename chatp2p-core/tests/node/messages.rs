//! What is said arrives, once, as it was said, and the ticks never lie about it.

use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::message::{Delivery, MAX_TEXT_BYTES};
use chatp2p_core::node::{EVENT_BACKLOG, Event, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::storage::StorageError;
use chatp2p_core::testing::node::{arrivals, in_time, next_event, texts_from, until};
use tokio::task::JoinSet;

use crate::town::{Town, all_delivered, introduce, meet, numbered, say, ticks};

/// Letters that take one to four bytes, so that a cut anywhere would show.
fn text_of(bytes: usize) -> String {
    let mut text: String = "aé€😀"
        .chars()
        .cycle()
        .scan(0, |length, c| {
            *length += c.len_utf8();
            (*length <= bytes).then_some(c)
        })
        .collect();
    text.extend(std::iter::repeat_n('.', bytes - text.len()));
    text
}

async fn texts_of_every_size_arrive_unchanged(town: Town) {
    let (_, a, _, b) = town.alice_and_bob().await;
    let (mut at_a, mut at_b) = (a.subscribe(), b.subscribe());
    let texts: Vec<String> = [0, 1, 3_900, 4_100, 20_000, 60_000, MAX_TEXT_BYTES].into_iter().map(text_of).collect();
    for text in &texts {
        say(&a, &b, text).await;
        say(&b, &a, text).await;
    }
    for events in [&mut at_a, &mut at_b] {
        let arrived = arrivals(events, texts.len()).await;
        for (arrived, sent) in arrived.iter().zip(&texts) {
            assert!(arrived == sent, "a text of {} bytes arrives as {} bytes", sent.len(), arrived.len());
        }
    }
    assert!(texts_from(&a, b.username()).await == texts, "they are kept as they arrived");
}

#[tokio::test]
async fn texts_of_every_size_arrive_unchanged_in_memory() {
    texts_of_every_size_arrive_unchanged(Town::in_memory().await).await;
}

#[tokio::test]
async fn texts_of_every_size_arrive_unchanged_over_sockets() {
    texts_of_every_size_arrive_unchanged(Town::over_sockets().await).await;
}

#[tokio::test]
async fn a_text_beyond_the_bound_is_refused_and_not_kept() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let refused = a.send(b.username(), text_of(MAX_TEXT_BYTES + 1)).await;
    assert!(matches!(refused, Err(NodeError::TextTooLarge)), "{refused:?}");
    let refused = a.broadcast(text_of(MAX_TEXT_BYTES + 1)).await;
    assert!(matches!(refused, Err(NodeError::TextTooLarge)), "{refused:?}");
    assert_eq!(ticks(&a).await, []);
}

async fn a_thousand_at_once_arrive_once_and_in_order(town: Town) {
    const TASKS: usize = 16;
    let (_, a, _, b) = town.alice_and_bob().await;
    let (a, b) = (Arc::new(a), Arc::new(b));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (a, b) = (a.clone(), b.clone());
        tasks.spawn(async move {
            for n in (task..1_000).step_by(TASKS) {
                say(&a, &b, format!("{task} {n}")).await;
            }
        });
    }
    in_time("all are durable", tasks.join_all()).await;
    until("all arrive", async || texts_from(&*b, a.username()).await.len() >= 1_000).await;
    let arrived = texts_from(&*b, a.username()).await;
    assert_eq!(arrived.len(), 1_000);
    for task in 0..TASKS {
        let of_task = |text: &&String| text.starts_with(&format!("{task} "));
        let sent: Vec<String> = (task..1_000).step_by(TASKS).map(|n| format!("{task} {n}")).collect();
        assert_eq!(arrived.iter().filter(of_task).cloned().collect::<Vec<_>>(), sent);
    }
    assert_eq!(texts_from(&*a, a.username()).await, arrived, "both ends have them in one order");
    all_delivered(&a).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_arrive_once_and_in_order_in_memory() {
    a_thousand_at_once_arrive_once_and_in_order(Town::in_memory().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_at_once_arrive_once_and_in_order_over_sockets() {
    a_thousand_at_once_arrive_once_and_in_order(Town::over_sockets().await).await;
}

#[tokio::test]
async fn nothing_is_lost_when_nobody_subscribes() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    for text in numbered("unheard", 50) {
        say(&a, &b, text).await;
    }
    all_delivered(&a).await;
    assert_eq!(texts_from(&b, a.username()).await, numbered("unheard", 50));
}

async fn page(node: &Node, page: HistoryPage) -> Vec<String> {
    let text = |message: chatp2p_core::message::Message| format!("{}: {}", message.from, message.content);
    node.history(page).await.unwrap().into_iter().map(text).collect()
}

#[tokio::test]
async fn the_history_has_both_sides_and_comes_in_pages() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let carol = town.carol();
    let c = carol.start().await;
    introduce(&c, &a).await;
    let mut heard = a.subscribe();
    for n in 0..3 {
        say(&a, &b, format!("ping {n}")).await;
        all_delivered(&a).await;
        say(&b, &a, format!("pong {n}")).await;
        arrivals(&mut heard, 1).await;
    }
    say(&c, &a, "knock").await;
    arrivals(&mut heard, 1).await;

    let talk = [
        "alice: ping 0",
        "bob: pong 0",
        "alice: ping 1",
        "bob: pong 1",
        "alice: ping 2",
        "bob: pong 2",
        "carol: knock",
    ];
    let everything = HistoryPage { peer: None, before: None, limit: 100 };
    assert_eq!(page(&a, everything.clone()).await, talk);
    let newest = HistoryPage { limit: 2, ..everything.clone() };
    assert_eq!(page(&a, newest.clone()).await, talk[5..]);
    let with_bob = HistoryPage { peer: Some(b.username().clone()), ..everything.clone() };
    assert_eq!(page(&a, with_bob.clone()).await, talk[..6]);
    let oldest_shown = a.history(newest).await.unwrap()[0].id;
    let before = HistoryPage { before: Some(oldest_shown), limit: 3, ..everything.clone() };
    assert_eq!(page(&a, before).await, talk[2..5]);
    let of_nobody = HistoryPage { peer: Some("nobody".parse().unwrap()), ..everything.clone() };
    assert_eq!(page(&a, of_nobody).await, [""; 0]);
    let elsewhere = c.history(everything.clone()).await.unwrap()[0].id;
    let unknown = b.history(HistoryPage { before: Some(elsewhere), ..everything }).await;
    assert!(matches!(unknown, Err(NodeError::Storage(StorageError::UnknownMessage(id))) if id == elsewhere));
}

#[tokio::test(start_paused = true)]
async fn the_ticks_climb_and_never_lie() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    let told = |delivery| vec![("hello".to_owned(), delivery)];
    let mut events = a.subscribe();
    b.stop().await.unwrap();

    let receipt = a.send(b.username(), "hello".to_owned()).await.unwrap();
    assert_eq!(receipt.delivery, Delivery::Queued);
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!(ticks(&a).await, told(Delivery::Queued), "while bob is away");
    }
    // He is back, and just as his link is up the line freezes.
    alice.lines.close(true);
    let b = bob.start().await;
    meet(&a, &b).await;
    bob.lines.freeze();
    all_delivered(&a).await;
    let delivered = |event| if let Event::Delivered { peer, through } = event { Some((peer, through)) } else { None };
    let event = next_event("the tick is told", &mut events, delivered).await;
    assert_eq!(event, (b.username().clone(), receipt.id));

    let receipt = a.send(b.username(), "are you there?".to_owned()).await.unwrap();
    assert_eq!(receipt.delivery, Delivery::Sent);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(ticks(&a).await[1].1, Delivery::Sent, "handed to the link, and not known to have arrived");
    bob.lines.close(true);
    bob.lines.cut();
    until("it waits again", async || ticks(&a).await[1].1 == Delivery::Queued).await;
    bob.lines.close(false);
    all_delivered(&a).await;
    assert_eq!(texts_from(&b, a.username()).await, ["hello", "are you there?"]);
}

#[tokio::test]
async fn a_listener_who_is_too_slow_is_told_how_much_it_missed() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let surplus = 321;
    let count = EVENT_BACKLOG + surplus;
    let mut slow = b.subscribe();
    let a = Arc::new(a);
    let to = b.username().clone();
    for text in numbered("event", count) {
        a.send(&to, text).await.unwrap();
    }
    until("all arrive", async || texts_from(&b, a.username()).await.len() == count).await;
    let first = slow.next().await.unwrap();
    assert_eq!(first, Event::Gap { missed: u64::try_from(surplus).unwrap() });
    let rest = arrivals(&mut slow, EVENT_BACKLOG).await;
    assert_eq!(rest, numbered("event", count)[surplus..]);
}

#[tokio::test]
async fn a_broadcast_goes_to_everybody_who_is_connected_and_to_nobody_else() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let (carol, dave) = (town.carol(), town.person("dave", chatp2p_core::identity::Identity::generate().unwrap()));
    let (c, d) = (carol.start().await, dave.start().await);
    introduce(&c, &a).await;
    introduce(&a, &d).await;
    d.stop().await.unwrap();
    until("dave is gone", async || a.connected().await.unwrap().len() == 2).await;
    let (mut at_b, mut at_c) = (b.subscribe(), c.subscribe());
    let receipts = a.broadcast("to all".to_owned()).await.unwrap();
    assert_eq!(receipts.keys().collect::<Vec<_>>(), [b.username(), c.username()]);
    assert_eq!(arrivals(&mut at_b, 1).await, ["to all"]);
    assert_eq!(arrivals(&mut at_c, 1).await, ["to all"]);
    let d = dave.start().await;
    introduce(&d, &a).await;
    say(&a, &d, "only to you").await;
    all_delivered(&a).await;
    assert_eq!(texts_from(&d, a.username()).await, ["only to you"]);
}
