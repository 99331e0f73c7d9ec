//! The journal does what every profile store must do, and what one on a disk of this world must do beside that.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../custom_storage/journal.rs"]
mod journal;
#[path = "support/program.rs"]
mod program;

use std::fs::{self, File};
use std::path::PathBuf;
use std::sync::Arc;

use chatp2p_core::storage::{Change, HistoryQuery, ProfileStore, StorageError};
use chatp2p_core::testing::profile_store::{Home, at, entry, peer};

use journal::JournalStore;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn journal(&self) -> PathBuf {
        self.0.path().join("journal")
    }

    /// With this many commits of a message each; says how long the journal was after each of them.
    async fn with(messages: u64) -> (Self, Vec<u64>) {
        let folder = Self::new();
        let store = folder.open().await;
        let mut lengths = Vec::new();
        for n in 1..=messages {
            let _ = store.commit(vec![received(n)]).await.unwrap();
            lengths.push(fs::metadata(folder.journal()).unwrap().len());
        }
        (folder, lengths)
    }
}

#[async_trait::async_trait]
impl Home for Folder {
    async fn open(&self) -> Arc<dyn ProfileStore> {
        Arc::new(JournalStore::open(self.0.path()).unwrap())
    }
}

chatp2p_core::profile_store_contract!(Folder::new());

fn received(n: u64) -> Change {
    Change::Received { peer: peer(1), entry: entry(n), position: at(5, n) }
}

async fn held(store: &dyn ProfileStore) -> usize {
    store.history(HistoryQuery { peers: None, before: None, limit: 99 }).await.unwrap().len()
}

#[tokio::test]
async fn what_a_crash_cut_short_is_dropped_wherever_it_was_cut() {
    let (folder, lengths) = Folder::with(3).await;
    let whole = fs::read(folder.journal()).unwrap();
    for end in lengths[1] as usize..whole.len() {
        for zeros in [0, whole.len() - end] {
            fs::write(folder.journal(), [&whole[..end], &vec![0; zeros]].concat()).unwrap();
            let store = folder.open().await;
            assert_eq!(held(&*store).await, 2, "cut at {end}, with {zeros} zeros");
            let _ = store.commit(vec![received(3)]).await.unwrap();
            drop(store);
            assert_eq!(fs::read(folder.journal()).unwrap(), whole, "cut at {end}, with {zeros} zeros");
        }
    }
}

#[tokio::test]
async fn damage_before_the_end_is_said_and_nothing_is_dropped() {
    let (folder, lengths) = Folder::with(3).await;
    let whole = fs::read(folder.journal()).unwrap();
    for at in 0..lengths[1] as usize {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(folder.journal(), &damaged).unwrap();
        let error = JournalStore::open(folder.0.path()).unwrap_err();
        assert!(matches!(error, StorageError::Damaged { .. }), "byte {at}: {error}");
        assert_eq!(fs::read(folder.journal()).unwrap(), damaged, "byte {at}");
    }
}

#[tokio::test]
async fn a_commit_that_cannot_be_written_is_not_shown() {
    let (folder, lengths) = Folder::with(1).await;
    let store = JournalStore::over(File::open(folder.journal()).unwrap()).unwrap();
    let error = store.commit(vec![received(2)]).await.unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
    // The disk is still out of order: no answer is better than one that is not durable.
    assert!(store.load().await.is_err());
    drop(store);
    assert_eq!(held(&*folder.open().await).await, 1);
    assert_eq!(fs::metadata(folder.journal()).unwrap().len(), lengths[0]);
}

#[tokio::test]
async fn one_store_at_a_time() {
    let (folder, _) = Folder::with(1).await;
    let store = folder.open().await;
    let error = JournalStore::open(folder.0.path()).unwrap_err();
    assert!(matches!(error, StorageError::Unavailable { .. }), "{error}");
    drop(store);
    assert_eq!(held(&*folder.open().await).await, 1);
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, _) = Folder::with(1).await;
    assert_eq!(fs::metadata(folder.journal()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn bob_comes_back_with_everything() {
    let said = program::said(&mut program::example("custom_storage")).await;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[..3],
        ["alice: can you keep a secret?", "bob: it is in my journal", "alice: are you still there?"],
        "{said}"
    );
    assert!(lines[3].starts_with("bob was away in between;") && lines.len() == 4, "{said}");
}
