//! The flow of entries and acknowledgements on links that are up.

use crate::clock::Now;
use crate::code::Code;
use crate::crypto::Ciphertext;
use crate::identity::PeerId;
use crate::message::{Body, Delivery, Entry, EntryId, Message, Position};
use crate::record::PreKeys;
use crate::storage::{Change, LoadLimit, LoggedEntry};

use super::super::decision::{Ask, Decision, LoadId};
use super::super::event::Event;
use super::super::input::{LinkId, Loaded};
use super::super::log::{Next, Verdict};
use super::super::presence::{Flying, Phase};
use super::super::wire::{Content, Frame, LogEntry};
use super::State;

/// The most entries of one reading from the store, and their bytes: enough to keep a link busy while the next comes.
const LOAD: LoadLimit = LoadLimit { entries: 256, bytes: 1 << 20 };

/// What became of an entry.
pub(super) enum Taken {
    /// It is here now, and this is where its epoch stands.
    Now(Position),
    /// It was here already; the same.
    Before(Position),
    /// It is the next one and cannot be read.
    Unreadable,
    /// Something before it is missing.
    Gap,
}

impl State {
    /// Goes on where the other end of the active link says it is.
    pub(super) fn resume(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get(&link) else { return };
        let peer = state.peer;
        let have = state.have.clone().unwrap_or_default();
        let after = self.talk(peer).resume(&have);
        if let Some(position) = after {
            self.note_acknowledged(peer, position, out);
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.cursor = after;
            state.in_flight.clear();
            state.progress = now.mono;
        }
        // What is being loaded was asked for from another place.
        self.presence(peer).loading = None;
        self.pump(peer, out);
    }

    /// Sees to it that what can be sent is sent.
    pub(super) fn pump(&mut self, peer: PeerId, out: &mut Decision) {
        let Some(presence) = self.presences.get(&peer).filter(|presence| presence.loading.is_none()) else { return };
        let Some(link) = presence.outlet().and_then(|link| self.links.get(&link)) else { return };
        let (entries, bytes) = link.in_flight.room();
        if !link.in_flight.is_empty() && (entries == 0 || bytes == 0) {
            return;
        }
        let limit = LoadLimit { entries: LOAD.entries.min(entries.max(1)), bytes: LOAD.bytes.min(bytes.max(1)) };
        let cursor = link.cursor;
        let next = self.talk(peer).next(cursor);
        let load = self.next_load();
        match next {
            Next::Nothing => return,
            Next::Queued => out.ask(Ask::Queued { load, peer, limit }),
            Next::Logged { epoch, first, last } => {
                out.ask(Ask::Logged { load, peer, epoch, range: first..=last, limit });
            }
        }
        self.presence(peer).loading = Some(load);
    }

    pub(super) fn loaded(&mut self, load: LoadId, entries: Option<Loaded>, now: Now, out: &mut Decision) {
        let waiting = self.presences.iter().find(|(_, presence)| presence.loading == Some(load));
        let Some((peer, link)) = waiting.and_then(|(peer, presence)| Some((*peer, presence.outlet()?))) else { return };
        self.presence(peer).loading = None;
        let (all_sent, last) = match entries {
            Some(Loaded::Queued(entries)) => self.send_queued(peer, link, entries, now, out),
            Some(Loaded::Logged(entries)) => self.send_again(peer, link, entries, now, out),
            // The store refused to read. The link is given up, and tried again after the back-off.
            None => return self.drop_link(link, now, out),
        };
        if let (true, Some(name), Some(through)) = (self.is_up(peer), self.contact_name(peer), last) {
            out.tell(Event::Sent { peer: name, through });
        }
        // Where there was no room, the next acknowledgement makes some.
        if all_sent {
            self.pump(peer, out);
        }
    }

