//! An upgraded socket as a [`Link`]: binary messages alone, pings into the silence, an end to sockets whose other end is
//! gone without a word. Nothing runs beside it: whoever reads keeps the link alive, whoever writes notices a stall.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use super::KeepAlive;
use crate::transport::{Link, MAX_LINK_MESSAGE_BYTES, TransportError};

/// A socket that remembers when bytes last went either way: a large message on a slow line is a sign of life long before
/// it is whole.
pub(super) struct Watched<S> {
    io: S,
    heard: Instant,
    taken: Instant,
}

impl<S> Watched<S> {
    pub(super) fn new(io: S) -> Self {
        let now = Instant::now();
        Self { io, heard: now, taken: now }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        if buffer.filled().len() > before {
            self.heard = Instant::now();
        }
        Poll::Ready(done)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        self.taken = Instant::now();
        Poll::Ready(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Both halves of a link use one socket, and each may have to write: pings and their answers are due while reading. So
/// the socket wakes both, from whichever half it was last asked.
#[derive(Default)]
struct Halves {
    reader: AtomicWaker,
    writer: AtomicWaker,
}

impl Wake for Halves {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.reader.wake();
        self.writer.wake();
    }
}

struct Shared<S> {
    socket: Mutex<WebSocketStream<Watched<S>>>,
    halves: Arc<Halves>,
    waker: Waker,
}

impl<S> Shared<S> {
    /// A socket at which a panic happened is not used again: tokio ends the task of the link.
    fn socket(&self) -> MutexGuard<'_, WebSocketStream<Watched<S>>> {
        self.socket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn link<S>(socket: WebSocketStream<Watched<S>>, remote: Option<SocketAddr>, keep_alive: KeepAlive) -> Link
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let halves = Arc::new(Halves::default());
    let waker = Waker::from(Arc::clone(&halves));
    let shared = Arc::new(Shared { socket: Mutex::new(socket), halves, waker });
    let timer = Box::pin(sleep(keep_alive.ping_after));
    let incoming = Incoming { shared: Arc::clone(&shared), keep_alive, timer, pinged: None, ended: false };
    let outgoing = Outgoing { shared, keep_alive, stall: None };
    Link { outgoing: Box::pin(outgoing), incoming: Box::pin(incoming), proved: None, remote }
}

struct Incoming<S> {
    shared: Arc<Shared<S>>,
    keep_alive: KeepAlive,
    timer: Pin<Box<Sleep>>,
    /// When the ping was sent that nothing has followed yet.
    pinged: Option<Instant>,
    ended: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for Incoming<S> {
    type Item = Result<Bytes, TransportError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if this.ended {
            return Poll::Ready(None);
        }
        let shared = Arc::clone(&this.shared);
        shared.halves.reader.register(cx.waker());
        let mut socket = shared.socket();
        let polled = match poll_message(&mut socket, &mut Context::from_waker(&shared.waker)) {
            Poll::Pending => this.poll_silence(&mut socket, cx).map(|error| Some(Err(error))),
            ready => ready,
        };
        this.ended = matches!(polled, Poll::Ready(None | Some(Err(_))));
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Incoming<S> {
    /// Pings when nothing has come for a while, and gives up when nothing came of that. Only asked once the socket has
    /// nothing to read: a reader that was held up finds what came in the meantime first.
    fn poll_silence(&mut self, socket: &mut WebSocketStream<Watched<S>>, cx: &mut Context<'_>) -> Poll<TransportError> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            let now = Instant::now();
            let heard = socket.get_ref().heard;
            let patience = self.keep_alive.dead_after.saturating_sub(self.keep_alive.ping_after);
            self.pinged = self.pinged.filter(|pinged| heard < *pinged);
            let next = match self.pinged {
                Some(pinged) if now >= pinged + patience => return Poll::Ready(TransportError::TimedOut),
                Some(pinged) => pinged + patience,
                None if now >= heard + self.keep_alive.ping_after => {
                    // A ping that does not fit stands behind bytes that prove as much when they are taken.
                    let _ = Pin::new(&mut *socket).start_send(Message::Ping(Bytes::new()));
                    let _ = Pin::new(&mut *socket).poll_flush(&mut Context::from_waker(&self.shared.waker));
                    self.pinged = Some(now);
                    now + patience
                }
                None => heard + self.keep_alive.ping_after,
            };
            self.timer.as_mut().reset(next);
        }
    }
}

fn poll_message<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut WebSocketStream<Watched<S>>,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Bytes, TransportError>>> {
    loop {
        let (code, error) = match ready!(Pin::new(&mut *socket).poll_next(cx)) {
            Some(Ok(Message::Binary(bytes))) => return Poll::Ready(Some(Ok(bytes))),
            // Asking for the next message also sends the answer to a ping.
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => continue,
            Some(Ok(Message::Close(_))) => {
                // The other end may keep the socket open after the answer, and there is nothing to wait for.
                let _ = Pin::new(&mut *socket).poll_flush(cx);
                return Poll::Ready(None);
            }
            None => return Poll::Ready(None),
            Some(Ok(Message::Text(_))) => (CloseCode::Unsupported, protocol("a text message")),
            Some(Err(error @ Error::Capacity(_))) => (CloseCode::Size, map(error)),
            Some(Err(error)) => (CloseCode::Protocol, map(error)),
        };
        // So that whoever wrote the other end learns what is wrong with it, if it still listens.
        let frame = CloseFrame { code, reason: "".into() };
        let _ = Pin::new(&mut *socket).start_send(Message::Close(Some(frame)));
        let _ = Pin::new(&mut *socket).poll_flush(cx);
        return Poll::Ready(Some(Err(error)));
    }
}

struct Outgoing<S> {
    shared: Arc<Shared<S>>,
    keep_alive: KeepAlive,
    /// Since when the socket has had bytes waiting, and when to look whether it took any.
    stall: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outgoing<S> {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        step: impl FnOnce(Pin<&mut WebSocketStream<Watched<S>>>, &mut Context<'_>) -> Poll<Result<(), Error>>,
    ) -> Poll<Result<(), TransportError>> {
        let shared = Arc::clone(&self.shared);
        shared.halves.writer.register(cx.waker());
        let mut socket = shared.socket();
        if let Poll::Ready(done) = step(Pin::new(&mut *socket), &mut Context::from_waker(&shared.waker)) {
            self.stall = None;
            return Poll::Ready(done.map_err(map));
        }
        let patience = self.keep_alive.dead_after;
        let (since, timer) = self.stall.get_or_insert_with(|| {
            let now = Instant::now();
            (now, Box::pin(sleep_until(now + patience)))
        });
        loop {
            ready!(timer.as_mut().poll(cx));
            let end = socket.get_ref().taken.max(*since) + patience;
            if Instant::now() >= end {
                return Poll::Ready(Err(TransportError::TimedOut));
            }
            timer.as_mut().reset(end);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Sink<Bytes> for Outgoing<S> {
    type Error = TransportError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll(cx, |socket, cx| socket.poll_ready(cx))
    }

    fn start_send(self: Pin<&mut Self>, message: Bytes) -> Result<(), TransportError> {
        if message.len() > MAX_LINK_MESSAGE_BYTES {
            return Err(protocol("a message of our own is too large"));
        }
        Pin::new(&mut *self.shared.socket()).start_send(Message::Binary(message)).map_err(map)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll(cx, |socket, cx| socket.poll_flush(cx))
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.poll(cx, |socket, cx| match ready!(socket.poll_close(cx)) {
            Err(Error::AlreadyClosed | Error::Protocol(ProtocolError::SendAfterClosing)) => Poll::Ready(Ok(())),
            done => Poll::Ready(done),
        })
    }
}

fn protocol(reason: &str) -> TransportError {
    TransportError::Protocol { reason: reason.to_owned() }
}

fn map(error: Error) -> TransportError {
    match error {
        Error::ConnectionClosed
        | Error::AlreadyClosed
        | Error::Io(_)
        | Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
            TransportError::Closed
        }
        error => TransportError::Protocol { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::{StreamExt, future};
    use tokio::io::{AsyncWriteExt, duplex};
    use tokio::sync::mpsc;
    use tokio_tungstenite::tungstenite::protocol::Role;

    use super::super::{accept_upgraded, limits};
    use super::*;
    use crate::identity::Identity;
    use crate::transport::secure::Purpose;
    use crate::transport::{SecureLink, secure};

    async fn pair(buffer: usize) -> (Link, Link) {
        let (one, other) = duplex(buffer);
        let client = WebSocketStream::from_raw_socket(Watched::new(one), Role::Client, Some(limits())).await;
        let keep_alive = KeepAlive::default();
        (link(client, None, keep_alive), accept_upgraded(other, None, keep_alive).await)
    }

    async fn flood(link: SecureLink) {
        const FRAMES: usize = 5_000;
        let (outgoing, to_send) = mpsc::channel(16);
        let (received, mut incoming) = mpsc::channel(16);
        let sending = async move {
            for n in 0..FRAMES {
                outgoing.send(Bytes::from(n.to_be_bytes().repeat(20))).await.unwrap();
            }
            // Kept until the other direction is done as well.
            outgoing
        };
        let receiving = async {
            for n in 0..FRAMES {
                assert_eq!(incoming.recv().await.unwrap(), n.to_be_bytes().repeat(20), "frame {n}");
            }
        };
        let done = future::join(sending, receiving);
        tokio::select! {
            end = link.run(to_send, received, Ok) => panic!("the link ended: {end:?}"),
            (_outgoing, ()) = done => {}
        }
    }

    #[tokio::test]
    async fn two_ends_that_both_write_more_than_fits_do_not_wait_for_each_other() {
        for buffer in [64, 256, 4096] {
            let (one, other) = pair(buffer).await;
            let (alice, bob) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
            let up = future::join(
                secure::client(one, &alice, bob.peer_id(), Purpose::Peer),
                secure::server(other, &bob, &[Purpose::Peer]),
            )
            .await;
            let both = future::join(tokio::spawn(flood(up.0.unwrap())), tokio::spawn(flood(up.1.unwrap())));
            let ends = tokio::time::timeout(Duration::from_secs(30), both).await.expect("nobody waits for ever");
            // Whoever is done first leaves, and the other may notice before it has looked at its last frames.
            assert!(ends.0.is_ok() || ends.1.is_ok(), "{ends:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_link_lives_on() {
        let (mut one, mut other) = pair(4096).await;
        let quiet = future::join(one.incoming.next(), other.incoming.next());
        assert!(tokio::time::timeout(Duration::from_secs(3600), quiet).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_message_on_a_slow_line_is_a_sign_of_life() {
        let (mut line, io) = duplex(4096);
        let mut link = accept_upgraded(io, None, KeepAlive::default()).await;
        let dribbling = async {
            line.write_all(&[0x82, 0x80 + 20, 0, 0, 0, 0]).await.unwrap();
            for _ in 0..20 {
                tokio::time::sleep(Duration::from_secs(10)).await;
                line.write_all(b"x").await.unwrap();
            }
        };
        let (message, ()) = future::join(link.incoming.next(), dribbling).await;
        assert_eq!(message.unwrap().unwrap(), &[b'x'; 20][..]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_was_held_up_does_not_take_the_other_end_for_dead() {
        let (mut one, mut other) = pair(4096).await;
        let seconds = Duration::from_secs;
        // Pings at 15 s, and the answer comes while nobody looks, until long after it was due.
        assert!(tokio::time::timeout(seconds(16), one.incoming.next()).await.is_err());
        assert!(tokio::time::timeout(seconds(29), other.incoming.next()).await.is_err());
        let quiet = future::join(one.incoming.next(), other.incoming.next());
        assert!(tokio::time::timeout(seconds(600), quiet).await.is_err());
    }
}
