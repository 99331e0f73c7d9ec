//! A cipher that hides nothing, for simulated worlds: all its randomness follows from a seed, so that a run can be played
//! again bit for bit, and it fails exactly where a double ratchet does: at keys that are gone, that are yet to come, and
//! that belong to another past.

use std::sync::{Arc, Mutex, PoisonError};

use minicbor::{Decode, Encode};

use super::{CipherError, Ciphertext, PairCipher, PairSession, SessionId, Suite};
use crate::record::{ExchangeKey, PreKeys};

/// A number that no real suite has.
const SUITE: u8 = 255;

/// The furthest that a message may be ahead of the last one of its chain, as in Olm.
const MAX_GAP: u64 = 2_000;

/// How many chains of the other end are remembered, as in Olm.
const MAX_CHAINS: usize = 5;

type Key = [u8; 32];

/// The [`Suite`] of one life of one node. Another life needs another seed: randomness is never restored.
#[derive(Debug, Clone)]
pub struct Seeded(Arc<Mutex<(Key, u64)>>);

impl Seeded {
    /// Draws from this seed.
    pub fn new(seed: [u8; 32]) -> Self {
        Self(Arc::new(Mutex::new((seed, 0))))
    }

    fn draw(&self) -> Key {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        blake3::keyed_hash(&state.0, &state.1.to_be_bytes()).into()
    }
}

impl Suite for Seeded {
    fn number(&self) -> u8 {
        SUITE
    }

    fn create(&self) -> Box<dyn PairCipher> {
        let keys = Keys { identity: self.draw(), fallback: self.draw(), previous: None, one_time: Vec::new() };
        Box::new(Account { draw: self.clone(), keys })
    }

    fn restore(&self, stored: &[u8]) -> Result<Box<dyn PairCipher>, CipherError> {
        let keys = minicbor::decode(stored).map_err(|_| CipherError::Damaged)?;
        Ok(Box::new(Account { draw: self.clone(), keys }))
    }

    fn message_key(&self, ciphertext: &Ciphertext) -> Option<([u8; 32], u64)> {
        let Message { chain, n, .. } = minicbor::decode(&ciphertext.message).ok()?;
        Some((chain, n))
    }
}

/// Public and secret halves are the same here.
#[derive(Debug, Clone, Encode, Decode)]
struct Keys {
    #[n(0)]
    identity: Key,
    #[n(1)]
    fallback: Key,
    #[n(2)]
    previous: Option<Key>,
    #[n(3)]
    one_time: Vec<Key>,
}

#[derive(Debug)]
struct Account {
    draw: Seeded,
    keys: Keys,
}

/// What travels. `against` is the chain of the other end from which this one was begun, or the key that began it all.
#[derive(Debug, Encode, Decode)]
struct Message {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    initiator: Key,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    base: Key,
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    key: Key,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    against: Key,
    #[n(4)]
    #[cbor(with = "minicbor::bytes")]
    chain: Key,
    #[n(5)]
    n: u64,
    #[n(6)]
    #[cbor(with = "minicbor::bytes")]
    text: Vec<u8>,
}

#[derive(Debug, Clone, Encode, Decode)]
struct Ratchet {
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    initiator: Key,
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    base: Key,
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    key: Key,
    /// My chain, and the number of its next message.
    #[n(3)]
    mine: Option<(Key, u64)>,
    /// What my next chain begins from.
    #[n(4)]
    against: Key,
    /// What the other end's next chain must have begun from.
    #[n(5)]
    mine_before: Key,
    /// Their chains, and the numbers of the next messages, oldest first.
    #[n(6)]
    theirs: Vec<(Key, u64)>,
}

#[derive(Debug)]
struct Session {
    draw: Seeded,
    ratchet: Ratchet,
}

impl PairCipher for Account {
    fn pre_keys(&self) -> PreKeys {
        let [identity, fallback] = [self.keys.identity, self.keys.fallback].map(ExchangeKey::from_bytes);
        PreKeys { suite: SUITE, identity, fallback }
    }

    fn add_one_time_key(&mut self) -> ExchangeKey {
        let key = self.draw.draw();
        self.keys.one_time.push(key);
        ExchangeKey::from_bytes(key)
    }

    fn remove_one_time_key(&mut self, key: ExchangeKey) {
        self.keys.one_time.retain(|known| known != key.as_bytes());
    }

    fn turn_fallback_key(&mut self) {
        self.keys.previous = Some(self.keys.fallback);
        self.keys.fallback = self.draw.draw();
    }

