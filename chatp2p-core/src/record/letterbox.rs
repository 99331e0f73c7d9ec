//! Where mail may be left for somebody who is away.

use std::fmt;

use minicbor::{Decode, Encode};

use super::{Endpoint, ExchangeKey};
use crate::identity::PeerId;

/// The most letterboxes in a record: one, and another for when its mailbox is away.
pub const MAX_LETTERBOXES: usize = 2;

/// The most endpoints of one mailbox in a record.
pub const MAX_MAILBOX_ENDPOINTS: usize = 2;

/// One owner's place at a mailbox, as the owner's signed record names it.
///
/// A *mailbox* is a peer that keeps what it cannot read for those who are away; a *letterbox* is what one of them has
/// there. The mailbox knows it by a random key and never learns whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Letterbox {
    /// Who keeps it: the key that the mailbox proves.
    #[n(0)]
    pub mailbox: PeerId,
    /// Where the mailbox can be dialled, best first; at most [`MAX_MAILBOX_ENDPOINTS`], none with port 0.
    #[n(1)]
    pub endpoints: Vec<Endpoint>,
    /// Which of its letterboxes.
    #[n(2)]
    pub id: LetterboxId,
    /// For whom mail is sealed that is left there.
    #[n(3)]
    pub seal: ExchangeKey,
}

/// Names a letterbox, and is the key that its owner proves to collect: drawn at random, used for nothing else, and turned
/// now and then, so that it tells nobody who that is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode)]
#[cbor(transparent)]
pub struct LetterboxId(#[n(0)] PeerId);

impl LetterboxId {
    /// The letterbox of whoever proves this key.
    pub const fn of(key: PeerId) -> Self {
        Self(key)
    }

    /// The key.
    pub const fn key(&self) -> PeerId {
        self.0
    }
}

impl fmt::Debug for LetterboxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LetterboxId({}…)", self.0.short())
    }
}

impl Letterbox {
    pub(super) fn is_within_bounds(&self) -> bool {
        self.endpoints.iter().all(Endpoint::is_dialable) && (1..=MAX_MAILBOX_ENDPOINTS).contains(&self.endpoints.len())
    }
}
