//! How a node stays listed: at each tracker it beats, and where it is not listed, or forgotten, it registers by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, broadcast, mpsc, oneshot, watch};
use tokio::time::sleep;

use crate::protocol::{Command, Event};
use crate::record::{PreKeys, SignedRecord};
use crate::storage::StorageError;
use crate::tracker::{HEARTBEAT_EVERY, TrackerError};

use super::NodeError;
use super::builder::Parts;
use super::driver::{CommandError, Inbound};
use super::enrol::{Place, farewell};
use super::trackers::Site;

/// How soon a tracker that did not answer is tried again: thrice before a restarted one would unlist the node.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// Keeps the node listed at one tracker until it is dropped.
pub(super) struct Announcer {
    pub(super) parts: Arc<Parts>,
    /// Which tracker, by its place among all.
    pub(super) at: usize,
    pub(super) place: Place,
    pub(super) publisher: Arc<Publisher>,
    pub(super) events: broadcast::Sender<Event>,
    /// Tells that the machine has slept or the node has moved.
    pub(super) prompted: watch::Receiver<()>,
}

/// Makes the records that are shown at trackers: one at a time, so that there are never two of one number.
pub(super) struct Publisher {
    parts: Arc<Parts>,
    pre_keys: PreKeys,
    driver: mpsc::Sender<Inbound>,
    /// The newest one.
    record: Mutex<SignedRecord>,
}

impl Announcer {
    /// Beats until told to leave; then leaves the tracker.
    pub(super) async fn run(mut self, leave: oneshot::Receiver<()>) {
        let parts = Arc::clone(&self.parts);
        let Some(site) = parts.trackers.at(self.at) else { return };
        let beating = async {
            let mut pause = if self.place.lease.is_some() { HEARTBEAT_EVERY } else { RETRY_EVERY };
            loop {
                tokio::select! {
                    () = sleep(pause) => {}
                    // Once nobody is left to say so, the pauses go on.
                    Ok(()) = self.prompted.changed() => {}
                }
                let result = self.beat(site).await;
                self.note(site, result.as_ref().err());
                pause = if result.is_ok() { HEARTBEAT_EVERY } else { RETRY_EVERY };
            }
        };
        tokio::select! {
            () = beating => {}
            _ = leave => {}
        }
        if let Some(lease) = &self.place.lease
            && !farewell(site, lease).await
        {
            tracing::info!(username = %parts.username, "a tracker was not told of the end; it will notice");
        }
    }

    async fn beat(&mut self, site: &Site) -> Result<(), NodeError> {
        let is_shown = self.place.shown == self.parts.whereabouts.now();
        let Some(lease) = self.place.lease.as_ref().filter(|_| is_shown) else {
            return self.register(site).await;
        };
        match site.heartbeat(lease).await {
            Err(NodeError::Tracker(
                TrackerError::Unknown { .. } | TrackerError::ProofInvalid | TrackerError::ProofRequired { .. },
            )) => {
                tracing::info!(username = %self.parts.username, "a tracker has forgotten this node; registering again");
                self.register(site).await
            }
            other => other,
        }
    }

    async fn register(&mut self, site: &Site) -> Result<(), NodeError> {
        let record = self.publisher.above(self.place.known);
        self.place.register(&self.parts, site, record).await
    }

    fn note(&self, site: &Site, trouble: Option<&NodeError>) {
        let code = trouble.map(NodeError::code);
        site.note(code, self.parts.now().wall);
        let (Some(error), Some(code)) = (trouble, code) else { return };
        tracing::warn!(username = %self.parts.username, %error, "a tracker did not confirm the registration");
        if !self.parts.trackers.any_is_well() {
            // Nobody may be listening.
            let _ = self.events.send(Event::TrackerTrouble(code));
        }
    }
}

impl Publisher {
    pub(super) fn new(
        parts: Arc<Parts>,
        pre_keys: PreKeys,
        driver: mpsc::Sender<Inbound>,
        record: SignedRecord,
    ) -> Self {
        Self { parts, pre_keys, driver, record: Mutex::new(record) }
    }

    /// The newest record, as long as it says where the node is now; else a newer one, which is durable when this returns.
    pub(super) async fn present(&self) -> Result<SignedRecord, NodeError> {
        self.above(0).await
    }

    /// The same with a number that is higher than this.
    async fn above(&self, known: u64) -> Result<SignedRecord, NodeError> {
        let mut newest = self.record.lock().await;
        let seq = newest.record().seq;
        if seq <= known || newest.record().endpoints != self.parts.whereabouts.now() {
            let record = self.parts.record(self.parts.next_seq(seq.max(known)), self.pre_keys)?;
            self.announce(record.clone()).await?;
            *newest = record;
        }
        Ok(newest.clone())
    }

    /// Has the driver keep the record's number before the record is shown to anybody.
    async fn announce(&self, record: SignedRecord) -> Result<(), NodeError> {
        let (reply, answer) = oneshot::channel();
        let command = Inbound::Command { command: Command::Announce(record), reply };
        self.driver.send(command).await.map_err(|_| NodeError::Stopped)?;
        match answer.await {
            Ok(Ok(_)) => Ok(()),
            // Only a node that is about to end refuses this.
            Ok(Err(CommandError::Refused(_))) | Err(_) => Err(NodeError::Stopped),
            Ok(Err(CommandError::NotDurable(reason))) => Err(StorageError::Unavailable { reason, source: None }.into()),
        }
    }
}
