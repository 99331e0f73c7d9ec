//! The driver: one task that carries out what the [`State`] decides. It takes turns. A turn drains what has arrived,
//! decides it all, makes it durable with one commit, and only then sends and tells.

mod dials;
mod heard;
mod links;
mod posts;
mod trail;

pub(super) use dials::{accept_all, dial_mailbox};
pub(super) use posts::Visits;
pub(super) use trail::{Attempt, Owner, Sought};

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, sleep_until};

use crate::code::Code;
use crate::identity::{PeerId, Username, random};
use crate::mailbox::mail::Mail;
use crate::protocol::wire::{Frame, Reason};
use crate::protocol::{
    Ask, Command, CommandId, Decision, Effect, Event, Input, LinkId, Loaded, MailId, Me, Outcome, Refusal, State,
};
use crate::record::{Reach, SignedRecord};
use crate::storage::{Committed, StorageError};
use crate::transport::crowd::Crowd;
use crate::transport::secure::Purpose;
use crate::transport::{DialBudget, Link, SecureLink, TransportError};

use super::NodeError;
use super::builder::Parts;
use super::collecting::Collecting;
use super::diagnosis::Failure;
use super::trackers::Answer;

/// How much waits for the driver before its callers wait. Each may be a frame of the largest size, so that this bounds
/// the memory that hostile links can fill to 256 MiB.
pub(super) const INBOX: usize = 256;

/// How many inputs a turn takes at most: what a commit takes some ten milliseconds for.
const TURN: usize = 1_024;

/// How soon a store that refused to load is asked again.
const RELOAD_EVERY: Duration = Duration::from_millis(500);

/// The most handshakes with callers at the same time. Each costs a millisecond of work and some 50 kB for ten seconds.
const MAX_HANDSHAKES: usize = 256;

/// The most links of callers that have proved a key and are not up yet: a quarter of all links there may be, so that those
/// who stop there leave room for those who go on.
const MAX_GREETINGS: usize = 256;

/// Of both, the most of one address that is not this machine, as at the listener.
const MAX_CALLERS_PER_ADDRESS: usize = 32;

/// Answered when the command's turn is durable, or has failed.
pub(super) type Reply = oneshot::Sender<Result<Outcome, CommandError>>;

/// Looks at what there is and answers by itself, also when there is nothing to look at.
pub(super) type Look = Box<dyn FnOnce(Result<View<'_>, &NodeError>) + Send>;

/// What there is to look at between turns.
pub(super) struct View<'a> {
    pub(super) state: &'a State,
    pub(super) trail: &'a trail::Trail,
    pub(super) links: &'a BTreeMap<LinkId, links::Outgoing>,
}

/// Why a command led to nothing.
#[derive(Debug)]
pub(super) enum CommandError {
    /// It was refused.
    Refused(Refusal),
    /// Its turn could not be made durable.
    NotDurable(String),
}

/// What reaches the driver.
pub(super) enum Inbound {
    /// Somebody wants something.
    Command { command: Command, reply: Reply },
    /// Somebody wants to look at the state, as it is between turns.
    Look(Look),
    /// A link that somebody else accepted.
    Accepted(Link),
    /// A link that somebody else opened is secure.
    Secured(SecureLink),
    /// Dialling a peer has ended.
    Dialled(dials::Dialled),
    /// A link has ended, in good order or not.
    Ended { link: LinkId, error: Option<TransportError> },
    /// What the trackers know of a name.
    Found { name: Username, answer: Answer },
    /// A mail was collected.
    Mail(Box<Collecting>),
    /// What was handed to a post could not be left.
    NotPosted { link: LinkId, code: Code, why: String },
    /// Something happened on a link, or an answer came.
    Input(Input),
}

impl fmt::Debug for Inbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Command { .. } => "Command",
            Self::Look(_) => "Look",
            Self::Accepted(_) => "Accepted",
            Self::Secured(_) => "Secured",
            Self::Dialled(_) => "Dialled",
            Self::Ended { .. } => "Ended",
            Self::Found { .. } => "Found",
            Self::Mail(_) => "Mail",
            Self::NotPosted { .. } => "NotPosted",
            Self::Input(_) => "Input",
        })
    }
}