    fn begin(&self, _: &PreKeys, key: ExchangeKey) -> Result<Box<dyn PairSession>, CipherError> {
        let (key, chain) = (*key.as_bytes(), self.draw.draw());
        let ratchet = Ratchet {
            initiator: self.keys.identity,
            base: self.draw.draw(),
            key,
            mine: Some((chain, 0)),
            against: key,
            mine_before: chain,
            theirs: Vec::new(),
        };
        Ok(Box::new(Session { draw: self.draw.clone(), ratchet }))
    }

    fn accept(
        &mut self,
        theirs: &PreKeys,
        ciphertext: &Ciphertext,
    ) -> Result<(Box<dyn PairSession>, Vec<u8>), CipherError> {
        let first: Message = minicbor::decode(&ciphertext.message).map_err(|_| CipherError::Unreadable)?;
        let Keys { fallback, previous, one_time, .. } = &self.keys;
        let known = one_time.contains(&first.key) || first.key == *fallback || Some(first.key) == *previous;
        if !known || !ciphertext.begins || first.initiator != *theirs.identity.as_bytes() || first.against != first.key
        {
            return Err(CipherError::Unreadable);
        }
        let ratchet = Ratchet {
            initiator: first.initiator,
            base: first.base,
            key: first.key,
            mine: None,
            against: first.chain,
            mine_before: first.key,
            theirs: vec![(first.chain, 0)],
        };
        let mut session = Session { draw: self.draw.clone(), ratchet };
        let plaintext = session.decrypt(ciphertext)?;
        self.keys.one_time.retain(|known| *known != first.key);
        Ok((Box::new(session), plaintext))
    }

    fn peek(&self, theirs: &PreKeys, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError> {
        let mut copy = Self { draw: self.draw.clone(), keys: self.keys.clone() };
        copy.accept(theirs, ciphertext).map(|(_, plaintext)| plaintext)
    }

    fn revive(&self, stored: &[u8]) -> Result<Box<dyn PairSession>, CipherError> {
        let ratchet = minicbor::decode(stored).map_err(|_| CipherError::Damaged)?;
        Ok(Box::new(Session { draw: self.draw.clone(), ratchet }))
    }

    fn store(&self) -> Result<Vec<u8>, CipherError> {
        minicbor::to_vec(&self.keys).map_err(|_| CipherError::Damaged)
    }
}

impl PairSession for Session {
    fn id(&self) -> SessionId {
        let Ratchet { initiator, base, key, .. } = &self.ratchet;
        SessionId::from_bytes(blake3::hash(&[*initiator, *base, *key].concat()).into())
    }

    fn encrypt(&mut self, plaintext: &[u8]) -> Result<Ciphertext, CipherError> {
        let (chain, n) = self.ratchet.mine.unwrap_or_else(|| (self.draw.draw(), 0));
        self.ratchet.mine = Some((chain, n + 1));
        self.ratchet.mine_before = chain;
        let Ratchet { initiator, base, key, against, .. } = self.ratchet;
        let message = Message { initiator, base, key, against, chain, n, text: plaintext.to_vec() };
        let message = minicbor::to_vec(&message).map_err(|_| CipherError::BadKey)?;
        Ok(Ciphertext { suite: SUITE, session: self.id(), begins: self.ratchet.theirs.is_empty(), message })
    }

    fn decrypt(&mut self, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError> {
        let message: Message = minicbor::decode(&ciphertext.message).map_err(|_| CipherError::Unreadable)?;
        let next = message.n.checked_add(1).ok_or(CipherError::Unreadable)?;
        let ratchet = &mut self.ratchet;
        match ratchet.theirs.iter_mut().find(|(chain, _)| *chain == message.chain) {
            Some((_, expected)) if message.n >= *expected && message.n - *expected <= MAX_GAP => *expected = next,
            // The entries of a log are decrypted in their order, so that the keys that were passed over are not kept.
            Some(_) => return Err(CipherError::Unreadable),
            None if message.against != ratchet.mine_before || message.n > MAX_GAP => {
                return Err(CipherError::Unreadable);
            }
            None => {
                if ratchet.theirs.len() >= MAX_CHAINS {
                    ratchet.theirs.remove(0);
                }
                ratchet.theirs.push((message.chain, next));
                ratchet.against = message.chain;
                ratchet.mine = None;
            }
        }
        Ok(message.text)
    }

    fn store(&self) -> Result<Vec<u8>, CipherError> {
        minicbor::to_vec(&self.ratchet).map_err(|_| CipherError::Damaged)
    }
}
