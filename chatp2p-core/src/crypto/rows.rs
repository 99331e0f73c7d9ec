//! Keys at rest: each row is sealed by itself, for its own place and version, so that none can be read, changed, or put in
//! the place of another by somebody who has the disk but not the identity.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::CipherError;
use crate::identity::{Identity, PeerId};

const NONCE_BYTES: usize = 24;

/// Which keys a row holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum KeyRowId {
    /// The account: what sessions begin with.
    #[n(0)]
    Account,
    /// The sessions with one peer.
    #[n(1)]
    Peer(#[n(0)] PeerId),
}

/// One row of keys as a store keeps it. What it holds is sealed; the store need not keep it secret.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct KeyRow {
    /// Which.
    #[n(0)]
    pub id: KeyRowId,
    /// Rises by one with each change of the row.
    #[n(1)]
    pub version: u64,
    /// The sealed keys.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub sealed: Vec<u8>,
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRow({:?}, version {}, {} bytes)", self.id, self.version, self.sealed.len())
    }
}

/// Seals rows with a key that follows from the identity: whoever has that is the peer anyway.
pub(crate) struct Safe {
    cipher: XChaCha20Poly1305,
    /// Fresh in each life. Nonces follow from it by counting.
    seed: [u8; 32],
    sealed: u64,
}

impl Safe {
    pub(crate) fn new(identity: &Identity, seed: [u8; 32]) -> Self {
        let secret = Zeroizing::new(identity.to_seed());
        let key = Zeroizing::new(blake3::derive_key("chatp2p keys at rest v1", &*secret));
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)), seed, sealed: 0 }
    }

    pub(crate) fn seal(&mut self, id: KeyRowId, version: u64, keys: &[u8]) -> Result<KeyRow, CipherError> {
        self.sealed += 1;
        let block = blake3::keyed_hash(&self.seed, &self.sealed.to_be_bytes());
        let mut nonce = [0; NONCE_BYTES];
        for (to, from) in nonce.iter_mut().zip(block.as_bytes()) {
            *to = *from;
        }
        let place = place(id, version);
        let payload = Payload { msg: keys, aad: &place };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| CipherError::Damaged)?;
        Ok(KeyRow { id, version, sealed: [&nonce[..], &sealed].concat() })
    }

    pub(crate) fn open(&self, row: &KeyRow) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        let (nonce, sealed) = row.sealed.split_at_checked(NONCE_BYTES).ok_or(CipherError::Damaged)?;
        let nonce: [u8; NONCE_BYTES] = nonce.try_into().map_err(|_| CipherError::Damaged)?;
        let payload = Payload { msg: sealed, aad: &place(row.id, row.version) };
        let keys = self.cipher.decrypt(&XNonce::from(nonce), payload).map_err(|_| CipherError::Damaged)?;
        Ok(Zeroizing::new(keys))
    }
}

/// Table, row and version: what a sealed row belongs to.
fn place(id: KeyRowId, version: u64) -> Vec<u8> {
    let mut place = b"keys\0".to_vec();
    match id {
        KeyRowId::Account => place.push(0),
        KeyRowId::Peer(peer) => {
            place.push(1);
            place.extend_from_slice(peer.as_bytes());
        }
    }
    place.extend_from_slice(&version.to_be_bytes());
    place
}

impl fmt::Debug for Safe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Safe").field("sealed", &self.sealed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(seed: u8) -> KeyRowId {
        KeyRowId::Peer(Identity::from_seed(&[seed; 32]).peer_id())
    }

    #[test]
    fn a_row_opens_at_its_own_place_alone() {
        let alice = Identity::from_seed(&[1; 32]);
        let mut safe = Safe::new(&alice, [9; 32]);
        let row = safe.seal(peer(2), 7, b"ratchet").unwrap();
        assert_eq!(safe.open(&row).unwrap().as_slice(), b"ratchet");
        assert!(!row.sealed.windows(7).any(|bytes| bytes == b"ratchet"));
        for moved in [
            KeyRow { id: peer(3), ..row.clone() },
            KeyRow { id: KeyRowId::Account, ..row.clone() },
            KeyRow { version: 6, ..row.clone() },
        ] {
            assert_eq!(safe.open(&moved).unwrap_err(), CipherError::Damaged, "{moved:?}");
        }
        let eve = Safe::new(&Identity::from_seed(&[3; 32]), [9; 32]);
        assert!(eve.open(&row).is_err());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let mut safe = Safe::new(&Identity::from_seed(&[1; 32]), [9; 32]);
        let row = safe.seal(KeyRowId::Account, 1, b"account").unwrap();
        for bit in 0..row.sealed.len() * 8 {
            let mut forged = row.clone();
            forged.sealed[bit / 8] ^= 1 << (bit % 8);
            assert!(safe.open(&forged).is_err(), "bit {bit}");
        }
        for end in 0..row.sealed.len() {
            assert!(safe.open(&KeyRow { sealed: row.sealed[..end].to_vec(), ..row.clone() }).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn no_nonce_serves_twice() {
        let mut safe = Safe::new(&Identity::from_seed(&[1; 32]), [9; 32]);
        let mut seal = || safe.seal(KeyRowId::Account, 1, b"account").unwrap().sealed;
        assert_ne!(seal(), seal());
    }
}
