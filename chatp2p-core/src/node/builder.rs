//! How a node comes to be: everything it needs is handed in, and it runs when it is built.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::Stream;
use tokio::time::Instant;

use crate::clock::{Now, Wall};
use crate::crypto::{Keyring, Olm};
use crate::identity::{Identity, Username, random};
use crate::mailbox::{Mailbox, MailboxAddress};
use crate::protocol::{Inbound, Me, State};
use crate::record::{Endpoint, MAX_LETTERBOXES, PeerRecord, PreKeys, SignedRecord};
use crate::storage::{Change, MemoryProfile, ProfileStore, Snapshot, StorageError};
use crate::tracker::{Tracker, TrackerError};
use crate::transport::secure::Purpose;
use crate::transport::{Listener, Transport, TransportError};

use super::collecting::OwnLetterboxes;
use super::driver::Visits;
use super::enrol::{Enrolment, enrol};
use super::healing::LOOK_EVERY;
use super::trackers::{MAX_TRACKERS, Trackers};
use super::whereabouts::{Moves, Whereabouts};
use super::{Node, NodeError};

/// Collects what a [`Node`] needs.
///
/// Only the name and one tracker must be given. Left alone, a node has a fresh identity, forgets everything with the
/// process, and can be reached by nobody, though it can dial with every transport it is given.
#[must_use]
pub struct NodeBuilder {
    username: Username,
    trackers: Vec<Arc<dyn Tracker>>,
    may_start_unlisted: bool,
    identity: Option<Identity>,
    store: Option<Arc<dyn ProfileStore>>,
    transports: Vec<Arc<dyn Transport>>,
    listen: Vec<Endpoint>,
    listeners: Vec<Box<dyn Listener>>,
    advertise: Option<Vec<Endpoint>>,
    moves: Option<Moves>,
    look_every: Duration,
    inbound: Inbound,
    mailbox: Option<Mailbox>,
    use_mailboxes: Vec<MailboxAddress>,
}

/// What the driver and its tasks share. All that ever changes of it is where the node is.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) identity: Identity,
    pub(super) username: Username,
    pub(super) whereabouts: Whereabouts,
    pub(super) listening: Vec<Endpoint>,
    pub(super) store: Arc<dyn ProfileStore>,
    pub(super) trackers: Trackers,
    pub(super) transports: Vec<Arc<dyn Transport>>,
    pub(super) inbound: Inbound,
    /// What is served to those who leave or collect mail.
    pub(super) mailbox: Option<Mailbox>,
    /// Where others leave mail for this node.
    pub(super) letterboxes: OwnLetterboxes,
    /// A place for each visit to another's mailbox.
    pub(super) visits: Visits,
    /// How often is looked whether the machine has slept.
    pub(super) look_every: Duration,
    started: Instant,
}

impl NodeBuilder {
    pub(super) fn new(username: Username, tracker: Arc<dyn Tracker>) -> Self {
        Self {
            username,
            trackers: vec![tracker],
            may_start_unlisted: false,
            identity: None,
            store: None,
            transports: Vec::new(),
            listen: Vec::new(),
            listeners: Vec::new(),
            advertise: None,
            moves: None,
            look_every: LOOK_EVERY,
            inbound: Inbound::default(),
            mailbox: None,
            use_mailboxes: Vec::new(),
        }
    }

    /// A further tracker, for when others fail; at most [`MAX_TRACKERS`] in all. The node is listed at each of them, and asks all.
    pub fn tracker(mut self, tracker: Arc<dyn Tracker>) -> Self {
        self.trackers.push(tracker);
        self
    }

    /// Whether to start even while no tracker can be reached, if there is somebody among the contacts to be found where they
    /// were last, or a mailbox to be served. Not if not said. Trackers are joined when they come back.
    pub const fn may_start_unlisted(mut self, may: bool) -> Self {
        self.may_start_unlisted = may;
        self
    }

    /// Who the node is. A fresh identity if not given.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Where the node keeps everything. Memory if not given.
    pub fn store(mut self, store: Arc<dyn ProfileStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// One way to dial. Give several for several schemes.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transports.push(transport);
        self
    }