/// The driver's own things.
pub(super) struct Driver {
    parts: Arc<Parts>,
    state: State,
    inbox: mpsc::Receiver<Inbound>,
    /// For the tasks that report to the inbox.
    own_inbox: mpsc::Sender<Inbound>,
    events: broadcast::Sender<Event>,
    replies: BTreeMap<CommandId, Reply>,
    commands: u64,
    links: BTreeMap<LinkId, links::Outgoing>,
    last_link: u64,
    posts: BTreeMap<LinkId, posts::Post>,
    /// The mails that are not durable yet.
    mails: BTreeMap<MailId, oneshot::Sender<()>>,
    /// How many there were.
    collected: u64,
    /// What happened while effects were carried out; it comes before what is in the inbox.
    pending: VecDeque<Input>,
    looks: Vec<Look>,
    dials: BTreeMap<PeerId, AbortHandle>,
    /// The handshakes with callers that are not done yet.
    handshakes: BTreeMap<u64, AbortHandle>,
    callers: Crowd<u64>,
    /// How many have called.
    calls: u64,
    /// Links of callers that are not up yet.
    greeting: Crowd<LinkId>,
    dialling: Arc<Semaphore>,
    budget: Arc<DialBudget>,
    heard: heard::Heard,
    trail: trail::Trail,
    /// Everything the driver has started; ends with it.
    tasks: JoinSet<()>,
}

impl Driver {
    pub(super) fn new(
        parts: Arc<Parts>,
        state: State,
        (own_inbox, inbox): (mpsc::Sender<Inbound>, mpsc::Receiver<Inbound>),
        events: broadcast::Sender<Event>,
    ) -> Self {
        Self {
            parts,
            state,
            inbox,
            own_inbox,
            events,
            replies: BTreeMap::new(),
            commands: 0,
            links: BTreeMap::new(),
            last_link: 0,
            posts: BTreeMap::new(),
            mails: BTreeMap::new(),
            collected: 0,
            pending: VecDeque::new(),
            looks: Vec::new(),
            dials: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            callers: Crowd::new(MAX_HANDSHAKES, MAX_CALLERS_PER_ADDRESS),
            calls: 0,
            greeting: Crowd::new(MAX_GREETINGS, MAX_CALLERS_PER_ADDRESS),
            dialling: Arc::new(Semaphore::new(dials::MAX_DIALS)),
            budget: Arc::default(),
            heard: heard::Heard::default(),
            trail: trail::Trail::default(),
            tasks: JoinSet::new(),
        }
    }

    /// Takes turns until it is dropped.
    pub(super) async fn run(mut self) {
        loop {
            // Tasks that are done are let go of; there is nothing in them to look at.
            while self.tasks.try_join_next().is_some() {}
            let mut decision = Decision::new();
            let first = if self.pending.is_empty() { self.wait().await } else { None };
            let now = self.parts.now();
            while let Some(input) = self.pending.pop_front() {
                self.state.handle(input, now, &mut decision);
            }
            let mut next = first;
            for _ in 0..TURN {
                let Some(inbound) = next.take().or_else(|| self.inbox.try_recv().ok()) else { break };
                let input = self.admit(inbound);
                // What had to make room for it goes first.
                while let Some(earlier) = self.pending.pop_front() {
                    self.state.handle(earlier, now, &mut decision);
                }
                if let Some(input) = input {
                    self.state.handle(input, now, &mut decision);
                }
            }
            if self.state.next_deadline().is_some_and(|deadline| deadline <= now.mono) {
                self.state.handle(Input::Wake, now, &mut decision);
            }
            self.finish_turn(decision).await;
        }
    }