    /// Says whether all of them were sent, and which was the last.
    fn send_queued(
        &mut self,
        peer: PeerId,
        link: LinkId,
        entries: Vec<Entry>,
        now: Now,
        out: &mut Decision,
    ) -> (bool, Option<EntryId>) {
        let mut last = None;
        for entry in entries {
            if !self.has_room(link, entry.weight()) {
                return (false, last);
            }
            let (id, weight) = (entry.id, entry.weight());
            let Some((place, ciphertext)) = self.place_and_send(peer, link, &entry, now, out) else {
                return (false, last);
            };
            self.talk(peer).unqueue(weight);
            last = Some(id);
            out.change(Change::Place { peer, id, place, ciphertext: Some(ciphertext) });
        }
        (last.is_some(), last)
    }

    fn has_room(&self, link: LinkId, weight: usize) -> bool {
        self.links.get(&link).is_some_and(|state| state.in_flight.has_room_for(weight))
    }

    /// Says whether all of them were sent, and which was the last that is not erased.
    fn send_again(
        &mut self,
        peer: PeerId,
        link: LinkId,
        entries: Vec<LoggedEntry>,
        now: Now,
        out: &mut Decision,
    ) -> (bool, Option<EntryId>) {
        let Some(mut cursor) = self.links.get(&link).map(|state| state.cursor) else { return (false, None) };
        let (some, mut last) = (!entries.is_empty(), None);
        for logged in entries {
            let weight = logged.entry.as_ref().map_or(0, Entry::weight);
            let Next::Logged { epoch, first, .. } = self.talk(peer).next(cursor) else { return (false, last) };
            if first != logged.n || !self.has_room(link, weight) {
                return (false, last);
            }
            let (n, hash) = (logged.n, logged.hash);
            let id = logged.entry.as_ref().map(|entry| entry.id);
            let slot = self.talk(peer).slot(cursor, epoch, n);
            let content = logged.entry.map_or(Content::Erased(hash), Content::Entry);
            let Ok(ciphertext) = self.write_again(peer, link, slot, content, logged.ciphertext, out) else {
                self.refuse(link, Code::KeysUnusable, now, out);
                return (false, last);
            };
            last = id.or(last);
            cursor = Some(Position { epoch, n, hash });
            self.transmit(link, slot.entry(ciphertext), cursor, weight, now, out);
        }
        (some, last)
    }

    /// Gives an entry its place and hands it to a link, encrypted. The caller makes the place and the ciphertext durable.
    /// `None` when it cannot be encrypted for that peer; the link is refused then.
    pub(super) fn place_and_send(
        &mut self,
        peer: PeerId,
        link: LinkId,
        entry: &Entry,
        now: Now,
        out: &mut Decision,
    ) -> Option<(Position, Ciphertext)> {
        let me = self.me.peer_id;
        let talk = self.talks.entry(peer).or_insert_with(|| super::Talk::new(me, peer));
        let slot = talk.next_slot(&mut self.draw);
        let weight = entry.weight();
        let Ok(ciphertext) = self.write(peer, link, slot, Content::Entry(entry.clone())) else {
            self.refuse(link, Code::KeysUnusable, now, out);
            return None;
        };
        let position = self.talk(peer).place(entry, slot);
        self.transmit(link, slot.entry(ciphertext.clone()), Some(position), weight, now, out);
        Some((position, ciphertext))
    }

    fn transmit(
        &mut self,
        link: LinkId,
        entry: LogEntry,
        cursor: Option<Position>,
        weight: usize,
        now: Now,
        out: &mut Decision,
    ) {
        if let Some(state) = self.links.get_mut(&link) {
            if state.in_flight.is_empty() {
                state.progress = now.mono;
            }
            let LogEntry { epoch, n, .. } = entry;
            let (ciphertext, session) = (entry.ciphertext.hash(), entry.ciphertext.session);
            state.in_flight.push(Flying { epoch, n, weight, ciphertext, session });
            state.cursor = cursor;
            out.send(link, Frame::Entry(entry));
            let peer = state.peer;
            self.note_handed(peer, link, cursor);
        }
    }

