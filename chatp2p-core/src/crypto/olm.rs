//! The double ratchet of Matrix, as vodozemac has it: version 2, whose authentication is not cut short, and no other.

use vodozemac::Curve25519PublicKey;
use vodozemac::olm::{
    Account, AccountPickle, Message, OlmMessage, PreKeyMessage, Session, SessionConfig, SessionPickle,
};

use super::{CipherError, Ciphertext, OLM_V2, PairCipher, PairSession, SessionId, Suite};
use crate::record::{ExchangeKey, PreKeys};

/// The [`Suite`] of every node.
#[derive(Debug, Clone, Copy, Default)]
pub struct Olm;

impl Suite for Olm {
    fn number(&self) -> u8 {
        OLM_V2
    }

    fn create(&self) -> Box<dyn PairCipher> {
        let mut account = Account::new();
        account.generate_fallback_key();
        let fallback = published(&mut account);
        Box::new(OlmAccount { account, fallback })
    }

    fn restore(&self, stored: &[u8]) -> Result<Box<dyn PairCipher>, CipherError> {
        let (pickle, fallback): (AccountPickle, [u8; 32]) = read(stored)?;
        let account = Account::from_pickle(pickle);
        Ok(Box::new(OlmAccount { account, fallback: ExchangeKey::from_bytes(fallback) }))
    }

    fn message_key(&self, ciphertext: &Ciphertext) -> Option<([u8; 32], u64)> {
        let message = parse(ciphertext).ok()?;
        let message = match &message {
            OlmMessage::Normal(message) => message,
            OlmMessage::PreKey(first) => first.message(),
        };
        Some((message.ratchet_key().to_bytes(), message.chain_index()))
    }
}

/// The library gives out its present fallback key only until it is published; it is remembered here.
struct OlmAccount {
    account: Account,
    fallback: ExchangeKey,
}

struct OlmSession(Session);

impl PairCipher for OlmAccount {
    fn pre_keys(&self) -> PreKeys {
        let identity = ExchangeKey::from_bytes(self.account.curve25519_key().to_bytes());
        PreKeys { suite: OLM_V2, identity, fallback: self.fallback }
    }

    fn add_one_time_key(&mut self) -> ExchangeKey {
        let made = self.account.generate_one_time_keys(1).created;
        self.account.mark_keys_as_published();
        // One is made for one that is asked for; without it the fallback key serves.
        made.first().map_or(self.fallback, |key| ExchangeKey::from_bytes(key.to_bytes()))
    }

    fn remove_one_time_key(&mut self, key: ExchangeKey) {
        self.account.remove_one_time_key(public(key));
    }

    fn turn_fallback_key(&mut self) {
        self.account.generate_fallback_key();
        self.fallback = published(&mut self.account);
    }

    fn begin(&self, theirs: &PreKeys, key: ExchangeKey) -> Result<Box<dyn PairSession>, CipherError> {
        let version = SessionConfig::version_2();
        let session = self.account.create_outbound_session(version, public(theirs.identity), public(key));
        Ok(Box::new(OlmSession(session.map_err(|_| CipherError::BadKey)?)))
    }

    fn accept(
        &mut self,
        theirs: &PreKeys,
        ciphertext: &Ciphertext,
    ) -> Result<(Box<dyn PairSession>, Vec<u8>), CipherError> {
        let OlmMessage::PreKey(first) = parse(ciphertext)? else { return Err(CipherError::Unreadable) };
        let version = SessionConfig::version_2();
        let accepted = self.account.create_inbound_session(version, public(theirs.identity), &first);
        let accepted = accepted.map_err(|_| CipherError::Unreadable)?;
        Ok((Box::new(OlmSession(accepted.session)), accepted.plaintext))
    }

