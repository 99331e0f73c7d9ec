//! Whom one knows, and who asks to be known.

use serde_json::{Value, json};

use crate::play::{Peer, Program, link, peer_command, running, tracker, until};

async fn link_of(peer: &Peer) -> Value {
    peer.get("/identity").await.json()["link"].clone()
}

async fn put(peer: &Peer, path: &str, body: Value) -> crate::http::Answer {
    peer.ask("PUT", path, Some(&body)).await
}

async fn patch(peer: &Peer, path: &str, body: Value) -> crate::http::Answer {
    peer.ask("PATCH", path, Some(&body)).await
}

/// A peer at this tracker whom strangers have to ask.
async fn asks_first(name: &str, tracker: &Program) -> Peer {
    let data = tempfile::tempdir().unwrap();
    let url = format!("http://{}", tracker.api);
    let flags = ["--username", name, "--tracker", &url, "--inbound", "requests"];
    let program = Program::start(peer_command(data.path()).args(flags)).await;
    Peer { program, name: name.to_owned(), data }
}

#[tokio::test]
async fn a_contact_is_added_by_link_renamed_verified_blocked_and_removed() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let mut events = alice.events().await;
    let key = bob.get("/identity").await.json()["peer_id"].clone();
    let new = json!({"link": link_of(&bob).await, "name": "bobby"});
    let card = json!({"name": "bobby", "tracker_name": "bob", "peer_id": key, "verified": false, "blocked": false, "connected": false});
    alice.ask("POST", "/contacts", Some(&new)).await.is(&card);
    assert_eq!(events.happens().await, json!({"type": "contact_added", "peer": "bobby"}));
    alice.get("/contacts").await.is(&json!({"contacts": [card]}));
    alice.ask("POST", "/contacts", Some(&new)).await.refuses(409, "contact_exists");
    patch(&alice, "/contacts/bobby", json!({"name": "uncle"})).await;
    assert_eq!(events.happens().await, json!({"type": "contact_renamed", "peer": "bobby", "name": "uncle"}));
    assert_eq!(alice.connect("uncle").await.status, 200);
    assert_eq!(events.happens().await, json!({"type": "peer_connected", "peer": "uncle"}));
    let number = alice.get("/contacts/uncle/safety-number").await.json();
    assert_eq!(number["safety_number"], bob.get("/contacts/alice/safety-number").await.json()["safety_number"]);
    let shown = json!({"shown": number["safety_number"]});
    assert_eq!(put(&alice, "/contacts/uncle/safety-number", shown).await.json()["verified"], true);
    assert_eq!(events.happens().await, json!({"type": "contact_verified", "peer": "uncle", "verified": true}));
    let unverified = alice.ask("DELETE", "/contacts/uncle/safety-number", None).await;
    assert_eq!(unverified.json()["verified"], false);
    assert_eq!(events.happens().await["verified"], false);
    bob.say("alice", "hello").await;
    alice.heard("uncle", &[("uncle", "hello")]).await;
    assert_eq!(events.happens().await["type"], "message");
    assert_eq!(patch(&alice, "/contacts/uncle", json!({"blocked": true})).await.json()["blocked"], true);
    alice.say("uncle", "hi").await.refuses(409, "contact_blocked");
    bob.connect("alice").await.refuses(400, "refused");
    assert_eq!(alice.ask("DELETE", "/contacts/uncle", None).await.status, 200);
    alice.get("/contacts/uncle").await.refuses(404, "unknown_peer");
    alice.get("/messages").await.is(&json!({"messages": []}));
    alice.get("/conversations").await.is(&json!({"conversations": []}));
}

#[tokio::test]
async fn what_cannot_be_asked_of_contacts_says_what_to_do() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    link(&alice, &bob).await;
    for (link, code) in [("http://bob", "invalid_link"), ("chatp2p:abc/bob", "invalid_link")] {
        alice.ask("POST", "/contacts", Some(&json!({"link": link}))).await.refuses(422, code);
    }
    let own = json!({"link": link_of(&alice).await});
    alice.ask("POST", "/contacts", Some(&own)).await.refuses(400, "oneself");
    alice.ask("POST", "/contacts", Some(&json!({}))).await.refuses(422, "invalid_input");
    patch(&alice, "/contacts/bob", json!({"name": "two words"})).await.refuses(422, "invalid_input");
    patch(&alice, "/contacts/bob", json!({"name": "alice"})).await.refuses(409, "contact_name_taken");
    patch(&alice, "/contacts/nobody", json!({})).await.refuses(404, "unknown_peer");
    put(&alice, "/contacts/bob/key", json!({"peer_id": "abc"})).await.refuses(422, "invalid_input");
    let own = alice.get("/identity").await.json()["peer_id"].clone();
    put(&alice, "/contacts/bob/key", json!({"peer_id": own})).await.refuses(400, "oneself");
    put(&alice, "/contacts/bob/safety-number", json!({"shown": "1"})).await.refuses(409, "safety_number_differs");
    for path in ["/contacts/two%20words", "/contacts/nobody/safety-number"] {
        alice.get(path).await.refuses(404, "unknown_peer");
    }
    alice.ask("DELETE", "/requests/abc", None).await.refuses(404, "unknown_request");
    let key = bob.get("/identity").await.json()["peer_id"].as_str().unwrap().to_owned();
    let accept = alice.ask("POST", &format!("/requests/{key}/accept"), Some(&json!({}))).await;
    accept.refuses(404, "unknown_request");
}

