//! A mail: frames for somebody who is away, signed by their sender and sealed for the letterbox, so that the mailbox sees how
//! large it is, in a few steps, and nothing else.
//!
//! Sealed by HPKE (RFC 9180) in base mode: the mailbox must not learn who the sender is, so the sender's signature stands
//! inside. It names letterbox and mailbox: whoever opens a mail cannot pass it on as one for somebody else.

use std::convert::Infallible;

use bytes::Bytes;
use hpke::aead::{AeadTag, ChaCha20Poly1305};
use hpke::kdf::HkdfSha256;
use hpke::kem::{Kem, X25519HkdfSha256};
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use minicbor::bytes::ByteSlice;
use minicbor::{Decode, Decoder};

use super::{BoxKeys, strict};
use crate::identity::{Domain, Identity, PeerId, random};
use crate::message::MAX_FRAME_BYTES;
use crate::record::{Letterbox, LetterboxId, SignedRecord};

/// How large a mail can be before it is sealed: the next of these in bytes. The last holds the largest frame and the largest
/// record; each of the others is four times the one before, so that few sizes tell little and padding costs at most that.
pub const MAIL_SIZES: [usize; 6] = [1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, (1 << 20) + (16 << 10)];

/// The largest sealed mail in bytes.
pub const MAX_SEALED_BYTES: usize = MAIL_SIZES[MAIL_SIZES.len() - 1] + SEALING_BYTES;

/// The most bytes of frames in a mail of several, with five more for each: with the largest record it is within 64 KiB.
/// More of them would make little of mailboxes' round trips better, and each loss worse.
pub const MAX_FRAMES_BYTES: usize = (64 << 10) - (5 << 10);

/// The most frames in a mail: acknowledgements have some 60 bytes. Bounds what opening a hostile mail takes.
pub const MAX_FRAMES: usize = 1_024;

/// What a frame takes beside itself: the head of a byte string.
const FRAME_COST: usize = 5;

/// Version, encapsulated key and tag.
const SEALING_BYTES: usize = 1 + KEY_BYTES + TAG_BYTES;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;

/// The length before the item: an unsigned integer, most significant byte first.
const LENGTH_BYTES: usize = 4;

/// The version of mails, the first byte of each: which way of sealing it is, and what is inside.
const VERSION: u8 = 1;
const INFO: &[u8] = b"chatp2p mail v1";

/// A mail that was opened. Everything in it is its sender's, and meant for this letterbox at this mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Who sent it, by their own record.
    pub from: SignedRecord,
    /// What they would have sent over a link: at least one, at most [`MAX_FRAMES`], none empty. Not read yet.
    pub frames: Vec<Bytes>,
}

/// How many of these frames, from the first on, one mail holds; given their lengths. At least one, if there is one.
pub fn fitting(lengths: impl IntoIterator<Item = usize>) -> usize {
    let mut total = 0_usize;
    let fits = |(at, length): &(usize, usize)| {
        total = total.saturating_add(*length).saturating_add(FRAME_COST);
        *at == 0 || (*at < MAX_FRAMES && total <= MAX_FRAMES_BYTES)
    };
    lengths.into_iter().enumerate().take_while(fits).count()
}

/// Signs these frames, with the sender's record, for this letterbox, and seals them.
///
/// # Errors
/// [`MailError::NotMine`] when the record is not this identity's; [`TooLarge`](MailError::TooLarge) for no frames, an empty
/// one, or more than [`fitting`] says; [`BadKey`](MailError::BadKey) when the letterbox's key leads to no secret;
/// [`NoRandomness`](MailError::NoRandomness).
pub fn seal(
    identity: &Identity,
    record: &SignedRecord,
    to: &Letterbox,
    frames: &[Bytes],
) -> Result<Vec<u8>, MailError> {
    let seed = random().map_err(|_| MailError::NoRandomness)?;
    seal_with(&seed, identity, record, to, frames)
}

