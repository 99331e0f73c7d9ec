//! How peers find each other. A [`Tracker`] lists who goes by which name and where; it never sees a message.
//!
//! [`LocalTracker`] is one, in this process. [`HttpTracker`] reaches one somewhere else. Both pass the same contract suite.

mod claim;
#[cfg(feature = "http")]
mod http;
mod lease;
mod local;
pub mod registry;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::Username;
use crate::record::{Reach, SignedRecord};
use crate::storage::StorageError;

pub use claim::{Claim, ClassicClaim, SignedClaim, TrackerId};
#[cfg(feature = "http")]
pub use http::HttpTracker;
pub use lease::{Lease, LeaseAction, LeaseProof};
pub use local::{LocalTracker, LocalTrackerBuilder};
pub use registry::Enrolment;

/// How often a peer tells the tracker that it is there. Three beats may be lost before [`DEFAULT_TTL`] is over.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(30);

/// How long a peer is listed after its last beat, unless the tracker is told otherwise.
pub const DEFAULT_TTL: Duration = Duration::from_secs(120);

/// How long a key owns a name that it does not use, unless the tracker is told otherwise: longer than a summer away, and not for ever.
pub const DEFAULT_NAME_TTL: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// The most registrations a tracker keeps unless it is told otherwise: about 1 GB of memory at the largest records.
pub const DEFAULT_MAX_REGISTRATIONS: usize = 200_000;

/// The longest page of a listing, and of the cursorless one.
pub const MAX_PAGE: usize = 1_000;

/// A place where peers register their names and find each other.
///
/// **To implementers.** Every method may be called from many tasks at once. What `register` and `unregister` return is
/// durable; a beat may be kept a few seconds late ([`BEAT_WRITE_BEHIND`](crate::storage::BEAT_WRITE_BEHIND)). Dropping a future may leave its request done or
/// not done, never half done.
#[async_trait]
pub trait Tracker: Debug + Send + Sync {
    /// Registers a name, or says again that it is there. The same signed claim twice is one registration, but only its first answer carries a
    /// secret: sign anew to get another.
    ///
    /// # Errors
    /// [`TrackerError::NameTaken`], [`NameConfusable`](TrackerError::NameConfusable), [`ProofRequired`](TrackerError::ProofRequired) for a
    /// classic claim on a name that a key owns, [`SignatureRequired`](TrackerError::SignatureRequired) for any where all must sign, [`WrongTracker`](TrackerError::WrongTracker) for a claim that names another tracker,
    /// [`RecordStale`](TrackerError::RecordStale), [`Full`](TrackerError::Full), and what can always happen: storage, reach.
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError>;

    /// Keeps the registration listed for another TTL; one that had expired is listed again.
    ///
    /// # Errors
    /// [`TrackerError::Unknown`] when the tracker does not know the name or the lease: register again.
    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError>;

    /// Takes the registration off the list. The name stays with the key that owns it.
    ///
    /// # Errors
    /// As for [`heartbeat`](Self::heartbeat).
    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError>;

    /// Who goes by this name now, if anybody does.
    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError>;

    /// Who is there, by name, a page at a time.
    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError>;

    /// How the tracker is, and by which id claims must name it.
    async fn health(&self) -> Result<TrackerHealth, TrackerError>;

    /// Across what it was reached so far, at the farthest; [`Reach::Public`] while nobody knows. Only what is as far away or
    /// farther is dialled because this tracker says so.
    fn reach(&self) -> Reach;

    /// Its address, where it has one: so that a user who has several knows which is meant.
    fn address(&self) -> Option<String> {
        None
    }
}

#[async_trait]
impl<T: Tracker + ?Sized> Tracker for Arc<T> {
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError> {
        (**self).register(claim).await
    }
    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError> {
        (**self).heartbeat(lease).await
    }
    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError> {
        (**self).unregister(lease).await
    }
    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError> {
        (**self).find(name).await
    }
    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError> {
        (**self).peers(query).await
    }
    async fn health(&self) -> Result<TrackerHealth, TrackerError> {
        (**self).health().await
    }
    fn reach(&self) -> Reach {
        (**self).reach()
    }
    fn address(&self) -> Option<String> {
        (**self).address()
    }
}

