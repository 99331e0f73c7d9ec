//! The accept loop: HTTP/1.1 with bounds that poem's own server does not have (Nagle off, a time for the request head,
//! caps on connections, a bounded end).

mod counted;

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::uri::Scheme;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use poem::endpoint::{DynEndpoint, ToDynEndpoint};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, EndpointExt, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::tls::Tls;
use counted::{Counted, Counter};

/// How long to wait before accepting again when the system has no socket to give (too many open files): long enough to
/// spare the processor, short enough that nobody notices.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The largest request head in bytes: a path with a long percent-encoded text in its query fits, and nothing much larger.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// How long a client may take for the handshake of TLS: three round trips of a poor mobile link, and a slow machine.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// The bounds of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most connections at once, upgraded ones included.
    pub connections: usize,
    /// The most connections at once from one IPv4 address or one IPv6 network of 64 bits.
    pub connections_per_address: usize,
    /// How long a client may take for the head of a request; an idle connection is closed after it.
    pub head: Duration,
    /// How long a client may take nothing of what is written to it, upgraded connections included.
    pub stall: Duration,
    /// How long requests that run at the end may take to finish.
    pub drain: Duration,
}

impl Default for Limits {
    /// 4,096 connections (a socket and a few tens of kilobytes each, below common limits on open files with room for the
    /// database), 256 of one address (a school behind one NAT), 10 s for a head, 60 s without taking anything (longer than the
    /// parts of a connection that is upgraded wait for each other), 5 s to finish.
    fn default() -> Self {
        Self {
            connections: 4096,
            connections_per_address: 256,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(60),
            drain: Duration::from_secs(5),
        }
    }
}

type App = Arc<dyn DynEndpoint<Output = Response>>;

/// Serves `app` on `listener` until `shutdown` completes; then accepts no more, lets running requests finish within
/// [`Limits::drain`], and returns.
///
/// Callers from a loopback address count towards no limit. Errors of accepting are survived. Dropping the future closes every
/// connection that was not upgraded.
///
/// # Errors
/// When the listener has no local address.
pub async fn serve(
    listener: TcpListener,
    app: impl poem::Endpoint + 'static,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    serve_over(listener, None, app, limits, shutdown).await
}

/// The same over TLS, where there is an identity to show. Who does not shake hands in time is let go.
///
/// # Errors
/// As for [`serve`].
pub async fn serve_over(
    listener: TcpListener,
    tls: Option<Tls>,
    app: impl poem::Endpoint + 'static,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let local = listener.local_addr()?;
    let app: App = Arc::new(ToDynEndpoint(app.map_to_response()));
    let counter = Counter::new(limits);
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => {
                    let local = stream.local_addr().unwrap_or(local);
                    let scheme = if tls.is_some() { Scheme::HTTPS } else { Scheme::HTTP };
                    let turn = AtomicBool::new(false);
                    let connection = Connection { local, remote, scheme, app: Arc::clone(&app), turn };
                    if let Some(stream) = admit(&counter, stream, remote, limits.stall) {
                        connections.spawn(connection.open(stream, tls.clone(), limits.head, stopped.clone()));
                    }
                }
                Err(error) => survive(&error).await,
            },
            Some(ended) = connections.join_next() => report(ended),
        }
    }
    drop(listener);
    // Whoever waits for it sees the sender go.
    drop(stop);
    let drained = tokio::time::timeout(limits.drain, async {
        while let Some(ended) = connections.join_next().await {
            report(ended);
        }
    });
    if drained.await.is_err() {
        tracing::warn!(connections = connections.len(), "requests that did not finish in time are cut off");
        connections.shutdown().await;
    }
    Ok(())
}

fn admit(counter: &Arc<Counter>, stream: TcpStream, remote: SocketAddr, stall: Duration) -> Option<Counted> {
    // Without it the second small write of an answer waits 40 ms for the other side's delayed acknowledgement.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection ended before it began");
        return None;
    }
    match counter.admit(remote.ip()) {
        Some(place) => Some(Counted::new(stream, stall, place)),
        None => {
            tracing::debug!("a connection is refused: too many");
            counted::refuse(stream);
            None
        }
    }
}

async fn survive(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
        tracing::warn!(%error, "cannot accept a connection");
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!("a request ended in a panic");
    }
}

struct Connection {
    local: SocketAddr,
    remote: SocketAddr,
    scheme: Scheme,
    app: App,
    /// Whether the connection may still answer a request in this turn of its task.
    turn: AtomicBool,
}

impl Connection {
    async fn open(self, stream: Counted, tls: Option<Tls>, head: Duration, mut stopped: watch::Receiver<()>) {
        let Some(tls) = tls else { return self.run(stream, head, stopped).await };
        let shaken = tokio::select! {
            shaken = tokio::time::timeout(HANDSHAKE_WITHIN, tls.accept(stream)) => shaken,
            _ = stopped.changed() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.run(stream, head, stopped).await,
            Ok(Err(error)) => tracing::debug!(%error, "a client did not shake hands"),
            Err(_) => tracing::debug!("a client did not shake hands in time"),
        }
    }

    async fn run<S>(self, stream: S, head: Duration, mut stopped: watch::Receiver<()>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| self.answer(request));
        let mut connection = pin!(
            http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(head)
                .max_buf_size(MAX_HEAD_BYTES)
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
        );
        let turn = &self.turn;
        let ended = tokio::select! {
            ended = poll_fn(|cx| {
                turn.store(true, Ordering::Relaxed);
                connection.as_mut().poll(cx)
            }) => ended,
            _ = stopped.changed() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        }
    }

    async fn answer(
        &self,
        request: hyper::Request<hyper::body::Incoming>,
    ) -> Result<hyper::Response<impl hyper::body::Body<Data = bytes::Bytes, Error = io::Error> + use<>>, Infallible>
    {
        // One request a turn. Whoever sends a thousand at once would otherwise have many answered before anybody else has one.
        if !self.turn.swap(false, Ordering::Relaxed) {
            tokio::task::yield_now().await;
            self.turn.store(false, Ordering::Relaxed);
        }
        let local = LocalAddr(Addr::SocketAddr(self.local));
        let remote = RemoteAddr(Addr::SocketAddr(self.remote));
        let request = Request::from((request, local, remote, self.scheme.clone()));
        let response = match self.app.call(request).await {
            Ok(response) => response,
            Err(error) => error.into_response(),
        };
        Ok(hyper::Response::from(response))
    }
}
