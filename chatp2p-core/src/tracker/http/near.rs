//! Without TLS a tracker is used on this machine and in the local network alone. What a name leads to is looked at each
//! time it is looked up, for it may lead elsewhere tomorrow.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::record::Reach;

/// Whether what is said to this address stays in the local network.
pub(super) fn is_near(ip: IpAddr) -> bool {
    Reach::across(ip) <= Reach::Private
}

/// A name leads only beyond the local network.
#[derive(Debug, thiserror::Error)]
#[error("{0} leads beyond the local network")]
pub(super) struct TooFar(pub(super) String);

impl TooFar {
    /// Whether that was the reason of an error.
    pub(super) fn is_reason_of(mut error: &(dyn Error + 'static)) -> bool {
        loop {
            if error.is::<Self>() {
                return true;
            }
            let Some(source) = error.source() else { return false };
            error = source;
        }
    }
}

/// Looks names up, and keeps what is near.
#[derive(Debug)]
pub(super) struct NearOnly;

impl Resolve for NearOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        Box::pin(async move {
            // The port is put in by whoever connects.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let near = keep_near(&host, found)?;
            Ok(Box::new(near.into_iter()) as Addrs)
        })
    }
}

fn keep_near(host: &str, mut found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Box<dyn Error + Send + Sync>> {
    if found.is_empty() {
        return Err(Box::new(io::Error::from(io::ErrorKind::NotFound)));
    }
    found.retain(|address| is_near(address.ip()));
    if found.is_empty() { Err(Box::new(TooFar(host.to_owned()))) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_name_leads_to_the_near_is_kept() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let kept = keep_near("tracker", vec![at("8.8.8.8:0"), at("127.0.0.1:0"), at("[2a00::1]:0"), at("10.0.0.1:0")]);
        assert_eq!(kept.unwrap(), [at("127.0.0.1:0"), at("10.0.0.1:0")]);
        let refused = keep_near("tracker", vec![at("8.8.8.8:0")]).unwrap_err();
        assert!(TooFar::is_reason_of(&*refused));
        let nothing = keep_near("tracker", Vec::new()).unwrap_err();
        assert!(!TooFar::is_reason_of(&*nothing));
    }
}
