//! One address at which a peer can be dialled. Parsed once: what a dialler gets has a scheme, a host and a port, and
//! nothing that an attacker could smuggle in (no path, no user, no query).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The longest endpoint as text: a DNS name at its limit of 253 bytes, and what stands around it.
pub const MAX_ENDPOINT_BYTES: usize = 280;

/// The path at which every chatp2p peer serves links over WebSocket.
pub const P2P_PATH: &str = "/p2p";

/// Where a peer can be dialled: `ws://host:port/p2p`, `wss://host:port/p2p`, or `scheme:name` for transports that have
/// names instead of hosts (`memory:alice`).
///
/// The path is always [`P2P_PATH`] and may be left out when parsing. Port 0 means "any free one" when listening and
/// cannot be dialled.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    scheme: String,
    address: Address,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Address {
    Net { host: Host, port: u16 },
    Name(String),
}

/// The host of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// A literal IP address.
    Ip(IpAddr),
    /// A DNS name in lower case.
    Name(String),
}

impl Endpoint {
    /// The WebSocket endpoint of a socket address.
    pub fn ws(address: SocketAddr) -> Self {
        Self { scheme: "ws".to_owned(), address: Address::Net { host: Host::Ip(address.ip()), port: address.port() } }
    }

    /// A WebSocket endpoint from a host as typed (`192.0.2.1`, `::1`, `[::1]`, `example.org`) and a port.
    ///
    /// # Errors
    /// [`EndpointError`] when the host is neither an IP address nor a DNS name.
    pub fn ws_host(host: &str, port: u16) -> Result<Self, EndpointError> {
        let host = host.parse()?;
        Ok(Self { scheme: "ws".to_owned(), address: Address::Net { host, port } })
    }

    /// An endpoint of the in-process transport.
    ///
    /// # Errors
    /// [`EndpointError`] when the name is empty, too long, or not of letters, digits, `.`, `_` and `-`.
    pub fn memory(name: &str) -> Result<Self, EndpointError> {
        format!("memory:{name}").parse()
    }

    /// Which transport dials this.
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The host, for endpoints that have one.
    pub const fn host(&self) -> Option<&Host> {
        match &self.address {
            Address::Net { host, .. } => Some(host),
            Address::Name(_) => None,
        }
    }

    /// The port, for endpoints that have one.
    pub const fn port(&self) -> Option<u16> {
        match self.address {
            Address::Net { port, .. } => Some(port),
            Address::Name(_) => None,
        }
    }

    /// Whether somebody else can dial it: port 0 means any that is free, to whoever listens.
    pub fn is_dialable(&self) -> bool {
        self.port() != Some(0)
    }

    /// The name, for endpoints of transports that have names instead of hosts.
    pub fn name(&self) -> Option<&str> {
        match &self.address {
            Address::Net { .. } => None,
            Address::Name(name) => Some(name),
        }
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() > MAX_ENDPOINT_BYTES {
            return Err(EndpointError::TooLong);
        }
        let (scheme, rest) = text.split_once(':').ok_or(EndpointError::Scheme)?;
        if scheme.is_empty() || !scheme.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            return Err(EndpointError::Scheme);
        }
        let address = match (scheme, rest.strip_prefix("//")) {
            ("ws" | "wss", Some(authority)) => parse_authority(authority)?,
            ("ws" | "wss", None) => return Err(EndpointError::Host),
            (_, Some(_)) => return Err(EndpointError::Scheme),
            (_, None) => parse_name(rest)?,
        };
        Ok(Self { scheme: scheme.to_owned(), address })
    }
}

fn parse_authority(text: &str) -> Result<Address, EndpointError> {
    let authority = text.strip_suffix(P2P_PATH).or_else(|| text.strip_suffix('/')).unwrap_or(text);
    let (host, port) = authority.rsplit_once(':').ok_or(EndpointError::Port)?;
    if host.contains(':') && !host.starts_with('[') {
        return Err(EndpointError::Host);
    }
    if port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(EndpointError::Port);
    }
    Ok(Address::Net { host: host.parse()?, port: port.parse().map_err(|_| EndpointError::Port)? })
}

fn parse_name(text: &str) -> Result<Address, EndpointError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if text.is_empty() || !text.bytes().all(legal) {
        return Err(EndpointError::Name);
    }
    Ok(Address::Name(text.to_owned()))
}

impl FromStr for Host {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return inner.parse::<Ipv6Addr>().map(|ip| Self::Ip(ip.into())).map_err(|_| EndpointError::Host);
        }
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !l.starts_with('-')
                && !l.ends_with('-')
        };
        // A last label of digits is a mistyped IPv4 address, which some resolvers would still accept (`127.1`).
        let numeric = text.rsplit('.').next().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
        if text.len() > 253 || numeric || !text.split('.').all(label) {
            return Err(EndpointError::Host);
        }
        Ok(Self::Name(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Address::Net { host, port } => write!(f, "{}://{host}:{port}{P2P_PATH}", self.scheme),
            Address::Name(name) => write!(f, "{}:{name}", self.scheme),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<C> minicbor::Encode<C> for Endpoint {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.str(&self.to_string())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for Endpoint {
    fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.str()?.parse().map_err(minicbor::decode::Error::custom)
    }
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// No scheme, or not one of lower-case letters and digits.
    #[error("an endpoint starts with its scheme, as in ws://192.0.2.1:5001")]
    Scheme,
    /// Neither an IP address (IPv6 in brackets) nor a DNS name.
    #[error("the host is neither an IP address nor a DNS name")]
    Host,
    /// No port, or not one of 0–65535.
    #[error("an endpoint ends with a port between 0 and 65535")]
    Port,
    /// The name of a transport without hosts is empty or has other characters than letters, digits, `.`, `_`, `-`.
    #[error("the name has other characters than letters, digits, . _ and -")]
    Name,
    /// More than [`MAX_ENDPOINT_BYTES`].
    #[error("an endpoint has at most {MAX_ENDPOINT_BYTES} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_back_from_their_text() {
        for text in ["ws://127.0.0.1:5001/p2p", "ws://[::1]:80/p2p", "wss://chat.example.org:443/p2p", "memory:alice"] {
            assert_eq!(text.parse::<Endpoint>().map(|e| e.to_string()), Ok(text.to_owned()));
        }
        assert_eq!("ws://127.0.0.1:5001".parse(), "ws://127.0.0.1:5001/p2p".parse::<Endpoint>());
        assert_eq!(Endpoint::ws_host("::1", 7), "ws://[::1]:7".parse());
    }

    #[test]
    fn nothing_is_smuggled_in() {
        for text in [
            "",
            "ws",
            "ws:",
            "ws://",
            "ws://:1",
            "ws://h",
            "ws://h:",
            "ws://h:x",
            "ws://h:65536",
            "ws://h:+1",
            "WS://h:1",
            "ws://user@h:1",
            "ws://h:1/other",
            "ws://h:1/p2p?x",
            "ws://h:1/p2p#x",
            "ws://::1:1",
            "ws://[::1:1",
            "ws://[h]:1",
            "ws://127.1:1",
            "ws://2130706433:1",
            "ws://-h:1",
            "ws://a..b:1",
            "ws://h h:1",
            "http://h:1",
            "memory:",
            "memory:a/b",
        ] {
            assert!(text.parse::<Endpoint>().is_err(), "{text}");
        }
        assert_eq!(format!("ws://{}:1", "a".repeat(300)).parse::<Endpoint>(), Err(EndpointError::TooLong));
    }
}
