//! Keys at rest: each row is sealed by itself, for its own place and version.

use std::fmt;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::{CipherError, Safe};
use crate::identity::PeerId;

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

impl KeyRow {
    pub(crate) fn seal(safe: &Safe, id: KeyRowId, version: u64, keys: &[u8]) -> Result<Self, CipherError> {
        Ok(Self { id, version, sealed: safe.seal(&place(id, version), keys)? })
    }

    pub(crate) fn open(&self, safe: &Safe) -> Result<Zeroizing<Vec<u8>>, CipherError> {
        safe.open(&place(self.id, self.version), &self.sealed)
    }
}

impl fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRow({:?}, version {}, {} bytes)", self.id, self.version, self.sealed.len())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn peer(seed: u8) -> KeyRowId {
        KeyRowId::Peer(Identity::from_seed(&[seed; 32]).peer_id())
    }

    #[test]
    fn a_row_opens_at_its_own_place_alone() {
        let alice = Identity::from_seed(&[1; 32]);
        let safe = Safe::of_keys(&alice, [9; 32]);
        let row = KeyRow::seal(&safe, peer(2), 7, b"ratchet").unwrap();
        assert_eq!(row.open(&safe).unwrap().as_slice(), b"ratchet");
        for moved in [
            KeyRow { id: peer(3), ..row.clone() },
            KeyRow { id: KeyRowId::Account, ..row.clone() },
            KeyRow { version: 6, ..row.clone() },
        ] {
            assert_eq!(moved.open(&safe).unwrap_err(), CipherError::Damaged, "{moved:?}");
        }
        let eve = Safe::of_keys(&Identity::from_seed(&[3; 32]), [9; 32]);
        assert!(row.open(&eve).is_err());
    }
}
