//! What travels on a link: a version byte and one CBOR item, `[kind, {field: value, …}]` with small integer keys.
//! `docs/PROTOCOL.md` has it in words and test vectors.
//!
//! Everything is checked before anything is allocated for it: length, version, depth; then that the item is whole and
//! nothing trails it.

use minicbor::{Decode, Encode};

use crate::cbor::{self, Misread};
use crate::crypto::{Ciphertext, Mark, Nack, Offer, Salt, Watchword};
use crate::identity::PeerId;
use crate::message::{Body, Conversation, Entry, Epoch, LogHash, MAX_FRAME_BYTES, MAX_TEXT_BYTES, Place, Position};
use crate::record::SignedRecord;

/// The version of the protocol, the first byte of every frame. Version 1 sent entries in the clear.
pub const VERSION: u8 = 2;

/// The deepest nesting of a frame, and of a letter: a record's endpoints stand at depth 5; three more for fields to come.
pub const MAX_DEPTH: usize = 8;

/// The most positions in a greeting, and the longest reason of a farewell in bytes.
pub const MAX_POSITIONS: usize = 8;
/// The most contacts in one question, and the most records in one answer: 512 bytes, and 32 KiB.
pub const MAX_SOUGHT: usize = 32;
/// See [`MAX_SOUGHT`].
pub const MAX_RECORDS: usize = 8;
/// The longest code of a refusal in bytes.
pub const MAX_REASON_BYTES: usize = 64;

/// One item on a link. Both ends are known by the keys they proved; no frame says who sent it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Frame {
    /// The first frame of each end: who I say I am.
    #[n(0)]
    #[cbor(map)]
    Hello {
        /// My own record, signed by the key that I proved.
        #[n(0)]
        record: SignedRecord,
    },
    /// Where I hold your log. Opens the conversation, and later asks to go on from there.
    #[n(1)]
    #[cbor(map)]
    Greeting {
        /// The last position of each of your epochs that I know, oldest first: at most [`MAX_POSITIONS`], the newest ones.
        #[n(0)]
        have: Vec<Position>,
        /// With what you may begin to encrypt for me.
        #[n(1)]
        offer: Option<Offer>,
        /// What my contacts have in common; to those who are let in. Whoever sends it knows [`Frame::Seek`] and
        /// [`Frame::Records`], and others are sent neither.
        #[n(2)]
        watchword: Option<Watchword>,
    },
    /// An entry of my log.
    #[n(2)]
    Entry(#[n(0)] LogEntry),
    /// I have committed your log up to here.
    #[n(3)]
    Ack(#[n(0)] Position),
    /// I send no more entries. Close this link when what you sent is acknowledged.
    #[n(4)]
    #[cbor(map)]
    Goodbye {
        /// Why.
        #[n(0)]
        reason: Reason,
    },
    /// I cannot decrypt this entry of yours. A greeting follows.
    #[n(5)]
    Nack(#[n(0)] Nack),
    /// My user has read your log up to here.
    #[n(6)]
    Read(#[n(0)] Place),
    /// I cannot reach some of my contacts. If you know where one of them is, say so.
    #[n(7)]
    #[cbor(map)]
    Seek {
        /// Drawn for this question.
        #[n(0)]
        #[cbor(with = "minicbor::bytes")]
        salt: Salt,
        /// Who they are, for those who know them: at most [`MAX_SOUGHT`]. What stands for nobody hides how many they are.
        #[n(1)]
        of: Vec<Mark>,
    },
    /// What some of those say about themselves whom you have asked for: at most [`MAX_RECORDS`].
    #[n(8)]
    #[cbor(map)]
    Records {
        /// As they signed it.
        #[n(0)]
        #[cbor(decode_with = "few_records")]
        records: Vec<SignedRecord>,
    },
}

/// An entry at its place, encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LogEntry {
    /// The life of the log.
    #[n(0)]
    pub epoch: Epoch,
    /// The number in it.
    #[n(1)]
    pub n: u64,
    /// The hash of the entry before; absent for the first of an epoch.
    #[n(2)]
    pub before: Option<LogHash>,
    /// For the first of an epoch: up to where the epoch before it goes, if there was one.
    #[n(3)]
    pub follows: Option<EpochEnd>,
    /// The [`Letter`] about what stands there.
    #[n(5)]
    pub ciphertext: Ciphertext,
}

/// What is inside a ciphertext: what an author wrote, and once more everything that stands around it outside, so that
/// nobody can show it as something else.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Letter {
    /// To which conversation it belongs.
    #[n(0)]
    pub conversation: Conversation,
    /// Who wrote it.
    #[n(1)]
    pub from: PeerId,
    /// For whom.
    #[n(2)]
    pub to: PeerId,
    /// As [`LogEntry::epoch`].
    #[n(3)]
    pub epoch: Epoch,
    /// As [`LogEntry::n`].
    #[n(4)]
    pub n: u64,
    /// As [`LogEntry::before`].
    #[n(5)]
    pub before: Option<LogHash>,
    /// As [`LogEntry::follows`].
    #[n(6)]
    pub follows: Option<EpochEnd>,
    /// What stands there.
    #[n(7)]
    pub content: Content,
}

/// Where an epoch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct EpochEnd {
    /// Which.
    #[n(0)]
    pub epoch: Epoch,
    /// At which number.
    #[n(1)]
    pub n: u64,
}

