//! What an honest caller waits while thousands dribble and read nothing: `cargo bench -p chatp2p-examples --bench flood`.
//! Callers and tracker share a process and its processors, so the honest one also waits for the hostile ones' own work.

use std::io::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::ensure;
use chatp2p_core::tracker::LocalTracker;
use clap::Parser;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Floods a tracker and measures.
#[derive(Debug, Parser)]
struct Flags {
    /// What `cargo bench` adds. Without it we are run as a test, for which a few callers are enough.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How long a dribbler waits between two bytes.
const DRIBBLE: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    // Settled is the crowd once all are there, and every buffer on the way to those who read nothing is full.
    let (hostile, requests, settled) =
        if flags.bench { (2_000, 5_000, Duration::from_secs(20)) } else { (50, 50, Duration::from_secs(1)) };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let at = listener.local_addr()?;
    let tracker = LocalTracker::in_memory().await?;
    let mut tasks = JoinSet::new();
    tasks.spawn(chatp2p_tracker::run(listener, tracker, chatp2p_tracker::Options::default(), std::future::pending()));
    let mut out = std::io::stdout();
    writeln!(out, "| callers beside | p50 | p99 | slowest | memory |\n|---|--:|--:|--:|--:|")?;
    measure("nobody", at, requests, &mut out).await?;
    let mut crowd = JoinSet::new();
    for _ in 0..hostile {
        crowd.spawn(dribble(at));
    }
    tokio::time::sleep(settled).await;
    measure(&format!("{hostile} who dribble"), at, requests, &mut out).await?;
    crowd.shutdown().await;
    for _ in 0..hostile {
        crowd.spawn(read_nothing(at));
    }
    tokio::time::sleep(settled).await;
    measure(&format!("{hostile} who read nothing"), at, requests, &mut out).await?;
    crowd.shutdown().await;
    Ok(())
}

/// Asks one question after the other, and says how long the answers took.
async fn measure(what: &str, at: SocketAddr, requests: usize, out: &mut impl Write) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let mut took = Vec::with_capacity(requests);
    let mut answer = vec![0; 4 << 10];
    for _ in 0..requests {
        let begun = Instant::now();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        let read = stream.read(&mut answer).await?;
        ensure!(
            answer.get(..read).is_some_and(|answer| answer.starts_with(b"HTTP/1.1 200")),
            "an honest caller is refused"
        );
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let at = |share: usize| took.get((took.len() - 1) * share / 100).copied().unwrap_or_default();
    writeln!(out, "| {what} | {:.2?} | {:.2?} | {:.2?} | {} |", at(50), at(99), at(100), memory())?;
    Ok(())
}

/// Says half a request, a byte at a time, and comes again when it is sent away.
async fn dribble(at: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            for byte in b"GET /health HTTP/1.1\r\nx: ".iter().chain(std::iter::repeat(&b'x')) {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                tokio::time::sleep(DRIBBLE).await;
            }
        }
        tokio::time::sleep(DRIBBLE).await;
    }
}

/// Asks for the documentation, the longest answer there is, as often as it can, and reads none of it.
async fn read_nothing(at: SocketAddr) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(at).await {
            while stream.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n").await.is_ok() {}
        }
        tokio::time::sleep(DRIBBLE).await;
    }
}

/// What the process has in use, where the system tells.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.map_or_else(|| "?".to_owned(), |kilobytes| format!("{} MB", kilobytes / 1024))
}
