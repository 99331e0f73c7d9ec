//! What the tracker and a node do in a second, beside what the same machine does in the same minute without us:
//! `cargo bench -p chatp2p-examples`, with `-- --quick` for a first look. docs/BENCHMARKS.md says what the rows mean.

mod bare;
mod connections;
mod frames;
mod messages;
mod recording;
mod table;
mod tracker;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use table::Table;

/// Measures the tracker and a node.
#[derive(Debug, Parser)]
struct Flags {
    /// One short round of everything: shows that it runs, not how fast.
    #[arg(long)]
    quick: bool,
    /// What `cargo bench` adds. Without it we are run as a test, for which a first look is enough.
    #[arg(long, hide = true)]
    bench: bool,
}

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Scale {
    /// How often everything is measured, ours and its baselines in turn.
    rounds: usize,
    /// How long requests are counted.
    requests_for: Duration,
    /// How many messages are sent by all senders together.
    messages: usize,
    /// How many messages are sent one at a time.
    single_messages: usize,
}

const FULL: Scale = Scale { rounds: 5, requests_for: Duration::from_secs(1), messages: 20_000, single_messages: 1_000 };

const QUICK: Scale =
    Scale { rounds: 1, requests_for: Duration::from_millis(200), messages: 1_000, single_messages: 50 };

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "throughput: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> anyhow::Result<()> {
    let scale = if flags.quick || !flags.bench { QUICK } else { FULL };
    // Below the target directory, because a temporary folder may well be in memory, where a commit costs nothing.
    let home = tempfile::tempdir_in(Path::new(env!("CARGO_TARGET_TMPDIR")))?;
    let mut table = Table::default();
    tracker::measure(scale, home.path(), &mut table).await?;
    messages::measure(scale, home.path(), &mut table).await?;
    writeln!(std::io::stdout(), "{table}")?;
    Ok(home.close()?)
}
