//! Mail: what goes to a peer by way of their letterboxes while there is no link. A letterbox is a slow way for the same log:
//! what is left there has its place and its ciphertext, and is acknowledged, like what goes on a link.

use std::time::Duration;

use crate::clock::Now;
use crate::crypto::TheirKeys;
use crate::identity::PeerId;
use crate::message::Position;
use crate::record::{Letterbox, PreKeys, SignedRecord};
use crate::storage::{Change, Contact};

use super::super::decision::{Decision, Effect};
use super::super::event::Event;
use super::super::input::LinkId;
use super::super::log::Talk;
use super::super::presence::{LinkState, Phase, Wait, pause};
use super::super::wire::Frame;
use super::State;

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
    pub(super) fn open_post(&mut self, peer: PeerId, now: Now, out: &mut Decision) -> Option<LinkId> {
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
        let again = self.mail_again;
        let talk = self.talk(peer);
        let (mailed, since) = (talk.mailed_so_far(), talk.mailed_since());
        let post = self.presence(peer).post.get_or_insert_default();
        if post.cursor.is_none() {
            // A life that begins knows only by the wall clock since when mail is without an answer.
            let until = |since| now.mono + again.saturating_sub(now.wall.since(since));
            post.wait = since.map(|since| Wait { since, until: until(since) });
        }
        let answers = post.answers;
        let cursor = *post.cursor.get_or_insert(mailed);
        post.open = Some((link, letterbox.id));
        post.rests = None;
        let mut state = LinkState::new(peer, true, now.mono);
        state.phase = Phase::Posting(post.wait.map_or(now.mono + again, |wait| wait.until));
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
        if let Some(link) = self.end_visit(peer) {
            self.links.remove(&link);
            out.close(link);
        }
    }

    /// Of what was handed over nothing more is heard.
    fn end_visit(&mut self, peer: PeerId) -> Option<LinkId> {
        let presence = self.presences.get_mut(&peer)?;
        let post = presence.post.as_mut()?;
        let (link, _) = post.open.take()?;
        post.handed.clear();
        if presence.active.is_none() {
            presence.loading = None;
        }
        Some(link)
    }

    /// A post is gone. It is tried again, as links are.
    pub(super) fn rest_post(&mut self, peer: PeerId, now: Now) {
        self.end_visit(peer);
        if let Some(post) = self.presences.get_mut(&peer).and_then(|presence| presence.post.as_mut()) {
            post.rests = Some(now.mono + pause(post.failures, &mut self.draw));
            post.failures = post.failures.saturating_add(1);
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
            post.handed.push_back(position);
        }
    }

    /// The other end has told of something that it has.
    pub(super) fn post_got_through(&mut self, peer: PeerId) {
        let waits = self.talk(peer).mailed_since().is_some();
        if let Some(post) = self.presences.get_mut(&peer).and_then(|presence| presence.post.as_mut()) {
            post.rewinds = 0;
            post.wait = post.wait.filter(|_| waits);
        }
    }

    /// A mailbox keeps what was handed to a post.
    pub(super) fn posted(&mut self, link: LinkId, entries: usize, now: Now, out: &mut Decision) {
        let until = now.mono + self.mail_again;
        let Some((peer, Phase::Posting(_))) = self.links.get(&link).map(|state| (state.peer, state.phase)) else {
            return;
        };
        let Some(post) = self.presence(peer).post.as_mut() else { return };
        post.failures = 0;
        let kept = entries.min(post.handed.len());
        let Some(position) = post.handed.drain(..kept).flatten().next_back() else {
            // Nothing but answers, and what goes there again. They put nothing off: what was mailed before may be lost.
            return;
        };
        post.cursor = Some(Some(position));
        let Wait { since, until } = *post.wait.get_or_insert(Wait { since: now.wall, until });
        if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Posting(until);
        }
        let Some((place, news)) = self.talk(peer).mailed(position, since) else { return };
        out.change(Change::Mailed { peer, place, at: since });
        if let (Some(through), Some(name)) = (news, self.contact_name(peer)) {
            out.tell(Event::Mailed { peer: name, through });
        }
    }

    /// Something was not heard of for as long as mailboxes keep mail: it is gone, or its reader's answer is.
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
        }
        self.go_back(peer, cursor);
        let presence = self.presence(peer);
        presence.loading = None;
        if let Some(post) = &mut presence.post {
            (post.wait, post.rewinds) = (None, 0);
        }
        self.pump(peer, out);
    }

    /// What comes after this entry is mailed again; also if the visit at which it should be fails.
    pub(super) fn go_back(&mut self, peer: PeerId, cursor: Option<Position>) {
        if let Some(post) = self.presences.get_mut(&peer).and_then(|presence| presence.post.as_mut()) {
            post.cursor = Some(cursor);
            post.handed.iter_mut().for_each(|position| *position = None);
        }
    }
}
