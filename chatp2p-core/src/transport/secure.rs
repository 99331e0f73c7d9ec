//! Links whose other end has proved its key, and whose frames nobody between the ends can read, change, repeat, reorder
//! or cut off unnoticed: TLS 1.3 *inside* the messages of any [`Link`], so that it holds over every transport alike.

mod run;
mod tls;
mod tunnel;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::time::timeout;

use self::tunnel::{Tunnel, protocol};
use super::{Link, LinkSink, LinkStream, TransportError};
use crate::identity::{Identity, PeerId};
use crate::message::MAX_FRAME_BYTES;

/// What a link is for. The dialling end says it while the keys are proved, so that whoever speaks of one thing is never
/// taken to speak of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Two peers talk to each other.
    Peer,
    /// Somebody leaves or collects mail at a mailbox.
    Mailbox,
}

impl Purpose {
    /// The largest frame of such a link in bytes.
    pub const fn max_frame_bytes(self) -> usize {
        match self {
            Self::Peer => MAX_FRAME_BYTES,
            Self::Mailbox => MAX_MAILBOX_FRAME_BYTES,
        }
    }
}

/// The largest frame between a mailbox and those who use it in bytes: the largest frame between peers, its sender's record,
/// and what sealing, padding and naming add.
pub const MAX_MAILBOX_FRAME_BYTES: usize = MAX_FRAME_BYTES + (16 << 10);

/// How long the other end may take to prove its key. An honest one needs two round trips and a millisecond.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A link to somebody who has proved their key. Only this module makes one.
pub struct SecureLink {
    outgoing: LinkSink,
    incoming: LinkStream,
    tunnel: Tunnel,
    peer: PeerId,
    remote: Option<SocketAddr>,
    dialled: bool,
}

impl SecureLink {
    /// Whose key the other end has proved.
    pub const fn peer(&self) -> PeerId {
        self.peer
    }

    /// What it is for.
    pub fn purpose(&self) -> Purpose {
        self.tunnel.purpose().unwrap_or(Purpose::Peer)
    }

    /// The address of the other end, if it has one.
    pub const fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    /// Whether this end opened the link.
    pub const fn dialled(&self) -> bool {
        self.dialled
    }

    /// Whether the keys were exchanged by X25519MLKEM768, so that a recording withstands a quantum computer. Not known,
    /// and so not claimed, of links that another transport secures.
    pub fn is_post_quantum(&self) -> bool {
        self.tunnel.is_post_quantum()
    }
}

impl fmt::Debug for SecureLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureLink")
            .field("peer", &self.peer)
            .field("purpose", &self.purpose())
            .field("remote", &self.remote)
            .field("dialled", &self.dialled)
            .finish_non_exhaustive()
    }
}

/// Secures a link that this end dialled for this purpose, to the peer that it meant. The link is up when this returns: the
/// other end has accepted our key as well. Takes at most [`HANDSHAKE_TIMEOUT`]; dropping the future closes the link.
///
/// # Errors
/// [`TransportError::WrongKey`] when the other end cannot prove the `expected` key; [`Protocol`](TransportError::Protocol),
/// [`TimedOut`](TransportError::TimedOut) and [`Closed`](TransportError::Closed) when it does not get that far, also because it
/// serves no such purpose. A transport that proves keys itself links peers only.
pub async fn client(
    link: Link,
    identity: &Identity,
    expected: PeerId,
    purpose: Purpose,
) -> Result<SecureLink, TransportError> {
    let tunnel = match link.proved {
        None => Tunnel::client(identity, expected, purpose)?,
        Some(_) if purpose != Purpose::Peer => return Err(protocol("such a transport links peers only")),
        Some(peer) if peer == expected => Tunnel::proved(peer),
        Some(_) => return Err(TransportError::WrongKey),
    };
    establish(link, tunnel, true).await
}

/// Secures a link that somebody else dialled for one of these purposes. Any key is accepted; look at
/// [`SecureLink::peer`]. Takes at most [`HANDSHAKE_TIMEOUT`]; dropping the future closes the link.
///
/// # Errors
/// [`TransportError::Protocol`] when the other end proves no key, or did not mean this one;
/// [`TimedOut`](TransportError::TimedOut) and [`Closed`](TransportError::Closed) when it does not get that far.
pub async fn server(link: Link, identity: &Identity, serves: &[Purpose]) -> Result<SecureLink, TransportError> {
    let tunnel = match link.proved {
        None => Tunnel::server(identity, serves)?,
        Some(peer) => Tunnel::proved(peer),
    };
    establish(link, tunnel, false).await
}

async fn establish(link: Link, mut tunnel: Tunnel, dialled: bool) -> Result<SecureLink, TransportError> {
    let Link { mut outgoing, mut incoming, remote, .. } = link;
    let handshake = async {
        let done = shake_hands(&mut outgoing, &mut incoming, &mut tunnel, dialled).await;
        if done.is_err() {
            // What is left to send is the alert that tells the other end why. Whether it arrives changes nothing here.
            let _ = flush(&mut outgoing, &mut tunnel).await;
            let _ = outgoing.close().await;
        }
        done
    };
    let peer = timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| TransportError::TimedOut)??;
    Ok(SecureLink { outgoing, incoming, tunnel, peer, remote, dialled })
}

