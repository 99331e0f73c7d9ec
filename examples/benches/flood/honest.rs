//! Who is honest, and how long they wait.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use chatp2p_core::node::{Event, Events, Node, PeerNode};
use chatp2p_core::tracker::HttpTracker;
use chatp2p_core::transport::WebSocketTransport;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::served::PEER;

/// How long each thing took, the quickest first.
pub(crate) struct Times(Vec<Duration>);

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    /// What so many of a hundred did not exceed.
    pub(crate) fn share(&self, share: usize) -> Duration {
        self.0.get(self.0.len().saturating_sub(1) * share / 100).copied().unwrap_or_default()
    }
}

/// Asks a tracker one question after the other for so long.
pub(crate) async fn asks(at: SocketAddr, long: Duration) -> anyhow::Result<Times> {
    let mut stream = TcpStream::connect(at).await?;
    stream.set_nodelay(true)?;
    let mut took = Vec::new();
    let mut answer = vec![0; 4 << 10];
    let started = Instant::now();
    while started.elapsed() < long {
        let begun = Instant::now();
        stream.write_all(b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n").await?;
        let read = stream.read(&mut answer).await?;
        let answer = answer.get(..read).unwrap_or_default();
        ensure!(answer.starts_with(b"HTTP/1.1 200"), "an honest caller is refused");
        took.push(begun.elapsed());
    }
    Ok(Times::new(took))
}

/// Somebody who talks to the peer.
pub(crate) struct Friend {
    node: Node,
    events: Events,
}

impl Friend {
    pub(crate) async fn meet(tracker: SocketAddr) -> anyhow::Result<Self> {
        let node = Node::builder("friend".parse()?, Arc::new(HttpTracker::new(&format!("http://{tracker}"))?));
        let node = node.transport(Arc::new(WebSocketTransport::new())).listen("ws://127.0.0.1:0".parse()?);
        let node = node.start().await?;
        node.connect(&PEER.parse()?).await?;
        let events = node.subscribe();
        Ok(Self { node, events })
    }

    /// Says one thing after the other for so long, each when the one before was acknowledged.
    pub(crate) async fn says(&mut self, long: Duration) -> anyhow::Result<Times> {
        let mut took = Vec::new();
        let started = Instant::now();
        while started.elapsed() < long {
            let begun = Instant::now();
            let id = self.node.send(&PEER.parse()?, format!("hello {}", took.len())).await?.id;
            loop {
                let event = self.events.next().await.context("the friend's node stopped")?;
                if matches!(event, Event::Delivered { through, .. } if through == id) {
                    break;
                }
            }
            took.push(begun.elapsed());
        }
        Ok(Times::new(took))
    }
}

/// What a process has in use in megabytes, where the system tells; else 0.
pub(crate) fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kilobytes.unwrap_or_default() / 1024
}
