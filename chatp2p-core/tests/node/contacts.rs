//! Alice decides whom she knows: by link before the first contact, under her own names, and no longer, if she likes.

use chatp2p_core::code::Code;
use chatp2p_core::identity::{ContactLink, Identity, SafetyNumber};
use chatp2p_core::message::Delivery;
use chatp2p_core::node::{ContactBook, Event, HistoryPage, Node, NodeError, PeerNode};
use chatp2p_core::testing::node::{alice, arrivals, bob, eve, name, next_event, until};

use crate::town::{Town, all_delivered, introduce, is_connected, meet, say, ticks};

fn bobs_link() -> ContactLink {
    ContactLink::new(bob().peer_id(), name("bob"))
}

fn code<T: std::fmt::Debug>(refused: Result<T, NodeError>) -> Code {
    refused.unwrap_err().code()
}

async fn everything(node: &Node) -> usize {
    node.history(HistoryPage { peer: None, before: None, limit: 100 }).await.unwrap().len()
}

#[tokio::test]
async fn a_key_from_a_link_is_pinned_before_the_first_contact() {
    let town = Town::in_memory().await;
    let a = town.alice().start().await;
    let card = a.add_contact(&bobs_link(), None).await.unwrap();
    assert_eq!((card.peer_id, card.connected, card.verified), (bob().peer_id(), false, false));
    // Eve owns the name at the tracker.
    let false_bob = town.person("bob", eve()).start().await;
    let mut events = a.subscribe();
    assert_eq!(code(a.connect(&name("bob")).await), Code::KeyChanged);
    let warned = Event::KeyChanged { peer: name("bob"), presented: eve().peer_id() };
    next_event("alice is warned", &mut events, |event| (event == warned).then_some(())).await;
    assert_eq!(code(false_bob.connect(&name("alice")).await), Code::Refused);
    assert_eq!(a.contact(&name("bob")).await.unwrap().presented, Some(eve().peer_id()));
    say_nothing_reaches(&a, &false_bob).await;
}

async fn say_nothing_reaches(a: &Node, false_bob: &Node) {
    a.send(&name("bob"), "for bob alone".to_owned()).await.unwrap();
    assert_eq!(ticks(a).await, [("for bob alone".to_owned(), Delivery::Queued)]);
    assert_eq!(everything(false_bob).await, 0);
}

#[tokio::test]
async fn a_contact_from_a_link_is_let_in_without_a_question_to_the_tracker() {
    let town = Town::in_memory().await;
    let (a, b) = (town.alice().start().await, town.bob().start().await);
    a.add_contact(&bobs_link(), Some(name("bobby"))).await.unwrap();
    let refused = a.add_contact(&bobs_link(), Some(name("robert"))).await;
    assert_eq!(code(refused), Code::ContactExists);
    b.connect(&name("alice")).await.unwrap();
    until("she knows him by her own name", async || a.connected().await.unwrap() == [name("bobby")]).await;
    // Who reads the tracker's list and writes to the name there means the same person.
    a.send(&name("bob"), "hi".to_owned()).await.unwrap();
    all_delivered(&a).await;
}

#[tokio::test]
async fn names_here_are_unique_and_not_to_be_mistaken() {
    let town = Town::in_memory().await;
    let (a, _b) = (town.alice().start().await, town.bob().start().await);
    a.add_contact(&bobs_link(), None).await.unwrap();
    let eves = |called: &str| ContactLink::new(eve().peer_id(), name(called));
    for (called, refusal) in [
        ("alice", Code::ContactNameTaken),
        ("bob", Code::ContactNameTaken),
        ("BOB", Code::NameConfusable),
        ("aIice", Code::NameConfusable),
    ] {
        assert_eq!(code(a.add_contact(&eves(called), None).await), refusal, "{called}");
    }
    assert_eq!(code(a.add_contact(&ContactLink::new(alice().peer_id(), name("me")), None).await), Code::Oneself);
    // The same name at another tracker gets another one here.
    a.add_contact(&eves("bob"), Some(name("other"))).await.unwrap();
    assert_eq!(code(a.rename_contact(&name("other"), &name("bob")).await), Code::ContactNameTaken);
    assert_eq!(code(a.rename_contact(&name("nobody"), &name("x")).await), Code::UnknownPeer);
    let renamed = a.rename_contact(&name("other"), &name("eve")).await.unwrap();
    assert_eq!((renamed.name, renamed.name_at_tracker), (name("eve"), name("bob")));
    let mut events = a.subscribe();
    a.connect(&name("bob")).await.expect("the one whose key the tracker lists");
    let first = next_event("no false alarm", &mut events, Some).await;
    assert_eq!(first, Event::PeerConnected(name("bob")));
}

