//! The secrets of this node's own letterboxes: kept with the account, drawn anew now and then, and kept for a while after that
//! for those who hold an older record.

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::Keyring;
use crate::clock::Wall;
use crate::identity::{Identity, IdentityError, PeerId};

/// How long a letterbox is the one in the record.
const TURNS_AFTER_DAYS: u64 = 7;

/// How long mail is collected from one that was in the record, counted from when it was drawn: an old record is believed for a
/// while, and mail is kept for a week.
const KEEPS_DAYS: u64 = 35;

/// The most that are kept at one mailbox: one for each week of those days.
const MAX_SECRETS: usize = 5;

const MILLIS_OF_A_DAY: u64 = 86_400_000;

/// From what the keys of one letterbox follow.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct LetterboxSecret {
    /// At which mailbox.
    #[n(0)]
    pub mailbox: PeerId,
    /// The secret itself.
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    seed: [u8; 32],
    #[n(2)]
    drawn: Wall,
}

impl LetterboxSecret {
    /// The secret itself.
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.seed)
    }

    fn age(&self, now: Wall) -> u64 {
        now.as_millis().abs_diff(self.drawn.as_millis()) / MILLIS_OF_A_DAY
    }
}

impl Drop for LetterboxSecret {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.seed);
    }
}

impl Keyring {
    /// The letterboxes at a mailbox, the one for the record first: drawn now, if the newest is older than a week. By the wall
    /// clock: a wrong one makes them serve longer or shorter, and nothing worse.
    ///
    /// # Errors
    /// [`IdentityError::NoRandomness`] when the system has none to give.
    pub fn letterboxes_at(&mut self, mailbox: PeerId, now: Wall) -> Result<Vec<LetterboxSecret>, IdentityError> {
        let before = self.letterboxes.len();
        self.letterboxes.retain(|secret| secret.age(now) < KEEPS_DAYS);
        self.is_changed |= self.letterboxes.len() < before;
        let newest = self.letterboxes.iter().rev().find(|secret| secret.mailbox == mailbox);
        if newest.is_none_or(|newest| newest.age(now) >= TURNS_AFTER_DAYS) {
            let seed = Identity::generate()?.to_seed();
            self.letterboxes.push(LetterboxSecret { mailbox, seed, drawn: now });
            self.is_changed = true;
        }
        let here = self.letterboxes.iter().rev().filter(|secret| secret.mailbox == mailbox);
        let here: Vec<LetterboxSecret> = here.take(MAX_SECRETS).cloned().collect();
        Ok(here)
    }
}
