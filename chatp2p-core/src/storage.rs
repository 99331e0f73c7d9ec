//! Where things are kept. A port for each of the two programs: [`ProfileStore`] for a peer, [`RegistryStore`] for a
//! tracker; and [`MailStore`] for a peer that is a mailbox too. Each with an implementation in memory and one in SQL.

mod contact;
mod heads;
mod mail;
mod memory;
#[cfg(feature = "sqlite")]
mod passphrase;
#[cfg(feature = "sqlite")]
pub mod private;
#[cfg(feature = "sqlite")]
mod profile;
mod random;
#[cfg(feature = "sql")]
mod sql;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use minicbor::{Decode, Encode};

use crate::clock::Wall;
use crate::code::Code;
use crate::crypto::{Ciphertext, KeyRow};
use crate::identity::{PeerId, Username};
use crate::message::{Author, Delivery, Entry, EntryId, Epoch, LogHash, Place, Position};
use crate::tracker::Registration;

pub use contact::{Contact, FirstWords, Request};
pub use heads::MAX_THEIR_EPOCHS;
pub use mail::{
    Deposited, KeptMail, MAX_LEAP, MailAmount, MailClock, MailStore, MailUsage, NewMail, Room, Sweep, Swept, Taken,
};
pub use memory::{MemoryMail, MemoryProfile, MemoryRegistry, ProfileData};
#[cfg(feature = "sqlite")]
pub use passphrase::{MAX_PASSPHRASE_BYTES, MIN_PASSPHRASE_CHARS, Passphrase, PassphraseError};
#[cfg(feature = "sqlite")]
pub use profile::{Profile, ProfileError};
pub(crate) use random::random;
#[cfg(feature = "sql")]
pub use sql::SqlRegistry;
#[cfg(feature = "sqlite")]
pub use sql::{SqlMail, SqlProfile};

/// A peer's memory: its contacts, the logs it writes and reads, and the messages in them.
///
/// **To implementers.** A node calls [`load`](Self::load) once and then only one [`commit`](Self::commit) at a time; the reading
/// methods may run beside it and see either all of a commit or none. `commit` applies its changes in order, all or nothing, and
/// returns when they would survive a power cut. Dropping its future leaves either all or nothing. A store may be used by
/// one node only; sharing the handle (`Arc`) is no copy.
#[async_trait]
pub trait ProfileStore: Debug + Send + Sync {
    /// All that the node holds in memory: everything but the entries.
    async fn load(&self) -> Result<Snapshot, StorageError>;

    /// Makes the changes durable, all or none.
    async fn commit(&self, changes: Vec<Change>) -> Result<Committed, StorageError>;

    /// The oldest entries to `peer` that have no place in the log yet, in the order in which they were queued, until
    /// `limit` is met.
    async fn queued(&self, peer: PeerId, limit: LoadLimit) -> Result<Vec<Entry>, StorageError>;

    /// The entries to `peer` at these places of my own log, ascending and without holes, until `limit`
    /// is met. Erased ones keep their number and hash and say nothing.
    async fn logged(
        &self,
        peer: PeerId,
        epoch: Epoch,
        range: RangeInclusive<u64>,
        limit: LoadLimit,
    ) -> Result<Vec<LoggedEntry>, StorageError>;

    /// A page of what people see: the newest `limit` messages before `before`, oldest first.
    ///
    /// # Errors
    /// [`StorageError::UnknownMessage`] when `before` names no message.
    async fn history(&self, query: HistoryQuery) -> Result<Vec<StoredMessage>, StorageError>;

    /// Where the entry of this id stands in the log of each of those who wrote one; possibly of nobody. Ids are random: several
    /// are mischief.
    async fn received(&self, id: EntryId) -> Result<Vec<(PeerId, Place)>, StorageError>;

    /// With whom there is a conversation: the newest message of each, newest first, until the limit is met. All contacts of
    /// one name are one conversation: they are the keys that the same person has had.
    ///
    /// # Errors
    /// [`StorageError::UnknownMessage`] when `before` names no message.
    async fn conversations(&self, query: ConversationQuery) -> Result<StoredConversations, StorageError>;
}

