//! What is said between a mailbox and those who use it: a version byte and one CBOR item, `[kind, body]`, as on a link
//! between peers. `docs/PROTOCOL.md` has it in words and test vectors.
//!
//! Everything is checked before anything is allocated for it: length, version, depth; then that the item is whole and
//! nothing trails it.

use std::fmt;
use std::time::Duration;

use minicbor::{Decode, Encode};

use super::{mail, strict};
use crate::code::Code;
use crate::identity::{Domain, Identity, PeerId};
use crate::record::LetterboxId;
use crate::storage::MailAmount;
use crate::transport::secure::MAX_MAILBOX_FRAME_BYTES;

/// The version of the protocol, the first byte of every frame.
pub const MAILBOX_VERSION: u8 = 1;

/// The most mails that one [`Request::Take`] names.
pub const MAX_TAKEN: usize = 256;

/// What somebody wants of a mailbox. The mailbox answers each, in order, and nothing else but mail that is collected.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Request {
    /// Open the letterbox of the key that I proved; if it is open, leave it so.
    #[n(0)]
    Open,
    /// Give the letterbox of the key that I proved up, with everything in it.
    #[n(1)]
    Close,
    /// Keep this in a letterbox.
    #[n(2)]
    #[cbor(map)]
    Deposit {
        /// In which.
        #[n(0)]
        letterbox: LetterboxId,
        /// What: as [`mail::seal`] made it.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
    /// From now on I want all that is in the letterbox of the key that I proved, oldest first, and what comes.
    #[n(3)]
    Collect,
    /// I have these of it for good: delete them.
    #[n(4)]
    #[cbor(map)]
    Take {
        /// Their numbers; at most [`MAX_TAKEN`].
        #[n(0)]
        numbers: Vec<u64>,
    },
}

/// What a mailbox says.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[non_exhaustive]
pub enum Answer {
    /// The letterbox is open, on these terms.
    #[n(0)]
    Opened(#[n(0)] Terms),
    /// The letterbox is given up.
    #[n(1)]
    Closed,
    /// The mail is kept, and would survive a power cut.
    #[n(2)]
    Kept(#[n(0)] Kept),
    /// A mail of the letterbox.
    #[n(3)]
    #[cbor(map)]
    Mail {
        /// Its number.
        #[n(0)]
        number: u64,
        /// What was left.
        #[n(1)]
        #[cbor(with = "minicbor::bytes")]
        sealed: Vec<u8>,
    },
    /// They are deleted.
    #[n(4)]
    Taken,
    /// No.
    #[n(5)]
    Refused(#[n(0)] Refusal),
    /// Mail follows as it comes, the first of it now.
    #[n(6)]
    Collecting,
}

/// Why a mailbox does not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no room for it.
    #[n(0)]
    Full,
    /// There is no such letterbox.
    #[n(1)]
    Unknown,
    /// It is nothing that a mailbox keeps, or makes no sense here.
    #[n(2)]
    Invalid,
    /// The mailbox has trouble of its own.
    #[n(3)]
    Trouble,
}

impl Refusal {
    /// The stable code for it.
    pub const fn code(self) -> Code {
        match self {
            Self::Full => Code::MailboxFull,
            Self::Unknown => Code::LetterboxUnknown,
            Self::Invalid => Code::MailboxProtocol,
            Self::Trouble => Code::MailboxUnreachable,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "there is no room",
            Self::Unknown => "there is no such letterbox",
            Self::Invalid => "it does not keep such things",
            Self::Trouble => "it has trouble of its own",
        })
    }
}

/// On what terms a letterbox is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Terms {
    /// The most mails in it.
    #[n(0)]
    pub mails: u64,
    /// The most bytes of them together.
    #[n(1)]
    pub bytes: u64,
    /// For how many seconds a mail is kept.
    #[n(2)]
    pub keeps: u64,
    /// For how many seconds it stays open while nobody collects.
    #[n(3)]
    pub stays: u64,
}

