//! A store that refuses on demand.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use crate::identity::PeerId;
use crate::message::{Entry, EntryId, Epoch, Place};
use crate::storage::{
    Change, Committed, ConversationQuery, HistoryQuery, LoadLimit, LoggedEntry, MemoryProfile, ProfileStore, Snapshot,
    StorageError, StoredConversations, StoredMessage,
};

/// A [`MemoryProfile`] of which commits and loads fail when they are told to. Clones are handles of the same store.
#[derive(Debug, Clone, Default)]
pub struct FaultyProfile {
    inner: Arc<MemoryProfile>,
    faults: Arc<Faults>,
}

#[derive(Debug, Default)]
struct Faults {
    commits: AtomicUsize,
    loads: AtomicUsize,
    /// Every so manieth commit fails; 0 for none.
    every: AtomicUsize,
    tried: AtomicUsize,
    heaviest: AtomicUsize,
}

impl FaultyProfile {
    /// The next `count` commits fail.
    pub fn fail_commits(&self, count: usize) {
        self.faults.commits.store(count, Ordering::SeqCst);
    }

    /// The next `count` loads fail.
    pub fn fail_loads(&self, count: usize) {
        self.faults.loads.store(count, Ordering::SeqCst);
    }

    /// Every commit of which the number can be divided by `every` fails; none when 0.
    pub fn fail_every(&self, every: usize) {
        self.faults.every.store(every, Ordering::SeqCst);
    }

    /// How many failures that were ordered by number are still to come.
    pub fn failures_left(&self) -> usize {
        self.faults.commits.load(Ordering::SeqCst) + self.faults.loads.load(Ordering::SeqCst)
    }

    /// How many bytes of messages it has brought at most in one reading of conversations.
    pub fn heaviest_reading(&self) -> usize {
        self.faults.heaviest.load(Ordering::SeqCst)
    }

    /// What it holds.
    pub fn memory(&self) -> &MemoryProfile {
        &self.inner
    }
}

fn strikes(left: &AtomicUsize) -> bool {
    left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}

fn refused() -> StorageError {
    StorageError::Unavailable { reason: "the test says so".to_owned(), source: None }
}

#[async_trait]
impl ProfileStore for FaultyProfile {
    async fn load(&self) -> Result<Snapshot, StorageError> {
        if strikes(&self.faults.loads) { Err(refused()) } else { self.inner.load().await }
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Committed, StorageError> {
        let number = self.faults.tried.fetch_add(1, Ordering::SeqCst) + 1;
        let every = self.faults.every.load(Ordering::SeqCst);
        if strikes(&self.faults.commits) || (every > 0 && number.is_multiple_of(every)) {
            return Err(refused());
        }
        self.inner.commit(changes).await
    }

    async fn queued(&self, peer: PeerId, limit: LoadLimit) -> Result<Vec<Entry>, StorageError> {
        self.inner.queued(peer, limit).await
    }

    async fn logged(
        &self,
        peer: PeerId,
        epoch: Epoch,
        range: RangeInclusive<u64>,
        limit: LoadLimit,
    ) -> Result<Vec<LoggedEntry>, StorageError> {
        self.inner.logged(peer, epoch, range, limit).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredMessage>, StorageError> {
        self.inner.history(query).await
    }

    async fn received(&self, id: EntryId) -> Result<Vec<(PeerId, Place)>, StorageError> {
        self.inner.received(id).await
    }

    async fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError> {
        let reading = self.inner.conversations(query).await?;
        let weight = reading.newest.iter().map(|message| message.entry.weight()).sum();
        self.faults.heaviest.fetch_max(weight, Ordering::SeqCst);
        Ok(reading)
    }
}