    fn peek(&self, theirs: &PreKeys, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError> {
        // Accepting uses keys up, so that a copy has to do it.
        let mut copy = Self { account: Account::from_pickle(self.account.pickle()), fallback: self.fallback };
        copy.accept(theirs, ciphertext).map(|(_, plaintext)| plaintext)
    }

    fn revive(&self, stored: &[u8]) -> Result<Box<dyn PairSession>, CipherError> {
        let pickle: SessionPickle = read(stored)?;
        let session = Session::from_pickle(pickle);
        if session.session_config() != SessionConfig::version_2() {
            return Err(CipherError::Damaged);
        }
        Ok(Box::new(OlmSession(session)))
    }

    fn store(&self) -> Result<Vec<u8>, CipherError> {
        write(&(self.account.pickle(), *self.fallback.as_bytes()))
    }
}

impl PairSession for OlmSession {
    fn id(&self) -> SessionId {
        id(&self.0.session_id()).unwrap_or(SessionId::from_bytes([0; 32]))
    }

    fn encrypt(&mut self, plaintext: &[u8]) -> Result<Ciphertext, CipherError> {
        let message = self.0.encrypt(plaintext).map_err(|_| CipherError::BadKey)?;
        let (begins, message) = match message {
            OlmMessage::PreKey(first) => (true, first.to_bytes()),
            OlmMessage::Normal(message) => (false, message.to_bytes()),
        };
        Ok(Ciphertext { suite: OLM_V2, session: self.id(), begins, message })
    }

    fn decrypt(&mut self, ciphertext: &Ciphertext) -> Result<Vec<u8>, CipherError> {
        self.0.decrypt(&parse(ciphertext)?).map_err(|_| CipherError::Unreadable)
    }

    fn store(&self) -> Result<Vec<u8>, CipherError> {
        write(&self.0.pickle())
    }
}

fn published(account: &mut Account) -> ExchangeKey {
    let fresh = account.fallback_key().into_values().next();
    account.mark_keys_as_published();
    // It was made a moment ago. An all-zero key would be refused by everybody.
    fresh.map_or(ExchangeKey::from_bytes([0; 32]), |key| ExchangeKey::from_bytes(key.to_bytes()))
}

fn public(key: ExchangeKey) -> Curve25519PublicKey {
    Curve25519PublicKey::from_bytes(*key.as_bytes())
}

fn id(base64: &str) -> Option<SessionId> {
    let bytes = data_encoding::BASE64_NOPAD.decode(base64.as_bytes()).ok()?;
    bytes.try_into().ok().map(SessionId::from_bytes)
}

/// The version of the message itself, which must be the one of the sessions: nobody may talk a receiver into an older one.
const VERSION: u8 = 4;

fn parse(ciphertext: &Ciphertext) -> Result<OlmMessage, CipherError> {
    let unreadable = |_| CipherError::Unreadable;
    let message = if ciphertext.begins {
        OlmMessage::PreKey(PreKeyMessage::from_bytes(&ciphertext.message).map_err(unreadable)?)
    } else {
        OlmMessage::Normal(Message::from_bytes(&ciphertext.message).map_err(unreadable)?)
    };
    let (version, bytes) = match &message {
        OlmMessage::PreKey(first) => (first.message().version(), first.to_bytes()),
        OlmMessage::Normal(message) => (message.version(), message.to_bytes()),
    };
    if let OlmMessage::PreKey(first) = &message
        && id(&first.session_id()) != Some(ciphertext.session)
    {
        return Err(CipherError::Unreadable);
    }
    // What stands around the authenticated part has many spellings; one is enough.
    let is_ours = ciphertext.suite == OLM_V2 && version == VERSION && bytes == ciphertext.message;
    if is_ours { Ok(message) } else { Err(CipherError::Unreadable) }
}

fn read<T: serde::de::DeserializeOwned>(stored: &[u8]) -> Result<T, CipherError> {
    minicbor_serde::from_slice(stored).map_err(|_| CipherError::Damaged)
}

fn write<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, CipherError> {
    minicbor_serde::to_vec(value).map_err(|_| CipherError::Damaged)
}

impl std::fmt::Debug for OlmAccount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OlmAccount").field("pre_keys", &self.pre_keys()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for OlmSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OlmSession").field("id", &self.id()).finish_non_exhaustive()
    }
}
