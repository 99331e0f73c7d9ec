//! What a state is handed.

use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::{Entry, Place};
use crate::record::SignedRecord;
use crate::storage::LoggedEntry;

use super::contacts::ContactCommand;
use super::decision::LoadId;
use super::wire::Frame;

/// By which a command and its reply find each other. Chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(pub u64);

/// One live link. Chosen by the driver, below 2⁶³; later links have higher numbers. Posts have numbers from there on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// One mail that was collected, until it may be deleted. Chosen by the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct MailId(pub u64);

/// Something that reached the node.
#[derive(Debug, Clone)]
pub enum Input {
    /// Somebody wants something.
    Command {
        /// Which the reply will name.
        id: CommandId,
        /// What.
        command: Command,
    },
    /// What the tracker knows of a name that was asked for.
    Found {
        /// The name.
        name: Username,
        /// The answer.
        answer: Found,
    },
    /// A link whose other end has proved its key.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Who is at the other end.
        peer: PeerId,
        /// Whether this node dialled.
        dialled: bool,
    },
    /// A frame from the other end of a link.
    Frame {
        /// From where.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// A link is gone. If the other end had not said goodbye, it broke.
    LinkDown(LinkId),
    /// No endpoint of a peer could be dialled.
    DialFailed {
        /// Whom.
        peer: PeerId,
        /// What happened, for people.
        reason: String,
    },
    /// What was asked for from the store.
    Loaded {
        /// Which question this answers.
        load: LoadId,
        /// The answer; `None` when the store refused.
        entries: Option<Loaded>,
    },
    /// What somebody left in a letterbox of this node's.
    Mail {
        /// Which mail: it is to be taken when what it says is durable.
        mail: MailId,
        /// Who signed it.
        from: Box<SignedRecord>,
        /// What they would have sent on a link.
        frames: Vec<Frame>,
    },
    /// A mailbox keeps so many more of the entries that were handed to a post, in their order; and what stood between them.
    Posted {
        /// Which post.
        link: LinkId,
        /// How many entries; possibly none.
        entries: usize,
    },
    /// What was handed to a post and is not known to be kept may not be. The post is gone.
    NotPosted(LinkId),
    /// Links may be dead and nobody has noticed: the machine has slept, or has another address.
    Doubt,
    /// A deadline has passed.
    Wake,
}

/// What somebody wants.
#[derive(Clone)]
pub enum Command {
    /// A link to this peer.
    Connect(Username),
    /// No link to this peer.
    Disconnect(Username),
    /// To say something to one.
    Send {
        /// To whom.
        to: Username,
        /// What.
        text: String,
    },
    /// To say something to everybody who is connected.
    Broadcast(String),
    /// To have this peer know that their log was read up to here, unless nobody is to know.
    Read {
        /// Whose log.
        peer: PeerId,
        /// Up to where.
        through: Place,
    },
    /// That nobody is told any more what was read, or that everybody is.
    HideReading(bool),
    /// To forget the key that is pinned for a name.
    ForgetKey(Username),
    /// Something about a contact or a request.
    Contact(ContactCommand),
    /// To replace the record that is shown to others.
    Announce(SignedRecord),
    /// To say goodbye to everybody. Nothing is dialled or sent after this.
    Stop,
}

/// What the trackers know of a name.
#[derive(Debug, Clone)]
pub enum Found {
    /// Who owns it, in their own signed words.
    Record(Box<SignedRecord>),
    /// Several who own it, as different trackers say: one record for each key.
    Disputed(Vec<SignedRecord>),
    /// Somebody who has no key.
    Unsigned,
    /// Nobody goes by it.
    Nobody,
    /// No tracker answered.
    Trouble(Code),
}

impl Found {
    /// Everybody who is said to own the name.
    pub(super) fn records(&self) -> &[SignedRecord] {
        match self {
            Self::Record(record) => std::slice::from_ref(record),
            Self::Disputed(records) => records,
            Self::Unsigned | Self::Nobody | Self::Trouble(_) => &[],
        }
    }

    /// What this key says of itself, if any tracker says that the name is its.
    pub(super) fn record_of(&self, key: PeerId) -> Option<&SignedRecord> {
        self.records().iter().find(|record| record.record().peer_id == key)
    }
}

/// Entries from the store.
#[derive(Debug, Clone)]
pub enum Loaded {
    /// Some that wait for a place.
    Queued(Vec<Entry>),
    /// Some that have one.
    Logged(Vec<LoggedEntry>),
}

impl std::fmt::Debug for Command {
    /// Names what is wanted, never what is said.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connect(name) => write!(f, "Connect({name})"),
            Self::Disconnect(name) => write!(f, "Disconnect({name})"),
            Self::Send { to, text } => write!(f, "Send(to {to}, {} bytes)", text.len()),
            Self::Broadcast(text) => write!(f, "Broadcast({} bytes)", text.len()),
            Self::Read { peer, through } => write!(f, "Read({peer}, up to {})", through.n),
            Self::HideReading(hide) => write!(f, "HideReading({hide})"),
            Self::ForgetKey(name) => write!(f, "ForgetKey({name})"),
            Self::Contact(command) => write!(f, "{command:?}"),
            Self::Announce(record) => write!(f, "Announce(seq {})", record.record().seq),
            Self::Stop => f.write_str("Stop"),
        }
    }
}
