//! Links over Unix domain sockets: `unix:bob` is the socket `bob.sock` in the transport's folder.
//!
//! An endpoint's name has no slash, so that nobody's record can point a dial at a socket elsewhere. What makes a link
//! safe is not here: a node wraps every link in TLS, in which both ends prove their keys.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use chatp2p_core::record::Endpoint;
use chatp2p_core::transport::{
    Clearance, Link, Listener, MAX_LINK_MESSAGE_BYTES, Transport, TransportError, Unreached,
};
use futures_util::{SinkExt, StreamExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::codec::{FramedRead, FramedWrite, LengthDelimitedCodec};

const SCHEME: &str = "unix";

/// The largest frame, in either direction: a message of a link, which none of this library's is larger than.
const MAX_FRAME_BYTES: usize = MAX_LINK_MESSAGE_BYTES;

/// How long no more links are accepted after the system refused one, for want of file descriptors most likely.
const PAUSE: Duration = Duration::from_millis(100);

/// Dials and listens at the sockets in one folder. Whoever may use the folder may dial.
#[derive(Debug, Clone)]
pub(crate) struct UnixTransport {
    folder: PathBuf,
}

impl UnixTransport {
    /// For the sockets in this folder, which must exist.
    pub(crate) fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The file of this kind that belongs to an endpoint.
    fn file(&self, at: &Endpoint, kind: &str) -> Result<PathBuf, TransportError> {
        let name = if at.scheme() == SCHEME { at.name() } else { None };
        let name = name.ok_or_else(|| TransportError::Unsupported { endpoint: at.clone() })?;
        Ok(self.folder.join(format!("{name}.{kind}")))
    }
}

#[async_trait]
impl Transport for UnixTransport {
    fn schemes(&self) -> &'static [&'static str] {
        &[SCHEME]
    }

    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError> {
        let path = self.file(at, "sock")?;
        let cannot = |source| TransportError::CannotListen { endpoint: at.clone(), source };
        // Whoever holds the lock owns the socket. One that lies there all the same was left by a crash.
        let lock = File::create(self.file(at, "lock")?).map_err(cannot)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(TransportError::AddressInUse { endpoint: at.clone() }),
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(cannot(error)),
            _ => {}
        }
        let socket = UnixListener::bind(&path).map_err(cannot)?;
        Ok(Box::new(SocketListener { endpoint: at.clone(), path, socket, _lock: lock }))
    }

    async fn dial(&self, to: &Endpoint, _: &Clearance) -> Result<Link, TransportError> {
        let unreachable = |error: std::io::Error| TransportError::Unreachable {
            endpoint: to.clone(),
            // No file is what a closed port is elsewhere.
            cause: if error.kind() == ErrorKind::NotFound { Unreached::PortClosed } else { Unreached::of(&error) },
            reason: error.to_string(),
        };
        Ok(link(UnixStream::connect(self.file(to, "sock")?).await.map_err(unreachable)?))
    }
}

#[derive(Debug)]
struct SocketListener {
    endpoint: Endpoint,
    path: PathBuf,
    socket: UnixListener,
    /// Freed with the listener, after its socket is gone.
    _lock: File,
}

#[async_trait]
impl Listener for SocketListener {
    fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    async fn accept(&mut self) -> Result<Link, TransportError> {
        loop {
            match self.socket.accept().await {
                Ok((stream, _)) => return Ok(link(stream)),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
    }
}

impl Drop for SocketListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Each message is a frame: its length in four bytes, and itself.
fn link(socket: UnixStream) -> Link {
    let frames = || LengthDelimitedCodec::builder().max_frame_length(MAX_FRAME_BYTES).new_codec();
    let (read, write) = socket.into_split();
    let outgoing = SinkExt::<Bytes>::sink_map_err(FramedWrite::new(write, frames()), ended);
    let incoming = FramedRead::new(read, frames()).map(|frame| frame.map(BytesMut::freeze).map_err(ended));
    Link { outgoing: Box::pin(outgoing), incoming: Box::pin(incoming), proved: None, remote: None }
}

fn ended(error: std::io::Error) -> TransportError {
    match error.kind() {
        // So says the codec of a frame that is too large, ours and theirs.
        ErrorKind::InvalidInput | ErrorKind::InvalidData => TransportError::Protocol { reason: error.to_string() },
        _ => TransportError::Closed,
    }
}
