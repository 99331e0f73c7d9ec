//! The port round the data of a profile in memory.

use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::ProfileData;
use crate::identity::PeerId;
use crate::message::{Entry, EntryId, Epoch, Place};
use crate::storage::{
    Change, Committed, ConversationQuery, HistoryQuery, LoadLimit, LoggedEntry, ProfileStore, Snapshot, StorageError,
    StoredConversations, StoredMessage,
};

/// A [`ProfileStore`] whose content ends with it. The handle is no copy: clone the [`data`](Self::data) for one.
#[derive(Debug, Default)]
pub struct MemoryProfile {
    data: Mutex<ProfileData>,
}

impl MemoryProfile {
    /// A store that begins with this.
    pub const fn new(data: ProfileData) -> Self {
        Self { data: Mutex::new(data) }
    }

    /// A copy of what it holds now.
    pub fn data(&self) -> ProfileData {
        self.with(|data| data.clone())
    }

    fn with<T>(&self, act: impl FnOnce(&mut ProfileData) -> T) -> T {
        // A panic elsewhere leaves the data whole: `apply` is the only writer, and it does not panic.
        act(&mut self.data.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl ProfileStore for MemoryProfile {
    async fn load(&self) -> Result<Snapshot, StorageError> {
        Ok(self.with(|data| data.snapshot()))
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Committed, StorageError> {
        self.with(|data| data.apply(&changes))
    }

    async fn queued(&self, peer: PeerId, limit: LoadLimit) -> Result<Vec<Entry>, StorageError> {
        Ok(self.with(|data| data.queued(peer, limit)))
    }

    async fn logged(
        &self,
        peer: PeerId,
        epoch: Epoch,
        range: RangeInclusive<u64>,
        limit: LoadLimit,
    ) -> Result<Vec<LoggedEntry>, StorageError> {
        Ok(self.with(|data| data.logged(peer, epoch, range, limit)))
    }

    async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredMessage>, StorageError> {
        self.with(|data| data.history(&query))
    }

    async fn received(&self, id: EntryId) -> Result<Vec<(PeerId, Place)>, StorageError> {
        Ok(self.with(|data| data.received(id)))
    }

    async fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError> {
        self.with(|data| data.conversations(query))
    }
}
