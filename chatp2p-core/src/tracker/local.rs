//! A tracker in this process. One task decides ([`actor`]); reading goes past it, to the list of what is durable.

mod actor;

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Wall;
use crate::identity::Username;
use crate::record::Reach;
use crate::storage::{MemoryRegistry, RegistryStore, random};

use super::registry::{Enrolment, Listing, Registry, Rules};
use super::{
    Claim, DEFAULT_MAX_REGISTRATIONS, DEFAULT_NAME_TTL, DEFAULT_TTL, Lease, LeaseAction, LeaseProof, Page, PeerQuery,
    Registration, Tracker, TrackerError, TrackerHealth, TrackerId,
};

use actor::{Actor, Command};

/// How many requests may wait for the task that decides; whoever comes then waits to be let in. A few turns' worth: a
/// longer queue would only make everybody wait longer.
const WAITING_REQUESTS: usize = 2_048;

/// A tracker in this process. Clones are handles of the same tracker; it ends, with all beats kept, when the last is
/// dropped.
#[derive(Clone)]
pub struct LocalTracker {
    id: TrackerId,
    requests: mpsc::Sender<Command>,
    listing: Arc<RwLock<Listing>>,
}

/// How a [`LocalTracker`] is to be.
#[derive(Debug, Clone)]
pub struct LocalTrackerBuilder {
    store: Arc<dyn RegistryStore>,
    rules: Rules,
}

impl LocalTracker {
    /// A tracker that forgets everything when it ends, with all settings as they are by default.
    ///
    /// # Errors
    /// [`TrackerError::Storage`] when the system has no randomness for the tracker's id.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn in_memory() -> Result<Self, TrackerError> {
        Self::builder().start().await
    }

    /// A tracker with settings of one's own; in memory unless it is given a store.
    pub fn builder() -> LocalTrackerBuilder {
        LocalTrackerBuilder {
            store: Arc::new(MemoryRegistry::new()),
            rules: Rules {
                ttl: DEFAULT_TTL,
                max_registrations: DEFAULT_MAX_REGISTRATIONS,
                name_ttl: DEFAULT_NAME_TTL,
                require_signed: false,
            },
        }
    }

    /// By which id signed claims must name this tracker.
    pub const fn id(&self) -> TrackerId {
        self.id
    }

    /// Decides a claim; the answer is durable, and whoever reads from now on sees it.
    ///
    /// # Errors
    /// As for [`Tracker::register`].
    pub async fn enrol(&self, claim: Claim) -> Result<Enrolment, TrackerError> {
        let (claim, secret) = (Box::new(claim), *random()?);
        self.ask(|reply| Command::Enrol { claim, secret, reply }).await
    }

    /// Notes that the holder of a name is there.
    ///
    /// # Errors
    /// [`TrackerError::Unknown`]; [`ProofRequired`](TrackerError::ProofRequired) and
    /// [`ProofInvalid`](TrackerError::ProofInvalid) for names that a key owns.
    pub async fn beat(&self, name: &Username, proof: Option<LeaseProof>) -> Result<(), TrackerError> {
        let name = name.clone();
        self.ask(|reply| Command::Beat { name, proof, reply }).await
    }

    /// Takes a name off the list; the answer is durable.
    ///
    /// # Errors
    /// As for [`beat`](Self::beat).
    pub async fn leave(&self, name: &Username, proof: Option<LeaseProof>) -> Result<(), TrackerError> {
        let name = name.clone();
        self.ask(|reply| Command::Leave { name, proof, reply }).await
    }

    /// A number that changes with every change of the list, except that of a `last_heartbeat`. It means nothing else, and
    /// starts anew with the process. Read before the list, it is never newer than the list.
    pub fn version(&self) -> u64 {
        self.read(Wall::from(SystemTime::now()), Listing::version)
    }

    /// Ends the tracker: what was asked before is answered, all beats are kept, and every handle answers
    /// [`TrackerError::Closed`] from then on. Doing it twice is no error.
    ///
    /// # Errors
    /// [`TrackerError::Storage`] when the last beats could not be kept; the tracker has ended all the same.
    pub async fn close(&self) -> Result<(), TrackerError> {
        match self.ask(|reply| Command::Close { reply }).await {
            Err(TrackerError::Closed) => Ok(()),
            other => other,
        }
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, TrackerError>>) -> Command,
    ) -> Result<T, TrackerError> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| TrackerError::Closed)?;
        answer.await.unwrap_or(Err(TrackerError::Closed))
    }

    fn read<T>(&self, now: Wall, reading: impl FnOnce(&Listing) -> T) -> T {
        {
            let listing = self.listing.read().unwrap_or_else(PoisonError::into_inner);
            if !listing.is_due(now) {
                return reading(&listing);
            }
        }
        let mut listing = self.listing.write().unwrap_or_else(PoisonError::into_inner);
        listing.advance(now);
        reading(&listing)
    }

    fn read_open<T>(&self, reading: impl FnOnce(&Listing, Wall) -> T) -> Result<T, TrackerError> {
        if self.requests.is_closed() {
            return Err(TrackerError::Closed);
        }
        let now = Wall::from(SystemTime::now());
        Ok(self.read(now, |listing| reading(listing, now)))
    }
}

