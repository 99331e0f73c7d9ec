//! What one end tells the other about keys, under its own signature: a key to begin a session with, and that a ciphertext
//! cannot be read.

use minicbor::{Decode, Encode};

use super::CiphertextHash;
use crate::identity::{Domain, Identity, PeerId};
use crate::message::Epoch;
use crate::record::{ExchangeKey, PreKeys};

/// A one-time key, for one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Offer {
    /// The key.
    #[n(0)]
    pub key: ExchangeKey,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl Offer {
    /// Signs a key of the account with these pre-keys.
    pub fn sign(identity: &Identity, keys: &PreKeys, to: PeerId, key: ExchangeKey) -> Self {
        Self { key, signature: identity.sign(Domain::OneTimeKey, &Self::payload(keys, to, key)) }
    }

    /// Whether `from`, whose record has these pre-keys, made it for `to`.
    pub fn is_from(&self, from: PeerId, keys: &PreKeys, to: PeerId) -> bool {
        from.verifies(Domain::OneTimeKey, &Self::payload(keys, to, self.key), &self.signature)
    }

    /// Bound to the account, so that a key of one account never begins a session with another.
    fn payload(keys: &PreKeys, to: PeerId, key: ExchangeKey) -> Vec<u8> {
        [&[keys.suite][..], keys.identity.as_bytes(), to.as_bytes(), key.as_bytes()].concat()
    }
}

/// The reader's statement that it cannot decrypt an entry. Its author then, and only then, encrypts the entry anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Nack {
    /// Where the entry stands in its author's log.
    #[n(0)]
    pub epoch: Epoch,
    /// Its number there.
    #[n(1)]
    pub n: u64,
    /// Which ciphertext of it.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub ciphertext: CiphertextHash,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl Nack {
    /// Signs that this ciphertext of an entry cannot be read.
    pub fn sign(identity: &Identity, to: PeerId, epoch: Epoch, n: u64, ciphertext: CiphertextHash) -> Self {
        let signature = identity.sign(Domain::Nack, &Self::payload(to, epoch, n, &ciphertext));
        Self { epoch, n, ciphertext, signature }
    }

    /// Whether `from` says it, to the author `to`.
    pub fn is_from(&self, from: PeerId, to: PeerId) -> bool {
        from.verifies(Domain::Nack, &Self::payload(to, self.epoch, self.n, &self.ciphertext), &self.signature)
    }

    fn payload(to: PeerId, epoch: Epoch, n: u64, ciphertext: &CiphertextHash) -> Vec<u8> {
        [to.as_bytes(), &epoch.get().to_be_bytes()[..], &n.to_be_bytes(), ciphertext].concat()
    }
}
