//! What came of the last attempt to reach each peer, kept so that a person who asks hears what really happened.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::{Now, Wall};
use crate::code::Code;
use crate::identity::{PeerId, Username};
use crate::protocol::wire::Reason;
use crate::protocol::{CONNECT_TIMEOUT, Found, LinkId, State};
use crate::record::Reach;
use crate::transport::TransportError;

use super::super::diagnosis::{CallersReport, EndpointReport, Failure, MailReport, Step};

/// Of how many peers, and of how many names, the last attempt is remembered: as many as there may be links. At four endpoints and
/// [`MAX_DETAIL`] each that is a few megabytes at most. The one that was tried least lately makes room.
const MAX_TRACES: usize = 1_000;

/// The longest account of one failure, in characters: some lines. Part of it is in the words of others.
const MAX_DETAIL: usize = 400;

/// What is remembered.
#[derive(Debug, Default)]
pub(in crate::node) struct Trail {
    sought: BTreeMap<Username, Sought>,
    attempts: BTreeMap<PeerId, Attempt>,
    /// Links that this node dialled and that are not up yet, with whom and since when on the clock that never jumps.
    greeting: BTreeMap<LinkId, (PeerId, Duration)>,
    callers: BTreeMap<Reach, CallersReport>,
    mails: BTreeMap<PeerId, MailReport>,
}

/// What the trackers said about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) struct Sought {
    pub(in crate::node) at: Wall,
    pub(in crate::node) owner: Owner,
}

/// Who goes by a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::node) enum Owner {
    Listed(PeerId),
    /// Several, as different trackers say.
    Disputed(Vec<PeerId>),
    Unsigned,
    Nobody,
    Trouble(Code),
}

impl From<&Found> for Owner {
    fn from(found: &Found) -> Self {
        match found {
            Found::Record(record) => Self::Listed(record.record().peer_id),
            Found::Disputed(records) => Self::Disputed(records.iter().map(|record| record.record().peer_id).collect()),
            Found::Unsigned => Self::Unsigned,
            Found::Nobody => Self::Nobody,
            Found::Trouble(code) => Self::Trouble(*code),
        }
    }
}

/// One attempt to reach a peer, once its dials are done.
#[derive(Debug, Clone)]
pub(in crate::node) struct Attempt {
    /// When dialling ended.
    pub(in crate::node) at: Wall,
    pub(in crate::node) tried: Vec<EndpointReport>,
    /// The link that it led to.
    pub(in crate::node) link: Option<LinkId>,
    /// What became of the link, and when.
    pub(in crate::node) accepted: Option<(Wall, Result<(), Failure>)>,
}

impl Failure {
    /// A failure in words that may be another's.
    pub(in crate::node) fn new(code: Code, detail: impl std::fmt::Display) -> Self {
        let detail = detail.to_string();
        let detail = detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_DETAIL).collect();
        Self { code, detail }
    }
}

impl Trail {
    pub(in crate::node) fn sought(&self, name: &Username) -> Option<&Sought> {
        self.sought.get(name)
    }

    pub(in crate::node) fn attempt(&self, peer: PeerId) -> Option<&Attempt> {
        self.attempts.get(&peer)
    }

    pub(in crate::node) fn callers(&self) -> Vec<CallersReport> {
        self.callers.values().copied().collect()
    }

    pub(in crate::node) fn mail(&self, peer: PeerId) -> Option<&MailReport> {
        self.mails.get(&peer)
    }

    /// A mailbox has taken a mail to this peer, or has not.
    pub(super) fn mailed(&mut self, peer: PeerId, failure: Option<Failure>, at: Wall) {
        make_room(&mut self.mails, &peer, |mail| mail.at);
        self.mails.insert(peer, MailReport { at, failure });
    }

    /// The trackers have answered about a name that somebody wants to reach.
    pub(super) fn found(&mut self, name: &Username, found: &Found, at: Wall) {
        make_room(&mut self.sought, name, |sought| sought.at);
        self.sought.insert(name.clone(), Sought { at, owner: found.into() });
    }

