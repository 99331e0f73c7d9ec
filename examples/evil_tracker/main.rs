//! A tracker that lies, to stand before your own: to see that your peer says what is wrong, and that those who have met go
//! on talking.
//!
//! `cargo run --example evil_tracker -- --lie swap --about bob --before http://localhost:8000` (`cargo demo` runs a tracker
//! there), then a peer with `--tracker http://localhost:8666`. What you type while it runs is its next lie. With `-- --check`
//! it brings a tracker and peers of its own, tells every lie, and ends with 0 if nothing came of any.

mod check;
mod lies;
mod tracker;

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use chatp2p_core::identity::Username;
use chatp2p_core::node::{Event, Node, PeerNode};
use chatp2p_core::tracker::{HttpTracker, LocalTracker};
use chatp2p_core::transport::WebSocketTransport;
use clap::{Parser, ValueEnum};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

use lies::Lie;
use tracker::EvilTracker;

/// A tracker that lies.
#[derive(Debug, Parser)]
#[command(name = "evil_tracker", bin_name = "cargo run --example evil_tracker --")]
struct Flags {
    /// The honest tracker that it stands before.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    before: String,
    /// Where to serve.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8666")]
    bind: SocketAddr,
    /// What to say.
    #[arg(long, default_value = "honest")]
    lie: Lie,
    /// About whom to lie; whose name somebody else goes by when keys are swapped. Everybody if not given, and bob.
    #[arg(long, value_name = "NAME")]
    about: Option<Username>,
    /// Tell every lie to peers of its own, and end with 0 if nothing came of any.
    #[arg(long)]
    check: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let flags = Flags::parse();
    match if flags.check { check::run().await } else { lie(flags).await } {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("evil_tracker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Until Ctrl-C, or until nothing more is typed.
async fn lie(flags: Flags) -> anyhow::Result<()> {
    let falsehood = serve_tracker().await?;
    let name = flags.about.clone().map_or_else(|| "bob".parse(), Ok)?;
    let eve = impostor(&name, &falsehood).await?;
    let mut heard = eve.subscribe();
    let evil = EvilTracker::before(&flags.before, &falsehood, flags.bind)
        .await
        .with_context(|| format!("cannot serve at {}; --bind ADDRESS moves it", flags.bind))?;
    evil.tells(flags.lie, flags.about.as_ref());
    let mut out = std::io::stdout();
    writeln!(out, "The evil tracker serves at {}", evil.url)?;
    writeln!(out, "It goes by {:?}; type another lie at any time. The false {name} is {}.", flags.lie, eve.peer_id())?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            asked = tokio::signal::ctrl_c() => break asked?,
            event = heard.next() => match event {
                Some(Event::Message(message)) => writeln!(out, "SOMETHING CAME to the false key, from {}", message.from)?,
                Some(_) => {}
                None => break,
            },
            line = lines.next_line() => match line?.as_deref().map(str::trim) {
                None => break,
                Some("") => {}
                Some(line) => match Lie::from_str(line, true) {
                    Ok(lie) => {
                        let told = evil.told();
                        evil.tells(lie, flags.about.as_ref());
                        writeln!(out, "It lied {told} times, {} knocked at its trap. Now it goes by {lie:?}.", evil.knocks())?;
                    }
                    Err(error) => writeln!(out, "{error}; --help lists the lies")?,
                },
            },
        }
    }
    Ok(eve.stop().await?)
}

/// A tracker that is empty and honest. Ends with the program.
async fn serve_tracker() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let registry = LocalTracker::in_memory().await?;
    tokio::spawn(chatp2p_tracker::run(listener, registry, chatp2p_tracker::Options::default(), std::future::pending()));
    Ok(url)
}

/// Somebody who goes by this name, at a tracker where nobody else does.
async fn impostor(name: &Username, tracker: &str) -> anyhow::Result<Node> {
    person(name.as_str(), tracker).await
}

/// A node with a key of its own that forgets everything at the end.
async fn person(name: &str, tracker: &str) -> anyhow::Result<Node> {
    let node = Node::builder(name.parse()?, Arc::new(HttpTracker::new(tracker)?));
    let node = node.transport(Arc::new(WebSocketTransport::new())).listen("ws://127.0.0.1:0".parse()?);
    Ok(node.start().await?)
}
