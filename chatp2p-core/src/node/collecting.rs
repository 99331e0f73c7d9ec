//! This node's own letterboxes, and the tasks that collect from them as long as it runs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use super::builder::Parts;
use super::driver::{Inbound, dial_mailbox};
use super::{MailboxStatus, NodeError};
use crate::clock::Wall;
use crate::code::Code;
use crate::crypto::Keyring;
use crate::mailbox::{BoxKeys, Collector, MailboxAddress, mail};
use crate::protocol::wire::{self, Frame};
use crate::record::{Letterbox, Reach};
use crate::transport::Clearance;

/// How soon a mailbox that was lost, or that was not there, is tried again: the shortest and the longest wait.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// All of a node's letterboxes.
#[derive(Debug, Default)]
pub(super) struct OwnLetterboxes(Vec<OwnMailbox>);

/// Those at one mailbox.
#[derive(Debug)]
struct OwnMailbox {
    address: MailboxAddress,
    /// The one in the record first, then those that were.
    keys: Vec<BoxKeys>,
    status: Mutex<Status>,
}

#[derive(Debug, Default)]
struct Status {
    collected: Option<Wall>,
    trouble: Option<Code>,
}

/// A mail on its way to the driver. When the driver drops it, what it says may not be durable, and it comes again.
pub(super) struct Collecting {
    pub(super) mail: mail::Mail,
    pub(super) frames: Vec<Frame>,
    /// Across what the mailbox was reached.
    pub(super) across: Reach,
    pub(super) taken: oneshot::Sender<()>,
}

impl OwnLetterboxes {
    /// The letterboxes at these mailboxes, with keys that the caller makes durable.
    ///
    /// # Errors
    /// [`NodeError::Identity`] when there is no randomness for a new one.
    pub(super) fn at(mailboxes: Vec<MailboxAddress>, keyring: &mut Keyring, now: Wall) -> Result<Self, NodeError> {
        let mut seen = BTreeSet::new();
        let own = mailboxes.into_iter().filter(|address| seen.insert(address.peer_id())).map(|address| {
            let secrets = keyring.letterboxes_at(address.peer_id(), now)?;
            let keys = secrets.iter().map(|secret| BoxKeys::from_seed(&secret.seed())).collect();
            Ok(OwnMailbox { address, keys, status: Mutex::default() })
        });
        Ok(Self(own.collect::<Result<_, NodeError>>()?))
    }

    /// What the node's record says.
    pub(super) fn named(&self) -> Vec<Letterbox> {
        self.0.iter().filter_map(|own| Some(own.keys.first()?.letterbox(&own.address))).collect()
    }

    pub(super) fn statuses(&self) -> Vec<MailboxStatus> {
        let status = |own: &OwnMailbox| {
            let Status { collected, trouble } = *own.status();
            MailboxStatus { address: own.address.clone(), confirmed: collected, trouble }
        };
        self.0.iter().map(status).collect()
    }

    /// One task for each.
    pub(super) fn collectors(
        parts: &Arc<Parts>,
        inbox: &mpsc::Sender<Inbound>,
    ) -> impl Iterator<Item = impl Future<Output = ()> + Send + 'static> {
        let boxes = parts.letterboxes.0.iter().enumerate();
        let boxes = boxes.flat_map(|(at, own)| (0..own.keys.len()).map(move |which| (at, which)));
        boxes.map(|(at, which)| {
            let (parts, inbox) = (Arc::clone(parts), inbox.clone());
            async move {
                if let Some(own) = parts.letterboxes.0.get(at)
                    && let Some(keys) = own.keys.get(which)
                {
                    own.collect(keys, &parts, &inbox, which == 0).await;
                }
            }
        })
    }
}

impl OwnMailbox {
    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects for ever.
    async fn collect(&self, keys: &BoxKeys, parts: &Parts, inbox: &mpsc::Sender<Inbound>, is_named: bool) {
        let (shortest, longest) = RETRY;
        let mut wait = shortest;
        loop {
            let mut was_there = false;
            let well = || {
                was_there = true;
                if is_named {
                    *self.status() = Status { collected: Some(parts.now().wall), trouble: None };
                }
            };
            let ended = self.visit(keys, parts, inbox, well).await;
            if is_named {
                self.status().trouble = Some(ended);
            }
            tracing::info!(mailbox = %self.address.peer_id().short(), code = %ended, "a mailbox is not there; trying again");
            wait = if was_there { shortest } else { (wait * 2).min(longest) };
            sleep(wait).await;
        }
    }

    /// Collects until something comes between, and says what. Whenever nothing is left to collect, all is `well`.
    async fn visit(
        &self,
        keys: &BoxKeys,
        parts: &Parts,
        inbox: &mpsc::Sender<Inbound>,
        mut well: impl FnMut() + Send,
    ) -> Code {
        let at = self.address.endpoints().iter().map(|endpoint| (endpoint.clone(), Clearance::of_the_user()));
        let at: Vec<_> = at.collect();
        let link = match dial_mailbox(parts, keys.identity(), self.address.peer_id(), &at).await {
            Ok(link) => link,
            Err(error) => return error.code(),
        };
        let across = link.remote().map_or(Reach::Process, |remote| Reach::across(remote.ip()));
        let mut collector = match Collector::open(link).await {
            Ok(collector) => collector,
            Err(error) => return error.code(),
        };
        well();
        loop {
            let collected = match collector.next().await {
                Ok(collected) => collected,
                Err(error) => return error.code(),
            };
            // What cannot be opened is nobody's loss: whoever left it there sealed it for somebody else, or for nobody.
            if let Ok(mail) = mail::open(keys, self.address.peer_id(), &collected.sealed) {
                let frames: Vec<Frame> = mail.frames.iter().map_while(|frame| wire::decode(frame).ok()).collect();
                let (taken, is_durable) = oneshot::channel();
                let inbound = Inbound::Mail(Box::new(Collecting { mail, frames, across, taken }));
                if inbox.send(inbound).await.is_err() || is_durable.await.is_err() {
                    return Code::StorageFailed;
                }
            }
            if let Err(error) = collector.take(&[collected.number]).await {
                return error.code();
            }
            well();
        }
    }
}
