//! What it takes to start a node: a profile, a tracker, a port, and an address to tell the others.

mod address;
mod node;
mod trackers;
mod whereabouts;

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use chatp2p_core::node::{NodeError, PeerNode};
use chatp2p_core::storage::{Passphrase, Profile, ProfileError, StorageError};
use chatp2p_core::tracker::TrackerError;
use chatp2p_core::transport::TransportError;

pub use node::NodeStarter;

/// What is asked for when a node is to start.
#[derive(Debug, Clone)]
pub struct Order {
    /// Under which name.
    pub username: Username,
    /// On which port to serve links.
    pub port: Port,
    /// At which tracker alone; `None` for those of the options.
    pub tracker_url: Option<String>,
    /// Whether to start even while no tracker can be reached, if there is a profile that knows somebody.
    pub may_be_unlisted: bool,
    /// What the profile is under, or is to be; `None` for what the options say.
    pub passphrase: Option<Passphrase>,
}

/// Which port serves links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Port {
    /// The one of the options; where they name none, the usual one, or a free one if that is taken.
    AsOptionsSay,
    /// This one; the API's own stands for sharing it, and 0 for any.
    Given {
        /// Which.
        port: u16,
        /// Whether a free one does as well where it is taken.
        or_free: bool,
    },
}

/// A node that runs.
#[derive(Debug)]
pub struct Started {
    /// The node.
    pub node: Arc<dyn PeerNode>,
    /// What it keeps on the disk.
    pub profile: Arc<Profile>,
    /// The trackers at which it registers.
    pub tracker_urls: Vec<String>,
    /// How it is reached.
    pub way: Way,
}

/// How a node is reached, as far as that is found out when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Where its links come in.
    pub listening: SocketAddr,
    /// This machine's address on the way to the first of its trackers that answered.
    pub towards_tracker: Option<IpAddr>,
}

/// Starts nodes.
///
/// **To implementers.** One start runs at a time. A start that fails leaves nothing behind: no open port, no locked
/// profile.
#[async_trait]
pub trait Start: Debug + Send + Sync {
    /// Starts a node. It is registered at a tracker when this returns, unless the order says that it need not be.
    ///
    /// # Errors
    /// [`StartError`], whose code says what is in the way.
    async fn start(&self, order: Order) -> Result<Started, StartError>;
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A part of the order makes no sense here.
    #[error("{0}")]
    Invalid(String),
    /// The profile cannot be used.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The node could not be made.
    #[error(transparent)]
    Node(#[from] NodeError),
}

impl StartError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidInput,
            Self::Profile(error) => error.code(),
            Self::Node(error) => error.code(),
        }
    }
}

impl From<StorageError> for StartError {
    fn from(error: StorageError) -> Self {
        Self::Node(error.into())
    }
}

impl From<TrackerError> for StartError {
    fn from(error: TrackerError) -> Self {
        Self::Node(error.into())
    }
}

impl From<TransportError> for StartError {
    fn from(error: TransportError) -> Self {
        Self::Node(error.into())
    }
}