#[async_trait]
impl Tracker for LocalTracker {
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError> {
        let name = claim.username().clone();
        let enrolment = self.enrol(claim).await?;
        Ok(Lease::new(name, enrolment.secret))
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.beat(lease.username(), lease.prove(LeaseAction::Heartbeat)).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.leave(lease.username(), lease.prove(LeaseAction::Unregister)).await
    }

    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError> {
        Ok(self.read_open(|listing, _| listing.find(name))?.map(|listed| listed.registration()))
    }

    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError> {
        // Copied out after the lock is given back: a long list must not hold up those who write.
        let page = self.read_open(|listing, _| listing.page(&query))?;
        Ok(Page { items: page.items.iter().map(super::registry::Listed::registration).collect(), more: page.more })
    }

    async fn health(&self) -> Result<TrackerHealth, TrackerError> {
        self.read_open(|listing, now| TrackerHealth {
            tracker_id: self.id,
            total_peers: listing.total(),
            active_peers: listing.active(),
            now,
        })
    }

    /// What is in the same process has the same owner. Whoever opens it to others as well, and has a node use it directly,
    /// trusts them with the addresses that this node dials; a node that goes through [`HttpTracker`](super::HttpTracker) does not.
    fn reach(&self) -> Reach {
        Reach::Process
    }
}

impl LocalTrackerBuilder {
    /// Where to keep the registrations.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn RegistryStore>) -> Self {
        self.store = store;
        self
    }

    /// How long a registration is listed after its last beat; [`DEFAULT_TTL`] unless set.
    #[must_use]
    pub const fn ttl(mut self, ttl: Duration) -> Self {
        self.rules.ttl = ttl;
        self
    }

    /// The most registrations to keep; [`DEFAULT_MAX_REGISTRATIONS`] unless set.
    #[must_use]
    pub const fn max_registrations(mut self, max: usize) -> Self {
        self.rules.max_registrations = max;
        self
    }

    /// How long a key owns a name after it last used it; [`DEFAULT_NAME_TTL`] unless set.
    #[must_use]
    pub const fn name_ttl(mut self, name_ttl: Duration) -> Self {
        self.rules.name_ttl = name_ttl;
        self
    }

    /// Whether classic clients, who sign nothing, are turned away; not unless set.
    #[must_use]
    pub const fn require_signed(mut self, require_signed: bool) -> Self {
        self.rules.require_signed = require_signed;
        self
    }

    /// Loads what was kept and starts.
    ///
    /// # Errors
    /// [`TrackerError::Storage`] when the store cannot be read.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn start(self) -> Result<LocalTracker, TrackerError> {
        let snapshot = self.store.load().await?;
        let now = Wall::from(SystemTime::now());
        let registry = Registry::new(snapshot, self.rules, now);
        // A number of its own for every start, so that nobody takes an old list for the new one.
        let mut listing = Listing::new(self.rules.ttl, u64::from_be_bytes(*random()?), now);
        for listed in registry.all_listed() {
            let name = listed.registration.username.clone();
            listing.show(&name, Some(listed), now);
        }
        listing.set_total(registry.len());
        let listing = Arc::new(RwLock::new(listing));
        let (requests, queue) = mpsc::channel(WAITING_REQUESTS);
        let id = registry.tracker_id();
        tokio::spawn(Actor::new(registry, self.store, listing.clone(), queue).run());
        Ok(LocalTracker { id, requests, listing })
    }
}

impl fmt::Debug for LocalTracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalTracker").field("id", &self.id).finish_non_exhaustive()
    }
}
