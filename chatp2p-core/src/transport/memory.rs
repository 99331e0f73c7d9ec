//! Links within one process: for tests, simulations and nodes that live side by side. Nothing touches a network, and
//! everything else is as on one: names that are taken, listeners that vanish, readers that do not read.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::future::ready;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{SinkExt, stream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::PollSender;

use super::{Clearance, Link, Listener, MAX_LINK_MESSAGE_BYTES, Transport, TransportError, Unreached};
use crate::record::Endpoint;

const SCHEME: &str = "memory";

/// Messages that wait on a link for a reader. With the one that is being written at most six megabytes.
const LINK_MESSAGES: usize = 2;

/// Links that wait for a listener to accept them, as in a socket's backlog.
const BACKLOG: usize = 128;

/// How long a dial waits for room in the backlog.
const DIAL_TIMEOUT: Duration = Duration::from_secs(5);

type Names = BTreeMap<String, mpsc::Sender<Link>>;

/// A network within this process, with endpoints like `memory:alice`.
///
/// A clone is the same network; another [`new`](Self::new) is another one, and the two do not see each other.
#[derive(Clone, Default)]
pub struct MemoryTransport {
    names: Arc<Mutex<Names>>,
}

impl MemoryTransport {
    /// A network in which nobody listens.
    pub fn new() -> Self {
        Self::default()
    }

    /// The names at which somebody listens. No code panics while it holds them, so a poisoned lock is a whole one.
    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTransport").field("listening", &self.names().keys().collect::<Vec<_>>()).finish()
    }
}

#[async_trait]
impl Transport for MemoryTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &[SCHEME]
    }

    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError> {
        let name = name_of(at)?;
        let (sender, links) = mpsc::channel(BACKLOG);
        match self.names().entry(name.to_owned()) {
            Entry::Occupied(_) => return Err(TransportError::AddressInUse { endpoint: at.clone() }),
            Entry::Vacant(free) => free.insert(sender),
        };
        Ok(Box::new(MemoryListener { network: self.clone(), endpoint: at.clone(), links }))
    }

    async fn dial(&self, to: &Endpoint, _: &Clearance) -> Result<Link, TransportError> {
        let unreachable = |cause, reason: &str| TransportError::Unreachable {
            endpoint: to.clone(),
            cause,
            reason: reason.to_owned(),
        };
        let listener = self.names().get(name_of(to)?).cloned();
        let listener = listener.ok_or_else(|| unreachable(Unreached::PortClosed, "nobody listens there"))?;
        // The link is made only once it can be handed over: a dial that is given up leaves nothing behind.
        let place = match timeout(DIAL_TIMEOUT, listener.reserve()).await {
            Ok(Ok(place)) => place,
            Ok(Err(_)) => return Err(unreachable(Unreached::PortClosed, "the listener is gone")),
            Err(_) => return Err(unreachable(Unreached::Silent, "the listener accepts nobody")),
        };
        let (ours, theirs) = pair();
        place.send(theirs);
        Ok(ours)
    }
}

fn name_of(endpoint: &Endpoint) -> Result<&str, TransportError> {
    let name = if endpoint.scheme() == SCHEME { endpoint.name() } else { None };
    name.ok_or_else(|| TransportError::Unsupported { endpoint: endpoint.clone() })
}

struct MemoryListener {
    network: MemoryTransport,
    endpoint: Endpoint,
    links: mpsc::Receiver<Link>,
}

impl fmt::Debug for MemoryListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryListener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

#[async_trait]
impl Listener for MemoryListener {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn accept(&mut self) -> Result<Link, TransportError> {
        self.links.recv().await.ok_or(TransportError::Closed)
    }
}

impl Drop for MemoryListener {
    fn drop(&mut self) {
        if let Some(name) = self.endpoint.name() {
            self.network.names().remove(name);
        }
    }
}

/// Both ends of one link.
fn pair() -> (Link, Link) {
    let (to_one, from_other) = mpsc::channel(LINK_MESSAGES);
    let (to_other, from_one) = mpsc::channel(LINK_MESSAGES);
    (end(to_one, from_one), end(to_other, from_other))
}

fn end(to: mpsc::Sender<Bytes>, mut from: mpsc::Receiver<Bytes>) -> Link {
    let outgoing =
        PollSender::new(to).sink_map_err(|_| TransportError::Closed).with(|message: Bytes| ready(check(message)));
    let incoming = stream::poll_fn(move |cx| from.poll_recv(cx).map(|message| message.map(Ok)));
    Link { outgoing: Box::pin(outgoing), incoming: Box::pin(incoming), proved: None, remote: None }
}

/// The bound that holds on every link, so that what works here works over a network.
fn check(message: Bytes) -> Result<Bytes, TransportError> {
    if message.len() > MAX_LINK_MESSAGE_BYTES {
        return Err(TransportError::Protocol { reason: "a message is too large for a link".to_owned() });
    }
    Ok(message)
}
