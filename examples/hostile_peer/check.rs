//! Every attack on victims of one's own, of whom it can be seen what they kept: what somebody honest said, in order and once,
//! what a hostile peer said properly, once, and nothing else.

use std::sync::Arc;

use anyhow::ensure;
use chatp2p_core::node::{ContactBook, HistoryPage, Inbound, MAX_REQUESTS, Node, PeerNode};
use chatp2p_core::tracker::{HttpTracker, LocalTracker};
use chatp2p_core::transport::WebSocketTransport;
use clap::ValueEnum;
use tokio::net::TcpListener;

use crate::victim::{Honest, Victim};
use crate::{Attack, Flags, rounds};

/// As many lines as a node has at all, and more strangers than there is room for requests; the check is to take seconds.
const LINKS: usize = 1_000;
const REQUESTS: usize = MAX_REQUESTS + 50;

/// Strangers do not linger: on a busy machine some are gone before the tracker has spoken for them, and more have to come.
const CROWDS: usize = 5;

pub(crate) async fn run(flags: &Flags) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let tracker = format!("http://{}", listener.local_addr()?);
    let registry = LocalTracker::in_memory().await?;
    // Ends with the program.
    tokio::spawn(chatp2p_tracker::run(listener, registry, chatp2p_tracker::Options::default(), std::future::pending()));
    let flags = Flags { links: LINKS, requests: REQUESTS, ..flags.clone() };

    let open = node("open", &tracker, Inbound::Open).await?;
    let victim = Victim::find(open.username(), &tracker).await?;
    let mut honest = Honest::meet(&victim).await?;
    let all: Vec<_> = Attack::value_variants().iter().filter(|attack| **attack != Attack::Requests).copied().collect();
    rounds(&all, &victim, &mut honest, &flags).await?;
    let kept = open.history(HistoryPage { peer: None, before: None, limit: 1_000 }).await?;
    let (friends, strangers): (Vec<_>, Vec<_>) = kept.into_iter().partition(|message| message.from == *honest.name());
    let friends: Vec<_> = friends.into_iter().map(|message| message.content).collect();
    ensure!(friends == honest.said, "of {:?} it kept {friends:?}", honest.said);
    let mut strangers: Vec<_> = strangers.into_iter().map(|message| message.content).collect();
    strangers.sort_unstable();
    // Both are first entries as they should be, each on its own line.
    ensure!(strangers == ["backwards", "said once", "with the hash of another"], "it kept {strangers:?}");
    honest.leave().await?;

    let guarded = node("guarded", &tracker, Inbound::Requests).await?;
    let victim = Victim::find(guarded.username(), &tracker).await?;
    let mut honest = Honest::meet(&victim).await?;
    ensure!(!honest.is_let_in(), "a stranger is let in");
    let mut waiting = 0;
    for _ in 0..CROWDS {
        rounds(&[Attack::Requests], &victim, &mut honest, &flags).await?;
        waiting = guarded.requests().await?.len();
        if waiting >= MAX_REQUESTS {
            break;
        }
    }
    ensure!(waiting == MAX_REQUESTS, "{waiting} requests wait");
    ensure!(guarded.contacts().await?.is_empty(), "somebody was let in");
    honest.leave().await?;
    println!(
        "check passed: {} attacks, {} texts kept once and in order, no stranger let in",
        all.len() + 1,
        friends.len()
    );
    open.stop().await?;
    Ok(guarded.stop().await?)
}

async fn node(name: &str, tracker: &str, inbound: Inbound) -> anyhow::Result<Node> {
    let node = Node::builder(name.parse()?, Arc::new(HttpTracker::new(tracker)?)).inbound(inbound);
    let node = node.transport(Arc::new(WebSocketTransport::new())).listen("ws://127.0.0.1:0".parse()?);
    Ok(node.start().await?)
}
