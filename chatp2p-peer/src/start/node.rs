//! Starts the real node: a profile on disk, links over WebSocket, a tracker over HTTP.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use chatp2p_core::code::Code;
use chatp2p_core::mailbox::{Mailbox, MailboxLimits};
use chatp2p_core::node::{Node, NodeBuilder, PeerNode};
use chatp2p_core::record::Endpoint;
use chatp2p_core::storage::{Profile, SqlMail, StorageError, private};
use chatp2p_core::tracker::{Tracker, TrackerError};
use chatp2p_core::transport::websocket::WebSocketTransport;
use chatp2p_core::transport::{Listener, Transport, TransportError};

use super::address::{self, Known};
use super::trackers::{self, Ways};
use super::whereabouts::Lookout;
use super::{Order, Port, Start, StartError, Started, Way};
use crate::config::{DEFAULT_P2P, Options};

/// The file of the mailbox in a profile's folder.
const MAILBOX: &str = "mailbox.sqlite";

/// Starts nodes as the options say.
#[derive(Debug)]
pub struct NodeStarter {
    options: Options,
    api: Option<SocketAddr>,
    transport: Arc<WebSocketTransport>,
}

/// Where links come in.
struct Door {
    /// `None` where they come in at the API's own port.
    listener: Option<Box<dyn Listener>>,
    at: SocketAddr,
}

impl NodeStarter {
    /// For a peer whose API is served at this address; `None` where links cannot share its port.
    pub fn new(options: Options, api: Option<SocketAddr>) -> Self {
        Self { options, api, transport: Arc::new(WebSocketTransport::new()) }
    }

    async fn open_door(&self, port: Port) -> Result<Door, TransportError> {
        let usual = self.options.p2p.unwrap_or(DEFAULT_P2P);
        let (port, or_free) = match port {
            Port::AsOptionsSay => (usual.port(), self.options.p2p.is_none()),
            Port::Given { port, or_free } => (port, or_free),
        };
        let at = SocketAddr::new(usual.ip(), port);
        if let Some(api) = self.api.filter(|api| port != 0 && port == api.port()) {
            return Ok(Door { listener: None, at: api });
        }
        if or_free { self.listen_somewhere(at).await } else { self.listen(at).await }
    }

    /// Nobody insists on this port: where it is taken, a free one does as well, and several peers on one machine just work.
    async fn listen_somewhere(&self, at: SocketAddr) -> Result<Door, TransportError> {
        match self.listen(at).await {
            Err(TransportError::AddressInUse { .. }) => {
                let door = self.listen(SocketAddr::new(at.ip(), 0)).await?;
                tracing::info!(
                    taken = at.port(),
                    port = door.at.port(),
                    "a free port serves links, for that one is taken"
                );
                Ok(door)
            }
            other => other,
        }
    }

    async fn listen(&self, at: SocketAddr) -> Result<Door, TransportError> {
        let listener = self.transport.listen(&Endpoint::ws(at)).await?;
        let port = listener.endpoint().port().unwrap_or(at.port());
        Ok(Door { listener: Some(listener), at: SocketAddr::new(at.ip(), port) })
    }

    fn endpoints(&self, listening: SocketAddr, towards_trackers: &[IpAddr]) -> Vec<Endpoint> {
        let advertise = self.options.advertise.as_ref();
        address::endpoints(&Known { advertise, listening, towards_trackers, private: &address::private() })
    }
}

