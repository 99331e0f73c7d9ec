//! The cases about what was read, here and at the other end.

use super::{Home, acknowledged, at, entry, history, is_damaged, logs, peer, queue, received};
use crate::identity::PeerId;
use crate::message::{Epoch, Place};
use crate::storage::{Change, MAX_THEIR_EPOCHS};

const fn place(epoch: u64, n: u64) -> Place {
    Place { epoch: Epoch::new(epoch), n }
}

const fn by_them(peer: PeerId, epoch: u64, n: u64) -> Change {
    Change::ReadByThem { peer, place: place(epoch, n) }
}

const fn by_me(peer: PeerId, epoch: u64, n: u64) -> Change {
    Change::ReadByMe { peer, place: place(epoch, n) }
}

/// The last step of what I write; the receipt of the commit names the message.
pub async fn what_they_have_read_is_kept_and_never_taken_back(home: &dyn Home) {
    let store = home.open().await;
    let mut changes: Vec<_> = (1..=3).map(|n| queue(1, n, Some(at(5, n)))).collect();
    changes.extend([acknowledged(1, at(5, 2)), queue(2, 9, Some(at(5, 1))), acknowledged(2, at(5, 1))]);
    let _ = store.commit(changes).await.unwrap();
    is_damaged(store.commit(vec![by_them(peer(1), 5, 3)]).await);
    is_damaged(store.commit(vec![by_them(peer(1), 6, 1)]).await);
    let receipt = store.commit(vec![by_them(peer(1), 5, 1), by_them(peer(2), 5, 1)]).await.unwrap();
    assert_eq!(receipt.read, [(peer(1), entry(1).id), (peer(2), entry(9).id)].into());
    is_damaged(store.commit(vec![by_them(peer(1), 5, 1)]).await);
    let changes = vec![acknowledged(1, at(5, 3)), queue(1, 4, Some(at(6, 1))), acknowledged(1, at(6, 1))];
    let _ = store.commit(changes).await.unwrap();
    drop(store);
    let store = home.open().await;
    let read = async |of| history(&*store, Some(&[of]), None, 9).await.iter().map(|one| one.read).collect::<Vec<_>>();
    assert_eq!(read(1).await, [true, false, false, false]);
    assert_eq!(read(2).await, [true]);
    // Whoever has read of a later epoch has read the earlier ones.
    let receipt = store.commit(vec![by_them(peer(1), 6, 1)]).await.unwrap();
    assert_eq!(receipt.read, [(peer(1), entry(4).id)].into());
    assert_eq!(read(1).await, [true; 4]);
    is_damaged(store.commit(vec![by_them(peer(1), 5, 3)]).await);
    assert_eq!(logs(&*store, 1).await.mine.iter().map(|log| log.read).collect::<Vec<_>>(), [1, 1]);
}

/// What is erased was read all the same.
pub async fn what_was_read_may_be_erased_already(home: &dyn Home) {
    let store = home.open().await;
    let changes = vec![queue(1, 1, Some(at(5, 1))), acknowledged(1, at(5, 1)), Change::Erase(peer(1))];
    let _ = store.commit(changes).await.unwrap();
    let receipt = store.commit(vec![by_them(peer(1), 5, 1)]).await.unwrap();
    assert_eq!(receipt.read, [(peer(1), entry(1).id)].into());
}

/// What they are told is told again after a restart, and never less of it.
pub async fn what_i_have_read_is_kept_and_never_taken_back(home: &dyn Home) {
    let store = home.open().await;
    let changes = vec![received(1, 1, at(5, 1)), received(1, 2, at(5, 2)), received(1, 3, at(6, 1))];
    let _ = store.commit(changes).await.unwrap();
    assert_eq!(logs(&*store, 1).await.read, None);
    is_damaged(store.commit(vec![by_me(peer(1), 5, 3)]).await);
    is_damaged(store.commit(vec![by_me(peer(1), 7, 1)]).await);
    is_damaged(store.commit(vec![by_me(peer(2), 5, 1)]).await);
    let _ = store.commit(vec![by_me(peer(1), 5, 1)]).await.unwrap();
    let _ = store.commit(vec![received(1, 4, at(5, 3))]).await.unwrap();
    drop(store);
    let store = home.open().await;
    assert_eq!(logs(&*store, 1).await.read, Some(place(5, 1)));
    let _ = store.commit(vec![by_me(peer(1), 5, 3), by_me(peer(1), 6, 1)]).await.unwrap();
    is_damaged(store.commit(vec![by_me(peer(1), 5, 3)]).await);
    is_damaged(store.commit(vec![by_me(peer(1), 6, 1)]).await);
    drop(store);
    let store = home.open().await;
    assert_eq!(logs(&*store, 1).await.read, Some(place(6, 1)));
    assert!(history(&*store, None, None, 9).await.iter().all(|message| !message.read), "that is no step of theirs");
}

/// With an epoch goes what was read of it.
pub async fn what_was_read_of_a_forgotten_epoch_is_forgotten(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit(vec![received(1, 1, at(1, 1)), by_me(peer(1), 1, 1)]).await.unwrap();
    let more = (2..=MAX_THEIR_EPOCHS as u64 + 1).map(|epoch| received(1, epoch, at(epoch, 1)));
    let _ = store.commit(more.collect()).await.unwrap();
    assert_eq!(logs(&*store, 1).await.read, None);
    let _ = store.commit(vec![by_me(peer(1), 2, 1)]).await.unwrap();
    drop(store);
    assert_eq!(logs(&*home.open().await, 1).await.read, Some(place(2, 1)));
}

/// Where a message of theirs stands is found by its id alone; mine are not, and what nobody wrote is not.
pub async fn a_message_of_theirs_is_found_by_its_id(home: &dyn Home) {
    let store = home.open().await;
    let changes = vec![received(1, 1, at(5, 1)), received(2, 1, at(8, 4)), queue(1, 2, Some(at(5, 1)))];
    let _ = store.commit(changes).await.unwrap();
    let mut found = store.received(entry(1).id).await.unwrap();
    found.sort_by_key(|(_, place)| place.n);
    assert_eq!(found, [(peer(1), place(5, 1)), (peer(2), place(8, 4))]);
    assert_eq!(store.received(entry(2).id).await.unwrap(), []);
    assert_eq!(store.received(entry(3).id).await.unwrap(), []);
    let _ = store.commit(vec![Change::Erase(peer(1))]).await.unwrap();
    assert_eq!(store.received(entry(1).id).await.unwrap(), [(peer(2), place(8, 4))]);
}

/// Nobody is told what is read, until the user says otherwise.
pub async fn that_reading_is_hidden_is_kept(home: &dyn Home) {
    let store = home.open().await;
    for hides in [true, true, false, false, true] {
        let _ = store.commit(vec![Change::HidesReading(hides)]).await.unwrap();
        assert_eq!(store.load().await.unwrap().hides_reading, hides);
    }
    is_damaged(store.commit(vec![Change::HidesReading(false), by_me(peer(1), 5, 1)]).await);
    drop(store);
    assert!(home.open().await.load().await.unwrap().hides_reading);
}
