//! What an honest caller waits while crowds bother a tracker and a peer: `cargo bench -p chatp2p-examples --bench flood`.
//!
//! Whoever is bothered, the crowd, and the honest caller are processes of their own. A real crowd has computers of its own, so
//! this one gets what the others leave of the processors: what is measured is what the crowd costs its victim, and not its own
//! work. How much it did is told, so that nobody takes a crowd that starved for one that was withstood. Each crowd is measured
//! against nobody just before it, several times.

mod crowd;
mod honest;
mod served;

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::{Parser, ValueEnum};

use honest::{Friend, Times};

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

/// All the links that a node has, but that of the honest one.
const LINKS: usize = chatp2p_core::protocol::MAX_LINKS - 1;

/// How long the honest one goes on: several times what a crowd needs to come again.
const LONG: Duration = Duration::from_secs(5);

/// By what a program runs that gets what others leave of the processors, where there is such a thing.
const YIELDING: [&str; 3] = ["chrt", "--idle", "0"];

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
    let (rounds, long) = if flags.bench { (flags.rounds, LONG) } else { (1, LONG / 20) };
    let crowds = [
        (Part::Dribble, 2_000),
        (Part::Deaf, 1_000),
        (Part::Greedy, 1_000),
        (Part::Links, LINKS),
        (Part::Noise, 1_000),
    ];
    let mut out = std::io::stdout();
    writeln!(out, "| whom | beside | done each second | p50 | p99 | p99 with nobody | slowest | memory |")?;
    writeln!(out, "|---|---|--:|--:|--:|--:|--:|--:|")?;
    for (part, count) in crowds.into_iter().filter(|(part, _)| flags.only.is_none_or(|only| only == *part)) {
        let count = if flags.bench { count } else { 10 };
        let whom = if matches!(part, Part::Links | Part::Noise) { Part::Peer } else { Part::Tracker };
        let mut seen = Seen::default();
        for _ in 0..rounds {
            let (bothered, at) = spawn(whom, "127.0.0.1:0".parse()?, 0)?;
            let mut honest = Honest::at(whom, at).await?;
            seen.alone.push(honest.waits(long).await?);
            let (crowd, _) = spawn(part, at, count)?;
            let begun = Instant::now();
            seen.beside.push(honest.waits(long).await?);
            seen.done.push(crowd.leave()? as f64 / begun.elapsed().as_secs_f64());
            seen.memory = seen.memory.max(honest::memory(bothered.child.id()));
        }
        seen.tell(&mut out, &format!("{whom:?} | {count} {part:?}").to_lowercase())?;
    }
    Ok(())
}

/// Who measures.
enum Honest {
    Asks(SocketAddr),
    Says(Box<Friend>),
}

impl Honest {
    async fn at(whom: Part, at: SocketAddr) -> anyhow::Result<Self> {
        Ok(if whom == Part::Peer { Self::Says(Box::new(Friend::meet(at).await?)) } else { Self::Asks(at) })
    }

    async fn waits(&mut self, long: Duration) -> anyhow::Result<Times> {
        match self {
            Self::Asks(at) => honest::asks(*at, long).await,
            Self::Says(friend) => friend.says(long).await,
        }
    }
}

/// What was measured of a crowd, round by round.
#[derive(Default)]
struct Seen {
    alone: Vec<Times>,
    beside: Vec<Times>,
    /// How much the crowd did in a second.
    done: Vec<f64>,
    /// The most that the bothered had in use.
    memory: u64,
}

impl Seen {
    fn tell(mut self, out: &mut impl Write, who: &str) -> anyhow::Result<()> {
        let p50 = median(self.beside.iter().map(|times| times.share(50)));
        let p99 = median(self.beside.iter().map(|times| times.share(99)));
        let idle = median(self.alone.iter().map(|times| times.share(99)));
        let slowest = self.beside.iter().map(|times| times.share(100)).max().unwrap_or_default();
        self.done.sort_unstable_by(f64::total_cmp);
        let done = self.done.get(self.done.len() / 2).copied().unwrap_or_default();
        let memory = self.memory;
        Ok(writeln!(out, "| {who} | {done:.0} | {p50:.2?} | {p99:.2?} | {idle:.2?} | {slowest:.2?} | {memory} MB |")?)
    }
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// A process that ends when it is dropped.
struct Running {
    child: Child,
    says: BufReader<ChildStdout>,
}

impl Running {
    /// Has a crowd leave; says how much it has done.
    fn leave(mut self) -> anyhow::Result<u64> {
        drop(self.child.stdin.take());
        self.hear().context("the crowd does not say what it did")
    }

    fn hear<T: FromStr>(&mut self) -> anyhow::Result<T>
    where
        T::Err: std::error::Error + Send + Sync + 'static,
    {
        let mut line = String::new();
        self.says.read_line(&mut line)?;
        line.trim().parse().with_context(|| format!("it says {line:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a process that plays a part, and waits until it says that it is ready, and where.
fn spawn(part: Part, at: SocketAddr, count: usize) -> anyhow::Result<(Running, SocketAddr)> {
    let me = std::env::current_exe()?;
    let serves = matches!(part, Part::Tracker | Part::Peer);
    let [yielding, how @ ..] = YIELDING;
    let can_yield = || Command::new(yielding).args(how).arg("true").status().is_ok_and(|status| status.success());
    let mut command = if !serves && can_yield() { Command::new(yielding) } else { Command::new(&me) };
    if command.get_program() == yielding {
        command.args(how).arg(&me);
    }
    let name = part.to_possible_value().context("a part")?.get_name().to_owned();
    command.args(["--part", &name, "--at", &at.to_string(), "--count", &count.to_string()]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let says = BufReader::new(child.stdout.take().context("its output")?);
    let mut running = Running { child, says };
    let at = running.hear().with_context(|| format!("{part:?} is not ready"))?;
    Ok((running, at))
}
