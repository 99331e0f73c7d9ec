//! Bob lets nobody in whom he does not know. Strangers leave a request, and hear nothing.

use chatp2p_core::code::Code;
use chatp2p_core::identity::{ContactLink, Identity};
use chatp2p_core::message::{Delivery, Epoch};
use chatp2p_core::node::{ContactBook, Event, HistoryPage, Inbound, MAX_REQUEST_BYTES, MAX_REQUESTS, Node, PeerNode};
use chatp2p_core::protocol::wire::{Frame, Reason};
use chatp2p_core::testing::node::{Correspondent, Stranger, arrivals, name, next_event, until};

use chatp2p_core::tracker::{Claim, SignedClaim, Tracker};

use crate::town::{Person, Town, address, all_delivered, ticks};

async fn asks_first(person: &Person) -> Node {
    person.builder().inbound(Inbound::Requests).start().await.unwrap()
}

async fn everything(node: &Node) -> usize {
    node.history(HistoryPage { peer: None, before: None, limit: 100 }).await.unwrap().len()
}

fn stranger(number: u16) -> Identity {
    let mut seed = [0xee; 32];
    seed[..2].copy_from_slice(&number.to_be_bytes());
    Identity::from_seed(&seed)
}

/// Has the tracker list a name without a node behind it.
async fn list(town: &Town, who: &Identity, called: &str) {
    let record = Stranger::record(who, &name(called), vec!["ws://127.0.0.1:9/p2p".parse().unwrap()], 1);
    let tracker = town.tracker.health().await.unwrap().tracker_id;
    town.tracker.register(Claim::Signed(SignedClaim::sign(who, record, tracker))).await.unwrap();
}

/// A stranger with a listed name calls, and says these texts. Gives what the node said after its own Hello.
async fn knocks(town: &Town, at_home: &Node, called: &str, who: &Identity, texts: &[String]) -> Vec<Frame> {
    let mut link = Stranger::dial(&*town.network, &address(at_home).await, who, at_home.peer_id()).await.unwrap();
    let mut pen = Correspondent::new(who);
    link.say(&Frame::Hello { record: pen.record(&name(called), Vec::new(), 9) }).await;
    link.say(&Frame::Greeting { have: Vec::new(), offer: None, watchword: None }).await;
    let mut heard = vec![link.hear().await.unwrap(), link.hear().await.unwrap()];
    let Frame::Hello { record } = &heard[0] else { panic!("{heard:?}") };
    pen.meet(record);
    if matches!(heard[1], Frame::Greeting { .. }) {
        for (n, text) in (1..).zip(texts) {
            link.say(&pen.entry(Epoch::new(7), n, None, Correspondent::saying(7, text.clone()))).await;
        }
        while !matches!(heard.last(), Some(Frame::Goodbye { .. })) {
            heard.push(link.hear().await.expect("a goodbye before the end"));
        }
    }
    heard.remove(0);
    heard
}

#[tokio::test]
async fn a_stranger_leaves_one_message_and_learns_of_it_only_when_accepted() {
    let town = Town::in_memory().await;
    let (alice, bob) = (town.alice(), town.bob());
    let (a, b) = (alice.start().await, asks_first(&bob).await);
    let mut events = b.subscribe();
    a.connect(&name("bob")).await.unwrap();
    a.send(&name("bob"), "it is me, from the train".to_owned()).await.unwrap();
    a.send(&name("bob"), "and this is the second".to_owned()).await.unwrap();
    let left = |cards: Vec<chatp2p_core::node::RequestCard>| cards.first().and_then(|card| card.text.clone());
    until("her words are there", async || left(b.requests().await.unwrap()).is_some()).await;
    let asked = next_event("it is told", &mut events, Some).await;
    assert_eq!(asked, Event::Requested { peer_id: alice.who.peer_id(), name: name("alice") });
    until("she is turned away", async || a.connected().await.unwrap().is_empty()).await;
    assert_eq!((b.contacts().await.unwrap().len(), everything(&b).await), (0, 0));
    assert!(ticks(&a).await.iter().all(|(_, delivery)| *delivery == Delivery::Queued), "no receipt of any kind");
    // It is there after a restart.
    b.stop().await.unwrap();
    let b = asks_first(&bob).await;
    assert_eq!(left(b.requests().await.unwrap()).as_deref(), Some("it is me, from the train"));
    let mut events = b.subscribe();
    let card = b.accept_request(alice.who.peer_id(), None).await.unwrap();
    assert_eq!(card.name, name("alice"));
    assert_eq!(b.requests().await.unwrap(), []);
    assert_eq!(arrivals(&mut events, 2).await, ["it is me, from the train", "and this is the second"]);
    all_delivered(&a).await;
    assert_eq!(everything(&b).await, 2, "each once");
}

