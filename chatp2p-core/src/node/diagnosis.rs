//! What a node knows about why it does or does not reach somebody: what really happened at the last attempt, step by step.
//! Nothing of it is secret: no text, no token, no key but the public ones.

use std::time::Duration;

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::protocol::Inbound;
use crate::record::{Endpoint, Reach};

use super::TrackerStatus;

/// How far this machine's clock and the tracker's may be apart before that is worth a word: people compare the times beside
/// messages by the minute.
pub const MAX_CLOCK_SKEW: Duration = Duration::from_secs(60);

/// The steps on the way to a link, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Step {
    /// The tracker says who goes by the name, and it is the key that is pinned here.
    Found,
    /// Of the peer's addresses there is one that may be dialled and leads somewhere.
    Resolved,
    /// A peer's door answers at it.
    Dialled,
    /// Behind it is who was meant.
    Secured,
    /// Both ends have greeted.
    Accepted,
}

impl Step {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Found, Self::Resolved, Self::Dialled, Self::Secured, Self::Accepted];

    /// Its name in answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Resolved => "resolved",
            Self::Dialled => "dialled",
            Self::Secured => "secured",
            Self::Accepted => "accepted",
        }
    }
}

/// Why something did not go well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The stable code, which knows what to do about it.
    pub code: Code,
    /// What happened, for people.
    pub detail: String,
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepState {
    /// Well.
    Ok,
    /// It did not, and why.
    Failed(Failure),
    /// There was no occasion for it.
    NotReached,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepReport {
    /// Which.
    pub step: Step,
    /// How it went.
    pub state: StepState,
    /// When; `None` where it was not reached.
    pub at: Option<Wall>,
}

/// One address that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointReport {
    /// Which.
    pub endpoint: Endpoint,
    /// When the attempt ended.
    pub at: Wall,
    /// How far it got: the step that failed, or [`Step::Secured`].
    pub step: Step,
    /// Why it ended there; `None` where it led to the peer.
    pub failure: Option<Failure>,
}

/// A live link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkReport {
    /// The endpoint that was dialled, or the address from which the other end came; `None` within one process.
    pub endpoint: Option<String>,
    /// Whether this end dialled.
    pub dialled: bool,
    /// Since when it is open.
    pub since: Wall,
}

/// What waits for one contact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OutboxReport {
    /// How many messages it has not acknowledged.
    pub messages: u64,
    /// How many bytes they are.
    pub bytes: u64,
    /// Whether there is no more room for a text of the largest size.
    pub full: bool,
}

/// What came of a mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailReport {
    /// When that was known.
    pub at: Wall,
    /// Why no mailbox has taken it; `None` where one has signed for it.
    pub failure: Option<Failure>,
}

/// Why a peer is connected, or is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerDiagnosis {
    /// The name that was asked about; of a contact, the one here.
    pub name: Username,
    /// The key: the pinned one, else the one that the tracker lists.
    pub peer_id: Option<PeerId>,
    /// The live link, if there is one.
    pub link: Option<LinkReport>,
    /// Whether the node is dialling, or will by itself.
    pub trying: bool,
    /// All steps of the last attempt, in their order.
    pub steps: Vec<StepReport>,
    /// The addresses of the last attempt, in the order in which they were tried.
    pub tried: Vec<EndpointReport>,
    /// What waits for the peer.
    pub outbox: OutboxReport,
    /// What came of the last mail to the peer, while there was no link; `None` where there was none.
    pub mail: Option<MailReport>,
    /// What stands in the way; `None` where there is a link, or an attempt has not ended yet.
    pub trouble: Option<Failure>,
}

impl PeerDiagnosis {
    /// The first step that failed.
    pub fn failed(&self) -> Option<Step> {
        self.steps.iter().find(|report| matches!(report.state, StepState::Failed(_))).map(|report| report.step)
    }
}

/// That others have called and proved a key, from one distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallersReport {
    /// From how far they came.
    pub reach: Reach,
    /// How many times since the node started.
    pub times: u64,
    /// When the last one came.
    pub last: Wall,
}

/// How a tracker answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackerDiagnosis {
    /// How the node stands with it.
    pub status: TrackerStatus,
    /// How long it took to answer just now; `None` where it did not.
    pub answered_in: Option<Duration>,
    /// Why it did not.
    pub failure: Option<Failure>,
}

/// How a node is, as far as it can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDiagnosis {
    /// The name it goes by.
    pub username: Username,
    /// Its key.
    pub peer_id: PeerId,
    /// Where its own listeners listen. Links may come in elsewhere too, by [`accept`](super::PeerNode::accept).
    pub listening: Vec<Endpoint>,
    /// Where it says that it can be dialled. That somebody can is shown by `callers` alone.
    pub advertised: Vec<Endpoint>,
    /// Who has called since it started, from near to far.
    pub callers: Vec<CallersReport>,
    /// What becomes of strangers.
    pub inbound: Inbound,
    /// How many contacts have a live link.
    pub links: usize,
    /// For whom something waits, by name.
    pub outboxes: Vec<(Username, OutboxReport)>,
    /// Its trackers, each of which was asked just now.
    pub trackers: Vec<TrackerDiagnosis>,
    /// What somebody should do something about, beside the trackers.
    pub findings: Vec<Failure>,
}
