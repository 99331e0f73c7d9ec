//! A node's keys: its account, and its sessions with everybody. Decides which session encrypts what.
//!
//! # Never the same key twice
//!
//! A session whose state was put back to an older copy would encrypt two messages with one key. A life that begins from an
//! older copy cannot be told from one that does not (docs/decisions/0002), so every life counts as one that may have been:
//! **a session that was read from a store only decrypts.** Each life begins its own; those that others begin with it in this
//! life serve as well, because their first answer draws a fresh ratchet key.
//!
//! # What cannot be read
//!
//! A receiver that was put back lacks sessions or has old ones. It says which ciphertext it cannot read, signed; the author
//! gives up the session of that ciphertext and encrypts what stands there anew, in a new one.

mod letterboxes;
mod peer;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use minicbor::{Decode, Encode};

use super::Safe;
use super::{
    CipherError, Ciphertext, CiphertextHash, KeyRow, KeyRowId, Nack, Offer, PairCipher, SessionId, Suite, Watchword,
};
use crate::clock::Wall;
use crate::identity::{Identity, PeerId};
use crate::message::Epoch;
use crate::record::{ExchangeKey, PreKeys};

pub use letterboxes::LetterboxSecret;
use peer::Sessions;

/// The most sessions that are kept with one peer: both ends begin one in each life, and what was sent in the life before may
/// still be on its way.
pub const MAX_SESSIONS: usize = 4;

/// The most one-time keys that are offered and unused. They are written down together, some 100 bytes each.
pub const MAX_OFFERS: usize = 100;

/// The most of them that one peer is offered: that of the link before, which may still be on its way back, and a new one.
pub const MAX_OFFERS_OF_ONE: usize = 2;

/// How long a fallback key is in the record. The one before serves as long again, for those who hold an old record.
const FALLBACK_DAYS: u64 = 7;

/// What a session with somebody can begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TheirKeys {
    /// Out of their signed record.
    pub pre_keys: PreKeys,
    /// What they have offered to this node alone, verified.
    pub one_time: Option<ExchangeKey>,
}

/// All keys of a node but its identity's secret half, and that too, for signing.
pub struct Keyring {
    identity: Identity,
    suite: u8,
    cipher: Box<dyn PairCipher>,
    safe: Safe,
    /// The offered keys, oldest first.
    offers: VecDeque<(PeerId, ExchangeKey)>,
    turned: Wall,
    /// Those of this node's own letterboxes, oldest first.
    letterboxes: Vec<LetterboxSecret>,
    version: u64,
    is_changed: bool,
    peers: BTreeMap<PeerId, Sessions>,
    changed: BTreeSet<PeerId>,
}

/// The account's row, unsealed.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Stored {
    #[n(0)]
    suite: u8,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    account: Vec<u8>,
    #[n(2)]
    offers: Vec<(PeerId, ExchangeKey)>,
    #[n(3)]
    turned: Wall,
    #[n(4)]
    #[cbor(default, skip_if = "Vec::is_empty")]
    letterboxes: Vec<LetterboxSecret>,
}

