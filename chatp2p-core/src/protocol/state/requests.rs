//! Strangers who would like to be known. Each may leave one small message; nothing of it is acknowledged before they are
//! let in, so that knocking tells them no more than that somebody is at home.

use std::collections::btree_map::Entry;
use std::time::Duration;

use crate::clock::Now;
use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::message::Body;
use crate::storage::{Change, Contact, FirstWords, Request};

use super::super::contacts::{ContactRefusal, Inbound, MAX_REFUSED, MAX_REQUEST_BYTES, MAX_REQUESTS};
use super::super::decision::{Decision, Refusal};
use super::super::event::Event;
use super::super::input::LinkId;
use super::super::log::{Talk, Verdict};
use super::super::presence::Phase;
use super::super::wire::{Content, Frame, LogEntry, Reason};
use super::State;

/// How long a stranger's link stays open for the first message: the time to hand over what is written already. Whoever
/// writes later comes again with it.
const KNOCK_TIMEOUT: Duration = Duration::from_secs(5);

impl State {
    /// Lets strangers in, or has them ask.
    #[must_use]
    pub const fn receiving(mut self, inbound: Inbound) -> Self {
        self.inbound = inbound;
        self
    }

    /// The requests that wait, by key.
    pub fn requests(&self) -> impl Iterator<Item = &Request> {
        self.requests.values().filter(|request| !request.refused)
    }

    /// Refuses a stranger of whom nothing is to be heard, without a question to the tracker. Says whether it did.
    ///
    /// Whatever the reason, they hear the same: it is nobody's business whether a request waits, was refused, or found no room.
    pub(super) fn turn_away(&mut self, link: LinkId, peer: PeerId, now: Now, out: &mut Decision) -> bool {
        let has_said_it = match self.requests.get(&peer) {
            Some(request) => request.refused || (self.inbound == Inbound::Requests && request.first.is_some()),
            None => self.inbound == Inbound::Requests && !self.has_room_for_request(out),
        };
        if has_said_it {
            self.refuse(link, Code::Refused, now, out);
        }
        has_said_it
    }

    fn has_room_for_request(&mut self, out: &mut Decision) -> bool {
        let room = self.requests().count() < MAX_REQUESTS;
        if !room && !self.told_full {
            self.told_full = true;
            out.tell(Event::RequestsFull);
        }
        room
    }

    /// Lets a stranger who owns their name in, or takes their request.
    pub(super) fn welcome(&mut self, link: LinkId, name: &Username, now: Now, out: &mut Decision) {
        let Some(peer) = self.links.get(&link).map(|state| state.peer) else { return };
        if self.inbound == Inbound::Open || self.is_known(peer) {
            return self.greet(link, now, out);
        }
        // The tracker took its time: others may have come, and the same stranger on another link.
        if self.turn_away(link, peer, now, out) {
            return;
        }
        if let Entry::Vacant(place) = self.requests.entry(peer) {
            let request = Request { peer_id: peer, name: name.clone(), arrived: now.wall, first: None, refused: false };
            out.change(Change::Request(request.clone()));
            out.tell(Event::Requested { peer_id: peer, name: name.clone() });
            place.insert(request);
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Knocking(now.mono + KNOCK_TIMEOUT);
        }
        // Without this they would not send the message that they may leave.
        let have = self.talks.get(&peer).map(Talk::have).unwrap_or_default();
        // And no key of its own: whoever only knocks uses none up.
        out.send(link, Frame::Greeting { have, offer: None, watchword: None });
    }

    /// Takes what a stranger says first, and says goodbye. Nothing of their keys is kept: once they are let in, they send it again.
    pub(super) fn first_words(&mut self, link: LinkId, entry: &LogEntry, now: Now, out: &mut Decision) {
        let Some(peer) = self.links.get(&link).map(|state| state.peer) else { return };
        let fresh = Talk::new(self.me.peer_id, peer);
        let talk = self.talks.get(&peer).unwrap_or(&fresh);
        if talk.judge(entry) == Verdict::Next
            && let Some(content) = self.peek(peer, link, entry)
            && let position = talk.position(entry, &content)
            && let Content::Entry(said) = content
            && let Body::Text(text) = &said.body
            && text.len() <= MAX_REQUEST_BYTES
            && let Some(request) = self.requests.get_mut(&peer).filter(|request| request.first.is_none())
        {
            request.first = Some(FirstWords { entry: said, position });
            out.change(Change::Request(request.clone()));
            out.tell(Event::Requested { peer_id: peer, name: request.name.clone() });
        }
        self.leave(link, &Reason::Disconnected, now, out);
    }

    pub(super) fn admit(
        &mut self,
        peer: PeerId,
        name: Option<Username>,
        now: Now,
        out: &mut Decision,
    ) -> Result<(), Refusal> {
        let waiting = self.requests.get(&peer).filter(|request| !request.refused);
        let at_tracker = waiting.ok_or(ContactRefusal::UnknownRequest)?.name.clone();
        let name = name.unwrap_or_else(|| at_tracker.clone());
        self.may_be_added(peer)?;
        self.may_be_called(peer, &name)?;
        let tracker_name = Some(at_tracker).filter(|at_tracker| *at_tracker != name);
        self.put_contact(Contact { wanted: true, tracker_name, ..Contact::new(peer, name.clone()) }, out);
        out.tell(Event::ContactAdded(name));
        self.settle_request(peer, out);
        // Who is still at the door comes in.
        let at_door = self.presence(peer).links.clone();
        for link in at_door {
            if self.links.get(&link).is_some_and(|state| matches!(state.phase, Phase::Knocking(_))) {
                self.greet(link, now, out);
            }
        }
        self.consider_dialling(peer, now.mono);
        self.start_dial_if_due(peer, now, out);
        Ok(())
    }

    pub(super) fn dismiss(&mut self, peer: PeerId, out: &mut Decision) -> Result<(), Refusal> {
        let waiting = self.requests.get_mut(&peer).filter(|request| !request.refused);
        let request = waiting.ok_or(ContactRefusal::UnknownRequest)?;
        request.refused = true;
        request.first = None;
        out.change(Change::Request(request.clone()));
        out.tell(Event::RequestClosed(peer));
        self.told_full = false;
        let refused = self.requests.values().filter(|request| request.refused);
        if refused.clone().count() > MAX_REFUSED
            && let Some(oldest) = refused.min_by_key(|request| request.arrived).map(|request| request.peer_id)
        {
            self.requests.remove(&oldest);
            out.change(Change::RequestGone(oldest));
        }
        Ok(())
    }

    /// Somebody has become a contact: what they said at the door is the first that they said.
    pub(super) fn settle_request(&mut self, peer: PeerId, out: &mut Decision) {
        let Some(request) = self.requests.remove(&peer) else { return };
        out.change(Change::RequestGone(peer));
        self.told_full = false;
        if !request.refused {
            out.tell(Event::RequestClosed(peer));
        }
        if let Some(FirstWords { entry, position }) = request.first {
            self.talk(peer).advance(position);
            self.receive(peer, entry, position, out);
        }
    }
}
