//! Live links: each has one task that carries its frames, and a bounded queue of what is to be sent.

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::protocol::wire::{self, Frame};
use crate::protocol::{Input, LinkId, MAX_IN_FLIGHT};
use crate::transport::{SecureLink, TransportError};

use super::{Driver, Inbound};

/// How many frames wait for a link: all entries that may be in flight, and as many acknowledgements, of which there is
/// one a turn. A link whose queue is full has a reader that does not read.
const OUTGOING: usize = 2 * MAX_IN_FLIGHT;

impl Driver {
    /// Starts the task of a new link.
    pub(super) fn open(&mut self, secure: SecureLink) -> Input {
        self.last_link += 1;
        let link = LinkId(self.last_link);
        let (peer, dialled) = (secure.peer(), secure.dialled());
        if dialled {
            self.dials.remove(&peer);
        }
        let (outgoing, frames) = mpsc::channel::<Bytes>(OUTGOING);
        self.links.insert(link, outgoing);
        let inbox = self.own_inbox.clone();
        self.tasks.spawn(async move {
            let read = move |bytes: Bytes| match wire::decode(&bytes) {
                Ok(frame) => Ok(Inbound::Input(Input::Frame { link, frame })),
                Err(error) => Err(TransportError::Protocol { reason: error.to_string() }),
            };
            match secure.run(frames, inbox.clone(), read).await {
                Ok(()) => tracing::debug!(peer = %peer.short(), link = link.0, "a link was closed"),
                Err(error) => tracing::info!(peer = %peer.short(), link = link.0, %error, "a link broke"),
            }
            let _ = inbox.send(Inbound::Input(Input::LinkDown(link))).await;
        });
        Input::LinkUp { link, peer, dialled }
    }

    /// Queues a frame for a link. Never waits: a peer that does not read holds nobody up but itself.
    pub(super) fn transmit(&mut self, link: LinkId, frame: &Frame) {
        let Some(outgoing) = self.links.get(&link) else { return };
        if outgoing.try_send(wire::encode(frame).into()).is_err() {
            tracing::info!(link = link.0, "a link's queue is full or gone; the link is given up");
            self.links.remove(&link);
            self.pending.push_back(Input::LinkDown(link));
        }
    }
}