    /// One address to listen at, with the transport for its scheme. `ws://0.0.0.0:5001` and `ws://[::]:5001` listen at all
    /// addresses of the machine, and are none that anybody can dial: [`advertise`](Self::advertise) those that are, too.
    pub fn listen(mut self, at: Endpoint) -> Self {
        self.listen.push(at);
        self
    }

    /// Something that listens already. Its links come to this node.
    pub fn listener(mut self, listener: Box<dyn Listener>) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Where the node says that it can be dialled, best first, at most [`MAX_ENDPOINTS`](crate::record::MAX_ENDPOINTS). Exactly
    /// where it listens if not given: who listens at `0.0.0.0` has to say this machine's address here, for others refuse to dial
    /// an unspecified one (`address_unusable`).
    pub fn advertise(mut self, endpoints: Vec<Endpoint>) -> Self {
        self.advertise = Some(endpoints);
        self
    }

    /// Where it says so from then on, each time that this is another place: for a machine that moves between networks. The
    /// node signs a new record, shows it to all trackers at once, and dials its contacts anew. It is at the last place that
    /// was told when the stream has ended. What the stream waits for ends with the node.
    pub fn advertise_as_told(mut self, moves: impl Stream<Item = Vec<Endpoint>> + Send + 'static) -> Self {
        self.moves = Some(Box::pin(moves));
        self
    }

    /// How often the node looks whether the machine has slept, so that its links may be dead: every 5 seconds if not given.
    pub const fn look_every(mut self, every: Duration) -> Self {
        self.look_every = every;
        self
    }

    /// What becomes of strangers who connect: contacts, if not given.
    pub const fn inbound(mut self, inbound: Inbound) -> Self {
        self.inbound = inbound;
        self
    }

    /// A mailbox to serve to others, where this node listens. None if not given.
    pub fn mailbox(mut self, mailbox: Mailbox) -> Self {
        self.mailbox = Some(mailbox);
        self
    }

    /// A mailbox in which others may leave mail while this node is away; at most [`MAX_LETTERBOXES`]. None if not given. The node
    /// names a letterbox there in its record, under a key that is drawn for it, and collects what comes.
    pub fn use_mailbox(mut self, at: MailboxAddress) -> Self {
        self.use_mailboxes.push(at);
        self
    }

    /// Starts the node. It listens and is registered at a tracker when this returns; on error nothing of it is left. Trackers
    /// that are away are joined later.
    ///
    /// # Errors
    /// [`NodeError::Transport`] when it cannot listen, [`NodeError::Tracker`] when any tracker says that the name is somebody
    /// else's, none of them takes it, or there are more than [`MAX_TRACKERS`], [`NodeError::TooManyMailboxes`],
    /// [`NodeError::Storage`] when the store refuses, [`NodeError::Identity`] when the system has no randomness for keys.
    pub async fn start(self) -> Result<Node, NodeError> {
        if self.trackers.len() > MAX_TRACKERS {
            let reason = format!("a node has at most {MAX_TRACKERS} trackers");
            return Err(TrackerError::Invalid { reason }.into());
        }
        if self.use_mailboxes.len() > MAX_LETTERBOXES {
            return Err(NodeError::TooManyMailboxes);
        }
        let mut listeners = self.listeners;
        for at in &self.listen {
            let transport = transport_for(&self.transports, at)
                .ok_or_else(|| TransportError::Unsupported { endpoint: at.clone() })?;
            listeners.push(transport.listen(at).await?);
        }
        let listening: Vec<Endpoint> = listeners.iter().map(|listener| listener.endpoint().clone()).collect();
        let endpoints = self.advertise.unwrap_or_else(|| listening.clone());
        let identity = match self.identity {
            Some(identity) => identity,
            None => Identity::generate()?,
        };
        let mut parts = Parts {
            identity,
            username: self.username,
            whereabouts: Whereabouts::new(endpoints),
            listening,
            store: self.store.unwrap_or_else(|| Arc::new(MemoryProfile::default())),
            trackers: Trackers::new(self.trackers),
            transports: self.transports,
            inbound: self.inbound,
            mailbox: self.mailbox,
            letterboxes: OwnLetterboxes::default(),
            visits: Visits::default(),
            look_every: self.look_every,
            started: Instant::now(),
        };
        let mut snapshot = parts.store.load().await?;
        let seq = parts.next_seq(snapshot.seq);
        let mut keyring = parts.keyring(&mut snapshot)?;
        keyring.turn_fallback_key_if_due(parts.now().wall);
        parts.letterboxes = OwnLetterboxes::at(self.use_mailboxes, &mut keyring, parts.now().wall)?;
        let pre_keys = keyring.pre_keys();
        // Who knows nobody, and whom nobody can find, need not be there. A mailbox is found by its address.
        let is_alone = snapshot.contacts.iter().all(|contact| contact.forgotten) && parts.mailbox.is_none();
        let must_be_listed = !self.may_start_unlisted || is_alone;
        let changes: Vec<Change> = key_changes(&mut keyring)?;
        let Enrolment { record, places } = enrol(&parts, seq, pre_keys, changes, must_be_listed).await?;
        let me = parts.me(record);
        let state = State::new(me, keyring, snapshot, *random()?, parts.now()).receiving(parts.inbound);
        Ok(Node::run(parts, state, places, (listeners, self.moves)))
    }
}

