//! What people say to each other: an [`Entry`] is one item of an author's log and travels; a [`Message`] is what people
//! see of it; [`Delivery`] is how far it got.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use crate::clock::Wall;
use crate::identity::{PeerId, Username};

/// The longest text in bytes of UTF-8: a long book chapter; anything larger is a file.
pub const MAX_TEXT_BYTES: usize = 1 << 20;

/// The largest frame on a link in bytes: the longest text and the envelope of ids, hashes and numbers around it.
pub const MAX_FRAME_BYTES: usize = MAX_TEXT_BYTES + (4 << 10);

/// The random name of an entry. It stays the same wherever the entry is kept or sent again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct EntryId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

/// One life of a log: random, and never continued by a later life of its author. A database that is put back to an older
/// copy therefore never gives a number a second meaning, whatever copies the other end is put back to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Epoch(#[n(0)] u64);

/// The hash of an entry *and of everything before it in its epoch*.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct LogHash(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

/// A place in an author's log, and by its hash all that leads up to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Position {
    /// The life of the log.
    #[n(0)]
    pub epoch: Epoch,
    /// The number of the entry in it: 1, 2, 3, …
    #[n(1)]
    pub n: u64,
    /// The chained hash of entry `n`.
    #[n(2)]
    pub hash: LogHash,
}

/// A place in an author's log by its number alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Place {
    /// The life of the log.
    #[n(0)]
    pub epoch: Epoch,
    /// The number of the entry in it: 1, 2, 3, …
    #[n(1)]
    pub n: u64,
}

/// Between which peers something is said, by a name that both ends compute alike.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct Conversation(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

/// One item of an author's log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entry {
    /// Its name.
    #[n(0)]
    pub id: EntryId,
    /// When the author says it was written.
    #[n(1)]
    pub written: Wall,
    /// What it says.
    #[n(2)]
    pub body: Body,
}

/// What an entry says.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Body {
    /// Text for people: at most [`MAX_TEXT_BYTES`], possibly empty, shown as it is and never as markup.
    #[n(0)]
    Text(#[n(0)] String),
}

/// How far a message got. Every step is backed by the node that took it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Delivery {
    /// Durable here, and nowhere else yet.
    Queued,
    /// Handed to a live link.
    Sent,
    /// A mailbox has it for the recipient, and has signed for it.
    Mailbox,
    /// The recipient's node committed it.
    Delivered,
    /// The recipient has read it, as their node says. Those who keep that to themselves never go beyond
    /// [`Delivered`](Self::Delivered).
    Read,
    /// It will not arrive, because the contact's key was forgotten before it was delivered.
    Failed,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Author {
    /// This node.
    Me,
    /// The other end of the conversation.
    Them,
}

/// What people see of an entry. Shows no text when debugged.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The entry's name.
    pub id: EntryId,
    /// The name under which the author is known here.
    pub from: Username,
    /// The name under which the recipient is known here.
    pub to: Username,
    /// The text.
    pub content: String,
    /// When the author says it was written. Messages are *ordered* by when they were committed here, never by this.
    pub written: Wall,
    /// How far it got; what others sent us is always [`Delivery::Delivered`].
    pub delivery: Delivery,
}

