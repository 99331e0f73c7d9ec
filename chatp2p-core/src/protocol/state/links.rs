//! Links from the first frame to the last: who is behind them, when they are up, and how they end.

use crate::clock::Now;
use crate::code::Code;
use crate::crypto::TheirKeys;
use crate::identity::{PeerId, Username};
use crate::record::SignedRecord;
use crate::storage::Contact;

use super::super::decision::{Decision, Effect, Outcome, Refusal};
use super::super::event::Event;
use super::super::input::LinkId;
use super::super::log::Talk;
use super::super::presence::{
    Dial, LEAVE_TIMEOUT, LinkState, MAX_CONTACTS, MAX_LINKS, MAX_LINKS_OF_ONE, MAX_REWINDS, MAX_UNREADABLE, Phase,
    pause,
};
use super::super::wire::{Frame, Reason};
use super::State;

impl State {
    pub(super) fn link_up(&mut self, link: LinkId, peer: PeerId, dialled: bool, now: Now, out: &mut Decision) {
        if dialled {
            self.presence(peer).dial = Dial::Idle;
        }
        if self.stopping.is_some() || peer == self.me.peer_id || self.live_links() >= MAX_LINKS {
            out.close(link);
            if dialled {
                self.dial_failed(peer, "no more links can be had", now, out);
            }
            return;
        }
        let presence = self.presence(peer);
        let oldest = presence.links.iter().copied().find(|other| presence.active != Some(*other));
        if let Some(oldest) = oldest.filter(|_| presence.links.len() >= MAX_LINKS_OF_ONE) {
            self.drop_link(oldest, now, out);
        }
        self.links.insert(link, LinkState::new(peer, dialled, now.mono));
        self.presence(peer).links.insert(link);
        out.send(link, Frame::Hello { record: self.me.record.clone() });
    }

    fn live_links(&self) -> usize {
        self.links.values().filter(|link| !matches!(link.phase, Phase::Posting(_))).count()
    }

    pub(super) fn frame(&mut self, link: LinkId, frame: Frame, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        match (frame, state.phase) {
            (Frame::Hello { record }, Phase::Hello) => self.hello(link, record, now, out),
            (
                Frame::Greeting { have, offer, watchword },
                Phase::Judging | Phase::Knocking(_) | Phase::Greeted | Phase::Up,
            ) => {
                state.have = Some(have);
                state.seeking.watchword = watchword.or(state.seeking.watchword);
                let (peer, phase) = (state.peer, state.phase);
                self.take_offer(link, offer);
                match phase {
                    Phase::Greeted => self.up(link, now, out),
                    Phase::Up if self.presence(peer).active == Some(link) => self.go_on_from(link, now, out),
                    _ => {}
                }
            }
            (Frame::Entry(entry), Phase::Up | Phase::Left(_) | Phase::Leaving(_)) => {
                self.entry(link, &entry, now, out);
            }
            (Frame::Entry(entry), Phase::Knocking(_)) => self.first_words(link, &entry, now, out),
            (Frame::Nack(nack), Phase::Up | Phase::Left(_) | Phase::Leaving(_)) => self.nacked(link, &nack, now, out),
            (Frame::Ack(position), Phase::Up | Phase::Left(_) | Phase::Leaving(_)) => {
                self.acknowledged(link, position, now, out);
            }
            (Frame::Read(place), Phase::Up | Phase::Left(_) | Phase::Leaving(_)) => {
                let peer = state.peer;
                self.was_read(peer, place, out);
            }
            (Frame::Seek { salt, of }, Phase::Up) => self.sought(link, salt, of, now, out),
            (Frame::Records { records }, Phase::Up) => self.told_of(link, &records, out),
            (Frame::Goodbye { reason }, _) => self.goodbye(link, &reason, now, out),
            // What comes before its time or after it counts for nothing; whoever sent it will be asked to go on.
            (
                Frame::Hello { .. }
                | Frame::Greeting { .. }
                | Frame::Entry(_)
                | Frame::Ack(_)
                | Frame::Nack(_)
                | Frame::Read(_)
                | Frame::Seek { .. }
                | Frame::Records { .. },
                _,
            ) => {}
        }
    }

    fn hello(&mut self, link: LinkId, record: SignedRecord, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let (peer, dialled) = (state.peer, state.dialled);
        if record.record().peer_id != peer {
            return self.refuse(link, Code::NameUnproved, now, out);
        }
        let Some(pre_keys) = record.record().pre_keys.filter(|keys| self.keyring.understands(keys)) else {
            return self.refuse(link, Code::KeysUnusable, now, out);
        };
        let name = record.record().username.clone();
        state.keys = Some(TheirKeys { pre_keys, one_time: None });
        state.hello = Some(record);
        if self.is_blocked(peer) {
            return self.refuse(link, Code::Refused, now, out);
        }
        let expected = dialled && self.presence(peer).candidate.is_some();
        if self.is_known(peer) || expected {
            return self.greet(link, now, out);
        }
        if dialled {
            // The user has forgotten this peer in the meantime.
            return self.leave(link, &Reason::Disconnected, now, out);
        }
        if let Some(code) = self.rival(&name, peer, out) {
            return self.refuse(link, code, now, out);
        }
        if self.turn_away(link, peer, now, out) {
            return;
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Judging;
        }
        self.judge(link, &name, out);
    }

