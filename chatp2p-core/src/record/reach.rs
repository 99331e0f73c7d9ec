//! How near an address is, and whether somebody may have this node dial it. A record is a list of addresses that
//! somebody else chose: without this rule, a stranger at a public tracker could have a node knock at its own machine.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How near something is: what leads there crosses no more than this.
///
/// Nearer is less. Whoever is reached across this may name what is as far away or farther, never what is nearer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reach {
    /// It is in this process, and has no address.
    Process,
    /// It is on this machine (127.0.0.0/8, ::1).
    Loopback,
    /// It is in a local network (RFC 1918, RFC 4193).
    Private,
    /// It is anywhere.
    Public,
}

/// Addresses at which clouds tell a machine its own secrets, in ranges that would be dialled otherwise.
const METADATA: [IpAddr; 3] = [
    // Azure.
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    // Amazon.
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254)),
    // Google.
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0x00ce, 0, 0, 0, 0, 0, 0x0254)),
];

/// IPv4 networks in which no peer can be, as address and length of the prefix (RFC 6890 and its registry).
const NO_PEER_V4: [(Ipv4Addr, u32); 12] = [
    // "This network", and unspecified.
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    // Shared by the customers of a provider.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    // Link-local, with the metadata of most clouds.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    // Protocols' own.
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Relays of 6to4, which are gone.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    // Benchmarks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    // Multicast; reserved, with broadcast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
    (Ipv4Addr::new(255, 255, 255, 255), 32),
];

