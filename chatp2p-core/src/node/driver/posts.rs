//! Posts: what goes to somebody's letterbox. While there is something to leave, a task seals it, leaves it there, and says what
//! the mailbox has signed for.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::timeout;

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
pub(in crate::node) const MAX_VISITS: usize = 16;

/// How long a visit lasts when there is nothing more to leave: a person's pause between two messages.
const LINGERS: Duration = Duration::from_secs(10);

// What is mailed again has gone from where it was before.
const _: () = assert!(MAIL_AGAIN.as_secs() >= crate::mailbox::KEEPS_MAIL.as_secs());

/// What a post has to leave, and where.
pub(super) struct Post {
    pub(super) peer: PeerId,
    letterbox: Letterbox,
    /// To the task, while there is one.
    frames: Option<mpsc::Sender<Posted>>,
}

/// One frame, and whether it is an entry.
struct Posted {
    bytes: Bytes,
    is_entry: bool,
}

/// One visit to a mailbox.
struct Visit {
    parts: Arc<Parts>,
    link: LinkId,
    record: SignedRecord,
    letterbox: Letterbox,
    endpoints: Vec<(Endpoint, Clearance)>,
    inbox: mpsc::Sender<Inbound>,
}

impl Driver {
    pub(super) fn open_post(&mut self, link: LinkId, peer: PeerId, letterbox: Letterbox) {
        self.posts.insert(link, Post { peer, letterbox, frames: None });
    }

    /// Hands a frame to a post; to a new visit, if the last one is over. False when there is no such post.
    pub(super) fn post(&mut self, link: LinkId, frame: &Frame) -> bool {
        let Some(post) = self.posts.get_mut(&link) else { return false };
        let posted = Posted { bytes: wire::encode(frame).into(), is_entry: matches!(frame, Frame::Entry(_)) };
        let refused = match &post.frames {
            Some(frames) => frames.try_send(posted).err(),
            None => Some(TrySendError::Closed(posted)),
        };
        let first = match refused {
            None => return true,
            Some(TrySendError::Closed(first)) => first,
            Some(TrySendError::Full(_)) => {
                tracing::info!("a mailbox takes mail more slowly than it comes; the post is given up for now");
                self.posts.remove(&link);
                self.pending.push_back(Input::NotPosted(link));
                return true;
            }
        };
        let (frames, waiting) = mpsc::channel(OUTGOING);
        let _ = frames.try_send(first);
        post.frames = Some(frames);
        let cleared = |endpoint: &Endpoint| {
            let named_by = self.heard.named_by(post.peer, endpoint, &self.parts.trackers);
            (endpoint.clone(), Clearance::new(named_by, Arc::clone(&self.budget)))
        };
        let visit = Visit {
            parts: Arc::clone(&self.parts),
            link,
            record: self.state.me().record.clone(),
            letterbox: post.letterbox.clone(),
            endpoints: post.letterbox.endpoints.iter().map(cleared).collect(),
            inbox: self.own_inbox.clone(),
        };
        self.tasks.spawn(visit.make(waiting));
        true
    }
}

impl Visit {
    /// Leaves what comes until there is a pause, or until it fails.
    async fn make(self, mut waiting: mpsc::Receiver<Posted>) {
        if let Err((code, why)) = self.leave_all(&mut waiting).await {
            let _ = self.inbox.send(Inbound::NotPosted { link: self.link, code, why }).await;
        }
    }

    async fn leave_all(&self, waiting: &mut mpsc::Receiver<Posted>) -> Result<(), (Code, String)> {
        let Ok(_turn) = self.parts.visits.acquire().await else { return Ok(()) };
        // Drawn for this visit alone: the mailbox learns nothing of who it is.
        let nobody = Identity::generate().map_err(|error| (Code::StorageFailed, error.to_string()))?;
        let link = dial_mailbox(&self.parts, &nobody, self.letterbox.mailbox, &self.endpoints).await;
        let link = link.map_err(|error| (error.code(), error.to_string()))?;
        let mut depositor = Depositor::new(link).map_err(|error| (error.code(), error.to_string()))?;
        let mut batch: Vec<Posted> = Vec::new();
        loop {
            if batch.is_empty() {
                let next = match timeout(LINGERS, waiting.recv()).await {
                    Ok(next) => next,
                    Err(_) => {
                        // What was handed over before this is still left; what comes after it begins another visit.
                        waiting.close();
                        waiting.recv().await
                    }
                };
                let Some(next) = next else { return Ok(()) };
                batch.push(next);
            }
            // One more than fits is kept for the next mail.
            while mail::fitting(batch.iter().map(|posted| posted.bytes.len())) == batch.len()
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            let fitting = mail::fitting(batch.iter().map(|posted| posted.bytes.len()));
            let mailed: Vec<Posted> = batch.drain(..fitting).collect();
            let entries = mailed.iter().filter(|posted| posted.is_entry).count();
            let frames: Vec<Bytes> = mailed.into_iter().map(|posted| posted.bytes).collect();
            let sealed = mail::seal(&self.parts.identity, &self.record, &self.letterbox, &frames)
                .map_err(|error| (Code::MailboxProtocol, error.to_string()))?;
            // The mailbox's signature on this very mail has been verified when this returns.
            let kept = depositor.deposit(&self.letterbox, sealed).await;
            kept.map_err(|error| (error.code(), error.to_string()))?;
            let posted = Input::Posted { link: self.link, entries };
            let _ = self.inbox.send(Inbound::Input(posted)).await;
        }
    }
}
