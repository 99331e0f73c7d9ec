//! A chat in a terminal, on the library alone: your key and your messages on disk, links over WebSocket, a tracker over HTTP.
//!
//! `cargo run --example terminal_chat -- --name carol`, with a tracker at localhost:8000 (`cargo demo` runs one, and alice and
//! bob beside it); a name at the end connects at once. `/connect bob`, `/peers`, `/forget bob`, `/quit`; all else goes to
//! the one connected to last. It may as well be a pipe that writes and reads.

mod chat;
mod screen;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use chatp2p_core::identity::Username;
use chatp2p_core::node::{Node, PeerNode};
use chatp2p_core::record::Endpoint;
use chatp2p_core::storage::Profile;
use chatp2p_core::tracker::HttpTracker;
use chatp2p_core::transport::WebSocketTransport;
use clap::Parser;
use tokio::sync::mpsc;

use chat::Chat;
use screen::{say, warn};

/// Chat in a terminal.
#[derive(Debug, Parser)]
#[command(name = "terminal_chat", bin_name = "cargo run --example terminal_chat --")]
struct Flags {
    /// The name to go by.
    #[arg(long)]
    name: Username,
    /// The tracker at which your friends are, too.
    #[arg(long, value_name = "URL", default_value = "http://localhost:8000")]
    tracker: String,
    /// Where to keep your key and your messages.
    #[arg(long, value_name = "DIR", default_value = ".chatp2p")]
    data_dir: PathBuf,
    /// Where friends reach you; port 0 picks a free one.
    #[arg(long, value_name = "ENDPOINT", default_value = "ws://127.0.0.1:0")]
    listen: Endpoint,
    /// Whom to connect to at once.
    peer: Option<Username>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Flags::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            warn(&format!("terminal_chat: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> anyhow::Result<()> {
    let profile = Profile::open(&flags.data_dir, &flags.name).await?;
    let node = Node::builder(flags.name, Arc::new(HttpTracker::new(&flags.tracker)?))
        .identity(profile.identity().clone())
        .store(profile.store())
        .transport(Arc::new(WebSocketTransport::new()))
        .listen(flags.listen)
        .start()
        .await?;
    say(&format!("you are {}; /connect NAME, /peers, /forget NAME, /quit", node.username()));
    let mut events = node.subscribe();
    let mut typed = typed_lines();
    let mut chat = Chat::new(node);
    if let Some(peer) = flags.peer {
        chat.connect(peer).await;
    }
    loop {
        tokio::select! {
            line = typed.recv() => match line {
                Some(line) if line.trim_end() != "/quit" => chat.typed(&line).await,
                _ => break,
            },
            event = events.next() => match event {
                Some(event) => chat.heard(event).await,
                None => break,
            },
        }
    }
    chat.quit().await
}

/// Lines from a thread of their own: tokio's would keep the program from ending until the next line is typed.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(1);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    lines
}