/// IPv6 networks inside the global 2000::/3 in which no peer can be.
const NO_PEER_V6: [(Ipv6Addr, u32); 3] = [
    // Protocols' own, Teredo among them, which hides an IPv4 address.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation.
    (Ipv6Addr::new(0x2001, 0x0db8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

impl Reach {
    /// How near a peer at this address is; `None` where no peer can be, so that it is never dialled: link-local,
    /// metadata, multicast, unspecified, broadcast, shared, reserved, documentation.
    ///
    /// IPv4 addresses inside IPv6 ones are judged as what they are. Through a translator (NAT64, 6to4) only public ones
    /// can be meant.
    pub fn of_peer(ip: IpAddr) -> Option<Self> {
        let ip = ip.to_canonical();
        if METADATA.contains(&ip) {
            return None;
        }
        match ip {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }

    /// Across what somebody was reached whose connection has this address at its other end. In doubt, across anything.
    pub fn across(ip: IpAddr) -> Self {
        let link_local = match ip.to_canonical() {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        };
        if link_local { Self::Private } else { Self::of_peer(ip).unwrap_or(Self::Public) }
    }

    /// Whether somebody who was reached across this may have an address dialled.
    pub fn may_name(self, ip: IpAddr) -> bool {
        Self::of_peer(ip).is_some_and(|at| self <= at)
    }
}

/// What counts as one address where callers are counted: an IPv4 address however it is written, and an IPv6 network of
/// 64 bits, of which one caller has all.
pub fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

fn of_v4(ip: Ipv4Addr) -> Option<Reach> {
    let within = |(network, length): &(Ipv4Addr, u32)| (ip.to_bits() ^ network.to_bits()) >> (32 - length) == 0;
    if ip.is_loopback() {
        Some(Reach::Loopback)
    } else if ip.is_private() {
        Some(Reach::Private)
    } else if NO_PEER_V4.iter().any(within) {
        None
    } else {
        Some(Reach::Public)
    }
}

fn of_v6(ip: Ipv6Addr) -> Option<Reach> {
    let within = |(network, length): &(Ipv6Addr, u32)| (ip.to_bits() ^ network.to_bits()) >> (128 - length) == 0;
    if ip.is_loopback() {
        return Some(Reach::Loopback);
    }
    if ip.is_unique_local() {
        return Some(Reach::Private);
    }
    if let Some(translated) = translated(ip) {
        return of_v4(translated).filter(|reach| *reach == Reach::Public);
    }
    let global = ip.segments()[0] >> 13 == 1;
    if global && !NO_PEER_V6.iter().any(within) { Some(Reach::Public) } else { None }
}

/// The IPv4 address to which a translator would pass what is sent here: NAT64 (RFC 6052) and 6to4 (RFC 3056).
fn translated(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    match ip.segments() {
        [0x0064, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            Some(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address, and the farthest from which it may be named; `None` for never.
    const TABLE: &[(&str, Option<Reach>)] = &[
        ("127.0.0.1", Some(Reach::Loopback)),
        ("127.0.0.0", Some(Reach::Loopback)),
        ("127.1.2.3", Some(Reach::Loopback)),
        ("127.255.255.255", Some(Reach::Loopback)),
        ("::1", Some(Reach::Loopback)),
        ("::ffff:127.0.0.1", Some(Reach::Loopback)),
        ("::ffff:7f00:1", Some(Reach::Loopback)),
        ("10.0.0.0", Some(Reach::Private)),
        ("10.255.255.255", Some(Reach::Private)),
        ("172.16.0.1", Some(Reach::Private)),
        ("172.31.255.255", Some(Reach::Private)),
        ("192.168.0.1", Some(Reach::Private)),
        ("192.168.255.255", Some(Reach::Private)),
        ("::ffff:10.0.0.1", Some(Reach::Private)),
        ("::ffff:192.168.1.1", Some(Reach::Private)),
        ("fc00::1", Some(Reach::Private)),
        ("fd12:3456:789a::1", Some(Reach::Private)),
        ("fdff:ffff::", Some(Reach::Private)),
        ("1.1.1.1", Some(Reach::Public)),
        ("9.255.255.255", Some(Reach::Public)),
        ("11.0.0.0", Some(Reach::Public)),
        ("100.63.255.255", Some(Reach::Public)),
        ("100.128.0.0", Some(Reach::Public)),
        ("126.255.255.255", Some(Reach::Public)),
        ("128.0.0.0", Some(Reach::Public)),
        ("169.253.255.255", Some(Reach::Public)),
        ("169.255.0.0", Some(Reach::Public)),
        ("172.15.255.255", Some(Reach::Public)),
        ("172.32.0.0", Some(Reach::Public)),
        ("192.167.255.255", Some(Reach::Public)),
        ("192.169.0.0", Some(Reach::Public)),
        ("198.17.255.255", Some(Reach::Public)),
        ("198.20.0.0", Some(Reach::Public)),
        ("223.255.255.255", Some(Reach::Public)),
        ("168.63.129.17", Some(Reach::Public)),
        ("::ffff:8.8.8.8", Some(Reach::Public)),
        ("64:ff9b::8.8.8.8", Some(Reach::Public)),
        ("2002:808:808::1", Some(Reach::Public)),
        ("2000::1", Some(Reach::Public)),
        ("2001:200::1", Some(Reach::Public)),
        ("2606:4700:4700::1111", Some(Reach::Public)),
        ("2a00:1450::1", Some(Reach::Public)),
        ("3ffe::1", Some(Reach::Public)),
        ("3fff:1000::1", Some(Reach::Public)),
        ("0.0.0.0", None),
        ("0.1.2.3", None),
        ("100.64.0.0", None),
        ("100.100.100.200", None),
        ("100.127.255.255", None),
        ("169.254.0.1", None),
        ("169.254.169.254", None),
        ("169.254.170.2", None),
        ("168.63.129.16", None),
        ("192.0.0.1", None),
        ("192.0.0.192", None),
        ("192.0.2.1", None),
        ("192.88.99.1", None),
        ("198.18.0.1", None),
        ("198.19.255.255", None),
        ("198.51.100.7", None),
        ("203.0.113.255", None),
        ("224.0.0.1", None),
        ("239.255.255.250", None),
        ("240.0.0.1", None),
        ("255.255.255.254", None),
        ("255.255.255.255", None),
        ("::", None),
        ("::2", None),
        ("::127.0.0.1", None),
        ("::8.8.8.8", None),
        ("::ffff:0.0.0.0", None),
        ("::ffff:169.254.169.254", None),
        ("::ffff:a9fe:a9fe", None),
        ("::ffff:100.64.0.1", None),
        ("::ffff:255.255.255.255", None),
        ("::ffff:0:127.0.0.1", None),
        ("64:ff9b::127.0.0.1", None),
        ("64:ff9b::10.0.0.1", None),
        ("64:ff9b::169.254.169.254", None),
        ("64:ff9b:1::8.8.8.8", None),
        ("64:ff9b:0:0:0:1:808:808", None),
        ("100::1", None),
        ("1fff:ffff::1", None),
        ("2001::1", None),
        ("2001:0:808:808::1", None),
        ("2001:2::1", None),
        ("2001:10::1", None),
        ("2001:1ff:ffff::1", None),
        ("2001:db8::1", None),
        ("2001:db8:ffff::1", None),
        ("2002:7f00:1::1", None),
        ("2002:a00:1::1", None),
        ("2002:c0a8:101::", None),
        ("2002:a9fe:a9fe::1", None),
        ("3fff::1", None),
        ("3fff:fff::1", None),
        ("4000::1", None),
        ("5f00::1", None),
        ("fbff::1", None),
        ("fd00:ec2::254", None),
        ("fd20:ce::254", None),
        ("fe00::1", None),
        ("fe80::1", None),
        ("fe80::a9fe:a9fe", None),
        ("febf::1", None),
        ("fec0::1", None),
        ("ff00::1", None),
        ("ff02::1", None),
        ("ff0e::1", None),
    ];

    #[test]
    fn every_address_is_named_from_as_far_as_it_lies_and_no_farther() {
        assert!(TABLE.len() >= 80, "{}", TABLE.len());
        for (text, expected) in TABLE {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(Reach::of_peer(ip), *expected, "{text}");
            for from in [Reach::Process, Reach::Loopback, Reach::Private, Reach::Public] {
                assert_eq!(from.may_name(ip), expected.is_some_and(|at| from <= at), "{text} from {from:?}");
            }
        }
    }

    #[test]
    fn who_is_reached_across_an_odd_address_is_taken_to_be_anywhere() {
        for (text, expected) in [
            ("127.0.0.1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("192.168.1.1", Reach::Private),
            ("169.254.1.1", Reach::Private),
            ("fe80::1", Reach::Private),
            ("192.0.2.1", Reach::Public),
            ("100.64.0.1", Reach::Public),
            ("2001:db8::1", Reach::Public),
            ("8.8.8.8", Reach::Public),
        ] {
            assert_eq!(Reach::across(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address_and_an_ipv4_address_however_it_is_written() {
        let of = |text: &str| network(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("::1"), "::1");
    }
}