    /// Lets the other end in, as far as this end is concerned.
    pub(super) fn greet(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.phase = Phase::Greeted;
        let (peer, greeted) = (state.peer, state.have.is_some());
        let have = self.talks.get(&peer).map(Talk::have).unwrap_or_default();
        let offer = Some(self.keyring.offer(peer));
        let watchword = Some(self.keyring.watchword());
        out.send(link, Frame::Greeting { have, offer, watchword });
        if greeted {
            self.up(link, now, out);
        }
    }

    fn up(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get(&link) else { return };
        let (peer, hello) = (state.peer, state.hello.clone());
        if let Err(code) = self.pin(peer, hello, out) {
            return self.refuse(link, code, now, out);
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Up;
        }
        self.close_post(peer, out);
        let presence = self.presence(peer);
        presence.failures = 0;
        presence.candidate = None;
        let others: Vec<LinkId> = presence.links.iter().copied().filter(|other| *other != link).collect();
        let first = presence.active.is_none();
        if presence.dial == Dial::Dialling {
            out.effect(Effect::CancelDial(peer));
        }
        presence.dial = Dial::Idle;
        presence.active = Some(link);
        presence.loading = None;
        for waiter in std::mem::take(&mut presence.waiters) {
            out.reply(waiter.command, Ok(Outcome::Done));
        }
        if first && let Some(contact) = self.contacts.get(&peer) {
            out.tell(Event::PeerConnected(contact.name.clone()));
        }
        // One end decides which of two links stays, so that they cannot decide differently.
        if self.me.peer_id < peer {
            for other in others {
                self.leave(other, &Reason::Superseded, now, out);
            }
        } else {
            for other in others {
                if self.links.get(&other).is_some_and(|state| state.superseded) {
                    self.finish(other, now, out);
                }
            }
        }
        self.resume(link, now, out);
        self.tell_read(peer, out);
        self.begin_seeking(link, now, out);
    }

    /// Makes the other end of a link a contact, or notes what is new about it.
    fn pin(&mut self, peer: PeerId, hello: Option<SignedRecord>, out: &mut Decision) -> Result<(), Code> {
        let candidate = self.presence(peer).candidate.clone();
        let known = self.contacts.get(&peer).filter(|contact| !contact.forgotten);
        let name = match (known, &candidate, &hello) {
            (Some(contact), _, _) => contact.name.clone(),
            (None, Some((name, _)), _) => name.clone(),
            (None, None, Some(record)) => record.record().username.clone(),
            (None, None, None) => return Err(Code::NameUnproved),
        };
        if known.is_none() && !self.names.rivals(&name, peer).is_empty() {
            return Err(Code::KeyChanged);
        }
        if self.names.here(&name).is_some_and(|pinned| pinned != peer) {
            return Err(Code::NameTaken);
        }
        if self.contacts.len() >= MAX_CONTACTS && !self.contacts.contains_key(&peer) {
            return Err(Code::ContactsFull);
        }
        let old = known.and_then(|contact| contact.record.clone());
        let records = old.into_iter().chain(candidate.map(|(_, record)| record)).chain(hello);
        let record = records.max_by_key(|record| record.record().seq);
        let new = known.is_none();
        let contact = known.cloned().unwrap_or_else(|| Contact::new(peer, name));
        let contact = Contact { record, wanted: true, ..contact };
        if new || self.contacts.get(&peer) != Some(&contact) {
            self.put_contact(contact, out);
        }
        if new {
            self.settle_request(peer, out);
        }
        Ok(())
    }

    fn goodbye(&mut self, link: LinkId, reason: &Reason, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let peer = state.peer;
        match reason {
            Reason::Disconnected | Reason::Stopped => {
                self.set_wanted(peer, false, out);
                // Of an older link that still seems to be there the other end knows nothing any more.
                let older: Vec<LinkId> = self.presence(peer).links.range(..link).copied().collect();
                for other in older {
                    self.leave(other, &Reason::Superseded, now, out);
                }
            }
            // The goodbye may be faster than the last greeting of the link that is to stay. The other end still takes and
            // acknowledges what comes on this one, so that nobody has to hear of a peer that is gone for a moment.
            Reason::Superseded if self.is_needed(link) => {
                if let Some(state) = self.links.get_mut(&link) {
                    state.superseded = true;
                }
                return;
            }
            Reason::Superseded => {}
            Reason::Refused(code) => {
                let code = code.clone();
                for waiter in std::mem::take(&mut self.presence(peer).waiters) {
                    out.reply(waiter.command, Err(Refusal::Refused(code.clone())));
                }
                return self.drop_link(link, now, out);
            }
        }
        self.finish(link, now, out);
    }