impl Keyring {
    /// The keys of these rows, for a new life; a new account where there is none. `seed` must be fresh randomness, each time.
    ///
    /// # Errors
    /// [`KeyringError`] when a row was not sealed by this identity for its place, or cannot be read.
    pub fn load(
        identity: Identity,
        suite: &dyn Suite,
        rows: Vec<KeyRow>,
        seed: [u8; 32],
        now: Wall,
    ) -> Result<Self, KeyringError> {
        let safe = Safe::of_keys(&identity, blake3::derive_key("chatp2p nonces of a life v1", &seed));
        let mut account = None;
        let mut peers = BTreeMap::new();
        for row in rows {
            let keys = row.open(&safe).map_err(|source| KeyringError { row: row.id, source })?;
            match row.id {
                KeyRowId::Account => account = Some((row.version, keys)),
                KeyRowId::Peer(peer) => drop(peers.insert(peer, Sessions::stored(row.version, keys))),
            }
        }
        let damaged = |source| KeyringError { row: KeyRowId::Account, source };
        let is_new = account.is_none();
        let (cipher, version, offers, turned, letterboxes) = match account {
            Some((version, keys)) => {
                let stored: Stored = minicbor::decode(&keys).map_err(|_| damaged(CipherError::Damaged))?;
                if stored.suite != suite.number() {
                    return Err(damaged(CipherError::Damaged));
                }
                let cipher = suite.restore(&stored.account).map_err(damaged)?;
                (cipher, version, stored.offers, stored.turned, stored.letterboxes)
            }
            None => (suite.create(), 0, Vec::new(), now, Vec::new()),
        };
        if let Some(peer) = peers.keys().next().filter(|_| is_new) {
            // Without the account these sessions are somebody else's.
            return Err(KeyringError { row: KeyRowId::Peer(*peer), source: CipherError::Damaged });
        }
        Ok(Self {
            identity,
            suite: suite.number(),
            cipher,
            safe,
            offers: offers.into(),
            turned,
            letterboxes,
            version,
            is_changed: is_new,
            peers,
            changed: BTreeSet::new(),
        })
    }

    /// What this node's record says about its account.
    pub fn pre_keys(&self) -> PreKeys {
        self.cipher.pre_keys()
    }

    /// What this node's contacts are given, to know each other by.
    pub fn watchword(&self) -> Watchword {
        Watchword::of(&self.identity)
    }

    /// Puts a new fallback key into the record when the present one is old. By the wall clock: a wrong one makes it serve
    /// longer or shorter, and nothing worse.
    pub fn turn_fallback_key_if_due(&mut self, now: Wall) {
        const MILLIS_OF_A_DAY: u64 = 86_400_000;
        if now.as_millis().abs_diff(self.turned.as_millis()) >= FALLBACK_DAYS * MILLIS_OF_A_DAY {
            self.cipher.turn_fallback_key();
            self.turned = now;
            self.is_changed = true;
        }
    }

    /// Whether this node can encrypt for the owner of such a record.
    pub const fn understands(&self, keys: &PreKeys) -> bool {
        keys.suite == self.suite
    }

    /// A fresh key for a peer to begin a session with.
    pub fn offer(&mut self, to: PeerId) -> Offer {
        let of_theirs = self.offers.iter().filter(|(peer, _)| *peer == to).count();
        if of_theirs >= MAX_OFFERS_OF_ONE {
            self.withdraw(self.offers.iter().position(|(peer, _)| *peer == to));
        } else if self.offers.len() >= MAX_OFFERS {
            self.withdraw(Some(0));
        }
        let key = self.cipher.add_one_time_key();
        self.offers.push_back((to, key));
        self.is_changed = true;
        Offer::sign(&self.identity, &self.cipher.pre_keys(), to, key)
    }

    fn withdraw(&mut self, at: Option<usize>) {
        if let Some((_, key)) = at.and_then(|at| self.offers.remove(at)) {
            self.cipher.remove_one_time_key(key);
        }
    }

    /// Encrypts for a peer. Begins a session where none of this life serves, and then uses up the one-time key.
    ///
    /// # Errors
    /// [`CipherError::BadKey`] when the peer's keys lead to no secret.
    pub fn encrypt(&mut self, to: PeerId, theirs: &mut TheirKeys, plaintext: &[u8]) -> Result<Ciphertext, CipherError> {
        let sessions = self.peers.entry(to).or_default();
        sessions.revive(&*self.cipher)?;
        if sessions.writer().is_none() {
            let key = theirs.one_time.take().unwrap_or(theirs.pre_keys.fallback);
            sessions.add(self.cipher.begin(&theirs.pre_keys, key)?);
        }
        let session = sessions.writer().ok_or(CipherError::Damaged)?;
        let ciphertext = session.encrypt(plaintext)?;
        self.changed.insert(to);
        Ok(ciphertext)
    }

