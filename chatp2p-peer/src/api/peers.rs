//! Who is there, and who is connected.

use std::sync::Arc;

use chatp2p_core::code::Code;
use chatp2p_core::identity::Username;
use chatp2p_core::node::NodeError;
use chatp2p_core::tracker::Registration;
use chatp2p_service::{JsonBody, Problem, Refused};
use poem::http::StatusCode;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};
use serde::Deserialize;

use super::Tag;
use super::refusals::{Connecting, Disconnecting, Reading, not_running, problem};
use crate::desk::Desk;

pub(crate) struct PeersApi;

/// A peer as the tracker lists it.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct AvailablePeer {
    /// The tracker's number for the name.
    id: i64,
    /// The name.
    username: String,
    /// Its host.
    host: String,
    /// Its port.
    port: u16,
    /// Whether the tracker has heard of it lately.
    is_active: bool,
    /// When that was: RFC 3339 in UTC.
    last_heartbeat: String,
    /// The key that owns the name; absent for classic peers, whose names nobody owns.
    peer_id: Option<String>,
}

impl From<Registration> for AvailablePeer {
    fn from(registration: Registration) -> Self {
        Self {
            id: registration.id,
            username: registration.username.to_string(),
            host: registration.host,
            port: registration.port,
            is_active: registration.is_active,
            last_heartbeat: registration.last_heartbeat.to_string(),
            peer_id: registration.record.map(|signed| signed.record().peer_id.to_string()),
        }
    }
}

/// Who is available.
#[derive(Debug, Object)]
#[oai(example)]
struct AvailablePeers {
    /// Everybody who is listed at a tracker but oneself, by name.
    peers: Vec<AvailablePeer>,
}

impl Example for AvailablePeers {
    fn example() -> Self {
        let bob = AvailablePeer {
            id: 2,
            username: "bob".to_owned(),
            host: "192.168.1.6".to_owned(),
            port: 5001,
            is_active: true,
            last_heartbeat: "2026-11-23T07:00:00.000Z".to_owned(),
            peer_id: Some("qfyo6d2acjwacjpoxptzj5r2mdhhjtnbqeaerivdkvgwfgsglk3q".to_owned()),
        };
        Self { peers: vec![bob] }
    }
}

/// Who is connected.
#[derive(Debug, Object)]
#[oai(example)]
struct ConnectedPeers {
    /// The names of the contacts with a live link.
    connected_peers: Vec<String>,
}

impl Example for ConnectedPeers {
    fn example() -> Self {
        Self { connected_peers: vec!["bob".to_owned()] }
    }
}

/// Whom to connect to.
#[derive(Debug, Object, Deserialize)]
#[oai(example)]
struct ConnectPeer {
    /// The name at the tracker.
    peer_username: String,
}

impl Example for ConnectPeer {
    fn example() -> Self {
        Self { peer_username: "bob".to_owned() }
    }
}

/// There is a live link.
#[derive(Debug, Object)]
#[oai(example)]
struct PeerConnected {
    /// Always `connected`.
    status: String,
    /// To whom.
    peer: String,
}

impl Example for PeerConnected {
    fn example() -> Self {
        Self { status: "connected".to_owned(), peer: "bob".to_owned() }
    }
}

/// There is no live link any more.
#[derive(Debug, Object)]
#[oai(example)]
struct PeerDisconnected {
    /// Always `disconnected`.
    status: String,
    /// From whom.
    peer: String,
}

impl Example for PeerDisconnected {
    fn example() -> Self {
        Self { status: "disconnected".to_owned(), peer: "bob".to_owned() }
    }
}

#[OpenApi(tag = "Tag::Peers")]
impl PeersApi {
    /// List who is available
    ///
    /// Everybody who is listed at any tracker that answers, without oneself. While all are silent: who was listed last.
    #[oai(path = "/peers", method = "get", operation_id = "peers")]
    async fn peers(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<AvailablePeers>, Refused<Reading>> {
        let node = desk.node().ok_or_else(not_running)?;
        let peers = node.available().await.map_err(|error| problem(&error))?;
        Ok(Json(AvailablePeers { peers: peers.into_iter().map(AvailablePeer::from).collect() }))
    }

    /// List who is connected
    ///
    /// The contacts with a live link, by name.
    #[oai(path = "/connected-peers", method = "get", operation_id = "connected_peers")]
    async fn connected(&self, Data(desk): Data<&Arc<Desk>>) -> Result<Json<ConnectedPeers>, Refused<Reading>> {
        let node = desk.node().ok_or_else(not_running)?;
        let connected = node.connected().await.map_err(|error| problem(&error))?;
        Ok(Json(ConnectedPeers { connected_peers: connected.iter().map(ToString::to_string).collect() }))
    }

    /// Connect to a peer
    ///
    /// Opens a direct link and remembers the peer's key: from now on nobody else can go by that name here. Where there is a link
    /// already, this changes nothing. Takes at most ten seconds. Where several trackers name different keys for a name that is not
    /// known yet, it is nobody's (`name_disputed`).
    #[oai(path = "/connect", method = "post", operation_id = "connect")]
    async fn connect(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        JsonBody(body): JsonBody<ConnectPeer>,
    ) -> Result<Json<PeerConnected>, Refused<Connecting>> {
        let node = desk.node().ok_or_else(not_running)?;
        let name: Username = body.peer_username.parse().map_err(|error| unknown(&error))?;
        node.connect(&name).await.map_err(|error| problem(&error))?;
        Ok(Json(PeerConnected { status: "connected".to_owned(), peer: name.to_string() }))
    }

    /// Disconnect from a peer
    ///
    /// Neither side dials again by itself, until somebody connects or sends.
    #[oai(path = "/disconnect/:peer_username", method = "delete", operation_id = "disconnect")]
    async fn disconnect(
        &self,
        Data(desk): Data<&Arc<Desk>>,
        /// The name of the peer.
        #[oai(name = "peer_username")]
        Path(peer_username): Path<String>,
    ) -> Result<Json<PeerDisconnected>, Refused<Disconnecting>> {
        let node = desk.node().ok_or_else(not_running)?;
        // Who cannot exist is not connected.
        let name: Username = peer_username
            .parse()
            .map_err(|_| as_wished(&NodeError::NotConnected { name: "anybody of that name".to_owned() }))?;
        node.disconnect(&name).await.map_err(|error| as_wished(&error))?;
        Ok(Json(PeerDisconnected { status: "disconnected".to_owned(), peer: name.to_string() }))
    }
}

/// Who wants no link is not to connect first.
fn as_wished(error: &NodeError) -> Problem {
    let mut problem = problem(error);
    problem.next = problem.next.filter(|_| error.code() != Code::NotConnected);
    problem
}

/// A name that nobody can have is the name of nobody.
fn unknown(error: &dyn std::error::Error) -> Problem {
    let detail = format!("nobody has such a name: {error}");
    Problem::new(StatusCode::BAD_REQUEST, Code::UnknownPeer, detail)
}
