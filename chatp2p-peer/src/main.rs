//! The peer's doorbell: reads the flags, binds the port, serves until it is told to stop.

use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;

use anyhow::Context;
use chatp2p_peer::config::{Command, Config};
use chatp2p_peer::{access, doctor};
use chatp2p_service::{dumps, logging, shutdown};
use clap::Parser;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    // Before there is a key in the memory.
    if let Err(error) = dumps::switch_off() {
        writeln!(std::io::stderr(), "chatp2p-peer: core dumps cannot be switched off: {error}").ok();
    }
    let config = Config::parse();
    match serve(config).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // Where even stderr is gone, the exit code has to do.
            writeln!(std::io::stderr(), "chatp2p-peer: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}

/// Does what the flags say. False when all that is left to say was said, and it was not that all is well.
async fn serve(config: Config) -> anyhow::Result<bool> {
    let mut out = std::io::stdout();
    match &config.command {
        Some(Command::Openapi) => out.write_all(chatp2p_peer::openapi().as_bytes())?,
        Some(Command::Token { what }) => {
            access::token(&config.data_dir()?, what, &mut out, &mut std::io::stderr())?;
        }
        Some(Command::Link) => access::link(&config.data_dir()?, &mut out)?,
        Some(Command::Doctor(ask)) => return doctor::doctor(config.bind, config.data_dir().ok(), ask, &mut out).await,
        None => return serve_api(config, out).await.map(|()| true),
    }
    Ok(true)
}

async fn serve_api(config: Config, mut out: impl Write) -> anyhow::Result<()> {
    logging::init(config.log_json);
    let bind = config.bind;
    let options = config.options()?;
    let listener = TcpListener::bind(bind)
        .await
        .with_context(|| format!("cannot serve the API at {bind}; --bind HOST:PORT moves it"))?;
    let mut stop = pin!(shutdown::signal());
    let address = listener.local_addr()?;
    let app = tokio::select! {
        // In this order, so that the signal is waited for from the first moment on.
        biased;
        () = &mut stop => return Ok(()),
        app = chatp2p_peer::open(address, options) => app?,
    };
    for line in app.greeting(address)? {
        // Who started the program may read this to learn the port; whoever does not read is none of our business.
        writeln!(out, "{line}").ok();
    }
    app.serve(listener, stop).await
}
