//! The program: reads its settings, runs, and says why where it cannot.

use std::io::Write;
use std::process::ExitCode;

use chatp2p_tracker::config::{Command, Config};
use clap::Parser;

fn main() -> ExitCode {
    // Before there is a password in the memory.
    if let Err(error) = chatp2p_service::dumps::switch_off() {
        let _ = writeln!(std::io::stderr(), "chatp2p-tracker: core dumps cannot be switched off: {error}");
    }
    let config = Config::parse();
    match run(&config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where even that cannot be said, the exit code still tells.
            let _ = writeln!(std::io::stderr(), "chatp2p-tracker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run(config: &Config) -> anyhow::Result<()> {
    match &config.command {
        Some(Command::Openapi) => Ok(std::io::stdout().write_all(chatp2p_tracker::spec().await?.as_bytes())?),
        Some(Command::Release { name }) => {
            config.release(name).await?;
            Ok(writeln!(std::io::stdout(), "{name} is released; a tracker that runs frees it within ten seconds")?)
        }
        None => serve(config).await,
    }
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    chatp2p_service::logging::init(config.log_json);
    let (listener, tracker) = config.open().await?;
    // Whoever started the program waits for this line to learn the port.
    let mut out = std::io::stdout();
    writeln!(out, "tracker listening on http://{}", listener.local_addr()?).and_then(|()| out.flush())?;
    chatp2p_tracker::run(listener, tracker, config.options(), chatp2p_service::shutdown::signal()).await
}