/// A name and where it is, as a tracker lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// The tracker's number for this name; stays the same as long as the name is kept.
    pub id: i64,
    /// The name.
    pub username: Username,
    /// The host that was given, or that of the record's first endpoint.
    pub host: String,
    /// The port that was given, or that of the record's first endpoint; 1–65535 (0 for endpoints without one).
    pub port: u16,
    /// Whether it is listed: it has neither left nor expired. A store keeps only whether it has left.
    pub is_active: bool,
    /// When it was last heard of.
    pub last_heartbeat: Wall,
    /// What the owner of the name says about itself; `None` for classic registrations, which nobody owns.
    pub record: Option<SignedRecord>,
}

/// Which peers to list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PeerQuery {
    /// Only names that start so.
    pub prefix: Option<String>,
    /// Only names after this one, in the order of the listing (by Unicode scalar values).
    pub after: Option<String>,
    /// At most this many; all when `None`.
    pub limit: Option<usize>,
}

/// A page of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Whether there is more behind the last item.
    pub more: bool,
}

/// How a tracker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrackerHealth {
    /// By which id signed claims must name it. Random; it changes when the tracker loses its data.
    pub tracker_id: TrackerId,
    /// All names it keeps.
    pub total_peers: usize,
    /// Those that are listed.
    pub active_peers: usize,
    /// What its clock shows.
    pub now: Wall,
}

/// Why a tracker did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// Somebody else holds the name.
    #[error("the name {name} is taken")]
    NameTaken {
        /// The name.
        name: Username,
    },
    /// The name looks too much like another one that is held.
    #[error("the name {name} looks too much like {other}")]
    NameConfusable {
        /// The name that was asked for.
        name: Username,
        /// The name that is held.
        other: Username,
    },
    /// A key owns the name, and nothing proves that this comes from it.
    #[error("the name {name} belongs to a key; only that key can do this")]
    ProofRequired {
        /// The name.
        name: Username,
    },
    /// The tracker lists those alone who sign.
    #[error("this tracker lists {name} for nobody without a key")]
    SignatureRequired {
        /// The name.
        name: Username,
    },
    /// More is asked from this address than the tracker answers.
    #[error("the tracker answers no more for now: {reason}")]
    TooManyRequests {
        /// How it said so.
        reason: String,
    },
    /// The signature or MAC is wrong, or was used before.
    #[error("the proof is wrong or was used before")]
    ProofInvalid,
    /// The claim names another tracker: ask for its id and sign anew.
    #[error("the claim was made for another tracker")]
    WrongTracker,
    /// A record with a higher sequence number is known: sign one above it.
    #[error("the record is not newer than the one known, which has number {known}")]
    RecordStale {
        /// The sequence number that is known.
        known: u64,
    },
    /// The tracker does not know the name, or not this lease: register again.
    #[error("the tracker does not know {name}; register again")]
    Unknown {
        /// The name.
        name: Username,
    },
    /// A field is not within its rules.
    #[error("{reason}")]
    Invalid {
        /// Which, and what would be right.
        reason: String,
    },
    /// The tracker keeps as many names as it can.
    #[error("the tracker is full")]
    Full,
    /// The tracker could not keep or read it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The tracker cannot be reached, or does not answer in time.
    #[error("the tracker at {url} cannot be reached")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// It would be used without TLS, beyond this machine and its local network.
    #[error("{host} is beyond the local network, where anybody on the way could read and change what the tracker says")]
    Insecure {
        /// Its host.
        host: String,
    },
    /// What is there answers like no tracker.
    #[error("what answers at {url} is no chatp2p tracker: {reason}")]
    Protocol {
        /// Its address.
        url: String,
        /// What was wrong with the answer.
        reason: String,
    },
    /// The tracker is shutting down.
    #[error("the tracker is shutting down")]
    Closed,
}

impl TrackerError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::NameTaken { .. } => Code::NameTaken,
            Self::NameConfusable { .. } => Code::NameConfusable,
            Self::ProofRequired { .. } => Code::ProofRequired,
            Self::SignatureRequired { .. } => Code::SignatureRequired,
            Self::TooManyRequests { .. } => Code::TooManyRequests,
            Self::ProofInvalid => Code::ProofInvalid,
            Self::WrongTracker => Code::WrongTracker,
            Self::RecordStale { .. } => Code::RecordStale,
            Self::Unknown { .. } => Code::UnknownPeer,
            Self::Invalid { .. } => Code::InvalidInput,
            Self::Full => Code::TrackerFull,
            Self::Storage(error) => error.code(),
            Self::Unreachable { .. } | Self::Closed => Code::TrackerUnreachable,
            Self::Insecure { .. } => Code::InsecureTracker,
            Self::Protocol { .. } => Code::TrackerProtocol,
        }
    }
}
