//! The hosts that requests name, parsed: comparing prefixes of text is how `127.evil.com` gets in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use chatp2p_core::record::{EndpointError, Host};

/// The host and port of a `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authority {
    /// The host.
    pub(crate) host: Host,
    /// The port, if it was named.
    pub(crate) port: Option<u16>,
}

impl Authority {
    /// Whether it is one of the three names by which this machine calls itself: `localhost`, `127.0.0.1`, `[::1]`.
    pub(crate) fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].contains(ip),
            Host::Name(name) => name == "localhost",
        }
    }

    /// The origin of the pages that are served here over this scheme, as browsers write it: without the usual port.
    pub(crate) fn origin(&self, scheme: &str) -> String {
        let usual = if scheme == "https" { 443 } else { 80 };
        match self.port {
            Some(port) if port != usual => format!("{scheme}://{}:{port}", self.host),
            _ => format!("{scheme}://{}", self.host),
        }
    }
}

impl FromStr for Authority {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        // `::1` without brackets would leave it open where the port begins.
        if host.contains(':') && !host.starts_with('[') {
            return Err(EndpointError::Host);
        }
        let port = match port {
            None => None,
            Some(port) if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(EndpointError::Port);
            }
            Some(port) => Some(port.parse().map_err(|_| EndpointError::Port)?),
        };
        Ok(Self { host: host.parse()?, port })
    }
}
