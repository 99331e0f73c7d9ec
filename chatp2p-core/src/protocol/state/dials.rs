//! Finding peers and dialling them, and whom to let in.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::Now;
use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::record::{Endpoint, SignedRecord};

use super::super::contacts::ContactRefusal;
use super::super::decision::{Ask, Decision, Effect, Outcome, Refusal};
use super::super::input::{Found, LinkId};
use super::super::presence::{Dial, Phase, Waiter};
use super::super::wire::Reason;
use super::{Find, State};

impl State {
    /// Whether there is a reason to dial this peer.
    pub(super) fn is_wanted(&self, peer: PeerId) -> bool {
        if self.stopping.is_some() {
            return false;
        }
        let waited_for = self.presences.get(&peer).is_some_and(|presence| !presence.waiters.is_empty());
        let contact = self.contacts.get(&peer).filter(|contact| !contact.forgotten && !contact.blocked);
        let due = contact.is_some_and(|contact| {
            contact.wanted || self.talks.get(&peer).is_some_and(super::super::log::Talk::has_outbox)
        });
        waited_for || due
    }

    /// Plans to dial a peer for whom there is a reason and no link, as soon as possible.
    pub(super) fn consider_dialling(&mut self, peer: PeerId, now: Duration) {
        if !self.is_wanted(peer) {
            return;
        }
        let presence = self.presence(peer);
        if presence.links.is_empty() && presence.dial == Dial::Idle {
            presence.dial = Dial::Waiting(now);
        }
    }

    pub(super) fn start_dial_if_due(&mut self, peer: PeerId, now: Now, out: &mut Decision) {
        if matches!(self.presence(peer).dial, Dial::Waiting(until) if until <= now.mono) {
            self.start_dial(peer, now, out);
        }
        self.tidy(peer);
    }

    /// Asks the tracker where the peer is now.
    pub(super) fn start_dial(&mut self, peer: PeerId, now: Now, out: &mut Decision) {
        let wanted = self.is_wanted(peer);
        let presence = self.presence(peer);
        if !wanted || !presence.lacks_link(now.mono) {
            presence.dial = Dial::Idle;
            return self.tidy(peer);
        }
        if let Some((_, record)) = presence.candidate.clone() {
            // Whoever connects has just asked the tracker.
            presence.dial = Dial::Dialling;
            let endpoints = self.endpoints(peer, Some(&record));
            return out.effect(Effect::Dial { peer, endpoints });
        }
        let Some(name) = self.contacts.get(&peer).map(|contact| contact.name_at_tracker().clone()) else {
            return self.dial_failed(peer, "its address is not known", now, out);
        };
        self.presence(peer).dial = Dial::Finding;
        self.find_mut(&name, out).dial = Some(peer);
    }

    /// What is being asked about a name; asks if nothing is yet.
    pub(super) fn find_mut(&mut self, name: &Username, out: &mut Decision) -> &mut Find {
        if !self.finds.contains_key(name) {
            out.ask(Ask::Find { name: name.clone(), known: self.names.holders(name) });
        }
        self.finds.entry(name.clone()).or_default()
    }

    pub(super) fn found(&mut self, name: &Username, answer: &Found, now: Now, out: &mut Decision) {
        let Some(find) = self.finds.remove(name) else { return };
        for record in answer.records() {
            self.warn_of(name, record.record().peer_id, out);
        }
        for link in find.judges {
            self.judged(link, name, answer, now, out);
        }
        if let Some(peer) = find.dial {
            self.dial_contact(peer, answer.record_of(peer), now, out);
        }
        // One name at the tracker may be that of several contacts, from several trackers.
        let mut meant: BTreeMap<Option<PeerId>, Vec<Waiter>> = BTreeMap::new();
        for waiter in find.connects {
            meant.entry(waiter.contact).or_default().push(waiter);
        }
        for (contact, waiters) in meant {
            self.connect_found(name, contact, answer, waiters, out);
        }
    }

    /// Dials a contact where it was found, and where it was before.
    fn dial_contact(&mut self, peer: PeerId, fresh: Option<&SignedRecord>, now: Now, out: &mut Decision) {
        if let Some(fresh) = fresh {
            // Not only where they are: where to leave mail, too, if they do not answer.
            self.note_record(peer, fresh, out);
        }
        let presence = self.presence(peer);
        if presence.dial != Dial::Finding {
            return;
        }
        if !presence.lacks_link(now.mono) {
            presence.dial = Dial::Idle;
            return;
        }
        presence.dial = Dial::Dialling;
        let endpoints = self.endpoints(peer, fresh);
        out.effect(Effect::Dial { peer, endpoints });
    }

