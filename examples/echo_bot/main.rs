//! A bot that answers everybody with their own words: a profile on disk, links over WebSocket, a tracker over HTTP.
//!
//! `cargo run --example echo_bot`, with a tracker at localhost:8000 (`cargo demo` runs one); `-- --help` lists the flags. With
//! `-- --check` it brings its own tracker and a friend, is stopped and started in between, and ends.
//!
//! What is guaranteed: every message is echoed once and in order, whatever happens to the bot. A node tells of a message
//! when it is durable, but it tells once; a bot that dies between hearing and answering would forget it. So an event is only the
//! hint to look into the history, and what is owed follows from that: [`bot`] has the few lines.

mod bot;
mod check;

use std::path::PathBuf;
use std::process::ExitCode;

use chatp2p_core::identity::Username;
use chatp2p_core::record::Endpoint;
use clap::Parser;

use bot::Bot;

/// A bot that answers everybody with their own words.
#[derive(Debug, Clone, Parser)]
#[command(name = "echo_bot", bin_name = "cargo run --example echo_bot --")]
struct Flags {
    /// The tracker at which friends find the bot.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    tracker: String,
    /// The name the bot goes by.
    #[arg(long, default_value = "echo")]
    name: Username,
    /// Where the bot keeps its key and its history.
    #[arg(long, value_name = "DIR", default_value = ".chatp2p")]
    data_dir: PathBuf,
    /// Where friends reach the bot; port 0 picks a free one.
    #[arg(long, value_name = "ENDPOINT", default_value = "ws://127.0.0.1:0")]
    listen: Endpoint,
    /// Try everything out with a tracker and a friend of its own, and end with 0 if all is well.
    #[arg(long)]
    check: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match if flags.check { check::run().await } else { serve(flags).await } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("echo_bot: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Until Ctrl-C. A harder end does no harm: see above.
async fn serve(flags: Flags) -> anyhow::Result<()> {
    let mut bot = Bot::start(&flags).await?;
    println!("{} echoes what it is told. Ctrl+C stops it.", flags.name);
    tokio::select! {
        ended = bot.run() => ended?,
        asked = tokio::signal::ctrl_c() => asked?,
    }
    bot.stop().await
}