/// The transport that dials and listens at such an endpoint.
pub(super) fn transport_for(transports: &[Arc<dyn Transport>], at: &Endpoint) -> Option<Arc<dyn Transport>> {
    transports.iter().find(|transport| transport.schemes().contains(&at.scheme())).cloned()
}

/// What of the keys is not durable yet.
fn key_changes(keyring: &mut Keyring) -> Result<Vec<Change>, NodeError> {
    let rows = keyring.take_changes().map_err(|error| StorageError::Damaged { reason: error.to_string() })?;
    Ok(rows.into_iter().map(Change::Keys).collect())
}

impl Parts {
    /// For what a caller's link may be.
    pub(super) const fn serves(&self) -> &'static [Purpose] {
        if self.mailbox.is_some() { &[Purpose::Peer, Purpose::Mailbox] } else { &[Purpose::Peer] }
    }

    pub(super) fn now(&self) -> Now {
        Now { mono: self.started.elapsed(), wall: Wall::from(SystemTime::now()) }
    }

    pub(super) fn me(&self, record: SignedRecord) -> Me {
        Me { peer_id: self.identity.peer_id(), username: self.username.clone(), record }
    }

    /// A number for the next record: above the last one, and above what an older database would choose.
    pub(super) fn next_seq(&self, last: u64) -> u64 {
        self.now().wall.as_millis().max(last.saturating_add(1))
    }

    /// The keys of a profile, for a new life.
    pub(super) fn keyring(&self, snapshot: &mut Snapshot) -> Result<Keyring, NodeError> {
        let rows = std::mem::take(&mut snapshot.keys);
        let keyring = Keyring::load(self.identity.clone(), &Olm, rows, *random()?, self.now().wall);
        Ok(keyring.map_err(|error| StorageError::Damaged { reason: error.to_string() })?)
    }

    pub(super) fn record(&self, seq: u64, pre_keys: PreKeys) -> Result<SignedRecord, NodeError> {
        let record = PeerRecord {
            username: self.username.clone(),
            peer_id: self.identity.peer_id(),
            endpoints: self.whereabouts.now(),
            seq,
            pre_keys: Some(pre_keys),
            letterboxes: self.letterboxes.named(),
        };
        Ok(SignedRecord::sign(&self.identity, record)
            .map_err(|error| TrackerError::Invalid { reason: format!("the node's own record: {error}") })?)
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("username", &self.username)
            .field("trackers", &self.trackers)
            .field("transports", &self.transports)
            .field("listen", &self.listen)
            .finish_non_exhaustive()
    }
}
