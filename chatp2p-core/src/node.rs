//! A running peer. [`PeerNode`] is what one can do with it; [`Node`] is the one this library runs: running = existing,
//! and dropping it ends everything that it started.

mod announce;
mod builder;
mod collecting;
mod contacts;
mod conversations;
mod diagnose;
mod diagnosis;
mod driver;
mod enrol;
mod events;
mod handle;
mod healing;
mod trackers;
mod whereabouts;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::{IdentityError, PeerId, Username};
use crate::mailbox::MailboxAddress;
use crate::message::{Delivery, EntryId, Message};
use crate::record::{Endpoint, MAX_LETTERBOXES};
use crate::storage::{MailUsage, StorageError};
use crate::tracker::{Registration, TrackerError};
use crate::transport::{Link, TransportError};

pub use crate::protocol::{ContactRefusal, Event, Inbound, MAX_REQUEST_BYTES, MAX_REQUESTS};
pub use builder::NodeBuilder;
pub use contacts::{ContactBook, ContactCard, RequestCard};
pub use conversations::{ConversationPage, ConversationSummary, LastMessage, MAX_CONVERSATIONS, MAX_EXCERPT};
pub use diagnosis::{
    CallersReport, EndpointReport, Failure, LinkReport, MAX_CLOCK_SKEW, MailReport, NodeDiagnosis, OutboxReport,
    PeerDiagnosis, Step, StepReport, StepState, TrackerDiagnosis,
};
pub use events::{EVENT_BACKLOG, Events};
pub use handle::Node;
pub use trackers::MAX_TRACKERS;

/// The most messages on one page of the history.
pub const MAX_HISTORY: usize = 1_000;

/// A running peer, from the outside.
///
/// Every method may be called from many tasks at once. What `send` and `broadcast` have answered with success survives a power cut.
/// Dropping a future gives up the answer, not the deed.
#[async_trait]
pub trait PeerNode: ContactBook + Debug + Send + Sync {
    /// Who this node is.
    fn peer_id(&self) -> PeerId;

    /// The name it goes by.
    fn username(&self) -> &Username;

    /// How it is.
    async fn status(&self) -> Result<NodeStatus, NodeError>;

    /// Who is listed at any tracker that answers, without oneself, by name; when none does, who was listed last.
    async fn available(&self) -> Result<Vec<Registration>, NodeError>;

    /// The contacts with a live link, by name.
    async fn connected(&self) -> Result<Vec<Username>, NodeError>;

    /// Opens a link to a peer and pins its key, or confirms the link there is. Takes at most ten seconds.
    ///
    /// # Errors
    /// [`NodeError::Oneself`], [`UnknownPeer`](NodeError::UnknownPeer), [`Unreachable`](NodeError::Unreachable), [`KeyChanged`](NodeError::KeyChanged),
    /// [`NameDisputed`](NodeError::NameDisputed), [`Refused`](NodeError::Refused), [`TrackerSilent`](NodeError::TrackerSilent) when
    /// no tracker answers and nobody is known by that name, [`Contact`](NodeError::Contact) when they are blocked,
    /// [`Storage`](NodeError::Storage).
    async fn connect(&self, name: &Username) -> Result<(), NodeError>;

    /// Closes the link to a peer in good order. Neither side dials again until somebody connects or sends.
    ///
    /// # Errors
    /// [`NodeError::NotConnected`] when there is no link.
    async fn disconnect(&self, name: &Username) -> Result<(), NodeError>;

    /// Sends text to a contact: now if there is a link, else as soon as there is one.
    ///
    /// # Errors
    /// [`NodeError::NotConnected`] for somebody this node was never connected to, [`Contact`](NodeError::Contact) when they are
    /// blocked, [`TextTooLarge`](NodeError::TextTooLarge), [`OutboxFull`](NodeError::OutboxFull), [`Storage`](NodeError::Storage).
    async fn send(&self, to: &Username, text: String) -> Result<Receipt, NodeError>;

    /// Sends text to every contact with a live link: to all of them or, on error, to none.
    ///
    /// # Errors
    /// [`NodeError::NotConnected`] when there is nobody; [`TextTooLarge`](NodeError::TextTooLarge),
    /// [`OutboxFull`](NodeError::OutboxFull) and [`Storage`](NodeError::Storage) as for [`send`](Self::send).
    async fn broadcast(&self, text: String) -> Result<BTreeMap<Username, Receipt>, NodeError>;