#[tokio::test]
async fn a_new_name_takes_the_conversation_along_and_survives_a_restart() {
    let town = Town::in_memory().await;
    let (alice, a, _bob, b) = town.alice_and_bob().await;
    say(&b, &a, "hello").await;
    all_delivered(&b).await;
    a.rename_contact(&name("bob"), &name("uncle")).await.unwrap();
    a.stop().await.unwrap();
    let a = alice.start().await;
    a.connect(&name("uncle")).await.unwrap();
    say(&b, &a, "again").await;
    all_delivered(&b).await;
    let page = HistoryPage { peer: Some(name("uncle")), before: None, limit: 9 };
    let froms: Vec<_> = a.history(page).await.unwrap().into_iter().map(|message| message.from).collect();
    assert_eq!(froms, [name("uncle"), name("uncle")]);
}

#[tokio::test]
async fn a_conversation_is_found_by_the_name_at_the_tracker_too_unless_another_one_has_it_here() {
    let town = Town::in_memory().await;
    let (_alice, a, _bob, b) = town.alice_and_bob().await;
    say(&b, &a, "hello").await;
    all_delivered(&b).await;
    let texts = async |called: &str| -> Vec<String> {
        let page = HistoryPage { peer: Some(name(called)), before: None, limit: 9 };
        a.history(page).await.unwrap().into_iter().map(|message| message.content).collect()
    };
    a.rename_contact(&name("bob"), &name("robert")).await.unwrap();
    assert_eq!(texts("robert").await, ["hello"]);
    assert_eq!(texts("bob").await, ["hello"], "it is his name at the tracker");
    assert_eq!(texts("nobody").await, Vec::<String>::new());
    // The conversation stays under its name when its key is forgotten, whoever else goes by that name at the tracker.
    a.forget_key(&name("robert")).await.unwrap();
    assert_eq!(texts("robert").await, ["hello"]);
    a.add_contact(&ContactLink::new(eve().peer_id(), name("robert")), Some(name("eve"))).await.unwrap();
    assert_eq!(texts("robert").await, ["hello"]);
    assert_eq!(texts("eve").await, Vec::<String>::new());
    // One that was removed has no conversation, so that its name means who goes by it at the tracker.
    a.send(&name("eve"), "and you?".to_owned()).await.unwrap();
    a.connect(&name("bob")).await.unwrap();
    until("he is a contact again", async || a.contact(&name("bob")).await.is_ok()).await;
    a.remove_contact(&name("bob")).await.unwrap();
    assert_eq!(texts("bob").await, Vec::<String>::new());
    assert_eq!(texts("robert").await, ["and you?"]);
}

#[tokio::test]
async fn a_changed_key_is_accepted_by_naming_it_and_gets_nothing_that_was_meant_for_the_old_one() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    let number = SafetyNumber::new(bob().peer_id(), alice.who.peer_id());
    let verified = a.verify_contact(&name("bob"), &number.scannable()).await.unwrap();
    assert!(verified.verified);
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    say(&a, &b, "for the old key").await;
    town.tracker.lose_everything().await;
    let reinstalled = Identity::from_seed(&[22; 32]);
    let new_b = town.person("bob", reinstalled.clone()).start().await;
    new_b.add_contact(&ContactLink::new(alice.who.peer_id(), name("alice")), None).await.unwrap();
    assert_eq!(code(a.connect(&name("bob")).await), Code::KeyChanged);
    let mut arriving = new_b.subscribe();
    let card = a.accept_key(&name("bob"), reinstalled.peer_id()).await.unwrap();
    assert_eq!((card.verified, card.presented), (false, None));
    a.connect(&name("bob")).await.unwrap();
    say(&a, &new_b, "for the new key").await;
    assert_eq!(arrivals(&mut arriving, 1).await, ["for the new key"]);
    let expected = [("for the old key", Delivery::Failed), ("for the new key", Delivery::Delivered)];
    let expected = expected.map(|(text, delivery)| (text.to_owned(), delivery));
    until("the first has failed", async || ticks(&a).await == expected).await;
    // The old key is a stranger now, and the name is no longer its.
    assert_eq!(code(a.accept_key(&name("bob"), alice.who.peer_id()).await), Code::Oneself);
}

#[tokio::test]
async fn a_contact_is_verified_by_its_own_number_alone_until_the_key_is_forgotten() {
    let town = Town::in_memory().await;
    let (alice, a, _bob, b) = town.alice_and_bob().await;
    let wrong = SafetyNumber::new(eve().peer_id(), alice.who.peer_id());
    let right = SafetyNumber::new(b.peer_id(), a.peer_id());
    for shown in [wrong.to_string(), wrong.scannable(), String::new()] {
        assert_eq!(code(a.verify_contact(&name("bob"), &shown).await), Code::SafetyNumberDiffers);
    }
    let mut events = a.subscribe();
    a.verify_contact(&name("bob"), &right.to_string()).await.unwrap();
    let told = next_event("it is told", &mut events, Some).await;
    assert_eq!(told, Event::ContactVerified { peer: name("bob"), verified: true });
    a.stop().await.unwrap();
    let a = alice.start().await;
    assert!(a.contact(&name("bob")).await.unwrap().verified, "survives a restart");
    assert!(!a.unverify_contact(&name("bob")).await.unwrap().verified);
    a.verify_contact(&name("bob"), &right.to_string()).await.unwrap();
    a.forget_key(&name("bob")).await.unwrap();
    introduce(&a, &b).await;
    assert!(!a.contact(&name("bob")).await.unwrap().verified, "lost with the key");
}

