//! Dialling: a connection, TLS around it for `wss://`, and the WebSocket handshake. Redirects are never followed: a peer
//! dials where its record says, or nowhere.

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_tungstenite::client_async_with_config;
use tokio_tungstenite::tungstenite::{self, ClientRequestBuilder};

use super::link::{Watched, link};
use super::{CONNECT_TIMEOUT, HANDSHAKE_TIMEOUT, KeepAlive, SUB_PROTOCOL, limits};
use crate::record::{Endpoint, Host};
use crate::transport::{Clearance, Link, NotCleared, TransportError, Unreached};

/// How many addresses of one host name are tried: one per IP version and one to spare. More would make a name a weapon that
/// points many dials at victims.
const MAX_ADDRESSES: usize = 3;

pub(super) async fn dial(
    to: &Endpoint,
    clearance: &Clearance,
    trust: &OnceLock<Arc<ClientConfig>>,
    keep_alive: KeepAlive,
) -> Result<Link, TransportError> {
    let (Some(host), Some(port), "ws" | "wss") = (to.host(), to.port(), to.scheme()) else {
        return Err(TransportError::Unsupported { endpoint: to.clone() });
    };
    let silent = |_| unreachable(to, Unreached::Silent, "no answer in time");
    let connecting = timeout(CONNECT_TIMEOUT, connect(to, host, port, clearance));
    let (socket, remote) = connecting.await.map_err(silent)??;
    let handshake = async {
        if to.scheme() == "ws" {
            return upgrade(to, socket, remote, keep_alive).await;
        }
        let socket = encrypt(host, socket, trust).await.map_err(|error| not_encrypted(to, &error))?;
        upgrade(to, socket, remote, keep_alive).await
    };
    timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(silent)?
}

/// Connects to the first address of the host that may be dialled and answers.
async fn connect(
    to: &Endpoint,
    host: &Host,
    port: u16,
    clearance: &Clearance,
) -> Result<(TcpStream, SocketAddr), TransportError> {
    let failed = |error: io::Error| unreachable(to, Unreached::of(&error), error);
    let unknown = |error: io::Error| unreachable(to, Unreached::HostUnknown, error);
    let addresses: Vec<SocketAddr> = match host {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, port)],
        Host::Name(name) => lookup_host((name.as_str(), port)).await.map_err(unknown)?.take(MAX_ADDRESSES).collect(),
    };
    let not_cleared = |reason| TransportError::NotCleared { endpoint: to.clone(), reason };
    let mut why = unreachable(to, Unreached::HostUnknown, "the name leads nowhere");
    for address in addresses {
        match open(address, clearance).await {
            Ok(Ok((socket, remote))) => {
                clearance.confirm(remote).map_err(not_cleared)?;
                // Else two small messages in a row wait 40 ms for each other.
                socket.set_nodelay(true).map_err(failed)?;
                return Ok((socket, remote));
            }
            Ok(Err(error)) => why = failed(error),
            Err(reason) => why = not_cleared(reason),
        }
    }
    Err(why)
}

async fn open(address: SocketAddr, clearance: &Clearance) -> Result<io::Result<(TcpStream, SocketAddr)>, NotCleared> {
    clearance.admit(address)?;
    Ok(async {
        let socket = TcpStream::connect(address).await?;
        // Where it led, which need not be where it was meant to.
        let remote = socket.peer_addr()?;
        Ok((socket, remote))
    }
    .await)
}

async fn encrypt(
    host: &Host,
    socket: TcpStream,
    trust: &OnceLock<Arc<ClientConfig>>,
) -> io::Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>> {
    let config = match trust.get() {
        Some(config) => Arc::clone(config),
        None => {
            // It reads files.
            let config = tokio::task::spawn_blocking(platform).await?.map_err(io::Error::other)?;
            Arc::clone(trust.get_or_init(|| Arc::new(config)))
        }
    };
    let name = match host {
        Host::Ip(ip) => ServerName::from(*ip),
        Host::Name(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
    };
    TlsConnector::from(config).connect(name, socket).await
}

/// Trusts whom this machine trusts. The provider is named, because a program may have installed another, or none.
fn platform() -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?;
    Ok(config.with_no_client_auth())
}

async fn upgrade<S>(to: &Endpoint, socket: S, remote: SocketAddr, keep_alive: KeepAlive) -> Result<Link, TransportError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let uri = to.to_string().parse().map_err(|error| unreachable(to, Unreached::Other, error))?;
    let request = ClientRequestBuilder::new(uri).with_sub_protocol(SUB_PROTOCOL);
    // Anything but an upgrade to our sub-protocol is an error, a redirect included.
    let upgrading = client_async_with_config(request, Watched::new(socket), Some(limits()));
    let (socket, _) = upgrading.await.map_err(|error| unreachable(to, answered(&error), error))?;
    Ok(link(socket, Some(remote), keep_alive))
}

/// What it means that somebody took the connection and did not become a peer.
fn answered(error: &tungstenite::Error) -> Unreached {
    match error {
        // A peer whose node does not run says so with 503, and so does a proxy before one that is away.
        tungstenite::Error::Http(response) if response.status().is_server_error() => Unreached::Other,
        tungstenite::Error::Io(error) if error.kind() == io::ErrorKind::TimedOut => Unreached::Silent,
        _ => Unreached::NotAPeer,
    }
}

/// TLS of `wss://` did not come about: whoever is there has no certificate that this machine trusts for the name.
fn not_encrypted(to: &Endpoint, error: &io::Error) -> TransportError {
    unreachable(to, Unreached::NotAPeer, format_args!("no TLS as for wss://: {error}"))
}

fn unreachable(endpoint: &Endpoint, cause: Unreached, reason: impl Display) -> TransportError {
    TransportError::Unreachable { endpoint: endpoint.clone(), cause, reason: reason.to_string() }
}
