//! Where to listen, as people write it on a command line.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Reads `127.0.0.1:3000`, `[::1]:3000`, and `localhost:3000` for the first of them.
///
/// # Errors
/// A text that says what is needed.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").and_then(|port| port.parse().ok());
    let local = local.map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    local
        .or_else(|| text.parse().ok())
        .ok_or_else(|| "an IP address and a port are needed, as in 127.0.0.1:3000 or [::1]:3000".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_literal_or_localhost() {
        for (text, parsed) in [
            ("127.0.0.1:0", Some("127.0.0.1:0")),
            ("localhost:3000", Some("127.0.0.1:3000")),
            ("[::1]:3000", Some("[::1]:3000")),
            ("0.0.0.0:5001", Some("0.0.0.0:5001")),
            ("localhost", None),
            ("localhost:65536", None),
            ("3000", None),
            ("example.org:3000", None),
        ] {
            assert_eq!(address(text).ok(), parsed.map(|text| text.parse().unwrap()), "{text}");
        }
    }
}
