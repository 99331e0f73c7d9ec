//! What a state decides. The type keeps the promise *decide, commit, send, tell*: effects come out only in exchange for
//! the receipt of the commit.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::{Delivery, EntryId, Epoch, Place, Position};
use crate::record::{Endpoint, Letterbox};
use crate::storage::{Change, Committed, LoadLimit};

use super::contacts::ContactRefusal;
use super::event::Event;
use super::input::{CommandId, LinkId, MailId};
use super::wire::Frame;

/// By which a question to the store and its answer find each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadId(pub(super) u64);

/// Everything decided in one turn, over any number of inputs.
#[derive(Debug, Default)]
pub struct Decision {
    changes: Vec<Change>,
    asks: Vec<Ask>,
    then: Vec<Then>,
    /// Only the last acknowledgement of a turn is sent on each link: it covers the ones before.
    acks: BTreeMap<LinkId, Position>,
    /// Up to where the other end's log was read: the last of a turn, too.
    marks: BTreeMap<LinkId, Place>,
    /// Who has read something; the receipt of the commit says up to which message.
    reads: BTreeMap<PeerId, Username>,
    closes: Vec<LinkId>,
}

#[derive(Debug)]
enum Then {
    Always(Effect),
    /// Told unless the store held the entry already.
    Received(PeerId, EntryId, Event),
}

/// A question, to be answered by an input. Asked once the turn's commit is done, so that the answer covers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Who goes by this name? Answered by [`Input::Found`](super::Input::Found).
    Find {
        /// The name.
        name: Username,
        /// Whose it is known to be here. Once these are found, there is little to be gained by waiting for more.
        known: BTreeSet<PeerId>,
    },
    /// The next entries without a place. Answered by [`Input::Loaded`](super::Input::Loaded).
    Queued {
        /// Named by the answer.
        load: LoadId,
        /// To whom they go.
        peer: PeerId,
        /// How many.
        limit: LoadLimit,
    },
    /// Entries of my log. Answered by [`Input::Loaded`](super::Input::Loaded).
    Logged {
        /// Named by the answer.
        load: LoadId,
        /// To whom they go.
        peer: PeerId,
        /// Of which epoch.
        epoch: Epoch,
        /// Which.
        range: RangeInclusive<u64>,
        /// How many.
        limit: LoadLimit,
    },
}

/// Something to do once the turn is durable.
#[derive(Debug)]
pub enum Effect {
    /// Hand a frame to a link. Frames of one link go in the order of the effects.
    Send {
        /// Which link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Close a link after everything that was sent on it.
    Close(LinkId),
    /// Dial a peer at these endpoints, best first, until one answers and proves the key.
    Dial {
        /// Whom.
        peer: PeerId,
        /// Where; possibly nowhere.
        endpoints: Vec<Endpoint>,
    },
    /// Give up dialling a peer. A dial that succeeds at the same moment is reported as a link like any other.
    CancelDial(PeerId),
    /// Leave what is sent on this link in a letterbox, beginning now.
    OpenPost {
        /// Under which number it is sent.
        link: LinkId,
        /// Whose letterbox it is.
        peer: PeerId,
        /// Where it is, and for whom to seal.
        letterbox: Letterbox,
    },
    /// Have a mail deleted where it was collected: what it says is durable.
    Take(MailId),
    /// Answer a command.
    Reply {
        /// Which.
        id: CommandId,
        /// With what.
        outcome: Result<Outcome, Refusal>,
    },
    /// Tell everybody who listens.
    Tell(Event),
}

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// The message is durable.
    Sent {
        /// Its id.
        id: EntryId,
        /// Sent or queued.
        delivery: Delivery,
    },
    /// The message is durable for all of these.
    Broadcast(BTreeMap<Username, EntryId>),
}

/// Why a command led to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// One cannot connect to oneself.
    Oneself,
    /// Nobody of that name is known.
    UnknownPeer,
    /// The tracker did not answer, and the name is no contact.
    Tracker(Code),
    /// The peer did not answer.
    Unreachable(String),
    /// Another key goes by the name.
    KeyChanged,
    /// The trackers name different keys, and none of them is known.
    NameDisputed,
    /// The other end refused, by its own word.
    Refused(String),
    /// There is no link, or there never was one.
    NotConnected,
    /// More than [`MAX_TEXT_BYTES`](crate::message::MAX_TEXT_BYTES).
    TextTooLarge,
    /// The outbox for this contact is at its bound.
    OutboxFull(Username),
    /// What is asked about a contact or a request cannot be.
    Contact(ContactRefusal),
    /// The node is stopping.
    Stopping,
}

impl From<ContactRefusal> for Refusal {
    fn from(refusal: ContactRefusal) -> Self {
        Self::Contact(refusal)
    }
}

impl Decision {
    /// A decision about nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.asks.is_empty()
            && self.then.is_empty()
            && self.acks.is_empty()
            && self.marks.is_empty()
            && self.reads.is_empty()
            && self.closes.is_empty()
    }

    /// Takes out what must be durable; [`State::conclude`](super::State::conclude) adds the keys that were used.
    pub(super) fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// What to look up, and what to do, now that the changes are durable.
    pub fn release(self, receipt: &Committed) -> (Vec<Ask>, Vec<Effect>) {
        let mut told = receipt.repeated.clone();
        let mut effects: Vec<Effect> = self
            .then
            .into_iter()
            .filter_map(|then| match then {
                Then::Always(effect) => Some(effect),
                Then::Received(peer, id, event) => {
                    // The same entry may also have come twice within the turn.
                    told.insert((peer, id)).then_some(Effect::Tell(event))
                }
            })
            .collect();
        effects
            .extend(self.acks.into_iter().map(|(link, position)| Effect::Send { link, frame: Frame::Ack(position) }));
        effects.extend(self.marks.into_iter().map(|(link, place)| Effect::Send { link, frame: Frame::Read(place) }));
        let read = self.reads.into_iter().filter_map(|(peer, name)| {
            receipt.read.get(&peer).map(|through| Effect::Tell(Event::Read { peer: name, through: *through }))
        });
        effects.extend(read);
        effects.extend(self.closes.into_iter().map(Effect::Close));
        (self.asks, effects)
    }

    pub(super) fn change(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        self.asks.push(ask);
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.then.push(Then::Always(effect));
    }

    pub(super) fn send(&mut self, link: LinkId, frame: Frame) {
        self.effect(Effect::Send { link, frame });
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.effect(Effect::Tell(event));
    }

    pub(super) fn tell_received(&mut self, peer: PeerId, id: EntryId, event: Event) {
        self.then.push(Then::Received(peer, id, event));
    }

    pub(super) fn reply(&mut self, id: CommandId, outcome: Result<Outcome, Refusal>) {
        self.effect(Effect::Reply { id, outcome });
    }

    pub(super) fn ack(&mut self, link: LinkId, position: Position) {
        self.acks.insert(link, position);
    }

    pub(super) fn mark(&mut self, link: LinkId, place: Place) {
        self.marks.insert(link, place);
    }

    pub(super) fn tell_read(&mut self, peer: PeerId, name: Username) {
        self.reads.insert(peer, name);
    }

    pub(super) fn close(&mut self, link: LinkId) {
        self.closes.push(link);
    }
}
