//! What a node tells those who listen. Bounded: a listener that is too slow is told how much it missed.

use tokio::sync::broadcast;

use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::{EntryId, Message};

/// How many events wait for a slow listener before the oldest are dropped: about a second of the fastest traffic.
pub const EVENT_BACKLOG: usize = 4_096;

/// Something that happened. Told only once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Somebody wrote to us.
    Message(Message),
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
    /// Somebody with another key than the pinned one goes by this name; they were not let in.
    KeyChanged {
        /// The name.
        peer: Username,
        /// The key they have.
        presented: PeerId,
    },
    /// The tracker could not be reached or refused; the node goes on trying.
    TrackerTrouble(Code),
    /// This listener was too slow and missed this many events. What it missed is in the history.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// A listener's own queue of events.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
}

impl Events {
    pub(crate) const fn new(receiver: broadcast::Receiver<Event>) -> Self {
        Self { receiver }
    }

    /// The next event; `None` once the node has stopped and everything was told. Cancel-safe.
    pub async fn next(&mut self) -> Option<Event> {
        match self.receiver.recv().await {
            Ok(event) => Some(event),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Event::Gap { missed }),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
