//! Counts connections. The place is given back when the socket is dropped, so that one that was upgraded (a WebSocket)
//! counts as long as it lives.

use std::collections::HashMap;
use std::io::{self, IoSlice, Write};
use std::net::{IpAddr, Shutdown};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use chatp2p_core::record::network;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use super::Limits;

/// What a caller hears for whom there is no place. Short enough for the empty send buffer of a new socket.
const REFUSAL: &str = concat!(
    "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/problem+json\r\nretry-after: 5\r\n",
    "connection: close\r\ncontent-length: 157\r\n\r\n",
    r#"{"type":"urn:problem-type:chatp2p:busy","title":"Busy","status":503,"#,
    r#""detail":"There are too many connections.","code":"busy","next":"Try again in a moment."}"#,
);

#[derive(Debug)]
pub(super) struct Counter {
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place; `None` for callers who count towards no limit.
#[derive(Debug)]
pub(super) struct Place(Option<(Arc<Counter>, IpAddr)>);

impl Counter {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn admit(self: &Arc<Self>, remote: IpAddr) -> Option<Place> {
        let remote = remote.to_canonical();
        if remote.is_loopback() {
            return Some(Place(None));
        }
        let network = network(remote);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let here = open.by_network.get(&network).copied().unwrap_or_default();
        if open.all >= self.limits.connections || here >= self.limits.connections_per_address {
            return None;
        }
        open.all += 1;
        open.by_network.insert(network, here + 1);
        Some(Place(Some((Arc::clone(self), network))))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((counter, network)) = self.0.take() {
            let mut open = counter.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.all = open.all.saturating_sub(1);
            if let Some(here) = open.by_network.get_mut(&network) {
                *here -= 1;
                if *here == 0 {
                    open.by_network.remove(&network);
                }
            }
        }
    }
}

/// Says that there is no place, as far as that works without waiting.
pub(super) fn refuse(stream: TcpStream) {
    if let Ok(mut stream) = stream.into_std() {
        let told = stream.write_all(REFUSAL.as_bytes()).and_then(|()| stream.shutdown(Shutdown::Write));
        if let Err(error) = told {
            tracing::debug!(%error, "a refused connection was not told so");
        }
    }
}

/// A socket and its place. Whoever takes nothing of what is written for too long loses both.
#[derive(Debug)]
pub(super) struct Counted {
    stream: TcpStream,
    patience: Duration,
    /// Runs while the socket takes nothing.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Counted {
    pub(super) const fn new(stream: TcpStream, patience: Duration, place: Place) -> Self {
        Self { stream, patience, stalled: None, _place: place }
    }

    /// What a write came to, and an error if nothing has come of any for too long.
    fn watch<T>(&mut self, written: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        ready!(stalled.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.watch(written, cx)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.watch(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(connections: usize, connections_per_address: usize) -> Arc<Counter> {
        Counter::new(Limits { connections, connections_per_address, ..Limits::default() })
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_every_place() {
        let counter = counter(10, 2);
        let first = counter.admit(ip("192.0.2.1")).unwrap();
        let _second = counter.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert!(counter.admit(ip("192.0.2.1")).is_none());
        assert!(counter.admit(ip("192.0.2.2")).is_some());
        drop(first);
        assert!(counter.admit(ip("192.0.2.1")).is_some());
    }

    #[test]
    fn an_ipv6_network_counts_as_one_address() {
        let counter = counter(10, 1);
        let _place = counter.admit(ip("2001:db8::1")).unwrap();
        assert!(counter.admit(ip("2001:db8::ffff:2")).is_none());
        assert!(counter.admit(ip("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn all_addresses_together_have_a_limit_too_and_it_is_given_back() {
        let counter = counter(2, 2);
        let places = [counter.admit(ip("192.0.2.1")).unwrap(), counter.admit(ip("192.0.2.2")).unwrap()];
        assert!(counter.admit(ip("192.0.2.3")).is_none());
        drop(places);
        assert!(counter.admit(ip("192.0.2.3")).is_some());
        assert!(counter.open.lock().unwrap().by_network.is_empty(), "addresses are forgotten");
    }

    #[test]
    fn loopback_callers_count_towards_no_limit() {
        let counter = counter(0, 0);
        assert!(counter.admit(ip("192.0.2.1")).is_none());
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(counter.admit(ip(address)).is_some(), "{address}");
        }
    }

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let (head, body) = REFUSAL.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{}", body.len());
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], chatp2p_core::code::Code::Busy.as_str());
        assert_eq!(problem["next"], chatp2p_core::code::Code::Busy.next().unwrap());
    }
}
