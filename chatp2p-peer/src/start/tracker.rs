//! Which trackers may be used without TLS: those on this machine and in the local network.

use std::net::IpAddr;

use chatp2p_core::tracker::HttpTracker;
use poem::http::Uri;

use super::StartError;
use super::address::is_private;

/// The tracker at a URL, if it may be used.
pub(super) async fn open(url: &str, insecure_http: bool) -> Result<HttpTracker, StartError> {
    let tracker = HttpTracker::new(url)?;
    let uri: Uri = tracker.url().parse().map_err(|_| StartError::Invalid("tracker_url: no such address".to_owned()))?;
    if insecure_http || uri.scheme_str() != Some("http") {
        return Ok(tracker);
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    // A name that does not resolve leads nowhere, which the tracker itself says better.
    let addresses = tokio::net::lookup_host((host, uri.port_u16().unwrap_or(80))).await;
    if addresses.into_iter().flatten().all(|address| is_near(address.ip())) {
        return Ok(tracker);
    }
    Err(StartError::Invalid(format!(
        "tracker_url: {host} is beyond the local network, where anybody on the way could read and change what it says; \
         use https://, or start the program with --insecure-http"
    )))
}

fn is_near(ip: IpAddr) -> bool {
    let link_local = match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    ip.to_canonical().is_loopback() || is_private(&ip) || link_local
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn beyond_the_local_network_a_tracker_needs_tls() {
        for near in ["http://127.0.0.1:8000", "http://[::1]:8000", "http://192.168.1.5", "http://localhost:8000/"] {
            open(near, false).await.unwrap();
        }
        for far in ["http://192.0.2.1:8000", "http://[2001:db8::1]", "http://0.0.0.0:8000"] {
            assert!(matches!(open(far, false).await, Err(StartError::Invalid(_))), "{far}");
            open(far, true).await.unwrap();
        }
        for wrong in ["", "localhost:8000", "ftp://localhost", "http://user@localhost"] {
            open(wrong, true).await.unwrap_err();
        }
    }
}
