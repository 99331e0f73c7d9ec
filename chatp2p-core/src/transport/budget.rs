//! How often one address is dialled, whoever names it: else many records that all name one victim would make a crowd of
//! honest nodes knock at its door.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::record::network;

/// The span over which dials are counted.
const SPAN: Duration = Duration::from_secs(60);

/// The most dials to one address and port within a minute at which the peer was not there. A contact who is away is dialled seven times in the
/// first minute and twice a minute from then on.
pub const MAX_DIALS_PER_TARGET: usize = 10;

/// The most to all ports of one address (of one IPv6 network) that is not this machine: a school behind one address may
/// come back at once, and the ports of a victim cannot be searched.
pub const MAX_DIALS_PER_ADDRESS: usize = 120;

/// The most addresses that are remembered, with their ports and without: what a node dials in a minute if each of its
/// dials at once fails after the shortest time that is given to it. The one that was dialled least lately is forgotten first.
const MAX_TARGETS: usize = 4_096;

/// Counts the dials of one node.
#[derive(Default)]
pub struct DialBudget {
    targets: Mutex<BTreeMap<Target, VecDeque<Instant>>>,
}

/// What is counted: a socket's address, or a whole network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Socket(IpAddr, u16),
    Network(IpAddr),
}

impl Target {
    const fn limit(self) -> usize {
        match self {
            Self::Socket(..) => MAX_DIALS_PER_TARGET,
            Self::Network(_) => MAX_DIALS_PER_ADDRESS,
        }
    }

    fn of(address: SocketAddr) -> impl Iterator<Item = Self> + Clone {
        let ip = address.ip().to_canonical();
        let network = Some(Self::Network(network(ip))).filter(|_| !ip.is_loopback());
        [Some(Self::Socket(ip, address.port())), network].into_iter().flatten()
    }
}

impl DialBudget {
    /// Takes one dial out of the budget of an address. False when there is none left.
    pub(super) fn take(&self, address: SocketAddr) -> bool {
        let now = Instant::now();
        let mut targets = self.targets();
        let mut left = |target: Target| {
            let Some(dials) = targets.get_mut(&target) else { return true };
            while dials.front().is_some_and(|at| now.duration_since(*at) >= SPAN) {
                dials.pop_front();
            }
            dials.len() < target.limit()
        };
        if !Target::of(address).all(&mut left) {
            return false;
        }
        for target in Target::of(address) {
            if targets.len() >= MAX_TARGETS && !targets.contains_key(&target) {
                forget_one(&mut targets);
            }
            targets.entry(target).or_default().push_back(now);
        }
        true
    }

    /// Puts the latest dial of an address back.
    pub(super) fn give_back(&self, address: SocketAddr) {
        let mut targets = self.targets();
        for target in Target::of(address) {
            if let Some(dials) = targets.get_mut(&target) {
                dials.pop_back();
                if dials.is_empty() {
                    targets.remove(&target);
                }
            }
        }
    }

    fn targets(&self) -> MutexGuard<'_, BTreeMap<Target, VecDeque<Instant>>> {
        // Nothing can panic between two of its changes that belong together.
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn forget_one(targets: &mut BTreeMap<Target, VecDeque<Instant>>) {
    let oldest = targets.iter().min_by_key(|(_, dials)| dials.back().copied()).map(|(target, _)| *target);
    if let Some(oldest) = oldest {
        targets.remove(&oldest);
    }
}

impl fmt::Debug for DialBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialBudget").field("targets", &self.targets().len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn one_address_is_dialled_ten_times_in_any_minute() {
        let budget = DialBudget::default();
        let mut dialled = Vec::new();
        for _ in 0..1_000 {
            if budget.take(at("8.8.8.8:5001")) {
                dialled.push(Instant::now());
            }
            // However it is written.
            assert!(!(dialled.len() >= MAX_DIALS_PER_TARGET && budget.take(at("[::ffff:8.8.8.8]:5001"))));
            tokio::time::advance(Duration::from_millis(50)).await;
        }
        assert_eq!(dialled.len(), MAX_DIALS_PER_TARGET);
        tokio::time::advance(SPAN).await;
        assert!(budget.take(at("8.8.8.8:5001")));
    }

    #[tokio::test(start_paused = true)]
    async fn the_ports_of_one_address_cannot_be_searched() {
        let budget = DialBudget::default();
        let ports = |ip: &str| (1..=1_000).filter(|port| budget.take(at(&format!("{ip}:{port}")))).count();
        assert_eq!(ports("8.8.8.8"), MAX_DIALS_PER_ADDRESS);
        assert_eq!(ports("[2a00::1]"), MAX_DIALS_PER_ADDRESS);
        assert_eq!(ports("[2a00::2]"), 0, "the same network");
        assert_eq!(ports("127.0.0.1"), 1_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_that_found_its_peer_does_not_count() {
        let budget = DialBudget::default();
        for _ in 0..100 {
            assert!(budget.take(at("8.8.8.8:5001")));
            budget.give_back(at("8.8.8.8:5001"));
        }
        assert!(budget.targets().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_addresses_are_remembered() {
        let budget = DialBudget::default();
        for n in 0..3_000_u32 {
            let ip = std::net::Ipv4Addr::from_bits(0x0808_0000 + n);
            assert!(budget.take(SocketAddr::new(ip.into(), 5001)));
            assert!(budget.targets().len() <= MAX_TARGETS);
        }
    }
}
