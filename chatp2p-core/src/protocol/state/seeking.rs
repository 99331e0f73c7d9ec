//! Friends who tell each other where others are: whoever cannot be reached may have told somebody who can, and they pass on what
//! that peer signed. Nobody learns of a contact whom they do not share.

use std::time::Duration;

use crate::clock::Now;
use crate::crypto::{Mark, Salt, Watchword};
use crate::identity::PeerId;
use crate::record::{PeerRecord, SignedRecord};
use crate::storage::Contact;

use super::super::decision::{Decision, Effect};
use super::super::input::LinkId;
use super::super::log::Talk;
use super::super::presence::{Dial, LinkState, Phase};
use super::super::seeking::Question;
use super::super::wire::{Frame, MAX_RECORDS, MAX_SOUGHT};
use super::State;

/// How often is asked on a link: whoever is told of later is passed on without another question.
const ASK_EVERY: Duration = Duration::from_secs(60);

/// How often is answered on a link. Less than is asked, for clocks and links that are slow; each answer looks at all contacts.
const ANSWER_EVERY: Duration = Duration::from_secs(10);

impl State {
    /// Whether the other end of a link was asked about this contact, and this says more than is known.
    pub fn has_asked_for(&self, link: LinkId, record: &PeerRecord) -> bool {
        let Some(state) = self.links.get(&link).filter(|state| state.phase == Phase::Up) else { return false };
        state.seeking.asked.contains(&record.peer_id) && self.is_newer(record)
    }

    fn is_newer(&self, record: &PeerRecord) -> bool {
        let contact = self.contacts.get(&record.peer_id).filter(|contact| !contact.forgotten && !contact.blocked);
        contact.is_some_and(|contact| contact.record.as_ref().is_none_or(|known| known.record().seq < record.seq))
    }

    /// A link is up: others may wait for word of who is there, and who is there may know of others.
    pub(super) fn begin_seeking(&mut self, link: LinkId, now: Now, out: &mut Decision) {
        let Some((peer, watchword)) = self.links.get(&link).map(|state| (state.peer, state.seeking.watchword)) else {
            return;
        };
        if let Some(contact) = self.contacts.get(&peer).cloned()
            && watchword.is_some()
            && contact.watchword != watchword
        {
            self.put_contact(Contact { watchword, ..contact }, out);
        }
        self.pass_on(peer, out);
        self.seek(&[link], now, out);
    }

    /// A dial has failed: somebody who is there may know more.
    pub(super) fn seek_everywhere(&mut self, now: Now, out: &mut Decision) {
        let links: Vec<LinkId> = self.presences.values().filter_map(|presence| presence.active).collect();
        self.seek(&links, now, out);
    }

    fn seek(&mut self, links: &[LinkId], now: Now, out: &mut Decision) {
        if self.stopping.is_some() {
            return;
        }
        let may_ask = |link: &&LinkId| {
            self.links.get(*link).is_some_and(|state| {
                let rests = state.seeking.asked_at.is_some_and(|at| now.mono < at + ASK_EVERY);
                !rests && state.seeking.watchword.is_some() && self.is_friend(state)
            })
        };
        let links: Vec<LinkId> = links.iter().filter(may_ask).copied().collect();
        if links.is_empty() {
            return;
        }
        let missing = self.missing();
        for link in links {
            self.ask(link, missing.clone(), now, out);
        }
    }

    /// Whether the user has turned to this contact. Others were let in because anybody is.
    pub fn has_turned_to(&self, peer: PeerId) -> bool {
        let Some(contact) = self.contacts.get(&peer) else { return false };
        let has_written = self.talks.get(&peer).is_some_and(Talk::has_written);
        !contact.forgotten && !contact.blocked && (has_written || contact.verified)
    }

    /// Whether this link is up with somebody to whom the user has turned: others ask and are asked nothing.
    fn is_friend(&self, link: &LinkState) -> bool {
        link.phase == Phase::Up && self.has_turned_to(link.peer)
    }

    /// The contacts to whom a link is due and could not be had.
    fn missing(&self) -> Vec<(PeerId, Watchword)> {
        let is_missing = |peer: PeerId| {
            let presence = self.presences.get(&peer);
            presence.is_some_and(|presence| presence.links.is_empty() && presence.failures > 0) && self.is_wanted(peer)
        };
        let known = self.contacts.values().filter(|contact| !contact.forgotten && !contact.blocked);
        let known = known.filter_map(|contact| Some((contact.peer_id, contact.watchword?)));
        known.filter(|(peer, _)| is_missing(*peer)).collect()
    }

