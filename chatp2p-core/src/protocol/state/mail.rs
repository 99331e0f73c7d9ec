//! Mail: what goes to a peer by way of their letterboxes while there is no link. A letterbox is a slow way for the same log:
//! what is left there has its place and its ciphertext, and is acknowledged, like what goes on a link.

use std::time::Duration;

use crate::clock::Now;
use crate::crypto::{Offer, TheirKeys};
use crate::identity::PeerId;
use crate::message::{Place, Position};
use crate::record::{Letterbox, PreKeys, SignedRecord};
use crate::storage::{Change, Contact};

use super::super::decision::{Decision, Effect};
use super::super::event::Event;
use super::super::input::{LinkId, MailId};
use super::super::log::Talk;
use super::super::presence::{LinkState, MAX_REWINDS, Phase, pause};
use super::super::wire::{Frame, LogEntry};
use super::State;
use super::flow::Taken;

/// The numbers of posts have this bit, those of links do not.
const POSTS: u64 = 1 << 63;

impl State {
    /// Mails again what was not acknowledged for so long; [`MAIL_AGAIN`](super::super::MAIL_AGAIN) if nothing is said.
    #[must_use]
    pub const fn mailing_again_after(mut self, pause: Duration) -> Self {
        self.mail_again = pause;
        self
    }

    /// Leaves what waits for a peer in their letterbox, if they cannot be dialled.
    pub(super) fn consider_mailing(&mut self, peer: PeerId, now: Now, out: &mut Decision) {
        let is_away =
            self.presences.get(&peer).is_some_and(|presence| presence.links.is_empty() && presence.failures > 0);
        let waits = self.talks.get(&peer).is_some_and(Talk::has_outbox);
        if is_away && waits && self.open_post(peer, now, out).is_some() {
            self.pump(peer, out);
        }
    }

    /// On what to answer a peer: the live link, else a post. `None` when there is no way.
    pub(super) fn way_back(&mut self, peer: PeerId, now: Now, out: &mut Decision) -> Option<LinkId> {
        if let Some(link) = self.active_link(peer) {
            return Some(link);
        }
        let link = self.open_post(peer, now, out);
        if let Some(post) = self.presence(peer).post.as_mut() {
            post.answers = true;
        }
        self.tidy(peer);
        link
    }

    /// The post to a peer that has a letterbox; opened, unless it rests.
    fn open_post(&mut self, peer: PeerId, now: Now, out: &mut Decision) -> Option<LinkId> {
        if self.stopping.is_some() || !self.is_known(peer) || self.is_blocked(peer) || self.is_up(peer) {
            return None;
        }
        if let Some(post) = self.presences.get(&peer).and_then(|presence| presence.post.as_ref()) {
            if let Some((link, _)) = post.open {
                return Some(link);
            }
            if post.rests.is_some_and(|until| until > now.mono) {
                return None;
            }
        }
        let (letterbox, pre_keys) = self.letterbox_of(peer)?;
        // Drawn, not counted: the word of a mailbox about a post of a state that was dropped must not meet another one.
        let link = LinkId(POSTS | self.draw.number());
        let talk = self.talk(peer);
        let (mailed, at) = (talk.mailed_so_far(), talk.mailed_at());
        let post = self.presence(peer).post.get_or_insert_default();
        // A life that begins knows only by the wall clock since when mail is without an answer.
        let waited =
            if post.cursor.is_none() { at.map_or(Duration::ZERO, |at| now.wall.since(at)) } else { Duration::ZERO };
        let answers = post.answers;
        let cursor = *post.cursor.get_or_insert(mailed);
        post.open = Some((link, letterbox.id));
        post.rests = None;
        let mut state = LinkState::new(peer, true, now.mono);
        state.phase = Phase::Posting(now.mono + self.mail_again.saturating_sub(waited));
        state.keys = Some(TheirKeys { pre_keys, one_time: None });
        state.cursor = cursor;
        self.links.insert(link, state);
        out.effect(Effect::OpenPost { link, peer, letterbox });
        if answers {
            // The post before this one may have lost them.
            for position in self.talk(peer).have() {
                out.send(link, Frame::Ack(position));
            }
            self.tell_read(peer, out);
        }
        Some(link)
    }

    /// Another one after each failure, where there are several.
    fn letterbox_of(&self, peer: PeerId) -> Option<(Letterbox, PreKeys)> {
        let record = self.contacts.get(&peer)?.record.as_ref()?.record();
        let pre_keys = record.pre_keys.filter(|keys| self.keyring.understands(keys))?;
        let post = self.presences.get(&peer).and_then(|presence| presence.post.as_ref());
        let failures = usize::try_from(post.map_or(0, |post| post.failures)).unwrap_or_default();
        let at = failures.checked_rem(record.letterboxes.len())?;
        Some((record.letterboxes.get(at)?.clone(), pre_keys))
    }

