//! The crowds. Each says that it is ready once all are there.

#[path = "../../hostile_peer/victim.rs"]
#[allow(dead_code, reason = "the program uses more of it")]
mod victim;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chatp2p_core::message::{Epoch, LogHash, Position};
use chatp2p_core::protocol::wire::Frame;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::Part;
use crate::served::PEER;
use victim::{Insider, Victim};

/// How long each of them waits before the next byte, frame or call.
const EACH: Duration = Duration::from_secs(1);

/// How long the deaf wait between two requests: ten a second each.
const DEAF: Duration = Duration::from_millis(100);

/// How long what they began takes to reach every buffer on the way.
const SETTLED: Duration = Duration::from_secs(3);

pub(crate) async fn run(part: Part, at: SocketAddr, count: usize) -> anyhow::Result<()> {
    let here = Arc::new(AtomicUsize::new(0));
    let mut crowd = JoinSet::new();
    let victim = match part {
        Part::Links | Part::Noise => Some(Victim::find(&PEER.parse()?, &format!("http://{at}")).await?),
        _ => None,
    };
    let door = victim.as_ref().and_then(|victim| victim.at.port()).map_or(at, |port| ([127, 0, 0, 1], port).into());
    for n in 0..count {
        let (here, victim) = (Arc::clone(&here), victim.clone());
        // Not all at the same moment of each second.
        let phase = EACH.mul_f64(n as f64 / count as f64);
        match (part, victim) {
            (Part::Dribble, _) => drop(crowd.spawn(dribble(at, here))),
            (Part::Links, Some(victim)) => drop(crowd.spawn(acknowledge(victim, here, phase))),
            (Part::Noise, _) => drop(crowd.spawn(noise(door, here))),
            (part, _) => drop(crowd.spawn(read_nothing(at, part == Part::Deaf, here))),
        }
    }
    while here.load(Ordering::SeqCst) < count {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(SETTLED).await;
    writeln!(std::io::stdout(), "{at}")?;
    std::future::pending().await
}

/// Says half a request, a byte at a time, and comes again when it is sent away.
async fn dribble(at: SocketAddr, here: Arc<AtomicUsize>) {
    for again in 0.. {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            here.fetch_add(usize::from(again == 0), Ordering::SeqCst);
            for byte in b"GET /health HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x')) {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(EACH).await;
            }
        }
        sleep(EACH).await;
    }
}

/// Asks for the documentation, the longest answer there is, and reads none of it.
async fn read_nothing(at: SocketAddr, slowly: bool, here: Arc<AtomicUsize>) {
    for again in 0.. {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            here.fetch_add(usize::from(again == 0), Ordering::SeqCst);
            while stream.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_ok() {
                if slowly {
                    sleep(DEAF).await;
                }
            }
        }
        sleep(EACH).await;
    }
}

/// Is let in, and acknowledges what was never sent, once a second; comes again when it is sent away.
async fn acknowledge(victim: Victim, here: Arc<AtomicUsize>, phase: Duration) {
    let started = Instant::now();
    let insider = loop {
        match Insider::register(&victim).await {
            Ok(insider) => break insider,
            Err(_) => sleep(EACH).await,
        }
    };
    let never = Frame::Ack(Position { epoch: Epoch::new(7), n: 9, hash: LogHash::from_bytes([9; 32]) });
    let mut counted = false;
    loop {
        if let Ok(link) = victim.greet(&insider.who, &insider.hello).await {
            here.fetch_add(usize::from(!counted), Ordering::SeqCst);
            counted = true;
            while link.is_open() {
                let into = started.elapsed().as_secs_f64().fract();
                sleep(Duration::from_secs_f64((phase.as_secs_f64() - into).rem_euclid(EACH.as_secs_f64()))).await;
                link.say(&never).await;
                sleep(EACH / 100).await;
            }
        }
        sleep(EACH).await;
    }
}

/// Noise instead of a handshake, once a second.
async fn noise(at: SocketAddr, here: Arc<AtomicUsize>) {
    for again in 0.. {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            here.fetch_add(usize::from(again == 0), Ordering::SeqCst);
            let _ = stream.write_all(&[0x5a; 600]).await;
            sleep(EACH).await;
        }
    }
}
