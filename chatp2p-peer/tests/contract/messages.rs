//! What is said: sent, queued, broadcast, and read again.

use serde_json::{Value, json};

use crate::play::{Peer, Program, link, running, running_at, tracker, until};

async fn pair(tracker: &Program) -> (Peer, Peer) {
    let (alice, bob) = (running("alice", tracker).await, running("bob", tracker).await);
    link(&alice, &bob).await;
    (alice, bob)
}

async fn deliveries(peer: &Peer, with: &str) -> Vec<Value> {
    let page = peer.get(&format!("/messages?peer={with}")).await.json();
    page["messages"].as_array().unwrap().iter().map(|message| message["delivery"].clone()).collect()
}

#[tokio::test]
async fn a_message_arrives_unchanged_and_is_told_on_every_socket_of_both_sides() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    let (mut one, mut two) = (bob.events().await, bob.events().await);
    let (mut of_alice, mut in_another_tab) = (alice.events().await, alice.events().await);
    for content in ["hello", "", " \t\r\n ", "<b>&amp;</b>", "José \u{1f600} \u{202e}\u{0}\u{1}", "\\u0041\"'`"] {
        let sent = alice.say("bob", content).await;
        assert_eq!((sent.status, &sent.json()["status"]), (200, &json!("sent")), "{content:?}");
        for events in [&mut one, &mut two] {
            let event = events.happens().await;
            assert_eq!(event["type"], "message");
            assert_eq!((&event["data"]["from"], &event["data"]["content"]), (&json!("alice"), &json!(content)));
            assert_eq!(event["data"]["id"], sent.json()["id"]);
            assert!(event["data"]["timestamp"].as_str().unwrap().ends_with('Z'));
        }
        let kept = alice.get("/messages?limit=1").await.json()["messages"][0].clone();
        for events in [&mut of_alice, &mut in_another_tab] {
            // Never as a `message`, which to the classic page is somebody else's.
            let data = json!({"id": kept["id"], "to": "bob", "content": content, "timestamp": kept["timestamp"], "delivery": "sent"});
            assert_eq!(events.happens().await, json!({"type": "written", "data": data}));
        }
    }
    for events in [&mut one, &mut two, &mut of_alice, &mut in_another_tab] {
        events.quiet().await;
    }
}

#[tokio::test]
async fn a_burst_of_messages_arrives_in_order_and_once() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    let mut events = bob.events().await;
    for n in 0..300 {
        assert_eq!(alice.say("bob", &n.to_string()).await.status, 200);
    }
    for n in 0..300 {
        assert_eq!(events.happens().await["data"]["content"], n.to_string());
    }
    events.quiet().await;
}

#[tokio::test]
async fn a_mebibyte_of_text_arrives() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    let mut events = bob.events().await;
    for text in ["\u{1}".repeat(1 << 20), "ñ".repeat(1 << 19)] {
        assert_eq!(alice.say("bob", &text).await.status, 200);
        assert!(events.happens().await["data"]["content"] == text.as_str());
    }
}

#[tokio::test]
async fn who_was_never_connected_gets_nothing_even_if_listed() {
    let tracker = tracker().await;
    let (alice, _bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    for name in ["bob", "nobody", "no such name", "", "alice"] {
        let answer = alice.say(name, "hi").await;
        assert_eq!(answer.status, 400, "{name}: {answer:?}");
    }
    alice.say("bob", "hi").await.refuses(400, "not_connected");
}

#[tokio::test]
async fn a_contact_who_is_away_gets_it_later() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    let data = bob.data;
    bob.program.terminate().await;
    alice.has(&[]).await;
    let mut events = alice.events().await;
    let queued = alice.say("bob", "while you were away").await;
    assert_eq!((queued.status, &queued.json()["status"]), (200, &json!("queued")));
    assert_eq!(queued.json()["id"].as_str().unwrap().len(), 32);
    assert_eq!(deliveries(&alice, "bob").await, ["queued"]);
    let bob = running_at("bob", &tracker, data).await;
    bob.heard("alice", &[("alice", "while you were away")]).await;
    until("the tick", async || (deliveries(&alice, "bob").await == ["delivered"]).then_some(())).await;
    let id = &queued.json()["id"];
    let written = events.next().await.unwrap();
    assert_eq!((&written["type"], &written["data"]["id"]), (&json!("written"), id));
    assert_eq!(written["data"]["delivery"], "queued");
    assert_eq!(events.next().await, Some(json!({"type": "peer_connected", "peer": "bob"})));
    for step in ["sent", "delivered"] {
        assert_eq!(events.next().await, Some(json!({"type": step, "peer": "bob", "through": id})));
    }
}

