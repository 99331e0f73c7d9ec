//! Mail between people who are never there at once, by the mailbox of a third: real programs, and what the mailbox learns.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "wire/kept.rs"]
mod kept;
#[path = "mail/memory.rs"]
mod memory;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;

use chatp2p_core::identity::Identity;
use chatp2p_core::mailbox::mail::MAIL_SIZES;
use chatp2p_core::mailbox::wire::Refusal;
use chatp2p_core::mailbox::{Depositor, MailboxError};
use chatp2p_core::tracker::{HttpTracker, Tracker};
use chatp2p_core::transport::secure::{self, Purpose};
use chatp2p_core::transport::{Clearance, Transport, WebSocketTransport};
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use tokio::process::Command;

use play::{Peer, Program, link, until};

/// What is said, and who says it to whom: long enough that none of it is anywhere by chance.
const CANARY: &str = "canary9c41d7e02f6b85a3";
const WRITER: &str = "writer5e0b7d";
const READER: &str = "reader8a3f1c";

/// How many messages are said.
const TEXTS: usize = 30;

async fn start_at(p2p: &str, name: &str, tracker: &Program, data: TempDir, flags: &[&str]) -> Peer {
    let url = format!("http://{}", tracker.api);
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    command.args(["--bind", "127.0.0.1:0", "--p2p", p2p, "--data-dir"]).arg(data.path());
    let program = Program::start(command.args(["--username", name, "--tracker", &url]).args(flags)).await;
    Peer { program, name: name.to_owned(), data }
}

async fn start(name: &str, tracker: &Program, data: TempDir, flags: &[&str]) -> Peer {
    start_at("127.0.0.1:0", name, tracker, data, flags).await
}

/// A peer that keeps mail, and what others are told of that.
async fn keeper(tracker: &Program, data: TempDir, p2p: &str) -> (Peer, String) {
    let carol = start_at(p2p, "carol", tracker, data, &["--mailbox"]).await;
    let status = carol.get("/status").await.json();
    let address = status["mailbox"]["address"].as_str().unwrap_or_else(|| panic!("{status:#}")).to_owned();
    (carol, address)
}

/// Ends a program in good order, and keeps its data.
async fn leaves(peer: Peer) -> TempDir {
    let Peer { program, data, .. } = peer;
    assert!(program.terminate().await.success());
    data
}

async fn collects(peer: &Peer) {
    until("mail can be collected", async || {
        peer.get("/status").await.json()["mailboxes"][0]["confirmed"].is_string().then_some(())
    })
    .await;
}

/// Waits until all that this peer wrote has got that far.
async fn all_are(peer: &Peer, step: &str) {
    until(&format!("all of {}'s is {step}", peer.name), async || {
        let page = peer.get("/messages?limit=1000").await.json();
        let mine = page["messages"].as_array()?.iter().filter(|message| message["from"] == peer.name);
        mine.clone().all(|message| message["delivery"] == step).then_some(()).filter(|()| mine.count() > 0)
    })
    .await;
}

async fn texts(peer: &Peer, from: &str) -> Vec<String> {
    let said = peer.talk(from).await.into_iter().filter(|(who, _)| who == from);
    said.map(|(_, text)| text).collect()
}

fn said() -> Vec<String> {
    (0..TEXTS).map(|n| format!("{n} {CANARY}")).collect()
}

