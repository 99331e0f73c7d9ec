//! Why a node does not start: the program goes on telling until a start succeeds.

use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::ask::{finds, is_well};
use crate::play::{self, Peer, Program, idle, peer_command, running, tracker_at};

const RIGHT: &str = "correct horse battery staple";

fn order(name: &str, port: u16, tracker: &Program) -> Value {
    json!({"username": name, "port": port, "tracker_url": format!("http://{}", tracker.api)})
}

/// That this start fails, and is told so until another one succeeds.
async fn fails_to_start(peer: &Peer, order: &Value, code: &str, way_out: &str) {
    let refused = peer.ask("POST", "/start", Some(order)).await;
    assert_eq!(refused.json()["code"], code, "{refused:?}");
    finds(peer, code, way_out).await;
    let told = peer.get("/diagnostics").await.json();
    assert_eq!((&told["running"], &told["links"]), (&json!(false), &json!(0)), "{told:#}");
}

async fn starts(peer: &Peer, order: &Value) {
    let answer = peer.ask("POST", "/start", Some(order)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    is_well(peer).await;
    assert_eq!(peer.ask("POST", "/stop", None).await.status, 200);
}

async fn idle_at(data: TempDir) -> Peer {
    let program = Program::start(&mut peer_command(data.path())).await;
    Peer { program, name: String::new(), data }
}

#[tokio::test]
async fn what_is_wrong_with_the_order_is_told_and_mended_by_another_order() {
    let (tracker, peer) = (play::tracker().await, idle(&[]).await);
    finds(&peer, "not_running", "POST /start").await;
    peer.get("/diagnostics/bob").await.refuses(400, "not_running");
    let _bob = running("bob", &tracker).await;
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let mut locked = order("alice", 0, &tracker);
    locked["passphrase"] = RIGHT.into();
    let mut wrong = locked.clone();
    wrong["passphrase"] = "incorrect horse".into();
    // Something answers there, and it is no tracker.
    let no_tracker = idle(&[]).await.program;
    for (failing, code, way_out, mended) in [
        (order("carol", port, &tracker), "port_in_use", "Choose another port", order("carol", 0, &tracker)),
        (order("bob", 0, &tracker), "name_taken", "Choose another name", order("dave", 0, &tracker)),
        (order("BOB", 0, &tracker), "name_confusable", "Choose a name", order("erin", 0, &tracker)),
        (order("frank", 0, &no_tracker), "tracker_protocol", "Check that the address", order("frank", 0, &tracker)),
    ] {
        fails_to_start(&peer, &failing, code, way_out).await;
        starts(&peer, &mended).await;
    }
    starts(&peer, &locked).await;
    for (failing, code, way_out) in [
        (order("alice", 0, &tracker), "passphrase_required", "Send the profile's passphrase"),
        (wrong, "passphrase_wrong", "Try again"),
    ] {
        fails_to_start(&peer, &failing, code, way_out).await;
        starts(&peer, &locked).await;
    }
}

#[tokio::test]
async fn a_tracker_that_is_away_is_told_and_mended_by_starting_it() {
    let (tracker, peer) = (play::tracker().await, idle(&[]).await);
    let (at, order) = (tracker.api.to_string(), order("alice", 0, &tracker));
    tracker.kill().await;
    fails_to_start(&peer, &order, "tracker_unreachable", "Check that the tracker runs").await;
    let _tracker = tracker_at(&at).await;
    starts(&peer, &order).await;
}

#[tokio::test]
async fn a_profile_in_use_is_told_and_mended_by_stopping_who_uses_it() {
    let tracker = play::tracker().await;
    let first = running("alice", &tracker).await;
    let order = order("alice", 0, &tracker);
    let program = Program::start(&mut peer_command(first.data.path())).await;
    let Peer { program: other, data, .. } = first;
    let second = Peer { program, name: String::new(), data };
    fails_to_start(&second, &order, "profile_in_use", "Stop the other process").await;
    other.terminate().await;
    starts(&second, &order).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_profile_that_others_may_open_is_told_and_mended_by_chmod() {
    use std::os::unix::fs::PermissionsExt;
    let (tracker, data) = (play::tracker().await, tempdir().unwrap());
    let (peer, order) = (idle_at(data).await, order("alice", 0, &tracker));
    starts(&peer, &order).await;
    let profiles = peer.data.path().join("profiles");
    let profile = std::fs::read_dir(profiles).unwrap().next().unwrap().unwrap().path();
    let mode = |mode| std::fs::set_permissions(&profile, std::fs::Permissions::from_mode(mode)).unwrap();
    mode(0o755);
    fails_to_start(&peer, &order, "profile_unsafe", "chmod 700").await;
    mode(0o700);
    starts(&peer, &order).await;
}
