//! The crowds. Each says that it is ready once all are there, and in the end how much it did.

#[path = "../../hostile_peer/victim.rs"]
#[allow(dead_code, reason = "the program uses more of it")]
mod victim;

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use chatp2p_core::message::{Epoch, LogHash, Position};
use chatp2p_core::protocol::wire::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
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

/// What a crowd has done.
#[derive(Debug, Default)]
struct Tally {
    /// How many of it are there.
    here: AtomicUsize,
    /// How often one of them said or called something.
    done: AtomicUsize,
}

impl Tally {
    fn arrive(&self, first: bool) {
        self.here.fetch_add(usize::from(first), Relaxed);
    }

    fn count(&self) {
        self.done.fetch_add(1, Relaxed);
    }
}

/// Says where it is once all are there. When its input ends it says how much it has done since, and leaves.
pub(crate) async fn run(part: Part, at: SocketAddr, count: usize) -> anyhow::Result<()> {
    let tally = Arc::new(Tally::default());
    let mut crowd = JoinSet::new();
    let victim = match part {
        Part::Links | Part::Noise => Some(Victim::find(&PEER.parse()?, &format!("http://{at}")).await?),
        _ => None,
    };
    let door = victim.as_ref().and_then(|victim| victim.at.port()).map_or(at, |port| ([127, 0, 0, 1], port).into());
    for n in 0..count {
        let (tally, victim) = (Arc::clone(&tally), victim.clone());
        // Not all at the same moment of each second.
        let phase = EACH.mul_f64(n as f64 / count as f64);
        match (part, victim) {
            (Part::Dribble, _) => drop(crowd.spawn(dribble(at, tally))),
            (Part::Links, Some(victim)) => drop(crowd.spawn(acknowledge(victim, tally, phase))),
            (Part::Noise, _) => drop(crowd.spawn(noise(door, tally))),
            (part, _) => drop(crowd.spawn(read_nothing(at, part == Part::Deaf, tally))),
        }
    }
    while tally.here.load(Relaxed) < count {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(SETTLED).await;
    let before = tally.done.load(Relaxed);
    let mut out = std::io::stdout();
    writeln!(out, "{at}")?;
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(writeln!(out, "{}", tally.done.load(Relaxed) - before)?)
}

/// Says half a request, a byte at a time, and comes again when it is sent away.
async fn dribble(at: SocketAddr, tally: Arc<Tally>) {
    for again in 0.. {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            tally.arrive(again == 0);
            for byte in b"GET /health HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x')) {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tally.count();
                sleep(EACH).await;
            }
        }
        sleep(EACH).await;
    }
}

/// Asks for the documentation, the longest answer there is, and reads none of it.
async fn read_nothing(at: SocketAddr, slowly: bool, tally: Arc<Tally>) {
    for again in 0.. {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            tally.arrive(again == 0);
            while stream.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_ok() {
                tally.count();
                if slowly {
                    sleep(DEAF).await;
                }
            }
        }
        sleep(EACH).await;
    }
}

/// Is let in, and acknowledges what was never sent, once a second; comes again when it is sent away.
async fn acknowledge(victim: Victim, tally: Arc<Tally>, phase: Duration) {
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
            tally.arrive(!counted);
            counted = true;
            while link.is_open() {
                let into = started.elapsed().as_secs_f64().fract();
                sleep(Duration::from_secs_f64((phase.as_secs_f64() - into).rem_euclid(EACH.as_secs_f64()))).await;
                link.say(&never).await;
                tally.count();
                sleep(EACH / 100).await;
            }
        }
        sleep(EACH).await;
    }
}

/// Noise instead of a handshake, once a second, and all of them about at once.
async fn noise(at: SocketAddr, tally: Arc<Tally>) {
    for again in 0.. {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            tally.arrive(again == 0);
            let _ = stream.write_all(&[0x5a; 600]).await;
            tally.count();
        }
        sleep(EACH).await;
    }
}
