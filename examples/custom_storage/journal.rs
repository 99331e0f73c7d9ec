//! A peer's memory in one file: a journal that every commit is appended to, and in memory what comes of playing it back.
//!
//! One commit is the length, the hash and the CBOR of its changes. It is durable when it is answered for. What a crash cut
//! short is the last one, which nobody was answered for, and is dropped when the journal is opened again.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chatp2p_core::identity::PeerId;
use chatp2p_core::message::{Entry, EntryId, Epoch, Place};
use chatp2p_core::storage::{
    Change, Committed, ConversationQuery, HistoryQuery, LoadLimit, LoggedEntry, ProfileData, ProfileStore, Snapshot,
    StorageError, StoredConversations, StoredMessage,
};
use tokio::sync::Mutex;

/// Before the changes of a commit: their length in bytes, and a BLAKE3 hash of where they stand and what they are.
const LENGTH_BYTES: usize = 4;
const HASH_BYTES: usize = 32;

/// A [`ProfileStore`] in a file of its own. Holds in memory what the file holds: right for thousands of messages, not
/// for millions.
#[derive(Debug)]
pub(crate) struct JournalStore(Arc<Mutex<Journal>>);

#[derive(Debug)]
struct Journal {
    file: File,
    /// How far the file is made of whole commits.
    whole: u64,
    /// What comes of them, by the library's own rules.
    data: ProfileData,
    /// Whether the data has a commit that the file has not: it could not be written.
    ahead: bool,
}

impl JournalStore {
    /// Opens the journal in this folder, which must exist, or begins one.
    ///
    /// # Errors
    /// [`StorageError`] when another store has it open, or when it is damaged elsewhere than at its end.
    pub(crate) fn open(folder: &Path) -> Result<Self, StorageError> {
        let mut options = File::options();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(folder.join("journal")).map_err(refused)?;
        // The name of a new file is to survive a power cut as well.
        if cfg!(unix) {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(refused)?;
        }
        Self::over(file)
    }

    /// The same on a file that is open already.
    pub(crate) fn over(file: File) -> Result<Self, StorageError> {
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => refused(std::io::Error::other("another store has the journal open")),
            TryLockError::Error(error) => refused(error),
        })?;
        let mut journal = Journal { file, whole: 0, data: ProfileData::default(), ahead: false };
        journal.play_back()?;
        Ok(Self(Arc::new(Mutex::new(journal))))
    }
}

impl Journal {
    fn commit(&mut self, changes: &[Change]) -> Result<Committed, StorageError> {
        let committed = self.data()?.apply(changes)?;
        self.ahead = true;
        self.append(changes)?;
        self.ahead = false;
        Ok(committed)
    }

    fn append(&mut self, changes: &[Change]) -> Result<(), StorageError> {
        let changes = minicbor::to_vec(changes).map_err(refused)?;
        let length = u32::try_from(changes.len()).map_err(refused)?.to_be_bytes();
        let commit = [&length[..], hash(self.whole, &changes).as_bytes(), &changes].concat();
        self.file.write_all(&commit).and_then(|()| self.file.sync_data()).map_err(refused)?;
        self.whole += commit.len() as u64;
        Ok(())
    }

    /// What is durable, and nothing else: after a commit that could not be written, both ends go back to before it.
    fn data(&mut self) -> Result<&mut ProfileData, StorageError> {
        if self.ahead {
            self.file.set_len(self.whole).and_then(|()| self.file.sync_all()).map_err(refused)?;
            self.play_back()?;
            self.ahead = false;
        }
        Ok(&mut self.data)
    }

    fn play_back(&mut self) -> Result<(), StorageError> {
        let mut bytes = Vec::new();
        self.file.rewind().and_then(|()| self.file.read_to_end(&mut bytes)).map_err(refused)?;
        (self.data, self.whole) = (ProfileData::default(), 0);
        let mut rest = bytes.as_slice();
        while let Some((changes, after)) = first_commit(self.whole, rest) {
            let changes: Vec<Change> =
                minicbor::decode(changes).map_err(|_| damaged("a commit is of a newer version"))?;
            let _durable = self.data.apply(&changes)?;
            rest = after;
            self.whole = (bytes.len() - rest.len()) as u64;
        }
        if rest.is_empty() {
            return Ok(());
        }
        // A crash cuts the last commit short. Where whole ones come later, it was none, and they are not to be dropped.
        let mut later = (self.whole..).zip((0..rest.len()).filter_map(|skipped| rest.get(skipped..)));
        if later.any(|(at, rest)| first_commit(at, rest).is_some()) {
            return Err(damaged("a commit in the middle of the journal is not what was written"));
        }
        self.file.set_len(self.whole).and_then(|()| self.file.sync_all()).map_err(refused)
    }
}

/// The changes of the commit that stands here and what comes after it, if it is whole.
fn first_commit(at: u64, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (expected, rest) = rest.split_first_chunk::<HASH_BYTES>()?;
    let (changes, after) = rest.split_at_checked(u32::from_be_bytes(*length) as usize)?;
    (hash(at, changes).as_bytes() == expected).then_some((changes, after))
}

/// Of the place, too: nobody can write a message that would pass for a commit.
fn hash(at: u64, changes: &[u8]) -> blake3::Hash {
    blake3::Hasher::new().update(&at.to_be_bytes()).update(changes).finalize()
}

fn refused(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StorageError {
    let source = error.into();
    StorageError::Unavailable { reason: format!("the journal: {source}"), source: Some(source) }
}

fn damaged(reason: &str) -> StorageError {
    StorageError::Damaged { reason: reason.to_owned() }
}

#[async_trait]
impl ProfileStore for JournalStore {
    async fn load(&self) -> Result<Snapshot, StorageError> {
        Ok(self.0.lock().await.data()?.snapshot())
    }

    async fn commit(&self, changes: Vec<Change>) -> Result<Committed, StorageError> {
        let mut journal = Arc::clone(&self.0).lock_owned().await;
        // Beside the runtime, for a disk takes its time; and to its end, whoever stops waiting for it.
        tokio::task::spawn_blocking(move || journal.commit(&changes)).await.map_err(refused)?
    }

    async fn queued(&self, peer: PeerId, limit: LoadLimit) -> Result<Vec<Entry>, StorageError> {
        Ok(self.0.lock().await.data()?.queued(peer, limit))
    }

    async fn logged(
        &self,
        peer: PeerId,
        epoch: Epoch,
        range: RangeInclusive<u64>,
        limit: LoadLimit,
    ) -> Result<Vec<LoggedEntry>, StorageError> {
        Ok(self.0.lock().await.data()?.logged(peer, epoch, range, limit))
    }

    async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredMessage>, StorageError> {
        self.0.lock().await.data()?.history(&query)
    }

    async fn received(&self, id: EntryId) -> Result<Vec<(PeerId, Place)>, StorageError> {
        Ok(self.0.lock().await.data()?.received(id))
    }

    async fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError> {
        self.0.lock().await.data()?.conversations(query)
    }
}
