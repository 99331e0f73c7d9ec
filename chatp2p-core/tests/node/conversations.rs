//! With whom a node talks, and what was said last.

use chatp2p_core::identity::{Identity, PeerId, Username};
use chatp2p_core::message::{Body, Delivery, Entry, EntryId, MAX_TEXT_BYTES};
use chatp2p_core::node::{ConversationPage, ConversationSummary, MAX_EXCERPT, Node, NodeError, PeerNode};
use chatp2p_core::storage::{Change, Contact, ProfileStore, StorageError};
use chatp2p_core::testing::node::{arrivals, name, until};
use chatp2p_core::testing::profile_store::{at, entry, peer};

use crate::town::{Town, all_delivered, introduce, say};

const FIRST: ConversationPage = ConversationPage { before: None, limit: 100 };

/// As `peer: from: excerpt`, or the name alone while nothing was said.
fn lines(page: &[ConversationSummary]) -> Vec<String> {
    let line = |one: &ConversationSummary| match &one.last {
        Some(last) => format!("{}: {}: {}", one.peer, last.from, last.excerpt),
        None => one.peer.to_string(),
    };
    page.iter().map(line).collect()
}

async fn list(node: &Node) -> Vec<ConversationSummary> {
    node.conversations(FIRST).await.unwrap()
}

fn contact(peer_id: PeerId, name: Username) -> Change {
    Change::Contact(Contact::new(peer_id, name))
}

#[tokio::test]
async fn the_newest_is_first_and_who_was_never_talked_to_is_last() {
    let town = Town::in_memory().await;
    let (_, a, _, b) = town.alice_and_bob().await;
    let (carol, dave) = (town.carol(), town.person("dave", Identity::generate().unwrap()));
    let (c, d) = (carol.start().await, dave.start().await);
    introduce(&a, &c).await;
    introduce(&d, &a).await;
    assert_eq!(lines(&list(&a).await), ["bob", "carol", "dave"]);
    let mut heard = a.subscribe();
    say(&a, &b, "hello, bob").await;
    say(&c, &a, "hello, alice").await;
    arrivals(&mut heard, 1).await;
    all_delivered(&a).await;
    c.stop().await.unwrap();
    until("carol is gone", async || a.connected().await.unwrap().len() == 2).await;
    let page = list(&a).await;
    assert_eq!(lines(&page), ["carol: carol: hello, alice", "bob: alice: hello, bob", "dave"]);
    assert_eq!(page.iter().map(|one| one.connected).collect::<Vec<_>>(), [false, true, true]);
    let receipt = a.send(c.username(), "are you there?".to_owned()).await.unwrap();
    let page = list(&a).await;
    assert_eq!(lines(&page), ["carol: alice: are you there?", "bob: alice: hello, bob", "dave"]);
    let last = |at: usize| page[at].last.clone().unwrap();
    assert_eq!((last(0).id, last(0).delivery, last(1).delivery), (receipt.id, Delivery::Queued, Delivery::Delivered));

    // Dave has no message by which a page could begin: he is on the last page alone.
    let pages = [(None, &["carol"][..]), (Some(last(0).id), &["bob"]), (Some(last(1).id), &["dave"])];
    for (before, names) in pages {
        let page = a.conversations(ConversationPage { before, limit: 1 }).await.unwrap();
        assert_eq!(page.iter().map(|one| one.peer.as_str()).collect::<Vec<_>>(), names);
    }
    let before = Some(EntryId::from_bytes([9; 16]));
    let unknown = a.conversations(ConversationPage { before, limit: 1 }).await;
    assert!(matches!(unknown, Err(NodeError::Storage(StorageError::UnknownMessage(_)))), "{unknown:?}");
}

#[tokio::test]
async fn a_list_of_long_texts_has_their_beginnings_and_never_many_of_them_in_memory() {
    const MANY: u64 = 12;
    let town = Town::in_memory().await;
    let alice = town.alice();
    let text = "é".repeat(MAX_TEXT_BYTES / 2);
    for n in 1..=MANY {
        let long = Entry { body: Body::Text(text.clone()), ..entry(n) };
        let who = peer(100 + u8::try_from(n).unwrap());
        let received = Change::Received { peer: who, entry: long, position: at(5, 1) };
        let _ = alice.store.commit(vec![contact(who, name(&format!("peer-{n}"))), received]).await.unwrap();
    }
    let a = alice.start().await;
    let page = list(&a).await;
    let expected: Vec<_> = (1..=MANY).rev().map(|n| format!("peer-{n}")).collect();
    assert_eq!(page.iter().map(|one| one.peer.to_string()).collect::<Vec<_>>(), expected);
    for one in &page {
        assert_eq!(one.last.as_ref().unwrap().excerpt, "é".repeat(MAX_EXCERPT));
    }
    assert!(alice.store.heaviest_reading() <= 5 * MAX_TEXT_BYTES, "{} bytes", alice.store.heaviest_reading());
    let few = a.conversations(ConversationPage { before: None, limit: 7 }).await.unwrap();
    assert_eq!(few, page[..7], "and no more than was asked for");
}

#[tokio::test]
async fn a_friend_who_reinstalled_is_one_conversation() {
    let town = Town::in_memory().await;
    let (alice, a, _, b) = town.alice_and_bob().await;
    say(&a, &b, "to the old key").await;
    all_delivered(&a).await;
    b.stop().await.unwrap();
    until("bob is gone", async || a.connected().await.unwrap().is_empty()).await;
    say(&a, &b, "too late").await;
    assert!(list(&a).await[0].contact);
    a.forget_key(b.username()).await.unwrap();
    let page = list(&a).await;
    assert_eq!(lines(&page), ["bob: alice: too late"]);
    assert!(!page[0].contact, "there is nobody to send to");
    assert_eq!((page[0].connected, page[0].last.as_ref().unwrap().delivery), (false, Delivery::Failed));
    a.stop().await.unwrap();
    // The next time she starts she knows his new key.
    let _ = alice.store.commit(vec![contact(peer(100), name("bob"))]).await.unwrap();
    let a = alice.start().await;
    let page = list(&a).await;
    assert_eq!((lines(&page), page[0].contact), (vec!["bob: alice: too late".to_owned()], true));
    say(&a, &b, "to the new key").await;
    let page = list(&a).await;
    assert_eq!(lines(&page), ["bob: alice: to the new key"]);
    let before = page[0].last.as_ref().map(|last| last.id);
    assert_eq!(a.conversations(ConversationPage { before, limit: 100 }).await.unwrap(), []);
}
