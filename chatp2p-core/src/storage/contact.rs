//! Whom a node knows, and who would like to be known: contacts with their pinned keys, and the requests of strangers.

use minicbor::{Decode, Encode};

use crate::clock::Wall;
use crate::crypto::Watchword;
use crate::identity::{PeerId, Username};
use crate::message::{Entry, Position};
use crate::record::SignedRecord;

/// Somebody this node was once connected to, or was told of by their own link. Their key is pinned.
///
/// As CBOR, what is not so is left out, and what is left out is not so: that is how older versions wrote contacts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Contact {
    /// Who it is.
    #[n(0)]
    pub peer_id: PeerId,
    /// The name under which they are known here. Of all contacts that are not forgotten, one a name.
    #[n(1)]
    pub name: Username,
    /// Where they could last be reached.
    #[n(2)]
    pub record: Option<SignedRecord>,
    /// Whether a link is wished for: set by connecting, unset by an orderly close.
    #[n(3)]
    pub wanted: bool,
    /// Whether the user forgot the key: what is still queued has failed, and the name is free for another key.
    #[n(4)]
    pub forgotten: bool,
    /// Whether the user has compared the safety number of this very key.
    #[n(10)]
    #[cbor(default, skip_if = "is_false")]
    pub verified: bool,
    /// Whether nothing is taken from them and nothing sent to them. Outlives that the key is forgotten.
    #[n(11)]
    #[cbor(default, skip_if = "is_false")]
    pub blocked: bool,
    /// The name by which they go at the tracker, where that is another one than here.
    #[n(12)]
    pub tracker_name: Option<Username>,
    /// When the last link to them ended.
    #[n(13)]
    pub seen: Option<Wall>,
    /// Whether the user removed them: forgotten, and nothing of what was said is kept.
    #[n(14)]
    #[cbor(default, skip_if = "is_false")]
    pub removed: bool,
    /// What their contacts have in common, as they said on the last link.
    #[n(15)]
    pub watchword: Option<Watchword>,
}

/// A stranger who is owned up to by the tracker and waits to be let in, or was told no.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Request {
    /// Who it is.
    #[n(0)]
    pub peer_id: PeerId,
    /// The name that they own at the tracker.
    #[n(1)]
    pub name: Username,
    /// When they came.
    #[n(2)]
    pub arrived: Wall,
    /// The one message that they may leave.
    #[n(3)]
    pub first: Option<FirstWords>,
    /// Whether the user said no. The key is remembered, so that it does not come again.
    #[n(4)]
    pub refused: bool,
}

/// What a stranger said first, and where it stands in their log: it is taken and acknowledged once they are let in.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct FirstWords {
    /// What.
    #[n(0)]
    pub entry: Entry,
    /// Where in their log.
    #[n(1)]
    pub position: Position,
}

impl Contact {
    /// Somebody of whom no more is known yet.
    pub const fn new(peer_id: PeerId, name: Username) -> Self {
        Self {
            peer_id,
            name,
            record: None,
            wanted: false,
            forgotten: false,
            verified: false,
            blocked: false,
            tracker_name: None,
            seen: None,
            removed: false,
            watchword: None,
        }
    }

    /// The name by which they go at the tracker.
    pub fn name_at_tracker(&self) -> &Username {
        self.tracker_name.as_ref().unwrap_or(&self.name)
    }
}

const fn is_false(flag: &bool) -> bool {
    !*flag
}
