//! Links and dials: who is here, who is on the way, and when to try again.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::clock::Wall;
use crate::crypto::{CiphertextHash, SessionId, TheirKeys};
use crate::identity::{PeerId, Username};
use crate::message::{Epoch, Position};
use crate::record::{LetterboxId, SignedRecord};

use super::decision::LoadId;
use super::draw::Draw;
use super::input::{CommandId, LinkId};
use super::log::{MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES};
use super::seeking::Seeking;

/// How long a connect may take, and both greetings of a link.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a link may go without acknowledging anything of what was sent on it. Longer than half-open detection takes,
/// which knows better.
pub const ACK_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a link that one end has left stays open for the last acknowledgements.
pub(super) const LEAVE_TIMEOUT: Duration = Duration::from_secs(2);

/// The shortest and the longest wait before a broken link is dialled again; it doubles from one to the other.
pub const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// The most contacts of a node; some 200 bytes of memory each.
pub const MAX_CONTACTS: usize = 10_000;

/// The most links of a node, those that are not up yet included.
pub const MAX_LINKS: usize = 1_000;

/// The most callers that wait for one connection.
pub(super) const MAX_WAITERS: usize = 1_000;

/// How long mail may go without an answer before it is mailed again: mailboxes keep it no longer.
pub const MAIL_AGAIN: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// The most links with one peer: when both dial at once there are two, and a dead one may not have been noticed. The oldest
/// goes when one more comes.
pub(super) const MAX_LINKS_OF_ONE: usize = 4;

/// How often the other end of a link or a post may have this one begin again from an earlier place while it acknowledges
/// nothing. Each time costs a reading of the store, and what is handed over waits in memory.
pub(super) const MAX_REWINDS: u32 = 8;

/// How often mail that brings nothing new is answered within [`MAIL_AGAIN`]. A mailbox can repeat it as often as it likes, and each answer takes
/// room in the letterbox of somebody who has not asked for it.
pub(super) const MAX_REPEATS: u32 = 8;

/// How often a link may bring what cannot be read, or the word that something of mine cannot, while nothing else gets
/// through. Each time a new session is begun; then the link is given up, and the wait before the next one grows.
pub(super) const MAX_UNREADABLE: u32 = 4;

/// How things stand with a peer, as long as anything is going on with it.
#[derive(Debug, Default)]
pub(super) struct Presence {
    /// All links, oldest first.
    pub(super) links: BTreeSet<LinkId>,
    /// The link on which entries are sent.
    pub(super) active: Option<LinkId>,
    pub(super) dial: Dial,
    /// Which of the links may be dead.
    pub(super) doubt: Option<Doubt>,
    /// How often dialling failed in a row.
    pub(super) failures: u32,
    /// How many links in a row were of no use: this end refused them, or one end could not read what the other one had sent.
    pub(super) fruitless: u32,
    /// Who waits for a link, and until when.
    pub(super) waiters: Vec<Waiter>,
    /// By which name and record somebody connects to a peer that is no contact yet.
    pub(super) candidate: Option<(Username, SignedRecord)>,
    /// The answer for which sending waits.
    pub(super) loading: Option<LoadId>,
    /// What is left in their letterboxes while there is no link.
    pub(super) post: Option<Post>,
}

/// How mailing to a peer stands, since the last link to them.
#[derive(Debug, Default)]
pub(super) struct Post {
    /// Under which number what is mailed is sent, and to which letterbox; `None` after a failure.
    pub(super) open: Option<(LinkId, LetterboxId)>,
    /// After which entry to go on; `None` where only the log knows what was mailed.
    pub(super) cursor: Option<Option<Position>>,
    /// What was handed over, in order, and is not known to be kept by a mailbox; `None` for what is to be handed over again.
    pub(super) handed: VecDeque<Option<Position>>,
    /// How the oldest of what a mailbox keeps waits for an answer.
    pub(super) wait: Option<Wait>,
    /// How often it failed in a row, and until when it rests.
    pub(super) failures: u32,
    pub(super) rests: Option<Duration>,
    /// How often the other end has asked to go on from an earlier place, since it last acknowledged anything, or was mailed to
    /// again.
    pub(super) rewinds: u32,
    /// How often mail that brought nothing new was answered since some did, and when first.
    pub(super) repeats: Option<(u32, Duration)>,
    /// When the other end was last asked to go on from where its log stands here.
    pub(super) asked: Option<Duration>,
    /// Whether it carried acknowledgements, which a failure may have lost.
    pub(super) answers: bool,
}

/// Since when something lies in a mailbox without an answer, and until when it may.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait {
    pub(super) since: Wall,
    pub(super) until: Duration,
}

/// That links may be dead and nobody has noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Doubt {
    /// The last that is doubted. Those that come later are as good as any.
    pub(super) through: LinkId,
    /// When all of them that are still there have shown that they are alive.
    pub(super) until: Duration,
}

/// Who waits for a link.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiter {
    pub(super) command: CommandId,
    pub(super) until: Duration,
    /// The contact that was meant, if the name was that of one.
    pub(super) contact: Option<PeerId>,
}

/// How far dialling is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Dial {
    #[default]
    Idle,
    /// Not before this time.
    Waiting(Duration),
    /// The tracker is asked where the peer is now.
    Finding,
    /// The driver dials.
    Dialling,
}

impl Presence {
    /// Whether nothing is going on.
    pub(super) fn is_idle(&self) -> bool {
        self.links.is_empty() && self.dial == Dial::Idle && self.waiters.is_empty() && self.post.is_none()
    }

