//! Who is there, connecting and disconnecting.

use serde_json::json;

use crate::play::{idle, link, running, tracker};

#[tokio::test]
async fn peers_are_the_trackers_objects_without_oneself() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let classic = json!({"username": "José-ñandú", "host": "127.0.0.1", "port": 9}).to_string();
    let host = tracker.api.to_string();
    let headers = [("host", host.as_str()), ("content-type", "application/json")];
    assert_eq!(crate::http::send(tracker.api, "POST", "/register", &headers, Some(&classic)).await.status, 200);
    let peers = alice.get("/peers").await.json();
    let peers = peers["peers"].as_array().unwrap();
    assert_eq!(peers.iter().map(|peer| peer["username"].as_str().unwrap()).collect::<Vec<_>>(), ["José-ñandú", "bob"]);
    let named = |name: &str| peers.iter().find(|peer| peer["username"] == name).unwrap();
    for peer in peers {
        assert!(peer["id"].is_i64() && peer["port"].is_u64() && peer["is_active"] == true, "{peer}");
        assert_eq!(peer["host"], "127.0.0.1");
        assert!(peer["last_heartbeat"].as_str().unwrap().ends_with('Z'));
    }
    assert_eq!(named("bob")["peer_id"], bob.get("/status").await.json()["peer_id"]);
    assert!(named("José-ñandú").get("peer_id").is_none());
}

#[tokio::test]
async fn connect_twice_is_one_connection_and_messages_come_once() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let (mut of_alice, mut of_bob) = (alice.events().await, bob.events().await);
    for _ in 0..2 {
        alice.connect("bob").await.is(&json!({"status": "connected", "peer": "bob"}));
    }
    bob.has(&["alice"]).await;
    bob.connect("alice").await.is(&json!({"status": "connected", "peer": "alice"}));
    assert_eq!(alice.connected().await, json!(["bob"]));
    assert_eq!(of_alice.happens().await, json!({"type": "peer_connected", "peer": "bob"}));
    assert_eq!(of_bob.happens().await, json!({"type": "peer_connected", "peer": "alice"}));
    assert_eq!(alice.say("bob", "once").await.status, 200);
    let event = of_bob.happens().await;
    assert_eq!((&event["data"]["from"], &event["data"]["content"]), (&json!("alice"), &json!("once")));
    bob.heard("alice", &[("alice", "once")]).await;
    assert_eq!(of_alice.happens().await["type"], "written");
    of_alice.quiet().await;
    of_bob.quiet().await;
}

#[tokio::test]
async fn one_connects_neither_to_oneself_nor_to_the_unknown_nor_to_the_unreachable() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    alice.connect("alice").await.refuses(400, "oneself");
    alice.connect("nobody").await.refuses(400, "unknown_peer");
    alice.connect("no such name").await.refuses(400, "unknown_peer");
    alice.connect("").await.refuses(400, "unknown_peer");
    // Without a goodbye the tracker still lists it.
    bob.program.kill().await;
    alice.connect("bob").await.refuses(400, "unreachable");
    assert_eq!(alice.connected().await, json!([]));
}

#[tokio::test]
async fn a_disconnect_is_told_at_both_ends_and_each_may_connect_again() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    for name in ["bob", "no%20such%20name"] {
        let refused = alice.ask("DELETE", &format!("/disconnect/{name}"), None).await;
        refused.refuses(400, "not_connected");
        assert!(refused.json().get("next").is_none(), "nobody connects in order to disconnect: {refused:?}");
    }
    let (mut of_alice, mut of_bob) = link(&alice, &bob).await;
    let answer = alice.ask("DELETE", "/disconnect/bob", None).await;
    assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("disconnected")));
    assert_eq!(of_alice.happens().await, json!({"type": "peer_disconnected", "peer": "bob"}));
    assert_eq!(of_bob.happens().await, json!({"type": "peer_disconnected", "peer": "alice"}));
    alice.ask("DELETE", "/disconnect/bob", None).await.refuses(400, "not_connected");
    assert_eq!((alice.connected().await, bob.connected().await), (json!([]), json!([])));
    of_alice.quiet().await;
    of_bob.quiet().await;
    assert_eq!(bob.connect("alice").await.status, 200);
}

#[tokio::test]
async fn names_of_any_script_pass_through_paths_and_bodies() {
    let tracker = tracker().await;
    let (jose, olga) = (running("José-ñandú", &tracker).await, running("Ольга", &tracker).await);
    jose.connect("Ольга").await.is(&json!({"status": "connected", "peer": "Ольга"}));
    olga.has(&["José-ñandú"]).await;
    let path = "/disconnect/Jos%C3%A9-%C3%B1and%C3%BA";
    assert_eq!(olga.ask("DELETE", path, None).await.status, 200);
}

#[tokio::test]
async fn a_friend_who_reinstalled_is_let_in_after_the_key_is_forgotten() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    let bob = running("bob", &tracker).await;
    alice.ask("DELETE", "/contacts/bob/key", None).await.refuses(404, "unknown_peer");
    assert_eq!(alice.connect("bob").await.status, 200);
    assert_eq!(alice.say("bob", "before").await.status, 200);
    bob.heard("alice", &[("alice", "before")]).await;
    bob.program.terminate().await;
    // Another tracker, which knows no owner of the name yet.
    alice.ask("POST", "/stop", None).await.is(&json!({"status": "stopped"}));
    let other = crate::play::tracker().await;
    assert_eq!(alice.start("alice", 0, other.api).await.status, 200);
    let _new_bob = running("bob", &other).await;
    let mut events = alice.events().await;
    alice.connect("bob").await.refuses(400, "key_changed");
    let event = events.happens().await;
    assert_eq!(
        (&event["type"], &event["peer"], &event["code"]),
        (&json!("key_changed"), &json!("bob"), &json!("key_changed"))
    );
    let forgotten = alice.ask("DELETE", "/contacts/bob/key", None).await;
    forgotten.is(&json!({"status": "forgotten", "name": "bob"}));
    assert_eq!(events.happens().await, json!({"type": "key_forgotten", "peer": "bob"}));
    alice.connect("bob").await.is(&json!({"status": "connected", "peer": "bob"}));
    assert_eq!(alice.talk("bob").await, [("alice".to_owned(), "before".to_owned())]);
}

#[tokio::test]
async fn a_peer_whose_node_does_not_run_takes_no_link() {
    let tracker = tracker().await;
    let (alice, bob) = (idle(&[]).await, running("bob", &tracker).await);
    let port = alice.program.api.port();
    assert_eq!(alice.start("alice", port, tracker.api).await.status, 200);
    assert_eq!(bob.connect("alice").await.status, 200);
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    let answer = bob.connect("alice").await;
    assert_eq!(answer.status, 400, "{answer:?}");
}
