//! The hosts and origins that requests name, parsed: comparing prefixes of text is how `127.evil.com` gets in.

use std::fmt;
use std::str::FromStr;

use chatp2p_core::record::{EndpointError, Host};

/// The host and port of a `Host` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port, if it was named.
    pub port: Option<u16>,
}

/// Whose page sent a request: scheme, host and port, as browsers write them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

/// Why text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin looks like http://localhost:8080 (scheme, host and, unless it is the usual one, port; nothing behind)")]
pub struct OriginError;

impl Authority {
    /// Whether it is one of the three names by which this machine calls itself: `localhost`, `127.0.0.1`, `[::1]`.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => [std::net::IpAddr::from([127, 0, 0, 1]), std::net::Ipv6Addr::LOCALHOST.into()].contains(ip),
            Host::Name(name) => name == "localhost",
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

impl Origin {
    /// The origin of the pages that an authority serves over this scheme.
    pub fn new(scheme: &str, authority: &Authority) -> Self {
        // Browsers leave out the usual port of a scheme, in `Host` and in `Origin` alike.
        let port = authority.port.filter(|port| Some(*port) != usual_port(scheme));
        Self { scheme: scheme.to_owned(), host: authority.host.clone(), port }
    }
}

fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (scheme, authority) = text.split_once("://").ok_or(OriginError)?;
        let mut letters = scheme.bytes();
        let legal = letters.next().is_some_and(|b| b.is_ascii_alphabetic())
            && letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
        if !legal {
            return Err(OriginError);
        }
        let authority = authority.parse().map_err(|_| OriginError)?;
        Ok(Self::new(&scheme.to_ascii_lowercase(), &authority))
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}
