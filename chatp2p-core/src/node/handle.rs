//! The node as its owner holds it: asks the driver and waits for the answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Mutex, broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::identity::{PeerId, Username};
use crate::mailbox::MailboxAddress;
use crate::message::{Author, Body, Delivery, EntryId, Epoch, Message};
use crate::protocol::{Command, Event, Outcome, Refusal, State};
use crate::record::MAX_MAILBOX_ENDPOINTS;
use crate::storage::{HistoryQuery, StorageError, StoredMessage};
use crate::tracker::{Registration, Tracker};
use crate::transport::{Link, Listener};

use super::announce::{Announcer, Publisher};
use super::builder::{NodeBuilder, Parts};
use super::collecting::OwnLetterboxes;
use super::conversations::{self, Newest};
use super::diagnosis::{NodeDiagnosis, PeerDiagnosis};
use super::driver::{CommandError, Driver, INBOX, Inbound, View};
use super::enrol::Place;
use super::healing::Healer;
use super::trackers::{foremost, foremost_listed};
use super::whereabouts::Moves;
use super::{
    ConversationPage, ConversationSummary, EVENT_BACKLOG, Events, HistoryPage, LastMessage, NodeError, NodeStatus,
    PeerNode, Receipt, ServedMailbox,
};

/// How long the last visits to mailboxes may hold up the end of a node.
const LAST_MAIL_WITHIN: Duration = Duration::from_secs(2);

/// A running peer.
///
/// Dropping it ends everything that it started, at once and without a word to anybody; [`stop`](PeerNode::stop) says
/// goodbye first.
#[derive(Debug)]
pub struct Node {
    pub(super) parts: Arc<Parts>,
    driver: mpsc::Sender<Inbound>,
    /// Weak, so that what is told ends with those who tell it.
    events: broadcast::WeakSender<Event>,
    /// Who was listed last, for when all trackers are silent.
    listed: Mutex<Vec<Registration>>,
    running: Mutex<Option<Running>>,
}

/// What ends with the node.
#[derive(Debug)]
struct Running {
    /// Beside the listeners whatever else nobody waits for.
    listeners: JoinSet<()>,
    announcers: JoinSet<()>,
    /// Tells them to leave.
    leave: Vec<oneshot::Sender<()>>,
    driver: JoinSet<()>,
}

impl Node {
    /// Begins to build a node that goes by this name at this tracker; [`NodeBuilder::tracker`] adds others.
    pub fn builder(username: Username, tracker: Arc<dyn Tracker>) -> NodeBuilder {
        NodeBuilder::new(username, tracker)
    }

    pub(super) fn run(
        parts: Parts,
        state: State,
        places: Vec<Place>,
        (listeners, moves): (Vec<Box<dyn Listener>>, Option<Moves>),
    ) -> Self {
        let parts = Arc::new(parts);
        let (events, _) = broadcast::channel(EVENT_BACKLOG);
        let (sender, inbox) = mpsc::channel(INBOX);
        let record = state.me().record.clone();
        let publisher = Publisher::new(Arc::clone(&parts), state.pre_keys(), sender.clone(), record);
        let publisher = Arc::new(publisher);
        let mut running = Running {
            listeners: JoinSet::new(),
            announcers: JoinSet::new(),
            leave: Vec::new(),
            driver: JoinSet::new(),
        };
        for listener in listeners {
            running.listeners.spawn(super::driver::accept_all(listener, sender.clone()));
        }
        if let Some(mailbox) = parts.mailbox.clone() {
            running.listeners.spawn(mailbox.keep());
        }
        for collector in OwnLetterboxes::collectors(&parts, &sender) {
            running.listeners.spawn(collector);
        }
        let (prompt, prompted) = watch::channel(());
        let (driver, looked_after) = (sender.clone(), Arc::clone(&parts));
        let healer = Healer { parts: looked_after, publisher: Arc::clone(&publisher), driver, prompt };
        running.listeners.spawn(healer.run(moves));
        for (at, place) in places.into_iter().enumerate() {
            let (leave, told_to_leave) = oneshot::channel();
            let (parts, publisher, events) = (Arc::clone(&parts), Arc::clone(&publisher), events.clone());
            let prompted = prompted.clone();
            running.leave.push(leave);
            running.announcers.spawn(Announcer { parts, at, place, publisher, events, prompted }.run(told_to_leave));
        }
        let listened = events.downgrade();
        let driver = Driver::new(Arc::clone(&parts), state, (sender.clone(), inbox), events);
        running.driver.spawn(driver.run());
        Self {
            parts,
            driver: sender,
            events: listened,
            listed: Mutex::new(Vec::new()),
            running: Mutex::new(Some(running)),
        }
    }

