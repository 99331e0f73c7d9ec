//! The task that decides. A turn: drain what has arrived, decide it all, one commit for everything that must be durable,
//! then show it, then answer. Beats are only shown and answered, and kept a few seconds later together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::clock::Wall;
use crate::identity::Username;
use crate::storage::{BEAT_WRITE_BEHIND, RELEASES_EVERY, RegistryStore, StorageError};
use crate::tracker::registry::{Enrolment, Listing, Registry, Unsaved};
use crate::tracker::{Claim, LeaseProof, TrackerError};

/// The most requests decided in one turn: enough for one commit to pay for many, few enough that the first of them does not
/// wait long.
const MAX_TURN: usize = 512;

/// The most beats kept in one commit, so that a request does not wait behind all of them.
const MAX_FLUSH: usize = 4_096;

type Reply<T> = oneshot::Sender<Result<T, TrackerError>>;

/// Something to decide, and where the answer goes.
pub(super) enum Command {
    Enrol { claim: Box<Claim>, secret: [u8; 32], reply: Reply<Enrolment> },
    Beat { name: Username, proof: Option<LeaseProof>, reply: Reply<()> },
    Leave { name: Username, proof: Option<LeaseProof>, reply: Reply<()> },
    Close { reply: Reply<()> },
}

/// A decision that waits to be durable.
enum Decided {
    Enrol { outcome: Box<Result<Enrolment, TrackerError>>, reply: Reply<Enrolment> },
    Beat { name: Username, outcome: Result<(), TrackerError>, reply: Reply<()> },
    Leave { outcome: Result<(), TrackerError>, reply: Reply<()> },
}

pub(super) struct Actor {
    registry: Registry,
    store: Arc<dyn RegistryStore>,
    listing: Arc<RwLock<Listing>>,
    requests: mpsc::Receiver<Command>,
    /// Names whose beats are to be kept, and those that are being kept now.
    beaten: BTreeSet<Username>,
    flushing: Vec<Username>,
    flush_at: Option<Instant>,
    /// When to look next whether a name is to be freed.
    releases_at: Instant,
    /// Names of which nobody knows what the store has: a commit failed, and it could not be asked.
    doubtful: BTreeSet<Username>,
}

