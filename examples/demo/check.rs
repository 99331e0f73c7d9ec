//! The conversation: everything that tends to get lost or bent on the way, both ways, and a message for somebody who is
//! away.

use std::time::Instant;

use anyhow::{Context, ensure};
use reqwest::Method;
use serde_json::json;

use crate::client::{Listed, Peer};
use crate::compare::{Said, compare};
use crate::stage::Addresses;

/// Texts that somebody on the way might take for something else.
const DIFFICULT: [&str; 10] = [
    "hello, how are you?",
    "",
    " \t\r\nwhite space, also at the end \n",
    "👍 👩‍👩‍👧‍👦 🏳️‍🌈 🇵🇪 👋🏽",
    "<script>alert('x')</script> &amp; <b>bold</b> \"quoted\" 'twice' \\n %20 +",
    "שלום עולם، مرحبا بالعالم \u{202e}and back\u{202c}",
    "José-ñandú, Jose\u{301}-n\u{303}andu\u{301}, 日本語, Ελληνικά, नमस्ते",
    "{\"type\":\"message\",\"data\":{\"from\":\"eve\"}}",
    "'; DROP TABLE messages; --",
    "nothing \0 ends here \u{feff}\u{200b}\u{fffd}\u{10ffff}",
];

/// The characters of the long text.
const LONG: usize = 60_000;

/// How many texts each sends without a pause while the other does the same.
const QUICK: usize = 200;

/// What came of it, when all is well.
pub(crate) async fn run(at: Addresses) -> anyhow::Result<String> {
    let begun = Instant::now();
    // The client wants one even where it never meets TLS; whoever was first is as good.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build()?;
    let mut alice = Peer::meet("alice", at.alice, http.clone()).await?;
    let mut bob = Peer::meet("bob", at.bob, http).await?;

    connect(&mut alice, &mut bob).await?;
    let (mut by_alice, mut by_bob) = (Vec::new(), Vec::new());
    for text in DIFFICULT {
        by_alice.push(alice.say("bob", text, "sent").await?);
        by_bob.push(bob.say("alice", text, "sent").await?);
    }
    by_alice.push(alice.say("bob", &long("é¡"), "sent").await?);
    by_bob.push(bob.say("alice", &long("ש😀"), "sent").await?);
    let (more_by_alice, more_by_bob) = tokio::try_join!(quick(&alice, "bob"), quick(&bob, "alice"))?;
    by_alice.extend(more_by_alice);
    by_bob.extend(more_by_bob);
    by_alice.push(alice.broadcast("bob", "to everybody: ¿qué tal? 50 % & more + #1").await?);
    by_bob.push(bob.broadcast("alice", "to everybody else: 👋").await?);
    judge(&mut alice, &mut bob, &by_alice, &by_bob).await?;

    leave(&mut alice, &mut bob).await?;
    by_alice.push(alice.say("bob", "are you there? 🛌", "queued").await?);
    come_back(&mut bob, at).await?;
    judge(&mut alice, &mut bob, &by_alice, &by_bob).await?;

    let messages = by_alice.len() + by_bob.len();
    let events = alice.heard.events + bob.heard.events;
    let seconds = begun.elapsed().as_secs_f64();
    Ok(format!(
        "check passed: {messages} messages ({} from alice, {} from bob) are the same in {events} events and in both \
         histories, in order, once and delivered; {seconds:.1} s",
        by_alice.len(),
        by_bob.len()
    ))
}

async fn connect(alice: &mut Peer, bob: &mut Peer) -> anyhow::Result<()> {
    // Where they have met before, they may have found each other already, before anybody listened.
    let connected = alice.ask(Method::GET, "/connected-peers", None).await?;
    if connected["connected_peers"] == json!(["bob"]) {
        alice.ask(Method::DELETE, "/disconnect/bob", None).await?;
    }
    alice.post("/connect", json!({"peer_username": "bob"})).await?;
    meets(alice, "bob", true).await?;
    meets(bob, "alice", true).await
}

/// Bob leaves, and alice is told.
async fn leave(alice: &mut Peer, bob: &mut Peer) -> anyhow::Result<()> {
    let stopped = bob.post("/stop", json!({})).await?;
    ensure!(stopped["status"] == "stopped", "bob answers {stopped} to /stop");
    meets(alice, "bob", false).await
}

async fn come_back(bob: &mut Peer, at: Addresses) -> anyhow::Result<()> {
    let order = json!({"username": "bob", "port": 0, "tracker_url": format!("http://{}", at.tracker)});
    let started = bob.post("/start", order).await?;
    ensure!(started["status"] == "started", "bob answers {started} to /start");
    Ok(())
}

/// Waits until the last that was told of somebody is that they came, or went.
async fn meets(peer: &mut Peer, other: &str, connected: bool) -> anyhow::Result<()> {
    let last = (other.to_owned(), connected);
    peer.listen(|heard| heard.presence.last() == Some(&last)).await?;
    let got = &peer.heard.presence;
    ensure!(got.last() == Some(&last), "{} expected to be told {last:?}, got {got:?}", peer.name);
    Ok(())
}

fn long(pattern: &str) -> String {
    pattern.chars().cycle().take(LONG).collect()
}

async fn quick(peer: &Peer, to: &str) -> anyhow::Result<Vec<Said>> {
    let mut said = Vec::with_capacity(QUICK);
    for n in 1..=QUICK {
        said.push(peer.say(to, &format!("{} {n}", peer.name), "sent").await?);
    }
    Ok(said)
}

/// Compares what was said so far with what was told and what is kept, on both sides.
async fn judge(alice: &mut Peer, bob: &mut Peer, by_alice: &[Said], by_bob: &[Said]) -> anyhow::Result<()> {
    for (peer, mine, others) in [(&mut *alice, by_alice, by_bob), (&mut *bob, by_bob, by_alice)] {
        let last = mine.last().map(|said| said.id.clone());
        peer.listen(|heard| heard.messages.len() >= others.len() && heard.delivered == last).await?;
        peer.listen_to_all().await?;
        compare(others, &peer.heard.messages).with_context(|| format!("the events of {}", peer.name))?;
        let told = &peer.heard.delivered;
        ensure!(*told == last, "{} expected to be told that {last:?} is delivered, got {told:?}", peer.name);
    }
    for (peer, with) in [(&*alice, "bob"), (&*bob, "alice")] {
        let history = peer.delivered(with).await?;
        for (author, said) in [("alice", by_alice), ("bob", by_bob)] {
            let context = || format!("what {author} wrote, in the history of {}", peer.name);
            compare(said, &written_by(author, &history)).with_context(context)?;
        }
        let (got, expected) = (history.len(), by_alice.len() + by_bob.len());
        ensure!(got == expected, "the history of {}: expected {expected} messages, got {got}", peer.name);
    }
    Ok(())
}

fn written_by(author: &str, history: &[Listed]) -> Vec<Said> {
    history.iter().filter(|message| message.from == author).map(|message| message.said.clone()).collect()
}
