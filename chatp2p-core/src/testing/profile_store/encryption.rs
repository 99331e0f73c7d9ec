//! The cases about keys, and about as what entries were sent.

use super::{ALL, Home, acknowledged, at, ciphertext, is_damaged, peer, place, queue};
use crate::crypto::{Ciphertext, KeyRow, KeyRowId};
use crate::message::Epoch;
use crate::storage::{Change, ProfileStore};

async fn sent(store: &dyn ProfileStore, to: u8, epoch: u64) -> Vec<Option<Ciphertext>> {
    let logged = store.logged(peer(to), Epoch::new(epoch), 1..=u64::MAX, ALL).await.unwrap();
    logged.into_iter().map(|logged| logged.ciphertext).collect()
}

fn encrypted(to: u8, epoch: u64, n: u64, number: u64) -> Change {
    Change::Encrypted { peer: peer(to), epoch: Epoch::new(epoch), n, ciphertext: ciphertext(number) }
}

/// The same bytes can be sent again, until nobody asks for them any more.
pub async fn what_was_sent_is_kept_until_it_has_arrived(home: &dyn Home) {
    let store = home.open().await;
    let changes =
        vec![queue(1, 1, Some(at(5, 1))), queue(1, 2, None), place(1, 2, at(5, 2)), queue(2, 1, Some(at(5, 1)))];
    let _ = store.commit(changes).await.unwrap();
    drop(store);
    let store = home.open().await;
    let some = |number| Some(ciphertext(number));
    assert_eq!(sent(&*store, 1, 5).await, [some(1), some(2)]);
    let _ = store.commit(vec![encrypted(1, 5, 2, 7)]).await.unwrap();
    assert_eq!(sent(&*store, 1, 5).await, [some(1), some(7)]);
    // What has arrived is forgotten, also if it comes in the same commit; and nothing more is kept of it.
    let _ = store.commit(vec![acknowledged(1, at(5, 1)), encrypted(1, 5, 1, 8)]).await.unwrap();
    let _ = store
        .commit(vec![queue(1, 3, Some(at(5, 3))), acknowledged(1, at(5, 3)), encrypted(1, 5, 3, 9)])
        .await
        .unwrap();
    assert_eq!(sent(&*store, 1, 5).await, [None, None, None]);
    // What goes to one is nobody else's.
    assert_eq!(sent(&*store, 2, 5).await, [some(1)]);
    is_damaged(store.commit(vec![encrypted(1, 5, 4, 1)]).await);
    is_damaged(store.commit(vec![encrypted(3, 5, 1, 1)]).await);
}

/// The newest version of each row, and all or nothing of what is committed with it.
pub async fn each_row_of_keys_is_replaced(home: &dyn Home) {
    let store = home.open().await;
    let row = |id, version, sealed: &[u8]| KeyRow { id, version, sealed: sealed.to_vec() };
    let (account, bob) = (row(KeyRowId::Account, 1, b"account"), row(KeyRowId::Peer(peer(2)), u64::MAX, b"bob"));
    let newer = row(KeyRowId::Peer(peer(2)), 1, b"newer");
    let _ = store
        .commit(vec![Change::Keys(account.clone()), Change::Keys(newer), Change::Keys(bob.clone())])
        .await
        .unwrap();
    is_damaged(store.commit(vec![Change::Keys(row(KeyRowId::Account, 2, b"lost")), acknowledged(9, at(1, 1))]).await);
    drop(store);
    let mut keys = home.open().await.load().await.unwrap().keys;
    keys.sort_by_key(|row| row.id);
    assert_eq!(keys, [account, bob]);
}
