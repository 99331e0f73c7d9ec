//! How often somebody may present what is wrong. Nobody guesses a token; what is bounded here is what trying costs this
//! machine, and how much of the log it could fill.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How many failures in a row are answered as what they are: somebody who pastes the wrong token into a program that tries
/// again is told so often enough to see it.
pub(crate) const BURST: u32 = 10;

/// How long it takes until one more is.
const ONE_MORE_AFTER: Duration = Duration::from_secs(6);

/// How many networks are told apart: a few tens of bytes each. Those beyond share one count.
const MAX_NETWORKS: usize = 1024;

/// The count of everybody for whom there is no count of their own.
const OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Who failed how often.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<BTreeMap<IpAddr, Instant>>);

impl Failures {
    /// How long somebody of this network has to wait before a next try counts; `None` for not at all.
    pub(crate) fn wait(&self, network: IpAddr, now: Instant) -> Option<Duration> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = if all.contains_key(&network) || all.len() < MAX_NETWORKS { network } else { OTHERS };
        over(*all.get(&key)?, now)
    }

    /// Counts a failure. Says how long to wait where it was one too many.
    pub(crate) fn count(&self, network: IpAddr, now: Instant) -> Option<Duration> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_NETWORKS {
            all.retain(|_, paid| *paid > now);
        }
        let key = if all.contains_key(&network) || all.len() < MAX_NETWORKS { network } else { OTHERS };
        // Each failure is paid by some time. What is written down is when all of it will be paid.
        let paid = all.entry(key).or_insert(now);
        let due = over(*paid, now);
        if due.is_none() {
            *paid = (*paid).max(now) + ONE_MORE_AFTER;
        }
        due
    }
}

/// How long until there is room for one more failure.
fn over(paid: Instant, now: Instant) -> Option<Duration> {
    let room = ONE_MORE_AFTER * (BURST - 1);
    paid.checked_duration_since(now)?.checked_sub(room).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn so_many_failures_are_told_and_then_one_after_each_pause() {
        let (failures, now) = (Failures::default(), Instant::now());
        for _ in 0..BURST {
            assert_eq!(failures.wait(ip("192.0.2.1"), now), None);
            assert_eq!(failures.count(ip("192.0.2.1"), now), None);
        }
        let wait = failures.wait(ip("192.0.2.1"), now).unwrap();
        assert_eq!((failures.count(ip("192.0.2.1"), now), wait), (Some(wait), ONE_MORE_AFTER));
        let later = now + ONE_MORE_AFTER;
        assert_eq!(failures.count(ip("192.0.2.1"), later), None);
        assert_eq!(failures.count(ip("192.0.2.1"), later), Some(ONE_MORE_AFTER));
        assert_eq!(failures.count(ip("192.0.2.1"), later + ONE_MORE_AFTER * BURST), None);
    }

    #[test]
    fn one_network_does_not_use_up_another_ones() {
        let (failures, now) = (Failures::default(), Instant::now());
        while failures.count(ip("192.0.2.1"), now).is_none() {}
        assert_eq!(failures.wait(ip("192.0.2.2"), now), None);
        assert_eq!(failures.count(ip("192.0.2.2"), now), None);
    }

    #[test]
    fn however_many_networks_fail_no_more_are_remembered_than_there_may_be() {
        let (failures, now) = (Failures::default(), Instant::now());
        let network = |number: u32| IpAddr::from((0x0a00_0000 + number).to_be_bytes());
        let (many, strangers) = (u32::try_from(MAX_NETWORKS).unwrap(), 3 * BURST);
        for number in 0..many + strangers {
            failures.count(network(number), now);
        }
        assert_eq!(failures.0.lock().unwrap().len(), MAX_NETWORKS + 1);
        assert!(failures.wait(network(many + strangers), now).is_some(), "those beyond share one count");
        assert_eq!(failures.wait(network(0), now), None, "and leave the others theirs");
        // What is paid is forgotten.
        let later = now + ONE_MORE_AFTER * BURST * 2;
        failures.count(network(1), later);
        assert!(failures.0.lock().unwrap().len() <= 2);
    }
}
