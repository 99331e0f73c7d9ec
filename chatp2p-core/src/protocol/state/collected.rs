//! Mail that was collected: what is new is taken, all of it is answered at once, and what is only repeated not for ever.

use std::time::Duration;

use crate::clock::Now;
use crate::crypto::Offer;
use crate::identity::PeerId;
use crate::message::Position;
use crate::record::{PreKeys, SignedRecord};

use super::super::decision::{Decision, Effect};
use super::super::input::{LinkId, MailId};
use super::super::presence::{MAX_REPEATS, MAX_REWINDS, MAX_UNREADABLE};
use super::super::wire::{Frame, LogEntry};
use super::State;
use super::flow::Taken;

/// What the entries of a mail came to.
#[derive(Debug, Default)]
struct Heard {
    is_news: bool,
    /// Where their log stands with the last of them that was taken now or before.
    stands: Option<Position>,
    /// Why what is behind that was not taken.
    trouble: Option<Trouble>,
}

#[derive(Debug)]
enum Trouble {
    /// Something is missing.
    Gap,
    /// This one cannot be read.
    Unreadable(LogEntry),
}

impl State {
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
        let mut entries = Vec::new();
        for frame in frames {
            match frame {
                Frame::Entry(entry) => entries.push(entry),
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
        let heard = self.take_all(peer, &keys, &entries, out);
        self.answer_mail(peer, heard, now, out);
        self.consider_mailing(peer, now, out);
    }

    /// Takes what is next of a mail's entries.
    fn take_all(&mut self, peer: PeerId, keys: &PreKeys, entries: &[LogEntry], out: &mut Decision) -> Heard {
        let (mut heard, mut unreadable) = (Heard::default(), 0);
        for entry in entries {
            match self.take(peer, keys, entry, out) {
                // What was beyond it may be behind it once more: mail that goes back is left with what went before.
                Taken::Now(position) => heard = Heard { is_news: true, stands: Some(position), trouble: None },
                Taken::Before(position) => heard.stands = Some(position),
                Taken::Gap => drop(heard.trouble.get_or_insert(Trouble::Gap)),
                Taken::Unreadable => {
                    heard.trouble = Some(Trouble::Unreadable(entry.clone()));
                    unreadable += 1;
                    if unreadable == MAX_UNREADABLE {
                        break;
                    }
                }
            }
        }
        heard
    }

    /// Answers all entries of a mail at once.
    fn answer_mail(&mut self, peer: PeerId, heard: Heard, now: Now, out: &mut Decision) {
        let Heard { is_news, stands, trouble } = heard;
        // What is missing comes on the link in any case.
        let trouble = trouble.filter(|_| !self.is_up(peer));
        let is_gap = matches!(trouble, Some(Trouble::Gap));
        let is_repeat = !is_news && !is_gap;
        if stands.is_none() && trouble.is_none() || is_repeat && !self.may_repeat(peer, now) {
            return;
        }
        let Some(link) = self.way_back(peer, now, out) else { return };
        if is_news {
            self.presence(peer).post.iter_mut().for_each(|post| post.repeats = None);
        } else if is_repeat {
            self.note_repeat(peer, now);
        }
        if let Some(position) = stands.filter(|_| !is_gap || is_news) {
            out.ack(link, position);
        }
        match trouble {
            Some(Trouble::Unreadable(entry)) => self.unreadable(peer, link, &entry, now, out),
            Some(Trouble::Gap) => self.ask_by_mail(link, peer, now, out),
            None => {}
        }
    }

    /// Whether mail that brings nothing new is answered once more.
    fn may_repeat(&self, peer: PeerId, now: Now) -> bool {
        self.is_up(peer) || self.repeats(peer, now).is_none_or(|(times, _)| times < MAX_REPEATS)
    }

    fn note_repeat(&mut self, peer: PeerId, now: Now) {
        let (times, first) = self.repeats(peer, now).unwrap_or((0, now.mono));
        self.presence(peer).post.iter_mut().for_each(|post| post.repeats = Some((times + 1, first)));
    }

    /// How often such mail was answered lately, and when first.
    fn repeats(&self, peer: PeerId, now: Now) -> Option<(u32, Duration)> {
        let post = self.presences.get(&peer)?.post.as_ref()?;
        post.repeats.filter(|(_, first)| now.mono < *first + self.mail_again)
    }

    /// Asks the other end to go on from where its log stands here: once for each gap, and again after a while, for the answer
    /// may be lost.
    fn ask_by_mail(&mut self, link: LinkId, peer: PeerId, now: Now, out: &mut Decision) {
        let pause = self.mail_again / MAX_REPEATS;
        let have = self.talk(peer).have();
        let asked = self.links.get(&link).and_then(|state| state.asked_at.as_ref());
        let is_asked = asked == Some(&have);
        let Some(post) = self.presence(peer).post.as_mut() else { return };
        if is_asked && post.asked.is_some_and(|asked| now.mono < asked + pause) {
            return;
        }
        post.asked = Some(now.mono);
        if let Some(state) = self.links.get_mut(&link) {
            state.asked_at = None;
        }
        self.ask_to_go_on(link, peer, out);
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
        if let Some(cursor) = self.links.get(&link).map(|state| state.cursor) {
            self.go_back(peer, cursor);
        }
    }
}
