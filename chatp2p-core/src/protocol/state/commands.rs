//! What users ask for.

use crate::clock::Now;
use crate::identity::{PeerId, Username};
use crate::message::{Body, Delivery, Entry, EntryId, MAX_TEXT_BYTES, Message};
use crate::record::SignedRecord;
use crate::storage::{Change, Contact};

use super::super::contacts::ContactRefusal;
use super::super::decision::{Decision, Outcome, Refusal};
use super::super::event::Event;
use super::super::input::{CommandId, LinkId};
use super::super::log::Next;
use super::super::presence::{CONNECT_TIMEOUT, MAX_WAITERS, Waiter};
use super::super::wire::Reason;
use super::State;

impl State {
    pub(super) fn connect(&mut self, id: CommandId, name: Username, now: Now, out: &mut Decision) {
        if name == self.me.username {
            return out.reply(id, Err(Refusal::Oneself));
        }
        if self.by_name(&name).is_some_and(|peer| self.is_up(peer)) {
            return out.reply(id, Ok(Outcome::Done));
        }
        let contact = self.by_name(&name).and_then(|peer| self.contacts.get(&peer));
        if let Some(contact) = contact.filter(|contact| contact.blocked) {
            return out.reply(id, Err(ContactRefusal::Blocked(contact.name.clone()).into()));
        }
        let (contact, name) = match contact {
            Some(contact) => (Some(contact.peer_id), contact.name_at_tracker().clone()),
            None => (None, name),
        };
        let find = self.find_mut(&name, out);
        if find.connects.len() == MAX_WAITERS {
            return out.reply(id, Err(Refusal::Unreachable("too many are waiting for this peer".to_owned())));
        }
        find.connects.push(Waiter { command: id, until: now.mono + CONNECT_TIMEOUT, contact });
    }

    pub(super) fn disconnect(&mut self, id: CommandId, name: &Username, now: Now, out: &mut Decision) {
        let Some(peer) = self.by_name(name).filter(|peer| self.is_up(*peer)) else {
            return out.reply(id, Err(Refusal::NotConnected));
        };
        self.set_wanted(peer, false, out);
        self.leave_all(peer, &Reason::Disconnected, now, out);
        out.reply(id, Ok(Outcome::Done));
    }

    pub(super) fn send(&mut self, id: CommandId, to: Username, text: String, now: Now, out: &mut Decision) {
        let Some(contact) = self.by_name(&to).and_then(|peer| self.contacts.get(&peer)) else {
            return out.reply(id, Err(Refusal::NotConnected));
        };
        let (peer, to) = (contact.peer_id, contact.name.clone());
        if contact.blocked {
            return out.reply(id, Err(ContactRefusal::Blocked(to).into()));
        }
        let entry = match self.compose(text, now) {
            Ok(entry) => entry,
            Err(refusal) => return out.reply(id, Err(refusal)),
        };
        if !self.talk(peer).has_room_for(entry.weight()) {
            return out.reply(id, Err(Refusal::OutboxFull(to)));
        }
        let name = entry.id;
        let delivery = if self.is_up(peer) { Delivery::Sent } else { Delivery::Queued };
        self.tell_written(to, &entry, delivery, out);
        self.say(peer, entry, now, out);
        self.consider_dialling(peer, now.mono);
        self.start_dial_if_due(peer, now, out);
        self.consider_mailing(peer, now, out);
        out.reply(id, Ok(Outcome::Sent { id: name, delivery }));
    }

    pub(super) fn broadcast(&mut self, id: CommandId, text: &str, now: Now, out: &mut Decision) {
        let up: Vec<(PeerId, Username)> = self
            .presences
            .iter()
            .filter(|(_, presence)| presence.active.is_some())
            .filter_map(|(peer, _)| Some((*peer, self.contacts.get(peer)?.name.clone())))
            .collect();
        if up.is_empty() {
            return out.reply(id, Err(Refusal::NotConnected));
        }
        let mut entries = Vec::with_capacity(up.len());
        for (peer, name) in up {
            let entry = match self.compose(text.to_owned(), now) {
                Ok(entry) => entry,
                Err(refusal) => return out.reply(id, Err(refusal)),
            };
            if !self.talk(peer).has_room_for(entry.weight()) {
                return out.reply(id, Err(Refusal::OutboxFull(name)));
            }
            entries.push((peer, name, entry));
        }
        let mut ids = std::collections::BTreeMap::<Username, EntryId>::new();
        for (peer, name, entry) in entries {
            ids.insert(name.clone(), entry.id);
            self.tell_written(name, &entry, Delivery::Sent, out);
            self.say(peer, entry, now, out);
        }
        out.reply(id, Ok(Outcome::Broadcast(ids)));
    }

