//! Eve, who has a key of her own and says that she is alice. Nobody takes her word for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chatp2p_core::code::Code;
use chatp2p_core::identity::{Identity, PeerId};
use chatp2p_core::message::{Delivery, Epoch};
use chatp2p_core::node::{Event, Events, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::protocol::wire::{Frame, Reason};
use chatp2p_core::record::Endpoint;
use chatp2p_core::record::SignedRecord;
use chatp2p_core::testing::node::{
    self, Correspondent, Stranger, arrivals, eve, in_time, lists, name, next_event, texts_from, until,
};
use chatp2p_core::tracker::{PeerQuery, Tracker};
use chatp2p_core::transport::secure::Purpose;
use chatp2p_core::transport::{Clearance, SecureLink, Transport, TransportError, WebSocketTransport, secure};
use futures_util::StreamExt;
use tokio::task::JoinSet;

use crate::town::{Town, address, all_delivered, introduce, is_connected, meet, say, ticks};

/// Encrypted for bob, so that he could read it.
async fn forged(town: &Town, text: &str) -> Frame {
    let mut pen = Correspondent::new(&eve());
    let bob = town.tracker.find(&name("bob")).await.unwrap().unwrap();
    pen.meet(&bob.record.unwrap());
    pen.entry(Epoch::new(7), 1, None, Correspondent::saying(7, text.to_owned()))
}

fn alices_name_under_eves_key() -> SignedRecord {
    Stranger::record(&eve(), &name("alice"), vec!["memory:eve".parse().unwrap()], u64::MAX)
}

/// Eve dials, shows this record, and does not wait for an answer before she talks. Gives the code she was refused with.
async fn eve_calls(town: &Town, bob: &Node, record: SignedRecord) -> String {
    let at = address(bob).await;
    let mut eve = Stranger::dial(&*town.network, &at, &eve(), bob.peer_id()).await.unwrap();
    eve.say(&Frame::Hello { record }).await;
    eve.say(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).await;
    eve.say(&forged(town, "lend me some money").await).await;
    let heard = eve.hear_out().await;
    let [Frame::Hello { .. }, Frame::Goodbye { reason: Reason::Refused(code) }] = &heard[..] else {
        panic!("she is not let in: {heard:?}")
    };
    code.clone()
}

async fn nothing_came_of_it(bob: &Node) {
    let everything = HistoryPage { peer: None, before: None, limit: 10 };
    assert_eq!(bob.history(everything).await.unwrap(), []);
    assert!(bob.connected().await.unwrap().is_empty());
}

async fn is_no_contact(bob: &Node) {
    let refused = bob.send(&name("alice"), "is it you?".to_owned()).await;
    assert!(matches!(refused, Err(NodeError::NotConnected { .. })), "{refused:?}");
}

async fn key_changed(events: &mut Events) -> Event {
    next_event("bob is warned", events, |event| matches!(event, Event::KeyChanged { .. }).then_some(event)).await
}

#[tokio::test]
async fn a_name_that_another_key_has_at_the_tracker_is_refused() {
    for town in [Town::in_memory().await, Town::over_sockets().await] {
        let (_a, b) = (town.alice().start().await, town.bob().start().await);
        let code = eve_calls(&town, &b, alices_name_under_eves_key()).await;
        assert_eq!(code, Code::NameUnproved.as_str());
        nothing_came_of_it(&b).await;
        is_no_contact(&b).await;
    }
}

#[tokio::test]
async fn a_name_that_the_tracker_does_not_know_is_refused() {
    let town = Town::in_memory().await;
    let b = town.bob().start().await;
    let code = eve_calls(&town, &b, alices_name_under_eves_key()).await;
    assert_eq!(code, Code::NameUnproved.as_str());
    nothing_came_of_it(&b).await;
    is_no_contact(&b).await;
}

#[tokio::test]
async fn a_name_whose_key_is_known_is_refused_and_told_of() {
    for alice_is_there in [true, false] {
        let town = Town::in_memory().await;
        let (_, a, _, b) = town.alice_and_bob().await;
        if !alice_is_there {
            a.stop().await.unwrap();
            until("alice is gone", async || b.connected().await.unwrap().is_empty()).await;
        }
        let mut events = b.subscribe();
        let code = eve_calls(&town, &b, alices_name_under_eves_key()).await;
        assert_eq!(code, Code::KeyChanged.as_str());
        let warned = Event::KeyChanged { peer: name("alice"), presented: eve().peer_id() };
        assert_eq!(events.next().await, Some(warned), "and nothing before it");
        assert_eq!(texts_from(&b, &name("alice")).await, [""; 0]);
        assert_eq!(b.connected().await.unwrap().len(), usize::from(alice_is_there));
    }
}

#[tokio::test]
async fn nobody_goes_by_the_nodes_own_name() {
    let town = Town::in_memory().await;
    let b = town.bob().start().await;
    let record = Stranger::record(&eve(), &name("bob"), Vec::new(), 1);
    assert_eq!(eve_calls(&town, &b, record).await, Code::KeyChanged.as_str());
    nothing_came_of_it(&b).await;
}

#[tokio::test]
async fn the_record_of_somebody_else_opens_no_door() {
    let town = Town::in_memory().await;
    let (_a, b) = (town.alice().start().await, town.bob().start().await);
    let alices_own = town.tracker.find(&name("alice")).await.unwrap().unwrap().record.unwrap();
    assert_eq!(eve_calls(&town, &b, alices_own).await, Code::NameUnproved.as_str());
    nothing_came_of_it(&b).await;
    is_no_contact(&b).await;
}

#[tokio::test]
async fn a_caller_whom_the_tracker_cannot_vouch_for_is_refused_while_it_is_down() {
    let town = Town::in_memory().await;
    let (a, b) = (town.alice().start().await, town.bob().start().await);
    let bobs = town.tracker.find(&name("bob")).await.unwrap().unwrap();
    town.tracker.set(node::Trouble::Down);
    let at = bobs.record.unwrap().record().endpoints[0].clone();
    let mut caller = Stranger::dial(&*town.network, &at, &node::alice(), b.peer_id()).await.unwrap();
    let record = Stranger::record(&node::alice(), a.username(), Vec::new(), 1);
    caller.say(&Frame::Hello { record }).await;
    let refused = Frame::Goodbye { reason: Reason::Refused(Code::TrackerUnreachable.as_str().to_owned()) };
    assert_eq!(caller.hear_out().await.last(), Some(&refused));
}

/// Eve listens where alice did.
async fn eve_answers(town: &Town, at: &str) -> Result<Stranger, TransportError> {
    let mut door = town.network.listen(&at.parse().unwrap()).await.unwrap();
    let link = in_time("bob dials", door.accept()).await.unwrap();
    Stranger::answer(link, &eve()).await
}

#[tokio::test]
async fn whoever_answers_at_an_address_without_the_key_hears_nothing() {
    let town = Town::in_memory().await;
    let b = town.bob().start().await;
    let elsewhere = vec!["memory:hijacked".parse().unwrap()];
    let _a = town.alice().builder().advertise(elsewhere).start().await.unwrap();
    let alice = name("alice");
    let (connected, answered) = tokio::join!(b.connect(&alice), eve_answers(&town, "memory:hijacked"));
    let Err(NodeError::Unreachable { reason, .. }) = connected else { panic!("{connected:?}") };
    assert!(reason.contains(&TransportError::WrongKey.to_string()), "{reason}");
    assert!(answered.is_err(), "bob hangs up before he says anything");
    is_no_contact(&b).await;
}

#[tokio::test]
async fn what_waits_for_somebody_is_not_given_to_whoever_has_their_address() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    a.stop().await.unwrap();
    until("alice is gone", async || b.connected().await.unwrap().is_empty()).await;
    let (_, answered) = tokio::join!(say(&b, &a, "a secret"), eve_answers(&town, "memory:alice"));
    assert!(answered.is_err(), "bob hangs up before he says anything");
    assert_eq!(ticks(&b).await, [("a secret".to_owned(), Delivery::Queued)]);
}

