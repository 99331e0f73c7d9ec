//! What the contacts of a peer have in common, and nobody else: a word that it gives to each of them. By it two of them find out
//! that both know the peer, and who merely knows its key, as everybody at a tracker does, can neither ask nor understand.

use std::fmt;

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use crate::identity::{Identity, PeerId};

/// What a question about somebody is drawn with, so that no two questions look alike.
pub type Salt = [u8; 16];

/// The secret that a peer gives its contacts. The same in all its lives: it follows from its identity.
#[derive(Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct Watchword(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 32],
);

/// Somebody who is asked about, shown to those alone who know them: different in each question, and good for the one link on
/// which it is asked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct Mark(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    [u8; 16],
);

impl Watchword {
    /// What this peer gives its contacts.
    pub fn of(identity: &Identity) -> Self {
        let seed = Zeroizing::new(identity.to_seed());
        Self(blake3::derive_key("chatp2p watchword v1", &*seed))
    }

    /// The word that these 32 bytes are.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// How `asker` shows `asked` that the owner of this word is meant. Both ends are in it: whoever passes a question on as their
    /// own learns nothing from the answer.
    pub fn mark(&self, owner: PeerId, salt: &Salt, asker: PeerId, asked: PeerId) -> Mark {
        let mut hasher = blake3::Hasher::new_derive_key("chatp2p seek v1");
        hasher.update(&self.0).update(owner.as_bytes()).update(salt);
        hasher.update(asker.as_bytes()).update(asked.as_bytes());
        let mut mark = [0; 16];
        hasher.finalize_xof().fill(&mut mark);
        Mark(mark)
    }
}

impl Mark {
    /// The mark that these 16 bytes are.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Watchword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watchword(…)")
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({}…)", data_encoding::HEXLOWER.encode(self.0.get(..4).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_for_one_question_between_two() {
        let [alice, bob, carol, dave] = [1, 2, 4, 5].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
        let word = Watchword::from_bytes([7; 32]);
        let mark = word.mark(bob, &[1; 16], alice, carol);
        assert_eq!(word.mark(bob, &[1; 16], alice, carol), mark);
        for (what, other) in [
            ("another word", Watchword::from_bytes([8; 32]).mark(bob, &[1; 16], alice, carol)),
            ("another owner", word.mark(dave, &[1; 16], alice, carol)),
            ("another salt", word.mark(bob, &[2; 16], alice, carol)),
            ("passed on by carol", word.mark(bob, &[1; 16], carol, dave)),
            ("passed on as it is", word.mark(bob, &[1; 16], alice, dave)),
            ("turned round", word.mark(bob, &[1; 16], carol, alice)),
        ] {
            assert_ne!(other, mark, "{what}");
        }
    }
}
