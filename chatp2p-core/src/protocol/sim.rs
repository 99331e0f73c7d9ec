//! Whole worlds from a seed: two to five states on a network that loses, repeats, delays and reorders, with a tracker
//! that is sometimes silent, on machines that crash between every commit and what should follow it, whose disks fail,
//! and whose databases are now and then put back to an older copy.
//!
//! A play ends with a calm in which everything must arrive, and then promptly. [`Report::verdict`] says whether a promise was broken;
//! the same seed always gives the same [`Report::trace`], as long as the cipher is seeded.

mod auditor;
pub mod choices;
mod forger;
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
    /// What befalls one commit of the storm, beside all that strikes by chance.
    pub strike: Option<Strike>,
    /// Whether there are letterboxes.
    pub mail: Mail,
    /// Whether everybody's wall clock is wrong, each in its own way, and jumps by ten years either way all the time.
    pub lying_clocks: bool,
}

/// A commit of the storm, of whichever machine, and what befalls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// Which: 1, 2, 3, …
    pub commit: u64,
    /// What.
    pub blow: Blow,
}

/// What befalls a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// The machine crashes before it.
    CrashBefore,
    /// The disk refuses it.
    Refused,
    /// The machine crashes after it, and before anything is sent.
    CrashAfter,
    /// All is sent; then the machine crashes, and the database that comes back does not have the commit.
    Undone,
}

impl Blow {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CrashBefore, Self::Refused, Self::CrashAfter, Self::Undone];
}

/// What may be left for others in a play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mail {
    /// Nobody has a letterbox.
    None,
    /// Everybody has one, beside the links.
    Beside,
    /// Once everybody knows everybody there are only letterboxes: no dial leads anywhere any more.
    Alone,
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
            strike: None,
            mail: Mail::None,
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