    fn connect_found(
        &mut self,
        name: &Username,
        contact: Option<PeerId>,
        answer: &Found,
        waiters: Vec<Waiter>,
        out: &mut Decision,
    ) {
        let refuse = |out: &mut Decision, refusal: &Refusal| {
            for waiter in &waiters {
                out.reply(waiter.command, Err(refusal.clone()));
            }
        };
        let pinned = contact.filter(|contact| self.is_known(*contact)).or_else(|| self.by_name(name));
        let fresh = match pinned {
            Some(pinned) => answer.record_of(pinned),
            None => answer.records().first(),
        };
        let peer = match (answer, pinned) {
            (Found::Record(record), _) if record.record().peer_id == self.me.peer_id => {
                return refuse(out, &Refusal::Oneself);
            }
            (Found::Record(_) | Found::Disputed(_), Some(_)) if fresh.is_none() => {
                return refuse(out, &Refusal::KeyChanged);
            }
            (_, Some(pinned)) => pinned,
            (Found::Record(record), None) => record.record().peer_id,
            (Found::Disputed(_), None) => return refuse(out, &Refusal::NameDisputed),
            (Found::Unsigned, None) => {
                let reason = "it runs a classic client, which has no key to prove who it is".to_owned();
                return refuse(out, &Refusal::Unreachable(reason));
            }
            (Found::Nobody, None) => return refuse(out, &Refusal::UnknownPeer),
            (Found::Trouble(code), None) => return refuse(out, &Refusal::Tracker(*code)),
        };
        if self.is_blocked(peer) {
            return refuse(out, &ContactRefusal::Blocked(name.clone()).into());
        }
        if self.is_up(peer) && pinned == Some(peer) {
            for waiter in &waiters {
                out.reply(waiter.command, Ok(Outcome::Done));
            }
            return;
        }
        let endpoints = self.endpoints(peer, fresh);
        let presence = self.presence(peer);
        presence.waiters.extend(waiters);
        if let Some(record) = fresh {
            presence.candidate = Some((name.clone(), record.clone()));
        }
        if presence.links.is_empty() && presence.dial != Dial::Dialling {
            presence.dial = Dial::Dialling;
            out.effect(Effect::Dial { peer, endpoints });
        }
    }

    /// Where a peer may be: what its newest record says, and then the other, for a tracker may know only an old one, or a
    /// peer may be back where it was.
    pub(super) fn endpoints(&self, peer: PeerId, fresh: Option<&SignedRecord>) -> Vec<Endpoint> {
        let kept = self.contacts.get(&peer).and_then(|contact| contact.record.as_ref());
        let mut records: Vec<_> = fresh.into_iter().chain(kept).map(SignedRecord::record).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.seq));
        let mut endpoints: Vec<Endpoint> = Vec::new();
        for endpoint in records.into_iter().flat_map(|record| &record.endpoints) {
            if !endpoints.contains(endpoint) {
                endpoints.push(endpoint.clone());
            }
        }
        endpoints
    }

    pub(super) fn dial_failed(&mut self, peer: PeerId, reason: &str, now: Now, out: &mut Decision) {
        let waiters = std::mem::take(&mut self.presence(peer).waiters);
        for waiter in waiters {
            out.reply(waiter.command, Err(Refusal::Unreachable(reason.to_owned())));
        }
        let wanted = self.is_wanted(peer);
        let Some(presence) = self.presences.get_mut(&peer) else { return };
        presence.candidate = None;
        presence.dial = Dial::Idle;
        if wanted && presence.lacks_link(now.mono) {
            presence.back_off(now.mono, &mut self.draw);
        }
        self.consider_mailing(peer, now, out);
        self.seek_everywhere(now, out);
        self.tidy(peer);
    }

    /// Stops every attempt to reach this peer.
    pub(super) fn give_up_dialling(&mut self, peer: PeerId, out: &mut Decision) {
        let presence = self.presence(peer);
        if presence.dial == Dial::Dialling {
            out.effect(Effect::CancelDial(peer));
        }
        presence.dial = Dial::Idle;
        presence.candidate = None;
        for waiter in std::mem::take(&mut presence.waiters) {
            out.reply(waiter.command, Err(Refusal::Unreachable("the attempt was given up".to_owned())));
        }
        self.close_post(peer, out);
        self.tidy(peer);
    }

    /// Asks the tracker whether the stranger behind a link owns the name it goes by.
    pub(super) fn judge(&mut self, link: LinkId, name: &Username, out: &mut Decision) {
        self.find_mut(name, out).judges.insert(link);
    }

    fn judged(&mut self, link: LinkId, name: &Username, answer: &Found, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get(&link).filter(|state| state.phase == Phase::Judging) else { return };
        let peer = state.peer;
        let code = match answer {
            Found::Record(record) if record.record().peer_id == peer => match self.rival(name, peer, out) {
                // Somebody else was let in under this name while the tracker was asked.
                Some(code) => code,
                None => return self.welcome(link, name, now, out),
            },
            Found::Disputed(_) if self.is_known(peer) => return self.welcome(link, name, now, out),
            Found::Disputed(_) => Code::NameDisputed,
            Found::Record(_) | Found::Unsigned | Found::Nobody => Code::NameUnproved,
            Found::Trouble(code) => *code,
        };
        self.refuse(link, code, now, out);
    }

    pub(super) fn refuse(&mut self, link: LinkId, code: Code, now: Now, out: &mut Decision) {
        let Some(state) = self.links.get_mut(&link) else { return };
        state.refused = true;
        if state.dialled {
            for waiter in std::mem::take(&mut self.presences.entry(state.peer).or_default().waiters) {
                out.reply(waiter.command, Err(Refusal::Refused(code.as_str().to_owned())));
            }
        }
        self.leave(link, &Reason::Refused(code.as_str().to_owned()), now, out);
    }

    /// Drops what is remembered of a peer with whom nothing is going on.
    pub(super) fn tidy(&mut self, peer: PeerId) {
        if self.presences.get(&peer).is_some_and(super::Presence::is_idle) {
            self.presences.remove(&peer);
        }
    }
}
