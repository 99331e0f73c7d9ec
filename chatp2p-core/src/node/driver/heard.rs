//! From how far this node heard the addresses of a peer, so that they are dialled for no better reason than that.
//!
//! What a tracker names counts as far as that tracker is, and of several that name the same, as the nearest of them. What a
//! peer says itself, on a link, and what is left of an earlier life counts no nearer: each tracker you use has to be as near,
//! and so has every link on which that peer spoke.

use std::collections::BTreeMap;

use crate::identity::PeerId;
use crate::protocol::{MAX_CONTACTS, MAX_LINKS};
use crate::record::{Endpoint, Reach};

use super::super::trackers::{Site, Trackers};

/// How many peers are remembered. All contacts and whoever has a link, and as many again, so that forgetting the others
/// is rare.
const MAX_HEARD: usize = 2 * (MAX_CONTACTS + MAX_LINKS);

/// What was heard, and from how far.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeMap<PeerId, Source>);

#[derive(Debug, Default)]
struct Source {
    /// Where each tracker said last that the peer is.
    listed: BTreeMap<usize, Vec<Endpoint>>,
    /// The farthest link on which the peer said where it is.
    link: Option<Reach>,
}

impl Heard {
    /// A tracker says where a peer is.
    pub(super) fn listed(&mut self, at: usize, peer: PeerId, endpoints: Vec<Endpoint>, keep: impl Fn(PeerId) -> bool) {
        self.source(peer, keep).listed.insert(at, endpoints);
    }

    /// A peer says itself where it is.
    pub(super) fn said(&mut self, peer: PeerId, across: Reach, keep: impl Fn(PeerId) -> bool) {
        let source = self.source(peer, keep);
        source.link = source.link.max(Some(across));
    }

    /// Across what an endpoint of this peer's was named.
    pub(super) fn named_by(&self, peer: PeerId, endpoint: &Endpoint, trackers: &Trackers) -> Reach {
        self.reach(peer, endpoint, |at| trackers.at(at).map(Site::reach), trackers.farthest())
    }

    fn reach(
        &self,
        peer: PeerId,
        endpoint: &Endpoint,
        of_tracker: impl Fn(usize) -> Option<Reach>,
        farthest: Reach,
    ) -> Reach {
        let Some(source) = self.0.get(&peer) else { return farthest };
        let naming = source.listed.iter().filter(|(_, endpoints)| endpoints.contains(endpoint));
        let nearest = naming.filter_map(|(at, _)| of_tracker(*at)).min();
        nearest.unwrap_or_else(|| source.link.map_or(farthest, |link| link.max(farthest)))
    }

    fn source(&mut self, peer: PeerId, keep: impl Fn(PeerId) -> bool) -> &mut Source {
        if self.0.len() >= MAX_HEARD && !self.0.contains_key(&peer) {
            // Of nobody else is an address dialled that it said itself.
            self.0.retain(|peer, _| keep(*peer));
        }
        self.0.entry(peer).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Identity;

    const TRACKERS: [Reach; 2] = [Reach::Loopback, Reach::Public];

    fn from(heard: &Heard, peer: PeerId, endpoint: &Endpoint, trackers: &[Reach]) -> Reach {
        heard.reach(peer, endpoint, |at| trackers.get(at).copied(), trackers.iter().copied().max().unwrap())
    }

    #[test]
    fn what_a_peer_says_itself_counts_no_nearer_than_its_link() {
        let (bob, mut heard) = (Identity::from_seed(&[2; 32]).peer_id(), Heard::default());
        let listed: Endpoint = "ws://127.0.0.1:1".parse().unwrap();
        let said: Endpoint = "ws://127.0.0.1:2".parse().unwrap();
        assert_eq!(from(&heard, bob, &said, &TRACKERS[..1]), Reach::Loopback, "of an earlier life");
        heard.listed(0, bob, vec![listed.clone()], |_| true);
        heard.said(bob, Reach::Public, |_| true);
        heard.said(bob, Reach::Loopback, |_| true);
        assert_eq!(from(&heard, bob, &said, &TRACKERS[..1]), Reach::Public);
        assert_eq!(from(&heard, bob, &listed, &TRACKERS[..1]), Reach::Loopback);
        assert_eq!(from(&heard, bob, &listed, &TRACKERS[1..]), Reach::Public);
    }

    #[test]
    fn what_a_tracker_far_away_names_is_no_nearer_because_another_is() {
        let (bob, mut heard) = (Identity::from_seed(&[2; 32]).peer_id(), Heard::default());
        let [home, door]: [Endpoint; 2] = ["ws://127.0.0.1:1", "ws://127.0.0.1:2"].map(|text| text.parse().unwrap());
        heard.listed(0, bob, vec![home.clone()], |_| true);
        heard.listed(1, bob, vec![door.clone(), home.clone()], |_| true);
        assert_eq!(from(&heard, bob, &door, &TRACKERS), Reach::Public);
        assert_eq!(from(&heard, bob, &home, &TRACKERS), Reach::Loopback, "the near one named it, too");
        // Nobody but an earlier life says so: all of them have to be as near.
        let carol = Identity::from_seed(&[4; 32]).peer_id();
        assert_eq!(from(&heard, carol, &home, &TRACKERS), Reach::Public);
    }
}
