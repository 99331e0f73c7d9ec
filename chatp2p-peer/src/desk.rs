//! Where the running node is to be found. It starts and stops one at a time; whoever asks for either and hangs up has
//! still asked for it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use chatp2p_core::clock::Wall;
use chatp2p_core::code::Code;
use chatp2p_core::node::{Events, NodeError, PeerNode};
use chatp2p_core::storage::Profile;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinHandle;

use crate::live::Hub;
use crate::start::{Order, Start, StartError, Started, Way};

/// How long a stopped node may take to tell its last events, before the page is told nothing more of it.
const LAST_EVENTS_WITHIN: Duration = Duration::from_secs(2);

/// The place of the one node.
#[derive(Debug)]
pub(crate) struct Desk {
    starter: Arc<dyn Start>,
    hub: Arc<Hub>,
    running: Mutex<Option<Running>>,
    /// Why nothing runs, if something was to.
    failed: Mutex<Option<FailedStart>>,
    /// Held by whoever starts or stops.
    changing: AsyncMutex<()>,
}

#[derive(Debug)]
struct Running {
    node: Arc<dyn PeerNode>,
    profile: Arc<Profile>,
    tracker_urls: Vec<String>,
    way: Way,
    /// Passes the node's events on, and ends with them.
    events: JoinHandle<()>,
}

/// A start that led to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedStart {
    pub(crate) at: Wall,
    pub(crate) code: Code,
    pub(crate) detail: String,
}

/// Why the desk did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeskError {
    #[error("the node runs already, as {0}")]
    AlreadyRunning(String),
    #[error("the node does not run")]
    NotRunning,
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the node ended in a panic")]
    Panicked,
}

impl Desk {
    pub(crate) fn new(starter: Arc<dyn Start>, hub: Arc<Hub>) -> Arc<Self> {
        let (running, failed, changing) = (Mutex::default(), Mutex::default(), AsyncMutex::default());
        Arc::new(Self { starter, hub, running, failed, changing })
    }

    /// The running node, if there is one.
    pub(crate) fn node(&self) -> Option<Arc<dyn PeerNode>> {
        self.look(|running| Arc::clone(&running.node))
    }

    /// What the running node keeps on the disk.
    pub(crate) fn profile(&self) -> Option<Arc<Profile>> {
        self.look(|running| Arc::clone(&running.profile))
    }

    /// The trackers that the running node was started with; none while there is no node.
    pub(crate) fn tracker_urls(&self) -> Vec<String> {
        self.look(|running| running.tracker_urls.clone()).unwrap_or_default()
    }

    /// How the running node is reached, as far as it was found out when it started.
    pub(crate) fn way(&self) -> Option<Way> {
        self.look(|running| running.way)
    }

    /// Why the last start led to nothing, until one succeeds.
    pub(crate) fn failed_start(&self) -> Option<FailedStart> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn look<T>(&self, at: impl FnOnce(&Running) -> T) -> Option<T> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(at)
    }

    /// Starts the node. Goes on behind a caller that stops waiting.
    pub(crate) async fn start(self: &Arc<Self>, order: Order) -> Result<(), DeskError> {
        let desk = Arc::clone(self);
        tokio::spawn(async move { desk.start_alone(order).await }).await.map_err(|_| DeskError::Panicked)?
    }

    async fn start_alone(&self, order: Order) -> Result<(), DeskError> {
        let _alone = self.changing.lock().await;
        if let Some(node) = self.node() {
            return Err(DeskError::AlreadyRunning(node.username().to_string()));
        }
        let started = self.starter.start(order).await;
        let failed = started.as_ref().err().map(|error| FailedStart {
            at: Wall::from(SystemTime::now()),
            code: error.code(),
            detail: error.to_string(),
        });
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        let Started { node, profile, tracker_urls, way } = started?;
        tracing::info!(username = %node.username(), peer_id = %node.peer_id(), "the node runs");
        let events = node.subscribe();
        // Whoever hears of the start and asks must find the node: until it is in its place, nobody can look. And nothing that
        // it tells may come before the start, so only then its events are passed on.
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        self.hub.started(node.username());
        let events = tokio::spawn(pass_on(events, Arc::clone(&self.hub)));
        *running = Some(Running { node, profile, tracker_urls, way, events });
        Ok(())
    }

    /// Stops the node; its port is free and its last events are told when this returns, and that it has stopped. Goes on
    /// behind a caller that stops waiting.
    pub(crate) async fn stop(self: &Arc<Self>) -> Result<(), DeskError> {
        let desk = Arc::clone(self);
        tokio::spawn(async move { desk.stop_alone().await }).await.map_err(|_| DeskError::Panicked)?
    }

    async fn stop_alone(&self) -> Result<(), DeskError> {
        let _alone = self.changing.lock().await;
        let taken = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Running { node, profile, mut events, .. } = taken.ok_or(DeskError::NotRunning)?;
        match node.stop().await {
            Ok(()) | Err(NodeError::Stopped) => tracing::info!("the node has stopped"),
            // It has stopped all the same; somebody could not be told.
            Err(error) => tracing::warn!(code = %error.code(), "the node has stopped, not in good order"),
        }
        drop((node, profile));
        if tokio::time::timeout(LAST_EVENTS_WITHIN, &mut events).await.is_err() {
            events.abort();
            // It may be telling one just now.
            let _ = events.await;
        }
        // Before anybody may start the next.
        self.hub.stopped();
        Ok(())
    }
}

/// Holds no node: a node's events end when nobody holds it any more.
async fn pass_on(mut events: Events, hub: Arc<Hub>) {
    while let Some(event) = events.next().await {
        hub.tell(&event);
    }
}
