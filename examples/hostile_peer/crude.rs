//! Attacks below the protocol: on the socket, on the WebSocket, and by numbers. They need no key that anybody knows.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use chatp2p_core::identity::Identity;
use chatp2p_core::protocol::wire::VERSION;
use chatp2p_core::testing::node::Stranger;
use chatp2p_core::transport::{Clearance, Link, MAX_LINK_MESSAGE_BYTES, Transport, WebSocketTransport};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::victim::{Answers, Insider, Victim};

/// How long the victim may take to hang up on whoever makes no sense: its own time for a handshake, and some.
const HANGS_UP_WITHIN: Duration = Duration::from_secs(15);

/// How much of something endless is sent at most: more than all buffers on the way hold.
const MUCH: usize = 64 << 20;

/// How long a dribbler waits between two bytes.
const DRIBBLE: Duration = Duration::from_secs(1);

/// What stays on the line while the honest peer is served. Dropping it hangs up.
#[derive(Default)]
pub(crate) struct Held {
    strangers: Vec<Stranger>,
    links: Vec<Link>,
    tasks: JoinSet<()>,
}

impl Held {
    pub(crate) fn len(&self) -> usize {
        self.strangers.len() + self.links.len() + self.tasks.len()
    }
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed | 1;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    })
    .take(length)
    .collect()
}

async fn socket(victim: &Victim) -> anyhow::Result<TcpStream> {
    let host = victim.at.host().context("an address")?.to_string();
    let port = victim.at.port().context("a port")?;
    let address: SocketAddr =
        tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await?.next().context("an address")?;
    Ok(TcpStream::connect(address).await?)
}

/// A socket on which a WebSocket was opened as it should be.
async fn upgraded(victim: &Victim) -> anyhow::Result<TcpStream> {
    let mut socket = socket(victim).await?;
    let request = "GET /p2p HTTP/1.1\r\nHost: victim\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                   Sec-WebSocket-Protocol: chatp2p.v1\r\n\r\n";
    socket.write_all(request.as_bytes()).await?;
    let mut answer = [0; 12];
    timeout(HANGS_UP_WITHIN, socket.read_exact(&mut answer)).await.context("no answer to an upgrade")??;
    anyhow::ensure!(&answer == b"HTTP/1.1 101", "a proper upgrade is refused");
    Ok(socket)
}

/// Waits until the other end hangs up, and says whether it did.
async fn hangs_up(mut socket: TcpStream, answers: &mut Answers) {
    let mut sink = vec![0; 4 << 10];
    let reading = async { while let Ok(1..) = socket.read(&mut sink).await {} };
    answers.note(if timeout(HANGS_UP_WITHIN, reading).await.is_ok() { "hung up" } else { "stayed on the line" });
}

/// Noise in place of each layer: of HTTP, of WebSocket, of TLS, and of a frame, by who is in and by who is not.
pub(crate) async fn garbage(victim: &Victim) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    let mut bare = socket(victim).await?;
    let _ = bare.write_all(&noise(64 << 10, 1)).await;
    hangs_up(bare, &mut answers).await;
    let mut open = upgraded(victim).await?;
    let _ = open.write_all(&noise(64 << 10, 2)).await;
    hangs_up(open, &mut answers).await;
    let mut link = WebSocketTransport::new().dial(&victim.at, &Clearance::of_the_user()).await?;
    let _ = link.outgoing.send(Bytes::from(noise(4 << 10, 3))).await;
    let ended = timeout(HANGS_UP_WITHIN, async { while let Some(Ok(_)) = link.incoming.next().await {} });
    answers.note(if ended.await.is_ok() { "hung up" } else { "stayed on the line" });
    for seed in 4..12 {
        let mut stranger = victim.dial(&Identity::generate()?).await?;
        stranger.say_bytes(noise(1 << 10, seed)).await;
        answers.hear(&mut stranger).await;
        let insider = Insider::register(victim).await?;
        let mut link = insider.enter(victim).await?;
        // Something that begins as a frame does.
        link.say_bytes([vec![VERSION, 0x82], noise(1 << 10, seed)].concat()).await;
        answers.hear(&mut link).await;
        insider.leave().await?;
    }
    Ok(answers)
}

