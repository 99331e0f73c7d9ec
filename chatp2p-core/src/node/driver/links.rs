//! Live links: each has one task that carries its frames, and a bounded queue of what is to be sent.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

use crate::clock::Wall;
use crate::identity::PeerId;
use crate::protocol::wire::{self, Frame};
use crate::protocol::{Input, LinkId, MAX_IN_FLIGHT};
use crate::record::Reach;
use crate::transport::{SecureLink, TransportError};

use super::super::diagnosis::LinkReport;
use super::{Driver, Inbound};

/// How many frames wait for a link: all entries that may be in flight, and as many acknowledgements, of which there is
/// one a turn. A link whose queue is full has a reader that does not read.
pub(super) const OUTGOING: usize = 2 * MAX_IN_FLIGHT;

/// How long a link that was closed may take to send what is queued and say goodbye. All that matters was acknowledged
/// before; an end that does not read must not keep the rest in memory.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The driver's end of a link's task. Letting go of it closes the link.
pub(in crate::node) struct Outgoing {
    frames: mpsc::Sender<Bytes>,
    pub(super) peer: PeerId,
    /// The address of the other end, if it has one.
    pub(super) remote: Option<SocketAddr>,
    /// What was dialled, if this end did.
    endpoint: Option<String>,
    dialled: bool,
    since: Wall,
    _held: oneshot::Sender<()>,
}

impl Outgoing {
    /// What a person is told about it.
    pub(in crate::node) fn report(&self) -> LinkReport {
        let remote = self.remote.map(|remote| remote.to_string());
        let endpoint = self.endpoint.clone().or(remote);
        LinkReport { endpoint, dialled: self.dialled, since: self.since }
    }
}

impl Driver {
    /// Starts the task of a new link, which goes to this endpoint if this end dialled it.
    pub(super) fn open(&mut self, secure: SecureLink, endpoint: Option<String>) -> Input {
        self.last_link += 1;
        let link = LinkId(self.last_link);
        let (peer, dialled) = (secure.peer(), secure.dialled());
        if dialled {
            self.dials.remove(&peer);
        }
        let since = self.parts.now().wall;
        if !dialled {
            self.trail.called(across(secure.remote()), since);
            self.make_room(link, secure.remote());
        }
        let (outgoing, frames) = mpsc::channel::<Bytes>(OUTGOING);
        let (held, let_go) = oneshot::channel::<()>();
        let remote = secure.remote();
        self.links.insert(link, Outgoing { frames: outgoing, peer, remote, endpoint, dialled, since, _held: held });
        let inbox = self.own_inbox.clone();
        self.tasks.spawn(async move {
            let read = move |bytes: Bytes| match wire::decode(&bytes) {
                Ok(frame) => Ok(Inbound::Input(Input::Frame { link, frame })),
                Err(error) => Err(TransportError::Protocol { reason: error.to_string() }),
            };
            let overdue = async {
                let _ = let_go.await;
                sleep(CLOSE_TIMEOUT).await;
            };
            let ended = tokio::select! {
                ended = secure.run(frames, inbox.clone(), read) => ended,
                () = overdue => Err(TransportError::TimedOut),
            };
            match &ended {
                Ok(()) => tracing::debug!(peer = %peer.short(), link = link.0, "a link was closed"),
                Err(error) => tracing::info!(peer = %peer.short(), link = link.0, %error, "a link broke"),
            }
            let _ = inbox.send(Inbound::Ended { link, error: ended.err() }).await;
        });
        Input::LinkUp { link, peer, dialled }
    }

    /// Gives a caller's link a place among those that are greeting. Whoever has to go for it breaks no link that is up.
    fn make_room(&mut self, link: LinkId, remote: Option<SocketAddr>) {
        self.greeting.retain(|link| self.state.is_greeting(link));
        if let Some(leaving) = self.greeting.enter(link, remote.map(|remote| remote.ip())) {
            tracing::debug!(link = leaving.0, "too many callers are greeting at once; one is given up");
            self.links.remove(&leaving);
            self.pending.push_back(Input::LinkDown(leaving));
        }
    }

    /// Queues a frame for a link. Never waits: a peer that does not read holds nobody up but itself.
    pub(super) fn transmit(&mut self, link: LinkId, frame: &Frame) {
        let Some(outgoing) = self.links.get(&link) else { return };
        if outgoing.frames.try_send(wire::encode(frame).into()).is_err() {
            tracing::info!(link = link.0, "a link's queue is full or gone; the link is given up");
            self.links.remove(&link);
            self.pending.push_back(Input::LinkDown(link));
        }
    }
}

/// Across what the other end of a link was reached. Without an address of its own it is on this machine.
pub(super) fn across(remote: Option<SocketAddr>) -> Reach {
    remote.map_or(Reach::Process, |at| Reach::across(at.ip()))
}
