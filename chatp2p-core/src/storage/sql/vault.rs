//! What people wrote, sealed: the columns that tell it, or by which a guess at it could be confirmed, mean nothing to
//! whoever has the file but not the identity.

use super::damaged;
use crate::crypto::Safe;
use crate::identity::{Identity, PeerId};
use crate::message::{Author, Body, Entry, Epoch, LogHash, Position};
use crate::storage::{FirstWords, StorageError, random};

/// Where a hash of a log stands. A hash covers the text, and short texts can be guessed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Hashed {
    /// Beside the entry itself.
    Entry(Author),
    /// Where my log is acknowledged.
    Acknowledged,
    /// Where their log stands.
    Theirs,
}

impl Hashed {
    const fn column(self) -> &'static [u8] {
        match self {
            Self::Entry(Author::Me) => b"entries.hash\0mine",
            Self::Entry(Author::Them) => b"entries.hash\0theirs",
            Self::Acknowledged => b"my_epochs.acknowledged_hash\0",
            Self::Theirs => b"their_epochs.hash\0",
        }
    }
}

/// Seals and opens the columns of one profile. Each value is bound to its column and row.
#[derive(Debug)]
pub(super) struct Vault(Safe);

impl Vault {
    pub(super) fn new(identity: &Identity) -> Result<Self, StorageError> {
        Ok(Self(Safe::of_messages(identity, *random()?)))
    }

    pub(super) fn seal_body(&self, peer: &PeerId, author: Author, entry: &Entry) -> Result<Vec<u8>, StorageError> {
        let body = minicbor::to_vec(&entry.body).map_err(|_| damaged("a message cannot be encoded"))?;
        self.seal(&body_place(peer, author, entry.id.as_bytes()), &body)
    }

    pub(super) fn open_body(
        &self,
        peer: &PeerId,
        author: Author,
        id: &[u8],
        sealed: &[u8],
    ) -> Result<Body, StorageError> {
        let body = self.0.open(&body_place(peer, author, id), sealed);
        let body = body.map_err(|_| damaged("a stored message is not as it was sealed"))?;
        minicbor::decode(&body).map_err(|_| damaged("a stored message cannot be read"))
    }

    pub(super) fn seal_hash(&self, of: Hashed, peer: &PeerId, at: &Position) -> Result<Vec<u8>, StorageError> {
        self.seal(&hash_place(of, peer, at.epoch, at.n), at.hash.as_bytes())
    }

    pub(super) fn open_hash(
        &self,
        of: Hashed,
        peer: &PeerId,
        (epoch, n): (Epoch, u64),
        sealed: &[u8],
    ) -> Result<LogHash, StorageError> {
        let hash = self.0.open(&hash_place(of, peer, epoch, n), sealed);
        let hash = hash.map_err(|_| damaged("a stored hash is not as it was sealed"))?;
        let hash = hash.as_slice().try_into().map_err(|_| damaged("a stored hash has not 32 bytes"))?;
        Ok(LogHash::from_bytes(hash))
    }

    pub(super) fn seal_request(&self, peer: &PeerId, first: &FirstWords) -> Result<Vec<u8>, StorageError> {
        let first = minicbor::to_vec(first).map_err(|_| damaged("a request cannot be encoded"))?;
        self.seal(&request_place(peer), &first)
    }

    pub(super) fn open_request(&self, peer: &PeerId, sealed: &[u8]) -> Result<FirstWords, StorageError> {
        let first = self.0.open(&request_place(peer), sealed);
        let first = first.map_err(|_| damaged("a stored request is not as it was sealed"))?;
        minicbor::decode(&first).map_err(|_| damaged("a stored request cannot be read"))
    }

    fn seal(&self, place: &[u8], secret: &[u8]) -> Result<Vec<u8>, StorageError> {
        self.0.seal(place, secret).map_err(|_| damaged("a message is too long to be sealed"))
    }
}

fn body_place(peer: &PeerId, author: Author, id: &[u8]) -> Vec<u8> {
    [b"entries.body\0".as_slice(), peer.as_bytes(), &[u8::from(author == Author::Me)], id].concat()
}

fn hash_place(of: Hashed, peer: &PeerId, epoch: Epoch, n: u64) -> Vec<u8> {
    [of.column(), peer.as_bytes(), &epoch.get().to_be_bytes(), &n.to_be_bytes()].concat()
}

fn request_place(peer: &PeerId) -> Vec<u8> {
    [b"requests.first\0".as_slice(), peer.as_bytes()].concat()
}
