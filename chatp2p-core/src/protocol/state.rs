//! One node's mind: who it knows, what it says and hears, and what it does about links that come and go.

mod collected;
mod commands;
mod contacts;
mod dials;
mod flow;
mod healing;
mod letters;
mod links;
mod mail;
mod names;
mod reading;
mod requests;
mod seeking;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Now;
use crate::crypto::Keyring;
use crate::identity::{PeerId, Username};
use crate::message::{Epoch, MAX_TEXT_BYTES};
use crate::record::{PreKeys, SignedRecord};
use crate::storage::{Change, Contact, Request, Snapshot, StorageError};

use super::contacts::Inbound;
use super::decision::{Decision, LoadId, Refusal};
use super::draw::Draw;
use super::input::{Command, CommandId, Input, LinkId};
use super::log::Talk;
use super::presence::{Dial, LinkState, MAIL_AGAIN, Phase, Presence, Waiter};
use super::wire::Reason;

use names::Names;

/// Who the node itself is.
#[derive(Debug, Clone)]
pub struct Me {
    /// Its key.
    pub peer_id: PeerId,
    /// The name it goes by.
    pub username: Username,
    /// What it shows to others about itself.
    pub record: SignedRecord,
}

/// All that a node knows, as far as it must be in memory to decide.
///
/// Never blocks and never fails: a refusal is a reply. If a commit fails, drop the state and load it anew.
#[derive(Debug)]
pub struct State {
    me: Me,
    keyring: Keyring,
    draw: Draw,
    contacts: BTreeMap<PeerId, Contact>,
    names: Names,
    /// By the pinned key: which other one was seen last under its name.
    presented: BTreeMap<PeerId, PeerId>,
    inbound: Inbound,
    requests: BTreeMap<PeerId, Request>,
    /// Whether it was told that there is no room for requests.
    told_full: bool,
    /// Whether nobody is told what was read.
    hides_reading: bool,
    talks: BTreeMap<PeerId, Talk>,
    presences: BTreeMap<PeerId, Presence>,
    links: BTreeMap<LinkId, LinkState>,
    /// What the tracker is being asked, and what for.
    finds: BTreeMap<Username, Find>,
    loads: u64,
    mail_again: Duration,
    /// Set once the node is told to stop: who waits for the last goodbyes.
    stopping: Option<Vec<CommandId>>,
}

/// What the answer of the tracker is wanted for.
#[derive(Debug, Default)]
struct Find {
    /// Somebody wants to connect.
    connects: Vec<Waiter>,
    /// A contact is to be dialled.
    dial: Option<PeerId>,
    /// A stranger goes by this name.
    judges: BTreeSet<LinkId>,
}

impl State {
    /// A state from what is stored, with the keyring that was read from the same snapshot. `seed` must be fresh
    /// randomness, each time.
    pub fn new(me: Me, keyring: Keyring, snapshot: Snapshot, seed: [u8; 32], now: Now) -> Self {
        let my_id = me.peer_id;
        // What was asked for in a life before this one is never taken for what this one asks.
        let [a, b, c, d, ..] = seed;
        let loads = u64::from(u32::from_le_bytes([a, b, c, d])) << 32;
        let mut names = Names::default();
        snapshot.contacts.iter().for_each(|contact| names.insert(contact));
        let mut state = Self {
            me,
            keyring,
            draw: Draw::new(seed),
            names,
            presented: BTreeMap::new(),
            inbound: Inbound::default(),
            requests: snapshot.requests.into_iter().map(|request| (request.peer_id, request)).collect(),
            told_full: false,
            hides_reading: snapshot.hides_reading,
            contacts: snapshot.contacts.into_iter().map(|contact| (contact.peer_id, contact)).collect(),
            talks: snapshot.logs.into_iter().map(|logs| (logs.peer, Talk::load(my_id, logs))).collect(),
            presences: BTreeMap::new(),
            links: BTreeMap::new(),
            finds: BTreeMap::new(),
            loads,
            mail_again: MAIL_AGAIN,
            stopping: None,
        };
        let contacts: Vec<PeerId> = state.contacts.keys().copied().collect();
        for peer in contacts {
            state.consider_dialling(peer, now.mono);
        }
        state
    }

    /// Takes in one thing that happened. The decision collects; a turn may be many inputs.
    pub fn handle(&mut self, input: Input, now: Now, out: &mut Decision) {
        match input {
            Input::Command { id, command } => self.command(id, command, now, out),
            Input::Found { name, answer } => self.found(&name, &answer, now, out),
            Input::LinkUp { link, peer, dialled } => self.link_up(link, peer, dialled, now, out),
            Input::Frame { link, frame } => self.frame(link, frame, now, out),
            Input::LinkDown(link) => self.remove_link(link, now, out),
            Input::DialFailed { peer, reason } => self.dial_failed(peer, &reason, now, out),
            Input::Loaded { load, entries } => self.loaded(load, entries, now, out),
            Input::Mail { mail, from, frames } => self.mail(mail, *from, frames, now, out),
            Input::Posted { link, entries } => self.posted(link, entries, now, out),
            Input::NotPosted(link) => self.not_posted(link, now, out),
            Input::Doubt => self.doubt(now),
            Input::Wake => self.wake(now, out),
        }
    }

