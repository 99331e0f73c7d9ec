//! Those who break the rules, or make themselves a nuisance, bother nobody but themselves.

use std::time::Duration;

use chatp2p_core::crypto::{Ciphertext, SessionId};
use chatp2p_core::identity::Identity;
use chatp2p_core::message::{Delivery, Epoch, MAX_FRAME_BYTES};
use chatp2p_core::node::{Event, PeerNode};
use chatp2p_core::protocol::wire::{Frame, LogEntry, VERSION, encode};
use chatp2p_core::testing::node::{Stranger, arrivals, in_time, texts_from, until};
use chatp2p_core::transport::Clearance;
use tokio::time::timeout;

use crate::town::{Person, Town, address, all_delivered, introduce, is_connected, meet, numbered, say, ticks};

fn oversized() -> Vec<u8> {
    let session = SessionId::from_bytes([7; 32]);
    let ciphertext = Ciphertext { suite: 1, session, begins: false, message: vec![0; MAX_FRAME_BYTES] };
    encode(&Frame::Entry(LogEntry { epoch: Epoch::new(7), n: 1, before: None, follows: None, ciphertext }))
}

fn of_another_version(record: &Frame) -> Vec<u8> {
    let mut bytes = encode(record);
    bytes[0] = VERSION + 1;
    bytes
}

/// Carol is somebody whom alice knows, and goes on by hand.
async fn carol_by_hand(town: &Town, carol: &Person, a: &chatp2p_core::node::Node) -> (Stranger, Frame) {
    let c = carol.start().await;
    introduce(&c, a).await;
    let at = address(a).await;
    c.stop().await.unwrap();
    until("carol is gone", async || !a.connected().await.unwrap().contains(&carol.name)).await;
    let mut by_hand = Stranger::dial(&*town.network, &at, &carol.who, a.peer_id()).await.unwrap();
    let hello = Frame::Hello { record: Stranger::record(&carol.who, &carol.name, Vec::new(), 1) };
    by_hand.say(&hello).await;
    by_hand.say(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).await;
    while !matches!(by_hand.hear().await, Some(Frame::Greeting { .. })) {}
    until("carol is back", async || a.connected().await.unwrap().contains(&carol.name)).await;
    (by_hand, hello)
}

#[tokio::test]
async fn what_is_no_frame_closes_that_link_and_nothing_else() {
    let town = Town::over_sockets().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let carol = town.carol();
    let mut events = b.subscribe();
    for nonsense in ["nothing", "garbage", "half", "more", "deep", "oversized", "version"] {
        let (mut by_hand, hello) = carol_by_hand(&town, &carol, &a).await;
        let bytes = match nonsense {
            "nothing" => Vec::new(),
            "garbage" => vec![VERSION, 0xff, 0x00, 0x17, 0x9f],
            "half" => encode(&hello)[..40].to_vec(),
            "more" => [encode(&hello), vec![0]].concat(),
            "deep" => [vec![VERSION], vec![0x81; 100_000], vec![0]].concat(),
            "oversized" => oversized(),
            _ => of_another_version(&hello),
        };
        by_hand.say_bytes(bytes).await;
        by_hand.hear_out().await;
        until("carol is gone", async || !a.connected().await.unwrap().contains(&carol.name)).await;
        assert!(is_connected(&a, &b).await, "after {nonsense}");
        say(&a, &b, nonsense).await;
        assert_eq!(events.next().await.map(|event| matches!(event, Event::Message(_))), Some(true), "after {nonsense}");
    }
}

async fn callers_who_never_finish_keep_nobody_out(town: Town) {
    let (alice, bob) = (town.alice(), town.bob());
    let (a, b) = (alice.start().await, bob.start().await);
    let at = address(&b).await;
    let mut callers = Vec::new();
    for _ in 0..300 {
        callers.push(in_time("a caller is taken", town.network.dial(&at, &Clearance::of_the_user())).await.unwrap());
    }
    let connected = timeout(Duration::from_secs(5), a.connect(b.username())).await;
    connected.expect("without a wait").expect("and is let in");
    meet(&a, &b).await;
    say(&a, &b, "excuse me").await;
    all_delivered(&a).await;
}

#[tokio::test]
async fn callers_who_never_finish_keep_nobody_out_in_memory() {
    callers_who_never_finish_keep_nobody_out(Town::in_memory().await).await;
}

