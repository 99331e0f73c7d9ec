//! The tunnel of one link, without any input or output of its own: frames in and link messages out, link messages in and
//! frames out. Link messages are the bytes of TLS cut anywhere; a frame inside is its length and then itself.

use std::io::{self, Read, Write};

use bytes::{Buf, Bytes, BytesMut};
use rustls::{CertificateError, Connection, Error, NamedGroup};

use super::{Purpose, tls};
use crate::identity::{Identity, PeerId};
use crate::transport::{MAX_LINK_MESSAGE_BYTES, TransportError};

/// The length before a frame: an unsigned integer, most significant byte first.
const LENGTH_BYTES: usize = 4;

/// An idle link gives larger buffers than this back.
const KEPT_BUFFER_BYTES: usize = 64 << 10;

/// What guards the frames.
enum Guard {
    /// TLS, as whoever dialled or as whoever listened.
    Tls(Box<Connection>),
    /// The transport itself, which has proved the key already.
    Transport(PeerId),
}

/// Seals frames into link messages and opens link messages into frames.
pub(super) struct Tunnel {
    guard: Guard,
    /// Sealed bytes that no link message has carried yet. They must all be sent, in order: TLS counts its records.
    sealed: BytesMut,
    /// Opened bytes that are not a whole frame yet, or that nobody asked for yet.
    opened: BytesMut,
    /// The other end said that nothing follows.
    finished: bool,
}

impl Tunnel {
    pub(super) fn client(identity: &Identity, expected: PeerId, purpose: Purpose) -> Result<Self, TransportError> {
        tls::client(identity, expected, purpose).map(Self::over).map_err(|error| broken(&error, true))
    }

    pub(super) fn server(identity: &Identity, serves: &[Purpose]) -> Result<Self, TransportError> {
        tls::server(identity, serves).map(Self::over).map_err(|error| broken(&error, false))
    }

    /// Frames over a transport that proves keys itself.
    pub(super) fn proved(peer: PeerId) -> Self {
        Self { guard: Guard::Transport(peer), sealed: BytesMut::new(), opened: BytesMut::new(), finished: false }
    }

    fn over(mut connection: Connection) -> Self {
        // Everything is taken out again at once, so the batch is the bound.
        connection.set_buffer_limit(None);
        let guard = Guard::Tls(Box::new(connection));
        let mut tunnel = Self { guard, sealed: BytesMut::new(), opened: BytesMut::new(), finished: false };
        tunnel.collect();
        tunnel
    }

    pub(super) fn is_handshaking(&self) -> bool {
        matches!(&self.guard, Guard::Tls(connection) if connection.is_handshaking())
    }

    /// Whose key the other end has proved, once the handshake is done and was about this protocol.
    pub(super) fn peer(&self) -> Result<PeerId, TransportError> {
        match &self.guard {
            Guard::Transport(peer) => Ok(*peer),
            Guard::Tls(connection) if tls::purpose(connection).is_none() => {
                Err(protocol("it does not speak this protocol"))
            }
            Guard::Tls(connection) => tls::peer(connection).ok_or(TransportError::WrongKey),
        }
    }

    /// What it is for, once the handshake is done.
    pub(super) fn purpose(&self) -> Option<Purpose> {
        match &self.guard {
            Guard::Transport(_) => Some(Purpose::Peer),
            Guard::Tls(connection) => tls::purpose(connection),
        }
    }

    fn max_frame_bytes(&self) -> usize {
        self.purpose().unwrap_or(Purpose::Peer).max_frame_bytes()
    }

    pub(super) fn is_post_quantum(&self) -> bool {
        match &self.guard {
            Guard::Tls(connection) => connection
                .negotiated_key_exchange_group()
                .is_some_and(|group| group.name() == NamedGroup::X25519MLKEM768),
            Guard::Transport(_) => false,
        }
    }

    /// Whether the other end said in so many words that nothing follows. A transport that proves keys says it by ending.
    pub(super) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether a link may simply end.
    pub(super) fn may_end(&self) -> bool {
        self.finished || matches!(self.guard, Guard::Transport(_))
    }

