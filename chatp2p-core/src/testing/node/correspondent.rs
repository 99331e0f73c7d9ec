//! Somebody with a proper key and proper keys for encryption, who writes and reads by hand what nodes write and read.

use crate::clock::Wall;
use crate::crypto::{Ciphertext, Keyring, Offer, Olm, TheirKeys};
use crate::identity::{Identity, PeerId, Username, random};
use crate::message::{Body, Conversation, Entry, EntryId, Epoch, LogHash};
use crate::protocol::wire::{Content, Frame, Letter, LogEntry, decode_letter, encode_letter};
use crate::record::{Endpoint, PeerRecord, SignedRecord};

/// One end of an encrypted conversation, without a node.
#[derive(Debug)]
pub struct Correspondent {
    identity: Identity,
    keyring: Keyring,
    theirs: Option<(PeerId, TheirKeys)>,
}

impl Correspondent {
    /// As whom `identity` is, with keys that nobody has seen.
    ///
    /// # Panics
    /// When the system has no randomness.
    pub fn new(identity: &Identity) -> Self {
        let seed = *random().expect("randomness");
        let keyring = Keyring::load(identity.clone(), &Olm, Vec::new(), seed, Wall::default());
        Self { identity: identity.clone(), keyring: keyring.expect("no rows, no trouble"), theirs: None }
    }

    /// The record that goes with the keys.
    ///
    /// # Panics
    /// When its fields are not within their bounds.
    pub fn record(&self, username: &Username, endpoints: Vec<Endpoint>, seq: u64) -> SignedRecord {
        let (peer_id, pre_keys) = (self.identity.peer_id(), Some(self.keyring.pre_keys()));
        let record =
            PeerRecord { username: username.clone(), peer_id, endpoints, seq, pre_keys, letterboxes: Vec::new() };
        SignedRecord::sign(&self.identity, record).expect("a record within its bounds")
    }

    /// Takes the keys of the other end from their record.
    ///
    /// # Panics
    /// When there are none in it.
    pub fn meet(&mut self, record: &SignedRecord) {
        let record = record.record();
        let pre_keys = record.pre_keys.expect("keys in the record");
        self.theirs = Some((record.peer_id, TheirKeys { pre_keys, one_time: None }));
    }

    /// A key for the other end, as a greeting carries it.
    ///
    /// # Panics
    /// Before [`meet`](Self::meet).
    pub fn offer(&mut self) -> Offer {
        self.keyring.offer(self.theirs.expect("the other end is known").0)
    }

    /// An entry at a place of one's own log.
    ///
    /// # Panics
    /// Before [`meet`](Self::meet).
    pub fn entry(&mut self, epoch: Epoch, n: u64, before: Option<LogHash>, content: Content) -> Frame {
        let to = self.theirs.expect("the other end is known").0;
        let from = self.identity.peer_id();
        let conversation = Conversation::direct(from, to);
        let letter = Letter { conversation, from, to, epoch, n, before, follows: None, content };
        let ciphertext = self.encrypt(&encode_letter(&letter));
        Frame::Entry(LogEntry { epoch, n, before, follows: None, ciphertext })
    }

    /// Anything, encrypted.
    ///
    /// # Panics
    /// Before [`meet`](Self::meet).
    pub fn encrypt(&mut self, plaintext: &[u8]) -> Ciphertext {
        let (to, keys) = self.theirs.as_mut().expect("the other end is known");
        self.keyring.encrypt(*to, keys, plaintext).expect("usable keys")
    }

    /// What the other end wrote.
    ///
    /// # Panics
    /// When it was not written for this end.
    pub fn read(&mut self, entry: &LogEntry) -> Letter {
        let (from, keys) = self.theirs.expect("the other end is known");
        let letter = self.keyring.decrypt(from, &keys.pre_keys, &entry.ciphertext).expect("a readable message");
        decode_letter(&letter).expect("a letter")
    }

    /// An entry of a text and an id.
    pub fn saying(id: u8, text: String) -> Content {
        Content::Entry(Entry { id: EntryId::from_bytes([id; 16]), written: Wall::default(), body: Body::Text(text) })
    }
}
