//! The cases about with whom there is a conversation.

use super::{ALL, Home, acknowledged, at, contact, entry, numbered, queue, received};
use crate::message::{Author, Entry, Epoch};
use crate::storage::{Change, Contact, ConversationQuery, LoadLimit, ProfileStore, StorageError, StoredConversations};

async fn conversations(store: &dyn ProfileStore, before: Option<u64>, limit: LoadLimit) -> StoredConversations {
    let before = before.map(|number| entry(number).id);
    store.conversations(ConversationQuery { before, limit }).await.unwrap()
}

fn entries(reading: &StoredConversations) -> Vec<Entry> {
    reading.newest.iter().map(|message| message.entry.clone()).collect()
}

/// The names of those with whom there is no message, once the reading has come to the end.
fn silent(reading: &StoredConversations) -> Option<Vec<&str>> {
    Some(reading.silent.as_ref()?.iter().map(|name| name.as_str()).collect())
}

fn forgotten(seed: u8, name: &str) -> Change {
    Change::Contact(Contact { wanted: false, forgotten: true, ..contact(seed, name) })
}

async fn with_contacts(home: &dyn Home, names: &[&str]) -> std::sync::Arc<dyn ProfileStore> {
    let store = home.open().await;
    let contacts = (1..).zip(names).map(|(seed, name)| Change::Contact(contact(seed, name)));
    let _ = store.commit(contacts.collect()).await.unwrap();
    store
}

/// By what was said last in each, whoever said it; no conversation twice, or left out.
pub async fn conversations_come_newest_first_and_in_pages(home: &dyn Home) {
    let store = with_contacts(home, &["a", "b", "c", "d"]).await;
    let said = [
        received(1, 1, at(5, 1)),
        received(1, 2, at(5, 2)),
        queue(2, 3, None),
        received(3, 4, at(5, 1)),
        queue(4, 5, Some(at(6, 1))),
        queue(1, 6, Some(at(6, 1))),
        queue(1, 7, Some(at(6, 2))),
        acknowledged(1, at(6, 2)),
    ];
    let _ = store.commit(said.to_vec()).await.unwrap();
    let all = conversations(&*store, None, ALL).await;
    assert_eq!(entries(&all), numbered([7, 5, 4, 3]));
    assert_eq!(silent(&all), Some(vec![]));
    let steps: Vec<_> = all.newest.iter().map(|one| (one.author, one.place, one.acknowledged)).collect();
    let place = |epoch, n| Some((Epoch::new(epoch), n));
    let (me, them) = (Author::Me, Author::Them);
    assert_eq!(
        steps,
        [(me, place(6, 2), true), (me, place(6, 1), false), (them, place(5, 1), true), (me, None, false)]
    );

    let page = |before| conversations(&*store, before, LoadLimit { entries: 2, ..ALL });
    let first = page(None).await;
    assert_eq!((entries(&first), silent(&first)), (numbered([7, 5]), None));
    let second = page(Some(5)).await;
    assert_eq!((entries(&second), silent(&second)), (numbered([4, 3]), Some(vec![])));
    assert_eq!(entries(&page(Some(3)).await), []);
    // What is said meanwhile moves its conversation to the front, and it is not shown again.
    let _ = store.commit(vec![received(3, 8, at(5, 2))]).await.unwrap();
    assert_eq!(entries(&page(Some(5)).await), numbered([3]));
    assert_eq!(entries(&page(None).await), numbered([8, 7]));
}

/// By number or by weight, whichever comes first; and never before the first.
pub async fn conversations_stop_at_their_limit(home: &dyn Home) {
    let store = with_contacts(home, &["a", "b", "c"]).await;
    let _ = store.commit((1..=3).map(|n| queue(n as u8, n, None)).collect()).await.unwrap();
    let weight = entry(1).weight();
    for (entries_, bytes, expected) in [
        (2, usize::MAX, 2),
        (usize::MAX, 2 * weight, 2),
        (usize::MAX, weight + 1, 2),
        (0, 0, 1),
        (3, usize::MAX, 3),
        (9, 3 * weight, 3),
    ] {
        let limit = LoadLimit { entries: entries_, bytes };
        let reading = conversations(&*store, None, limit).await;
        assert_eq!(entries(&reading), numbered((4 - expected..=3).rev()), "{limit:?}");
        assert_eq!(reading.silent.is_some(), expected == 3, "{limit:?}");
    }
}

/// A friend who reinstalled is the same friend.
pub async fn the_keys_of_one_name_are_one_conversation(home: &dyn Home) {
    let store = with_contacts(home, &["bob", "carol", "bob", "bob"]).await;
    let _ = store.commit(vec![forgotten(1, "bob"), forgotten(4, "bob")]).await.unwrap();
    let _ = store.commit(vec![queue(1, 1, None), queue(2, 2, None), received(3, 3, at(5, 1))]).await.unwrap();
    let all = conversations(&*store, None, ALL).await;
    assert_eq!((entries(&all), silent(&all)), (numbered([3, 2]), Some(vec![])));
    let rest = conversations(&*store, Some(2), ALL).await;
    assert_eq!(entries(&rest), [], "bob was on the page before, with his newest key");
    // Late, under the older key: still the same conversation.
    let _ = store.commit(vec![received(1, 4, at(5, 1))]).await.unwrap();
    assert_eq!(entries(&conversations(&*store, None, ALL).await), numbered([4, 2]));
}

/// Those whom one knows and has not written to; nobody whose key was forgotten before a word was said.
pub async fn who_was_never_talked_to_comes_after_the_last(home: &dyn Home) {
    let store = with_contacts(home, &["zoe", "ñandú", "carol", "eve", "bob", "bob"]).await;
    let _ = store.commit(vec![forgotten(4, "eve"), forgotten(5, "bob")]).await.unwrap();
    let nobody = conversations(&*store, None, ALL).await;
    assert_eq!((entries(&nobody), silent(&nobody)), (vec![], Some(vec!["bob", "carol", "zoe", "ñandú"])));
    let _ = store.commit(vec![queue(3, 1, None), queue(4, 2, None)]).await.unwrap();
    let one = LoadLimit { entries: 1, ..ALL };
    let first = conversations(&*store, None, one).await;
    assert_eq!((entries(&first), silent(&first)), (numbered([2]), None));
    for limit in [one, ALL] {
        let last = conversations(&*store, Some(2), limit).await;
        assert_eq!((entries(&last), silent(&last)), (numbered([1]), Some(vec!["bob", "zoe", "ñandú"])));
    }
}

/// As for pages of messages.
pub async fn conversations_before_an_unknown_message_are_an_error(home: &dyn Home) {
    let store = with_contacts(home, &["bob"]).await;
    let _ = store.commit(vec![queue(1, 1, None)]).await.unwrap();
    let result = store.conversations(ConversationQuery { before: Some(entry(2).id), limit: ALL }).await;
    assert!(matches!(result, Err(StorageError::UnknownMessage(id)) if id == entry(2).id), "{result:?}");
}
