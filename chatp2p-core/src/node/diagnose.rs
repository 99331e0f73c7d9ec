//! Puts together what a node knows about why somebody is reached, or is not.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::protocol::State;
use crate::storage::Contact;
use crate::tracker::TrackerHealth;

use super::diagnosis::{
    Failure, MAX_CLOCK_SKEW, NodeDiagnosis, OutboxReport, PeerDiagnosis, Step, StepReport, StepState, TrackerDiagnosis,
};
use super::driver::{Attempt, Owner, Sought, View};
use super::trackers::Site;
use super::{MailboxStatus, Node, NodeError};

impl Node {
    pub(super) async fn diagnose_itself(&self) -> Result<NodeDiagnosis, NodeError> {
        let asked = self.parts.now().wall;
        let answers = join_all(self.parts.trackers.iter().map(|site| ask(site, asked))).await;
        let (trackers, clocks): (Vec<_>, Vec<_>) = answers.into_iter().unzip();
        let (links, outboxes, callers) = self
            .view(|view| {
                let known = view.state.contacts().filter(|contact| !contact.forgotten);
                let outboxes = known.map(|contact| (contact.name.clone(), outbox(view.state, contact.peer_id)));
                let outboxes: Vec<_> = outboxes.filter(|(_, outbox)| outbox.messages > 0).collect();
                (view.state.connected().len(), outboxes, view.trail.callers())
            })
            .await?;
        let full = outboxes.iter().filter(|(_, outbox)| outbox.full);
        let full = full.map(|(name, _)| Failure::new(Code::OutboxFull, format_args!("too much waits for {name}")));
        let mailboxes = self.parts.letterboxes.statuses().into_iter();
        let mailboxes = mailboxes.filter_map(|MailboxStatus { address, trouble, .. }| {
            Some(Failure::new(trouble?, format_args!("no mail can be collected at {address}")))
        });
        Ok(NodeDiagnosis {
            username: self.parts.username.clone(),
            peer_id: self.parts.identity.peer_id(),
            listening: self.parts.listening.clone(),
            advertised: self.parts.whereabouts.now(),
            callers,
            inbound: self.parts.inbound,
            links,
            findings: clocks.into_iter().flatten().chain(full).chain(mailboxes).collect(),
            outboxes,
            trackers,
        })
    }

    pub(super) async fn diagnose_peer(&self, name: &Username) -> Result<PeerDiagnosis, NodeError> {
        if *name == self.parts.username {
            return Err(NodeError::Oneself { name: name.clone() });
        }
        let asked = name.clone();
        if let Some(known) = self.view(move |view| diagnose(&view, asked, None)).await? {
            return Ok(known);
        }
        // Nobody has tried, so there is no more to tell than what the trackers say now.
        let owner = Owner::from(&self.parts.trackers.find(name, &BTreeSet::new()).await.found);
        if owner == Owner::Nobody {
            return Err(NodeError::UnknownPeer { name: name.clone() });
        }
        let (asked, now) = (name.clone(), Sought { at: self.parts.now().wall, owner });
        let seen = self.view(move |view| diagnose(&view, asked, Some(now))).await?;
        seen.ok_or_else(|| NodeError::UnknownPeer { name: name.clone() })
    }
}

/// Asks a tracker how it is, and looks at its clock.
async fn ask(site: &Site, asked: Wall) -> (TrackerDiagnosis, Option<Failure>) {
    let began = tokio::time::Instant::now();
    let health = site.health().await;
    let took = began.elapsed();
    let clock = health.as_ref().ok().and_then(|health| skew(health, asked, took));
    let failure = health.as_ref().err().map(|error| Failure::new(error.code(), error));
    let answered_in = health.is_ok().then_some(took);
    (TrackerDiagnosis { status: site.status().clone(), answered_in, failure }, clock)
}

/// What is known about a name; `None` where it is no contact and was never asked for. `now` is what the trackers have just said.
fn diagnose(view: &View<'_>, name: Username, now: Option<Sought>) -> Option<PeerDiagnosis> {
    let contact = view.state.meant(&name);
    let sought = view.trail.sought(contact.map_or(&name, Contact::name_at_tracker)).cloned().or(now);
    let peer = match (contact, sought.as_ref().map(|sought| &sought.owner)) {
        (Some(contact), _) => Some(contact.peer_id),
        (None, Some(Owner::Listed(peer))) => Some(*peer),
        (None, Some(_)) => None,
        (None, None) => return None,
    };
    let link = peer.and_then(|peer| view.links.get(&view.state.active_link(peer)?)).map(|link| link.report());
    let attempt = peer.and_then(|peer| view.trail.attempt(peer));
    let found = found(contact, sought.as_ref());
    // What came of an earlier attempt says nothing about one that did not get that far.
    let blocked = contact.is_some_and(|contact| contact.blocked);
    let not_found = matches!(found.state, StepState::Failed(_));
    let attempt = attempt.filter(|attempt| !(blocked || not_found && found.at > Some(attempt.at)));
    let steps = match &link {
        Some(link) => Step::ALL.map(|step| StepReport { step, state: StepState::Ok, at: Some(link.since) }).to_vec(),
        None => steps(found, attempt),
    };
    let trying = peer.is_some_and(|peer| view.state.is_trying(peer));
    let trouble = if link.is_some() { None } else { trouble(&steps, attempt, trying) };
    let dialled = link.as_ref().is_none_or(|link| link.dialled);
    let tried = attempt.filter(|_| dialled).map(|attempt| attempt.tried.clone()).unwrap_or_default();
    let outbox = peer.map(|peer| outbox(view.state, peer)).unwrap_or_default();
    let mail = peer.and_then(|peer| view.trail.mail(peer)).cloned();
    let name = contact.map_or(name, |contact| contact.name.clone());
    Some(PeerDiagnosis { name, peer_id: peer, link, trying, steps, tried, outbox, mail, trouble })
}

