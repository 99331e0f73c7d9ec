//! The one task of a link. Reading and writing are two futures that wait independently of each other, so that two ends
//! that both write more than they read never wait for each other; neither is ever given up half-way, because a sealed
//! record that is lost makes every later one worthless.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::timeout;

use super::SecureLink;
use super::tunnel::Tunnel;
use crate::transport::{LinkSink, LinkStream, TransportError};

/// The most frames in a batch: beyond it, sealing costs nothing less per frame.
const BATCH_FRAMES: usize = 256;

/// A batch takes no further frame once it has this many bytes, so that it stays within a link message.
const BATCH_BYTES: usize = 256 << 10;

/// How long a goodbye may take. The other end's goodbye, or what it still had on the way, is worth no more.
const GOODBYE_TIMEOUT: Duration = Duration::from_secs(2);

/// Reading and writing share it, never at the same time and never across an await.
struct Shared(Mutex<Tunnel>);

impl Shared {
    /// No code panics while it holds the tunnel.
    fn tunnel(&self) -> MutexGuard<'_, Tunnel> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which of the two futures ended.
enum Ended {
    Reading(Result<(), TransportError>),
    Writing(Result<(), TransportError>),
}

impl SecureLink {
    /// Carries frames until either end closes: the one task of a link.
    ///
    /// Frames from `outgoing` are sent in batches. Frames from the other end go through `wrap` and into `incoming`, in
    /// order; while `incoming` is full nothing is read from the link, and writing goes on. To close in good order, drop
    /// the sender of `outgoing` (or the receiver of `incoming`): all that was queued is sent, then a goodbye. That takes
    /// as long as the other end takes to read. Dropping the future breaks the link off at once.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when the connection is gone without a goodbye, [`TimedOut`](TransportError::TimedOut)
    /// when the transport found the other end silent, [`Protocol`](TransportError::Protocol) when anything on the way
    /// is not as the other end sealed it or a frame is larger than [`MAX_FRAME_BYTES`](crate::message::MAX_FRAME_BYTES), and what
    /// `wrap` returned, if that was an error.
    pub async fn run<T: Send>(
        self,
        outgoing: Receiver<Bytes>,
        incoming: Sender<T>,
        wrap: impl Fn(Bytes) -> Result<T, TransportError> + Send,
    ) -> Result<(), TransportError> {
        let Self { outgoing: mut sink, incoming: stream, tunnel, .. } = self;
        let shared = Shared(Mutex::new(tunnel));
        let mut reading = pin!(read(stream, &shared, &incoming, wrap));
        let ended = tokio::select! {
            done = &mut reading => Ended::Reading(done),
            done = write(&mut sink, &shared, outgoing, &incoming) => Ended::Writing(done),
        };
        match ended {
            Ended::Reading(done) => {
                // Answers a goodbye, or tells the other end by an alert what it did wrong.
                let _ = timeout(GOODBYE_TIMEOUT, finish(&mut sink, &shared)).await;
                done
            }
            Ended::Writing(Ok(())) => {
                // A socket that is closed over unread bytes is reset, and the reset may overtake what was just sent.
                let _ = timeout(GOODBYE_TIMEOUT, reading).await;
                Ok(())
            }
            // Ours: a frame that must not be sent. The link is whole, and this end leaves it.
            Ended::Writing(Err(error @ TransportError::Protocol { .. })) => {
                let _ = timeout(GOODBYE_TIMEOUT, finish(&mut sink, &shared)).await;
                Err(error)
            }
            // What broke the writing often stands in what can still be read: a goodbye, an alert.
            Ended::Writing(Err(error)) => timeout(GOODBYE_TIMEOUT, reading).await.unwrap_or(Err(error)),
        }
    }
}

async fn read<T: Send>(
    mut stream: LinkStream,
    shared: &Shared,
    incoming: &Sender<T>,
    wrap: impl Fn(Bytes) -> Result<T, TransportError> + Send,
) -> Result<(), TransportError> {
    loop {
        loop {
            let frame = shared.tunnel().next_frame()?;
            let Some(frame) = frame else { break };
            // Once nobody listens any more the writing half says goodbye; what arrives until then is let go.
            let _ = incoming.send(wrap(frame)?).await;
        }
        if shared.tunnel().is_finished() {
            return Ok(());
        }
        match stream.next().await {
            Some(message) => shared.tunnel().open(&message?)?,
            None if shared.tunnel().may_end() => return Ok(()),
            None => return Err(TransportError::Closed),
        }
    }
}

/// Writes until `outgoing` is closed or nobody reads `incoming`, and then says goodbye.
async fn write<T: Send>(
    sink: &mut LinkSink,
    shared: &Shared,
    mut outgoing: Receiver<Bytes>,
    incoming: &Sender<T>,
) -> Result<(), TransportError> {
    let mut batch = Vec::new();
    loop {
        let first = tokio::select! {
            frame = outgoing.recv() => frame,
            // `close` keeps what is queued, and a closed channel ends by itself once that is gone.
            () = incoming.closed(), if !outgoing.is_closed() => { outgoing.close(); continue }
        };
        let Some(first) = first else { break };
        gather(&mut batch, first, &mut outgoing);
        shared.tunnel().seal(&batch)?;
        batch.clear();
        push(sink, shared).await?;
        if outgoing.is_empty() {
            sink.flush().await?;
        }
    }
    finish(sink, shared).await
}

/// All that waits, up to a batch.
fn gather(batch: &mut Vec<Bytes>, first: Bytes, outgoing: &mut Receiver<Bytes>) {
    let mut bytes = first.len();
    batch.push(first);
    while batch.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
        match outgoing.try_recv() {
            Ok(frame) => {
                bytes += frame.len();
                batch.push(frame);
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => break,
        }
    }
}

/// Hands what is sealed to the link. A message leaves the tunnel only when the link is ready to take it.
async fn push(sink: &mut LinkSink, shared: &Shared) -> Result<(), TransportError> {
    loop {
        poll_fn(|cx| sink.as_mut().poll_ready(cx)).await?;
        let message = shared.tunnel().next_message();
        match message {
            Some(message) => sink.as_mut().start_send(message)?,
            None => return Ok(()),
        }
    }
}

async fn finish(sink: &mut LinkSink, shared: &Shared) -> Result<(), TransportError> {
    shared.tunnel().finish();
    push(sink, shared).await?;
    sink.close().await
}
