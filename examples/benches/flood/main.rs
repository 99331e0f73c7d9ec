//! What an honest caller waits while crowds bother a tracker and a peer: `cargo bench -p chatp2p-examples --bench flood`.
//!
//! Whoever is bothered, the crowd, and the honest caller are processes of their own, and the crowd yields the processors (it is
//! run by `nice`, where there is one): what is measured is what the crowd costs its victim, and not its own work. Each crowd is
//! measured against nobody just before it, several times.

mod crowd;
mod honest;
mod served;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, ValueEnum};

use honest::Times;

/// Floods a tracker and a peer, and measures.
#[derive(Debug, Parser)]
struct Flags {
    /// What `cargo bench` adds. Without it we are run as a test, for which a few callers are enough.
    #[arg(long, hide = true)]
    bench: bool,
    /// How often to measure each crowd.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Measure this crowd alone.
    #[arg(long)]
    only: Option<Part>,
    /// Play this part, for the process that measures.
    #[arg(long, hide = true)]
    part: Option<Part>,
    /// Whom to bother.
    #[arg(long, hide = true, default_value = "127.0.0.1:0")]
    at: SocketAddr,
    /// How many to be.
    #[arg(long, hide = true, default_value_t = 0)]
    count: usize,
}

/// Who a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// The tracker.
    Tracker,
    /// A tracker and a peer that is registered there.
    Peer,
    /// Callers of the tracker who say a request a byte a second, and come again when they are sent away.
    Dribble,
    /// Callers who ask for the longest answer ten times a second and read none.
    Deaf,
    /// The same as fast as they can: as much as their share of the processors lets them.
    Greedy,
    /// Peers who are let in, and each second acknowledge what was never sent.
    Links,
    /// Callers of the peer who send noise instead of a handshake, each once a second.
    Noise,
}

/// How far the crowd yields: to its victim, and not so far that a machine with other work to do has no crowd at all.
const NICE: &str = "5";

fn main() -> anyhow::Result<()> {
    let flags = Flags::parse();
    let runtime = tokio::runtime::Runtime::new()?;
    match flags.part {
        Some(Part::Tracker) => runtime.block_on(served::tracker()),
        Some(Part::Peer) => runtime.block_on(served::peer()),
        Some(part) => runtime.block_on(crowd::run(part, flags.at, flags.count)),
        None => runtime.block_on(measure(&flags)),
    }
}

async fn measure(flags: &Flags) -> anyhow::Result<()> {
    let (rounds, asked, said) = if flags.bench { (flags.rounds, 2_000, 200) } else { (1, 20, 5) };
    let many = |count: usize| if flags.bench { count } else { 10 };
    let wanted = |part: &(Part, usize)| flags.only.is_none_or(|only| only == part.0);
    let mut out = std::io::stdout();
    writeln!(out, "| whom | beside | p50 | p99 | p99 with nobody | slowest | memory |\n|---|---|--:|--:|--:|--:|--:|")?;
    for (part, count) in [(Part::Dribble, 2_000), (Part::Deaf, 1_000), (Part::Greedy, 1_000)].into_iter().filter(wanted)
    {
        let (mut alone, mut beside, mut memory) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let (tracker, at) = spawn(Part::Tracker, "127.0.0.1:0".parse()?, 0)?;
            alone.push(honest::asks(at, asked).await?);
            let crowd = spawn(part, at, many(count))?;
            beside.push(honest::asks(at, asked).await?);
            memory = memory.max(honest::memory(tracker.0.id()));
            drop(crowd);
        }
        row(&mut out, "tracker", &format!("{} {part:?}", many(count)), alone, beside, memory)?;
    }
    for (part, count) in [(Part::Links, 900), (Part::Noise, 1_000)].into_iter().filter(wanted) {
        let (mut alone, mut beside, mut memory) = (Vec::new(), Vec::new(), 0);
        for _ in 0..rounds {
            let (peer, at) = spawn(Part::Peer, "127.0.0.1:0".parse()?, 0)?;
            let mut friend = honest::Friend::meet(at).await?;
            alone.push(friend.says(said).await?);
            let crowd = spawn(part, at, many(count))?;
            beside.push(friend.says(said).await?);
            memory = memory.max(honest::memory(peer.0.id()));
            drop(crowd);
        }
        row(&mut out, "peer", &format!("{} {part:?}", many(count)), alone, beside, memory)?;
    }
    Ok(())
}

fn row(
    out: &mut impl Write,
    whom: &str,
    beside: &str,
    alone: Vec<Times>,
    with: Vec<Times>,
    memory: u64,
) -> anyhow::Result<()> {
    let p50 = median(with.iter().map(|times| times.share(50)));
    let p99 = median(with.iter().map(|times| times.share(99)));
    let idle = median(alone.iter().map(|times| times.share(99)));
    let slowest = with.iter().map(|times| times.share(100)).max().unwrap_or_default();
    Ok(writeln!(out, "| {whom} | {beside} | {p50:.2?} | {p99:.2?} | {idle:.2?} | {slowest:.2?} | {memory} MB |")?)
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A process that ends when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a process that plays a part, and waits until it says that it is ready, and where.
fn spawn(part: Part, at: SocketAddr, count: usize) -> anyhow::Result<(Running, SocketAddr)> {
    let me = std::env::current_exe()?;
    let serves = matches!(part, Part::Tracker | Part::Peer);
    let polite = !serves && Command::new("nice").arg("true").status().is_ok_and(|status| status.success());
    let mut command = if polite { Command::new("nice") } else { Command::new(&me) };
    if polite {
        command.args(["-n", NICE]).arg(&me);
    }
    let name = part.to_possible_value().context("a part")?.get_name().to_owned();
    command.args(["--part", &name, "--at", &at.to_string(), "--count", &count.to_string()]);
    let mut child = Running(command.stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().context("its output")?).read_line(&mut line)?;
    let at = line.trim().parse().with_context(|| format!("{part:?} is not ready: {line:?}"))?;
    Ok((child, at))
}