fn outbox(state: &State, peer: PeerId) -> OutboxReport {
    let (messages, bytes, has_room) = state.outbox(peer);
    OutboxReport { messages, bytes, full: !has_room }
}

fn found(contact: Option<&Contact>, sought: Option<&Sought>) -> StepReport {
    let failed = |code, detail: &str| StepState::Failed(Failure::new(code, detail));
    let pinned = contact.map(|contact| contact.peer_id);
    let state = match sought.map(|sought| &sought.owner) {
        _ if contact.is_some_and(|contact| contact.blocked) => {
            failed(Code::ContactBlocked, "the contact is blocked here")
        }
        None => StepState::NotReached,
        Some(Owner::Listed(peer)) if pinned.is_none_or(|pinned| pinned == *peer) => StepState::Ok,
        Some(Owner::Disputed(peers)) if pinned.is_some_and(|pinned| peers.contains(&pinned)) => StepState::Ok,
        Some(Owner::Disputed(_)) if pinned.is_none() => {
            failed(Code::NameDisputed, "the trackers name different keys for this name")
        }
        Some(Owner::Listed(_) | Owner::Disputed(_)) => {
            failed(Code::KeyChanged, "the tracker lists another key by this name")
        }
        Some(Owner::Unsigned) => failed(Code::PeerWithoutKey, "the tracker lists this name without a key"),
        Some(Owner::Nobody) => failed(Code::UnknownPeer, "the tracker lists nobody of this name"),
        Some(Owner::Trouble(code)) => failed(*code, "the tracker did not say who goes by this name"),
    };
    StepReport { step: Step::Found, state, at: sought.map(|sought| sought.at) }
}

fn steps(found: StepReport, attempt: Option<&Attempt>) -> Vec<StepReport> {
    let mut steps = vec![found];
    let ended = attempt.and_then(Attempt::failure);
    for step in [Step::Resolved, Step::Dialled, Step::Secured] {
        let state = match (&ended, attempt) {
            (_, None) => StepState::NotReached,
            (Some((at, _)), _) if step > *at => StepState::NotReached,
            (Some((at, why)), _) if step == *at => StepState::Failed(why.clone()),
            _ => StepState::Ok,
        };
        let at = attempt.filter(|_| state != StepState::NotReached).map(|attempt| attempt.at);
        steps.push(StepReport { step, state, at });
    }
    let (state, at) = match attempt.and_then(|attempt| attempt.accepted.clone()) {
        None => (StepState::NotReached, None),
        Some((at, Ok(()))) => (StepState::Ok, Some(at)),
        Some((at, Err(why))) => (StepState::Failed(why), Some(at)),
    };
    steps.push(StepReport { step: Step::Accepted, state, at });
    steps
}

/// What stands in the way of a link that is not there.
fn trouble(steps: &[StepReport], attempt: Option<&Attempt>, trying: bool) -> Option<Failure> {
    let failed = steps.iter().find_map(|report| match &report.state {
        StepState::Failed(why) => Some(why.clone()),
        StepState::Ok | StepState::NotReached => None,
    });
    let not_connected = |why: &str| Failure::new(Code::NotConnected, why);
    failed.or_else(|| match attempt.map(|attempt| &attempt.accepted) {
        Some(Some(_)) => Some(not_connected("there was a link, and it has ended")),
        // The other end has not answered yet.
        Some(None) => None,
        None if trying => None,
        None => Some(not_connected("nobody has tried to connect since the node started")),
    })
}

/// A clock that differs by more than the way of the answer can explain.
fn skew(health: &TrackerHealth, asked: Wall, took: Duration) -> Option<Failure> {
    let (theirs, earliest, latest) = (health.now, asked, asked.plus(took));
    let (by, which) =
        if theirs > latest { (theirs.since(latest), "behind") } else { (earliest.since(theirs), "ahead of") };
    let detail = format!("this machine's clock is {} s {which} the tracker's", by.as_secs());
    (by > MAX_CLOCK_SKEW).then(|| Failure::new(Code::ClockOff, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracker::TrackerId;

    #[test]
    fn a_clock_is_off_by_more_than_the_way_of_an_answer_only() {
        let at = |seconds: u64| Wall::from_millis(seconds * 1_000);
        let health =
            |now| TrackerHealth { tracker_id: TrackerId([0; 16]), total_peers: 0, active_peers: 0, now: at(now) };
        let took = Duration::from_secs(5);
        for (theirs, said) in [
            (1_000, None),
            (1_005, None),
            (1_065, None),
            (940, None),
            (939, Some("61 s ahead of")),
            (1_066, Some("61 s behind")),
        ] {
            let found = skew(&health(theirs), at(1_000), took);
            assert_eq!(found.is_some(), said.is_some(), "{theirs}: {found:?}");
            assert!(found.is_none_or(|found| found.detail.contains(said.unwrap())), "{theirs}");
        }
    }
}
