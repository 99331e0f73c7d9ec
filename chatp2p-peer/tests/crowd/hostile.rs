//! Strangers who come in crowds and stop half-way: before the handshake, in it, and behind it with a key of their own.
//! They cost a bounded amount, and keep nobody out.

use std::net::SocketAddr;
use std::time::Duration;

use chatp2p_core::identity::{Identity, PeerId};
use chatp2p_core::record::Endpoint;
use chatp2p_core::transport::secure::Purpose;
use chatp2p_core::transport::{Clearance, Link, SecureLink, Transport, WebSocketTransport, secure};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::play::{running, tracker, until};
use crate::silence::memory_mb;

/// As many as a node has links in all.
const HOSTILE: usize = 1_000;

/// Far above what a connection takes, and below the time after which those who stop half-way are sent away.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What the program may grow by: a quarter of a thousand links with their buffers, and whatever an allocator keeps.
const MAX_GROWTH_MB: usize = 64;

/// Those who say half a request.
async fn half_requests(at: SocketAddr) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..HOSTILE {
        let mut socket = TcpStream::connect(at).await.unwrap();
        socket.write_all(b"GET /p2p HT").await.unwrap();
        held.push(socket);
    }
    held
}

/// Those who open a WebSocket and prove nothing.
async fn half_links(at: SocketAddr) -> Vec<Link> {
    let mut held = Vec::new();
    for _ in 0..HOSTILE {
        held.push(WebSocketTransport::new().dial(&Endpoint::ws(at), &Clearance::of_the_user()).await.unwrap());
    }
    held
}

/// Those who prove a key, each another one, and say nothing.
async fn silent_links(at: SocketAddr, peer: PeerId) -> Vec<SecureLink> {
    let mut held = Vec::new();
    for n in 0..HOSTILE {
        let mut seed = [5; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        let link = WebSocketTransport::new().dial(&Endpoint::ws(at), &Clearance::of_the_user()).await.unwrap();
        held.push(secure::client(link, &Identity::from_seed(&seed), peer, Purpose::Peer).await.unwrap());
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_who_stop_at_each_step_keep_nobody_out_and_fill_no_memory() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let status = alice.get("/status").await.json();
    let peer: PeerId = status["peer_id"].as_str().unwrap().parse().unwrap();
    let endpoint: Endpoint = status["endpoints"][0].as_str().unwrap().parse().unwrap();
    let at = SocketAddr::from(([127, 0, 0, 1], endpoint.port().unwrap()));
    let before = memory_mb(&alice.program);
    let half_requests = half_requests(at).await;
    let half_links = half_links(at).await;
    let silent_links = silent_links(at, peer).await;
    let begun = Instant::now();
    let connected = timeout(AT_ONCE, bob.connect("alice")).await.expect("without a wait");
    assert_eq!(connected.status, 200, "{connected:?}");
    assert_eq!(bob.say("alice", "excuse me").await.json()["status"], "sent");
    until("the text", async || (alice.talk("bob").await.len() == 1).then_some(())).await;
    let took = begun.elapsed();
    assert!(took < AT_ONCE, "{took:?}");
    let grown = memory_mb(&alice.program).saturating_sub(before);
    println!("{} hostile connections: {grown} MB more, an honest one served within {took:?}", 3 * HOSTILE);
    assert!(grown < MAX_GROWTH_MB, "{grown} MB");
    drop((half_requests, half_links, silent_links));
}