    /// The newest messages, oldest of them first.
    ///
    /// # Errors
    /// [`NodeError::Storage`] with [`StorageError::UnknownMessage`] when `before` names none.
    async fn history(&self, page: HistoryPage) -> Result<Vec<Message>, NodeError>;

    /// Lets a contact know that this message of theirs was read, and what they wrote before it; unless reading is hidden. Says
    /// it again when the contact comes back.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`] when no key is pinned for that name, [`Storage`](NodeError::Storage) with
    /// [`StorageError::UnknownMessage`] when they have written no such message.
    async fn mark_read(&self, from: &Username, through: EntryId) -> Result<(), NodeError>;

    /// Whether nobody is told what is read here: not what is read from now on, and not again what was read before.
    async fn hides_reading(&self) -> Result<bool, NodeError>;

    /// Hides what is read here, or shows it. Kept over restarts. What was read while it was hidden stays so until something
    /// behind it is marked as read.
    async fn hide_reading(&self, hide: bool) -> Result<(), NodeError>;

    /// With whom this node talks: the one with the newest message first, and after the last of them the contacts with whom
    /// there is no message yet, by name. A name that has had several keys here is one conversation.
    ///
    /// # Errors
    /// [`NodeError::Storage`] with [`StorageError::UnknownMessage`] when `before` names none.
    async fn conversations(&self, page: ConversationPage) -> Result<Vec<ConversationSummary>, NodeError>;

    /// Forgets the key that is pinned for a name. What is still queued for it has failed; the history stays.
    ///
    /// # Errors
    /// [`NodeError::UnknownPeer`] when no key is pinned for that name.
    async fn forget_key(&self, name: &Username) -> Result<(), NodeError>;

    /// How it is, for somebody who wonders why it is not reached. Asks the tracker, for at most five seconds.
    async fn diagnostics(&self) -> Result<NodeDiagnosis, NodeError>;

    /// Why there is a link to this peer, or none: what came of the last attempt, step by step. Makes none.
    ///
    /// # Errors
    /// [`NodeError::Oneself`]; [`UnknownPeer`](NodeError::UnknownPeer) for a name that is no contact, that nobody has tried to
    /// reach, and that the tracker does not list.
    async fn diagnose(&self, name: &Username) -> Result<PeerDiagnosis, NodeError>;

    /// Listens to what happens from now on.
    fn subscribe(&self) -> Events;

    /// Takes a link that somebody else accepted for this node. It is secured and judged like any other, behind the answer.
    ///
    /// # Errors
    /// [`NodeError::Busy`] when as many links as there can be wait for that already.
    async fn accept(&self, link: Link) -> Result<(), NodeError>;

    /// Says goodbye to everybody, leaves the tracker, and ends. All later calls answer [`NodeError::Stopped`].
    async fn stop(&self) -> Result<(), NodeError>;
}

/// Which part of the history to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryPage {
    /// Only the conversation with this name, whichever keys it has had here: the name here, else the one at the tracker where
    /// only one contact goes by that.
    pub peer: Option<Username>,
    /// Only what was committed before this message.
    pub before: Option<EntryId>,
    /// At most this many; 1–[`MAX_HISTORY`].
    pub limit: usize,
}

/// How a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The name it goes by.
    pub username: Username,
    /// Its key.
    pub peer_id: PeerId,
    /// Where it says that it can be dialled.
    pub endpoints: Vec<Endpoint>,
    /// How it stands with its tracker; of several, with the first of which all is well, and with the first of all where there
    /// is none.
    pub tracker: TrackerStatus,
    /// How it stands with each of its trackers.
    pub trackers: Vec<TrackerStatus>,
    /// How it stands with each of the mailboxes in which others leave mail for it.
    pub mailboxes: Vec<MailboxStatus>,
    /// The mailbox that it serves to others, if it does.
    pub mailbox: Option<ServedMailbox>,
}

/// A mailbox that a node serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServedMailbox {
    /// What those who use it are told; `None` where the node says of no address that it can be dialled there.
    pub address: Option<MailboxAddress>,
    /// How much it keeps for others.
    pub usage: MailUsage,
}