    /// Keeps what a peer says about itself, if it is newer than what is known.
    pub(super) fn note_record(&mut self, peer: PeerId, record: &SignedRecord, out: &mut Decision) {
        let Some(contact) = self.contacts.get(&peer).cloned() else { return };
        let known = contact.record.as_ref().map(|known| known.record().seq);
        if known >= Some(record.record().seq) {
            return;
        }
        self.put_contact(Contact { record: Some(record.clone()), ..contact }, out);
        self.pass_on(peer, out);
        let is_named = |id| record.record().letterboxes.iter().any(|letterbox| letterbox.id == id);
        let post = self.presences.get(&peer).and_then(|presence| presence.post.as_ref()?.open);
        if post.is_some_and(|(_, letterbox)| !is_named(letterbox)) {
            // Nobody may look there any more.
            self.leave_letterbox(peer, out);
        }
    }

    /// There is a link, or nothing is wished for any more: mailing ends.
    pub(super) fn close_post(&mut self, peer: PeerId, out: &mut Decision) {
        self.leave_letterbox(peer, out);
        if let Some(presence) = self.presences.get_mut(&peer) {
            presence.post = None;
        }
    }

    /// Nothing more goes to the letterbox to which mail goes now.
    fn leave_letterbox(&mut self, peer: PeerId, out: &mut Decision) {
        let Some(presence) = self.presences.get_mut(&peer) else { return };
        let Some((link, _)) = presence.post.as_mut().and_then(|post| post.open.take()) else { return };
        presence.post.iter_mut().for_each(|post| post.handed.clear());
        if presence.active.is_none() {
            presence.loading = None;
        }
        self.links.remove(&link);
        out.close(link);
    }

    /// A post is gone. It is tried again, as links are.
    pub(super) fn rest_post(&mut self, peer: PeerId, now: Now) {
        let Some(presence) = self.presences.get_mut(&peer) else { return };
        let Some(post) = presence.post.as_mut() else { return };
        post.rests = Some(now.mono + pause(post.failures, &mut self.draw));
        post.failures = post.failures.saturating_add(1);
        post.open = None;
        post.handed.clear();
        if presence.active.is_none() {
            presence.loading = None;
        }
    }

    pub(super) fn not_posted(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        if self.links.get(&link).is_some_and(|state| matches!(state.phase, Phase::Posting(_))) {
            self.drop_link(link, now, out);
        }
    }

    /// Tries those again that have rested.
    pub(super) fn post_after_rest(&mut self, now: Now, out: &mut Decision) {
        let rested = |(peer, presence): (&PeerId, &super::Presence)| {
            let until = presence.post.as_ref()?.rests?;
            (until <= now.mono).then_some(*peer)
        };
        let rested: Vec<PeerId> = self.presences.iter().filter_map(rested).collect();
        for peer in rested {
            if self.open_post(peer, now, out).is_some() {
                self.pump(peer, out);
            } else {
                self.close_post(peer, out);
                self.tidy(peer);
            }
        }
    }

    /// What was handed to a post, so that the word of the mailbox can be understood.
    pub(super) fn note_handed(&mut self, peer: PeerId, link: LinkId, position: Option<Position>) {
        let post = self.presences.get_mut(&peer).and_then(|presence| presence.post.as_mut());
        if let Some(post) = post.filter(|post| post.open.is_some_and(|(open, _)| open == link)) {
            post.handed.extend(position);
        }
    }

    /// The other end has told of something that it has.
    pub(super) fn post_got_through(&mut self, peer: PeerId) {
        if let Some(post) = self.presences.get_mut(&peer).and_then(|presence| presence.post.as_mut()) {
            post.rewinds = 0;
        }
    }