#[tokio::test(start_paused = true)]
async fn a_friend_with_a_new_key_is_told_of_and_let_in_only_once_the_old_one_is_forgotten() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    say(&a, &b, "to the old bob").await;
    all_delivered(&a).await;
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    say(&a, &b, "too late for the old bob").await;
    // The tracker starts afresh, and bob has reinstalled.
    town.tracker.lose_everything().await;
    let reinstalled = town.person("bob", Identity::from_seed(&[22; 32]));
    let new_b = reinstalled.start().await;
    let at_tracker = async || lists(&town.tracker.peers(PeerQuery::default()).await.unwrap().items, a.username());
    tokio::time::sleep(chatp2p_core::tracker::HEARTBEAT_EVERY).await;
    until("alice is listed again", at_tracker).await;

    let mut events = a.subscribe();
    let refused = a.connect(&name("bob")).await;
    assert!(matches!(refused, Err(NodeError::KeyChanged { .. })), "{refused:?}");
    let warned = Event::KeyChanged { peer: name("bob"), presented: new_b.peer_id() };
    assert_eq!(key_changed(&mut events).await, warned);
    // Nor does the new key get in from its side.
    let refused = new_b.connect(&name("alice")).await;
    assert!(
        matches!(&refused, Err(NodeError::Refused { code, .. }) if code == Code::KeyChanged.as_str()),
        "{refused:?}"
    );
    assert!(!is_connected(&a, &new_b).await);

    a.forget_key(&name("bob")).await.unwrap();
    let told = |text: &str, delivery| (text.to_owned(), delivery);
    let so_far = [told("to the old bob", Delivery::Delivered), told("too late for the old bob", Delivery::Failed)];
    assert_eq!(ticks(&a).await, so_far);
    introduce(&a, &new_b).await;
    let mut heard = new_b.subscribe();
    say(&a, &new_b, "to the new bob").await;
    assert_eq!(arrivals(&mut heard, 1).await, ["to the new bob"]);
    until("it is ticked", async || ticks(&a).await[2].1 == Delivery::Delivered).await;
    assert_eq!(ticks(&a).await[..2], so_far);
    assert_eq!(texts_from(&new_b, a.username()).await, ["to the new bob"]);
}

