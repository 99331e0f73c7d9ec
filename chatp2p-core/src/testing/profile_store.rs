//! What every [`ProfileStore`] must do, one named test per case.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "these are tests, lent to other crates")]

mod contacts;
mod conversations;
mod encryption;
mod mailed;
mod reading;
mod receipts;

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Wall;
use crate::crypto::{Ciphertext, SessionId};
use crate::identity::{Identity, PeerId};
use crate::message::{Author, Body, Conversation, Entry, EntryId, Epoch, LogHash, Position};
use crate::storage::{
    Change, Contact, HistoryQuery, LoadLimit, Logs, MAX_THEIR_EPOCHS, ProfileStore, Snapshot, StorageError,
    StoredMessage,
};

pub use contacts::*;
pub use conversations::*;
pub use encryption::*;
pub use mailed::*;
pub use reading::*;
pub use receipts::*;

/// Where a store's content lies: empty at first, and what was committed to one store is found by the next.
#[async_trait]
pub trait Home: Send + Sync {
    /// A store on this content. The one before it was dropped, as by a crash.
    async fn open(&self) -> Arc<dyn ProfileStore>;
}

/// One named test for each thing that a [`ProfileStore`] must do. Takes an expression that makes a [`Home`].
#[macro_export]
macro_rules! profile_store_contract {
    ($home:expr) => {
        $crate::profile_store_contract! { @cases $home;
            a_new_store_is_empty
            contacts_and_the_sequence_number_are_kept
            an_entry_is_queued_placed_and_acknowledged
            an_entry_may_be_placed_as_it_is_queued
            an_entry_received_twice_is_kept_once
            their_log_may_have_holes
            an_epoch_of_theirs_that_was_forgotten_may_come_again
            a_commit_that_fails_keeps_nothing
            what_contradicts_the_log_is_refused
            numbers_of_all_64_bits_are_kept
            two_commits_of_hundreds_of_changes
            readings_stop_at_their_limit
            history_is_paged_backwards
            history_of_some_peers
            a_page_before_an_unknown_message_is_an_error
            conversations_do_not_mix
            conversations_come_newest_first_and_in_pages
            conversations_stop_at_their_limit
            the_keys_of_one_name_are_one_conversation
            who_was_never_talked_to_comes_after_the_last
            conversations_before_an_unknown_message_are_an_error
            what_was_sent_is_kept_until_it_has_arrived
            each_row_of_keys_is_replaced
            contacts_keep_what_is_known_of_them
            requests_are_kept_replaced_and_dropped
            an_erased_conversation_keeps_its_places_and_says_nothing
            an_erasure_that_fails_loses_nothing
            what_they_have_read_is_kept_and_never_taken_back
            what_was_read_may_be_erased_already
            what_i_have_read_is_kept_and_never_taken_back
            what_was_read_of_a_forgotten_epoch_is_forgotten
            a_message_of_theirs_is_found_by_its_id
            that_reading_is_hidden_is_kept
            what_a_mailbox_keeps_is_known_with_its_time
        }
    };
    (@cases $home:expr; $($case:ident)*) => {
        $(#[::tokio::test]
        async fn $case() {
            $crate::testing::profile_store::$case(&$home).await;
        })*
    };
}

/// No bound at all.
pub const ALL: LoadLimit = LoadLimit { entries: usize::MAX, bytes: usize::MAX };

/// The peer with this number.
pub fn peer(seed: u8) -> PeerId {
    Identity::from_seed(&[seed; 32]).peer_id()
}

