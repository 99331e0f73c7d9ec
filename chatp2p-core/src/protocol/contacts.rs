//! What users decide about the people they know and about strangers who ask to be known, and why it may be refused.

use crate::code::Code;
use crate::identity::{PeerId, Username};

/// Who is let in without having been asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Inbound {
    /// Everybody who owns their name at the tracker becomes a contact by connecting.
    #[default]
    Open,
    /// A stranger leaves a request with one small message, and hears nothing until it is accepted.
    Requests,
}

/// The most requests that wait at the same time. With [`MAX_REQUEST_BYTES`] and what stands around a message they take less
/// than half a megabyte, and more than two hundred strangers are no inbox but an attack: further ones are not kept.
pub const MAX_REQUESTS: usize = 200;

/// The longest text of a request in bytes: some lines to say who one is.
pub const MAX_REQUEST_BYTES: usize = 1 << 10;

/// The most keys of which is remembered that they were refused; a hundred bytes each. The oldest makes room.
pub const MAX_REFUSED: usize = 1_000;

/// Something to do about a contact or a request.
#[derive(Clone)]
pub enum ContactCommand {
    /// To pin a key before the first contact.
    Add {
        /// The key.
        peer_id: PeerId,
        /// The name by which its owner goes at the tracker.
        name_at_tracker: Username,
        /// The name by which they are to be known here.
        name: Username,
    },
    /// To know a contact by another name.
    Rename {
        /// The name so far.
        from: Username,
        /// The new one.
        to: Username,
    },
    /// To take this key for that of the contact, instead of the pinned one.
    AcceptKey {
        /// Who.
        name: Username,
        /// The key that they have now.
        key: PeerId,
    },
    /// To note that the contact's safety number was compared.
    Verify {
        /// Who.
        name: Username,
        /// What the other end showed: digits or a scanned code.
        shown: String,
    },
    /// To take that back.
    Unverify(Username),
    /// To have nothing to do with a contact, or to have again.
    Block {
        /// Who.
        name: Username,
        /// Whether they are to be blocked.
        blocked: bool,
    },
    /// To forget a contact and all that was said.
    Remove(Username),
    /// To let a stranger in.
    Admit {
        /// Who asked.
        peer_id: PeerId,
        /// The name by which they are to be known here; the one they asked under if not given.
        name: Option<Username>,
    },
    /// To tell a stranger nothing, now and later.
    Dismiss(PeerId),
}

/// Why something about a contact was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ContactRefusal {
    /// Somebody here has that name.
    #[error("{0} is the name of somebody else here")]
    NameTaken(Username),
    /// The name looks like another one.
    #[error("{name} looks too much like {other}")]
    NameConfusable {
        /// The name that was asked for.
        name: Username,
        /// The one that is there.
        other: Username,
    },
    /// The key belongs to a contact.
    #[error("this key is that of {0} already")]
    Exists(Username),
    /// The contact is blocked.
    #[error("{0} is blocked")]
    Blocked(Username),
    /// As many peers are known as can be.
    #[error("as many contacts are known as there can be")]
    Full,
    /// What the other end shows is not the number of this contact's key.
    #[error("that is not the safety number of {0}")]
    SafetyNumberDiffers(Username),
    /// No request of this key waits.
    #[error("no request of this key is waiting")]
    UnknownRequest,
}

impl ContactRefusal {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::NameTaken(_) => Code::ContactNameTaken,
            Self::NameConfusable { .. } => Code::NameConfusable,
            Self::Exists(_) => Code::ContactExists,
            Self::Blocked(_) => Code::ContactBlocked,
            Self::Full => Code::ContactsFull,
            Self::SafetyNumberDiffers(_) => Code::SafetyNumberDiffers,
            Self::UnknownRequest => Code::UnknownRequest,
        }
    }
}

impl std::fmt::Debug for ContactCommand {
    /// Names what is wanted, and of whom.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Add { peer_id, name, .. } => write!(f, "Add({name}, {peer_id:?})"),
            Self::Rename { from, to } => write!(f, "Rename({from}, {to})"),
            Self::AcceptKey { name, key } => write!(f, "AcceptKey({name}, {key:?})"),
            Self::Verify { name, .. } => write!(f, "Verify({name})"),
            Self::Unverify(name) => write!(f, "Unverify({name})"),
            Self::Block { name, blocked } => write!(f, "Block({name}, {blocked})"),
            Self::Remove(name) => write!(f, "Remove({name})"),
            Self::Admit { peer_id, .. } => write!(f, "Admit({peer_id:?})"),
            Self::Dismiss(peer_id) => write!(f, "Dismiss({peer_id:?})"),
        }
    }
}