    fn compose(&mut self, text: String, now: Now) -> Result<Entry, Refusal> {
        if text.len() > MAX_TEXT_BYTES {
            return Err(Refusal::TextTooLarge);
        }
        Ok(Entry { id: self.draw.entry_id(), written: now.wall, body: Body::Text(text) })
    }

    fn tell_written(&self, to: Username, entry: &Entry, delivery: Delivery, out: &mut Decision) {
        let Body::Text(content) = entry.body.clone();
        let from = self.me.username.clone();
        out.tell(Event::Written(Message { id: entry.id, from, to, content, written: entry.written, delivery }));
    }

    /// Puts an entry into the outbox, and on the link at once if nothing is before it.
    fn say(&mut self, peer: PeerId, entry: Entry, now: Now, out: &mut Decision) {
        let link = self.ready_link(peer, entry.weight());
        let placed = link.and_then(|link| self.place_and_send(peer, link, &entry, now, out));
        if let Some((place, ciphertext)) = placed {
            out.change(Change::Queue { peer, entry, place: Some(place), ciphertext: Some(ciphertext) });
        } else {
            self.talk(peer).queue(entry.weight());
            out.change(Change::Queue { peer, entry, place: None, ciphertext: None });
            self.pump(peer, out);
        }
    }

    /// The link on which an entry can go right now, with nothing before it.
    fn ready_link(&self, peer: PeerId, weight: usize) -> Option<LinkId> {
        let presence = self.presences.get(&peer).filter(|presence| presence.loading.is_none())?;
        let outlet = presence.outlet();
        let link = self.links.get(&outlet?)?;
        let idle = match self.talks.get(&peer) {
            Some(talk) => talk.can_place() && talk.next(link.cursor) == Next::Nothing,
            None => true,
        };
        if idle && link.in_flight.has_room_for(weight) { outlet } else { None }
    }

    pub(super) fn forget_key(&mut self, id: CommandId, name: &Username, now: Now, out: &mut Decision) {
        let Some(contact) = self.by_name(name).and_then(|peer| self.contacts.get(&peer)).cloned() else {
            return out.reply(id, Err(Refusal::UnknownPeer));
        };
        let peer = contact.peer_id;
        self.leave_all(peer, &Reason::Disconnected, now, out);
        self.give_up_dialling(peer, out);
        self.presented.remove(&peer);
        out.tell(Event::KeyForgotten(contact.name.clone()));
        self.put_contact(Contact { wanted: false, forgotten: true, verified: false, ..contact }, out);
        out.reply(id, Ok(Outcome::Done));
    }

    pub(super) fn announce(&mut self, id: CommandId, record: SignedRecord, out: &mut Decision) {
        if record.record().seq > self.me.record.record().seq {
            out.change(Change::Seq(record.record().seq));
            self.me.record = record;
        }
        out.reply(id, Ok(Outcome::Done));
    }

    pub(super) fn stop(&mut self, id: CommandId, now: Now, out: &mut Decision) {
        self.stopping.get_or_insert_default().push(id);
        let peers: Vec<PeerId> = self.presences.keys().copied().collect();
        for peer in peers {
            self.leave_all(peer, &Reason::Stopped, now, out);
            self.give_up_dialling(peer, out);
        }
        self.reply_if_stopped(out);
    }

    /// Answers those who wait for the node to stop, once the last link is gone.
    pub(super) fn reply_if_stopped(&mut self, out: &mut Decision) {
        if let Some(waiting) = self.stopping.as_mut()
            && self.links.is_empty()
        {
            for id in waiting.drain(..) {
                out.reply(id, Ok(Outcome::Done));
            }
        }
    }
}
