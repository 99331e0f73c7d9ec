//! Profiles in memory and in SQLite do what a profile store must do, and the same as each other whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use chatp2p_core::clock::Wall;
use chatp2p_core::crypto::{KeyRow, KeyRowId};
use chatp2p_core::identity::Identity;
use chatp2p_core::message::{Epoch, Place, Position};
use chatp2p_core::storage::{
    Change, ConversationQuery, FirstWords, HistoryQuery, LoadLimit, ProfileData, ProfileStore, Request, Snapshot,
    SqlProfile, StorageError,
};
use chatp2p_core::testing::profile_store::{ALL, Home, at, ciphertext, entry, peer};
use proptest::prelude::*;

/// Whose profile it is.
fn me() -> Identity {
    Identity::from_seed(&[0x5e; 32])
}

mod memory {
    use super::*;
    use chatp2p_core::storage::MemoryProfile;

    #[derive(Default)]
    struct Memory(Arc<MemoryProfile>);

    #[async_trait::async_trait]
    impl Home for Memory {
        async fn open(&self) -> Arc<dyn ProfileStore> {
            Arc::<MemoryProfile>::clone(&self.0)
        }
    }

    chatp2p_core::profile_store_contract!(Memory::default());
}

mod sqlite {
    use super::*;

    struct Folder(tempfile::TempDir);

    #[async_trait::async_trait]
    impl Home for Folder {
        async fn open(&self) -> Arc<dyn ProfileStore> {
            Arc::new(SqlProfile::open(&self.0.path().join("pro file?#%41.sqlite"), &me()).await.unwrap())
        }
    }

    chatp2p_core::profile_store_contract!(Folder(tempfile::tempdir().unwrap()));
}

/// What may happen next; the small numbers make the same peers, entries and epochs meet again and again.
#[derive(Debug, Clone)]
enum Step {
    Queue(u8, bool),
    Place(u8),
    Acknowledge(u8, u8),
    Receive(u8, u8, u8, bool),
    Contact(u8, u8, bool),
    Seq(u8),
    Encrypt(u8, u8),
    Keys(u8, u8),
    Erase(u8),
    Request(u8, bool),
    RequestGone(u8),
    ReadByThem(u8, u8),
    ReadByMe(u8, u8, u8),
    HidesReading(bool),
    Mailed(u8, u8, u8),
    /// Refused, most often.
    Wild(u8, u8, u8, u8),
}

fn step() -> impl Strategy<Value = Step> {
    let who = 1..=3_u8;
    prop_oneof![
        6 => (who.clone(), any::<bool>()).prop_map(|(to, place)| Step::Queue(to, place)),
        6 => who.clone().prop_map(Step::Place),
        4 => (who.clone(), 0..5_u8).prop_map(|(by, back)| Step::Acknowledge(by, back)),
        5 => (who.clone(), 0..3_u8, 0..20_u8, prop::bool::weighted(0.8))
            .prop_map(|(from, epoch, number, entry)| Step::Receive(from, epoch, number, entry)),
        1 => (who.clone(), 0..4_u8, any::<bool>()).prop_map(|(peer, name, forgotten)| Step::Contact(peer, name, forgotten)),
        1 => any::<u8>().prop_map(Step::Seq),
        2 => (who.clone(), 0..5_u8).prop_map(|(to, back)| Step::Encrypt(to, back)),
        1 => (0..4_u8, any::<u8>()).prop_map(|(whose, keys)| Step::Keys(whose, keys)),
        1 => who.clone().prop_map(Step::Erase),
        1 => (who.clone(), any::<bool>()).prop_map(|(of, refused)| Step::Request(of, refused)),
        1 => who.clone().prop_map(Step::RequestGone),
        2 => (who.clone(), 0..5_u8).prop_map(|(by, back)| Step::ReadByThem(by, back)),
        2 => (who.clone(), 0..3_u8, 0..3_u8).prop_map(|(of, epoch, back)| Step::ReadByMe(of, epoch, back)),
        1 => any::<bool>().prop_map(Step::HidesReading),
        3 => (who.clone(), 0..5_u8, any::<u8>()).prop_map(|(to, back, at)| Step::Mailed(to, back, at)),
        1 => (who, 0..8_u8, 0..3_u8, 0..5_u8).prop_map(|(peer, kind, epoch, n)| Step::Wild(peer, kind, epoch, n)),
    ]
}