    fn ask(&mut self, link: LinkId, mut missing: Vec<(PeerId, Watchword)>, now: Now, out: &mut Decision) {
        let me = self.me.peer_id;
        let Some(state) = self.links.get_mut(&link) else { return };
        if missing.is_empty() {
            return;
        }
        // Where there are too many, others each time.
        let first = usize::try_from(self.draw.number()).unwrap_or_default() % missing.len();
        missing.rotate_left(first);
        missing.truncate(MAX_SOUGHT);
        let salt = self.draw.sixteen();
        let mut of: Vec<Mark> = missing.iter().map(|(peer, word)| word.mark(*peer, &salt, me, state.peer)).collect();
        of.resize_with(MAX_SOUGHT, || Mark::from_bytes(self.draw.sixteen()));
        // Their order would say something about their keys, and where the others begin.
        of.sort_unstable();
        state.seeking.asked = missing.into_iter().map(|(peer, _)| peer).collect();
        state.seeking.asked_at = Some(now.mono);
        out.send(link, Frame::Seek { salt, of });
    }

    /// The other end of a link asks where some of its contacts are.
    pub(super) fn sought(&mut self, link: LinkId, salt: Salt, of: Vec<Mark>, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get(&link) else { return };
        let rests = state.seeking.heard_at.is_some_and(|at| now.mono < at + ANSWER_EVERY);
        if rests || !self.is_friend(state) {
            return;
        }
        let question = Question { salt, of: of.into_iter().collect() };
        let known = self.contacts.keys().filter_map(|peer| Some((*peer, self.answer(state, &question, *peer)?)));
        let mut known: Vec<_> = known.map(|(peer, (_, record))| (!self.is_up(peer), record)).collect();
        // Those who are here first: nobody knows more about them.
        known.sort_by_key(|(is_away, _)| *is_away);
        let records: Vec<SignedRecord> = known.into_iter().take(MAX_RECORDS).map(|(_, record)| record).collect();
        if let Some(state) = self.links.get_mut(&link) {
            state.seeking.heard_at = Some(now.mono);
            // Kept: what is told now may be old, and whoever is missed may come.
            state.seeking.question = Some(question);
        }
        if !records.is_empty() {
            out.send(link, Frame::Records { records });
        }
    }

    /// Tells those who asked for this contact what it says about itself now. Once each, until they ask again.
    pub(super) fn pass_on(&mut self, peer: PeerId, out: &mut Decision) {
        let answer = |(link, state): (&LinkId, &LinkState)| {
            let question = state.seeking.question.as_ref()?;
            Some((*link, self.answer(state, question, peer)?))
        };
        let asked: Vec<_> = self.links.iter().filter_map(answer).collect();
        for (link, (mark, record)) in asked {
            if let Some(question) = self.links.get_mut(&link).and_then(|state| state.seeking.question.as_mut()) {
                question.of.remove(&mark);
            }
            out.send(link, Frame::Records { records: vec![record] });
        }
    }

    /// What the other end of a link may hear about a contact, if that was its question.
    fn answer(&self, link: &LinkState, question: &Question, peer: PeerId) -> Option<(Mark, SignedRecord)> {
        let contact = self.contacts.get(&peer).filter(|contact| !contact.forgotten && !contact.blocked)?;
        let mark = contact.watchword?.mark(peer, &question.salt, link.peer, self.me.peer_id);
        let is_asked = peer != link.peer && question.of.contains(&mark) && self.is_friend(link);
        is_asked.then(|| contact.record.clone()).flatten().map(|record| (mark, record))
    }

    /// The other end of a link says where others are. What nobody asked it, and what is known already, counts for nothing.
    pub(super) fn told_of(&mut self, link: LinkId, records: &[SignedRecord], out: &mut Decision) {
        for record in records {
            if self.has_asked_for(link, record.record()) {
                self.found_by_friend(link, record.record().peer_id, record, out);
            }
        }
    }

    fn found_by_friend(&mut self, link: LinkId, peer: PeerId, record: &SignedRecord, out: &mut Decision) {
        if let Some(state) = self.links.get_mut(&link) {
            // One dial a question, whatever they say.
            state.seeking.asked.remove(&peer);
        }
        self.note_record(peer, record, out);
        let wanted = self.is_wanted(peer);
        let Some(presence) = self.presences.get_mut(&peer) else { return };
        // No tracker knows it better; and one that is silent would be waited for.
        if wanted && presence.links.is_empty() && matches!(presence.dial, Dial::Waiting(_) | Dial::Finding) {
            presence.dial = Dial::Dialling;
            let endpoints = self.endpoints(peer, None);
            out.effect(Effect::Dial { peer, endpoints });
        }
    }
}