    /// Seals a batch of frames. The result comes out of [`next_message`](Self::next_message).
    pub(super) fn seal(&mut self, frames: &[Bytes]) -> Result<(), TransportError> {
        let mut plain = Vec::with_capacity(frames.iter().map(|frame| LENGTH_BYTES + frame.len()).sum());
        let most = self.max_frame_bytes();
        for frame in frames {
            let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= most);
            let length = length.ok_or_else(|| protocol("a frame of our own is too large"))?;
            plain.extend_from_slice(&length.to_be_bytes());
            plain.extend_from_slice(frame);
        }
        match &mut self.guard {
            Guard::Tls(connection) => {
                connection.writer().write_all(&plain).map_err(|_| protocol("nothing more can be sealed"))?;
                self.collect();
            }
            Guard::Transport(_) => self.sealed.extend_from_slice(&plain),
        }
        Ok(())
    }

    /// Seals the word that nothing follows.
    pub(super) fn finish(&mut self) {
        if let Guard::Tls(connection) = &mut self.guard {
            connection.send_close_notify();
            self.collect();
        }
    }

    /// The next link message to send. Whoever takes it must send it.
    pub(super) fn next_message(&mut self) -> Option<Bytes> {
        if self.sealed.is_empty() {
            return None;
        }
        let length = self.sealed.len().min(MAX_LINK_MESSAGE_BYTES);
        let message = self.sealed.split_to(length).freeze();
        if self.sealed.is_empty() {
            self.sealed = BytesMut::new();
        }
        Some(message)
    }

    /// Opens a link message. The frames come out of [`next_frame`](Self::next_frame).
    pub(super) fn open(&mut self, mut message: &[u8]) -> Result<(), TransportError> {
        let Guard::Tls(connection) = &mut self.guard else {
            self.opened.extend_from_slice(message);
            return Ok(());
        };
        let client = matches!(**connection, Connection::Client(_));
        while !message.is_empty() {
            // Takes a few kilobytes at a time; nothing at all after the other end has finished.
            if connection.read_tls(&mut message).map_err(|_| protocol("more than a record at once"))? == 0 {
                break;
            }
            let state = match connection.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert in there tells the other end why.
                    self.collect();
                    return Err(broken(&error, client));
                }
            };
            let start = self.opened.len();
            self.opened.resize(start + state.plaintext_bytes_to_read(), 0);
            if let Some(room) = self.opened.get_mut(start..) {
                connection.reader().read_exact(room).map_err(|_| protocol("less than it announced"))?;
            }
            self.finished = state.peer_has_closed();
        }
        self.collect();
        Ok(())
    }

    /// The next whole frame.
    pub(super) fn next_frame(&mut self) -> Result<Option<Bytes>, TransportError> {
        let Some(length) = self.opened.first_chunk::<LENGTH_BYTES>() else { return self.incomplete() };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > self.max_frame_bytes() {
            return Err(protocol("a frame is too large"));
        }
        // A copy, so that a small frame that is kept does not keep a large batch alive.
        let Some(frame) = self.opened.get(LENGTH_BYTES..LENGTH_BYTES + length).map(Bytes::copy_from_slice) else {
            return self.incomplete();
        };
        self.opened.advance(LENGTH_BYTES + length);
        if self.opened.is_empty() && self.opened.capacity() > KEPT_BUFFER_BYTES {
            self.opened = BytesMut::new();
        }
        Ok(Some(frame))
    }

    fn incomplete(&self) -> Result<Option<Bytes>, TransportError> {
        if self.finished && !self.opened.is_empty() { Err(protocol("it finished within a frame")) } else { Ok(None) }
    }

    /// Takes out of TLS what it wants to send.
    fn collect(&mut self) {
        let Guard::Tls(connection) = &mut self.guard else { return };
        let mut sink = Sealed(&mut self.sealed);
        // Writing to memory cannot fail.
        while connection.wants_write() && connection.write_tls(&mut sink).is_ok() {}
    }
}

struct Sealed<'a>(&'a mut BytesMut);

impl Write for Sealed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        parts.iter().for_each(|part| self.0.extend_from_slice(part));
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn protocol(reason: &str) -> TransportError {
    TransportError::Protocol { reason: reason.to_owned() }
}