/// Turns steps into changes that fit what came before them.
struct Author {
    /// All steps so far, as far as they were not refused.
    data: ProfileData,
    entries: u64,
    epochs: u64,
}

impl Author {
    /// The next place in my log.
    fn next(&mut self, logs: Option<&chatp2p_core::storage::Logs>) -> Position {
        match logs.and_then(|logs| logs.mine.last()) {
            Some(last) if last.acknowledged < last.head || !last.head.is_multiple_of(3) => {
                Position { epoch: last.epoch, ..at(last.epoch.get(), last.head + 1) }
            }
            _ => {
                self.epochs += 1;
                // Over all 64 bits, as random epochs are.
                at(self.epochs.wrapping_mul(0x9e37_79b9_7f4a_7c15), 1)
            }
        }
    }

    fn change(&mut self, step: &Step) -> Option<Change> {
        let snapshot = self.data.snapshot();
        let logs = |of: u8| snapshot.logs.iter().find(|logs| logs.peer == peer(of));
        Some(match *step {
            Step::Queue(to, place) => {
                self.entries += 1;
                let place = place && logs(to).is_none_or(|logs| logs.queued.0 == 0);
                let place = place.then(|| self.next(logs(to)));
                let sent = place.map(|_| ciphertext(self.entries));
                Change::Queue { peer: peer(to), entry: entry(1_000 + self.entries), place, ciphertext: sent }
            }
            Step::Place(to) => {
                let oldest = self.data.queued(peer(to), LoadLimit { entries: 1, bytes: 1 }).into_iter().next()?;
                let ciphertext = Some(ciphertext(self.entries));
                Change::Place { peer: peer(to), id: oldest.id, place: self.next(logs(to)), ciphertext }
            }
            Step::Acknowledge(by, back) => {
                let log = logs(by)?.mine.last()?;
                let n = log.head.saturating_sub(u64::from(back));
                Change::Acknowledged { peer: peer(by), position: at(log.epoch.get(), n) }
            }
            Step::Receive(from, epoch, number, entry_) => {
                let epoch = u64::MAX - u64::from(epoch);
                let theirs = logs(from).and_then(|logs| logs.theirs.iter().find(|at| at.epoch == Epoch::new(epoch)));
                let position = at(epoch, theirs.map_or(1, |theirs| theirs.n + 1));
                match entry_ {
                    true => Change::Received { peer: peer(from), entry: entry(u64::from(number)), position },
                    false => Change::Skipped { peer: peer(from), position },
                }
            }
            Step::Contact(who, name, forgotten) => Change::Contact(chatp2p_core::storage::Contact {
                wanted: !forgotten,
                forgotten,
                ..chatp2p_core::storage::Contact::new(peer(who), format!("name-{name}").parse().unwrap())
            }),
            Step::Erase(who) => Change::Erase(peer(who)),
            Step::Request(who, refused) => {
                let first = FirstWords { entry: entry(u64::from(who)), position: at(9, 1) };
                let (peer_id, name, arrived) = (peer(who), "eve".parse().unwrap(), Wall::from_millis(5));
                Change::Request(Request { peer_id, name, arrived, first: refused.then_some(first), refused })
            }
            Step::ReadByThem(by, back) => {
                let log = logs(by)?.mine.last()?;
                let n = log.acknowledged.saturating_sub(u64::from(back)).max(1);
                Change::ReadByThem { peer: peer(by), place: Place { epoch: log.epoch, n } }
            }
            Step::ReadByMe(of, epoch, back) => {
                let theirs = &logs(of)?.theirs;
                let at = theirs.get(usize::from(epoch) % theirs.len().max(1))?;
                let n = at.n.saturating_sub(u64::from(back)).max(1);
                Change::ReadByMe { peer: peer(of), place: Place { epoch: at.epoch, n } }
            }
            Step::HidesReading(hides) => Change::HidesReading(hides),
            Step::Mailed(to, back, at) => {
                let log = logs(to)?.mine.last()?;
                let place = Place { epoch: log.epoch, n: log.head.saturating_sub(u64::from(back)) };
                Change::Mailed { peer: peer(to), place, at: Wall::from_millis(u64::from(at)) }
            }
            Step::RequestGone(who) => Change::RequestGone(peer(who)),
            Step::Seq(seq) => Change::Seq(u64::from(seq)),
            Step::Encrypt(to, back) => {
                let log = logs(to)?.mine.last()?;
                let (epoch, n) = (log.epoch, log.head.saturating_sub(u64::from(back)));
                Change::Encrypted { peer: peer(to), epoch, n, ciphertext: ciphertext(u64::from(back)) }
            }
            Step::Keys(whose, keys) => {
                let id = if whose == 0 { KeyRowId::Account } else { KeyRowId::Peer(peer(whose)) };
                Change::Keys(KeyRow { id, version: u64::from(keys), sealed: vec![keys] })
            }
            Step::Wild(who, kind, epoch, n) => {
                let (who, n) = (peer(who), u64::from(n));
                let mine = snapshot.logs.iter().find(|logs| logs.peer == who).and_then(|logs| logs.mine.last());
                let position = at(mine.map_or(1, |log| log.epoch.get()).wrapping_add(u64::from(epoch)), n);
                let some = entry(1_000 + self.entries.saturating_sub(n));
                match kind {
                    0 => Change::Queue { peer: who, entry: some, place: None, ciphertext: None },
                    1 => Change::Queue { peer: who, entry: some, place: Some(position), ciphertext: None },
                    2..=4 => Change::Place { peer: who, id: some.id, place: position, ciphertext: None },
                    5 | 6 => Change::Acknowledged { peer: who, position },
                    _ => Change::Skipped { peer: who, position: at(u64::MAX - u64::from(epoch), n) },
                }
            }
        })
    }

