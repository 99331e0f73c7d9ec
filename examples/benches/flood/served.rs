//! Who is bothered: a tracker, or a tracker with a peer.

use std::future::pending;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use chatp2p_core::node::Node;
use chatp2p_core::tracker::{HttpTracker, LocalTracker};
use chatp2p_core::transport::WebSocketTransport;
use tokio::net::TcpListener;

/// The name of the peer that is bothered.
pub(crate) const PEER: &str = "victim";

async fn serve() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let registry = LocalTracker::in_memory().await?;
    tokio::spawn(chatp2p_tracker::run(listener, registry, chatp2p_tracker::Options::default(), pending()));
    Ok(at)
}

/// Serves a tracker, and says where.
pub(crate) async fn tracker() -> anyhow::Result<()> {
    let at = serve().await?;
    writeln!(std::io::stdout(), "{at}")?;
    pending().await
}

/// Runs a peer that keeps everything in memory, at a tracker; says where that is.
pub(crate) async fn peer() -> anyhow::Result<()> {
    let at = serve().await?;
    let node = Node::builder(PEER.parse()?, Arc::new(HttpTracker::new(&format!("http://{at}"))?));
    let node = node.transport(Arc::new(WebSocketTransport::new())).listen("ws://127.0.0.1:0".parse()?);
    let _node = node.start().await?;
    writeln!(std::io::stdout(), "{at}")?;
    pending().await
}