#[tokio::test]
async fn sending_dials_again_after_a_disconnect() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    assert_eq!(alice.ask("DELETE", "/disconnect/bob", None).await.status, 200);
    bob.has(&[]).await;
    assert_eq!(alice.say("bob", "one more thing").await.json()["status"], "queued");
    bob.heard("alice", &[("alice", "one more thing")]).await;
}

#[tokio::test]
async fn a_broadcast_reaches_all_who_are_connected_and_nobody_else() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    let mut events = alice.events().await;
    let (carol, dave) = (running("carol", &tracker).await, running("dave", &tracker).await);
    assert_eq!(alice.connect("carol").await.status, 200);
    let answer = alice.ask("POST", "/broadcast?content=hello%20%C3%B1%26all", None).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("broadcasted")));
    bob.heard("alice", &[("alice", "hello ñ&all")]).await;
    carol.heard("alice", &[("alice", "hello ñ&all")]).await;
    assert!(dave.talk("alice").await.is_empty());
    assert_eq!(events.happens().await, json!({"type": "peer_connected", "peer": "carol"}));
    let told = [events.happens().await, events.happens().await];
    let ids = told.iter().map(|event| (event["data"]["to"].as_str().unwrap().to_owned(), event["data"]["id"].clone()));
    assert_eq!(Value::Object(ids.collect()), answer.json()["ids"], "{told:?}");
    dave.ask("POST", "/broadcast?content=hi", None).await.refuses(400, "not_connected");
    for wrong in ["", "?content=%FF", "?content=%F0%9F"] {
        alice.ask("POST", &format!("/broadcast{wrong}"), None).await.refuses(422, "invalid_input");
    }
    let long = "x".repeat(60_000);
    assert_eq!(alice.ask("POST", &format!("/broadcast?content={long}"), None).await.status, 200);
    bob.heard("alice", &[("alice", "hello ñ&all"), ("alice", &long)]).await;
    assert_eq!(alice.ask("POST", &format!("/broadcast?content={}", "x".repeat(100_000)), None).await.status, 414);
}

#[tokio::test]
async fn the_history_has_both_directions_and_pages_backwards() {
    let tracker = tracker().await;
    let (alice, bob) = pair(&tracker).await;
    let mut talk = Vec::new();
    for n in 0..6 {
        let (from, to) = if n % 2 == 0 { (&alice, &bob) } else { (&bob, &alice) };
        assert_eq!(from.say(&to.name, &n.to_string()).await.status, 200);
        talk.push((from.name.clone(), n.to_string()));
        until("the answer", async || (to.talk(&from.name).await == talk).then_some(())).await;
    }
    let page = async |query: &str| alice.get(&format!("/messages?{query}")).await.json()["messages"].clone();
    let texts = |page: &Value| page.as_array().unwrap().iter().map(|m| m["content"].clone()).collect::<Vec<_>>();
    let newest = page("limit=2").await;
    assert_eq!(texts(&newest), ["4", "5"]);
    let before = newest[0]["id"].as_str().unwrap();
    assert_eq!(texts(&page(&format!("limit=3&before={before}")).await), ["1", "2", "3"]);
    assert_eq!(texts(&page("").await), ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(texts(&page("peer=nobody").await), Vec::<Value>::new());
    assert_eq!(newest[1]["from"], "bob");
    assert_eq!((&newest[1]["to"], &newest[1]["delivery"]), (&json!("alice"), &json!("delivered")));
    let unknown = "0".repeat(32);
    alice.get(&format!("/messages?before={unknown}")).await.refuses(404, "unknown_message");
}

#[tokio::test]
async fn the_author_hears_of_the_delivery() {
    let tracker = tracker().await;
    let (alice, _bob) = pair(&tracker).await;
    let mut events = alice.events().await;
    let id = alice.say("bob", "did you get it?").await.json()["id"].clone();
    assert_eq!(events.next().await.unwrap()["data"]["id"], id);
    assert_eq!(events.next().await, Some(json!({"type": "delivered", "peer": "bob", "through": id})));
}