    /// Waits until something arrives or a deadline has passed.
    async fn wait(&mut self) -> Option<Inbound> {
        let now = self.parts.now().mono;
        let deadline = self.state.next_deadline().map(|at| tokio::time::Instant::now() + at.saturating_sub(now));
        let woken = async {
            match deadline {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            inbound = self.inbox.recv() => inbound,
            () = woken => None,
        }
    }

    /// Turns what has arrived into an input, if it is one.
    fn admit(&mut self, inbound: Inbound) -> Option<Input> {
        match inbound {
            Inbound::Command { command, reply } => {
                self.commands += 1;
                let id = CommandId(self.commands);
                self.replies.insert(id, reply);
                Some(Input::Command { id, command })
            }
            Inbound::Look(look) => {
                self.looks.push(look);
                None
            }
            Inbound::Accepted(link) => {
                self.shake_hands(link);
                None
            }
            Inbound::Secured(link) if link.purpose() == Purpose::Mailbox => {
                self.serve_mail(link);
                None
            }
            Inbound::Secured(link) => Some(self.open(link, None)),
            Inbound::Dialled(dialled) => Some(self.take_dialled(dialled)),
            Inbound::Ended { link, error } => {
                self.links.remove(&link);
                self.trail.broke(link, error.as_ref(), self.parts.now().wall);
                Some(Input::LinkDown(link))
            }
            Inbound::Found { name, answer: Answer { found: answer, named } } => {
                if self.state.is_sought(&name) {
                    self.trail.found(&name, &answer, self.parts.now().wall);
                }
                for (at, peer, endpoints) in named {
                    self.heard.listed(at, peer, endpoints, |peer| self.state.contact(peer).is_some());
                }
                Some(Input::Found { name, answer })
            }
            Inbound::Mail(collecting) => Some(self.read_mail(*collecting)),
            Inbound::NotPosted { link, code, why } => {
                tracing::info!(%code, why, "mail could not be left");
                if let Some(peer) = self.posts.get(&link).map(|post| post.peer) {
                    self.trail.mailed(peer, Some(Failure::new(code, why)), self.parts.now().wall);
                }
                Some(Input::NotPosted(link))
            }
            Inbound::Input(input) => {
                self.note(&input);
                Some(input)
            }
        }
    }

    fn read_mail(&mut self, collecting: Collecting) -> Input {
        let Collecting { mail: Mail { from, .. }, frames, across, taken } = collecting;
        self.collected += 1;
        let mail = MailId(self.collected);
        self.mails.insert(mail, taken);
        // Whoever wrote it may be farther away than the mailbox, and no nearer.
        self.heard.said(from.record().peer_id, across, |peer| self.state.contact(peer).is_some());
        Input::Mail { mail, from: Box::new(from), frames }
    }

    /// Notes what the driver itself has to know of an input.
    fn note(&mut self, input: &Input) {
        match input {
            Input::Frame { link, frame: Frame::Hello { record } } => {
                // Anybody has the records of others: only what a peer shows of itself was said by it.
                let peer = record.record().peer_id;
                if self.links.get(link).is_some_and(|link| link.peer == peer) {
                    self.hear_peer(*link, peer);
                }
            }
            Input::Frame { link, frame: Frame::Records { records } } => {
                // What is taken of it counts no nearer than whoever passed it on.
                let records = records.iter().map(SignedRecord::record);
                let taken = records.filter(|record| self.state.has_asked_for(*link, record));
                let taken: Vec<PeerId> = taken.map(|record| record.peer_id).collect();
                taken.into_iter().for_each(|peer| self.hear_peer(*link, peer));
            }
            Input::Frame { link, frame: Frame::Goodbye { reason } } => {
                if let Some(peer) = self.links.get(link).map(|link| link.peer) {
                    self.trail.goodbye(*link, peer, reason, self.parts.now().wall);
                }
            }
            Input::Posted { link, .. } => {
                if let Some(peer) = self.posts.get(link).map(|post| post.peer) {
                    self.trail.mailed(peer, None, self.parts.now().wall);
                }
            }
            _ => {}
        }
    }

    fn hear_peer(&mut self, link: LinkId, peer: PeerId) {
        // Of a link that is gone already nothing is known.
        let across = self.links.get(&link).map_or(Reach::Public, |link| links::across(link.remote));
        self.heard.said(peer, across, |peer| self.state.contact(peer).is_some());
    }

    /// Commit, then look up, send and tell.
    async fn finish_turn(&mut self, mut decision: Decision) {
        let committed = match self.state.conclude(&mut decision) {
            Ok(changes) if changes.is_empty() => Ok(Committed::default()),
            Ok(changes) => self.parts.store.commit(changes).await,
            Err(error) => Err(error),
        };
        match committed {
            Ok(receipt) => {
                let (asks, effects) = decision.release(&receipt);
                asks.into_iter().for_each(|ask| self.look_up(ask));
                effects.into_iter().for_each(|effect| self.carry_out(effect));
                self.trail.settle(&self.state, self.parts.now());
            }
            Err(error) => {
                drop(decision);
                self.start_over(&error).await;
            }
        }
        for look in std::mem::take(&mut self.looks) {
            look(Ok(View { state: &self.state, trail: &self.trail, links: &self.links }));
        }
    }

    /// The turn is not durable: nothing of it is sent or told, its callers get the error, and the state is read again.
    async fn start_over(&mut self, error: &StorageError) {
        tracing::error!(%error, "a turn could not be made durable; reading the profile again");
        self.fail_all(error);
        self.links.clear();
        self.posts.clear();
        self.mails.clear();
        self.dials.clear();
        self.pending.clear();
        self.tasks.shutdown().await;
        loop {
            match reload(&self.parts, self.state.me().clone()).await {
                Ok(state) => {
                    self.state = state;
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "the profile cannot be read");
                    sleep(RELOAD_EVERY).await;
                    self.refuse_waiting(&error);
                }
            }
        }
    }

