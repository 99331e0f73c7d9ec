//! What only a WebSocket can do wrong: callers who are no peers, sockets that dribble, vanish or stall, and messages of
//! the wrong kind. The other end is a bare TCP socket here, so that it can misbehave.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use chatp2p_core::record::Endpoint;
use chatp2p_core::testing::transport::in_time;
use chatp2p_core::transport::websocket::{KeepAlive, SUB_PROTOCOL, accept_key};
use chatp2p_core::transport::{
    Clearance, Link, Listener, MAX_LINK_MESSAGE_BYTES, Transport, TransportError, WebSocketTransport,
};
use futures_util::{SinkExt, StreamExt, future};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

/// Short enough for a test, long enough for a busy machine.
const SHORT: KeepAlive = KeepAlive { ping_after: Duration::from_millis(50), dead_after: Duration::from_millis(400) };

const PROPER: &str = "Sec-WebSocket-Protocol: chatp2p.v1\r\n";

async fn listen() -> (Box<dyn Listener>, SocketAddr) {
    let listener = WebSocketTransport::new().listen(&"ws://127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], listener.endpoint().port().unwrap()));
    (listener, address)
}

/// A listener that is no peer.
async fn bare_listener() -> (TcpListener, Endpoint) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::ws(listener.local_addr().unwrap());
    (listener, endpoint)
}

async fn read_head(socket: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Asks for an upgrade and returns the status line of the answer.
async fn ask(socket: &mut TcpStream, path: &str, headers: &str) -> String {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).await.unwrap();
    read_head(socket).await.lines().next().unwrap().to_owned()
}

/// What a listener answers to such a request; it hands no link out for it.
async fn answer(path: &str, headers: &str) -> String {
    let (mut listener, address) = listen().await;
    let asking = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        ask(&mut socket, path, headers).await
    };
    tokio::select! {
        link = listener.accept() => panic!("it accepted {link:?}"),
        status = in_time(asking) => status,
    }
}

/// A link and the bare socket at its other end, which is in the role of the client.
async fn accepted_from_bare() -> (Link, TcpStream) {
    let (mut listener, address) = listen().await;
    let asking = async {
        let mut socket = TcpStream::connect(address).await.unwrap();
        assert_eq!(ask(&mut socket, "/p2p", PROPER).await, "HTTP/1.1 101 Switching Protocols");
        socket
    };
    let (link, socket) = in_time(future::join(listener.accept(), asking)).await;
    (link.unwrap(), socket)
}

/// A link and the bare socket at its other end, which is in the role of the server.
async fn dialled_to_bare(keep_alive: KeepAlive) -> (Link, TcpStream) {
    let (listener, endpoint) = bare_listener().await;
    let transport = WebSocketTransport::new().with_keep_alive(keep_alive);
    let serving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let head = read_head(&mut socket).await;
        let key = head.lines().find_map(|line| line.strip_prefix("Sec-WebSocket-Key: ")).unwrap();
        let response = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: {SUB_PROTOCOL}\r\n\r\n",
            accept_key(key.as_bytes())
        );
        socket.write_all(response.as_bytes()).await.unwrap();
        socket
    };
    let (link, socket) = in_time(future::join(transport.dial(&endpoint, &Clearance::of_the_user()), serving)).await;
    (link.unwrap(), socket)
}

/// What a dial makes of such an answer.
async fn dial_answered_by(response: &str) -> TransportError {
    let (listener, endpoint) = bare_listener().await;
    let serving = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await;
        socket.write_all(response.as_bytes()).await.unwrap();
        socket
    };
    let transport = WebSocketTransport::new();
    let (link, _socket) = in_time(future::join(transport.dial(&endpoint, &Clearance::of_the_user()), serving)).await;
    link.unwrap_err()
}

