//! Posts: what goes to somebody's letterbox. Each has one task, which visits the mailbox when there is something to leave: it
//! seals it, leaves it there, and says what the mailbox has signed for. A mailbox may be as slow as it likes, and its owner may
//! be a stranger who keeps it fed: so visits are bounded in number and in time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::code::Code;
use crate::identity::{Identity, PeerId};
use crate::mailbox::{Depositor, mail};
use crate::protocol::wire::{self, Frame};
use crate::protocol::{Input, LinkId, MAIL_AGAIN};
use crate::record::{Endpoint, Letterbox, SignedRecord};
use crate::transport::Clearance;

use super::super::builder::Parts;
use super::links::OUTGOING;
use super::{Driver, Inbound, dial_mailbox};

/// The most visits to mailboxes at the same time; more wait for their turn.
const MAX_VISITS: u32 = 16;

/// Of them, the most on the way to those to whom the user has not turned. Whoever is let in because anybody is can have a
/// node answer them by mail, as often as they write, at a mailbox of their own.
const MAX_VISITS_TO_OTHERS: u32 = 4;

/// How long a visit lasts when there is nothing more to leave: a person's pause between two messages.
const LINGERS: Duration = Duration::from_secs(10);

/// How long a visit lasts at most, but for the answer to its last mail: then it is others' turn. An ordinary mailbox takes
/// a full letterbox in that time.
const TURN: Duration = Duration::from_secs(60);

// What is mailed again has gone from where it was before.
const _: () = assert!(MAIL_AGAIN.as_secs() >= crate::mailbox::KEEPS_MAIL.as_secs());

/// The driver's end of a post's task. When it is let go of, the task leaves what it was handed before, and ends.
pub(super) struct Post {
    pub(super) peer: PeerId,
    frames: mpsc::Sender<Posted>,
    standing: watch::Sender<Standing>,
}

/// One frame, and whether it is an entry.
struct Posted {
    bytes: Bytes,
    is_entry: bool,
}

/// What may change while there is a post.
struct Standing {
    /// What this node says about itself.
    record: SignedRecord,
    /// Whether the user has turned to the peer.
    is_friend: bool,
}

/// Who visits a mailbox whenever there is something to leave.
struct Visitor {
    parts: Arc<Parts>,
    link: LinkId,
    letterbox: Letterbox,
    endpoints: Vec<(Endpoint, Clearance)>,
    waiting: mpsc::Receiver<Posted>,
    /// What comes next: one frame more than fits into a mail, at most.
    batch: Vec<Posted>,
    standing: watch::Receiver<Standing>,
    inbox: mpsc::Sender<Inbound>,
}

/// A place for each visit; in the order in which they are asked for.
#[derive(Debug)]
pub(in crate::node) struct Visits {
    all: Semaphore,
    others: Semaphore,
}

impl Default for Visits {
    fn default() -> Self {
        let [all, others] = [MAX_VISITS, MAX_VISITS_TO_OTHERS].map(|places| Semaphore::new(places as usize));
        Self { all, others }
    }
}

impl Visits {
    /// Waits for a place, which is free again when this is dropped.
    async fn place(
        &self,
        standing: &mut watch::Receiver<Standing>,
    ) -> (Option<SemaphorePermit<'_>>, Option<SemaphorePermit<'_>>) {
        // Whoever becomes a friend meanwhile waits for no other any more. Nobody closes a semaphore.
        let other = tokio::select! {
            biased;
            true = async { standing.wait_for(|standing| standing.is_friend).await.is_ok() } => None,
            place = self.others.acquire() => place.ok(),
        };
        (other, self.all.acquire().await.ok())
    }

    /// Waits until all visits are over that somebody has asked for.
    pub(in crate::node) async fn are_over(&self) {
        // Who still waits to be one of the few is not among all yet.
        let _others = self.others.acquire_many(MAX_VISITS_TO_OTHERS).await;
        let _all = self.all.acquire_many(MAX_VISITS).await;
    }
}

