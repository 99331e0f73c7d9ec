//! Trackers that forget, and strangers at them.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::http::{self, Answer};
use crate::play::{Program, running, tracker, tracker_at, tracker_command};
use crate::tap::Wire;

/// A heartbeat comes every 30 seconds, and registering again right after it.
const LISTED_AGAIN_WITHIN: Duration = Duration::from_secs(45);

/// For how long the tracker lists a name without a heartbeat, in seconds: much less than a peer's own beat.
const TTL: u64 = 3;

/// How often is asked.
const PAUSE: Duration = Duration::from_millis(100);

async fn ask(tracker: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> Answer {
    let host = tracker.to_string();
    let headers = [("host", host.as_str()), ("content-type", "application/json")];
    http::send(tracker, method, path, &headers, body.map(Value::to_string).as_deref()).await
}

async fn listed(tracker: SocketAddr) -> Vec<Value> {
    ask(tracker, "GET", "/peers", None).await.json().as_array().unwrap().clone()
}

#[tokio::test]
async fn a_tracker_that_lost_everything_lists_the_node_again_by_itself() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    let at = tracker.api;
    let before = listed(at).await;
    tracker.kill().await;
    let tracker = tracker_at(&at.to_string()).await;
    assert_eq!(listed(at).await, [] as [Value; 0]);
    let begun = Instant::now();
    let after = loop {
        let listed = listed(at).await;
        if !listed.is_empty() {
            break listed;
        }
        assert!(begun.elapsed() < LISTED_AGAIN_WITHIN, "the node never came back");
        sleep(PAUSE).await;
    };
    for field in ["username", "host", "port", "peer_id"] {
        assert_eq!(after[0][field], before[0][field]);
    }
    let bob = running("bob", &tracker).await;
    assert_eq!(bob.connect("alice").await.status, 200);
    alice.has(&["bob"]).await;
    assert_eq!(alice.get("/status").await.json()["tracker"]["trouble"], Value::Null);
}

/// The registration as it went over the wire.
fn overheard(wire: &Wire) -> Value {
    let bytes = wire.there();
    let text = String::from_utf8_lossy(&bytes);
    let request = text.split("POST /register").nth(1).expect("a registration");
    let body = request.split_once("\r\n\r\n").expect("its body").1;
    serde_json::Deserializer::from_str(body).into_iter().next().unwrap().unwrap()
}

#[tokio::test]
async fn a_stranger_can_neither_move_nor_remove_nor_keep_alive_a_nodes_name() {
    let mut command = tracker_command("127.0.0.1:0", None);
    let tracker = Program::start(command.args(["--ttl", &TTL.to_string()])).await;
    let at = tracker.api;
    let (wire, links) = (Wire::to(at).await, Wire::to_peer().await);
    let _alice = links.peer("alice", wire.at).await;
    let begun = Instant::now();
    let replay = overheard(&wire);
    assert!(replay["signature"].is_string(), "{replay}");
    let before = listed(at).await;
    let (host, port) = (&before[0]["host"], &before[0]["port"]);
    let mut changed = replay.clone();
    changed["host"] = json!("192.0.2.1");
    let strangers: [(&str, &str, Option<Value>); 6] = [
        ("POST", "/register", Some(json!({"username": "alice", "host": "192.0.2.1", "port": 6666}))),
        ("POST", "/register", Some(json!({"username": "alice", "host": host, "port": port}))),
        ("POST", "/heartbeat", Some(json!({"username": "alice"}))),
        ("POST", "/heartbeat", Some(json!({"username": "alice", "counter": 1, "mac": "A".repeat(43)}))),
        ("DELETE", "/unregister/alice", None),
        ("DELETE", &format!("/unregister/alice?counter=1&mac={}", "A".repeat(43)), None),
    ];
    let all = async || {
        for (method, path, body) in &strangers {
            let answer = ask(at, method, path, body.as_ref()).await;
            assert_eq!(answer.status, 403, "{method} {path}: {answer:?}");
        }
        // What was overheard may be said again, and counts for nothing.
        for body in [&replay, &changed] {
            let answer = ask(at, "POST", "/register", Some(body)).await;
            assert!(!answer.body.contains("lease_secret"), "{answer:?}");
        }
    };
    all().await;
    assert_eq!(listed(at).await, before);
    loop {
        all().await;
        let listed = listed(at).await;
        if listed.is_empty() {
            break;
        }
        assert_eq!(listed, before);
        assert!(begun.elapsed() < Duration::from_secs(4 * TTL), "somebody keeps the name alive");
        sleep(PAUSE).await;
    }
    all().await;
    assert_eq!(listed(at).await, [] as [Value; 0]);
}