#[test]
fn the_key_of_the_rfc_has_the_answer_of_the_rfc() {
    assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[tokio::test]
async fn a_page_in_a_browser_is_no_peer() {
    for origin in ["http://evil.example", "null", "http://localhost"] {
        let headers = format!("{PROPER}Origin: {origin}\r\n");
        assert_eq!(answer("/p2p", &headers).await, "HTTP/1.1 403 Forbidden");
    }
}

#[tokio::test]
async fn there_is_nothing_at_another_path() {
    for path in ["/", "/p2p/", "/chat"] {
        assert_eq!(answer(path, PROPER).await, "HTTP/1.1 404 Not Found");
    }
}

#[tokio::test]
async fn the_sub_protocol_must_be_named() {
    for headers in ["", "Sec-WebSocket-Protocol: chat\r\n", "Sec-WebSocket-Protocol: chatp2p.v10\r\n"] {
        assert_eq!(answer("/p2p", headers).await, "HTTP/1.1 400 Bad Request");
    }
    let (mut listener, address) = listen().await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    let asking = ask(&mut socket, "/p2p", "Sec-WebSocket-Protocol: chatp2p.v2, chatp2p.v1\r\n");
    let (link, status) = in_time(future::join(listener.accept(), asking)).await;
    assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
    link.unwrap();
}

#[tokio::test]
async fn whoever_answers_without_the_sub_protocol_is_no_peer() {
    let error = dial_answered_by(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n",
    );
    let error = error.await;
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, endpoint) = bare_listener().await;
    let response = format!("HTTP/1.1 302 Found\r\nLocation: {endpoint}\r\nContent-Length: 0\r\n\r\n");
    let error = dial_answered_by(&response).await;
    assert!(matches!(&error, TransportError::Unreachable { reason, .. } if reason.contains("302")), "{error}");
    assert!(timeout(Duration::from_millis(100), elsewhere.accept()).await.is_err(), "it was followed");
}

#[tokio::test]
async fn callers_who_dribble_hold_nobody_up() {
    let (mut listener, address) = listen().await;
    let endpoint = listener.endpoint().clone();
    let transport = WebSocketTransport::new();
    let calling = async {
        let mut dribbling = Vec::new();
        // More than there are places.
        for _ in 0..600 {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(b"GET /p2p HT").await.unwrap();
            dribbling.push(socket);
        }
        let honest = timeout(Duration::from_secs(3), transport.dial(&endpoint, &Clearance::of_the_user())).await;
        (honest.expect("nobody is held up"), dribbling)
    };
    let (accepted, (dialled, _dribbling)) = in_time(future::join(listener.accept(), calling)).await;
    dialled.unwrap();
    accepted.unwrap();
}

#[tokio::test]
async fn there_are_not_more_handshakes_than_places() {
    let (mut listener, address) = listen().await;
    let crowd = async {
        let mut sockets = Vec::new();
        for _ in 0..300 {
            let begun = Instant::now();
            sockets.push((TcpStream::connect(address).await.unwrap(), begun));
        }
        // Those with a place are sent away after five seconds, counted from later than here; those who lose it, at once.
        let ends = sockets.into_iter().map(|(mut socket, begun)| async move {
            assert_eq!(socket.read(&mut [0]).await.unwrap_or(0), 0);
            begun.elapsed()
        });
        future::join_all(ends).await.into_iter().filter(|end| *end < Duration::from_secs(5)).count()
    };
    let turned_away = tokio::select! {
        link = listener.accept() => panic!("it accepted {link:?}"),
        turned_away = in_time(crowd) => turned_away,
    };
    assert_eq!(turned_away, 300 - 256);
}

