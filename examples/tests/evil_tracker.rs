//! The evil tracker does lie, and nothing comes of any lie: its own check, and the program before somebody else's tracker.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/program.rs"]
mod program;
#[path = "support/tracker.rs"]
mod tracker;

use chatp2p_core::identity::{Identity, Username};
use chatp2p_core::record::{PeerRecord, SignedRecord};
use chatp2p_core::tracker::{Claim, HttpTracker, SignedClaim, Tracker};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use program::{WITHIN, example};

/// A row for each lie that there is, the honest answer included.
const LIES: usize = 15;

#[tokio::test]
async fn its_own_check_tells_every_lie_and_nothing_comes_of_any() {
    let said = program::said(example("evil_tracker").arg("--check")).await;
    let rows: Vec<Vec<&str>> = said.lines().skip(2).map(|row| row.split('|').map(str::trim).collect()).collect();
    let rows: Vec<_> = rows.iter().filter(|row| row.len() == 7).collect();
    assert_eq!(rows.len(), LIES, "{said}");
    for row in &rows {
        assert_eq!(row[2] == "0", row[1] == "Honest", "{row:?}");
        assert_ne!(row[4], "connected", "{row:?}");
        // Who has only this tracker is told that something is wrong with it, unless it lies about others.
        let refused = ["Taken", "Garbage", "Deep", "Endless", "Drip", "Silent", "Redirect"].contains(&row[1]);
        assert_eq!(row[5] != "is listed", refused, "{row:?}");
    }
    assert!(said.ends_with("check passed: 14 lies, 16 texts arrived, none at the false key\n"), "{said}");
}

#[tokio::test]
async fn before_a_tracker_it_passes_on_what_is_honest_and_swaps_the_key_that_it_is_asked_to() {
    let honest = tracker::serve().await;
    let at_honest = HttpTracker::new(&honest).unwrap();
    let keys = ["alice", "bob"].map(|name| (name.parse::<Username>().unwrap(), Identity::generate().unwrap()));
    let id = at_honest.health().await.unwrap().tracker_id;
    for (username, who) in keys.clone() {
        let endpoints = vec!["ws://127.0.0.1:9".parse().unwrap()];
        let record =
            PeerRecord { username, peer_id: who.peer_id(), endpoints, seq: 1, pre_keys: None, letterboxes: Vec::new() };
        let claim = SignedClaim::sign(&who, SignedRecord::sign(&who, record).unwrap(), id);
        at_honest.register(Claim::Signed(claim)).await.unwrap();
    }
    let mut command = example("evil_tracker");
    command.args(["--before", &honest, "--bind", "127.0.0.1:0", "--about", "bob"]);
    let mut evil = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(evil.stdout.take().unwrap()).lines();
    let mut line = async || timeout(WITHIN, lines.next_line()).await.expect("a line").unwrap().expect("a line");
    let url = line().await.strip_prefix("The evil tracker serves at ").unwrap().to_owned();
    let false_key = line().await.rsplit_once(" is ").unwrap().1.trim_end_matches('.').to_owned();
    let through = HttpTracker::new(&url).unwrap();
    let key = async |name: &Username| {
        let listed = through.find(name).await.unwrap().unwrap();
        listed.record.unwrap().record().peer_id.to_string()
    };
    let [(alice, alices), (bob, bobs)] = &keys;
    assert_eq!((key(alice).await, key(bob).await), (alices.peer_id().to_string(), bobs.peer_id().to_string()));
    let mut stdin = evil.stdin.take().unwrap();
    stdin.write_all(b"swap\n").await.unwrap();
    assert!(line().await.contains("goes by Swap"));
    assert_eq!((key(alice).await, key(bob).await), (alices.peer_id().to_string(), false_key));
    stdin.write_all(b"nonsense\n").await.unwrap();
    assert!(line().await.contains("--help lists the lies"));
    drop(stdin);
    let ended = timeout(WITHIN, evil.wait()).await.expect("an end").unwrap();
    assert_eq!(ended.code(), Some(0));
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_one_line_and_a_failure() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = taken.local_addr().unwrap().to_string();
    let output = program::end(example("evil_tracker").args(["--bind", &at])).await;
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("--bind") && said.lines().count() == 1, "{said}");
}