/// A tracker's memory: who registered which name.
///
/// **To implementers.** One tracker calls [`load`](Self::load) first, and again after a commit that failed, and then one
/// [`commit`](Self::commit) or [`forget`](Self::forget) at a time; all or nothing, durable when it returns, one registration a name.
#[async_trait]
pub trait RegistryStore: Debug + Send + Sync {
    /// All registrations, and the tracker's own random id (made and kept at the first call).
    async fn load(&self) -> Result<RegistrySnapshot, StorageError>;

    /// Puts every registration in the place of the one with the same name.
    async fn commit(&self, registrations: Vec<Registration>) -> Result<(), StorageError>;

    /// Deletes the registrations of these names, as far as there are any: they made room for others, or were released.
    async fn forget(&self, names: Vec<Username>) -> Result<(), StorageError>;

    /// Notes that a name is to be freed by the tracker that uses this store, now or when it starts. False when there is no
    /// such name.
    async fn release(&self, name: &Username) -> Result<bool, StorageError>;

    /// The names that are to be freed. Each is so until it is forgotten.
    async fn released(&self) -> Result<Vec<Username>, StorageError>;
}

/// The most messages that one reading of the history brings: they are held in memory all at once.
pub const MAX_HISTORY_PAGE: usize = 1_000;

/// How much one reading may bring. At least one entry is always brought, so that a single large one cannot stop
/// everything behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadLimit {
    /// The most entries.
    pub entries: usize,
    /// No more entries once those brought weigh this many bytes ([`Entry::weight`]).
    pub bytes: usize,
}

impl LoadLimit {
    /// As many of the items, from the first on, as this limit lets through.
    fn take<T>(self, items: impl IntoIterator<Item = T>, weight: impl Fn(&T) -> usize) -> Vec<T> {
        let mut taken = Vec::new();
        let mut bytes = 0_usize;
        for item in items {
            bytes = bytes.saturating_add(weight(&item));
            taken.push(item);
            if taken.len() >= self.entries || bytes >= self.bytes {
                break;
            }
        }
        taken
    }
}

/// What a node knows when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Everybody this node was ever connected to.
    pub contacts: Vec<Contact>,
    /// The logs, one pair for each contact that has any.
    pub logs: Vec<Logs>,
    /// The highest sequence number of a record that this node has signed; 0 for none.
    pub seq: u64,
    /// The keys of the node, sealed: the newest version of each row.
    pub keys: Vec<KeyRow>,
    /// The strangers who asked to be let in, and those who were told no, by key.
    pub requests: Vec<Request>,
    /// Whether nobody is told what was read.
    pub hides_reading: bool,
}

/// The state of both logs of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// The other end.
    pub peer: PeerId,
    /// My log, oldest epoch first; all epochs but the last are wholly acknowledged.
    pub mine: Vec<EpochLog>,
    /// The entries of my log's last epoch after the acknowledged one, ascending.
    pub unacknowledged: Vec<Unacknowledged>,
    /// How many entries wait for a place in my log, and their weight in bytes.
    pub queued: (u64, u64),
    /// Where their log stands here, one position for each epoch, oldest first: the newest [`MAX_THEIR_EPOCHS`]. What is older
    /// is forgotten, and new when it comes again.
    pub theirs: Vec<Position>,
    /// Up to where I have read their log, as far as they may know.
    pub read: Option<Place>,
}

/// One epoch of my log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochLog {
    /// Which one.
    pub epoch: Epoch,
    /// The number of its last entry.
    pub head: u64,
    /// The number of the last entry that the other end has committed.
    pub acknowledged: u64,
    /// The hash of that entry; `None` while none is acknowledged.
    pub acknowledged_hash: Option<LogHash>,
    /// The number of the last entry that the other end says it has read; 0 while there is none. What stands before it, in
    /// this epoch and in those before, is read too.
    pub read: u64,
    /// The last entry that a mailbox has taken for the other end; `None` while none has.
    pub mailed: Option<Mailed>,
}

/// Up to where an epoch of my log was left at a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mailed {
    /// The number of the last entry of which a mailbox has said that it keeps it.
    pub n: u64,
    /// When it was last said of any of them.
    pub at: Wall,
}

