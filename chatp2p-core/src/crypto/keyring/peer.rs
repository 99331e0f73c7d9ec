//! The sessions with one peer.

use std::fmt;

use zeroize::Zeroizing;

use super::MAX_SESSIONS;
use crate::crypto::{CipherError, Ciphertext, PairCipher, PairSession, SessionId};

/// The most sessions that are remembered as given up: more are gone, and what was encrypted in them has been given up too.
const MAX_GIVEN_UP: usize = 16;

/// Those of one peer, the one that was used last at the end.
#[derive(Default)]
pub(super) struct Sessions {
    version: u64,
    /// As they were read, until they are needed.
    stored: Option<Zeroizing<Vec<u8>>>,
    held: Vec<Held>,
    /// Counts the messages that were decrypted in this life.
    heard: u64,
    given_up: Vec<SessionId>,
}

struct Held {
    id: SessionId,
    session: Box<dyn PairSession>,
    /// Whether it began in this life, at this end; only then may it encrypt.
    is_of_this_life: bool,
    /// Which of the decrypted messages was its last; 0 for none.
    heard: u64,
}

impl Sessions {
    pub(super) fn stored(version: u64, keys: Zeroizing<Vec<u8>>) -> Self {
        Self { version, stored: Some(keys), ..Self::default() }
    }

    /// Reads what was stored, if that is not done yet.
    pub(super) fn revive(&mut self, cipher: &dyn PairCipher) -> Result<(), CipherError> {
        let Some(keys) = &self.stored else { return Ok(()) };
        let mut decoder = minicbor::Decoder::new(keys);
        let sessions = decoder.array_iter::<&minicbor::bytes::ByteSlice>().map_err(|_| CipherError::Damaged)?;
        let mut held = Vec::new();
        for session in sessions {
            let session = cipher.revive(session.map_err(|_| CipherError::Damaged)?)?;
            held.push(Held { id: session.id(), session, is_of_this_life: false, heard: 0 });
        }
        self.held = held;
        self.stored = None;
        Ok(())
    }

    /// The session that last decrypted something; before that, both ends agree on the one with the lowest name.
    pub(super) fn writer(&mut self) -> Option<&mut dyn PairSession> {
        let given_up = &self.given_up;
        let usable = self.held.iter_mut().filter(|held| held.is_of_this_life && !given_up.contains(&held.id));
        let best = usable.max_by_key(|held| (held.heard, std::cmp::Reverse(held.id)))?;
        Some(&mut *best.session)
    }

    pub(super) fn add(&mut self, session: Box<dyn PairSession>) {
        if self.held.len() >= MAX_SESSIONS {
            self.held.remove(0);
        }
        self.held.push(Held { id: session.id(), session, is_of_this_life: true, heard: 0 });
    }

    /// Adds one that the peer began, whose first message was decrypted.
    pub(super) fn add_heard(&mut self, session: Box<dyn PairSession>) {
        self.add(session);
        self.heard += 1;
        if let Some(held) = self.held.last_mut() {
            held.heard = self.heard;
        }
    }

    /// `None` when there is no such session.
    pub(super) fn decrypt(&mut self, ciphertext: &Ciphertext) -> Option<Result<Vec<u8>, CipherError>> {
        let at = self.held.iter().position(|held| held.id == ciphertext.session)?;
        let held = self.held.get_mut(at)?;
        let plaintext = match held.session.decrypt(ciphertext) {
            Ok(plaintext) => plaintext,
            Err(error) => return Some(Err(error)),
        };
        self.heard += 1;
        held.heard = self.heard;
        let used = self.held.remove(at);
        self.held.push(used);
        Some(Ok(plaintext))
    }

    pub(super) fn give_up(&mut self, session: SessionId) {
        if !self.given_up.contains(&session) {
            if self.given_up.len() >= MAX_GIVEN_UP {
                self.given_up.remove(0);
            }
            self.given_up.push(session);
        }
    }

    pub(super) fn is_given_up(&self, session: SessionId) -> bool {
        self.given_up.contains(&session)
    }

    /// The row as it is to be kept, and its new version.
    pub(super) fn store(&mut self) -> Result<(u64, Zeroizing<Vec<u8>>), CipherError> {
        let mut keys = Zeroizing::new(Vec::new());
        let mut encoder = minicbor::Encoder::new(&mut *keys);
        encoder.array(self.held.len() as u64).map_err(|_| CipherError::Damaged)?;
        for held in &self.held {
            let session = Zeroizing::new(held.session.store()?);
            encoder.bytes(&session).map_err(|_| CipherError::Damaged)?;
        }
        self.version += 1;
        Ok((self.version, keys))
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids: Vec<_> = self.held.iter().map(|held| held.id).collect();
        f.debug_struct("Sessions").field("version", &self.version).field("held", &ids).finish_non_exhaustive()
    }
}