/// The same with this randomness, which must serve once: for those who want the same bytes again.
///
/// # Errors
/// As [`seal`].
pub fn seal_with(
    seed: &[u8; 32],
    identity: &Identity,
    record: &SignedRecord,
    to: &Letterbox,
    frames: &[Bytes],
) -> Result<Vec<u8>, MailError> {
    seal_item(seed, to, &signed_item(identity, record, to, frames)?)
}

/// What is sealed: signed, and written down.
pub(crate) fn signed_item(
    identity: &Identity,
    record: &SignedRecord,
    to: &Letterbox,
    frames: &[Bytes],
) -> Result<Vec<u8>, MailError> {
    if record.record().peer_id != identity.peer_id() {
        return Err(MailError::NotMine);
    }
    if !is_within_bounds(frames) {
        return Err(MailError::TooLarge);
    }
    write(record, frames, &identity.sign(Domain::Mail, &statement(to.id, to.mailbox, frames)))
}

/// Pads an item and seals it.
pub(crate) fn seal_item(seed: &[u8; 32], to: &Letterbox, item: &[u8]) -> Result<Vec<u8>, MailError> {
    let length = u32::try_from(item.len()).map_err(|_| MailError::TooLarge)?;
    let size = size_of(item.len()).ok_or(MailError::TooLarge)?;
    let public = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(to.seal.as_bytes()).map_err(|_| MailError::BadKey)?;
    let mut plain = Vec::with_capacity(size);
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(item);
    plain.resize(size, 0);
    let (key, tag) = hpke::single_shot_seal_inout_detached_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeS::Base,
        &public,
        INFO,
        plain.as_mut_slice().into(),
        &bound_to(to.id, to.mailbox),
        &mut Drawn::new(seed),
    )
    .map_err(|_| MailError::BadKey)?;
    Ok([&[VERSION][..], &key.to_bytes(), &plain, &tag.to_bytes()].concat())
}

/// Opens a mail that this mailbox kept.
///
/// # Errors
/// [`MailError::Unreadable`] for anything but what its sender sealed for this letterbox there, and signed.
pub fn open(keys: &BoxKeys, mailbox: PeerId, sealed: &[u8]) -> Result<Mail, MailError> {
    read(keys, mailbox, sealed).ok_or(MailError::Unreadable)
}

fn read(keys: &BoxKeys, mailbox: PeerId, sealed: &[u8]) -> Option<Mail> {
    if !may_be_sealed(sealed) {
        return None;
    }
    let (_version, sealed) = sealed.split_first()?;
    let (key, sealed) = sealed.split_first_chunk::<KEY_BYTES>()?;
    let (sealed, tag) = sealed.split_last_chunk::<TAG_BYTES>()?;
    let key = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(key).ok()?;
    let tag = AeadTag::<ChaCha20Poly1305>::from_bytes(tag).ok()?;
    let mut plain = sealed.to_vec();
    hpke::single_shot_open_inout_detached::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        keys.secret(),
        &key,
        INFO,
        plain.as_mut_slice().into(),
        &bound_to(keys.id(), mailbox),
        &tag,
    )
    .ok()?;
    let plain = Bytes::from(plain);
    let (length, rest) = plain.split_first_chunk::<LENGTH_BYTES>()?;
    let (item, padding) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    // One way to write each mail, so that nothing can be hidden in it.
    if size_of(item.len()) != Some(plain.len()) || padding.iter().any(|byte| *byte != 0) {
        return None;
    }
    let inside: Inside<'_> = strict::decode(item)?;
    let frames: Vec<Bytes> = inside.frames.iter().map(|frame| plain.slice_ref(frame)).collect();
    let from = inside.record;
    let said = statement(keys.id(), mailbox, &frames);
    let is_theirs = from.record().peer_id.verifies(Domain::Mail, &said, &inside.signature);
    (is_theirs && is_within_bounds(&frames)).then_some(Mail { from, frames })
}

