//! End-to-end encryption of what two people say: the port [`PairCipher`], what implements it, and the [`Keyring`] that
//! decides which key encrypts what.
//!
//! A link is encrypted already, but an entry may be held by somebody else than its recipient before it arrives. Each entry is
//! therefore encrypted once more, for its recipient alone, with a ratchet: keys are used once and then forgotten, so that
//! whoever takes a device reads nothing of what was deleted from it.

mod fuzzing;
mod keyring;
mod olm;
mod rows;
mod safe;
#[cfg(feature = "test-utils")]
mod seeded;
mod statements;
mod watchword;

use std::fmt;

use minicbor::{Decode, Encode};

pub use keyring::{Keyring, KeyringError, LetterboxSecret, MAX_OFFERS, MAX_OFFERS_OF_ONE, MAX_SESSIONS, TheirKeys};
pub use olm::Olm;
pub use rows::{KeyRow, KeyRowId};
pub(crate) use safe::Safe;
#[cfg(feature = "test-utils")]
pub use seeded::Seeded;
pub use statements::{Nack, Offer};
pub use watchword::{Mark, Salt, Watchword};

use crate::record::{ExchangeKey, PreKeys};

/// Which cipher made a ciphertext. The number travels; a receiver refuses those it does not know.
pub const OLM_V2: u8 = 1;

/// A way to encrypt for one recipient: makes accounts, and brings back those that were kept.
///
/// **To implementers.** A suite is a number in every ciphertext and every record. Whatever randomness it needs it draws by
/// itself, anew in each call: nothing random may follow from what is stored.
pub trait Suite: fmt::Debug + Send + Sync {
    /// The number by which it goes on the wire.
    fn number(&self) -> u8;

    /// A new account with keys that nobody has seen.
    fn create(&self) -> Box<dyn PairCipher>;

    /// The account that [`PairCipher::store`] wrote.
    ///
    /// # Errors
    /// [`CipherError::Damaged`] when it cannot be read.
    fn restore(&self, stored: &[u8]) -> Result<Box<dyn PairCipher>, CipherError>;

    /// Which message key made a ciphertext, by a name that is the same for the same key: no two ciphertexts may ever share
    /// one. For those who watch the wire. `None` for bytes that this suite did not make.
    fn message_key(&self, ciphertext: &Ciphertext) -> Option<([u8; 32], u64)>;
}

/// An account: the keys with which sessions begin.
pub trait PairCipher: fmt::Debug + Send {
    /// What the signed record says about it.
    fn pre_keys(&self) -> PreKeys;

    /// Makes a key for one session that somebody else begins.
    fn add_one_time_key(&mut self) -> ExchangeKey;

    /// Forgets such a key. One that is not there is forgotten already.
    fn remove_one_time_key(&mut self, key: ExchangeKey);

    /// Puts a new fallback key in the place of the present one, which goes on working until the next time.
    fn turn_fallback_key(&mut self);

    /// Begins a session with somebody by one of their keys: one-time or fallback.
    ///
    /// # Errors
    /// [`CipherError::BadKey`] for keys that lead to no secret.
    fn begin(&self, theirs: &PreKeys, key: ExchangeKey) -> Result<Box<dyn PairSession>, CipherError>;

    /// Takes the first message of a session that somebody else began; uses up the one-time key that it names. On error
    /// everything is as it was.
    ///
    /// # Errors
    /// [`CipherError::Unreadable`] for anything but such a message of theirs.
    fn accept(
        &mut self,
        theirs: &PreKeys,
        ciphertext: &Ciphertext,
    ) -> Result<(Box<dyn PairSession>, Vec<u8>), CipherError>;

    /// What the first message of such a session says, without accepting it.
    ///
    /// # Errors
    /// As [`accept`](Self::accept).
    fn peek(&self, theirs: &PreKeys, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError>;

    /// The session that [`PairSession::store`] wrote.
    ///
    /// # Errors
    /// [`CipherError::Damaged`] when it cannot be read.
    fn revive(&self, stored: &[u8]) -> Result<Box<dyn PairSession>, CipherError>;

    /// Everything, secrets included, in a form that a later version reads.
    ///
    /// # Errors
    /// [`CipherError::Damaged`] when it cannot be written down.
    fn store(&self) -> Result<Vec<u8>, CipherError>;
}

/// One end of a ratchet between two accounts.
pub trait PairSession: fmt::Debug + Send {
    /// The name that both ends have for it.
    fn id(&self) -> SessionId;

    /// Encrypts with the next key, which is gone afterwards.
    ///
    /// # Errors
    /// [`CipherError::BadKey`] when the other end's ratchet key leads to no secret.
    fn encrypt(&mut self, plaintext: &[u8]) -> Result<Ciphertext, CipherError>;

    /// Decrypts and forgets the key. On error everything is as it was.
    ///
    /// # Errors
    /// [`CipherError::Unreadable`].
    fn decrypt(&mut self, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError>;

    /// Everything, secrets included, in a form that a later version reads.
    ///
    /// # Errors
    /// [`CipherError::Damaged`] when it cannot be written down.
    fn store(&self) -> Result<Vec<u8>, CipherError>;
}

/// The name of a session, the same at both ends.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct SessionId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

impl SessionId {
    /// The session of this name.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({}…)", data_encoding::HEXLOWER.encode(self.0.get(..4).unwrap_or_default()))
    }
}

/// Something that only its recipient can read.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Ciphertext {
    /// The [`Suite::number`] of what made it.
    #[n(0)]
    pub suite: u8,
    /// In which session.
    #[n(1)]
    pub session: SessionId,
    /// Whether it carries what the recipient needs to begin the session.
    #[n(2)]
    pub begins: bool,
    /// The cipher's own message.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub message: Vec<u8>,
}

/// By which one says which ciphertext is meant.
pub type CiphertextHash = [u8; 32];

impl Ciphertext {
    /// A hash over all of it.
    pub fn hash(&self) -> CiphertextHash {
        let mut hasher = blake3::Hasher::new_derive_key("chatp2p ciphertext v1");
        hasher.update(&[self.suite, u8::from(self.begins)]);
        hasher.update(self.session.as_bytes());
        hasher.update(&self.message);
        hasher.finalize().into()
    }
}

impl fmt::Debug for Ciphertext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ciphertext({:?}, {} bytes)", self.session, self.message.len())
    }
}

/// Why something cannot be encrypted or decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CipherError {
    /// No session reads this: it was changed, or made with keys that are gone, or for somebody else.
    #[error("the message cannot be decrypted")]
    Unreadable,
    /// A public key of theirs is none, or one that leads to the same secret for everybody.
    #[error("the other end's key is unusable")]
    BadKey,
    /// What was stored cannot be read, or what is held cannot be written.
    #[error("the stored keys cannot be read")]
    Damaged,
}
