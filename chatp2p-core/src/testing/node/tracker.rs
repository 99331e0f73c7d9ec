//! A tracker that goes away, loses its data, or never answers.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::identity::Username;
use crate::record::Reach;
use crate::tracker::{Claim, Lease, LocalTracker, Page, PeerQuery, Registration, Tracker, TrackerError, TrackerHealth};

/// A [`LocalTracker`] that can be put out of order, or replaced. Clones are handles of the same.
#[derive(Debug, Clone)]
pub struct FaultyTracker {
    now: Arc<Mutex<(Trouble, Arc<dyn Tracker>)>>,
    reach: Reach,
}

/// What is wrong with a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Nobody listens there.
    Down,
    /// It takes requests and never answers.
    Silent,
}

impl FaultyTracker {
    /// A fresh tracker that works.
    ///
    /// # Panics
    /// When none can be had.
    pub async fn start() -> Self {
        let tracker = LocalTracker::in_memory().await.expect("a tracker");
        Self { now: Arc::new(Mutex::new((Trouble::None, Arc::new(tracker)))), reach: Reach::Process }
    }

    /// The same tracker, as somebody sees it who reaches it across this.
    #[must_use]
    pub fn seen_across(&self, reach: Reach) -> Self {
        Self { reach, ..self.clone() }
    }

    /// Puts it out of order, or in order again.
    pub fn set(&self, trouble: Trouble) {
        self.lock().0 = trouble;
    }

    /// Puts a fresh one in its place, as when it has lost its data.
    ///
    /// # Panics
    /// When none can be had.
    pub async fn lose_everything(&self) {
        let fresh = LocalTracker::in_memory().await.expect("a tracker");
        self.lock().1 = Arc::new(fresh);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Trouble, Arc<dyn Tracker>)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn answering(&self) -> Result<Arc<dyn Tracker>, TrackerError> {
        let (trouble, tracker) = {
            let now = self.lock();
            (now.0, Arc::clone(&now.1))
        };
        match trouble {
            Trouble::None => Ok(tracker),
            Trouble::Down => Err(TrackerError::Unreachable { url: "test:".to_owned(), source: None }),
            Trouble::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Tracker for FaultyTracker {
    async fn register(&self, claim: Claim) -> Result<Lease, TrackerError> {
        self.answering().await?.register(claim).await
    }

    async fn heartbeat(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.answering().await?.heartbeat(lease).await
    }

    async fn unregister(&self, lease: &Lease) -> Result<(), TrackerError> {
        self.answering().await?.unregister(lease).await
    }

    async fn find(&self, name: &Username) -> Result<Option<Registration>, TrackerError> {
        self.answering().await?.find(name).await
    }

    async fn peers(&self, query: PeerQuery) -> Result<Page<Registration>, TrackerError> {
        self.answering().await?.peers(query).await
    }

    async fn health(&self) -> Result<TrackerHealth, TrackerError> {
        self.answering().await?.health().await
    }

    fn reach(&self) -> Reach {
        self.reach
    }
}
