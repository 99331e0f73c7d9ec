//! How bytes get from one peer to another. A [`Transport`] dials and listens and gives [`Link`]s; [`secure`] turns a
//! link into a [`SecureLink`], whose other end has proved its key. A node accepts nothing else.

mod budget;
mod clearance;
pub(crate) mod crowd;
mod memory;
pub mod secure;
mod unreached;
#[cfg(feature = "websocket")]
pub mod websocket;

use std::fmt;
use std::net::SocketAddr;
use std::pin::Pin;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{Sink, Stream};

use crate::code::Code;
use crate::identity::PeerId;
use crate::record::Endpoint;

pub use budget::{DialBudget, MAX_DIALS_PER_ADDRESS, MAX_DIALS_PER_TARGET};
pub use clearance::{Clearance, NotCleared};
pub use memory::MemoryTransport;
pub use secure::SecureLink;
pub use unreached::Unreached;
#[cfg(feature = "websocket")]
pub use websocket::WebSocketTransport;

/// The largest message on a link in bytes: the largest frame there can be with what TLS and the framing add, and room
/// for small frames of the same turn beside it.
pub const MAX_LINK_MESSAGE_BYTES: usize = 2 << 20;

/// A way to reach other peers.
///
/// **To implementers.** Deliver messages whole, in order, once, or not at all and then end the link: nothing else is
/// assumed, not even secrecy. Hold no more than a few megabytes for a reader that does not read.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// The schemes of the endpoints that it dials and listens at.
    fn schemes(&self) -> &'static [&'static str];

    /// Starts to listen. The socket is bound when this returns; with port 0 on a free port.
    ///
    /// # Errors
    /// [`TransportError::AddressInUse`] when somebody listens there, [`CannotListen`](TransportError::CannotListen) when nobody can.
    async fn listen(&self, at: &Endpoint) -> Result<Box<dyn Listener>, TransportError>;

    /// Opens a link. Dropping the future closes what was opened so far. Takes no longer than ten seconds. Nothing is sent to
    /// an address to which `clearance` does not give leave.
    ///
    /// # Errors
    /// [`TransportError::Unreachable`] when nobody answers there, or not as a peer would;
    /// [`NotCleared`](TransportError::NotCleared) when nobody was asked.
    async fn dial(&self, to: &Endpoint, clearance: &Clearance) -> Result<Link, TransportError>;
}

/// Something that listens. Dropping it frees the address at once; links that it gave live on.
#[async_trait]
pub trait Listener: fmt::Debug + Send {
    /// Where it listens, with the real port.
    fn endpoint(&self) -> &Endpoint;

    /// The next link that somebody opened. One slow or hostile caller does not hold up the next.
    ///
    /// Cancel-safe: dropping the future loses no link.
    ///
    /// # Errors
    /// [`TransportError::Closed`] when it can never give another; all other trouble is the caller's own and not reported.
    async fn accept(&mut self) -> Result<Link, TransportError>;
}

/// Messages to the other end. A message is at most [`MAX_LINK_MESSAGE_BYTES`] long.
pub type LinkSink = Pin<Box<dyn Sink<Bytes, Error = TransportError> + Send>>;

/// Messages from the other end. Ends with `None` when it closed, with an error when the connection broke.
pub type LinkStream = Pin<Box<dyn Stream<Item = Result<Bytes, TransportError>> + Send>>;

/// One live connection, ordered, reliable and bounded, to somebody who has proved nothing yet.
pub struct Link {
    /// To the other end.
    pub outgoing: LinkSink,
    /// From the other end.
    pub incoming: LinkStream,
    /// The key that the other end has proved already, by a transport that proves keys itself; such a link is not wrapped again.
    pub proved: Option<PeerId>,
    /// The address of the other end, if it has one. Without one it is taken to be on this machine.
    pub remote: Option<SocketAddr>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("proved", &self.proved).field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// Why a link could not be had, or ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No transport of this node dials or listens at such an endpoint.
    #[error("no transport for {endpoint}")]
    Unsupported {
        /// The endpoint.
        endpoint: Endpoint,
    },
    /// Somebody listens there already.
    #[error("the address {endpoint} is in use")]
    AddressInUse {
        /// The address.
        endpoint: Endpoint,
    },
    /// Nobody can listen there.
    #[error("cannot listen at {endpoint}")]
    CannotListen {
        /// The address.
        endpoint: Endpoint,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Nobody answers there, or not as a peer would.
    #[error("nobody answers at {endpoint}: {reason}")]
    Unreachable {
        /// The endpoint.
        endpoint: Endpoint,
        /// Of which kind the reason is.
        cause: Unreached,
        /// Why.
        reason: String,
    },
    /// The endpoint must not be dialled, at least not now.
    #[error("{endpoint} is not dialled: {reason}")]
    NotCleared {
        /// The endpoint.
        endpoint: Endpoint,
        /// Why.
        #[source]
        reason: NotCleared,
    },
    /// The other end broke the rules of the transport, of TLS or of the framing.
    #[error("the other end broke the protocol: {reason}")]
    Protocol {
        /// Which rule.
        reason: String,
    },
    /// The other end proved another key than the one that was dialled, or none.
    #[error("the other end could not prove the key that was dialled")]
    WrongKey,
    /// The other end did not answer in time.
    #[error("the other end is silent")]
    TimedOut,
    /// The connection is gone.
    #[error("the connection is closed")]
    Closed,
}

impl TransportError {
    /// The stable code for it.
    pub const fn code(&self) -> Code {
        match self {
            Self::Unsupported { .. } => Code::UnsupportedEndpoint,
            Self::AddressInUse { .. } => Code::PortInUse,
            Self::CannotListen { .. } => Code::CannotListen,
            Self::WrongKey => Code::WrongKeyAtAddress,
            Self::Unreachable { cause, .. } => cause.code(),
            Self::NotCleared { reason, .. } => reason.code(),
            Self::Protocol { .. } => Code::HandshakeFailed,
            Self::TimedOut => Code::TimedOut,
            Self::Closed => Code::LinkLost,
        }
    }
}
