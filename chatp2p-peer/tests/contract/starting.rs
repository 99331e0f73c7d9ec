//! Starting and stopping the node.

use serde_json::{Value, json};

use crate::play::{idle, link, running, running_at, tracker, tracker_at, until};

async fn listed(tracker: std::net::SocketAddr) -> Vec<Value> {
    let host = tracker.to_string();
    let answer = crate::http::send(tracker, "GET", "/peers", &[("host", &host)], None).await;
    answer.json().as_array().unwrap().clone()
}

#[tokio::test]
async fn start_registers_at_the_tracker_and_status_tells_what_runs() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    peer.start("alice", 0, tracker.api).await.is(&json!({"status": "started", "username": "alice"}));
    let status = peer.get("/status").await.json();
    assert_eq!((&status["running"], &status["username"]), (&json!(true), &json!("alice")));
    assert_eq!(status["peer_id"].as_str().unwrap().len(), 52);
    assert!(status["tracker"]["confirmed"].as_str().unwrap().ends_with('Z'));
    assert!(status["tracker"].get("trouble").is_none());
    let listed = listed(tracker.api).await;
    assert_eq!(listed.len(), 1);
    let endpoint = format!("ws://127.0.0.1:{}/p2p", listed[0]["port"]);
    assert_eq!(status["endpoints"], json!([endpoint]));
}

#[tokio::test]
async fn start_while_running_is_400() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    assert_eq!(peer.start("alice", 0, tracker.api).await.status, 200);
    peer.start("alice", 0, tracker.api).await.refuses(400, "already_running");
    peer.start("bob", 0, tracker.api).await.refuses(400, "already_running");
    assert_eq!(peer.get("/status").await.json()["username"], "alice");
}

#[tokio::test]
async fn a_tracker_beyond_the_local_network_needs_tls() {
    let peer = idle(&[]).await;
    for far in ["http://192.0.2.1:8000", "http://8.8.8.8", "http://[2001:db8::1]:8000"] {
        let order = json!({"username": "alice", "port": 0, "tracker_url": far});
        let refused = peer.ask("POST", "/start", Some(&order)).await;
        let problem = refused.json();
        assert!(problem["next"].as_str().is_some_and(|next| next.contains("--insecure-http")), "{problem}");
        refused.refuses(422, "insecure_tracker");
    }
    assert_eq!(peer.get("/status").await.json(), json!({"running": false}));
}

#[tokio::test]
async fn of_many_starts_at_once_one_wins() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    let start = || peer.start("alice", 0, tracker.api);
    let answers = futures_util::future::join_all([start(), start(), start(), start(), start(), start()]).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.refuses(400, "already_running");
    }
    assert_eq!(listed(tracker.api).await.len(), 1);
}

#[tokio::test]
async fn a_name_that_another_key_holds_is_409_and_another_name_starts() {
    let tracker = tracker().await;
    let (_alice, peer) = (running("alice", &tracker).await, idle(&[]).await);
    peer.start("alice", 0, tracker.api).await.refuses(409, "name_taken");
    let confusable = peer.start("ALICE", 0, tracker.api).await;
    confusable.refuses(409, "name_confusable");
    let problem = confusable.json();
    assert_eq!(problem["other"], "alice");
    assert!(problem["detail"].as_str().unwrap().contains("look alike"), "{problem}");
    peer.get("/status").await.is(&json!({"running": false}));
    assert_eq!(peer.start("bob", 0, tracker.api).await.status, 200);
}

#[tokio::test]
async fn a_port_that_is_taken_is_409_and_the_next_start_works() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    peer.start("alice", port, tracker.api).await.refuses(409, "port_in_use");
    peer.get("/status").await.is(&json!({"running": false}));
    assert!(listed(tracker.api).await.is_empty());
    drop(taken);
    assert_eq!(peer.start("alice", port, tracker.api).await.status, 200);
}

#[tokio::test]
async fn a_tracker_that_is_full_is_503_and_what_is_no_address_of_one_is_422() {
    let mut command = crate::play::tracker_command("127.0.0.1:0", None);
    let tracker = crate::play::Program::start(command.args(["--max-peers", "1"])).await;
    let (_alice, peer) = (running("alice", &tracker).await, idle(&[]).await);
    peer.start("bob", 0, tracker.api).await.refuses(503, "tracker_full");
    let document = peer.get("/openapi.json").await.json();
    assert!(document["paths"]["/start"]["post"]["responses"]["503"].is_object(), "it is declared");
    let refused = peer.ask("POST", "/start", Some(&json!({"username": "bob", "port": 0, "tracker_url": "foo"}))).await;
    refused.refuses(422, "invalid_input");
    assert!(refused.json()["detail"].as_str().unwrap().starts_with("tracker_url: "), "{refused:?}");
    peer.get("/status").await.is(&json!({"running": false}));
}

#[tokio::test]
async fn a_tracker_that_is_away_is_502_and_the_next_start_works() {
    let peer = idle(&[]).await;
    let gone = tracker().await;
    let address = gone.api;
    gone.kill().await;
    let refused = peer.start("alice", 0, address).await;
    refused.refuses(502, "tracker_unreachable");
    peer.get("/status").await.is(&json!({"running": false}));
    let _back = tracker_at(&address.to_string()).await;
    assert_eq!(peer.start("alice", 0, address).await.status, 200);
}

#[tokio::test]
async fn what_answers_but_is_no_tracker_is_502() {
    let (peer, other) = (idle(&[]).await, idle(&[]).await);
    peer.start("alice", 0, other.program.api).await.refuses(502, "tracker_protocol");
}

