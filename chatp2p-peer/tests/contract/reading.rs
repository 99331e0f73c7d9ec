//! What was read is told to whoever wrote it, by the API and by events, and is not where the user wants that.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::play::{Peer, link, running, tracker, until};

async fn read(peer: &Peer, with: &str, through: &Value) -> Answer {
    peer.ask("PUT", &format!("/conversations/{with}/read"), Some(&json!({"through": through}))).await
}

async fn newest(peer: &Peer) -> Value {
    peer.get("/messages").await.json()["messages"].as_array().unwrap().last().unwrap().clone()
}

#[tokio::test]
async fn whoever_wrote_is_told_what_was_read_unless_that_is_switched_off() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let (mut events, _) = link(&alice, &bob).await;
    assert_eq!(alice.say("bob", "did you see this?").await.status, 200);
    bob.heard("alice", &[("alice", "did you see this?")]).await;
    let first = newest(&bob).await["id"].clone();

    let answer = read(&bob, "alice", &first).await;
    assert_eq!((answer.status, answer.json()), (200, json!({"status": "read", "told": true})));
    let told = loop {
        let event = events.next().await.expect("an open socket");
        if event["type"] == "read" {
            break event;
        }
    };
    assert_eq!(told, json!({"type": "read", "peer": "bob", "through": first}));
    assert_eq!(newest(&alice).await["delivery"], "read");
    assert_eq!(alice.get("/conversations").await.json()["conversations"][0]["last"]["delivery"], "read");

    assert_eq!(bob.get("/settings").await.json(), json!({"read_receipts": true}));
    let off = json!({"read_receipts": false});
    let answer = bob.ask("PUT", "/settings", Some(&off)).await;
    assert_eq!((answer.status, answer.json()), (200, off.clone()));
    assert_eq!(alice.say("bob", "and this?").await.status, 200);
    bob.heard("alice", &[("alice", "did you see this?"), ("alice", "and this?")]).await;
    let second = newest(&bob).await["id"].clone();
    assert_eq!(read(&bob, "alice", &second).await.json(), json!({"status": "read", "told": false}));
    // What bob says comes behind what he would have told.
    assert_eq!(bob.say("alice", "no answer from me").await.status, 200);
    until("bob's answer is here", async || (newest(&alice).await["from"] == "bob").then_some(())).await;
    let kept = alice.get("/messages").await.json()["messages"].clone();
    let deliveries: Vec<_> = kept.as_array().unwrap().iter().map(|message| message["delivery"].clone()).collect();
    assert_eq!(deliveries, ["read", "delivered", "delivered"]);
}

#[tokio::test]
async fn what_nobody_has_written_is_not_read() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let _events = link(&alice, &bob).await;
    assert_eq!(alice.say("bob", "mine").await.status, 200);
    let mine = newest(&alice).await["id"].clone();
    read(&alice, "bob", &mine).await.refuses(404, "unknown_message");
    read(&alice, "bob", &json!("5f2b8c1e9a3d4706b1c2d3e4f5a60718")).await.refuses(404, "unknown_message");
    read(&alice, "carol", &mine).await.refuses(404, "unknown_peer");
    read(&alice, "no%20name", &mine).await.refuses(404, "unknown_peer");
    read(&alice, "bob", &json!("five")).await.refuses(422, "invalid_input");
    read(&alice, "bob", &json!(5)).await.refuses(422, "invalid_input");
    alice.ask("PUT", "/settings", Some(&json!({}))).await.refuses(422, "invalid_input");
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    read(&alice, "bob", &mine).await.refuses(400, "not_running");
    alice.get("/settings").await.refuses(400, "not_running");
    alice.ask("PUT", "/settings", Some(&json!({"read_receipts": false}))).await.refuses(400, "not_running");
}
