//! `GET /p2p` on the API's own port: the door for other peers when links and API share a port. The separate listener of
//! `--p2p` serves nothing else and needs none of this.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chatp2p_core::code::Code;
use chatp2p_core::node::PeerNode;
use chatp2p_core::transport::websocket::{KeepAlive, SUB_PROTOCOL, accept_upgraded};
use chatp2p_service::Problem;
use poem::http::{HeaderValue, StatusCode, header};
use poem::{Addr, IntoResponse, Request, Response, handler, web::Data};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::desk::Desk;
use crate::upgrade::{Refusal, UPGRADE_WITHIN, Upgrade};

/// How many upgrades may be under way at once. Each takes one answer's time; after it the node's own bounds hold.
const MAX_UPGRADES: usize = 256;

/// How long the node may take to say whether it takes the link.
const ACCEPT_WITHIN: Duration = Duration::from_secs(10);

/// The bound on upgrades under way.
#[derive(Debug, Clone)]
pub(crate) struct Door(Arc<Semaphore>);

impl Default for Door {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_UPGRADES)))
    }
}

/// `GET /p2p`.
#[handler]
pub(crate) fn p2p(request: &Request, Data(desk): Data<&Arc<Desk>>, Data(door): Data<&Door>) -> Response {
    accept(request, desk, door).unwrap_or_else(IntoResponse::into_response)
}

fn accept(request: &Request, desk: &Desk, door: &Door) -> Result<Response, Refusal> {
    // The guard has refused every request with an Origin already.
    let upgrade = Upgrade::read(request)?;
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut offered = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if !offered.any(|protocol| protocol.trim() == SUB_PROTOCOL) {
        let detail = format!("a link needs the WebSocket sub-protocol {SUB_PROTOCOL}");
        return Err(Problem::new(StatusCode::BAD_REQUEST, Code::UpgradeRequired, detail).into());
    }
    let Some(node) = desk.node() else {
        // To another peer this is no mistake of its own, but a peer that is away.
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, Code::NotRunning, "the node does not run");
        return Err(problem.into());
    };
    let place = Arc::clone(&door.0)
        .try_acquire_owned()
        .map_err(|_| Refusal::busy("as many links are being opened as there can be"))?;
    let answer = upgrade.answer(Some(HeaderValue::from_static(SUB_PROTOCOL)));
    let remote = match request.remote_addr().0 {
        Addr::SocketAddr(address) => Some(address),
        _ => None,
    };
    tokio::spawn(hand_over(upgrade, remote, node, place));
    Ok(answer)
}

async fn hand_over(upgrade: Upgrade, remote: Option<SocketAddr>, node: Arc<dyn PeerNode>, place: OwnedSemaphorePermit) {
    if let Ok(Ok(io)) = tokio::time::timeout(UPGRADE_WITHIN, upgrade.socket).await {
        let link = accept_upgraded(io, remote, KeepAlive::default()).await;
        match tokio::time::timeout(ACCEPT_WITHIN, node.accept(link)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(code = %error.code(), "the node does not take a link"),
            Err(_) => tracing::debug!("the node does not take a link in time"),
        }
    }
    drop(place);
}
