//! Who does not let whom in, and what waits.

use serde_json::json;
use tempfile::tempdir;

use crate::ask::{connects, diagnosis, fails, is_told, town};
use crate::play::{self, Peer, Program, link, peer_command, running, running_at, until};

async fn block(peer: &Peer, whom: &str, blocked: bool) {
    let changed = peer.ask("PATCH", &format!("/contacts/{whom}"), Some(&json!({"blocked": blocked}))).await;
    assert_eq!(changed.status, 200, "{changed:?}");
}

async fn key(peer: &Peer) -> serde_json::Value {
    peer.get("/identity").await.json()["peer_id"].clone()
}

async fn takes_key(peer: &Peer, of: &Peer) {
    let path = format!("/contacts/{}/key", of.name);
    let taken = peer.ask("PUT", &path, Some(&json!({"peer_id": key(of).await}))).await;
    assert_eq!(taken.status, 200, "{taken:?}");
}

#[tokio::test]
async fn a_block_at_this_end_is_told_and_mended_by_taking_it_back() {
    let (_tracker, alice, bob) = town().await;
    link(&alice, &bob).await;
    block(&alice, "bob", true).await;
    fails(&alice, "bob", "found", "contact_blocked", "PATCH /contacts/{name}").await;
    block(&alice, "bob", false).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn a_refusal_of_the_other_end_is_told_and_mended_there() {
    let (_tracker, alice, bob) = town().await;
    link(&alice, &bob).await;
    block(&bob, "alice", true).await;
    alice.has(&[]).await;
    fails(&alice, "bob", "accepted", "refused", "whether they have blocked you").await;
    block(&bob, "alice", false).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn an_unknown_name_is_told_and_mended_by_whoever_starts_under_it() {
    let tracker = play::tracker().await;
    let alice = running("alice", &tracker).await;
    alice.get("/diagnostics/bob").await.refuses(404, "unknown_peer");
    alice.get("/diagnostics/two%20words").await.refuses(404, "unknown_peer");
    alice.get("/diagnostics/alice").await.refuses(400, "oneself");
    fails(&alice, "bob", "found", "unknown_peer", "the other peer is running").await;
    let _bob = running("bob", &tracker).await;
    connects(&alice, "bob").await;
}

#[tokio::test]
async fn a_peer_that_nobody_has_tried_is_told_and_mended_by_trying() {
    let (_tracker, alice, bob) = town().await;
    let told = diagnosis(&alice, "bob").await;
    assert_eq!((&told["code"], &told["peer_id"]), (&json!("not_connected"), &key(&bob).await), "{told:#}");
    assert!(told["next"].as_str().unwrap().contains("POST /connect"), "{told:#}");
    connects(&alice, "bob").await;
    // The other end did not dial, and is as sure of it.
    let told = diagnosis(&bob, "alice").await;
    assert_eq!((&told["connected"], &told["link"]["dialled"]), (&json!(true), &json!(false)), "{told:#}");
    let callers = bob.get("/diagnostics").await.json()["callers"].clone();
    assert_eq!((&callers[0]["reach"], &callers[0]["times"]), (&json!("loopback"), &json!(1)), "{callers:#}");
    assert_eq!(alice.get("/diagnostics").await.json()["callers"], json!([]));
    alice.ask("DELETE", "/disconnect/bob", None).await;
    let told = diagnosis(&alice, "bob").await;
    assert_eq!((&told["connected"], &told["code"]), (&json!(false), &json!("not_connected")), "{told:#}");
}

#[tokio::test]
async fn a_friend_with_a_new_key_is_told_at_both_ends_and_mended_by_taking_the_key() {
    let (tracker, alice, bob) = town().await;
    let (at, url) = (tracker.api.to_string(), format!("http://{}", tracker.api));
    link(&alice, &bob).await;
    bob.program.kill().await;
    // A tracker that has lost everything lets anybody have the name.
    tracker.kill().await;
    let tracker = play::tracker_at(&at).await;
    let bob = running("bob", &tracker).await;
    fails(&alice, "bob", "found", "key_changed", "PUT the new key to /contacts/{name}/key").await;
    // She has to be listed for him to ask who she is.
    assert_eq!(alice.ask("POST", "/stop", None).await.status, 200);
    let again = json!({"username": "alice", "port": 0, "tracker_url": url});
    assert_eq!(alice.ask("POST", "/start", Some(&again)).await.status, 200);
    fails(&bob, "alice", "accepted", "key_changed_there", "PUT /contacts/{name}/key there").await;
    takes_key(&alice, &bob).await;
    connects(&alice, "bob").await;
    assert_eq!(diagnosis(&bob, "alice").await["connected"], true);
}

#[tokio::test]
async fn nothing_of_an_answer_is_secret_or_said() {
    const CANARY: &str = "canary-in-the-diagnosis";
    const PASSPHRASE: &str = "canary passphrase of alice";
    let (tracker, bob_data) = (play::tracker().await, tempdir().unwrap());
    let (data, file) = (tempdir().unwrap(), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(file.path(), PASSPHRASE).unwrap();
    let token = create_token(data.path()).await;
    let url = format!("http://{}", tracker.api);
    let mut command = peer_command(data.path());
    command.args(["--require-token", "--username", "alice", "--tracker", &url, "--passphrase-file"]).arg(file.path());
    let alice = Peer { program: Program::start(&mut command).await, name: "alice".to_owned(), data };
    let bob = running_at("bob", &tracker, bob_data).await;
    let bearer = format!("Bearer {token}");
    let headers = [("authorization", bearer.as_str())];
    let body = json!({"peer_username": "bob", "content": CANARY}).to_string();
    assert_eq!(alice.raw("POST", "/connect", &headers, Some(&body)).await.status, 200);
    bob.program.kill().await;
    let sent = alice.raw("POST", "/send", &headers, Some(&body)).await;
    assert_eq!(sent.status, 200, "{sent:?}");
    crate::play::until("a dial has failed", async || {
        let told = alice.raw("GET", "/diagnostics/bob", &headers, None).await.json();
        (told["code"] == "port_closed").then_some(())
    })
    .await;
    let mut told = String::new();
    for path in ["/diagnostics", "/diagnostics/bob"] {
        alice.raw("GET", path, &[], None).await.refuses(401, "token_required");
        told += &alice.raw("GET", path, &headers, None).await.body;
    }
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), &token).unwrap();
    let secret = secret.path().to_str().unwrap().to_owned();
    for about in [&["bob"][..], &[], &["--json"], &["bob", "--json"]] {
        let (refused, well) = crate::ask::doctor(&alice, about).await;
        assert!(!well && refused.contains("token_required"), "{refused}");
        told += &crate::ask::doctor(&alice, &[about, &["--token-file", &secret]].concat()).await.0;
    }
    for said in ["127.0.0.1", "port_closed", "1 message waits for bob", "runs as alice"] {
        assert!(told.contains(said), "so that it is known that something was said: {told}");
    }
    for canary in [CANARY, PASSPHRASE, &token, &token[..20], &bearer] {
        assert!(!told.contains(canary), "{canary} in {told}");
    }
}

async fn create_token(data: &std::path::Path) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_chatp2p-peer"));
    let output = command.args(["token", "create", "--scope", "send", "--data-dir"]).arg(data).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_program_that_waits_for_its_first_attempt_tells_what_came_of_each() {
    let (tracker, alice, bob) = town().await;
    link(&alice, &bob).await;
    let Peer { program, data, .. } = bob;
    program.kill().await;
    // Nobody asks: the node dials again by itself, and tells of it.
    until("a dial of its own has failed", async || {
        (diagnosis(&alice, "bob").await["code"] == "port_closed").then_some(())
    })
    .await;
    is_told(&alice, "bob", "dialled", "port_closed", "Check that the other peer runs").await;
    assert_eq!(diagnosis(&alice, "bob").await["trying"], true);
    let _bob = running_at("bob", &tracker, data).await;
    connects(&alice, "bob").await;
}
