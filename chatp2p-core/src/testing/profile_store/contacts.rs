//! What a store keeps of contacts and of strangers, and what it keeps of a conversation that was erased.

use super::{ALL, Home, acknowledged, at, contact, entry, history, logs, peer, place, queue, queued, received};
use crate::clock::Wall;
use crate::crypto::Watchword;
use crate::storage::{Change, Contact, FirstWords, Request, StorageError};

fn request(seed: u8, first: bool, refused: bool) -> Request {
    let first = first.then(|| FirstWords { entry: entry(u64::from(seed)), position: at(9, 1) });
    let arrived = Wall::from_millis(1_700_000_000_000);
    Request { peer_id: peer(seed), name: "eve".parse().unwrap(), arrived, first, refused }
}

/// Every field comes back as it was put.
///
/// # Panics
/// When the store does not do what it must.
pub async fn contacts_keep_what_is_known_of_them(home: &dyn Home) {
    let bare = contact(2, "bob");
    let full = Contact {
        verified: true,
        blocked: true,
        removed: true,
        forgotten: true,
        tracker_name: Some("robert".parse().unwrap()),
        seen: Some(Wall::from_millis(1_700_000_000_123)),
        watchword: Some(Watchword::from_bytes([7; 32])),
        ..contact(3, "rob")
    };
    for contacts in [[bare.clone(), full.clone()], [bare, contact(3, "rob")]] {
        let store = home.open().await;
        let _ = store.commit(contacts.iter().cloned().map(Change::Contact).collect()).await.unwrap();
        drop(store);
        let mut expected = contacts.to_vec();
        expected.sort_by_key(|contact| contact.peer_id);
        assert_eq!(home.open().await.load().await.unwrap().contacts, expected);
    }
}

/// One request a key; what is gone is gone.
///
/// # Panics
/// When the store does not do what it must.
pub async fn requests_are_kept_replaced_and_dropped(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit([2, 3, 4].map(|seed| Change::Request(request(seed, false, false))).to_vec()).await.unwrap();
    let changes = vec![
        Change::Request(request(2, true, false)),
        Change::Request(request(3, false, true)),
        Change::RequestGone(peer(4)),
        Change::RequestGone(peer(5)),
    ];
    let _ = store.commit(changes).await.unwrap();
    drop(store);
    let mut expected = vec![request(2, true, false), request(3, false, true)];
    expected.sort_by_key(|request| request.peer_id);
    assert_eq!(home.open().await.load().await.unwrap().requests, expected);
}

/// Nothing is shown any more; the log goes on where it was, and what comes again is known.
///
/// # Panics
/// When the store does not do what it must.
pub async fn an_erased_conversation_keeps_its_places_and_says_nothing(home: &dyn Home) {
    let store = home.open().await;
    let changes = vec![
        queue(2, 1, Some(at(5, 1))),
        queue(2, 2, Some(at(5, 2))),
        acknowledged(2, at(5, 1)),
        received(2, 3, at(7, 1)),
        queue(2, 4, None),
        queue(3, 5, None),
    ];
    let _ = store.commit(changes).await.unwrap();
    let _ = store.commit(vec![Change::Erase(peer(2))]).await.unwrap();
    drop(store);
    let store = home.open().await;
    assert_eq!(history(&*store, Some(&[2]), None, 9).await, []);
    assert_eq!(history(&*store, None, None, 9).await.len(), 1, "the others stay");
    assert_eq!(queued(&*store, 2).await, []);
    let kept = logs(&*store, 2).await;
    assert_eq!((kept.queued, kept.theirs.as_slice()), ((0, 0), [at(7, 1)].as_slice()));
    assert_eq!(kept.mine.last().map(|log| (log.head, log.acknowledged)), Some((2, 1)));
    let open: Vec<_> = kept.unacknowledged.iter().map(|entry| (entry.id, entry.n, entry.weight)).collect();
    assert_eq!(open, [(entry(2).id, 2, 0)]);
    let logged = store.logged(peer(2), at(5, 1).epoch, 1..=9, ALL).await.unwrap();
    assert_eq!(
        logged.iter().map(|logged| (logged.n, logged.entry.is_some())).collect::<Vec<_>>(),
        [(1, false), (2, false)]
    );
    // It may come back, and goes on.
    let again = store.commit(vec![received(2, 3, at(7, 2)), queue(2, 6, None), place(2, 6, at(5, 3))]).await.unwrap();
    assert_eq!(again.repeated.len(), 1);
    assert_eq!(history(&*store, Some(&[2]), None, 9).await.len(), 1);
}

/// All or nothing.
///
/// # Panics
/// When the store does not do what it must.
pub async fn an_erasure_that_fails_loses_nothing(home: &dyn Home) {
    let store = home.open().await;
    let changes = vec![queue(2, 1, Some(at(5, 1))), received(2, 3, at(7, 1)), queue(2, 4, None)];
    let _ = store.commit(changes).await.unwrap();
    let before = (history(&*store, None, None, 9).await, logs(&*store, 2).await, queued(&*store, 2).await);
    let wrong = place(2, 99, at(5, 2));
    let refused = store.commit(vec![queue(2, 5, None), Change::Erase(peer(2)), wrong]).await;
    assert!(matches!(refused, Err(StorageError::Damaged { .. })), "{refused:?}");
    assert_eq!((history(&*store, None, None, 9).await, logs(&*store, 2).await, queued(&*store, 2).await), before);
}
