//! The cases about what a mailbox keeps for the other end.

use super::{Home, acknowledged, at, history, is_damaged, logs, peer, queue};
use crate::clock::Wall;
use crate::message::{Delivery, Epoch, Place};
use crate::storage::{Change, Mailed};

const AT: [Wall; 3] = [Wall::from_millis(7), Wall::from_millis(9), Wall::from_millis(8)];

fn mailed(to: u8, epoch: u64, n: u64, at: Wall) -> Change {
    Change::Mailed { peer: peer(to), place: Place { epoch: Epoch::new(epoch), n }, at }
}

/// A step between being written and having arrived; and since when that is so.
pub async fn what_a_mailbox_keeps_is_known_with_its_time(home: &dyn Home) {
    let [first, later, between] = AT;
    let store = home.open().await;
    let mut changes: Vec<_> = (1..=3).map(|n| queue(1, n, Some(at(5, n)))).collect();
    changes.push(queue(2, 9, None));
    let _ = store.commit(changes).await.unwrap();
    for nowhere in [mailed(1, 5, 0, first), mailed(1, 5, 4, first), mailed(1, 6, 1, first), mailed(2, 5, 1, first)] {
        is_damaged(store.commit(vec![nowhere]).await);
    }
    assert_eq!(logs(&*store, 1).await.mine.last().unwrap().mailed, None);
    let _ = store.commit(vec![mailed(1, 5, 2, first), acknowledged(1, at(5, 1))]).await.unwrap();
    drop(store);
    let store = home.open().await;
    assert_eq!(logs(&*store, 1).await.mine.last().unwrap().mailed, Some(Mailed { n: 2, at: first }));
    let arrived = history(&*store, Some(&[1]), None, 9).await.iter().map(|one| one.arrived()).collect::<Vec<_>>();
    assert_eq!(arrived, [Some(Delivery::Delivered), Some(Delivery::Mailbox), None]);
    // Mailed again: the same place at another time, and no less than before.
    for (n, time) in [(2, later), (1, between)] {
        let _ = store.commit(vec![mailed(1, 5, n, time)]).await.unwrap();
        assert_eq!(logs(&*store, 1).await.mine.last().unwrap().mailed, Some(Mailed { n: 2, at: time }));
    }
    drop(store);
    let store = home.open().await;
    assert_eq!(logs(&*store, 1).await.mine.last().unwrap().mailed, Some(Mailed { n: 2, at: between }));
}