    fn commit(&mut self, steps: &[Step]) -> Vec<Change> {
        let mut changes = Vec::new();
        for step in steps {
            let Some(change) = self.change(step) else { continue };
            let legal = self.data.apply(std::slice::from_ref(&change)).is_ok();
            changes.push(change);
            if !legal {
                break;
            }
        }
        changes
    }
}

async fn compare(data: &ProfileData, store: &SqlProfile, page: usize) {
    let snapshot: Snapshot = store.load().await.unwrap();
    assert_eq!(snapshot, data.snapshot());
    let few = LoadLimit { entries: 1 + page, bytes: 150 * page };
    for who in (1..=3).map(peer) {
        for limit in [ALL, few] {
            assert_eq!(store.queued(who, limit).await.unwrap(), data.queued(who, limit));
        }
        let epochs: Vec<_> = snapshot
            .logs
            .iter()
            .filter(|logs| logs.peer == who)
            .flat_map(|logs| &logs.mine)
            .map(|log| log.epoch)
            .collect();
        for epoch in epochs {
            for (range, limit) in [(0..=u64::MAX, ALL), (2..=5, few)] {
                let logged = store.logged(who, epoch, range.clone(), limit).await.unwrap();
                assert_eq!(logged, data.logged(who, epoch, range, limit));
            }
        }
    }
    for peers in [None, Some([1].map(peer).into()), Some([2, 3].map(peer).into())] {
        let mut query = HistoryQuery { peers, before: None, limit: 1 + page };
        loop {
            let shown = store.history(query.clone()).await.unwrap();
            assert_eq!(shown, data.history(&query).unwrap());
            // An id that stands in several conversations means its oldest place, so that paging always ends.
            let Some(oldest) = shown.first() else { break };
            query.before = Some(oldest.entry.id);
        }
    }
    for limit in [ALL, few] {
        let mut query = ConversationQuery { before: None, limit };
        loop {
            let reading = store.conversations(query).await.unwrap();
            assert_eq!(reading, data.conversations(query).unwrap());
            let Some(last) = reading.newest.last() else { break };
            query.before = Some(last.entry.id);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn memory_and_sql_are_never_told_apart(
        commits in prop::collection::vec((prop::collection::vec(step(), 1..40), any::<(u8, u8, bool)>()), 1..8)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("profile.sqlite");
            let mut store = SqlProfile::open(&file, &me()).await.unwrap();
            let mut data = ProfileData::default();
            let (mut entries, mut epochs) = (0, 0);
            for (steps, (erase, page, reopen)) in commits {
                let mut author = Author { data: data.clone(), entries, epochs };
                let changes = author.commit(&steps);
                (entries, epochs) = (author.entries, author.epochs);
                let before = data.clone();
                match (data.apply(&changes), store.commit(changes).await) {
                    (Ok(memory), Ok(sql)) => assert_eq!(memory, sql),
                    (Err(StorageError::Damaged { reason }), Err(StorageError::Damaged { reason: sql })) => {
                        assert_eq!(reason, sql);
                        assert!(data == before, "a refused commit left something behind");
                    }
                    other => panic!("{other:?}"),
                }
                for who in (1..=3).map(peer) {
                    let number = if erase % 2 == 0 { u64::from(erase / 8) } else { 1_001 + u64::from(erase / 8) };
                    let id = entry(number).id;
                    assert_eq!(store.erase(who, id).await.unwrap(), data.erase(who, id));
                }
                if reopen {
                    drop(store);
                    store = SqlProfile::open(&file, &me()).await.unwrap();
                }
                compare(&data, &store, usize::from(page % 7)).await;
            }
        });
    }
}

