//! The secrets of this node's own letterboxes: kept with the account, drawn anew now and then, and kept for a while after that
//! for those who hold an older record.

use minicbor::{Decode, Encode};
use zeroize::Zeroizing;

use super::Keyring;
use crate::clock::Wall;
use crate::identity::{IdentityError, PeerId, random};

/// How long a letterbox is the one in the record.
const TURNS_AFTER_DAYS: u64 = 7;

/// How long mail is collected from one that was in the record, counted from when the next one was drawn: an old record is
/// believed for a while, and mail is kept for a week.
const KEEPS_DAYS: u64 = 35;

/// The most that are collected from at one mailbox: that in the record, and one for each week of those days.
const MAX_SECRETS: usize = 6;

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
        let newest = self.letterboxes.iter().rev().find(|secret| secret.mailbox == mailbox);
        if newest.is_none_or(|newest| newest.age(now) >= TURNS_AFTER_DAYS) {
            let seed = *random()?;
            self.letterboxes.push(LetterboxSecret { mailbox, seed, drawn: now });
            self.is_changed = true;
        }
        let drawn = std::mem::take(&mut self.letterboxes);
        for (at, secret) in drawn.iter().enumerate() {
            let next = drawn.iter().skip(at + 1).find(|next| next.mailbox == secret.mailbox);
            if next.is_none_or(|next| next.age(now) < KEEPS_DAYS) {
                self.letterboxes.push(secret.clone());
            }
        }
        self.is_changed |= self.letterboxes.len() < drawn.len();
        let here = self.letterboxes.iter().rev().filter(|secret| secret.mailbox == mailbox);
        let here: Vec<LetterboxSecret> = here.take(MAX_SECRETS).cloned().collect();
        Ok(here)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Olm;
    use super::*;
    use crate::identity::Identity;

    fn keyring() -> Keyring {
        Keyring::load(Identity::from_seed(&[1; 32]), &Olm, Vec::new(), [8; 32], Wall::default()).unwrap()
    }

    fn on_day(keyring: &mut Keyring, day: u64) -> Vec<[u8; 32]> {
        let mailbox = Identity::from_seed(&[7; 32]).peer_id();
        let there = keyring.letterboxes_at(mailbox, Wall::from_millis(day * MILLIS_OF_A_DAY)).unwrap();
        there.iter().map(|secret| *secret.seed()).collect()
    }

    #[test]
    fn mail_is_collected_for_five_weeks_after_the_next_was_drawn_however_long_a_node_ran() {
        let mut keyring = keyring();
        let [old] = on_day(&mut keyring, 100)[..] else { panic!("one is drawn") };
        assert_eq!(on_day(&mut keyring, 106), [old]);
        // A node that ran for forty days has had the first one in its record until now.
        let [new, still] = on_day(&mut keyring, 140)[..] else { panic!("another one is drawn") };
        assert_eq!((still, new == old), (old, false));
        let turned = on_day(&mut keyring, 174);
        assert_eq!(turned[1..], [new, old]);
        assert!(!on_day(&mut keyring, 175).contains(&old), "five weeks after the next one was drawn");
    }

    #[test]
    fn a_node_that_starts_each_week_collects_from_those_of_five_weeks() {
        let mut keyring = keyring();
        let drawn: Vec<_> = (0..10).map(|week| on_day(&mut keyring, 100 + 7 * week)[0]).collect();
        let expected: Vec<_> = drawn.into_iter().rev().take(MAX_SECRETS).collect();
        assert_eq!(on_day(&mut keyring, 100 + 7 * 9), expected);
        assert_eq!(keyring.letterboxes.len(), MAX_SECRETS);
    }
}
