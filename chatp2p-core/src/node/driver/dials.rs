//! Opening links: dialling others, and shaking hands with those who dialled us.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::identity::PeerId;
use crate::protocol::{CONNECT_TIMEOUT, Input};
use crate::record::Endpoint;
use crate::transport::{Clearance, Link, Listener, SecureLink, TransportError, secure};

use super::super::builder::{Parts, transport_for};
use super::{Driver, Inbound};

/// The most dials at the same time; more wait for their turn.
pub(super) const MAX_DIALS: usize = 64;

impl Driver {
    /// Dials a peer at one endpoint after another until one answers and proves the key.
    pub(super) fn dial(&mut self, peer: PeerId, endpoints: Vec<Endpoint>) {
        let (parts, inbox) = (Arc::clone(&self.parts), self.own_inbox.clone());
        let cleared = |endpoint| {
            let named_by = self.heard.named_by(peer, &endpoint, &parts.trackers);
            (endpoint, Clearance::new(named_by, Arc::clone(&self.budget)))
        };
        let endpoints: Vec<_> = endpoints.into_iter().map(cleared).collect();
        let turn = Arc::clone(&self.dialling);
        let dial = self.tasks.spawn(async move {
            let Ok(_turn) = turn.acquire_owned().await else { return };
            let inbound = match dial_any(&parts, peer, &endpoints).await {
                Ok(link) => Inbound::Secured(link),
                Err(reason) => Inbound::Input(Input::DialFailed { peer, reason }),
            };
            let _ = inbox.send(inbound).await;
        });
        if let Some(earlier) = self.dials.insert(peer, dial) {
            earlier.abort();
        }
    }

    /// Secures a link that somebody else opened. When too many are at that already, one that has been at it for long goes.
    pub(super) fn shake_hands(&mut self, link: Link) {
        self.handshakes.retain(|_, handshake| !handshake.is_finished());
        self.callers.retain(|call| self.handshakes.contains_key(&call));
        self.calls += 1;
        let call = self.calls;
        let leaving = self.callers.enter(call, link.remote.map(|remote| remote.ip()));
        if let Some(given_up) = leaving.and_then(|call| self.handshakes.remove(&call)) {
            tracing::debug!("too many handshakes at once; one is given up");
            given_up.abort();
        }
        let (parts, inbox) = (Arc::clone(&self.parts), self.own_inbox.clone());
        let handshake = self.tasks.spawn(async move {
            let remote = link.remote;
            match secure::server(link, &parts.identity).await {
                Ok(link) => drop(inbox.send(Inbound::Secured(link)).await),
                Err(error) => tracing::debug!(?remote, %error, "a caller did not get through the handshake"),
            }
        });
        self.handshakes.insert(call, handshake);
    }
}

/// Hands every link of a listener to the driver, until the listener can give no more.
pub(in crate::node) async fn accept_all(mut listener: Box<dyn Listener>, inbox: mpsc::Sender<Inbound>) {
    loop {
        match listener.accept().await {
            Ok(link) => {
                if inbox.send(Inbound::Accepted(link)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::error!(endpoint = %listener.endpoint(), %error, "the listener has ended");
                return;
            }
        }
    }
}

async fn dial_any(parts: &Parts, peer: PeerId, endpoints: &[(Endpoint, Clearance)]) -> Result<SecureLink, String> {
    if endpoints.is_empty() {
        return Err("it has no address".to_owned());
    }
    let share = CONNECT_TIMEOUT / u32::try_from(endpoints.len()).unwrap_or(u32::MAX);
    // A little less than a connect may take in all, so that its caller learns the reason and not only the time-out.
    let share = share.saturating_sub(Duration::from_millis(200));
    let mut reasons = Vec::new();
    for (endpoint, clearance) in endpoints {
        let attempt =
            timeout(share, dial_one(parts, peer, endpoint, clearance)).await.unwrap_or(Err(TransportError::TimedOut));
        match attempt {
            Ok(link) => return Ok(link),
            Err(TransportError::Unreachable { endpoint, reason }) => reasons.push(format!("{endpoint}: {reason}")),
            Err(TransportError::NotCleared { endpoint, reason }) => reasons.push(format!("{endpoint}: {reason}")),
            Err(error) => reasons.push(format!("{endpoint}: {error}")),
        }
    }
    Err(reasons.join("; "))
}

async fn dial_one(
    parts: &Parts,
    peer: PeerId,
    endpoint: &Endpoint,
    clearance: &Clearance,
) -> Result<SecureLink, TransportError> {
    let transport = transport_for(&parts.transports, endpoint)
        .ok_or_else(|| TransportError::Unsupported { endpoint: endpoint.clone() })?;
    let link = transport.dial(endpoint, clearance).await?;
    let link = secure::client(link, &parts.identity, peer).await?;
    clearance.found(link.remote());
    Ok(link)
}