#[tokio::test]
async fn a_blocked_contact_says_and_hears_nothing_until_unblocked() {
    let town = Town::in_memory().await;
    let (alice, a, _bob, b) = town.alice_and_bob().await;
    a.block_contact(&name("bob"), true).await.unwrap();
    until("the link is gone", async || b.connected().await.unwrap().is_empty()).await;
    assert_eq!(code(a.send(&name("bob"), "hi".to_owned()).await), Code::ContactBlocked);
    assert_eq!(code(a.connect(&name("bob")).await), Code::ContactBlocked);
    a.stop().await.unwrap();
    let a = alice.start().await;
    let refused = b.connect(&name("alice")).await;
    let Err(NodeError::Refused { code: told, .. }) = &refused else { panic!("{refused:?}") };
    assert_eq!(told, Code::Refused.as_str(), "he hears nothing but a refusal");
    say(&b, &a, "are you there?").await;
    assert!(!is_connected(&a, &b).await);
    assert_eq!(everything(&a).await, 0);
    let mut arriving = a.subscribe();
    assert!(!a.block_contact(&name("bob"), false).await.unwrap().blocked);
    a.connect(&name("bob")).await.unwrap();
    assert_eq!(arrivals(&mut arriving, 1).await, ["are you there?"]);
}

#[tokio::test]
async fn what_was_said_with_a_removed_contact_is_gone_and_does_not_come_back_with_them() {
    let town = Town::in_memory().await;
    let (alice, a, _bob, b) = town.alice_and_bob().await;
    say(&b, &a, "from bob").await;
    say(&a, &b, "from alice").await;
    all_delivered(&a).await;
    all_delivered(&b).await;
    a.remove_contact(&name("bob")).await.unwrap();
    assert_eq!(a.contacts().await.unwrap(), []);
    assert_eq!(everything(&a).await, 0);
    a.stop().await.unwrap();
    let a = alice.start().await;
    assert_eq!(code(a.send(&name("bob"), "hi".to_owned()).await), Code::NotConnected);
    b.connect(&name("alice")).await.unwrap();
    meet(&b, &a).await;
    say(&b, &a, "me again").await;
    say(&a, &b, "hello stranger").await;
    all_delivered(&a).await;
    all_delivered(&b).await;
    assert_eq!(everything(&a).await, 2, "only what is new");
    assert_eq!(everything(&b).await, 4, "his own history is his");
}

#[tokio::test]
async fn removing_somebody_who_is_away_drops_what_waits_for_them() {
    let town = Town::in_memory().await;
    let (alice, a, bob, b) = town.alice_and_bob().await;
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    say(&a, &b, "never mind").await;
    a.remove_contact(&name("bob")).await.unwrap();
    a.stop().await.unwrap();
    let (a, b) = (alice.start().await, bob.start().await);
    introduce(&b, &a).await;
    say(&a, &b, "good morning").await;
    all_delivered(&a).await;
    assert_eq!(everything(&b).await, 1);
}

#[tokio::test]
async fn a_block_outlives_that_the_contact_is_removed_and_ends_when_they_are_added_again() {
    let town = Town::in_memory().await;
    let (_alice, a, _bob, b) = town.alice_and_bob().await;
    a.block_contact(&name("bob"), true).await.unwrap();
    a.remove_contact(&name("bob")).await.unwrap();
    assert_eq!(code(b.connect(&name("alice")).await), Code::Refused);
    assert_eq!(code(a.connect(&name("bob")).await), Code::ContactBlocked);
    a.add_contact(&bobs_link(), None).await.unwrap();
    introduce(&b, &a).await;
}

#[tokio::test]
async fn when_somebody_was_last_seen_is_kept() {
    let town = Town::in_memory().await;
    let (alice, a, _bob, b) = town.alice_and_bob().await;
    assert_eq!(a.contact(&name("bob")).await.unwrap().seen, None);
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    let seen = a.contact(&name("bob")).await.unwrap().seen;
    assert!(seen.is_some());
    a.stop().await.unwrap();
    assert_eq!(alice.start().await.contact(&name("bob")).await.unwrap().seen, seen);
}

#[tokio::test]
async fn what_cannot_be_made_durable_is_not_done() {
    let town = Town::in_memory().await;
    let (alice, a, _bob, _b) = town.alice_and_bob().await;
    let mut events = a.subscribe();
    alice.store.fail_commits(1);
    assert_eq!(code(a.block_contact(&name("bob"), true).await), Code::StorageFailed);
    assert!(!a.contact(&name("bob")).await.unwrap().blocked);
    let told = |event| matches!(event, Event::ContactBlocked { .. } | Event::PeerConnected(_)).then_some(event);
    a.connect(&name("bob")).await.unwrap();
    assert_eq!(next_event("nothing of it is told", &mut events, told).await, Event::PeerConnected(name("bob")));
}