    pub(super) async fn command(&self, command: Command) -> Result<Result<Outcome, Refusal>, NodeError> {
        let (reply, answer) = oneshot::channel();
        let inbound = Inbound::Command { command, reply };
        self.driver.send(inbound).await.map_err(|_| NodeError::Stopped)?;
        match answer.await {
            Ok(Ok(outcome)) => Ok(Ok(outcome)),
            Ok(Err(CommandError::Refused(refusal))) => Ok(Err(refusal)),
            Ok(Err(CommandError::NotDurable(reason))) => Err(StorageError::Unavailable { reason, source: None }.into()),
            Err(_) => Err(NodeError::Stopped),
        }
    }

    /// Looks at the state as it is between turns.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        look: impl FnOnce(&State) -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        self.view(|view| look(view.state)).await
    }

    /// Looks at all that there is between turns.
    pub(super) async fn view<T: Send + 'static>(
        &self,
        look: impl FnOnce(View<'_>) -> T + Send + 'static,
    ) -> Result<T, NodeError> {
        let (reply, answer) = oneshot::channel();
        let looking = Box::new(move |view: Result<View<'_>, &NodeError>| {
            let unreadable = |error: &NodeError| StorageError::Unavailable { reason: error.to_string(), source: None };
            drop(reply.send(view.map(look).map_err(unreadable)));
        });
        self.driver.send(Inbound::Look(looking)).await.map_err(|_| NodeError::Stopped)?;
        Ok(answer.await.map_err(|_| NodeError::Stopped)??)
    }

    /// Whose each name at a tracker is, as far as it is known. Nobody's while the state cannot be read.
    async fn pinned(&self) -> BTreeMap<Username, PeerId> {
        let known = |state: &State| {
            let contacts = state.contacts().filter(|contact| !contact.forgotten);
            contacts.map(|contact| (contact.name_at_tracker().clone(), contact.peer_id)).collect()
        };
        self.look(known).await.unwrap_or_default()
    }

    async fn is_running(&self) -> Result<(), NodeError> {
        if self.running.lock().await.is_some() { Ok(()) } else { Err(NodeError::Stopped) }
    }
}

/// What a refusal means to the one who asked about this name.
pub(super) fn explain(refusal: Refusal, name: &Username) -> NodeError {
    let name = name.clone();
    match refusal {
        Refusal::Oneself => NodeError::Oneself { name },
        Refusal::UnknownPeer => NodeError::UnknownPeer { name },
        Refusal::Tracker(code) => NodeError::TrackerSilent { code },
        Refusal::Unreachable(reason) => NodeError::Unreachable { name, reason },
        Refusal::KeyChanged => NodeError::KeyChanged { name },
        Refusal::NameDisputed => NodeError::NameDisputed { name },
        Refusal::Refused(code) => NodeError::Refused { name, code },
        Refusal::NotConnected => NodeError::NotConnected { name: name.to_string() },
        Refusal::TextTooLarge => NodeError::TextTooLarge,
        Refusal::OutboxFull(name) => NodeError::OutboxFull { name },
        Refusal::Contact(refusal) => NodeError::Contact(refusal),
        Refusal::Stopping => NodeError::Stopped,
    }
}

/// Under which name here the conversation is that is asked for by this one: under the same, also where its key was forgotten,
/// else under that of the contact who goes by it at the tracker.
fn conversation(state: &State, name: Username) -> Username {
    let is_here = state.contacts().any(|contact| contact.name == name && !contact.removed);
    state.meant(&name).filter(|_| !is_here).map_or(name, |contact| contact.name.clone())
}

#[async_trait]
impl PeerNode for Node {
    fn peer_id(&self) -> PeerId {
        self.parts.identity.peer_id()
    }

    fn username(&self) -> &Username {
        &self.parts.username
    }

    async fn status(&self) -> Result<NodeStatus, NodeError> {
        self.is_running().await?;
        let trackers = self.parts.trackers.statuses();
        let mailbox = match &self.parts.mailbox {
            Some(mailbox) => {
                let endpoints = self.parts.whereabouts.now().iter().take(MAX_MAILBOX_ENDPOINTS).cloned().collect();
                let address = MailboxAddress::new(self.peer_id(), endpoints).ok();
                Some(ServedMailbox { address, usage: mailbox.usage().await? })
            }
            None => None,
        };
        Ok(NodeStatus {
            username: self.parts.username.clone(),
            peer_id: self.peer_id(),
            endpoints: self.parts.whereabouts.now(),
            tracker: foremost(&trackers),
            trackers,
            mailboxes: self.parts.letterboxes.statuses(),
            mailbox,
        })
    }

