//! How much one address may ask for. A bucket that runs full by itself, for each address and each kind of request: bursts
//! are served, floods are not, and whoever asks too much hears for how long to wait.

mod middleware;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chatp2p_core::record::network;

pub(crate) use middleware::Bounded;

/// The most addresses that are remembered, some 100 bytes each. All that are not share what one address has: a flood from
/// that many addresses is somebody else's trouble first, and must not take our memory as well.
const MAX_ADDRESSES: usize = 50_000;

/// How often those are forgotten whose buckets are full again.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// To be listed, or no longer: a signature is verified and a row written.
    Registration,
    /// To stay listed.
    Beat,
    /// Who is there.
    Query,
}

/// So many at once, and one more after each pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quota {
    burst: u32,
    pause: Duration,
}

impl Kind {
    /// What a school of 250 behind one address needs, that comes in the morning all at once: two registrations each and one
    /// to spare, a beat each half minute, a look at the list each five seconds.
    const fn quota(self) -> Quota {
        match self {
            Self::Registration => Quota { burst: 600, pause: Duration::from_millis(500) },
            Self::Beat => Quota { burst: 1_000, pause: Duration::from_millis(50) },
            Self::Query => Quota { burst: 3_000, pause: Duration::from_millis(20) },
        }
    }
}

/// Who counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quotas {
    /// Everybody but this machine.
    #[default]
    BeyondLoopback,
    /// Everybody, also on this machine.
    Everybody,
    /// Nobody: for a tracker behind a proxy that counts by itself, and behind which all have one address.
    Nobody,
}

/// The buckets of all addresses.
#[derive(Debug)]
pub(crate) struct Buckets {
    who: Quotas,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    /// Each bucket as the time at which it will be full again; of no address in particular is the one that is shared.
    full_at: BTreeMap<(Option<IpAddr>, Kind), Instant>,
    /// When full ones were last forgotten.
    forgotten: Option<Instant>,
}

impl Buckets {
    pub(crate) fn new(who: Quotas) -> Self {
        Self { who, table: Mutex::default() }
    }

    /// Takes one request out of an address's bucket, or says how long to wait until there is one in it.
    pub(crate) fn take(&self, ip: IpAddr, kind: Kind, now: Instant) -> Result<(), Duration> {
        let counts = match self.who {
            Quotas::BeyondLoopback => !ip.to_canonical().is_loopback(),
            Quotas::Everybody => true,
            Quotas::Nobody => false,
        };
        if !counts {
            return Ok(());
        }
        // Nothing can panic between two changes that belong together.
        let mut guard = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        let Table { full_at: buckets, forgotten } = &mut *guard;
        let mut key = (Some(network(ip)), kind);
        if buckets.len() >= MAX_ADDRESSES && !buckets.contains_key(&key) {
            if forgotten.is_none_or(|at| now.saturating_duration_since(at) >= FORGET_EVERY) {
                buckets.retain(|_, full_at| *full_at > now);
                *forgotten = Some(now);
            }
            if buckets.len() >= MAX_ADDRESSES {
                key.0 = None;
            }
        }
        let Quota { burst, pause } = kind.quota();
        let full_at = buckets.get(&key).copied().unwrap_or(now).max(now);
        let missing = full_at.duration_since(now) + pause;
        let capacity = pause * burst;
        if missing > capacity {
            return Err(missing - capacity);
        }
        buckets.insert(key, now + missing);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn granted(buckets: &Buckets, text: &str, kind: Kind, now: Instant, tries: u32) -> u32 {
        (0..tries).map(|_| u32::from(buckets.take(ip(text), kind, now).is_ok())).sum()
    }

    #[test]
    fn a_burst_is_served_and_a_flood_is_told_how_long_to_wait() {
        let buckets = Buckets::new(Quotas::default());
        let now = Instant::now();
        for kind in [Kind::Registration, Kind::Beat, Kind::Query] {
            let Quota { burst, pause } = kind.quota();
            assert_eq!(granted(&buckets, "8.8.8.8", kind, now, 10_000), burst, "{kind:?}");
            let wait = buckets.take(ip("8.8.8.8"), kind, now).unwrap_err();
            assert!(wait <= pause, "{kind:?}: {wait:?}");
            assert!(buckets.take(ip("8.8.8.8"), kind, now + wait / 2).is_err(), "{kind:?}");
            assert_eq!(granted(&buckets, "8.8.8.8", kind, now + wait, 100), 1, "{kind:?}: as soon as it says");
            assert_eq!(granted(&buckets, "8.8.8.8", kind, now + pause * 11, 100), 10, "{kind:?}");
            assert_eq!(granted(&buckets, "8.8.4.4", kind, now, 100), 100, "{kind:?}: nobody else waits");
        }
    }

    #[test]
    fn an_ipv6_network_is_one_address_and_this_machine_is_none() {
        let buckets = Buckets::new(Quotas::default());
        let now = Instant::now();
        let burst = Kind::Registration.quota().burst;
        let each = (0..burst).all(|n| buckets.take(ip(&format!("2a00::{n:x}")), Kind::Registration, now).is_ok());
        assert!(each && buckets.take(ip("2a00::ffff:1"), Kind::Registration, now).is_err());
        assert!(buckets.take(ip("2a00:0:0:1::1"), Kind::Registration, now).is_ok());
        for here in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(granted(&buckets, here, Kind::Registration, now, 10_000), 10_000, "{here}");
        }
        assert_eq!(granted(&Buckets::new(Quotas::Nobody), "8.8.8.8", Kind::Query, now, 10_000), 10_000);
    }

    #[test]
    fn only_so_many_addresses_are_remembered_and_the_others_share() {
        let buckets = Buckets::new(Quotas::default());
        let now = Instant::now();
        let mut refused = 0;
        for n in 0..60_000_u32 {
            let ip = IpAddr::V4(std::net::Ipv4Addr::from_bits(0x0800_0000 + n));
            refused += u32::from(buckets.take(ip, Kind::Registration, now).is_err());
        }
        assert!(buckets.table.lock().unwrap().full_at.len() <= MAX_ADDRESSES + 3);
        assert_eq!(refused, 10_000 - Kind::Registration.quota().burst);
        let later = now + Duration::from_secs(3_600);
        assert!(buckets.take(ip("9.9.9.9"), Kind::Registration, later).is_ok());
        assert_eq!(buckets.table.lock().unwrap().full_at.len(), 1, "whose buckets are full is forgotten");
    }
}
