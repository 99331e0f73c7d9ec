//! From how far this node heard the addresses of a peer, so that they are dialled for no better reason than that.
//!
//! A tracker's answer counts as far as the tracker is. What a peer says itself, on a link, and what is left of an earlier
//! life counts no nearer: the tracker you use has to be as near, and so has every link on which that peer spoke.

use std::collections::BTreeMap;

use crate::identity::PeerId;
use crate::protocol::{MAX_CONTACTS, MAX_LINKS};
use crate::record::{Endpoint, Reach};

/// How many peers are remembered. All contacts and whoever has a link, and as many again, so that forgetting the others
/// is rare.
const MAX_HEARD: usize = 2 * (MAX_CONTACTS + MAX_LINKS);

/// What was heard, and from how far.
#[derive(Debug, Default)]
pub(super) struct Heard(BTreeMap<PeerId, Source>);

#[derive(Debug, Default)]
struct Source {
    /// Where the tracker said last that the peer is.
    listed: Vec<Endpoint>,
    /// The farthest link on which the peer said where it is.
    link: Option<Reach>,
}

impl Heard {
    /// The tracker says where a peer is.
    pub(super) fn listed(&mut self, peer: PeerId, endpoints: &[Endpoint], keep: impl Fn(PeerId) -> bool) {
        self.source(peer, keep).listed = endpoints.to_vec();
    }

    /// A peer says itself where it is.
    pub(super) fn said(&mut self, peer: PeerId, across: Reach, keep: impl Fn(PeerId) -> bool) {
        let source = self.source(peer, keep);
        source.link = source.link.max(Some(across));
    }

    /// Across what this peer's endpoints were named.
    pub(super) fn named_by(&self, peer: PeerId, endpoints: &[Endpoint], tracker: Reach) -> Reach {
        match self.0.get(&peer) {
            Some(source) if source.listed == endpoints => tracker,
            Some(Source { link: Some(link), .. }) => tracker.max(*link),
            _ => tracker,
        }
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

    #[test]
    fn what_a_peer_says_itself_counts_no_nearer_than_its_link() {
        let (bob, mut heard) = (Identity::from_seed(&[2; 32]).peer_id(), Heard::default());
        let listed = ["ws://127.0.0.1:1".parse().unwrap()];
        let said = ["ws://127.0.0.1:2".parse().unwrap()];
        assert_eq!(heard.named_by(bob, &said, Reach::Loopback), Reach::Loopback, "of an earlier life");
        heard.listed(bob, &listed, |_| true);
        heard.said(bob, Reach::Public, |_| true);
        heard.said(bob, Reach::Loopback, |_| true);
        assert_eq!(heard.named_by(bob, &said, Reach::Loopback), Reach::Public);
        assert_eq!(heard.named_by(bob, &listed, Reach::Loopback), Reach::Loopback);
        assert_eq!(heard.named_by(bob, &listed, Reach::Public), Reach::Public);
    }
}