#[tokio::test]
async fn a_forgotten_key_is_disconnected_and_can_come_back() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    a.forget_key(b.username()).await.unwrap();
    until("both are alone", async || {
        a.connected().await.unwrap().is_empty() && b.connected().await.unwrap().is_empty()
    })
    .await;
    let refused = a.send(b.username(), "anybody?".to_owned()).await;
    assert!(matches!(refused, Err(NodeError::NotConnected { .. })), "{refused:?}");
    b.connect(a.username()).await.unwrap();
    meet(&a, &b).await;
    say(&a, &b, "welcome back").await;
    all_delivered(&a).await;
}

/// Somebody between alice and bob, who takes calls for bob and calls bob for each. Passes messages on as they come, or, with a
/// key, speaks to either end as herself. Gives where she listens, and with whom she came to an understanding.
async fn between(bob: Endpoint, whom: PeerId, key: Option<Identity>) -> (Endpoint, Arc<AtomicUsize>, JoinSet<()>) {
    let network = WebSocketTransport::new();
    let mut door = network.listen(&"ws://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let (at, fooled, mut tasks) = (door.endpoint().clone(), Arc::new(AtomicUsize::new(0)), JoinSet::new());
    let counting = Arc::clone(&fooled);
    tasks.spawn(async move {
        let mut lines = JoinSet::new();
        while let Ok(near) = door.accept().await {
            let far = network.dial(&bob, &Clearance::of_the_user()).await.unwrap();
            let (key, counting) = (key.clone(), Arc::clone(&counting));
            lines.spawn(async move {
                let Some(key) = key else {
                    let there = near.incoming.forward(far.outgoing);
                    let back = far.incoming.forward(near.outgoing);
                    return drop(tokio::join!(there, back));
                };
                // Bob talks to anybody with a key. It is alice who means somebody.
                let (with_alice, with_bob) = tokio::join!(
                    secure::server(near, &key, &[Purpose::Peer]),
                    secure::client(far, &key, whom, Purpose::Peer)
                );
                assert!(with_bob.is_ok(), "bob hangs up on her: {with_bob:?}");
                counting.fetch_add(usize::from(with_alice.is_ok()), Ordering::SeqCst);
            });
        }
    });
    (at, fooled, tasks)
}

async fn alice_calls(at: &Endpoint, whom: PeerId) -> Result<SecureLink, TransportError> {
    let link = WebSocketTransport::new().dial(at, &Clearance::of_the_user()).await?;
    in_time("an answer", secure::client(link, &node::alice(), whom, Purpose::Peer)).await
}

#[tokio::test]
async fn who_stands_between_with_another_key_comes_to_an_understanding_with_nobody_in_a_hundred_calls() {
    let town = Town::over_sockets().await;
    let b = town.bob().start().await;
    let (at, fooled, _between) = between(address(&b).await, b.peer_id(), Some(eve())).await;
    for call in 0..100 {
        let refused = alice_calls(&at, b.peer_id()).await;
        assert!(matches!(refused, Err(TransportError::WrongKey)), "{call}: {refused:?}");
    }
    assert_eq!(fooled.load(Ordering::SeqCst), 0);
    // Whoever only passes messages on learns nothing, today or with a quantum computer, and changes nothing.
    let (at, _, _passing) = between(address(&b).await, b.peer_id(), None).await;
    let through = alice_calls(&at, b.peer_id()).await.unwrap();
    assert_eq!((through.peer(), through.is_post_quantum()), (b.peer_id(), true));
}
