//! Who a peer is: a key pair, its public half as the [`PeerId`], and the [`Username`] it goes by. Each is parsed once
//! and valid ever after.

mod contact_link;
pub(crate) mod key_code;
mod safety_number;
mod username;

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use zeroize::Zeroizing;

pub use contact_link::{ContactLink, ContactLinkError, MAX_LINK_BYTES, MAX_TRACKER_HINT_BYTES};
pub use safety_number::{Fingerprint, SAFETY_ROUNDS, SAFETY_VERSION, SafetyNumber};
pub use username::{MAX_USERNAME_CHARS, Skeletons, Username, UsernameError};

/// What a signature is about. A signature over one domain is worthless in every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Domain {
    /// A [`SignedRecord`](crate::record::SignedRecord): where this peer can be reached.
    Record,
    /// A [`SignedClaim`](crate::tracker::SignedClaim): this record is to be listed at that tracker.
    Claim,
    /// An [`Offer`](crate::crypto::Offer): this key begins a conversation with me.
    OneTimeKey,
    /// A [`Nack`](crate::crypto::Nack): I cannot read this ciphertext of yours.
    Nack,
    /// What is inside a mail: these frames are from me, and for this letterbox.
    Mail,
    /// What a mailbox says about a mail: I have kept it.
    MailKept,
}

impl Domain {
    const fn context(self) -> &'static [u8] {
        match self {
            Self::Record => b"chatp2p/record/v1\0",
            Self::Claim => b"chatp2p/claim/v1\0",
            Self::OneTimeKey => b"chatp2p/one-time-key/v1\0",
            Self::Nack => b"chatp2p/nack/v1\0",
            Self::Mail => b"chatp2p/mail/v1\0",
            Self::MailKept => b"chatp2p/mail-kept/v1\0",
        }
    }

    fn message(self, payload: &[u8]) -> Vec<u8> {
        [self.context(), payload].concat()
    }
}

/// A peer's key pair. Whoever holds it *is* the peer.
///
/// Shows its public half only when debugged; the secret half is wiped when dropped.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// A fresh identity from the operating system's randomness.
    ///
    /// # Errors
    /// [`IdentityError::NoRandomness`] when the system has none to give.
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self::from_seed(&*random()?))
    }

    /// The identity of a stored 32-byte seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self { key: SigningKey::from_bytes(seed) }
    }

    /// The 32 secret bytes to store. Whoever reads them becomes this peer.
    pub fn to_seed(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// The public half: who this is.
    pub fn peer_id(&self) -> PeerId {
        PeerId(self.key.verifying_key().to_bytes())
    }

    /// Signs `payload` for one purpose.
    pub fn sign(&self, domain: Domain, payload: &[u8]) -> [u8; 64] {
        self.key.sign(&domain.message(payload)).to_bytes()
    }

    /// Signs bytes that carry their own context (TLS 1.3 `CertificateVerify` starts with 64 spaces).
    pub(crate) fn sign_transcript(&self, transcript: &[u8]) -> [u8; 64] {
        self.key.sign(transcript).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("peer_id", &self.peer_id()).finish_non_exhaustive()
    }
}

/// A peer's Ed25519 public key: the identity that everything else hangs on.
///
/// Always a valid, full-order curve point. Written as 52 characters of lower-case base32 (RFC 4648, no padding).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; 32]);

impl PeerId {
    /// The peer with this public key.
    ///
    /// # Errors
    /// [`IdentityError::InvalidKey`] for bytes that are no curve point, or one of the small-order points under which
    /// anybody's signature verifies.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, IdentityError> {
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| IdentityError::InvalidKey)?;
        if key.is_weak() { Err(IdentityError::InvalidKey) } else { Ok(Self(bytes)) }
    }

    /// The 32 bytes of the key.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight characters: enough for a log line, not for a decision.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }

    /// Whether this peer signed `payload` for this purpose (strict verification: no malleable signatures).
    pub fn verifies(&self, domain: Domain, payload: &[u8], signature: &[u8; 64]) -> bool {
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(&domain.message(payload), &Signature::from_bytes(signature)).is_ok())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::BASE32_NOPAD.encode(&self.0).to_ascii_lowercase())
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerId({})", self.short())
    }
}

impl FromStr for PeerId {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = data_encoding::BASE32_NOPAD
            .decode(text.to_ascii_uppercase().as_bytes())
            .map_err(|_| IdentityError::InvalidKey)?;
        Self::from_bytes(bytes.try_into().map_err(|_| IdentityError::InvalidKey)?)
    }
}

impl<C> minicbor::Encode<C> for PeerId {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&self.0)?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for PeerId {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let bytes = d.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("a key has 32 bytes"))?;
        Self::from_bytes(bytes).map_err(minicbor::decode::Error::custom)
    }
}

/// Bytes that nobody can guess, from the operating system.
///
/// # Errors
/// [`IdentityError::NoRandomness`] when the system has none to give.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, IdentityError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(&mut *bytes).map_err(|_| IdentityError::NoRandomness)?;
    Ok(bytes)
}

/// Why something is not an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// Not the 32 bytes of a usable Ed25519 public key.
    #[error("not a valid Ed25519 public key")]
    InvalidKey,
    /// The operating system gave no randomness; nothing secret can be made without it.
    #[error("the operating system gave no randomness")]
    NoRandomness,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_reads_back_from_its_text() {
        let id = Identity::from_seed(&[7; 32]).peer_id();
        assert_eq!(id.to_string().len(), 52);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn small_order_points_and_garbage_are_nobody() {
        assert_eq!(PeerId::from_bytes([0; 32]), Err(IdentityError::InvalidKey));
        let mut neutral = [0; 32];
        neutral[0] = 1;
        assert_eq!(PeerId::from_bytes(neutral), Err(IdentityError::InvalidKey));
        assert_eq!("alice".parse::<PeerId>(), Err(IdentityError::InvalidKey));
    }

    #[test]
    fn a_signature_holds_for_its_domain_alone() {
        let alice = Identity::from_seed(&[1; 32]);
        let signature = alice.sign(Domain::Record, b"here I am");
        assert!(alice.peer_id().verifies(Domain::Record, b"here I am", &signature));
        assert!(!alice.peer_id().verifies(Domain::Claim, b"here I am", &signature));
        assert!(!alice.peer_id().verifies(Domain::Record, b"there I am", &signature));
        assert!(!Identity::from_seed(&[2; 32]).peer_id().verifies(Domain::Record, b"here I am", &signature));
    }

    #[test]
    fn debugging_an_identity_shows_no_secret() {
        let text = format!("{:?}", Identity::from_seed(&[9; 32]));
        assert!(!text.contains("9, 9"), "{text}");
        assert!(text.contains("peer_id"), "{text}");
    }
}
