//! The cases about reading: limits and pages.

use super::{ALL, Home, at, entries, entry, history, numbered, peer, queue, received};
use crate::message::Epoch;
use crate::storage::{HistoryQuery, LoadLimit, StorageError};

/// By number or by weight, whichever comes first; and never before the first entry.
pub async fn readings_stop_at_their_limit(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit((1..=5).map(|n| queue(1, n, Some(at(5, n)))).collect()).await.unwrap();
    let _ = store.commit((1..=5).map(|n| queue(2, n, None)).collect()).await.unwrap();
    let weight = entry(1).weight();
    for (entries, bytes, expected) in [
        (3, usize::MAX, 3),
        (usize::MAX, 2 * weight, 2),
        (usize::MAX, 2 * weight + 1, 3),
        (0, 0, 1),
        (9, usize::MAX, 5),
    ] {
        let limit = LoadLimit { entries, bytes };
        assert_eq!(store.queued(peer(2), limit).await.unwrap(), numbered(1..=expected), "{limit:?}");
        let logged = store.logged(peer(1), Epoch::new(5), 1..=5, limit).await.unwrap();
        assert_eq!(
            logged.into_iter().map(|one| one.entry.unwrap()).collect::<Vec<_>>(),
            numbered(1..=expected),
            "{limit:?}"
        );
    }
    let some = store.logged(peer(1), Epoch::new(5), 2..=4, LoadLimit { entries: 2, ..ALL }).await.unwrap();
    assert_eq!(some.iter().map(|logged| logged.n).collect::<Vec<_>>(), [2, 3]);
    #[expect(clippy::reversed_empty_ranges, reason = "nothing is asked for")]
    let none = store.logged(peer(1), Epoch::new(5), 4..=2, ALL).await.unwrap();
    assert_eq!(none, []);
}

/// The newest page first, each page oldest first, no message twice or left out.
pub async fn history_is_paged_backwards(home: &dyn Home) {
    let store = home.open().await;
    let _ = store
        .commit((1..=10).map(|n| if n % 2 == 0 { queue(1, n, None) } else { received(2, n, at(5, n)) }).collect())
        .await
        .unwrap();
    let page = |before| history(&*store, None, before, 4);
    assert_eq!(entries(&page(None).await), numbered(7..=10));
    assert_eq!(entries(&page(Some(7)).await), numbered(3..=6));
    assert_eq!(entries(&page(Some(3)).await), numbered(1..=2));
    assert_eq!(entries(&page(Some(1)).await), []);
    assert_eq!(entries(&history(&*store, None, None, 0).await), numbered([10]), "one at least");
    assert_eq!(history(&*store, None, None, usize::MAX).await.len(), 10);
}

/// Conversations with several peers are one stream.
pub async fn history_of_some_peers(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit((1..=9).map(|n| queue((n % 3) as u8 + 1, n, None)).collect()).await.unwrap();
    assert_eq!(entries(&history(&*store, Some(&[2]), None, 2).await), numbered([4, 7]));
    assert_eq!(entries(&history(&*store, Some(&[1, 2, 8]), None, 3).await), numbered([6, 7, 9]));
    assert_eq!(entries(&history(&*store, Some(&[1, 2]), Some(6), 9).await), numbered([1, 3, 4]));
    assert_eq!(entries(&history(&*store, Some(&[1]), Some(8), 9).await), numbered([3, 6]), "before somebody else's");
    assert_eq!(entries(&history(&*store, Some(&[]), None, 9).await), []);
}

/// A page that begins nowhere is a mistake, and said to be one.
pub async fn a_page_before_an_unknown_message_is_an_error(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit(vec![queue(1, 1, None)]).await.unwrap();
    let unknown = HistoryQuery { peers: None, before: Some(entry(2).id), limit: 9 };
    let result = store.history(unknown).await;
    assert!(matches!(result, Err(StorageError::UnknownMessage(id)) if id == entry(2).id), "{result:?}");
}
