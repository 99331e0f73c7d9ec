//! A profile under a passphrase: nothing opens it without, by the API or by the flag.

use std::path::Path;

use serde_json::{Value, json};

use crate::http::Answer;
use crate::play::{Peer, Program, idle, link, peer_command, running, tracker};

const RIGHT: &str = "correct horse battery staple";
const WRONG: &str = "correct horse battery stable";

async fn start(peer: &Peer, tracker: &Program, passphrase: Option<&str>) -> Answer {
    let mut order = json!({"username": "alice", "port": 0, "tracker_url": format!("http://{}", tracker.api)});
    if let Some(passphrase) = passphrase {
        order["passphrase"] = passphrase.into();
    }
    peer.ask("POST", "/start", Some(&order)).await
}

async fn change(peer: &Peer, passphrase: Option<&str>, new_passphrase: Option<&str>) -> Answer {
    let body = json!({"passphrase": passphrase, "new_passphrase": new_passphrase});
    peer.ask("PUT", "/passphrase", Some(&body)).await
}

async fn has_passphrase(peer: &Peer) -> Value {
    peer.get("/identity").await.json()["has_passphrase"].clone()
}

#[tokio::test]
async fn a_start_needs_the_passphrase_that_the_first_one_had() {
    let (tracker, mut peer) = (tracker().await, idle(&[]).await);
    peer.name = "alice".to_owned();
    let bob = running("bob", &tracker).await;
    assert_eq!(start(&peer, &tracker, Some(RIGHT)).await.status, 200);
    assert_eq!(has_passphrase(&peer).await, true);
    let id = peer.get("/identity").await.json()["peer_id"].clone();
    let _events = link(&peer, &bob).await;
    assert_eq!(peer.say("bob", "behind a lock").await.status, 200);
    assert_eq!(peer.ask("POST", "/stop", None).await.status, 200);

    let refused = start(&peer, &tracker, None).await;
    assert!(refused.json()["next"].as_str().unwrap().contains("--passphrase-file"));
    refused.refuses(409, "passphrase_required");
    start(&peer, &tracker, Some(WRONG)).await.refuses(409, "passphrase_wrong");
    for (no_passphrase, reason) in [("short", "at least 8 characters"), (&*"x".repeat(1025), "1024")] {
        let refused = start(&peer, &tracker, Some(no_passphrase)).await;
        assert!(refused.json()["detail"].as_str().unwrap().contains(reason), "{}", refused.json());
        refused.refuses(422, "invalid_input");
    }
    assert_eq!(peer.get("/status").await.json(), json!({"running": false}));

    assert_eq!(start(&peer, &tracker, Some(RIGHT)).await.status, 200);
    assert_eq!(peer.get("/identity").await.json()["peer_id"], id);
    assert_eq!(peer.talk("bob").await, [("alice".to_owned(), "behind a lock".to_owned())]);
}

#[tokio::test]
async fn the_passphrase_is_set_changed_and_taken_away_while_the_node_runs() {
    let (tracker, peer) = (tracker().await, idle(&[]).await);
    change(&peer, None, Some(RIGHT)).await.refuses(400, "not_running");
    assert_eq!(start(&peer, &tracker, None).await.status, 200);
    assert_eq!(has_passphrase(&peer).await, false);
    change(&peer, None, Some("short")).await.refuses(422, "invalid_input");
    change(&peer, None, Some(RIGHT)).await.is(&json!({"has_passphrase": true}));
    assert_eq!(has_passphrase(&peer).await, true);
    change(&peer, None, None).await.refuses(409, "passphrase_required");
    change(&peer, Some(WRONG), None).await.refuses(409, "passphrase_wrong");
    change(&peer, Some(RIGHT), Some(WRONG)).await.is(&json!({"has_passphrase": true}));
    assert_eq!(peer.ask("POST", "/stop", None).await.status, 200);
    start(&peer, &tracker, Some(RIGHT)).await.refuses(409, "passphrase_wrong");
    assert_eq!(start(&peer, &tracker, Some(WRONG)).await.status, 200);
    change(&peer, Some(WRONG), None).await.is(&json!({"has_passphrase": false}));
    assert_eq!(peer.ask("POST", "/stop", None).await.status, 200);
    assert_eq!(start(&peer, &tracker, None).await.status, 200);
}

fn secret(folder: &Path, name: &str, content: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, content).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    file.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_opens_the_profile_without_anybody_there() {
    let (tracker, data, folder) = (tracker().await, tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (right, wrong) = (secret(folder.path(), "right", &format!("{RIGHT}\n")), secret(folder.path(), "wrong", WRONG));
    let url = format!("http://{}", tracker.api);
    let command = |file: Option<&str>| {
        let mut command = peer_command(data.path());
        command.args(["--username", "alice", "--tracker", &url]);
        if let Some(file) = file {
            command.args(["--passphrase-file", file]);
        }
        command
    };
    let first = Program::start(&mut command(Some(&right))).await;
    first.terminate().await;
    for (file, says) in [
        (None, "--passphrase-file FILE opens it"),
        (Some(&*wrong), "the passphrase is wrong"),
        (Some("/no/such/file"), "cannot read --passphrase-file /no/such/file"),
    ] {
        let output = command(file).kill_on_drop(true).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.lines().any(|line| line.starts_with("chatp2p-peer: ") && line.contains(says)), "{said}");
        assert!(!said.contains("correct horse"), "{said}");
    }
    let again = Program::start(&mut command(Some(&right))).await;
    assert!(again.terminate().await.success());
}