impl EntryId {
    /// An id from 16 random bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Epoch {
    /// An epoch from a random number.
    pub const fn new(random: u64) -> Self {
        Self(random)
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl LogHash {
    /// A hash from its 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Conversation {
    /// The conversation of two peers, the same from both ends.
    pub fn direct(one: PeerId, other: PeerId) -> Self {
        let (low, high) = if one <= other { (one, other) } else { (other, one) };
        let mut hasher = blake3::Hasher::new_derive_key("chatp2p direct conversation v1");
        hasher.update(low.as_bytes());
        hasher.update(high.as_bytes());
        Self(hasher.finalize().into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Entry {
    /// The chained hash of this entry as number `n` of an epoch, after an entry with hash `before`
    /// (`None` for the first).
    pub fn chain(&self, conversation: Conversation, epoch: Epoch, n: u64, before: Option<LogHash>) -> LogHash {
        let mut hasher = blake3::Hasher::new_derive_key("chatp2p log entry v1");
        hasher.update(conversation.as_bytes());
        hasher.update(&epoch.get().to_be_bytes());
        hasher.update(&n.to_be_bytes());
        hasher.update(before.unwrap_or(LogHash([0; 32])).as_bytes());
        hasher.update(self.id.as_bytes());
        hasher.update(&self.written.as_millis().to_be_bytes());
        match &self.body {
            Body::Text(text) => {
                hasher.update(&[0]);
                hasher.update(text.as_bytes());
            }
        }
        LogHash(hasher.finalize().into())
    }

    /// What this entry weighs against the bounds of queues and windows, in bytes.
    pub const fn weight(&self) -> usize {
        match &self.body {
            // An envelope of ids, hashes and numbers stands around every text.
            Body::Text(text) => text.len() + 128,
        }
    }
}

impl Delivery {
    /// The word for it in every interface.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Mailbox => "mailbox",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Debug for Body {
    /// How long it is; what people say belongs into no log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("from", &self.from)
            .field("to", &self.to)
            .field("bytes", &self.content.len())
            .field("delivery", &self.delivery)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EntryId({self})")
    }
}

/// The text is not the 32 hexadecimal digits of an entry's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message id has 32 hexadecimal digits")]
pub struct EntryIdError;

impl FromStr for EntryId {
    type Err = EntryIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| EntryIdError)?;
        bytes.try_into().map(Self).map_err(|_| EntryIdError)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Epoch({:016x})", self.0)
    }
}

fn abbreviated(f: &mut fmt::Formatter<'_>, name: &str, bytes: &[u8]) -> fmt::Result {
    write!(f, "{name}({}…)", data_encoding::HEXLOWER.encode(bytes.get(..4).unwrap_or(bytes)))
}

impl fmt::Debug for LogHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        abbreviated(f, "LogHash", &self.0)
    }
}

impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        abbreviated(f, "Conversation", &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    #[test]
    fn both_ends_name_their_conversation_alike() {
        let [a, b, c] = [1, 2, 3].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
        assert_eq!(Conversation::direct(a, b), Conversation::direct(b, a));
        assert_ne!(Conversation::direct(a, b), Conversation::direct(a, c));
    }

    #[test]
    fn the_chain_covers_everything_an_entry_says() {
        let id = |seed: u8| Identity::from_seed(&[seed; 32]).peer_id();
        let talk = Conversation::direct(id(1), id(2));
        let entry = Entry {
            id: EntryId::from_bytes([1; 16]),
            written: Wall::from_millis(5),
            body: Body::Text("hi".to_owned()),
        };
        let hash = entry.chain(talk, Epoch::new(1), 1, None);
        let other_id = Entry { id: EntryId::from_bytes([2; 16]), ..entry.clone() };
        let other_time = Entry { written: Wall::from_millis(6), ..entry.clone() };
        let other_text = Entry { body: Body::Text("ho".to_owned()), ..entry.clone() };
        let others = [
            other_id.chain(talk, Epoch::new(1), 1, None),
            other_time.chain(talk, Epoch::new(1), 1, None),
            other_text.chain(talk, Epoch::new(1), 1, None),
            entry.chain(Conversation::direct(id(1), id(3)), Epoch::new(1), 1, None),
            entry.chain(talk, Epoch::new(2), 1, None),
            entry.chain(talk, Epoch::new(1), 2, None),
            entry.chain(talk, Epoch::new(1), 1, Some(hash)),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(*other, hash, "variation {i}");
        }
    }

    #[test]
    fn an_entry_id_reads_back_from_its_text() {
        let id = EntryId::from_bytes([0xab; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("xyz".parse::<EntryId>(), Err(EntryIdError));
    }
}
