//! Nothing that was answered with success is lost, kept twice or out of order, even if either end is killed again and
//! again in the middle of it: real programs, real disks, `kill -9`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "kill/history.rs"]
mod history;
#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "kill/insist.rs"]
mod insist;
#[path = "kill/line.rs"]
mod line;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;
#[path = "kill/scale.rs"]
mod scale;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use history::{Damage, compare, written_by};
use insist::insist;
use line::Line;
use play::{Peer, Program, running, running_at, tracker, until};
use scale::setting;

/// How many messages are sent in all. `CHATP2P_KILL_SENDS` and `CHATP2P_KILL_ROUNDS` make a thorough run of it.
const SENDS: usize = 1_500;

/// How often each of the two is killed.
const ROUNDS: usize = 3;

/// Who talks: three streams one way, one the other, so that both ends have a log of their own to lose.
const STREAMS: [(&str, Side); 4] = [("a", Side::Alice), ("b", Side::Alice), ("c", Side::Alice), ("d", Side::Bob)];

/// How often is looked whether the last messages have arrived.
const PAUSE: Duration = Duration::from_millis(20);

/// How long the last messages may take to arrive.
const ARRIVED_WITHIN: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Alice,
    Bob,
}

/// Sends one text after the other until all are said, and returns the numbers of those that were answered with success.
/// Texts that got no answer are not said again.
async fn talk(
    stream: &'static str,
    to: &'static str,
    api: watch::Receiver<SocketAddr>,
    sends: usize,
    said: Arc<AtomicUsize>,
) -> (String, Vec<u64>) {
    let mut line = Line::default();
    let mut acknowledged = Vec::new();
    for n in 0..sends as u64 {
        if insist(&mut line, &api, to, &format!("{stream}/{n}")).await {
            acknowledged.push(n);
        }
        said.fetch_add(1, Ordering::Relaxed);
    }
    (stream.to_owned(), acknowledged)
}

/// Kills a peer and starts it again with what it has kept.
async fn kill(peer: Peer, tracker: &Program, api: &watch::Sender<SocketAddr>) -> Peer {
    let Peer { program, name, data } = peer;
    program.kill().await;
    let peer = running_at(&name, tracker, data).await;
    api.send_replace(peer.program.api);
    peer
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_kept_twice_or_out_of_order_when_either_end_is_killed() {
    let (sends, rounds) = (setting("CHATP2P_KILL_SENDS", SENDS), setting("CHATP2P_KILL_ROUNDS", ROUNDS));
    let begun = Instant::now();
    let tracker = tracker().await;
    let (mut alice, mut bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    assert_eq!(alice.connect("bob").await.status, 200);
    bob.has(&["alice"]).await;
    let (alice_at, bob_at) = (watch::Sender::new(alice.program.api), watch::Sender::new(bob.program.api));
    let said = Arc::new(AtomicUsize::new(0));
    let mut streams = JoinSet::new();
    for (stream, side) in STREAMS {
        let (api, to) = match side {
            Side::Alice => (alice_at.subscribe(), "bob"),
            Side::Bob => (bob_at.subscribe(), "alice"),
        };
        streams.spawn(talk(stream, to, api, sends / STREAMS.len(), Arc::clone(&said)));
    }
    // The kills are spread over the sends, so that all of them hit a stream.
    for round in 0..2 * rounds {
        let due = (round + 1) * sends / (2 * rounds + 2);
        until("more that is said", async || (said.load(Ordering::Relaxed) >= due).then_some(())).await;
        if round % 2 == 0 {
            alice = kill(alice, &tracker, &alice_at).await;
        } else {
            bob = kill(bob, &tracker, &bob_at).await;
        }
    }
    let acknowledged: BTreeMap<String, Vec<u64>> = streams.join_all().await.into_iter().collect();
    let of = |side: Side| -> BTreeMap<String, Vec<u64>> {
        let names = STREAMS.iter().filter(|stream| stream.1 == side).map(|stream| stream.0);
        names.map(|name| (name.to_owned(), acknowledged[name].clone())).collect()
    };
    let count: usize = acknowledged.values().map(Vec::len).sum();
    // Each kill of an author leaves a text of each of its streams without an answer, and those that knock at a dying program.
    assert!(count + STREAMS.len() * (3 * rounds + 1) >= sends, "{count} of {sends} were answered");
    for (side, from, to) in [(Side::Alice, &alice, &bob), (Side::Bob, &bob, &alice)] {
        let expected = of(side);
        let deadline = Instant::now() + ARRIVED_WITHIN;
        let there = loop {
            let kept = written_by(&from.name, to, &from.name).await;
            if compare(&kept, &expected).lost == 0 || Instant::now() > deadline {
                break kept;
            }
            sleep(PAUSE).await;
        };
        assert_eq!(compare(&there, &expected), Damage::default(), "from {} as {} has it", from.name, to.name);
        // What the author shows is what arrived, once every text of it was taken.
        until("the last ticks", async || {
            let (here, there) =
                (written_by(&from.name, from, &to.name).await, written_by(&from.name, to, &from.name).await);
            (here == there).then_some(())
        })
        .await;
    }
    let took = begun.elapsed();
    eprintln!("{count} of {sends} sends answered, each end killed {rounds} times, nothing lost, in {took:?}");
}
