//! Chance from a seed: who draws with the same seed under the same name draws the same again.

use std::time::Duration;

/// A stream of draws.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    /// One stream for each name, so that what one draws does not depend on how often another has.
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        let hash = blake3::keyed_hash(blake3::hash(&seed.to_be_bytes()).as_bytes(), name.as_bytes());
        let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }

    /// The next number, by SplitMix64.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap()
    }

    /// A time from the one to the other, both in milliseconds.
    pub(crate) fn millis(&mut self, (from, to): (u64, u64)) -> Duration {
        Duration::from_millis(from + self.number() % (to - from + 1))
    }

    /// Brings them into another order.
    pub(crate) fn shuffle<T>(&mut self, all: &mut [T]) {
        for n in (1..all.len()).rev() {
            all.swap(n, self.below(n + 1));
        }
    }
}
