//! Alice takes her machine into another network while she talks to bob: real programs, real sockets, and addresses that are
//! really gone. Whatever was sent to the old one vanishes without a word, as it does there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "contract/http.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod http;
#[path = "moving/network.rs"]
mod network;
#[path = "contract/play.rs"]
#[allow(dead_code, reason = "the contract uses more of it")]
mod play;

use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;

use network::Machine;
use play::{Peer, Program, tracker_at, until};

/// Where bob and the tracker are, and where alice is before and after.
const HERE: &str = "10.77.0.1";
const BEFORE: &str = "10.77.0.2";
const AFTER: &str = "10.77.0.3";

/// Long before a half-open link is noticed, after 40 seconds.
const SOON: Duration = Duration::from_secs(25);

const PEER: &str = env!("CARGO_BIN_EXE_chatp2p-peer");

fn in_network(address: &str) -> String {
    format!("{address}/24")
}

/// Starts a peer that serves links there.
async fn peer(mut command: Command, name: &str, p2p: &str, tracker: &Program) -> Peer {
    let (data, url) = (tempfile::tempdir().unwrap(), format!("http://{}", tracker.api));
    command.args(["--bind", "127.0.0.1:0", "--username", name, "--p2p", p2p, "--tracker", &url, "--data-dir"]);
    let program = Program::start(command.arg(data.path())).await;
    Peer { program, name: name.to_owned(), data }
}

/// What alice's own program says about her.
async fn doctor(machine: &Machine, alice: &Peer) -> Value {
    let mut command = machine.command(PEER);
    let url = format!("http://{}", alice.program.api);
    let output = command.args(["doctor", "--json", "--url", &url]).output().await.unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// How a message of bob's stands, by its text.
async fn tick(bob: &Peer, text: &str) -> Option<String> {
    let messages = bob.get("/messages?limit=1000&peer=alice").await.json();
    let message = messages["messages"].as_array().unwrap().iter().find(|message| message["content"] == text)?.clone();
    message["delivery"].as_str().map(str::to_owned)
}

async fn is_delivered(bob: &Peer, text: &str) {
    until(&format!("{text:?} arrives"), async || tick(bob, text).await.filter(|tick| tick == "delivered").map(drop))
        .await;
}

#[tokio::test]
async fn who_moves_into_another_network_is_listed_there_and_linked_again_long_before_the_old_link_is_given_up() {
    let test = "who_moves_into_another_network_is_listed_there_and_linked_again_long_before_the_old_link_is_given_up";
    if !network::is_inside(test).await {
        return;
    }
    let machine = Machine::beside(&in_network(HERE)).await;
    machine.moves_to(&in_network(BEFORE)).await;
    let tracker = tracker_at(&format!("{HERE}:0")).await;
    let alice = peer(machine.command(PEER), "alice", "0.0.0.0:0", &tracker).await;
    let bob = peer(Command::new(PEER), "bob", &format!("{HERE}:0"), &tracker).await;

    assert_eq!(bob.connect("alice").await.status, 200);
    let dialled = async || bob.get("/diagnostics/alice").await.json()["link"]["endpoint"].clone();
    let at_first = dialled().await.as_str().unwrap().to_owned();
    assert!(at_first.contains(BEFORE), "{at_first}");
    assert_eq!(bob.say("alice", "before").await.status, 200);
    is_delivered(&bob, "before").await;

    let mut events = bob.events().await;
    machine.moves_to(&in_network(AFTER)).await;
    let moved = Instant::now();
    assert_eq!(bob.say("alice", "into the void").await.status, 200);
    is_delivered(&bob, "into the void").await;
    let healed = moved.elapsed();
    let listed = async || http::send(tracker.api, "GET", "/peers/alice", &[("host", "tracker")], None).await.body;
    let listed = until("the tracker lists it", async || {
        let listed = listed().await;
        listed.contains(AFTER).then_some(listed)
    })
    .await;
    eprintln!("healed after {healed:?}, listed after {:?}", moved.elapsed());
    assert!(moved.elapsed() < SOON, "{:?}", moved.elapsed());
    assert!(!listed.contains(BEFORE), "{listed}");
    let told = doctor(&machine, &alice).await;
    let advertised = told["advertised"][0]["endpoint"].as_str().unwrap_or_else(|| panic!("{told}"));
    assert!(advertised.contains(AFTER), "{told}");

    events.say(Message::Text("anything new?".into())).await;
    while let Some(event) = events.next().await.filter(|event| event["type"] != "pong") {
        assert_ne!(event["type"], "peer_disconnected", "nobody was gone meanwhile");
    }

    // Whoever looks for her now finds her there.
    assert_eq!(bob.ask("DELETE", "/disconnect/alice", None).await.status, 200);
    assert_eq!(bob.connect("alice").await.status, 200);
    assert_eq!(dialled().await.as_str().unwrap(), at_first.replace(BEFORE, AFTER));
    assert_eq!(bob.say("alice", "found you").await.status, 200);
    is_delivered(&bob, "found you").await;
}