/// Whether these bytes look from outside like a sealed mail: all that a mailbox can tell.
pub(crate) fn may_be_sealed(bytes: &[u8]) -> bool {
    let size = bytes.len().checked_sub(SEALING_BYTES);
    bytes.first() == Some(&VERSION) && size.is_some_and(|size| MAIL_SIZES.contains(&size))
}

/// The size that holds an item of this length.
fn size_of(item: usize) -> Option<usize> {
    let needed = item.checked_add(LENGTH_BYTES)?;
    MAIL_SIZES.into_iter().find(|size| *size >= needed)
}

fn is_within_bounds(frames: &[Bytes]) -> bool {
    let sound = frames.iter().all(|frame| (1..=MAX_FRAME_BYTES).contains(&frame.len()));
    sound && !frames.is_empty() && fitting(frames.iter().map(Bytes::len)) == frames.len()
}

/// Outside of what is sealed, and of what is signed: for which letterbox at which mailbox.
fn bound_to(letterbox: LetterboxId, mailbox: PeerId) -> Vec<u8> {
    [letterbox.key().as_bytes(), &mailbox.as_bytes()[..]].concat()
}

/// What the sender signs: where it is for, and each frame with its length before it.
fn statement(letterbox: LetterboxId, mailbox: PeerId, frames: &[Bytes]) -> Vec<u8> {
    let mut said = bound_to(letterbox, mailbox);
    for frame in frames {
        // No frame is longer than 2³² bytes.
        said.extend_from_slice(&u32::try_from(frame.len()).unwrap_or(u32::MAX).to_be_bytes());
        said.extend_from_slice(frame);
    }
    said
}

/// What is inside, as it is read: the frames are not copied.
#[derive(Decode)]
#[cbor(map)]
struct Inside<'b> {
    #[n(0)]
    record: SignedRecord,
    #[b(1)]
    #[cbor(decode_with = "read_frames")]
    frames: Vec<&'b ByteSlice>,
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    signature: [u8; 64],
}

/// No more than there may be, however many are announced.
fn read_frames<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<Vec<&'b ByteSlice>, minicbor::decode::Error> {
    let frames = d.array_iter::<&ByteSlice>()?.take(MAX_FRAMES + 1).collect::<Result<Vec<_>, _>>()?;
    if frames.len() > MAX_FRAMES { Err(minicbor::decode::Error::message("too many frames")) } else { Ok(frames) }
}

fn write(record: &SignedRecord, frames: &[Bytes], signature: &[u8; 64]) -> Result<Vec<u8>, MailError> {
    let mut item = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut item);
    let written = (|| {
        encoder.map(3)?.u8(0)?.encode(record)?.u8(1)?.array(frames.len() as u64)?;
        for frame in frames {
            encoder.bytes(frame)?;
        }
        encoder.u8(2)?.bytes(signature)?.ok()
    })();
    let written: Result<(), minicbor::encode::Error<Infallible>> = written;
    // Writing to a Vec cannot fail.
    written.map_err(|_| MailError::TooLarge)?;
    Ok(item)
}

/// Randomness from a seed that serves once, so that a system without any is an error and no panic.
struct Drawn(blake3::OutputReader);

impl Drawn {
    fn new(seed: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_derive_key("chatp2p mail randomness v1").update(seed).finalize_xof())
    }
}

impl TryRng for Drawn {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for Drawn {}

/// Why there is no mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// The record is another one's.
    #[error("a mail carries its sender's own record")]
    NotMine,
    /// No frames, an empty one, or more than a mail holds.
    #[error("a mail holds a few frames, or one large one")]
    TooLarge,
    /// The letterbox's key leads to no secret.
    #[error("the letterbox names a key that leads to no secret")]
    BadKey,
    /// The operating system gave no randomness.
    #[error("the operating system gave no randomness")]
    NoRandomness,
    /// Not a mail for this letterbox, or not as its sender sealed it.
    #[error("the mail cannot be read")]
    Unreadable,
}

#[cfg(test)]
#[path = "mail_tests.rs"]
mod tests;
