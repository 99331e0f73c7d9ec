//! The keys of one letterbox. They follow from one seed that its owner drew, and from nothing that anybody knows the owner by.

use std::fmt;

use hpke::Serializable as _;
use hpke::kem::{Kem, X25519HkdfSha256};
use zeroize::Zeroizing;

use super::MailboxAddress;
use crate::identity::{Identity, IdentityError, random};
use crate::record::{ExchangeKey, Letterbox, LetterboxId};

/// What the owner of a letterbox has: the key by which it is opened and collected from, and the one for which mail is sealed.
///
/// Shows no secret when debugged; the secrets are wiped when dropped.
#[derive(Clone)]
pub struct BoxKeys {
    seed: Zeroizing<[u8; 32]>,
    identity: Identity,
    secret: <X25519HkdfSha256 as Kem>::PrivateKey,
    seal: ExchangeKey,
}

impl BoxKeys {
    /// The keys of a new letterbox.
    ///
    /// # Errors
    /// [`IdentityError::NoRandomness`] when the system has none to give.
    pub fn generate() -> Result<Self, IdentityError> {
        Ok(Self::from_seed(&*random()?))
    }

    /// The keys of a stored seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let identity = Zeroizing::new(blake3::derive_key("chatp2p letterbox identity v1", seed));
        let secret = Zeroizing::new(blake3::derive_key("chatp2p letterbox seal v1", seed));
        let (secret, public) = X25519HkdfSha256::derive_keypair(&*secret);
        let seal = ExchangeKey::from_bytes(public.to_bytes().into());
        Self { seed: Zeroizing::new(*seed), identity: Identity::from_seed(&identity), secret, seal }
    }

    /// The 32 secret bytes to store. Whoever reads them collects and reads the mail.
    pub fn to_seed(&self) -> Zeroizing<[u8; 32]> {
        self.seed.clone()
    }

    /// The key to prove to the mailbox.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// By what the mailbox knows the letterbox.
    pub fn id(&self) -> LetterboxId {
        LetterboxId::of(self.identity.peer_id())
    }

    /// For what mail is sealed.
    pub const fn seal(&self) -> ExchangeKey {
        self.seal
    }

    /// What the owner's record says of it.
    pub fn letterbox(&self, at: &MailboxAddress) -> Letterbox {
        Letterbox { mailbox: at.peer_id(), endpoints: at.endpoints().to_vec(), id: self.id(), seal: self.seal() }
    }

    pub(super) const fn secret(&self) -> &<X25519HkdfSha256 as Kem>::PrivateKey {
        &self.secret
    }
}

impl fmt::Debug for BoxKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxKeys").field("id", &self.id()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_follow_from_the_seed_and_nothing_is_used_twice() {
        let keys = BoxKeys::from_seed(&[7; 32]);
        assert_eq!((keys.id(), keys.seal()), (BoxKeys::from_seed(&keys.to_seed()).id(), keys.seal()));
        let other = BoxKeys::from_seed(&[8; 32]);
        assert!(keys.id() != other.id() && keys.seal() != other.seal());
        assert_ne!(keys.identity().to_seed()[..], keys.secret.to_bytes()[..]);
        assert_ne!(keys.identity().peer_id(), Identity::from_seed(&[7; 32]).peer_id());
        assert_ne!(BoxKeys::generate().unwrap().id(), BoxKeys::generate().unwrap().id());
    }

    #[test]
    fn debugging_keys_shows_no_secret() {
        let keys = BoxKeys::from_seed(&[9; 32]);
        let text = format!("{keys:?}");
        assert_eq!(text, format!("BoxKeys {{ id: {:?}, .. }}", keys.id()));
    }
}