/// The dialling end is done with TLS before the listening end has looked at its key. So the listening end sends an empty
/// frame as its first, and the dialling end waits for it.
async fn shake_hands(
    outgoing: &mut LinkSink,
    incoming: &mut LinkStream,
    tunnel: &mut Tunnel,
    dialled: bool,
) -> Result<PeerId, TransportError> {
    loop {
        flush(outgoing, tunnel).await?;
        if !tunnel.is_handshaking() {
            break;
        }
        tunnel.open(&next(incoming).await?)?;
    }
    let peer = tunnel.peer()?;
    if !dialled {
        tunnel.seal(&[Bytes::new()])?;
        flush(outgoing, tunnel).await?;
        return Ok(peer);
    }
    loop {
        match tunnel.next_frame()? {
            Some(frame) if frame.is_empty() => return Ok(peer),
            Some(_) => return Err(protocol("it did not greet")),
            None if tunnel.is_finished() => return Err(TransportError::Closed),
            None => tunnel.open(&next(incoming).await?)?,
        }
    }
}

async fn next(incoming: &mut LinkStream) -> Result<Bytes, TransportError> {
    incoming.next().await.unwrap_or(Err(TransportError::Closed))
}

async fn flush(outgoing: &mut LinkSink, tunnel: &mut Tunnel) -> Result<(), TransportError> {
    while let Some(message) = tunnel.next_message() {
        outgoing.feed(message).await?;
    }
    outgoing.flush().await
}

/// The frames in a stream that came in these pieces, and whether one was refused: what a hostile other end can make of it.
#[cfg(feature = "test-utils")]
pub(crate) fn frames_of<'a>(peer: PeerId, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Bytes>, bool) {
    let mut tunnel = Tunnel::proved(peer);
    let mut frames = Vec::new();
    for piece in pieces {
        if tunnel.open(piece).is_err() {
            return (frames, true);
        }
        loop {
            match tunnel.next_frame() {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::{Clearance, MemoryTransport, Transport};

    async fn pair() -> (Link, Link) {
        let network = MemoryTransport::new();
        let at = "memory:bob".parse().unwrap();
        let mut listener = network.listen(&at).await.unwrap();
        (network.dial(&at, &Clearance::of_the_user()).await.unwrap(), listener.accept().await.unwrap())
    }

    fn alice() -> Identity {
        Identity::from_seed(&[1; 32])
    }

    fn bob() -> PeerId {
        Identity::from_seed(&[2; 32]).peer_id()
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_end_is_given_up() {
        let (dialled, _silent) = pair().await;
        let start = tokio::time::Instant::now();
        let given_up = client(dialled, &alice(), bob(), Purpose::Peer).await;
        assert!(matches!(given_up, Err(TransportError::TimedOut)), "{given_up:?}");
        let (_silent, accepted) = pair().await;
        let given_up = server(accepted, &alice(), &[Purpose::Peer]).await;
        assert!(matches!(given_up, Err(TransportError::TimedOut)), "{given_up:?}");
        assert!(start.elapsed() < HANDSHAKE_TIMEOUT * 2 + Duration::from_secs(1));
    }

    #[tokio::test]
    async fn a_link_that_is_proved_already_is_checked_and_not_wrapped() {
        let (mut dialled, mut accepted) = pair().await;
        (dialled.proved, accepted.proved) = (Some(bob()), Some(alice().peer_id()));
        let (client, server) = futures_util::future::join(
            client(dialled, &alice(), bob(), Purpose::Peer),
            server(accepted, &alice(), &[Purpose::Peer]),
        )
        .await;
        let (client, server) = (client.unwrap(), server.unwrap());
        assert_eq!((client.peer(), server.peer()), (bob(), alice().peer_id()));
        let (frames, to_send) = tokio::sync::mpsc::channel(1);
        let (received, mut arrived) = tokio::sync::mpsc::channel(1);
        frames.send(Bytes::from_static(b"plain")).await.unwrap();
        drop(frames);
        let (_keep, nothing) = tokio::sync::mpsc::channel(1);
        let (other, _other) = tokio::sync::mpsc::channel(1);
        let ends =
            futures_util::future::join3(client.run(to_send, other, Ok), server.run(nothing, received, Ok), async {
                assert_eq!(arrived.recv().await.unwrap(), &b"plain"[..]);
            });
        assert!(matches!(ends.await, (Ok(()), Ok(()), ())));
    }

    #[tokio::test]
    async fn both_ends_know_what_a_link_is_for_and_none_is_served_that_was_not_meant_to_be() {
        for (serves, meant, works) in [
            (&[Purpose::Peer][..], Purpose::Peer, true),
            (&[Purpose::Peer], Purpose::Mailbox, false),
            (&[Purpose::Peer, Purpose::Mailbox], Purpose::Peer, true),
            (&[Purpose::Peer, Purpose::Mailbox], Purpose::Mailbox, true),
            (&[Purpose::Mailbox], Purpose::Peer, false),
        ] {
            let (dialled, accepted) = pair().await;
            let (alice, bobs) = (alice(), Identity::from_seed(&[2; 32]));
            let (client, server) =
                futures_util::future::join(client(dialled, &alice, bob(), meant), server(accepted, &bobs, serves))
                    .await;
            if works {
                assert_eq!((client.unwrap().purpose(), server.unwrap().purpose()), (meant, meant));
            } else {
                assert!(
                    client.is_err() && matches!(server, Err(TransportError::Protocol { .. })),
                    "{serves:?} {meant:?}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_transport_that_proves_keys_links_peers_only() {
        let (mut dialled, _accepted) = pair().await;
        dialled.proved = Some(bob());
        let refused = client(dialled, &alice(), bob(), Purpose::Mailbox).await;
        assert!(matches!(refused, Err(TransportError::Protocol { .. })), "{refused:?}");
    }

    #[tokio::test]
    async fn a_link_that_is_proved_for_another_key_is_refused() {
        let (mut dialled, _accepted) = pair().await;
        dialled.proved = Some(alice().peer_id());
        assert!(matches!(client(dialled, &alice(), bob(), Purpose::Peer).await, Err(TransportError::WrongKey)));
    }
}
