//! Links over WebSocket: binary messages at the path `/p2p`, on a port of their own or beside an API, through any reverse
//! proxy. Nothing is trusted for it: what travels is sealed before it gets here.

mod dial;
#[cfg(feature = "test-utils")]
mod heard;
mod link;
mod listener;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use self::listener::WebSocketListener;
use super::{Clearance, Link, Listener, MAX_LINK_MESSAGE_BYTES, Transport, TransportError};
use crate::record::Endpoint;

#[cfg(feature = "test-utils")]
pub(crate) use heard::greeted;

/// The WebSocket sub-protocol (`Sec-WebSocket-Protocol`) that both ends must name.
pub const SUB_PROTOCOL: &str = "chatp2p.v1";

/// How long the WebSocket handshake may take, from the open connection on.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long it may take to open a connection: with the name looked up, and with TLS for `wss://`.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// What is read from a socket at once. Every link keeps such a buffer, so it is small.
const READ_BUFFER_BYTES: usize = 8 << 10;

/// What may wait for a socket that takes nothing: a message, and answers to pings beside it.
const WRITE_BUFFER_BYTES: usize = 2 * MAX_LINK_MESSAGE_BYTES;

/// When a link over which nothing arrives is asked for a sign of life, and when it is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeepAlive {
    /// After this long without a byte from the other end, a ping is sent. Below the half minute or so after which
    /// routers forget an idle connection.
    pub ping_after: Duration,
    /// After this long without a byte, or with bytes to send of which none is taken, the link ends with
    /// [`TransportError::TimedOut`]. Longer than `ping_after`.
    pub dead_after: Duration,
}

impl Default for KeepAlive {
    /// 15 and 40 seconds.
    fn default() -> Self {
        Self { ping_after: Duration::from_secs(15), dead_after: Duration::from_secs(40) }
    }
}

/// Dials `ws://` and `wss://`, and listens at `ws://`. (What ends `wss://` in front of a listener is a reverse proxy.)
#[derive(Debug, Clone, Default)]
pub struct WebSocketTransport {
    keep_alive: KeepAlive,
    /// Made at the first `wss://`, because it reads the platform's certificates.
    tls: Arc<OnceLock<Arc<ClientConfig>>>,
}

impl WebSocketTransport {
    /// With the usual times, and for `wss://` the platform's certificate authorities.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with other times.
    #[must_use]
    pub fn with_keep_alive(self, keep_alive: KeepAlive) -> Self {
        Self { keep_alive, ..self }
    }

    /// The same with other rules for whom `wss://` trusts, such as a company's own certificate authority.
    #[must_use]
    pub fn with_tls(self, config: Arc<ClientConfig>) -> Self {
        Self { tls: Arc::new(OnceLock::from(config)), ..self }
    }
}

#[async_trait]
impl Transport for WebSocketTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &["ws", "wss"]
    }

    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError> {
        Ok(Box::new(WebSocketListener::bind(at, self.keep_alive).await?))
    }

    async fn dial(&self, to: &Endpoint, clearance: &Clearance) -> Result<Link, TransportError> {
        dial::dial(to, clearance, &self.tls, self.keep_alive).await
    }
}

/// The link over a socket that somebody else has upgraded, in the role of the server. Whoever did has checked the
/// request: the path, the sub-protocol ([`SUB_PROTOCOL`]), and that no `Origin` came with it.
pub async fn accept_upgraded<S>(io: S, remote: Option<std::net::SocketAddr>, keep_alive: KeepAlive) -> Link
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let socket = WebSocketStream::from_raw_socket(link::Watched::new(io), Role::Server, Some(limits())).await;
    link::link(socket, remote, keep_alive)
}

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2).
pub fn accept_key(key: &[u8]) -> String {
    derive_accept_key(key)
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // Every message goes to the socket at once: the frames of a turn share one already.
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_LINK_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_LINK_MESSAGE_BYTES))
}