/// What one has written and erased may be read by whoever got it, and is told by its id.
#[tokio::test]
async fn what_was_erased_is_read_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqlProfile::open(&folder.path().join("profile.sqlite"), &me()).await.unwrap();
    let mut data = ProfileData::default();
    let queue = Change::Queue { peer: peer(1), entry: entry(1), place: Some(at(5, 1)), ciphertext: None };
    let arrived = vec![queue, Change::Acknowledged { peer: peer(1), position: at(5, 1) }];
    let _ = (data.apply(&arrived).unwrap(), store.commit(arrived).await.unwrap());
    assert!(data.erase(peer(1), entry(1).id) && store.erase(peer(1), entry(1).id).await.unwrap());
    let read = vec![Change::ReadByThem { peer: peer(1), place: Place { epoch: Epoch::new(5), n: 1 } }];
    let told = [(peer(1), entry(1).id)].into();
    assert_eq!(data.apply(&read).unwrap().read, told);
    assert_eq!(store.commit(read).await.unwrap().read, told);
}

fn wal(file: &Path) -> std::path::PathBuf {
    file.with_extension("sqlite-wal")
}

#[tokio::test]
async fn a_copy_of_the_database_put_back_is_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let (file, copy) = (folder.path().join("profile.sqlite"), folder.path().join("copy.sqlite"));
    let store = SqlProfile::open(&file, &me()).await.unwrap();
    let queue =
        |n| Change::Queue { peer: peer(1), entry: entry(n), place: Some(at(5, n)), ciphertext: Some(ciphertext(n)) };
    let _ = store.commit(vec![queue(1)]).await.unwrap();
    let past = store.load().await.unwrap();
    // As a crash or a file copy would leave it: the database and the journal that was not yet merged into it.
    std::fs::copy(&file, &copy).unwrap();
    std::fs::copy(wal(&file), wal(&copy)).unwrap();
    let _ = store.commit(vec![queue(2)]).await.unwrap();
    assert_ne!(store.load().await.unwrap(), past);
    let restored = SqlProfile::open(&copy, &me()).await.unwrap();
    assert_eq!(restored.load().await.unwrap(), past);
    let _ = restored.commit(vec![queue(2)]).await.unwrap();
}

