//! Randomness as an argument: whoever makes a state hands it a seed, and every draw follows from it, so that a simulated
//! run can be played again bit for bit.

use crate::message::{EntryId, Epoch};

/// A stream of draws from a seed.
#[derive(Clone)]
pub struct Draw {
    seed: [u8; 32],
    drawn: u64,
}

impl Draw {
    /// Draws from a seed, which must be fresh randomness in earnest.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    fn block(&mut self) -> [u8; 32] {
        self.drawn += 1;
        blake3::keyed_hash(&self.seed, &self.drawn.to_be_bytes()).into()
    }

    pub(super) fn number(&mut self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.block();
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    pub(super) fn epoch(&mut self) -> Epoch {
        Epoch::new(self.number())
    }

    pub(super) fn entry_id(&mut self) -> EntryId {
        EntryId::from_bytes(self.sixteen())
    }

    pub(super) fn sixteen(&mut self) -> [u8; 16] {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(self.block()) {
            *to = from;
        }
        bytes
    }
}

impl std::fmt::Debug for Draw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draw").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}
