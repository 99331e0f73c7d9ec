//! A tracker and two peers in one process, ready to chat: `cargo demo`. With `cargo demo -- --check` the peers hold a
//! conversation over their APIs, and every text is compared with what was sent.

mod check;
mod client;
mod compare;
mod stage;

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use chatp2p_service::{logging, shutdown};
use clap::Parser;

use stage::{Addresses, Home, Ports, Sockets, Stage};

/// A tracker and two peers, alice and bob, in one process and on this machine alone: ready to chat.
#[derive(Debug, Parser)]
#[command(
    name = "demo",
    bin_name = "cargo demo --",
    after_help = "RUST_LOG=info writes the log of all three to stderr."
)]
struct Flags {
    /// Where the tracker serves; 0 picks a free port [default: 8000].
    #[arg(long, value_name = "PORT")]
    tracker_port: Option<u16>,
    /// Where alice serves her API; 0 picks a free port [default: 3000].
    #[arg(long, value_name = "PORT")]
    alice_port: Option<u16>,
    /// Where bob serves his API; 0 picks a free port [default: 3001].
    #[arg(long, value_name = "PORT")]
    bob_port: Option<u16>,
    /// Keep everything in this folder instead of a temporary one that is removed at the end.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Hold a conversation over the APIs, compare every text with what was sent, and end: with 0 if all is well, else with
    /// 1 and the difference. Ports that are not given are free ones.
    #[arg(long)]
    check: bool,
}

impl Flags {
    fn ports(&self) -> Ports {
        let port = |given: Option<u16>, usual| given.unwrap_or(if self.check { 0 } else { usual });
        Ports {
            tracker: port(self.tracker_port, 8000),
            alice: port(self.alice_port, 3000),
            bob: port(self.bob_port, 3001),
        }
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even stderr is gone, the exit code has to do.
            let _ = writeln!(std::io::stderr(), "demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> anyhow::Result<()> {
    // Three programs would write into one log: only for who asks for it.
    if std::env::var_os("RUST_LOG").is_some() {
        logging::init(false);
    }
    // From here on, so that an early Ctrl+C leaves nothing behind either.
    let mut asked_to_stop = tokio::spawn(shutdown::signal());
    let sockets = Sockets::bind(&flags.ports()).await?;
    let home = Home::new(flags.data_dir.clone())?;
    let mut stage = Stage::start(sockets, home.path()).await?;
    let at = stage.addresses();
    let outcome = tokio::select! {
        outcome = perform(flags, at) => outcome,
        _ = &mut asked_to_stop => if flags.check { Err(anyhow::anyhow!("stopped before the end")) } else { Ok(()) },
        error = stage.ended() => Err(error),
    };
    // In good order whatever came of it; what went wrong first is what is told.
    let stopped = stage.stop().await;
    let removed = home.remove();
    outcome.and(stopped).and(removed)
}

async fn perform(flags: &Flags, at: Addresses) -> anyhow::Result<()> {
    if flags.check {
        let summary = check::run(at).await.context("the check failed")?;
        return Ok(writeln!(std::io::stdout(), "{summary}")?);
    }
    let removed = if flags.data_dir.is_some() { "" } else { " and removes what they kept" };
    writeln!(
        std::io::stdout(),
        "A tracker and two peers run here. Open both pages, one beside the other, and chat:\n\n\
         \x20 alice    http://{alice}/app/\n\
         \x20 bob      http://{bob}/app/\n\
         \x20 tracker  http://{tracker}/docs\n\n\
         Or from a terminal:\n\n\
         \x20 curl -X POST http://{alice}/connect -H 'Content-Type: application/json' -d '{{\"peer_username\":\"bob\"}}'\n\
         \x20 curl -X POST http://{alice}/send -H 'Content-Type: application/json' \
         -d '{{\"peer_username\":\"bob\",\"content\":\"hello, bob\"}}'\n\n\
         Ctrl+C stops all{removed}.",
        tracker = at.tracker,
        alice = at.alice,
        bob = at.bob,
    )?;
    std::io::stdout().flush()?;
    std::future::pending().await
}