#[tokio::test]
async fn who_was_refused_hears_the_same_as_who_waits_and_does_not_come_again() {
    let town = Town::in_memory().await;
    let (alice, bob) = (town.alice(), town.bob());
    let (a, b) = (alice.start().await, asks_first(&bob).await);
    a.connect(&name("bob")).await.unwrap();
    a.send(&name("bob"), "buy this".to_owned()).await.unwrap();
    until("it is there", async || b.requests().await.unwrap().iter().any(|card| card.text.is_some())).await;
    until("she is turned away", async || a.connected().await.unwrap().is_empty()).await;
    let while_waiting = a.connect(&name("bob")).await.unwrap_err();
    b.refuse_request(alice.who.peer_id()).await.unwrap();
    b.stop().await.unwrap();
    let b = asks_first(&bob).await;
    let refused = a.connect(&name("bob")).await.unwrap_err();
    assert_eq!(refused.to_string(), while_waiting.to_string());
    assert_eq!(refused.code(), Code::Refused);
    assert_eq!(b.requests().await.unwrap(), []);
    assert_eq!(b.refuse_request(alice.who.peer_id()).await.unwrap_err().code(), Code::UnknownRequest);
    // Bob may think better of it.
    b.add_contact(&ContactLink::new(alice.who.peer_id(), name("alice")), None).await.unwrap();
    b.connect(&name("alice")).await.unwrap();
    all_delivered(&a).await;
}

#[tokio::test]
async fn a_long_first_message_is_not_kept_and_not_answered_differently() {
    let town = Town::in_memory().await;
    let b = asks_first(&town.bob()).await;
    let mut answers = Vec::new();
    for (number, (called, text)) in
        (0..).zip([("short", "x".repeat(MAX_REQUEST_BYTES)), ("long", "x".repeat(MAX_REQUEST_BYTES + 1))])
    {
        let who = stranger(number);
        let _listed = town.person(called, who.clone()).start().await;
        answers.push(knocks(&town, &b, called, &who, &[text]).await);
    }
    let expected = vec![
        Frame::Greeting { have: Vec::new(), offer: None, watchword: None },
        Frame::Goodbye { reason: Reason::Disconnected },
    ];
    assert_eq!(answers, [expected.clone(), expected]);
    let texts: Vec<_> = b.requests().await.unwrap().into_iter().map(|card| (card.name, card.text.is_some())).collect();
    assert_eq!(texts, [(name("short"), true), (name("long"), false)]);
}

#[tokio::test]
async fn a_known_contact_comes_in_as_ever() {
    let town = Town::in_memory().await;
    let b = asks_first(&town.bob()).await;
    let a = town.alice().start().await;
    b.connect(&name("alice")).await.unwrap();
    a.send(&name("bob"), "hi".to_owned()).await.unwrap();
    all_delivered(&a).await;
    assert_eq!(b.requests().await.unwrap(), []);
}

#[tokio::test]
async fn there_is_room_for_so_many_requests_and_those_that_wait_are_not_pushed_out() {
    let town = Town::in_memory().await;
    let b = asks_first(&town.bob()).await;
    let mut events = b.subscribe();
    let count = u16::try_from(MAX_REQUESTS).unwrap() + 20;
    let mut receipts = 0;
    for number in 0..count {
        let (who, called) = (stranger(number), format!("stranger-{number}"));
        list(&town, &who, &called).await;
        let heard = knocks(&town, &b, &called, &who, &["hello".to_owned()]).await;
        receipts += heard.iter().filter(|frame| matches!(frame, Frame::Ack(_))).count();
    }
    assert_eq!(receipts, 0);
    let waiting = b.requests().await.unwrap();
    assert_eq!(waiting.len(), MAX_REQUESTS);
    assert!(waiting.iter().all(|card| card.text.as_deref() == Some("hello")));
    assert!(waiting.iter().any(|card| card.name == name("stranger-0")));
    let full = |event| matches!(event, Event::RequestsFull).then_some(());
    next_event("it is told that there is no room", &mut events, full).await;
    assert_eq!(b.contacts().await.unwrap(), []);
}