    /// What must be durable before anything else of a turn happens: all that was decided, and the keys that were used.
    ///
    /// # Errors
    /// [`StorageError::Damaged`] when the keys cannot be written down. As with a commit that fails, the state is of no use
    /// any more.
    pub fn conclude(&mut self, decision: &mut Decision) -> Result<Vec<Change>, StorageError> {
        let mut changes = decision.take_changes();
        let keys = self.keyring.take_changes().map_err(|error| StorageError::Damaged { reason: error.to_string() })?;
        changes.extend(keys.into_iter().map(Change::Keys));
        Ok(changes)
    }

    /// When to be woken, on the clock of [`Now::mono`], if nothing happens before.
    pub fn next_deadline(&self) -> Option<Duration> {
        let links = self.links.values().filter_map(LinkState::deadline);
        let dials = self.presences.values().filter_map(|presence| match presence.dial {
            Dial::Waiting(until) => Some(until),
            Dial::Idle | Dial::Finding | Dial::Dialling => None,
        });
        let posts = self.presences.values().filter_map(|presence| presence.post.as_ref()?.rests);
        let waiters = self.presences.values().flat_map(|presence| presence.waiters.iter());
        let waiters = waiters.chain(self.finds.values().flat_map(|find| find.connects.iter()));
        links.chain(dials).chain(posts).chain(waiters.map(|waiter| waiter.until)).min()
    }

    /// Who the node itself is.
    pub const fn me(&self) -> &Me {
        &self.me
    }

    /// What the node's record says about its keys.
    pub fn pre_keys(&self) -> PreKeys {
        self.keyring.pre_keys()
    }

    /// The contacts with a live link, by name.
    pub fn connected(&self) -> Vec<Username> {
        let up = self.presences.iter().filter(|(_, presence)| presence.active.is_some());
        let mut names: Vec<_> = up.filter_map(|(peer, _)| Some(self.contacts.get(peer)?.name.clone())).collect();
        names.sort();
        names
    }

    /// Whether there is a live link to this peer.
    pub fn is_connected(&self, peer: PeerId) -> bool {
        self.is_up(peer)
    }

    /// The link on which entries go to this peer.
    pub fn active_link(&self, peer: PeerId) -> Option<LinkId> {
        self.presences.get(&peer)?.active
    }

    /// Whether this peer is being dialled, or will be again without anybody asking for it.
    pub fn is_trying(&self, peer: PeerId) -> bool {
        self.presences.get(&peer).is_some_and(|presence| presence.dial != Dial::Idle)
    }

    /// Whether the tracker is asked about this name in order to dial who goes by it.
    pub fn is_sought(&self, name: &Username) -> bool {
        self.finds.get(name).is_some_and(|find| !find.connects.is_empty() || find.dial.is_some())
    }

    /// How many entries wait for this peer to acknowledge them, how many bytes they are, and whether there is room for a text
    /// of the largest size.
    pub fn outbox(&self, peer: PeerId) -> (u64, u64, bool) {
        let Some(talk) = self.talks.get(&peer) else { return (0, 0, true) };
        let (entries, bytes) = talk.outbox();
        (entries, bytes, talk.has_room_for(MAX_TEXT_BYTES))
    }

    /// All contacts, the forgotten ones included.
    pub fn contacts(&self) -> impl Iterator<Item = &Contact> {
        self.contacts.values()
    }

    /// A contact by its key, also one that is forgotten.
    pub fn contact(&self, peer: PeerId) -> Option<&Contact> {
        self.contacts.get(&peer)
    }

    /// Whether the two ends of a link are still greeting each other.
    pub fn is_greeting(&self, link: LinkId) -> bool {
        let phase = self.links.get(&link).map(|link| link.phase);
        matches!(phase, Some(Phase::Hello | Phase::Judging | Phase::Greeted))
    }

    /// Whether nobody is told what was read.
    pub const fn hides_reading(&self) -> bool {
        self.hides_reading
    }

    /// Whether a key is pinned for this name.
    pub fn knows(&self, name: &Username) -> bool {
        self.names.here(name).is_some()
    }

    /// The contact that a user means by this name: who is known by it here, else who goes by it at the tracker.
    pub fn meant(&self, name: &Username) -> Option<&Contact> {
        self.contacts.get(&self.by_name(name)?)
    }