#[tokio::test]
async fn two_processes_do_not_share_a_profile() {
    let tracker = tracker().await;
    let alice = running("alice", &tracker).await;
    let data = alice.data.path().to_str().unwrap();
    let mut second = crate::play::peer_command(alice.data.path());
    let url = format!("http://{}", tracker.api);
    let output = second.args(["--username", "alice", "--tracker", &url]).kill_on_drop(true).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1), "{data}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("--data-dir"));
}

#[tokio::test]
async fn the_apis_own_port_serves_links_too() {
    let tracker = tracker().await;
    let (alice, bob) = (idle(&[]).await, running("bob", &tracker).await);
    let api = alice.program.api;
    alice.start("alice", api.port(), tracker.api).await.is(&json!({"status": "started", "username": "alice"}));
    assert_eq!(alice.get("/status").await.json()["endpoints"], json!([format!("ws://{api}/p2p")]));
    bob.connect("alice").await.is(&json!({"status": "connected", "peer": "alice"}));
    alice.has(&["bob"]).await;
    assert_eq!(bob.say("alice", "through the front door").await.json()["status"], "sent");
    alice.heard("bob", &[("bob", "through the front door")]).await;
    assert_eq!(alice.say("bob", "and back").await.status, 200);
    bob.heard("alice", &[("bob", "through the front door"), ("alice", "and back")]).await;
}

#[tokio::test]
async fn stop_leaves_in_good_order_and_frees_the_port_at_once() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    let (mut of_alice, mut of_bob) = link(&alice, &bob).await;
    let endpoint = alice.get("/status").await.json()["endpoints"][0].as_str().unwrap().to_owned();
    let port: u16 = endpoint.trim_end_matches("/p2p").rsplit(':').next().unwrap().parse().unwrap();
    alice.ask("POST", "/stop", None).await.is(&json!({"status": "stopped"}));
    drop(std::net::TcpListener::bind(("127.0.0.1", port)).expect("a free port"));
    let names: Vec<_> = listed(tracker.api).await.iter().map(|peer| peer["username"].clone()).collect();
    assert_eq!(names, ["bob"]);
    assert_eq!(of_bob.happens().await, json!({"type": "peer_disconnected", "peer": "alice"}));
    alice.ask("POST", "/stop", None).await.refuses(400, "not_running");
    alice.get("/status").await.is(&json!({"running": false}));
    // The open socket outlives it, and hears of the end and of the next life.
    assert_eq!(of_alice.happens().await, json!({"type": "peer_disconnected", "peer": "bob"}));
    assert_eq!(of_alice.happens().await, json!({"type": "stopped"}));
    of_alice.quiet().await;
    assert_eq!(alice.start("alice", port, tracker.api).await.status, 200);
    assert_eq!(of_alice.happens().await, json!({"type": "started", "username": "alice"}));
    assert_eq!(bob.connect("alice").await.status, 200);
    assert_eq!(of_alice.happens().await, json!({"type": "peer_connected", "peer": "bob"}));
}

#[tokio::test]
async fn every_open_page_hears_of_starts_and_stops_in_their_order() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    let (mut one, mut two) = (peer.events().await, peer.events().await);
    let start = async |name: &str| while peer.start(name, 0, tracker.api).await.status != 200 {};
    let stop = async || while peer.ask("POST", "/stop", None).await.status != 200 {};
    // Each start and each stop presses on the heels of the one before.
    tokio::join!(start("alice"), stop(), start("bob"), stop());
    peer.get("/status").await.is(&json!({"running": false}));
    for events in [&mut one, &mut two] {
        let mut names = Vec::new();
        for _ in 0..2 {
            let started = events.happens().await;
            assert_eq!(started["type"], "started", "{started}");
            names.push(started["username"].as_str().unwrap().to_owned());
            assert_eq!(events.happens().await, json!({"type": "stopped"}));
        }
        names.sort();
        assert_eq!(names, ["alice", "bob"]);
        events.quiet().await;
    }
}

#[tokio::test]
async fn who_hears_of_the_start_and_asks_finds_the_node() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    let mut events = peer.events().await;
    let asking = async {
        assert_eq!(events.happens().await, json!({"type": "started", "username": "alice"}));
        assert_eq!(peer.get("/status").await.json()["username"], "alice");
    };
    let (started, ()) = tokio::join!(peer.start("alice", 0, tracker.api), asking);
    assert_eq!(started.status, 200);
}

#[tokio::test]
async fn the_key_and_the_history_outlive_the_process() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    assert_eq!(alice.connect("bob").await.status, 200);
    assert_eq!(alice.say("bob", "hello").await.status, 200);
    bob.heard("alice", &[("alice", "hello")]).await;
    let key = alice.get("/status").await.json()["peer_id"].clone();
    let data = alice.data;
    alice.program.kill().await;
    let alice = running_at("alice", &tracker, data).await;
    assert_eq!(alice.get("/status").await.json()["peer_id"], key);
    assert_eq!(alice.talk("bob").await, [("alice".to_owned(), "hello".to_owned())]);
}

#[tokio::test]
async fn while_the_tracker_is_away_the_rest_goes_on() {
    let tracker = tracker().await;
    let (alice, bob) = (running("alice", &tracker).await, running("bob", &tracker).await);
    assert_eq!(alice.connect("bob").await.status, 200);
    until("bob is known", async || (alice.get("/peers").await.json()["peers"][0]["username"] == "bob").then_some(()))
        .await;
    tracker.kill().await;
    let peers = alice.get("/peers").await;
    assert_eq!((peers.status, &peers.json()["peers"][0]["username"]), (200, &json!("bob")));
    assert_eq!(alice.say("bob", "still here").await.json()["status"], "sent");
    bob.heard("alice", &[("alice", "still here")]).await;
}