/// The entry with this number.
pub fn entry(number: u64) -> Entry {
    let mut id = [0xe0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    let body = Body::Text(format!("nr {number} \0 ñ 😀"));
    Entry { id: EntryId::from_bytes(id), written: Wall::from_millis(number.wrapping_add(1_700_000_000_000)), body }
}

/// A place in the log of an epoch. Its hash is told by its numbers.
pub fn at(epoch: u64, n: u64) -> Position {
    let conversation = Conversation::direct(peer(1), peer(2));
    let hash = entry(n).chain(conversation, Epoch::new(epoch), n, Some(LogHash::from_bytes([7; 32])));
    Position { epoch: Epoch::new(epoch), n, hash }
}

/// As what an entry is sent, told by its number.
pub fn ciphertext(number: u64) -> Ciphertext {
    let session = SessionId::from_bytes([9; 32]);
    Ciphertext { suite: 1, session, begins: number.is_multiple_of(2), message: number.to_be_bytes().to_vec() }
}

fn queue(to: u8, number: u64, place: Option<Position>) -> Change {
    Change::Queue { peer: peer(to), entry: entry(number), place, ciphertext: place.map(|_| ciphertext(number)) }
}

fn place(to: u8, number: u64, place: Position) -> Change {
    Change::Place { peer: peer(to), id: entry(number).id, place, ciphertext: Some(ciphertext(number)) }
}

fn received(from: u8, number: u64, position: Position) -> Change {
    Change::Received { peer: peer(from), entry: entry(number), position }
}

fn acknowledged(by: u8, position: Position) -> Change {
    Change::Acknowledged { peer: peer(by), position }
}

fn contact(seed: u8, name: &str) -> Contact {
    Contact { wanted: true, ..Contact::new(peer(seed), name.parse().unwrap()) }
}

async fn logs(store: &dyn ProfileStore, of: u8) -> Logs {
    store.load().await.unwrap().logs.into_iter().find(|logs| logs.peer == peer(of)).expect("the conversation has logs")
}

async fn queued(store: &dyn ProfileStore, to: u8) -> Vec<Entry> {
    store.queued(peer(to), ALL).await.unwrap()
}

async fn history(
    store: &dyn ProfileStore,
    peers: Option<&[u8]>,
    before: Option<u64>,
    limit: usize,
) -> Vec<StoredMessage> {
    let peers = peers.map(|peers| peers.iter().map(|seed| peer(*seed)).collect());
    let query = HistoryQuery { peers, before: before.map(|number| entry(number).id), limit };
    store.history(query).await.unwrap()
}

fn entries(messages: &[StoredMessage]) -> Vec<Entry> {
    messages.iter().map(|message| message.entry.clone()).collect()
}

fn numbered(numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    numbers.into_iter().map(entry).collect()
}

fn is_damaged<T: std::fmt::Debug>(result: Result<T, StorageError>) {
    assert!(matches!(result, Err(StorageError::Damaged { .. })), "{result:?}");
}

/// Nothing is there that nobody put there.
pub async fn a_new_store_is_empty(home: &dyn Home) {
    let store = home.open().await;
    assert_eq!(store.load().await.unwrap(), Snapshot::default());
    assert_eq!(queued(&*store, 1).await, []);
    assert_eq!(store.logged(peer(1), Epoch::new(1), 1..=9, ALL).await.unwrap(), []);
    assert_eq!(history(&*store, None, None, 10).await, []);
    let nothing = store.commit(Vec::new()).await.unwrap();
    assert_eq!(nothing.repeated, BTreeSet::new());
}

/// A contact takes the place of the one with its key; the sequence number never falls.
pub async fn contacts_and_the_sequence_number_are_kept(home: &dyn Home) {
    let store = home.open().await;
    let (alice, bob) = (contact(1, "alice"), contact(2, "José-ñandú"));
    let gone = Contact { wanted: false, forgotten: true, ..alice.clone() };
    let changes =
        [Change::Contact(alice), Change::Contact(bob.clone()), Change::Contact(gone.clone()), Change::Seq(u64::MAX)];
    let _ = store.commit(changes.to_vec()).await.unwrap();
    let _ = store.commit(vec![Change::Seq(3)]).await.unwrap();
    drop(store);
    let mut snapshot = home.open().await.load().await.unwrap();
    snapshot.contacts.sort_by_key(|contact| contact.name.clone());
    assert_eq!(snapshot.contacts, [bob, gone]);
    assert_eq!(snapshot.seq, u64::MAX);
    assert_eq!(snapshot.logs, []);
}

/// The way of every message that I write.
pub async fn an_entry_is_queued_placed_and_acknowledged(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit(vec![queue(1, 1, None), queue(1, 2, None)]).await.unwrap();
    assert_eq!(queued(&*store, 1).await, numbered(1..=2));
    let weight = numbered(1..=2).iter().map(Entry::weight).sum::<usize>() as u64;
    assert_eq!(logs(&*store, 1).await.queued, (2, weight));
    assert_eq!(history(&*store, None, None, 9).await[1].place, None);

    let _ = store.commit(vec![place(1, 1, at(5, 1)), place(1, 2, at(5, 2))]).await.unwrap();
    assert_eq!(queued(&*store, 1).await, []);
    let open = logs(&*store, 1).await;
    assert_eq!(open.queued, (0, 0));
    assert_eq!((open.mine[0].head, open.mine[0].acknowledged, open.mine[0].acknowledged_hash), (2, 0, None));
    let unacknowledged: Vec<_> = open.unacknowledged.iter().map(|entry| (entry.id, entry.n, entry.hash)).collect();
    assert_eq!(unacknowledged, [(entry(1).id, 1, at(5, 1).hash), (entry(2).id, 2, at(5, 2).hash)]);
    assert_eq!(open.unacknowledged[0].weight, entry(1).weight());

    let _ = store.commit(vec![acknowledged(1, at(5, 1))]).await.unwrap();
    drop(store);
    let store = home.open().await;
    let open = logs(&*store, 1).await;
    assert_eq!((open.mine[0].acknowledged, open.mine[0].acknowledged_hash), (1, Some(at(5, 1).hash)));
    assert_eq!(open.unacknowledged.len(), 1);
    let logged = store.logged(peer(1), Epoch::new(5), 1..=u64::MAX, ALL).await.unwrap();
    assert_eq!(
        logged.iter().map(|logged| (logged.n, logged.hash)).collect::<Vec<_>>(),
        [(1, at(5, 1).hash), (2, at(5, 2).hash)]
    );
    assert_eq!(logged.into_iter().map(|logged| logged.entry.unwrap()).collect::<Vec<_>>(), numbered(1..=2));
    let shown = history(&*store, None, None, 9).await;
    let steps: Vec<_> = shown.iter().map(|message| (message.author, message.place, message.acknowledged)).collect();
    let epoch = Epoch::new(5);
    assert_eq!(steps, [(Author::Me, Some((epoch, 1)), true), (Author::Me, Some((epoch, 2)), false)]);
}

/// While a link is up, nothing waits in the queue.
pub async fn an_entry_may_be_placed_as_it_is_queued(home: &dyn Home) {
    let store = home.open().await;
    let _ = store
        .commit(vec![queue(1, 1, Some(at(5, 1))), queue(1, 2, Some(at(5, 2))), acknowledged(1, at(5, 2))])
        .await
        .unwrap();
    // Both in one commit, too.
    let _ = store.commit(vec![queue(1, 3, None), place(1, 3, at(5, 3))]).await.unwrap();
    assert_eq!(queued(&*store, 1).await, []);
    let open = logs(&*store, 1).await;
    assert_eq!((open.mine[0].head, open.mine[0].acknowledged, open.unacknowledged.len()), (3, 2, 1));
    is_damaged(store.commit(vec![queue(1, 4, None), queue(1, 5, Some(at(5, 4)))]).await);
}

/// However often it comes, and wherever in their log: once by its id, and the receipt tells.
pub async fn an_entry_received_twice_is_kept_once(home: &dyn Home) {
    let store = home.open().await;
    let first = store.commit(vec![received(1, 1, at(5, 1))]).await.unwrap();
    assert_eq!(first.repeated, BTreeSet::new());
    // Twice within a commit is new, since nobody was told of it before.
    let again =
        store.commit(vec![received(1, 1, at(6, 1)), received(1, 2, at(6, 2)), received(1, 2, at(6, 3))]).await.unwrap();
    assert_eq!(again.repeated, BTreeSet::from([(peer(1), entry(1).id)]));
    drop(store);
    let store = home.open().await;
    assert_eq!(logs(&*store, 1).await.theirs, [at(5, 1), at(6, 3)]);
    let shown = history(&*store, None, None, 9).await;
    assert_eq!(entries(&shown), numbered(1..=2));
    assert_eq!(
        (shown[0].author, shown[0].place, shown[0].acknowledged),
        (Author::Them, Some((Epoch::new(5), 1)), true)
    );
    // The same id by another author, or from me, is another message.
    let others = store.commit(vec![received(2, 1, at(5, 1)), queue(1, 1, None)]).await.unwrap();
    assert_eq!(others.repeated, BTreeSet::new());
    assert_eq!(history(&*store, None, None, 9).await.len(), 4);
}

/// What no longer exists is skipped, and never asked for again.
pub async fn their_log_may_have_holes(home: &dyn Home) {
    let store = home.open().await;
    let skipped = |position| Change::Skipped { peer: peer(1), position };
    let _ = store.commit(vec![skipped(at(5, 3)), received(1, 4, at(5, 4)), skipped(at(5, 9))]).await.unwrap();
    assert_eq!(logs(&*store, 1).await.theirs, [at(5, 9)]);
    is_damaged(store.commit(vec![skipped(at(5, 9))]).await);
    is_damaged(store.commit(vec![received(1, 7, at(5, 4))]).await);
    assert_eq!(entries(&history(&*store, None, None, 9).await), numbered([4]));
}

/// Whoever begins epochs without end makes a store forget the oldest, and never makes it refuse what comes again.
pub async fn an_epoch_of_theirs_that_was_forgotten_may_come_again(home: &dyn Home) {
    let store = home.open().await;
    let more = MAX_THEIR_EPOCHS as u64 + 1;
    for epoch in 1..=more {
        let _ = store.commit(vec![received(1, epoch, at(epoch, 1))]).await.unwrap();
    }
    assert_eq!(logs(&*store, 1).await.theirs, (2..=more).map(|epoch| at(epoch, 1)).collect::<Vec<_>>());
    is_damaged(store.commit(vec![received(1, 2, at(2, 1))]).await);
    let again = store.commit(vec![received(1, 1, at(1, 1))]).await.unwrap();
    assert!(again.repeated.contains(&(peer(1), entry(1).id)), "the message is still known");
    drop(store);
    let theirs = logs(&*home.open().await, 1).await.theirs;
    assert_eq!(theirs, (3..=more).chain([1]).map(|epoch| at(epoch, 1)).collect::<Vec<_>>());
}

/// All or nothing, of every kind of change.
pub async fn a_commit_that_fails_keeps_nothing(home: &dyn Home) {
    let store = home.open().await;
    let mut changes: Vec<_> = (1..=3).map(|n| queue(1, n, Some(at(5, n)))).collect();
    changes.extend([
        acknowledged(1, at(5, 1)),
        queue(1, 4, None),
        Change::Contact(contact(1, "alice")),
        Change::Seq(4),
    ]);
    let _ = store.commit(changes).await.unwrap();
    let before = (store.load().await.unwrap(), history(&*store, None, None, 99).await);
    let half = vec![
        Change::Contact(contact(1, "eve")),
        Change::Contact(contact(2, "bob")),
        Change::Seq(9),
        place(1, 4, at(5, 4)),
        acknowledged(1, at(5, 2)),
        received(1, 7, at(8, 1)),
        queue(2, 8, Some(at(9, 1))),
        queue(1, 9, None),
        queue(1, 9, None),
    ];
    is_damaged(store.commit(half).await);
    assert_eq!((store.load().await.unwrap(), history(&*store, None, None, 99).await), before);
    assert_eq!(queued(&*store, 1).await, numbered([4]));
    let _ = store.commit(vec![place(1, 4, at(5, 4))]).await.unwrap();
}

/// A change that was decided on another log than this one must not be applied.
pub async fn what_contradicts_the_log_is_refused(home: &dyn Home) {
    let store = home.open().await;
    let _ = store.commit(vec![queue(1, 1, Some(at(5, 1))), queue(1, 2, None), queue(1, 3, None)]).await.unwrap();
    let before = store.load().await.unwrap();
    for change in [
        queue(1, 1, None),
        place(1, 2, at(5, 3)),
        place(1, 2, at(5, 1)),
        place(1, 2, at(6, 1)),
        place(1, 3, at(5, 2)),
        place(1, 1, at(5, 2)),
        place(1, 9, at(5, 2)),
        place(2, 2, at(5, 1)),
        acknowledged(1, at(5, 2)),
        acknowledged(1, at(6, 1)),
        acknowledged(2, at(5, 1)),
    ] {
        is_damaged(store.commit(vec![change]).await);
    }
    assert_eq!(store.load().await.unwrap(), before);
}

/// Epochs are random, and what others number is for them to say.
pub async fn numbers_of_all_64_bits_are_kept(home: &dyn Home) {
    let store = home.open().await;
    let late = Entry { written: Wall::from_millis(u64::MAX), ..entry(8) };
    let position = at(u64::MAX, u64::MAX);
    let changes = vec![
        queue(1, 1, Some(at(u64::MAX, 1))),
        Change::Received { peer: peer(1), entry: late.clone(), position: at(u64::MAX, u64::MAX - 1) },
        Change::Skipped { peer: peer(1), position },
        queue(2, 2, Some(at(1 << 63, 1))),
    ];
    let _ = store.commit(changes).await.unwrap();
    drop(store);
    let store = home.open().await;
    let kept = logs(&*store, 1).await;
    assert_eq!((kept.mine[0].epoch, kept.theirs), (Epoch::new(u64::MAX), vec![position]));
    assert_eq!(store.logged(peer(2), Epoch::new(1 << 63), 0..=u64::MAX, ALL).await.unwrap().len(), 1);
    assert_eq!(store.logged(peer(2), Epoch::new(1 << 63), u64::MAX - 1..=u64::MAX, ALL).await.unwrap(), []);
    let shown = history(&*store, None, None, 9).await;
    assert_eq!((&shown[1].entry, shown[1].place), (&late, Some((Epoch::new(u64::MAX), u64::MAX - 1))));
}

/// A busy turn carries hundreds of changes, in any mixture.
pub async fn two_commits_of_hundreds_of_changes(home: &dyn Home) {
    let store = home.open().await;
    let first: Vec<_> = (1..=500).flat_map(|n| [queue(1, n, None), received(2, n, at(3, n))]).collect();
    let _ = store.commit(first).await.unwrap();
    let mut second: Vec<_> = (1..=500).flat_map(|n| [place(1, n, at(5, n)), acknowledged(1, at(5, n))]).collect();
    second.extend((1..=500).map(|n| received(2, n, at(4, n))));
    second.extend((501..=1000).map(|n| queue(1, n, Some(at(5, n)))));
    let committed = store.commit(second).await.unwrap();
    assert_eq!(committed.repeated.len(), 500);
    drop(store);
    let store = home.open().await;
    let mine = logs(&*store, 1).await;
    assert_eq!((mine.mine[0].head, mine.mine[0].acknowledged, mine.queued), (1000, 500, (0, 0)));
    assert_eq!(mine.unacknowledged.iter().map(|open| open.n).collect::<Vec<_>>(), (501..=1000).collect::<Vec<_>>());
    assert_eq!(logs(&*store, 2).await.theirs, [at(3, 500), at(4, 500)]);
    let logged = store.logged(peer(1), Epoch::new(5), 1..=1000, ALL).await.unwrap();
    assert!(logged.iter().zip(1..).all(|(logged, n)| logged.n == n && logged.hash == at(5, n).hash));
    assert_eq!(logged.into_iter().map(|logged| logged.entry.unwrap()).collect::<Vec<_>>(), numbered(1..=1000));
    assert_eq!(entries(&history(&*store, Some(&[2]), None, 1000).await), numbered(1..=500));
}

/// What is said to one is nobody else's, though it be the same entry in the same epoch.
pub async fn conversations_do_not_mix(home: &dyn Home) {
    let store = home.open().await;
    let both = [1, 2].map(|to| queue(to, 1, Some(at(5, 1))));
    let _ = store.commit(both.to_vec()).await.unwrap();
    let _ = store.commit(vec![queue(1, 2, None), acknowledged(2, at(5, 1))]).await.unwrap();
    assert_eq!(queued(&*store, 1).await, numbered(2..=2));
    assert_eq!(queued(&*store, 2).await, []);
    assert_eq!(logs(&*store, 2).await.mine[0].acknowledged, 1);
    let acknowledged: Vec<_> = history(&*store, None, None, 9).await.iter().map(|one| one.acknowledged).collect();
    assert_eq!(acknowledged, [false, true, false]);
}
