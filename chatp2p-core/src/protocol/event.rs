//! What a node tells those who listen to it.

use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::{EntryId, Message};

/// Something that happened. Told only once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody wrote to us.
    Message(Message),
    /// This node wrote to somebody, whoever asked it to. Says as much about the delivery as the answer to the command does.
    Written(Message),
    /// Everything of ours up to and including this message was handed to the live link: it had waited, or was sent again.
    /// What was written onto a link at once is told by [`Written`](Self::Written) alone.
    Sent {
        /// To whom.
        peer: Username,
        /// Up to which message.
        through: EntryId,
    },
    /// A mailbox keeps, for this peer, everything of ours up to and including this message, and has signed for it.
    Mailed {
        /// For whom.
        peer: Username,
        /// Up to which message.
        through: EntryId,
    },
    /// A link to this peer is up.
    PeerConnected(Username),
    /// The last link to this peer is gone.
    PeerDisconnected(Username),
    /// The peer has committed everything of ours up to and including this message.
    Delivered {
        /// Who.
        peer: Username,
        /// Up to which message.
        through: EntryId,
    },
    /// The peer has read everything of ours up to and including this message, as their node says.
    Read {
        /// Who.
        peer: Username,
        /// Up to which message.
        through: EntryId,
    },
    /// Somebody with another key than the pinned one goes by this name; they were not let in.
    KeyChanged {
        /// The name.
        peer: Username,
        /// The key they have.
        presented: PeerId,
    },
    /// The key that was pinned for this name is forgotten. What was not delivered to it has failed.
    KeyForgotten(Username),
    /// Somebody has become a contact, because the user says so.
    ContactAdded(Username),
    /// A contact is known by another name.
    ContactRenamed {
        /// The name so far.
        from: Username,
        /// The new one.
        to: Username,
    },
    /// A contact's safety number was compared, or that was taken back.
    ContactVerified {
        /// Who.
        peer: Username,
        /// Which.
        verified: bool,
    },
    /// A contact was blocked or unblocked.
    ContactBlocked {
        /// Who.
        peer: Username,
        /// Which.
        blocked: bool,
    },
    /// A contact was removed, and with them all that was said.
    ContactRemoved(Username),
    /// The user takes this key for that of the contact. What was not delivered to the one before has failed.
    KeyAccepted {
        /// Who.
        peer: Username,
        /// The key that is pinned from now on.
        key: PeerId,
    },
    /// A stranger asks to be let in, or has left the message that goes with it.
    Requested {
        /// Who.
        peer_id: PeerId,
        /// The name that they own at the tracker.
        name: Username,
    },
    /// A request was accepted or refused.
    RequestClosed(PeerId),
    /// There is no room for further requests; those who come are turned away. Told once until there is room again.
    RequestsFull,
    /// The tracker could not be reached or refused, and neither is the node listed at any other; it goes on trying.
    TrackerTrouble(Code),
    /// This listener was too slow and missed this many events. What it missed is in the history.
    Gap {
        /// How many.
        missed: u64,
    },
}