    /// Dialling a peer has ended, perhaps with a link.
    pub(super) fn dialled(&mut self, peer: PeerId, tried: Vec<EndpointReport>, link: Option<LinkId>, now: Now) {
        make_room(&mut self.attempts, &peer, |attempt| attempt.at);
        self.attempts.insert(peer, Attempt { at: now.wall, tried, link, accepted: None });
        self.greeting.extend(link.map(|link| (link, (peer, now.mono))));
    }

    /// Somebody has called and proved a key.
    pub(super) fn called(&mut self, from: Reach, at: Wall) {
        let callers = self.callers.entry(from).or_insert(CallersReport { reach: from, times: 0, last: at });
        (callers.times, callers.last) = (callers.times.saturating_add(1), at);
    }

    /// The other end says goodbye on a link. It may say that it refuses long after this end took the link for one that is up.
    pub(super) fn goodbye(&mut self, link: LinkId, peer: PeerId, reason: &Reason, at: Wall) {
        let Reason::Refused(word) = reason else { return };
        self.greeting.remove(&link);
        if let Some(attempt) = self.attempts.get_mut(&peer).filter(|attempt| attempt.link == Some(link)) {
            attempt.accepted = Some((at, Err(refused_there(word))));
        }
    }

    /// This end refuses a link that it has dialled itself.
    pub(super) fn refused(&mut self, link: LinkId, word: &str, at: Wall) {
        let code = known(word).unwrap_or(Code::Refused);
        self.conclude(link, at, Err(Failure::new(code, "this node does not accept the other end as it is")));
    }

    /// A link has ended. Before it was up, what the other end said that is no protocol of ours tells why.
    pub(super) fn broke(&mut self, link: LinkId, error: Option<&TransportError>, at: Wall) {
        if let Some(error @ TransportError::Protocol { .. }) = error {
            self.conclude(link, at, Err(Failure::new(error.code(), error)));
        }
    }

    /// After a turn: which links are up, and which are gone before they were.
    pub(super) fn settle(&mut self, state: &State, now: Now) {
        let greeting: Vec<_> = self.greeting.iter().map(|(link, (peer, since))| (*link, *peer, *since)).collect();
        for (link, peer, since) in greeting {
            if state.active_link(peer) == Some(link) {
                self.conclude(link, now.wall, Ok(()));
            } else if !state.is_greeting(link) {
                self.conclude(link, now.wall, Err(lost(now.mono.saturating_sub(since))));
            }
        }
    }

    fn conclude(&mut self, link: LinkId, at: Wall, outcome: Result<(), Failure>) {
        let Some((peer, _)) = self.greeting.remove(&link) else { return };
        if let Some(attempt) = self.attempts.get_mut(&peer).filter(|attempt| attempt.link == Some(link)) {
            attempt.accepted = Some((at, outcome));
        }
    }
}

impl Attempt {
    /// The step at which it ended, and why, if it was before there was a link. Of several addresses the one that led farthest
    /// counts, and among those the first.
    pub(in crate::node) fn failure(&self) -> Option<(Step, Failure)> {
        if self.link.is_some() {
            return None;
        }
        let no_address = || Failure::new(Code::NoAddress, "the peer's record names no address");
        let farthest = self.tried.iter().rev().max_by_key(|tried| tried.step);
        Some(match farthest {
            None => (Step::Resolved, no_address()),
            Some(EndpointReport { endpoint, step, failure, .. }) => {
                let why = failure.clone().unwrap_or_else(no_address);
                (*step, Failure::new(why.code, format_args!("{endpoint}: {}", why.detail)))
            }
        })
    }
}

