//! Which addresses the others are told to dial. Pure: what is known about this machine comes in as arguments.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use chatp2p_core::record::{Endpoint, Host, MAX_ENDPOINTS};

/// What is known when the addresses are chosen.
#[derive(Debug, Clone)]
pub(super) struct Known<'a> {
    /// The host that the user wants to be told.
    pub(super) advertise: Option<&'a Host>,
    /// Where links are served.
    pub(super) listening: SocketAddr,
    /// This machine's addresses on the way to each of the trackers, as far as there is one.
    pub(super) towards_trackers: &'a [IpAddr],
    /// The private addresses of this machine.
    pub(super) private: &'a [IpAddr],
}

/// The endpoints of the record, best first.
pub(super) fn endpoints(known: &Known<'_>) -> Vec<Endpoint> {
    let port = known.listening.port();
    if let Some(host) = known.advertise {
        return Endpoint::ws_host(&host.to_string(), port).into_iter().collect();
    }
    let at = known.listening.ip();
    if !at.is_unspecified() {
        return vec![Endpoint::ws(known.listening)];
    }
    let here = if at.is_ipv4() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
    // Who listens at 0.0.0.0 is not reached over IPv6, whichever way leads to the tracker.
    let reached = |ip: &IpAddr| match ip.to_canonical() {
        IpAddr::V6(Ipv6Addr::LOCALHOST) if at.is_ipv4() => Some(here),
        IpAddr::V6(_) if at.is_ipv4() => None,
        ip => Some(ip),
    };
    let mut first: Vec<IpAddr> = known.towards_trackers.iter().filter_map(reached).collect();
    if known.towards_trackers.is_empty() {
        first.push(here);
    }
    // Trackers on this machine show nothing of how others reach it.
    let alone = first.iter().all(IpAddr::is_loopback);
    let private = known.private.iter().copied().filter(|ip| alone && (ip.is_ipv4() || at.is_ipv6()));
    let mut addresses: Vec<IpAddr> = Vec::new();
    for ip in first.into_iter().chain(private) {
        if !addresses.contains(&ip) {
            addresses.push(ip);
        }
    }
    addresses.truncate(MAX_ENDPOINTS);
    addresses.into_iter().map(|ip| Endpoint::ws(SocketAddr::new(ip, port))).collect()
}

/// The private addresses of this machine, in the system's order. Empty where the system does not tell.
pub(super) fn private() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the addresses of this machine cannot be read");
        Vec::new()
    });
    interfaces.into_iter().map(|interface| interface.ip()).filter(is_private).collect()
}

/// All addresses of this machine. `None` where the system does not tell.
pub(super) fn here() -> Option<BTreeSet<IpAddr>> {
    let interfaces = if_addrs::get_if_addrs().ok()?;
    Some(interfaces.into_iter().map(|interface| interface.ip()).collect())
}

/// Whether an address is of a local network (RFC 1918, RFC 4193).
pub(super) fn is_private(ip: &IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_private(),
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(advertise: Option<&str>, listening: &str, towards: Option<&str>, private: &[&str]) -> Vec<String> {
        towards_all(advertise, listening, towards.as_slice(), private)
    }

    fn towards_all(advertise: Option<&str>, listening: &str, trackers: &[&str], private: &[&str]) -> Vec<String> {
        let advertise = advertise.map(|host| host.parse().unwrap());
        let private: Vec<IpAddr> = private.iter().map(|ip| ip.parse().unwrap()).collect();
        let towards_trackers: Vec<IpAddr> = trackers.iter().map(|ip| ip.parse().unwrap()).collect();
        let known = Known {
            advertise: advertise.as_ref(),
            listening: listening.parse().unwrap(),
            towards_trackers: &towards_trackers,
            private: &private,
        };
        endpoints(&known).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_user_says_counts() {
        let told = told(Some("chat.example"), "0.0.0.0:5001", Some("127.0.0.1"), &["10.0.0.2"]);
        assert_eq!(told, ["ws://chat.example:5001/p2p"]);
        assert_eq!(self::told(Some("::1"), "0.0.0.0:5001", None, &[]), ["ws://[::1]:5001/p2p"]);
    }

    #[test]
    fn one_address_that_is_listened_at_is_the_one_to_dial() {
        for towards in [None, Some("127.0.0.1"), Some("192.0.2.1")] {
            assert_eq!(told(None, "10.0.0.2:7", towards, &["192.168.0.2"]), ["ws://10.0.0.2:7/p2p"]);
            assert_eq!(told(None, "127.0.0.1:7", towards, &["192.168.0.2"]), ["ws://127.0.0.1:7/p2p"]);
        }
    }

    #[test]
    fn the_way_to_the_tracker_is_the_way_from_it() {
        assert_eq!(told(None, "0.0.0.0:7", Some("192.0.2.1"), &["10.0.0.2"]), ["ws://192.0.2.1:7/p2p"]);
        assert_eq!(told(None, "[::]:7", Some("::ffff:192.0.2.1"), &[]), ["ws://192.0.2.1:7/p2p"]);
        assert_eq!(told(None, "[::]:7", Some("2001:db8::1"), &[]), ["ws://[2001:db8::1]:7/p2p"]);
    }

    #[test]
    fn beside_a_tracker_on_this_machine_the_local_network_is_told_too() {
        let private = ["192.168.0.2", "10.0.0.2", "192.168.0.2", "fd00::1", "172.16.0.1", "10.9.9.9"];
        let four = ["ws://127.0.0.1:7/p2p", "ws://192.168.0.2:7/p2p", "ws://10.0.0.2:7/p2p", "ws://172.16.0.1:7/p2p"];
        assert_eq!(told(None, "0.0.0.0:7", Some("127.0.0.1"), &private), four);
        // `localhost` may lead to ::1, where nobody listens.
        assert_eq!(told(None, "0.0.0.0:7", Some("::1"), &private), four);
        assert_eq!(
            told(None, "[::]:7", Some("::1"), &["fd00::1", "10.0.0.2"]),
            ["ws://[::1]:7/p2p", "ws://[fd00::1]:7/p2p", "ws://10.0.0.2:7/p2p"]
        );
    }

    #[test]
    fn each_tracker_shows_a_way_and_one_elsewhere_shows_how_others_come() {
        let told = |trackers: &[&str]| towards_all(None, "0.0.0.0:7", trackers, &["10.0.0.2"]);
        let both = ["ws://127.0.0.1:7/p2p", "ws://192.168.0.2:7/p2p"];
        assert_eq!(told(&["::1", "192.168.0.2", "127.0.0.1", "2001:db8::1"]), both);
        assert_eq!(told(&["::1", "127.0.0.1"]), ["ws://127.0.0.1:7/p2p", "ws://10.0.0.2:7/p2p"]);
        assert_eq!(told(&[]), ["ws://127.0.0.1:7/p2p", "ws://10.0.0.2:7/p2p"], "no way to any of them");
    }

    #[test]
    fn an_address_that_nobody_can_dial_is_not_told() {
        assert_eq!(told(None, "0.0.0.0:7", Some("2001:db8::1"), &["10.0.0.2"]), ["ws://10.0.0.2:7/p2p"]);
        assert_eq!(told(None, "0.0.0.0:7", None, &[]), ["ws://127.0.0.1:7/p2p"]);
    }
}
