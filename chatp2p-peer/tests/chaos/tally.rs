//! What has befallen whom, counted.

use std::collections::BTreeMap;
use std::fmt;

use crate::part::Part;

/// What can befall a program or the wire that leads to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Bytes come later.
    Delay,
    /// All connections are reset.
    Cut,
    /// Bytes vanish both ways while the sockets stay open.
    HalfOpen,
    /// Bytes are held, and then released.
    Stall,
    /// Bytes come in tiny pieces.
    Slices,
    /// The program is ended as by a power cut.
    Kill,
}

impl Kind {
    /// What befalls wires.
    pub(crate) const OF_WIRES: [Self; 5] = [Self::Delay, Self::Cut, Self::HalfOpen, Self::Stall, Self::Slices];
}

/// How often each kind has struck each part.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What came to harm.
    felt: BTreeMap<(Kind, Part), usize>,
    /// What struck where nothing was going on.
    unfelt: usize,
}

impl Tally {
    pub(crate) fn add(&mut self, kind: Kind, part: Part, felt: bool) {
        if felt {
            *self.felt.entry((kind, part)).or_default() += 1;
        } else {
            self.unfelt += 1;
        }
    }

    /// How often a kind was felt, by whomever.
    pub(crate) fn of(&self, kind: Kind) -> usize {
        self.felt.iter().filter(|((felt, _), _)| *felt == kind).map(|(_, count)| count).sum()
    }

    /// How often a program was killed.
    pub(crate) fn kills(&self, part: Part) -> usize {
        self.felt.get(&(Kind::Kill, part)).copied().unwrap_or_default()
    }

    /// How many faults were felt in all.
    pub(crate) fn all(&self) -> usize {
        self.felt.values().sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} faults felt (", self.all())?;
        for kind in Kind::OF_WIRES {
            write!(f, "{kind:?} {}, ", self.of(kind))?;
        }
        write!(f, "Kill {}) and {} unfelt", self.of(Kind::Kill), self.unfelt)
    }
}