/// A link of ours that ended before it was up.
fn lost(after: Duration) -> Failure {
    if after >= CONNECT_TIMEOUT {
        return Failure::new(Code::TimedOut, "the other end proved its key and did not greet in time");
    }
    Failure::new(Code::LinkLost, "the connection was lost before it was up")
}

/// The code that the other end said, if it is one of ours.
fn known(word: &str) -> Option<Code> {
    Code::ALL.iter().copied().find(|code| code.as_str() == word)
}

/// What it means here that the other end refuses, by its own word.
fn refused_there(word: &str) -> Failure {
    match known(word) {
        Some(code @ (Code::NameUnproved | Code::KeysUnusable)) => {
            Failure::new(code, format_args!("the other end refused: {code}"))
        }
        Some(Code::KeyChanged | Code::NameTaken) => {
            Failure::new(Code::KeyChangedThere, "the other end knows somebody else by this node's name")
        }
        Some(Code::ContactsFull | Code::RequestsFull | Code::Busy) => {
            Failure::new(Code::FullThere, "the other end has no room for one more")
        }
        Some(code @ (Code::TrackerUnreachable | Code::TrackerProtocol | Code::TooManyRequests | Code::TrackerFull)) => {
            Failure::new(Code::TrackerTroubleThere, format_args!("the other end could not ask its tracker: {code}"))
        }
        _ => Failure::new(Code::Refused, "the other end does not let this node in"),
    }
}

fn make_room<K: Ord + Clone, V>(kept: &mut BTreeMap<K, V>, key: &K, at: impl Fn(&V) -> Wall) {
    if kept.len() < MAX_TRACES || kept.contains_key(key) {
        return;
    }
    let oldest = kept.iter().min_by_key(|(_, value)| at(value)).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        kept.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    fn tried(port: u16, step: Step, code: Code) -> EndpointReport {
        let endpoint = format!("ws://127.0.0.1:{port}/p2p").parse().unwrap();
        EndpointReport { endpoint, at: Wall::default(), step, failure: Some(Failure::new(code, "no")) }
    }

    #[test]
    fn the_address_that_led_farthest_tells_why() {
        let tried = vec![
            tried(1, Step::Resolved, Code::AddressWithheld),
            tried(2, Step::Dialled, Code::PortClosed),
            tried(3, Step::Dialled, Code::TimedOut),
        ];
        let attempt = Attempt { at: Wall::default(), tried, link: None, accepted: None };
        let (step, failure) = attempt.failure().unwrap();
        assert_eq!((step, failure.code), (Step::Dialled, Code::PortClosed));
        assert!(failure.detail.starts_with("ws://127.0.0.1:2/p2p: "), "{failure:?}");
    }

    #[test]
    fn who_was_tried_least_lately_makes_room() {
        let mut trail = Trail::default();
        let peer = |n: usize| {
            let mut seed = [0; 32];
            seed[..8].copy_from_slice(&n.to_be_bytes());
            Identity::from_seed(&seed).peer_id()
        };
        for n in 0..=MAX_TRACES {
            let name: Username = format!("peer{n}").parse().unwrap();
            trail.found(&name, &Found::Nobody, Wall::from_millis(n as u64));
            let now = Now { mono: Duration::ZERO, wall: Wall::from_millis(n as u64) };
            trail.dialled(peer(n), Vec::new(), None, now);
        }
        assert_eq!((trail.sought.len(), trail.attempts.len()), (MAX_TRACES, MAX_TRACES));
        assert!(trail.attempt(peer(0)).is_none() && trail.attempt(peer(1)).is_some());
        assert!(trail.sought(&"peer0".parse().unwrap()).is_none());
    }

    #[test]
    fn what_others_say_is_short_and_writes_nothing_into_a_terminal() {
        let failure = Failure::new(Code::Unreachable, format_args!("\u{1b}[31m{}", "x".repeat(10 * MAX_DETAIL)));
        assert_eq!(failure.detail.chars().count(), MAX_DETAIL);
        assert!(!failure.detail.contains(char::is_control));
    }
}
