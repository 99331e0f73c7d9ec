//! Starts the real node: a profile on disk, links over WebSocket, a tracker over HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use chatp2p_core::node::Node;
use chatp2p_core::record::Endpoint;
use chatp2p_core::storage::Profile;
use chatp2p_core::tracker::Tracker;
use chatp2p_core::transport::websocket::WebSocketTransport;
use chatp2p_core::transport::{Listener, Transport, TransportError};

use super::address::{self, Known};
use super::{Order, Start, StartError, Started, tracker};
use crate::config::{DEFAULT_P2P, Options};

/// Starts nodes as the options say.
#[derive(Debug)]
pub struct NodeStarter {
    options: Options,
    api: SocketAddr,
    transport: Arc<WebSocketTransport>,
}

/// Where links come in.
struct Door {
    /// `None` where they come in at the API's own port.
    listener: Option<Box<dyn Listener>>,
    at: SocketAddr,
}

impl NodeStarter {
    /// For a peer whose API is served at this address.
    pub fn new(options: Options, api: SocketAddr) -> Self {
        Self { options, api, transport: Arc::new(WebSocketTransport::new()) }
    }

    async fn open_door(&self, port: Option<u16>) -> Result<Door, StartError> {
        let given = self.options.p2p;
        let at = given.unwrap_or(DEFAULT_P2P);
        let at = SocketAddr::new(at.ip(), port.unwrap_or(at.port()));
        if at.port() != 0 && at.port() == self.api.port() {
            return Ok(Door { listener: None, at: self.api });
        }
        match self.listen(at).await {
            // Nobody asked for this port: several peers on one machine just work.
            Err(TransportError::AddressInUse { .. }) if given.is_none() && port.is_none() => {
                let door = self.listen(SocketAddr::new(at.ip(), 0)).await?;
                tracing::info!(
                    taken = at.port(),
                    port = door.at.port(),
                    "the usual port is taken: a free one serves links"
                );
                Ok(door)
            }
            other => Ok(other?),
        }
    }

    async fn listen(&self, at: SocketAddr) -> Result<Door, TransportError> {
        let listener = self.transport.listen(&Endpoint::ws(at)).await?;
        let port = listener.endpoint().port().unwrap_or(at.port());
        Ok(Door { listener: Some(listener), at: SocketAddr::new(at.ip(), port) })
    }

    fn endpoints(&self, listening: SocketAddr, towards_tracker: Option<IpAddr>) -> Vec<Endpoint> {
        let advertise = self.options.advertise.as_ref();
        address::endpoints(&Known { advertise, listening, towards_tracker, private: &address::private() })
    }
}

#[async_trait]
impl Start for NodeStarter {
    async fn start(&self, order: Order) -> Result<Started, StartError> {
        let url = order.tracker_url.as_deref().unwrap_or(&self.options.tracker);
        let tracker = tracker::open(url, self.options.insecure_http).await?;
        let tracker_url = tracker.url().to_owned();
        let door = self.open_door(order.port).await?;
        // Asked first, so that a tracker that is away costs no profile and says so by itself.
        tracker.health().await?;
        let endpoints = self.endpoints(door.at, tracker.local_address().await);
        let profile = Profile::open(&self.options.data_dir, &order.username).await?;
        let node = Node::builder(order.username, Arc::new(tracker))
            .identity(profile.identity().clone())
            .store(profile.store())
            .transport(self.transport.clone())
            .advertise(endpoints);
        let node = match door.listener {
            Some(listener) => node.listener(listener),
            None => node,
        };
        Ok(Started { node: Arc::new(node.start().await?), tracker_url })
    }
}
