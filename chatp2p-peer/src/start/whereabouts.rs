//! Where this machine is, looked at again and again: it may be carried from one network into another while the node runs.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use chatp2p_core::record::Endpoint;
use chatp2p_core::tracker::HttpTracker;
use futures_util::{Stream, stream};
use tokio::time::sleep;

use super::address::{self, Known};
use super::trackers;

/// How often the addresses of this machine are looked at, which costs a question to the system.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How often trackers are looked for once the addresses have changed. A network that comes up gives an address first, and
/// the way out by it some seconds later.
const LOOKS: u32 = 3;

/// Looks after the addresses of a node whose addresses were found out.
pub(super) struct Lookout {
    trackers: Vec<HttpTracker>,
    listening: SocketAddr,
    told: Told,
}

/// What was found and told so far.
struct Told {
    endpoints: Vec<Endpoint>,
    here: BTreeSet<IpAddr>,
    /// How often trackers are still looked for.
    looks: u32,
}

impl Lookout {
    /// For a node that listens there and has told this. `None` where nothing can change: who listens at one address alone is
    /// nowhere else.
    pub(super) fn new(trackers: &[HttpTracker], listening: SocketAddr, endpoints: Vec<Endpoint>) -> Option<Self> {
        let told = Told { endpoints, here: address::here().unwrap_or_default(), looks: 0 };
        listening.ip().is_unspecified().then(|| Self { trackers: trackers.to_vec(), listening, told })
    }

    /// Where the node can be dialled, each time that this is another place.
    pub(super) fn moves(self) -> impl Stream<Item = Vec<Endpoint>> + Send {
        stream::unfold(self, |mut lookout| async move {
            loop {
                sleep(LOOK_EVERY).await;
                if let Some(endpoints) = lookout.look().await {
                    return Some((endpoints, lookout));
                }
            }
        })
    }

    async fn look(&mut self) -> Option<Vec<Endpoint>> {
        // Where the system does not tell, nothing has changed.
        if !self.told.notices(address::here()?) {
            return None;
        }
        let addresses = trackers::addresses(&self.trackers).await;
        let (listening, private) = (self.listening, address::private());
        self.told.finds(&Known { advertise: None, listening, towards_trackers: &addresses, private: &private })
    }
}

impl Told {
    /// Takes the addresses of this machine. Says whether to look for trackers from here.
    fn notices(&mut self, here: BTreeSet<IpAddr>) -> bool {
        if here != self.here {
            (self.here, self.looks) = (here, LOOKS);
        }
        self.looks > 0
    }

    /// Takes what was found, and says where the node is if that has not been told. Without a way to any tracker there is no
    /// network just now, and nobody to tell: the next look may find one.
    fn finds(&mut self, known: &Known<'_>) -> Option<Vec<Endpoint>> {
        if known.towards_trackers.is_empty() {
            return None;
        }
        self.looks = self.looks.saturating_sub(1);
        let endpoints = address::endpoints(known);
        if endpoints == self.endpoints {
            return None;
        }
        self.endpoints.clone_from(&endpoints);
        Some(endpoints)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn all(texts: &[&str]) -> BTreeSet<IpAddr> {
        texts.iter().map(|text| ip(text)).collect()
    }

    fn told() -> Told {
        let endpoints = vec!["ws://192.168.0.2:7/p2p".parse().unwrap()];
        Told { endpoints, here: all(&["127.0.0.1", "192.168.0.2"]), looks: 0 }
    }

    fn finds(told: &mut Told, towards: &[&str]) -> Option<Vec<String>> {
        let towards: Vec<IpAddr> = towards.iter().map(|text| ip(text)).collect();
        let listening = "0.0.0.0:7".parse().unwrap();
        let found = told.finds(&Known { advertise: None, listening, towards_trackers: &towards, private: &[] })?;
        Some(found.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn who_listens_at_one_address_alone_follows_nothing() {
        let tracker = HttpTracker::new("http://127.0.0.1:1").unwrap();
        let lookout = |at: &str| Lookout::new(std::slice::from_ref(&tracker), at.parse().unwrap(), Vec::new());
        for at in ["127.0.0.1:7", "[::1]:7", "192.168.0.2:7"] {
            assert!(lookout(at).is_none(), "{at}");
        }
        for at in ["0.0.0.0:7", "[::]:7"] {
            assert!(lookout(at).is_some(), "{at}");
        }
    }

    #[test]
    fn trackers_are_looked_for_only_when_the_machine_has_other_addresses_and_then_some_times() {
        let mut told = told();
        assert!(!told.notices(all(&["192.168.0.2", "127.0.0.1"])));
        for _ in 0..LOOKS {
            assert!(told.notices(all(&["127.0.0.1", "10.0.0.5"])));
            finds(&mut told, &["10.0.0.5"]);
        }
        assert!(!told.notices(all(&["127.0.0.1", "10.0.0.5"])));
        assert!(told.notices(all(&["127.0.0.1"])));
    }

    #[test]
    fn another_place_is_told_once_and_a_way_that_comes_later_is_found() {
        let mut told = told();
        assert!(told.notices(all(&["127.0.0.1", "192.168.0.2", "10.0.0.5"])));
        assert_eq!(finds(&mut told, &["192.168.0.2"]), None, "it is still the old way");
        assert_eq!(finds(&mut told, &["10.0.0.5"]), Some(vec!["ws://10.0.0.5:7/p2p".to_owned()]));
        assert_eq!(finds(&mut told, &["10.0.0.5"]), None);
    }

    #[test]
    fn without_a_network_nothing_is_told_and_it_is_looked_for_until_there_is_one() {
        let mut told = told();
        for _ in 0..10 * LOOKS {
            assert!(told.notices(all(&["127.0.0.1"])));
            assert_eq!(finds(&mut told, &[]), None);
        }
        assert!(told.notices(all(&["127.0.0.1", "192.168.0.2"])));
        assert_eq!(finds(&mut told, &["192.168.0.2"]), None, "it is where it was");
        assert!(told.notices(all(&["127.0.0.1", "192.168.0.9"])));
        assert!(finds(&mut told, &["192.168.0.9"]).is_some());
    }
}
