//! What a link knows of those whom its two ends cannot reach.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::crypto::{Mark, Salt, Watchword};
use crate::identity::PeerId;

/// What was asked on a link, in both directions.
#[derive(Debug, Default)]
pub(super) struct Seeking {
    /// What the contacts of the other end have in common; `None` if it does not know of seeking.
    pub(super) watchword: Option<Watchword>,
    /// About whom the other end was asked last and has told nothing new, and when.
    pub(super) asked: BTreeSet<PeerId>,
    pub(super) asked_at: Option<Duration>,
    /// What the other end asked last, and when.
    pub(super) question: Option<Question>,
    pub(super) heard_at: Option<Duration>,
}

/// About whom somebody asks.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) salt: Salt,
    /// Those of whom nothing was told since.
    pub(super) of: BTreeSet<Mark>,
}