/// What stands at a place of a log.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Content {
    /// An entry.
    #[n(0)]
    Entry(#[n(0)] Entry),
    /// Something that was erased: a tombstone, so that numbers never block.
    #[n(1)]
    Erased(#[n(0)] LogHash),
}

/// Why somebody leaves.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Reason {
    /// The user disconnected.
    #[n(0)]
    Disconnected,
    /// The node stops.
    #[n(1)]
    Stopped,
    /// There is a newer link between us.
    #[n(2)]
    Superseded,
    /// You are not let in.
    #[n(3)]
    Refused(#[n(0)] String),
}

/// Why bytes are no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Longer than [`MAX_FRAME_BYTES`].
    #[error("the frame is too large")]
    TooLarge,
    /// Of a version that this node does not speak.
    #[error("the frame is of version {0}, this node speaks {VERSION}")]
    Version(u8),
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the frame is nested too deeply")]
    TooDeep,
    /// Cut off, followed by something, or not what a frame looks like.
    #[error("the frame is malformed")]
    Malformed,
}

/// Writes a frame.
pub fn encode(frame: &Frame) -> Vec<u8> {
    let mut bytes = vec![VERSION];
    let mut encoder = minicbor::Encoder::new(&mut bytes);
    // Writing to a Vec cannot fail.
    let written = encoder.encode(frame).is_ok();
    debug_assert!(written);
    bytes
}

/// Reads a frame.
///
/// # Errors
/// [`WireError`] for anything but exactly one well-formed frame within its bounds.
pub fn decode(bytes: &[u8]) -> Result<Frame, WireError> {
    if bytes.len() > MAX_FRAME_BYTES {
        return Err(WireError::TooLarge);
    }
    let item = match bytes.split_first() {
        Some((&VERSION, item)) => item,
        Some((&version, _)) => return Err(WireError::Version(version)),
        None => return Err(WireError::Malformed),
    };
    let frame: Frame = cbor::whole_within(item, MAX_DEPTH)?;
    if is_within_bounds(&frame) { Ok(frame) } else { Err(WireError::Malformed) }
}

/// Writes what is to be encrypted.
pub fn encode_letter(letter: &Letter) -> Vec<u8> {
    // Writing to a Vec cannot fail.
    minicbor::to_vec(letter).unwrap_or_default()
}

/// Reads what was decrypted.
///
/// # Errors
/// [`WireError`] for anything but exactly one well-formed letter within its bounds.
pub fn decode_letter(bytes: &[u8]) -> Result<Letter, WireError> {
    let letter: Letter = cbor::whole_within(bytes, MAX_DEPTH)?;
    let text_fits = match &letter.content {
        Content::Entry(Entry { body: Body::Text(text), .. }) => text.len() <= MAX_TEXT_BYTES,
        Content::Erased(_) => true,
    };
    if text_fits { Ok(letter) } else { Err(WireError::Malformed) }
}

impl From<Misread> for WireError {
    fn from(misread: Misread) -> Self {
        match misread {
            Misread::TooDeep => Self::TooDeep,
            Misread::Malformed => Self::Malformed,
        }
    }
}

fn is_within_bounds(frame: &Frame) -> bool {
    match frame {
        Frame::Greeting { have, .. } => have.len() <= MAX_POSITIONS,
        Frame::Entry(entry) => {
            let first = entry.n == 1;
            entry.n > 0 && entry.before.is_none() == first && (first || entry.follows.is_none())
        }
        Frame::Goodbye { reason: Reason::Refused(code) } => code.len() <= MAX_REASON_BYTES,
        Frame::Seek { of, .. } => of.len() <= MAX_SOUGHT,
        // Of these no more than that were read.
        Frame::Records { .. } => true,
        Frame::Hello { .. } | Frame::Ack(_) | Frame::Goodbye { .. } | Frame::Nack(_) | Frame::Read(_) => true,
    }
}

/// Stops at the bound: each record has a signature that takes time to verify.
fn few_records<C>(d: &mut minicbor::Decoder<'_>, _: &mut C) -> Result<Vec<SignedRecord>, minicbor::decode::Error> {
    let mut records = Vec::new();
    for record in d.array_iter()? {
        if records.len() == MAX_RECORDS {
            return Err(minicbor::decode::Error::message("more records than an answer may have"));
        }
        records.push(record?);
    }
    Ok(records)
}
