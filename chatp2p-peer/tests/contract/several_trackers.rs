//! Several trackers, some of which fail.

use std::net::SocketAddr;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::play::{Peer, Program, idle, link, peer_command, tracker, tracker_at, until};

fn flags(trackers: &[SocketAddr]) -> Vec<String> {
    trackers.iter().flat_map(|at| ["--tracker".to_owned(), format!("http://{at}")]).collect()
}

async fn running(name: &str, trackers: &[SocketAddr], data: TempDir) -> Peer {
    let mut command = peer_command(data.path());
    let program = Program::start(command.args(["--username", name]).args(flags(trackers))).await;
    Peer { program, name: name.to_owned(), data }
}

async fn newcomer(name: &str, trackers: &[SocketAddr]) -> Peer {
    running(name, trackers, tempfile::tempdir().unwrap()).await
}

async fn status(peer: &Peer) -> Value {
    peer.get("/status").await.json()
}

/// An address at which a tracker was.
async fn gone() -> SocketAddr {
    let tracker = tracker().await;
    let at = tracker.api;
    tracker.kill().await;
    at
}

#[tokio::test]
async fn two_who_have_lost_all_trackers_chat_on_and_find_each_other_after_a_restart() {
    let (one, other) = (tracker().await, tracker().await);
    let at = [one.api, other.api];
    let (alice, bob) = (newcomer("alice", &at).await, newcomer("bob", &at).await);
    link(&alice, &bob).await;
    one.kill().await;
    other.kill().await;
    assert_eq!(alice.say("bob", "they are gone").await.json()["status"], "sent");
    bob.heard("alice", &[("alice", "they are gone")]).await;
    assert_eq!(bob.say("alice", "so what?").await.json()["status"], "sent");
    // What is on its way when bob is killed comes again, and behind what alice says meanwhile.
    alice.heard("bob", &[("alice", "they are gone"), ("bob", "so what?")]).await;

    // Bob starts again, at another port, and nobody can say where alice is but he himself.
    let data = bob.data;
    bob.program.kill().await;
    alice.has(&[]).await;
    assert_eq!(alice.say("bob", "come back").await.json()["status"], "queued");
    let bob = running("bob", &at, data).await;
    let now = status(&bob).await;
    assert_eq!((&now["running"], &now["tracker"]["trouble"]), (&json!(true), &json!("tracker_unreachable")), "{now}");
    bob.has(&["alice"]).await;
    let talk = [("alice", "they are gone"), ("bob", "so what?"), ("alice", "come back")];
    bob.heard("alice", &talk).await;
    alice.heard("bob", &talk).await;

    // Whoever sits in front of it and starts it is told at once, as ever.
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    let order = json!({"username": "alice", "port": 0});
    alice.ask("POST", "/start", Some(&order)).await.refuses(502, "tracker_unreachable");
    assert_eq!(status(&alice).await, json!({"running": false}));

    let _back = tracker_at(&at[1].to_string()).await;
    until("bob is listed again", async || status(&bob).await["tracker"]["trouble"].is_null().then_some(())).await;
    assert_eq!(alice.ask("POST", "/start", Some(&order)).await.status, 200);
    alice.has(&["bob"]).await;
}

#[tokio::test]
async fn status_tells_how_it_stands_with_each_and_one_that_comes_back_is_joined() {
    let (away, there) = (gone().await, tracker().await);
    let alice = newcomer("alice", &[away, there.api]).await;
    let now = status(&alice).await;
    let url = |at: SocketAddr| json!(format!("http://{at}/"));
    assert_eq!(now["tracker"], now["trackers"][1], "the one that is well: {now}");
    let [first, second] = &now["trackers"].as_array().unwrap()[..] else { panic!("{now}") };
    assert_eq!((&first["url"], &first["trouble"]), (&url(away), &json!("tracker_unreachable")));
    assert!(first["next"].is_string() && first.get("confirmed").is_none() && first.get("latency").is_none(), "{first}");
    assert_eq!((&second["url"], second.get("trouble")), (&url(there.api), None));
    assert!(second["confirmed"].is_string() && second["latency"].is_u64(), "{second}");

    let _back = tracker_at(&away.to_string()).await;
    let joined = async || status(&alice).await["trackers"][0]["confirmed"].is_string().then_some(());
    until("it is joined", joined).await;
    // Who knows only that one finds her.
    let bob = newcomer("bob", &[away]).await;
    assert_eq!(bob.connect("alice").await.status, 200);
}

#[tokio::test]
async fn a_start_that_names_a_tracker_uses_that_one_alone() {
    let (one, other, third) = (tracker().await, tracker().await, tracker().await);
    let alice = idle(&flags(&[one.api, other.api]).iter().map(String::as_str).collect::<Vec<_>>()).await;
    let urls = async || {
        let now = status(&alice).await;
        let trackers = now["trackers"].as_array().unwrap().iter();
        trackers.map(|tracker| tracker["url"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(alice.start("alice", 0, third.api).await.status, 200);
    assert_eq!(urls().await, [format!("http://{}/", third.api)]);
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    assert_eq!(alice.ask("POST", "/start", Some(&json!({"username": "alice", "port": 0}))).await.status, 200);
    assert_eq!(urls().await, [one.api, other.api].map(|at| format!("http://{at}/")));
}

#[tokio::test]
async fn trackers_that_name_different_keys_make_nobody_a_contact() {
    let (one, other) = (tracker().await, tracker().await);
    let (bob, eve) = (newcomer("bob", &[one.api]).await, newcomer("bob", &[other.api]).await);
    let alice = newcomer("alice", &[one.api, other.api]).await;
    let refused = alice.connect("bob").await;
    assert!(refused.json()["next"].as_str().is_some_and(|next| next.contains("link")), "{refused:?}");
    refused.refuses(400, "name_disputed");
    let link = bob.get("/identity").await.json()["link"].clone();
    assert_eq!(alice.ask("POST", "/contacts", Some(&json!({"link": link}))).await.status, 200);
    alice.connect("bob").await.is(&json!({"status": "connected", "peer": "bob"}));
    bob.has(&["alice"]).await;
    assert_eq!(eve.connected().await, json!([]));
}