/// What has no end: a request, a message in pieces, pings.
pub(crate) async fn endless(victim: &Victim) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    let mut head = socket(victim).await?;
    head.write_all(b"GET /p2p HTTP/1.1\r\n").await?;
    pour(&mut head, b"x-more: and more\r\n", &mut answers, "took a request").await;
    let mut message = upgraded(victim).await?;
    message.write_all(&[0x02, 0x80, 0, 0, 0, 0]).await?;
    let piece = [&[0x00, 0xfe, 0x40, 0x00, 0, 0, 0, 0][..], &[7; 0x4000]].concat();
    pour(&mut message, &piece, &mut answers, "took a message").await;
    Ok(answers)
}

/// Writes it again and again.
async fn pour(socket: &mut TcpStream, piece: &[u8], answers: &mut Answers, taken: &str) {
    let pouring = async {
        let mut sent = 0;
        while sent < MUCH && socket.write_all(piece).await.is_ok() {
            sent += piece.len();
        }
        sent < MUCH
    };
    match timeout(HANGS_UP_WITHIN, pouring).await {
        Ok(true) => answers.note("hung up"),
        Ok(false) => answers.note(format!("{taken} of {MUCH} bytes")),
        Err(_) => answers.note("stopped reading"),
    }
}

/// Lengths that are announced and not kept: of a WebSocket message, and of what is inside a frame.
pub(crate) async fn oversize(victim: &Victim) -> anyhow::Result<Answers> {
    let mut answers = Answers::default();
    let above = u64::try_from(MAX_LINK_MESSAGE_BYTES)? + 1;
    for length in [above, u64::from(u32::MAX), u64::MAX >> 1, u64::MAX] {
        let mut socket = upgraded(victim).await?;
        let _ = socket.write_all(&[&[0x82, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()).await;
        hangs_up(socket, &mut answers).await;
    }
    // An item of 2^63 bytes, texts, lists and maps of as many, and a depth of 100,000.
    for item in [0x5b, 0x7b, 0x9b, 0xbb, 0x81] {
        let insider = Insider::register(victim).await?;
        let mut link = insider.enter(victim).await?;
        let huge = [&[VERSION, item][..], &(u64::MAX >> 1).to_be_bytes()].concat();
        link.say_bytes(if item == 0x81 { [vec![VERSION], vec![0x81; 100_000]].concat() } else { huge }).await;
        answers.hear(&mut link).await;
        insider.leave().await?;
    }
    Ok(answers)
}

/// Requests, and handshakes of TLS, a byte a second.
pub(crate) async fn slow(victim: &Victim, links: usize) -> anyhow::Result<(Answers, Held)> {
    let mut held = Held::default();
    for n in 0..links {
        let mut socket = if n % 2 == 0 { socket(victim).await? } else { upgraded(victim).await? };
        held.tasks.spawn(async move {
            // On a WebSocket: the head of a message of 64 bytes, and what TLS begins with.
            let begin: &[u8] =
                if n % 2 == 0 { b"GET /p2p HTTP/1.1\r\nx: " } else { &[0x82, 0xc0, 0, 0, 0, 0, 0x16, 3, 1] };
            for byte in begin.iter().chain(std::iter::repeat(&b'x')) {
                if socket.write_all(&[*byte]).await.is_err() {
                    return;
                }
                sleep(DRIBBLE).await;
            }
        });
    }
    let mut answers = Answers::default();
    answers.note(format!("took {links} calls"));
    Ok((answers, held))
}

/// Lines that are opened and stay silent: half of them prove nothing, half a key each.
pub(crate) async fn many(victim: &Victim, links: usize) -> anyhow::Result<(Answers, Held)> {
    let mut held = Held::default();
    for n in 0..links {
        if n % 2 == 0 {
            held.links.push(WebSocketTransport::new().dial(&victim.at, &Clearance::of_the_user()).await?);
        } else {
            held.strangers.push(victim.dial(&Identity::generate()?).await?);
        }
    }
    let mut answers = Answers::default();
    answers.note(format!("took {} calls", held.len()));
    Ok((answers, held))
}
