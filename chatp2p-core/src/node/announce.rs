//! How a node stays listed: it beats, and when the tracker has forgotten it, it registers again by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{sleep, timeout};

use crate::protocol::{Command, Event};
use crate::record::{PreKeys, SignedRecord};
use crate::storage::StorageError;
use crate::tracker::{HEARTBEAT_EVERY, Lease, TrackerError};

use super::builder::{Parts, answer};
use super::driver::{CommandError, Inbound};
use super::{NodeError, TrackerStatus};

/// How soon a tracker that did not answer is tried again: thrice before a restarted one would unlist the node.
const RETRY_EVERY: Duration = Duration::from_secs(5);

/// How long leaving the tracker may hold up the end of a node.
const FAREWELL_TIMEOUT: Duration = Duration::from_secs(5);

/// Keeps the node listed until it is dropped.
pub(super) struct Announcer {
    pub(super) parts: Arc<Parts>,
    pub(super) lease: Lease,
    pub(super) seq: u64,
    pub(super) pre_keys: PreKeys,
    pub(super) driver: mpsc::Sender<Inbound>,
    pub(super) events: broadcast::Sender<Event>,
    pub(super) status: watch::Sender<TrackerStatus>,
}

impl Announcer {
    /// Beats until told to leave; then leaves the tracker.
    pub(super) async fn run(mut self, leave: oneshot::Receiver<()>) {
        let beating = async {
            let mut pause = HEARTBEAT_EVERY;
            loop {
                sleep(pause).await;
                let result = self.beat().await;
                self.note(result.as_ref().err());
                pause = if result.is_ok() { HEARTBEAT_EVERY } else { RETRY_EVERY };
            }
        };
        tokio::select! {
            () = beating => {}
            _ = leave => {}
        }
        let farewell = timeout(FAREWELL_TIMEOUT, self.parts.tracker.unregister(&self.lease)).await;
        if !matches!(farewell, Ok(Ok(()))) {
            tracing::info!(username = %self.parts.username, "the tracker was not told of the end; it will notice");
        }
    }

    async fn beat(&mut self) -> Result<(), NodeError> {
        match answer(self.parts.tracker.heartbeat(&self.lease)).await {
            Err(NodeError::Tracker(
                TrackerError::Unknown { .. } | TrackerError::ProofInvalid | TrackerError::ProofRequired { .. },
            )) => {
                tracing::info!(username = %self.parts.username, "the tracker has forgotten this node; registering again");
                self.register_again().await
            }
            other => other,
        }
    }

    async fn register_again(&mut self) -> Result<(), NodeError> {
        self.seq = self.parts.next_seq(self.seq);
        let record = self.parts.record(self.seq, self.pre_keys)?;
        self.announce(record.clone()).await?;
        match self.parts.register(record).await {
            Ok(lease) => {
                self.lease = lease;
                Ok(())
            }
            Err(error) => {
                if let NodeError::Tracker(TrackerError::RecordStale { known }) = error {
                    // The next try goes above it.
                    self.seq = known;
                }
                Err(error)
            }
        }
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

    fn note(&self, trouble: Option<&NodeError>) {
        let code = trouble.map(NodeError::code);
        if let Some(error) = trouble {
            tracing::warn!(username = %self.parts.username, %error, "the tracker did not confirm the registration");
        }
        if let Some(code) = code {
            // Nobody may be listening.
            let _ = self.events.send(Event::TrackerTrouble(code));
        }
        let wall = self.parts.now().wall;
        self.status.send_modify(|status| {
            status.trouble = code;
            if code.is_none() {
                status.confirmed = Some(wall);
            }
        });
    }
}