impl Driver {
    pub(super) fn open_post(&mut self, link: LinkId, peer: PeerId, letterbox: Letterbox) {
        let (frames, waiting) = mpsc::channel(OUTGOING);
        let (record, is_friend) = (self.state.me().record.clone(), self.state.has_turned_to(peer));
        let (standing, now) = watch::channel(Standing { record, is_friend });
        let visitor = Visitor {
            parts: Arc::clone(&self.parts),
            link,
            endpoints: self.cleared(peer, letterbox.endpoints.clone()),
            letterbox,
            waiting,
            batch: Vec::new(),
            standing: now,
            inbox: self.own_inbox.clone(),
        };
        self.tasks.spawn(visitor.run());
        self.posts.insert(link, Post { peer, frames, standing });
    }

    /// Hands a frame to a post. False when there is no such post.
    pub(super) fn post(&mut self, link: LinkId, frame: &Frame) -> bool {
        let Some(post) = self.posts.get(&link) else { return false };
        let (record, is_friend) = (&self.state.me().record, self.state.has_turned_to(post.peer));
        post.standing.send_if_modified(|standing| {
            let differs = standing.is_friend != is_friend || standing.record != *record;
            if differs {
                *standing = Standing { record: record.clone(), is_friend };
            }
            differs
        });
        let posted = Posted { bytes: wire::encode(frame).into(), is_entry: matches!(frame, Frame::Entry(_)) };
        match post.frames.try_send(posted) {
            Ok(()) => {}
            // Its task has failed, and its word of that is on the way.
            Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(_)) => {
                tracing::info!("a mailbox takes mail more slowly than it comes; the post is given up for now");
                self.posts.remove(&link);
                self.pending.push_back(Input::NotPosted(link));
            }
        }
        true
    }
}

impl Visitor {
    /// One visit after another, until nothing more can come, or one fails. Between two of them nothing is held: neither a
    /// place nor a link.
    async fn run(mut self) {
        loop {
            if self.batch.is_empty() {
                let Some(next) = self.waiting.recv().await else { return };
                self.batch.push(next);
            }
            if let Err((code, why)) = self.visit().await {
                let _ = self.inbox.send(Inbound::NotPosted { link: self.link, code, why }).await;
                return;
            }
        }
    }

    /// Leaves what comes until there is a pause, or it is others' turn.
    async fn visit(&mut self) -> Result<(), (Code, String)> {
        let parts = Arc::clone(&self.parts);
        let _place = parts.visits.place(&mut self.standing).await;
        let over = Instant::now() + TURN;
        // Drawn for this visit alone: the mailbox learns nothing of who it is.
        let nobody = Identity::generate().map_err(|error| (Code::StorageFailed, error.to_string()))?;
        let link = dial_mailbox(&parts, &nobody, self.letterbox.mailbox, &self.endpoints).await;
        let link = link.map_err(|error| (error.code(), error.to_string()))?;
        let mut depositor = Depositor::new(link).map_err(|error| (error.code(), error.to_string()))?;
        loop {
            self.leave(&mut depositor).await?;
            if self.batch.is_empty() {
                match timeout_at(over.min(Instant::now() + LINGERS), self.waiting.recv()).await {
                    Ok(Some(next)) => self.batch.push(next),
                    Ok(None) | Err(_) => return Ok(()),
                }
            }
            if Instant::now() >= over {
                return Ok(());
            }
        }
    }

    /// Leaves one mail, of all that waits and fits.
    async fn leave(&mut self, depositor: &mut Depositor) -> Result<(), (Code, String)> {
        let fitting = |batch: &[Posted]| mail::fitting(batch.iter().map(|posted| posted.bytes.len()));
        while fitting(&self.batch) == self.batch.len()
            && let Ok(next) = self.waiting.try_recv()
        {
            self.batch.push(next);
        }
        let mailed: Vec<Posted> = self.batch.drain(..fitting(&self.batch)).collect();
        let entries = mailed.iter().filter(|posted| posted.is_entry).count();
        let frames: Vec<Bytes> = mailed.into_iter().map(|posted| posted.bytes).collect();
        let record = self.standing.borrow().record.clone();
        let sealed = mail::seal(&self.parts.identity, &record, &self.letterbox, &frames)
            .map_err(|error| (Code::MailboxProtocol, error.to_string()))?;
        // The mailbox's signature on this very mail has been verified when this returns.
        let kept = depositor.deposit(&self.letterbox, sealed).await;
        kept.map_err(|error| (error.code(), error.to_string()))?;
        let posted = Input::Posted { link: self.link, entries };
        let _ = self.inbox.send(Inbound::Input(posted)).await;
        Ok(())
    }
}
