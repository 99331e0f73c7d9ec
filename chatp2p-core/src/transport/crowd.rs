//! Who keeps a place where there are few and callers may never be done. Whoever comes gets one: an honest caller is done
//! in moments, so the one that has been at it for longest goes, among those of the network that has the most of them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::record::network;

/// Callers that are not done yet. Keys rise with each that comes.
#[derive(Debug)]
pub(crate) struct Crowd<K> {
    places: usize,
    places_per_network: usize,
    /// From where each of them calls. Callers without an address, or on this machine, are one network.
    here: BTreeMap<K, Option<IpAddr>>,
}

impl<K: Ord + Copy> Crowd<K> {
    /// So many places, and so many of them for one network that is not this machine.
    pub(crate) const fn new(places: usize, places_per_network: usize) -> Self {
        Self { places, places_per_network, here: BTreeMap::new() }
    }

    /// Gives a caller a place. Says who has to go for it.
    pub(crate) fn enter(&mut self, key: K, from: Option<IpAddr>) -> Option<K> {
        let from = from.map(network).filter(|ip| !ip.is_loopback());
        let mut sizes = BTreeMap::<_, usize>::new();
        for network in self.here.values() {
            *sizes.entry(*network).or_default() += 1;
        }
        let its_own = sizes.get(&from).copied().unwrap_or_default();
        let leaving = if from.is_some() && its_own >= self.places_per_network {
            self.oldest(from)
        } else if self.here.len() >= self.places {
            // Its own, if no other has more.
            let most = sizes.into_iter().max_by_key(|(network, size)| (*size, *network == from));
            most.and_then(|(network, _)| self.oldest(network))
        } else {
            None
        };
        if let Some(leaving) = &leaving {
            self.here.remove(leaving);
        }
        self.here.insert(key, from);
        leaving
    }

    /// Lets go of the callers that are done.
    pub(crate) fn retain(&mut self, mut is_here: impl FnMut(K) -> bool) {
        self.here.retain(|key, _| is_here(*key));
    }

    fn oldest(&self, of: Option<IpAddr>) -> Option<K> {
        self.here.iter().find(|(_, network)| **network == of).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn one_network_has_so_many_places_and_pushes_out_its_own() {
        let mut crowd = Crowd::new(10, 2);
        assert_eq!(crowd.enter(1, ip("8.8.8.8")), None);
        assert_eq!(crowd.enter(2, ip("2a00::1")), None);
        assert_eq!(crowd.enter(3, ip("2a00::2")), None);
        assert_eq!(crowd.enter(4, ip("2a00::3")), Some(2));
        assert_eq!(crowd.enter(5, ip("::ffff:8.8.8.8")), None);
        assert_eq!(crowd.enter(6, ip("8.8.8.8")), Some(1));
        crowd.retain(|key| key != 5);
        assert_eq!(crowd.enter(7, ip("8.8.8.8")), None);
    }

    #[test]
    fn when_all_places_are_taken_the_largest_network_gives_one() {
        let mut crowd = Crowd::new(4, 3);
        assert_eq!(crowd.enter(1, ip("8.8.8.1")), None);
        for key in 2..=4 {
            assert_eq!(crowd.enter(key, ip("8.8.8.2")), None);
        }
        assert_eq!(crowd.enter(5, ip("8.8.8.3")), Some(2));
        assert_eq!(crowd.enter(6, None), Some(3));
        crowd.retain(|key| key == 1);
        assert_eq!(crowd.here.len(), 1);
    }

    #[test]
    fn this_machine_may_have_all_places() {
        let mut crowd = Crowd::new(100, 2);
        for key in 0..100 {
            assert_eq!(crowd.enter(key, ip(["127.0.0.1", "::1", "127.1.2.3"][key % 3])), None);
        }
        assert_eq!(crowd.enter(100, ip("127.0.0.1")), Some(0));
    }
}
