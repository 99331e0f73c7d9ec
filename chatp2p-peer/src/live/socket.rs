//! One open `/ws`: events go out, any text is answered with a pong, and who does not answer or does not read is dropped.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Bytes, Message, Utf8Bytes};

use super::Leave;
use super::journal::{Cursor, Reader};

/// The classic answer to any text.
const PONG: Utf8Bytes = Utf8Bytes::from_static(r#"{"type":"pong"}"#);

/// The largest message that a client may send. Whatever it says, the answer is the same.
const MAX_INCOMING_BYTES: usize = 64 << 10;

/// What is read from the socket at once; clients say next to nothing.
const READ_BUFFER_BYTES: usize = 4 << 10;

/// What may wait in the socket: the largest text there can be (1 MiB, each byte of it escaped as `\u00xx`) and its envelope.
const WRITE_BUFFER_BYTES: usize = 8 << 20;

/// How often a client is asked for a sign of life: below the minute after which proxies forget an idle connection.
const PING_EVERY: Duration = Duration::from_secs(20);

/// How often is looked whether its token still is one while nothing happens; before each event it is anyway.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a client may say nothing: two pings may be lost.
const SILENT_FOR: Duration = Duration::from_secs(65);

/// How long a client may take for one event before it counts as gone: the largest one over a poor mobile link.
const SEND_WITHIN: Duration = Duration::from_secs(30);

/// How long a goodbye may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// What somebody hears whose token was revoked.
const REVOKED: (CloseCode, &str) = (CloseCode::Policy, "the token was revoked");

/// Serves a socket until either end closes it. Where it asked for cursors, each event says where one stands after it.
pub(super) async fn talk<S>(
    io: S,
    reader: &mut Reader,
    with_cursor: bool,
    mut closing: watch::Receiver<bool>,
    leave: &Leave,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(limits())).await;
    let mut ping = interval_at(Instant::now() + PING_EVERY, PING_EVERY);
    let mut look = interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    let mut heard = Instant::now();
    let goodbye = loop {
        let message = tokio::select! {
            frame = socket.next() => {
                heard = Instant::now();
                match frame {
                    Some(Ok(Message::Text(_))) => Message::Text(PONG),
                    Some(Ok(Message::Close(_))) => break None,
                    Some(Ok(_)) => continue,
                    Some(Err(tungstenite::Error::Capacity(_))) => break Some((CloseCode::Size, "too long")),
                    Some(Err(_)) | None => return,
                }
            }
            (text, cursor) = reader.next() => {
                if !leave.holds() {
                    break Some(REVOKED);
                }
                Message::Text(if with_cursor { marked(&text, cursor) } else { text })
            }
            _ = look.tick() => {
                if leave.holds() {
                    continue;
                }
                break Some(REVOKED);
            }
            _ = ping.tick() => {
                if heard.elapsed() > SILENT_FOR {
                    break Some((CloseCode::Away, "no sign of life"));
                }
                Message::Ping(Bytes::new())
            }
            _ = closing.wait_for(|closing| *closing) => break Some((CloseCode::Away, "the peer is shutting down")),
        };
        if !matches!(timeout(SEND_WITHIN, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    };
    let goodbye = goodbye.map(|(code, reason)| CloseFrame { code, reason: reason.into() });
    // Whether the goodbye arrives or not, the socket is dropped.
    timeout(CLOSE_WITHIN, socket.close(goodbye)).await.ok();
}

/// The event with its cursor. It is an object with a type, so it has a first field before which another one can stand.
fn marked(text: &str, cursor: Cursor) -> Utf8Bytes {
    text.replacen('{', &format!("{{\"cursor\":\"{cursor}\","), 1).into()
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(Some(MAX_INCOMING_BYTES))
        .max_frame_size(Some(MAX_INCOMING_BYTES))
}

#[cfg(test)]
mod tests {
    use chatp2p_core::node::Event;
    use tokio::io::{AsyncWriteExt, DuplexStream};
    use tokio::task::JoinHandle;

    use super::super::Hub;
    use super::*;

    type Client = WebSocketStream<DuplexStream>;

    fn free() -> Leave {
        Leave { access: std::sync::Arc::default(), caller: crate::access::Caller::Free }
    }

    async fn open(hub: &Hub) -> (Client, JoinHandle<()>) {
        let (near, far) = tokio::io::duplex(64 << 10);
        let (mut reader, closing) = (hub.journal.read(None), hub.closing.subscribe());
        let server = tokio::spawn(async move { talk(near, &mut reader, false, closing, &free()).await });
        (WebSocketStream::from_raw_socket(far, Role::Client, None).await, server)
    }

    async fn text(client: &mut Client) -> String {
        loop {
            match client.next().await.unwrap().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    #[tokio::test]
    async fn any_text_is_answered_and_binary_is_ignored() {
        let hub = Hub::new();
        let (mut client, _server) = open(&hub).await;
        client.send(Message::Binary(Bytes::from_static(b"{}"))).await.unwrap();
        for said in ["", "ping", r#"{"type":"ping"}"#] {
            client.send(Message::Text(said.into())).await.unwrap();
            assert_eq!(text(&mut client).await, r#"{"type":"pong"}"#);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_bytes_come_they_are_answered_or_end_the_socket() {
        for seed in 0..1_000_u32 {
            let mut bytes = [0; 96];
            blake3::Hasher::new().update(&seed.to_be_bytes()).finalize_xof().fill(&mut bytes);
            if seed % 2 == 0 {
                // A frame of a client, of any kind, which is not longer than there are bytes.
                bytes[0] &= 0x8f;
                bytes[1] = 0x80 | bytes[1] & 0x3f;
            }
            let hub = Hub::new();
            let (near, mut far) = tokio::io::duplex(64 << 10);
            let (mut reader, closing) = (hub.journal.read(None), hub.closing.subscribe());
            let server = tokio::spawn(async move { talk(near, &mut reader, false, closing, &free()).await });
            far.write_all(&bytes).await.ok();
            drop(far);
            server.await.unwrap();
        }
    }

    #[tokio::test]
    async fn every_open_socket_is_told_in_order() {
        let hub = Hub::new();
        let (mut one, _one) = open(&hub).await;
        let (mut two, _two) = open(&hub).await;
        hub.tell(&Event::PeerConnected("bob".parse().unwrap()));
        hub.tell(&Event::PeerDisconnected("bob".parse().unwrap()));
        for client in [&mut one, &mut two] {
            assert!(text(client).await.contains("peer_connected"));
            assert!(text(client).await.contains("peer_disconnected"));
        }
    }

    #[tokio::test]
    async fn who_says_too_much_is_closed() {
        let hub = Hub::new();
        let (mut client, server) = open(&hub).await;
        // The server may stop reading in the middle of it.
        client.send(Message::Text("x".repeat(MAX_INCOMING_BYTES + 1).into())).await.ok();
        server.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_shows_no_sign_of_life_is_dropped() {
        let hub = Hub::new();
        let begun = Instant::now();
        let (_client, server) = open(&hub).await;
        server.await.unwrap();
        assert!(begun.elapsed() > SILENT_FOR && begun.elapsed() < SILENT_FOR + 2 * PING_EVERY, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_read_is_dropped() {
        let hub = Hub::new();
        let (mut client, server) = open(&hub).await;
        // More pongs than the socket holds, and nobody reads them.
        let talker = tokio::spawn(async move { while client.send(Message::Text("x".into())).await.is_ok() {} });
        server.await.unwrap();
        talker.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn who_answers_pings_stays_and_hears_the_end() {
        let hub = Hub::new();
        let (mut client, server) = open(&hub).await;
        let pings = async {
            let mut pings = 0;
            while pings < 10 {
                pings += u32::from(matches!(client.next().await, Some(Ok(Message::Ping(_)))));
            }
        };
        pings.await;
        hub.close().await;
        let closed = loop {
            match client.next().await.unwrap().unwrap() {
                Message::Close(frame) => break frame.unwrap(),
                other => assert!(other.is_ping(), "{other:?}"),
            }
        };
        assert_eq!(closed.code, CloseCode::Away);
        server.await.unwrap();
    }
}
