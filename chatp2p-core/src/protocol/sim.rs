//! Whole worlds from a seed: two to five states on a network that loses, repeats, delays and reorders, with a tracker
//! that is sometimes silent, on machines that crash between every commit and what should follow it, whose disks fail,
//! and whose databases are now and then put back to an older copy.
//!
//! A play ends with a calm in which everything must arrive, and then promptly. [`Report::verdict`] says whether a promise was broken;
//! the same seed always gives the same [`Report::trace`], as long as the cipher is seeded.

mod auditor;
pub mod choices;
mod judge;
mod network;
pub mod pair;
mod player;
mod stage;

use std::time::Duration;

pub use judge::Tally;

/// How a play goes, apart from its seed.
#[derive(Debug, Clone, Copy)]
pub struct Script {
    /// How many messages people try to send.
    pub messages: u32,
    /// How long they and the faults go on, in the time of the play.
    pub storm: Duration,
    /// How long everything may take to arrive once all is well.
    pub calm: Duration,
    /// With what people encrypt.
    pub cipher: Cipher,
    /// Whether everybody's wall clock is wrong, each in its own way, and jumps by ten years either way all the time.
    pub lying_clocks: bool,
}

/// With what people encrypt in a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cipher {
    /// [`Seeded`](crate::crypto::Seeded): the same seed gives the same play.
    Seeded,
    /// [`Olm`](crate::crypto::Olm), which draws its own randomness: no two plays are alike.
    Olm,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            messages: 1_200,
            storm: Duration::from_secs(120),
            calm: Duration::from_secs(600),
            cipher: Cipher::Seeded,
            lying_clocks: false,
        }
    }
}

/// How a play went.
#[derive(Debug, Clone)]
pub struct Report {
    /// From which seed.
    pub seed: u64,
    /// A hash over everything that happened, in order.
    pub trace: [u8; 32],
    /// What was sent, and which faults struck.
    pub tally: Tally,
    /// The first promise that was broken, if any.
    pub verdict: Result<(), String>,
}

/// Plays a world.
pub fn play(seed: u64, script: &Script) -> Report {
    stage::Stage::new(seed, script).play()
}