    /// Answers every caller, and those who are waiting in the inbox meanwhile.
    fn refuse_waiting(&mut self, error: &NodeError) {
        while let Ok(inbound) = self.inbox.try_recv() {
            match inbound {
                Inbound::Command { reply, .. } => {
                    let _ = reply.send(Err(CommandError::NotDurable(error.to_string())));
                }
                Inbound::Look(look) => look(Err(error)),
                // Callers will call again; what came from links and tasks that are gone means nothing any more.
                Inbound::Accepted(_)
                | Inbound::Secured(_)
                | Inbound::Dialled(_)
                | Inbound::Ended { .. }
                | Inbound::Found { .. }
                | Inbound::Mail(_)
                | Inbound::NotPosted { .. }
                | Inbound::Input(_) => {}
            }
        }
    }

    fn fail_all(&mut self, error: &StorageError) {
        for (_, reply) in std::mem::take(&mut self.replies) {
            let _ = reply.send(Err(CommandError::NotDurable(error.to_string())));
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Send { link, frame } => {
                if let Frame::Goodbye { reason: Reason::Refused(word) } = &frame {
                    self.trail.refused(link, word, self.parts.now().wall);
                }
                if !self.post(link, &frame) {
                    self.transmit(link, &frame);
                }
            }
            // The link's task sends what it still has, says goodbye and ends.
            Effect::Close(link) => {
                self.links.remove(&link);
                self.posts.remove(&link);
            }
            Effect::OpenPost { link, peer, letterbox } => self.open_post(link, peer, letterbox),
            Effect::Take(mail) => {
                if let Some(taken) = self.mails.remove(&mail) {
                    // Its collector may be gone, and brings it again.
                    let _ = taken.send(());
                }
            }
            Effect::Dial { peer, endpoints } => self.dial(peer, endpoints),
            Effect::CancelDial(peer) => {
                if let Some(dial) = self.dials.remove(&peer) {
                    dial.abort();
                }
            }
            Effect::Reply { id, outcome } => {
                if let Some(reply) = self.replies.remove(&id) {
                    // Whoever asked may have stopped waiting.
                    let _ = reply.send(outcome.map_err(CommandError::Refused));
                }
            }
            // Nobody may be listening.
            Effect::Tell(event) => drop(self.events.send(event)),
        }
    }

    /// Looks something up beside the turns; the answer is an input.
    fn look_up(&mut self, ask: Ask) {
        let (parts, inbox) = (Arc::clone(&self.parts), self.own_inbox.clone());
        self.tasks.spawn(async move {
            let inbound = match ask {
                Ask::Find { name, known } => {
                    let answer = parts.trackers.find(&name, &known).await;
                    Inbound::Found { name, answer }
                }
                Ask::Queued { load, peer, limit } => {
                    let entries = parts.store.queued(peer, limit).await.ok().map(Loaded::Queued);
                    Inbound::Input(Input::Loaded { load, entries })
                }
                Ask::Logged { load, peer, epoch, range, limit } => {
                    let entries = parts.store.logged(peer, epoch, range, limit).await.ok().map(Loaded::Logged);
                    Inbound::Input(Input::Loaded { load, entries })
                }
            };
            // The driver outlives its tasks.
            let _ = inbox.send(inbound).await;
        });
    }
}

async fn reload(parts: &Parts, me: Me) -> Result<State, NodeError> {
    let mut snapshot = parts.store.load().await?;
    let keyring = parts.keyring(&mut snapshot)?;
    if me.record.record().pre_keys != Some(keyring.pre_keys()) {
        let reason = "the keys are not those that this node has published".to_owned();
        return Err(StorageError::Damaged { reason }.into());
    }
    Ok(State::new(me, keyring, snapshot, *random()?, parts.now()).receiving(parts.inbound))
}
