//! Your own storage: [`journal`] keeps a peer in one append-only file. Here bob's node runs on it, goes, comes back, and
//! knows everything.
//!
//! `cargo run --example custom_storage`

mod journal;

use std::path::Path;
use std::sync::Arc;

use anyhow::ensure;
use chatp2p_core::identity::Identity;
use chatp2p_core::node::{Event, HistoryPage, MAX_HISTORY, Node, PeerNode};
use chatp2p_core::record::Endpoint;
use chatp2p_core::tracker::LocalTracker;
use chatp2p_core::transport::MemoryTransport;

use journal::JournalStore;

struct World {
    tracker: Arc<LocalTracker>,
    network: Arc<MemoryTransport>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World { tracker: Arc::new(LocalTracker::in_memory().await?), network: Arc::default() };
    let alice = Node::builder("alice".parse()?, world.tracker.clone()).transport(world.network.clone());
    let alice = alice.listen(Endpoint::memory("alice")?).start().await?;
    // Who bob is outlives his node; an app keeps the key beside the journal, and as carefully.
    let key = Identity::generate()?;

    let bob = start_bob(&world, &key, folder.path()).await?;
    let mut heard = bob.subscribe();
    alice.connect(bob.username()).await?;
    alice.send(bob.username(), "can you keep a secret?".to_owned()).await?;
    arrives(&mut heard, "can you keep a secret?").await?;
    bob.send(alice.username(), "it is in my journal".to_owned()).await?;
    let before = whole_history(&bob).await?;
    bob.stop().await?;
    drop(bob);

    alice.send(&"bob".parse()?, "are you still there?".to_owned()).await?;
    let bob = start_bob(&world, &key, folder.path()).await?;
    let mut heard = bob.subscribe();
    let after = whole_history(&bob).await?;
    ensure!(after.starts_with(&before), "of {before:?} the journal has kept {after:?}");
    if after.len() == before.len() {
        arrives(&mut heard, "are you still there?").await?;
    }
    let all = whole_history(&bob).await?;
    ensure!(all.len() == 3, "once each, and nothing else: {all:?}");
    for line in &all {
        println!("{line}");
    }
    let kept = std::fs::metadata(folder.path().join("journal"))?.len();
    println!("bob was away in between; {kept} bytes of journal brought him back");
    Ok(alice.stop().await.and(bob.stop().await)?)
}

/// Bob, on the journal in this folder. Everything else is as in every node.
async fn start_bob(world: &World, key: &Identity, folder: &Path) -> anyhow::Result<Node> {
    let bob = Node::builder("bob".parse()?, world.tracker.clone())
        .identity(key.clone())
        .store(Arc::new(JournalStore::open(folder)?))
        .transport(world.network.clone())
        .listen(Endpoint::memory("bob")?);
    Ok(bob.start().await?)
}

async fn arrives(heard: &mut chatp2p_core::node::Events, text: &str) -> anyhow::Result<()> {
    while let Some(event) = heard.next().await {
        if let Event::Message(message) = event {
            ensure!(message.content == text, "{:?} arrived instead of {text:?}", message.content);
            return Ok(());
        }
    }
    anyhow::bail!("the node stopped before {text:?} arrived")
}

async fn whole_history(node: &Node) -> anyhow::Result<Vec<String>> {
    let page = node.history(HistoryPage { peer: None, before: None, limit: MAX_HISTORY }).await?;
    Ok(page.into_iter().map(|message| format!("{}: {}", message.from, message.content)).collect())
}