    /// A mailbox keeps what was handed to a post.
    pub(super) fn posted(&mut self, link: LinkId, entries: usize, now: Now, out: &mut Decision) {
        let again = now.mono + self.mail_again;
        let is_post = |state: &&mut LinkState| matches!(state.phase, Phase::Posting(_));
        let Some(state) = self.links.get_mut(&link).filter(is_post) else { return };
        let peer = state.peer;
        if entries > 0 {
            // Answers alone put nothing off: what was mailed before them may be lost.
            state.phase = Phase::Posting(again);
        }
        let Some(post) = self.presence(peer).post.as_mut() else { return };
        post.failures = 0;
        let kept = entries.min(post.handed.len());
        let Some(position) = post.handed.drain(..kept).next_back() else {
            // Nothing but answers.
            return;
        };
        post.cursor = Some(Some(position));
        let Position { epoch, n, .. } = position;
        let Some(through) = self.talk(peer).mailed(position, now.wall) else { return };
        out.change(Change::Mailed { peer, place: Place { epoch, n }, at: now.wall });
        if let Some(name) = self.contact_name(peer) {
            out.tell(Event::Mailed { peer: name, through });
        }
    }

    /// Nothing was heard for as long as mailboxes keep mail: it is gone, or its reader's answer is.
    pub(super) fn mail_again(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let again = now.mono + self.mail_again;
        let Some(peer) = self.links.get(&link).map(|state| state.peer) else { return };
        if !self.talk(peer).has_outbox() {
            self.close_post(peer, out);
            return self.tidy(peer);
        }
        let cursor = self.talk(peer).acknowledged_so_far();
        if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Posting(again);
            state.cursor = cursor;
            state.in_flight.clear();
            state.asked_at = None;
        }
        let presence = self.presence(peer);
        presence.loading = None;
        presence.post.iter_mut().for_each(|post| post.rewinds = 0);
        self.pump(peer, out);
    }

    /// Takes in what somebody left in a letterbox of this node's. What is from a stranger is taken and dropped: nobody can be
    /// asked whether they own the name that they go by.
    pub(super) fn mail(&mut self, mail: MailId, from: SignedRecord, frames: Vec<Frame>, now: Now, out: &mut Decision) {
        if self.stopping.is_some() {
            return;
        }
        out.effect(Effect::Take(mail));
        let peer = from.record().peer_id;
        let Some(keys) = from.record().pre_keys.filter(|keys| self.keyring.understands(keys)) else { return };
        if !self.is_known(peer) || self.is_blocked(peer) {
            return;
        }
        self.note_record(peer, &from, out);
        for frame in frames {
            match frame {
                Frame::Entry(entry) => self.mailed_entry(peer, &keys, &entry, now, out),
                Frame::Ack(position) => self.mailed_ack(peer, position, now, out),
                Frame::Greeting { have, offer, .. } => self.mailed_greeting(peer, have, offer, now, out),
                Frame::Nack(nack) => {
                    let post = self.presences.get(&peer).and_then(super::Presence::outlet);
                    post.into_iter().for_each(|link| self.nacked(link, &nack, now, out));
                }
                Frame::Read(place) => self.was_read(peer, place, out),
                // There is no link to open or to close, nor one on which somebody asked.
                Frame::Hello { .. } | Frame::Goodbye { .. } | Frame::Seek { .. } | Frame::Records { .. } => {}
            }
        }
        self.consider_mailing(peer, now, out);
    }

    fn mailed_entry(&mut self, peer: PeerId, keys: &PreKeys, entry: &LogEntry, now: Now, out: &mut Decision) {
        let taken = self.take(peer, keys, entry, out);
        let Some(link) = self.way_back(peer, now, out) else { return };
        match taken {
            Taken::Now(position) | Taken::Before(position) => out.ack(link, position),
            // What is missing comes on the link in any case.
            Taken::Gap | Taken::Unreadable if self.is_up(peer) => {}
            Taken::Gap => self.ask_to_go_on(link, peer, out),
            Taken::Unreadable => self.unreadable(peer, link, entry, now, out),
        }
    }

    fn mailed_ack(&mut self, peer: PeerId, position: Position, now: Now, out: &mut Decision) {
        match self.presences.get(&peer).and_then(super::Presence::outlet) {
            Some(link) => self.acknowledged(link, position, now, out),
            None => {
                if let Some(position) = self.talk(peer).meet(position) {
                    self.note_acknowledged(peer, position, out);
                }
            }
        }
    }

    /// The other end asks to go on from where it stands.
    fn mailed_greeting(
        &mut self,
        peer: PeerId,
        have: Vec<Position>,
        offer: Option<Offer>,
        now: Now,
        out: &mut Decision,
    ) {
        let Some(link) = self.open_post(peer, now, out) else { return };
        self.take_offer(link, offer);
        let Some(post) = self.presence(peer).post.as_mut().filter(|post| post.rewinds < MAX_REWINDS) else { return };
        post.rewinds += 1;
        if let Some(state) = self.links.get_mut(&link) {
            state.have = Some(have);
        }
        self.resume(link, now, out);
    }
}