#[tokio::test]
async fn dropping_the_listener_closes_unfinished_handshakes() {
    let (mut listener, address) = listen().await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(b"GET /p2p HT").await.unwrap();
    assert!(timeout(Duration::from_millis(100), listener.accept()).await.is_err());
    drop(listener);
    assert_eq!(in_time(socket.read(&mut [0])).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn dropping_a_dial_closes_the_socket() {
    let (listener, endpoint) = bare_listener().await;
    let transport = WebSocketTransport::new();
    let asked = Clearance::of_the_user();
    let mut dialling = Box::pin(transport.dial(&endpoint, &asked));
    let asked = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        read_head(&mut socket).await;
        socket
    };
    let mut socket = tokio::select! {
        link = &mut dialling => panic!("nobody answered, and still there is {link:?}"),
        socket = in_time(asked) => socket,
    };
    drop(dialling);
    assert_eq!(in_time(socket.read(&mut [0])).await.unwrap(), 0);
}

#[tokio::test]
async fn a_vanished_end_is_pinged_and_given_up() {
    let (mut link, mut socket) = dialled_to_bare(SHORT).await;
    let end = in_time(link.incoming.next()).await;
    assert!(matches!(end, Some(Err(TransportError::TimedOut))), "{end:?}");
    let mut frame = [0; 2];
    socket.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame, [0x89, 0x80], "an empty, masked ping");
    assert!(link.incoming.next().await.is_none());
}

#[tokio::test]
async fn an_end_that_answers_pings_lives_on() {
    let (mut link, mut socket) = dialled_to_bare(SHORT).await;
    let ponging = async {
        let mut ping = [0; 6];
        loop {
            socket.read_exact(&mut ping).await.unwrap();
            assert_eq!(ping[0], 0x89);
            socket.write_all(&[0x8a, 0]).await.unwrap();
        }
    };
    tokio::select! {
        end = link.incoming.next() => panic!("it ended: {end:?}"),
        () = ponging => {}
        () = tokio::time::sleep(3 * SHORT.dead_after) => {}
    }
}

#[tokio::test]
async fn a_ping_is_answered() {
    let (mut link, mut socket) = accepted_from_bare().await;
    let pinging = async {
        socket.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
        let mut pong = [0; 4];
        socket.read_exact(&mut pong).await.unwrap();
        pong
    };
    tokio::select! {
        end = link.incoming.next() => panic!("a ping is no message: {end:?}"),
        pong = in_time(pinging) => assert_eq!(pong, [0x8a, 2, b'h', b'i']),
    }
}

#[tokio::test]
async fn an_end_that_takes_nothing_is_given_up() {
    let (mut link, _socket) = dialled_to_bare(SHORT).await;
    let writing = async {
        loop {
            if let Err(error) = link.outgoing.send(Bytes::from(vec![0; 1 << 20])).await {
                break error;
            }
        }
    };
    let error = in_time(writing).await;
    assert!(matches!(error, TransportError::TimedOut), "{error}");
}

#[tokio::test]
async fn an_oversized_message_is_refused_by_its_length_alone() {
    let (mut link, mut socket) = accepted_from_bare().await;
    let length = u64::try_from(MAX_LINK_MESSAGE_BYTES + 1).unwrap();
    socket.write_all(&[&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()).await.unwrap();
    let end = in_time(link.incoming.next()).await;
    assert!(matches!(end, Some(Err(TransportError::Protocol { .. }))), "{end:?}");
    assert!(link.incoming.next().await.is_none());
}

#[tokio::test]
async fn a_message_oversized_in_pieces_is_refused() {
    let (mut link, mut socket) = accepted_from_bare().await;
    let pieces = async {
        let piece = vec![0; 1 << 20];
        let length = u64::try_from(piece.len()).unwrap().to_be_bytes();
        for opcode in [0x02, 0x00, 0x00] {
            // The link may be gone before the last piece is.
            let _ = socket.write_all(&[&[opcode, 0xff][..], &length, &[0; 4], &piece].concat()).await;
        }
    };
    let (end, ()) = in_time(future::join(link.incoming.next(), pieces)).await;
    assert!(matches!(end, Some(Err(TransportError::Protocol { .. }))), "{end:?}");
}

#[tokio::test]
async fn a_text_is_no_message() {
    let (mut link, mut socket) = accepted_from_bare().await;
    socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let end = in_time(link.incoming.next()).await;
    assert!(matches!(end, Some(Err(TransportError::Protocol { .. }))), "{end:?}");
    let mut close = [0; 4];
    in_time(socket.read_exact(&mut close)).await.unwrap();
    assert_eq!(close, [0x88, 2, 0x03, 0xeb], "closed with 1003, unsupported data");
}