    /// Whether this is the only link to its peer that is up, and another one is on the way.
    fn is_needed(&self, link: LinkId) -> bool {
        let Some(presence) = self.links.get(&link).and_then(|state| self.presences.get(&state.peer)) else {
            return false;
        };
        let up = |id: &LinkId| self.links.get(id).is_some_and(|state| state.phase == Phase::Up);
        presence.active == Some(link)
            && presence.links.len() > 1
            && !presence.links.iter().any(|id| *id != link && up(id))
    }

    /// Ends a link on which the other end has said goodbye.
    fn finish(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        let peer = state.peer;
        // The other end has said all it wants to say: this one may close as soon as its own entries have arrived.
        if state.in_flight.is_empty() || state.phase != Phase::Up {
            return self.drop_link(link, now, out);
        }
        state.phase = Phase::Leaving(now.mono + LEAVE_TIMEOUT);
        self.lost(peer, link, now, out);
    }

    /// Says goodbye on one link and keeps it open for the last acknowledgements.
    pub(super) fn leave(&mut self, link: LinkId, reason: &Reason, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        match state.phase {
            Phase::Left(_) | Phase::Leaving(_) => return,
            Phase::Posting(_) => return self.drop_link(link, now, out),
            _ => {}
        }
        let peer = state.peer;
        state.phase = Phase::Left(now.mono + LEAVE_TIMEOUT);
        out.send(link, Frame::Goodbye { reason: reason.clone() });
        self.lost(peer, link, now, out);
    }

    pub(super) fn leave_all(&mut self, peer: PeerId, reason: &Reason, now: Now, out: &mut Decision) {
        let links: Vec<LinkId> = self.presence(peer).links.iter().rev().copied().collect();
        // First those that are not in use, so that leaving the active one does not make another one active.
        let active = self.presence(peer).active;
        for link in links.iter().filter(|link| Some(**link) != active).chain(active.as_ref()) {
            self.leave(*link, reason, now, out);
        }
    }

    /// Closes a link and is done with it.
    pub(super) fn drop_link(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        if self.links.contains_key(&link) {
            out.close(link);
            self.remove_link(link, now, out);
        }
    }

    pub(super) fn remove_link(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some(state) = self.links.remove(&link) else { return };
        let peer = state.peer;
        if matches!(state.phase, Phase::Posting(_)) {
            return self.rest_post(peer, now);
        }
        let presence = self.presence(peer);
        presence.links.remove(&link);
        presence.fruitless += u32::from(state.refused || state.unreadable >= MAX_UNREADABLE);
        self.lost(peer, link, now, out);
        if self.presence(peer).links.is_empty() {
            match state.phase {
                Phase::Hello | Phase::Judging | Phase::Greeted => {
                    self.dial_failed(peer, "the connection was lost before it was up", now, out);
                }
                Phase::Up => self.redial(peer, now),
                // Where nothing is to be had, it is not to be had the next moment either.
                Phase::Left(_) | Phase::Leaving(_) if state.refused => self.redial(peer, now),
                // Whoever wants to connect has been waiting for the old link to be gone.
                Phase::Left(_) | Phase::Leaving(_) | Phase::Knocking(_) => self.consider_dialling(peer, now.mono),
                Phase::Posting(_) => {}
            }
        } else {
            self.doubt_on(peer, now);
        }
        self.tidy(peer);
        self.reply_if_stopped(out);
    }

    /// Nothing more is sent on this link. If another one is up, goes on there; else the peer is gone.
    fn lost(&mut self, peer: PeerId, link: LinkId, now: Now, out: &mut Decision) {
        let presence = self.presence(peer);
        if presence.active != Some(link) {
            return;
        }
        presence.loading = None;
        let links = presence.links.clone();
        let up = |id: &LinkId| self.links.get(id).is_some_and(|state| state.phase == Phase::Up);
        let next = links.into_iter().rev().find(|id| *id != link && up(id));
        self.presence(peer).active = next;
        match next {
            Some(next) => self.resume(next, now, out),
            None => {
                // What failed beside the link says nothing about how it is without one.
                self.presence(peer).failures = 0;
                if let Some(contact) = self.contacts.get(&peer).cloned() {
                    out.tell(Event::PeerDisconnected(contact.name.clone()));
                    self.put_contact(Contact { seen: Some(now.wall), ..contact }, out);
                }
            }
        }
    }

    pub(super) fn contact_name(&self, peer: PeerId) -> Option<Username> {
        self.contacts.get(&peer).map(|contact| contact.name.clone())
    }

    /// Goes on from where the other end says that it stands, unless it says so again and again.
    fn go_on_from(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link).filter(|state| state.rewinds < MAX_REWINDS) else { return };
        state.rewinds += 1;
        self.resume(link, now, out);
    }

    /// Plans the next dial to a peer whose last link is gone, whatever was planned beside it.
    fn redial(&mut self, peer: PeerId, now: Now) {
        let wanted = self.is_wanted(peer);
        let draw = &mut self.draw;
        if let Some(presence) = self.presences.get_mut(&peer)
            && wanted
            && matches!(presence.dial, Dial::Idle | Dial::Waiting(_))
        {
            // No dial has failed yet.
            let failures = presence.failures.max(presence.fruitless);
            presence.dial = Dial::Waiting(now.mono + pause(failures, draw));
        }
    }
}