    /// Decrypts what a peer, whose record has these pre-keys, wrote for this node. On error everything is as it was.
    ///
    /// # Errors
    /// [`CipherError::Unreadable`], or [`CipherError::Damaged`] when this node's own sessions cannot be read.
    pub fn decrypt(&mut self, from: PeerId, theirs: &PreKeys, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError> {
        if ciphertext.suite != self.suite {
            return Err(CipherError::Unreadable);
        }
        let sessions = self.peers.entry(from).or_default();
        sessions.revive(&*self.cipher)?;
        let plaintext = match sessions.decrypt(ciphertext) {
            Some(plaintext) => plaintext?,
            None if !ciphertext.begins => return Err(CipherError::Unreadable),
            None => {
                let (session, plaintext) = self.cipher.accept(theirs, ciphertext)?;
                sessions.add_heard(session);
                self.is_changed = true;
                plaintext
            }
        };
        self.changed.insert(from);
        Ok(plaintext)
    }

    /// Decrypts the first message of a session that somebody began, and keeps nothing of it: the same message can be decrypted
    /// again.
    ///
    /// # Errors
    /// [`CipherError::Unreadable`] for anything else.
    pub fn peek(&self, theirs: &PreKeys, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError> {
        self.cipher.peek(theirs, ciphertext)
    }

    /// A peer cannot read what was encrypted in this session: it encrypts nothing more.
    pub fn give_up(&mut self, peer: PeerId, session: SessionId) {
        if let Some(sessions) = self.peers.get_mut(&peer) {
            sessions.give_up(session);
        }
    }

    /// Whether a ciphertext of this session is worth sending again.
    pub fn is_given_up(&self, peer: PeerId, session: SessionId) -> bool {
        self.peers.get(&peer).is_some_and(|sessions| sessions.is_given_up(session))
    }

    /// The statement to an author that this node cannot read a ciphertext of theirs.
    pub fn nack(&self, to: PeerId, epoch: Epoch, n: u64, ciphertext: CiphertextHash) -> Nack {
        Nack::sign(&self.identity, to, epoch, n, ciphertext)
    }

    /// What has changed since the last time, to be made durable before anything that was encrypted leaves.
    ///
    /// # Errors
    /// [`CipherError::Damaged`] when a key cannot be written down; nothing that was encrypted may leave then.
    pub fn take_changes(&mut self) -> Result<Vec<KeyRow>, CipherError> {
        let mut rows = Vec::new();
        if std::mem::take(&mut self.is_changed) {
            self.version += 1;
            let stored = Stored {
                suite: self.suite,
                account: self.cipher.store()?,
                offers: self.offers.iter().copied().collect(),
                turned: self.turned,
                letterboxes: self.letterboxes.clone(),
            };
            let keys = zeroize::Zeroizing::new(minicbor::to_vec(&stored).map_err(|_| CipherError::Damaged)?);
            rows.push(KeyRow::seal(&self.safe, KeyRowId::Account, self.version, &keys)?);
        }
        for peer in std::mem::take(&mut self.changed) {
            if let Some(sessions) = self.peers.get_mut(&peer) {
                let (version, keys) = sessions.store()?;
                rows.push(KeyRow::seal(&self.safe, KeyRowId::Peer(peer), version, &keys)?);
            }
        }
        Ok(rows)
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("pre_keys", &self.pre_keys())
            .field("offers", &self.offers.len())
            .field("peers", &self.peers)
            .finish_non_exhaustive()
    }
}

/// A row of keys that is of no use: damaged, moved, or sealed by another identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the keys in the row {row:?} cannot be read")]
pub struct KeyringError {
    /// Which.
    pub row: KeyRowId,
    /// Why.
    #[source]
    pub source: CipherError,
}