/// How a node stands with a mailbox that it uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxStatus {
    /// Which.
    pub address: MailboxAddress,
    /// When mail was last collected there, or there was none to collect.
    pub confirmed: Option<Wall>,
    /// What went wrong since then, if anything.
    pub trouble: Option<Code>,
}

/// How a node stands with a tracker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrackerStatus {
    /// Which: [`Tracker::address`](crate::tracker::Tracker::address).
    pub address: Option<String>,
    /// When it last confirmed the registration.
    pub confirmed: Option<Wall>,
    /// How long it took over what it answered last.
    pub latency: Option<Duration>,
    /// What went wrong since it confirmed the registration, if anything.
    pub trouble: Option<Code>,
}

/// The answer to a message that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// The message's id.
    pub id: EntryId,
    /// [`Delivery::Sent`] when there was a live link, else [`Delivery::Queued`].
    pub delivery: Delivery,
}

/// Why a node did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// One cannot connect to oneself.
    #[error("{name} is this node itself")]
    Oneself {
        /// One's own name.
        name: Username,
    },
    /// Neither the tracker nor this node knows the name.
    #[error("nobody called {name} is known")]
    UnknownPeer {
        /// The name.
        name: Username,
    },
    /// The peer did not answer at any of its endpoints within ten seconds.
    #[error("{name} cannot be reached: {reason}")]
    Unreachable {
        /// The name.
        name: Username,
        /// What happened.
        reason: String,
    },
    /// The trackers name different keys for this name, of which none is pinned.
    #[error("the trackers do not agree on whose name {name} is")]
    NameDisputed {
        /// The name.
        name: Username,
    },
    /// Another key than the pinned one goes by this name.
    #[error("{name} has another key than before")]
    KeyChanged {
        /// The name.
        name: Username,
    },
    /// The peer refused the link.
    #[error("{name} refused the connection: {code}")]
    Refused {
        /// The name.
        name: Username,
        /// Its reason.
        code: String,
    },
    /// No link, and for sending: there never was one.
    #[error("not connected to {name}")]
    NotConnected {
        /// The name, or "anybody".
        name: String,
    },
    /// The text has more than [`MAX_TEXT_BYTES`](crate::message::MAX_TEXT_BYTES).
    #[error("the text has more than 1 MiB")]
    TextTooLarge,
    /// Too much waits for this contact already.
    #[error("too much is queued for {name} already")]
    OutboxFull {
        /// The name.
        name: Username,
    },
    /// What is asked about a contact or a request cannot be.
    #[error(transparent)]
    Contact(#[from] ContactRefusal),
    /// The tracker did not do its part.
    #[error(transparent)]
    Tracker(#[from] TrackerError),
    /// The tracker did not say where the peer is, and the node does not know.
    #[error("the tracker did not answer: {code}")]
    TrackerSilent {
        /// What went wrong with it.
        code: Code,
    },
    /// The storage did not do its part. Nothing was sent.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A listener could not be opened.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// No key could be made.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// More than [`MAX_LETTERBOXES`] mailboxes.
    #[error("a node uses at most {MAX_LETTERBOXES} mailboxes")]
    TooManyMailboxes,
    /// More is asked at once than the node takes on.
    #[error("the node is busy")]
    Busy,
    /// The node has stopped.
    #[error("the node has stopped")]
    Stopped,
}

impl NodeError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Oneself { .. } => Code::Oneself,
            Self::UnknownPeer { .. } => Code::UnknownPeer,
            Self::Unreachable { .. } => Code::Unreachable,
            Self::NameDisputed { .. } => Code::NameDisputed,
            Self::KeyChanged { .. } => Code::KeyChanged,
            Self::Refused { .. } => Code::Refused,
            Self::NotConnected { .. } => Code::NotConnected,
            Self::TextTooLarge => Code::TextTooLarge,
            Self::OutboxFull { .. } => Code::OutboxFull,
            Self::Contact(refusal) => refusal.code(),
            Self::Tracker(error) => error.code(),
            Self::TrackerSilent { code } => *code,
            Self::Storage(error) => error.code(),
            Self::Transport(error) => error.code(),
            Self::Identity(_) => Code::StorageFailed,
            Self::TooManyMailboxes => Code::InvalidMailbox,
            Self::Busy => Code::Busy,
            Self::Stopped => Code::NotRunning,
        }
    }
}
