//! A number by which two people see that each holds the other's real key: sixty digits to read out, or a code to scan.
//! Whoever swaps a key on the way, such as a tracker, changes the number at one end at least.

use std::fmt;

use super::PeerId;

/// How often a key is hashed. Looking for a key whose digits resemble another's costs that much more for each guess, and
/// nobody who compares two numbers notices half a millisecond. As many as Signal takes.
pub const SAFETY_ROUNDS: usize = 5_200;

/// The version of the number. Numbers of different versions are never equal, so that nobody compares them by mistake.
pub const SAFETY_VERSION: u8 = 1;

/// How a scanned code begins. Capitals, so that a QR code can write them in its alphanumeric mode.
const SCANNED: &str = "CHATP2P-SAFETY:1:";

/// How many bytes of each key's hash a code carries: 160 bits, far more than anybody can search.
const SCANNED_BYTES: usize = 20;

const GROUPS: usize = 6;
const GROUP_BYTES: usize = 5;
const GROUP_DIGITS: usize = 5;

/// The digits of one key: half of every safety number of its owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of a key.
    pub fn of(peer: PeerId) -> Self {
        let hasher = blake3::Hasher::new_derive_key("chatp2p safety number v1");
        let mut hash: [u8; 32] = hasher.clone().update(&[SAFETY_VERSION]).update(peer.as_bytes()).finalize().into();
        for _ in 1..SAFETY_ROUNDS {
            hash = hasher.clone().update(&hash).update(peer.as_bytes()).finalize().into();
        }
        Self(hash)
    }

    fn groups(&self) -> impl Iterator<Item = u64> {
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        self.0.chunks_exact(GROUP_BYTES).take(GROUPS).map(move |bytes| number(bytes) % 100_000)
    }

    fn short(&self) -> impl Iterator<Item = u8> {
        self.0.into_iter().take(SCANNED_BYTES)
    }
}

impl fmt::Display for Fingerprint {
    /// Thirty digits in groups of five.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, group) in self.groups().enumerate() {
            let space = if at == 0 { "" } else { " " };
            write!(f, "{space}{group:0width$}", width = GROUP_DIGITS)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

/// The safety number of two keys, as one of the two ends shows it.
///
/// ```
/// use chatp2p_core::identity::{Identity, SafetyNumber};
///
/// let [alice, bob] = [1, 2].map(|seed| Identity::from_seed(&[seed; 32]).peer_id());
/// let (hers, his) = (SafetyNumber::new(alice, bob), SafetyNumber::new(bob, alice));
/// assert_eq!(hers.to_string(), his.to_string());
/// assert!(hers.matches(&his.to_string()) && hers.matches(&his.scannable()));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SafetyNumber {
    mine: Fingerprint,
    theirs: Fingerprint,
}

impl SafetyNumber {
    /// The number of these two, as `me` shows it.
    pub fn new(me: PeerId, them: PeerId) -> Self {
        Self { mine: Fingerprint::of(me), theirs: Fingerprint::of(them) }
    }

    /// What a QR code of it says: which key shows it and which one it is shown to. Fits version 4 with level M.
    pub fn scannable(&self) -> String {
        scanned(&self.mine, &self.theirs)
    }

    /// Whether this is what the other end has: the digits that it reads out, with or without blanks, or the code that it shows.
    /// One's own code is not the other's.
    pub fn matches(&self, shown: &str) -> bool {
        let shown = shown.trim();
        if shown.starts_with(SCANNED) {
            return shown == scanned(&self.theirs, &self.mine);
        }
        let digits = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
        digits(shown) == digits(&self.to_string())
    }
}

fn scanned(shower: &Fingerprint, reader: &Fingerprint) -> String {
    let bytes: Vec<u8> = shower.short().chain(reader.short()).collect();
    format!("{SCANNED}{}", data_encoding::BASE32_NOPAD.encode(&bytes))
}

impl fmt::Display for SafetyNumber {
    /// Sixty digits in twelve groups of five, the same at both ends: the lower half first.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mine, theirs) = (self.mine.to_string(), self.theirs.to_string());
        let (first, second) = if mine <= theirs { (mine, theirs) } else { (theirs, mine) };
        write!(f, "{first} {second}")
    }
}

impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafetyNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::identity::Identity;

    fn peer(seed: u8) -> PeerId {
        Identity::from_seed(&[seed; 32]).peer_id()
    }

    #[test]
    fn both_ends_see_the_same_twelve_groups_of_five_digits() {
        for (one, other) in [(1, 2), (2, 3), (7, 200)] {
            let (hers, his) = (SafetyNumber::new(peer(one), peer(other)), SafetyNumber::new(peer(other), peer(one)));
            let text = hers.to_string();
            assert_eq!(text, his.to_string());
            let groups: Vec<&str> = text.split(' ').collect();
            assert_eq!(groups.len(), 12);
            assert!(groups.iter().all(|group| group.len() == 5 && group.chars().all(|c| c.is_ascii_digit())), "{text}");
        }
    }

    #[test]
    fn one_changed_bit_of_a_key_changes_the_number_and_the_code() {
        let (me, them) = (peer(1), peer(2));
        let real = SafetyNumber::new(me, them);
        let mut keys = 0;
        for bit in 0..256 {
            let mut bytes = *them.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // About half of the neighbours are no keys at all.
            let Ok(neighbour) = PeerId::from_bytes(bytes) else { continue };
            keys += 1;
            let other = SafetyNumber::new(me, neighbour);
            assert_ne!(other.to_string(), real.to_string(), "bit {bit}");
            assert!(!real.matches(&SafetyNumber::new(neighbour, me).scannable()), "bit {bit}");
        }
        assert!(keys > 80, "{keys}");
    }

    #[test]
    fn a_thousand_keys_have_a_thousand_numbers() {
        let key = |n: u16| {
            let mut seed = [0; 32];
            seed[..2].copy_from_slice(&n.to_be_bytes());
            Identity::from_seed(&seed).peer_id()
        };
        let numbers: BTreeSet<String> = (1..=1_000).map(|n| Fingerprint::of(key(n)).to_string()).collect();
        assert_eq!(numbers.len(), 1_000);
    }

    #[test]
    fn what_the_other_end_shows_matches_and_nothing_else_does() {
        let (hers, his) = (SafetyNumber::new(peer(1), peer(2)), SafetyNumber::new(peer(2), peer(1)));
        assert!(hers.matches(&his.scannable()));
        assert!(hers.matches(&format!(" {}\n", his.to_string().replace(' ', ""))));
        assert!(!hers.matches(&hers.scannable()), "one's own code in the mirror");
        assert!(!hers.matches(&his.scannable().to_lowercase()));
        for wrong in ["", " ", "1", "CHATP2P-SAFETY:1:", "CHATP2P-SAFETY:2:AAAA"] {
            assert!(!hers.matches(wrong), "{wrong:?}");
        }
        let mut digits = his.to_string();
        let last = if digits.pop() == Some('0') { '1' } else { '0' };
        digits.push(last);
        assert!(!hers.matches(&digits));
    }

    #[test]
    fn a_code_fits_a_small_qr_code() {
        let code = SafetyNumber::new(peer(1), peer(2)).scannable();
        let alphanumeric = |c: char| c.is_ascii_digit() || c.is_ascii_uppercase() || " $%*+-./:".contains(c);
        // Version 4 with level M holds 90 alphanumeric characters.
        assert!(code.len() <= 90 && code.chars().all(alphanumeric), "{code}");
    }
}