#[tokio::test]
async fn what_is_no_database_is_damaged_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    std::fs::write(&file, "this is a letter to my grandmother, ".repeat(99)).unwrap();
    let opened = SqlProfile::open(&file, &me()).await;
    assert!(matches!(opened, Err(StorageError::Damaged { .. })), "{opened:?}");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("this is a letter"));
    let nowhere = SqlProfile::open(&folder.path().join("no/such/folder"), &me()).await;
    assert!(matches!(nowhere, Err(StorageError::Unavailable { .. })), "{nowhere:?}");
}

#[tokio::test]
async fn the_database_of_a_newer_version_is_refused() {
    use sea_orm::ConnectionTrait;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    drop(SqlProfile::open(&file, &me()).await.unwrap());
    let raw = sea_orm::Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
    raw.execute_unprepared("INSERT INTO seaql_migrations VALUES ('profile_release_99', 0)").await.unwrap();
    raw.close().await.unwrap();
    let opened = SqlProfile::open(&file, &me()).await;
    assert!(matches!(opened, Err(StorageError::Damaged { .. })), "{opened:?}");
}

#[tokio::test]
async fn a_locked_database_keeps_nothing_of_a_commit() {
    use sea_orm::ConnectionTrait;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    let store = SqlProfile::open(&file, &me()).await.unwrap();
    let _ = store
        .commit(vec![Change::Queue { peer: peer(1), entry: entry(1), place: None, ciphertext: None }])
        .await
        .unwrap();
    let before = store.load().await.unwrap();
    // Another connection holds the write lock: the commit gives up, and says so.
    let raw = sea_orm::Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
    raw.execute_unprepared("BEGIN IMMEDIATE").await.unwrap();
    let refused =
        store.commit(vec![Change::Queue { peer: peer(1), entry: entry(2), place: None, ciphertext: None }]).await;
    assert!(matches!(refused, Err(StorageError::Unavailable { .. })), "{refused:?}");
    raw.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(store.load().await.unwrap(), before);
    let _ = store
        .commit(vec![Change::Queue { peer: peer(1), entry: entry(2), place: None, ciphertext: None }])
        .await
        .unwrap();
}

#[tokio::test]
async fn the_database_of_the_first_version_is_opened_and_its_contacts_are_kept() {
    use sea_orm::ConnectionTrait;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile.sqlite");
    let store = SqlProfile::open(&file, &me()).await.unwrap();
    let contact = chatp2p_core::storage::Contact::new(peer(2), "bob".parse().unwrap());
    let _ = store.commit(vec![Change::Contact(contact)]).await.unwrap();
    let known = store.load().await.unwrap();
    drop(store);
    // As the first version left it.
    let raw = sea_orm::Database::connect(format!("sqlite://{}", file.display())).await.unwrap();
    for column in ["verified", "blocked", "removed", "tracker_name", "seen"] {
        raw.execute_unprepared(&format!("ALTER TABLE contacts DROP COLUMN {column}")).await.unwrap();
    }
    raw.execute_unprepared("DROP TABLE requests").await.unwrap();
    raw.execute_unprepared("DELETE FROM seaql_migrations WHERE version = 'profile_contacts'").await.unwrap();
    raw.close().await.unwrap();
    assert_eq!(SqlProfile::open(&file, &me()).await.unwrap().load().await.unwrap(), known);
}