    /// Which other key was seen last under the name of this contact.
    pub fn presented(&self, peer: PeerId) -> Option<PeerId> {
        self.presented.get(&peer).copied()
    }

    /// Whether the entry at this place of my log was handed to the live link to this peer, or arrived before.
    pub fn is_sent(&self, peer: PeerId, epoch: Epoch, n: u64) -> bool {
        let sent = || {
            let link = self.links.get(&self.presences.get(&peer)?.active?)?;
            Some(self.talks.get(&peer)?.is_sent(epoch, n, link.cursor?))
        };
        sent().unwrap_or(false)
    }

    /// What deadlines ask for, now that some have passed.
    fn wake(&mut self, now: Now, out: &mut Decision) {
        let late: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, link)| link.deadline().is_some_and(|deadline| deadline <= now.mono))
            .map(|(id, _)| *id)
            .collect();
        for link in late {
            match self.links.get(&link).map(|state| state.phase) {
                // In good order, so that they do not dial again at once.
                Some(Phase::Knocking(_)) => self.leave(link, &Reason::Disconnected, now, out),
                Some(Phase::Posting(_)) => self.mail_again(link, now, out),
                _ => self.drop_link(link, now, out),
            }
        }
        self.expire_waiters(now, out);
        self.post_after_rest(now, out);
        let due: Vec<PeerId> = self
            .presences
            .iter()
            .filter(|(_, presence)| matches!(presence.dial, Dial::Waiting(until) if until <= now.mono))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in due {
            self.start_dial(peer, now, out);
        }
    }

    fn expire_waiters(&mut self, now: Now, out: &mut Decision) {
        let mut expired = Vec::new();
        let mut sort_out = |waiters: &mut Vec<Waiter>| {
            expired.extend(waiters.extract_if(.., |waiter| waiter.until <= now.mono));
        };
        self.presences.values_mut().for_each(|presence| sort_out(&mut presence.waiters));
        self.finds.values_mut().for_each(|find| sort_out(&mut find.connects));
        for waiter in expired {
            let reason = "no answer within ten seconds".to_owned();
            out.reply(waiter.command, Err(Refusal::Unreachable(reason)));
        }
    }

    fn presence(&mut self, peer: PeerId) -> &mut Presence {
        self.presences.entry(peer).or_default()
    }

    fn talk(&mut self, peer: PeerId) -> &mut Talk {
        let me = self.me.peer_id;
        self.talks.entry(peer).or_insert_with(|| Talk::new(me, peer))
    }

    /// A contact by name; those whose key was forgotten have none.
    fn by_name(&self, name: &Username) -> Option<PeerId> {
        self.names.find(name)
    }

    fn is_known(&self, peer: PeerId) -> bool {
        self.contacts.get(&peer).is_some_and(|contact| !contact.forgotten)
    }

    fn is_up(&self, peer: PeerId) -> bool {
        self.presences.get(&peer).is_some_and(|presence| presence.active.is_some())
    }

    fn put_contact(&mut self, contact: Contact, out: &mut Decision) {
        if let Some(old) = self.contacts.get(&contact.peer_id) {
            self.names.remove(old);
        }
        self.names.insert(&contact);
        out.change(Change::Contact(contact.clone()));
        self.contacts.insert(contact.peer_id, contact);
    }

    /// Notes whether a link to this contact is wished for.
    fn set_wanted(&mut self, peer: PeerId, wanted: bool, out: &mut Decision) {
        if let Some(contact) = self.contacts.get(&peer).filter(|contact| contact.wanted != wanted) {
            self.put_contact(Contact { wanted, ..contact.clone() }, out);
        }
    }

    fn next_load(&mut self) -> LoadId {
        self.loads += 1;
        LoadId(self.loads)
    }

    fn command(&mut self, id: CommandId, command: Command, now: Now, out: &mut Decision) {
        if self.stopping.is_some() && !matches!(command, Command::Stop) {
            return out.reply(id, Err(Refusal::Stopping));
        }
        match command {
            Command::Connect(name) => self.connect(id, name, now, out),
            Command::Disconnect(name) => self.disconnect(id, &name, now, out),
            Command::Send { to, text } => self.send(id, to, text, now, out),
            Command::Broadcast(text) => self.broadcast(id, &text, now, out),
            Command::Read { peer, through } => self.mark_read(id, peer, through, now, out),
            Command::HideReading(hide) => self.hide_reading(id, hide, out),
            Command::ForgetKey(name) => self.forget_key(id, &name, now, out),
            Command::Contact(command) => self.contact_command(id, command, now, out),
            Command::Announce(record) => self.announce(id, record, out),
            Command::Stop => self.stop(id, now, out),
        }
    }
}
