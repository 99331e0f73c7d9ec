//! Who does not read: a link whose other end is silent, and pages that do not look. They hold nobody up and fill nothing.

use std::time::Duration;

use tokio::time::Instant;

use crate::history::written_by;
use crate::line::{Line, Said};
use crate::play::{Peer, Program, running, tracker, until};
use crate::tap::Wire;

/// How much is said, in texts and in bytes of each: more than all sockets and queues on the way hold together.
const TEXTS: usize = 2_000;
const SIZE: usize = 20_000;

/// How many pages do not look.
const PAGES: usize = 8;

/// Far above what a message takes, and below every time-out that somebody could have waited for.
const AT_ONCE: Duration = Duration::from_secs(5);

/// What a program may grow by: queues of some megabytes, whatever an allocator keeps, and not the 40 MB that are said to
/// each of those who do not read.
const MAX_GROWTH_MB: usize = 38;

/// How long a page may take nothing of what waits for it before it counts as gone.
const LOOKS_WITHIN: Duration = Duration::from_secs(30);

/// The memory that a program has in use, in megabytes.
pub(crate) fn memory_mb(program: &Program) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its size");
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

fn text(n: usize) -> String {
    format!("{n} {}", "x".repeat(SIZE))
}

/// Waits for the last text. Texts come in order, so that all of them need to be read only once.
async fn has_the_last(peer: &Peer) {
    until("the last text", async || {
        let newest = peer.get("/messages?limit=1").await.json()["messages"][0]["content"].clone();
        (newest == text(TEXTS - 1)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn half_open_links_and_slow_readers_hold_nobody_up_and_fill_no_memory() {
    let tracker = tracker().await;
    let wire = Wire::to_peer().await;
    let (alice, carol) = (running("alice", &tracker).await, running("carol", &tracker).await);
    let bob = wire.peer("bob", tracker.api).await;
    for name in ["bob", "carol"] {
        assert_eq!(alice.connect(name).await.status, 200);
    }
    let opened = Instant::now();
    let mut pages = Vec::new();
    for _ in 0..PAGES {
        pages.push((alice.events().await, carol.events().await));
    }
    let mut line = Line::default();
    // What a program has in use once everything has been used.
    for name in ["bob", "carol"] {
        assert_eq!(line.say(alice.program.api, name, "0").await, Said::Answered(200));
    }
    until("the first text", async || (carol.talk("alice").await.len() == 1).then_some(())).await;
    let before = [&alice, &carol].map(|peer| memory_mb(&peer.program));
    wire.hold();
    let mut slowest = Duration::ZERO;
    for n in 1..TEXTS {
        for name in ["bob", "carol"] {
            let begun = Instant::now();
            assert_eq!(line.say(alice.program.api, name, &text(n)).await, Said::Answered(200), "{n} to {name}");
            slowest = slowest.max(begun.elapsed());
        }
    }
    assert!(slowest < AT_ONCE, "a text was answered after {slowest:?}");
    let begun = Instant::now();
    has_the_last(&carol).await;
    assert!(begun.elapsed() < AT_ONCE, "carol had the last text after {:?}", begun.elapsed());
    let after = [&alice, &carol].map(|peer| memory_mb(&peer.program));
    eprintln!("memory in MB of alice and carol: {before:?}, then {after:?}; slowest answer {slowest:?}");
    for (before, after) in before.into_iter().zip(after) {
        assert!(after < before + MAX_GROWTH_MB, "{before} MB became {after}");
    }
    // The page that looks again is told what it missed. Only one that has not looked for too long may be gone.
    let (_, of_carol) = &mut pages[0];
    let missed = loop {
        match of_carol.next().await {
            Some(event) if event["type"] == "gap" => break event["missed"].as_u64(),
            Some(_) => {}
            None => break None,
        }
    };
    assert!(missed.is_some_and(|missed| missed > 0) || opened.elapsed() > LOOKS_WITHIN, "{missed:?}");
    // All of it was kept.
    wire.release();
    for peer in [&carol, &bob] {
        has_the_last(peer).await;
        let kept = written_by("alice", peer, "alice").await;
        assert!(kept.iter().skip(1).enumerate().all(|(n, kept)| *kept == text(n + 1)) && kept.len() == TEXTS);
    }
}
