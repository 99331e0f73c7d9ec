//! What lies on a disk: each piece is sealed by itself and for its own place, so that none can be read, changed, or put in
//! the place of another by somebody who has the disk but not the key.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use chacha20poly1305::aead::{Aead, AeadInOut, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use super::CipherError;
use crate::identity::Identity;

const NONCE_BYTES: usize = 24;

/// The nonce and the tag.
const OVERHEAD_BYTES: usize = NONCE_BYTES + 16;

/// Seals with one key (XChaCha20-Poly1305). What is sealed is the nonce, then the ciphertext: 40 bytes longer than the
/// secret.
pub(crate) struct Safe {
    cipher: XChaCha20Poly1305,
    /// Fresh in each life. Nonces follow from it by counting.
    seed: [u8; 32],
    sealed: AtomicU64,
}

impl Safe {
    pub(crate) fn new(key: &[u8; 32], seed: [u8; 32]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)), seed, sealed: AtomicU64::new(0) }
    }

    /// For the rows of a [`Keyring`](super::Keyring). The key follows from the identity: whoever has that is the peer anyway.
    pub(crate) fn of_keys(identity: &Identity, seed: [u8; 32]) -> Self {
        Self::derived("chatp2p keys at rest v1", identity, seed)
    }

    /// For what people wrote, and what would confirm a guess about it.
    #[cfg(feature = "sqlite")]
    pub(crate) fn of_messages(identity: &Identity, seed: [u8; 32]) -> Self {
        Self::derived("chatp2p messages at rest v1", identity, seed)
    }

    fn derived(context: &str, identity: &Identity, seed: [u8; 32]) -> Self {
        let secret = Zeroizing::new(identity.to_seed());
        Self::new(&Zeroizing::new(blake3::derive_key(context, &*secret)), seed)
    }

    pub(crate) fn seal(&self, place: &[u8], secret: &[u8]) -> Result<Vec<u8>, CipherError> {
        let count = self.sealed.fetch_add(1, Ordering::Relaxed);
        let block = blake3::keyed_hash(&self.seed, &count.to_be_bytes());
        let mut nonce = [0; NONCE_BYTES];
        for (to, from) in nonce.iter_mut().zip(block.as_bytes()) {
            *to = *from;
        }
        // In one piece: what people write may be long.
        let mut sealed = Vec::with_capacity(secret.len() + OVERHEAD_BYTES);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(secret);
        let (_, text) = sealed.split_at_mut(NONCE_BYTES);
        let tag = self.cipher.encrypt_inout_detached(&XNonce::from(nonce), place, text.into());
        sealed.extend_from_slice(&tag.map_err(|_| CipherError::Damaged)?);
        Ok(sealed)
    }

    /// # Errors
    /// [`CipherError::Damaged`] for what another key sealed, or this one for another place.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_BYTES).ok_or(CipherError::Damaged)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| CipherError::Damaged)?;
        let payload = Payload { msg: sealed, aad: place };
        let secret = self.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| CipherError::Damaged)?;
        Ok(Zeroizing::new(secret))
    }
}

impl fmt::Debug for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Safe").field("sealed", &self.sealed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_at_its_place_with_its_key_alone() {
        let safe = Safe::new(&[1; 32], [9; 32]);
        let sealed = safe.seal(b"here", b"a secret").unwrap();
        assert_eq!(safe.open(b"here", &sealed).unwrap().as_slice(), b"a secret");
        assert_eq!(sealed.len(), 8 + OVERHEAD_BYTES);
        assert!(!sealed.windows(8).any(|bytes| bytes == b"a secret"));
        assert_eq!(safe.open(b"there", &sealed).unwrap_err(), CipherError::Damaged);
        assert!(Safe::new(&[2; 32], [9; 32]).open(b"here", &sealed).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let safe = Safe::new(&[1; 32], [9; 32]);
        let sealed = safe.seal(b"here", b"a secret").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert!(safe.open(b"here", &forged).is_err(), "bit {bit}");
        }
        for end in 0..sealed.len() {
            assert!(safe.open(b"here", &sealed[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn no_nonce_serves_twice() {
        let safe = Safe::new(&[1; 32], [9; 32]);
        assert_ne!(safe.seal(b"here", b"a secret").unwrap(), safe.seal(b"here", b"a secret").unwrap());
    }
}
