//! One node's mind: who it knows, what it says and hears, and what it does about links that come and go.

mod commands;
mod dials;
mod flow;
mod links;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::clock::Now;
use crate::identity::{PeerId, Username};
use crate::message::Epoch;
use crate::record::SignedRecord;
use crate::storage::{Change, Contact, Snapshot};

use super::decision::{Decision, LoadId, Refusal};
use super::draw::Draw;
use super::input::{Command, CommandId, Input, LinkId};
use super::log::Talk;
use super::presence::{Dial, LinkState, Phase, Presence, Waiter};

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
    draw: Draw,
    contacts: BTreeMap<PeerId, Contact>,
    /// The contacts that are not forgotten, by name.
    names: BTreeMap<Username, PeerId>,
    talks: BTreeMap<PeerId, Talk>,
    presences: BTreeMap<PeerId, Presence>,
    links: BTreeMap<LinkId, LinkState>,
    /// What the tracker is being asked, and what for.
    finds: BTreeMap<Username, Find>,
    loads: u64,
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
    /// A state from what is stored. `seed` must be fresh randomness, each time.
    pub fn new(me: Me, snapshot: Snapshot, seed: [u8; 32], now: Now) -> Self {
        let my_id = me.peer_id;
        let names = snapshot.contacts.iter().filter(|contact| !contact.forgotten);
        let mut state = Self {
            me,
            draw: Draw::new(seed),
            names: names.map(|contact| (contact.name.clone(), contact.peer_id)).collect(),
            contacts: snapshot.contacts.into_iter().map(|contact| (contact.peer_id, contact)).collect(),
            talks: snapshot.logs.into_iter().map(|logs| (logs.peer, Talk::load(my_id, logs))).collect(),
            presences: BTreeMap::new(),
            links: BTreeMap::new(),
            finds: BTreeMap::new(),
            loads: 0,
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
            Input::Wake => self.wake(now, out),
        }
    }

    /// When to be woken, on the clock of [`Now::mono`], if nothing happens before.
    pub fn next_deadline(&self) -> Option<Duration> {
        let links = self.links.values().filter_map(LinkState::deadline);
        let dials = self.presences.values().filter_map(|presence| match presence.dial {
            Dial::Waiting(until) => Some(until),
            Dial::Idle | Dial::Finding | Dial::Dialling => None,
        });
        let waiters = self.presences.values().flat_map(|presence| presence.waiters.iter());
        let waiters = waiters.chain(self.finds.values().flat_map(|find| find.connects.iter()));
        links.chain(dials).chain(waiters.map(|waiter| waiter.until)).min()
    }

    /// Who the node itself is.
    pub const fn me(&self) -> &Me {
        &self.me
    }

    /// The contacts with a live link, by name.
    pub fn connected(&self) -> Vec<Username> {
        let up = self.presences.iter().filter(|(_, presence)| presence.active.is_some());
        let mut names: Vec<_> = up.filter_map(|(peer, _)| Some(self.contacts.get(peer)?.name.clone())).collect();
        names.sort();
        names
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

    /// Whether a key is pinned for this name.
    pub fn knows(&self, name: &Username) -> bool {
        self.names.contains_key(name)
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
            self.drop_link(link, now, out);
        }
        self.expire_waiters(now, out);
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
        self.names.get(name).copied()
    }

    fn is_known(&self, peer: PeerId) -> bool {
        self.contacts.get(&peer).is_some_and(|contact| !contact.forgotten)
    }

    fn is_up(&self, peer: PeerId) -> bool {
        self.presences.get(&peer).is_some_and(|presence| presence.active.is_some())
    }

    fn put_contact(&mut self, contact: Contact, out: &mut Decision) {
        if contact.forgotten {
            self.names.remove(&contact.name);
        } else {
            self.names.insert(contact.name.clone(), contact.peer_id);
        }
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
            Command::ForgetKey(name) => self.forget_key(id, &name, now, out),
            Command::Announce(record) => self.announce(id, record, out),
            Command::Stop => self.stop(id, now, out),
        }
    }
}