    pub(super) fn acknowledged(&mut self, link: LinkId, position: Position, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let peer = state.peer;
        let Some((talk, position)) = self.talks.get(&peer).and_then(|talk| Some((talk, talk.meet(position)?))) else {
            return;
        };
        if state.in_flight.arrived(|epoch, n| talk.is_sent(epoch, n, position)) {
            state.progress = now.mono;
            state.unreadable = 0;
            self.presences.entry(peer).or_default().fruitless = 0;
        }
        let over = matches!(state.phase, Phase::Leaving(_)) && state.in_flight.is_empty();
        self.note_acknowledged(peer, position, out);
        if over {
            // This end was only waiting for that.
            self.drop_link(link, now, out);
        } else {
            self.pump(peer, out);
        }
    }

    pub(super) fn note_acknowledged(&mut self, peer: PeerId, position: Position, out: &mut Decision) {
        if let Some(last) = self.talk(peer).acknowledge(position) {
            self.post_got_through(peer);
            if let Some(state) = self.active_link(peer).and_then(|link| self.links.get_mut(&link)) {
                state.rewinds = 0;
            }
            out.change(Change::Acknowledged { peer, position });
            if let Some(name) = self.contact_name(peer) {
                out.tell(Event::Delivered { peer: name, through: last.id });
            }
        }
    }

    pub(super) fn entry(&mut self, link: LinkId, entry: &LogEntry, now: Now, out: &mut Decision) {
        let Some((peer, Some(keys))) = self.links.get(&link).map(|state| (state.peer, state.keys)) else { return };
        if !self.is_known(peer) || self.is_blocked(peer) {
            // Refused, blocked or forgotten, and talking on until the link is closed.
            return;
        }
        match self.take(peer, &keys.pre_keys, entry, out) {
            Taken::Now(position) => {
                if let Some(state) = self.links.get_mut(&link) {
                    state.unreadable = 0;
                }
                self.presence(peer).fruitless = 0;
                out.ack(link, position);
            }
            Taken::Before(position) => out.ack(link, position),
            Taken::Unreadable => self.unreadable(peer, link, entry, now, out),
            Taken::Gap => self.ask_to_go_on(link, peer, out),
        }
    }

    /// Takes the next entry of a contact's log, whichever way it came.
    pub(super) fn take(&mut self, peer: PeerId, keys: &PreKeys, entry: &LogEntry, out: &mut Decision) -> Taken {
        match self.talk(peer).judge(entry) {
            Verdict::Next => {
                let Some(content) = self.read(peer, keys, entry) else { return Taken::Unreadable };
                let position = self.talk(peer).position(entry, &content);
                self.talk(peer).advance(position);
                match content {
                    Content::Entry(entry) => self.receive(peer, entry, position, out),
                    Content::Erased(_) => out.change(Change::Skipped { peer, position }),
                }
                Taken::Now(position)
            }
            Verdict::Repeat(position) => Taken::Before(position),
            Verdict::Gap => Taken::Gap,
        }
    }

    pub(super) fn receive(&mut self, peer: PeerId, entry: Entry, position: Position, out: &mut Decision) {
        if let Some(name) = self.contact_name(peer) {
            let Body::Text(content) = entry.body.clone();
            let message = Message {
                id: entry.id,
                from: name,
                to: self.me.username.clone(),
                content,
                written: entry.written,
                delivery: Delivery::Delivered,
            };
            out.tell_received(peer, entry.id, Event::Message(message));
        }
        out.change(Change::Received { peer, entry, position });
    }

    /// Asks the other end to go on from where its log stands here; once for all that comes beyond the same gap.
    pub(super) fn ask_to_go_on(&mut self, link: LinkId, peer: PeerId, out: &mut Decision) {
        let have = self.talk(peer).have();
        if let Some(state) = self.links.get_mut(&link)
            && state.asked_at.as_ref() != Some(&have)
        {
            state.asked_at = Some(have.clone());
            out.send(link, Frame::Greeting { have, offer: None, watchword: None });
        }
    }
}