    async fn available(&self) -> Result<Vec<Registration>, NodeError> {
        self.is_running().await?;
        let listed = match self.parts.trackers.peers().await {
            Ok(listed) => listed,
            Err(error) => {
                tracing::info!(%error, "no tracker says who is there; answering with who was there last");
                return Ok(self.listed.lock().await.clone());
            }
        };
        let pinned = if listed.values().any(|named| named.len() > 1) { self.pinned().await } else { BTreeMap::new() };
        let others = listed.into_iter().filter(|(name, _)| *name != self.parts.username);
        let others = others.filter_map(|(name, named)| foremost_listed(named, pinned.get(&name).copied()));
        let others: Vec<Registration> = others.collect();
        self.listed.lock().await.clone_from(&others);
        Ok(others)
    }

    async fn connected(&self) -> Result<Vec<Username>, NodeError> {
        self.look(State::connected).await
    }

    async fn connect(&self, name: &Username) -> Result<(), NodeError> {
        self.command(Command::Connect(name.clone())).await?.map(drop).map_err(|refusal| explain(refusal, name))
    }

    async fn disconnect(&self, name: &Username) -> Result<(), NodeError> {
        self.command(Command::Disconnect(name.clone())).await?.map(drop).map_err(|refusal| explain(refusal, name))
    }

    async fn send(&self, to: &Username, text: String) -> Result<Receipt, NodeError> {
        match self.command(Command::Send { to: to.clone(), text }).await? {
            Ok(Outcome::Sent { id, delivery }) => Ok(Receipt { id, delivery }),
            Ok(Outcome::Done | Outcome::Broadcast(_)) => Err(NodeError::Stopped),
            Err(refusal) => Err(explain(refusal, to)),
        }
    }

    async fn broadcast(&self, text: String) -> Result<BTreeMap<Username, Receipt>, NodeError> {
        match self.command(Command::Broadcast(text)).await? {
            Ok(Outcome::Broadcast(ids)) => {
                let receipt = |(name, id)| (name, Receipt { id, delivery: Delivery::Sent });
                Ok(ids.into_iter().map(receipt).collect())
            }
            Ok(Outcome::Done | Outcome::Sent { .. }) => Err(NodeError::Stopped),
            Err(Refusal::NotConnected) => Err(NodeError::NotConnected { name: "anybody".to_owned() }),
            Err(refusal) => Err(explain(refusal, &self.parts.username)),
        }
    }

    async fn history(&self, page: HistoryPage) -> Result<Vec<Message>, NodeError> {
        let wanted = page.peer;
        let names: BTreeMap<PeerId, (Username, bool)> = self
            .look(move |state| {
                let wanted = wanted.map(|name| conversation(state, name));
                let contacts =
                    state.contacts().filter(|contact| wanted.as_ref().is_none_or(|name| contact.name == *name));
                contacts.map(|contact| (contact.peer_id, (contact.name.clone(), contact.forgotten))).collect()
            })
            .await?;
        let peers: BTreeSet<PeerId> = names.keys().copied().collect();
        let query = HistoryQuery { peers: Some(peers), before: page.before, limit: page.limit };
        let stored = self.parts.store.history(query).await?;
        let places: Vec<_> = stored.iter().map(|message| message.place.map(|place| (message.peer, place))).collect();
        let sent: Vec<bool> = self
            .look(move |state| {
                let is_sent = |(peer, (epoch, n))| state.is_sent(peer, epoch, n);
                places.into_iter().map(|place| place.is_some_and(is_sent)).collect()
            })
            .await?;
        let me = &self.parts.username;
        let show = |(message, sent): (StoredMessage, bool)| {
            let (name, forgotten) = names.get(&message.peer)?;
            Some(show(message, sent, *forgotten, me, name))
        };
        Ok(stored.into_iter().zip(sent).filter_map(show).collect())
    }

    async fn mark_read(&self, from: &Username, through: EntryId) -> Result<(), NodeError> {
        let name = from.clone();
        let known = move |state: &State| {
            let contact = state.meant(&name)?;
            let same_name = state.contacts().filter(|other| other.name == contact.name);
            Some(same_name.map(|other| other.peer_id).collect::<BTreeSet<_>>())
        };
        let keys = self.look(known).await?.ok_or_else(|| NodeError::UnknownPeer { name: from.clone() })?;
        let written = self.parts.store.received(through).await?.into_iter().find(|(peer, _)| keys.contains(peer));
        let (peer, through) = written.ok_or(StorageError::UnknownMessage(through))?;
        self.command(Command::Read { peer, through }).await?.map(drop).map_err(|refusal| explain(refusal, from))
    }

    async fn hides_reading(&self) -> Result<bool, NodeError> {
        self.look(State::hides_reading).await
    }

