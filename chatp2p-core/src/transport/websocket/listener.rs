//! Listening: handshakes run beside each other, each with its own time, so that callers who dribble or say nothing hold
//! nobody up. They run while the listener is asked for the next link, and end with it.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{AbortHandle, Abortable, BoxFuture};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::header::{CONNECTION, CONTENT_LENGTH, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use http::{HeaderValue, StatusCode};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep, timeout};
use tokio_tungstenite::accept_hdr_async_with_config;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};

use super::link::{Watched, link};
use super::{HANDSHAKE_TIMEOUT, KeepAlive, SUB_PROTOCOL, limits};
use crate::record::{Endpoint, Host, P2P_PATH};
use crate::transport::crowd::Crowd;
use crate::transport::{Link, Listener, TransportError};

/// Handshakes at once. With a read buffer and a request each, about eight megabytes.
const MAX_HANDSHAKES: usize = 256;

/// Handshakes at once from one address (one /64 for IPv6) that is not this machine: a household may return all at once,
/// and nobody can take all places alone. Who comes then takes the place of the oldest of the same address.
const MAX_HANDSHAKES_PER_ADDRESS: usize = 32;

/// After how many callers there is a breath, and how long that is: who calls in a burst holds up others' messages for some
/// tenths of a millisecond at a time, and 4,000 a second are taken all the same.
const AT_ONCE: u64 = 8;
const BREATH: Duration = Duration::from_millis(2);

/// How long to wait when the system gives no socket, as when this process has no file descriptor left.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct WebSocketListener {
    endpoint: Endpoint,
    socket: TcpListener,
    keep_alive: KeepAlive,
    handshakes: FuturesUnordered<BoxFuture<'static, (u64, Option<Link>)>>,
    /// By which each of them can be given up.
    callers: BTreeMap<u64, AbortHandle>,
    crowd: Crowd<u64>,
    /// How many have called.
    calls: u64,
    pause: Option<Pin<Box<Sleep>>>,
}

impl fmt::Debug for WebSocketListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketListener").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl WebSocketListener {
    pub(super) async fn bind(at: &Endpoint, keep_alive: KeepAlive) -> Result<Self, TransportError> {
        let (Some(host), Some(port), "ws" | "wss") = (at.host(), at.port(), at.scheme()) else {
            return Err(TransportError::Unsupported { endpoint: at.clone() });
        };
        let failed = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => TransportError::AddressInUse { endpoint: at.clone() },
            _ => TransportError::CannotListen { endpoint: at.clone(), source },
        };
        if at.scheme() == "wss" {
            let why = "listen at ws://, and let a reverse proxy before it serve wss://";
            return Err(failed(io::Error::new(io::ErrorKind::Unsupported, why)));
        }
        let socket = match host {
            Host::Ip(ip) => TcpListener::bind((*ip, port)).await,
            Host::Name(name) => TcpListener::bind((name.as_str(), port)).await,
        };
        let socket = socket.map_err(failed)?;
        let port = socket.local_addr().map_err(failed)?.port();
        let endpoint = Endpoint::ws_host(&host.to_string(), port).map_err(|error| failed(io::Error::other(error)))?;
        let (handshakes, callers) = (FuturesUnordered::new(), BTreeMap::new());
        let crowd = Crowd::new(MAX_HANDSHAKES, MAX_HANDSHAKES_PER_ADDRESS);
        Ok(Self { endpoint, socket, keep_alive, handshakes, callers, crowd, calls: 0, pause: None })
    }

    /// Starts a handshake. Where there are too many, one that has been at it for long is given up.
    fn admit(&mut self, socket: TcpStream, remote: SocketAddr) {
        self.calls += 1;
        let call = self.calls;
        let leaving = self.crowd.enter(call, Some(remote.ip()));
        if let Some(given_up) = leaving.and_then(|call| self.callers.remove(&call)) {
            given_up.abort();
        }
        let keep_alive = self.keep_alive;
        let (handle, registration) = AbortHandle::new_pair();
        self.callers.insert(call, handle);
        self.handshakes.push(Box::pin(async move {
            let upgrading = timeout(HANDSHAKE_TIMEOUT, upgrade(socket, remote, keep_alive));
            let link = Abortable::new(upgrading, registration).await;
            (call, link.ok().and_then(Result::ok).flatten())
        }));
    }

    fn release(&mut self, call: u64) {
        self.callers.remove(&call);
        self.crowd.retain(|other| other != call);
    }
}

#[async_trait]
impl Listener for WebSocketListener {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn accept(&mut self) -> Result<Link, TransportError> {
        loop {
            tokio::select! {
                () = async { if let Some(pause) = &mut self.pause { pause.await } }, if self.pause.is_some() => {
                    self.pause = None;
                }
                accepted = self.socket.accept(), if self.pause.is_none() => match accepted {
                    Ok((socket, remote)) => {
                        self.admit(socket, remote);
                        if self.calls.is_multiple_of(AT_ONCE) {
                            self.pause = Some(Box::pin(sleep(BREATH)));
                        }
                    }
                    Err(error) if of_the_caller(&error) => {}
                    Err(error) => {
                        tracing::warn!(endpoint = %self.endpoint, %error, "cannot accept a connection");
                        self.pause = Some(Box::pin(sleep(PAUSE)));
                    }
                },
                Some((call, link)) = self.handshakes.next() => {
                    self.release(call);
                    if let Some(link) = link {
                        return Ok(link);
                    }
                }
            }
        }
    }
}

/// Whether it is about one connection, which was gone before it was accepted.
fn of_the_caller(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

async fn upgrade(socket: TcpStream, remote: SocketAddr, keep_alive: KeepAlive) -> Option<Link> {
    // Else two small messages in a row wait 40 ms for each other.
    socket.set_nodelay(true).ok()?;
    let upgrading = accept_hdr_async_with_config(Watched::new(socket), answer, Some(limits()));
    Some(link(upgrading.await.ok()?, Some(remote), keep_alive))
}

/// A page in a browser always names its origin, and no page is a peer: it could only use the reader's own machine.
#[allow(clippy::result_large_err, reason = "the signature is the library's")]
pub(super) fn answer(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let headers = request.headers();
    if headers.contains_key(ORIGIN) {
        return Err(refusal(StatusCode::FORBIDDEN));
    }
    if request.uri().path() != P2P_PATH {
        return Err(refusal(StatusCode::NOT_FOUND));
    }
    let mut offered = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    if !offered.any(|list| list.split(',').any(|name| name.trim() == SUB_PROTOCOL)) {
        return Err(refusal(StatusCode::BAD_REQUEST));
    }
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(SUB_PROTOCOL));
    Ok(response)
}

fn refusal(status: StatusCode) -> ErrorResponse {
    let mut response = ErrorResponse::new(None);
    *response.status_mut() = status;
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
