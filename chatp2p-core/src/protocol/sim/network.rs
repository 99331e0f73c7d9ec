//! The simulated network: what a link does to the frames on it, and who can reach whom.

use std::time::Duration;

use crate::protocol::LinkId;

use super::super::draw::Draw;

/// How long a broken link goes unnoticed: the dead time of the keep-alive.
pub(super) const HALF_OPEN: Duration = Duration::from_secs(40);

/// One link between two nodes.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) id: LinkId,
    /// The nodes at its ends, each with the life in which it opened the link.
    pub(super) ends: [(usize, u32); 2],
    /// Whether each end still has it open.
    pub(super) open: [bool; 2],
    /// No frame arrives before this time, at each end.
    pub(super) free: [Duration; 2],
    /// Whether a greeting has arrived at each end.
    pub(super) greeted: [bool; 2],
    /// Whether the next entry from each end is to be lost.
    pub(super) loses_entry: [bool; 2],
}

impl Wire {
    /// Which end a node is, if it is one in this life and has the link open.
    pub(super) fn end_of(&self, node: usize, life: u32) -> Option<usize> {
        (0..2).find(|end| self.ends[*end] == (node, life) && self.open[*end])
    }
}

/// What happens to one frame.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    /// When it arrives; twice if it is repeated, never if it is lost.
    pub(super) arrivals: [Option<Duration>; 2],
    pub(super) lost: bool,
    pub(super) repeated: bool,
    pub(super) overtakes: bool,
}

/// Real links neither lose nor reorder; these do, rarely, because whatever carries frames tomorrow may.
pub(super) fn fate(draw: &mut Draw, now: Duration, free: &mut Duration, rough: bool) -> Fate {
    let delay = Duration::from_micros(200 + draw.number() % 40_000);
    let lost = rough && draw.number().is_multiple_of(2_000);
    let repeated = rough && draw.number().is_multiple_of(500);
    let overtakes = rough && draw.number().is_multiple_of(500);
    let mut at = now + delay;
    if !overtakes {
        at = at.max(*free);
        *free = at;
    }
    let again = repeated.then(|| at + Duration::from_micros(draw.number() % 80_000));
    Fate { arrivals: [(!lost).then_some(at), again], lost, repeated, overtakes }
}

/// Which pairs of nodes cannot reach each other, and until when.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    cuts: Vec<(usize, usize, Duration)>,
}

impl Partitions {
    pub(super) fn cut(&mut self, a: usize, b: usize, until: Duration) {
        self.cuts.push((a.min(b), a.max(b), until));
    }

    pub(super) fn are_cut(&self, a: usize, b: usize, now: Duration) -> bool {
        self.cuts.iter().any(|(x, y, until)| (*x, *y) == (a.min(b), a.max(b)) && now < *until)
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }
}
