//! The hostile peer does what it says, and says so where its victim does not stand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;
#[path = "support/tracker.rs"]
mod tracker;

use std::sync::Arc;

use chatp2p_core::node::{Node, PeerNode};
use chatp2p_core::tracker::HttpTracker;
use chatp2p_core::transport::WebSocketTransport;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::time::timeout;

use program::{WITHIN, example};

/// The attacks on a victim that lets strangers in, and what is surely read of its answers: how many acknowledgements it makes of
/// several entries depends on the turns it takes.
const ATTACKS: [(&str, &str); 11] = [
    ("Garbage", "hung up (19)"),
    ("Endless", "hung up (2)"),
    ("Oversize", "hung up (9)"),
    ("Replay", "refused: name_unproved (1)"),
    ("Disorder", "acknowledged ("),
    ("Acks", "stayed on the line (11)"),
    ("Forgeries", "stayed on the line (4)"),
    ("Ciphertexts", "hung up (4)"),
    ("Texts", "could not read it ("),
    ("Slow", "took 1000 calls"),
    ("Many", "took 1000 calls"),
];

async fn victim(tracker: &str) -> Node {
    let node = Node::builder("victim".parse().unwrap(), Arc::new(HttpTracker::new(tracker).unwrap()));
    let node = node.transport(Arc::new(WebSocketTransport::new())).listen("ws://127.0.0.1:0".parse().unwrap());
    node.start().await.unwrap()
}

#[tokio::test]
async fn its_own_check_does_everything_and_the_victims_stand() {
    let said = program::said(example("hostile_peer").arg("--check")).await;
    for (attack, answer) in ATTACKS {
        let row = said.lines().find(|line| line.starts_with(&format!("| {attack} |")));
        assert!(row.is_some_and(|row| row.contains(answer)), "{attack}: {said}");
    }
    let requests = said.lines().find(|line| line.starts_with("| Requests |")).unwrap();
    assert!(!requests.contains("acknowledged") && requests.contains("refused: refused ("), "{requests}");
    let passed = "check passed: 12 attacks, 13 texts kept once and in order, no stranger let in\n";
    assert!(said.ends_with(passed), "{said}");
}

#[tokio::test]
async fn a_victim_that_stands_is_a_success() {
    let tracker = tracker::serve().await;
    let victim = victim(&tracker).await;
    let mut command = example("hostile_peer");
    command.args(["--tracker", &tracker, "--attack", "acks", "--attack", "many", "--links", "20", "victim"]);
    let said = program::said(&mut command).await;
    assert!(said.contains("| Many | took 20 calls (1) |"), "{said}");
    let stands = "victim stands: 2 attacks, and somebody honest was served during or after each\n";
    assert!(said.ends_with(stands), "{said}");
    assert!(victim.connected().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_victim_that_falls_is_a_failure_and_is_said_to_have_fallen() {
    let tracker = tracker::serve().await;
    let victim = victim(&tracker).await;
    let mut command = example("hostile_peer");
    command.args(["--tracker", &tracker, "--attack", "acks", "--attack", "oversize", "--attack", "texts", "victim"]);
    let mut hostile = command.spawn().unwrap();
    let mut lines = BufReader::new(hostile.stdout.take().unwrap()).lines();
    while let Some(line) = timeout(WITHIN, lines.next_line()).await.expect("a line").unwrap() {
        if line.starts_with("| Acks |") {
            victim.stop().await.unwrap();
        }
        assert!(!line.contains("stands"), "{line}");
    }
    let (mut trouble, mut stderr) = (String::new(), hostile.stderr.take().unwrap());
    stderr.read_to_string(&mut trouble).await.unwrap();
    let ended = timeout(WITHIN, hostile.wait()).await.expect("an end").unwrap();
    assert_eq!(ended.code(), Some(1), "{trouble}");
    assert!(trouble.starts_with("hostile_peer: ") && trouble.contains("Oversize"), "{trouble}");
}

#[tokio::test]
async fn whom_nobody_lists_is_no_victim() {
    let tracker = tracker::serve().await;
    let output = program::end(example("hostile_peer").args(["--tracker", &tracker, "nobody"])).await;
    let trouble = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), trouble.lines().count()), (Some(1), 1), "{trouble}");
    assert!(trouble.contains("lists nobody called nobody"), "{trouble}");
}