    /// Where entries go: the live link, else the post.
    pub(super) fn outlet(&self) -> Option<LinkId> {
        self.active.or_else(|| Some(self.post.as_ref()?.open?.0))
    }

    /// When to dial again after a failure.
    pub(super) fn back_off(&mut self, now: Duration, draw: &mut Draw) {
        self.dial = Dial::Waiting(now + pause(self.failures, draw));
        self.failures = self.failures.saturating_add(1);
    }
}

/// How long to wait after so many failures before this one.
pub(super) fn pause(failures: u32, draw: &mut Draw) -> Duration {
    let (shortest, longest) = BACKOFF;
    let full = shortest.saturating_mul(1 << failures.min(10)).min(longest);
    // Between half and all of it, so that two who lost each other do not keep meeting half-way.
    let millis = u64::try_from(full.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / 2 + draw.number() % (millis / 2 + 1))
}

/// A link from its first frame to its last.
#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) peer: PeerId,
    pub(super) dialled: bool,
    pub(super) since: Duration,
    pub(super) phase: Phase,
    /// Who the other end says it is.
    pub(super) hello: Option<SignedRecord>,
    /// With what to encrypt for the other end.
    pub(super) keys: Option<TheirKeys>,
    /// How often something could not be read, at either end, since anything was.
    pub(super) unreadable: u32,
    /// What the other end says it has.
    pub(super) have: Option<Vec<Position>>,
    /// The last entry of mine that the other end has, or that was sent on this link.
    pub(super) cursor: Option<Position>,
    pub(super) in_flight: InFlight,
    /// How often the other end has asked to go on from some place since it last acknowledged anything.
    pub(super) rewinds: u32,
    /// Whether this end has refused the other one.
    pub(super) refused: bool,
    /// When something was last acknowledged, or sent with nothing else in flight.
    pub(super) progress: Duration,
    /// With which positions the other end was last asked to go on, so that a run of entries beyond a gap asks once.
    pub(super) asked_at: Option<Vec<Position>>,
    /// The other end has another link in mind, which is not up at this end yet. Until it is, this one serves.
    pub(super) superseded: bool,
    pub(super) seeking: Seeking,
}

/// How far a link is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The other end has not said who it is.
    Hello,
    /// The tracker is asked whether the other end is who it says.
    Judging,
    /// I have greeted, the other end has not.
    Greeted,
    /// I have greeted a stranger, who may leave one message until then.
    Knocking(Duration),
    /// Both have greeted.
    Up,
    /// I have said goodbye; open until then for what the other end has sent and wants acknowledged.
    Left(Duration),
    /// The other end has said goodbye; open until then for the last acknowledgements of what I sent.
    Leaving(Duration),
    /// No link: what is sent goes to the other end's letterbox. If nothing is heard until then, it is mailed again.
    Posting(Duration),
}

impl LinkState {
    pub(super) fn new(peer: PeerId, dialled: bool, now: Duration) -> Self {
        Self {
            peer,
            dialled,
            since: now,
            phase: Phase::Hello,
            hello: None,
            keys: None,
            unreadable: 0,
            have: None,
            cursor: None,
            in_flight: InFlight::default(),
            rewinds: 0,
            refused: false,
            progress: now,
            asked_at: None,
            superseded: false,
            seeking: Seeking::default(),
        }
    }

    /// When something must have happened.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match self.phase {
            Phase::Hello | Phase::Judging | Phase::Greeted => Some(self.since + CONNECT_TIMEOUT),
            Phase::Left(until) | Phase::Leaving(until) | Phase::Knocking(until) | Phase::Posting(until) => Some(until),
            Phase::Up if !self.in_flight.is_empty() => Some(self.progress + ACK_TIMEOUT),
            Phase::Up => None,
        }
    }
}

/// What was sent on a link and is not acknowledged on it.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    entries: VecDeque<Flying>,
    bytes: usize,
}

/// One entry on its way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Flying {
    pub(super) epoch: Epoch,
    pub(super) n: u64,
    pub(super) weight: usize,
    /// As what it was sent, and in which session that was encrypted.
    pub(super) ciphertext: CiphertextHash,
    pub(super) session: SessionId,
}

impl InFlight {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn room(&self) -> (usize, usize) {
        (MAX_IN_FLIGHT.saturating_sub(self.entries.len()), MAX_IN_FLIGHT_BYTES.saturating_sub(self.bytes))
    }

    /// Whether one more entry of this weight may be sent. A single one always may.
    pub(super) fn has_room_for(&self, weight: usize) -> bool {
        let (entries, bytes) = self.room();
        self.is_empty() || (entries > 0 && weight <= bytes)
    }

    pub(super) fn push(&mut self, entry: Flying) {
        self.bytes += entry.weight;
        self.entries.push_back(entry);
    }

    /// In which session an entry was encrypted, if just this ciphertext of it was the last that was sent.
    pub(super) fn session_of(&self, epoch: Epoch, n: u64, ciphertext: CiphertextHash) -> Option<SessionId> {
        let entry = self.entries.iter().find(|entry| (entry.epoch, entry.n) == (epoch, n))?;
        (entry.ciphertext == ciphertext).then_some(entry.session)
    }

    /// All those at the front that are covered have arrived. Says whether there are any.
    pub(super) fn arrived(&mut self, covered: impl Fn(Epoch, u64) -> bool) -> bool {
        let before = self.entries.len();
        while let Some(entry) = self.entries.pop_front_if(|entry| covered(entry.epoch, entry.n)) {
            self.bytes -= entry.weight;
        }
        self.entries.len() < before
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }
}