#[tokio::test]
async fn callers_who_never_finish_keep_nobody_out_over_sockets() {
    callers_who_never_finish_keep_nobody_out(Town::over_sockets().await).await;
}

/// More than the links that a node has at all.
const HOSTILE: u8 = 200;

async fn callers_who_prove_a_key_and_say_nothing_keep_nobody_out(town: Town) {
    let (alice, bob) = (town.alice(), town.bob());
    let (a, b) = (alice.start().await, bob.start().await);
    let at = address(&b).await;
    let mut silent = Vec::new();
    for n in 0..HOSTILE {
        let who = Identity::from_seed(&[n.wrapping_add(20); 32]);
        for _ in 0..6 {
            let link = Stranger::dial(&*town.network, &at, &who, b.peer_id());
            silent.push(in_time("a caller gets a link", link).await.unwrap());
        }
    }
    assert!(silent.len() > chatp2p_core::protocol::MAX_LINKS);
    let connected = timeout(Duration::from_secs(5), a.connect(b.username())).await;
    connected.expect("without a wait").expect("and is let in");
    meet(&a, &b).await;
    say(&a, &b, "excuse me").await;
    all_delivered(&a).await;
}

#[tokio::test]
async fn callers_who_prove_a_key_and_say_nothing_keep_nobody_out_in_memory() {
    callers_who_prove_a_key_and_say_nothing_keep_nobody_out(Town::in_memory().await).await;
}

#[tokio::test]
async fn callers_who_prove_a_key_and_say_nothing_keep_nobody_out_over_sockets() {
    callers_who_prove_a_key_and_say_nothing_keep_nobody_out(Town::over_sockets().await).await;
}

#[tokio::test]
async fn a_reader_who_does_not_read_holds_nobody_else_up() {
    let town = Town::in_memory().await;
    let (alice, bob, carol) = (town.alice(), town.bob(), town.carol());
    let (a, b, c) = (alice.start().await, bob.start().await, carol.start().await);
    introduce(&b, &a).await;
    introduce(&c, &a).await;
    bob.lines.deafen();
    let large: Vec<String> = (0..12).map(|n| format!("{n} {}", "x".repeat(1_000_000))).collect();
    for text in &large {
        in_time("alice is not held up", a.send(b.username(), text.clone())).await.unwrap();
    }
    let mut at_c = c.subscribe();
    let mut at_a = a.subscribe();
    for text in numbered("quick", 20) {
        say(&a, &c, text.clone()).await;
        assert_eq!(arrivals(&mut at_c, 1).await[0], text);
        say(&c, &a, text.clone()).await;
        assert_eq!(arrivals(&mut at_a, 1).await[0], text);
    }
    // Four megabytes are on their way to bob, and the rest waits in the store.
    let ticks = ticks(&a).await;
    let to_bob = |wanted| ticks.iter().filter(|(text, tick)| text.len() > 1_000_000 && *tick == wanted).count();
    assert_eq!((to_bob(Delivery::Sent), to_bob(Delivery::Queued)), (4, 8));
    bob.lines.thaw();
    all_delivered(&a).await;
    assert!(texts_from(&b, a.username()).await == large);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_was_closed_ends_though_the_other_end_does_not_read() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    alice.lines.freeze();
    alice.lines.close(true);
    say(&a, &b, "into the ice").await;
    a.disconnect(b.username()).await.unwrap();
    until("the link is let go of", async || alice.lines.live() == 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_who_acknowledges_nothing_is_given_up_after_a_minute() {
    let town = Town::in_memory().await;
    let (_, a, bob, b) = town.alice_and_bob().await;
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    let eternal = Identity::from_seed(&[2; 32]);
    let by_hand = Stranger::dial(&*town.network, &address(&a).await, &eternal, a.peer_id()).await.unwrap();
    by_hand.say(&Frame::Hello { record: Stranger::record(&eternal, &bob.name, Vec::new(), 1) }).await;
    by_hand.say(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).await;
    until("bob is back", async || !a.connected().await.unwrap().is_empty()).await;
    say(&a, &b, "are you listening?").await;
    tokio::time::sleep(Duration::from_secs(58)).await;
    assert!(a.connected().await.unwrap().contains(&bob.name));
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(a.connected().await.unwrap(), []);
    assert_eq!(ticks(&a).await, [("are you listening?".to_owned(), Delivery::Queued)]);
}