/// An entry that has a place and no acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unacknowledged {
    /// Its name.
    pub id: EntryId,
    /// Its number.
    pub n: u64,
    /// Its hash.
    pub hash: LogHash,
    /// Its weight in bytes.
    pub weight: usize,
}

/// One thing to make durable.
///
/// It can be written down as CBOR, for stores that keep a journal and for replicas: numbers are never given out twice, so
/// that what an older version wrote is read by a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
#[non_exhaustive]
pub enum Change {
    /// Puts a contact in the place of the one with the same key.
    #[n(0)]
    Contact(#[n(0)] Contact),
    /// Adds an entry to the end of the outbox, with its place in the log if it has one already.
    ///
    /// A place in an epoch that the store does not know starts that epoch.
    #[n(1)]
    Queue {
        /// For whom.
        #[n(0)]
        peer: PeerId,
        /// What.
        #[n(1)]
        entry: Entry,
        /// Where in my log.
        #[n(2)]
        place: Option<Position>,
        /// As what it is sent, if it has a place. Kept until it is acknowledged.
        #[n(3)]
        ciphertext: Option<Ciphertext>,
    },
    /// Gives a queued entry its place in the log.
    #[n(2)]
    Place {
        /// To whom it goes.
        #[n(0)]
        peer: PeerId,
        /// Which entry.
        #[n(1)]
        id: EntryId,
        /// Where in my log; an epoch that the store does not know begins with it.
        #[n(2)]
        place: Position,
        /// As what it is sent. Kept until it is acknowledged.
        #[n(3)]
        ciphertext: Option<Ciphertext>,
    },
    /// The other end has committed everything of my log up to here.
    #[n(3)]
    Acknowledged {
        /// Who.
        #[n(0)]
        peer: PeerId,
        /// Up to where.
        #[n(1)]
        position: Position,
    },
    /// An entry of their log. Stored once by its id, however often it comes; the position is theirs from now on.
    #[n(4)]
    Received {
        /// Who wrote it.
        #[n(0)]
        peer: PeerId,
        /// What.
        #[n(1)]
        entry: Entry,
        /// Where in their log.
        #[n(2)]
        position: Position,
    },
    /// Their log stands here, and what stood there no longer exists.
    #[n(5)]
    Skipped {
        /// Whose log.
        #[n(0)]
        peer: PeerId,
        /// Where.
        #[n(1)]
        position: Position,
    },
    /// A record with this sequence number is about to be signed.
    #[n(6)]
    Seq(#[n(0)] u64),
    /// Puts a ciphertext in the place of the one as which an entry was sent; nothing, once the entry is acknowledged.
    #[n(7)]
    Encrypted {
        /// To whom it goes.
        #[n(0)]
        peer: PeerId,
        /// Of which epoch of my log.
        #[n(1)]
        epoch: Epoch,
        /// Its number.
        #[n(2)]
        n: u64,
        /// As what it is sent from now on.
        #[n(3)]
        ciphertext: Ciphertext,
    },
    /// Puts a row of keys in the place of the one with the same id.
    #[n(8)]
    Keys(#[n(0)] KeyRow),
    /// Puts a request in the place of the one of the same key.
    #[n(20)]
    Request(#[n(0)] Request),
    /// Forgets the request of this key, if there is one.
    #[n(21)]
    RequestGone(#[n(0)] PeerId),
    /// Erases what was said with this peer, by either. What has a place keeps its number, hash and id; what waits for one is gone.
    #[n(22)]
    Erase(#[n(0)] PeerId),
    /// The other end has read my log up to here.
    #[n(23)]
    ReadByThem {
        /// Who.
        #[n(0)]
        peer: PeerId,
        /// Up to where.
        #[n(1)]
        place: Place,
    },
    /// Their log was read up to here, and they may know.
    #[n(24)]
    ReadByMe {
        /// Whose log.
        #[n(0)]
        peer: PeerId,
        /// Up to where.
        #[n(1)]
        place: Place,
    },
    /// From now on nobody is told what was read, or everybody is.
    #[n(25)]
    HidesReading(#[n(0)] bool),
    /// A mailbox has taken, for the other end, an entry of my log, and those before it.
    #[n(26)]
    Mailed {
        /// For whom.
        #[n(0)]
        peer: PeerId,
        /// Which.
        #[n(1)]
        place: Place,
        /// When.
        #[n(2)]
        at: Wall,
    },
}

/// The receipt of a commit: what was decided is durable now, and may be sent and told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Committed {
    /// Those of the [`Change::Received`] entries that were held already, under the same author and id.
    pub repeated: BTreeSet<(PeerId, EntryId)>,
    /// The last entry of each [`Change::ReadByThem`].
    pub read: BTreeMap<PeerId, EntryId>,
}

/// An entry at its place in my log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Its number in the epoch that was asked for.
    pub n: u64,
    /// Its chained hash.
    pub hash: LogHash,
    /// What it says; `None` once it was erased. An erased entry keeps its number and its hash, so that the chain holds.
    pub entry: Option<Entry>,
    /// As what it was sent; `None` once it is acknowledged.
    pub ciphertext: Option<Ciphertext>,
}

/// Which messages to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only those of conversations with these peers; of all when `None`.
    pub peers: Option<BTreeSet<PeerId>>,
    /// Only those committed before this one.
    pub before: Option<EntryId>,
    /// At most this many; 1–[`MAX_HISTORY_PAGE`], and what lies outside counts as the nearest bound.
    pub limit: usize,
}

/// Which conversations to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConversationQuery {
    /// Only those whose newest message was committed before this one.
    pub before: Option<EntryId>,
    /// How much to bring.
    pub limit: LoadLimit,
}

/// The conversations of one reading.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredConversations {
    /// The newest message of each, newest first.
    pub newest: Vec<StoredMessage>,
    /// Once there is no conversation behind those: the names of the contacts with whom there is no message, ascending,
    /// without those whose keys are all forgotten.
    pub silent: Option<Vec<Username>>,
}

/// A message as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// The other end of the conversation.
    pub peer: PeerId,
    /// Who wrote it.
    pub author: Author,
    /// What it says.
    pub entry: Entry,
    /// Its epoch and number in the author's log; `None` while it is queued without a place.
    pub place: Option<(Epoch, u64)>,
    /// Whether the other end has committed it; always true for what others wrote.
    pub acknowledged: bool,
    /// Whether the other end says that it has read it; never true for what others wrote.
    pub read: bool,
    /// Whether a mailbox has said that it keeps it for the other end; never true for what others wrote.
    pub mailed: bool,
}

impl StoredMessage {
    /// How far it got beyond this node's own links; `None` while it has got nowhere.
    pub const fn arrived(&self) -> Option<Delivery> {
        match (self.acknowledged, self.read, self.mailed) {
            (true, true, _) => Some(Delivery::Read),
            (true, false, _) => Some(Delivery::Delivered),
            (false, _, true) => Some(Delivery::Mailbox),
            (false, _, false) => None,
        }
    }
}

/// What a tracker knows when it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistrySnapshot {
    /// The random id of this tracker, which claims name.
    pub tracker_id: [u8; 16],
    /// Who registered.
    pub registrations: Vec<Registration>,
}

/// How often a tracker looks whether a name is to be freed.
pub const RELEASES_EVERY: std::time::Duration = std::time::Duration::from_secs(5);

/// The longest time between a beat and its being kept; see
/// [`Registration::last_heartbeat`].
pub const BEAT_WRITE_BEHIND: std::time::Duration = std::time::Duration::from_secs(5);

/// Why something could not be kept or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The disk or database refused. Nothing of the commit was kept.
    #[error("the storage refused: {reason}")]
    Unavailable {
        /// In a few words, without any content.
        reason: String,
        /// What the database said.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// What is stored makes no sense: written by a newer version, or damaged.
    #[error("the stored data cannot be read: {reason}")]
    Damaged {
        /// In a few words, without any content.
        reason: String,
    },
    /// No message has this id.
    #[error("no message has the id {0}")]
    UnknownMessage(EntryId),
}

impl StorageError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unavailable { .. } | Self::Damaged { .. } => Code::StorageFailed,
            Self::UnknownMessage(_) => Code::UnknownMessage,
        }
    }
}
