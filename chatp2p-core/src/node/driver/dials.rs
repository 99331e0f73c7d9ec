//! Opening links: dialling others, and shaking hands with those who dialled us.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock::Wall;
use crate::code::Code;
use crate::identity::{Identity, PeerId};
use crate::protocol::{CONNECT_TIMEOUT, Input};
use crate::record::Endpoint;
use crate::transport::secure::Purpose;
use crate::transport::{Clearance, Link, Listener, SecureLink, TransportError, secure};

use super::super::builder::{Parts, transport_for};
use super::super::diagnosis::{EndpointReport, Failure, Step};
use super::{Driver, Inbound};

/// The most dials at the same time; more wait for their turn.
pub(super) const MAX_DIALS: usize = 64;

/// How dialling a peer went.
pub(in crate::node) struct Dialled {
    peer: PeerId,
    tried: Vec<EndpointReport>,
    link: Option<SecureLink>,
}

impl Driver {
    /// Dials a peer at one endpoint after another until one answers and proves the key.
    pub(super) fn dial(&mut self, peer: PeerId, endpoints: Vec<Endpoint>) {
        let (parts, inbox) = (Arc::clone(&self.parts), self.own_inbox.clone());
        let endpoints = self.cleared(peer, endpoints);
        let turn = Arc::clone(&self.dialling);
        let dial = self.tasks.spawn(async move {
            let Ok(_turn) = turn.acquire_owned().await else { return };
            let dialled = dial_any(&parts, peer, &endpoints).await;
            let _ = inbox.send(Inbound::Dialled(dialled)).await;
        });
        if let Some(earlier) = self.dials.insert(peer, dial) {
            earlier.abort();
        }
    }

    /// Endpoints that a peer has named, with leave to dial those that are no nearer than it may name.
    pub(super) fn cleared(&self, peer: PeerId, endpoints: Vec<Endpoint>) -> Vec<(Endpoint, Clearance)> {
        let cleared = |endpoint| {
            let named_by = self.heard.named_by(peer, &endpoint, &self.parts.trackers);
            (endpoint, Clearance::new(named_by, Arc::clone(&self.budget)))
        };
        endpoints.into_iter().map(cleared).collect()
    }

    /// Takes note of how dialling a peer went.
    pub(super) fn take_dialled(&mut self, dialled: Dialled) -> Input {
        let Dialled { peer, tried, link } = dialled;
        let (now, reason) = (self.parts.now(), reason(&tried));
        let endpoint = tried.last().map(|tried| tried.endpoint.to_string());
        let input = match link {
            Some(link) => self.open(link, endpoint),
            None => {
                self.dials.remove(&peer);
                Input::DialFailed { peer, reason }
            }
        };
        let link = if let Input::LinkUp { link, .. } = &input { Some(*link) } else { None };
        self.trail.dialled(peer, tried, link, now);
        input
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
            match secure::server(link, &parts.identity, parts.serves()).await {
                Ok(link) => drop(inbox.send(Inbound::Secured(link)).await),
                Err(error) => tracing::debug!(?remote, %error, "a caller did not get through the handshake"),
            }
        });
        self.handshakes.insert(call, handshake);
    }

    /// Hands a link to the mailbox, which bounds how many there are. Nobody who leaves or collects mail is a peer of this node.
    pub(super) fn serve_mail(&mut self, link: SecureLink) {
        let parts = Arc::clone(&self.parts);
        self.tasks.spawn(async move {
            if let Some(mailbox) = &parts.mailbox {
                mailbox.serve(link, &parts.identity).await;
            }
        });
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

async fn dial_any(parts: &Parts, peer: PeerId, endpoints: &[(Endpoint, Clearance)]) -> Dialled {
    let share = CONNECT_TIMEOUT / u32::try_from(endpoints.len()).unwrap_or(u32::MAX).max(1);
    // A little less than a connect may take in all, so that its caller learns the reason and not only the time-out.
    let share = share.saturating_sub(Duration::from_millis(200));
    let mut tried = Vec::new();
    for at in endpoints {
        let mut step = Step::Dialled;
        let attempt = timeout(share, dial_one(parts, (&parts.identity, Purpose::Peer), peer, at, &mut step)).await;
        let (link, failure) = match attempt.unwrap_or(Err(TransportError::TimedOut)) {
            Ok(link) => (Some(link), None),
            Err(error) => {
                step = if is_before_dialling(&error) { Step::Resolved } else { step };
                (None, Some(Failure::new(error.code(), why(&error))))
            }
        };
        let (endpoint, now): (_, Wall) = (at.0.clone(), parts.now().wall);
        tried.push(EndpointReport { endpoint, at: now, step, failure });
        if link.is_some() {
            return Dialled { peer, tried, link };
        }
    }
    Dialled { peer, tried, link: None }
}

/// Nothing was sent to anybody.
fn is_before_dialling(error: &TransportError) -> bool {
    matches!(error, TransportError::Unsupported { .. } | TransportError::NotCleared { .. })
        || error.code() == Code::HostUnknown
}

/// What happened, without the endpoint, which stands beside it.
fn why(error: &TransportError) -> String {
    match error {
        TransportError::Unreachable { reason, .. } => reason.clone(),
        TransportError::NotCleared { reason, .. } => reason.to_string(),
        error => error.to_string(),
    }
}

/// The same about all endpoints, for whoever waits.
fn reason(tried: &[EndpointReport]) -> String {
    if tried.is_empty() {
        return "it has no address".to_owned();
    }
    let reasons = tried.iter().filter_map(|tried| Some((&tried.endpoint, tried.failure.as_ref()?)));
    let reasons: Vec<String> = reasons.map(|(endpoint, failure)| format!("{endpoint}: {}", failure.detail)).collect();
    reasons.join("; ")
}

/// `step` says how far it is, also to whoever gives it up.
async fn dial_one(
    parts: &Parts,
    (identity, purpose): (&Identity, Purpose),
    peer: PeerId,
    (endpoint, clearance): &(Endpoint, Clearance),
    step: &mut Step,
) -> Result<SecureLink, TransportError> {
    let transport = transport_for(&parts.transports, endpoint)
        .ok_or_else(|| TransportError::Unsupported { endpoint: endpoint.clone() })?;
    let link = transport.dial(endpoint, clearance).await?;
    *step = Step::Secured;
    let link = secure::client(link, identity, peer, purpose).await?;
    clearance.found(link.remote());
    Ok(link)
}

/// Dials a mailbox at one endpoint after another, as whoever has this key.
///
/// # Errors
/// That of the last endpoint; [`TransportError::TimedOut`] where there is none.
pub(in crate::node) async fn dial_mailbox(
    parts: &Parts,
    identity: &Identity,
    mailbox: PeerId,
    endpoints: &[(Endpoint, Clearance)],
) -> Result<SecureLink, TransportError> {
    let mut failure = TransportError::TimedOut;
    for at in endpoints {
        let mut step = Step::Dialled;
        let dialling = dial_one(parts, (identity, Purpose::Mailbox), mailbox, at, &mut step);
        match timeout(CONNECT_TIMEOUT, dialling).await.unwrap_or(Err(TransportError::TimedOut)) {
            Ok(link) => return Ok(link),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}