#[async_trait]
impl Start for NodeStarter {
    async fn start(&self, order: Order) -> Result<Started, StartError> {
        let urls = order.tracker_url.as_ref().map_or(&*self.options.trackers, std::slice::from_ref);
        let trackers = trackers::at(urls, self.options.insecure_http).map_err(|error| match error {
            TrackerError::Invalid { reason } if order.tracker_url.is_some() => {
                StartError::Invalid(format!("tracker_url: {reason}"))
            }
            error => error.into(),
        })?;
        let door = self.open_door(order.port).await?;
        // Asked first, so that trackers that are away cost no profile and say so by themselves.
        let Ways { addresses, trouble } = trackers::ways(&trackers).await;
        if let Some(trouble) = trouble {
            let is_known = order.may_be_unlisted && Profile::is_there(&self.options.data_dir, &order.username);
            if !is_known || trouble.code() != Code::TrackerUnreachable {
                return Err(trouble.into());
            }
        }
        let way = Way { listening: door.at, towards_tracker: addresses.first().copied() };
        let endpoints = self.endpoints(door.at, &addresses);
        let lookout = Lookout::new(&trackers, door.at, endpoints.clone());
        // What the user says is told whatever the machine's addresses are.
        let lookout = lookout.filter(|_| self.options.advertise.is_none());
        let passphrase = order.passphrase.as_ref().or(self.options.passphrase.as_ref());
        let profile = match passphrase {
            Some(passphrase) => Profile::unlock(&self.options.data_dir, &order.username, passphrase).await?,
            None => Profile::open(&self.options.data_dir, &order.username).await?,
        };
        let tracker_urls: Vec<String> = trackers.iter().map(|tracker| tracker.url().to_owned()).collect();
        let mut trackers = trackers.into_iter().map(|tracker| Arc::new(tracker) as Arc<dyn Tracker>);
        let first = trackers.next().ok_or_else(|| StartError::Invalid("a node needs a tracker".to_owned()))?;
        let node = trackers.fold(Node::builder(order.username, first), NodeBuilder::tracker);
        let node = node
            .may_start_unlisted(order.may_be_unlisted)
            .identity(profile.identity().clone())
            .store(profile.store())
            .transport(self.transport.clone())
            .inbound(self.options.inbound)
            .advertise(endpoints);
        let node = self.options.use_mailboxes.iter().cloned().fold(node, NodeBuilder::use_mailbox);
        let node = if self.options.mailbox { node.mailbox(mailbox(&profile).await?) } else { node };
        let node = match door.listener {
            Some(listener) => node.listener(listener),
            None => node,
        };
        let node = match lookout {
            Some(lookout) => node.advertise_as_told(lookout.moves()),
            None => node,
        };
        let node = node.start().await?;
        if let Some(address) = node.status().await?.mailbox.and_then(|mailbox| mailbox.address) {
            tracing::info!(%address, "this peer keeps mail for others: this is what they give to --use-mailbox");
        }
        Ok(Started { node: Arc::new(node), profile: Arc::new(profile), tracker_urls, way })
    }
}

/// The mailbox beside this profile: its letterboxes belong to the profile's key.
async fn mailbox(profile: &Profile) -> Result<Mailbox, StartError> {
    let file = profile.folder().join(MAILBOX);
    // SQLite gives the files beside it the permissions of this one.
    private::file(&file, false).map_err(|error| StorageError::Unavailable {
        reason: "the mailbox cannot be opened".to_owned(),
        source: Some(Box::new(error)),
    })?;
    let store = SqlMail::open(&file).await?;
    Ok(Mailbox::open(Arc::new(store), MailboxLimits::default()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starter(p2p: Option<SocketAddr>, api: SocketAddr) -> NodeStarter {
        NodeStarter::new(Options { p2p, ..Options::new("unused") }, Some(api))
    }

    #[tokio::test]
    async fn a_port_that_nobody_insists_on_may_be_another_one() {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, api) = (taken.local_addr().unwrap(), "127.0.0.1:3000".parse().unwrap());
        let door = starter(None, api).listen_somewhere(at).await.unwrap();
        assert!(door.listener.is_some() && door.at.ip() == at.ip() && ![0, at.port()].contains(&door.at.port()));
        let given = |or_free| Port::Given { port: at.port(), or_free };
        let elsewhere = Some("127.0.0.1:0".parse().unwrap());
        for (p2p, port) in [(Some(at), Port::AsOptionsSay), (elsewhere, given(false))] {
            let refused = starter(p2p, api).open_door(port).await.err();
            assert!(matches!(refused, Some(TransportError::AddressInUse { .. })), "{refused:?}");
        }
        let door = starter(elsewhere, api).open_door(given(true)).await.unwrap();
        assert!(door.listener.is_some() && ![0, at.port()].contains(&door.at.port()));
    }

    #[tokio::test]
    async fn the_apis_own_port_needs_no_listener() {
        let api: SocketAddr = "127.0.0.1:3000".parse().unwrap();
        let door = starter(Some("127.0.0.1:0".parse().unwrap()), api)
            .open_door(Port::Given { port: 3000, or_free: false })
            .await
            .unwrap();
        assert!(door.listener.is_none());
        assert_eq!(door.at, api);
    }
}
