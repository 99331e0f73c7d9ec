//! Messages from alice to bob: two nodes with profiles in SQLite, and a WebSocket link on loopback between them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use chatp2p_core::node::{Event, Events, Node, NodeError, PeerNode};
use chatp2p_core::record::Endpoint;
use chatp2p_core::tracker::LocalTracker;
use chatp2p_core::transport::WebSocketTransport;
use tokio::task::JoinSet;

use crate::recording::{Commit, Recording, replay};
use crate::table::{Table, Unit, percentile};
use crate::{Scale, frames};

/// How many send at the same time, each its next message when the one before is accepted.
const SENDERS: usize = 16;

/// The bytes of a text: a long sentence.
const TEXT: usize = 128;

/// Raw frames are so much faster that fewer would be over before they can be timed.
const FRAMES_A_MESSAGE: usize = 5;

/// How long a sender waits when the outbox is full.
const FULL_PAUSE: Duration = Duration::from_millis(1);

pub(crate) async fn measure(scale: Scale, home: &Path, table: &mut Table) -> anyhow::Result<()> {
    let text = "x".repeat(TEXT);
    for round in 0..scale.rounds {
        let folder = home.join(format!("round-{round}"));
        std::fs::create_dir(&folder)?;
        together(scale.messages, &text, &Home(folder.join("together")), table).await?;
        one_at_a_time(scale.single_messages, &text, &Home(folder.join("single")), table).await?;
    }
    Ok(())
}

async fn together(messages: usize, text: &str, home: &Home, table: &mut Table) -> anyhow::Result<()> {
    let raw = frames::rate(text, messages * FRAMES_A_MESSAGE).await?;
    let mut pair = Pair::start(home).await?;
    let begun = Instant::now();
    let mut senders = JoinSet::new();
    for sender in 0..SENDERS {
        let share = messages / SENDERS + usize::from(sender < messages % SENDERS);
        let (alice, text) = (Arc::clone(&pair.alice), text.to_owned());
        senders.spawn(async move {
            for _ in 0..share {
                send(&alice, &text).await?;
            }
            anyhow::Ok(())
        });
    }
    let mut arrived = 0;
    while arrived < messages {
        arrived += pair.next().await?;
    }
    let took = begun.elapsed();
    while let Some(sender) = senders.join_next().await {
        sender??;
    }
    let (by_alice, by_bob) = pair.stop().await?;
    let commits = by_alice.len() + by_bob.len();
    let (alice_again, bob_again) = (home.file("alice-again"), home.file("bob-again"));
    let begun = Instant::now();
    let _both = tokio::try_join!(replay(&alice_again, by_alice), replay(&bob_again, by_bob))?;
    let only_commits = begun.elapsed();
    let rate = |took: Duration| messages as f64 / took.as_secs_f64();
    let baselines = [("raw frames", raw), ("the same commits alone", rate(only_commits))];
    table.add("messages, 16 senders", Unit::PerSecond, rate(took), &baselines);
    table.add("commits for them, both sides", Unit::PerSecond, commits as f64 / took.as_secs_f64(), &[]);
    Ok(())
}

async fn one_at_a_time(messages: usize, text: &str, home: &Home, table: &mut Table) -> anyhow::Result<()> {
    let raw = frames::latencies(text, messages).await?;
    let mut pair = Pair::start(home).await?;
    let mut ours = Vec::with_capacity(messages);
    for _ in 0..messages {
        let begun = Instant::now();
        send(&pair.alice, text).await?;
        if pair.next().await? != 1 {
            bail!("more arrived than was sent");
        }
        ours.push(begun.elapsed());
    }
    let (by_alice, by_bob) = pair.stop().await?;
    // One after the other, as a message makes them: first durable with alice, then with bob.
    let by_alice = replay(&home.file("alice-again"), by_alice).await?;
    let by_bob = replay(&home.file("bob-again"), by_bob).await?;
    let of_messages = |commits: Vec<Commit>| commits.into_iter().filter(|commit| commit.messages);
    let commits: Vec<_> = of_messages(by_alice).zip(of_messages(by_bob)).map(|(a, b)| a.took + b.took).collect();
    for (what, percent) in [("message, one at a time, p50", 50), ("message, one at a time, p99", 99)] {
        let at = |all: &[Duration]| {
            percentile(&all.iter().map(|took| took.as_secs_f64() * 1e3).collect::<Vec<_>>(), percent)
        };
        let baselines = [("raw frame", at(&raw)), ("its two commits alone", at(&commits))];
        table.add(what, Unit::Milliseconds, at(&ours), &baselines);
    }
    Ok(())
}

async fn send(alice: &Node, text: &str) -> anyhow::Result<()> {
    let bob = "bob".parse()?;
    loop {
        match alice.send(&bob, text.to_owned()).await {
            Ok(_) => return Ok(()),
            Err(NodeError::OutboxFull { .. }) => tokio::time::sleep(FULL_PAUSE).await,
            Err(error) => return Err(error.into()),
        }
    }
}

/// Where a pair keeps its profiles.
struct Home(PathBuf);

impl Home {
    fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.sqlite"))
    }
}

/// Alice and bob, connected.
struct Pair {
    alice: Arc<Node>,
    bob: Node,
    /// What bob hears.
    heard: Events,
    by_alice: Arc<Recording>,
    by_bob: Arc<Recording>,
}

type Commits = Vec<Vec<chatp2p_core::storage::Change>>;

impl Pair {
    async fn start(home: &Home) -> anyhow::Result<Self> {
        std::fs::create_dir(&home.0)?;
        let by_alice = Arc::new(Recording::open(&home.file("alice")).await?);
        let by_bob = Arc::new(Recording::open(&home.file("bob")).await?);
        let tracker = Arc::new(LocalTracker::in_memory().await?);
        let node = |name: &str, store: &Arc<Recording>| {
            let builder = Node::builder(name.parse()?, tracker.clone()).store(store.clone());
            let builder = builder.transport(Arc::new(WebSocketTransport::new()));
            anyhow::Ok(builder.listen(Endpoint::ws("127.0.0.1:0".parse()?)))
        };
        let alice = Arc::new(node("alice", &by_alice)?.start().await?);
        let bob = node("bob", &by_bob)?.start().await?;
        let mut heard = bob.subscribe();
        alice.connect(bob.username()).await?;
        while !matches!(heard.next().await.context("bob has ended")?, Event::PeerConnected(_)) {}
        Ok(Self { alice, bob, heard, by_alice, by_bob })
    }

    /// Waits for what bob hears next, and says how many messages it was.
    async fn next(&mut self) -> anyhow::Result<usize> {
        match self.heard.next().await.context("bob has ended")? {
            Event::Message(_) => Ok(1),
            // Bob hears nothing but messages. Whoever counts them may be slower than the node tells them.
            Event::Gap { missed } => Ok(usize::try_from(missed)?),
            other => bail!("bob hears {other:?}"),
        }
    }

    /// Stops both, and gives what they have committed.
    async fn stop(self) -> anyhow::Result<(Commits, Commits)> {
        self.alice.stop().await?;
        self.bob.stop().await?;
        Ok((self.by_alice.take(), self.by_bob.take()))
    }
}
