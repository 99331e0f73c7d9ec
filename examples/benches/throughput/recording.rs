//! A profile that remembers what was committed to it, so that the same commits can be made again with nothing around
//! them.

use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chatp2p_core::identity::{Identity, PeerId};
use chatp2p_core::message::{Entry, EntryId, Epoch, Place};
use chatp2p_core::storage::{
    Change, Committed, ConversationQuery, HistoryQuery, LoadLimit, LoggedEntry, ProfileStore, Snapshot, SqlProfile,
    StorageError, StoredConversations, StoredMessage,
};

/// A profile in SQLite, and all its commits.
#[derive(Debug)]
pub(crate) struct Recording {
    profile: SqlProfile,
    commits: Mutex<Vec<Vec<Change>>>,
}

/// How long a commit took, and what it was for.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) took: Duration,
    /// Whether it made messages durable, in the sender's outbox or with the recipient.
    pub(crate) messages: bool,
}

/// Whose profiles they are makes no difference to what commits cost.
fn owner() -> Identity {
    Identity::from_seed(&[1; 32])
}

impl Recording {
    pub(crate) async fn open(file: &Path) -> anyhow::Result<Self> {
        Ok(Self { profile: SqlProfile::open(file, &owner()).await?, commits: Mutex::default() })
    }

    pub(crate) fn take(&self) -> Vec<Vec<Change>> {
        std::mem::take(&mut self.commits.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Makes these commits to a fresh profile, one after the other.
pub(crate) async fn replay(file: &Path, commits: Vec<Vec<Change>>) -> anyhow::Result<Vec<Commit>> {
    let profile = SqlProfile::open(file, &owner()).await?;
    let mut done = Vec::with_capacity(commits.len());
    for changes in commits {
        let messages = changes.iter().any(|change| matches!(change, Change::Queue { .. } | Change::Received { .. }));
        let begun = Instant::now();
        let _durable = profile.commit(changes).await?;
        done.push(Commit { took: begun.elapsed(), messages });
    }
    Ok(done)
}

#[async_trait]
impl ProfileStore for Recording {
    async fn load(&self) -> Result<Snapshot, StorageError> {
        self.profile.load().await
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Committed, StorageError> {
        self.commits.lock().unwrap_or_else(PoisonError::into_inner).push(changes.clone());
        self.profile.commit(changes).await
    }

    async fn queued(&self, peer: PeerId, limit: LoadLimit) -> Result<Vec<Entry>, StorageError> {
        self.profile.queued(peer, limit).await
    }

    async fn logged(
        &self,
        peer: PeerId,
        epoch: Epoch,
        range: RangeInclusive<u64>,
        limit: LoadLimit,
    ) -> Result<Vec<LoggedEntry>, StorageError> {
        self.profile.logged(peer, epoch, range, limit).await
    }

    async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredMessage>, StorageError> {
        self.profile.history(query).await
    }

    async fn received(&self, id: EntryId) -> Result<Vec<(PeerId, Place)>, StorageError> {
        self.profile.received(id).await
    }

    async fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError> {
        self.profile.conversations(query).await
    }
}