impl Actor {
    pub(super) fn new(
        registry: Registry,
        store: Arc<dyn RegistryStore>,
        listing: Arc<RwLock<Listing>>,
        requests: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            registry,
            store,
            listing,
            requests,
            beaten: BTreeSet::new(),
            flushing: Vec::new(),
            flush_at: None,
            releases_at: Instant::now(),
            doubtful: BTreeSet::new(),
        }
    }

    /// Runs until it is told to close or the last handle is gone.
    pub(super) async fn run(mut self) {
        let mut closing = Vec::new();
        let mut arrived = Vec::new();
        while closing.is_empty() {
            let flush_at = self.flush_at;
            tokio::select! {
                count = self.requests.recv_many(&mut arrived, MAX_TURN) => {
                    if count == 0 {
                        break;
                    }
                    closing = self.turn(std::mem::take(&mut arrived)).await;
                }
                () = sleep_until(flush_at.unwrap_or_else(Instant::now)), if flush_at.is_some() => {
                    if let Err(error) = self.flush().await {
                        tracing::warn!(%error, "beats could not be kept; trying again");
                    }
                }
                () = sleep_until(self.releases_at) => {
                    if let Err(error) = self.free_released().await {
                        tracing::warn!(%error, "names could not be freed; trying again");
                    }
                    self.releases_at = Instant::now() + RELEASES_EVERY;
                }
            }
        }
        self.requests.close();
        while self.requests.recv_many(&mut arrived, MAX_TURN).await > 0 {
            closing.extend(self.turn(std::mem::take(&mut arrived)).await);
        }
        let mut flushed = Ok(());
        while flushed.is_ok() && !(self.beaten.is_empty() && self.flushing.is_empty()) {
            flushed = self.flush().await;
        }
        if let Err(error) = &flushed {
            tracing::warn!(%error, "the last beats could not be kept");
        }
        let failed = flushed.err().map(Arc::new);
        for reply in closing {
            answer(reply, Ok(()), failed.as_ref());
        }
    }

    /// One turn. Gives those who wait for the end.
    async fn turn(&mut self, commands: Vec<Command>) -> Vec<Reply<()>> {
        let deciding = commands.iter().any(|command| matches!(command, Command::Enrol { .. } | Command::Leave { .. }));
        let mut failed = if deciding { self.dispel_doubts().await.err().map(Arc::new) } else { None };
        let now = Wall::from(SystemTime::now());
        let mut closing = Vec::new();
        let mut decided = Vec::with_capacity(commands.len());
        let mut touched = BTreeSet::new();
        for command in commands {
            match command {
                Command::Enrol { reply, .. } if failed.is_some() => refuse(reply, failed.as_ref()),
                Command::Leave { reply, .. } if failed.is_some() => refuse(reply, failed.as_ref()),
                Command::Enrol { claim, secret, reply } => {
                    let outcome = Box::new(self.registry.enrol(&claim, secret, now));
                    decided.push(Decided::Enrol { outcome, reply });
                }
                Command::Leave { name, proof, reply } => {
                    decided.push(Decided::Leave { outcome: self.registry.leave(&name, proof, now), reply });
                }
                Command::Beat { name, proof, reply } => {
                    let outcome = self.registry.beat(&name, proof, now);
                    if outcome.is_ok() {
                        touched.insert(name.clone());
                    }
                    decided.push(Decided::Beat { name, outcome, reply });
                }
                Command::Close { reply } => closing.push(reply),
            }
        }
        if !touched.is_empty() {
            self.beaten.extend(touched.iter().cloned());
            self.flush_at.get_or_insert_with(|| Instant::now() + BEAT_WRITE_BEHIND);
        }

        let mut undone = BTreeSet::new();
        let unsaved = self.registry.unsaved();
        if unsaved == Unsaved::default() {
            touched.extend(self.registry.settle());
        } else {
            match self.save(unsaved).await {
                Ok(()) => touched.extend(self.registry.settle()),
                Err(error) => {
                    tracing::error!(%error, "registrations could not be kept");
                    failed = Some(Arc::new(error));
                    undone.extend(self.registry.undo());
                    touched.extend(undone.iter().cloned());
                    self.doubtful.extend(undone.iter().cloned());
                    // When this fails too, the next turn that changes something asks again.
                    let _ = self.dispel_doubts().await;
                }
            }
        }
        self.show(&touched);

        let failed = failed.as_ref();
        for decision in decided {
            match decision {
                Decided::Enrol { outcome, reply } => answer(reply, *outcome, failed),
                Decided::Leave { outcome, reply } => answer(reply, outcome, failed),
                // A beat stands by itself, unless what it was for does not stand.
                Decided::Beat { name, outcome, reply } => {
                    answer(reply, outcome, failed.filter(|_| undone.contains(&name)));
                }
            }
        }
        closing
    }

    /// Frees the names that the operator has released.
    async fn free_released(&mut self) -> Result<(), StorageError> {
        let names = self.store.released().await?;
        if names.is_empty() {
            return Ok(());
        }
        names.iter().for_each(|name| self.registry.release(name));
        let freed = self.store.forget(names.clone()).await;
        let touched: BTreeSet<Username> = match &freed {
            Ok(()) => self.registry.settle().into_iter().collect(),
            Err(_) => self.registry.undo().into_iter().collect(),
        };
        self.show(&touched);
        freed?;
        for name in names {
            tracing::info!(username = %name, "a name was released");
        }
        Ok(())
    }

    async fn save(&self, unsaved: Unsaved) -> Result<(), StorageError> {
        // In this order a crash in between loses only what nobody owns and nobody keeps.
        if !unsaved.forget.is_empty() {
            self.store.forget(unsaved.forget).await?;
        }
        if !unsaved.put.is_empty() {
            self.store.commit(unsaved.put).await?;
        }
        Ok(())
    }

    /// Asks the store what became of commits that failed.
    async fn dispel_doubts(&mut self) -> Result<(), StorageError> {
        if self.doubtful.is_empty() {
            return Ok(());
        }
        let snapshot = self.store.load().await?;
        let doubtful = std::mem::take(&mut self.doubtful);
        let mut kept: BTreeMap<_, _> = snapshot
            .registrations
            .into_iter()
            .filter(|registration| doubtful.contains(&registration.username))
            .map(|registration| (registration.username.clone(), registration))
            .collect();
        for name in &doubtful {
            self.registry.reconcile(name, kept.remove(name));
        }
        self.show(&doubtful);
        Ok(())
    }

    /// Shows these names as they stand. Whatever stands now is durable, or a beat.
    fn show(&self, names: &BTreeSet<Username>) {
        if names.is_empty() {
            return;
        }
        let now = Wall::from(SystemTime::now());
        let mut listing = self.listing.write().unwrap_or_else(PoisonError::into_inner);
        listing.advance(now);
        for name in names {
            listing.show(name, self.registry.listed(name), now);
        }
        listing.set_total(self.registry.len());
    }

    /// Keeps some of the beats that are due.
    async fn flush(&mut self) -> Result<(), StorageError> {
        if self.flushing.is_empty() {
            self.flushing = std::mem::take(&mut self.beaten).into_iter().collect();
        }
        let some = self.flushing.split_off(self.flushing.len().saturating_sub(MAX_FLUSH));
        let rows = some.iter().filter_map(|name| self.registry.stored(name)).collect();
        if let Err(error) = self.store.commit(rows).await {
            self.beaten.extend(some);
            self.beaten.extend(self.flushing.drain(..));
            self.flush_at = Some(Instant::now() + BEAT_WRITE_BEHIND);
            return Err(error);
        }
        self.flush_at = if !self.flushing.is_empty() {
            Some(Instant::now())
        } else if self.beaten.is_empty() {
            None
        } else {
            Some(Instant::now() + BEAT_WRITE_BEHIND)
        };
        Ok(())
    }
}

/// Answers, unless whoever asked is gone; with the failure instead of the outcome if there was one.
fn answer<T>(reply: Reply<T>, outcome: Result<T, TrackerError>, failed: Option<&Arc<StorageError>>) {
    let outcome = failed.map_or(outcome, |error| Err(TrackerError::Storage(shared(error))));
    // Nobody to tell is no trouble: what was decided stands.
    let _ = reply.send(outcome);
}

fn refuse<T>(reply: Reply<T>, failed: Option<&Arc<StorageError>>) {
    answer(reply, Err(TrackerError::Closed), failed);
}

/// The same error for everybody of a turn.
fn shared(error: &Arc<StorageError>) -> StorageError {
    match &**error {
        StorageError::Damaged { reason } => StorageError::Damaged { reason: reason.clone() },
        StorageError::Unavailable { reason, .. } => {
            StorageError::Unavailable { reason: reason.clone(), source: Some(Box::new(error.clone())) }
        }
        other @ StorageError::UnknownMessage(_) => {
            StorageError::Unavailable { reason: other.to_string(), source: Some(Box::new(error.clone())) }
        }
    }
}