/// Whoever dialled a key and met another, or a signature that is not that key's, met somebody else.
fn broken(error: &Error, client: bool) -> TransportError {
    match error {
        Error::InvalidCertificate(
            CertificateError::ApplicationVerificationFailure | CertificateError::BadSignature,
        ) if client => TransportError::WrongKey,
        error => TransportError::Protocol { reason: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MAX_FRAME_BYTES;

    fn ends() -> (Tunnel, Tunnel) {
        ends_for(Purpose::Peer)
    }

    fn ends_for(purpose: Purpose) -> (Tunnel, Tunnel) {
        let (alice, bob) = (Identity::from_seed(&[1; 32]), Identity::from_seed(&[2; 32]));
        let mut client = Tunnel::client(&alice, bob.peer_id(), purpose).unwrap();
        let mut server = Tunnel::server(&bob, &[purpose]).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            carry(&mut client, &mut server).unwrap();
            carry(&mut server, &mut client).unwrap();
        }
        (client, server)
    }

    fn carry(from: &mut Tunnel, to: &mut Tunnel) -> Result<(), TransportError> {
        while let Some(message) = from.next_message() {
            to.open(&message)?;
        }
        Ok(())
    }

    #[test]
    fn a_large_batch_is_cut_into_link_messages() {
        let (mut client, mut server) = ends();
        let frames = vec![Bytes::from(vec![7; MAX_FRAME_BYTES]); 5];
        client.seal(&frames).unwrap();
        let messages: Vec<_> = std::iter::from_fn(|| client.next_message()).collect();
        assert_eq!(messages.len(), 3);
        for message in messages {
            assert!(message.len() <= MAX_LINK_MESSAGE_BYTES);
            server.open(&message).unwrap();
        }
        for frame in frames {
            assert!(server.next_frame().unwrap() == Some(frame));
        }
        assert_eq!(server.next_frame().unwrap(), None);
    }

    #[test]
    fn messages_may_be_cut_anywhere() {
        let (mut client, mut server) = ends();
        client.seal(&[Bytes::from_static(b"hello"), Bytes::new(), Bytes::from_static(b"world")]).unwrap();
        for byte in client.next_message().unwrap() {
            server.open(&[byte]).unwrap();
        }
        for frame in [&b"hello"[..], b"", b"world"] {
            assert_eq!(server.next_frame().unwrap().unwrap(), frame);
        }
    }

    #[test]
    fn the_length_of_a_frame_is_checked_before_its_bytes_are_there() {
        let (mut client, mut server) = ends();
        let Guard::Tls(connection) = &mut client.guard else { panic!("TLS") };
        let length = u32::try_from(MAX_FRAME_BYTES + 1).unwrap();
        connection.writer().write_all(&length.to_be_bytes()).unwrap();
        client.collect();
        carry(&mut client, &mut server).unwrap();
        assert!(matches!(server.next_frame(), Err(TransportError::Protocol { .. })));
    }

    #[test]
    fn frames_are_as_large_as_the_purpose_of_the_link_lets_them_be() {
        for purpose in [Purpose::Peer, Purpose::Mailbox] {
            let (mut client, mut server) = ends_for(purpose);
            let largest = Bytes::from(vec![7; purpose.max_frame_bytes()]);
            client.seal(std::slice::from_ref(&largest)).unwrap();
            carry(&mut client, &mut server).unwrap();
            assert!(server.next_frame().unwrap() == Some(largest));
            let larger = Bytes::from(vec![7; purpose.max_frame_bytes() + 1]);
            assert!(matches!(client.seal(&[larger]), Err(TransportError::Protocol { .. })));
        }
    }

    #[test]
    fn a_goodbye_within_a_frame_is_no_goodbye() {
        let (mut client, mut server) = ends();
        let Guard::Tls(connection) = &mut client.guard else { panic!("TLS") };
        connection.writer().write_all(&[0, 0, 0, 9, 1]).unwrap();
        client.finish();
        carry(&mut client, &mut server).unwrap();
        assert!(matches!(server.next_frame(), Err(TransportError::Protocol { .. })));
    }

    #[test]
    fn an_idle_tunnel_keeps_no_large_buffer() {
        let (mut client, mut server) = ends();
        client.seal(&[Bytes::from(vec![7; MAX_FRAME_BYTES])]).unwrap();
        carry(&mut client, &mut server).unwrap();
        assert!(server.next_frame().unwrap().is_some());
        assert!(server.opened.capacity() <= KEPT_BUFFER_BYTES && client.sealed.capacity() <= KEPT_BUFFER_BYTES);
    }
}
