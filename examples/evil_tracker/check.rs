//! Every lie, told to alice and bob, who have met: they go on talking whatever is said, whoever asks gets an answer in time,
//! and nobody speaks to the false key.

use std::time::Duration;

use anyhow::{Context, ensure};
use chatp2p_core::identity::{ContactLink, Username};
use chatp2p_core::message::EntryId;
use chatp2p_core::node::{ContactBook, Event, Events, HistoryPage, Node, PeerNode};
use chatp2p_core::transport::MAX_DIALS_PER_TARGET;
use clap::ValueEnum;
use tokio::time::{Instant, timeout};

use crate::lies::Lie;
use crate::tracker::EvilTracker;
use crate::{impostor, person, serve_tracker};

/// Longer than anything may take with any tracker: a node gives one up after five seconds, and asks it twice to start.
const WITHIN: Duration = Duration::from_secs(20);

/// Whom nobody knows.
const NOBODY: &str = "zoe";

pub(crate) async fn run() -> anyhow::Result<()> {
    let (honest, falsehood) = (serve_tracker().await?, serve_tracker().await?);
    let bob_name: Username = "bob".parse()?;
    let eve = impostor(&bob_name, &falsehood).await?;
    let evil = EvilTracker::before(&honest, &falsehood, ([127, 0, 0, 1], 0).into()).await?;
    let (alice, bob) = (person("alice", &evil.url).await?, person("bob", &evil.url).await?);
    // She would let alice in, if only she came.
    eve.add_contact(&ContactLink::new(alice.peer_id(), alice.username().clone()), None).await?;
    alice.connect(&bob_name).await?;
    let mut events = alice.subscribe();
    say(&alice, &bob, &mut events, "hello").await?;

    println!("| the tracker | lies | they go on talking after | somebody unknown | who comes new |");
    println!("|---|--:|--:|---|---|");
    let mut said = vec!["hello".to_owned()];
    for lie in Lie::value_variants() {
        evil.tells(*lie, None);
        // The line is cut, so that there is reason to ask the tracker. Who was let go of first counts as gone.
        alice.disconnect(&bob_name).await?;
        let text = format!("{lie:?}");
        let (took, unknown, newcomer, listed) = tokio::join!(
            say(&alice, &bob, &mut events, &text),
            asked(&alice),
            newcomer(said.len(), &evil.url),
            timeout(WITHIN, alice.available()),
        );
        let (took, unknown, newcomer) = (took.with_context(|| text.clone())?, unknown?, newcomer?);
        ensure!(listed.is_ok(), "{text}: the list does not come");
        ensure!(unknown != "connected", "{text}: somebody is connected whom nobody knows");
        println!("| {text} | {} | {took:.1?} | {unknown} | {newcomer} |", evil.told());
        ensure!(*lie == Lie::Honest || evil.told() > 0, "{text}: nobody was lied to");
        said.push(text);
    }
    let history = bob.history(HistoryPage { peer: None, before: None, limit: 100 }).await?;
    let heard: Vec<_> = history.into_iter().map(|message| message.content).collect();
    ensure!(heard == said, "bob heard {heard:?}");
    let false_key = eve.history(HistoryPage { peer: None, before: None, limit: 100 }).await?.len();
    ensure!(false_key == 0 && eve.connected().await?.is_empty(), "the false key got {false_key} messages");
    // One budget each: of alice, and of the one who came new.
    ensure!(evil.knocks() <= 2 * MAX_DIALS_PER_TARGET, "{} knocked at the trap", evil.knocks());
    println!("check passed: {} lies, {} texts arrived, none at the false key", said.len() - 2, said.len());
    for node in [alice, bob, eve] {
        node.stop().await?;
    }
    Ok(())
}

/// Says something and waits until it has arrived, as the ticks say.
async fn say(from: &Node, to: &Node, events: &mut Events, text: &str) -> anyhow::Result<Duration> {
    let begun = Instant::now();
    let id: EntryId = from.send(to.username(), text.to_owned()).await?.id;
    let arriving = async {
        while let Some(event) = events.next().await {
            if matches!(event, Event::Delivered { through, .. } if through == id) {
                return Ok(begun.elapsed());
            }
        }
        anyhow::bail!("the node stopped")
    };
    timeout(WITHIN, arriving).await.context("what is said does not arrive")?
}

/// What is said about somebody whom nobody knows.
async fn asked(alice: &Node) -> anyhow::Result<String> {
    let answer = timeout(WITHIN, alice.connect(&NOBODY.parse()?)).await.context("a connect without an answer")?;
    Ok(answer.map_or_else(|error| error.code().as_str().to_owned(), |()| "connected".to_owned()))
}

/// How somebody fares who starts with this tracker alone, under a name that nobody has had.
async fn newcomer(n: usize, tracker: &str) -> anyhow::Result<String> {
    match timeout(WITHIN, person(&format!("carol{n}"), tracker)).await.context("a start without an answer")? {
        Ok(node) => {
            timeout(WITHIN, node.stop()).await.context("a stop without an end")??;
            Ok("is listed".to_owned())
        }
        Err(error) => {
            let code = error.downcast_ref::<chatp2p_core::node::NodeError>().map(|error| error.code().as_str());
            Ok(code.unwrap_or("?").to_owned())
        }
    }
}