impl Terms {
    pub(super) const fn new(most: MailAmount, keeps: Duration, stays: Duration) -> Self {
        Self { mails: most.mails, bytes: most.bytes, keeps: keeps.as_secs(), stays: stays.as_secs() }
    }
}

/// A mailbox's word, under its own signature, that it has kept a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Kept {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl Kept {
    /// Signs that this mail is kept in that letterbox.
    pub fn sign(mailbox: &Identity, letterbox: LetterboxId, sealed: &[u8]) -> Self {
        Self { signature: mailbox.sign(Domain::MailKept, &Self::payload(letterbox, sealed)) }
    }

    /// Whether this mailbox says it of this mail.
    pub fn is_from(&self, mailbox: PeerId, letterbox: LetterboxId, sealed: &[u8]) -> bool {
        mailbox.verifies(Domain::MailKept, &Self::payload(letterbox, sealed), &self.signature)
    }

    fn payload(letterbox: LetterboxId, sealed: &[u8]) -> Vec<u8> {
        [letterbox.key().as_bytes(), &blake3::hash(sealed).as_bytes()[..]].concat()
    }
}

/// Why bytes are nothing that is said to or by a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailboxWireError {
    /// Longer than [`MAX_MAILBOX_FRAME_BYTES`].
    #[error("the frame is too large")]
    TooLarge,
    /// Of a version that this node does not speak.
    #[error("the frame is of version {0}, this node speaks {MAILBOX_VERSION}")]
    Version(u8),
    /// Cut off, followed by something, nested deeply, or not what is said here.
    #[error("the frame is malformed")]
    Malformed,
}

/// Writes a request.
pub fn encode_request(request: &Request) -> Vec<u8> {
    encode(request)
}

/// Reads a request.
///
/// # Errors
/// [`MailboxWireError`] for anything but exactly one well-formed request within its bounds.
pub fn decode_request(bytes: &[u8]) -> Result<Request, MailboxWireError> {
    let request = decode(bytes)?;
    let is_within_bounds = match &request {
        Request::Deposit { sealed, .. } => mail::may_be_sealed(sealed),
        Request::Take { numbers } => numbers.len() <= MAX_TAKEN,
        Request::Open | Request::Close | Request::Collect => true,
    };
    if is_within_bounds { Ok(request) } else { Err(MailboxWireError::Malformed) }
}

/// Writes an answer.
pub fn encode_answer(answer: &Answer) -> Vec<u8> {
    encode(answer)
}

/// Reads an answer.
///
/// # Errors
/// [`MailboxWireError`] for anything but exactly one well-formed answer within its bounds.
pub fn decode_answer(bytes: &[u8]) -> Result<Answer, MailboxWireError> {
    let answer = decode(bytes)?;
    match &answer {
        Answer::Mail { number: 0, .. } => Err(MailboxWireError::Malformed),
        Answer::Mail { sealed, .. } if !mail::may_be_sealed(sealed) => Err(MailboxWireError::Malformed),
        _ => Ok(answer),
    }
}

fn encode<T: Encode<()>>(item: &T) -> Vec<u8> {
    let mut bytes = vec![MAILBOX_VERSION];
    // Writing to a Vec cannot fail.
    let written = minicbor::encode(item, &mut bytes).is_ok();
    debug_assert!(written);
    bytes
}

fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, MailboxWireError> {
    if bytes.len() > MAX_MAILBOX_FRAME_BYTES {
        return Err(MailboxWireError::TooLarge);
    }
    match bytes.split_first() {
        Some((&MAILBOX_VERSION, item)) => strict::decode(item).ok_or(MailboxWireError::Malformed),
        Some((&version, _)) => Err(MailboxWireError::Version(version)),
        None => Err(MailboxWireError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(size: usize) -> Vec<u8> {
        let mut sealed = vec![7; mail::MAIL_SIZES[size] + 49];
        sealed[0] = 1;
        sealed
    }

    fn letterbox() -> LetterboxId {
        LetterboxId::of(Identity::from_seed(&[1; 32]).peer_id())
    }

    fn requests() -> Vec<Request> {
        vec![
            Request::Open,
            Request::Close,
            Request::Deposit { letterbox: letterbox(), sealed: sealed(0) },
            Request::Deposit { letterbox: letterbox(), sealed: sealed(5) },
            Request::Collect,
            Request::Take { numbers: (0..MAX_TAKEN as u64).collect() },
        ]
    }

    fn answers() -> Vec<Answer> {
        let terms = Terms::new(MailAmount { mails: 1, bytes: 2 }, Duration::from_secs(3), Duration::from_secs(4));
        let kept = Kept::sign(&Identity::from_seed(&[4; 32]), letterbox(), b"sealed");
        let mut answers = vec![Answer::Opened(terms), Answer::Closed, Answer::Kept(kept), Answer::Taken];
        answers.extend([Answer::Collecting, Answer::Mail { number: 1, sealed: sealed(0) }]);
        answers.extend([Answer::Mail { number: u64::MAX, sealed: sealed(5) }]);
        answers.extend([Refusal::Full, Refusal::Unknown, Refusal::Invalid, Refusal::Trouble].map(Answer::Refused));
        answers
    }

    #[test]
    fn all_that_is_said_reads_back() {
        for request in requests() {
            assert_eq!(decode_request(&encode_request(&request)), Ok(request));
        }
        for answer in answers() {
            assert_eq!(decode_answer(&encode_answer(&answer)), Ok(answer));
        }
    }

    #[test]
    fn truncated_trailing_and_other_bytes_are_refused() {
        for bytes in requests().iter().map(encode_request).chain(answers().iter().map(encode_answer)) {
            let refused = |bytes: &[u8]| decode_request(bytes).is_err() && decode_answer(bytes).is_err();
            assert!(refused(&[&bytes[..], &[0]].concat()));
            for end in (0..bytes.len()).step_by(bytes.len() / 50 + 1) {
                assert!(refused(&bytes[..end]), "{end} of {} bytes", bytes.len());
            }
            let other = [&[2][..], &bytes[1..]].concat();
            assert_eq!(decode_request(&other), Err(MailboxWireError::Version(2)));
        }
        let long = vec![1; MAX_MAILBOX_FRAME_BYTES + 1];
        assert_eq!(decode_request(&long), Err(MailboxWireError::TooLarge));
    }

    #[test]
    fn what_is_beyond_a_bound_is_refused() {
        let many = Request::Take { numbers: (0..=MAX_TAKEN as u64).collect() };
        assert_eq!(decode_request(&encode_request(&many)), Err(MailboxWireError::Malformed));
        for sealed in [Vec::new(), vec![1; 100], vec![7; 1_024 + 49]] {
            let request = Request::Deposit { letterbox: letterbox(), sealed: sealed.clone() };
            assert_eq!(decode_request(&encode_request(&request)), Err(MailboxWireError::Malformed));
            let answer = Answer::Mail { number: 1, sealed };
            assert_eq!(decode_answer(&encode_answer(&answer)), Err(MailboxWireError::Malformed));
        }
        let nothing = Answer::Mail { number: 0, sealed: sealed(0) };
        assert_eq!(decode_answer(&encode_answer(&nothing)), Err(MailboxWireError::Malformed));
    }

    #[test]
    fn a_mailboxs_word_holds_for_that_mail_in_that_letterbox() {
        let carol = Identity::from_seed(&[4; 32]);
        let kept = Kept::sign(&carol, letterbox(), b"sealed");
        assert!(kept.is_from(carol.peer_id(), letterbox(), b"sealed"));
        assert!(!kept.is_from(carol.peer_id(), letterbox(), b"sealeD"));
        assert!(!kept.is_from(carol.peer_id(), LetterboxId::of(carol.peer_id()), b"sealed"));
        assert!(!kept.is_from(letterbox().key(), letterbox(), b"sealed"));
    }
}