#[tokio::test]
async fn a_changed_key_is_accepted_and_the_conversation_goes_on() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    link(&alice, &bob).await;
    bob.say("alice", "the old bob").await;
    alice.heard("bob", &[("bob", "the old bob")]).await;
    let new = json!({"link": other_link().await});
    let key = new["link"]
        .as_str()
        .map(|link| link.parse::<chatp2p_core::identity::ContactLink>().unwrap().peer_id())
        .unwrap();
    let mut events = alice.events().await;
    let accepted = put(&alice, "/contacts/bob/key", json!({"peer_id": key.to_string()})).await.json();
    assert_eq!((&accepted["peer_id"], &accepted["verified"]), (&json!(key.to_string()), &json!(false)));
    let told = until("it is told", async || {
        let event = events.happens().await;
        (event["type"] == "key_accepted").then_some(event)
    });
    assert_eq!(told.await, json!({"type": "key_accepted", "peer": "bob", "peer_id": key.to_string()}));
    alice.heard("bob", &[("bob", "the old bob")]).await;
    let conversations = alice.get("/conversations").await.json();
    assert_eq!(conversations["conversations"].as_array().unwrap().len(), 1);
}

/// The link of a bob who has another key, at another tracker.
async fn other_link() -> Value {
    let elsewhere = tracker().await;
    link_of(&running("bob", &elsewhere).await).await
}

#[tokio::test]
async fn a_stranger_asks_and_is_accepted_or_refused() {
    let tracker = tracker().await;
    let (alice, carol, bob) =
        (running("alice", &tracker).await, running("carol", &tracker).await, asks_first("bob", &tracker).await);
    let mut events = bob.events().await;
    for stranger in [&alice, &carol] {
        assert_eq!(stranger.connect("bob").await.status, 200);
        assert_eq!(stranger.say("bob", "may I?").await.status, 200);
    }
    let requests = async || bob.get("/requests").await.json()["requests"].as_array().unwrap().clone();
    let both = until("both have left their words", async || {
        let requests = requests().await;
        (requests.len() == 2 && requests.iter().all(|request| request["content"] == "may I?")).then_some(requests)
    })
    .await;
    let first = events.happens().await;
    assert_eq!((&first["type"], &first["name"]), (&json!("request"), &json!("alice")));
    assert_eq!(both[0]["name"], "alice");
    bob.get("/conversations").await.is(&json!({"conversations": []}));
    bob.get("/contacts").await.is(&json!({"contacts": []}));
    let key = |request: &Value| request["peer_id"].as_str().unwrap().to_owned();
    let accepted =
        bob.ask("POST", &format!("/requests/{}/accept", key(&both[0])), Some(&json!({"name": "ally"}))).await;
    assert_eq!((accepted.status, &accepted.json()["name"]), (200, &json!("ally")));
    bob.heard("ally", &[("ally", "may I?")]).await;
    let refused = json!({"status": "refused", "peer_id": key(&both[1])});
    bob.ask("DELETE", &format!("/requests/{}", key(&both[1])), None).await.is(&refused);
    assert_eq!(requests().await, [] as [Value; 0]);
    alice.has(&["bob"]).await;
    let tick = async |peer: &Peer| peer.get("/messages").await.json()["messages"][0]["delivery"].clone();
    until("alice hears that it has arrived", async || (tick(&alice).await == "delivered").then_some(())).await;
    assert_eq!(tick(&carol).await, "queued", "carol hears nothing");
    bob.ask("POST", "/stop", None).await;
    for path in ["/contacts", "/requests", "/identity"] {
        bob.get(path).await.refuses(400, "not_running");
    }
}