#[tokio::test]
async fn mail_climbs_the_ladder_though_both_are_never_there_and_its_keeper_learns_nothing() {
    let tracker = play::tracker().await;
    let (carol, address) = keeper(&tracker, tempdir().unwrap(), "127.0.0.1:0").await;
    let flags = ["--use-mailbox", &address];
    let alice = start(WRITER, &tracker, tempdir().unwrap(), &flags).await;
    let bob = start(READER, &tracker, tempdir().unwrap(), &flags).await;
    drop(link(&alice, &bob).await);
    collects(&alice).await;
    collects(&bob).await;

    // Alice sends while bob is off.
    let bobs = leaves(bob).await;
    let mut events = alice.events().await;
    for text in said() {
        let answer = alice.say(READER, &text).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    loop {
        let event = events.next().await.expect("an open socket");
        if event["type"] == "mailbox" {
            assert_eq!(event["peer"], READER);
            break;
        }
    }
    all_are(&alice, "mailbox").await;
    let told = alice.get(&format!("/diagnostics/{READER}")).await.json();
    assert_eq!((&told["connected"], &told["mail"]["ok"]), (&json!(false), &json!(true)), "{told:#}");
    let keeps = async || carol.get("/status").await.json()["mailbox"]["mails"].as_u64().unwrap();
    assert!(keeps().await > 0);

    // What carol could give away: her files, and all that her program has in its memory.
    let known_to = |what: &str, bytes: &[u8]| {
        for text in [CANARY, WRITER, READER] {
            assert!(!kept::has(bytes, text), "{what} holds {text}");
        }
    };
    known_to("carol's disk", &kept::kept(carol.data.path()));
    assert!(kept::has(&kept::kept(carol.data.path()), "carol"), "the files that were searched are none");
    match (memory::of(&carol.program), memory::of(&alice.program)) {
        (Some(carols), Some(alices)) => {
            assert!(kept::has(&alices, CANARY), "the search finds what is there");
            known_to("carol's memory", &carols);
        }
        _ => println!("SKIPPED: only root, or whoever may trace other programs, can read a program's memory"),
    }

    // Alice goes off, bob comes: he has the messages.
    let alices = leaves(alice).await;
    let bob = start(READER, &tracker, bobs, &flags).await;
    until("bob has all of it", async || (texts(&bob, WRITER).await.len() >= TEXTS).then_some(())).await;
    assert_eq!(texts(&bob, WRITER).await, said());
    // Bob goes off at once, alice returns: her tick turns.
    let bobs = leaves(bob).await;
    let alice = start(WRITER, &tracker, alices, &flags).await;
    all_are(&alice, "delivered").await;
    until("nothing is left", async || (keeps().await == 0).then_some(())).await;

    // And nothing comes twice when they meet.
    let bob = start(READER, &tracker, bobs, &flags).await;
    bob.has(&[WRITER]).await;
    assert_eq!(texts(&bob, WRITER).await, said());
}

/// Whoever keeps mail may be killed at any time: what was signed for is there when the program is.
#[tokio::test]
async fn a_mailbox_that_is_killed_loses_nothing_that_it_has_signed_for() {
    let tracker = play::tracker().await;
    let (carol, address) = keeper(&tracker, tempdir().unwrap(), "127.0.0.1:0").await;
    let at: Value = carol.get("/status").await.json()["endpoints"][0].clone();
    let port = at.as_str().unwrap().trim_end_matches("/p2p").rsplit_once(':').unwrap().1.to_owned();
    let flags = ["--use-mailbox", &address];
    let alice = start(WRITER, &tracker, tempdir().unwrap(), &flags).await;
    let bob = start(READER, &tracker, tempdir().unwrap(), &flags).await;
    drop(link(&alice, &bob).await);
    collects(&bob).await;
    let bobs = leaves(bob).await;
    for text in said() {
        assert_eq!(alice.say(READER, &text).await.status, 200);
    }
    all_are(&alice, "mailbox").await;
    let Peer { program, data, .. } = carol;
    program.kill().await;
    let alices = leaves(alice).await;

    let bob = start(READER, &tracker, bobs, &flags).await;
    let told = until("that it is away is told", async || {
        let state = bob.get("/status").await.json()["mailboxes"][0].clone();
        state["trouble"].is_string().then_some(state)
    })
    .await;
    assert_eq!(told["trouble"], "port_closed", "{told:#}");
    assert!(told["next"].as_str().unwrap().contains("Check that the other peer runs"), "{told:#}");
    let (_carol, again) = keeper(&tracker, data, &format!("127.0.0.1:{port}")).await;
    assert_eq!(again, address, "what she told her friends holds");
    until("bob has all of it", async || (texts(&bob, WRITER).await.len() >= TEXTS).then_some(())).await;
    assert_eq!(texts(&bob, WRITER).await, said());
    drop(alices);
}

/// Fills the letterbox of whoever goes by this name at the tracker with what nobody can read, as anybody may who knows it.
async fn fill_letterbox(tracker: &Program, of: &str) {
    let tracker = HttpTracker::new(&format!("http://{}", tracker.api)).unwrap();
    let record = tracker.find(&of.parse().unwrap()).await.unwrap().unwrap().record.unwrap();
    let letterbox = record.record().letterboxes[0].clone();
    let link = WebSocketTransport::new().dial(&letterbox.endpoints[0], &Clearance::of_the_user()).await.unwrap();
    let nobody = Identity::generate().unwrap();
    let link = secure::client(link, &nobody, letterbox.mailbox, Purpose::Mailbox).await.unwrap();
    let mut depositor = Depositor::new(link).unwrap();
    let mut size = MAIL_SIZES.len() - 1;
    for n in 0_u64.. {
        let mut garbage = vec![0; MAIL_SIZES[size] + 49];
        garbage[0] = 1;
        garbage[1..9].copy_from_slice(&n.to_be_bytes());
        match depositor.deposit(&letterbox, garbage).await {
            Ok(_kept) => {}
            // Where the largest has no place any more, smaller ones may.
            Err(MailboxError::Refused(Refusal::Full)) if size > 0 => size -= 1,
            Err(MailboxError::Refused(Refusal::Full)) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_full_letterbox_is_told_and_mended_by_its_owner_who_collects() {
    let tracker = play::tracker().await;
    let (carol, address) = keeper(&tracker, tempdir().unwrap(), "127.0.0.1:0").await;
    let flags = ["--use-mailbox", &address];
    let alice = start(WRITER, &tracker, tempdir().unwrap(), &[]).await;
    let bob = start(READER, &tracker, tempdir().unwrap(), &flags).await;
    drop(link(&alice, &bob).await);
    collects(&bob).await;
    // Killed, for whoever leaves in good order is unlisted.
    let Peer { program, data: bobs, .. } = bob;
    program.kill().await;
    fill_letterbox(&tracker, READER).await;
    assert_eq!(alice.say(READER, CANARY).await.status, 200);
    let mail = until("that it is full is told", async || {
        let told = alice.get(&format!("/diagnostics/{READER}")).await.json();
        (told["mail"]["ok"] == false).then(|| told["mail"].clone())
    })
    .await;
    assert_eq!(mail["code"], "mailbox_full", "{mail:#}");
    assert!(mail["next"].as_str().unwrap().contains("until the other end has collected"), "{mail:#}");
    let bob = start(READER, &tracker, bobs, &flags).await;
    all_are(&alice, "delivered").await;
    assert_eq!(texts(&bob, WRITER).await, [CANARY]);
    until("the garbage is gone", async || (carol.get("/status").await.json()["mailbox"]["mails"] == 0).then_some(()))
        .await;
}