    async fn hide_reading(&self, hide: bool) -> Result<(), NodeError> {
        let done = self.command(Command::HideReading(hide)).await?;
        done.map(drop).map_err(|refusal| explain(refusal, &self.parts.username))
    }

    async fn conversations(&self, page: ConversationPage) -> Result<Vec<ConversationSummary>, NodeError> {
        let found = conversations::read(&*self.parts.store, page).await?;
        let messages: Vec<_> = found.newest.iter().map(|newest| (newest.peer, newest.place)).collect();
        // What the store knows of, the state has known before.
        let (names, connected) = self
            .look(move |state| {
                let name = |(peer, place): (PeerId, Option<(Epoch, u64)>)| {
                    let contact = state.contact(peer)?;
                    let sent = place.is_some_and(|(epoch, n)| state.is_sent(peer, epoch, n));
                    Some((contact.name.clone(), state.knows(&contact.name), contact.forgotten, sent))
                };
                let connected: BTreeSet<Username> = state.connected().into_iter().collect();
                (messages.into_iter().map(name).collect::<Vec<_>>(), connected)
            })
            .await?;
        let me = &self.parts.username;
        let with_message = found.newest.into_iter().zip(names).filter_map(|(newest, name)| {
            let (peer, contact, forgotten, sent) = name?;
            let delivery = delivery(newest.arrived, sent, forgotten);
            let from = if newest.author == Author::Me { me.clone() } else { peer.clone() };
            let Newest { id, excerpt, written, .. } = newest;
            Some((peer, contact, Some(LastMessage { id, from, excerpt, written, delivery })))
        });
        let silent = found.silent.into_iter().map(|peer| (peer, true, None));
        let summary = |(peer, contact, last)| {
            let connected = connected.contains(&peer);
            ConversationSummary { peer, contact, connected, last }
        };
        Ok(with_message.chain(silent).map(summary).collect())
    }

    async fn forget_key(&self, name: &Username) -> Result<(), NodeError> {
        self.command(Command::ForgetKey(name.clone())).await?.map(drop).map_err(|refusal| explain(refusal, name))
    }

    async fn diagnostics(&self) -> Result<NodeDiagnosis, NodeError> {
        self.is_running().await?;
        self.diagnose_itself().await
    }

    async fn diagnose(&self, name: &Username) -> Result<PeerDiagnosis, NodeError> {
        self.diagnose_peer(name).await
    }

    fn subscribe(&self) -> Events {
        // Once the node has stopped there is nothing left to hear.
        let telling = self.events.upgrade().unwrap_or_else(|| broadcast::Sender::new(1));
        Events::new(telling.subscribe())
    }

    async fn accept(&self, link: Link) -> Result<(), NodeError> {
        self.driver.try_send(Inbound::Accepted(link)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => NodeError::Busy,
            mpsc::error::TrySendError::Closed(_) => NodeError::Stopped,
        })
    }

    async fn stop(&self) -> Result<(), NodeError> {
        let mut running = self.running.lock().await;
        let Some(mut ending) = running.take() else { return Err(NodeError::Stopped) };
        // The addresses first: whoever is told goodbye must not come back in.
        ending.listeners.shutdown().await;
        let goodbyes = self.command(Command::Stop).await;
        if let Err(error) = goodbyes {
            tracing::warn!(%error, "the node stops without having said goodbye");
        }
        for leave in ending.leave {
            let _ = leave.send(());
        }
        while ending.announcers.join_next().await.is_some() {}
        // Whoever came back only to look has their answers mailed before they are gone again.
        if timeout(LAST_MAIL_WITHIN, self.parts.visits.are_over()).await.is_err() {
            tracing::info!("the node stops before all mail is left; it is left again in its next life");
        }
        ending.driver.shutdown().await;
        Ok(())
    }
}

const fn delivery(arrived: Option<Delivery>, sent: bool, forgotten: bool) -> Delivery {
    match (arrived, sent) {
        (Some(Delivery::Mailbox) | None, _) if forgotten => Delivery::Failed,
        (Some(arrived), _) => arrived,
        (None, true) => Delivery::Sent,
        (None, false) => Delivery::Queued,
    }
}

fn show(message: StoredMessage, sent: bool, forgotten: bool, me: &Username, them: &Username) -> Message {
    let delivery = delivery(message.arrived(), sent, forgotten);
    let (from, to) = match message.author {
        Author::Me => (me, them),
        Author::Them => (them, me),
    };
    let Body::Text(content) = message.entry.body;
    Message {
        id: message.entry.id,
        from: from.clone(),
        to: to.clone(),
        content,
        written: message.entry.written,
        delivery,
    }
}
